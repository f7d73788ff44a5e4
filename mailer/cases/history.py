"""History: what was done about a case or a campaign, line by line. What stands in it stays as it is."""

import unicodedata
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from mailer.cases.sayable import Sayable
from mailer.store import db
from mailer.store.crypto import UnreadableSecret
from mailer.store.models import Case, CaseEvent, CaseEventKind

#: characters that no page and no feed may hold: control codes, surrogates, and what is not assigned
_UNPRINTABLE = frozenset(["Cc", "Cs", "Cn"])


def line(text: str) -> str:
    """Words that somebody typed, in one line that every page and feed may hold."""
    return " ".join("".join(" " if unicodedata.category(char) in _UNPRINTABLE else char for char in text).split())


def add(
    session: Session,
    kind: CaseEventKind,
    words: Mapping[str, str],
    *,
    case_id: int | None,
    campaign_id: int | None = None,
) -> None:
    """Keep what was done.

    :param words: language → words; there may be none.
    :param campaign_id: of the one that it was done to; by default it was done to the whole case.
    """
    event = CaseEvent(case_id=case_id, campaign_id=campaign_id, kind=kind, happened_on=db.now(session), words=words)
    session.add(event)
    session.flush()


def of_campaign(session: Session, campaign_id: int) -> Sequence[CaseEvent]:
    """What was done to a campaign itself, in its order."""
    lines = select(CaseEvent).where(CaseEvent.campaign_id == campaign_id).order_by(CaseEvent.id)
    return session.scalars(lines).all()


def sayable(session: Session, case_id: int | None, words: Mapping[str, str]) -> Mapping[str, str]:
    """Words in several languages, if everybody may read them; else none of them, also if nobody knows what must not
    appear.

    :param words: language → words.
    """
    if case_id is None:
        return words
    try:
        case = session.get(Case, case_id, options=[load_only(Case.never)])
        return words if case is not None and Sayable(case).may_say(*words.values()) else {}
    except UnreadableSecret:
        return {}
