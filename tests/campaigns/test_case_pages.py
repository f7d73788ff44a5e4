"""A case as everybody may read it."""

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import case_pages
from mailer.campaigns.case_pages import CasePage, Line, Named, NoPage
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy, PersonStatus
from mailer.cases.sayable import Words
from mailer.store import db
from mailer.store.models import Asking, Campaign, CampaignStatus, Case, CaseEventKind, CaseText
from tests.support.cases import REASON, decide, make_case, tell_news
from tests.support.factories import WHEN, make_campaign, make_list


@pytest.fixture
def case(session: Session) -> Case:
    return make_case(session)


def read(session: Session, case: Case, language: str = "en") -> CasePage:
    return case_pages.page(session, case_pages.find(session, case.slug), language=language)


def about(session: Session, case: Case, slug: str, **columns: object) -> Campaign:
    """A public campaign about a case that is out, with some columns changed."""
    campaign = make_campaign(session, make_list(session, f"list-{slug}"), slug=slug)
    values = {"public": True, "status": CampaignStatus.SENT, "started_at": WHEN, "case": case, **columns}
    for name, value in values.items():
        setattr(campaign, name, value)
    session.commit()
    return campaign


def test_a_case_is_told_in_the_readers_language(session: Session, case: Case) -> None:
    case.texts.append(CaseText(language="fr", title="Leila du port", body="Elle a organisé une grève.\n"))
    tell_news(session, case, {"en": "Arrested.", "fr": "Arrêtée."}, date(2026, 1, 3), "https://example.org/arrested")
    page = read(session, case, "fr-CA")
    assert (page.language, page.title, page.html) == ("fr", "Leila du port", "<p>Elle a organisé une grève.</p>\n")
    assert page.persons == (Named(("Leila Marun", "ليلى مارون"), PersonStatus.ARRESTED),)
    assert page.asks == (Words("fr", "Libérez-la immédiatement."),)
    news = Line(date(2026, 1, 3), CaseEventKind.NEWS, Words("fr", "Arrêtée."), "https://example.org/arrested")
    assert page.history == (news,)
    assert read(session, case, "ar").persons == (Named(("ليلى مارون", "Leila Marun"), PersonStatus.ARRESTED),)
    assert read(session, case, "tr").html == "<h2>Who</h2>\n<p>She <em>organised</em> a strike.</p>\n"


def test_only_a_public_case_of_which_somebody_lets_us_speak_has_a_page(session: Session, case: Case) -> None:
    read(session, case)
    with pytest.raises(NoPage):
        case_pages.find(session, "nobody")
    today = db.now(session).date()
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, today, until=today - timedelta(days=1)))
    with pytest.raises(NoPage):
        read(session, case)
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, today, until=today))
    read(session, case)
    cases.withdraw_consent(session, case, "they are afraid")
    with pytest.raises(NoPage):
        read(session, case)
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, today))
    case.public = False
    with pytest.raises(NoPage):
        read(session, case)


def test_a_stopped_case_says_why_and_asks_for_nothing(session: Session, case: Case) -> None:
    decide(session, case, CaseEventKind.STOPPED, REASON)
    page = read(session, case, "fr")
    assert page.reason == Words("fr", REASON["fr"]) and page.asks == ()
    decide(session, case, CaseEventKind.REOPENED)
    page = read(session, case, "fr")
    assert page.reason is None and page.asks
    assert [(line.kind, line.words) for line in page.history] == [
        (CaseEventKind.REOPENED, None),
        (CaseEventKind.STOPPED, Words("fr", REASON["fr"])),
    ]


def test_a_closed_case_says_how_it_ended_and_asks_for_nothing(session: Session, case: Case) -> None:
    case.outcome = {"en": "She is free."}
    decide(session, case, CaseEventKind.CLOSED)
    page = read(session, case, "fr")
    assert page.outcome == Words("en", "She is free.") and page.asks == ()


def test_the_history_says_nothing_of_consent_and_loading(session: Session, case: Case) -> None:
    cases.note(session, case, CaseEventKind.LOADED)
    cases.record_consent(session, case, Consent(ConsentBy.LAWYER, date(2026, 1, 6)))
    session.commit()
    assert read(session, case).history == ()


def test_its_public_campaigns_are_listed_with_what_holds_of_each(session: Session, case: Case) -> None:
    about(session, case, "alert")
    about(session, case, "news", kind="update", started_at=WHEN + timedelta(days=1))
    about(session, case, "members-only", public=False)
    about(session, case, "gone", asking=Asking.WITHDRAWN)
    about(session, case, "draft", status=CampaignStatus.DRAFT, started_at=None)
    decide(session, case, CaseEventKind.STOPPED, REASON)
    listed = [(each.slug, each.told.asking) for each in read(session, case).campaigns]
    assert listed == [("news", Asking.OPEN), ("alert", Asking.STOPPED)]


def test_what_must_not_appear_is_left_out_wherever_it_came_from(session: Session, case: Case) -> None:
    """Such as when a word came into `never` later than what holds it."""
    about(session, case, "alert")
    case.outcome = {"en": "Amal is safe."}
    case.asks = {"en": ["Let Amal go.", "Release her."]}
    case.persons = [{"name": "Amal", "status": "arrested", "names": {"Arab": "ليلى"}}]
    tell_news(session, case, {"en": "Amal was seen."}, date(2026, 1, 3))
    tell_news(session, case, {"en": "She was seen."}, date(2026, 1, 4), "https://example.org/amal")
    decide(session, case, CaseEventKind.STOPPED, {"en": "Amal asks for it."})
    decide(session, case, CaseEventKind.REOPENED)
    case.never = ["Amal", "dockers"]
    session.commit()
    page = read(session, case)
    assert page.outcome is None
    assert page.asks == (Words("en", "Release her."),)
    assert page.persons == (Named(("ليلى",), PersonStatus.ARRESTED),)
    assert page.campaigns == ()  # the preheader has one of the words
    assert {line.words.text for line in page.history if line.words} == {"She was seen."}
    assert not any(line.link for line in page.history)
    case.texts[0].title, case.texts[0].body = "Amal", "A**ma**l.\n"
    session.commit()
    page = read(session, case)
    assert (page.title, page.html) == (None, "")
