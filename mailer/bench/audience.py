"""Choosing an audience on a large installation: how long its size and its split take, asked of the site."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import case, func, insert, literal, select, update
from sqlalchemy.orm import Session

from mailer.bench import desk, installation, site
from mailer.bench.installation import Installation
from mailer.bench.visitors import Visits, get_steadily
from mailer.locale import countries
from mailer.people import lists
from mailer.store import db
from mailer.store.db import session_scope
from mailer.store.models import (
    Act,
    ActKind,
    Base,
    Campaign,
    Delivery,
    DeliveryState,
    MailingList,
    Subscription,
    SubscriptionStatus,
    Union,
    new_act_id,
)
from mailer.unions import directory

PEOPLE = 1_000_000
_EACH = 20  # sizes of each kind that are asked for, none of them twice
_RATE = 1  # a second: as quickly as somebody chooses
_COUNTRIES, _UNIONS = 120, 300
_LANGUAGES = ("en", "fr", "es", "de", "it", "pt", "ru", "ar", "tr", "el", "kk", "uk")
_ON_OTHER_LIST = 4  # one in so many people is on the other list, too
_OTHER = "news"
_ROWS = 10_000
_TABLES = Base.metadata.tables


@dataclass(frozen=True, slots=True)
class Asked:
    """How one kind of audience was answered."""

    what: str
    visits: Visits


@dataclass(frozen=True, slots=True)
class Choosing:
    """What was measured."""

    database: str
    groups: int  # people whom a campaign can tell apart
    kinds: Sequence[Asked]


def measure(measured: Installation, database: str, *, each: int = _EACH, rate: float = _RATE) -> Choosing:
    """Run the site as in production, and choose audiences for a draft.

    :param each: how many of each kind; :param rate: how many a second.
    """
    alert = _fill(measured)
    draft = installation.load_campaign(measured).slug
    with measured.engine() as engine, session_scope(engine) as session:
        cookie = desk.sign_in(session, 0)
        groups = select(Subscription.country).group_by(
            Subscription.country, Subscription.union_id, Subscription.language
        )
        number = session.scalar(select(func.count()).select_from(groups.subquery())) or 0
    kinds = []
    with site.served(measured) as port:
        for what, queries in _queries(alert):
            paths = [
                f"/desk/campaigns/{draft}/audience/size?{urlencode(query)}"
                for query in itertools.islice(queries, 4 + each)
            ]
            get_steadily(port, paths[:4], rate=rate, cookies=[cookie])  # until each process has read what it keeps
            kinds.append(Asked(what, get_steadily(port, paths[4:], rate=rate, cookies=[cookie])))
    return Choosing(database, number, kinds)


def _queries(alert: str) -> Iterator[tuple[str, Iterator[dict[str, str]]]]:
    """Kinds of audiences, each with as many of it as somebody wants, of which no two are the same."""
    codes = _codes()
    here = {"list": installation.LIST}

    def without(number: int) -> str:
        return codes[number % len(codes)]

    kinds: dict[str, Callable[[int], dict[str, str]]] = {
        "all but a country": lambda n: {"exclude_countries": without(n)},
        "some countries": lambda n: {"countries": "|".join(("@EU", without(n), without(n + 7)))},
        "without some countries, unions and a language": lambda n: {
            "exclude_countries": without(n),
            "exclude_unions": f"union-{n}|union-{n + 1}",
            "exclude_languages": "ru",
        },
        "readers of two languages": lambda n: {"languages": "fr|es", "exclude_countries": without(n)},
        "also on another list": lambda n: {"lists": _OTHER, "exclude_countries": without(n)},
        "not on another list": lambda n: {"exclude_lists": _OTHER, "exclude_countries": without(n)},
        "got an alert to all": lambda n: {"got": alert, "exclude_countries": without(n)},
        "did not get it": lambda n: {"not_got": alert, "exclude_countries": without(n)},
        "acted on it": lambda n: {"acted": alert, "exclude_countries": without(n)},
        "did not act on it": lambda n: {"not_acted": alert, "exclude_countries": without(n)},
    }
    for what, query in kinds.items():
        yield what, (here | query(number) for number in itertools.count())


def _codes() -> Sequence[str]:
    return [code for code, _name in countries.all_in("en")][:_COUNTRIES]


# --- the installation -----------------------------------------------------------------------------------------------


def _fill(measured: Installation) -> str:
    """Spread people over countries, unions and languages; put some on another list; have all get an alert, and a third
    act on it. Returns its slug."""
    started = installation.start_campaign(measured)
    with measured.engine() as engine:
        with session_scope(engine) as session:
            unions = [directory.add(session, f"union-{number}", f"Union {number}").id for number in range(_UNIONS)]
            _spread(session, unions)
            _put_on(session, lists.create(session, _OTHER, "News"))
            deliveries = _TABLES[Delivery.__tablename__]
            session.connection().execute(update(deliveries).values(state=DeliveryState.SENT, settled_at=db.utcnow()))
            slug = session.get_one(Campaign, started.id).slug
        people = select(Subscription.subscriber_id).distinct()
        with session_scope(engine, read_only=True) as session:
            numbers = [number for number in session.scalars(people) if number % 3 == 0]
        for first in range(0, len(numbers), _ROWS):
            with session_scope(engine) as session:
                session.execute(insert(Act), [_act(started.id, each) for each in numbers[first : first + _ROWS]])
        with session_scope(engine) as session:
            db.analyze(session, Subscription, Delivery, Act, Union)
    return slug


def _spread(session: Session, unions: Sequence[int]) -> None:
    """Give people countries, unions and languages, a third of them a union, so that nearly every combination occurs."""
    table = _TABLES[Subscription.__tablename__]
    person = table.c.subscriber_id
    spread = {
        "country": case(dict(enumerate(_codes())), value=person % _COUNTRIES),
        "language": case(dict(enumerate(_LANGUAGES)), value=person // 7 % len(_LANGUAGES)),
        "union_id": case((person % 3 == 0, min(unions) + person // 3 % len(unions))),
    }
    session.connection().execute(update(table).values(spread))


def _put_on(session: Session, other: MailingList) -> None:
    table = _TABLES[Subscription.__tablename__]
    kept = ("country", "union_id", "language", "subscriber_id", "created_at")
    some = select(*(table.c[name] for name in kept), literal(other.id), literal(True), table.c.status)
    some = some.where(table.c.subscriber_id % _ON_OTHER_LIST == 0, table.c.status == SubscriptionStatus.ACTIVE)
    session.connection().execute(insert(table).from_select([*kept, "list_id", "mailable", "status"], some))


def _act(campaign_id: int, subscriber_id: int) -> dict[str, object]:
    return {
        "id": new_act_id(),
        "campaign_id": campaign_id,
        "kind": ActKind.WROTE,
        "subscriber_id": subscriber_id,
        "country": "GB",
        "language": "en",
    }
