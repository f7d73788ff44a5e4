"""Figures that were reported do not move: not one number of a campaign that is over, whatever its people do then."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.app import create_app
from mailer.mail.feedback.types import Kind
from mailer.operations import housekeeping
from mailer.people import suppression
from mailer.selfservice import address_change, leaving, on_behalf, preferences
from mailer.selfservice.leaving import Method
from mailer.settings import Settings
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    ActKind,
    CampaignFigures,
    CampaignStatus,
    DeliveryState,
    MailingList,
    Reason,
    Role,
    Subscriber,
    Subscription,
    SuppressionReason,
)
from tests.conftest import CommandLine
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import (
    deliver,
    make_act,
    make_bounce,
    make_campaign,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
)

SLUG = "free-the-five"
_EACH = 12  # of whom one thing is done: so many that their number is told
#: all numbers that are told, wherever that is: where → what stands there
Told = Mapping[str, Any]


@pytest.fixture
def app(settings: Callable[..., Settings], database_url: str) -> Iterator[Flask]:
    """The site."""
    app = create_app(settings(MAILER_DATABASE_URL=database_url))
    yield app
    app.extensions["site"].engine.dispose()


@pytest.fixture
def is_closed() -> bool:
    """Whether departures are counted no more either."""
    return True


@pytest.fixture(autouse=True)
def campaign(engine: Engine, is_closed: bool) -> None:
    """A campaign that is over, with some of everything that a report tells."""
    with session_scope(engine) as session:
        news = make_list(session)
        campaign = make_campaign(session, news, slug=SLUG, status=CampaignStatus.SENT)
        campaign.ask = ["embassy", "signature"]
        campaign.started_at = utcnow() - timedelta(days=20 if is_closed else 3)
        campaign.finished_at = campaign.started_at + timedelta(hours=2)
        unions = [make_union(session, "dockers"), make_union(session, "poets", is_named=False)]
        where: dict[str, Any] = {"settled_at": campaign.started_at + timedelta(hours=1), "fence": 1}
        for number in range(7 * _EACH):
            person = make_subscriber(
                session,
                news,
                email=f"p{number}@example.net",
                country="FR" if number % 2 else "GB",
                union=unions[number % 2] if number % 3 else None,
                language="fr" if number % 4 else "en",
            )
            mail = deliver(session, campaign, person, DeliveryState.SENT, **where)
            if number % 2:
                make_act(session, campaign, person, ActKind.WROTE if number % 4 == 1 else ActKind.SIGNED)
            if number % 5 == 0:
                make_bounce(session, mail)
            if number % 7 == 0:
                make_bounce(session, mail, kind=Kind.COMPLAINT, category=None)
        for number in range(2 * _EACH):
            refused = {"smtp_code": 550, "smtp_text": f"550 5.1.1 <r{number}@example.net> no such user"}
            person = make_subscriber(session, news, email=f"r{number}@example.net")
            deliver(session, campaign, person, DeliveryState.FAILED, **refused, **where)
        for reason in (Reason.LEFT, Reason.SUPPRESSED):
            for number in range(_EACH):
                person = make_subscriber(session, news, email=f"{reason.value}{number}@example.net")
                deliver(session, campaign, person, DeliveryState.SKIPPED, reason=reason, **where)
        for number in range(_EACH):  # who left after it, in time to be counted
            person = make_subscriber(session, news, email=f"l{number}@example.net", country="GB")
            deliver(session, campaign, person, DeliveryState.SENT, **where)
            leaving.leave(session, _on(session, person), method=Method.PAGE, reason=f"reason {number}")
        left = update(Subscription).where(Subscription.unsubscribed_at.is_not(None))
        session.execute(left.values(unsubscribed_at=campaign.finished_at + timedelta(days=1)))


def _on(session: Session, person: Subscriber) -> Subscription:
    return session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id)).one()


# --- what people do -------------------------------------------------------------------------------------------------


def _leave(session: Session, person: Subscriber) -> None:
    leaving.leave(session, _on(session, person), method=Method.PAGE, reason="too many mails")


def _leave_all(session: Session, person: Subscriber) -> None:
    leaving.leave_all(session, person.id, method=Method.PAGE)


def _erase(session: Session, person: Subscriber) -> None:
    preferences.erase(session, person.id)


def _take_off(session: Session, person: Subscriber) -> None:
    on_behalf.unsubscribe(session, person.email, "urgent-actions")


def _move(session: Session, person: Subscriber) -> None:
    address_change.name(session, person.id, f"new.{person.email}", language="en")
    token = said(notices_owed(session)[-1]).token
    assert token is not None
    address_change.move(session, token)


def _describe(session: Session, person: Subscriber) -> None:
    preferences.describe(session, person.id, name="Ana", country="BR", language="ar")
    preferences.forget_union(session, person.id)


def _block(session: Session, person: Subscriber) -> None:
    suppression.add(session, bytes(person.email_index), SuppressionReason.COMPLAINED)


def _come_back(session: Session, person: Subscriber) -> None:
    preferences.join(session, person.id, "urgent-actions", words="I want urgent actions.", shown_in="en")


#: what is done → whose addresses begin so, and the number of the first of them
_DEEDS: Mapping[Callable[[Session, Subscriber], None], tuple[str, int]] = {
    _leave: ("p", 0),
    _leave_all: ("p", _EACH),
    _erase: ("p", 2 * _EACH),
    _take_off: ("p", 3 * _EACH),
    _move: ("p", 4 * _EACH),
    _describe: ("p", 5 * _EACH),
    _block: ("p", 6 * _EACH),
    _come_back: ("l", 0),
}


def _do_everything(engine: Engine) -> None:
    for deed, (letter, first) in _DEEDS.items():
        for number in range(first, first + _EACH):
            _do(engine, deed, f"{letter}{number}@example.net")
    for number in range(_EACH):  # of those whom a server refused, and of those it never reached
        for letter in ("r", Reason.LEFT.value, Reason.SUPPRESSED.value):
            _do(engine, _erase, f"{letter}{number}@example.net")
    with session_scope(engine) as session:  # some join, who never got it
        news = session.scalars(select(MailingList)).one()
        for number in range(_EACH):
            make_subscriber(session, news, email=f"joined{number}@example.net", country="FR")


def _do(engine: Engine, deed: Callable[[Session, Subscriber], None], email: str) -> None:
    with session_scope(engine) as session:
        person = next(each for each in session.scalars(select(Subscriber)) if each.email == email)
        deed(session, person)


# --- what is told ---------------------------------------------------------------------------------------------------


def _told(app: Flask, cli: CommandLine, who: Mapping[str, Organiser]) -> Told:
    for kept in [name for name in app.extensions if name.startswith("recent ")]:
        del app.extensions[kept]  # what a page worked out a moment ago
    told: dict[str, Any] = {
        f"{command}: {key}": told
        for command in ("report", "status")
        for key, told in json.loads(cli("campaigns", command, SLUG, "--json").stdout).items()
    }
    told["list"] = json.loads(cli("campaigns", "list", "--json").stdout)
    cli("campaigns", "report", SLUG, "--csv", "report.csv")
    told["report.csv"] = Path("report.csv").read_text().splitlines()
    for role, organiser in who.items():
        page = organiser.get(f"/campaigns/{SLUG}/report")
        told[f"report page for {role}"] = re.findall(r"[^.]+\.?", words(page))
        for kind in sorted(set(re.findall(rf"/campaigns/{SLUG}/report/([\w-]+)", page.text))):
            told[f"{kind} for {role}"] = organiser.get(f"/campaigns/{SLUG}/report/{kind}").text.splitlines()
        for path in ("/campaigns", "/reports"):
            told[f"{path} for {role}"] = words(organiser.get(path))
    return told


#: what those move who leave, until two weeks after the end
_OF_DEPARTURES = re.compile(r"report: (left|reasons)|departures for|report page|report.csv")


@pytest.mark.parametrize("is_closed", [True, False])
def test_no_number_of_what_is_over_moves_whatever_its_people_do(
    cli: CommandLine, app: Flask, engine: Engine, is_closed: bool
) -> None:
    who = {role.value: come_in(app, role, email=f"{role.value}@example.org") for role in (Role.PUBLISHER, Role.ANALYST)}
    housekeeping.tidy(engine)
    before = _told(app, cli, who)
    assert before["report: left"] == len(before["report: reasons"]) == _EACH
    _do_everything(engine)
    with session_scope(engine) as session:
        session.execute(update(CampaignFigures).values(departures_at=utcnow() - timedelta(days=1)))
    housekeeping.tidy(engine)
    after = _told(app, cli, who)
    moved = {where: (told, after.get(where)) for where, told in before.items() if told != after.get(where)}
    if is_closed:  # what people said goes with them, and nobody says anything more
        assert moved.pop("report: reasons") == (before["report: reasons"], None)
        assert moved == {}
    else:
        assert [where for where in moved if not _OF_DEPARTURES.search(where)] == []
        assert after["report: left"] != before["report: left"]
