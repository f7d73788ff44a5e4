"""Letters as files: letter-ROLE.LANGUAGE.md in a campaign's folder is what people write to the targets of a role.

A letter is plain text, which people copy into a mail program as it stands.
"""

import difflib
import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mailer.campaigns import kinds, letters, personal_links
from mailer.campaigns.text_names import NoRole, TextName
from mailer.campaigns.written import LONGEST_LETTER, Fault, WrittenLetter, name_of
from mailer.campaigns.written import of_campaign as written_of
from mailer.cases.never import Never
from mailer.cases.targets import ROLES
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.formats.written_files import Article, InvalidFile
from mailer.locale import languages
from mailer.mail import fields, headers, leftovers
from mailer.store.models import Campaign, LetterText, TargetRole

_CHOICES = ("subjects", "openings", "closings")
_KEYS = (*_CHOICES, "rules")
_BEGINNING = "letter-"
#: of what may be written, where there is nothing or something else
_EXAMPLE = '["Release the six dockers", "The six dockers in prison"]'
#: what to write where nobody knows better
DEFAULTS = {"salutation": "Your Excellency", "name": "(your name)", "country": "abroad"}

#: in how many ways each part of a letter may be worded: a page reads them all
_MOST_CHOICES = 100

#: how a letter's name may end that is not right yet; the last is what Windows makes of it
_ENDINGS = re.compile(r"\.(md|markdown|md\.txt)$", re.IGNORECASE)
_WORDS = re.compile(r"[^\W_]+")
_ALIKE = 0.75  # as `difflib` counts: "embasy", "embassies"
_FIELD = re.compile(r"\{\{|\{%")

_UNSAYABLE = "something is wrong here that cannot be shown, because a word stands in it that must not appear"


class Files(NamedTuple):
    """What a campaign's folder holds besides campaign.toml."""

    texts: list[Path]
    letters: list[Path]  # with those whose name is not right


def divide(folder: Path) -> Files:
    """The texts of a campaign, and its letters, also those that are nearly named as one."""
    endings = [path for path in folder.glob("*") if not path.name.startswith(".") and _ENDINGS.search(path.name)]
    found = sorted(path for path in endings if _is_meant(path))
    return Files([path for path in written_files.find_articles(folder) if path not in found], found)


def read(
    paths: Iterable[Path], *, kind: str, ask: Collection[str], language: str, never: Collection[str] = ()
) -> list[LetterText]:
    """The letters of a campaign.

    :param paths: as `divide` found them.
    :param kind: of the campaign.
    :param ask: the roles that it asks for.
    :param language: the campaign's own.
    :param never: what must stand in no error.
    :raises InvalidFile: with the file and line of what is wrong.
    :raises fields.TextFieldError: likewise.
    """
    words = Never(never)
    try:
        return _read(list(paths), kind, ask, language)
    except MailerError as error:
        if not words.holds(str(error)):
            raise
        file, line = str(error.fields["file"]), error.fields["line"]
        # Not from the error: a traceback would show it.
        name = "letter-….md" if words.holds(file) else file
        raise InvalidFile(file=name, line=line, problem=_UNSAYABLE) from None


def _read(paths: Sequence[Path], kind: str, ask: Collection[str], language: str) -> list[LetterText]:
    for path in paths:
        if path.suffix != ".md":
            raise _misnamed(path.name, language)
    articles = written_files.read_articles(paths, _KEYS, functools.partial(_read_name, own=language))
    for name, article in articles.items():
        _check_role(name, article, kind, ask)
        if name.source(language) not in articles:
            wanted = name.source(language).file
            problem = f"the campaign's own language is {language}, but there is no {wanted}. Write that letter, too"
            raise InvalidFile(file=article.file, line=1, problem=problem)
    return [_read_letter(name, article) for name, article in articles.items()]


def _check_role(name: TextName, article: Article, kind: str, ask: Collection[str]) -> None:
    """Insist that people are asked to write to whom a letter is to."""
    role = name.role
    if "ask" not in kinds.KINDS[kind].keys:
        others = " or ".join(f'"{other}"' for other in kinds.having("ask"))
        problem = (
            f'a campaign of kind "{kind}" asks nobody to write, so it has no letters. Take the file away, or write '
            f"kind = {others} in campaign.toml"
        )
        raise InvalidFile(file=article.file, line=1, problem=problem)
    if role not in ask:
        asked = ", ".join(f'"{each}"' for each in (*ask, str(role)))
        problem = (
            f'campaign.toml does not ask for "{role}", so nobody would see this letter. Write ask = [{asked}] there, '
            "or take the file away"
        )
        raise InvalidFile(file=article.file, line=1, problem=problem)


# --- names ----------------------------------------------------------------------------------------------------------


def _is_meant(path: Path) -> bool:
    """Whether a file is a letter, or its author meant it to be one."""
    return any(_near(word, ("letter", *TargetRole)) for word in _WORDS.findall(path.name.lower()))


def _near(word: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(word, known, n=1, cutoff=_ALIKE)


def _read_name(stem: str, own: str) -> TextName:
    """What a letter's name says.

    :param stem: the name without its ending.
    :param own: the campaign's language.
    """
    try:
        name = TextName.parse(stem)
    except NoRole:
        raise _misnamed(f"{stem}.md", own) from None
    except languages.InvalidLanguage as error:
        if not stem.startswith(_BEGINNING):
            raise _misnamed(f"{stem}.md", own) from None
        problem = f"the name of its file must end with its language: {error}"
        raise InvalidFile(file=f"{stem}.md", line=1, problem=problem) from None
    if name.role is None:
        raise _misnamed(f"{stem}.md", own)
    return name


def _misnamed(name: str, own: str) -> InvalidFile:
    """Says what to call a file that is nearly named as a letter."""
    words = _WORDS.findall(_ENDINGS.sub("", name).lower())
    roles = {role for word in words for role in _near(word, list(TargetRole))}
    if len(roles) == 1:
        rest = [word for word in words if not _near(word, ("letter", *TargetRole))]
        remedy = f"Call it {TextName(_language(rest, own), TargetRole(roles.pop())).file}"
    else:
        remedy = f"Call it something like letter-embassy.{own}.md. The roles are: {ROLES}"
    return InvalidFile(file=name, line=1, problem=f"a letter's file is named letter-ROLE.LANGUAGE.md. {remedy}")


def _language(words: Sequence[str], own: str) -> str:
    if not words:
        return own
    try:
        return languages.normalise("-".join(words))
    except languages.InvalidLanguage:
        return "LANGUAGE"


# --- what stands in them --------------------------------------------------------------------------------------------


def _read_letter(name: TextName, article: Article) -> LetterText:
    subjects, openings, closings = (list(_choices(article, key)) for key in _CHOICES)
    _check_subjects(subjects, article)
    _check_words(article.body, article.file, article.body_line)
    return LetterText(
        role=name.role,
        language=name.language,
        subjects=subjects,
        openings=openings,
        closings=closings,
        rules=_rules(article),
        body=_visible(article.body),
        body_line=article.body_line,
    )


def _check_subjects(subjects: Sequence[str], article: Article) -> None:
    if not subjects:
        article.problem.about("subjects", f"there must be at least one, such as subjects = {_EXAMPLE}")


def faults(campaign: Campaign, name: TextName, written: WrittenLetter) -> list[Fault]:
    """All that loading a letter of a campaign from its file would complain of, each part by itself; in the parts "role"
    and "source", what keeps any letter of that name from being sent."""
    article = written_files.article_of(name.file, written.front, written.body)
    checks: dict[str, Callable[[], object]] = {
        "role": lambda: _check_role(name, article, campaign.kind, campaign.ask),
        "body": lambda: _check_body(article),
        "rules": lambda: _rules(article),
    }
    found = [_fault_of_choices(article, key) for key in _CHOICES]
    found += [_fault(part, article, check) for part, check in checks.items()]
    if not _has_source(campaign, name):
        wanted = name.source(campaign.language).file
        error = InvalidFile(file=article.file, line=1, problem=f"there is no {wanted} yet that can go out")
        found.append(Fault("source", 1, str(error.fields["problem"]), error))
    return [each for each in found if each]


def of_written(name: TextName, written: WrittenLetter) -> LetterText:
    """A letter that was written elsewhere, as loading its file would read it.

    :raises MailerError: as `faults` names it.
    """
    return _read_letter(name, written_files.article_of(name.file, written.front, written.body))


def _has_source(campaign: Campaign, name: TextName) -> bool:
    """Whether a letter is the one that others are translated from, or that one can go out."""
    source = name.source(campaign.language)
    return name == source or source in map(name_of, campaign.letters)


def is_same(name: TextName, before: WrittenLetter, after: WrittenLetter) -> bool:
    """Whether two letters say the same, however their lines were broken."""
    try:
        letters_of = [written_of(of_written(name, each)) for each in (before, after)]
    except MailerError:
        return False
    return letters_of[0] == letters_of[1]


def _check_body(article: Article) -> None:
    if not article.body.strip():
        raise InvalidFile(file=article.file, line=article.body_line, problem="there is no text")
    _check_words(article.body, article.file, article.body_line)


def _fault_of_choices(article: Article, key: str) -> Fault | None:
    number = 0
    try:
        for number, _words in enumerate(_choices(article, key), start=1):  # noqa: B007  # how far it came
            pass
        if key == "subjects" and not number:
            _check_subjects((), article)
    except MailerError as error:
        is_of_one = len(article.front.get(key, ())) <= _MOST_CHOICES
        return Fault(key, number + 1 if is_of_one else 0, _problem(error, key), error)
    return None


def _fault(part: str, article: Article, check: Callable[[], object]) -> Fault | None:
    first = article.body_line if part == "body" else 1
    try:
        check()
    except MailerError as error:
        line = error.fields.get("line")
        place = line - first + 1 if part == "body" and isinstance(line, int) else 1
        return Fault(part, max(1, place), _problem(error, part), error)
    return None


def _problem(error: MailerError, part: str) -> str:
    return str(error.fields.get("problem", error)).removeprefix(f"{part}: ")


def _choices(article: Article, key: str) -> Iterator[str]:
    """What stands in a list of which each person gets one."""
    seen: set[str] = set()
    choices = article.problem.texts(article.front, key, example=_EXAMPLE)
    if len(choices) > _MOST_CHOICES:
        article.problem.about(key, f"there are more than {_MOST_CHOICES}. Keep the best")
    if sum(map(len, choices)) > WrittenLetter.LONGEST[key] - 2 * len(choices):
        problem = f"together they have more than {WrittenLetter.LONGEST[key]:,} characters. Keep the best"
        article.problem.about(key, problem)
    for number, written in enumerate(choices):
        line = article.problem.line_of_text(key, number)
        paragraphs = letters.paragraphs(written)
        problem = ""
        if not paragraphs:
            problem = "one of them is empty. Write it, or take it out"
        elif key == "subjects" and len(written.strip().splitlines()) > 1:
            problem = "each must be one line"
        elif len(paragraphs) > 1:
            problem = "each must be one paragraph. Take the empty line out"
        elif (folded := " ".join(written.split()).casefold()) in seen:
            problem = "this one says the same as one above it. Keep one of the two"
        if problem:
            raise InvalidFile(file=article.file, line=line, problem=f"{key}: {problem}")
        seen.add(folded)
        _check_words(written, article.file, line)
        yield _visible(paragraphs[0])


def _rules(article: Article) -> str:
    rules = article.problem.optional_text(article.front, "rules")
    if rules:
        line = article.problem.line_of_text("rules", 0)
        if found := _FIELD.search(rules):
            line += rules.count("\n", 0, found.start())
            problem = f"rules: they are the same for everybody. Take {found[0]} … out"
            raise InvalidFile(file=article.file, line=line, problem=problem)
        _check_signs(rules, article.file, line)
    return _visible(rules)


def _visible(words: str) -> str:
    """Words without what turns them around unseen, as a link and a filled field have none: all show the same letter."""
    return "\n".join(map(headers.clean, words.split("\n")))


def _check_words(written: str, file: str, line: int) -> None:
    """Refuse what a letter cannot print, and what would not go out as it was meant.

    :param line: of the file, on which it begins.
    """
    if "{%" in written:
        problem = (
            "a letter has no conditions: those who see it on a page are not known. Take {% … %} out, and write one "
            "letter for everybody"
        )
        raise InvalidFile(file=file, line=line + written[: written.index("{%")].count("\n"), problem=problem)
    template = letters.parse(written, file=file, first_line=line)
    places = template.places("")
    for place in places:
        slot = place.slot if isinstance(place, fields.Place) else None
        if isinstance(place, fields.Place) and slot and not slot.default.strip() and slot.field in DEFAULTS:
            default = DEFAULTS[slot.field]
            problem = (
                f"{{{{ {slot.field} }}}} needs a default, because a page does not know who writes. Write "
                f'{{{{ {slot.field} or "{default}" }}}}'
            )
            raise InvalidFile(file=file, line=place.line, problem=problem)
    _check_signs(written, file, line)
    try:
        personal_links.check_line(places, ())
    except personal_links.PersonalLink as error:
        raise InvalidFile(file=file, line=error.fields["line"], problem=error) from None


def _check_signs(written: str, file: str, line: int) -> None:
    if len(written) > LONGEST_LETTER:
        problem = (
            f"this has more than {LONGEST_LETTER:,} characters. Shorten it: people answer letters that they can read"
        )
        raise InvalidFile(file=file, line=line, problem=problem)
    if sign := leftovers.find_in_plain_text(written):
        problem = f"{sign.signs} would go out as it stands, because a letter is plain text. {sign.remedy.rstrip('.')}"
        raise InvalidFile(file=file, line=line + sign.line, problem=problem)
