"""Where a campaign stands, as tables and lines for a person to read."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailer.cli.hints import typed
from mailer.cli.tables import print_table
from mailer.people.small_numbers import HIDDEN, in_words
from mailer.reports.acted import Numbers
from mailer.reports.progress import Overview, Progress, Rate, WorkerState
from mailer.reports.refusals import Refusal, TestMail
from mailer.reports.returned import Returned
from mailer.store.models import ActKind, Asking, CampaignStatus, DeliveryState

#: what to do about a worker that does not send
_ADVICE = {
    WorkerState.SENDING: "",
    WorkerState.STALLED: (
        ": it is alive, but does nothing. If this goes on, end its process; what it held is then cleared up"
    ),
    WorkerState.LOST: ": within about a minute its own host clears up after it, or the others give up what it held",
}

_CALLED_SPAM = {
    None: f"Some, {HIDDEN}, of those who were sent it called it spam, and that may be more than 1 in 1,000",
    1: "More than 1 in 1,000 of those who were sent it called it spam",
    3: "At least 3 in 1,000 of those who were sent it called it spam",
}
_NOT_ASKED = {
    Asking.CLOSED: "Closed: nobody is asked any more to act on it.",
    Asking.STOPPED: "Stopped: everybody is asked to do nothing any more.",
    Asking.WITHDRAWN: "Withdrawn: nothing of it can be read any more.",
}


def print_overview(overview: Overview, failed_notices: int) -> None:
    """Everything that `campaigns status` knows, the states first; a draft has none.

    :param failed_notices: how many system mails failed lately.
    """
    console = Console(highlight=False, emoji=False)
    if overview.progress.status is not CampaignStatus.DRAFT:
        print_progress(console, overview.progress)
    for line in _lines(overview):
        console.print(plain(typed(line)), soft_wrap=True)
    if overview.refusals:
        print_table(console, "Refusals", refusal_table(overview.refusals))
    if not overview.returned.is_nothing:
        console.print(returned_line(overview.returned), soft_wrap=True)
    if overview.acted:
        console.print(acted_line(overview.acted), soft_wrap=True)
    for line in map(_test_line, overview.tests):
        console.print(plain(line), soft_wrap=True)
    if failed_notices:
        why = typed("See why with: mailer notices status")
        console.print(f"System mails failed lately: {failed_notices:,}. {why}", soft_wrap=True)


def print_progress(console: Console, progress: Progress) -> None:
    """The states of a campaign."""
    table = Table()
    table.add_column("state")
    table.add_column("people", justify="right")
    for state, count in progress.states.items():
        table.add_row(state, f"{count:,}", style="dim" if not count else None)
    table.add_section()
    table.add_row("audience", f"{progress.audience:,}", style="bold")
    print_table(console, f"{progress.slug}: {progress.status}", table)


def _lines(overview: Overview) -> Iterator[str]:
    progress = overview.progress
    if overview.way_back is not None:
        yield f"{_NOT_ASKED[progress.asking]} {overview.way_back}"
    if progress.status is CampaignStatus.PAUSED:
        yield f"Paused: {progress.hold_reason or 'no reason given'}"
        if overview.way_back is None:
            yield f"Resume it with: mailer campaigns resume {progress.slug}"
    elif progress.status is CampaignStatus.SCHEDULED and progress.scheduled_at:
        yield f"Starts at {_clock(progress.scheduled_at)}"
    elif progress.hold_reason:
        yield f"Held up: {progress.hold_reason}"
    if overview.called_spam.is_alarm:
        yield f"{_CALLED_SPAM[overview.called_spam.in_1000]}. Find out what these people signed up for"
    if overview.rate.overall is not None:
        yield f"Messages a second: {_rates(overview.rate)}"
    if overview.eta:
        yield f"Done at about {_clock(overview.eta)}"
    if overview.next_retry and overview.give_up_at:
        retry, end = _clock(overview.next_retry), _clock(overview.give_up_at)
        yield f"Deferred mails are tried again from {retry} on, and given up at {end}"
    if progress.states[DeliveryState.UNKNOWN]:
        yield (
            "Unknown mails may or may not have arrived. To send them again (some people may get them twice): "
            f"mailer campaigns resend {progress.slug} --state unknown"
        )
    for seen in overview.workers:
        yield f"Worker {seen.worker} is {seen.state}{_ADVICE[seen.state]}"
    for step in overview.history:
        words = "".join(f": {step.words[language]} ({language})" for language in sorted(step.words)[:1])
        yield f"{step.on}: {step.kind}{words}"


def _rates(rate: Rate) -> str:
    since_start = f"{rate.overall:,} since the start"
    return since_start if rate.last_minute is None else f"{rate.last_minute:,} in the last minute, {since_start}"


def refusal_table(refusals: Sequence[Refusal]) -> Table:
    """What mail servers said no to."""
    table = Table()
    for heading in ("state", "answer", "people", "example"):
        table.add_column(heading, justify="right" if heading == "people" else "left", overflow="fold")
    for refusal in refusals:
        about = "about " if refusal.is_estimate else ""
        table.add_row(refusal.state, refusal.answer, f"{about}{refusal.count:,}", plain(refusal.example or ""))
    return table


def returned_line(returned: Returned) -> str:
    """What came back after a server had taken it."""
    return (
        f"Came back: {in_words(returned.permanent)} because nobody has the address, {in_words(returned.temporary)} for "
        f"another reason, {in_words(returned.undetermined)} without one. Called spam: {in_words(returned.complaints)}. "
        f"Left by mail: {in_words(returned.unsubscribed_by_mail)}."
    )


def acted_line(numbers: Numbers) -> str:
    """How many did what the campaign asks for."""
    words = {ActKind.WROTE: "wrote, as they told us", ActKind.SIGNED: "signed"}
    return f"Acted: {'; '.join(f'{in_words(number)} {words[kind]}' for kind, number in numbers.items())}."


def plain(text: str) -> Text:
    """A server's words, in which nothing is taken for markup or a control code of the terminal."""
    return Text("".join(letter for letter in text if letter.isprintable()))


def _test_line(test: TestMail) -> str:
    when = f" {_settled(test.settled_at)}" if test.settled_at else ""
    why = " ".join(str(part) for part in (test.reason, test.smtp_code, test.smtp_text) if part)
    is_problem = why and test.state is not DeliveryState.SENT
    return f"Test mail {test.delivery}: {test.state}{when}{': ' + why if is_problem else ''}"


def _settled(time: datetime) -> str:
    """When a mail was settled; once its campaign has ended, only the day is kept."""
    is_day = time == time.replace(hour=0, minute=0, second=0, microsecond=0)
    return f"on {time:%Y-%m-%d}" if is_day else f"at {_clock(time)}"


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
