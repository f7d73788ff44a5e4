"""The book of targets: which of them a campaign may have people write to, and how long ago somebody made sure of it."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.target_book import UnknownTarget
from mailer.cases.targets import Target
from mailer.store import db, scope
from mailer.store.models import TargetRole
from tests.support.days import is_today
from tests.support.factories import make_case, make_union

COMPANY, EMBASSY, REPRESENTATIVE = TargetRole.COMPANY, TargetRole.EMBASSY, TargetRole.REPRESENTATIVE


def put(session: Session, slug: str, role: TargetRole, *, case: str | None = None, about: str | None = None) -> Target:
    target = Target((), slug, f"{slug}@example.org", "", slug=slug, role=role, case=case, about=about)
    target_book.put(session, target)
    return target


def test_a_campaign_has_the_targets_of_its_case_and_of_its_country_and_no_others(session: Session) -> None:
    case, other = make_case(session), make_case(session, "omar")
    put(session, "brazils", EMBASSY, about="BR")
    put(session, "frances", EMBASSY, about="FR")
    put(session, "leilas-company", COMPANY, case="leila")
    put(session, "omars-company", COMPANY, case="omar")
    put(session, "your-member-of-parliament", REPRESENTATIVE)
    everything = list(TargetRole)

    def served(case: object, about: str | None, roles: list[TargetRole] = everything) -> list[str]:
        found = target_book.serving(session, roles, about=about, case=case)  # type: ignore[arg-type]  # rows or None
        return sorted(target.slug for target in found.of_roles(roles, "DE"))

    session.expire_all()
    assert served(case, "BR") == ["brazils", "leilas-company", "your-member-of-parliament"]
    assert served(other, "BR", [COMPANY]) == ["omars-company"]
    assert served(None, "FR") == ["frances", "your-member-of-parliament"]
    assert served(None, "none") == served(None, None) == ["your-member-of-parliament"]


def test_who_made_sure_of_a_target_is_kept_with_the_day(session: Session) -> None:
    known = put(session, "berlin", EMBASSY, about="BR")
    today = db.now(session).date()
    assert target_book.is_stale(known, today)
    target_book.verify(session, "berlin", "Ana")
    session.flush()
    session.expire_all()
    verified = target_book.get(session, "berlin")
    assert verified.verified_by == "Ana"
    assert verified.verified_on is not None and is_today(verified.verified_on)
    assert (verified.email, verified.name) == (known.email, known.name)
    last = verified.verified_on + timedelta(days=target_book.GOOD_FOR)
    assert not target_book.is_stale(verified, last)
    assert target_book.is_stale(verified, last + timedelta(days=1))
    with pytest.raises(UnknownTarget):
        target_book.verify(session, "bonn", "Ana")


def test_a_session_of_a_union_sees_no_target_and_changes_none(session: Session) -> None:
    put(session, "berlin", EMBASSY, about="BR")
    union_id = make_union(session, "bakers").id
    session.commit()
    session.expunge_all()
    scope.limit(session, union_id)
    assert target_book.all_targets(session) == []
    with pytest.raises(scope.ForOrganisers):
        target_book.verify(session, "berlin", "Ana")
    with pytest.raises(scope.ForOrganisers):
        put(session, "bonn", EMBASSY, about="BR")
