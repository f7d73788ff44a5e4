"""A campaign is written as files and copied from the command line."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store.models import AuditEntry
from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_list


def test_a_campaign_is_exported_loaded_again_and_copied(cli: CommandLine, session: Session, tmp_path: Path) -> None:
    make_campaign(session, make_list(session))
    session.commit()
    assert "Written to" in cli("campaigns", "export", "free-the-five", "-o", str(tmp_path)).stdout
    assert "loaded as a draft" in cli("campaigns", "load", str(tmp_path / "free-the-five")).stdout
    assert "is not empty" in cli("campaigns", "export", "free-the-five", "-o", str(tmp_path), exit_code=1).stderr
    assert "is a draft, in en" in cli("campaigns", "copy", "free-the-five", "free-them-again").stdout
    assert "already" in cli("campaigns", "copy", "free-the-five", "free-them-again", exit_code=1).stderr
    copied = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaigns.copy")).one()
    assert copied.subject == "free-them-again"
