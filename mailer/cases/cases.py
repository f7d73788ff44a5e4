"""Cases: finding one, who agreed to it, and its history. None of it is ever taken out of the history."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cases.dossier import Consent
from mailer.errors import MailerError
from mailer.store import db
from mailer.store.db import add_unique
from mailer.store.models import Case, CaseEvent, CaseEventKind, CaseFact, CaseStatus

#: the language of what is written into the history by us
_OURS = "en"


class UnknownCase(MailerError):
    """There is no case "{slug}". See all cases with `mailer cases list`, or load it: mailer cases load DIR"""


class LoadedElsewhere(MailerError):
    """Somebody else has just loaded a case "{slug}" for the first time. Check that it is the same one, and load it
    again."""


def get(session: Session, slug: str) -> Case:
    """The case of that slug.

    :raises UnknownCase: there is none.
    """
    case = session.scalar(select(Case).where(Case.slug == slug))
    if case is None:
        raise UnknownCase(slug=slug)
    return case


def all_cases(session: Session) -> Sequence[Case]:
    """Every case, the latest first."""
    return session.scalars(select(Case).order_by(Case.id.desc())).all()


def find_or_make(session: Session, slug: str, **values: object) -> Case:
    """The case of that slug with these values, made if there is none.

    :raises LoadedElsewhere: it was made at the same moment.
    """
    case = session.scalar(select(Case).where(Case.slug == slug).with_for_update())
    if case is None:
        case = Case(slug=slug, status=CaseStatus.OPEN, consent=None, **values)
        if not add_unique(session, case):
            raise LoadedElsewhere(slug=slug)
        return case
    for key, value in values.items():
        setattr(case, key, value)
    case.loaded_at = db.now(session)
    return case


def record_consent(session: Session, case: Case, consent: Consent) -> None:
    """Keep who agreed, and note it in the history if it is news."""
    stored = consent.to_json()
    if case.consent == stored:
        return
    case.consent = stored
    until = f", until {consent.until}" if consent.until else ""
    note(session, case, CaseEventKind.CONSENT, f"consent by {consent.by}, given on {consent.on}{until}")


def withdraw_consent(session: Session, case: Case, why: str) -> None:
    """Keep that nobody agrees any more. From now on nothing that asks people to act goes out on the case."""
    case.consent = None
    note(session, case, CaseEventKind.CONSENT, f"consent withdrawn: {why}")


def consent_of(case: Case) -> Consent | None:
    """Who agreed, if anybody did."""
    return Consent.from_json(case.consent) if case.consent else None


def stale(case: Case, day: date) -> list[CaseFact]:
    """The facts that would have to be checked again before anybody is asked to act."""
    return [fact for fact in case.facts if (day - fact.checked_on).days > fact.good_for]


def note(session: Session, case: Case, kind: CaseEventKind, words: str | None = None) -> None:
    """Add what we did to the history.

    :param words: of an organiser, or of the program; a row needs some.
    """
    told = {_OURS: words or kind.value}
    session.add(CaseEvent(case_id=case.id, kind=kind, happened_on=db.now(session), words=told))
