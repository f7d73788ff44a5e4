"""Attempts to sign in: how often somebody may fail.

Each is written down as a failure before it is looked at, and taken out again when it was none: so it makes no
difference how many come at once. What is written down is who was tried and from where, as keyed hashes, for a day.

Three limits hold against strangers: for an account from one network, for an account from all of them, and for a network
whatever it tries. Each lets a few through, then one after a wait that grows, to a quarter of an hour at most: nobody is
ever locked out. In a browser in which somebody has signed in before, only what failed in that browser counts, so that
whoever keeps trying elsewhere does not keep the owner out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from mailer.store import db
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import SignInFailure

KEPT = timedelta(days=1)
#: the longest that anybody waits
LONGEST_WAIT = timedelta(minutes=15)
_LOCK = 0x516E  # any number that nothing else in the database locks


@dataclass(frozen=True, slots=True)
class Limit:
    """How many may fail within a day, and how long it is to the next one then."""

    free: int
    first_wait: timedelta

    def wait(self, failed: int) -> timedelta:
        """How long it has to be since the last one, after so many."""
        if failed < self.free:
            return timedelta(0)
        doubled = 1 << min(failed - self.free, 20)
        return min(self.first_wait * doubled, LONGEST_WAIT)


#: for an account from one network, or in a browser that is known
FROM_ONE_PLACE = Limit(free=5, first_wait=timedelta(seconds=30))
#: for an account from all networks together. One alone does not reach it within a day: it would keep out all others.
FROM_EVERYWHERE = Limit(free=150, first_wait=timedelta(seconds=30))
#: for a network, whatever it tries: an office, or the exit of a network that hides where people are, has many people
OF_A_NETWORK = Limit(free=50, first_wait=timedelta(seconds=15))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that is looked at now. It counts as a failure until it is said to be none."""

    failure: SignInFailure


@dataclass(frozen=True, slots=True)
class TooMany:
    """One that is not looked at."""

    wait: timedelta  # until the next one would be


def begin(
    session: Session,
    tried: str,
    *,
    network: str,
    browser_id: int | None = None,
    is_inside: bool = False,
    at: datetime,
) -> Attempt | TooMany:
    """Write an attempt down, if it may be made. To be committed before it is looked at.

    :param tried: the folded address, whether or not it is anybody's.
    :param network: from where, as the same network is always written.
    :param browser_id: of the browser that is known as one of that account's owner.
    :param is_inside: whether the network is a place that no stranger can be at, such as a session: what fails elsewhere
        does not count there.
    """
    keyring = keyring_of(session)
    account_hash = keyring.account_digest("tried", tried)
    network_hash = keyring.account_digest("network", network)
    db.lock(session, _LOCK)  # others would count the same failures
    of_account, of_network = SignInFailure.account_hash == account_hash, SignInFailure.network_hash == network_hash
    strange = SignInFailure.browser_id.is_(None)
    if browser_id is not None:
        waits = [_wait(session, FROM_ONE_PLACE, at, of_account, SignInFailure.browser_id == browser_id)]
    elif is_inside:
        waits = [_wait(session, FROM_ONE_PLACE, at, of_account, of_network, strange)]
    else:
        waits = [
            _wait(session, FROM_ONE_PLACE, at, of_account, of_network, strange),
            _wait(session, FROM_EVERYWHERE, at, of_account, strange),
            _wait(session, OF_A_NETWORK, at, of_network, strange),
        ]
    if any(waits):
        return TooMany(max(waits))
    failure = SignInFailure(account_hash=account_hash, network_hash=network_hash, browser_id=browser_id, at=at)
    session.add(failure)
    session.flush()
    return Attempt(failure)


def _wait(session: Session, limit: Limit, at: datetime, *which: ColumnElement[bool]) -> timedelta:
    counted = select(func.count(), func.max(SignInFailure.at)).where(*which, SignInFailure.at > at - KEPT)
    failed, last = session.execute(counted).one()
    return max(last + limit.wait(failed) - at, timedelta(0)) if last is not None else timedelta(0)


def succeed(session: Session, attempt: Attempt) -> None:
    """Say that an attempt was no failure, nor what its maker mistyped before it at the same place."""
    failure = attempt.failure
    place = (
        SignInFailure.browser_id == failure.browser_id
        if failure.browser_id is not None
        else (SignInFailure.network_hash == failure.network_hash) & SignInFailure.browser_id.is_(None)
    )
    session.execute(delete(SignInFailure).where(SignInFailure.account_hash == failure.account_hash, place))


def forget_old(session: Session) -> None:
    """Delete those that are a day old."""
    session.execute(delete(SignInFailure).where(SignInFailure.at <= utcnow() - KEPT))
