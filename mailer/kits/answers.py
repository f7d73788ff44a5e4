"""What a union says of its kit: that it has seen it, will forward it, has forwarded it to about so many.

Whoever has the kit's link may say so, and that link gets forwarded. So how many it reached can be corrected by it for a
day only, and no more than three times. Later it takes a link that is mailed to the union's contacts. They hear of every
change.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

from babel.numbers import format_decimal
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import asking, publishing
from mailer.errors import MailerError
from mailer.kits import pages
from mailer.kits.pages import NoKit, NothingToForward
from mailer.links import Pages
from mailer.locale import languages
from mailer.people import mailed_links, notices, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.notices import Notice, NoticeKind
from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import (
    Asking,
    Kit,
    MailedLink,
    MailedLinkKind,
    Subscriber,
    SuppressionReason,
    Union,
    UnionContact,
)
from mailer.unions import contacts

#: about how many members a union may have reached: more than there are workers
_MOST_REACHED = 1_000_000_000


class InvalidReach(MailerError):
    """{reached} is not a number of people that a union can have reached. Give about how many, such as 250."""


class AnswerStands(MailerError):
    """How many members the union reached can no longer be corrected here. To change it, have a link mailed to the
    union's contacts from the page of the kit."""


class UnionAnswer(enum.StrEnum):
    """What a union says of a kit."""

    SEEN = "seen"
    PROMISED = "promised"  # "we will forward it"
    FORWARDED = "forwarded"  # to about so many


# --- by the kit's own link ------------------------------------------------------------------------------------------


def answer(session: Session, kit_id: int, answer: UnionAnswer, *, reached: int | None = None, base_url: str) -> None:
    """Write down what a union says of its kit. When it first said so stays; how many it reached may be corrected for a
    day, three times at most.

    :param reached: with `UnionAnswer.FORWARDED`, to about how many members; None where nobody knows.
    :param base_url: of the site, for the links in the mail that tells its contacts of a correction.
    :raises NoKit: it is gone, its union is not affiliated, or it is the one for everybody.
    :raises InvalidReach: nobody can have reached so many, or so few.
    :raises AnswerStands: that cannot be corrected by the kit's own link any more.
    :raises NothingToForward: nobody is to forward it any more, or its campaign was stopped, and nothing is counted.
    """
    _check(reached)
    suppression.lock_shared(session)  # who is told must not be erased at this moment
    kit, union = _lock(session, kit_id)
    if answer is UnionAnswer.PROMISED:
        pages.require_time(session, kit)
    now = db.now(session)
    match answer:
        case UnionAnswer.SEEN:
            kit.seen_at = kit.seen_at or now
        case UnionAnswer.PROMISED:
            kit.promised_at = kit.promised_at or now
        case UnionAnswer.FORWARDED if kit.forwarded_at is None:
            kit.forwarded_at, kit.reached = now, reached
        case UnionAnswer.FORWARDED if reached is not None and reached != kit.reached:
            if not pages.may_be_corrected(session, kit):
                raise AnswerStands
            if kit.reached is None:
                kit.reached = reached  # which corrects nothing
            else:
                kit.corrections += 1
                _change(session, kit, union, reached, base_url)
    session.flush()


def _check(reached: int | None) -> None:
    """:raises InvalidReach: nobody can have reached so many, or so few."""
    if reached is not None and not 1 <= reached <= _MOST_REACHED:
        raise InvalidReach(reached=reached)


def _lock(session: Session, kit_id: int) -> tuple[Kit, Union]:
    """A kit and its union, whose answer nobody else changes until this transaction ends.

    :raises NoKit: it is gone, its union is not affiliated, or it is the one for everybody.
    :raises NothingToForward: its campaign was stopped, and nothing is counted.
    """
    held = select(Kit).where(Kit.id == kit_id).with_for_update(key_share=True, of=Kit)
    session.scalar(held.execution_options(populate_existing=True))
    return _find(session, kit_id)


def _find(session: Session, kit_id: int) -> tuple[Kit, Union]:
    """:raises NoKit: as for `_lock`. :raises NothingToForward: likewise."""
    kit = pages.find(session, kit_id)
    if kit.union is None:
        raise NoKit
    if asking.of(kit.campaign) is Asking.STOPPED:
        raise NothingToForward
    return kit, kit.union


def _change(session: Session, kit: Kit, union: Union, reached: int, base_url: str) -> None:
    """Write down another number of people that a kit reached, and owe its union's contacts the mail that says so."""
    kit.reached = reached
    keyring = keyring_of(session)
    for contact, person in contacts.of_union(session, union.id):
        language = contacts.language_of(union, person.language)
        site = Pages(base_url, language)
        words = {
            **_words(kit, union, contact, language, site, session),
            "kit_url": site.kit(keyring, kit.id, union.link_generation),
            "reached": format_decimal(reached, locale=languages.locale(languages.of_site(language) or "en")),
        }
        notice = Notice(NoticeKind.CHANGED, words=words)
        notices.owe(session, notice, language=language, subscriber_id=person.id, union_id=union.id)


def _words(
    kit: Kit, union: Union, contact: UnionContact, language: str, site: Pages, session: Session
) -> dict[str, str]:
    """What both mails to a contact print."""
    return {
        **contacts.named(union),
        "campaign": publishing.title(kit.campaign, language),
        "stop_url": site.no_contact(keyring_of(session), contact.id),
    }


# --- by a link that was mailed --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """What a mailed link would change, or what it did."""

    language: str | None  # of its reader
    campaign_title: str
    union_name: str | None  # None: it asked not to be named
    forwarded_at: datetime
    reached: int | None
    is_changed: bool  # by this link, which serves once


def mail_links(session: Session, kit_id: int, *, base_url: str) -> None:
    """Owe each contact of a kit's union a link to change how many it reached, where its own link is not enough any
    more. Nobody is mailed more than a few a day, whoever asks.

    :raises NoKit: it is gone, its union is not affiliated, or it is the one for everybody.
    :raises NothingToForward: its campaign was stopped, and nothing is counted.
    """
    suppression.lock_shared(session)  # as above
    kit, union = _find(session, kit_id)
    if pages.may_be_corrected(session, kit):
        return
    people = contacts.of_union(session, union.id)
    for _, person in sorted(people, key=lambda each: each[1].email_index):  # all wait for each other in one order
        mailed_links.one_at_a_time(session, person.email_index)
    for contact, person in people:
        if _may_be_mailed(session, person):
            _mail_link(session, kit, union, contact, person, base_url)


def _may_be_mailed(session: Session, person: Subscriber) -> bool:
    is_barred = suppression.reason(session, person.email_index) is SuppressionReason.COMPLAINED
    kind = MailedLinkKind.ANSWER
    return not mailed_links.reason_to_withhold(session, kind, person.email_index, is_barred=is_barred)


def _mail_link(
    session: Session, kit: Kit, union: Union, contact: UnionContact, person: Subscriber, base_url: str
) -> None:
    token = mailed_links.issue(
        session,
        MailedLinkKind.ANSWER,
        email_index=person.email_index,
        subscriber_id=person.id,
        details={"kit_id": kit.id, "contact_id": contact.id, "generation": union.link_generation},
    )
    language = contacts.language_of(union, person.language)
    words = _words(kit, union, contact, language, Pages(base_url, language), session)
    notice = Notice(NoticeKind.ANSWER, token, words)
    notices.owe(session, notice, language=language, subscriber_id=person.id, union_id=union.id)


def look(session: Session, token: str) -> AnswerPage:
    """What a mailed link would change. Changes nothing.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, the union's links were replaced since, or it was mailed to somebody
        who is its contact no more.
    :raises NoKit: the kit is gone, or its union is not affiliated.
    :raises NothingToForward: its campaign was stopped, and nothing is counted.
    """
    return _shown(session, mailed_links.find(session, MailedLinkKind.ANSWER, token))


def change(session: Session, token: str, reached: int, *, base_url: str) -> AnswerPage:
    """Change how many a kit reached, once, and tell all of the union's contacts.

    :param base_url: of the site, for the links in that mail.
    :raises InvalidReach: nobody can have reached so many, or so few.
    :raises mailed_links.UnknownLink: as `look`.
    :raises mailed_links.DeadLink: as `look`.
    :raises NoKit: as `look`.
    :raises NothingToForward: as `look`.
    """
    _check(reached)
    mailed_links.find(session, MailedLinkKind.ANSWER, token)  # nobody is kept waiting for a link that is none
    suppression.lock_shared(session)  # as above
    session.expire_all()
    link = mailed_links.find(session, MailedLinkKind.ANSWER, token)
    kit, union = _lock(session, mailed_links.details_of(link)["kit_id"])
    session.refresh(link)  # of two who press the button at once, one is the second
    person = _require_contact(session, link, union)
    if link.used_at is None:
        mailed_links.use(session, link, person.id, at=utcnow(), details=mailed_links.details_of(link))
        if kit.reached != reached:
            _change(session, kit, union, reached, base_url)
        session.flush()
    return _shown(session, link)


def _shown(session: Session, link: MailedLink) -> AnswerPage:
    kit, union = _find(session, mailed_links.details_of(link)["kit_id"])
    if kit.forwarded_at is None:
        raise NoKit
    person = _require_contact(session, link, union)
    language = contacts.language_of(union, person.language)
    return AnswerPage(
        language,
        publishing.title(kit.campaign, language),
        union.name if union.is_named else None,
        kit.forwarded_at,
        kit.reached,
        is_changed=link.used_at is not None,
    )


def _require_contact(session: Session, link: MailedLink, union: Union) -> Subscriber:
    """Whom a link was mailed to.

    :raises mailed_links.DeadLink: they are the union's contact no more, or its links were replaced since.
    """
    details = mailed_links.details_of(link)
    people = {contact.id: person for contact, person in contacts.of_union(session, union.id)}
    person = people.get(details["contact_id"])
    if person is None or details["generation"] < union.link_generation:
        raise DeadLink
    return person
