"""The report of a campaign at the desk: charts, tables and files that say the same, to each what they may see."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, select

from mailer.campaigns import lifecycle, listing
from mailer.mail.feedback.types import Category, Kind
from mailer.operations import housekeeping
from mailer.store.db import session_scope
from mailer.store.models import (
    Account,
    ActKind,
    Campaign,
    CampaignStatus,
    Delivery,
    DeliveryState,
    Reason,
    Role,
    Subscriber,
)
from mailer.web.desk import report_tables
from tests.support.desk import come_in, words
from tests.support.factories import (
    deliver,
    make_act,
    make_bounce,
    make_campaign,
    make_list,
    make_subscriber,
    make_union,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def backend() -> str:
    return "sqlite"  # tests/reports has what depends on the database


@pytest.fixture
def campaign(engine: Engine) -> str:
    """Its slug: one of 27 people, to 24 of whom it went out."""
    with session_scope(engine) as session:
        news = make_list(session)
        campaign = make_campaign(session, news, slug="free-the-pilots", status=CampaignStatus.SENT)
        campaign.started_at, campaign.finished_at = NOON, NOON + timedelta(hours=1)
        poets = make_union(session, "poets", name='=Poets & "Dockers"')
        hiding = make_union(session, "x1", name="Poets in hiding", is_named=False)
        where: dict[str, Any] = {"settled_at": NOON, "fence": 1}
        for number in range(24):
            union = poets if number < 12 else hiding
            person = make_subscriber(session, news, country="FR" if number < 13 else "GB", union=union)
            deliver(session, campaign, person, DeliveryState.SENT, **where)
        refused = {"smtp_code": 550, "smtp_text": "550 5.1.1 no such user"}
        deliver(session, campaign, make_subscriber(session, news), DeliveryState.FAILED, **refused, **where)
        for _ in range(2):
            deliver(session, campaign, make_subscriber(session, news), DeliveryState.SKIPPED, reason=Reason.LEFT)
    return campaign.slug


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_an_organiser_sees_the_whole_exactly_and_no_small_number_of_a_part(app: Flask, campaign: str) -> None:
    page = come_in(app, Role.WRITER).get(f"/campaigns/{campaign}/report")
    assert page.status_code == 200
    said = words(page)
    for told in ("The audience: 27 people", "Sent 24", "Failed 1", "France 13", "Poets in hiding (asked not"):
        assert told in said
    assert "Left the list before it reached them 2" in said
    assert "Failed: Nobody has this address (\u2066550 5.1.1\u2069) 1" in said
    assert "No domain has refused ten mails" in said
    assert page.text.count("<svg") == 8  # all but that of domains


def test_an_analyst_sees_no_small_number_at_all_and_no_union_that_asked_not_to_be_named(
    app: Flask, campaign: str
) -> None:
    said = words(come_in(app, Role.ANALYST).get(f"/campaigns/{campaign}/report"))
    assert "Sent 24" in said
    assert "Failed under 10" in said
    assert "The audience" not in said  # 27 would tell that three were not sent
    assert "Left the list before it reached them under 10" in said
    assert "Poets in hiding" not in said
    assert "(asked not to be named) 12" in said


@pytest.mark.parametrize("role", [Role.WRITER, Role.ANALYST])
def test_what_came_back_is_the_same_for_everybody(app: Flask, engine: Engine, campaign: str, role: Role) -> None:
    who = come_in(app, role)
    assert "Nothing came back." in words(who.get(f"/campaigns/{campaign}/report"))
    with session_scope(engine) as session:
        for number, mail in enumerate(session.scalars(select(Delivery).where(Delivery.state == DeliveryState.SENT))):
            make_bounce(session, mail, category=Category.NO_MAILBOX if number < 11 else Category.FULL)
            if number < 9:
                make_bounce(session, mail, kind=Kind.COMPLAINT, category=None)
    said = words(who.get(f"/campaigns/{campaign}/report"))
    assert "The address does not exist 11" in said and "another reason 13" in said
    assert "Called it spam under 10" in said
    file = rows(who.get(f"/campaigns/{campaign}/report/returned.csv").text)
    assert ["permanent", "The address does not exist", "11"] in file
    assert ["complaints", "Called it spam", "under 10"] in file


@pytest.mark.parametrize("role", [Role.WRITER, Role.ANALYST])
def test_a_file_has_the_numbers_of_its_table(app: Flask, campaign: str, role: Role) -> None:
    who = come_in(app, role)
    page = who.get(f"/campaigns/{campaign}/report").text
    kinds = re.findall(r"/report/([a-z-]+)\.csv", page)
    assert kinds == ["states", "time", "countries", "languages", "texts", "unions", "answers", "departures"]
    for kind in kinds:
        answer = who.get(f"/campaigns/{campaign}/report/{kind}.csv")
        assert answer.headers["Content-Disposition"] == f"attachment; filename={campaign}-{kind}.csv"
        assert answer.mimetype == "text/csv"
        [part] = re.findall(rf'<section class="report-part" id="{kind}".*?</section>', page, re.DOTALL)
        shown = re.findall(r'<td class="number">(.*?)</td>', part)
        assert [row[-1] for row in rows(answer.text)[1:]] == shown
    assert who.get(f"/campaigns/{campaign}/report/people.csv").status_code == 404


def test_no_cell_of_a_file_is_a_formula(app: Flask, campaign: str) -> None:
    answer = come_in(app, Role.WRITER).get(f"/campaigns/{campaign}/report/unions.csv")
    assert answer.text.startswith("\ufeff")
    assert rows(answer.text)[1:] == [
        ["poets", """'=Poets & "Dockers\"""", "12"],
        ["", "Poets in hiding (asked not to be named)", "12"],
    ]


def test_charts_are_read_aloud_and_no_two_parts_of_a_page_have_one_name(app: Flask, campaign: str) -> None:
    page = come_in(app, Role.WRITER).get(f"/campaigns/{campaign}/report")
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    for chart in re.findall(r"<svg.*?</svg>", page.text, re.DOTALL):
        named = re.search(r'aria-labelledby="([^"]+)"', chart)
        assert named
        assert all(f'id="{each}"' in chart for each in named[1].split())
        assert "style=" not in chart
        assert 'role="img"' in chart


def test_hours_are_those_of_whoever_looks_and_the_zone_is_named(app: Flask, engine: Engine, campaign: str) -> None:
    who = come_in(app, Role.WRITER)
    with session_scope(engine) as session:
        session.get_one(Account, who.account_id).zone = "Asia/Kathmandu"
    answer = who.get(f"/campaigns/{campaign}/report/time.csv")
    assert rows(answer.text) == [
        ["from", "until", "Mails"],
        ["2026-03-01T17:45+05:45", "2026-03-01T17:55+05:45", "24"],
    ]
    page = who.get(f"/campaigns/{campaign}/report")
    assert "When (UTC+5:45)" in words(page) and "1 Mar 2026, 5:45 – 5:55 pm 24" in words(page)
    everywhere = " ".join(page.text.split())
    assert everywhere.count("1 Mar 2026, 5:45 – 5:55 pm") == 3  # in the picture, in what is said of it, in the table


def test_answers_of_a_file_have_no_marks_of_direction(app: Flask, campaign: str) -> None:
    answer = come_in(app, Role.WRITER).get(f"/campaigns/{campaign}/report/answers.csv")
    assert rows(answer.text)[1:] == [["Failed: Nobody has this address (550 5.1.1)", "1"]]


def test_days_of_a_file_have_a_zone_too(app: Flask, engine: Engine, campaign: str) -> None:
    with session_scope(engine) as session:
        session.query(Delivery).update({"fence": None})  # so that only the day is known
    who = come_in(app, Role.WRITER)
    assert rows(who.get(f"/campaigns/{campaign}/report/time.csv").text)[1:] == [
        ["2026-03-01T00:00+00:00", "2026-03-02T00:00+00:00", "24"]
    ]
    assert "When (UTC) Mails 1 Mar 2026 24" in words(who.get(f"/campaigns/{campaign}/report"))


def test_a_long_table_says_that_it_scrolls_and_is_reached_by_keyboard(
    app: Flask, engine: Engine, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = come_in(app, Role.WRITER)
    assert "Scroll to see all of them." not in words(who.get(f"/campaigns/{campaign}/report"))
    monkeypatch.setattr(report_tables, "_MOST_LINES", 6)
    page = who.get(f"/campaigns/{campaign}/report")
    assert "7 lines. Scroll to see all of them." in words(page)
    assert 'tabindex="0" role="region" aria-labelledby="states-title states-rows"' in page.text


def test_names_of_countries_are_those_of_the_viewers_language(app: Flask, engine: Engine, campaign: str) -> None:
    who = come_in(app, Role.WRITER)
    with session_scope(engine) as session:
        session.get_one(Account, who.account_id).language = "ru"
    assert rows(who.get(f"/campaigns/{campaign}/report/countries.csv").text)[1][:2] == ["FR", "Франция"]


def test_before_it_goes_out_and_while_many_are_counted_the_page_says_what_to_do(
    app: Flask, engine: Engine, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = come_in(app, Role.ANALYST)
    with session_scope(engine) as session:
        make_campaign(session, make_list(session, "other"), slug="draft")
    assert "Nothing of it has been sent yet." in words(who.get("/campaigns/draft/report"))
    assert who.get("/campaigns/no-such-thing/report").status_code == 404
    monkeypatch.setattr("mailer.reports.figures._FEW", 3)
    assert "The figures are being counted." in words(who.get(f"/campaigns/{campaign}/report"))
    housekeeping.tidy(engine)
    assert "Sent 24" in words(who.get(f"/campaigns/{campaign}/report"))


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_the_report_of_a_campaign_that_is_over_reads_no_delivery(
    app: Flask, engine: Engine, campaign: str, statements: list[str]
) -> None:
    who = come_in(app, Role.WRITER)
    housekeeping.tidy(engine)
    statements.clear()
    assert who.get(f"/campaigns/{campaign}/report").status_code == 200
    assert [each for each in statements if "deliveries" in each] == []


def test_reports_are_listed_the_latest_first_and_paged(
    app: Flask, engine: Engine, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = come_in(app, Role.ANALYST)
    monkeypatch.setattr(listing, "page", partial(listing.page, most=2))
    with session_scope(engine) as session:
        news = session.get_one(Campaign, 1).mailing_list
        for number in range(2):
            later = make_campaign(session, news, slug=f"later-{number}", status=CampaignStatus.SENT)
            later.started_at = NOON
        make_campaign(session, news, slug="draft")
    first = who.get("/reports").text
    assert re.findall(r"/campaigns/([^/]+)/report", first) == ["later-1", "later-0"]
    [older] = re.findall(r'href="/desk(/reports\?before=\d+)"', first)
    assert re.findall(r"/campaigns/([^/]+)/report", who.get(older).text) == [campaign]


def test_where_nothing_went_out_the_list_says_so(app: Flask) -> None:
    assert "No campaign has gone out yet." in words(come_in(app, Role.ANALYST).get("/reports"))


@pytest.mark.parametrize("role", [Role.WRITER, Role.ANALYST])
def test_how_many_acted_stands_there_for_everybody_without_small_numbers(
    app: Flask, engine: Engine, campaign: str, role: Role
) -> None:
    with session_scope(engine) as session:
        asking = lifecycle.get(session, campaign)
        asking.ask, asking.petition = ["embassy"], {"to": {"en": "the President"}}
        for person in session.scalars(select(Subscriber).where(Subscriber.country == "FR")):
            make_act(session, asking, person)
        for person in session.scalars(select(Subscriber).limit(5)):
            make_act(session, asking, person, ActKind.SIGNED)
    who = come_in(app, role)
    said = words(who.get(f"/campaigns/{campaign}/report"))
    assert "The mail was sent 24 Wrote, as they told us 13 Signed under 10" in said
    assert "Countries of those who wrote" in said and "Countries of those who signed Not shown." in said
    file = rows(who.get(f"/campaigns/{campaign}/report/wrote-by-country.csv").text)
    assert file == [["code", "Country", "People"], ["FR", "France", "13"]]
    assert "Who acted Wrote, as they told us 13 Signed under 10" in words(who.get(f"/campaigns/{campaign}"))
