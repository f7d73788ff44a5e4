"""Moving: a person names another address, and gets our mail there once the link in a mail to it proves it theirs.

Whoever names an address learns nothing of who is known here. The same is answered and written whether it is free or
not; only the owner of the address sees a mail, or none. Whoever reads the old mailbox learns that the mail has moved,
and never where to; they can stop it, and cannot bring it back.
"""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.mail import addresses
from mailer.people import mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method, NotOnList
from mailer.store.crypto import keyring_of
from mailer.store.db import have_written_anew, utcnow
from mailer.store.models import Delivery, MailedLink, MailedLinkKind, Reason, Subscriber, SuppressionReason

_DAY = timedelta(days=1)
#: new addresses that one person may name in a day
_NAMED_A_DAY = 3
#: links to what is a person's own, which die with the address that they were mailed to
_OF_OLD_MAILBOX = (
    MailedLinkKind.MANAGE,
    MailedLinkKind.UNDO,
    MailedLinkKind.RESUME,
    MailedLinkKind.CONTACT,
    MailedLinkKind.ANSWER,
    MailedLinkKind.SIGN,  # once it was used; until then it signs as the address that it was mailed to
    MailedLinkKind.TAKE_BACK,
)


class AddressTaken(MailerError):
    """This address already has its own registration with us. Ask for its link, and erase what it shows. Then name the
    address here again."""


class TooManyAddresses(MailerError):
    """You have named several new addresses today. Please try again tomorrow."""


def name(
    session: Session, subscriber_id: int, address: str, *, language: str, is_old_address_told: bool = True
) -> None:
    """Owe a new address the mail that proves that it is this person's. Until then everything stays as it is.

    What they named before is withdrawn: a mail that went to somebody else by a typing mistake must not move them there.

    :param address: as they typed it.
    :param language: of the page; the person's own comes first.
    :param is_old_address_told: whether whoever reads the old mailbox is told, once they have moved, that they have.
    :raises addresses.InvalidAddress: it is none.
    :raises TooManyAddresses: nothing was changed.
    :raises mailed_links.DeadLink: they were erased at this moment.
    """
    parsed = addresses.parse(address)
    email_index = keyring_of(session).blind_index(parsed.folded)
    suppression.lock_shared(session)
    mailed_links.one_at_a_time(session, email_index, mailbox=parsed.mailbox)
    person = lock_row(session, subscriber_id)
    mine = session.scalars(_named_today(session, subscriber_id)).all()
    index = mailed_links.address_index(session, MailedLinkKind.ADDRESS, email_index)
    again = next((link for link in mine if bytes(link.email_index) == index), None)
    if again is None and len(mine) >= _NAMED_A_DAY:
        raise TooManyAddresses
    is_barred = _is_barred(session, person, email_index)
    withheld = mailed_links.reason_to_withhold(
        session, MailedLinkKind.ADDRESS, email_index, mailbox=parsed.mailbox, is_barred=is_barred
    )
    withdraw(session, subscriber_id)
    details = {"address": parsed.text, "is_old_address_told": is_old_address_told}
    if again is not None:
        mailed_links.keep(again, details)
        token, withheld = None, Reason.REPEATED  # the mail is there already
    else:
        token = mailed_links.issue(
            session,
            MailedLinkKind.ADDRESS,
            email_index=email_index,
            mailbox=parsed.mailbox,
            subscriber_id=subscriber_id,
            details=details,
            is_mailed=withheld is None,
        )
    notices.owe(
        session,
        Notice(NoticeKind.ADDRESS, None if withheld else token),
        language=person.language or language,
        address=parsed.text,
        withheld=withheld,
    )


def lock_row(session: Session, subscriber_id: int | None) -> Subscriber:
    """The person whom a link belongs to, whom nobody else changes until this transaction ends.

    :raises DeadLink: they were erased at this moment.
    """
    person = subscribers.lock_row(session, Subscriber.id == subscriber_id)
    if person is None:
        raise DeadLink
    return person


def _named_today(session: Session, subscriber_id: int) -> Select[MailedLink]:
    """Addresses that a person named within a day and has not moved to."""
    return select(MailedLink).where(
        mailed_links.of_person(session, subscriber_id, [MailedLinkKind.ADDRESS]),
        MailedLink.used_at.is_(None),
        MailedLink.created_at > utcnow() - _DAY,
    )


def _is_barred(session: Session, person: Subscriber, email_index: bytes) -> bool:
    """Whether no mail must go to an address that a person names. The same is read whatever the answer, so that the time
    it takes tells nothing."""
    reasons = suppression.reason(session, person.email_index), suppression.reason(session, email_index)
    is_taken = _is_somebody_elses(session, person, email_index)
    return is_taken or SuppressionReason.COMPLAINED in reasons


def _is_somebody_elses(session: Session, person: Subscriber, email_index: bytes) -> bool:
    owner = select(Subscriber.id).where(Subscriber.email_index == email_index, Subscriber.id != person.id)
    return session.scalar(owner) is not None


def named(session: Session, subscriber_id: int) -> str | None:
    """The address that a person named and has not proved to be theirs yet."""
    found = (_address(link) for link in session.scalars(_named_today(session, subscriber_id)))
    return next(filter(None, found), None)


def _address(link: MailedLink) -> str | None:
    """What a link moves its person to; None where that was withdrawn."""
    address: str | None = mailed_links.details_of(link).get("address")
    return address


def withdraw(session: Session, subscriber_id: int) -> None:
    """Have the links to addresses that a person named move them nowhere.

    The rows stay for their day: what was mailed counts, so that nobody floods an address by changing their mind.
    """
    for link in session.scalars(_named_today(session, subscriber_id)):
        mailed_links.keep(link, {})
    session.flush()


def look(session: Session, token: str) -> None:
    """Whether a link to a new address works. Changes nothing.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out, or was withdrawn, or they have moved on or were erased.
    """
    _find(session, token)


def _find(session: Session, token: str) -> MailedLink:
    link = mailed_links.find(session, MailedLinkKind.ADDRESS, token)
    address = _address(link)
    if address is None:
        raise DeadLink
    if link.used_at is not None:
        owner = select(Subscriber.id).where(Subscriber.email_index == _index(session, address))
        if session.scalar(owner) != mailed_links.person_of(link):
            raise DeadLink
    return link


def _index(session: Session, address: str) -> bytes:
    return keyring_of(session).blind_index(addresses.parse(address).folded)


def move(session: Session, token: str) -> None:
    """Have a person written to at the address whose mail a link was in; once, however often it is used.

    What was mailed to the old address opens nothing any more: that mailbox may be why they move. It gets one more mail,
    unless they asked for none.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: as `look`, or one of the addresses must not be mailed.
    :raises AddressTaken: it has become somebody's in the meantime.
    """
    # Alone with whatever imports, erases or signs up: each could be writing about the same address.
    suppression.lock_alone(session)
    link = _find(session, token)
    if link.used_at is not None:
        return
    person = lock_row(session, mailed_links.person_of(link))
    address: str = mailed_links.details_of(link)["address"]
    old, new = bytes(person.email_index), _index(session, address)
    reasons = suppression.reason(session, old), suppression.reason(session, new)
    if SuppressionReason.COMPLAINED in reasons:
        raise DeadLink
    if _is_somebody_elses(session, person, new):
        raise AddressTaken
    if old != new:  # else it is only spelt otherwise
        _carry_suppression(session, old, new)
        _forget_notices(session, person.email)
        # Who named the new one before they could choose was not asked.
        if mailed_links.details_of(link).get("is_old_address_told", False) and reasons[0] is None:
            _tell_old_address(session, person)
    person.email, person.email_index, person.moved_on = address, new, utcnow()
    have_written_anew(session)  # without the old one
    mailed_links.use(session, link, person.id, at=utcnow(), details={"address": address})
    withdraw(session, person.id)
    mailed_links.end(session, person.id, _OF_OLD_MAILBOX)
    subscribers.refresh(session, [person.id])


def _carry_suppression(session: Session, old: bytes, new: bytes) -> None:
    """Lift what kept mail from the new address, which works and is wanted, and let no import bring the old one back.

    :raises DeadLink: the new one's owner reported our mail as spam.
    """
    try:
        suppression.lift(session, new)
    except suppression.Complained:
        raise DeadLink from None
    if suppression.reason(session, old) is SuppressionReason.LEFT:
        suppression.add(session, new, SuppressionReason.LEFT)  # who has left all lists has left them
    suppression.add(session, old, SuppressionReason.LEFT)


def _forget_notices(session: Session, address: str) -> None:
    """Send nothing more to an address that its owner moved away from: what waits opens nothing any more."""
    waiting = subscribers.notices_to(session, addresses.parse(address))
    subscribers.forget_deliveries(session, Delivery.id.in_(waiting))


def _tell_old_address(session: Session, person: Subscriber) -> None:
    """Owe the address that a person leaves one mail, with a link that stops what goes to the new one.

    The link's row names nobody where it can be looked for, so that it is the same whatever becomes of the person: who
    reads the old mailbox does not learn from it that they were erased, nor does somebody who signs up there later.
    """
    token = mailed_links.issue(session, MailedLinkKind.MOVED, email_index=None, details={"mover": person.id})
    notices.owe(session, Notice(NoticeKind.MOVED, token), language=person.language, address=person.email)


def look_at_stop(session: Session, token: str) -> None:
    """Whether the link that was mailed to an old address works. Changes nothing.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out.
    """
    mailed_links.find(session, MailedLinkKind.MOVED, token)


def stop(session: Session, token: str) -> None:
    """Have all mail stopped that has moved away from an address, as by leaving all lists. Whoever asks learns nothing
    of the person, who gets a goodbye.

    :raises mailed_links.UnknownLink: it is none of ours.
    :raises mailed_links.DeadLink: it has run out.
    """
    link = mailed_links.find(session, MailedLinkKind.MOVED, token)
    with suppress(NotOnList):
        leaving.leave_all(session, _mover(link), method=Method.OLD_ADDRESS)


def _mover(link: MailedLink) -> int:
    """Whose mail has moved; it may be the id of somebody who was erased, which nobody else ever gets."""
    subscriber_id: int = mailed_links.details_of(link)["mover"]
    return subscriber_id


def forget_mails(session: Session, subscriber_id: int) -> None:
    """Take the addresses that a person named, and never moved to, and those that they moved away from, out of the
    ledger: they are about to be erased.

    One that a worker has claimed keeps its claim, and is skipped for having nothing to say.
    """
    indexes = select(MailedLink.email_index).where(
        mailed_links.of_person(session, subscriber_id, [MailedLinkKind.ADDRESS])
    )
    named = {bytes(email_index) for email_index in session.scalars(indexes)}
    mails = session.execute(
        select(Delivery.id, Delivery.address, Delivery.notice).where(
            Delivery.address.is_not(None), Delivery.notice.is_not(None)
        )
    )

    def is_theirs(address: str, notice: Notice) -> bool:
        if notice.kind is NoticeKind.ADDRESS:
            return mailed_links.address_index(session, MailedLinkKind.ADDRESS, _index(session, address)) in named
        return notice.kind is NoticeKind.MOVED and _moved_away(session, notice) == subscriber_id

    theirs = [
        delivery_id
        for delivery_id, address, notice in mails
        if address and notice and is_theirs(address, Notice.from_stored(notice))  # as types go: neither is null
    ]
    subscribers.forget_deliveries(session, Delivery.id.in_(theirs))


def _moved_away(session: Session, notice: Notice) -> int | None:
    """Who moved away from the address that a notice goes to; None once its link has run out."""
    try:
        return _mover(mailed_links.find(session, MailedLinkKind.MOVED, notice.token or ""))
    except (UnknownLink, DeadLink):
        return None
