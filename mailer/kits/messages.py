"""What a kit has for messengers and to paste: short plain texts.

A link stands on a line of its own: there it is shown as it is written, whichever way the words around it run, and no
isolate has to stand beside it, which some messengers would take for a part of the link.
"""

import re

from mailer.campaigns.text_names import TextName
from mailer.kits.wording import KitText, one_line
from mailer.locale import translations
from mailer.store.models import TargetRole

#: what the messenger texts may have, links included
SHORT_CHARACTERS = 280
MEDIUM_CHARACTERS = 1000
#: what is too short to be worth a cut sentence
_FEWEST_CHARACTERS = 80
_FEWEST_OF_TITLE = 40
_BOM = "\ufeff"
_LETTER = re.compile(rf"letter-({'|'.join(TargetRole)})\.([A-Za-z0-9-]+)\.txt")


def short(kit_text: KitText) -> str:
    """For a post or a text message: the title, until when, and where one can read more, or else whom to write to, and
    join. A link is never shortened."""
    web, join = _links(kit_text)
    call = kit_text.stop or kit_text.call
    for rest in (
        [call, web or _written_to(kit_text), join],
        [call, join],
        [call, kit_text.join_url],
        [kit_text.stop or kit_text.join_url],
    ):
        lines = [line for line in rest if line]
        room = SHORT_CHARACTERS - len("\n".join(["", *lines]))
        if room >= min(_FEWEST_OF_TITLE, len(kit_text.title)):
            break
    return "\n".join(filter(None, [_shortened(kit_text.title, room), *lines]))


def _links(kit_text: KitText) -> tuple[str | None, str]:
    """Where one can read more, and join."""
    _ = translations.gettext_for(kit_text.language)
    read_more, join = _("Read more:"), _("Get the next alert yourself:")
    return f"{read_more}\n{kit_text.web_url}" if kit_text.web_url else None, f"{join}\n{kit_text.join_url}"


def _written_to(kit_text: KitText) -> str | None:
    """Whom to write to."""
    _, target = translations.gettext_for(kit_text.language), kit_text.target
    if target is None:
        return None
    return "\n".join(filter(None, [_("Write to:"), one_line(target.name), one_line(target.email or target.url)]))


def medium(kit_text: KitText, organisation: str) -> str:
    """For a messenger: what happened, whom to write to and until when, and where it goes on. That nobody should write
    any more comes before all of it."""
    rest = [
        kit_text.call,
        _written_to(kit_text),
        *_links(kit_text),
        one_line(organisation),
    ]
    end = [block for block in rest if block]
    first = [kit_text.stop] if kit_text.stop else []
    room = MEDIUM_CHARACTERS - len("\n\n".join(["", *end]))
    begin = [*first, _bold(_shortened(kit_text.title, room - len("\n\n".join([*first, "**"]))))]
    for paragraph in (kit_text.lead, *kit_text.prose):
        room_left = room - len("\n\n".join([*begin, ""]))
        if len(paragraph) > room_left:
            if len(begin) - len(first) <= 2 and room_left >= _FEWEST_CHARACTERS:
                begin.append(_shortened(paragraph, room_left))
            break
        begin.append(paragraph)
    return "\n\n".join(filter(None, [*begin, *end]))


def _bold(title: str) -> str:
    """Bold in WhatsApp; elsewhere the stars set a title off as well."""
    return title if not title or "*" in title else f"*{title}*"


def _shortened(text: str, most: int) -> str:
    """At most so many characters, cut between words where there are any."""
    if len(text) <= most:
        return text
    if most < 2:
        return ""
    cut = text[: most - 1]
    whole_words = cut if text[most - 1].isspace() else cut.rpartition(" ")[0]
    return f"{(whole_words or cut).rstrip(' ,;:.–—-')}…"


def letter_file(role: TargetRole, language: str) -> str:
    """The name of the file with a letter."""
    return f"{TextName(language, role).stem}.txt"


def letter_in(name: str) -> tuple[TargetRole, str] | None:
    """The role and the language of the letter in a file of that name; None if it is another file."""
    match = _LETTER.fullmatch(name)
    return (TargetRole(match[1]), match[2]) if match else None


def read_text(content: bytes) -> str:
    """What a .txt file of a kit says, for a page to show and to copy."""
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def text_file(text: str) -> bytes:
    """A text that opens right everywhere: older Windows needs the line ends, and it, macOS and iOS the byte order mark
    to know letters beyond ASCII for what they are."""
    return f"{_BOM}{text}".replace("\n", "\r\n").encode("utf-8", "replace")
