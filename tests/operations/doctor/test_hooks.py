"""What keeps webhooks from being heard is found, and when each provider was heard last is said."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.operations.doctor import hooks
from mailer.operations.doctor.rounds import Seen
from mailer.settings import Settings
from mailer.store.models import DeliveryState
from tests.support.factories import deliver, make_bounce, make_campaign, make_list, make_subscriber
from tests.support.webhooks import TOPIC

BOUNCE = "bounce+{token}@example.org"


@pytest.fixture
def look(settings: Callable[..., Settings], engine: Engine, tmp_path: Path) -> Callable[..., Seen]:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef" * 2)
    secret.chmod(0o600)

    def look(bounce: str | None = BOUNCE, **variables: str) -> Seen:
        given = {"MAILER_HOOKS_SECRET_FILE": str(secret), "MAILER_HOOKS_SES_TOPICS": TOPIC} | variables
        return hooks.look(settings(**given).hooks, engine, bounce_address=bounce)

    return look


def test_the_last_event_of_each_provider_is_said(look: Callable[..., Seen], session: Session, tmp_path: Path) -> None:
    assert look() == Seen("last event that was kept: ses: none in 90 days")
    mailing_list = make_list(session)
    ana = make_subscriber(session, mailing_list)
    for day in (date(2026, 11, 28), date(2026, 11, 29)):
        delivery = deliver(session, make_campaign(session, mailing_list, slug=f"c-{day}"), ana, DeliveryState.SENT)
        make_bounce(session, delivery, source="ses", day=day)
    session.commit()
    (tmp_path / "brevo").write_text("a-bearer-token-of-ours")
    (tmp_path / "brevo").chmod(0o600)
    seen = look(MAILER_HOOKS_BREVO_FILE=str(tmp_path / "brevo"))
    assert seen == Seen("last event that was kept: ses 2026-11-29, brevo: none in 90 days")


def test_a_missing_secret_is_found(look: Callable[..., Seen], tmp_path: Path) -> None:
    seen = look(MAILER_HOOKS_SECRET_FILE=str(tmp_path / "gone"), MAILER_HOOKS_MAILGUN_FILE=str(tmp_path / "gone"))
    assert [(finding.code, finding.where) for finding in seen.findings] == [
        ("setting-wrong", "MAILER_HOOKS_SECRET_FILE"),
        ("setting-wrong", "MAILER_HOOKS_MAILGUN_FILE"),
    ]


@pytest.mark.parametrize("bounce", [None, "bounce@example.org"])
def test_an_envelope_sender_that_does_not_say_which_mail_it_is_is_found(
    look: Callable[..., Seen], bounce: str | None
) -> None:
    assert [finding.code for finding in look(bounce).findings] == ["hooks-unmatched"]
