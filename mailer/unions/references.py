"""What calls a union by its slug: audiences of campaigns, or saved, and the conditions in texts."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.store.models import Campaign, CampaignText, SavedAudience

#: the keys of an audience that hold slugs of unions
_KEYS = ("unions", "exclude_unions")
#: what stands in a tag of a text: names, and texts in quotes. Each text is compared with the last name before it.
_TAG = re.compile(r"\{%.*?%\}", re.DOTALL)
_PART = re.compile(r"""(?P<text>"[^"]*"|'[^']*')|(?P<name>[a-z_]\w*)""")
_OPERATORS = frozenset(["if", "elif", "in", "not", "and", "or"])


def rename(session: Session, slug: str, new_slug: str) -> None:
    """Have every campaign mean a union by its new slug, whatever became of the campaign: the old one may tell who the
    union is. Nobody gets another text by it, or none."""
    for named in (*session.scalars(select(Campaign)), *session.scalars(select(SavedAudience))):
        audience = {
            key: [new_slug if value == slug else value for value in values] if key in _KEYS else values
            for key, values in named.audience.items()
        }
        if audience != named.audience:
            named.audience = audience
    for text in session.scalars(select(CampaignText)):
        for part in ("subject", "preheader", "body"):
            written = getattr(text, part)
            if slug in written and (renamed := renamed_in(written, slug, new_slug)) != written:
                setattr(text, part, renamed)
    session.flush()


def renamed_in(text: str, slug: str, new_slug: str) -> str:
    """A text whose conditions call a union by its new slug. What it says to people stays as it is."""

    def in_tag(tag: re.Match[str]) -> str:
        asked = ""

        def in_part(part: re.Match[str]) -> str:
            nonlocal asked
            if part["name"] and part["name"] not in _OPERATORS:
                asked = part["name"]
            if asked == "union" and part["text"] and part["text"][1:-1] == slug:
                return f"{part[0][0]}{new_slug}{part[0][-1]}"
            return part[0]

        return _PART.sub(in_part, tag[0])

    return _TAG.sub(in_tag, text)
