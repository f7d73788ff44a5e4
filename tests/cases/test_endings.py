"""Endings: somebody hears in time that a fact has to be checked, or that a consent runs out."""

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.cases import cases, endings
from mailer.cases.dossier import Consent, ConsentBy
from mailer.cases.endings import Ending, What
from mailer.store.models import Case, CaseFact, CaseStatus, Certainty
from tests.support.factories import make_case

TODAY = date(2026, 11, 30)


def fact(case: Case, *, good_until: date) -> None:
    checked = {"checked_on": good_until - timedelta(days=30), "good_for": 30}
    case.facts.append(CaseFact(text="She is held.", source="her lawyer", certainty=Certainty.KNOWN, **checked))


@pytest.mark.parametrize(("days", "is_told"), [(-31, False), (-30, True), (-1, True), (0, True), (7, True), (8, False)])
def test_what_ends_within_a_week_or_has_ended_lately_is_told(session: Session, days: int, is_told: bool) -> None:
    case = make_case(session, "leila")
    last_day = TODAY + timedelta(days=days)
    fact(case, good_until=last_day)
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5), until=last_day))
    session.flush()
    told = [Ending("leila", What.CONSENT, last_day, 1), Ending("leila", What.FACTS, last_day, 1)]
    assert endings.soon(session, TODAY) == (told if is_told else [])


def test_the_day_is_the_last_one_on_which_people_may_be_asked_to_act(session: Session) -> None:
    case = make_case(session, "leila")
    fact(case, good_until=TODAY)
    session.flush()
    (ending,) = endings.soon(session, TODAY)
    assert not cases.is_stale(case.facts[0], ending.on)
    assert cases.is_stale(case.facts[0], ending.on + timedelta(days=1))


def test_several_facts_of_a_case_are_one_line_and_the_first_to_end_comes_first(session: Session) -> None:
    for slug, ends in (("a", (5, 6, 90)), ("b", (2,))):
        case = make_case(session, slug)
        for days in ends:
            fact(case, good_until=TODAY + timedelta(days=days))
    session.flush()
    assert endings.soon(session, TODAY) == [
        Ending("b", What.FACTS, TODAY + timedelta(days=2), 1),
        Ending("a", What.FACTS, TODAY + timedelta(days=5), 2),
    ]


@pytest.mark.parametrize("status", [CaseStatus.STOPPED, CaseStatus.CLOSED])
def test_of_what_nobody_is_asked_to_act_on_nothing_is_told(session: Session, status: CaseStatus) -> None:
    case = make_case(session, "leila")
    fact(case, good_until=TODAY)
    case.status = status
    session.flush()
    assert endings.soon(session, TODAY) == []
