"""`mailer kits`: made without workers, followed, saved as files."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from mailer import links
from mailer.delivery import control
from mailer.errors import MailerError
from mailer.kits import pages
from mailer.kits.editions import KitEditions
from mailer.links import Link
from mailer.people import suppression
from mailer.people.notices import NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, Kit, SuppressionReason, UnionStatus
from mailer.unions import directory
from tests.conftest import CommandLine
from tests.people.test_failed_notices import fail
from tests.support.factories import (
    SENDER,
    WHEN,
    add_text,
    make_campaign,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
)

SLUG = "free-the-five"
FILES = {
    "mail.eml",
    "mail.html",
    "mail.txt",
    "messenger-short.txt",
    "messenger-medium.txt",
    "leaflet.pdf",
    "picture.png",
}


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """One that goes out, to be forwarded in English and French by two unions."""
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    make_contact(session, make_union(session, status=UnionStatus.AFFILIATED))
    make_union(session, "miners", status=UnionStatus.AFFILIATED)
    campaign = make_campaign(session, mailing_list)
    campaign.forwardable = True
    add_text(session, campaign, "fr", "Bonjour.\n")
    control.start(session, campaign, SENDER)
    session.commit()
    return campaign


def status_of(cli: CommandLine) -> dict[str | None, dict[str, object]]:
    found = json.loads(cli("kits", "status", SLUG, "--json").stdout)
    return {standing["union"]: standing for standing in found}


def test_kits_are_made_without_a_worker_and_told_of(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    assert {union: standing["waiting"] for union, standing in status_of(cli).items()} == {
        None: 2, "dockers": 2, "miners": 2,
    }  # fmt: skip
    made = cli("kits", "make", SLUG)
    assert made.stdout == "6 editions of 3 kits are made.\n"
    assert "Workers will find it" in made.stderr  # there is no Redis to tell them of the notice
    assert len(notices_owed(session)) == 1
    session.rollback()
    standing = status_of(cli)
    assert all((kit["made"], kit["waiting"], kit["problems"]) == (2, 0, {}) for kit in standing.values())
    assert [kit["sent_at"] is not None for kit in standing.values()] == [False, True, False]
    cli("kits", "make", SLUG)
    assert len(notices_owed(session)) == 1


def test_a_union_that_affiliated_just_now_gets_its_kit(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    make_union(session, "bakers", status=UnionStatus.AFFILIATED)
    session.commit()
    assert cli("kits", "make", SLUG).stdout == "8 editions of 4 kits are made.\n"


def test_what_cannot_be_made_is_told_and_tried_again(
    cli: CommandLine, session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unprintable(MailerError):
        """The text cannot be made into a mail."""

    def fail(*_: object) -> dict[str, bytes]:
        raise Unprintable

    with monkeypatch.context() as broken:
        broken.setattr(KitEditions, "files", fail)
        told = cli("kits", "make", SLUG)
    assert told.stdout == "0 editions of 3 kits are made.\n"
    assert f"Warning: 6 editions could not be made. See why: mailer kits status {SLUG}" in told.stderr
    assert (
        "Kit for dockers in fr could not be made: The text cannot be made into a mail."
        in cli("kits", "status", SLUG).stdout
    )
    assert cli("kits", "make", SLUG).stdout == "6 editions of 3 kits are made.\n"


def test_a_status_shows_what_each_union_says(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    dockers = session.get_one(Kit, 2)
    dockers.sent_at = dockers.seen_at = dockers.forwarded_at = WHEN
    dockers.reached = 1250
    session.get_one(Kit, 3).promised_at = WHEN
    session.commit()
    shown = cli("kits", "status", SLUG).stdout
    rows = [line.split("│")[1:-1] for line in shown.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["everybody", "0", "2", "0", "", "", ""],
        ["dockers", "0", "2", "0", "2026-03-01", "forwarded", "1,250"],
        ["miners", "0", "2", "0", "", "promised", ""],
    ]
    assert (
        "Unions without a contact who gets mail: miners. Invite one with: mailer unions invite SLUG ADDRESS\n" in shown
    )
    assert status_of(cli)["dockers"]["forwarded_at"] == "2026-03-01T12:00:00+00:00"
    assert "kit_id" not in status_of(cli)["dockers"]


def test_a_status_says_nothing_of_contacts_where_each_union_has_one(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    make_contact(session, directory.get(session, "miners"), make_subscriber(session))
    session.commit()
    assert "Unions without" not in cli("kits", "status", SLUG).stdout


def test_a_status_names_unions_whose_contacts_are_not_reached(
    cli: CommandLine, session: Session, campaign: Campaign
) -> None:
    gone = make_subscriber(session)
    miners, dockers = directory.get(session, "miners"), directory.get(session, "dockers")
    make_contact(session, miners, gone)
    for kind, union in ((NoticeKind.KIT, miners), (NoticeKind.ANSWER, dockers)):
        fail(session, kind=kind, address=None, subscriber_id=gone.id, union_id=union.id)
    suppression.add(session, gone.email_index, SuppressionReason.BOUNCED)
    session.commit()
    shown = cli("kits", "status", SLUG).stdout
    assert "Unions without a contact who gets mail: miners. Invite" in shown
    assert "Mails about kits failed lately, to: miners. See why with: mailer notices status\n" in shown


@pytest.mark.parametrize("columns", [80, 60])
def test_a_narrow_terminal_cuts_no_slug_short(
    cli: CommandLine, session: Session, campaign: Campaign, columns: int
) -> None:
    slug = "lighthouse-keepers-of-the-north"
    union = make_union(session, slug, status=UnionStatus.AFFILIATED)
    session.flush()
    session.add(
        Kit(campaign_id=campaign.id, union_id=union.id, sent_at=WHEN, forwarded_at=WHEN, seen_at=WHEN, reached=12_500)
    )
    session.commit()
    shown = cli("kits", "status", SLUG, env=cli.environment | {"COLUMNS": str(columns)}).stdout
    table = shown.partition("Unions without")[0]
    cells = [line.split("│")[1:-1] for line in table.splitlines() if "│" in line]
    columns_below = ["".join(cell.strip() for cell in column) for column in zip(*cells, strict=True)]
    for column, whole in ((0, f"dockers{slug}miners"), (4, "2026-03-01"), (5, "forwarded"), (6, "12,500")):
        assert columns_below[column].endswith(whole)
    assert all(len(line) <= columns for line in table.splitlines())


def test_kits_are_saved_as_folders_of_unions_and_languages(
    cli: CommandLine, session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    refused = cli("kits", "save", SLUG, "-o", tmp_path / "none", exit_code=1)
    assert refused.stderr == (
        f'mailer: Campaign "{SLUG}" has no finished kit that you asked for. '
        f"See which are finished: mailer kits status {SLUG}\n"
    )
    cli("kits", "make", SLUG)
    assert cli("kits", "save", SLUG, "-o", tmp_path / "all").stdout == f"Wrote 42 files to {tmp_path / 'all'}.\n"
    folders = {path.relative_to(tmp_path / "all").as_posix() for path in (tmp_path / "all").glob("*/*")}
    assert folders == {f"{union}/{tag}" for union in ("_everybody", "dockers", "miners") for tag in ("en", "fr")}
    assert {path.name for path in (tmp_path / "all" / "dockers" / "fr").iterdir()} == FILES
    mail = (tmp_path / "all" / "miners" / "en" / "mail.txt").read_bytes()
    assert mail == pages.file(session, 3, "en", "mail.txt")
    session.rollback()
    cli("kits", "save", SLUG, "--union", "miners", "--language", "FR", "-o", tmp_path / "one")
    assert {path.parent.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*.*")} == {
        "miners/fr"
    }
    (tmp_path / "file").write_text("in the way")
    assert "Nothing can be written" in cli("kits", "save", SLUG, "-o", tmp_path / "file", exit_code=1).stderr
    cli("kits", "save", SLUG, "--language", "de", "-o", tmp_path / "none", exit_code=1)


def test_the_address_of_a_kit_can_be_handed_to_a_union(cli: CommandLine, session: Session, campaign: Campaign) -> None:
    address = cli("kits", "link", SLUG, "--union", "miners").stdout.strip()
    token = address.removeprefix("https://act.example.org/kit/")
    assert links.verify(keyring_of(session), Link.KIT, token) == 3
    refused = cli("kits", "link", SLUG, "--union", "nobody", exit_code=1)
    assert 'has no kit for the union "nobody"' in refused.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"forwardable": False}, "is not to be forwarded"),
        ({"status": CampaignStatus.PAUSED}, f'Campaign "{SLUG}" is paused. Kits are made for'),
        ({"deadline": WHEN}, f'Campaign "{SLUG}" is over. Kits are made for'),
        ({"started_at": WHEN}, f'Campaign "{SLUG}" is over. Kits are made for'),
    ],
)
def test_kits_are_made_only_of_what_may_be_forwarded_now(
    cli: CommandLine, session: Session, campaign: Campaign, changes: dict[str, object], words: str
) -> None:
    session.execute(update(Campaign).where(Campaign.id == campaign.id).values(changes))
    session.commit()
    assert words in cli("kits", "make", SLUG, exit_code=1).stderr


def test_a_campaign_that_has_not_begun_has_no_kits(cli: CommandLine, session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.forwardable, campaign.deadline = True, utcnow() + timedelta(days=1)
    session.commit()
    assert "has no kits. They are planned when it starts" in cli("kits", "status", SLUG).stdout
    assert f'Campaign "{SLUG}" is draft.' in cli("kits", "make", SLUG, exit_code=1).stderr
    assert cli("kits", "status", SLUG, "--json").stdout == "[]\n"
    cli("kits", "status", "no-such", exit_code=1)
