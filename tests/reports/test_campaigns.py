"""What came of a campaign: the whole exactly, and of its parts no number that points to anybody."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns.editions import Texts
from mailer.people import small_numbers
from mailer.reports import campaigns as campaign_reports
from mailer.reports import spreads
from mailer.reports.returned import Returned
from mailer.reports.spreads import By, Row
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method
from mailer.store.db import utcnow
from mailer.store.models import (
    Campaign,
    DeliveryState,
    Kit,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Union,
    UnionStatus,
)
from tests.support.factories import (
    add_text,
    deliver,
    make_campaign,
    make_list,
    make_subscriber,
    make_union,
    subscribe,
)


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news)
    campaign.started_at = utcnow() - timedelta(hours=1)
    return campaign


def crowd(session: Session, campaign: Campaign, news: MailingList, people: int, **about: Any) -> list[Subscriber]:
    there = [make_subscriber(session, news, **about) for _ in range(people)]
    for person in there:
        deliver(session, campaign, person, DeliveryState.SENT)
    return there


# --- where it went ----------------------------------------------------------------------------------------------------


def spread(session: Session, campaign: Campaign, by: By) -> dict[str, int | None] | None:
    rows = spreads.spreads(session, campaign)[by]
    return None if rows is None else {row.name: row.mails for row in rows}


def test_countries_and_unions_are_named_and_the_few_are_hidden(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    dockers, namesake = make_union(session, "dockers", name="Dockers"), make_union(session, "quays", name="Dockers")
    crowd(session, campaign, news, 13, country="FR", union=dockers)
    crowd(session, campaign, news, 12, country="GB", union=namesake)
    crowd(session, campaign, news, 2, country="DE")
    crowd(session, campaign, news, 1, country=None)
    by_country = spread(session, campaign, By.COUNTRY)
    assert by_country == {"France": 13, "United Kingdom": 12, "": None, "Germany": None}
    assert list(by_country) == ["France", "United Kingdom", "", "Germany"]
    assert spread(session, campaign, By.UNION) == {"Dockers (dockers)": 13, "Dockers (quays)": None, "": None}
    assert spread(session, campaign, By.LANGUAGE) == {"en": 28}
    assert spread(session, campaign, By.TEXT) == {"en": 28}


def test_of_fewer_than_ten_mails_nothing_is_told_but_how_many_they_were(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    crowd(session, campaign, news, 5, country="FR")
    crowd(session, campaign, news, 4, country="GB")
    found = campaign_reports.report(session, campaign)
    assert found.progress.audience == 9
    assert set(found.spreads.values()) == {None}


def test_where_everybody_is_alone_with_their_country_none_is_named(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    for country in ("FR", "GB", "DE", "IT", "ES", "PT", "NL", "BE", "AT", "CH", "PL"):
        crowd(session, campaign, news, 1, country=country)
    assert spread(session, campaign, By.COUNTRY) is None
    assert spread(session, campaign, By.LANGUAGE) == {"en": 11}


def test_a_text_does_not_tell_how_few_read_a_form_of_its_language(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    add_text(session, campaign, "fr", "Écrivez.\n")
    crowd(session, campaign, news, 50, language="fr")
    crowd(session, campaign, news, 3, language="fr-CA")
    crowd(session, campaign, news, 45, language="en")
    crowd(session, campaign, news, 5, language="it")
    assert spread(session, campaign, By.TEXT) == {"fr": 53, "en": 50}
    assert spread(session, campaign, By.LANGUAGE) == {"en": None, "fr": None, "fr-CA": None, "it": None}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_nor_does_somebody_learn_it_who_knows_this_program(
    session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All numbers of readers of five languages, in three texts, with a border of 3 instead of 10: those that look the
    same have in each place that hides a small number two different ones."""
    monkeypatch.setattr(small_numbers, "SMALLEST_SHOWN", 3)
    for language in ("fr", "es"):
        add_text(session, campaign, language, "…\n")
    texts, largest = Texts(campaign), 6
    readers = ("en", "it", "fr", "fr-CA", "es")
    lookalikes: defaultdict[Any, list[Mapping[str | None, int]]] = defaultdict(list)
    for numbers in product(range(largest + 1), repeat=len(readers)):
        counts: dict[str | None, int] = {
            reader: number for reader, number in zip(readers, numbers, strict=True) if number
        }
        shown = spreads._languages(counts, texts)
        by_language, by_text = (
            None if (rows := shown[by]) is None else tuple(sorted(rows.items(), key=str))
            for by in (By.LANGUAGE, By.TEXT)
        )
        lookalikes[sum(numbers), by_language, by_text].append(counts)
    checked = 0
    for (_, by_language, _), tables in lookalikes.items():
        if any(largest in counts.values() for counts in tables):
            continue  # there are more of these than were made
        for reader in (reader for reader, number in by_language or () if number is None and tables[0][reader] < 3):
            assert len({counts[reader] for counts in tables}) > 1, tables
            checked += 1
    assert checked > 20


# --- who left ---------------------------------------------------------------------------------------------------------


def leave(session: Session, person: Subscriber, news: MailingList, reason: str | None = None) -> None:
    subscription = session.query(Subscription).filter_by(subscriber_id=person.id, list_id=news.id).one()
    leaving.leave(session, subscription, method=Method.PAGE, reason=reason)


def test_who_left_counts_for_the_last_campaign_that_they_were_mailed(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    before, after, stayed = crowd(session, campaign, news, 3)
    make_subscriber(session, news, status=SubscriptionStatus.UNSUBSCRIBED)  # was not mailed
    elsewhere = make_list(session, "elsewhere")
    subscribe(session, stayed, elsewhere)
    leave(session, before, news)
    leave(session, stayed, elsewhere)
    later = make_campaign(session, news, slug="later")
    later.started_at = utcnow()
    for person in (after, stayed):
        deliver(session, later, person, DeliveryState.SENT)
    leave(session, after, news)
    assert campaign_reports.report(session, campaign).left == 1
    assert campaign_reports.report(session, later).left == 1


def test_who_left_before_a_campaign_went_out_to_them_did_not_leave_after_it(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    person, doubtful = crowd(session, campaign, news, 2)
    later = make_campaign(session, news, slug="later")
    later.started_at = utcnow()
    for mailed, state in ((person, DeliveryState.SKIPPED), (doubtful, DeliveryState.UNKNOWN)):
        deliver(session, later, mailed, state)
        leave(session, mailed, news)
    assert campaign_reports.report(session, campaign).left == 1
    assert campaign_reports.report(session, later).left == 1


def test_why_people_left_is_shown_from_ten_on_by_the_alphabet(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    people = crowd(session, campaign, news, 12)
    reasons = ["Too many", "moved", "Zzz", "moved", "ill", "no time", "b", "c", "a"]
    for person, reason in zip(people, [*reasons, None, "again"], strict=False):
        assert campaign_reports.report(session, campaign).reasons is None
        leave(session, person, news, reason)
    found = campaign_reports.report(session, campaign)
    assert found.left == 11
    assert found.reasons == ["a", "again", "b", "c", "ill", "moved", "moved", "no time", "Too many", "Zzz"]


# --- kits, and what may be passed on ----------------------------------------------------------------------------------


def kit(session: Session, campaign: Campaign, union: Union | None, **said: Any) -> None:
    session.add(Kit(campaign_id=campaign.id, union_id=union.id if union else None, **said))
    session.flush()


def test_kits_are_summed_up(session: Session, campaign: Campaign) -> None:
    unions = [make_union(session, f"union-{number}", status=UnionStatus.AFFILIATED) for number in range(4)]
    now = utcnow()
    kit(session, campaign, None, sent_at=now)
    kit(session, campaign, unions[0], sent_at=now, seen_at=now, forwarded_at=now, reached=70)
    kit(session, campaign, unions[1], sent_at=now, promised_at=now)
    kit(session, campaign, unions[2], forwarded_at=now, reached=5)  # told by telephone
    kit(session, campaign, unions[3])
    kits = campaign_reports.report(session, campaign).kits
    assert (kits.sent, kits.answered, kits.forwarded, kits.reached) == (3, 3, 2, 75)


def test_small_numbers_of_the_whole_are_for_organisers_and_hidden_from_others(
    session: Session, campaign: Campaign, news: MailingList
) -> None:
    quiet = make_union(session, "unnamed-0", name="Poets in hiding", is_named=False)
    people = crowd(session, campaign, news, 30, union=quiet)
    for person in people[:3]:
        leave(session, person, news, "My brother was arrested")
    for smtp_text, number in (("5.1.1 no such user", 2), ("5.2.2 full", 14)):
        for _ in range(number):
            deliver(
                session,
                campaign,
                make_subscriber(session, news),
                DeliveryState.FAILED,
                smtp_code=550,
                smtp_text=smtp_text,
            )
    kit(session, campaign, make_union(session, status=UnionStatus.AFFILIATED), forwarded_at=utcnow(), reached=4)
    found = campaign_reports.report(session, campaign)
    assert (found.left, found.kits.reached, [each.count for each in found.refusals]) == (3, 4, [14, 2])
    assert found.spreads[By.UNION] == [Row("unnamed-0", "Poets in hiding", 30, is_named=False)]
    assert [(each.what, each.key, each.name, each.number) for each in campaign_reports.for_others(found)] == [
        ("sent", "", "", 30),
        ("country", "GB", "United Kingdom", 30),
        ("union", "", "(asked not to be named)", 30),
        ("language", "en", "en", 30),
        ("text", "en", "en", 30),
        ("left", "", "", None),
        ("failed", "", "550 5.1.1", None),
        ("failed", "", "550 5.2.2", None),
        *(("returned", each, "", 0) for each in Returned.__slots__),
        ("kits", "sent", "", 1),
        ("kits", "answered", "", 1),
        ("kits", "forwarded", "", 1),
        ("kits", "reached", "", None),
    ]
