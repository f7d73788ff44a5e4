"""Whatever dies while people say that they wrote, each of them counts once, and the number is that of the rows."""

import http.client
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from redis import Redis
from sqlalchemy import Engine, func, select

from mailer import links
from mailer.campaigns import acts
from mailer.campaigns.acts import Counted
from mailer.links import Link
from mailer.operations import housekeeping
from mailer.people import subscribers
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Act, CampaignStatus, ConsentEvent, ConsentPurpose, DeliveryState
from tests.acceptance import dying, mortal_site
from tests.acceptance.dying import POINTS
from tests.acceptance.system import System
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber
from tests.support.waiting import LONG

_PEOPLE = 10  # so many that the number is shown


def test_people_count_once_whatever_dies_is_emptied_or_erased_meanwhile(
    system: System, engine: Engine, tmp_path: Path
) -> None:
    campaign_id, tokens = _sent(engine)
    with mortal_site.serving(system, tmp_path) as port, ThreadPoolExecutor(4) as people:

        def all_press(point: str | None) -> Sequence[int | None]:
            with dying.at(tmp_path, point) if point else nullcontext():
                answers = list(people.map(lambda token: _press(port, token), tokens.values()))
                assert point is None or not dying.is_to_come(tmp_path)
            with Redis.from_url(system.environment["MAILER_REDIS_URL"]) as connection:
                connection.flushall()
            return answers

        for point in POINTS:
            assert set(all_press(point)) <= {200, None}
            _require_sound(engine, campaign_id)
        assert set(all_press(None)) == {200}
    assert _require_sound(engine, campaign_id) == Counted(wrote=_PEOPLE, signed=0)
    with session_scope(engine) as session:
        subscribers.erase(session, next(iter(tokens)))
    housekeeping.tidy(engine)
    assert _require_sound(engine, campaign_id, erased=1) == Counted(wrote=_PEOPLE, signed=0)
    assert system.status("free-the-five")["acted"] == {"wrote": _PEOPLE}


def _sent(engine: Engine) -> tuple[int, Mapping[str, str]]:
    """A campaign that went out and asks people to write, and what stands in the mail to each: address → token."""
    with session_scope(engine) as session:
        news, keyring = make_list(session), keyring_of(session)
        campaign = make_campaign(session, news, status=CampaignStatus.SENT)
        campaign.started_at, campaign.ask = utcnow(), ["embassy"]
        emails = [f"p{number}@example.net" for number in range(_PEOPLE)]
        mails = {
            email: deliver(session, campaign, make_subscriber(session, news, email=email), DeliveryState.SENT)
            for email in emails
        }
        return campaign.id, {email: links.sign(keyring, Link.ACT, mail.id) for email, mail in mails.items()}


def _press(port: int, token: str) -> int | None:
    """Say that one wrote; returns the status of the answer, None if there was none."""
    headers = {"Host": "act.example.org", "Sec-Fetch-Site": "same-origin"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    try:
        connection.request("POST", f"/act/{token}", "", headers)
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _require_sound(engine: Engine, campaign_id: int, *, erased: int = 0) -> Counted:
    """Insist that there is a row for each who is counted, one for each person, and what they agreed to with it."""
    with session_scope(engine, read_only=True) as session:
        counted = acts.count(session, campaign_id)
        who = session.scalars(select(Act.subscriber_id).where(Act.campaign_id == campaign_id)).all()
        agreed = select(func.count()).where(ConsentEvent.purpose == ConsentPurpose.ACTED)
        assert session.scalar(agreed) == len(set(who) - {None}) == len(who) - erased == counted.wrote - erased
    return counted
