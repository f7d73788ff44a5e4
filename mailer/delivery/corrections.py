"""Corrections: the letters of a campaign that may be going out already. Its texts and its audience stay as they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.campaigns import asking, editions, gate, letter_files, lifecycle, text_versions
from mailer.campaigns.text_names import TextName
from mailer.cases import history
from mailer.cases.never import Never
from mailer.delivery.stopping import IsWithdrawn
from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.store import slugs
from mailer.store.db import utcnow
from mailer.store.models import Asking, Campaign, CampaignStatus, CaseEventKind, LetterText


class StillADraft(MailerError):
    """Campaign "{slug}" is a draft, so its whole folder can be loaded: mailer campaigns load FOLDER"""


class NoLetters(MailerError):
    """There is no letter in {folder}, such as letter-embassy.en.md. Name the folder that holds the corrected ones, with
    those that stay as they are."""


class MustNotAppear(MailerError):
    """{places}: a word stands there that must not appear, as the case's `never` says. Take it out."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of a campaign's letters."""

    campaign: Campaign
    files: tuple[str, ...]  # the names of those that are new, changed or gone


def correct_letters(session: Session, folder: Path, sender: Sender) -> Corrected:
    """Replace all letters of a campaign by those in its folder, of which nothing else is read.

    Pages show them from then on, and so do mails that go out later. Once the campaign has started, its history keeps
    that they were changed.

    :raises lifecycle.UnknownCampaign: no campaign has the folder's name.
    :raises StillADraft: it is loaded as a whole.
    :raises IsWithdrawn: it was taken down.
    :raises NoLetters: there are none in the folder.
    :raises InvalidFile: with the file and line of what is wrong.
    :raises TextFieldError: likewise.
    :raises MustNotAppear: the case forbids a word of them.
    :raises editions.Unrenderable: a mail gets too long with them.
    """
    folder = folder.resolve()
    campaign = lifecycle.get(session, slugs.check(folder.name))
    gate.hold(session, campaign)
    session.get_one(Campaign, campaign.id, with_for_update=True, populate_existing=True)
    if campaign.status is CampaignStatus.DRAFT:
        raise StillADraft(slug=campaign.slug)
    if asking.of(campaign) is Asking.WITHDRAWN:
        raise IsWithdrawn(slug=campaign.slug)
    paths = letter_files.divide(folder).letters
    if not paths:
        raise NoLetters(folder=folder)
    never = campaign.case.never if campaign.case else ()
    read = letter_files.read(paths, kind=campaign.kind, ask=campaign.ask, language=campaign.language, never=never)
    if places := [place for letter in read for place in gate.places_in(letter, Never(never))]:
        raise MustNotAppear(places=", ".join(places))
    files = tuple(_changed(campaign.letters, read))
    if files:
        campaign.letters.clear()
        session.flush()
        campaign.letters.extend(read)
        session.flush()
        editions.try_out(session, campaign)
        if campaign.started_at is None:
            text_versions.follow(session, campaign, utcnow())
        if campaign.started_at is not None:
            editions.freeze_letters(session, campaign, sender)
            words = {"en": ", ".join(files)}
            history.add(session, CaseEventKind.CORRECTED, words, case_id=campaign.case_id, campaign_id=campaign.id)
    return Corrected(campaign, files)


def _changed(before: Iterable[LetterText], after: Iterable[LetterText]) -> list[str]:
    old, new = _by_file(before), _by_file(after)
    return sorted(file for file in old.keys() | new.keys() if old.get(file) != new.get(file))


def _by_file(stored: Iterable[LetterText]) -> dict[str, tuple[object, ...]]:
    return {
        TextName(each.language, each.role).file: (
            each.subjects,
            each.openings,
            each.closings,
            each.rules,
            each.body,
        )
        for each in stored
    }
