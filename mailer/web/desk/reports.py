"""Reports: what came of a campaign, in charts, each with its numbers as a table and as a file."""

import io

from flask import Response, abort, render_template, request

from mailer.campaigns import listing
from mailer.formats.csv_output import CsvWriter
from mailer.formats.tables import Dress
from mailer.organisers import whereabouts
from mailer.organisers.roles import Permission
from mailer.reports import acted, figures, returned, showing, spreads
from mailer.reports.figures import Figures
from mailer.store.models import Campaign
from mailer.web.desk import named, report_tables
from mailer.web.desk.numbers import row_number
from mailer.web.desk.recent import recent
from mailer.web.desk.report_tables import Table
from mailer.web.desk.visit import visit
from mailer.web.language import _
from mailer.web.site import site

#: with the mark by which spreadsheets know UTF-8: who opens this file was given no choice
_DRESS = Dress(bom=True)


def choose() -> str:
    """The campaigns of which there is a report, the latest first."""
    before = request.args.get("before", type=row_number)
    with site().session(read_only=True) as session:
        page = listing.page(session, has_begun=True, before=before)
    return render_template("desk/reports/choose.html", page=page, before=before)


def show(slug: str) -> str:
    """What came of a campaign."""
    campaign, found, tables = _tables(slug)
    with site().session(read_only=True) as session:
        shown = named.campaign(session, slug)
        now, acting = whereabouts.of(shown), whereabouts.acting(session, shown)
    return render_template(
        "desk/reports/show.html",
        campaign=campaign,
        now=now,
        acting=acting,
        figures=found,
        tables=tables,
        is_exact=visit().may(Permission.SEE_CAMPAIGNS),
    )


def table(slug: str, kind: str) -> Response:
    """The numbers of one chart as a CSV file."""
    campaign, _found, tables = _tables(slug)
    wanted = next((each for each in tables if each.kind == kind), None)
    if wanted is None:
        abort(404)
    file = io.StringIO(newline="")
    writer = CsvWriter(file, [*wanted.keys, wanted.name_in_file or wanted.name, wanted.number], _DRESS)
    for line in wanted.lines:
        number = _("under 10") if line.number is None else str(line.number)
        writer.write([*([line.key] if wanted.keys else []), line.written, number])
    response = Response(file.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{campaign.slug}-{kind}.csv")
    return response


def _tables(slug: str) -> tuple[Campaign, Figures | None, list[Table]]:
    """A campaign, its figures, and the tables of those that whoever looks may see."""
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        found = figures.of(session, campaign) if campaign.started_at else None
        rows = spreads.named(session, found.sending.spreads) if found else {}
        back = returned.count(session, campaign)
        who_acted = recent("report acted").get(campaign.id, lambda: acted.count(session, campaign))
    if found is None:
        return campaign, None, []
    is_exact = visit().may(Permission.SEE_CAMPAIGNS)
    return (
        campaign,
        found,
        report_tables.of(found, showing.show(found, is_exact=is_exact), rows, back, who_acted, is_exact=is_exact),
    )
