"""Mailed links: how many an address gets, whoever asks for them, and what is kept with each."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from mailer.mail.addresses import Address
from mailer.people import mailed_links
from mailer.people.mailed_links import LIMITS, Limit, from_details, to_details
from mailer.selfservice.signups import SignUp
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
    columns = {"token_hash": secrets.token_bytes(32), "details": "{}", "expires_at": at} | columns
    session.add(MailedLink(kind=kind, email_index=index, created_at=at, **columns))
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
INVITATION = Invitation(union_id=7, address=ADDRESS, name=None, role=None, language="fr", asked_at=ASKED_AT)
INVITATION_AS_KEPT = {
    "union_id": 7,
    "address": AS_KEPT,
    "name": None,
    "role": None,
    "language": "fr",
    "asked_at": "2026-03-01T12:30:15.250000+00:00",
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
    older = {name: value for name, value in SIGN_UP_AS_KEPT.items() if name != "via_union_id"}
    assert from_details(SignUp, older) == SIGN_UP


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
