"""Invented cases, and what was decided about them."""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.store.models import (
    Asking,
    Campaign,
    Case,
    CaseEvent,
    CaseEventKind,
    CaseStatus,
    CaseText,
)

REASON = {"en": "Her lawyer asks for silence.", "fr": "Son avocate demande le silence."}
_ASKING = {
    CaseEventKind.STOPPED: Asking.STOPPED,
    CaseEventKind.REOPENED: Asking.OPEN,
    CaseEventKind.CLOSED: Asking.CLOSED,
    CaseEventKind.WITHDRAWN: Asking.WITHDRAWN,
}
_STATUS = {
    CaseEventKind.STOPPED: CaseStatus.STOPPED,
    CaseEventKind.REOPENED: CaseStatus.OPEN,
    CaseEventKind.CLOSED: CaseStatus.CLOSED,
}


def make_case(session: Session, slug: str = "leila", **columns: Any) -> Case:
    """A public case with an English text, of which its family lets us speak."""
    values: dict[str, Any] = {
        "country": "BR",
        "public": True,
        "persons": [{"name": "Leila Marun", "status": "arrested", "names": {"Arab": "ليلى مارون"}}],
        "asks": {"en": ["Release her at once."], "fr": ["Libérez-la immédiatement."]},
        "copy_to": [],
        "contact": [],
        "outcome": {},
        "never": [],
        "notes": None,
    }
    case = cases.find_or_make(session, slug, **(values | columns))
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    case.texts.append(CaseText(language="en", title="Leila of the port", body="# Who\n\nShe *organised* a strike.\n"))
    session.flush()
    return case


def decide(
    session: Session, about: Case | Campaign, kind: CaseEventKind, words: dict[str, str] | None = None
) -> CaseEvent:
    """Stop, reopen, close or withdraw, and write it into the history."""
    if isinstance(about, Case):
        about.status = _STATUS[kind]
        event = CaseEvent(kind=kind, words=words or {"en": kind.value})
        about.events.append(event)
    else:
        about.asking = _ASKING[kind]
        event = CaseEvent(case_id=about.case_id, campaign_id=about.id, kind=kind, words=words or {"en": kind.value})
        session.add(event)
    session.commit()
    return event


def tell_news(session: Session, case: Case, words: dict[str, str], on: date, link: str | None = None) -> None:
    """Add what happened in the world to the history."""
    case.events.append(CaseEvent(kind=CaseEventKind.NEWS, happened_on=on, words=words, link=link))
    session.commit()
