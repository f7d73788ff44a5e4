"""What the demo does with the case of its alert: writing would do harm for a while, those who got the alert are told,
and then it goes on."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from sqlalchemy.orm import Session

from mailer.campaigns import files as campaign_files
from mailer.campaigns import lifecycle, publishing, segments, telling
from mailer.campaigns.segments import Segment
from mailer.cases import files as case_files
from mailer.cli.demo_unions import MAILS
from mailer.cli.demo_waiting import wait_for
from mailer.cli.installation import Installation
from mailer.delivery import control, previews, stopping
from mailer.links import Pages
from mailer.people import lists
from mailer.reports import progress
from mailer.reports.progress import Progress
from mailer.store.db import Sessions
from mailer.store.models import Asking, CampaignStatus, DeliveryState
from mailer.trial import catcher, sample

_ALERT = sample.CAMPAIGN_DIR.name
_AT_HOME = (sample.HOME,)
#: of the mails that are saved, the one whose place is said
_SHOWN = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What each step needs."""

    installation: Installation
    folder: Path  # with the files of the sample
    log: Path  # what the workers say
    console: Console

    def say(self, words: str) -> None:
        """Print a line."""
        self.console.print(words, soft_wrap=True)


# --- before the alert goes out --------------------------------------------------------------------------------------


def load(session: Session, folder: Path, console: Console) -> None:
    """Load the sample case, and say how many people live under the authorities to whom people are to write.

    :param folder: the demo's, with the files of the sample.
    """
    case = case_files.load(session, folder / "cases" / sample.CASE_SLUG)
    console.print(
        f'Loaded case "{case.slug}" in {len(case.texts)} languages: {len(case.persons)} persons. Their families agreed '
        f"today that we speak of them.",
        soft_wrap=True,
    )
    console.print(
        f"{_count(session, Segment(countries=_AT_HOME))} people live in Ondoria, where it may be a crime to write to "
        "its government. They get no alert.",
        soft_wrap=True,
    )


# --- after it went out ----------------------------------------------------------------------------------------------


def show(demo: Demo) -> None:
    """Stop the case, tell those who got the alert, open it again, tell them the news, end an action, and take a text
    down."""
    demo.console.print("\nThe case, after the alert went out", style="italic")
    _show_home(demo)
    _stop(demo)
    _ask_to_stop(demo)
    _reopen(demo)
    _bring_news(demo)
    _close(demo)
    _withdraw(demo)


def _show_home(demo: Demo) -> None:
    with demo.installation.session(read_only=True) as session:
        got = _count(session, Segment(countries=_AT_HOME, got=(_ALERT,)))
    demo.say(f"People in Ondoria who got the alert: {got}.")


def _stop(demo: Demo) -> None:
    began = time.monotonic()
    decided = stopping.stop_case(demo.installation.session, sample.CASE_SLUG, sample.stop_reasons())
    demo.say(
        f'1. Stopped case "{sample.CASE_SLUG}" in {time.monotonic() - began:.2f} s, with a reason in '
        f"{len(decided.shown)} languages. {_what_page_says(demo, _ALERT)}"
    )


def _ask_to_stop(demo: Demo) -> None:
    sent, where = send(demo, sample.STOP_SLUG)
    with demo.installation.session(read_only=True) as session:
        alert = progress.of_campaign(session, lifecycle.get(session, _ALERT))
    demo.say(
        f"2. Asked those who got the alert to stop: it was sent to {alert.states[DeliveryState.SENT]:,}, and "
        f'"{sent.slug}" to {sent.states[DeliveryState.SENT]:,}. {where}'
    )


def _reopen(demo: Demo) -> None:
    with demo.installation.session() as session:
        stopping.reopen_case(session, sample.CASE_SLUG)
    demo.say(f"3. Opened the case again. {_what_page_says(demo, _ALERT)}")


def _bring_news(demo: Demo) -> None:
    sent, where = send(demo, sample.NEWS_SLUG)
    demo.say(f'4. Told the same people the news: sent "{sent.slug}" to {sent.states[DeliveryState.SENT]:,}. {where}')


def _close(demo: Demo) -> None:
    def act(sessions: Sessions, slug: str) -> None:
        with sessions() as session:
            stopping.close(session, lifecycle.get(session, slug))

    _send_and_end(demo, 5, sample.VIGIL_SLUG, act, "closed it as if it were over.")


def _withdraw(demo: Demo) -> None:
    done = "withdrew it. What was mailed cannot be called back."
    _send_and_end(demo, 6, sample.LETTER_SLUG, stopping.withdraw, done)


def _send_and_end(demo: Demo, number: int, slug: str, end: Callable[[Sessions, str], object], done: str) -> None:
    """:param number: of the step; :param done: what is done by `end`."""
    sent, where = send(demo, slug)
    end(demo.installation.session, slug)
    reached = sent.states[DeliveryState.SENT]
    demo.say(f'{number}. Sent "{slug}" to {reached:,}, and {done} {_what_page_says(demo, slug)} {where}')


# --- what the steps share -------------------------------------------------------------------------------------------


def _count(session: Session, segment: Segment) -> int:
    return segments.count(session, lists.get(session, sample.LIST_SLUG).id, segment)


def send(demo: Demo, slug: str, *, is_loaded: bool = False) -> tuple[Progress, str]:
    """Send a campaign of the sample, or one that is there by now.

    :returns: how it went, and in words where its mails can be read.
    :raises TookTooLong: it was not sent in time.
    """
    caught_before = {caught.path for caught in catcher.read(demo.folder / catcher.FOLDER)}
    with demo.installation.session() as session:
        folder = demo.folder / "campaigns" / slug
        campaign = lifecycle.get(session, slug) if is_loaded else campaign_files.load(session, folder)
        subjects = {text.subject: text.language for text in campaign.texts}
        control.start(session, campaign, demo.installation.settings.mail_sender)
    demo.installation.ring(campaign.id)

    def once_sent(session: Session) -> Progress | None:
        found = progress.of_campaign(session, lifecycle.get(session, slug))
        return found if found.status is CampaignStatus.SENT else None

    sent = wait_for(f'the mails of campaign "{slug}"', once_sent, installation=demo.installation, log=demo.log)
    return sent, _save_mails(demo, slug, subjects, caught_before)


def _save_mails(demo: Demo, slug: str, subjects: dict[str, str], caught_before: set[Path]) -> str:
    """Write a campaign's first mail in each language to be read in a browser, and say where.

    :param subjects: of its mails: subject → language.
    :param caught_before: mails that are none of it.
    """
    saved: dict[str, Path] = {}
    for caught in catcher.read(demo.folder / catcher.FOLDER):
        language = None if caught.path in caught_before else subjects.get(str(caught.message["Subject"]))
        if language is not None and language not in saved:
            saved[language] = demo.folder / MAILS / f"{slug}-{language}"
            previews.write_parts(caught.data, saved[language])
        if len(saved) == len(subjects):
            break
    if not saved:
        return "Nobody got it."
    shown = _SHOWN if _SHOWN in saved else min(saved)
    others = ", ".join(sorted({*saved} - {shown}))
    return f"A mail: {saved[shown]}.html{f' (also {others})' if others else ''}"


def _what_page_says(demo: Demo, slug: str) -> str:
    """What the page of a campaign tells readers now."""
    with demo.installation.session(read_only=True) as session:
        try:
            told = telling.of(session, publishing.find(session, slug), "en")
        except publishing.Withdrawn:
            return "Its page says that it was taken down, and nothing else."
    if told.asking is Asking.CLOSED:
        return "Its page says that it has ended, and keeps its text."
    if told.asking is Asking.OPEN:
        return "The alert's page asks people to write, as before."
    return f"The alert's page asks people to write no more: {told.words.text if told.words else 'no reason is given'}"


# --- to look around -------------------------------------------------------------------------------------------------


def pages(installation: Installation) -> Iterator[tuple[str, str]]:
    """Pages that show what was done: what each has, and its address."""
    site = Pages(installation.settings.base_url)
    yield "The case", site.case(sample.CASE_SLUG)
    yield "The alert", site.campaign(_ALERT)
    yield "The news", site.campaign(sample.NEWS_SLUG)
    yield "What has ended", site.campaign(sample.VIGIL_SLUG)
    yield "What was withdrawn", site.campaign(sample.LETTER_SLUG)


def commands() -> Iterator[str]:
    """What can be tried on the case, below `mailer`."""
    yield f"cases show {sample.CASE_SLUG}"
    yield f'cases stop {sample.CASE_SLUG} --why "The families ask for silence."'
    yield f"cases reopen {sample.CASE_SLUG}"
    yield f"campaigns close {_ALERT}"
