"""Countries are understood as people write them, and named as people expect."""

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from mailer.locale import countries
from mailer.locale.languages import SITE_LANGUAGES


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("GB", "GB"),
        ("gb", "GB"),
        (" gb ", "GB"),
        ("UK", "GB"),
        ("GBR", "GB"),
        ("United Kingdom", "GB"),
        ("UNITED KINGDOM", "GB"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("Türkiye", "TR"),
        ("turkiye", "TR"),
        ("Turkey", "TR"),
        ("Cote d'Ivoire", "CI"),
        ("CÔTE D’IVOIRE", "CI"),
        ("Ivory Coast", "CI"),
        ("Bosnia and Herzegovina", "BA"),
        ("Bosnia & Herzegovina", "BA"),
        ("Kosovo", "XK"),
        ("XKX", "XK"),
        ("Taiwan", "TW"),
        ("Iran, Islamic Republic of", "IR"),
        ("The Netherlands", "NL"),
        ("Saint Lucia", "LC"),
        ("Myanmar", "MM"),
        # as ISO 3166, the United Nations, the World Bank and other programs write them
        ("United Kingdom of Great Britain and Northern Ireland (the)", "GB"),
        ("Bolivia (Plurinational State of)", "BO"),
        ("China, Hong Kong Special Administrative Region", "HK"),
        ("Congo, Dem. Rep.", "CD"),
        ("Congo", "CG"),
        ("Republic of the Congo", "CG"),
        ("Democratic Republic of the Congo", "CD"),
        ("Egypt, Arab Rep.", "EG"),
        ("Gambia, The", "GM"),
        ("Korea, Dem. People's Rep.", "KP"),
        ("Korea, South", "KR"),
        ("Korea, Republic of", "KR"),
        ("REPUBLIC OF KOREA", "KR"),
        ("Lao People’s Democratic Republic", "LA"),
        ("Netherlands, Kingdom of the", "NL"),
        ("Palestine, State of", "PS"),
        ("State of Palestine", "PS"),
        ("People's Republic of China", "CN"),
        ("Republic of Chile", "CL"),
        ("St Vincent & the Grenadines", "VC"),
        ("Tanzania (United Republic of)", "TZ"),
        ("Virgin Islands (U.S.)", "VI"),
        ("Yemen, Rep.", "YE"),
        # in the languages of the site
        ("Deutschland", "DE"),
        ("Grossbritannien", "GB"),
        ("Pays-Bas", "NL"),
        ("République de Corée", "KR"),
        ("République du Sénégal", "SN"),
        ("Côte d’Ivoire", "CI"),
        ("Spagna", "ES"),
        ("EE. UU.", "US"),
        ("Ηνωμένο Βασίλειο", "GB"),
        ("ΕΛΛΑΔΑ", "GR"),
        ("Российская Федерация", "RU"),
        ("Республика Казахстан", "KZ"),
        ("Қазақстан", "KZ"),
        ("ALMANYA", "DE"),
        ("Türkiye Cumhuriyeti", "TR"),
        ("فلسطين", "PS"),
        ("المملكة المتحدة", "GB"),
        ("ألمانيا", "DE"),
        ("المانيا", "DE"),
    ],
)
def test_codes_and_names_are_understood(text: str, code: str) -> None:
    assert countries.parse(text) == code


@pytest.mark.parametrize(
    "text",
    ["", "the", "Atlantis", "ZZ", "EU", "SU", "Soviet Union", "826", "XA", "Korea", "Republic of China", "Конго"],
)
def test_what_is_not_a_single_country_is_refused_by_name(text: str) -> None:
    with pytest.raises(countries.UnknownCountry) as refused:
        countries.parse(text)
    assert f'"{text}"' in str(refused.value)


def test_every_country_that_cldr_names_is_found_by_its_code_and_its_name() -> None:
    for territory in Locale("en").territories:
        code = str(territory)
        if len(code) == 2 and code not in countries._NOT_COUNTRIES:
            country = countries.PARTS.get(code, code)
            assert countries.parse(code) == country
            assert countries.parse(countries.name(code, "en")) == country


@pytest.mark.parametrize("language", SITE_LANGUAGES)
def test_every_country_is_understood_as_the_site_names_it(language: str) -> None:
    offered = dict(countries.all_in(language))
    understood = {code: countries.find(name.upper()) for code, name in offered.items()}
    del understood["CD"], understood["CG"]  # the Kazakh "Конго" of one is the Russian one of the other
    assert understood == {code: code for code in understood}


def test_every_name_in_the_file_means_its_country_unless_two_have_it() -> None:
    for code, names in countries._lore().names.items():
        assert {name: countries.find(name) for name in names if name != "Конго"} == {
            name: code for name in names if name != "Конго"
        }


def test_names_come_in_the_readers_language() -> None:
    assert countries.name("GB", "es") == "Reino Unido"
    assert countries.name("IR", "fa") == "ایران"
    assert countries.name("TW", "zh-Hant") == "台灣"


def test_a_language_without_names_gets_english_ones() -> None:
    assert countries.name("GB", "tlh") == "United Kingdom"
    assert countries.name("QQ", "en") == "QQ"


@pytest.mark.parametrize(
    ("place", "country"),
    [
        *(("IC", "ES"), ("EA", "ES"), ("AC", "SH"), ("TA", "SH"), ("DG", "IO"), ("CP", "FR")),
        *(("Canary Islands", "ES"), ("Îles Canaries", "ES"), ("Ceuta & Melilla", "ES"), ("Tristan da Cunha", "SH")),
    ],
)
def test_what_cldr_lists_and_iso_does_not_belongs_to_its_country(place: str, country: str) -> None:
    assert countries.parse(place) == country
    assert place not in dict(countries.all_in("en"))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Grmany", "Germany"),
        ("united kingdon", "United Kingdom"),
        ("Frnace", "France"),
        ("Deutschlnad", "Germany"),
        ("Korea", "North Korea or South Korea"),
        ("Virgin Islands", "British Virgin Islands or U.S. Virgin Islands"),
        ("Iraqn", "Iran or Iraq"),
    ],
)
def test_a_country_that_was_misspelt_or_is_one_of_two_is_suggested(text: str, meant: str) -> None:
    with pytest.raises(countries.UnknownCountry) as refused:
        countries.parse(text)
    assert f"Did you mean {meant}?" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        *("Republic of China", "Republic of Somaliland", "Northern Cyprus", "Tibet", "Kurdistan", "Catalonia"),
        *("Yugoslavia", "Soviet Union", "Rhodesia", "Europe", "Middle East", "Abroad", "unknown", "n/a", "-", "South"),
    ],
)
def test_a_country_that_is_merely_spelt_like_another_is_not(text: str) -> None:
    assert countries.suggestion(text) == ""


def test_every_country_is_offered_once_by_the_name_that_readers_know() -> None:
    offered = countries.all_in("el")
    assert len({code for code, _ in offered}) == len(offered) > 240
    assert dict(offered)["TW"] == "Ταϊβάν"
    assert all(countries.parse(code) == code for code, _ in offered)


@pytest.mark.parametrize(
    ("language", "in_order"),
    [
        ("en", ["Afghanistan", "Åland Islands", "Albania"]),
        ("en", ["Guinea", "Guinea-Bissau", "Guyana"]),
        ("fr", ["Érythrée", "Espagne", "Estonie", "Eswatini", "État de la Cité du Vatican", "États-Unis"]),
        ("de", ["Afghanistan", "Ägypten", "Ålandinseln", "Albanien"]),
        ("it", ["Isole Åland", "Isole Fær Øer", "Isole Falkland"]),
        ("es", ["Afganistán", "Albania", "España", "Estados Unidos"]),
        ("el", ["Αγία Ελένη", "Άγιος Μαρίνος", "Αγκόλα", "Αϊτή"]),
        ("tr", ["Cibuti", "Çad", "Çekya", "Çin", "Danimarka"]),
        ("tr", ["Irak", "İran", "İrlanda"]),
        ("kk", ["Аустрия", "Әзірбайжан", "Багам аралдары"]),
        ("kk", ["Уругвай", "Үндістан", "Филиппин аралдары"]),
        ("ru", ["Индонезия", "Иордания", "Йемен", "Кабо-Верде"]),
        ("ar", ["آيسلندا", "إثيوبيا", "أذربيجان"]),
    ],
)
def test_countries_stand_where_readers_of_a_language_look_for_them(language: str, in_order: list[str]) -> None:
    names = [name for _, name in countries.all_in(language)]
    assert [name for name in names if name in in_order] == in_order


@pytest.mark.parametrize(
    ("header", "country"),
    [
        ("de-AT", "AT"),
        ("de-at,de;q=0.9,en-US;q=0.8", "AT"),
        ("de,en-US;q=0.7,en;q=0.3", None),  # what Firefox sends in Vienna
        ("en,en-GB;q=0.8", "GB"),
        ("fr;q=0.2, en-CA ;q=0.9", "CA"),
        ("zh-Hant-TW", "TW"),
        ("es-419,es;q=0.9", None),
        ("en-UK", "GB"),
        ("en-US;q=0", None),
        ("fr-XX", None),
        ("*", None),
        ("", None),
        (";;,,;q=", None),
        ("fr-FR;q=9999999999", "FR"),
        ("e" * 100_000, None),
    ],
)
def test_the_likely_country_is_that_of_the_preferred_language(header: str, country: str | None) -> None:
    assert countries.likely(header) == country


@given(st.text())
def test_any_header_names_a_country_or_none(header: str) -> None:
    country = countries.likely(header)
    assert country is None or countries.parse(country) == country
