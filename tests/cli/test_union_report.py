"""An organiser with a terminal sees what forwarding brought, as a table, as CSV, as a picture and as JSON."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy.orm import Session

from mailer.store.db import utcnow
from mailer.store.models import JoinCount, Kit
from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_list, make_union

MONTH = f"{utcnow():%Y-%m}"


@pytest.fixture(autouse=True)
def unions(session: Session) -> None:
    """A federation of two, one of them with an ambiguous name, and a union beside it."""
    campaign = make_campaign(session, make_list(session))
    docks = make_union(session, "docks", country=None)
    branches = [
        make_union(session, "north", parent=docks),
        make_union(session, "south", name="=South[bold]", parent=docks),
    ]
    loners = make_union(session, "loners")
    for union, joined in ((docks, 1), (branches[0], 1200), (branches[1], 30), (loners, 40)):
        session.add(JoinCount(union_id=union.id, month=MONTH, joined=joined))
    session.add(JoinCount(union_id=loners.id, month="2019-03", joined=500))
    session.add(Kit(campaign_id=campaign.id, union_id=branches[0].id, sent_at=utcnow(), seen_at=utcnow()))
    session.commit()


def cells(table: str) -> list[list[str]]:
    """What stands in a table's rows, without its lines."""
    rows = [line.split("│") for line in table.splitlines() if "│" in line]
    return [[cell.strip() for cell in row[1:-1]] for row in rows]


def test_a_table_shows_federations_with_what_is_beneath_them(cli: CommandLine) -> None:
    shown = cli("unions", "report", "--since", MONTH).stdout
    assert cells(shown) == [
        ["Docks", "1", "1", "0", "0", "1,231"],
        ["=South[bold]", "0", "0", "0", "0", "under 10"],
        ["North", "1", "1", "0", "0", "1,200"],
        ["Loners", "0", "0", "0", "0", "40"],
        ["all unions", "1", "1", "0", "0", "1,271"],
    ]
    assert "  =South" in shown
    assert "under 10" in shown.splitlines()[-1]


def test_one_federation_is_shown_alone_and_hides_what_is_hidden_beside_others(cli: CommandLine) -> None:
    shown = json.loads(cli("unions", "report", "--union", "docks", "--json").stdout)
    assert [(each["slug"], each["depth"], each["joined"]) for each in shown["unions"]] == [
        ("docks", 0, 1231),
        ("south", 1, None),
        ("north", 1, 1200),
    ]
    assert shown["total"]["joined"] == 1231
    refused = cli("unions", "report", "--union", "poets", exit_code=1)
    assert "mailer unions list" in refused.stderr


def test_json_has_the_months_the_unions_and_the_total(cli: CommandLine) -> None:
    shown = json.loads(cli("unions", "report", "--until", "2019-12", "--json").stdout)
    assert (shown["since"], shown["until"]) == (None, "2019-12")
    assert shown["total"] == {"kits": 0, "acknowledged": 0, "forwarded": 0, "reached": 0, "joined": 500}
    assert shown["unions"][-1] == {
        "slug": "loners",
        "name": "Loners",
        "is_federation": False,
        "depth": 0,
        "kits": 0,
        "acknowledged": 0,
        "forwarded": 0,
        "reached": 0,
        "joined": 500,
    }


def test_a_csv_file_is_for_spreadsheets_and_runs_nothing_in_them(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    done = cli("unions", "report", "--since", MONTH, "--csv", file)
    assert done.stdout == ""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["Docks", "'=South[bold]", "North", "Loners", "all unions"]
    assert [row["joined"] for row in rows] == ["1231", "under 10", "1200", "40", "1271"]
    assert [row["level"] for row in rows] == ["0", "1", "1", "0", ""]
    assert file.stat().st_mode & 0o777 == 0o600


def test_where_nothing_came_of_it_one_sentence_says_so(cli: CommandLine, tmp_path: Path) -> None:
    shown = cli("unions", "report", "--until", "2001-01").stdout
    assert shown == "Results of forwarding, from the beginning to 2001-01: no kit was sent, and nobody joined.\n"
    file = tmp_path / "report.svg"
    cli("unions", "report", "--svg", file, "--until", "2001-01")
    texts = [each.text for each in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[1:] == ["Nobody joined."]


def test_an_svg_file_draws_who_joined(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "report.svg"
    cli("unions", "report", "--svg", file, "--until", "2019-12")
    texts = [each.text for each in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[1:] == ["Loners", "500", "all unions", "500"]


def test_what_is_no_month_or_no_file_is_said_in_a_line(cli: CommandLine, tmp_path: Path) -> None:
    assert "2035-04" in cli("unions", "report", "--since", "April", exit_code=1).stderr
    refused = cli("unions", "report", "--csv", tmp_path / "no" / "report.csv", exit_code=1)
    assert len(refused.stderr.splitlines()) == 1
