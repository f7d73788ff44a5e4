"""What has run out goes by itself, and nothing else does."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.operations import housekeeping
from mailer.people import mailed_links, notices
from mailer.people.notices import Notice, NoticeKind
from mailer.settings import Settings
from mailer.store.db import DatabaseUnavailable, utcnow
from mailer.store.models import (
    CampaignStatus,
    Delivery,
    DeliveryState,
    Kit,
    KitEdition,
    MailedLink,
    MailedLinkKind,
    Subscription,
)
from tests.support.factories import make_campaign, make_list, make_subscriber
from workers import sweeper
from workers.runtime import Runtime


def test_a_sign_up_that_nobody_confirmed_is_gone_after_seven_days(engine: Engine, session: Session) -> None:
    for _ in range(2):
        mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32), details={"email": "ana@example.org"})
    first = session.scalars(select(MailedLink.id).limit(1)).one()
    for request in session.scalars(select(MailedLink).where(MailedLink.id == first)):
        request.created_at, request.expires_at = utcnow() - timedelta(days=7), utcnow() - timedelta(seconds=1)
    session.commit()
    housekeeping.tidy(engine)
    session.expire_all()
    gone, waiting = session.scalars(select(MailedLink).order_by(MailedLink.id))
    assert (gone.id, gone.email_index == gone.token_hash == gone.person, gone.details) == (first, True, "{}")
    assert waiting.email_index != waiting.token_hash
    assert mailed_links.details_of(waiting) == {"email": "ana@example.org"}


def test_a_link_that_ran_out_is_told_from_one_that_never_was_for_half_a_year(engine: Engine, session: Session) -> None:
    token = mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32))
    for age, said in ((timedelta(days=1), mailed_links.DeadLink), (timedelta(days=181), mailed_links.UnknownLink)):
        session.execute(update(MailedLink).values(expires_at=utcnow() - age))
        session.commit()
        housekeeping.tidy(engine)
        with pytest.raises(said):
            mailed_links.find(session, MailedLinkKind.SIGN_UP, token)


def test_what_a_settled_notice_said_is_gone_and_what_is_owed_stays(engine: Engine, session: Session) -> None:
    for email in ("ana@example.org", "boris@example.org"):
        notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address=email)
    session.execute(update(Delivery).where(Delivery.id == 1).values(state=DeliveryState.SENT))
    session.commit()
    housekeeping.tidy(engine)
    kept = session.execute(select(Delivery.state, Delivery.address, Delivery.notice.is_(None)).order_by(Delivery.id))
    assert [tuple(row) for row in kept] == [
        (DeliveryState.SENT, None, True),
        (DeliveryState.PENDING, "boris@example.org", False),
    ]


def test_a_pause_ends_by_itself(engine: Engine, session: Session) -> None:
    person = make_subscriber(session, make_list(session))
    session.execute(update(Subscription).values(paused_until=utcnow() - timedelta(seconds=1), mailable=False))
    session.commit()
    housekeeping.tidy(engine)
    subscription = session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id)).one()
    assert (subscription.paused_until, subscription.mailable) == (None, True)


def test_tidying_twice_is_fine(engine: Engine) -> None:
    housekeeping.tidy(engine)
    housekeeping.tidy(engine)


# --- by the sweeper -------------------------------------------------------------------------------------------------


def test_the_files_of_a_campaign_that_is_long_over_go(engine: Engine, session: Session) -> None:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    for days in (91, 0):
        campaign.deadline = utcnow() - timedelta(days=days)
        session.merge(Kit(id=1, campaign_id=campaign.id))
        session.merge(KitEdition(id=1, kit_id=1, language="en", made_at=utcnow(), archive=b"files"))
        session.commit()
        housekeeping.tidy(engine)
        assert session.scalar(select(KitEdition.archive)) == (None if days else b"files")
        session.commit()
        session.expire_all()


@pytest.fixture
def runtime(
    engine: Engine, valkey_url: str, wire: Pipeline, worker: Worker, settings: Callable[..., Settings]
) -> Iterator[Runtime]:
    """A sweeper's, of which no queue process answers a ring."""
    with Redis.from_url(valkey_url) as redis:
        yield Runtime(settings(), engine, redis, wire, worker)


def test_each_round_of_the_sweeper_tidies(runtime: Runtime, session: Session) -> None:
    mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32))
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    sweeper.sweep(runtime)
    session.expire_all()
    assert [request.email_index == request.token_hash for request in session.scalars(select(MailedLink))] == [True]


def test_mail_is_found_though_nothing_can_be_tidied(
    runtime: Runtime, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_engine: Engine) -> None:
        raise DatabaseUnavailable(problem="the disk is full")

    monkeypatch.setattr(housekeeping, "tidy", fail)
    notices.owe(session, Notice(NoticeKind.CONFIRM, "0" * 40), language="en", address="ana@example.org")
    session.commit()
    sweeper.sweep(runtime)
    sweeper.sweep(runtime)
    assert runtime.redis.keys("rq:*")


def test_what_has_run_out_goes_though_no_mail_can_be_looked_for(
    runtime: Runtime, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[int]:
        raise DatabaseUnavailable(problem="it is busy")

    monkeypatch.setattr("mailer.delivery.sweeping.sweep", fail)
    mailed_links.issue(session, MailedLinkKind.SIGN_UP, email_index=bytes(32))
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    sweeper.sweep(runtime)
    session.expire_all()
    assert [request.email_index == request.token_hash for request in session.scalars(select(MailedLink))] == [True]
