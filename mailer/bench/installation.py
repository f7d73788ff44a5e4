"""An installation to measure: its settings, a database with invented people, and campaigns for all of them."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from mailer.campaigns import files
from mailer.delivery import control, sending
from mailer.delivery.outbox import Outbox
from mailer.delivery.worker import Worker
from mailer.mail.types import Outgoing
from mailer.operations import schema
from mailer.people import lists
from mailer.reports import progress as campaign_progress
from mailer.settings import Settings, keys_file, load_settings
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.db import open_engine, session_scope
from mailer.store.models import Base, Campaign, DeliveryState, Subscriber, Subscription, SubscriptionStatus

_CAMPAIGN = Path(__file__).with_name("campaign")
#: that campaign's
LIST = "urgent-actions"
_ROWS = 5000  # to a transaction

_NAMES = ("Ana Kolmer", "Tomás Vidal", "Mirel Osta", "Лена Дасько", None, "Ruvan Petrel-Marchetti", "سلمى")
_HOMES = (("GB", "en"), ("ES", "es"), ("US", "en"), ("MX", "es"), ("FR", "fr"))  # country and language


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation that is described by its environment alone, so that another process can be told of it."""

    environ: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """Its settings. A `.env` of the real installation is not looked at."""
        return load_settings(self.environ, directory=Path(self.environ["MAILER_DATA_DIR"]))

    def with_settings(self, **changes: str) -> "Installation":
        """The same database and keys with other settings."""
        return Installation({**self.environ, **changes})

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Its database, until the end of the block."""
        settings = self.settings
        engine = open_engine(settings.database_url, settings.keyring)
        try:
            yield engine
        finally:
            engine.dispose()

    def worker(self) -> Worker:
        """One that sends for it, as `mailer worker` does."""
        settings = self.settings
        return Worker(
            name="bench",
            lease=timedelta(seconds=settings.lease_seconds),
            journals=settings.data_dir / "journals",
            sender=settings.mail_sender,
        )


def make(folder: Path, *, people: int, database_url: str | None = None) -> Installation:
    """Make an installation in an empty folder, with people on the list that the campaign goes to.

    :param database_url: of an empty database; by default SQLite in the folder.
    """
    keys_file.create(folder / keys_file.NAME)
    installation = Installation(
        {
            "MAILER_DATA_DIR": str(folder),
            "MAILER_DATABASE_URL": database_url or f"sqlite:///{folder / 'tocsin.db'}",
            "MAILER_BASE_URL": "https://act.example.org",
            "MAILER_ORGANISATION": "Harbour Solidarity",
            "MAILER_SENDER": "Harbour Solidarity <alerts@example.org>",
            "MAILER_POSTAL_ADDRESS": "1 Example Street, Example City",
        }
    )
    with installation.engine() as engine:
        schema.upgrade(engine)
        _populate(engine, people)
    return installation


def _populate(engine: Engine, people: int) -> None:
    """Add people, past the importer, which would take minutes for a million and is measured elsewhere."""
    tables = Base.metadata.tables
    keyring = keyring_of(engine)
    with session_scope(engine) as session:
        list_id = lists.create(session, LIST, "Urgent actions").id
    for first in range(1, people + 1, _ROWS):
        numbers = range(first, min(first + _ROWS, people + 1))
        with session_scope(engine) as session:
            subscribers = [_subscriber(number, keyring) for number in numbers]
            session.execute(insert(tables[Subscriber.__tablename__]), subscribers)
            subscriptions = [_subscription(number, list_id) for number in numbers]
            session.execute(insert(tables[Subscription.__tablename__]), subscriptions)


def _subscriber(number: int, keyring: Keyring) -> dict[str, Any]:
    address = f"person{number}@example.org"
    country, language = _HOMES[number % len(_HOMES)]
    return {
        "id": number,
        "email": address,
        "email_index": keyring.blind_index(address),
        "name": _NAMES[number % len(_NAMES)],
        "country": country,
        "language": language,
    }


def _subscription(number: int, list_id: int) -> dict[str, Any]:
    country, language = _HOMES[number % len(_HOMES)]
    return {
        "subscriber_id": number,
        "list_id": list_id,
        "status": SubscriptionStatus.ACTIVE,
        "mailable": True,
        "country": country,
        "language": language,
    }


@dataclass(frozen=True, slots=True)
class Started:
    """A campaign under way."""

    id: int
    recipients: int
    planning_seconds: float  # to freeze texts and audience, commit included


@dataclass(frozen=True, slots=True)
class Loaded:
    """A draft."""

    id: int
    slug: str


def start_campaign(installation: Installation) -> Started:
    """Load the campaign once more, under a name of its own, and start it."""
    loaded = load_campaign(installation)
    with installation.engine() as engine:
        began = time.monotonic()
        with session_scope(engine) as session:
            campaign = session.get_one(Campaign, loaded.id)
            recipients = control.start(session, campaign, installation.settings.mail_sender)
        return Started(loaded.id, recipients, time.monotonic() - began)


def load_campaign(installation: Installation) -> Loaded:
    """Load the campaign once more, under a name of its own, as a draft."""
    slug = f"bench-{secrets.token_hex(4)}"
    with (
        installation.engine() as engine,
        tempfile.TemporaryDirectory() as directory,
        session_scope(engine) as session,
    ):
        return Loaded(files.load(session, shutil.copytree(_CAMPAIGN, Path(directory) / slug)).id, slug)


def count_sent(installation: Installation, campaign_id: int) -> int:
    """How many of a campaign's messages a server took, by its ledger."""
    with installation.engine() as engine, session_scope(engine, read_only=True) as session:
        progress = campaign_progress.of_campaign(session, session.get_one(Campaign, campaign_id))
        return progress.states[DeliveryState.SENT]


class _Collector:
    """A wire that keeps messages and sends none, so that they go back to where they waited."""

    def __init__(self, count: int) -> None:
        self.kept: list[Outgoing] = []
        self._count = count

    def send(self, supply: Outbox) -> None:
        """Take what is wanted."""
        while len(self.kept) < self._count and not supply.exhausted:
            message = supply.take(wait=True)
            if message is not None:
                self.kept.append(message)


def ready_messages(installation: Installation, campaign_id: int, count: int) -> list[Outgoing]:
    """Some of a campaign's messages, as the engine would put them on the wire."""
    collector = _Collector(count)
    with installation.engine() as engine:
        sending.drain(engine, campaign_id, collector, installation.worker())
    return collector.kept
