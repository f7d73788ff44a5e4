"""The book of targets: finding one, writing one down, and how long ago somebody made sure of it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import String, cast, func, or_, select
from sqlalchemy.orm import Session, joinedload

from mailer.cases import cases
from mailer.cases.never import Never
from mailer.cases.targets import Target, Targets
from mailer.errors import MailerError
from mailer.store import db, scope, slugs
from mailer.store.db import add_unique
from mailer.store.models import Case, StoredTarget, TargetRole

#: for how many days it is enough to have made sure of a target
GOOD_FOR = 180
#: from how many networks it takes to make a target doubtful
DOUBTED_BY = 3
_LOCK = 0x7A26E7  # any number that nothing else in the database locks

#: whose targets speak for a country, so that they are no one's who addresses another
_OF_A_COUNTRY = frozenset({TargetRole.AUTHORITY, TargetRole.EMBASSY, TargetRole.COMPANY})
#: what stands beside `details`, or is put together when it is read
_COLUMNS = frozenset(
    ["slug", "role", "case", "about", "countries", "groups", "languages", "own_words", "verified_on", "doubts"]
)


class UnknownTarget(MailerError):
    """There is no target "{slug}". See all targets with `mailer targets list`."""


class WrittenElsewhere(MailerError):
    """Somebody else has just written down a target "{slug}" for the first time. Check that it is the same one, and try
    again."""


class InvalidTarget(MailerError):
    """{problem}"""


def find(session: Session, slug: str) -> Target | None:
    """The target of that slug, if there is one."""
    row = _row(session, slug)
    return _read(row) if row else None


def get(session: Session, slug: str) -> Target:
    """The target of that slug.

    :raises UnknownTarget: there is none.
    """
    target = find(session, slug)
    if target is None:
        raise UnknownTarget(slug=slug)
    return target


def all_targets(session: Session) -> list[Target]:
    """Every target, by slug."""
    rows = session.scalars(select(StoredTarget).options(joinedload(StoredTarget.case)).order_by(StoredTarget.slug))
    return [_read(row) for row in rows]


def doubtful(session: Session) -> list[str]:
    """The slugs of all targets that are doubtful. Nothing is decrypted for it."""
    reported = func.length(cast(StoredTarget.doubts, String)) > len("[]")
    rows = session.execute(select(StoredTarget.slug, StoredTarget.doubts).where(reported).order_by(StoredTarget.slug))
    return [slug for slug, doubts in rows if len(doubts) >= DOUBTED_BY]


def serving(
    session: Session, roles: Collection[str], *, about: str | None, case: Case | None, slug: str | None = None
) -> Targets:
    """Those with certain roles that a campaign may have people write to.

    :param about: the country whose authorities it addresses.
    :param case: what it asks people to act on.
    :param slug: of the only one that is wanted.
    """
    suits = or_(StoredTarget.case_id.is_(None), StoredTarget.case_id == (case.id if case else None))
    speaks = or_(StoredTarget.case_id.is_not(None), StoredTarget.about.is_(None), StoredTarget.about == about)
    rows = select(StoredTarget).where(StoredTarget.role.in_(roles), suits, speaks).order_by(StoredTarget.slug)
    rows = rows if slug is None else rows.where(StoredTarget.slug == slug)
    return Targets(map(_read, session.scalars(rows.options(joinedload(StoredTarget.case)))))


def put(session: Session, target: Target) -> None:
    """Write a target down, in place of what was known of it. If it was verified since, nothing reported before counts.

    :raises slugs.InvalidSlug: its slug is none.
    :raises cases.UnknownCase: its case is not there.
    :raises InvalidTarget: it has no role or name, its role needs a case or a country, or its words say what must not
        appear.
    :raises WrittenElsewhere: it was made at the same moment.
    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    db.lock(session, _LOCK)
    case = cases.get(session, target.case) if target.case else None
    _check(target, case)
    values: dict[str, Any] = {
        "role": target.role,
        "case": case,
        "about": target.about,
        "countries": [*target.countries, *target.groups],
        "languages": list(target.languages),
        "details": {key: value for key, value in target.to_json().items() if key not in _COLUMNS},
        "own_words": target.own_words,
        "verified_on": target.verified_on,
    }
    if _row(session, target.slug) is None:
        if not add_unique(session, StoredTarget(slug=slugs.check(target.slug), **values)):
            raise WrittenElsewhere(slug=target.slug)
        return
    row = hold(session, target.slug)
    if target.verified_on and (row.verified_on is None or target.verified_on > row.verified_on):
        row.doubts = []
    for key, value in values.items():
        setattr(row, key, value)
    session.flush()


def verify(session: Session, slug: str, by: str) -> None:
    """Keep that somebody made sure today of all that is known of a target. Nothing reported before counts any more.

    :param by: who, in an organiser's words.
    :raises UnknownTarget: there is none.
    :raises scope.ForOrganisers: the session is a union's.
    """
    scope.refuse(session)
    row = hold(session, slug)
    row.verified_on = db.now(session).date()
    row.details = {**row.details, "verified_by": by}
    row.doubts = []


def hold(session: Session, slug: str) -> StoredTarget:
    """The row of a target, as it is now; nobody changes it until the transaction ends.

    :raises UnknownTarget: there is none.
    """
    rows = select(StoredTarget).where(StoredTarget.slug == slug).with_for_update()
    row = session.scalar(rows.execution_options(populate_existing=True))
    if row is None:
        raise UnknownTarget(slug=slug)
    return row


def hold_all(session: Session) -> None:
    """Have nobody write down another target, or change one, until the transaction ends. That somebody made sure of one,
    or reports that it is wrong, does not wait."""
    db.lock(session, _LOCK, shared=True)


def days_since(target: Target, today: date) -> int | None:
    """How many days ago somebody made sure of a target; None if nobody ever did."""
    return (today - target.verified_on).days if target.verified_on else None


def is_stale(target: Target, today: date, days: int = GOOD_FOR) -> bool:
    """Whether nobody has made sure of a target for more than so many days."""
    since = days_since(target, today)
    return since is None or since > days


def is_doubtful(target: Target) -> bool:
    """Whether so many people reported that what is known of a target is not right that somebody should make sure."""
    return target.doubts >= DOUBTED_BY


def rivals(everything: Sequence[Target]) -> Iterator[tuple[Target, Target]]:
    """Embassies of one country, or for one case, that are for the same people, who are asked to write to both."""
    first: dict[tuple[str | None, str | None, str], Target] = {}
    told: set[tuple[str, str]] = set()
    for target in everything:
        if target.role is not TargetRole.EMBASSY:
            continue
        for place in (*target.countries, *target.groups) or ("",):
            other = first.setdefault((target.case, target.about, place), target)
            if other is not target and (pair := (other.slug, target.slug)) not in told:
                told.add(pair)
                yield other, target


def _row(session: Session, slug: str) -> StoredTarget | None:
    return session.scalar(select(StoredTarget).where(StoredTarget.slug == slug))


def _read(row: StoredTarget) -> Target:
    beside = {
        "slug": row.slug,
        "role": row.role,
        "case": row.case.slug if row.case else None,
        "about": row.about,
        "countries": [code for code in row.countries if not code.startswith("@")],
        "groups": [code for code in row.countries if code.startswith("@")],
        "languages": row.languages,
        "own_words": row.own_words,
        "doubts": len(row.doubts),
    }
    return replace(Target.from_json(row.details | beside), verified_on=row.verified_on)


def _check(target: Target, case: Case | None) -> None:
    if target.role is None or not target.name:
        raise InvalidTarget(problem=f"a target needs a {'name' if target.role else 'role'}")
    if (target.phone_hours or target.phone_zone) and not target.phone:
        raise InvalidTarget(problem="there are hours or a time zone, but no phone: give the number")
    if target.phone_hours and not target.phone_zone:
        raise InvalidTarget(problem="hours mean nothing elsewhere without phone_zone, such as Europe/London")
    if target.role is TargetRole.PRISONER and case is None:
        raise InvalidTarget(problem="a prisoner is written to in one case: give the slug of it as case")
    if case and target.about:
        raise InvalidTarget(problem=f"the case is about {case.country} already: leave about out")
    if target.role in _OF_A_COUNTRY and not (case or target.about):
        whose = "the country whose it is as about, such as BR, or a case"
        raise InvalidTarget(problem=f"a target of role {target.role} is one in some campaigns only: give {whose}")
    if case and Never(case.never).holds(*target.words):
        raise InvalidTarget(problem=f"a word stands in it that must not appear in the case {case.slug}: take it out")
