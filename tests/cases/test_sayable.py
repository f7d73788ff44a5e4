"""What of a case everybody may read."""

import pytest
from sqlalchemy.orm import Session

from mailer.cases.sayable import Sayable, Words
from tests.support.cases import make_case


@pytest.mark.parametrize(
    ("reader", "told"), [("fr-CA", "fr"), ("fr", "fr"), ("de", "en"), ("el", "en"), ("ru", "en"), ("kk", "ru")]
)
def test_words_come_in_the_readers_language_else_in_english(reader: str, told: str) -> None:
    words = {"ru": "русский", "fr": "français", "en": "English"}
    if reader == "ru":
        words.pop("ru")
    assert Sayable(None).choose(words, reader, {"kk": ["ru"]}) == Words(told, words[told])


def test_words_that_are_in_no_such_language_come_in_the_one_there_is() -> None:
    assert Sayable(None).choose({"tr": "Türkçe"}, "fr") == Words("tr", "Türkçe")
    assert Sayable(None).choose({}, "fr") is None


def test_what_must_not_appear_in_one_language_is_said_in_none(session: Session) -> None:
    may = Sayable(make_case(session, never=["Amal Odeh"]))
    assert may.choose({"en": "A M A L Odeh is safe.", "fr": "Elle est en sécurité."}, "fr") is None
    assert may.choose({"en": "She is safe."}, "fr") == Words("en", "She is safe.")
