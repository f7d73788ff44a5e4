"""How often something may be asked for: by one network, and by everybody together.

Counted in Redis, for all processes. While Redis is away, or answers too late, each process counts for itself and allows
a part of it; it looks for Redis again, first each second, then less often, about twice a minute.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Flask, Response, g, request
from flask_limiter import Limit, Limiter, RequestLimit
from redis.backoff import NoBackoff
from redis.retry import Retry

from mailer import links
from mailer.errors import ConfigurationError
from mailer.settings import Settings
from mailer.store.db import utcnow
from mailer.web import language
from mailer.web.desk import glances
from mailer.web.desk.visit import visitor
from mailer.web.site import site
from mailer.web.turns import Pace

logger = logging.getLogger(__name__)

MINUTE, HOUR, DAY = "minute", "hour", "day"
_SECONDS = {MINUTE: 60, HOUR: 3600, DAY: 86_400}
Rates = tuple[tuple[int, str], ...]  # how many in which time, and each of them holds
#: How many times as much as one network a block of IPv6 networks may have in the long run. Whoever has one network may
#: have 256 or 65,536: a /56 or a /48 is what a household, an office or a rented server gets. It may also be a street.
_BLOCKS = {56: 2, 48: 4}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often one thing may be asked for, in whatever language."""

    name: str
    each: Rates  # by one network, or with one signed link
    together: Rates = ()  # by everybody

    def of_block(self, bits: int) -> Rates:
        """Likewise by an IPv6 block, whose prefix is so long."""
        # A street may sign up in a day, but not within a minute.
        same = MINUTE if self.together else None
        return tuple((number if unit == same else number * _BLOCKS[bits], unit) for number, unit in self.each)


# A hall full of people signs up over one network when a speaker asks them to, and a phone company has a country behind
# one address. What keeps one person from being flooded with mail is counted per mailbox, in the database.
_MAILS: Rates = ((30, MINUTE), (200, HOUR), (500, DAY))
_MAILS_TOGETHER: Rates = ((10_000, HOUR), (50_000, DAY))
SIGN_UP = Allowance("sign-up", _MAILS, _MAILS_TOGETHER)
_ASK = Allowance("ask", _MAILS, _MAILS_TOGETHER)
_LEAVE = Allowance("leave", ((60, MINUTE),))
_ACT = Allowance("act", ((300, MINUTE),))
_READ = Allowance("read", ((600, MINUTE),))
_REPORT = Allowance("report", ((30, MINUTE), (100, DAY)))
#: likewise on one and the same target
_REPORT_ON_ONE = Allowance("report on one", ((1, DAY),))
#: supporters whom one organiser looks for; who tried out addresses would need more
_FIND = Allowance("find", ((20, MINUTE), (100, HOUR), (400, DAY)))
#: links that are none of ours
_GUESS = Allowance("guess", ((60, MINUTE), (600, HOUR)))

#: what each form counts as, by its endpoint; every other is an _ACT
FORMS = {
    "joining.ask": SIGN_UP,
    "joining.ask_via": SIGN_UP,
    "signing.ask": SIGN_UP,
    "signing.ask_from_mail": SIGN_UP,
    "affiliating.ask": _ASK,
    "preferences.mail_link_to_address": _ASK,
    "preferences.mail_link": _ASK,
    "preferences.pause": _ASK,
    "preferences.change_address": _ASK,
    "forwarding.mail_link": _ASK,
    "acting.mail_link": _ASK,
    "leaving.leave": _LEAVE,
    "reporting.report": _REPORT,
    "desk.supporters.find": _FIND,
}
#: forms whose senders are thanked though they are refused: to press twice is no attack, and not worth a line in the log
_THANKED = frozenset({"reporting.report"})
#: forms that are taken however many send them: above what all may send together, the mail waits its turn, see `turns`
_TAKEN = frozenset({"joining.ask", "joining.ask_via", "signing.ask", "signing.ask_from_mail"})
#: what organisers press to stop what does harm
_URGENT = frozenset(
    {
        "desk.stopping.pause_everything",
        "desk.campaigns.pause",
        "desk.ending.stop",
        "desk.ending.close",
        "desk.ending.withdraw",
        "desk.ending.stop_case",
        "desk.ending.close_case",
    }
)
_BY_ACCOUNT = frozenset({"desk.supporters.find"})
_NETWORK_BITS = 64  # of an IPv6 address: what one person can change at will is left out

#: of what is allowed, the part that one of several processes allows while they cannot count together
SHARE = 4
_REDIS_SECONDS = 0.2
_NOTE_SECONDS = 60


def init(app: Flask, settings: Settings) -> None:
    """Limit every page of the app."""
    alone = _limits(SHARE)
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

    limiter.request_filter(_is_looking_on)
    limiter.request_filter(_is_of_a_provider)

    @app.after_request
    def say_when_to_come_back(response: Response) -> Response:
        if response.status_code == 429 and limiter.current_limit:
            response.headers.setdefault("Retry-After", str(min(limiter.current_limit.limit.get_expiry(), 3600)))
        return response


def pace(rates: Rates) -> Pace:
    """Rates as `turns` counts them."""
    return tuple((timedelta(seconds=_SECONDS[unit]), number) for number, unit in rates)


def allowance() -> Allowance:
    """What this request counts as."""
    return FORMS.get(_endpoint(), _ACT) if request.method == "POST" else _READ


def network() -> str:
    """The visitor's network, to tell it from others and not to be kept: an IPv4 address, or all of an IPv6 block that
    one person may have."""
    return _prefix(request.remote_addr or "", min(_BLOCKS))


def _limits(share: int) -> list[str | Callable[[], str] | Limit]:
    """What Flask-Limiter is to hold: the part of every rate that is given to this process."""

    def written(rates: Rates) -> str:
        return "; ".join(f"{max(1, number // share)} per {unit}" for number, unit in rates)

    def name(_endpoint: str) -> str:
        return allowance().name

    def of_block(bits: int) -> Limit:
        return Limit(
            lambda: written(allowance().of_block(bits)),
            key_function=lambda: _network(bits),
            scope=name,
            shared=True,
            exempt_when=lambda: _link() is not None or _at_desk() is not None or not _is_ipv6(),
        )

    def guesses(rates: Rates, bits: int) -> Limit:
        return Limit(
            written(rates),
            key_function=lambda: _network(bits),
            scope=_GUESS.name,
            shared=True,
            exempt_when=lambda: not _may_be_a_guess() or (bits != _NETWORK_BITS and not _is_ipv6()),
            deduct_when=lambda response: response.status_code == 404,
        )

    def reports(rates: Rates, bits: int) -> Limit:
        return Limit(
            written(rates),
            key_function=lambda: _network(bits),
            scope=lambda _endpoint: f"{_REPORT_ON_ONE.name} {(request.view_args or {})['target']}",
            shared=True,
            exempt_when=lambda: _endpoint() != "reporting.report" or (bits != _NETWORK_BITS and not _is_ipv6()),
        )

    return [
        Limit(
            lambda: written(allowance().each),
            key_function=_asker,
            scope=name,
            shared=True,
            exempt_when=lambda: _is_one_click() or _endpoint() in _URGENT,
        ),
        *map(of_block, _BLOCKS),
        Limit(
            lambda: written(allowance().together),
            key_function=lambda: "everybody",
            scope=name,
            shared=True,
            exempt_when=lambda: _endpoint() in _TAKEN,
            # Else one network, with forms that owe nobody a mail, could close the site to all others.
            deduct_when=lambda response: response.status_code < 400,
        ),
        guesses(_GUESS.each, _NETWORK_BITS),
        *(guesses(_GUESS.of_block(bits), bits) for bits in _BLOCKS),
        reports(_REPORT_ON_ONE.each, _NETWORK_BITS),
        *(reports(_REPORT_ON_ONE.of_block(bits), bits) for bits in _BLOCKS),
    ]


def _is_one_click() -> bool:
    """Whether a mail program leaves for its user with a genuine link: that works however often it is tried (RFC 8058).

    A link that is not ours is a guess, and our page's own form is sent by people.
    """
    return _endpoint() == "leaving.leave" and "scope" not in request.form and _link() is not None


def _is_looking_on() -> bool:
    """Whether a page that somebody has open at the desk asks for its moving part. However many pages they leave open,
    none of them is shut; and to count costs as much as to answer."""
    return _at_desk() is not None and glances.of_request() is not None


def _is_of_a_provider() -> bool:
    """Whether a mail provider posts, thousands of events after a campaign. Who does not know the secret in the address,
    of 128 bits, is refused at less cost than counting."""
    return request.endpoint == "hooks.take"


class _Note:
    """Says in the log that something is asked for too often: once a minute, since it comes thousandfold."""

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}

    def __call__(self, breached: RequestLimit) -> None:
        if _endpoint() in _THANKED:
            return
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
    return _link() or _at_desk() or _network()


def _link() -> str | None:
    """The subscription that a signed link in this request is for; None if there is none, or it is forged."""
    subscription = _signed().get(links.Link.UNSUBSCRIBE)
    return None if subscription is None else f"link-{subscription}"


def _may_be_a_guess() -> bool:
    """Whether somebody may have made up the link of this request. What we signed nobody did, whatever it is for; not to
    count it saves a third of what all the counting of a request costs."""
    return "token" in (request.view_args or {}) and not _signed()


def _signed() -> Mapping[links.Link, int]:
    """What a link in this request was signed for, and its number; looked at once a request."""
    if "signed_for" not in g:
        token = (request.view_args or {}).get("token", "")
        g.signed_for = links.purposes(site().settings.keyring, token)
    found: Mapping[links.Link, int] = g.signed_for
    return found


def _at_desk() -> str | None:
    """Somebody who is signed in at the desk, by their session: an office with many of them has one network."""
    who = visitor()
    if who is None:
        return None
    # Who signs in anew may not look for more people because of that.
    return f"account-{who.account_id}" if _endpoint() in _BY_ACCOUNT else f"desk-{who.session.id}"


def _network(bits: int = _NETWORK_BITS) -> str:
    """The visitor's network, as a keyed hash that changes each day: addresses are kept nowhere."""
    secret = site().settings.keyring.link_keys[0].secret
    network = f"{utcnow():%Y-%m-%d} {_prefix(request.remote_addr or '', bits)}"
    return hashlib.blake2b(network.encode(), key=secret, digest_size=12, person=b"network").hexdigest()


def _is_ipv6() -> bool:
    """Whether the visitor's network is one of many in a block."""
    return ":" in _prefix(request.remote_addr or "")


_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[^:]*):\d+")


def _prefix(address: str, bits: int = _NETWORK_BITS) -> str:
    """An address, or the block of IPv6 that it is in.

    All that is no address, as a proxy may write it, counts as one.

    :param bits: of an IPv6 address, those that count.
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
    rest = 128 - bits
    return str(ip_network((int(parsed) >> rest << rest, bits)))
