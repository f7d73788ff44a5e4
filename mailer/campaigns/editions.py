"""Editions: a campaign's texts rendered once for everyone who sees the same words, then merged per person."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from email.utils import parseaddr
from typing import Any, NamedTuple

from sqlalchemy import delete, null
from sqlalchemy.orm import Session

from mailer.campaigns import acts, dead_links, kinds, personal_links, petitions, segments
from mailer.campaigns.correspondence import Correspondence
from mailer.campaigns.dead_links import Link
from mailer.campaigns.segments import audience
from mailer.cases.findings import Finding, Level
from mailer.cases.never import Never
from mailer.cases.targets import Target
from mailer.errors import MailerError
from mailer.links import Pages
from mailer.locale import languages, translations
from mailer.mail import fields, render
from mailer.mail.render import ForwardedBy, Frame
from mailer.mail.sender import Sender
from mailer.mail.types import Pieces, Rendering, Slot, SlotContext, Warned
from mailer.store.models import ActKind, Campaign, CampaignText, Edition, Subscription
from mailer.unions import directory

#: the parts of the target
TARGET_FIELDS = frozenset(["target_name", "target_email", "target_address"])
#: what a text may print, and what it may branch on
FIELDS = ("name", "country", "union", *sorted(TARGET_FIELDS))
CONDITIONS = ("country", "union", "language")
#: how many `if` and `elif` a text may have: as many as the column editions.variant holds
MOST_TESTS = 200


class Reader(NamedTuple):
    """What chooses the edition that somebody gets, as far as it is known. A tuple: one is looked up per message."""

    language: str | None
    country: str | None
    union_id: int | None


class EditionKey(NamedTuple):  # likewise
    """What an edition says."""

    language: str  # of the text
    variant: str  # the outcome of each test in it
    letters: str = ""  # what it shows of whom its readers write to: `Correspondence.shape`


class Unrenderable(MailerError):
    """{file}:{line}: {problem}"""


@dataclass(frozen=True, slots=True)
class Source:
    """One language's text, read: subject, preheader and body as templates that share one variant."""

    language: str
    subject: fields.Template
    preheader: fields.Template
    body: fields.Template
    written: CampaignText

    @classmethod
    def of(cls, text: CampaignText) -> "Source":
        """Read a stored text. What `files` accepted is accepted here."""
        file = f"{text.language}.md"
        return cls(
            text.language,
            parse_source(text.subject, file=file),
            parse_source(text.preheader, file=file),
            parse_source(text.body, file=file, line=text.body_line),
            text,
        )

    @property
    def parts(self) -> tuple[fields.Template, fields.Template, fields.Template]:
        """In the order in which their tests stand in a variant."""
        return self.subject, self.preheader, self.body

    @property
    def condition_names(self) -> frozenset[str]:
        """What this text asks of its reader."""
        return frozenset(comparison.name for comparison in self.comparisons)

    @property
    def file(self) -> str:
        """The name of the file that it was read from."""
        return f"{self.language}.md"

    @property
    def comparisons(self) -> tuple[fields.Comparison, ...]:
        """What this text compares its reader with."""
        return sum((part.comparisons for part in self.parts), ())

    def samples(self) -> set[str]:
        """Variants that show every wording of this text at least once, and the one with all tests true."""
        variants = {"1" * sum(part.tests for part in self.parts)}
        for shown in self.parts:
            for sample in shown.samples():
                variants.add("".join(sample if part is shown else "0" * part.tests for part in self.parts))
        return variants

    def line_of(self, error: MailerError) -> int:
        """The line of the file that an error is about, else the one on which the body starts."""
        if isinstance(line := error.fields.get("line"), int):
            return line
        named = (str(error.fields.get(name, "")).partition("\n")[0].strip() for name in ("url", "html", "field"))
        return next(filter(None, map(self._line_with, named)), self.written.body_line)

    def placed(self, warning: Warned) -> Finding:
        """A warning with the file that it is about, and the line where it is about one."""
        line = f":{self._line_with(warning.about) or self.written.body_line}" if warning.about else ""
        return Finding(Level.WARNING, warning.code, f"{self.file}{line}", warning.what, warning.remedy)

    def _line_with(self, words: str) -> int | None:
        """The first line of the file on which the body has these words."""
        found = self.written.body.find(words) if words else -1
        return self.written.body_line + self.written.body[:found].count("\n") if found >= 0 else None

    def variant(self, facts: fields.Facts) -> str:
        """Which wording a reader gets: the outcome of each test in the text, such as "101"."""
        return "".join(part.variant(facts) for part in self.parts)

    def resolve(self, variant: str) -> tuple[Pieces, Pieces, Pieces]:
        """Subject, preheader and body in the wording of a variant."""
        subject, preheader, body = (part.resolve(own) for part, own in self._divided(variant))
        return subject, preheader, body

    def require_impersonal(self, variant: str, targets: Sequence[Target]) -> None:
        """Insist that no address in the wording of a variant tells who follows it.

        :raises personal_links.PersonalLink: one does.
        """
        subject, preheader, body = (part.places(own) for part, own in self._divided(variant))
        personal_links.check_line(subject, targets)
        personal_links.check_line(preheader, targets)
        personal_links.check_body(body, targets)

    def links(self, variant: str) -> tuple[Link, ...]:
        """The links in the wording of a variant that lead where a field says."""
        _subject, _preheader, body = (part.places(own) for part, own in self._divided(variant))
        return dead_links.links(tuple(body))

    def _divided(self, variant: str) -> Iterator[tuple[fields.Template, str]]:
        """Each part, with the variant of its own."""
        start = 0
        for part in self.parts:
            yield part, variant[start : start + part.tests]
            start += part.tests


def parse_source(text: str, *, file: str, line: int = 1) -> fields.Template:
    """Read a text with the fields and conditions that campaigns know.

    :raises fields.TextFieldError: with file and line.
    """
    return fields.parse(text, file=file, first_line=line, fields=FIELDS, conditions=CONDITIONS)


class Texts:
    """A campaign's texts, to be chosen by a reader's language."""

    def __init__(self, campaign: Campaign, texts: Iterable[CampaignText] | None = None) -> None:
        """:param texts: in place of those that it has."""
        self._own = campaign.language
        self._fallbacks = campaign.fallbacks
        self.sources = {text.language: Source.of(text) for text in (campaign.texts if texts is None else texts)}

    @property
    def condition_names(self) -> frozenset[str]:
        """What the texts ask of their readers, all together."""
        return frozenset().union(*(source.condition_names for source in self.sources.values()))

    def asked(self, name: str) -> frozenset[str]:
        """The values with which the texts compare one thing about their readers."""
        comparisons = (comparison for source in self.sources.values() for comparison in source.comparisons)
        return frozenset(comparison.value for comparison in comparisons if comparison.name == name)

    def for_language(self, language: str | None) -> Source:
        """The text in a language, or in what it is a form of ("pt" for "pt-BR"), or falls back to, else the campaign's
        own.

        :raises Unrenderable: that is not written yet.
        """
        found = self.sources.get(languages.nearest(language, self.sources, self._fallbacks) or self._own)
        if found is None:
            problem = "there is no text in the campaign's own language yet that could go out"
            raise Unrenderable(file=f"{self._own}.md", line=1, problem=problem)
        return found


_RENDERED = "renderings"  # of what `Session.info` holds


def rendered(session: Session) -> dict[object, Rendering]:
    """What was rendered in a session: all that a rendering depends on → the rendering. What is put into it is not
    rendered again there."""
    known: dict[object, Rendering] = session.info.setdefault(_RENDERED, {})
    return known


class EditionRenderer:
    """Chooses and renders the editions of one campaign. Holds no session: what it needs is read when it is made."""

    def __init__(
        self, session: Session, campaign: Campaign, sender: Sender, texts: Iterable[CampaignText] | None = None
    ) -> None:
        """:param texts: in place of those that the campaign has."""
        self._campaign = campaign
        self._sender = sender
        self._texts = Texts(campaign, texts)
        self._targets = [Target.from_json(data) for data in campaign.targets]
        self._never = Never(campaign.case.never if campaign.case else ())
        self._federations = directory.ancestors_by_union(session)
        self._asked_for, self._petition = acts.asked_for(campaign), petitions.of(campaign)
        #: None for a campaign that asks for no role: then nothing of it costs anything
        self.correspondence = Correspondence(session, campaign, sender.base_url) if campaign.ask else None
        self._chosen: dict[Reader, EditionKey] = {}
        self._texts_chosen: dict[Reader, tuple[str, str]] = {}
        self._keys: dict[EditionKey, EditionKey] = {}
        self._asked_countries = self._texts.asked("country")
        asked_unions = self._texts.asked("union")
        self._asked_unions = {id_ for id_, above in self._federations.items() if not asked_unions.isdisjoint(above)}
        self._slots: dict[EditionKey, frozenset[Slot]] = {}
        self._links: dict[EditionKey, tuple[Link, ...]] = {}
        self._rendered = rendered(session)
        self._impersonal: set[tuple[str, str]] = set()  # of these, no address tells who follows it

    @property
    def languages(self) -> list[str]:
        """The languages there are texts in."""
        return sorted(self._texts.sources)

    def choose(self, reader: Reader) -> EditionKey:
        """The edition that such a reader gets."""
        chosen = self._chosen.get(reader)
        if chosen is None:
            # Of a million readers there are a hundred thousand kinds, which the texts of a campaign hardly tell apart.
            alike = Reader(
                reader.language,
                reader.country if reader.country in self._asked_countries else None,
                reader.union_id if reader.union_id in self._asked_unions else None,
            )
            text = self._texts_chosen.get(alike)
            if text is None:
                text = self._texts_chosen[alike] = self._choose(*alike)
            key = EditionKey(*text, self.correspondence.shape(reader.country) if self.correspondence else "")
            chosen = self._chosen[reader] = self._keys.setdefault(key, key)
        return chosen

    def _choose(self, language: str | None, country: str | None, union_id: int | None) -> tuple[str, str]:
        source = self._texts.for_language(language)
        facts = {
            "language": languages.forms(language or source.language),
            "country": {country} if country else set(),
            "union": self._federations.get(union_id, frozenset()) if union_id else set(),
        }
        return source.language, source.variant(facts)

    def wanted(self, session: Session) -> set[EditionKey]:
        """The editions that the campaign's audience needs."""
        asked = self._texts.condition_names
        columns = [
            Subscription.language,
            Subscription.country if "country" in asked or self.correspondence else null(),
            Subscription.union_id if "union" in asked else null(),
        ]
        segment = segments.segment_of(self._campaign)
        readers = audience(session, self._campaign.list_id, segment).add_columns(*columns).distinct()
        return {self.choose(Reader(*row)) for row in session.execute(readers)}

    def bare_fields(self, key: EditionKey) -> frozenset[str]:
        """The fields that an edition prints without a default."""
        return frozenset(slot.field for slot in self._slots_of(key) if not slot.default)

    def printed_fields(self, key: EditionKey) -> frozenset[str]:
        """The fields that an edition prints, with a default or without."""
        return frozenset(slot.field for slot in self._slots_of(key))

    def links(self, key: EditionKey) -> tuple[Link, ...]:
        """The links of an edition that lead where a field says."""
        links = self._links.get(key)
        if links is None:
            links = self._links[key] = self._texts.sources[key.language].links(key.variant)
        return links

    def file(self, key: EditionKey) -> str:
        """The file that an edition's text was read from."""
        return self._texts.sources[key.language].file

    def _slots_of(self, key: EditionKey) -> frozenset[Slot]:
        slots = self._slots.get(key)
        if slots is None:
            pieces = itertools.chain.from_iterable(self.wording(key))
            slots = self._slots[key] = frozenset(piece for piece in pieces if isinstance(piece, Slot))
        return slots

    def trial(self) -> set[EditionKey]:
        """Editions that between them show every wording of every text, and in each language every letter."""
        shapes = self.correspondence.shapes() if self.correspondence else [""]
        samples = {language: sorted(source.samples()) for language, source in self._texts.sources.items()}
        return {
            *(EditionKey(language, variant, shapes[0]) for language in samples for variant in samples[language]),
            *(EditionKey(language, samples[language][0], shape) for language in samples for shape in shapes[1:]),
        }

    def wording(self, key: EditionKey) -> tuple[Pieces, Pieces, Pieces]:
        """Subject, preheader and body (Markdown) of an edition."""
        return self._texts.sources[key.language].resolve(key.variant)

    def render(
        self, key: EditionKey, *, forwarded_by: ForwardedBy | None = None, empty: Collection[str] = ()
    ) -> Rendering:
        """Render one edition.

        :param forwarded_by: who passes it on, if it is the one for people of whom we know nothing.
        :param empty: fields for which all its readers have nothing: of links to nobody, only the words stand there.
        :raises Unrenderable: its Markdown, its size or an address in it, with file and line.
        """
        language, variant, shape = key
        source = self._texts.sources[language]
        subject, preheader, body = self.wording(key)
        kind, gettext = kinds.of(self._campaign), translations.gettext_for(language)
        frame = Frame(
            language=language,
            direction=languages.direction(language),
            organisation=self._sender.organisation,
            postal_address=self._sender.postal_address,
            gettext=gettext,
            heading=gettext(kind.heading),
            deadline=self._printed_deadline(language),
            web_url=self.web_url(language),
            answers_are_read=self._sender.answers_are_read,
            forwarded_by=forwarded_by,
            **self._acting(language, shape, forwarded_by is not None),
        )
        written = source.written
        texts = (written.subject, written.preheader, written.body, variant)
        try:
            writing = self.correspondence.writing(shape, language) if self.correspondence else None
            content = (self._campaign.kind, *texts, frame, writing, frozenset(empty), tuple(self._targets))
            if (known := self._rendered.get(content)) is not None:
                return known
            if (language, variant) not in self._impersonal:  # a third of the work, and the same for all shapes
                source.require_impersonal(variant, self._targets)
                self._impersonal.add((language, variant))
            rendering = render.render(
                self._campaign.kind,
                subject=subject,
                preheader=preheader,
                body=body,
                frame=frame,
                writing=writing,
                empty=empty,
                asks=kind.asks and self.correspondence is None and not frame.sign_url,
            )
            if forwarded_by is None:  # kits are many, and each is made once
                self._rendered[content] = rendering
            return rendering
        except MailerError as error:
            if self._never.holds(str(error)):
                problem: object = "it cannot be shown what is wrong, because a word stands there that must not appear"
                raise Unrenderable(file=source.file, line=source.line_of(error), problem=problem) from None
            raise Unrenderable(file=source.file, line=source.line_of(error), problem=error) from error

    def _acting(self, language: str, shape: str, is_forwarded: bool) -> dict[str, Any]:
        """Where readers say that they wrote, and sign. Of whom we know nothing, nobody can say that they wrote."""
        shown: dict[str, Any] = {}
        asks_to_write = shape != "" or self.correspondence is None  # nobody at home is asked to
        if ActKind.WROTE in self._asked_for and asks_to_write and not is_forwarded:
            shown["act_url"] = (Slot("act_url"),)
        if ActKind.SIGNED in self._asked_for and (self._campaign.public or not is_forwarded):
            page = Pages(self._sender.base_url, language).sign(self._campaign.slug)
            shown["sign_url"] = (page if is_forwarded else Slot("sign_url"),)
            if self._petition is not None:
                shown["names_go_to"] = self._petition.addressee(language, self._campaign.fallbacks).text
        return shown

    def placed(self, language: str, warning: Warned) -> Finding:
        """A warning about a text, with its file and line."""
        return self._texts.sources[language].placed(warning)

    def _printed_deadline(self, language: str) -> Pieces:
        """Filled for each reader where it differs from country to country."""
        usual = self.deadline(language, None)
        return (Slot("deadline", usual),) if usual else ()

    def deadline(self, language: str, country: str | None) -> str | None:
        """The campaign's deadline as people of a language write it, in the time of a country; None if there is none."""
        deadline = self._campaign.deadline
        return languages.written(deadline, language, country) if deadline else None

    def web_url(self, language: str, *, via: str | None = None) -> str | None:
        """The address of the web version, on a page in the reader's language if the site speaks it.

        :param via: as for `Pages.campaign`.
        """
        if not self._campaign.public:
            return None
        return Pages(self._sender.base_url, language).campaign(self._campaign.slug, via=via)


def freeze(session: Session, campaign: Campaign, sender: Sender) -> None:
    """Render every edition that the audience needs; from here on the campaign says what it says.

    :raises Unrenderable: a text cannot be rendered.
    """
    campaign.mail_domain = mail_domain(sender)
    discard(session, campaign)
    renderer = EditionRenderer(session, campaign, sender)
    for key in sorted(renderer.wanted(session)):
        _keep(session, campaign, key, renderer.render(key))


def freeze_letters(session: Session, campaign: Campaign, sender: Sender) -> None:
    """Render again what shows letters that were corrected after the campaign began; all else stays frozen.

    :raises Unrenderable: a letter makes a mail too long.
    """
    session.execute(delete(Edition).where(Edition.campaign_id == campaign.id, Edition.letters != ""))
    renderer = EditionRenderer(session, campaign, sender)
    for key in sorted(renderer.wanted(session)):
        if key.letters:
            _keep(session, campaign, key, renderer.render(key))


def discard(session: Session, campaign: Campaign) -> None:
    """Forget what was rendered of a draft, because its texts changed."""
    session.execute(delete(Edition).where(Edition.campaign_id == campaign.id))


def try_out(session: Session, campaign: Campaign) -> list[Finding]:
    """Render every text, to find out that it can be.

    :returns: warnings, such as of a mail that Gmail would clip.
    :raises Unrenderable: a text cannot be rendered.
    """
    renderer = EditionRenderer(session, campaign, TRIAL_SENDER)
    warnings: dict[object, Finding] = {}
    for key in sorted(renderer.trial(), key=lambda key: (key.language, key.variant, -len(key.letters), key.letters)):
        for warning in renderer.render(key).warnings:
            # Of what letters make too long, the longest is enough.
            told = (key.language, warning.code) if warning.code == "mail-long" else (key.language, *warning)
            warnings.setdefault(told, renderer.placed(key.language, warning))
    return list(dict.fromkeys(warnings.values()))


def try_text(session: Session, campaign: Campaign, text: CampaignText) -> None:
    """Render one text that a campaign might have, to find out that it can be.

    :raises Unrenderable: it cannot be.
    """
    renderer = EditionRenderer(session, campaign, TRIAL_SENDER, [text])
    for key in sorted(renderer.trial()):
        renderer.render(key)


#: for trials before the installation's own identity is set: a rendering differs by it in a few words only
TRIAL_SENDER = Sender(
    organisation="Organisation",
    mailbox="sender@example.org",
    postal_address="Postal address",
    base_url="https://example.org",
)


def _keep(session: Session, campaign: Campaign, key: EditionKey, rendering: Rendering) -> None:
    session.add(Edition(campaign_id=campaign.id, **key._asdict(), rendering=to_json(rendering)))
    session.flush()


def mail_domain(sender: Sender) -> str:
    """The right side of Message-IDs: the domain of the From address."""
    return parseaddr(sender.mailbox)[1].rpartition("@")[2]


def to_json(rendering: Rendering) -> dict[str, Any]:
    """A rendering as it is stored: a slot is an object, a text is itself."""
    return {
        "language": rendering.language,
        **{
            part: [piece if isinstance(piece, str) else asdict(piece) for piece in getattr(rendering, part)]
            for part in _PARTS
        },
    }


def from_json(data: Mapping[str, Any]) -> Rendering:
    """The rendering that `to_json` stored."""
    subject, html, text = (_pieces(data[part]) for part in _PARTS)
    return Rendering(language=data["language"], subject=subject, html=html, text=text)


def _pieces(data: Iterable[Any]) -> Pieces:
    return tuple(
        piece if isinstance(piece, str) else Slot(piece["field"], piece["default"], SlotContext(piece["context"]))
        for piece in data
    )


_PARTS = ("subject", "html", "text")
