"""Before a campaign is sent: whom it would reach, what is missing, and how it would look."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import campaigns, countries, db, delivery, editions, gaps, languages, segments, unions
from mailer.campaigns import Targets
from mailer.composing import CampaignComposer
from mailer.delivery import Claimed
from mailer.errors import MailerError
from mailer.identity import Sender
from mailer.models import Campaign, Delivery, Purpose
from mailer.recipients import Recipient

_SAMPLE_ADDRESS, _SAMPLE_NAME = "alex.reader@example.org", "Alex Reader"


class UnwritableFolder(MailerError):
    """Nothing can be written to {folder}: {problem}. Name another folder with -o."""


class NoText(MailerError):
    """Campaign "{slug}" has no text in {language}. It has texts in: {known}"""


@dataclass(frozen=True, slots=True)
class Check:
    """What an organiser should know before sending."""

    audience: int
    by_text: Mapping[str, int]  # language of the text they would get → people
    without_text: Mapping[str, int]  # language that has no text → people, who get the campaign's own
    without_target: tuple[str, ...]  # countries of the audience that have no target of their own, in English
    without_country: int  # people who did not say where they live, so that no target is their own
    has_fallback: bool  # whether those are asked to write to somebody all the same
    gaps: gaps.Gaps  # what the texts print, and some of the audience have nothing for
    is_overdue: bool  # whether the deadline has passed, so that it cannot be sent any more
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom a campaign is previewed or tested. What is None is not known of them."""

    language: str | None = None
    country: str | None = None
    union: str | None = None  # slug
    has_name: bool = True

    @property
    def recipient(self) -> Recipient:
        """The person that such a mail is composed for."""
        return Recipient(email=_SAMPLE_ADDRESS, name=_SAMPLE_NAME if self.has_name else None, subscription_id=None)


def check(session: Session, campaign: Campaign) -> Check:
    """Count the audience and find what its texts and targets leave out."""
    tally = segments.tally(session, campaign.list_id, campaigns.segment_of(campaign))
    grouped = select(tally.c.language, tally.c.country, func.sum(tally.c.people))
    targets, texts = Targets.of(campaign), editions.Texts(campaign)
    by_text: Counter[str] = Counter()
    without_text: Counter[str] = Counter()
    by_country: Counter[str | None] = Counter()
    for language, country, people in session.execute(grouped.group_by(tally.c.language, tally.c.country)):
        text = texts.for_language(language).language
        by_text[text] += int(people)
        by_country[country] += int(people)
        if language and text.partition("-")[0] != language.partition("-")[0]:
            without_text[language] += int(people)
    missing = [code for code in by_country if code and not targets.has_own(code)]
    return Check(
        audience=sum(by_text.values()),
        by_text=by_text,
        without_text=without_text,
        without_target=tuple(sorted(countries.name(code, "en") for code in missing)),
        without_country=by_country[None],
        has_fallback=targets.fallback is not None,
        gaps=gaps.find(session, campaign),
        is_overdue=campaigns.is_overdue(campaign, db.now(session)),
        warnings=tuple(editions.try_out(session, campaign)),
    )


def preview(session: Session, campaign: Campaign, reader: Reader, sender: Sender, folder: Path) -> list[Path]:
    """Write the mail that a reader would get as .html, .txt and .eml; in each language, if none is given.

    :returns: the files written.
    :raises NoText: the campaign has no text in the language asked for.
    :raises UnwritableFolder: there is no room, no right to write, or a file of that name.
    :raises unions.UnknownUnion: or `countries.UnknownCountry`.
    """
    composer = CampaignComposer(session, campaign, sender)
    messages = {
        language: composer.compose(_sample_delivery(session, reader, language), reader.recipient).data
        for language in _languages(campaign, reader.language)
    }
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for language, data in messages.items():
            written += write_parts(data, folder / f"{campaign.slug}.{language}")
    except OSError as problem:
        raise UnwritableFolder(folder=folder, problem=problem.strerror or problem) from None
    return written


def order_test(session: Session, campaign: Campaign, reader: Reader, sender: Sender, address: str) -> Delivery:
    """Owe a test mail of a campaign to an address; it is composed here once, so that an error shows at once.

    :param address: as `addresses.Address.text`.
    :raises NoText: the campaign has no text in the language asked for.
    """
    language = _languages(campaign, reader.language)[0] if reader.language else None
    claimed = _sample_delivery(session, reader, language)
    CampaignComposer(session, campaign, sender).compose(claimed, reader.recipient)
    return delivery.add_test(
        session,
        campaign,
        address=address,
        language=claimed.language,
        country=claimed.country,
        union_id=claimed.union_id,
    )


def _languages(campaign: Campaign, wanted: str | None) -> list[str]:
    known = sorted(text.language for text in campaign.texts)
    if wanted is None:
        return known
    language = languages.normalise(wanted)
    if language not in known:
        raise NoText(slug=campaign.slug, language=language, known=", ".join(known))
    return [language]


def _sample_delivery(session: Session, reader: Reader, language: str | None) -> Claimed:
    return Claimed(
        id=0,
        purpose=Purpose.TEST,
        subscriber_id=None,
        address=None,
        language=language,
        country=countries.parse(reader.country) if reader.country else None,
        union_id=unions.get(session, reader.union).id if reader.union else None,
        attempts=0,
    )


def write_parts(data: bytes, stem: Path) -> list[Path]:
    """Write a message as it goes out, and its two parts as a mail program would show them.

    :param stem: the path of the files without their suffixes .eml, .html and .txt.
    :returns: the files, in this order.
    """
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(data)
    contents = {".eml": data}
    for suffix, kind in ((".html", "html"), (".txt", "plain")):
        part = message.get_body(preferencelist=(kind,))
        contents[suffix] = part.get_content().encode() if part is not None else b""
    files: list[Path] = []
    for suffix, content in contents.items():
        file = stem.with_name(stem.name + suffix)
        file.write_bytes(content)
        files.append(file)
    return files
