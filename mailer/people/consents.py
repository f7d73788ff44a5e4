"""Consent: the exact words that people agreed to, and the append-only log of who agreed and who took it back."""

import hashlib
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store.db import insert_unless_there, utctoday
from mailer.store.models import ConsentAction, ConsentEvent, ConsentPurpose, ConsentSource, ConsentText

_UNDETERMINED = "und"  # BCP 47: nobody said in which language the text is
#: how an agreement reached us that an organiser wrote down, because somebody rang or wrote
BY_ORGANISER = "organiser"
#: stands for the words of such an agreement, which are one person's: they are kept encrypted, and go with the person
WRITTEN_DOWN = "In words that an organiser wrote down. They stand beside this, as where it was collected."


def text_id(session: Session, text: str, *, language: str = _UNDETERMINED) -> int:
    """The row that holds these exact words; made where there is none.

    :param language: of the words, as BCP 47.
    """
    sha256 = hashlib.sha256(f"{language}\n{text}".encode()).digest()
    of_these_words = select(ConsentText.id).where(ConsentText.sha256 == sha256)
    if session.scalar(of_these_words) is None:
        insert_unless_there(session, ConsentText(sha256=sha256, language=language, text=text))
    return session.execute(of_these_words).scalar_one()


def give(
    session: Session,
    subscriber_id: int,
    purpose: ConsentPurpose,
    *,
    text: int,
    method: str,
    asked_at: date,
    confirmed_at: date,
    list_id: int | None = None,
    campaign_id: int | None = None,
) -> ConsentEvent:
    """Write down that a person agreed; returns the line, which has no id before it is flushed.

    :param text: as `text_id` returned it.
    :param method: how it reached us, such as "sign-up form".
    :param asked_at: and the time when it was confirmed; of both the day is kept.
    :param list_id: of the list, where the purpose is its mail.
    :param campaign_id: of the campaign, where the purpose is what they did for it.
    """
    event = ConsentEvent(
        subscriber_id=subscriber_id,
        list_id=list_id,
        campaign_id=campaign_id,
        purpose=purpose,
        action=ConsentAction.GIVEN,
        text_id=text,
        method=method,
        asked_at=asked_at,
        confirmed_at=confirmed_at,
    )
    session.add(event)
    return event


def agree(
    session: Session,
    subscriber_id: int,
    purpose: ConsentPurpose,
    words: str,
    *,
    language: str,
    method: str,
    asked_at: date | None = None,
    list_id: int | None = None,
    campaign_id: int | None = None,
) -> None:
    """Write down that a person agrees now to words that they were shown, or that an organiser wrote down for them.

    :param language: of the words.
    :param asked_at: when they were shown them, if that was before; the rest as for `give`.
    """
    is_written_down = method == BY_ORGANISER
    shown = (
        text_id(session, WRITTEN_DOWN, language="en") if is_written_down else text_id(session, words, language=language)
    )
    event = give(
        session,
        subscriber_id,
        purpose,
        text=shown,
        method=method,
        asked_at=asked_at or utctoday(),
        confirmed_at=utctoday(),
        list_id=list_id,
        campaign_id=campaign_id,
    )
    if is_written_down:
        session.flush()
        session.add(ConsentSource(event_id=event.id, source=words))


def withdraw(
    session: Session,
    subscriber_id: int,
    purpose: ConsentPurpose,
    *,
    method: str,
    list_id: int | None = None,
    campaign_id: int | None = None,
) -> int:
    """Write down that a person no longer agrees; returns the line's id.

    :param method: how it reached us, such as "one-click".
    :param list_id: as for `give`, and so is campaign_id.
    """
    event = ConsentEvent(
        subscriber_id=subscriber_id,
        list_id=list_id,
        campaign_id=campaign_id,
        purpose=purpose,
        action=ConsentAction.WITHDRAWN,
        text_id=None,
        method=method,
    )
    session.add(event)
    session.flush()
    return event.id
