"""Cases as files: a folder of case.toml and one Markdown text per language."""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from mailer.cases import cases, targets
from mailer.cases.dossier import Consent, ConsentBy, Person, PersonStatus
from mailer.cases.never import Never
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.formats.written_files import Article, Complaint, InvalidFile
from mailer.locale import countries, languages
from mailer.mail import html_words, markdown
from mailer.mail.markers import Markers
from mailer.store import db, slugs
from mailer.store.models import Case, CaseEvent, CaseEventKind, CaseFact, CaseText, Certainty

SETTINGS_FILE = "case.toml"
_KEYS = frozenset(
    "country public persons asks copy_to contact outcome consent never notes facts history".split()  # noqa: SIM905
)
_TEXT_KEYS = ("title",)
_PERSON_KEYS = frozenset(["name", "status", "names"])
_CONSENT_KEYS = frozenset(["by", "on", "until", "reason", "agreed_by"])
_FACT_KEYS = frozenset(["text", "source", "certainty", "checked_on", "good_for"])
_EVENT_KEYS = frozenset(["on", "words", "link"])
_GOOD_FOR = 30  # days
_LONGEST_GOOD_FOR = 3650
_SHORTEST_NEVER = 2  # letters
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")
# Not which word: an error stands on screens and in logs.
_HOLDS_NEVER = "a word stands here that must not appear, as `never` says. Take it out"
_UNSAYABLE = "a mistake stands here, in words that must not appear, as `never` says. Take them out"
T = TypeVar("T")


class NoSuchFolder(MailerError):
    """{folder} is not the folder of a case: it has no case.toml, or cannot be read. Name the folder that holds it."""


def load(session: Session, folder: Path) -> Case:
    """Make or update a case from its folder, whose name is the slug. Everything is read before anything is changed.

    What stands in the history stays there: the file adds to it.

    :raises InvalidFile: with the file and line of what is wrong.
    :raises NoSuchFolder: there is no case.toml.
    :raises cases.LoadedElsewhere: it was made at the same moment.
    """
    folder = folder.resolve()
    if not written_files.is_file(folder / SETTINGS_FILE):
        raise NoSuchFolder(folder=folder)
    table, problem = written_files.read_toml(folder / SETTINGS_FILE)
    never = Never(_texts_in(table.get("never")))
    try:
        return _load(session, folder, _Reader(table, problem, db.now(session).date()), never)
    except MailerError as error:
        if not never.holds(str(error)):
            raise
        file, line = error.fields.get("file", SETTINGS_FILE), error.fields.get("line", 1)
        name = SETTINGS_FILE if never.holds(str(file)) else file
        # Not from the error: a traceback would show it.
        raise InvalidFile(file=name, line=line, problem=_UNSAYABLE) from None


def _texts_in(value: object) -> list[str]:
    """The forms in `never`, also before it is known that the file is right."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _load(session: Session, folder: Path, reader: "_Reader", never: Never) -> Case:
    if never.holds(folder.name):
        raise InvalidFile(file=SETTINGS_FILE, line=1, problem=f"the name of its folder is public: {_HOLDS_NEVER}")
    slug = slugs.check(folder.name)
    values = reader.values()
    consent, facts, news = reader.consent(), reader.facts(), reader.news()
    articles = written_files.read_articles(written_files.find_articles(folder), _TEXT_KEYS, languages.normalise)
    texts = [_read_text(language, article, never) for language, article in articles.items()]
    reader.refuse_words(values | {"consent": consent, "facts": facts, "history": news}, never)
    case = cases.find_or_make(session, slug, **values)
    case.texts.clear()
    case.facts.clear()
    session.flush()
    case.texts.extend(texts)
    case.facts.extend(facts)
    if consent is not None:
        reader.check_consent(lambda: cases.load_consent(session, case, consent))
    known = {_as_told(event) for event in case.events}
    for event in news:
        if _as_told(event) not in known:
            known.add(_as_told(event))
            case.events.append(event)
    cases.note(session, case, CaseEventKind.LOADED)
    session.flush()
    return case


def _as_told(event: CaseEvent) -> tuple[object, ...]:
    return event.happened_on, event.link, *sorted(event.words.items())


def _read_text(language: str, article: Article, never: Never) -> CaseText:
    title = article.problem.text(article.front, "title")
    if len(title.splitlines()) > 1:
        article.problem.about("title", "must be one line")
    if never.holds(title):
        article.problem.about("title", _HOLDS_NEVER)
    for hit in never.find(article.body, first_line=article.body_line):
        raise InvalidFile(file=article.file, line=hit.line, problem=_HOLDS_NEVER)
    try:
        words, attributes = html_words.read(markdown.to_html(markdown.read(article.body, Markers())))
    except MailerError as error:
        raise InvalidFile(file=article.file, line=article.body_line, problem=error) from None
    if never.holds(words, *attributes):
        raise InvalidFile(file=article.file, line=article.body_line, problem=_HOLDS_NEVER)
    return CaseText(language=language, title=title, body=article.body)


class _Reader:
    """Reads the parts of a case.toml."""

    def __init__(self, table: Mapping[str, Any], problem: Complaint, today: date) -> None:
        self._table, self._problem, self._today = table, problem, today
        # Days are those of UTC; east of it the next one has begun.
        self._latest = today + timedelta(days=1)

    def values(self) -> dict[str, Any]:
        """The columns of a case that its file alone decides."""
        table, problem = self._table, self._problem
        problem.refuse_unknown(table, _KEYS)
        # What was recorded when it was closed stays, unless the file says something else.
        outcome = {"outcome": self._by_language(table, "outcome")} if "outcome" in table else {}
        return outcome | {
            "country": problem.check("country", lambda: countries.parse(problem.text(table, "country"))),
            "public": problem.flag(table, "public"),
            "persons": [person.to_json() for person in self._persons()],
            "asks": self._asks(),
            "copy_to": [each.to_json() for each in targets.read(table.get("copy_to", []), "copy_to", problem)],
            "contact": [each.to_json() for each in targets.read(table.get("contact", []), "contact", problem)],
            "never": self._never(),
            "notes": problem.optional_text(table, "notes") or None,
        }

    def refuse_words(self, read: Mapping[str, Any], never: Never) -> None:
        """Refuse a case that would itself tell what must not appear.

        :param read: what was read, by key.
        """
        tables = {
            "persons": [[person["name"], *person["names"].values()] for person in read["persons"]],
            "copy_to": [[each["name"], each["email"], each["address"]] for each in read["copy_to"]],
            "contact": [[each["name"], each["email"], each["address"]] for each in read["contact"]],
            "facts": [[fact.text, fact.source] for fact in read["facts"]],
            "history": [[*event.words.values(), event.link or ""] for event in read["history"]],
        }
        for key, rows in tables.items():
            for number, words in enumerate(rows, start=1):
                if never.holds(*words):
                    self._problem.table, self._problem.nth = f"[[{key}]]", number
                    self._problem.about(key, _HOLDS_NEVER)
        if never.holds(*read.get("outcome", {}).values()):
            self._problem.about("outcome", _HOLDS_NEVER)
        if any(never.holds(*asks) for asks in read["asks"].values()):
            self._problem.about("asks", _HOLDS_NEVER)
        consent = read["consent"]
        if consent and never.holds(consent.reason, consent.agreed_by):
            self._problem.about("consent", _HOLDS_NEVER)

    def _persons(self) -> list[Person]:
        persons = [self._person(table) for table in self._tables("persons")]
        if not persons:
            self._problem.about("persons", "is missing: write [[persons]], then name and status")
        return persons

    def _person(self, table: Mapping[str, Any]) -> Person:
        self._problem.refuse_unknown(table, _PERSON_KEYS)
        names = table.get("names", {})
        if not isinstance(names, dict) or not all(isinstance(each, str) and each.strip() for each in names.values()):
            self._problem.about("names", 'must say how the name is written elsewhere, such as { Arab = "ليلى" }')
        for script in names:
            if not _SCRIPT.fullmatch(script):
                self._problem.about("names", f'"{script}" is no script; write its code, such as Arab, Cyrl or Latn')
        name = self._problem.text(table, "name")
        return Person(name, self._choice(table, "status", PersonStatus), names)

    def _asks(self) -> dict[str, list[str]]:
        value = self._table.get("asks", {})
        if not isinstance(value, dict):
            self._problem.about("asks", "must be a table: write [asks], then a list for each language")
        self._problem.table = "[asks]"
        asks: dict[str, list[str]] = {}
        for tag in value:
            language = self._problem.check(tag, lambda: languages.normalise(tag))  # noqa: B023  # called at once
            if language in asks:
                self._problem.about(tag, _twice(language))
            asks[language] = self._problem.texts(value, tag, example='["Release her."]')
            if not asks[language] or not all(ask.strip() for ask in asks[language]):
                self._problem.about(tag, "has an empty demand: write it, or take it out")
        self._problem.table = ""
        return asks

    def _by_language(self, table: Mapping[str, Any], key: str) -> dict[str, str]:
        """Words in several languages, such as { en = "Released" }."""
        value = table.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(each, str) and each.strip() for each in value.values()):
            self._problem.about(key, f'must have words for each language: {key} = {{ en = "…" }}')
        words: dict[str, str] = {}
        for tag, each in value.items():
            language = self._problem.check(key, lambda: languages.normalise(tag))  # noqa: B023  # called at once
            if language in words:
                self._problem.about(key, _twice(language))
            words[language] = each
        return words

    def _never(self) -> list[str]:
        forms = self._problem.texts(self._table, "never", example='["Amal"]')
        for number, form in enumerate(forms, start=1):
            if sum(char.isalnum() for char in form) < _SHORTEST_NEVER:
                # Not the word itself: what stands in `never` is in no error.
                self._problem.about(
                    "never", f"number {number} has fewer than {_SHORTEST_NEVER} letters: it would be found everywhere"
                )
        return forms

    def consent(self) -> Consent | None:
        table = self._table.get("consent")
        if table is None:
            return None
        if not isinstance(table, dict):
            self._problem.about("consent", "must be a table: write [consent]")
        self._problem.table = "[consent]"
        self._problem.refuse_unknown(table, _CONSENT_KEYS)
        given_on = self._day(table, "on")
        if given_on is None:
            self._problem.about("on", "is missing: write the day on which they agreed, such as 2026-11-20")
        consent = Consent(
            by=self._choice(table, "by", ConsentBy),
            on=given_on,
            until=self._day(table, "until"),
            reason=self._problem.optional_text(table, "reason"),
            agreed_by=self._problem.optional_text(table, "agreed_by"),
        )
        if given_on > self._latest:
            self._problem.about("on", "is still to come; consent is recorded once it was given")
        if consent.until and consent.until < consent.on:
            self._problem.about("until", "is before the day on which they agreed")
        for key in ("reason", "agreed_by"):
            is_there = bool(self._problem.optional_text(table, key))
            if consent.by is ConsentBy.NONE_POSSIBLE and not is_there:
                needs = "a reason, and agreed_by, the second person who decided"
                self._problem.about(key, f"is missing: none_possible needs {needs}")
            if consent.by is not ConsentBy.NONE_POSSIBLE and is_there:
                self._problem.about(key, 'is only for by = "none_possible"')
        self._problem.table = ""
        return consent

    def check_consent(self, keep: Callable[[], None]) -> None:
        """Add the line to what is said against the consent in the file."""
        self._problem.table = "[consent]"
        self._problem.check("on", keep)
        self._problem.table = ""

    def facts(self) -> list[CaseFact]:
        return [self._fact(table) for table in self._tables("facts")]

    def _fact(self, table: Mapping[str, Any]) -> CaseFact:
        self._problem.refuse_unknown(table, _FACT_KEYS)
        checked_on = self._day(table, "checked_on")
        if checked_on is None or checked_on > self._latest:
            self._problem.about("checked_on", "must be the day on which it was last checked, such as 2026-11-20")
        good_for = table.get("good_for", _GOOD_FOR)
        if not isinstance(good_for, int) or isinstance(good_for, bool) or not 1 <= good_for <= _LONGEST_GOOD_FOR:
            self._problem.about("good_for", f"must be a number of days from 1 to {_LONGEST_GOOD_FOR}, without quotes")
        return CaseFact(
            text=self._problem.text(table, "text"),
            source=self._problem.text(table, "source"),
            certainty=self._choice(table, "certainty", Certainty),
            checked_on=checked_on,
            good_for=good_for,
        )

    def news(self) -> list[CaseEvent]:
        return [self._event(table) for table in self._tables("history")]

    def _event(self, table: Mapping[str, Any]) -> CaseEvent:
        self._problem.refuse_unknown(table, _EVENT_KEYS)
        happened_on = self._day(table, "on")
        if happened_on is None or happened_on > self._latest:
            self._problem.about("on", "must be the day on which it happened, such as 2026-11-20")
        words = self._by_language(table, "words")
        if not words:
            self._problem.about("words", 'is missing: words = { en = "…" }')
        link = self._problem.optional_text(table, "link") or None
        if link is not None and not re.match(r"https?://\S+\Z", link):
            self._problem.about("link", "must be the address of a page, such as https://example.org/news")
        return CaseEvent(kind=CaseEventKind.NEWS, happened_on=happened_on, words=words, link=link)

    def _tables(self, key: str) -> Any:
        """The tables of a key, one after the other, with the complaint set on each."""
        tables = self._table.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._problem.about(key, f"must be tables: write [[{key}]] above each")
        for number, table in enumerate(tables, start=1):
            self._problem.table, self._problem.nth = f"[[{key}]]", number
            yield table
        self._problem.table, self._problem.nth = "", 1

    def _choice(self, table: Mapping[str, Any], key: str, kind: Callable[[str], T]) -> T:
        written = self._problem.text(table, key)
        try:
            return kind(written)
        except ValueError:
            known = ", ".join(str(each) for each in kind)  # type: ignore[attr-defined]
            self._problem.about(key, f"must be one of: {known}")

    def _day(self, table: Mapping[str, Any], key: str) -> date | None:
        value = table.get(key)
        # A datetime is a date, too.
        if value is not None and (not isinstance(value, date) or hasattr(value, "hour")):
            self._problem.about(key, "must be a day without quotes, such as 2026-11-20")
        if value is not None and not self._today - timedelta(days=36525) < value < self._today + timedelta(days=36525):
            self._problem.about(key, "is not a possible day")
        return value


def _twice(language: str) -> str:
    return f"is there twice in {language}: keep one"
