"""A union's links end when they are replaced, and its contacts are mailed the new ones, in one mail."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.kits import announcements, answers, renewal
from mailer.kits.answers import UnionAnswer
from mailer.links import Link
from mailer.people import subscribers
from mailer.people.notices import NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    DeliveryState,
    Kit,
    KitEdition,
    MailingList,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import affiliation, contacts, generations
from mailer.unions.contacts import NotItsContact
from mailer.unions.directory import UnknownUnion
from mailer.unions.generations import ReplacedLink
from tests.support.factories import (
    SENDER,
    WHEN,
    make_campaign,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
)

BASE = SENDER.base_url
ANA, BEN = "ana@example.org", "ben@example.org"


@pytest.fixture
def union(session: Session) -> Union:
    """A union with two contacts."""
    union = make_union(session, name="Dockers United", status=UnionStatus.AFFILIATED)
    for email, language in ((ANA, "en"), (BEN, "de")):
        make_contact(session, union, make_subscriber(session, email=email, language=language))
    session.commit()
    return union


def make_kit(
    session: Session, union: Union, number: int = 1, changes: Mapping[str, object] = MappingProxyType({})
) -> Kit:
    news = session.scalar(select(MailingList)) or make_list(session)
    campaign = make_campaign(session, news, slug=f"alert-{number}", status=CampaignStatus.SENDING)
    campaign.forwardable, campaign.started_at = True, utcnow()
    kit = Kit(campaign_id=campaign.id, union_id=union.id, ready_at=WHEN, sent_at=WHEN)
    for column, value in changes.items():
        setattr(campaign if hasattr(Campaign, column) else kit, column, value)
    session.add(kit)
    session.commit()
    return kit


def number_in(session: Session, url: str) -> tuple[int, int]:
    """The row and the generation in the address of a kit or of results."""
    page, _, token = url.removeprefix(f"{BASE}/").rpartition("/")
    link = Link.KIT if page.endswith("kit") else Link.UNION
    return links.split_generation(links.verify(keyring_of(session), link, token))


def new_links(session: Session) -> list[tuple[str | None, dict[str, str]]]:
    """The mails that say so: language, and what they print."""
    owed = [each for each in notices_owed(session) if each.notice and said(each).kind is NoticeKind.RENEWED]
    return [(said(mail).language, dict(said(mail).words)) for mail in owed]


def test_every_contact_gets_one_mail_with_the_results_and_all_open_kits(session: Session, union: Union) -> None:
    kits = [make_kit(session, union, number) for number in range(7)]
    assert renewal.renew(session, "dockers", base_url=BASE) == 2
    session.commit()
    (language, words), (other, _) = new_links(session)
    assert (language, other) == ("en", "de")
    numbered = {f"kit_{number}{what}" for number in range(1, 6) for what in ("", "_url")}
    assert set(words) == {"union", "results_url", "stop_url", *numbered}
    assert number_in(session, words["results_url"]) == (union.id, 1)
    assert number_in(session, words["kit_1_url"]) == (kits[6].id, 1)
    assert (words["union"], words["kit_1"]) == ("Dockers United", "Free the five")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": CampaignStatus.CANCELLED},
        {"status": CampaignStatus.PAUSED},
        {"deadline": WHEN},
        {"sent_at": None},
    ],
    ids=str,
)
def test_a_kit_that_is_not_to_be_forwarded_or_was_not_told_of_is_not_in_it(
    session: Session, union: Union, changes: dict[str, object]
) -> None:
    make_kit(session, union, changes=changes)
    renewal.renew(session, "dockers", base_url=BASE)
    assert set(new_links(session)[0][1]) == {"union", "results_url", "stop_url"}


def test_who_is_removed_has_links_that_show_nothing_and_gets_no_new_ones(session: Session, union: Union) -> None:
    make_kit(session, union)
    assert renewal.remove_contact(session, "dockers", ANA.upper(), base_url=BASE) == 1
    session.commit()
    ((language, words),) = new_links(session)
    assert language == "de"
    assert "ana" not in str(words)
    session.refresh(union)
    assert union.link_generation == 1
    with pytest.raises(ReplacedLink):
        generations.require_current(union, 0)
    generations.require_current(union, 1)
    generations.require_current(None, 0)


def test_what_is_refused_replaces_nothing(session: Session, union: Union) -> None:
    with pytest.raises(NotItsContact):
        renewal.remove_contact(session, "dockers", "cleo@example.org", base_url=BASE)
    session.rollback()
    with pytest.raises(UnknownUnion):
        renewal.renew(session, "miners", base_url=BASE)
    session.rollback()
    session.refresh(union)
    assert (union.link_generation, new_links(session)) == (0, [])


def test_who_stops_their_mail_or_is_erased_replaces_nothing(session: Session, union: Union) -> None:
    contact = session.scalars(select(UnionContact).order_by(UnionContact.id).limit(1)).one()
    contacts.step_down(session, contact)  # whoever was forwarded their mail can do so
    subscribers.erase(session, BEN)
    session.commit()
    session.refresh(union)
    assert union.link_generation == 0


def test_a_union_that_never_had_links_is_mailed_none(session: Session) -> None:
    make_contact(session, make_union(session))
    assert renewal.renew(session, "dockers", base_url=BASE) == 0
    assert notices_owed(session) == []


def test_a_union_that_is_not_to_be_named_is_not_named_in_that_mail(session: Session, union: Union) -> None:
    union.is_named = False
    renewal.renew(session, "dockers", base_url=BASE)
    assert "Dockers" not in str(new_links(session)[0][1])


def test_mail_that_waits_is_sent_with_the_new_links(session: Session, union: Union) -> None:
    kit = make_kit(session, union, changes={"sent_at": None})
    session.add(KitEdition(kit_id=kit.id, language="en", made_at=WHEN, archive=b"a", union_revision=0))
    session.flush()
    affiliation.tell(session, union, contacts.of_union(session, union.id), BASE)
    announcements.tell(session, BASE)
    session.commit()
    gone, *waiting = notices_owed(session)
    gone.state = DeliveryState.SENT
    session.commit()
    renewal.renew(session, "dockers", base_url=BASE)
    session.commit()
    assert number_in(session, said(gone).words["results_url"]) == (union.id, 0)
    assert [said(mail).kind for mail in waiting] == [NoticeKind.AFFILIATED, NoticeKind.KIT, NoticeKind.KIT]
    assert number_in(session, said(waiting[0]).words["results_url"]) == (union.id, 1)
    for mail in waiting[1:]:
        assert number_in(session, said(mail).words["kit_url"]) == (kit.id, 1)


def test_mail_that_names_kits_waits_for_no_link_of_old(session: Session, union: Union) -> None:
    kit = make_kit(session, union, changes={"forwarded_at": utcnow(), "reached": 250})
    answers.answer(session, kit.id, UnionAnswer.FORWARDED, reached=300, base_url=BASE)
    for _ in range(2):
        renewal.renew(session, "dockers", base_url=BASE)
    session.commit()
    waiting = [said(mail) for mail in notices_owed(session)]
    assert {notice.kind for notice in waiting} == {NoticeKind.CHANGED, NoticeKind.RENEWED}
    for notice in waiting:
        of_union = {word: url for word, url in notice.words.items() if word.endswith("_url") and word != "stop_url"}
        assert {number_in(session, url)[1] for url in of_union.values()} == {2}


def test_later_mail_and_another_union_are_as_they_should_be(session: Session, union: Union) -> None:
    other = make_union(session, "miners", status=UnionStatus.AFFILIATED)
    renewal.renew(session, "dockers", base_url=BASE)
    renewal.renew(session, "dockers", base_url=BASE)
    session.commit()
    affiliation.tell(session, union, contacts.of_union(session, union.id)[:1], BASE)
    assert number_in(session, said(notices_owed(session)[-1]).words["results_url"]) == (union.id, 2)
    session.refresh(other)
    assert other.link_generation == 0
    assert session.scalar(select(func.max(Union.link_generation))) == 2


def test_a_kit_is_told_of_by_the_link_of_its_time(session: Session, union: Union) -> None:
    renewal.renew(session, "dockers", base_url=BASE)
    kit = make_kit(session, union, changes={"sent_at": None, "deadline": utcnow() + timedelta(days=2)})
    session.add(KitEdition(kit_id=kit.id, language="en", made_at=WHEN, archive=b"a", union_revision=0))
    session.commit()
    announcements.tell(session, BASE)
    assert number_in(session, said(notices_owed(session)[-1]).words["kit_url"]) == (kit.id, 1)
