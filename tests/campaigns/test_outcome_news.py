"""News of how a case ended: everyone who acted can be told, once each, and nothing goes out by itself."""

from datetime import date, timedelta
from functools import partial

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, editions, gate, lifecycle, outcome_news, segments
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.delivery import control, stopping
from mailer.locale.languages import SITE_LANGUAGES
from mailer.mail import leftovers
from mailer.store.db import session_scope
from mailer.store.models import (
    ActKind,
    Campaign,
    CampaignStatus,
    CampaignText,
    Case,
    CaseText,
    HomeRule,
    MailingList,
    Subscriber,
    Subscription,
)
from tests.support.factories import (
    SENDER,
    WHEN,
    make_act,
    make_campaign,
    make_case,
    make_list,
    make_subscriber,
    make_union,
    subscribe,
)

FREE = {"en": "She is free.", "fr": "Elle est libre."}


@pytest.fixture
def case(session: Session) -> Case:
    case = make_case(session, "leila", never=["Amal Odeh"])
    case.texts.append(CaseText(language="en", title="Free Leila", body="She is held."))
    return case


@pytest.fixture
def alert(session: Session, case: Case) -> Campaign:
    return make_alert(session, case, make_list(session))


def make_alert(session: Session, case: Case, mailing_list: MailingList, slug: str = "free-leila") -> Campaign:
    alert = make_campaign(session, mailing_list, slug=slug, status=CampaignStatus.SENT)
    alert.case, alert.about, alert.started_at, alert.ask = case, "BR", WHEN, ["embassy"]
    alert.home, alert.unknown_home = HomeRule.EXCLUDE, HomeRule.INCLUDE
    session.flush()
    return alert


def acted(session: Session, alert: Campaign, *, country: str | None = "GB") -> Subscriber:
    person = make_subscriber(session, alert.mailing_list, country=country)
    make_act(session, alert, person)
    return person


def close(engine: Engine, session: Session, words: dict[str, str] = FREE) -> list[Campaign]:
    """Close the case, and give back what was written for those who acted."""
    session.commit()
    stopping.close_case(partial(session_scope, engine), "leila", words)
    session.expire_all()
    written = [lifecycle.get(session, each.slug) for each in outcome_news.write(session, "leila")]
    session.commit()
    return written


def reached(session: Session, draft: Campaign) -> set[int]:
    people = segments.audience(session, draft.list_id, segments.segment_of(draft))
    return set(session.scalars(people.add_columns(Subscription.subscriber_id)))


def test_who_acted_on_any_campaign_of_the_case_can_be_told_how_it_ended_and_nobody_else(
    engine: Engine, session: Session, case: Case, alert: Campaign
) -> None:
    again = make_alert(session, case, alert.mailing_list, "again-leila")
    wrote, signed = acted(session, alert), make_subscriber(session, alert.mailing_list, country=None)
    make_act(session, again, signed, ActKind.SIGNED)
    make_subscriber(session, alert.mailing_list, country="GB")  # did neither
    acted(session, make_campaign(session, alert.mailing_list, slug="of-another-case"))
    [draft] = close(engine, session)
    assert (draft.slug, draft.kind, draft.status) == ("leila-outcome", "update", CampaignStatus.DRAFT)
    assert draft.audience == {"acted": ["again-leila", "free-leila"]}
    assert reached(session, draft) == {wrote.id, signed.id}
    assert [each.code for each in gate.findings(session, draft)] == []
    editions.try_out(session, draft)
    assert control.start(session, draft, SENDER) == 2


def test_it_says_how_it_ended_in_each_language_in_which_that_was_said(
    engine: Engine, session: Session, alert: Campaign
) -> None:
    acted(session, alert)
    [draft] = close(engine, session, {**FREE, "pt": "Ela está livre."})
    texts = {text.language: text for text in draft.texts}
    assert set(texts) == {"en", "fr", "pt"} and draft.language == "en"
    assert "She is free." in texts["en"].body and "Thank you" in texts["en"].body
    assert "Elle est libre." in texts["fr"].body and "Thank you" not in texts["fr"].body
    assert texts["pt"].body == "Ela está livre.\n"  # we have no words of our own in that language
    assert all("Leila" not in text.subject for text in draft.texts)  # nobody agreed that we name anybody


def test_it_is_headed_by_what_the_case_is_called_where_that_may_be_said(
    engine: Engine, session: Session, case: Case, alert: Campaign
) -> None:
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    acted(session, alert)
    [draft] = close(engine, session)
    assert {text.language: text.subject for text in draft.texts}["en"] == "How it ended: Free Leila"


@pytest.mark.parametrize(
    "words",
    [
        "1. *Free* {{ name }} {% if x %} [here](x) <b>",
        "- # {# no #} a_b `c` ~~d~~ &amp;",
        "# {{",
        "https://example.org/a_b_c is all",
    ],
)
def test_what_was_typed_goes_out_as_it_stands(engine: Engine, session: Session, alert: Campaign, words: str) -> None:
    acted(session, alert)
    [draft] = close(engine, session, {"en": words})
    renderer = editions.EditionRenderer(session, draft, editions.TRIAL_SENDER)
    [key] = renderer.trial()
    shown = " ".join("".join(piece for piece in renderer.render(key).text if isinstance(piece, str)).split())
    assert words in shown


def test_it_has_words_of_its_own_in_every_language_of_the_site(
    engine: Engine, session: Session, alert: Campaign
) -> None:
    acted(session, alert)
    [draft] = close(engine, session, dict.fromkeys(SITE_LANGUAGES, "✓"))
    assert len({text.subject for text in draft.texts}) == len(SITE_LANGUAGES)
    assert all(len(text.preheader) <= 90 and not leftovers.find_in_line((text.preheader,)) for text in draft.texts)


def test_a_second_close_finds_the_draft_and_leaves_it(engine: Engine, session: Session, alert: Campaign) -> None:
    acted(session, alert)
    [draft] = close(engine, session)
    draft.texts[0].body = "Somebody wrote it better.\n"
    session.commit()
    [same] = outcome_news.write(session, "leila")
    assert (same.slug, same.is_new) == ("leila-outcome", False)
    assert close(engine, session, {"en": "No."}) == [draft]
    assert session.scalars(select(CampaignText.body).where(CampaignText.campaign_id == draft.id)).all() == [
        "Somebody wrote it better.\n",
        draft.texts[1].body,
    ]


def test_after_a_case_was_opened_again_its_next_end_is_news_again(
    engine: Engine, session: Session, alert: Campaign
) -> None:
    acted(session, alert)
    [first] = close(engine, session)
    control.start(session, first, SENDER)
    session.commit()
    with session_scope(engine) as other:
        stopping.reopen_case(other, "leila")
    [second] = close(engine, session, {"en": "She was arrested again, and is free."})
    assert second.slug == "leila-outcome-2"


def test_each_owner_tells_those_who_acted_for_them_and_nobody_is_told_twice(
    engine: Engine, session: Session, case: Case, alert: Campaign
) -> None:
    news, theirs = make_list(session, "a-news"), make_list(session, "theirs")
    theirs.owner_id = make_union(session, "bakers").id
    to_news, to_theirs = make_alert(session, case, news, "to-news"), make_alert(session, case, theirs, "to-theirs")
    on_both, on_one = acted(session, alert), acted(session, alert)
    subscribe(session, on_both, news)
    baker = acted(session, to_theirs)
    nobody = make_list(session, "z-empty")
    make_alert(session, case, nobody, "to-nobody")
    found = {draft.mailing_list.slug: draft for draft in close(engine, session)}
    assert set(found) == {"a-news", "theirs", "urgent-actions"}
    assert reached(session, found["a-news"]) == {on_both.id}
    assert reached(session, found["urgent-actions"]) == {on_one.id}
    assert reached(session, found["theirs"]) == {baker.id}
    assert found["theirs"].audience == {"acted": ["to-theirs"]}
    assert to_news.slug in found["urgent-actions"].audience["acted"]
    assert sorted(draft.slug for draft in found.values()) == ["leila-outcome", "leila-outcome-2", "leila-outcome-3"]


@pytest.mark.parametrize("words", [{}, {"en": "Amal Odeh saw it."}])
def test_nothing_is_written_where_nothing_may_be_said(
    engine: Engine, session: Session, alert: Campaign, words: dict[str, str]
) -> None:
    acted(session, alert)
    assert close(engine, session, words) == []


def test_nothing_is_written_where_nobody_acted_who_could_be_told(
    engine: Engine, session: Session, alert: Campaign
) -> None:
    make_act(session, alert, None)
    make_act(session, alert, make_subscriber(session))  # signed, and is on no list
    assert close(engine, session) == []


def test_readers_at_home_and_those_who_may_be_are_told_nothing_that_nobody_wrote_for_them(
    engine: Engine, session: Session, alert: Campaign
) -> None:
    alert.unknown_home = HomeRule.EXCLUDE
    acted(session, alert, country="BR")
    acted(session, alert, country=None)
    abroad = acted(session, alert)
    [draft] = close(engine, session)
    assert reached(session, draft) == {abroad.id}


def test_a_case_whose_name_must_not_appear_is_not_named(
    engine: Engine, session: Session, case: Case, alert: Campaign
) -> None:
    case.never = ["Leila"]
    acted(session, alert)
    [draft] = close(engine, session)
    assert draft.slug == "outcome"


def test_once_it_has_gone_out_people_are_known_for_ninety_days(
    engine: Engine, session: Session, case: Case, alert: Campaign
) -> None:
    acted(session, alert)
    assert acts.told_at(session, alert) is None
    [draft] = close(engine, session)
    closed = acts.told_at(session, alert)
    assert closed is not None  # until it has gone out, from the close on
    draft.status, draft.started_at = CampaignStatus.SENT, closed
    draft.finished_at = closed + timedelta(days=7)
    session.flush()
    assert acts.told_at(session, alert) == draft.finished_at
    assert acts.known_until(alert, acts.told_at(session, alert)) == closed + timedelta(days=97)
