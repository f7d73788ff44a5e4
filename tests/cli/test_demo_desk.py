"""The desk in the demo: whoever looks around is told how two people come in, and finds something that they can send."""

import os
import re
from io import StringIO
from pathlib import Path

import click
import pytest
from rich.console import Console
from sqlalchemy import Engine

from mailer.campaigns import lifecycle, readiness
from mailer.cli import demo, demo_desk, main
from mailer.cli.installation import Installation
from mailer.organisers import invitations
from mailer.organisers.roles import MAY, Permission
from mailer.store.db import session_scope, utcnow
from mailer.store.models import CampaignStatus, Role
from mailer.trial import sample


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_two_people_come_in_by_links_and_can_send_an_alert_together(
    environment: dict[str, str], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", environment)
    with click.Context(demo.demo, click.Context(main), "demo"):
        demo._prepare(Installation(), tmp_path, 60, Console(file=StringIO()))
        told = "\n".join(demo_desk.prepare(Installation(), tmp_path))
    tokens = re.findall(r"/desk/invitation/(\S+)", told)
    with session_scope(engine, read_only=True) as session:
        alert = lifecycle.get(session, f"{sample.CAMPAIGN_DIR.name}-again")
        assert alert.status is CampaignStatus.DRAFT
        readiness.require(session, alert, is_held=False)
        invited = [invitations.look(session, token, at=utcnow()).account for token in tokens]
        roles: list[set[Role]] = [{each.role for each in account.roles} for account in invited]
    asks, sends = ({permission for role in of_one for permission in MAY[role]} for of_one in roles)
    assert Permission.ASK_APPROVAL in asks and Permission.APPROVE not in asks
    assert {Permission.APPROVE, Permission.SEND} <= sends
    assert alert.slug in told and all(account.email in told for account in invited)
