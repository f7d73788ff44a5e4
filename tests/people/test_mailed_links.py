"""Mailed links: how many an address gets, whoever asks for them, and what is kept with each."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.mail.addresses import Address
from mailer.people import mailed_links
from mailer.people.mailed_links import LIMITS, DeadLink, Limit, from_details, to_details
from mailer.selfservice.signups import SignUp
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import MailedLink, MailedLinkKind, Reason
from mailer.unions.applications import AskedFor
from mailer.unions.contacts import Invitation

INDEX = bytes(range(32))
OTHER = bytes(32)
EACH_LIMIT = [(kind, limit) for kind, limits in LIMITS.items() for limit in limits]
MOMENT = timedelta(minutes=1)


def mailed(session: Session, kind: MailedLinkKind, ago: timedelta, *, index: bytes = INDEX, **columns: object) -> None:
    """A link of a while ago."""
    at = utcnow() - ago
    nobody = {"token_hash": secrets.token_bytes(32), "person": secrets.token_bytes(32), "details": "{}"}
    columns = nobody | {"expires_at": at} | columns
    email_index = mailed_links.address_index(session, kind, index)
    session.add(MailedLink(kind=kind, email_index=email_index, created_at=at, **columns))
    session.flush()


def reason(
    session: Session, kind: MailedLinkKind, *, is_barred: bool = False, limit: Limit | None = None
) -> Reason | None:
    limits = [limit] if limit else None
    return mailed_links.reason_to_withhold(session, kind, INDEX, is_barred=is_barred, limits=limits)


@pytest.mark.parametrize(("kind", "limit"), EACH_LIMIT)
def test_an_address_gets_so_many_links_of_a_kind_in_a_while_and_no_more(
    session: Session, kind: MailedLinkKind, limit: Limit
) -> None:
    mailed(session, kind, limit.within + MOMENT)
    for _ in range(limit.mails):
        assert reason(session, kind, limit=limit) is None
        mailed(session, kind, limit.within - MOMENT)
    assert reason(session, kind, limit=limit) is reason(session, kind) is Reason.REPEATED


def test_a_link_to_ones_preferences_can_be_asked_for_again_after_an_hour_three_times_a_day(session: Session) -> None:
    reasons = []
    for hours in (23, 22, 21):
        mailed(session, MailedLinkKind.MANAGE, timedelta(hours=hours))
        reasons.append(reason(session, MailedLinkKind.MANAGE))
    assert reasons == [None, None, Reason.REPEATED]


@pytest.mark.parametrize(("kind", "limit"), EACH_LIMIT)
def test_what_a_mailbox_got_at_another_of_its_addresses_counts_and_at_another_kind_does_not(
    session: Session, kind: MailedLinkKind, limit: Limit
) -> None:
    def withheld(which: MailedLinkKind, mailbox: str | None) -> Reason | None:
        index = secrets.token_bytes(32)
        return mailed_links.reason_to_withhold(session, which, index, mailbox=mailbox, is_barred=False, limits=[limit])

    for _ in range(limit.mails):
        assert withheld(kind, "ana@example.org") is None
        mailed_links.issue(session, kind, email_index=secrets.token_bytes(32), mailbox="ana@example.org")
    assert withheld(kind, "ana@example.org") is Reason.REPEATED
    other_kind = next(other for other in LIMITS if other is not kind)
    assert withheld(other_kind, "ana@example.org") is None
    assert withheld(kind, "anna@example.org") is None
    assert withheld(kind, None) is None


def test_no_two_kinds_of_links_tell_that_they_went_to_one_mailbox_nor_does_another_column(session: Session) -> None:
    index = keyring_of(session).blind_index("ana@example.org")
    for kind in MailedLinkKind:
        mailed_links.issue(session, kind, email_index=index, mailbox="ana@example.org")
    mailboxes = session.scalars(select(MailedLink.mailbox)).all()
    assert len({index, *mailboxes}) == len(MailedLinkKind) + 1


def test_of_a_link_that_ran_out_no_mailbox_is_kept(session: Session) -> None:
    mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=INDEX, mailbox="ana@example.org", lifetime=-MOMENT)
    mailed_links.forget_expired(session)
    assert session.scalars(select(MailedLink.mailbox)).all() == [None]


@pytest.mark.parametrize("kind", LIMITS)
def test_what_was_used_withheld_for_something_else_or_for_others_does_not_count(
    session: Session, kind: MailedLinkKind
) -> None:
    other_kind = next(other for other in LIMITS if other is not kind)
    for _ in range(3):
        mailed(session, kind, MOMENT, used_at=utcnow())
        mailed(session, kind, MOMENT, is_mailed=False)
        mailed(session, kind, MOMENT, index=OTHER)
        mailed(session, other_kind, MOMENT)
    assert reason(session, kind) is None


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("repeated", [False, True])
def test_an_address_that_gets_no_mail_gets_none(session: Session, kind: MailedLinkKind, repeated: bool) -> None:
    for _ in range(3 * repeated):
        mailed(session, kind, MOMENT)
    assert reason(session, kind, is_barred=True) is Reason.SUPPRESSED


# --- whose they are -------------------------------------------------------------------------------------------------


def newest(session: Session) -> MailedLink:
    return session.scalars(select(MailedLink).order_by(MailedLink.id.desc()).limit(1)).one()


def issued(session: Session, kind: MailedLinkKind, subscriber_id: int | None = None, **details: str) -> MailedLink:
    mailed_links.issue(session, kind, email_index=INDEX, subscriber_id=subscriber_id, details=details)
    return newest(session)


@pytest.mark.parametrize("kind", MailedLinkKind)
def test_a_link_leads_to_its_person_and_is_found_by_them(session: Session, kind: MailedLinkKind) -> None:
    hers, nobodys = issued(session, kind, 7, note="x"), issued(session, kind)
    others = [other for other in MailedLinkKind if other is not kind]
    assert [mailed_links.person_of(link) for link in (hers, nobodys)] == [7, None]
    assert mailed_links.details_of(hers) == {"note": "x"}
    assert session.scalars(select(MailedLink).where(mailed_links.of_person(session, 7, [kind]))).all() == [hers]
    for whose in (mailed_links.of_person(session, 7, others), mailed_links.of_person(session, 8, [kind])):
        assert session.scalars(select(MailedLink).where(whose)).all() == []
    mailed_links.keep(hers, {"note": "y"})
    assert (mailed_links.person_of(hers), mailed_links.details_of(hers)) == (7, {"note": "y"})


def test_links_of_two_kinds_have_nothing_in_common(session: Session) -> None:
    links = [issued(session, kind, 7) for kind in MailedLinkKind]
    held = [value for link in links for value in (bytes(link.email_index), bytes(link.person))]
    assert len(set(held)) == len(held) == 2 * len(MailedLinkKind)
    assert INDEX not in held


def test_a_link_that_was_used_is_its_persons_and_no_longer_found_by_its_address(session: Session) -> None:
    link, at = issued(session, MailedLinkKind.SIGN_UP, note="x"), utcnow()
    mailed_links.use(session, link, 7, at=at)
    again = issued(session, MailedLinkKind.SIGN_UP)
    assert (link.used_at, mailed_links.person_of(link), mailed_links.details_of(link)) == (at, 7, {})
    assert (link.email_index, link.person) != (again.email_index, again.person)
    assert link.email_index != again.email_index
    assert mailed_links.who_used(session, MailedLinkKind.SIGN_UP, [6, 7]) == {7}
    assert mailed_links.who_used(session, MailedLinkKind.ADDRESS, [6, 7]) == set()


def test_a_forgotten_person_leaves_links_that_have_run_out_and_are_nobodys(session: Session) -> None:
    tokens = {
        kind: mailed_links.issue(session, kind, email_index=OTHER, subscriber_id=7, details={"note": "x"})
        for kind in MailedLinkKind
    }
    tokens_by_address = {kind: mailed_links.issue(session, kind, email_index=INDEX) for kind in MailedLinkKind}
    kept = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=OTHER, subscriber_id=8)
    mailed_links.forget(session, subscriber_id=7, email_index=INDEX)
    for kind, token in (*tokens.items(), *tokens_by_address.items()):
        with pytest.raises(DeadLink):
            mailed_links.find(session, kind, token)
    emptied = session.scalars(select(MailedLink).where(MailedLink.person == MailedLink.token_hash)).all()
    assert len(emptied) == 2 * len(MailedLinkKind)
    assert all((link.email_index, link.details) == (link.token_hash, "{}") for link in emptied)
    assert mailed_links.person_of(mailed_links.find(session, MailedLinkKind.MANAGE, kept)) == 8


def test_what_ran_out_is_emptied_also_if_it_was_used(session: Session) -> None:
    mailed_links.use(session, issued(session, MailedLinkKind.SIGN_UP), 7, at=utcnow())
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    mailed_links.forget_expired(session)
    link = newest(session)
    assert (link.email_index, link.person, link.details) == (link.token_hash, link.token_hash, "{}")


# --- what is kept with a link ---------------------------------------------------------------------------------------

ASKED_AT = datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=UTC)
ADDRESS = Address(text="Ana@bücher.example.com", folded="ana@xn--bcher-kva.example.com")
AS_KEPT = {"text": "Ana@bücher.example.com", "folded": "ana@xn--bcher-kva.example.com"}
#: what somebody asked for, and how databases in use keep it
SIGN_UP = SignUp(
    address=ADDRESS,
    name="Ana",
    country="FR",
    union_id=7,
    language="fr",
    list_ids=(1, 2),
    alerts_text="Yes.",
    union_text="Yes, too.",
    shown_in="fr",
    via_union_id=None,
    asked_at=ASKED_AT,
)
SIGN_UP_AS_KEPT = {
    "address": AS_KEPT,
    "name": "Ana",
    "country": "FR",
    "union_id": 7,
    "language": "fr",
    "list_ids": [1, 2],
    "alerts_text": "Yes.",
    "union_text": "Yes, too.",
    "shown_in": "fr",
    "via_union_id": None,
    "asked_at": "2026-03-01T12:30:15.250000+00:00",
    "method": "sign-up form",
}
ASKED_FOR = AskedFor(
    name="Dockers",
    country=None,
    languages=("fr", "en"),
    members=1200,
    parent=None,
    resolution="Resolved.",
    is_named=False,
    person_name=None,
    address=ADDRESS,
    role="Secretary",
    language="fr",
    consent_text="Yes.",
    shown_in="fr",
    asked_at=ASKED_AT,
)
ASKED_FOR_AS_KEPT = {
    "name": "Dockers",
    "country": None,
    "languages": ["fr", "en"],
    "members": 1200,
    "parent": None,
    "resolution": "Resolved.",
    "is_named": False,
    "person_name": None,
    "address": AS_KEPT,
    "role": "Secretary",
    "language": "fr",
    "consent_text": "Yes.",
    "shown_in": "fr",
    "asked_at": "2026-03-01T12:30:15.250000+00:00",
}
INVITATION = Invitation(
    union_id=7, address=ADDRESS, name=None, role=None, language="fr", asked_at=ASKED_AT, is_invited=True
)
INVITATION_AS_KEPT = {
    "union_id": 7,
    "address": AS_KEPT,
    "name": None,
    "role": None,
    "language": "fr",
    "asked_at": "2026-03-01T12:30:15.250000+00:00",
    "is_invited": True,
    "link_generation": 0,
}


@pytest.mark.parametrize(
    ("value", "kept"),
    [(SIGN_UP, SIGN_UP_AS_KEPT), (ASKED_FOR, ASKED_FOR_AS_KEPT), (INVITATION, INVITATION_AS_KEPT)],
)
def test_what_databases_in_use_keep_is_written_and_read_as_ever(
    value: SignUp | AskedFor | Invitation, kept: dict[str, object]
) -> None:
    assert json.dumps(to_details(value)) == json.dumps(kept)
    assert from_details(type(value), kept) == value


def test_what_was_kept_before_a_field_was_thought_of_has_its_default() -> None:
    older = {name: value for name, value in SIGN_UP_AS_KEPT.items() if name not in ("via_union_id", "method")}
    assert from_details(SignUp, older) == SIGN_UP
    older = {name: value for name, value in INVITATION_AS_KEPT.items() if name != "link_generation"}
    assert from_details(Invitation, older) == INVITATION


@dataclass(frozen=True)
class Anything:
    """A field of each type that may be kept."""

    text: str
    number: int | None
    yes: bool
    time: datetime | None
    times: tuple[datetime, ...]
    kind: MailedLinkKind | None
    inner: Address | None
    inners: tuple[Address, ...]


TIMES = st.datetimes(timezones=st.just(UTC))
ADDRESSES = st.builds(Address, text=st.text(), folded=st.text())


@given(
    st.builds(
        Anything,
        text=st.text(),
        number=st.none() | st.integers(),
        yes=st.booleans(),
        time=st.none() | TIMES,
        times=st.lists(TIMES, max_size=3).map(tuple),
        kind=st.none() | st.sampled_from(MailedLinkKind),
        inner=st.none() | ADDRESSES,
        inners=st.lists(ADDRESSES, max_size=3).map(tuple),
    )
)
def test_whatever_is_kept_with_a_link_comes_back_as_it_was(value: Anything) -> None:
    back = from_details(Anything, json.loads(json.dumps(to_details(value))))
    assert back == value
    assert [type(each) for each in vars(back).values()] == [type(each) for each in vars(value).values()]
