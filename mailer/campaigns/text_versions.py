"""Versions of a draft's texts and letters: all that somebody saved, finished or not, until the campaign goes out.

What the campaign says is the latest one of each that could be sent like that, and stands in `CampaignText` and
`LetterText`. While a later one could not, nothing of the campaign is sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session

from mailer.campaigns import editions, letter_files, lifecycle, text_files
from mailer.campaigns.text_names import TextName
from mailer.campaigns.written import LONGEST_BODY, AnyWritten, Fault, WrittenLetter, kind_of, name_of, of_campaign
from mailer.errors import MailerError
from mailer.store.models import Campaign, CampaignStatus, CampaignText, LetterText, TextVersion

#: of what a script saves while somebody types, one version in so long a time is kept
_KEPT_EVERY = timedelta(minutes=1)
#: the line of a text's file on which its body begins
_BODY_LINE = 5


class SavedMeanwhile(MailerError):
    """{file} of campaign "{slug}" was saved by somebody else after you opened it. See both, and save again what you
    want to keep."""


class TooLong(MailerError):
    """{file} of campaign "{slug}" is too long to be saved: a part of it may have {longest} characters."""


class OwnLanguage(MailerError):
    """{file} of campaign "{slug}" is in its own language: what all others are translated from stays."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a text."""

    id: int  # 0 for what a campaign says that nobody has saved here yet
    name: TextName
    written: AnyWritten | None  # none: from here on there was no text
    goes_out: bool
    source_id: int | None
    window: str | None
    turn: int
    account_id: int | None
    saved_at: datetime | None

    @classmethod
    def of(cls, row: TextVersion) -> "Version":
        """As it is stored."""
        name = TextName(row.language, row.role)
        return cls(
            id=row.id,
            name=name,
            written=None if row.written is None else kind_of(name).of_stored(row.written),
            goes_out=row.goes_out,
            source_id=row.source_id,
            window=row.window,
            turn=row.turn,
            account_id=row.account_id,
            saved_at=row.saved_at,
        )


@dataclass(frozen=True, slots=True)
class Saving:
    """Who saves a text, and what they have seen of it."""

    base: int  # the version that they changed
    at: datetime
    account_id: int | None = None  # none: by loading a folder
    window: str | None = None  # the open page, where its script saves
    turn: int = 0  # the how manieth time that page does
    source: int | None = None  # of a translation, the version of the campaign's own text that it was written beside


# --- what there is --------------------------------------------------------------------------------------------------


def latest(session: Session, campaign: Campaign) -> dict[TextName, Version]:
    """The latest version of each text and letter, what others are translated from before these, and the texts first.
    Also of those that were taken out."""
    newest = select(func.max(TextVersion.id)).where(TextVersion.campaign_id == campaign.id)
    by_name = newest.group_by(TextVersion.language, TextVersion.role)
    rows = session.scalars(select(TextVersion).where(TextVersion.id.in_(by_name)))
    # Letters can be corrected once a campaign has started, and nobody keeps versions of that.
    has_started = campaign.started_at is not None
    found = {each.name: each for each in map(Version.of, rows) if not (each.name.role and has_started)}
    for name, written in _said(campaign).items():  # what is as old as this table, or was written by the program
        found.setdefault(name, _elsewhere(name, written))
    return dict(sorted(found.items(), key=lambda each: _order(campaign, each[0])))


def _is_draft(campaign: Campaign) -> bool:
    return campaign.status is CampaignStatus.DRAFT


def _order(campaign: Campaign, name: TextName) -> tuple[int, str, bool, str]:
    """Texts before letters, these as they are asked for, and each kind with that in the campaign's language first."""
    at = campaign.ask.index(name.role) if name.role in campaign.ask else len(campaign.ask)
    return (at + 1 if name.role else 0, name.role or "", name.language != campaign.language, name.language)


def _said(campaign: Campaign) -> dict[TextName, AnyWritten]:
    """What a campaign says, what others are translated from before these."""
    everything: list[CampaignText | LetterText] = [*campaign.texts, *campaign.letters]
    stored = {name_of(each): of_campaign(each) for each in everything}
    return dict(sorted(stored.items(), key=lambda each: _order(campaign, each[0])))


def _elsewhere(name: TextName, written: AnyWritten) -> Version:
    """What was not written at the desk."""
    return Version(0, name, written, True, None, None, 0, None, None)


def latest_of(session: Session, campaign: Campaign, name: TextName) -> Version | None:
    """The latest version of one text."""
    row = session.scalar(select(TextVersion).where(*_of(campaign, name)).order_by(TextVersion.id.desc()).limit(1))
    if row is not None:
        return Version.of(row)
    written = _said(campaign).get(name)
    return _elsewhere(name, written) if written else None


def _of(campaign: Campaign, name: TextName) -> tuple[ColumnElement[bool], ...]:
    """What versions of one text are found by."""
    return (
        TextVersion.campaign_id == campaign.id,
        TextVersion.language == name.language,
        TextVersion.role == name.role if name.role else TextVersion.role.is_(None),
    )


def is_unfinished(session: Session, campaign: Campaign, language: str) -> bool:
    """Whether what was last saved of a draft's text cannot go out like that, so that its mails say something older."""
    found = latest_of(session, campaign, TextName(language)) if _is_draft(campaign) else None
    return found is not None and found.written is not None and not found.goes_out


def history(session: Session, campaign: Campaign, name: TextName, *, most: int = 100) -> list[Version]:
    """The versions of a text, the latest first."""
    found = select(TextVersion).where(*_of(campaign, name)).order_by(TextVersion.id.desc()).limit(most)
    return [Version.of(row) for row in session.scalars(found)]


def get(session: Session, campaign: Campaign, name: TextName, version_id: int) -> Version | None:
    """One version of a text, if it is still there."""
    row = session.scalar(select(TextVersion).where(*_of(campaign, name), TextVersion.id == version_id))
    return Version.of(row) if row else None


# --- saving ---------------------------------------------------------------------------------------------------------


def read(session: Session, campaign: Campaign, name: TextName, written: AnyWritten) -> list[Fault]:
    """Why a text cannot go out as it is written. To be called before the session that saves it: to render a text of
    mails takes longer than others should have to wait."""
    if isinstance(written, WrittenLetter):
        return letter_files.faults(campaign, name, written)
    return text_files.faults(session, campaign, name.language, written)


def save(
    session: Session,
    campaign: Campaign,
    name: TextName,
    written: AnyWritten,
    saving: Saving,
    *,
    goes_out: bool,
    before_change: Callable[[], object] = lambda: None,
) -> Version:
    """Save a text of a draft. What is saved a second time is saved once.

    :param goes_out: whether `read` found nothing; a letter is read once more, since it takes no time, and others may
        have changed meanwhile whether there can be one.
    :param before_change: called first where that would change something; what it raises keeps it from being changed.
    :raises lifecycle.NoDraft: the campaign is none any more.
    :raises SavedMeanwhile: somebody else has saved it since.
    :raises TooLong: nobody could store or read that.
    """
    lifecycle.hold_draft(session, campaign)
    if written.is_too_long:
        raise TooLong(slug=campaign.slug, file=name.file, longest=LONGEST_BODY)
    if name.role:
        goes_out = not read(session, campaign, name, written)
    _keep_all(session, campaign)
    before = latest_of(session, campaign, name)
    if before and before.written == written:
        if before.goes_out != goes_out:
            before_change()
            before = _again(session, campaign, before, goes_out=goes_out)
        return before
    before_change()
    if is_news(campaign, before, saving):
        raise SavedMeanwhile(slug=campaign.slug, file=name.file)
    source_id = before.source_id if before and before.written else None
    row = TextVersion(
        campaign_id=campaign.id,
        language=name.language,
        role=name.role,
        written=written.to_json(),
        goes_out=goes_out,
        source_id=source_id or _source_id(session, campaign, name, saving.source),
        window=saving.window,
        turn=saving.turn,
        account_id=saving.account_id,
        saved_at=saving.at,
    )
    session.add(row)
    session.flush()
    if before:
        _thin_out(session, campaign, row, before.id)
    if goes_out:
        _say(session, campaign, name, written)
    return Version.of(row)


def is_news(campaign: Campaign, before: Version | None, saving: Saving) -> bool:
    """Whether whoever saves has not seen the latest version. An answer that never reached a page tells it of nothing,
    so what the same page has saved before is no news.

    :param before: the latest version.
    """
    if before is None or before.id == saving.base:
        return False
    if saving.base == 0 and before.account_id is None and before.saved_at == campaign.created_at:
        return False  # what the campaign said before; `_keep_all` has given it a number since
    is_own = saving.window and (before.window, before.account_id) == (saving.window, saving.account_id)
    return not is_own or before.turn >= saving.turn  # what was sent before, and arrives late, must not come back


def _again(session: Session, campaign: Campaign, before: Version, *, goes_out: bool) -> Version:
    """Save a text that is saved already: it may go out by now, since there is a union of that name, or no more."""
    row = session.get_one(TextVersion, before.id)
    row.goes_out = goes_out
    session.flush()
    if goes_out and before.written is not None:
        _say(session, campaign, before.name, before.written)
    return Version.of(row)


def _keep_all(session: Session, campaign: Campaign) -> None:
    """Store what a campaign says that was not written at the desk, its own text first: so a translation that is as old
    as that is known to have been made of it."""
    known = select(TextVersion.language, TextVersion.role).where(TextVersion.campaign_id == campaign.id).distinct()
    names = {TextName(*row) for row in session.execute(known)}
    for name, written in _said(campaign).items():
        if name not in names:
            _keep(session, campaign, name, written, at=campaign.created_at)


def _keep(session: Session, campaign: Campaign, name: TextName, written: AnyWritten, *, at: datetime) -> None:
    """Store what a campaign says that was not written at the desk."""
    session.add(
        TextVersion(
            campaign_id=campaign.id,
            language=name.language,
            role=name.role,
            written=written.to_json(),
            goes_out=True,
            source_id=_source_id(session, campaign, name),
            saved_at=at,
        )
    )
    session.flush()


def _source_id(session: Session, campaign: Campaign, name: TextName, seen: int | None = None) -> int | None:
    """The version that a translation is made of which is begun now.

    :param seen: the version that stood beside it, 0 for what the campaign said before anybody saved; by default the
        latest.
    """
    source = name.source(campaign.language)
    if name == source:
        return None
    latest_id = session.scalar(select(func.max(TextVersion.id)).where(*_of(campaign, source)))
    if seen is None:
        return latest_id
    # It may have been thinned out since: then the one before it, so that a change is rather shown once too often.
    of_source = _of(campaign, source)
    seen_id = session.scalar(select(func.max(TextVersion.id)).where(*of_source, TextVersion.id <= seen))
    return seen_id or session.scalar(select(func.min(TextVersion.id)).where(*of_source))


def _thin_out(session: Session, campaign: Campaign, row: TextVersion, before_id: int) -> None:
    """Forget the version before, if the same page saved it on the way, and one that is hardly older is kept."""
    of_text = _of(campaign, TextName(row.language, row.role))
    last = select(TextVersion).where(*of_text, TextVersion.id <= before_id).order_by(TextVersion.id.desc()).limit(2)
    found = list(session.scalars(last))
    if len(found) < 2 or not row.window or any(each.window != row.window for each in found):
        return
    before, earlier = found
    is_on_the_way = before.saved_at - earlier.saved_at < _KEPT_EVERY and row.saved_at - before.saved_at < _KEPT_EVERY
    if is_on_the_way and not session.scalar(select(exists().where(TextVersion.source_id == before.id))):
        session.delete(before)
        session.flush()


def _say(session: Session, campaign: Campaign, name: TextName, written: AnyWritten) -> None:
    """Have a campaign say something."""
    if isinstance(written, WrittenLetter):
        _take_away(campaign, name)
        session.flush()
        campaign.letters.append(letter_files.of_written(name, written))
    else:
        text = next((text for text in campaign.texts if text.language == name.language), None)
        if text is None:
            text = CampaignText(language=name.language)
            campaign.texts.append(text)
        text.subject, text.preheader, text.body = written.subject, written.preheader, written.body
        text.body_line = _BODY_LINE
    editions.discard(session, campaign)
    session.flush()
    if name.role and name == name.source(campaign.language):
        say_letters(session, campaign)


def say_letters(session: Session, campaign: Campaign) -> None:
    """Have a draft say those letters that were finished before they could be: before that which they are translated
    from, or before their role was asked for."""
    for name, version in latest(session, campaign).items():
        is_held = name.role and version.written and not version.goes_out
        if is_held and version.written and not read(session, campaign, name, version.written):
            _again(session, campaign, version, goes_out=True)


def _take_away(campaign: Campaign, name: TextName) -> None:
    """Have a campaign not say something any more."""
    kept: list[Any] = campaign.letters if name.role else campaign.texts
    if said := next((each for each in kept if name_of(each) == name), None):
        kept.remove(said)


def take_out(
    session: Session,
    campaign: Campaign,
    name: TextName,
    saving: Saving,
    *,
    before_change: Callable[[], object] = lambda: None,
) -> None:
    """Have a draft not have a text any more. What was written stays among its versions.

    :param before_change: as for `save`.
    :raises lifecycle.NoDraft: the campaign is none any more.
    :raises SavedMeanwhile: somebody else has saved it since.
    :raises OwnLanguage: it is the one that others are translated from.
    """
    lifecycle.hold_draft(session, campaign)
    if not can_be_taken_out(campaign, name, latest(session, campaign)):
        raise OwnLanguage(slug=campaign.slug, file=name.file)
    _keep_all(session, campaign)
    before = latest_of(session, campaign, name)
    if before is None or before.written is None:
        return
    before_change()
    if is_news(campaign, before, saving):
        raise SavedMeanwhile(slug=campaign.slug, file=name.file)
    _take_out(session, campaign, name, saving)
    _take_away(campaign, name)
    editions.discard(session, campaign)
    session.flush()


def can_be_taken_out(campaign: Campaign, name: TextName, versions: Mapping[TextName, Version]) -> bool:
    """Whether a campaign can do without a text: not without its own, nor without a letter that is translated.

    :param versions: as `latest` gives them.
    """
    if name != name.source(campaign.language):
        return True
    written = [each for each, version in versions.items() if version.written is not None and each.role == name.role]
    return name.role is not None and written == [name]


def _take_out(session: Session, campaign: Campaign, name: TextName, saving: Saving) -> None:
    session.add(
        TextVersion(
            campaign_id=campaign.id,
            language=name.language,
            role=name.role,
            written=None,
            goes_out=True,
            account_id=saving.account_id,
            saved_at=saving.at,
        )
    )
    session.flush()


def follow(session: Session, campaign: Campaign, at: datetime) -> None:
    """Keep as versions what a draft says since it was loaded from its folder."""
    known = {name: version for name, version in latest(session, campaign).items() if version.id}
    said = _said(campaign)
    for name, written in said.items():  # what others are translated from first
        before = known.get(name)
        if before is None or not before.goes_out or not _is_same(name, before.written, written):
            _keep(session, campaign, name, written, at=at)
    for name in known.keys() - said.keys():
        if known[name].written is not None:
            _take_out(session, campaign, name, Saving(base=0, at=at))


def _is_same(name: TextName, before: AnyWritten | None, after: AnyWritten) -> bool:
    """Whether two versions say the same, as far as it goes out."""
    if isinstance(before, WrittenLetter) and isinstance(after, WrittenLetter):
        return letter_files.is_same(name, before, after)
    return before == after


# --- translations ---------------------------------------------------------------------------------------------------


def compare(session: Session, campaign: Campaign, name: TextName, seen: int) -> bool:
    """Note that a translation says what a version of its source does.

    :param seen: that version; where it was thinned out since, the one before it counts.
    :returns: whether that was not known before.
    :raises lifecycle.NoDraft: the campaign is none any more.
    """
    lifecycle.hold_draft(session, campaign)
    translation = latest_of(session, campaign, name)
    if translation is None or not translation.id:
        return False
    row = session.get_one(TextVersion, translation.id)
    before, row.source_id = row.source_id, _source_id(session, campaign, name, seen)
    session.flush()
    return row.source_id != before


# --- forgetting -----------------------------------------------------------------------------------------------------


def forget(session: Session) -> None:
    """Delete the versions of campaigns that are no drafts any more, and will be none again."""
    drafts = select(Campaign.id).where(Campaign.status.in_(_MAY_BE_DRAFTS), Campaign.started_at.is_(None))
    session.execute(delete(TextVersion).where(TextVersion.campaign_id.not_in(drafts)))


#: what is a draft, or can be made one again
_MAY_BE_DRAFTS = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED)
