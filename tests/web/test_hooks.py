"""Mail providers post what became of our mails: it acts once, on whom it is about, and nothing that is forged does."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, BrokenBarrierError, local
from typing import Any, NamedTuple, TypeVar

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from mailer import links
from mailer.app import create_app
from mailer.delivery.message_ids import MessageIds
from mailer.errors import ConfigurationError
from mailer.inbound import acting
from mailer.inbound import hooks as inbound
from mailer.inbound.acting import Source
from mailer.links import Link
from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.ses import Ses
from mailer.mail.webhooks.sns import Topics
from mailer.mail.webhooks.types import MAX_BYTES, Provider
from mailer.people import returned, suppression
from mailer.selfservice import leaving
from mailer.selfservice.leaving import NotOnList
from mailer.settings import Settings
from mailer.store.db import DatabaseUnavailable, Deadlock, session_scope, utcnow, utctoday
from mailer.store.models import (
    Base,
    Campaign,
    CampaignStatus,
    DeliveryState,
    MailEvent,
    MailEventCount,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from mailer.web import limits
from tests.support.concurrency import Beside
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, subscribe
from tests.support.webhooks import (
    BREVO_TOKEN,
    CONFIRM,
    LOGIN,
    MAILGUN_KEY,
    TOPIC,
    Amazon,
    as_json,
    basic,
    brevo,
    confirmation,
    mailgun,
    mailgun_signature,
    postmark,
    postmark_change,
    sendgrid,
    sendgrid_headers,
    ses_bounce,
    ses_complaint,
    sns,
    sparkpost,
    verification_key,
)

SECRET = "0123456789abcdef" * 2
BOUNCE = "bounce+{token}@in.example.org"
TWO_WRITERS = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one at a time
ONE_DATABASE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # it asks none, or the same of both


Row = TypeVar("Row", bound=Base)


class World(NamedTuple):
    """A site that providers may post to, and Ana, who was mailed."""

    app: Flask
    session: Session
    amazon: Amazon
    delivery: int

    @property
    def token(self) -> str:
        return links.sign(self.app.extensions["site"].settings.keyring, Link.BOUNCE, self.delivery)

    @property
    def source(self) -> str:
        return BOUNCE.format(token=self.token)

    def post(self, provider: str, document: object, *, secret: str = SECRET, **options: Any) -> TestResponse:
        body = document if isinstance(document, bytes) else as_json(document)
        return self.app.test_client().post(f"/hooks/{provider}/{secret}", data=body, **options)

    def ses(self, event: object, **changes: Any) -> TestResponse:
        message = event if isinstance(event, str) else json.dumps(event)
        options = {"content_type": "text/plain; charset=UTF-8"}
        return self.post("ses", sns(message, now=utcnow(), **changes), **options)

    def postmark(self, document: object, **options: Any) -> TestResponse:
        return self.post("postmark", document, headers=basic(), content_type="application/json", **options)

    def events(self) -> list[tuple[Kind, Category | None, Effect, str]]:
        found = self.rows(MailEvent)
        return [(event.kind, event.category, event.effect, event.source) for event in found]

    def counted(self) -> list[tuple[int, Kind, int]]:
        return [(row.campaign_id, row.kind, row.number) for row in self.rows(MailEventCount)]

    def reason(self) -> SuppressionReason | None:
        return next((found.reason for found in self.rows(Suppression)), None)

    def rows(self, table: type[Row]) -> list[Row]:
        """All of a table, as others left it; nothing stays locked."""
        with session_scope(self.app.extensions["site"].engine, read_only=True) as session:
            return list(session.scalars(select(table)))


def secret_file(folder: Path, name: str, content: str) -> str:
    file = folder / name
    file.write_text(content)
    file.chmod(0o600)
    return str(file)


@pytest.fixture
def hooked(settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    return settings(
        MAILER_BOUNCE_ADDRESS=BOUNCE,
        MAILER_HOOKS_SECRET_FILE=secret_file(tmp_path, "secret", f"{SECRET}\n"),
        MAILER_HOOKS_SES_TOPICS=TOPIC,
        MAILER_HOOKS_POSTMARK_FILE=secret_file(tmp_path, "postmark", LOGIN),
        MAILER_HOOKS_SENDGRID_KEYS=verification_key(),
        MAILER_HOOKS_MAILGUN_FILE=secret_file(tmp_path, "mailgun", MAILGUN_KEY),
        MAILER_HOOKS_BREVO_FILE=secret_file(tmp_path, "brevo", BREVO_TOKEN),
        MAILER_HOOKS_SPARKPOST_FILE=secret_file(tmp_path, "sparkpost", LOGIN),
    )


@pytest.fixture
def world(hooked: Settings, session: Session) -> Iterator[World]:
    amazon = Amazon()
    app = create_app(hooked)
    app.extensions["hooks"].readers["ses"] = Ses(Topics([TOPIC], amazon))
    mailing_list = make_list(session)
    ana = make_subscriber(session, email="ana@example.net")
    subscribe(session, ana, mailing_list)
    campaign = make_campaign(session, mailing_list)
    delivery = deliver(session, campaign, ana, DeliveryState.SENT, settled_at=utcnow())
    session.commit()
    yield World(app, session, amazon, delivery.id)
    app.extensions["site"].engine.dispose()


# --- what is proved acts --------------------------------------------------------------------------------------------


def test_an_address_that_is_gone_gets_no_more_mail_however_often_ses_says_so(world: World) -> None:
    for _ in range(2):
        answer = world.ses(ses_bounce(world.source))
        assert (answer.status_code, answer.data) == (200, b"")
    assert world.reason() is SuppressionReason.BOUNCED
    assert world.events() == [(Kind.BOUNCE, Category.NO_MAILBOX, Effect.SUPPRESS, "ses")]


def test_the_message_id_leads_to_a_mail_too(world: World) -> None:
    [campaign] = world.rows(Campaign)
    ids = MessageIds(world.app.extensions["site"].settings.keyring, campaign, domain="example.org")
    common = {"messageId": f"<{ids.make(world.delivery)}>"}
    assert world.ses(ses_complaint("alerts@example.org") | {"mail": {"commonHeaders": common}}).status_code == 200
    assert world.reason() is SuppressionReason.COMPLAINED


def test_a_complaint_is_heeded_at_once(world: World) -> None:
    assert world.ses(ses_complaint(world.source)).status_code == 200
    assert world.reason() is SuppressionReason.COMPLAINED


def test_postmark_is_heard_by_the_token_in_its_metadata(world: World) -> None:
    assert world.postmark(postmark(world.token)).status_code == 200
    assert world.reason() is SuppressionReason.BOUNCED
    assert world.events() == [(Kind.BOUNCE, Category.NO_MAILBOX, Effect.SUPPRESS, "postmark")]


POSTED: dict[str, Callable[[str], tuple[bytes, dict[str, str]]]] = {
    "sendgrid": lambda token: _signed_by_sendgrid([sendgrid(token), sendgrid(token, "open")]),
    "mailgun": lambda token: (as_json(_signed_by_mailgun(mailgun(token))), {}),
    "brevo": lambda token: (as_json(brevo(token)), {"Authorization": f"Bearer {BREVO_TOKEN}"}),
    "sparkpost": lambda token: (as_json([sparkpost(token), {"msys": {}}]), basic()),
}


def _signed_by_sendgrid(events: object) -> tuple[bytes, dict[str, str]]:
    body = as_json(events) + b"\r\n"
    return body, sendgrid_headers(body, now=utcnow())


def _signed_by_mailgun(event: object, token: str = "c0ffee" * 8) -> dict[str, object]:
    return {"signature": mailgun_signature(utcnow(), token), "event-data": event}


@pytest.mark.parametrize("provider", POSTED)
def test_every_provider_is_heard_once_and_only_with_its_proof(world: World, provider: str) -> None:
    body, proof = POSTED[provider](world.token)
    without = as_json({"event-data": mailgun(world.token)}) if provider == "mailgun" else body
    assert world.post(provider, without).status_code == 403
    assert world.events() == []
    for _ in range(2):
        assert world.post(provider, body, headers=proof).status_code == 200
    assert world.events() == [(Kind.BOUNCE, Category.NO_MAILBOX, Effect.SUPPRESS, provider)]
    assert world.reason() is SuppressionReason.BOUNCED


def test_what_mailgun_signed_for_one_event_proves_no_other(world: World) -> None:
    """Also where nothing followed from the first, since Mailgun does not sign what it says."""
    opened = _signed_by_mailgun(mailgun("0" * 40, "opened"))
    assert world.post("mailgun", opened).status_code == 200
    assert world.post("mailgun", opened | {"event-data": mailgun(world.token)}).status_code == 200
    assert world.reason() is None
    assert world.post("mailgun", _signed_by_mailgun(mailgun(world.token), "beef" * 10)).status_code == 200
    assert world.reason() is SuppressionReason.BOUNCED


def by_mailgun(world: World, *events: str, token: str = "c0ffee" * 8) -> None:
    """An event, and what somebody makes of copies of it."""
    signature = mailgun_signature(utcnow(), token)
    for event in events:
        severity = "temporary" if event == "delayed" else "permanent"
        posted = mailgun(world.token, "failed" if event == "delayed" else event, severity=severity)
        assert world.post("mailgun", {"signature": signature, "event-data": posted}).status_code == 200


@pytest.mark.parametrize(("first", "most"), [("failed", 50), ("delayed", 1), ("unsubscribed", 0)])
def test_a_token_of_mailgun_proves_nothing_more_also_where_no_event_of_it_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, first: str, most: int
) -> None:
    """It came back before, too much came of its mail, or they had left before."""
    monkeypatch.setattr(returned, "MOST_OF_ONE", most)
    by_mailgun(world, first, token="beef" * 10)
    before = world.reason()
    by_mailgun(world, first, "complained")
    assert world.reason() is before


def test_a_token_of_mailgun_proves_nothing_more_where_whoever_leaves_is_not_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(*_: object) -> None:
        raise NotOnList

    monkeypatch.setattr(leaving, "find", find)
    by_mailgun(world, "unsubscribed", "complained")
    assert world.reason() is None


def test_what_comes_again_with_a_token_of_mailgun_is_counted_once(world: World) -> None:
    posted = _signed_by_mailgun(mailgun("0" * 40))
    for _ in range(3):
        assert world.post("mailgun", posted).status_code == 200
    assert world.counted() == [(0, Kind.BOUNCE, 1)]
    with session_scope(world.app.extensions["site"].engine) as session:
        returned.become_numbers(session, MailEvent.source == "mailgun")
    assert (world.events(), world.counted()) == ([], [(0, Kind.BOUNCE, 1)])


def test_a_batch_is_taken_whole_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    body, proof = _signed_by_sendgrid([sendgrid("0" * 40, sg_event_id="1"), sendgrid(world.token)])
    act, calls = acting.act, []

    def fail_at_last(*args: Any, **options: Any) -> acting.Outcome:
        calls.append(options)
        if len(calls) == 2:
            raise DatabaseUnavailable(problem="it went away")
        return act(*args, **options)

    monkeypatch.setattr(acting, "act", fail_at_last)
    assert world.post("sendgrid", body, headers=proof).status_code == 503
    assert (world.events(), world.counted()) == ([], [])
    assert world.post("sendgrid", body, headers=proof).status_code == 200
    assert (len(world.events()), world.counted()) == (1, [(0, Kind.BOUNCE, 1)])


def test_of_many_events_all_are_taken_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "_AT_A_TIME", 2)
    body, proof = _signed_by_sendgrid([sendgrid("0" * 40, sg_event_id=str(number)) for number in range(5)])
    assert world.post("sendgrid", body, headers=proof).status_code == 200
    assert world.counted() == [(0, Kind.BOUNCE, 5)]


def test_too_many_complaints_pause_the_campaign(world: World) -> None:
    [campaign] = world.rows(Campaign)
    campaign = world.session.merge(campaign)
    campaign.status = CampaignStatus.SENDING
    deliveries = []
    for number in range(5):
        person = make_subscriber(world.session, email=f"person-{number}@example.net")
        deliveries.append(deliver(world.session, campaign, person, DeliveryState.SENT, settled_at=utcnow()).id)
    world.session.commit()
    keyring = world.app.extensions["site"].settings.keyring
    tokens = [links.sign(keyring, Link.BOUNCE, each) for each in deliveries]
    body, proof = _signed_by_sendgrid([sendgrid(token, "spamreport", sg_event_id=token) for token in tokens])
    assert world.post("sendgrid", body, headers=proof).status_code == 200
    assert [each.status for each in world.rows(Campaign)] == [CampaignStatus.PAUSED]


def test_an_event_that_comes_twice_at_once_acts_once(world: World) -> None:
    def post(_number: int) -> int:
        return world.postmark(postmark_change(world.token)).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(post, range(6))) == {200}
    assert [event[:3] for event in world.events()] == [(Kind.UNSUBSCRIBE, None, Effect.LEAVE)]


def test_what_a_provider_itself_does_not_send_is_only_recorded(world: World) -> None:
    assert world.ses(ses_bounce(world.source, type_="Permanent OnAccountSuppressionList")).status_code == 200
    assert world.reason() is None
    assert world.events() == [(Kind.BOUNCE, Category.UNDETERMINED, Effect.NONE, "ses")]


def test_who_left_at_the_provider_has_left(world: World) -> None:
    for _ in range(2):
        assert world.postmark(postmark_change(world.token)).status_code == 200
    assert [subscription.status for subscription in world.rows(Subscription)] == [SubscriptionStatus.UNSUBSCRIBED]
    assert world.reason() is not None  # the provider would mail them no more either, from whatever list
    assert [event[0] for event in world.events()] == [Kind.UNSUBSCRIBE]


def test_who_left_at_the_provider_and_is_on_no_list_any_more_is_nobody(world: World) -> None:
    world.session.delete(world.session.scalars(select(Subscription)).one())
    world.session.commit()
    assert world.postmark(postmark_change(world.token)).status_code == 200
    assert world.reason() is None


def test_a_subscription_of_sns_is_confirmed(world: World) -> None:
    assert world.post("ses", confirmation(now=utcnow())).status_code == 200
    assert world.amazon.fetched[-1] == CONFIRM


@ONE_DATABASE
@pytest.mark.parametrize("event", ["A sentence.", {"eventType": "Open"}, {"eventType": "New"}, [], 7])
def test_what_is_not_known_is_taken_and_does_nothing(world: World, event: object) -> None:
    assert world.ses(event).status_code == 200
    assert (world.events(), world.counted()) == ([], [])


def test_what_is_about_no_mail_of_ours_is_a_number(world: World) -> None:
    assert world.postmark(postmark("0" * 40)).status_code == 200
    assert world.ses(ses_bounce("alerts@example.org")).status_code == 200
    assert (world.events(), world.reason()) == ([], None)
    assert world.counted() == [(0, Kind.BOUNCE, 2)]


def test_a_token_for_something_else_does_nothing(world: World) -> None:
    keyring = world.app.extensions["site"].settings.keyring
    for link in set(Link) - {Link.BOUNCE}:
        assert world.postmark(postmark(links.sign(keyring, link, world.delivery))).status_code == 200
    assert (world.events(), world.reason()) == ([], None)


@pytest.mark.parametrize("provider", ["ses", "sendgrid"])
@pytest.mark.parametrize("status", ["5.1.1 (no such user here)", "5.1.1" + " " * 3995, "5" * 4000, "\x00\ud800"])
def test_a_status_of_any_length_is_taken_in(world: World, provider: str, status: str) -> None:
    bounce = ses_bounce(world.source)
    bounce["bounce"]["bouncedRecipients"][0] = {"status": status}
    if provider == "ses":
        assert world.ses(bounce).status_code == 200
    else:
        body, proof = _signed_by_sendgrid([sendgrid(world.token, status=status, reason="")])
        assert world.post("sendgrid", body, headers=proof).status_code == 200
    assert [event.status for event in world.rows(MailEvent)] == ["5.1.1" if status.startswith("5.1.1") else None]


# --- at the same moment ---------------------------------------------------------------------------------------------


class Crossing:
    """Posts of SendGrid at once, of which each has taken in its first event before one takes in the second, if nothing
    else has them wait."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world, self._act, self._take = world, acting.act, inbound._take
        self._barrier, self._thread = Barrier(2), local()
        self.tries = 0
        monkeypatch.setattr(acting, "act", self._meet)
        monkeypatch.setattr(inbound, "_take", self._count)

    def _meet(self, *args: Any, **options: Any) -> acting.Outcome:
        outcome = self._act(*args, **options)
        if not hasattr(self._thread, "has_met"):
            self._thread.has_met = True
            with suppress(BrokenBarrierError):
                self._barrier.wait(0.5)
        return outcome

    def _count(self, *args: Any, **options: Any) -> None:
        self.tries += 1
        self._take(*args, **options)

    def post(self, *posts: list[dict[str, Any]]) -> None:
        def one(events: list[dict[str, Any]]) -> None:
            body, proof = _signed_by_sendgrid(events)
            assert self._world.post("sendgrid", body, headers=proof).status_code == 200

        for each in [Beside(lambda events=events: one(events)) for events in posts]:  # type: ignore[misc]
            each.result()


@TWO_WRITERS
def test_posts_about_the_same_people_in_another_order_do_not_wait_for_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, keyring = world.session, world.app.extensions["site"].settings.keyring
    people = [make_subscriber(session, email=f"person-{number}@example.net") for number in range(2)]
    posts = []
    for slug, mailed in (("one", people), ("two", people[::-1])):
        campaign = make_campaign(session, make_list(session, slug), slug=slug)
        ids = [deliver(session, campaign, each, DeliveryState.SENT, settled_at=utcnow()).id for each in mailed]
        tokens = [links.sign(keyring, Link.BOUNCE, each) for each in ids]
        posts.append([sendgrid(token, sg_event_id=token) for token in tokens])
    session.commit()
    crossing = Crossing(world, monkeypatch)
    crossing.post(*posts)
    assert crossing.tries == 2
    assert len(world.rows(Suppression)) == 2


@TWO_WRITERS
def test_posts_that_are_only_counted_do_not_wait_for_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    crossing = Crossing(world, monkeypatch)
    names = ["bounce", "spamreport"]
    posts = [
        [sendgrid("0" * 40, name, sg_event_id=f"{number} {place}") for place, name in enumerate(some)]
        for number, some in enumerate([names, names[::-1]])
    ]
    crossing.post(*posts)
    assert crossing.tries == 2
    assert sorted(world.counted()) == [(0, Kind.BOUNCE, 2), (0, Kind.COMPLAINT, 2)]


@TWO_WRITERS
def test_whoever_is_erased_and_a_post_do_not_wait_for_each_other(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    crossing = Crossing(world, monkeypatch)
    suppression.lock_alone(session)
    post = Beside(lambda: crossing.post([sendgrid("0" * 40, sg_event_id="1"), sendgrid(world.token)]))
    post.must_wait()
    session.execute(select(Subscriber.id).with_for_update())
    returned.count(session, Kind.BOUNCE, Category.NO_MAILBOX, on=utctoday())
    session.commit()
    post.result()
    assert crossing.tries == 1
    assert world.counted() == [(0, Kind.BOUNCE, 2)]


@TWO_WRITERS
def test_complaints_of_what_a_form_had_us_send_wait_for_all_others(world: World, session: Session) -> None:
    campaign = session.merge(world.rows(Campaign)[0])
    mail = deliver(session, campaign, None, DeliveryState.SENT, address="bo@example.net", settled_at=utcnow())
    session.commit()
    suppression.lock_shared(session)
    token = links.sign(world.app.extensions["site"].settings.keyring, Link.BOUNCE, mail.id)
    body, proof = _signed_by_sendgrid([sendgrid(token, "spamreport")])
    post = Beside(lambda: world.post("sendgrid", body, headers=proof))
    post.must_wait()
    session.commit()
    post.result()
    assert world.reason() is SuppressionReason.COMPLAINED


def test_who_lost_against_another_program_is_taken_in_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    act, calls = acting.act, []

    def lose_once(*args: Any, **options: Any) -> acting.Outcome:
        calls.append(options)
        outcome = act(*args, **options)
        if len(calls) == 1:
            raise Deadlock
        return outcome

    monkeypatch.setattr(acting, "act", lose_once)
    assert world.postmark(postmark(world.token)).status_code == 200
    assert [event[:3] for event in world.events()] == [(Kind.BOUNCE, Category.NO_MAILBOX, Effect.SUPPRESS)]


# --- what is not proved does not ------------------------------------------------------------------------------------


@ONE_DATABASE
@pytest.mark.parametrize("secret", ["f" * 32, "", SECRET[:-1], SECRET + "0", SECRET.upper(), "%FF", "ü", "0" * 3000])
def test_without_the_secret_nobody_is_heard(world: World, secret: str) -> None:
    answer = world.postmark(postmark(world.token), secret=secret)
    assert answer.status_code in ((404,) if secret == "" else (403,))
    assert world.events() == []


@ONE_DATABASE
@pytest.mark.parametrize("provider", ["nobody", "SES", "ses%00", "pipe", "lmtp"])
def test_a_provider_that_is_not_set_is_not_heard(world: World, provider: str) -> None:
    answer = world.post(provider, postmark(world.token), headers=basic())
    assert (answer.status_code, answer.data) == (403, b"")


@ONE_DATABASE
def test_a_refusal_tells_nothing_and_sets_no_cookie(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answers = [
            world.post("ses", sns("{}", now=utcnow(), key="another")),
            world.post("postmark", postmark(world.token)),
            world.postmark(postmark(world.token), secret="f" * 32),
            world.postmark(postmark(world.token), secret="f" * 32),
        ]
    assert {(answer.status_code, answer.data, answer.mimetype) for answer in answers} == {(403, b"", "text/plain")}
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    # The log says why: each reason once, and nothing of what was sent.
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == ["a webhook was refused"] * 3
    assert SECRET not in caplog.text
    assert world.token not in caplog.text


@ONE_DATABASE
def test_nothing_is_read_before_the_secret_is_known(world: World) -> None:
    answer = world.postmark(b"x" * (MAX_BYTES + 1), secret="f" * 32)
    assert answer.status_code == 403


@ONE_DATABASE
@pytest.mark.parametrize("changes", [{"key": "another"}, {"TopicArn": TOPIC + "-other"}, {"Message": 7}])
def test_what_amazon_did_not_sign_does_nothing(world: World, changes: dict[str, Any]) -> None:
    assert world.ses(ses_bounce(world.source), **changes).status_code == 403
    assert (world.events(), world.counted()) == ([], [])


# --- bad input ------------------------------------------------------------------------------------------------------


@ONE_DATABASE
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\x00", 400),
        (b"\xff\xfe", 400),
        (b"[" * MAX_BYTES, 400),
        (b'{"a":' * (MAX_BYTES // 5), 400),
        (b"1" * MAX_BYTES, 400),
        (b'"' + b"a" * (MAX_BYTES - 2) + b'"', 200),
        (b"[" + b"1," * (MAX_BYTES // 2 - 2) + b"1]", 200),
        (b"x" * (MAX_BYTES + 1), 413),
    ],
    ids=["empty", "nul", "no text", "deep lists", "deep objects", "digits", "a long text", "a long list", "too much"],
)
def test_any_bytes_get_an_answer(world: World, body: bytes, status: int) -> None:
    answer = world.postmark(body)
    assert (answer.status_code, answer.data) == (status, b"")


@ONE_DATABASE
@pytest.mark.parametrize("type_", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "", "é"])
def test_a_body_is_read_as_it_is_whatever_it_is_called(world: World, type_: str) -> None:
    answer = world.post("postmark", postmark(world.token), headers=basic(), content_type=type_)
    assert answer.status_code == 200
    assert world.reason() is SuppressionReason.BOUNCED


@ONE_DATABASE
def test_a_post_from_another_site_is_none_of_a_browsers(world: World) -> None:
    headers = basic() | {"Origin": "https://example.com", "Sec-Fetch-Site": "cross-site"}
    assert world.post("postmark", postmark(world.token), headers=headers).status_code == 200


@ONE_DATABASE
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_a_post_is_taken(world: World, method: str) -> None:
    assert world.app.test_client().open(f"/hooks/ses/{SECRET}", method=method).status_code == 405


def test_while_the_database_is_away_the_provider_keeps_the_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_options: object) -> None:
        raise DatabaseUnavailable(problem="a secret detail")

    monkeypatch.setattr(world.app.extensions["site"].__class__, "session", lambda _self, **_options: away())
    answer = world.postmark(postmark(world.token))
    assert (answer.status_code, answer.data, answer.headers["Retry-After"]) == (503, b"", "60")
    monkeypatch.undo()
    assert world.events() == []
    assert world.postmark(postmark(world.token)).status_code == 200
    assert world.reason() is SuppressionReason.BOUNCED


@ONE_DATABASE
def test_while_a_certificate_cannot_be_had_the_provider_keeps_the_event(world: World) -> None:
    pages = world.amazon.pages.copy()
    world.amazon.pages.clear()
    assert world.ses(ses_bounce(world.source)).status_code == 503
    assert pages


def test_however_many_events_come_none_is_refused_for_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_ACT", limits.Allowance("act", ((1, limits.HOUR),)))
    assert {world.postmark(postmark("0" * 40)).status_code for _ in range(5)} == {200}


# --- settings -------------------------------------------------------------------------------------------------------


@ONE_DATABASE
def test_without_a_provider_there_is_no_address_for_one(settings: Callable[..., Settings]) -> None:
    app = create_app(settings())
    assert app.test_client().post(f"/hooks/ses/{SECRET}", data=b"{}").status_code == 404
    app.extensions["site"].engine.dispose()


@ONE_DATABASE
@pytest.mark.parametrize("content", ["", "short", SECRET + "0", SECRET.upper(), f"{SECRET}\nshort"])
def test_a_weak_secret_opens_nothing(hooked: Settings, tmp_path: Path, content: str) -> None:
    secret_file(tmp_path, "secret", content)
    with pytest.raises(ConfigurationError, match=r"MAILER_HOOKS_SECRET_FILE: .* must hold 32 hexadecimal digits"):
        create_app(hooked)


@ONE_DATABASE
def test_while_a_secret_is_changed_both_open(hooked: Settings, tmp_path: Path) -> None:
    secret_file(tmp_path, "secret", f"{'f' * 32}\n\n {SECRET} \n")
    assert hooked.hooks.secrets == ("f" * 32, SECRET)


@ONE_DATABASE
def test_a_provider_without_a_secret_opens_nothing(hooked: Settings) -> None:
    without = replace(hooked, hooks=replace(hooked.hooks, secret_file=None))
    with pytest.raises(ConfigurationError, match=r"MAILER_HOOKS_SECRET_FILE: is not set"):
        create_app(without)


@ONE_DATABASE
@pytest.mark.parametrize("content", ["", "postmark", "postmark:short", ":a-password-of-ours", f"{LOGIN}\npostmark"])
def test_a_weak_login_opens_nothing(hooked: Settings, tmp_path: Path, content: str) -> None:
    secret_file(tmp_path, "postmark", content)
    with pytest.raises(ConfigurationError, match=r"MAILER_HOOKS_POSTMARK_FILE: .* must hold user:password"):
        create_app(hooked)


@ONE_DATABASE
def test_what_everybody_may_read_is_no_secret(hooked: Settings, tmp_path: Path) -> None:
    (tmp_path / "postmark").chmod(0o644)
    with pytest.raises(ConfigurationError, match="everybody on this machine"):
        create_app(hooked)
    (tmp_path / "postmark").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        create_app(hooked)


def test_no_provider_has_the_name_of_another_way_in() -> None:
    assert not {provider.value for provider in Provider} & {source.value for source in Source}
