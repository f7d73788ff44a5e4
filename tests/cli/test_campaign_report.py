"""An organiser with a terminal sees what came of a campaign, and writes what may be passed on to a file."""

import csv
import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.selfservice import leaving
from mailer.selfservice.leaving import Method
from mailer.store.db import utcnow
from mailer.store.models import ActKind, CampaignStatus, DeliveryState, Subscriber, Subscription
from tests.conftest import CommandLine
from tests.support.factories import deliver, make_act, make_campaign, make_list, make_subscriber, make_union

ARABIC = "اتحاد عمال الموانئ"
WIDE = "全国港湾労働組合連合会とその友人たちの会" * 3


@pytest.fixture(autouse=True)
def campaign(session: Session) -> None:
    """One that went to 40 people, of whom three left."""
    news = make_list(session)
    campaign = make_campaign(session, news, status=CampaignStatus.SENT)
    campaign.started_at = campaign.finished_at = utcnow()
    arabic = make_union(session, "harbours", name=ARABIC)
    wide = make_union(session, "ports", name=WIDE)
    unnamed = make_union(session, "unnamed-0", name="=Poets[bold]", is_named=False)
    for union, number in ((arabic, 12), (wide, 11), (unnamed, 13), (None, 4)):
        for _ in range(number):
            person = make_subscriber(session, news, union=union)
            deliver(session, campaign, person, DeliveryState.SENT)
    deliver(
        session, campaign, make_subscriber(session, news), DeliveryState.FAILED, smtp_code=550, smtp_text="5.1.1 no"
    )
    for subscription in session.query(Subscription).limit(3):
        leaving.leave(session, subscription, method=Method.PAGE, reason="Too many mails")
    make_campaign(session, news, slug="not-yet")
    session.commit()


def test_a_table_each_shows_where_it_went_and_fits_80_columns(cli: CommandLine) -> None:
    shown = cli("campaigns", "report", "free-the-five").stdout
    assert all(cell_len(line) <= 80 for line in shown.splitlines())
    for title in ("country", "union", "language of the reader", "language of the text"):
        assert f"Messages by {title}" in shown.splitlines()
    assert f"│ \u2068{ARABIC}\u2069" in shown  # whatever it is beside keeps its place
    assert "=Poets[bold] (asked not to be named)" in shown
    assert "│ not known" in shown
    assert "".join(WIDE) in "".join(line.split("│")[1].strip() for line in shown.splitlines() if "│" in line)
    assert "Left the list after this campaign, before another one went to them: 3 people" in shown
    assert "Too many mails" not in shown
    assert "550 5.1.1" in shown
    assert "Kits: none went out to a union." in shown


def test_the_whole_of_a_small_list_is_shown_to_those_who_mail_it(cli: CommandLine) -> None:
    shown = json.loads(cli("campaigns", "report", "free-the-five", "--json").stdout)
    assert (shown["audience"], shown["states"]["sent"], shown["states"]["failed"], shown["left"]) == (41, 40, 1, 3)
    assert shown["sent_by"]["union"] == [
        {"key": "unnamed-0", "name": "=Poets[bold]", "mails": 13, "is_named": False},
        {"key": "harbours", "name": ARABIC, "mails": 12, "is_named": True},
        {"key": "", "name": "", "mails": None, "is_named": True},
        {"key": "ports", "name": WIDE, "mails": None, "is_named": True},
    ]
    assert shown["reasons"] is None
    assert [each["count"] for each in shown["refusals"]] == [1]
    assert shown["kits"] == {"sent": 0, "answered": 0, "forwarded": 0, "reached": 0}


def test_a_csv_file_has_what_may_be_passed_on(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    done = cli("campaigns", "report", "free-the-five", "--csv", file, "--excel", "--separator", "semicolon")
    assert done.stdout == ""
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    assert {
        (row["what"], row["name"]): row["number"] for row in rows if row["what"] in ("union", "left", "failed")
    } == {
        ("union", "(asked not to be named)"): "13",
        ("union", ARABIC): "12",
        ("union", ""): "under 10",
        ("union", WIDE): "under 10",
        ("left", ""): "under 10",
        ("failed", "550 5.1.1"): "under 10",
    }
    assert "Poets" not in file.read_text("utf-8")
    refused = cli("campaigns", "report", "free-the-five", "--csv", tmp_path / "no" / "report.csv", exit_code=1)
    assert len(refused.stderr.splitlines()) == 1 and "report.csv cannot be written" in refused.stderr


def test_of_a_campaign_that_was_not_started_it_says_so(cli: CommandLine, tmp_path: Path) -> None:
    shown = cli("campaigns", "report", "not-yet").stdout
    assert shown.splitlines() == [
        'Nothing of campaign "not-yet" has been sent (draft).',
        "See where it stands with: mailer campaigns status not-yet",
    ]
    assert json.loads(cli("campaigns", "report", "not-yet", "--json").stdout)["sent_by"]["country"] == []
    assert "mailer campaigns list" in cli("campaigns", "report", "nothing", exit_code=1).stderr


def test_it_says_who_acted_by_country_and_language_and_status_says_how_many(
    cli: CommandLine, session: Session, tmp_path: Path
) -> None:
    alert = lifecycle.get(session, "free-the-five")
    alert.ask, alert.petition = ["embassy"], {"to": {"en": "the President"}}
    for person in session.scalars(select(Subscriber).limit(23)):
        make_act(session, alert, person, country="FR", language="fr")
    make_act(session, alert, None, ActKind.SIGNED)
    session.commit()
    shown = cli("campaigns", "report", "free-the-five").stdout
    assert "Acted: 23 wrote, as they told us; under 10 signed." in shown
    assert "Who wrote, by country" in shown and "│ France" in shown and "Who signed" not in shown
    report = json.loads(cli("campaigns", "report", "free-the-five", "--json").stdout)["acted"]
    assert report["wrote"]["by"]["language"] == [{"key": "fr", "name": "fr", "people": 23}]
    assert report["signed"] == {"people": None, "by": {"country": None, "language": None}}
    assert "Acted: 23 wrote, as they told us; under 10 signed." in cli("campaigns", "status", "free-the-five").stdout
    status = json.loads(cli("campaigns", "status", "free-the-five", "--json").stdout)
    assert status["acted"] == {"wrote": 23, "signed": None}
    cli("campaigns", "report", "free-the-five", "--csv", str(tmp_path / "report.csv"))
    rows = list(csv.reader((tmp_path / "report.csv").read_text("utf-8").splitlines()))
    assert ["wrote", "", "", "23"] in rows and ["wrote by country", "FR", "France", "23"] in rows
    assert ["signed", "", "", "under 10"] in rows
