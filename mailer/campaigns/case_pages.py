"""Cases as pages for everyone: the story, the persons, what is asked for, what happened, and the campaigns about it.

There is one for a case that is marked public, while somebody agrees that we speak of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaigns import publishing
from mailer.campaigns.publishing import Headline
from mailer.cases import cases, sayable
from mailer.cases.dossier import Person, PersonStatus
from mailer.cases.sayable import Sayable, Words
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.mail import html_words, markdown
from mailer.mail.markers import Markers
from mailer.store import db
from mailer.store.models import Case, CaseEvent, CaseEventKind, CaseStatus, CaseText

#: what of the history is for everybody
_TOLD = (CaseEventKind.NEWS, CaseEventKind.STOPPED, CaseEventKind.REOPENED, CaseEventKind.CLOSED)

#: among so many closed cases those are looked for that may be shown
_MOST_LOOKED_AT = 20


class NoPage(MailerError):
    """There is no page for case "{slug}": it does not exist, is not public, or nobody agrees that we speak of it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A person as the page names them."""

    names: tuple[str, ...]  # first in the script that the reader reads, or in Latin letters
    status: PersonStatus


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the history."""

    on: date
    kind: CaseEventKind
    words: Words | None  # the news, or why people were asked to write no more
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """A case as everyone may read it."""

    slug: str
    status: CaseStatus
    language: str  # of title and text
    title: str | None  # none if it must not be said
    html: str  # sanitised; its highest headings are h2
    persons: tuple[Named, ...]
    asks: tuple[Words, ...]  # in their order; none unless the case is open
    history: tuple[Line, ...]  # the latest first
    campaigns: tuple[Headline, ...]  # likewise
    outcome: Words | None
    reason: Words | None  # why everybody is asked to write no more


@dataclass(frozen=True, slots=True)
class Ended:
    """A case that is over, as a page for newcomers shows it."""

    slug: str
    title: Words
    outcome: Words


def ended(session: Session, language: str, *, most: int) -> list[Ended]:
    """Cases with a page that are closed, and how they ended, the last to end first.

    :param language: of the reader, as for `page`.
    :param most: how many at most.
    """
    closed_last = (
        select(func.max(CaseEvent.id))
        .where(CaseEvent.case_id == Case.id, CaseEvent.campaign_id.is_(None), CaseEvent.kind == CaseEventKind.CLOSED)
        .scalar_subquery()
    )
    found = select(Case).where(Case.public, Case.status == CaseStatus.CLOSED).order_by(closed_last.desc(), Case.id)
    today = db.now(session).date()
    shown = (
        _ended(case, language) for case in session.scalars(found.limit(_MOST_LOOKED_AT)) if cases.has_page(case, today)
    )
    return list(islice(filter(None, shown), most))


def _ended(case: Case, language: str) -> Ended | None:
    may, text = Sayable(case), _text(case, language)
    outcome = may.choose(case.outcome, language)
    if text is None or outcome is None or not may.may_say(text.title):
        return None
    return Ended(case.slug, Words(text.language, text.title), outcome)


def find(session: Session, slug: str) -> Case:
    """The case of which everyone may read under that slug.

    :raises NoPage: it is not public, nobody agrees that we speak of it, or there is none.
    """
    case = session.scalar(select(Case).where(Case.slug == slug))
    if case is None or not cases.has_page(case, db.now(session).date()):
        raise NoPage(slug=slug)
    return case


def page(session: Session, case: Case, *, language: str) -> CasePage:
    """A case's page.

    :param language: of the reader; where there are no words in it, they get English ones, or what there is.
    """
    may, text = Sayable(case), _text(case, language)
    history = tuple(_history(case, may, language))
    is_stopped = case.status is CaseStatus.STOPPED
    return CasePage(
        slug=case.slug,
        status=case.status,
        language=text.language if text else language,
        title=text.title if text and may.may_say(text.title) else None,
        html=_html(text.body, may) if text else "",
        persons=tuple(_named(case, may, language)),
        asks=tuple(asks(case, may, language)) if case.status is CaseStatus.OPEN else (),
        history=history,
        campaigns=tuple(
            each for each in publishing.about(session, case.id, language) if may.may_say(each.title, each.summary)
        ),
        outcome=may.choose(case.outcome, language),
        reason=next((line.words for line in history if line.kind is CaseEventKind.STOPPED), None)
        if is_stopped
        else None,
    )


def _text(case: Case, language: str) -> CaseText | None:
    texts = {text.language: text for text in case.texts}
    return texts[sayable.nearest(language, texts)] if texts else None


def _html(body: str, may: Sayable) -> str:
    tokens = markdown.read(body, Markers())
    publishing.put_below_title(tokens)
    html = markdown.to_html(tokens)
    words, attributes = html_words.read(html)
    return html if may.may_say(body, words, *attributes) else ""


def _named(case: Case, may: Sayable, language: str) -> Iterator[Named]:
    for person in map(Person.from_json, case.persons):
        own = person.names.get(languages.script(language), person.name)
        names = tuple(filter(may.may_say, dict.fromkeys((own, person.name, *person.names.values()))))
        if names:
            yield Named(names, person.status)


def asks(case: Case, may: Sayable, language: str) -> Iterator[Words]:
    """What is asked for, in their order.

    :param language: of the reader, as for `page`.
    """
    if case.asks:
        tag = sayable.nearest(language, case.asks)
        yield from (Words(tag, ask) for ask in case.asks[tag] if may.may_say(ask))


def _history(case: Case, may: Sayable, language: str) -> Iterator[Line]:
    for event in reversed(case.events):
        if event.campaign_id is None and event.kind in _TOLD:
            words = may.choose(event.words, language) if _has_words(event) else None
            link = event.link if event.link and may.may_say(event.link) else None
            if words is not None or event.kind is not CaseEventKind.NEWS:
                yield Line(event.happened_on, event.kind, words, link)


def _has_words(event: CaseEvent) -> bool:
    """Whether what it says is for readers, and no note of ours."""
    return event.kind in (CaseEventKind.NEWS, CaseEventKind.STOPPED)
