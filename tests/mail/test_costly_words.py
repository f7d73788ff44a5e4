"""Words that spam filters hold against a mail, and what their author is told of them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.campaigns import editions, letters
from mailer.mail import costly_words, markdown
from mailer.mail.fields import Template
from mailer.mail.markers import Markers
from mailer.mail.types import Slot

ROOT = Path(__file__).parents[2]
SAMPLES = [*ROOT.glob("mailer/trial/sample/campaigns/*/*.md"), *ROOT.glob("mailer/bench/campaign/*.md")]


def found(*body: str | Slot) -> list[tuple[str, str]]:
    """What is told of a text, and by what of it the line is found."""
    markers = Markers()
    tokens = markdown.read(markers.mark(body), markers)
    return [(warning.what.split(" costs ")[0], warning.about) for warning in costly_words.find(tokens, markers)]


@pytest.mark.parametrize(
    ("source", "words", "about"),
    [
        ("Dear Friend,\n\nwrite.", '"Dear Friend"', "Dear Friend"),
        ("> **Dear Sir** or Madam", '"Dear Sir"', "Dear Sir"),
        ("## An urgent *appeal*: request it", '"urgent appeal: request"', ": request"),
        ("- an urgent\n  reply", '"urgent reply"', "urgent"),
        ("- [an urgent response](https://example.org)", '"urgent response"', "urgent response"),
        ("A fine of US$ 1,500,000.", '"$ 1,500,000"', "$ 1,500,000"),
        ("To be removed from all our mailings", '"To be removed from all our mailings"', "To be removed from all our "),
    ],
)
def test_costly_words_are_named_as_readers_see_them(source: str, words: str, about: str) -> None:
    ((named, written),) = found(source)
    assert named == words
    assert written.startswith(about)
    assert written in source


def test_a_default_counts_with_the_words_around_it() -> None:
    assert found("Dear ", Slot("name", "friend"), ",") == [('"Dear friend"', "{{ name or ")]
    assert found("Dear ", Slot("name", "Ana's friend"), ",") == []


@pytest.mark.parametrize(
    "source",
    [
        "Dear friends, dear friend, my dear friend",
        "Dear Siraj, dear supporter, dear minister",
        "Urgent action. Twelve days later they had no request left.",
        "A fine of 1.5 million dollars, or $1,500.",
        "[write](mailto:us@example.org?subject=Dear%20friend)",
        "`They were removed from the list.`",
    ],
)
def test_words_that_cost_nothing_are_not_named(source: str) -> None:
    assert found(source) == []


def test_a_subject_is_read_as_its_readers_see_it() -> None:
    (warning,) = costly_words.find_in_line(("An ", Slot("name", "urgent"), " request"))
    assert warning.what.startswith('"urgent request" costs up to 1.8 of the 5 points ')
    assert list(costly_words.find_in_line(("Six jailed",))) == []


@pytest.mark.parametrize("file", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_sample_to_copy_has_costly_words(file: Path) -> None:
    require_none(file.read_text("utf-8"), letters.parse if file.name.startswith("letter-") else editions.parse_source)


def test_the_quickstart_has_no_costly_words() -> None:
    (text,) = re.findall(r"```markdown\n(.*?)```", (ROOT / "docs" / "quickstart.md").read_text("utf-8"), re.DOTALL)
    require_none(text)


def require_none(text: str, parse: Callable[..., Template] = editions.parse_source) -> None:
    front, body = text.split("+++\n")[1:]
    template = parse(body, file="en.md")
    for outcome in "01":
        assert found(*template.resolve(outcome * template.tests)) == []
    assert list(costly_words.find_in_line(tuple(front.splitlines()))) == []
