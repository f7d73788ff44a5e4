"""Affiliation: a union asks for it with an address that is confirmed; and how one begins and ends.

Nothing that a visitor writes into the form goes into the mail that asks to confirm: anybody can have that mail sent to
anybody. What an organiser makes of it is in `applications`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import (
    contacts,
    languages,
    notices,
    requests,
    suppression,
    tokens,
    unions,
)
from mailer.addresses import Address
from mailer.contacts import Invitation
from mailer.crypto import keyring_of
from mailer.db import utcnow
from mailer.errors import MailerError
from mailer.models import (
    Application,
    Request,
    RequestKind,
    Subscriber,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.notices import Notice, NoticeKind
from mailer.requests import DeadLink
from mailer.tokens import Link

METHOD = "affiliation form"


class AffiliatedAlready(MailerError):
    """The union "{slug}" is already affiliated."""


class NotAffiliated(MailerError):
    """The union "{slug}" is {status}. Only the affiliation of an affiliated union can lapse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """What somebody filled in and agreed to on their union's behalf."""

    name: str  # of the union
    country: str | None
    languages: tuple[str, ...]  # of the union, the first one first
    members: int | None
    parent: str | None  # as they wrote it
    resolution: str | None
    is_named: bool
    person_name: str | None
    address: Address
    role: str | None
    language: str  # to be written to in
    consent_text: str  # the exact words beside the box that was ticked
    shown_in: str  # the language of these words
    asked_at: datetime

    def to_details(self) -> dict[str, Any]:
        """As kept with the request."""
        return {**asdict(self), "languages": list(self.languages), "asked_at": self.asked_at.isoformat()}

    @classmethod
    def from_details(cls, details: dict[str, Any]) -> "AskedFor":
        """As kept with the request."""
        changed = {
            "address": Address(**details["address"]),
            "languages": tuple(details["languages"]),
            "asked_at": datetime.fromisoformat(details["asked_at"]),
        }
        return cls(**{**details, **changed})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link would confirm, for the owner of the address to see first: anyone may have asked. Or what it did."""

    language: str | None  # the person's own
    union_name: str | None  # None: it asked not to be named
    is_application: bool  # else an organiser's invitation
    consent_text: str  # what they agree to
    is_confirmed: bool
    notice: int | None = None  # what to ring for after the commit


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(session: Session, asked: AskedFor) -> int:
    """Keep what was asked for, and owe the owner of the address the mail by which it is confirmed.

    Nobody learns from it who is known here: the same rows are written where no mail may go out.

    :returns: what to ring for after the commit.
    """
    # An erasure at the same moment would leave what is written here pointing at nobody.
    suppression.keep_removals_out(session)
    email_index = keyring_of(session).blind_index(asked.address.folded)
    requests.one_at_a_time(session, email_index)
    suppressed = suppression.reason(session, email_index)
    person = session.execute(
        select(Subscriber.id, Subscriber.language).where(Subscriber.email_index == email_index)
    ).first()
    withheld = notices.reason_to_withhold(session, RequestKind.CONTACT, email_index, suppressed)
    if withheld:
        requests.pretend(session, RequestKind.CONTACT)
        token = None
    else:
        token = requests.issue(session, RequestKind.CONTACT, email_index=email_index, details=asked.to_details())
    return notices.owe(
        session,
        Notice(NoticeKind.CONTACT, token),
        language=(person.language if person else None) or asked.language,
        subscriber_id=person.id if person else None,
        address=None if person else asked.address.text,
        withheld=withheld,
    )


# --- confirming -----------------------------------------------------------------------------------------------------


def look(session: Session, token: str) -> Asked:
    """What a link would confirm, of an application or an invitation. Changes nothing.

    :raises requests.UnknownLink: it is none of ours, or the person was erased.
    :raises requests.DeadLink: it has run out, or who was invited is no contact any more.
    """
    request = requests.find(session, RequestKind.CONTACT, token)
    if request.used_at is not None:
        return _confirmed(session, request)
    wanted = _wanted(request)
    return Asked(
        wanted.language,
        wanted.name if isinstance(wanted, AskedFor) else _union_name(session, wanted.union_id),
        is_application=isinstance(wanted, AskedFor),
        consent_text=wanted.consent_text,
        is_confirmed=False,
    )


def confirm(session: Session, token: str, *, base_url: str) -> Asked:
    """Do what the owner of an address was asked to confirm; once, however often the link is used. Nobody comes on
    a list by that.

    An application then waits for an organiser; who was invited is the union's contact from now on, and welcomed if it
    is affiliated.

    :param base_url: of the site, for the links in that mail.
    :raises requests.UnknownLink: it is none of ours, or the person was erased.
    :raises requests.DeadLink: as `look`, or they reported our mail as spam.
    """
    requests.find(session, RequestKind.CONTACT, token)  # nobody is kept waiting for a link that is none
    # Alone, without imports, erasures and other confirmations: each could be writing about the same person.
    suppression.keep_imports_out(session)
    session.expire_all()
    request = requests.find(session, RequestKind.CONTACT, token)
    notice = _carry_out(session, request, _wanted(request), base_url) if request.used_at is None else None
    return replace(_confirmed(session, request), notice=notice)


def _wanted(request: Request) -> AskedFor | Invitation:
    details = requests.details_of(request)
    return Invitation.from_details(details) if "union_id" in details else AskedFor.from_details(details)


def _carry_out(session: Session, request: Request, wanted: AskedFor | Invitation, base_url: str) -> int | None:
    now = utcnow()
    notice = None
    if isinstance(wanted, AskedFor):
        person = _apply(session, request, wanted, now)
        told: dict[str, Any] = {"union_name": wanted.name}
    else:
        person = contacts.accept(session, request, wanted, now)
        told = {"union_id": wanted.union_id}
        union = session.get_one(Union, wanted.union_id)
        if union.status is UnionStatus.AFFILIATED:
            newcomer = [each for each in contacts.of_union(session, union.id) if each[1].id == person.id]
            notice = tell(session, union, newcomer, base_url)
    request.used_at = now
    request.subscriber_id = person.id
    request.details = json.dumps(told, ensure_ascii=False)
    session.flush()
    return notice


def _apply(session: Session, request: Request, asked: AskedFor, now: datetime) -> Subscriber:
    person = contacts.take_in(session, request, asked, name=asked.person_name, method=METHOD, now=now)
    kept = {column: getattr(asked, column) for column in _KEPT}
    session.add(Application(**kept, languages=list(asked.languages), subscriber_id=person.id, confirmed_at=now))
    return person


_KEPT = ("name", "country", "members", "parent", "resolution", "is_named", "role")


def _confirmed(session: Session, request: Request) -> Asked:
    """What a link that was used came to.

    :raises DeadLink: they are the union's contact no more.
    """
    told = requests.details_of(request)
    is_application = "union_id" not in told
    if not is_application and not contacts.is_one(session, told["union_id"], request.subscriber_id):
        raise DeadLink
    return Asked(
        session.scalar(select(Subscriber.language).where(Subscriber.id == request.subscriber_id)),
        told["union_name"] if is_application else _union_name(session, told["union_id"]),
        is_application=is_application,
        consent_text="",
        is_confirmed=True,
    )


def _union_name(session: Session, union_id: int) -> str | None:
    """None for one that asked not to be named: a mail with this link may have been forwarded."""
    union = session.get(Union, union_id)
    if union is None:
        raise DeadLink
    return union.name if union.is_named else None


# --- moving ---------------------------------------------------------------------------------------------------------


def affiliate(session: Session, slug: str, *, resolution: str | None = None, base_url: str) -> tuple[Union, int | None]:
    """Affiliate a union, also one that had lapsed, and tell its contacts.

    :param resolution: what it passed, as `unions.checked_resolution` takes it; None leaves what is known.
    :param base_url: of the site, for the links in the mail that tells them.
    :returns: the union, and what to ring for after the commit, if anything.
    :raises unions.UnknownUnion: or `AffiliatedAlready`, `unions.UnusableText`: nothing was changed.
    """
    suppression.keep_removals_out(session)  # who is told must not be erased at this moment
    union = unions.hold(session, slug)
    if union.status is UnionStatus.AFFILIATED:
        raise AffiliatedAlready(slug=slug)
    if resolution is not None:
        union.resolution = unions.checked_resolution(resolution)
    unions.move(union, UnionStatus.AFFILIATED)
    session.flush()
    return union, tell(session, union, contacts.of_union(session, union.id), base_url)


def lapse(session: Session, slug: str) -> Union:
    """End a union's affiliation: it gets no more kits. Its contacts stay, for the day it comes back.

    :raises unions.UnknownUnion: or `NotAffiliated`: nothing was changed.
    """
    union = unions.hold(session, slug)
    if union.status is not UnionStatus.AFFILIATED:
        raise NotAffiliated(slug=slug, status=union.status)
    return unions.move(union, UnionStatus.LAPSED)


def tell(
    session: Session, union: Union, people: Sequence[tuple[UnionContact, Subscriber]], base_url: str
) -> int | None:
    """Owe contacts of a union the mail that says that it is affiliated."""
    results = tokens.sign(keyring_of(session), Link.UNION, union.id)
    notice = None
    for contact, person in people:
        language = contacts.language_of(union, person.language)
        site = f"{base_url}{languages.prefix(language)}"
        words = {
            **({"union": union.name} if union.is_named else {}),
            "join_url": f"{site}/join/{union.slug}" if union.is_named else f"{site}/",
            "results_url": f"{site}/results/{results}",
            "stop_url": contacts.stop_url(session, contact.id, language=language, base_url=base_url),
        }
        notice = notices.owe(
            session,
            Notice(NoticeKind.AFFILIATED, words=words),
            language=language,
            subscriber_id=person.id,
            union_id=union.id,
        )
    return notice
