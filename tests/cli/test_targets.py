"""An organiser brings targets in, looks which of them are stale or doubtful, and keeps who made sure of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.cases import target_reports
from mailer.store.models import TargetReportKind
from tests.conftest import CommandLine

OLD = datetime.now(UTC).date() - timedelta(days=200)
FILE = (
    "slug,role,about,countries,name,email,phone,phone_hours,phone_zone,address,verified_on\n"
    f"berlin,embassy,BR,DE,Embassy in Berlin,berlin@example.org,+441632960960,Mon 9–12,Europe/London,1 Street,{OLD}\n"
    "mp,representative,,GB,Your member of parliament,mp@example.org,,,,,\n"
)


def test_targets_come_in_are_listed_shown_verified_and_go_out(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "targets.csv"
    assert "mailer targets import FILE" in cli("targets", "list").stdout
    file.write_text(FILE)
    dry = json.loads(cli("targets", "import", file, "--dry-run", "--json").stdout)
    assert dry == {"added": 2, "changed": 0, "unchanged": 0, "warnings": []}
    assert "Nothing was changed" in cli("targets", "import", file, "--dry-run").stdout
    assert "2  added" in cli("targets", "import", file).stdout

    listed = cli("targets", "list").stdout.splitlines()
    assert listed[0].split() == ["berlin", "embassy", str(OLD), "DE"]
    assert "NEVER VERIFIED" in listed[1]
    stale = [json.loads(line) for line in cli("targets", "list", "--stale", "300", "--json").stdout.splitlines()]
    assert [(each["slug"], each["stale"]) for each in stale] == [("mp", True)]
    assert cli("targets", "list", "--role", "embassy").stdout.startswith("berlin")

    shown = cli("targets", "show", "berlin").stdout
    for words in ("Embassy in Berlin", "+441632960960 (Mon 9–12, Europe/London)", "\n  1 Street", "STALE"):
        assert words in shown
    assert "verified today" in cli("targets", "verify", "berlin", "mp", "--by", "Ana").stdout
    assert "STALE" not in cli("targets", "show", "berlin").stdout
    assert json.loads(cli("targets", "show", "mp", "--json").stdout)["verified_by"] == "Ana"
    nothing = cli("targets", "list", "--stale", "0")
    assert (nothing.stdout, "none of that kind" in nothing.stderr) == ("", True)

    out = tmp_path / "out.csv"
    assert "Wrote 2 targets" in cli("targets", "export", "-o", out).stdout
    again = json.loads(cli("targets", "import", out, "--update", "--json").stdout)
    assert again["unchanged"] == 2


def test_what_is_wrong_is_told_with_file_and_line(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "targets.csv"
    file.write_text("slug,role,name,email\nberlin,embassy,Embassy,berlin@example.org\n")
    refused = cli("targets", "import", file, exit_code=1)
    assert f"{file}:\nline 2: a target of role embassy" in refused.stderr
    assert "mailer targets list" in cli("targets", "verify", "berlin", "--by", "Ana", exit_code=1).stderr
    cli("targets", "verify", "berlin", "--by", " ", exit_code=2)


def test_a_target_that_three_networks_reported_is_listed_as_doubtful_until_somebody_verifies_it(
    cli: CommandLine, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "targets.csv"
    file.write_text(FILE)
    cli("targets", "import", file)
    assert cli("targets", "list", "--doubtful").stdout == ""
    for host in range(40):  # so many that three of sixteen numbers are certain to come up
        target_reports.note(session, "berlin", TargetReportKind.CAME_BACK, f"198.51.100.{host}")
    target_reports.note(session, "mp", TargetReportKind.MOVED, "198.51.100.1")
    session.commit()

    assert "DOUBTFUL" in cli("targets", "list").stdout.splitlines()[0]
    assert cli("targets", "list", "--doubtful").stdout.startswith("berlin")
    as_json = [json.loads(line) for line in cli("targets", "list", "--json").stdout.splitlines()]
    assert [(each["slug"], each["doubtful"]) for each in as_json] == [("berlin", True), ("mp", False)]

    shown = cli("targets", "show", "berlin").stdout
    assert ": 40 × letter came back\n" in shown
    assert "DOUBTFUL: reported from 3 networks" in shown
    (month,) = json.loads(cli("targets", "show", "mp", "--json").stdout)["reports"]
    assert month.keys() == {"month", "came_back", "wants_post", "moved"}
    assert (len(month["month"]), month["came_back"], month["moved"]) == (7, 0, 1)

    cli("targets", "verify", "berlin", "--by", "Ana")
    assert cli("targets", "list", "--doubtful").stdout == ""
    assert "40 × letter came back" in cli("targets", "show", "berlin").stdout
