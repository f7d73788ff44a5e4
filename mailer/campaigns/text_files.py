"""Texts as files: LANGUAGE.md in a campaign's folder is what its mails say in that language."""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mailer.campaigns import editions, kinds, personal_links
from mailer.campaigns.written import Fault, Written
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.formats.written_files import Article, Complaint, InvalidFile
from mailer.locale import countries, languages
from mailer.mail import fields, leftovers
from mailer.store.models import Campaign, CampaignText
from mailer.unions import directory

#: what stands above the Markdown
KEYS = ("subject", "preheader")


def read(paths: Iterable[Path], kind: str) -> list[CampaignText]:
    """The texts of a campaign.

    :param kind: of the campaign.
    :raises InvalidFile: with the file and line of what is wrong.
    :raises fields.TextFieldError: likewise.
    """
    articles = written_files.read_articles(paths, KEYS, languages.normalise)
    return [_read_text(language, article, kind) for language, article in articles.items()]


def _read_text(language: str, article: Article, kind: str) -> CampaignText:
    subject, preheader = (_read_line(article.front, key, article.problem, kind) for key in KEYS)
    _read_body(article, kind)
    return CampaignText(
        language=language, subject=subject, preheader=preheader, body=article.body, body_line=article.body_line
    )


def _read_body(article: Article, kind: str) -> fields.Template:
    if not article.body.strip():
        problem = "there is no text under the front matter"
        raise InvalidFile(file=article.file, line=article.body_line - 1, problem=problem)
    body = editions.parse_source(article.body, file=article.file, line=article.body_line)
    _check_targets(body, kind, article.file)
    return body


def _read_line(front: Mapping[str, Any], key: str, problem: Complaint, kind: str) -> str:
    """The subject or the preheader."""
    value = problem.text(front, key)
    if len(value.splitlines()) > 1:
        problem.about(key, "must be one line")
    line = editions.parse_source(value, file=problem.file, line=problem.line_of(key))
    _check_targets(line, kind, problem.file)
    for variant in line.samples():
        # Tried again with the draft, which keeps no line of it.
        problem.check(key, lambda: personal_links.check_line(line.places(variant), ()))  # noqa: B023  # called at once
        if signs := leftovers.find_in_line(line.resolve(variant)):
            problem.about(key, f"is no Markdown, so {signs} would go out as it stands. Write plain words")
    return value


def _check_targets(written: fields.Template, kind: str, file: str) -> None:
    """Refuse to print a target in a mail of a kind that has none."""
    if "targets" in kinds.KINDS[kind].keys:
        return
    places = itertools.chain.from_iterable(map(written.places, written.samples()))
    printed = (place for place in places if isinstance(place, fields.Place) and place.slot)
    if target := next((place for place in printed if place.names & editions.TARGET_FIELDS), None):
        name = "".join(target.names)
        problem = f'a campaign of kind "{kind}" asks nobody to write, so it has no {name}. Take {{{{ {name} }}}} out'
        raise InvalidFile(file=file, line=target.line, problem=problem)


def faults(session: Session, campaign: Campaign, language: str, written: Written) -> list[Fault]:
    """Everything that loading a text from a file would complain of, each part by itself."""
    article = written_files.article_of(f"{language}.md", written.front, written.body)
    found = [fault for part in (*KEYS, "body") if (fault := _fault_of(part, article, campaign.kind))]
    if found:
        return found
    try:
        text = _read_text(language, article, campaign.kind)
        _check_comparisons(session, editions.Source.of(text))
        editions.try_text(session, campaign, text)
    except MailerError as error:
        return [_fault(error, article)]
    return []


def _fault_of(part: str, article: Article, kind: str) -> Fault | None:
    try:
        if part == "body":
            _read_body(article, kind)
        else:
            _read_line(article.front, part, article.problem, kind)
    except MailerError as error:
        return _fault(error, article, part=part)
    return None


def _fault(error: MailerError, article: Article, part: str = "") -> Fault:
    """:param part: in which it is; where nobody knows, the line tells."""
    line, problem = error.fields.get("line"), str(error.fields.get("problem", error))
    line = line if isinstance(line, int) else article.body_line
    by_line = dict(enumerate(KEYS, start=2))
    part = part or by_line.get(line, "body")
    own_line = max(1, line - article.body_line + 1) if part == "body" else 1
    return Fault(part, own_line, problem.removeprefix(f"{part}: "), error)


def check_comparisons(session: Session, campaign: Campaign) -> None:
    """Refuse conditions that can never hold: whom they were written for would get another text, unnoticed.

    :raises InvalidFile: with the file and line of one.
    """
    for source in editions.Texts(campaign).sources.values():
        _check_comparisons(session, source)


def _check_comparisons(session: Session, source: editions.Source) -> None:
    if sum(part.tests for part in source.parts) > editions.MOST_TESTS:
        problem = f"has more than {editions.MOST_TESTS} conditions"
        raise InvalidFile(file=source.file, line=1, problem=problem)
    for comparison in source.comparisons:
        try:
            usual = _usual(session, comparison)
        except MailerError as error:
            raise InvalidFile(file=source.file, line=comparison.line, problem=error) from None
        if usual != comparison.value:
            problem = f'{comparison.name} is never "{comparison.value}"; write "{usual}"'
            raise InvalidFile(file=source.file, line=comparison.line, problem=problem)


def _usual(session: Session, comparison: fields.Comparison) -> str:
    """The value as people's own values are stored."""
    match comparison.name:
        case "country":
            return countries.parse(comparison.value)
        case "union":
            return directory.named(session, comparison.value).slug
        case _:
            return languages.normalise(comparison.value)
