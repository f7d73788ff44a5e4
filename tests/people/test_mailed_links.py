"""Mailed links: how many an address gets, whoever asks for them."""

import secrets
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.people import mailed_links
from mailer.people.mailed_links import LIMITS, Limit
from mailer.store.db import utcnow
from mailer.store.models import Reason, Request, RequestKind

INDEX = bytes(range(32))
OTHER = bytes(32)
EACH_LIMIT = [(kind, limit) for kind, limits in LIMITS.items() for limit in limits]
MOMENT = timedelta(minutes=1)


def mailed(session: Session, kind: RequestKind, ago: timedelta, *, index: bytes = INDEX, **columns: object) -> None:
    """A link of a while ago."""
    at = utcnow() - ago
    columns = {"token_hash": secrets.token_bytes(32), "details": "{}", "expires_at": at} | columns
    session.add(Request(kind=kind, email_index=index, created_at=at, **columns))
    session.flush()


def reason(
    session: Session, kind: RequestKind, *, is_barred: bool = False, limit: Limit | None = None
) -> Reason | None:
    limits = [limit] if limit else None
    return mailed_links.reason_to_withhold(session, kind, INDEX, is_barred=is_barred, limits=limits)


@pytest.mark.parametrize(("kind", "limit"), EACH_LIMIT)
def test_an_address_gets_so_many_links_of_a_kind_in_a_while_and_no_more(
    session: Session, kind: RequestKind, limit: Limit
) -> None:
    mailed(session, kind, limit.within + MOMENT)
    for _ in range(limit.mails):
        assert reason(session, kind, limit=limit) is None
        mailed(session, kind, limit.within - MOMENT)
    assert reason(session, kind, limit=limit) is reason(session, kind) is Reason.REPEATED


def test_a_link_to_ones_preferences_can_be_asked_for_again_after_an_hour_three_times_a_day(session: Session) -> None:
    reasons = []
    for hours in (23, 22, 21):
        mailed(session, RequestKind.MANAGE, timedelta(hours=hours))
        reasons.append(reason(session, RequestKind.MANAGE))
    assert reasons == [None, None, Reason.REPEATED]


@pytest.mark.parametrize("kind", LIMITS)
def test_what_was_used_withheld_for_something_else_or_for_others_does_not_count(
    session: Session, kind: RequestKind
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
def test_an_address_that_gets_no_mail_gets_none(session: Session, kind: RequestKind, repeated: bool) -> None:
    for _ in range(3 * repeated):
        mailed(session, kind, MOMENT)
    assert reason(session, kind, is_barred=True) is Reason.SUPPRESSED
