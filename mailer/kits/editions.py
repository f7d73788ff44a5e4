"""The relay edition: a campaign as a union passes it on to its members, in which nothing belongs to one person.

It is for a reader of whom nothing is known but what is known of the union. No name: its default stands. The union's
country, and the target for it. The union's name, unless it asked not to be named. Where a text prints something that
has neither value nor default, "…" stands, as on the web: whoever forwards it sees where to fill something in.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.orm import Session

from mailer.campaigns import kinds
from mailer.campaigns.editions import EditionKey, EditionRenderer, Reader
from mailer.campaigns.letters import number_for
from mailer.cases.never import Never
from mailer.cases.targets import NOBODY, Target, Targets
from mailer.errors import MailerError
from mailer.formats.paper import sheets
from mailer.formats.paper.sheets import Sheet, UnprintableLanguage
from mailer.kits.messages import letter_file, medium, short, text_file
from mailer.kits.wording import Forwarder, KitText, addressee, capitalised, is_salutation, names_target, one_line
from mailer.links import Pages
from mailer.locale import countries, languages, translations
from mailer.mail import draft, html_words, markdown, plain_text
from mailer.mail.markers import Markers
from mailer.mail.merge import fill
from mailer.mail.render import ForwardedBy, printable
from mailer.mail.sender import Sender
from mailer.mail.types import Pieces
from mailer.store.models import Campaign

_BLANK = "…"


class MustNotAppear(MailerError):
    """A word stands in {place} that must not appear, as the case's `never` says. {remedy}"""


class _Letters(NamedTuple):
    values: Mapping[str, str]  # of an edition's fields
    first: Target | None  # to whom one writes first
    files: Mapping[str, str]  # name → text


class KitEditions:
    """Makes what kits hold of one campaign. Holds no session: what it needs is read when it is made."""

    def __init__(self, session: Session, campaign: Campaign, sender: Sender) -> None:
        self._renderer = EditionRenderer(session, campaign, sender)
        self._targets = Targets.stored(campaign.targets)
        self._campaign = campaign
        self._kind = kinds.of(campaign)
        self._is_stop = campaign.kind == kinds.STOP
        self._sender = sender
        self._never = Never(campaign.case.never if campaign.case else ())
        self.languages: list[str] = self._renderer.languages

    def letters_for(self, forwarder: Forwarder) -> str | None:
        """A digest of what a kit has its readers write, and to whom; None if its campaign asks for no role."""
        correspondence = self._renderer.correspondence
        return correspondence.state(forwarder.country) if correspondence else None

    def files(self, forwarder: Forwarder, language: str) -> dict[str, bytes]:
        """The files of a kit in one language, by name.

        A language that our fonts have no letters for lacks what is on paper: leaflet.pdf and picture.png.

        :param language: one of `languages`.
        :raises editions.Unrenderable: the campaign's text, with what the union adds, cannot be made into a mail.
        :raises MustNotAppear: a word would be passed on that must not appear.
        """
        kit_text = self.text(forwarder, language)
        mail = draft.write(subject=kit_text.title, text=kit_text.text, html=kit_text.html, language=kit_text.language)
        return {
            "mail.eml": mail,
            "mail.html": kit_text.html.encode("utf-8", "replace"),
            "mail.txt": text_file(kit_text.text),
            "messenger-short.txt": text_file(short(kit_text)),
            "messenger-medium.txt": text_file(medium(kit_text, self._sender.organisation)),
            **{name: text_file(text) for name, text in kit_text.letters.items()},
            **self.on_paper(kit_text, forwarder),
        }

    def text(self, forwarder: Forwarder, language: str) -> KitText:
        """The words that all files of a kit are made of.

        :raises editions.Unrenderable: as `files`.
        :raises MustNotAppear: as `files`.
        """
        self._require_sayable(forwarder, language)
        kit_text = self._relay(forwarder, language)
        said = (kit_text.title, kit_text.lead, kit_text.text, *_said(kit_text.html), *kit_text.letters.values())
        if self._never.holds(*said):
            raise MustNotAppear(place="the campaign's text", remedy=_CANCEL)
        return kit_text

    def _require_sayable(self, forwarder: Forwarder, language: str) -> None:
        """What a union adds is looked at first, so that the place is named in which it can be changed."""
        if self._never.holds("\n\n".join(forwarder.introduction(language))):
            raise MustNotAppear(place=f"the union's own words in {language}", remedy=_CHANGE_WORDS)
        if self._never.holds(forwarder.name or "", forwarder.slug or ""):
            raise MustNotAppear(place="the union's name", remedy=_LEAVE_UNNAMED)

    def _relay(self, forwarder: Forwarder, language: str) -> KitText:
        key = self._renderer.choose(Reader(language, forwarder.country, forwarder.union_id if forwarder.name else None))
        target = self._targets.for_country(forwarder.country)
        written = self._letters(key, forwarder)
        deadline = self._renderer.deadline(language, forwarder.country)
        values = {
            "country": countries.name(forwarder.country, language) if forwarder.country else "",
            "union": forwarder.name or "",
            "deadline": deadline or "",
            **(target.values if target else {}),
            **written.values,
        }
        empty = (target or NOBODY).empty_fields
        join_url = self._join_url(forwarder, language)
        name = one_line(forwarder.name) if forwarder.name else None
        _ = translations.gettext_for(language)
        rendering = self._renderer.render(
            key, forwarded_by=ForwardedBy(name, forwarder.introduction(language), join_url), empty=empty
        )
        return KitText(
            language=language,
            title=one_line(fill(rendering.subject, values, blank=_BLANK)),
            lead=one_line(fill(self._renderer.wording(key)[1], values, blank=_BLANK)),
            html=fill(rendering.html, values, blank=_BLANK),
            text="\n".join(map(plain_text.folded, fill(rendering.text, values, blank=_BLANK).split("\n"))),
            prose=tuple(fill(paragraph, values, blank=_BLANK) for paragraph in self._prose(key, empty)),
            call=_("Act by {date}").format(date=deadline) if deadline else None,
            stop=_(self._kind.heading) if self._is_stop else None,
            target=target or written.first,
            letters=written.files,
            web_url=self._renderer.web_url(language),
            join_url=join_url,
        )

    def _letters(self, key: EditionKey, forwarder: Forwarder) -> "_Letters":
        """What its readers write, of whom only the country of their union is known. The wording of one that is not
        named is that of the kit for everybody."""
        correspondence = self._renderer.correspondence
        if correspondence is None or not key.letters:
            return _Letters({}, None, {})
        of_whom = (forwarder.union_id or 0) if forwarder.name else 0
        number = correspondence.wording(key.letters, key.language, number_for(self._campaign, of_whom))
        filled = correspondence.filled(key.letters, key.language, forwarder.country, number, lives_there=False)
        targets = correspondence.of(forwarder.country)
        first = replace(targets[0], name=filled.values["to_1_name"])
        texts = correspondence.texts(key.letters, key.language, forwarder.country, number)
        files = {letter_file(role, language): text for role, language, text in texts}
        return _Letters(filled.values, first, files)

    def _join_url(self, forwarder: Forwarder, language: str) -> str:
        """Where a reader signs up: it says through which union, if that is named, and never who."""
        return Pages(self._sender.base_url, language).join(forwarder.slug)

    def _prose(self, key: EditionKey, empty: Collection[str]) -> list[Pieces]:
        """The paragraphs that a text begins with, without its salutation, up to where it says whom to write to."""
        markers = Markers()
        language = key.language
        _subject, _preheader, body = self._renderer.wording(key)
        tokens = markdown.read(markers.mark(printable(body)), markers, empty=empty)
        paragraphs = [markers.cut(paragraph) for paragraph in plain_text.prose(tokens, markers)]
        if paragraphs and is_salutation(paragraphs[0]):
            del paragraphs[0]
            paragraphs[:1] = [capitalised(pieces, language) for pieces in paragraphs[:1]]
        addressing = (number for number, pieces in enumerate(paragraphs) if number and names_target(pieces))
        return paragraphs[: next(addressing, None)]

    def on_paper(self, kit_text: KitText, forwarder: Forwarder) -> dict[str, bytes]:
        """What is printed or shown as a picture, by name; nothing in a language that our fonts have no letters for."""
        _ = translations.gettext_for(kit_text.language)
        sheet = Sheet(
            language=kit_text.language,
            direction=languages.direction(kit_text.language),
            title=kit_text.title,
            lead=kit_text.lead,
            paragraphs=kit_text.prose,
            call=kit_text.stop or kit_text.call,
            write_to=_("Write to:"),
            addressee=addressee(kit_text.target),
            invitation=_("Get the next alert yourself"),
            join_url=kit_text.join_url,
            reading=_("Read the alert and act") if self._kind.asks else _("Read it on our site"),
            web_url=self._renderer.web_url(kit_text.language, via=forwarder.slug),
            signature=self._sender.organisation,
            union=forwarder.name,
            logo=forwarder.logo,
        )
        try:
            return {"leaflet.pdf": sheets.leaflet(sheet), "picture.png": sheets.picture(sheet)}
        except UnprintableLanguage:
            return {}


def _said(html: str) -> tuple[str, ...]:
    """The words of some HTML, and what its links and titles say."""
    words, attributes = html_words.read(html)
    return words, *attributes


_CHANGE_WORDS = "Ask the union to change them; the kit is made again then."
_LEAVE_UNNAMED = "Ask the union whether its kit may go out without its name."
_CANCEL = "Cancel the campaign, and send one without that word."
