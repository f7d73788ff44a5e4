"""What cannot be taken back is asked for once, where somebody sits at a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.store.models import Campaign, CampaignStatus, DeliveryState
from tests.conftest import CommandLine
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber

SLUG = "free-the-five"

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft to two people, committed."""
    news = make_list(session)
    campaign = make_campaign(session, news)
    for address in ("ana@example.org", "ben@example.org"):
        make_subscriber(session, news, email=address)
    session.commit()
    return campaign


def at_a_terminal(cli: CommandLine, *arguments: str, answer: str = "") -> tuple[int, str]:
    """Run a command in a terminal of its own, where an answer is typed; returns its exit code and what was shown."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, answer.encode())
    command = subprocess.Popen(
        [Path(sys.executable).with_name("mailer"), *arguments],
        env=os.environ | cli.environment | {"TERM": "dumb"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while read := os.read(keyboard, 4096):
            shown += read
    except OSError:  # the command has ended
        pass
    os.close(keyboard)
    return command.wait(), shown.decode().replace("\r\n", "\n")


def status_of(session: Session, campaign: Campaign) -> CampaignStatus:
    session.refresh(campaign)
    session.commit()  # it would keep the commands waiting
    return campaign.status


def test_a_campaign_is_sent_after_a_yes_to_its_figures(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    exit_code, shown = at_a_terminal(cli, "campaigns", "send", SLUG, answer="n\n")
    assert f'Campaign "{SLUG}" goes to 2 people, in 1 language. Send it now? [y/N]' in shown
    assert "mailer: Nothing was done." in shown
    assert (exit_code, status_of(session, campaign)) == (1, CampaignStatus.DRAFT)
    exit_code, shown = at_a_terminal(cli, "campaigns", "send", SLUG, "--at", "2035-01-01T09:00Z", answer="y\n")
    assert "Schedule it for 2035-01-01 09:00 UTC? [y/N]" in shown
    assert (exit_code, status_of(session, campaign)) == (0, CampaignStatus.SCHEDULED)
    exit_code, shown = at_a_terminal(cli, "campaigns", "send", SLUG, "--yes")
    assert "[y/N]" not in shown
    assert (exit_code, status_of(session, campaign)) == (0, CampaignStatus.SENDING)


def test_nobody_is_asked_about_what_is_refused(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    campaign.status = CampaignStatus.CANCELLED
    session.commit()
    for command in ("send", "cancel"):
        exit_code, shown = at_a_terminal(cli, "campaigns", command, SLUG)
        assert exit_code == 1
        assert "[y/N]" not in shown


def test_a_campaign_is_cancelled_after_a_yes(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    _, shown = at_a_terminal(cli, "campaigns", "cancel", SLUG, answer="n\n")
    assert "Nothing of it has been sent." in shown
    cli("campaigns", "send", SLUG)
    exit_code, shown = at_a_terminal(cli, "campaigns", "cancel", SLUG, answer="n\n")
    assert f'0 of 2 mails are sent; 2 would be skipped. Cancel campaign "{SLUG}" for good? [y/N]' in shown
    assert (exit_code, status_of(session, campaign)) == (1, CampaignStatus.SENDING)
    assert at_a_terminal(cli, "campaigns", "cancel", SLUG, answer="y\n")[0] == 0
    assert status_of(session, campaign) is CampaignStatus.CANCELLED


def test_a_person_is_erased_after_a_yes(cli: CommandLine, campaign: Campaign) -> None:
    exit_code, shown = at_a_terminal(cli, "subscribers", "erase", "Ana@example.org", answer="n\n")
    assert "This person is on 1 list. Erase Ana@example.org for good? [y/N]" in shown
    assert exit_code == 1
    _, shown = at_a_terminal(cli, "subscribers", "erase", "anna@example.org", answer="n\n")
    assert "We know nobody by that address." in shown
    assert at_a_terminal(cli, "subscribers", "erase", "ana@example.org", answer="y\n")[0] == 0
    _, shown = at_a_terminal(cli, "subscribers", "erase", "ana@example.org", answer="n\n")
    assert "We know nobody by that address." in shown


def test_mails_are_sent_again_after_a_yes(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    deliver(session, campaign, make_subscriber(session), DeliveryState.UNKNOWN)
    campaign.status = CampaignStatus.SENT
    session.commit()
    exit_code, shown = at_a_terminal(cli, "campaigns", "resend", SLUG, "--state", "unknown", answer="n\n")
    assert "1 mail is unknown. Send again? [y/N]" in shown
    assert (exit_code, status_of(session, campaign)) == (1, CampaignStatus.SENT)


def test_a_draft_and_an_empty_list_are_deleted_after_a_yes(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    exit_code, shown = at_a_terminal(cli, "campaigns", "delete", SLUG, answer="n\n")
    assert f'Campaign "{SLUG}", in 1 language, was never started. Delete it for good? Its files stay. [y/N]' in shown
    assert (exit_code, status_of(session, campaign)) == (1, CampaignStatus.DRAFT)
    campaign.status = CampaignStatus.SCHEDULED
    make_list(session, "empty", name="Nobody's")
    session.commit()
    exit_code, shown = at_a_terminal(cli, "campaigns", "delete", SLUG)
    assert (exit_code, "[y/N]" in shown) == (1, False)
    exit_code, shown = at_a_terminal(cli, "lists", "delete", "urgent-actions")
    assert (exit_code, "[y/N]" in shown) == (1, False)
    exit_code, shown = at_a_terminal(cli, "lists", "delete", "empty", answer="y\n")
    assert (exit_code, 'Nobody is on the list empty, "Nobody\'s". Delete it for good? [y/N]' in shown) == (0, True)
