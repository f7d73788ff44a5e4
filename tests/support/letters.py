"""Invented targets of the book, and the letters to them."""

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.store.models import Campaign, LetterText, TargetRole

EMBASSY = TargetRole.EMBASSY
#: a letter in five scripts, short enough in English for a link, and too long in the others
BODIES = {
    "en": '{{ salutation or "Your Excellency" }},\n\nI ask you to free the five dockers of Veldara:\n\n- all five;\n'
    '- at once.\n\nYours,\\\n{{ name or "(your name)" }}\n',
    "ru": '{{ salutation or "Ваше Превосходительство" }},\n\n'
    + "Я прошу освободить пятерых докеров Вельдары. Они сидят за забастовку. " * 6
    + '\n\nС уважением,\\\n{{ name or "(ваше имя)" }}\n',
    "ar": '{{ salutation or "سعادة السفير" }}،\n\n'
    + "أطلب منكم الإفراج عن عمال الميناء الخمسة في فيلدارا. سُجنوا بسبب إضراب. " * 6
    + '\n\nمع الاحترام،\\\n{{ name or "(اسمكم)" }}\n',
}
SUBJECTS = {
    "en": ["Free the five", "Five dockers in prison"],
    "ru": ["Освободите пятерых", "Пять докеров в тюрьме"],
    "ar": ["أفرجوا عن الخمسة", "خمسة عمال في السجن"],
}


def add_letter(session: Session, campaign: Campaign, language: str = "en", **columns: Any) -> LetterText:
    """The letter to embassies in a language."""
    written: dict[str, Any] = {
        "role": EMBASSY,
        "subjects": SUBJECTS.get(language),
        "openings": [],
        "closings": [],
        "rules": "",
        "body": BODIES.get(language),
        "body_line": 5,
    }
    letter = LetterText(language=language, **(written | columns))
    campaign.letters.append(letter)
    session.flush()
    return letter


def put_target(session: Session, slug: str = "embassy-de", **known: Any) -> Target:
    """A target: an embassy of Brazil's, unless something else is said."""
    values: dict[str, Any] = {
        "slug": slug,
        "role": EMBASSY,
        "about": None if "case" in known else "BR",
        "countries": (),
        "name": "Embassy of Brazil",
        "email": f"{slug}@example.org",
        "address": "",
        "languages": ("en",),
        "verified_on": date(2026, 3, 1),
        **known,
    }
    target = Target(**values)
    target_book.put(session, target)
    return target
