"""Bounces in words: the notices of mail servers that write no status report, or besides one."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailer.mail.feedback.meanings import code_in, judge, status_in
from mailer.mail.feedback.rules import sign
from mailer.mail.feedback.status_reports import same
from mailer.mail.feedback.types import Category, Fate, Meaning

_MOST_LINES = 2_000
_MOST_RECIPIENTS = 20
_LONGEST_LINE = 1_000
_LONGEST_ANSWER = 8  # lines

_DOMAIN_PART = r"[a-zA-Z0-9\u0080-\U0010ffff*-]{1,63}"
_ADDRESS = rf"[^\s<>@\"',;:()\[\]|=/*!&]{{1,64}}@{_DOMAIN_PART}(?:\.{_DOMAIN_PART}){{1,8}}"
_ANY_ADDRESS = re.compile(_ADDRESS)
#: a line that begins with an address: what follows is about it
_BEGINS = re.compile(
    rf"[\s>*\-•·\"'(\[]{{0,12}}(?:smtp:|rfc822;|to:? )?[<'\"(]{{0,2}}({_ADDRESS})[>'\")\]]{{0,2}}"
    r"(?:\s*[:;.,\-–(]|\s+on\s|\s*$|\.\.\.|\s{2,}|\s+(?:failed|user|\d{3}\b))",
    re.IGNORECASE,
)
#: words in front of an address that say that it is the recipient
_NAMED = re.compile(rf"{sign('recipient')}[^@\n]{{0,30}}?[\s:=<(\"'\[;]({_ADDRESS})", re.IGNORECASE)
_NEVER = re.compile(r"(?:mailer-daemon|postmaster|abuse|noreply|no-reply|bounce|support|hostmaster)\b", re.IGNORECASE)

#: lines behind which the mail that is given back stands
_COPY = re.compile(
    rf"[\s>*=_#+|-]{{0,80}}{sign('copy')}"
    r"(?:[\s(,]*(?:is (?:the )?following|follows?|is below|below|including all (?:the )?headers?"
    r"|is attached|is included|(?:in|without) (?:full|part|its body)))?[\s)(:.,>*=_#+|-]{0,80}$",
    re.IGNORECASE,
)
_HEADER = re.compile(r"[> |\t]{0,6}([A-Za-z][A-Za-z0-9-]{1,40}):(?:\s|$)")
_OF_A_COPY = frozenset({"received", "return-path", "dkim-signature", "list-unsubscribe", "mime-version", "x-mailer"})
_OF_A_MAIL = frozenset({"from", "to", "subject", "date", "message-id", "content-type", "reply-to"})

_SAID = re.compile(sign("said") + r"[^\n:]{0,60}:", re.IGNORECASE)
_WAITING = re.compile(sign("waiting"), re.IGNORECASE)
_GIVEN_UP = re.compile(sign("given_up"), re.IGNORECASE)
_WARNING = re.compile(sign("warning"), re.IGNORECASE)
_NO_WARNING = re.compile("fail|undeliver|return|permanent|unknown|reject|error", re.IGNORECASE)


class Notice(NamedTuple):
    """A text of a mail server, without the mail that it gives back."""

    words: str
    copy: str  # that mail, as text; "" if it is not there


def cut(text: str) -> Notice:
    """Part a notice from the mail that stands below it as text."""
    lines = text.split("\n")[:_MOST_LINES]
    for number, line in enumerate(lines):
        short = line[:200]
        if number and _COPY.match(short) and not _says_why(lines[number : number + 2]):
            return Notice("\n".join(lines[:number]), "\n".join(lines[number + 1 :]))
        if number and _HEADER.match(short) and _begins_a_mail(lines[number : number + 40]):
            return Notice("\n".join(lines[:number]), "\n".join(lines[number:]))
    return Notice("\n".join(lines), "")


def _says_why(lines: list[str]) -> bool:
    return any(code_in(line[:_LONGEST_LINE]) or status_in(line[:_LONGEST_LINE]) for line in lines)


def _begins_a_mail(lines: list[str]) -> bool:
    names = []
    for line in lines:
        found = _HEADER.match(line[:200])
        if found:
            names.append(found[1].lower())
        elif not line[:1].isspace() or not line.strip():
            break
    known = set(names)
    return len(names) >= 3 and bool(known & _OF_A_COPY) and len(known & (_OF_A_MAIL | _OF_A_COPY)) >= 3


def is_only_a_warning(subject: str, words: str) -> bool:
    """Whether a server says that it goes on trying."""
    code = code_in("\n".join(answers(words.split("\n"))))
    if code is not None and code >= 500:
        return False
    if _WARNING.search(subject):
        return not _NO_WARNING.search(subject)
    return bool(_WAITING.search(words)) and not _GIVEN_UP.search(f"{subject}\n{words}")


def read(notice: Notice, *, failed: Iterable[str] = (), not_about: Iterable[str] = (), sent_to: str = "") -> list[Fate]:
    """Whom a notice is about, and why the mail came back.

    :param failed: the recipients, as headers name them; else the text is searched.
    :param not_about: addresses of the notice itself, and of who sent the mail that is given back.
    :param sent_to: whom that mail names as its recipient, for where the notice names nobody.
    """
    lines = [line[:_LONGEST_LINE] for line in notice.words.split("\n")]
    excluded = list(not_about)
    sections = {
        address: text for address, text in _sections(lines) if not any(same(address, other) for other in excluded)
    }
    addresses = list(dict.fromkeys(failed)) or list(sections) or _named(notice.words, excluded)
    if sent_to and (not addresses or (not failed and not sections and sent_to not in addresses)):
        addresses = [sent_to]
    fates = []
    for address in addresses[:_MOST_RECIPIENTS] or [""]:
        section = sections.get(address) or next((text for key, text in sections.items() if same(key, address)), "")
        fates.append(Fate(address, None, None, None, _meaning(section.split("\n"), lines)))
    return fates


def _meaning(section: list[str], lines: list[str]) -> Meaning:
    """Why, by what stands below an address; if that says nothing, by the whole notice."""
    of_section = judge("\n".join(answers(section)), notice="\n".join(section))
    if of_section.category is not Category.UNDETERMINED or section == lines:
        return of_section
    of_all = judge("\n".join(answers(lines)), notice="\n".join(lines))
    return of_all if of_all.category is not Category.UNDETERMINED or not of_section.status else of_section


def answers(lines: list[str]) -> Iterator[str]:
    """The lines of a notice in which another server is quoted, each with those that go on with it."""
    left, before = 0, ""
    for line in lines:
        is_one = bool(code_in(line) or status_in(line))
        if is_one:
            if before.lstrip().startswith(">>>"):
                yield before
            left = _LONGEST_ANSWER
        elif not line.strip() or (_BEGINS.match(line) and left):
            left = 0
        if left:
            left -= 1
            yield line
        elif _SAID.search(line):  # after which command, or the answer itself
            left = 2
            yield line
        before = line


def _sections(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each address that begins a line, with what stands below it."""
    address, text = "", list[str]()
    for line in lines:
        found = _BEGINS.match(line)
        if found and not _NEVER.match(found[1]) and not same(found[1], address):
            if address:
                yield address, "\n".join(text)
            address, text = found[1].strip("."), []
        text.append(line)
    if address:
        yield address, "\n".join(text)


def _named(words: str, excluded: list[str]) -> list[str]:
    candidates = [*_NAMED.findall(words[:20_000]), *_ANY_ADDRESS.findall(words[:20_000])]
    found = (address.strip(".") for address in candidates if not _NEVER.match(address))
    return list(dict.fromkeys(each for each in found if not any(same(each, other) for other in excluded)))[:1]


def addresses_in(value: str) -> list[str]:
    """The addresses in a header."""
    return [address.strip(".") for address in _ANY_ADDRESS.findall(value[:8_000])]
