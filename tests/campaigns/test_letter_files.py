"""Letters as files: what becomes a letter, and what is refused with file, line and what to write."""

import re
from pathlib import Path

import pytest

from mailer.campaigns import letter_files
from mailer.campaigns.letters import Letter
from mailer.errors import MailerError
from mailer.store.models import LetterText, TargetRole

LETTER = """\
+++
subjects = [
  "Release the six dockers",  # "the" first
  '''
  Six dockers of {{ target_name }}''',
]
closings = ["I await your\\nreply."]
rules = \"\"\"
Say nothing of politics.

Send no money.\"\"\"
+++

{{ salutation or "Your Excellency" }},

I write from {{ country or "abroad" }}:
- release them;
- see https://example.org/report_of_2035 or <us@example.org>.

Yours,\\
{{ name or "(your name)" }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "en.md").write_text("")
    (tmp_path / "letter-embassy.en.md").write_text(LETTER)
    return tmp_path


def read(folder: Path, **values: object) -> list[LetterText]:
    terms = {"kind": "urgent_action", "ask": ["embassy", "authority"], "language": "en", **values}
    return letter_files.read(letter_files.divide(folder).letters, **terms)  # type: ignore[arg-type]


def refusal(folder: Path, **values: object) -> str:
    with pytest.raises(MailerError) as caught:
        read(folder, **values)
    return str(caught.value)


def test_a_letter_is_read_and_kept_apart_from_the_texts(folder: Path) -> None:
    (folder / "letter-embassy.pt_br.md").write_text('+++\nsubjects = ["Soltem-nos"]\n+++\nPor favor.\n')
    (folder / "letter-embassy.en.docx").write_bytes(b"what it was written in")
    (folder / "._letter-embassy.en.md").write_bytes(b"of a Mac")
    assert [path.name for path in letter_files.divide(folder).texts] == ["en.md"]
    english, portuguese = read(folder)
    assert (english.role, english.language, portuguese.language) == (TargetRole.EMBASSY, "en", "pt-BR")
    assert english.subjects == ["Release the six dockers", "Six dockers of {{ target_name }}"]
    assert (english.openings, english.closings) == ([], ["I await your reply."])
    assert english.rules == "Say nothing of politics.\n\nSend no money."
    assert english.body.startswith("\n{{ salutation") and english.body_line == 13
    written = Letter.of(english).written(1, {"target_name": "the embassy"})
    assert written.subject == "Six dockers of the embassy"
    assert written.text == (
        "Your Excellency,\n\nI write from abroad:\n- release them;\n"
        "- see https://example.org/report_of_2035 or <us@example.org>.\n\nI await your reply.\n\nYours,\n(your name)"
    )
    assert (portuguese.openings, portuguese.closings, portuguese.rules) == ([], [], "")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("letter-embasy.fr.md", "Call it letter-embassy.fr.md"),
        ("letter_embassy.fr.md", "Call it letter-embassy.fr.md"),
        ("letter-embassy-fr.md", "Call it letter-embassy.fr.md"),
        ("Letter-Embassy.pt-BR.md", "Call it letter-embassy.pt-BR.md"),
        ("fr-embassy-letter.md", "Call it letter-embassy.fr.md"),
        ("embassies.fr.md", "Call it letter-embassy.fr.md"),
        ("letter-embassy.md", "Call it letter-embassy.en.md"),
        ("letter-embassy.fr.MD", "Call it letter-embassy.fr.md"),
        ("letter-embassy.fr.md.txt", "Call it letter-embassy.fr.md"),
        ("letter-embassy-klingon.md", "Call it letter-embassy.LANGUAGE.md"),
        ("letter-embassy.klingon.md", 'must end with its language: "klingon" is not a language. Use a tag such as en'),
        (
            "letter-king.fr.md",
            "Call it something like letter-embassy.en.md. The roles are: authority (a court, a ministry), embassy, ",
        ),
        (
            "letter.fr.md",
            "Call it something like letter-embassy.en.md. The roles are: authority (a court, a ministry), embassy, ",
        ),
    ],
)
def test_a_name_that_is_nearly_right_is_refused_with_the_right_one(folder: Path, name: str, advice: str) -> None:
    (folder / name).write_text(LETTER)
    refused = refusal(folder)
    assert refused.startswith(f"{name}:1: ") and advice in refused


def test_a_language_has_one_letter_of_a_role(folder: Path) -> None:
    (folder / "letter-embassy.EN.md").write_text(LETTER)
    assert "its name means the same as that of letter-embassy.EN.md. Keep one of the two" in refusal(folder)


def test_letters_go_with_what_the_campaign_asks(folder: Path) -> None:
    assert refusal(folder, ask=["prisoner"]) == (
        'letter-embassy.en.md:1: campaign.toml does not ask for "embassy", so nobody would see this letter. '
        'Write ask = ["prisoner", "embassy"] there, or take the file away'
    )
    assert refusal(folder, kind="update", ask=[]) == (
        'letter-embassy.en.md:1: a campaign of kind "update" asks nobody to write, so it has no letters. '
        'Take the file away, or write kind = "urgent_action" in campaign.toml'
    )
    assert refusal(folder, language="fr") == (
        "letter-embassy.en.md:1: the campaign's own language is fr, but there is no letter-embassy.fr.md. "
        "Write that letter, too"
    )


SUBJECTS = 'subjects = [\n  "Release the six dockers",  # "the" first\n'
WRONG = {
    "no subject": (SUBJECTS, "openings = [\n  'a',\n", ":2: subjects: there must be at least one, such as subjects ="),
    "no list": ('["I await your\\nreply."]', '"Reply."', ":7: closings: must be a list of texts in quotes"),
    "an empty subject": ("Release the six dockers", " ", ":3: subjects: one of them is empty"),
    "an empty closing": ("I await your\\nreply.", "", ":7: closings: one of them is empty"),
    "two lines of subject": ("Release the", "Release\\nthe", ":3: subjects: each must be one line"),
    "two paragraphs": ("your\\nreply", "your\\n\\nreply", ":7: closings: each must be one paragraph"),
    "a subject twice": ("Six dockers of {{ target_name }}", "release the  SIX dockers", ":5: subjects: this one says"),
    "another key": ("closings =", "closing =", ":7: closing: unknown key; known keys: closings, openings, rules, "),
    "no front matter": (
        "+++\nsub",
        "sub",
        ":1: must begin with a line +++, then subjects, openings, closings and rule",
    ),
    "another field": ("{{ target_name }}", "{{ union or 'us' }}", ':5: There is no field "union"'),
    "a field of which pages know nothing": (
        '{{ country or "abroad" }}',
        "{{ country }}",
        ':16: {{ country }} needs a default, because a page does not know who writes. Write {{ country or "abroad" }}',
    ),
    "a name that nobody knows": ('{{ name or "(your name)" }}', '{{ name or "" }}', ":21: {{ name }} needs a default"),
    "a salutation in a closing": ("I await your", "{{ salutation }}", ":7: {{ salutation }} needs a default"),
    "a condition": ("Yours,", '{% if country == "GB" %}Yours,{% endif %}', ":20: a letter has no conditions"),
    "one in a subject": ("Release the", "{% if a %}Release{% endif %} the", ":3: a letter has no conditions"),
    "an address that tells who writes": (
        "example.org/report_of_2035",
        'example.org/{{ name or "us" }}',
        ':18: {{ name or "us" }} cannot be in the address',
    ),
    "bold words": (
        "release them",
        "**release\nthem**",
        ":17: **release them** would go out as it stands, because a lette",
    ),
    "a link": ("I write", "I [write](https://example.org)", ":16: [write](https://example.org) would go out"),
    "a heading": ("I write", "# Please\n\nI write", ":16: # would go out as it stands"),
    "HTML": ("Yours,", "<b>Yours</b>,", ":20: <b> would go out as it stands"),
    "bold words in a subject": ("Release the", "**Release** the", ":3: **Release** would go out"),
    "bold words in a rule": ("Send no money", "Send **no** money", ":11: **no** would go out"),
    "a field in a rule": ("Send no money", "Send {{ name }} no money", ":11: rules: they are the same for everybody"),
    "a book": ("I write", "I write " + "word " * 4000, ":13: this has more than 20,000 characters"),
    "a book to begin with": (
        "I await",
        "I await " + "word " * 4000,
        ":7: closings: together they have more than 20,000",
    ),
    "more closings than a page reads": (
        '"I await your\\nreply."',
        ", ".join(f'"Number {number}."' for number in range(101)),
        ":7: closings: there are more than 100. Keep the best",
    ),
    "nothing written": (LETTER[LETTER.rindex("+++") + 3 :], "\n", ":12: there is no text under the front matter"),
}


@pytest.mark.parametrize(("old", "new", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_letter_is_refused_with_its_line(folder: Path, old: str, new: str, message: str) -> None:
    assert LETTER.count(old) == 1
    (folder / "letter-embassy.en.md").write_text(LETTER.replace(old, new))
    refused = refusal(folder)
    assert refused.startswith("letter-embassy.en.md:") and message in refused


def test_what_turns_words_around_unseen_is_left_out(folder: Path) -> None:
    turned = re.sub(r"Release|reply|Say|release them", "\u202b\\g<0>\u202c", LETTER)
    assert turned.count("\u202b") == 4
    (folder / "letter-embassy.en.md").write_text(turned)
    [letter] = read(folder)
    (folder / "letter-embassy.en.md").write_text(LETTER)
    [plain] = read(folder)
    for part in ("subjects", "closings", "rules", "body"):
        assert getattr(letter, part) == getattr(plain, part)


def test_no_refusal_quotes_a_word_that_must_not_appear(folder: Path) -> None:
    (folder / "letter-embassy.en.md").write_text(LETTER.replace("release them", "release **Amal Odeh**"))
    assert "Amal Odeh" in refusal(folder)
    refused = refusal(folder, never=["Amal Odeh"])
    assert refused.startswith("letter-embassy.en.md:17: something is wrong here that cannot be shown")
    (folder / "letter-amal-odeh.en.md").write_text(LETTER)
    assert refusal(folder, never=["Amal Odeh"]).startswith("letter-….md:1: ")
