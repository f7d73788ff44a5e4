"""What a thief has who took the database with its logs, Redis, journals and what workers said, and what a mail provider
wrote down of the campaign: they are not led from an address to its row."""

import email
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, select

from mailer.mail.headers import a_label_address
from mailer.operations import housekeeping, schema
from mailer.people import subscribers
from mailer.settings import load_settings
from mailer.store.db import open_engine, session_scope
from mailer.store.models import Base, Subscriber
from tests.acceptance.system import System
from tests.support.mail_server import Received
from tests.support.stolen import files_of

PEOPLE = 400
ANSWERED = 60
#: five standard deviations above what chance gives
MOST_NEAR = 0.3
_ADDRESS = re.compile(rb"[\w.+-]+@[\w.-]+[a-z]")
_OF_PEOPLE = ("subscribers", "subscriptions", "consent_events", "consent_sources")
_TIME = re.compile(r"\d{4}-\d\d-\d\d (?!00:00:00(?!\.0*[1-9]))\d\d:\d\d:\d\d")
_TOKEN = re.compile(r"\b[0-9a-f]{40}\b")


@dataclass(frozen=True)
class Loot:
    """What the thief took at one moment."""

    rows: dict[str, list[dict[str, Any]]]  # by table, as they are stored
    files: dict[str, bytes]

    def deliveries(self) -> set[int]:
        """The ids of the campaign's."""
        return {row["id"] for row in self.rows["deliveries"] if row["purpose"] == "campaign"}


def take(system: System, engine: Engine) -> Loot:
    rows = {}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            found = connection.exec_driver_sql(f"SELECT * FROM {table.name}").mappings()
            rows[table.name] = [{name: _plain(value) for name, value in row.items()} for row in found]
    files = {str(file): file.read_bytes() for file in _files(system, engine)}
    files["Redis"] = b"\n".join(_of_redis(system.environment["MAILER_REDIS_URL"]))
    return Loot(rows, files)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _files(system: System, engine: Engine) -> Iterator[Path]:
    yield from files_of(engine)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
        yield from (file for file in (folder / "pg_wal").iterdir() if file.is_file())
    for folder in (Path(system.environment["MAILER_DATA_DIR"]), system.folder):  # journals, and what workers said
        yield from (file for file in folder.rglob("*") if file.is_file())


def _of_redis(url: str) -> Iterator[bytes]:
    """Each key of a database with what it holds."""
    reads: dict[str, Callable[[Any, bytes], Any]] = {
        "string": lambda connection, key: connection.get(key),
        "list": lambda connection, key: connection.lrange(key, 0, -1),
        "hash": lambda connection, key: connection.hgetall(key),
        "set": lambda connection, key: connection.smembers(key),
        "zset": lambda connection, key: connection.zrange(key, 0, -1, withscores=True),
        "stream": lambda connection, key: connection.xrange(key),
    }
    with redis.Redis.from_url(url) as connection:
        for key in connection.scan_iter():
            yield key
            yield repr(reads[connection.type(key).decode()](connection, key)).encode()


# --- what is played -------------------------------------------------------------------------------------------------


def in_clear(loot: Loot, addresses: set[str], names: set[str]) -> set[str]:
    """The addresses and names that stand in clear in anything that was taken."""
    wanted = {address.lower().encode() for address in addresses}
    found = set()
    for file, content in loot.files.items():
        found |= {address.decode() for address in set(_ADDRESS.findall(content.lower())) & wanted}
        if "pg_wal" not in file:  # there each stands that stands in the tables
            found |= {name for name in names if name.encode() in content}
    return found


def by_message_id(loot: Loot, log: list[Received]) -> dict[str, int]:
    """To which delivery each mail leads whose id, or a token in it, can be computed from what was taken."""
    known = [value for row in loot.rows["campaigns"] for value in map(_octets, row.values()) if value]
    deliveries = loot.deliveries()
    computed: dict[str, int] = {}
    for delivery in deliveries:
        written = (str(delivery).encode(), delivery.to_bytes(8, "big"), delivery.to_bytes(6, "big"))
        for data in (each + number for each in [b"", *known] for number in written):
            for algorithm in ("sha256", "sha1", "md5", "blake2b"):
                computed[hashlib.new(algorithm, data).hexdigest()[:32]] = delivery
    found = {}
    for mail in log:
        tokens = _TOKEN.findall(_text(mail) + " " + mail.sender)
        assert len(tokens) >= 3, "there is no token for leaving, for one's choices, or for a bounce"
        said = [mail.message_id.strip("<>").partition("@")[0], *(token[:32] for token in tokens)]
        numbers = [int(digits, 16) for token in tokens for digits in (token[:12], token[-12:])]
        led = [computed[each] for each in said if each in computed]
        led += [number for number in numbers if number in deliveries]
        if led:
            found[mail.recipient] = led[0]
    return found


def _octets(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else None


def _text(mail: Received) -> str:
    message = email.message_from_bytes(mail.data)
    parts = (part.get_payload(decode=True) for part in message.walk())
    return str(message) + " ".join(part.decode() for part in parts if isinstance(part, bytes))


def by_order(loot: Loot, log: list[int]) -> dict[str, float]:
    """For each column of the ledger: the share of people whose row, were the mails sent in its order, would stand near
    their mail, within a tenth of all. By chance it is a fifth.

    :param log: whose mail went when, by the id of the person.
    """
    rows = [row for row in loot.rows["deliveries"] if row["purpose"] == "campaign"]
    sent = {person: place for place, person in enumerate(log)}
    shares = {}
    rows.sort(key=lambda row: row["id"])  # not as they are stored: see "Some things remain" in the page on privacy
    for column in rows[0]:
        empty = [row for row in rows if row[column] is None]
        filled = sorted((row for row in rows if row[column] is not None), key=lambda row: (row[column], row["id"]))
        near = [abs(place - sent[row["subscriber_id"]]) <= len(rows) / 10 for place, row in enumerate(empty + filled)]
        shares[column] = sum(near) / len(rows)
    return shares


def by_length(loot: Loot) -> int:
    """Of how many people the lengths of what is stored are nobody else's."""
    lengths = [
        tuple(len(value) for value in row.values() if isinstance(value, bytes)) for row in loot.rows["subscribers"]
    ]
    return sum(lengths.count(each) == 1 for each in lengths)


def by_time(loot: Loot) -> set[str]:
    """The columns that say of a person, beside their row, when something was to the second."""
    found = set()
    for table in _OF_PEOPLE:
        for row in loot.rows[table]:
            found |= {f"{table}.{column}" for column, value in row.items() if _TIME.search(str(value))}
    return found


@pytest.fixture
def engine_of(system: System) -> Iterator[Engine]:
    settings = load_settings(system.environment)
    engine = open_engine(settings.database_url, settings.keyring)
    yield engine
    engine.dispose()


def test_a_thief_with_a_providers_log_is_led_to_nobody(
    system: System, loaded: Callable[[int], str], engine_of: Engine
) -> None:
    system.environment["MAILER_BOUNCE_ADDRESS"] = "bounce+{token}@example.org"
    slug = loaded(PEOPLE)
    server = system.server
    server.behaviour.pause = lambda line: 3600.0 if line == "DATA" and len(server.received) >= ANSWERED else 0.0
    system.start_worker()
    system.mailer("campaigns", "send", slug)
    server.wait_for(ANSWERED)
    with session_scope(engine_of, read_only=True) as session:
        everybody = session.scalars(select(Subscriber)).all()
    addresses = {written for each in everybody for written in (each.email, a_label_address(each.email))}
    names = {person.name for person in everybody if person.name and " " in person.name}
    person_of = {a_label_address(person.email): person.id for person in everybody}
    assert len(addresses) > PEOPLE - 20
    under_way = take(system, engine_of)
    assert any("journal" in file for file in under_way.files)
    assert in_clear(under_way, addresses, names) == set()
    assert by_message_id(under_way, list(server.received)) == {}

    server.behaviour.pause = lambda _: 0.0
    for conversation in list(server.conversations):
        conversation.hang_up()
    status = system.wait_until_sent(slug)
    if status["states"]["unknown"]:
        system.mailer("campaigns", "resend", slug, "--state", "unknown")
        system.wait_until_sent(slug)
    housekeeping.tidy(engine_of)
    over = take(system, engine_of)
    assert in_clear(over, addresses, names) == set()
    log = list({mail.recipient: mail for mail in server.received}.values())  # some had theirs twice, maybe
    assert by_message_id(over, log) == {}
    assert by_length(over) == 0
    assert by_time(over) == set()
    near = by_order(over, [person_of[mail.recipient] for mail in log])
    assert {column: share for column, share in near.items() if share > MOST_NEAR} == {}

    # Of whom was erased nothing is left in SQLite's files; PostgreSQL keeps old rows until it needs the room.
    if engine_of.dialect.name == "sqlite":
        gone = everybody[0]
        (row,) = (row for row in over.rows["subscribers"] if row["id"] == gone.id)
        with session_scope(engine_of) as session:
            subscribers.erase(session, gone.email)
        housekeeping.tidy(engine_of)
        schema.upgrade(engine_of)  # which writes the file anew
        afterwards = take(system, engine_of)
        stored = [value for name, value in row.items() if name in ("email", "name") and value]
        assert [file for file, content in afterwards.files.items() if any(value in content for value in stored)] == []
