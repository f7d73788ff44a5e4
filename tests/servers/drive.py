"""A campaign that is sent through a relay as the engine does it."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import Engine, select

from mailer.delivery import control, sending
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.settings import load_settings
from mailer.store.db import open_engine, session_scope
from mailer.store.models import Campaign, CampaignStatus, Delivery
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber
from tests.support.ledger import in_order

PEOPLE = 300
CONNECTIONS = 4
LEASE = timedelta(seconds=2)


@dataclass(frozen=True)
class Drive:
    """A campaign under way, and who sends it."""

    engine: Engine
    campaign: int
    worker: Worker
    port: int

    def go_on(self, *, connections: int = CONNECTIONS) -> None:
        """Send what is due."""
        with closing(Pipeline(Server("127.0.0.1", self.port), connections=connections)) as wire:
            while sending.drain(self.engine, self.campaign, wire, self.worker) and not self.worker.stopping():
                pass

    @property
    def status(self) -> tuple[CampaignStatus, str | None]:
        """How the campaign stands, and what holds it."""
        with session_scope(self.engine, read_only=True) as session:
            campaign = session.get_one(Campaign, self.campaign)
            return campaign.status, campaign.hold_reason

    @property
    def words(self) -> Counter[str | None]:
        """What the relay said."""
        with session_scope(self.engine, read_only=True) as session:
            return Counter(session.scalars(select(Delivery.smtp_text)))


def worker_of(journals: Path, stopping: Callable[[], bool] = lambda: False) -> Worker:
    """Who sends, with leases of two seconds."""
    return Worker(name="test", lease=LEASE, journals=journals, sender=SENDER, stopping=stopping)


def start(engine: Engine, folder: Path, port: int, *, people: int = PEOPLE, gone: int = 0) -> Drive:
    """A campaign to so many people.

    :param gone: so many of every three have an address that is not known.
    """
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        for number in range(people):
            host = "gone.example.org" if number % 3 < gone else "example.net"
            make_subscriber(session, mailing_list, email=f"p{number}@{host}")
        campaign = make_campaign(session, mailing_list)
        control.start(session, campaign, SENDER)
        in_order(session)
        return Drive(engine, campaign.id, worker_of(folder / "journals"), port)


def send_until_killed(environment: dict[str, str], campaign: int, journals: Path, port: int) -> None:
    """Send, in a process of its own, which kills itself when a third may have gone out.

    :param environment: of the installation.
    """
    asked = count()

    def stopping() -> bool:
        if next(asked) > PEOPLE / 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    settings = load_settings(environment, directory=journals)
    engine = open_engine(settings.database_url, settings.keyring)
    Drive(engine, campaign, worker_of(journals, stopping), port).go_on()
