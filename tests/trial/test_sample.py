"""The invented world of the demo: big enough, varied enough, and nobody real in it."""

import csv
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from sqlalchemy.orm import Session

from mailer.campaigns import addressees
from mailer.campaigns.letters import Letters
from mailer.cases import files as cases
from mailer.formats import logos
from mailer.locale import countries
from mailer.mail import addresses, fields
from mailer.spreadsheets import targets as target_csv
from mailer.store.models import TargetRole
from mailer.trial import sample
from tests.support.factories import make_list, make_union
from tests.support.sample_world import load_alert

FIELDS = {"name", "country", "union"}
LANGUAGES = ["ar", "de", "en", "es", "fr", "ru"]
RESERVED = re.compile(r"(?:^|[@.])example\.(?:org|net|com)$")
CAMPAIGNS = sample.CAMPAIGN_DIR.parent
CASE_DIR = CAMPAIGNS.parent / "cases" / sample.CASE_SLUG
FOLLOWING = [sample.STOP_SLUG, sample.NEWS_SLUG]  # what goes to those who got the alert
ANY_DOMAIN = re.compile(r"[\w.-]+@[\w.-]+|https?://[^/\s)]+")

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    path = tmp_path_factory.mktemp("sample") / "supporters.csv"
    sample.write_supporters(path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def sound_rows(rows: Rows) -> Rows:
    """All but those that are wrong on purpose."""
    return rows[:-4]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return tomllib.loads((sample.CAMPAIGN_DIR / "campaign.toml").read_text("utf-8"))


def _text(language: str, folder: Path = sample.CAMPAIGN_DIR) -> tuple[dict[str, str], str]:
    """Front matter and Markdown of a language."""
    before, front, body = (folder / f"{language}.md").read_text("utf-8").split("+++\n", 2)
    assert before == ""
    return tomllib.loads(front), body


def _outline(language: str, folder: Path = sample.CAMPAIGN_DIR) -> list[str]:
    return [token.type + token.tag for token in MarkdownIt("commonmark").parse(_text(language, folder)[1])]


# --- supporters -----------------------------------------------------------------------------------------------------


def test_there_are_supporters_enough_in_countries_enough(sound_rows: Rows) -> None:
    assert len(sound_rows) == 1200
    assert len({countries.parse(row["country"]) for row in sound_rows if row["country"]}) >= 25


def test_some_more_live_under_the_government_that_people_write_to(tmp_path: Path, rows: Rows) -> None:
    sample.write_supporters(tmp_path / "with-home.csv", at_home=8)
    with (tmp_path / "with-home.csv").open(encoding="utf-8", newline="") as file:
        more = list(csv.DictReader(file))
    assert more[:-12] == rows[:-4]
    assert {row["country"] for row in more[-12:-4]} == {sample.HOME}
    assert len({row["email"] for row in more[:-4]}) == 1208


def test_the_same_seed_gives_the_same_supporters_and_another_gives_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        sample.write_supporters(tmp_path / name, 50, seed=seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other


def test_every_supporter_has_a_valid_address_of_their_own_that_reaches_nobody(sound_rows: Rows) -> None:
    parsed = [addresses.parse(row["email"]) for row in sound_rows]
    assert len({address.folded for address in parsed}) == len(sound_rows)
    assert all(RESERVED.search(address.folded) for address in parsed)


def test_addresses_stay_unique_however_many_there_are(tmp_path: Path) -> None:
    sample.write_supporters(tmp_path / "many.csv", 50_000)
    with (tmp_path / "many.csv").open(encoding="utf-8", newline="") as file:
        emails = [row["email"].casefold() for row in csv.DictReader(file)][:-4]
    assert len(set(emails)) == len(emails) == 50_000


@pytest.mark.parametrize("letter", ["é", "ß", "ł", "ğ", "Ж", "م", "λ", "美"])
def test_names_come_in_the_scripts_that_people_write(sound_rows: Rows, letter: str) -> None:
    assert any(letter.casefold() in row["name"].casefold() for row in sound_rows)


def test_some_addresses_are_not_in_latin_letters(sound_rows: Rows) -> None:
    assert sum(not row["email"].isascii() for row in sound_rows) >= 5


def test_languages_are_those_of_the_texts_and_others_and_none(sound_rows: Rows) -> None:
    spoken = [row["language"] for row in sound_rows]
    assert all(spoken.count(language) >= 40 for language in LANGUAGES)
    assert {"it", "tr", ""} <= set(spoken)


def test_three_in_five_are_in_one_of_eight_unions_or_their_federations(sound_rows: Rows) -> None:
    unions = {value: union.slug for union in sample.unions() for value in (union.slug, union.name)}
    joined = [unions[row["union"]] for row in sound_rows if row["union"]]
    assert 0.55 <= len(joined) / len(sound_rows) <= 0.65
    assert set(joined) == {union.slug for union in sample.unions()}


def test_each_union_has_a_federation_that_is_listed_before_it() -> None:
    federations = [union.slug for union in sample.unions() if union.parent is None]
    unions = [union for union in sample.unions() if union.parent]
    assert (len(federations), len(unions)) == (3, 8)
    seen: set[str] = set()
    for union in sample.unions():
        assert union.parent is None or union.parent in seen
        assert union.country is None or countries.parse(union.country) == union.country
        seen.add(union.slug)


def test_each_union_has_a_contact_members_and_languages_that_the_campaign_speaks() -> None:
    unions = [union for union in sample.unions() if union.parent]
    for union in unions:
        assert union.contact
        assert union.contact.role
        assert RESERVED.search(addresses.parse(union.contact.address).folded)
        assert union.languages
        assert {*union.languages, *union.introductions} <= {*LANGUAGES}
        assert (union.members or 0) > 0
    assert len({union.contact.address for union in unions if union.contact}) == 8
    assert sum(not union.is_named for union in unions) == 1
    assert {language for union in unions for language in union.introductions} >= {"ar", "de", "en", "fr"}


def test_some_unions_have_a_logo_that_their_kits_can_carry() -> None:
    files = [union.logo for union in sample.unions() if union.logo]
    assert len(files) >= 2
    assert all(logos.read(file.read_bytes()) for file in files)


def test_the_last_rows_show_what_can_be_wrong(rows: Rows) -> None:
    no_address, no_country, no_union, doubled = rows[-4:]
    with pytest.raises(addresses.InvalidAddress):
        addresses.parse(no_address["email"])
    with pytest.raises(countries.UnknownCountry):
        countries.parse(no_country["country"])
    assert no_union["union"] not in {value for union in sample.unions() for value in (union.slug, union.name)}
    assert doubled["email"] == rows[0]["email"]


# --- campaign -------------------------------------------------------------------------------------------------------


def test_the_campaign_has_a_text_in_six_languages() -> None:
    assert [path.stem for path in sample.texts()] == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_subject_and_preheader_fit_an_inbox(language: str) -> None:
    front, _ = _text(language)
    assert set(front) == {"subject", "preheader"}
    assert len(front["subject"]) <= 60
    assert 40 <= len(front["preheader"]) <= 90


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_uses_the_same_fields_and_conditions(language: str) -> None:
    def used(body: str) -> list[str]:
        return re.findall(r"{{ \w+|{% [^%]* %}", body)

    body = _text(language)[1]
    assert used(body) == used(_text("en")[1])
    text = fields.parse(body, file=f"{language}.md", fields=FIELDS, conditions={"country", "union", "language"})
    assert text.fields == FIELDS
    assert text.condition_names == {"country", "union"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_laid_out_alike(language: str) -> None:
    assert _outline(language) == _outline("en")


def test_nothing_in_the_campaign_leads_to_a_real_address() -> None:
    for path in sample.CAMPAIGN_DIR.iterdir():
        found = ANY_DOMAIN.findall(path.read_text("utf-8"))
        assert found or path.stem not in LANGUAGES
        assert [address for address in found if not RESERVED.search(address)] == []


def test_the_audience_leaves_out_some_and_keeps_enough(settings: dict[str, Any], sound_rows: Rows) -> None:
    unions = {value: union for union in sample.unions() for value in (union.slug, union.name)}

    def is_meant(row: dict[str, str]) -> bool:
        union = unions.get(row["union"])
        excluded_unions = settings["audience"]["exclude_unions"]
        in_excluded_union = union is not None and {union.slug, union.parent} & {*excluded_unions}
        country = countries.parse(row["country"]) if row["country"] else None
        return not in_excluded_union and country not in settings["audience"]["exclude_countries"]

    meant = [row for row in sound_rows if is_meant(row)]
    assert 800 <= len(meant) <= 1100
    assert {"GB", "FR", "KZ", "EG"} <= {countries.parse(row["country"]) for row in meant if row["country"]}


def test_the_deadline_is_far_enough_ahead_to_try_it_for_years(settings: dict[str, Any]) -> None:
    assert settings["deadline"].year >= 2035
    assert settings["deadline"].tzinfo


# --- targets --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def targets() -> Rows:
    with (CAMPAIGNS.parent / sample.TARGETS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_targets_are_imported_without_a_warning(session: Session, targets: Rows) -> None:
    cases.load(session, CASE_DIR)
    report = target_csv.import_file(session, CAMPAIGNS.parent / sample.TARGETS)
    assert (report.added, report.warnings) == (len(targets), ())


def test_everybody_has_an_embassy_or_the_ministry_and_there_is_somebody_of_every_role(
    targets: Rows, sound_rows: Rows
) -> None:
    assert {row["role"] for row in targets} == {*TargetRole}
    *embassies, fallback = sorted(
        (row for row in targets if row["role"] == "embassy"), key=lambda row: not row["countries"]
    )
    assert len(embassies) == 26
    assert fallback["countries"] == ""
    covered = [code for embassy in embassies for code in embassy["countries"].split()]
    assert sorted(covered) == sorted({countries.parse(code) for code in covered})
    codes = {countries.parse(row["country"]) for row in sound_rows if row["country"]}
    assert 0 < len(codes - set(covered)) < len(codes) / 3
    assert [row["slug"] for row in targets if row["own_words"] == "yes"] == ["ministry-of-justice"]
    assert not any(re.search("selna|arvide", row["slug"]) for row in targets)


def test_embassies_are_named_in_every_language_of_the_alert_and_their_addresses_can_be_written(targets: Rows) -> None:
    for row in targets:
        if row["role"] == "embassy":
            named = {language for language in LANGUAGES if row[f"name:{language}"]}
            assert len(named) >= len(LANGUAGES) - 1  # one is its own name
            assert row["languages"]
            assert row["email"] and row["address"]
    in_other_letters = {row["slug"] for row in targets if re.search("[Ͱ-ۿ]", row["address"])}
    assert in_other_letters == {row["slug"] for row in targets if row["address_latin"]}
    assert "grey-quay-block-3" in in_other_letters


def test_a_copy_says_that_all_targets_but_two_were_made_sure_of_today(tmp_path: Path) -> None:
    sample.copy_files(tmp_path, date(2031, 5, 6))
    with (tmp_path / sample.TARGETS).open(encoding="utf-8", newline="") as file:
        days = [row["verified_on"] for row in csv.DictReader(file)]
    assert sorted(day for day in days if day != "2031-05-06") == ["", "2025-02-10"]


# --- letters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_everybody_whom_the_alert_has_people_write_to_gets_a_letter_that_they_read(
    session: Session, tmp_path: Path
) -> None:
    make_list(session, sample.LIST_SLUG)
    for union in sample.unions():
        make_union(session, union.slug)
    campaign = load_alert(session, tmp_path)
    letters = Letters(campaign)
    asked = [target for target in addressees.of(session, campaign) if target.role in campaign.ask]
    assert {target.role for target in asked} == {TargetRole(role) for role in campaign.ask}
    assert all(letters.is_in_language_of(target) for target in asked)
    for target in asked:
        place = letters.place(target)
        if place.own_words:
            continue
        letter = letters.get(place.role, place.language or "")
        assert letter.wordings >= 12
        written = letter.written(0, letter.values_for(target))
        salutation = letter.values_for(target)["salutation"]
        assert written.text.startswith(salutation)
        assert not re.search(r"\{\{|\\$", written.text)
    for role in ("embassy", "authority", "prisoner"):  # so that everybody can read what they send
        assert sorted(letters.of_role(TargetRole(role))) == LANGUAGES
    rules = {letter.language: letter.rules for letter in letters.of_role(TargetRole.PRISONER).values()}
    assert all(rules.values())


def test_no_card_to_the_prisoner_says_what_its_rules_forbid() -> None:
    for path in sample.CAMPAIGN_DIR.glob("letter-prisoner.*.md"):
        front, body = (part for part in path.read_text("utf-8").split("+++\n", 2)[1:])
        table = tomllib.loads(front)
        card = " ".join([*table["subjects"], *table["openings"], *table["closings"], body])
        assert not re.search(_OF_THE_CASE, card, re.IGNORECASE)
        assert re.search(_OF_THE_CASE, table["rules"], re.IGNORECASE)


#: the trial, unions, politics, governments and mail, in six languages
_OF_THE_CASE = (
    "trial|union|politic|government|e-mail|procès|syndicat|politique|gouvernement|juicio|sindicato|política|gobierno|"
    "prozess|gewerkschaft|politik|regierung|суд|профсоюз|политик|власт|محاكمة|نقابة|سياسة|حكومة"
)


# --- case -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def case() -> dict[str, Any]:
    return tomllib.loads((CASE_DIR / "case.toml").read_text("utf-8"))


def test_all_that_is_said_of_the_case_is_said_in_six_languages(case: dict[str, Any]) -> None:
    said = [case["asks"], sample.stop_reasons(), *(event["words"] for event in case["history"])]
    assert [sorted(words) for words in said] == [LANGUAGES] * len(said)
    assert {len(asks) for asks in case["asks"].values()} == {3}
    folders = [CASE_DIR, *(CAMPAIGNS / slug for slug in FOLLOWING)]
    for folder in folders:
        assert sorted(path.stem for path in folder.glob("*.md")) == LANGUAGES
        assert all(_outline(language, folder) == _outline("en", folder) for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slug", FOLLOWING)
def test_what_follows_the_alert_fits_an_inbox_and_greets_by_name(slug: str, language: str) -> None:
    front, body = _text(language, CAMPAIGNS / slug)
    assert len(front["subject"]) <= 60
    assert 40 <= len(front["preheader"]) <= 90
    assert body.count("{{ name or") == 1


def test_the_alert_names_everybody_in_the_case_as_it_does(case: dict[str, Any]) -> None:
    for person in case["persons"]:
        for language, name in (
            ("en", person["name"]),
            ("ar", person["names"]["Arab"]),
            ("ru", person["names"]["Cyrl"]),
        ):
            given, surname = (part[:5] for part in name.split())  # Russian names have endings
            assert re.search(rf"{given}\w* {surname}", _text(language)[1])


def test_the_case_is_new_each_day_that_it_is_copied(tmp_path: Path) -> None:
    today = date(2031, 5, 6)
    sample.copy_files(tmp_path, today)
    case = tomllib.loads((tmp_path / "cases" / sample.CASE_SLUG / "case.toml").read_text("utf-8"))
    assert [fact["checked_on"] for fact in case["facts"]] == [today] * len(case["facts"])
    assert case["consent"]["on"] == today


def test_nothing_in_the_case_the_targets_and_what_follows_leads_to_a_real_address() -> None:
    files = [CAMPAIGNS.parent / sample.TARGETS, *CASE_DIR.iterdir()]
    files += (path for path in CAMPAIGNS.glob("*/*") if path.parent != sample.CAMPAIGN_DIR)
    found = [address for path in files for address in ANY_DOMAIN.findall(path.read_text("utf-8"))]
    assert [address for address in found if not RESERVED.search(address)] == []
