"""Before a campaign is sent: whom it would reach, what is missing, and how it would look."""

from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.campaigns.editions import Reader
from mailer.delivery import inbox, ledger
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.inbox import Seen
from mailer.delivery.ledger import Claimed
from mailer.delivery.recipients import Recipient
from mailer.errors import MailerError
from mailer.locale import countries, languages
from mailer.mail.sender import Sender
from mailer.store.models import Campaign, Delivery, Purpose
from mailer.unions import directory

_SAMPLE_ADDRESS = "alex.reader@example.org"
SAMPLE_NAME = "Alex Reader"


class UnwritableFolder(MailerError):
    """Nothing can be written to {folder}: {problem}. Name another folder with -o."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReader:
    """For whom a campaign is previewed or tested. What is None is not known of them."""

    language: str | None = None
    country: str | None = None
    union: str | None = None  # slug
    has_name: bool = True

    @property
    def recipient(self) -> Recipient:
        """The person that such a mail is composed for."""
        return Recipient(email=_SAMPLE_ADDRESS, name=SAMPLE_NAME if self.has_name else None, subscription_id=None)


def preview(session: Session, campaign: Campaign, reader: SampleReader, sender: Sender, folder: Path) -> list[Path]:
    """Write the mail that a reader would get as .html, .txt and .eml; in each language, if none is given. Who reads a
    language in which there is no text gets another, as in the campaign itself.

    :returns: the files written.
    :raises UnwritableFolder: there is no room, no right to write, or a file of that name.
    :raises directory.UnknownUnion: the reader's union is none that we know.
    :raises countries.UnknownCountry: the reader's country is none that we know.
    :raises languages.InvalidLanguage: the language is none.
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


def look(session: Session, campaign: Campaign, reader: Reader, sender: Sender) -> Seen:
    """The mail that somebody of an audience would get, whatever the campaign's status. Who reads it is invented, and
    the links in it that would be theirs are signed for nobody.

    :raises editions.Unrenderable: the text that they get cannot be rendered.
    :raises inbox.MustNotAppear: a word stands in it that must not.
    :raises message_ids.MessageKeyMissing: no Message-ID can be made.
    """
    composer = CampaignComposer(session, campaign, sender)
    seen = inbox.read(composer.compose(_claimed(*reader), SampleReader().recipient).data)
    inbox.require_sayable(campaign.case, seen)
    return seen


def order_test(session: Session, campaign: Campaign, reader: SampleReader, sender: Sender, address: str) -> Delivery:
    """Owe a test mail of a campaign to an address; it is composed here once, so that an error shows at once.

    :param address: as `addresses.Address.text`.
    :raises inbox.MustNotAppear: a word stands in it that must not.
    :raises languages.InvalidLanguage: the language is none.
    """
    claimed = _sample_delivery(session, reader, languages.normalise(reader.language) if reader.language else None)
    message = CampaignComposer(session, campaign, sender).compose(claimed, reader.recipient)
    inbox.require_sayable(campaign.case, inbox.read(message.data))
    return ledger.add_test(
        session,
        campaign,
        address=address,
        language=claimed.language,
        country=claimed.country,
        union_id=claimed.union_id,
    )


def _languages(campaign: Campaign, wanted: str | None) -> list[str]:
    return sorted(text.language for text in campaign.texts) if wanted is None else [languages.normalise(wanted)]


def _sample_delivery(session: Session, reader: SampleReader, language: str | None) -> Claimed:
    country = countries.parse(reader.country) if reader.country else None
    return _claimed(language, country, directory.get(session, reader.union).id if reader.union else None)


def _claimed(language: str | None, country: str | None, union_id: int | None) -> Claimed:
    return Claimed(
        id=0,
        purpose=Purpose.TEST,
        subscriber_id=None,
        address=None,
        language=language,
        country=country,
        union_id=union_id,
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
