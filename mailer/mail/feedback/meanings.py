"""What a mail server's answer means, whether it came at send time or in a report: one table, one meaning.

Evidence, the strongest first: the words of the server's answer, the enhanced status code in them, the status that a
report gives, the reply code, and what a notice says in words of its own.
"""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from mailer.mail.feedback.types import Category, Meaning

if TYPE_CHECKING:
    from mailer.mail.feedback.rules import Rule

_LONGEST = 2_000  # characters that are judged

#: What enhanced status codes mean (RFC 3463, and what servers use them for) where no words say otherwise; the first
#: that fits.
_BY_STATUS = (
    (r"5\.1\.(?:1|6|10)", Category.NO_MAILBOX),
    (r"5\.1\.2|5\.4\.4|5\.4\.310", Category.NO_DOMAIN),
    (r"[45]\.1\.[78]|5\.1\.90|5\.7\.27|5\.7\.(?:232|233|705|708|750)", Category.US),
    (r"5\.2\.1|5\.7\.13", Category.DISABLED),
    (r"[45]\.2\.2", Category.FULL),
    (r"5\.(?:2\.3|3\.4)", Category.SIZE),
    (r"5\.7\.(?:8|9|1[12]|2[0-6]|30|57)", Category.AUTH),
    (r"5\.7\.(?:54|64)", Category.RELAY),
    (r"5\.7\.\d+", Category.POLICY),
    (r"5\.6\.\d+", Category.CONTENT),
    (r"4\.\d\.\d+|5\.[34]\.[1-9]\d*", Category.TEMPORARY),
    (r"5\.\d\.\d+", Category.UNDETERMINED),
)
_SAYS_NOTHING = re.compile(r"[45]\.(?:0\.\d+|5\.0|1\.0)$")
_DECISIVE = re.compile(r"5\.(?:2\.[1-3]|3\.4|7\.(?!1$)\d+)$|[45]\.1\.[78]$")

_ADDRESS = re.compile(r"<?[^\s<>@\"',;:()\[\]]{1,64}@[^\s<>,;:\"'()\[\]]{1,255}>?")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]{0,500}")
_STATUS = re.compile(r"(?:(?<![\w.-])|(?<=[45]\d\d-))([245]\.[0-7]\.\d{1,3})(?![\w-]|\.\w)")
_REPLY_CODE = re.compile(r"(?<![\w.@/:-])([245][0-7]\d)(?=[ \-:;,>#]|$)(?! ?(?:bytes|kb|mb|characters|hours))")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"'})


def of_reply(code: int, text: str) -> Meaning:
    """What one SMTP reply means that is a refusal (RFC 5321).

    :param code: of three digits; 0 where there was none.
    :param text: the words, with the enhanced status code if the server has them.
    """
    return judge(text, code=code or None)


def judge(words: str, *, code: int | None = None, status: str | None = None, notice: str = "") -> Meaning:
    """What evidence means.

    :param words: of the server's answer, perhaps with its codes.
    :param code: of the reply, unless it is in the words.
    :param status: enhanced status code that a report gives beside them.
    :param notice: what the report says in words of its own.
    """
    text = plain(words)
    inside = status_in(text)
    code = code or code_in(text)
    known = _informative(inside) or _informative(status) or inside or status
    said = [inside or "", str(code or "")] if inside or code else [status or ""]
    is_temporary = any(each.startswith("4") for each in said)
    rule = _first(text, known or "", has_code=code is not None)
    if rule is not None and not (rule.is_weak and known and _DECISIVE.match(known) and rule.category.permanent):
        category, because = rule.category, f"words: {_named(rule.category)}"
        if category is Category.NO_MAILBOX and (known or "").startswith("5.7."):
            category, because = Category.UNDETERMINED, f"unknown user, under {known}"
    else:
        category, because = _by_codes(inside, status, code)
        if category is Category.UNDETERMINED and (_is_bare(text) or (code is None and inside is None)):
            category, because = _by_notice(notice) or (category, because)
    # A name that does not exist is looked up again until retries end: some then report 4.0.0.
    is_final = category is Category.NO_DOMAIN and code is None and not _informative(inside or status)
    if is_temporary and category.permanent and not is_final:
        category, because = Category.TEMPORARY, f"for now only: {because}"
    return Meaning(category, known, because)


@cache
def _rules(*, is_ascii: bool) -> "tuple[Rule, ...]":
    # Here: they take longer to read than most commands take to begin, and only what was refused needs them.
    from mailer.mail.feedback.rules import RULES

    return tuple(rule for rule in RULES if rule.is_latin or not is_ascii)


@lru_cache(maxsize=1024)  # a server says the same of many: without addresses, word for word
def _first(text: str, status: str, *, has_code: bool) -> "Rule | None":
    found = None
    for rule in _rules(is_ascii=text.isascii()):
        if (rule.needs_code and not has_code) or not rule.fits(text, status):
            continue
        if found is None:
            found = rule
            # "Unknown or inactive": the code tells which.
            if rule.category is not Category.DISABLED or status != "5.1.1":
                return found
        elif rule.category is Category.NO_MAILBOX:
            return rule
    return found


def _by_codes(inside: str | None, status: str | None, code: int | None) -> tuple[Category, str]:
    for found, where in ((inside, "status in the reply"), (status, "status")):
        if _informative(found):
            for pattern, category in _BY_STATUS:
                if re.fullmatch(pattern, found or ""):
                    return category, f"{where}: {found}"
    if code is None:
        temporary = (inside or status or "").startswith("4")
        return (Category.TEMPORARY, "status: for now") if temporary else (Category.UNDETERMINED, "nothing says why")
    if code == 556:  # RFC 7504: a host that takes no mail
        return Category.NO_DOMAIN, "reply code: 556"
    return (Category.TEMPORARY if code < 500 else Category.UNDETERMINED), f"reply code: {code}"


def _by_notice(notice: str) -> tuple[Category, str] | None:
    text = plain(notice)
    rule = _first(text, "", has_code=False) if text else None
    return (rule.category, f"words of the notice: {_named(rule.category)}") if rule else None


def _named(category: Category) -> str:
    return category.value.replace("_", " ")


def _informative(status: str | None) -> str | None:
    return None if status is None or _SAYS_NOTHING.match(status) else status


def _is_bare(text: str) -> bool:
    """Whether an answer has no words of its own."""
    return len(re.sub(r"[\W\d_]+", "", _COMMONPLACE.sub("", text))) < 12


_COMMONPLACE = re.compile(
    r"(?:requested (?:mail )?action )?(?:not taken|aborted)|delivery (?:error|failed|failure)|smtp|error"
    r"|fail(?:ed|ure)?|(?:message |mail )?(?:not delivered|undeliverable|could not be delivered)"
    r"|remote host said|permanent|transaction"
)


def plain(words: str) -> str:
    """A server's words in the form in which rules are written: lower case, one line, ¤ for each address, no URLs."""
    text = _ADDRESS.sub(" ¤ ", _URL.sub(" ", words[:_LONGEST].translate(_APOSTROPHES)))
    return " ".join(text.lower().split())


def status_in(text: str) -> str | None:
    """The first enhanced status code of a refusal in a text."""
    found = next((match[1] for match in _STATUS.finditer(text) if match[1][0] != "2"), None)
    better = next((match[1] for match in _STATUS.finditer(text) if _informative(match[1]) and match[1][0] != "2"), None)
    return better or found


def code_in(text: str) -> int | None:
    """The first reply code of a refusal in a text."""
    return next((int(match[1]) for match in _REPLY_CODE.finditer(text) if match[1][0] != "2"), None)
