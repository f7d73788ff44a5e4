"""How often something may be asked for: by one network, and by everybody together.

Counted in Redis, for all processes. While Redis is away, or answers too late, each process counts for itself and allows
a part of it; it looks for Redis again, first each second, then less often, about twice a minute.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Flask, Response, request
from flask_limiter import Limit, Limiter, RequestLimit
from redis.backoff import NoBackoff
from redis.retry import Retry

from mailer import links
from mailer.errors import ConfigurationError
from mailer.settings import Settings
from mailer.store.db import utcnow
from mailer.web import language
from mailer.web.site import site

logger = logging.getLogger(__name__)

MINUTE, HOUR, DAY = "minute", "hour", "day"
Rates = tuple[tuple[int, str], ...]  # how many in which time, and each of them holds


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often one thing may be asked for, in whatever language."""

    name: str
    each: Rates  # by one network, or with one signed link
    together: Rates = ()  # by everybody


# A hall full of people signs up over one network when a speaker asks them to, and a phone company has a country behind
# one address. What keeps one person from being flooded with mail is counted per mail address, in the database.
_SIGN_UP = Allowance("sign-up", ((30, MINUTE), (200, HOUR), (500, DAY)), ((10_000, HOUR), (50_000, DAY)))
_ASK = Allowance("ask", ((30, MINUTE), (200, HOUR), (500, DAY)), ((10_000, HOUR), (50_000, DAY)))
_LEAVE = Allowance("leave", ((60, MINUTE),))
_ACT = Allowance("act", ((300, MINUTE),))
_READ = Allowance("read", ((600, MINUTE),))

#: what each form counts as, by its endpoint; every other is an _ACT
FORMS = {
    "joining.ask": _SIGN_UP,
    "joining.ask_via": _SIGN_UP,
    "affiliating.ask": _ASK,
    "preferences.mail_link_to_address": _ASK,
    "preferences.mail_link": _ASK,
    "preferences.pause": _ASK,
    "preferences.change_address": _ASK,
    "forwarding.mail_link": _ASK,
    "leaving.leave": _LEAVE,
}
#: links that are none of ours
_GUESSES: Rates = ((60, MINUTE), (600, HOUR))

#: of what is allowed, the part that one of several processes allows while they cannot count together
_SHARE = 4
_REDIS_SECONDS = 0.2
_NOTE_SECONDS = 60


def init(app: Flask, settings: Settings) -> None:
    """Limit every page of the app."""
    alone = _limits(_SHARE)
    try:
        storage = settings.redis_url.replace("unix://", "redis+unix://", 1)
    except ConfigurationError:
        storage = ""
    options = {
        "socket_connect_timeout": _REDIS_SECONDS,
        "socket_timeout": _REDIS_SECONDS,
        "retry": Retry(NoBackoff(), 1),
    }
    limiter = Limiter(
        _asker,
        app=app,
        default_limits=_limits(1) if storage else alone,
        in_memory_fallback=alone,  # type: ignore[arg-type]  # it takes what default_limits takes
        # Two counters a key, however many come; a fixed window would let twice as many through around its border.
        strategy="sliding-window-counter",
        storage_uri=storage or "memory://",
        storage_options=options if storage else {},  # type: ignore[arg-type]  # handed to redis-py as they are
        swallow_errors=True,  # threads that wait for a Redis which another thread just gave up pass uncounted, once
        on_breach=_Note(),
        request_identifier=_endpoint,
    )

    @app.after_request
    def say_when_to_come_back(response: Response) -> Response:
        if response.status_code == 429 and limiter.current_limit:
            response.headers["Retry-After"] = str(min(limiter.current_limit.limit.get_expiry(), 3600))
        return response


def allowance() -> Allowance:
    """What this request counts as."""
    return FORMS.get(_endpoint(), _ACT) if request.method == "POST" else _READ


def _limits(share: int) -> list[str | Callable[[], str] | Limit]:
    """What Flask-Limiter is to hold: the part of every rate that is given to this process."""

    def written(rates: Rates) -> str:
        return "; ".join(f"{max(1, number // share)} per {unit}" for number, unit in rates)

    def name(_endpoint: str) -> str:
        return allowance().name

    return [
        Limit(lambda: written(allowance().each), key_function=_asker, scope=name, shared=True),
        Limit(
            lambda: written(allowance().together),
            key_function=lambda: "everybody",
            scope=name,
            shared=True,
            # Else one network, with forms that owe nobody a mail, could close the site to all others.
            deduct_when=lambda response: response.status_code < 400,
        ),
        Limit(
            written(_GUESSES),
            key_function=_network,
            scope="guess",
            shared=True,
            exempt_when=lambda: _link() is not None or "token" not in (request.view_args or {}),
            deduct_when=lambda response: response.status_code == 404,
        ),
    ]


class _Note:
    """Says in the log that something is asked for too often: once a minute, since it comes thousandfold."""

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}

    def __call__(self, breached: RequestLimit) -> None:
        name, now = allowance().name, time.monotonic()
        if now - self._noted.get(name, -_NOTE_SECONDS) >= _NOTE_SECONDS:
            self._noted[name] = now
            is_misled = not site().settings.trusted_proxies and "X-Forwarded-For" in request.headers
            hint = (
                ": behind a proxy, all visitors count as one until MAILER_TRUSTED_PROXIES is set" if is_misled else ""
            )
            logger.warning(
                "too many requests, refusing some%s", hint, extra={"what": name, "allowed": str(breached.limit)}
            )


def _endpoint() -> str:
    """The page that is asked for, by the same name in all languages."""
    return (request.endpoint or "").removeprefix(f"{language.PREFIX}.")


def _asker() -> str:
    """Who a request is counted against.

    Mail providers post for their users, thousands from one address after a campaign, and a phone company's customers
    share one. So whoever has a genuine link to leave by is counted by that link: nobody is kept from leaving by what
    others do.
    """
    return _link() or _network()


def _link() -> str | None:
    """The subscription that a signed link in this request is for; None if there is none, or it is forged."""
    try:
        subscription = links.verify(
            site().settings.keyring, links.Link.UNSUBSCRIBE, (request.view_args or {}).get("token", "")
        )
    except links.ForgedToken:
        return None
    return f"link-{subscription}"


def _network() -> str:
    """The visitor's network, as a keyed hash that changes each day: addresses are kept nowhere."""
    secret = site().settings.keyring.link_keys[0].secret
    network = f"{utcnow():%Y-%m-%d} {_prefix(request.remote_addr or '')}"
    return hashlib.blake2b(network.encode(), key=secret, digest_size=12, person=b"network").hexdigest()


_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[^:]*):\d+")


def _prefix(address: str) -> str:
    """What one visitor can change at will is left out of an address: of IPv6 the last 64 bits.

    All that is no address, as a proxy may write it, counts as one.
    """
    written = _WITH_PORT.fullmatch(address)  # as some proxies do
    try:
        parsed = ip_address((written["v6"] or written["v4"]) if written else address)
    except ValueError:
        return ""
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed) >> 64 << 64, 64)))
