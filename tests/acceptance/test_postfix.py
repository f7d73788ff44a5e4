"""Campaigns through a real relay: Debian's Postfix. Run by `make test-servers`."""

import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.delivery import control, sending
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server, SmtpUnavailable
from mailer.reports import progress
from mailer.store.models import Campaign, CampaignStatus, DeliveryState
from tests.support.certificates import Certificates, make_certificates
from tests.support.debian import program
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber
from tests.support.postfix import GONE, Postfix, running_postfix

pytestmark = pytest.mark.servers

PEOPLE = 150


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """One that Postfix, which is not root for long, may look into."""
    folder = Path(tempfile.mkdtemp(prefix="postfix-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def certificates(directory: Path) -> Certificates:
    return make_certificates(directory)


@pytest.fixture(scope="module")
def executable() -> str:
    if os.geteuid() != 0:
        pytest.skip("only root can start Postfix")
    return program("postfix", package="postfix")


@pytest.fixture
def relay(executable: str, directory: Path, certificates: Certificates) -> Iterator[Postfix]:
    own = Path(tempfile.mkdtemp(dir=directory))
    own.chmod(0o755)
    with running_postfix(executable, own, certificates) as postfix:
        yield postfix


@contextmanager
def wire_to(relay: Postfix, certificates: Certificates | None) -> Iterator[Pipeline]:
    context = ssl.create_default_context(cafile=certificates.authority if certificates else None)
    with closing(Pipeline(Server("127.0.0.1", relay.port, "starttls"), context=context)) as wire:
        yield wire


def worker(folder: Path) -> Worker:
    return Worker(name="test", lease=timedelta(seconds=30), journals=folder, sender=SENDER)


def start(session: Session, *hosts: str) -> Campaign:
    """A campaign under way, to `PEOPLE` people spread over some hosts."""
    mailing_list = make_list(session)
    for number in range(PEOPLE):
        make_subscriber(session, mailing_list, email=f"person{number}@{hosts[number % len(hosts)]}")
    campaign = make_campaign(session, mailing_list)
    control.start(session, campaign, SENDER)
    session.commit()
    return campaign


def test_everyone_gets_a_campaign_once_over_starttls(
    relay: Postfix, certificates: Certificates, engine: Engine, session: Session, tmp_path: Path
) -> None:
    campaign = start(session, "example.org")
    with wire_to(relay, certificates) as wire:
        assert not sending.drain(engine, campaign.id, wire, worker(tmp_path))
    session.refresh(campaign)
    assert campaign.status is CampaignStatus.SENT
    assert progress.of_campaign(session, campaign).states[DeliveryState.SENT] == PEOPLE
    delivered = relay.wait_for(PEOPLE)
    assert sorted(mail["Delivered-To"] for mail in delivered) == sorted(
        f"person{number}@example.org" for number in range(PEOPLE)
    )
    assert len({mail["Message-ID"] for mail in delivered}) == PEOPLE
    assert all("TLSv1" in mail["Received"] for mail in delivered)


def test_a_bounce_names_the_delivery_and_sends_no_body_back(
    relay: Postfix, certificates: Certificates, engine: Engine, session: Session, tmp_path: Path
) -> None:
    campaign = start(session, GONE)
    with wire_to(relay, certificates) as wire:
        sending.drain(engine, campaign.id, wire, worker(tmp_path))
    bounces = relay.wait_for(PEOPLE)
    for bounce in bounces:
        status, returned = list(bounce.walk())[2], list(bounce.walk())[-1]
        assert status.get_content_type() == "message/delivery-status"
        assert returned.get_content_type() == "text/rfc822-headers"  # RET=HDRS
        message_id = str(returned.get_payload()).partition("Message-ID: <")[2].partition(">")[0]
        fields = status.as_string()
        assert f"Original-Envelope-Id: {message_id}\n" in fields  # ENVID
        assert "Status: 5.1.1\n" in fields
    assert {bounce["To"] for bounce in bounces} == {"alerts@example.org"}


def test_a_relay_whose_certificate_nobody_vouches_for_gets_nothing(
    relay: Postfix, engine: Engine, session: Session, tmp_path: Path
) -> None:
    campaign = start(session, "example.org")
    with wire_to(relay, None) as wire, pytest.raises(SmtpUnavailable, match="certificate"):
        sending.drain(engine, campaign.id, wire, worker(tmp_path))
    assert progress.of_campaign(session, campaign).states[DeliveryState.PENDING] == PEOPLE
    assert relay.mailbox() == []


def test_who_a_relay_refuses_fails_and_the_others_get_their_mail(
    executable: str, directory: Path, certificates: Certificates, engine: Engine, session: Session, tmp_path: Path
) -> None:
    own = Path(tempfile.mkdtemp(dir=directory))
    own.chmod(0o755)
    campaign = start(session, "example.org", "refused.example.org")
    refusal = (
        "check_recipient_access inline:{ {refused.example.org = 550 5.7.1 not from you} }, permit_mynetworks, reject"
    )
    with running_postfix(
        executable, own, certificates, smtpd_relay_restrictions="permit_mynetworks, reject",
        smtpd_recipient_restrictions=refusal,
    ) as relay:  # fmt: skip
        with wire_to(relay, certificates) as wire:
            sending.drain(engine, campaign.id, wire, worker(tmp_path))
        delivered = relay.wait_for(progress.of_campaign(session, campaign).states[DeliveryState.SENT])
    states = progress.of_campaign(session, campaign).states
    assert states[DeliveryState.SENT] == len(delivered)
    assert states[DeliveryState.FAILED] > 0
    assert states[DeliveryState.UNKNOWN] == 0
