"""A case is stopped while workers send to ten thousand people at full speed."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Engine, select

from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.store.db import session_scope
from mailer.store.models import Campaign
from tests.acceptance.account import require_exact
from tests.acceptance.own_valkey import OwnValkey
from tests.acceptance.system import System
from tests.support.factories import make_case
from tests.support.waiting import wait_until

PEOPLE = 10_000
WHY = ("--why", "Letters now put her in danger.")


@pytest.fixture
def about_a_case(campaign: Callable[[int], str], engine: Engine) -> str:
    """A campaign about the case "port-arrest", to ten thousand people; its slug."""
    slug = campaign(PEOPLE)
    with session_scope(engine) as session:
        case = make_case(session, "port-arrest")
        cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
        session.scalars(select(Campaign).where(Campaign.slug == slug)).one().case = case
    return slug


@pytest.mark.parametrize("redis", ["there", "gone"])
def test_once_a_case_is_stopped_nothing_more_goes_out_until_somebody_resumes(
    system: System, about_a_case: str, own_valkey: OwnValkey, redis: str
) -> None:
    slug = about_a_case
    system.environment["MAILER_REDIS_URL"] = own_valkey.url
    for _ in range(2):
        system.start_worker()
    system.mailer("campaigns", "send", slug)
    system.server.wait_for(1_000)
    if redis == "gone":
        own_valkey.kill()
    system.mailer("cases", "stop", "port-arrest", *WHY)
    found = system.status(slug)
    assert (found["status"], found["asking"]) == ("paused", "stopped")

    wait_until(lambda: system.status(slug)["states"]["sending"] == 0)
    sent = len(system.server.received)
    assert 1_000 <= sent < PEOPLE
    assert system.states(slug) == {"sent": sent, "pending": PEOPLE - sent}
    if redis == "gone":
        own_valkey.start()
    system.mailer("campaigns", "resume", slug, exit_code=1)
    system.mailer("cases", "reopen", "port-arrest")
    assert system.status(slug)["status"] == "paused"
    assert len(system.server.received) == sent

    system.mailer("campaigns", "resume", slug)
    system.wait_until_sent(slug)
    require_exact(system, slug, unknown_at_most=0)
