"""The relay edition: a campaign as a union passes it on to its members, in which nothing belongs to one person.

It is for a reader of whom nothing is known but what is known of the union. No name: its default stands. The union's
country, and the target for it. The union's name, unless it asked not to be named. Where a text prints something that
has neither value nor default, "…" stands, as on the web: whoever forwards it sees where to fill something in.
"""

from sqlalchemy.orm import Session

from mailer.campaigns.editions import EditionKey, Press
from mailer.campaigns.targets import Targets
from mailer.formats.paper import sheets
from mailer.formats.paper.sheets import Sheet, UnprintableLanguage
from mailer.kits.messages import medium, short, text_file
from mailer.kits.wording import Bearer, Relayed, addressee, capitalised, is_salutation, names_target, one_line
from mailer.links import Pages
from mailer.locale import countries, languages, translations
from mailer.mail import draft, markdown, plain_text
from mailer.mail.markers import Markers
from mailer.mail.merge import fill
from mailer.mail.render import Relay, printable
from mailer.mail.sender import Sender
from mailer.mail.types import Pieces
from mailer.store.models import Campaign

_BLANK = "…"


class KitEditions:
    """Makes what kits hold of one campaign. Holds no session: what it needs is read when it is made."""

    def __init__(self, session: Session, campaign: Campaign, sender: Sender) -> None:
        self._press = Press(session, campaign, sender)
        self._targets = Targets.of(campaign)
        self._sender = sender
        self.languages: list[str] = self._press.languages

    def files(self, bearer: Bearer, language: str) -> dict[str, bytes]:
        """The files of a kit in one language, by name.

        A language that our fonts have no letters for lacks what is on paper: leaflet.pdf and picture.png.

        :param language: one of `languages`.
        :raises editions.Unrenderable: the campaign's text, with what the union adds, cannot be made into a mail.
        """
        relayed = self._relay(bearer, language)
        mail = draft.write(subject=relayed.title, text=relayed.text, html=relayed.html, language=relayed.language)
        return {
            "mail.eml": mail,
            "mail.html": relayed.html.encode("utf-8", "replace"),
            "mail.txt": text_file(relayed.text),
            "messenger-short.txt": text_file(short(relayed)),
            "messenger-medium.txt": text_file(medium(relayed, self._sender.organisation)),
            **self._on_paper(relayed, bearer),
        }

    def _relay(self, bearer: Bearer, language: str) -> Relayed:
        key = self._press.choose((language, bearer.country, bearer.union_id if bearer.name else None))
        target = self._targets.for_country(bearer.country)
        values = {
            "country": countries.name(bearer.country, language) if bearer.country else "",
            "union": bearer.name or "",
            **(target.values if target else {}),
        }
        join_url = self._join_url(bearer, language)
        name = one_line(bearer.name) if bearer.name else None
        rendering = self._press.render(key, relay=Relay(name, bearer.introduction(language), join_url))
        deadline = self._press.deadline(language)
        return Relayed(
            language=language,
            title=one_line(fill(rendering.subject, values, blank=_BLANK)),
            lead=one_line(fill(self._press.wording(key)[1], values, blank=_BLANK)),
            html=fill(rendering.html, values, blank=_BLANK),
            text=fill(rendering.text, values, blank=_BLANK),
            prose=tuple(fill(paragraph, values, blank=_BLANK) for paragraph in self._prose(key)),
            call=translations.gettext_for(language)("Act by {date}").format(date=deadline) if deadline else None,
            target=target,
            web_url=self._press.web_url(language),
            join_url=join_url,
        )

    def _join_url(self, bearer: Bearer, language: str) -> str:
        """Where a reader signs up: it says through which union, if that is named, and never who."""
        return Pages(self._sender.base_url, language).join(bearer.slug)

    def _prose(self, key: EditionKey) -> list[Pieces]:
        """The paragraphs that a text begins with, without its salutation, up to where it says whom to write to."""
        markers = Markers()
        language, _outcomes = key
        _subject, _preheader, body = self._press.wording(key)
        tokens = markdown.read(markers.mark(printable(body)), markers)
        paragraphs = [markers.cut(paragraph) for paragraph in plain_text.prose(tokens, markers)]
        if paragraphs and is_salutation(paragraphs[0]):
            del paragraphs[0]
            paragraphs[:1] = [capitalised(pieces, language) for pieces in paragraphs[:1]]
        addressing = (number for number, pieces in enumerate(paragraphs) if number and names_target(pieces))
        return paragraphs[: next(addressing, None)]

    def _on_paper(self, relayed: Relayed, bearer: Bearer) -> dict[str, bytes]:
        _ = translations.gettext_for(relayed.language)
        sheet = Sheet(
            language=relayed.language,
            direction=languages.direction(relayed.language),
            title=relayed.title,
            lead=relayed.lead,
            paragraphs=relayed.prose,
            call=relayed.call,
            write_to=_("Write to:"),
            addressee=addressee(relayed.target),
            invitation=_("Get the next alert yourself"),
            join_url=relayed.join_url,
            signature=self._sender.organisation,
            union=bearer.name,
            logo=bearer.logo,
        )
        try:
            return {"leaflet.pdf": sheets.leaflet(sheet), "picture.png": sheets.picture(sheet)}
        except UnprintableLanguage:
            return {}
