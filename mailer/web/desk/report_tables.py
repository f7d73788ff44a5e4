"""The tables of a report, in the words of whoever looks, each with its chart."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask_babel import format_number
from markupsafe import Markup

from mailer.formats import charts
from mailer.locale import countries, languages
from mailer.reports.acted import Acted
from mailer.reports.figures import Answer, Figures, Unit
from mailer.reports.returned import Returned
from mailer.reports.showing import Shown
from mailer.reports.spreads import By, Row
from mailer.store.models import ActKind, DeliveryState
from mailer.web import language
from mailer.web.desk import refusal_words, terms, times
from mailer.web.desk.visit import visit
from mailer.web.language import _

#: of the longest tables the chart draws the first ones only
_MOST_BARS = 12
#: around what is read from left to right in a line that is not, where no markup can say so (UAX #9)
_LTR, _END = "\N{LEFT-TO-RIGHT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_NO_BREAK = "\N{NO-BREAK SPACE}"
#: above so many lines, one scrolls through a table
_MOST_LINES = 16


@dataclass(frozen=True, slots=True)
class Line:
    """A name and its number."""

    name: str
    number: int | None  # None: hidden
    key: str = ""
    name_in_file: str = ""  # where it is another one there

    @property
    def written(self) -> str:
        """What it is called in a file."""
        return self.name_in_file or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of one kind, as a chart and as lines."""

    kind: str  # names its file and its place on the page
    title: str
    name: str  # heading of the names
    number: str  # heading of the numbers
    lines: Sequence[Line]
    empty: str  # what is said instead where there is nothing to show
    notes: Sequence[str] = ()
    keys: Sequence[str] = ()  # heading of the keys in its file, if it has some
    name_in_file: str = ""  # heading of the names there, where it is another one
    draw: Callable[..., str] = field(default=charts.bars, repr=False)

    @property
    def chart(self) -> Markup:
        """The picture."""
        lines = self.lines if self.draw is charts.columns else self.lines[:_MOST_BARS]
        rows = [(line.name, line.number) for line in lines]
        return Markup(self.draw(self.title, rows, hidden=_("under 10"), empty=self.empty))  # noqa: S704  # escaped there

    @property
    def is_cut(self) -> bool:
        """Whether the chart draws only some."""
        return self.draw is charts.bars and len(self.lines) > _MOST_BARS

    @property
    def most(self) -> int:
        """How many it draws at most."""
        return _MOST_BARS

    @property
    def is_long(self) -> bool:
        """Whether its lines are scrolled through."""
        return len(self.lines) > _MOST_LINES


def of(
    found: Figures,
    shown: Shown,
    rows: Mapping[By, Sequence[Row] | None],
    back: Returned,
    acted: Mapping[ActKind, Acted],
    *,
    is_exact: bool,
) -> list[Table]:
    """All tables of a report.

    :param shown: what of the figures whoever looks may see.
    :param rows: the spreads, as things are called now.
    :param back: what came back.
    :param acted: who did what it asks for.
    :param is_exact: whether they may see unions that asked not to be named.
    """
    return [
        _states(shown),
        _over_time(shown),
        _spread("countries", _("Countries"), _("Country"), rows[By.COUNTRY], _country, keys=[_("code")]),
        _spread("languages", _("Languages of readers"), _("Language"), rows[By.LANGUAGE], _language, keys=[_("tag")]),
        _spread("texts", _("Languages of texts"), _("Language"), rows[By.TEXT], _language, keys=[_("tag")]),
        _spread(
            "unions", _("Unions"), _("Union"), rows[By.UNION], _union(is_exact=is_exact), keys=[_("name in links")]
        ),
        _domains(found),
        _answers(shown),
        _returned(back),
        _departures(found, shown),
        *_who_acted(shown, acted),
    ]


# --- what went out --------------------------------------------------------------------------------------------------


#: the order in which they are read
_STATES = (
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.DEFERRED,
    DeliveryState.UNKNOWN,
    DeliveryState.SKIPPED,
    DeliveryState.SENDING,
    DeliveryState.PENDING,
)


def _states(shown: Shown) -> Table:
    notes = []
    if shown.audience is not None:
        notes.append(_("The audience: {people} people.", people=format_number(shown.audience)))
    return Table(
        "states",
        _("What became of it"),
        _("State"),
        _("People"),
        [Line(terms.state(state), shown.states[state], key=state.value) for state in _STATES],
        empty=_("Nobody was to get it."),
        notes=notes,
        keys=[_("state")],
    )


def _over_time(shown: Shown) -> Table:
    notes = {
        Unit.TEN_MINUTES: _("Mails that were sent, in steps of ten minutes."),
        Unit.HOUR: _("Mails that were sent in each hour."),
        Unit.DAY: _("Mails that were sent on each day, as days are in UTC."),
    }
    # Clocks may be put forward between the first and the last.
    ends = [] if shown.unit is Unit.DAY else [start for start, _number in (*shown.slots[:1], *shown.slots[-1:])]
    zone = " / ".join(dict.fromkeys(map(times.zone_name, ends))) or "UTC"
    return Table(
        "time",
        _("Deliveries over time"),
        _("When ({zone})", zone=zone),
        _("Mails"),
        [_slot(start, number, shown.unit) for start, number in shown.slots],
        empty=_("Nothing has been sent."),
        notes=[notes[shown.unit]] if shown.slots else (),
        keys=[_("from")],
        name_in_file=_("until"),
        draw=charts.columns,
    )


def _slot(start: datetime, number: int | None, unit: Unit) -> Line:
    end = start + unit.length
    is_day = unit is Unit.DAY
    words = times.day_in_words(start) if is_day else times.span(start, end)
    zone = UTC if is_day else visit().zone
    since, until = (each.astimezone(zone).isoformat(timespec="minutes") for each in (start, end))
    return Line(words, number, key=since, name_in_file=until)


# --- to whom --------------------------------------------------------------------------------------------------------


def _spread(
    kind: str, title: str, name: str, rows: Sequence[Row] | None, line: Callable[[Row], Line], *, keys: Sequence[str]
) -> Table:
    why = _("Not shown. Of so few people it would point to somebody.")
    return Table(
        kind,
        title,
        name,
        _("Mails"),
        [line(row) for row in rows or ()],
        empty=why if rows is None else _("Nothing has been sent."),
        keys=keys,
    )


def _country(row: Row) -> Line:
    return Line(countries.name(row.key, language.current()) if row.key else _("not known"), row.mails, row.key)


def _language(row: Row) -> Line:
    return Line(languages.name(row.key) if row.key else _("not known"), row.mails, row.key)


def _union(*, is_exact: bool) -> Callable[[Row], Line]:
    def line(row: Row) -> Line:
        if not row.key:
            return Line(_("none, or not known"), row.mails)
        if row.is_named:
            return Line(row.name, row.mails, row.key)
        return Line(
            _("{union} (asked not to be named)", union=row.name) if is_exact else _("(asked not to be named)"),
            row.mails,
        )

    return line


# --- refusals and departures ----------------------------------------------------------------------------------------


def _domains(found: Figures) -> Table:
    domains = found.sending.domains
    notes = [
        _("A domain is named where ten mails to it or more were refused: one that few people use would name them.")
    ]
    if domains.is_sample:
        notes.append(
            _(
                "Of {refused} refusals, the latest {number} were looked at.",
                refused=format_number(domains.refused),
                number=format_number(domains.looked_at),
            )
        )
    return Table(
        "domains",
        _("Refusals by domain"),
        _("Domain"),
        _("Refused"),
        [Line(domain or _("other domains"), number) for domain, number in domains.rows],
        empty=_("No domain has refused ten mails."),
        notes=notes if domains.rows else (),
    )


def _answers(shown: Shown) -> Table:
    has_estimates = any(answer.is_estimate for answer, number in shown.answers if number is not None)
    estimate = _("Estimated from the latest 5,000 refusals of each kind, whether for good or for now.")
    return Table(
        "answers",
        _("What mail servers answered"),
        _("Answer"),
        _("Refused"),
        [_answer(answer, number) for answer, number in shown.answers],
        empty=_("No server has refused anything."),
        notes=[estimate] if has_estimates else (),
    )


def _answer(answer: Answer, number: int | None) -> Line:
    why = refusal_words.why(answer.smtp_code, answer.enhanced_code, answer.reason)
    codes = " ".join(str(part) for part in (answer.smtp_code, answer.enhanced_code) if part)
    state, why = terms.state(answer.state), why or _("The server does not say why")
    if not codes:
        return Line(_("{state}: {why}", state=state, why=why), number)
    name, in_file = (
        _("{state}: {why} ({codes})", state=state, why=why, codes=written)
        for written in (f"{_LTR}{codes.replace(' ', _NO_BREAK)}{_END}", codes)
    )
    return Line(name, number, name_in_file=in_file)


def _returned(back: Returned) -> Table:
    return Table(
        "returned",
        _("What came back"),
        _("Why"),
        _("Mails"),
        []
        if back.is_nothing
        else [Line(terms.came_back(kind), number, key=kind) for kind, number in back.to_json().items()],
        empty=_("Nothing came back."),
        notes=[
            _("Servers had taken these mails, so they count as sent. Numbers from 1 to 9 are “under 10” for everybody.")
        ],
        keys=[_("reason")],
    )


def _departures(found: Figures, shown: Shown) -> Table:
    words = {
        "after": _("Left the list after they got it"),
        "before": _("Left the list before it reached them"),
        "suppressed": _("Address was blocked before it reached them"),
        "erased": _("Had their data erased"),
    }
    notes = [_("Who left after they got it counts until another mail of the list went to them.")]
    if found.departures_until:
        until = times.day_in_words(found.departures_until)
        closed, counted = _("Counted until {day}.", day=until), _("They are counted until {day}.", day=until)
        notes.append(closed if found.is_closed else counted)
    return Table(
        "departures",
        _("Departures"),
        _("How"),
        _("People"),
        [Line(words[name], shown.departures[name], key=name) for name in words],
        empty=_("Nobody has left."),
        notes=notes,
        keys=[_("departure")],
    )


# --- who acted ------------------------------------------------------------------------------------------------------


def _who_acted(shown: Shown, acted: Mapping[ActKind, Acted]) -> Iterator[Table]:
    if not acted:
        return
    lines = [Line(_("The mail was sent"), shown.states[DeliveryState.SENT], key=DeliveryState.SENT.value)]
    lines += [Line(terms.did(kind), each.people, key=kind.value) for kind, each in acted.items()]
    yield Table(
        "acted",
        _("From the mail to the act"),
        _("What"),
        _("People"),
        lines,
        empty="",
        notes=[_("Each person counts once for what they did. One can also sign on the site, without a mail.")],
        keys=[_("act")],
    )
    titles = {
        (ActKind.WROTE, By.COUNTRY): _("Countries of those who wrote"),
        (ActKind.WROTE, By.LANGUAGE): _("Languages of those who wrote"),
        (ActKind.SIGNED, By.COUNTRY): _("Countries of those who signed"),
        (ActKind.SIGNED, By.LANGUAGE): _("Languages of those who signed"),
    }
    headings = {By.COUNTRY: (_("Country"), _("code")), By.LANGUAGE: (_("Language"), _("tag"))}
    for kind, each in acted.items():
        for by, rows in each.by.items():
            name, key = headings[by]
            lines = [Line(_called(by, row.key), row.people, row.key) for row in rows or ()]
            why = _("Not shown. Of so few people it would point to somebody.")
            empty = why if rows is None else _("Nobody has done so.")
            yield Table(f"{kind}-by-{by}", titles[kind, by], name, _("People"), lines, empty=empty, keys=[key])


def _called(by: By, key: str) -> str:
    if not key:
        return _("not known")
    return countries.name(key, language.current()) if by is By.COUNTRY else languages.name(key)
