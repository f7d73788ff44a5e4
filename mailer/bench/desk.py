"""The desk on a large installation: how long its pages take, and what it costs that many people look on while a
campaign goes out."""

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.orm import Session

from mailer.bench import installation, site
from mailer.bench.installation import Installation
from mailer.bench.visitors import HOST, Visits, get_steadily
from mailer.mail import addresses
from mailer.organisers import accounts, desk_sessions
from mailer.store import audit, db
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, AuditEntry, Base, Campaign, CampaignStatus, Delivery, DeliveryState, Role

#: of whom the installation has so many
PEOPLE, CAMPAIGNS, ENTRIES = 1_000_000, 1_000, 50_000
_RATE = 10  # pages a second
_EACH = 100  # times that each page is asked for
#: pages that are open while a campaign goes out, each of somebody else; how often each asks, and for how long
_OPEN, _ASKS_EVERY, _LOOK_ON_SECONDS = 50, 2.0, 30
_TABLES = Base.metadata.tables


@dataclass(frozen=True, slots=True)
class Page:
    """How one page was shown."""

    path: str
    visits: Visits


@dataclass(frozen=True, slots=True)
class Desk:
    """What was measured."""

    database: str
    pages: Sequence[Page]
    looking_on: Visits
    core: float  # the share of a core that it cost to have many look on


def measure(
    measured: Installation,
    database: str,
    *,
    campaigns: int = CAMPAIGNS,
    entries: int = ENTRIES,
    each: int = _EACH,
    seconds: float = _LOOK_ON_SECONDS,
) -> Desk:
    """Run the site as in production, and have an organiser look at the desk.

    :param campaigns: how many there are; :param entries: of the audit log.
    :param each: how often each page is asked for.
    :param seconds: for how long many look on.
    """
    slug, cookies = _fill(measured, campaigns, entries)
    draft = installation.load_campaign(measured).slug
    with site.served(measured) as port:
        pages = []
        for path in _paths(slug, draft):
            get_steadily(port, [path] * 4, rate=_RATE, cookies=cookies[:1])  # until each process has read what it keeps
            pages.append(Page(path, get_steadily(port, [path] * each, rate=_RATE, cookies=cookies)))
        live = _live_part(port, f"/desk/campaigns/{slug}", cookies[0])
        rate = _OPEN / _ASKS_EVERY
        get_steadily(port, [live] * (4 * _OPEN), rate=rate, cookies=cookies)  # until each process knows who looks on
        before = _cpu_seconds()
        visits = get_steadily(port, [live] * int(rate * seconds), rate=rate, cookies=cookies)
        return Desk(database, pages, visits, (_cpu_seconds() - before) / seconds)


def _paths(slug: str, draft: str) -> Sequence[str]:
    """What is asked for.

    :param slug: of the campaign that goes out; :param draft: of one that could be sent to everybody.
    """
    going, ready = f"/desk/campaigns/{slug}", f"/desk/campaigns/{draft}"
    return (
        *("/desk/", "/desk/campaigns", "/desk/reports", "/desk/log", "/desk/account", "/desk/accounts"),
        *(going, f"{going}/check", f"{going}/approval", f"{going}/report"),
        *(ready, f"{ready}/check", f"{ready}/approval", f"{ready}/send"),
    )


def _live_part(port: int, path: str, cookie: str) -> str:
    """The path of what a page asks for by itself."""
    connection = HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", path, headers={"Cookie": cookie})
    page = connection.getresponse().read().decode()
    connection.close()
    found = re.search(r'hx-get="([^"]+)"', page)
    if found is None:
        raise LookupError(f"{path} asks for nothing by itself")
    return found[1]


# --- who works for the site -----------------------------------------------------------------------------------------


def _cpu_seconds() -> float:
    """What all processes that this one has started, and theirs, have cost until now."""
    return sum(map(_cpu_of, _descendants(os.getpid())))


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield child
            yield from _descendants(child)


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system: proc(5)


# --- the installation -----------------------------------------------------------------------------------------------


def _fill(measured: Installation, campaigns: int, entries: int) -> tuple[str, Sequence[str]]:
    """Have a campaign go out to everybody, add others and a log; returns its slug, and a cookie of each organiser."""
    started = installation.start_campaign(measured)
    with measured.engine() as engine:
        with session_scope(engine) as session:
            slug = session.get_one(Campaign, started.id).slug
            _send_a_third(session, started.id)
            _copy(session, started.id, campaigns - 1)
        with session_scope(engine) as session:
            cookies = [sign_in(session, number) for number in range(_OPEN)]
            for number in range(entries):
                audit.append(
                    session, "campaigns.pause", audit.COMMAND_LINE, kind="campaign", subject=f"alert-{number % 997}"
                )
        waiting = select(func.count()).where(AuditEntry.number.is_(None))
        left = 1
        while left:
            with session_scope(engine) as session:
                audit.chain(session)
                left = session.scalar(waiting) or 0
        with session_scope(engine) as session:
            db.analyze(session, Delivery, AuditEntry, Campaign)
    return slug, cookies


def sign_in(session: Session, number: int) -> str:
    """Have an organiser be at the desk; returns the cookie of their browser.

    :param number: theirs.
    """
    started = desk_sessions.start(session, _organiser(session, number).id, at=utcnow())
    return f"__Secure-desk={started.secret}"


def _organiser(session: Session, number: int) -> Account:
    address = addresses.parse(f"rosa{number}@example.org")
    organiser = accounts.add(session, address, (Role.ADMIN, Role.WRITER, Role.PUBLISHER), name="Rosa", at=utcnow())
    organiser.password_hash, organiser.totp_secret = "", ""  # nobody signs in with these
    session.flush()
    return organiser


def _send_a_third(session: Session, campaign_id: int) -> None:
    table = _TABLES["deliveries"]
    ended = {"state": DeliveryState.SENT, "settled_at": utcnow() - timedelta(minutes=1)}
    session.connection().execute(
        update(table).where(table.c.campaign_id == campaign_id, table.c.id % 3 == 0).values(**ended)
    )


def _copy(session: Session, campaign_id: int, times: int) -> None:
    """Add campaigns that have been sent, each to nobody."""
    connection = session.connection()
    campaigns, texts = _TABLES["campaigns"], _TABLES["campaign_texts"]
    row = _row(connection, campaigns, campaigns.c.id == campaign_id)
    text = _row(connection, texts, texts.c.campaign_id == campaign_id)
    over = {"status": CampaignStatus.SENT, "finished_at": utcnow()}
    for number in range(times):
        copied = {**row, **over, "slug": f"alert-{number}", "salt": secrets.token_bytes(16)}
        new = connection.execute(insert(campaigns).values(**copied).returning(campaigns.c.id)).scalar_one()
        connection.execute(insert(texts).values(**text | {"campaign_id": new}))


def _row(connection: Connection, table: Any, which: Any) -> dict[str, Any]:
    found = connection.execute(select(table).where(which)).mappings().first()
    return {name: value for name, value in dict(found or {}).items() if name != "id"}
