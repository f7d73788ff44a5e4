"""Cases: finding one, who agreed to it, and where it stands."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from mailer.cases import history
from mailer.cases.dossier import Consent, ConsentRecord, Person
from mailer.cases.findings import Code, Finding, Level
from mailer.cases.never import Never
from mailer.errors import MailerError
from mailer.store import db
from mailer.store.db import add_unique
from mailer.store.models import Case, CaseEventKind, CaseFact, CaseStatus

#: letters of a word that may be somebody's whole name: "Ana", not "de"
_IS_NAME = 3
#: the language of what is written into the history by us
_OURS = "en"


class UnknownCase(MailerError):
    """There is no case "{slug}". See all cases with `mailer cases list`, or load it: mailer cases load DIR"""


class OldConsent(MailerError):
    """{what} on {said_on}, and this consent was given on {on}, so it is not the last word. {remedy}"""


class LoadedElsewhere(MailerError):
    """Somebody else has just loaded a case "{slug}" for the first time. Check that it is the same one, and load it
    again."""


def get(session: Session, slug: str, *, to_change: bool = False) -> Case:
    """The case of that slug.

    :param to_change: nobody else changes it, and nothing about it starts, until the transaction ends.
    :raises UnknownCase: there is none.
    """
    which = select(Case).where(Case.slug == slug)
    if to_change:
        which = which.with_for_update(key_share=True).execution_options(populate_existing=True)
    case = session.scalar(which)
    if case is None:
        raise UnknownCase(slug=slug)
    return case


def decide(session: Session, slug: str, status: CaseStatus, words: Mapping[str, str]) -> tuple[Case, CaseStatus]:
    """Stop, close or open a case, whatever it was, and keep that in the history. Of the case only its slug and its
    status are read: nothing that cannot be read may keep it from being stopped.

    :param words: why, or how it ended: language → words.
    :returns: the case, and what it was before.
    :raises UnknownCase: there is none.
    """
    # As `get` does. Whoever starts a campaign about it holds it, too, and is waited for.
    light = select(Case).where(Case.slug == slug).options(load_only(Case.slug, Case.status))
    case = session.scalar(light.with_for_update(key_share=True).execution_options(populate_existing=True))
    if case is None:
        raise UnknownCase(slug=slug)
    was, case.status = case.status, status
    history.add(session, _DECIDED[status], words, case_id=case.id)
    return case, was


_DECIDED = {
    CaseStatus.OPEN: CaseEventKind.REOPENED,
    CaseStatus.STOPPED: CaseEventKind.STOPPED,
    CaseStatus.CLOSED: CaseEventKind.CLOSED,
}


def all_cases(session: Session) -> Sequence[Case]:
    """Every case, the latest first."""
    return session.scalars(select(Case).order_by(Case.id.desc())).all()


def find_or_make(session: Session, slug: str, **values: object) -> Case:
    """The case of that slug with these values, made if there is none.

    :raises LoadedElsewhere: it was made at the same moment.
    """
    which = select(Case).where(Case.slug == slug).with_for_update()
    case = session.scalar(which.execution_options(populate_existing=True))
    if case is None:
        case = Case(slug=slug, status=CaseStatus.OPEN, consent=None, **{"outcome": {}, **values})
        if not add_unique(session, case):
            raise LoadedElsewhere(slug=slug)
        return case
    for key, value in values.items():
        setattr(case, key, value)
    case.loaded_at = db.now(session)
    return case


def record_consent(session: Session, case: Case, consent: Consent) -> None:
    """Keep who agreed, as an organiser says.

    :raises OldConsent: it was given before it was withdrawn.
    """
    record = _record(case)
    if record.given is None and record.said_on and consent.on < record.said_on:
        raise _old(record, consent, "Give the day of a later answer: --on DAY")
    _keep_consent(session, case, ConsentRecord(consent, db.now(session).date()))


def load_consent(session: Session, case: Case, consent: Consent) -> None:
    """Keep who agreed, as the case's file says.

    :raises OldConsent: since then an organiser recorded something else. A file that is loaded for another reason must
        not bring back what a family has taken back.
    """
    record = _record(case)
    if consent == record.given:
        return
    if record.said_on and consent.on <= record.said_on:
        raise _old(record, consent, "Take [consent] out, or write what was agreed to since")
    _keep_consent(session, case, ConsentRecord(consent, record.said_on))


def withdraw_consent(session: Session, case: Case, why: str) -> None:
    """Keep that nobody agrees any more. From now on nothing that asks people to act goes out on the case."""
    case.consent = ConsentRecord(None, db.now(session).date()).to_json()
    note(session, case, CaseEventKind.CONSENT, f"consent withdrawn: {why}")


def _keep_consent(session: Session, case: Case, record: ConsentRecord) -> None:
    """Note it in the history, too, if it is news."""
    is_news = record.given != consent_of(case)
    case.consent = record.to_json()
    if is_news and (consent := record.given):
        until = f", until {consent.until}" if consent.until else ""
        note(session, case, CaseEventKind.CONSENT, f"consent by {consent.by}, given on {consent.on}{until}")


def _old(record: ConsentRecord, consent: Consent, remedy: str) -> OldConsent:
    what = "Other consent was recorded" if record.given else "Consent was withdrawn"
    return OldConsent(what=what, said_on=record.said_on, on=consent.on, remedy=remedy)


def _record(case: Case) -> ConsentRecord:
    return ConsentRecord.from_json(case.consent) if case.consent else ConsentRecord(None)


def consent_of(case: Case) -> Consent | None:
    """Who agreed, if anybody did."""
    return _record(case).given


def findings(case: Case, today: date, start: date | None = None) -> Iterator[Finding]:
    """What a case says against asking people to act on it.

    :param start: the day on which they are asked; today by default.
    """
    where = f"case {case.slug}"
    if case.status is not CaseStatus.OPEN:
        code, what_holds = _AGAINST[case.status]
        remedy = f"{what_holds} To open it again: mailer cases reopen {case.slug}"
        yield Finding(Level.ERROR, code, where, f"the case is {case.status}", remedy)
    if (missing := consent_finding(case, today, start)) is not None:
        yield missing
    for number, fact in enumerate(case.facts, start=1):
        if is_stale(fact, today):
            what = f"fact {number} was last checked on {fact.checked_on}, and is good for {fact.good_for} days"
            remedy = "Check it, write the day into checked_on in case.toml, and load the case again."
            yield Finding(Level.ERROR, "fact-stale", where, what, remedy)
    never = Never(case.never)
    for event in case.events:
        if never.holds(*event.words.values(), event.link or ""):
            what = f"what the history says of {event.happened_on} holds a word that `never` has now"
            remedy = "It stays in the history: keep the case off public pages with public = false."
            yield Finding(Level.WARNING, "never-in-history", where, what, remedy)


def consent_finding(case: Case, today: date, start: date | None = None) -> Finding | None:
    """That nobody agrees, or will when people are asked, if that is so.

    :param start: the day on which they are asked; today by default.
    """
    consent, where = consent_of(case), f"case {case.slug}"
    record = f"Ask, and record the answer: mailer cases consent {case.slug} --by WHO --on DAY"
    if consent is None:
        return Finding(Level.ERROR, "consent-missing", where, "nobody has agreed that we speak of it", record)
    if consent.covers(start or today):
        return None
    ended = "ended" if consent.until and consent.until < today else "ends"
    return Finding(Level.ERROR, "consent-past", where, f"the consent {ended} on {consent.until}", record)


def has_page(case: Case, today: date) -> bool:
    """Whether everybody may read of a case: it is marked public, and somebody agrees that we speak of it."""
    consent = consent_of(case)
    return case.public and consent is not None and consent.covers(today)


def names(case: Case) -> list[str]:
    """What the persons of a case are called: whole names in each script, and the words of them."""
    whole = [name for person in map(Person.from_json, case.persons) for name in (person.name, *person.names.values())]
    words = [word for name in whole for word in name.split() if len(word) >= _IS_NAME]
    return list(dict.fromkeys(whole + words))


#: status of a case → its code, and what holds until it is opened again
_AGAINST: Mapping[CaseStatus, tuple[Code, str]] = {
    CaseStatus.STOPPED: ("case-stopped", "Everybody is asked not to write."),
    CaseStatus.CLOSED: ("case-closed", "Nobody is asked to act on a closed case."),
}


def is_stale(fact: CaseFact, day: date) -> bool:
    """Whether a fact has to be checked again before anybody is asked to act."""
    return (day - fact.checked_on).days > fact.good_for


def note(session: Session, case: Case, kind: CaseEventKind, words: str | None = None) -> None:
    """Add what we did to the history.

    :param words: of an organiser, or of the program.
    """
    history.add(session, kind, {_OURS: words} if words else {}, case_id=case.id)
