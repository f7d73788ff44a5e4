"""Versions of a draft's texts: every text that somebody saved, finished or not, until the campaign goes out.

What the campaign says is the latest one of each language that could be sent like that, and stands in `CampaignText`.
While a later one could not, nothing of the campaign is sent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from mailer.campaigns import editions, lifecycle, text_files
from mailer.campaigns.text_files import Fault
from mailer.cases.findings import Finding, Level
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.store.models import Campaign, CampaignStatus, CampaignText, TextVersion

#: of what a script saves while somebody types, one version in so long a time is kept
_KEPT_EVERY = timedelta(minutes=1)
#: the line of a text's file on which its body begins
_BODY_LINE = 5
#: characters of a text's parts: more than any mail has room for
LONGEST_LINE = 1_000
LONGEST_BODY = 50_000


class SavedMeanwhile(MailerError):
    """The text of campaign "{slug}" in {language} was saved by somebody else after you opened it. See both, and save
    again what you want to keep."""


class TooLong(MailerError):
    """The text of campaign "{slug}" in {language} is too long to be saved: it may have {longest} characters."""


class OwnLanguage(MailerError):
    """{language} is the language of campaign "{slug}" itself: the text that all others are translated from stays."""


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote in one language."""

    subject: str = ""
    preheader: str = ""
    body: str = ""

    @classmethod
    def of(cls, subject: str, preheader: str, body: str) -> "Written":
        """As it was typed, without what nobody sees."""
        line_ends = body.replace("\r\n", "\n").replace("\r", "\n").rstrip()
        return cls(" ".join(subject.split()), " ".join(preheader.split()), f"{line_ends}\n" if line_ends else "")

    @classmethod
    def of_text(cls, text: CampaignText) -> "Written":
        """What a campaign says."""
        return cls.of(text.subject, text.preheader, text.body)

    @property
    def front(self) -> dict[str, str]:
        """What stands above the Markdown of its file."""
        return {"subject": self.subject, "preheader": self.preheader}

    @property
    def file(self) -> str:
        """As it stands in a campaign's folder."""
        return written_files.article_text(self.front, self.body)

    def to_json(self) -> dict[str, str]:
        """As it is stored."""
        return {**self.front, "body": self.body}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a text."""

    id: int  # 0 for what a campaign says that nobody has saved here yet
    language: str
    written: Written | None  # none: from here on there was no text
    goes_out: bool
    source_id: int | None
    window: str | None
    turn: int
    account_id: int | None
    saved_at: datetime | None

    @classmethod
    def of(cls, row: TextVersion) -> "Version":
        """As it is stored."""
        written = None if row.written is None else Written(**row.written)
        return cls(
            id=row.id,
            language=row.language,
            written=written,
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


def latest(session: Session, campaign: Campaign) -> dict[str, Version]:
    """Language → the latest version of its text, the campaign's own first. Also of languages that were taken out."""
    newest = select(func.max(TextVersion.id)).where(TextVersion.campaign_id == campaign.id)
    rows = session.scalars(select(TextVersion).where(TextVersion.id.in_(newest.group_by(TextVersion.language))))
    found = {row.language: Version.of(row) for row in rows}
    for text in campaign.texts:  # what is as old as this table, or was written by the program
        found.setdefault(text.language, _unsaved(text))
    return dict(sorted(found.items(), key=lambda each: (each[0] != campaign.language, each[0])))


def _unsaved(text: CampaignText) -> Version:
    return _elsewhere(text.language, Written.of_text(text))


def _elsewhere(language: str, written: Written) -> Version:
    """A text that was not written at the desk."""
    return Version(0, language, written, True, None, None, 0, None, None)


def latest_of(session: Session, campaign: Campaign, language: str) -> Version | None:
    """The latest version of one text."""
    of_text = (TextVersion.campaign_id == campaign.id, TextVersion.language == language)
    row = session.scalar(select(TextVersion).where(*of_text).order_by(TextVersion.id.desc()).limit(1))
    if row is not None:
        return Version.of(row)
    text = _text(campaign, language)
    return _unsaved(text) if text else None


def is_unfinished(session: Session, campaign: Campaign, language: str) -> bool:
    """Whether what was last saved of a draft's text cannot go out like that, so that its mails say something older."""
    found = latest_of(session, campaign, language) if campaign.status is CampaignStatus.DRAFT else None
    return found is not None and found.written is not None and not found.goes_out


def history(session: Session, campaign: Campaign, language: str, *, most: int = 100) -> list[Version]:
    """The versions of a text, the latest first."""
    of_text = (TextVersion.campaign_id == campaign.id, TextVersion.language == language)
    rows = session.scalars(select(TextVersion).where(*of_text).order_by(TextVersion.id.desc()).limit(most))
    return [Version.of(row) for row in rows]


def get(session: Session, campaign: Campaign, language: str, version_id: int) -> Version | None:
    """One version of a text, if it is still there."""
    row = session.get(TextVersion, version_id)
    return Version.of(row) if row and (row.campaign_id, row.language) == (campaign.id, language) else None


def _text(campaign: Campaign, language: str) -> CampaignText | None:
    return next((text for text in campaign.texts if text.language == language), None)


# --- saving ---------------------------------------------------------------------------------------------------------


def read(session: Session, campaign: Campaign, language: str, written: Written) -> list[Fault]:
    """Why a text cannot go out as it is written. To be called before the session that saves it: to render a text takes
    longer than others should have to wait."""
    return text_files.faults(session, campaign, language, written.front, written.body)


def save(
    session: Session,
    campaign: Campaign,
    language: str,
    written: Written,
    saving: Saving,
    *,
    goes_out: bool,
    before_change: Callable[[], object] = lambda: None,
) -> Version:
    """Save a text of a draft. What is saved a second time is saved once.

    :param goes_out: whether `read` found nothing.
    :param before_change: called first where that would change something; what it raises keeps it from being changed.
    :raises lifecycle.NoDraft: the campaign is none any more.
    :raises SavedMeanwhile: somebody else has saved it since.
    :raises TooLong: nobody could store or read that.
    """
    lifecycle.hold_draft(session, campaign)
    if len(written.body) > LONGEST_BODY or max(map(len, written.front.values())) > LONGEST_LINE:
        raise TooLong(slug=campaign.slug, language=language, longest=LONGEST_BODY)
    _keep_all(session, campaign)
    before = latest_of(session, campaign, language)
    if before and before.written == written:
        if before.goes_out != goes_out:
            before_change()
            before = _again(session, campaign, before, goes_out=goes_out)
        return before
    before_change()
    if is_news(campaign, before, saving):
        raise SavedMeanwhile(slug=campaign.slug, language=language)
    source_id = before.source_id if before and before.written else None
    row = TextVersion(
        campaign_id=campaign.id,
        language=language,
        written=written.to_json(),
        goes_out=goes_out,
        source_id=source_id or _source_id(session, campaign, language, saving.source),
        window=saving.window,
        turn=saving.turn,
        account_id=saving.account_id,
        saved_at=saving.at,
    )
    session.add(row)
    session.flush()
    if before:
        _thin_out(session, row, before.id)
    if goes_out:
        _say(session, campaign, language, written)
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
        _say(session, campaign, before.language, before.written)
    return Version.of(row)


def _keep_all(session: Session, campaign: Campaign) -> None:
    """Store what a campaign says that was not written at the desk, its own text first: so a translation that is as old
    as that is known to have been made of it."""
    of_campaign = select(TextVersion.language).where(TextVersion.campaign_id == campaign.id)
    known = set(session.scalars(of_campaign.distinct()))
    for text in sorted(campaign.texts, key=lambda each: each.language != campaign.language):
        if text.language not in known:
            _keep(session, campaign, _unsaved(text), at=campaign.created_at)


def _keep(session: Session, campaign: Campaign, version: Version, *, at: datetime) -> Version:
    """Store what a campaign says that was not written at the desk."""
    row = TextVersion(
        campaign_id=campaign.id,
        language=version.language,
        written=version.written.to_json() if version.written else None,
        goes_out=version.goes_out,
        source_id=_source_id(session, campaign, version.language),
        saved_at=at,
    )
    session.add(row)
    session.flush()
    return Version.of(row)


def _source_id(session: Session, campaign: Campaign, language: str, seen: int | None = None) -> int | None:
    """The version that a translation is made of which is begun now.

    :param seen: the version that stood beside it, 0 for what the campaign said before anybody saved; by default the
        latest.
    """
    if language == campaign.language:
        return None
    of_source = (TextVersion.campaign_id == campaign.id, TextVersion.language == campaign.language)
    latest_id = session.scalar(select(func.max(TextVersion.id)).where(*of_source))
    if seen is None:
        return latest_id
    # It may have been thinned out since: then the one before it, so that a change is rather shown once too often.
    seen_id = session.scalar(select(func.max(TextVersion.id)).where(*of_source, TextVersion.id <= seen))
    return seen_id or session.scalar(select(func.min(TextVersion.id)).where(*of_source))


def _thin_out(session: Session, row: TextVersion, before_id: int) -> None:
    """Forget the version before, if the same page saved it on the way, and one that is hardly older is kept."""
    of_text = (TextVersion.campaign_id == row.campaign_id, TextVersion.language == row.language)
    last = select(TextVersion).where(*of_text, TextVersion.id <= before_id).order_by(TextVersion.id.desc()).limit(2)
    found = list(session.scalars(last))
    if len(found) < 2 or not row.window or any(each.window != row.window for each in found):
        return
    before, earlier = found
    is_on_the_way = before.saved_at - earlier.saved_at < _KEPT_EVERY and row.saved_at - before.saved_at < _KEPT_EVERY
    if is_on_the_way and not session.scalar(select(exists().where(TextVersion.source_id == before.id))):
        session.delete(before)
        session.flush()


def _say(session: Session, campaign: Campaign, language: str, written: Written) -> None:
    """Have a campaign say something."""
    text = _text(campaign, language)
    if text is None:
        text = CampaignText(language=language)
        campaign.texts.append(text)
    text.subject, text.preheader, text.body = written.subject, written.preheader, written.body
    text.body_line = _BODY_LINE
    editions.discard(session, campaign)
    session.flush()


def take_out(
    session: Session,
    campaign: Campaign,
    language: str,
    saving: Saving,
    *,
    before_change: Callable[[], object] = lambda: None,
) -> None:
    """Have a draft have no text in a language any more. What was written stays among its versions.

    :param before_change: as for `save`.
    :raises lifecycle.NoDraft: the campaign is none any more.
    :raises SavedMeanwhile: somebody else has saved it since.
    :raises OwnLanguage: it is the one that the others are translated from.
    """
    lifecycle.hold_draft(session, campaign)
    if language == campaign.language:
        raise OwnLanguage(slug=campaign.slug, language=language)
    _keep_all(session, campaign)
    before = latest_of(session, campaign, language)
    if before is None or before.written is None:
        return
    before_change()
    if is_news(campaign, before, saving):
        raise SavedMeanwhile(slug=campaign.slug, language=language)
    _take_out(session, campaign, language, saving)
    if text := _text(campaign, language):
        campaign.texts.remove(text)
    editions.discard(session, campaign)
    session.flush()


def _take_out(session: Session, campaign: Campaign, language: str, saving: Saving) -> None:
    session.add(
        TextVersion(
            campaign_id=campaign.id,
            language=language,
            written=None,
            goes_out=True,
            account_id=saving.account_id,
            saved_at=saving.at,
        )
    )
    session.flush()


def follow(session: Session, campaign: Campaign, at: datetime) -> None:
    """Keep as versions what a draft says since it was loaded from its folder."""
    known = {language: version for language, version in latest(session, campaign).items() if version.id}
    texts = {text.language: Written.of_text(text) for text in campaign.texts}
    saving = Saving(base=0, at=at)
    for language in sorted(texts, key=lambda each: each != campaign.language):  # the source of the others first
        before = known.get(language)
        if before is None or before.written != texts[language] or not before.goes_out:
            _keep(session, campaign, _elsewhere(language, texts[language]), at=at)
    for language in known.keys() - texts.keys():
        if known[language].written is not None:
            _take_out(session, campaign, language, saving)


# --- translations ---------------------------------------------------------------------------------------------------


def is_outdated(translation: Version, source: Version | None, compared: Mapping[int, Written]) -> bool:
    """Whether the campaign's own text has changed since a translation was last compared with it.

    :param source: the latest version of that text.
    :param compared: as `sources_of` gives it.
    """
    if translation.source_id is None or translation.written is None or source is None or source.written is None:
        return False
    before = compared.get(translation.source_id)
    return before is not None and before != source.written


def sources_of(session: Session, versions: Mapping[str, Version]) -> dict[int, Written]:
    """Version → what it said, of those that translations were last compared with."""
    wanted = {each.source_id for each in versions.values() if each.source_id}
    rows = session.scalars(select(TextVersion).where(TextVersion.id.in_(sorted(wanted))))
    return {row.id: Written(**row.written) for row in rows if row.written is not None}


def compare(session: Session, campaign: Campaign, language: str, seen: int) -> bool:
    """Note that a translation says what a version of the campaign's own text does.

    :param seen: that version; where it was thinned out since, the one before it counts.
    :returns: whether that was not known before.
    :raises lifecycle.NoDraft: the campaign is none any more.
    """
    lifecycle.hold_draft(session, campaign)
    translation = latest_of(session, campaign, language)
    if translation is None or not translation.id:
        return False
    row = session.get_one(TextVersion, translation.id)
    before, row.source_id = row.source_id, _source_id(session, campaign, language, seen)
    session.flush()
    return row.source_id != before


# --- what stands against sending ------------------------------------------------------------------------------------

_MEND = "Open the text at the desk and mend it, or load the campaign again from its folder."
_COMPARE = "Compare the two at the desk, and say there that it is up to date."


def findings(session: Session, campaign: Campaign) -> Iterator[Finding]:
    """Texts of a draft that were saved and cannot go out like that, and translations of what has changed since."""
    if campaign.status is not CampaignStatus.DRAFT:
        return
    versions = latest(session, campaign)
    source, compared = versions.get(campaign.language), sources_of(session, versions)
    for language, version in versions.items():
        if version.written is not None and not version.goes_out:
            yield _unfinished(session, campaign, language, version.written)
        elif is_outdated(version, source, compared):
            what = "the campaign's own text has changed since this translation was compared with it"
            yield Finding(Level.WARNING, "translation-outdated", f"{language}.md", what, _COMPARE)


def _unfinished(session: Session, campaign: Campaign, language: str, written: Written) -> Finding:
    found = read(session, campaign, language, written)
    if not found:
        what = "it was saved when it could not be sent, and can be now. Save it again"
        return Finding(Level.ERROR, "text-unfinished", f"{language}.md", what, _MEND)
    first = found[0]
    line = first.error.fields.get("line", 1)
    return Finding(Level.ERROR, "text-unfinished", f"{language}.md:{line}", first.problem.rstrip("."), _MEND)


# --- forgetting -----------------------------------------------------------------------------------------------------


def forget(session: Session) -> None:
    """Delete the versions of campaigns that are no drafts any more, and will be none again."""
    drafts = select(Campaign.id).where(Campaign.status.in_(_MAY_BE_DRAFTS), Campaign.started_at.is_(None))
    session.execute(delete(TextVersion).where(TextVersion.campaign_id.not_in(drafts)))


#: what is a draft, or can be made one again
_MAY_BE_DRAFTS = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED)
