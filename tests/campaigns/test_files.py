"""Campaigns as files: what becomes a draft, and what is refused with file and line."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns import editions, files, lifecycle, petitions
from mailer.campaigns.files import AlreadyStarted, LoadedElsewhere, NoSuchFolder
from mailer.cases.targets import Targets
from mailer.delivery import control
from mailer.errors import MailerError
from mailer.formats.written_files import InvalidFile
from mailer.people import lists
from mailer.store.db import session_scope
from mailer.store.models import CampaignStatus, HomeRule
from mailer.store.slugs import InvalidSlug
from mailer.trial import sample
from tests.support.concurrency import Beside
from tests.support.factories import make_campaign, make_case, make_list, make_union
from tests.support.sample_world import load_alert

TOML = """\
kind = "urgent_action"
list = "urgent-actions"
language = "en"
"""
ENGLISH = """\
+++
subject = "Free them"
preheader = "Six dockers are in prison"
+++

Dear {{ name or "supporter" }},

write today.
"""


@pytest.fixture
def folder(session: Session, tmp_path: Path) -> Path:
    """A campaign that can be loaded."""
    make_list(session)
    make_union(session, "dockers")
    session.commit()
    folder = tmp_path / "free-the-dockers"
    folder.mkdir()
    (folder / "campaign.toml").write_text(TOML)
    (folder / "en.md").write_text(ENGLISH)
    return folder


def refusal(session: Session, folder: Path) -> str:
    with pytest.raises(MailerError) as caught:
        files.load(session, folder)
    session.rollback()
    return str(caught.value)


def test_the_sample_campaign_becomes_a_draft(session: Session, tmp_path: Path) -> None:
    make_list(session, sample.LIST_SLUG)
    for union in sample.unions():
        make_union(session, union.slug)
    campaign = load_alert(session, tmp_path)
    assert campaign.slug == "veldara-dockers"
    assert campaign.status is CampaignStatus.DRAFT
    assert [text.language for text in campaign.texts] == ["ar", "de", "en", "es", "fr", "ru"]
    assert campaign.audience["exclude_countries"] == ["BR", "JP"]
    assert campaign.deadline == datetime(2035, 4, 30, 16, 0, tzinfo=UTC)
    assert campaign.forwardable and campaign.public
    assert campaign.case is not None
    assert (campaign.case.slug, campaign.about) == (sample.CASE_SLUG, sample.HOME)


@pytest.mark.parametrize(
    ("written", "to"),
    [
        ('to = "the  President"', {"en": "the President"}),
        ('to = { en = "the President", FR = "le président" }', {"en": "the President", "fr": "le président"}),
    ],
)
def test_a_petition_says_who_gets_the_names_and_how_many_are_wanted(
    session: Session, folder: Path, written: str, to: dict[str, str]
) -> None:
    (folder / "campaign.toml").write_text(f"{TOML}goal = 5000\n[petition]\n{written}\n")
    campaign = files.load(session, folder)
    assert campaign.goal == 5000
    petition = petitions.of(campaign)
    assert petition is not None
    assert petition.to == to
    assert petition.addressee("de", {}).text == "the President"
    assert petition.addressee("fr-CA", {}).text == to.get("fr", "the President")
    (folder / "campaign.toml").write_text(TOML)
    campaign = files.load(session, folder)
    assert (campaign.goal, petitions.of(campaign)) == (None, None)


def test_loading_again_updates_the_draft_and_keeps_its_salt(session: Session, folder: Path) -> None:
    first = files.load(session, folder)
    salt = first.salt
    (folder / "fr.md").write_text(ENGLISH.replace("Free them", "Libérez-les"))
    (folder / "campaign.toml").write_text(TOML + '[audience]\ncountries = ["@EU"]\n')
    again = files.load(session, folder)
    assert (again.id, again.salt) == (first.id, salt)
    assert [text.subject for text in again.texts] == ["Free them", "Libérez-les"]
    assert again.audience == {"countries": ["@EU"]}
    (folder / "fr.md").unlink()
    assert [text.language for text in files.load(session, folder).texts] == ["en"]


def test_unions_and_lists_may_be_named_as_people_write_them(session: Session, folder: Path) -> None:
    make_union(session, "packers", name="Packers’ Union")
    make_list(session, "others", name="Action d’été")
    audience = '[audience]\nunions = ["PACKERS\' UNION"]\nexclude_lists = ["action d\'ete"]\n'
    (folder / "campaign.toml").write_text(TOML + audience)
    assert files.load(session, folder).audience == {"unions": ["packers"], "exclude_lists": ["others"]}


def test_a_condition_on_a_unions_name_is_refused_with_the_slug_to_write(session: Session, folder: Path) -> None:
    make_union(session, "packers", name="Packers’ Union")
    (folder / "en.md").write_text(ENGLISH + '{% if union == "Packers\' union" %}Hello{% endif %}\n')
    assert 'write "packers"' in refusal(session, folder)


def test_a_target_for_a_group_leaves_its_territories_to_targets_of_their_own(session: Session, folder: Path) -> None:
    lines = ('name = "A"\ncountries = ["@eu", "Iceland"]', 'name = "B"\ncountries = ["RE"]', 'name = "C"')
    tables = "".join(f"[[targets]]\n{line}\n" for line in lines)
    (folder / "campaign.toml").write_text(TOML + tables)
    draft = files.load(session, folder)
    assert [target.get("groups") for target in draft.targets] == [["@EU"], None, None]
    found = Targets.stored(draft.targets)
    names = {place: target.name for place in ("IS", "GP", "AT", "RE", "GL") if (target := found.for_country(place))}
    assert names == {"IS": "A", "GP": "A", "AT": "A", "RE": "B", "GL": "C"}
    (folder / "campaign.toml").write_text(TOML + tables + '[[targets]]\ncountries = ["FR"]\nname = "Paris"\n')
    assert "two targets are for FR" in refusal(session, folder)


def test_a_campaign_says_which_roles_it_asks_for_in_order(session: Session, folder: Path) -> None:
    assert files.load(session, folder).ask == []
    (folder / "campaign.toml").write_text(f'{TOML}ask = ["embassy", "authority"]\n')
    assert files.load(session, folder).ask == ["embassy", "authority"]
    for ask, problem in [
        ('["king"]', 'ask: there is no role "king"; known are authority (a court, a ministry), embassy'),
        ('["embassy", "embassy"]', 'ask: names "embassy" twice'),
        ('["prisoner"]', "ask: a prisoner is written to in one case"),
        ('"embassy"', "ask: must be a list of texts"),
    ]:
        (folder / "campaign.toml").write_text(f"{TOML}ask = {ask}\n")
        assert problem in refusal(session, folder)


STARTED = set(CampaignStatus) - {CampaignStatus.DRAFT, CampaignStatus.STANDING}


@pytest.mark.parametrize(("written", "about"), [("FR", "FR"), ("France", "FR"), ("none", "none")])
def test_a_campaign_says_whose_authorities_it_addresses_and_who_there_gets_it(
    session: Session, folder: Path, written: str, about: str
) -> None:
    (folder / "campaign.toml").write_text(f'{TOML}about = "{written}"\nhome = "exclude"\nunknown_home = "include"\n')
    campaign = files.load(session, folder)
    assert (campaign.about, campaign.home, campaign.unknown_home) == (about, HomeRule.EXCLUDE, HomeRule.INCLUDE)
    (folder / "campaign.toml").write_text(TOML)
    campaign = files.load(session, folder)
    assert (campaign.about, campaign.home, campaign.unknown_home) == (None, None, None)


def test_a_campaign_addresses_the_country_of_its_case(session: Session, folder: Path) -> None:
    make_case(session, "leila", country="BR")
    (folder / "campaign.toml").write_text(TOML + 'case = "leila"\n')
    assert files.load(session, folder).about == "BR"
    (folder / "campaign.toml").write_text(TOML + 'case = "leila"\nabout = "FR"\n')
    assert "campaign.toml:5: about: the case is about BR; leave about out" in refusal(session, folder)


@pytest.mark.parametrize("status", sorted(STARTED))
def test_what_has_started_is_left_alone(session: Session, folder: Path, status: CampaignStatus) -> None:
    files.load(session, folder).status = status
    session.commit()
    (folder / "en.md").write_text(ENGLISH.replace("Free them", "Changed"))
    with pytest.raises(AlreadyStarted, match=f"{status.value}.*mailer campaigns correct-letters FOLDER"):
        files.load(session, folder)
    assert lifecycle.get(session, folder.name).texts[0].subject == "Free them"


def test_letters_come_with_the_folder_and_go_with_it(session: Session, folder: Path) -> None:
    (folder / "campaign.toml").write_text(f'{TOML}ask = ["embassy"]\n')
    letter = folder / "letter-embassy.en.md"
    letter.write_text('+++\nsubjects = ["Free them"]\n+++\n\nPlease.\n')
    files.load(session, folder)
    draft = files.load(session, folder)
    assert [(each.role, each.language, each.body_line) for each in draft.letters] == [("embassy", "en", 4)]
    assert [text.language for text in draft.texts] == ["en"]
    session.commit()
    letter.write_text('+++\nsubjects = ["Free them"]\n+++\n\n**Please.**\n')
    assert "letter-embassy.en.md:5: **Please.** would go out" in refusal(session, folder)
    assert lifecycle.get(session, folder.name).letters[0].body == "\nPlease.\n"
    (folder / "campaign.toml").write_text(TOML)
    assert 'letter-embassy.en.md:1: campaign.toml does not ask for "embassy"' in refusal(session, folder)
    letter.unlink()
    assert files.load(session, folder).letters == []


def test_no_error_about_a_letter_quotes_a_word_that_the_case_forbids(session: Session, folder: Path) -> None:
    make_case(session, "leila", never=["Amal Odeh"])
    session.commit()
    (folder / "campaign.toml").write_text(f'{TOML}ask = ["embassy"]\ncase = "leila"\n')
    (folder / "letter-embassy.en.md").write_text('+++\nsubjects = ["**Amal Odeh**"]\n+++\n\nPlease.\n')
    assert "letter-embassy.en.md:2: something is wrong here that cannot be shown" in refusal(session, folder)


def test_a_refused_folder_leaves_the_old_draft_as_it_was(session: Session, folder: Path) -> None:
    files.load(session, folder)
    session.commit()
    (folder / "campaign.toml").write_text(TOML + "forwardable = true\n")
    (folder / "en.md").write_text(ENGLISH.replace("Free them", "Changed") + "<b>no</b>\n")
    refusal(session, folder)
    draft = lifecycle.get(session, folder.name)
    assert not draft.forwardable
    assert draft.texts[0].subject == "Free them"


SETTINGS = {
    "broken TOML": ("deadline = \n", "campaign.toml:4: not valid TOML"),
    "a text without quotes": ("deadline = soon\n", "Put a text in straight quotes"),
    "a day as people write it": ("deadline = 15.12.2035\n", "write a day as 2035-12-15"),
    "a quote that is not closed": ('latest_start = "soon\n', "campaign.toml:4: not valid TOML: a text is not closed"),
    "a key twice": ("public = true\npublic = true\n", "campaign.toml:5: not valid TOML: this is written twice"),
    "a number out of all measure": ("public = " + "1" * 5000 + "\n", "campaign.toml:5: not valid TOML"),
    "brackets out of all measure": ("public = " + "[" * 5000 + "\n", "campaign.toml:5: not valid TOML"),
    "an unknown key": ("\ncolour = 'red'\n", "campaign.toml:5: colour: unknown key"),
    "a wrong type": ('public = "yes"\n', "campaign.toml:4: public: must be true or false"),
    "a time without zone": ("deadline = 2035-04-30T18:00:00\n", "campaign.toml:4: deadline: must have a time zone"),
    "a time in quotes": ('latest_start = "soon"\n', "campaign.toml:4: latest_start: must be a day"),
    "a time before all time": (
        "deadline = 0001-01-01T00:00:00+05:00\n",
        "campaign.toml:4: deadline: is not a possible time",
    ),
    "an audience that is no table": ("audience = 3\n", "campaign.toml:4: audience: must be a table"),
    "an unknown audience key": ('[audience]\ncolour = ["x"]\n', "campaign.toml:5: colour: unknown audience key"),
    "an unknown country": ('[audience]\n\ncountries = ["GB", "Atlantis"]\n', "campaign.toml:6: countries: There is no"),
    "an unknown group": ('[audience]\nexclude_countries = ["@MARS"]\n', "campaign.toml:5: exclude_countries: There is"),
    "an unknown union": ('[audience]\nunions = ["nobody"]\n', 'campaign.toml:5: unions: There is no union "nobody"'),
    "an unknown list": ('[audience]\nlists = ["nothing"]\n', 'campaign.toml:5: lists: There is no list "nothing"'),
    "an unknown language": ('[audience]\nlanguages = ["klingon"]\n', "campaign.toml:5: languages:"),
    "nobody at all": ("[audience]\ncountries = []\n", "campaign.toml:5: countries: audience key"),
    "a key of the same name elsewhere": (
        '[[targets]]\ncountries = ["GB"]\nname = "A"\n[audience]\ncountries = ["Atlantis"]\n',
        "campaign.toml:8: countries: There is no",
    ),
    "two targets for a country": (
        '[[targets]]\ncountries = ["GB"]\nname = "A"\n[[targets]]\ncountries = ["@G7"]\nname = "B"\n',
        "campaign.toml:8: countries: two targets are for GB",
    ),
    "two fallbacks": ('[[targets]]\nname = "A"\n[[targets]]\nname = "B"\n', "only one can be for everyone else"),
    "a target without name": ('[[targets]]\ncountries = ["GB"]\n', "campaign.toml:4: name: is missing"),
    "a target with a strange key": ('[[targets]]\nname = "A"\nfax = "1"\n', "campaign.toml:6: fax: unknown key"),
    "a target whose address is none": ('[[targets]]\nname = "A"\nemail = "at home"\n', "campaign.toml:6: email:"),
    "a country that is none": ('about = "Atlantis"\n', "campaign.toml:4: about:"),
    "a rule that is none": ('home = "maybe"\n', "campaign.toml:4: home: must be one of: exclude, include"),
    "a petition that is no table": ('petition = "yes"\n', "campaign.toml:4: petition: must be a table"),
    "a petition that says not to whom": ("[petition]\n", "campaign.toml:4: to: must say who gets the names"),
    "a petition to nobody": ('[petition]\nto = " "\n', "campaign.toml:5: to: must say who gets the names"),
    "a petition in another language": (
        '[petition]\nto = { fr = "le président" }\n',
        "campaign.toml:5: to: is missing in en, the campaign's own language",
    ),
    "a petition to a whole text": (
        f'[petition]\nto = "{"the President " * 15}"\n',
        "campaign.toml:5: to: may have 200 letters",
    ),
    "a key that no petition has": ("[petition]\nfrom = 1\n", "campaign.toml:5: from: unknown key"),
    "a goal in words": ('goal = "many"\n', "campaign.toml:4: goal: must be a whole number from 10 on"),
    "a goal that is no number": ("goal = true\n", "campaign.toml:4: goal: must be a whole number"),
    "a goal that would tell how few there are": ("goal = 9\n", "campaign.toml:4: goal: must be a whole number"),
    "a rule for the rest that is none": ("unknown_home = true\n", "campaign.toml:4: unknown_home: must be"),
    "targets that are no tables": ("targets = [1]\n", "campaign.toml:4: targets: must be tables"),
}


@pytest.mark.parametrize(("addition", "message"), SETTINGS.values(), ids=SETTINGS)
def test_bad_settings_are_refused_with_their_line(session: Session, folder: Path, addition: str, message: str) -> None:
    (folder / "campaign.toml").write_text(TOML + addition)
    assert message in refusal(session, folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'kind = "urgent_action"',
            'kind = "poem"',
            'campaign.toml:1: kind: there is no kind "poem"; known are urgent_action, update, stop',
        ),
        ('list = "urgent-actions"', 'list = "nothing"', 'campaign.toml:2: list: There is no list "nothing"'),
        ('list = "urgent-actions"\n', "", "campaign.toml:1: list: is missing"),
        (
            'language = "en"',
            'language = "fr"',
            "campaign.toml:3: language: is the campaign's own, but there is no fr.md",
        ),
        ('language = "en"', "language = 5", "campaign.toml:3: language: must be a text in quotes"),
    ],
)
def test_what_must_be_there_is_asked_for(session: Session, folder: Path, old: str, new: str, message: str) -> None:
    (folder / "campaign.toml").write_text(TOML.replace(old, new))
    assert message in refusal(session, folder)


@pytest.mark.parametrize("kind", ["update", "stop"])
@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("deadline = 2035-12-15\n", "campaign.toml:4: deadline: a campaign of kind"),
        ('[[targets]]\nname = "A"\n', "campaign.toml:4: targets: a campaign of kind"),
        ('[audience]\ndeadline = ["A"]\n', "campaign.toml:5: deadline: "),
        ('fax = "1"\n', "campaign.toml:4: fax: unknown key; known keys: about, audience, case"),
    ],
)
def test_what_a_kind_does_not_have_is_refused_with_its_line(
    session: Session, folder: Path, kind: str, addition: str, message: str
) -> None:
    mine = TOML.replace("urgent_action", kind)
    (folder / "campaign.toml").write_text(mine + addition)
    refused = refusal(session, folder)
    assert message in refused
    if "of kind" in message:
        assert f'"{kind}" has none. Take it out, or write kind = "urgent_action"' in refused
    (folder / "campaign.toml").write_text(mine + "latest_start = 2035-12-15\nforwardable = true\npublic = true\n")
    assert files.load(session, folder).kind == kind


@pytest.mark.parametrize("kind", ["update", "stop"])
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("write today.", "write to\n{{ target_name }}.", "en.md:9: "),
        ("write today.", '{% if country == "GB" %}{{ target_email or "us" }}{% endif %}', "en.md:8: "),
        ("write today.", "[Write](mailto:{{ target_email }}).", "en.md:8: "),
        ("Free them", "{{ target_name }} gave way", "en.md:2: "),
        ("Six dockers", "{{ target_address }}", "en.md:3: "),
    ],
)
def test_a_mail_that_asks_nobody_to_write_prints_no_target(
    session: Session, folder: Path, kind: str, old: str, new: str, line: str
) -> None:
    (folder / "campaign.toml").write_text(TOML.replace("urgent_action", kind))
    (folder / "en.md").write_text(ENGLISH.replace(old, new))
    refused = refusal(session, folder)
    assert line in refused and f'a campaign of kind "{kind}" asks nobody to write, so it has no target_' in refused
    (folder / "campaign.toml").write_text(TOML)
    files.load(session, folder)


BODIES = {
    "a broken condition": ('{% if country == "GB" %}\nHello\n', "en.md:9: This {% if %} has no {% endif %}"),
    "an unknown field": ("{{ shoe_size }}\n", 'en.md:9: There is no field "shoe_size"'),
    "attributes": ("\n{{ name.__class__ }}\n", "en.md:10:"),
    "raw HTML": ("\n<script>alert(1)</script>\n", 'en.md:10: The HTML "<script>'),
    "a picture": ("a\n![us](https://example.org/a.png)\n", "en.md:10: The picture"),
    "a link that runs": ("a\n\n[us](javascript:alert)\n", "en.md:11: The link"),
    "HTML that few would see": ('{% if country == "GB" %}a{% elif country == "FR" %}<i>b</i>{% endif %}\n', "en.md:9:"),
    "a country nobody has": ('\n{% if country == "UK" %}Hello{% endif %}\n', "en.md:10:"),
    "a country's name": (
        '{% if country == "France" %}Hello{% endif %}\n',
        'en.md:9: country is never "France"; write "FR"',
    ),
    "an unknown union": ('{% if union == "nobody" %}Hello{% endif %}\n', 'en.md:9: There is no union "nobody"'),
    "no language": ('{% if language in ["fr", "klingon"] %}Hello{% endif %}\n', "en.md:9:"),
    "more conditions than any": ('{% if country == "GB" %}a{% endif %}' * 201, "en.md:1: has more than 200"),
    "too much": ("word " * 30_000, "en.md:5: The mail's HTML has"),
}


@pytest.mark.parametrize(("addition", "message"), BODIES.values(), ids=BODIES)
def test_bad_texts_are_refused_with_their_line(session: Session, folder: Path, addition: str, message: str) -> None:
    (folder / "en.md").write_text(ENGLISH + addition)
    assert message in refusal(session, folder)


FILES = {
    "not UTF-8": ("en.md", ENGLISH.encode() + "é\n".encode("latin-1"), "en.md:9: is not UTF-8"),
    "a NUL": ("en.md", ENGLISH.encode() + b"\n\0", "en.md:10: contains a NUL"),
    "a larger file than any": ("en.md", b"a" * 1_000_001, "en.md:1: is not a file, or is larger than 1000 kB"),
    "no front matter": ("en.md", b"Hello\n", "en.md:1: must begin with a line +++"),
    "an open front matter": ("en.md", b'+++\nsubject = "a"\n', "en.md:1: must begin with a line +++"),
    "nothing under it": ("en.md", b'+++\nsubject = "a"\npreheader = "b"\n+++\n \n', "en.md:4: there is no text"),
    "no subject": ("en.md", b'+++\npreheader = "b"\n+++\nHello\n', "en.md:2: subject: is missing"),
    "two lines of subject": (
        "en.md",
        b'+++\npreheader = "b"\nsubject = "a\\nb"\n+++\nHello\n',
        "en.md:3: subject: must",
    ),
    "a broken subject": (
        "en.md",
        b'+++\npreheader = "b"\nsubject = "{{ x }}"\n+++\nHello\n',
        "en.md:3: There is no field",
    ),
    "a strange key": (
        "en.md",
        b'+++\nsubject = "a"\npreheader = "b"\nfrom = "c"\n+++\nHello\n',
        "en.md:4: from: unknown",
    ),
    "Markdown in the subject": (
        "en.md",
        b'+++\npreheader = "b"\nsubject = "**a**"\n+++\nHello\n',
        "en.md:3: subject: is no Markdown, so **a** would go out",
    ),
    "broken front matter": ("en.md", b'+++\nsubject = "a"\npreheader = b\n+++\nHello\n', "en.md:3: not valid TOML"),
    "a NUL in a subject": (
        "en.md",
        b'+++\npreheader = "b"\nsubject = "a\\u0000b"\n+++\nHello\n',
        "en.md:3: contains a NUL character",
    ),
    "a NUL in an audience": (
        "campaign.toml",
        TOML.encode() + b'[audience]\nunions = [\n"dockers",\n"a\\U00000000"]\n',
        "campaign.toml:7: contains a NUL character",
    ),
    "a file that is no language": ("notes.md", ENGLISH.encode(), "notes.md:1: the file's name must be its language"),
    "a language twice": ("EN.md", ENGLISH.encode(), "en.md:1: its name means the same as that of EN.md"),
    "settings that are not UTF-8": ("campaign.toml", b"kind = '\xff'\n", "campaign.toml:1: is not UTF-8"),
}


@pytest.mark.parametrize(("name", "content", "message"), FILES.values(), ids=FILES)
def test_bad_files_are_refused_with_their_line(
    session: Session, folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    assert message in refusal(session, folder)


def test_a_folder_a_broken_link_and_a_pipe_are_no_texts(session: Session, folder: Path) -> None:
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")):
        path = folder / "fr.md"
        make(path)
        assert "fr.md:1: is not a file" in refusal(session, folder)
        path.rmdir() if path.is_dir() else path.unlink()


def test_what_only_looks_like_a_nul_is_read(session: Session, folder: Path) -> None:
    (folder / "en.md").write_text(ENGLISH.replace('"Free them"', "'Free \\u0000 them'"))
    assert files.load(session, folder).texts[0].subject == "Free \\u0000 them"


def test_of_two_who_load_the_same_new_campaign_at_once_one_is_told(engine: Engine, folder: Path) -> None:
    def load_it_too() -> None:
        with session_scope(engine) as session:
            files.load(session, folder)

    with session_scope(engine) as session:
        first = files.load(session, folder)
        second = Beside(load_it_too)
        second.must_wait()
    if engine.dialect.name == "postgresql":
        with pytest.raises(LoadedElsewhere, match="load it again"):
            second.result()
    else:
        second.result()  # it waited before it looked, and changed the draft of the first
    with session_scope(engine, read_only=True) as session:
        assert lifecycle.get(session, folder.name).id == first.id


def test_texts_with_a_byte_order_mark_and_windows_line_ends_are_read(session: Session, folder: Path) -> None:
    (folder / "en.md").write_bytes(b"\xef\xbb\xbf" + ENGLISH.replace("\n", "\r\n").encode())
    assert "\r" not in files.load(session, folder).texts[0].body


def test_a_deadline_that_names_a_day_means_until_it_is_over(session: Session, folder: Path) -> None:
    (folder / "campaign.toml").write_text(TOML + "deadline = 2035-04-30\n")
    assert files.load(session, folder).deadline == datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC)


def test_a_link_to_a_folder_is_no_second_campaign(session: Session, folder: Path) -> None:
    link = folder.with_name("latest")
    link.symlink_to(folder)
    assert files.load(session, link).slug == "free-the-dockers"


@pytest.mark.parametrize("name", ["Free Them", "free_them", "ελευθερία", "a" * 81])
def test_a_folder_whose_name_cannot_be_a_slug_is_refused(session: Session, folder: Path, name: str) -> None:
    with pytest.raises(InvalidSlug):
        files.load(session, Path(shutil.copytree(folder, folder.with_name(name))))


def test_a_folder_without_campaign_is_refused(session: Session, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFolder, match=r"campaign\.toml"):
        files.load(session, tmp_path)


def test_conditions_that_can_hold_are_accepted(session: Session, folder: Path) -> None:
    body = '{% if country in ["GB", "IE"] and union != "dockers" or language == "pt-BR" %}Hello{% endif %}\n'
    (folder / "en.md").write_text(ENGLISH + body)
    campaign = files.load(session, folder)
    assert editions.Texts(campaign).condition_names == {"country", "union", "language"}


def test_hidden_files_are_no_texts(session: Session, folder: Path) -> None:
    for name in ("._en.md", ".#en.md", ".en.md"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")
    assert [text.language for text in files.load(session, folder).texts] == ["en"]


def test_languages_may_stand_in_for_others(session: Session, folder: Path) -> None:
    settings = folder / "campaign.toml"
    written = settings.read_text()
    settings.write_text(f'fallbacks = {{ KK = ["ru", "EN"] }}\n{written}')
    campaign = files.load(session, folder, fallbacks={"kk": ["tr"], "be": ["ru"]})
    assert campaign.fallbacks == {"kk": ["ru", "en"], "be": ["ru"]}
    for wrong in ('["ru"]', "{ kk = [] }", '{ kk = "ru" }', '{ klingon = ["en"] }', "{ kk = [1] }"):
        settings.write_text(f"# ours\nfallbacks = {wrong}\n{written}")
        with pytest.raises(InvalidFile, match=r"^campaign\.toml:2: fallbacks: "):
            files.load(session, folder)


def test_a_list_that_an_audience_names_at_that_moment_is_not_deleted(
    engine: Engine, session: Session, folder: Path
) -> None:
    make_list(session, "members")
    session.commit()
    (folder / "campaign.toml").write_text(TOML + '[audience]\nexclude_lists = ["members"]\n')

    def delete() -> None:
        with session_scope(engine) as deleting:
            lists.delete(deleting, "members")

    with session_scope(engine) as loading:
        files.load(loading, folder)
        deleting = Beside(delete)
        deleting.must_wait()
    with pytest.raises(lists.ListNotEmpty, match="name it in their audience"):
        deleting.result()


# --- campaigns that choose the audience -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["got", "not_got", "acted", "not_acted"])
def test_an_audience_may_be_who_got_other_campaigns(session: Session, folder: Path, key: str) -> None:
    make_campaign(session, lists.get(session, "urgent-actions"), slug="alert")
    session.commit()
    (folder / "campaign.toml").write_text(f'{TOML}[audience]\n{key} = ["alert"]\n')
    assert files.load(session, folder).audience == {key: ["alert"]}


@pytest.mark.parametrize("key", ["got", "not_got", "acted", "not_acted"])
def test_a_campaign_that_cannot_choose_the_audience_is_refused_with_its_line(
    session: Session, folder: Path, key: str
) -> None:
    theirs = make_list(session, "theirs")
    theirs.owner_id = make_union(session, "bakers").id
    make_campaign(session, theirs, slug="their-alert")
    session.commit()
    for written, problem in (
        ('["no-such"]', 'There is no campaign "no-such"'),
        ('["free-the-dockers"]', "names this campaign itself"),
        ('["their-alert"]', 'Campaign "their-alert" goes to a list of somebody else'),
        ('"alert"', "must be a list of texts"),
        ("[]", "is an empty list"),
    ):
        (folder / "campaign.toml").write_text(f"{TOML}[audience]\n{key} = {written}\n")
        told = refusal(session, folder)
        assert told.startswith(f"campaign.toml:5: {key}: "), told
        assert problem in told


def test_a_campaign_that_is_named_at_this_moment_is_not_deleted(engine: Engine, folder: Path) -> None:
    (folder / "campaign.toml").write_text(f'{TOML}[audience]\nnot_got = ["alert"]\n')
    with session_scope(engine) as session:
        make_campaign(session, lists.get(session, "urgent-actions"), slug="alert")

    def delete() -> None:
        with session_scope(engine) as session:
            control.delete(session, lifecycle.get(session, "alert"))

    with session_scope(engine) as session:
        files.load(session, folder)
        second = Beside(delete)
        second.must_wait()
    with pytest.raises(control.ChoosesAnother, match="name it in their audience: free-the-dockers"):
        second.result()
