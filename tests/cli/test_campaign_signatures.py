"""An organiser with a terminal hides a name, and writes what is handed over with a petition to files."""

import csv
import json
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store.models import ActKind, AuditEntry, Campaign, CampaignStatus, Signature
from tests.conftest import CommandLine
from tests.support.factories import make_act, make_campaign, make_list, make_signature, make_subscriber
from tests.support.kit_reading import pdf_text


@pytest.fixture(autouse=True)
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.about, campaign.petition, campaign.public = "DK", {"to": {"en": "the Embassy"}}, True
    for name in ("=1+1", "Ana", "王芳"):
        make_signature(session, campaign, make_subscriber(session, country="GB"), name=name, place="Porto")
    make_signature(session, campaign, make_subscriber(session, country="GB"), name="On the page", is_handed_over=False)
    for _ in range(20):
        make_act(session, campaign, make_subscriber(session, country="FR"), ActKind.SIGNED)
    session.commit()
    return campaign


def actions(session: Session) -> list[tuple[str, str | None]]:
    session.rollback()
    return [(each.action, each.subject) for each in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def test_the_hand_over_is_written_as_pages_and_as_a_table_and_the_log_says_so(
    cli: CommandLine, session: Session, tmp_path: Path
) -> None:
    done = cli("campaigns", "signatures", "export", "free-the-five", "-o", tmp_path / "out")
    pdf, table = (tmp_path / "out" / f"free-the-five-petition.{ending}" for ending in ("pdf", "csv"))
    assert done.stdout.splitlines() == [str(pdf), str(table)]
    assert "3 names in them" in done.stderr
    assert {file.stat().st_mode & 0o777 for file in (pdf, table)} == {0o600}
    said = " ".join(pdf_text(pdf.read_bytes()).split())
    for words in ("Free the five", "the Embassy", "People who signed: 24", "Ana", "stand in the table: 1"):
        assert words in said
    assert "On the page" not in said
    with table.open(encoding="utf-8", newline="") as stream:
        rows = [(row["what"], row["name"], row["number"]) for row in csv.DictReader(stream)]
    assert ("signed", "Free the five", "24") in rows
    assert ("country", "France", "under 10") in rows  # with the total, it would tell how many are in the other
    assert [name for what, name, _ in rows if what == "name"] == ["'=1+1", "Ana", "王芳"]
    assert actions(session) == [("campaigns.signatures.export", "free-the-five")]


def test_names_are_listed_with_codes_and_hidden_by_them(cli: CommandLine, session: Session) -> None:
    listed = [
        json.loads(line)
        for line in cli("campaigns", "signatures", "list", "free-the-five", "--json").stdout.splitlines()
    ]
    assert {each["name"] for each in listed} == {"=1+1", "Ana", "王芳", "On the page"}
    code = next(each["code"] for each in listed if each["name"] == "Ana")
    assert code in cli("campaigns", "signatures", "list", "free-the-five").stdout
    assert "1 name is hidden" in cli("campaigns", "signatures", "hide", "free-the-five", code).stdout
    session.rollback()
    assert [each.name for each in session.scalars(select(Signature).where(Signature.is_hidden))] == ["Ana"]
    session.rollback()
    cli("campaigns", "signatures", "hide", "free-the-five", code, "--undo")
    session.rollback()
    assert session.scalars(select(Signature).where(Signature.is_hidden)).all() == []
    assert actions(session) == [("campaigns.signatures.hide", "free-the-five")] * 2


def test_what_cannot_be_done_says_what_to_do(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    refused = cli("campaigns", "signatures", "hide", "free-the-five", "zzz", exit_code=1)
    assert "mailer campaigns signatures list free-the-five" in refused.stderr
    campaign.petition = None
    session.commit()
    assert "[petition]" in cli("campaigns", "signatures", "list", "free-the-five", exit_code=1).stderr
