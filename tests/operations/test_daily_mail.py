"""Organisers hear each morning what happened: once, whoever else asks, whatever clocks do, and nothing for nothing."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.operations import daily_mail
from mailer.people import notices, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.people.organisers import NOBODY, Organisers
from mailer.reports import days
from mailer.selfservice import leaving, signups
from mailer.selfservice.signups import SignUp
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import (
    Application,
    CampaignStatus,
    DailyMail,
    DeliveryState,
    MailingList,
    Subscription,
    SuppressionReason,
)
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, notices_owed, said

S = DeliveryState
PARIS = ZoneInfo("Europe/Paris")
DESK = Organisers(("desk@example.org",), "en", PARIS)
BASE = "https://act.example.org"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Has it be that time, by the database's clock."""

    def be(moment: datetime) -> None:
        monkeypatch.setattr(db, "now", lambda _session: moment.astimezone(UTC))

    return be


def ask(engine: Engine, organisers: Organisers = DESK) -> None:
    daily_mail.owe(partial(session_scope, engine), organisers)


def told(engine: Engine) -> list[dict[str, str]]:
    """What the mails to organisers say, in the order in which they were owed."""
    with session_scope(engine, read_only=True) as session:
        found = [said(mail) for mail in notices_owed(session)]
    return [dict(notice.words) for notice in found if notice.kind is NoticeKind.DAILY]


def which_days(words: dict[str, str]) -> str:
    return words.get("day") or f"{words['since']} to {words['until']}"


def apply(engine: Engine) -> None:
    """Something that waits for an organiser, every day anew."""
    with session_scope(engine) as session:
        session.add(Application(name="Dockers", languages=["en"], is_named=True))


def test_the_first_morning_begins_to_count_and_the_next_tells(engine: Engine, at: Callable[[datetime], None]) -> None:
    apply(engine)
    at(datetime(2035, 3, 1, 6, 59, tzinfo=PARIS))
    ask(engine)
    at(datetime(2035, 3, 1, 9, tzinfo=PARIS))
    ask(engine)
    at(datetime(2035, 3, 2, 6, 59, tzinfo=PARIS))
    ask(engine)
    assert told(engine) == []
    at(datetime(2035, 3, 2, 7, tzinfo=PARIS))
    for _ in range(3):
        ask(engine)
    assert told(engine) == [
        {"day": "1 March 2035", "applications": "1", "applications_command": "mailer unions applications"}
    ]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Paris", date(2035, 3, 20)),  # clocks change on 25 March, and back on 28 October
        ("Europe/Paris", date(2035, 10, 24)),
        ("America/New_York", date(2035, 3, 8)),
        ("Australia/Lord_Howe", date(2035, 3, 28)),  # by half an hour
        ("Pacific/Chatham", date(2035, 9, 26)),
        ("Pacific/Kiritimati", date(2035, 6, 1)),
        ("Pacific/Pago_Pago", date(2035, 6, 1)),
        ("Asia/Kathmandu", date(2035, 6, 1)),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_there_is_one_mail_a_day_in_the_organisers_zone_and_each_day_is_in_one_whatever_clocks_do(
    engine: Engine, at: Callable[[datetime], None], zone: str, first: date
) -> None:
    apply(engine)
    there = ZoneInfo(zone)
    organisers = Organisers(("desk@example.org",), "en", there)
    moment = datetime.combine(first, time(), there).astimezone(UTC)
    mornings, count = [], 0
    for _ in range(24 * 2 * 8):
        at(moment)
        ask(engine, organisers)
        if len(told(engine)) > count:
            count += 1
            mornings.append(moment.astimezone(there))
        moment += timedelta(minutes=30)
    assert [morning.date() - first for morning in mornings] == [timedelta(days=number) for number in range(1, 8)]
    assert all(time(7) <= morning.time() < time(7, 30) for morning in mornings)
    covered = [which_days(words) for words in told(engine)]
    assert len(set(covered)) == 7 and not any(" to " in each for each in covered)


def test_after_some_days_on_which_nothing_ran_there_is_one_mail_about_all_of_them(
    engine: Engine, at: Callable[[datetime], None]
) -> None:
    apply(engine)
    for day, hour in ((1, 8), (4, 5), (4, 23), (5, 7)):
        at(datetime(2035, 3, day, hour, tzinfo=PARIS))
        ask(engine)
    assert [which_days(words) for words in told(engine)] == ["1 March 2035 to 3 March 2035", "4 March 2035"]


def test_of_several_workers_one_owes_the_mail(
    engine: Engine, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(engine)
    real = days.look

    def look(session: Session, since: date, until: date) -> days.Happened:
        found = real(session, since, until)
        with monkeypatch.context() as patch:  # another does the same at the same moment
            patch.setattr(days, "look", real)
            ask(engine)
        return found

    monkeypatch.setattr(days, "look", look)
    for day in (1, 2, 3):
        at(datetime(2035, 3, day, 8, tzinfo=PARIS))
        ask(engine)
    assert [which_days(words) for words in told(engine)] == ["1 March 2035", "2 March 2035"]


def test_a_crash_neither_loses_nor_doubles_the_mail(
    engine: Engine, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(engine)
    at(datetime(2035, 3, 1, 8, tzinfo=PARIS))
    ask(engine)
    at(datetime(2035, 3, 2, 8, tzinfo=PARIS))
    real = notices.owe

    def killed(*arguments: object, **more: object) -> None:
        real(*arguments, **more)  # type: ignore[arg-type]  # as it was called
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(notices, "owe", killed)
        ask(engine)
    assert told(engine) == []
    for _ in range(2):
        ask(engine)
    assert len(told(engine)) == 1


def test_nothing_is_written_on_a_day_on_which_nothing_happened_or_to_nobody(
    engine: Engine, at: Callable[[datetime], None]
) -> None:
    for day in (1, 2, 3):
        at(datetime(2035, 3, day, 8, tzinfo=PARIS))
        ask(engine)
    assert told(engine) == []
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(DailyMail.told_until)).one() == date(2035, 3, 3)
    apply(engine)
    at(datetime(2035, 3, 4, 8, tzinfo=PARIS))
    ask(engine, NOBODY)
    assert told(engine) == []
    ask(engine)
    assert [which_days(words) for words in told(engine)] == ["3 March 2035"]


def test_small_numbers_of_people_are_hidden_and_others_written_as_the_language_does(
    engine: Engine, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = days.Happened(
        asked=9, confirmed=10, left=1, sent=12_345, refused=0, complaints=3, applications=1, paused=2
    )
    monkeypatch.setattr(days, "look", lambda *_: happened)
    german = Organisers(DESK.addresses, "de", PARIS)
    for day in (1, 2):
        at(datetime(2035, 3, day, 8, tzinfo=PARIS))
        ask(engine, german)
    assert told(engine) == [
        {
            "day": "1. März 2035",
            "asked": "unter 10",
            "confirmed": "10",
            "left": "unter 10",
            "sent": "12.345",
            "applications": "1",
            "applications_command": "mailer unions applications",
            "paused": "2",
            "paused_command": "mailer campaigns list",
        }
    ]


def sign_up(session: Session, name: str) -> str:
    """Ask to sign up; returns the token in the mail."""
    wanted = SignUp(
        address=addresses.parse(f"{name}@example.net"),
        name=None,
        country="FR",
        union_id=None,
        language="fr",
        list_ids=(session.scalars(select(MailingList.id)).one(),),
        alerts_text="Yes, write to me.",
        union_text="Yes, store my union.",
        shown_in="en",
        asked_at=db.utcnow(),
    )
    signups.ask(session, wanted)
    return Notice.from_stored(notices_owed(session)[-1].notice or "").token or ""


def test_what_happened_is_counted_on_its_day_and_no_other(engine: Engine) -> None:
    today = db.utcnow().date()
    before = datetime.combine(today - timedelta(days=3), time(12), UTC)
    with session_scope(engine) as session:
        news = make_list(session)
        tokens = [sign_up(session, name) for name in ("ana", "ben", "cleo")]
        signups.confirm(session, tokens[0], union_agreed=False, base_url=BASE)
        leaver, gone = (make_subscriber(session, news, email=f"p{number}@example.net") for number in range(2))
        on = select(Subscription).where(Subscription.subscriber_id == leaver.id)
        leaving.leave(session, session.scalars(on).one(), method=leaving.Method.PAGE)
        session.execute(
            update(Subscription).where(Subscription.subscriber_id == gone.id).values(unsubscribed_at=before)
        )
        suppression.add(session, gone.email_index, SuppressionReason.COMPLAINED)
        campaign = make_campaign(session, news, status=CampaignStatus.PAUSED)
        campaign.started_at = before
        for number, (state, moment) in enumerate(
            [(S.SENT, db.utcnow()), (S.SENT, db.utcnow()), (S.FAILED, db.utcnow()), (S.SENT, before), (S.PENDING, None)]
        ):
            person = make_subscriber(session, email=f"r{number}@example.net")
            deliver(session, campaign, person, state, settled_at=moment)
        session.add(Application(name="Dockers", languages=["en"], is_named=True))
    with session_scope(engine, read_only=True) as session:
        tomorrow = db.utcnow().date() + timedelta(days=1)
        assert days.look(session, today, tomorrow) == days.Happened(
            asked=3, confirmed=1, left=1, sent=2, refused=1, complaints=1, applications=1, paused=1
        )
        earlier = days.look(session, before.date(), before.date() + timedelta(days=1))
        assert (earlier.asked, earlier.confirmed, earlier.left, earlier.sent, earlier.refused) == (0, 0, 1, 1, 0)


def test_a_complaint_is_told_of_once(engine: Engine, at: Callable[[datetime], None]) -> None:
    with session_scope(engine) as session:
        people = [make_subscriber(session, email=f"p{number}@example.net") for number in range(12)]
        suppression.add(session, people[0].email_index, SuppressionReason.COMPLAINED)
    at(datetime(2035, 3, 1, 8, tzinfo=PARIS))
    ask(engine)
    with session_scope(engine) as session:
        for person in people[1:]:
            suppression.add(session, person.email_index, SuppressionReason.COMPLAINED)
    for day in (2, 3):
        at(datetime(2035, 3, day, 8, tzinfo=PARIS))
        ask(engine)
    assert told(engine) == [{"day": "1 March 2035", "complained": "11"}]
