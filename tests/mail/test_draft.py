"""Drafts: what a union opens, addresses and sends, and what somebody sends to a target. They read as they were written,
and say nothing of where they were."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail import draft

HEADERS = ["X-Unsent", "Subject", "Content-Language", "MIME-Version", "Content-Type"]
#: what a text may be made of: a rendering has no control characters, no lone surrogates, and "\n" at the end of a line
WORDS = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]) | st.just("\n"))
LINE = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Z", "Cf"]), min_size=1)


def written(*, subject: str = "Free the six", text: str = "Text\n", html: str = "<p>Text</p>\n") -> bytes:
    return draft.write(subject=subject, text=text, html=html, language="fr-CA")


def read(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


def content(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None and not part.defects
    return str(part.get_content()).replace("\r\n", "\n")


def test_it_opens_as_a_new_message_that_comes_from_nobody_and_goes_to_nobody() -> None:
    message = read(written())
    assert message.keys() == HEADERS
    assert message["X-Unsent"] == "1"
    assert message["Content-Language"] == "fr-CA"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert not message.defects


@pytest.mark.parametrize(
    "subject", ["Six jailed", "Dockers à Veldara : six ans", "السجن اثني عشر عامًا " * 4, "x" * 200]
)
def test_the_subject_is_read_as_it_was_written(subject: str) -> None:
    assert read(written(subject=subject))["Subject"] == " ".join(subject.split())


def test_a_subject_cannot_become_a_header() -> None:
    message = read(written(subject="Six\r\nTo: x@example.org\r\n\r\n=?utf-8?q?x=0D=0ABcc:_y?="))
    assert message.keys() == HEADERS


@given(subject=LINE, text=WORDS, html=WORDS)
@example(subject="=?", text=".\n..\n.", html="--=_\n\n.")
@example(subject="é", text=" \n\t\n" + "x" * 2000, html="سجن" * 500)
def test_any_words_arrive_as_they_were_in_short_lines(subject: str, text: str, html: str) -> None:
    data = written(subject=subject, text=text, html=html)
    message = read(data)
    assert message.keys() == HEADERS
    assert (content(message, "plain"), content(message, "html")) == (text, html)
    lines = data.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert max(map(len, data.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    assert data.isascii()


def test_the_same_words_make_the_same_draft() -> None:
    assert written() == written()


# --- a letter -------------------------------------------------------------------------------------------------------

LETTERS = {
    "en": ("Free the five", "Your Excellency,\n\n.\nFrom the port\n" + "x" * 2000),
    "ru": ("Освободите пятерых докеров порта Вельдары " * 8, "Ваше Превосходительство,\n\nосвободите их."),
    "ar": ("أفرجوا عن الخمسة", "سعادة السفير،\n\nأفرجوا عنهم."),
    "el": ("Ελευθερώστε τους πέντε", "Εξοχότατε,\n\nελευθερώστε τους."),
    "zh-Hans": ("请释放五人", "尊敬的大使:\n\n请释放他们。"),
}


@pytest.mark.parametrize("language", LETTERS)
def test_a_letter_opens_unsent_and_reads_back_the_same(language: str) -> None:
    subject, text = LETTERS[language]
    data = draft.letter(to="embassy@example.org", cc="law@example.net", subject=subject, text=text, language=language)
    message = read(data)
    assert message.keys() == [
        *("X-Unsent", "To", "Cc", "Subject", "Content-Language"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    ]
    assert (message["X-Unsent"], message["To"], message["Cc"]) == ("1", "embassy@example.org", "law@example.net")
    assert (message["Subject"], message["Content-Language"]) == (" ".join(subject.split()), language)
    assert message.get_content_type() == "text/plain"
    assert str(message.get_content()).replace("\r\n", "\n") == f"{text}\n"
    assert not message.defects
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert max(map(len, data.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    assert data.isascii() and not any(b"\n" in line for line in lines)


@given(subject=LINE, text=WORDS)
@example(subject="S\r\nBcc: x@example.org", text="\r\nBcc: x@example.org\r\n\r\n")
def test_no_words_of_a_letter_become_a_header(subject: str, text: str) -> None:
    data = draft.letter(to="embassy@example.org", subject=subject, text=text, language="en")
    message = read(data)
    assert message.get_all("Bcc") is message.get_all("Cc") is None
    assert message.get_all("To") == ["embassy@example.org"]
    assert max(map(len, data.split(b"\r\n"))) <= 998
