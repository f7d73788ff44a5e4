"""Targets come in from a spreadsheet all at once or not at all, and go out so that they can come in again."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.formats.tables import BrokenFile, Dress
from mailer.mail import headers
from mailer.spreadsheets import targets
from mailer.spreadsheets.rows import RefusedFile
from mailer.spreadsheets.targets import COLUMNS, TargetImportReport
from mailer.store import scope
from mailer.store.db import session_scope
from mailer.store.models import StoredTarget, TargetRole
from tests.support.factories import make_case, make_union

HEADER = "slug,role,about,name,email"
BERLIN = "berlin,embassy,BR,Embassy in Berlin,berlin@example.org"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "targets.csv"


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def take(engine: Engine, file: Path, **options: Any) -> TargetImportReport:
    with session_scope(engine) as session:
        return targets.import_file(session, file, **options)


def known(engine: Engine) -> list[Target]:
    with session_scope(engine) as session:
        return target_book.all_targets(session)


def counts(report: TargetImportReport) -> tuple[int, int, int]:
    return report.added, report.changed, report.unchanged


# --- in -------------------------------------------------------------------------------------------------------------


def test_all_columns_are_taken_over(engine: Engine, session: Session, file: Path) -> None:
    make_case(session)
    session.commit()
    report = take(
        engine,
        write(
            file,
            "name:ru,Salutation: EN," + ",".join(COLUMNS),
            'Тюрьма,Dear Leila,prison,Prisoner,leila,,"Germany, Austria, @eu",Prison,ru en,p@example.org,'
            "https://example.org/form,+44 1632 960960,Mon 9–12,Europe/London,"
            '"ул. Ленина, 1\r\n Москва","Ulitsa Lenina 1",yes,2026-01-05,Ana,the lawyer',
        ),
    )
    assert (counts(report), report.warnings) == ((1, 0, 0), ())
    assert known(engine) == [
        Target(
            ("AT", "DE"),
            "Prison",
            "p@example.org",
            "ул. Ленина, 1\nМосква",
            ("@EU",),
            slug="prison",
            role=TargetRole.PRISONER,
            case="leila",
            names={"ru": "Тюрьма"},
            salutations={"en": "Dear Leila"},
            languages=("ru", "en"),
            url="https://example.org/form",
            phone="+44 1632 960960",
            phone_hours="Mon 9–12",
            phone_zone="Europe/London",
            address_latin="Ulitsa Lenina 1",
            own_words=True,
            verified_on=date(2026, 1, 5),
            verified_by="Ana",
            source="the lawyer",
        )
    ]


def test_what_is_known_is_kept_and_what_is_missing_filled_in_unless_the_file_is_to_replace_it(
    engine: Engine, file: Path
) -> None:
    take(engine, write(file, f"{HEADER},name:fr", f"{BERLIN},Ambassade"))
    write(
        file,
        f"{HEADER},name:fr,name:de,url,countries",
        "berlin,authority,BR,Other,b@example.net,Autre,Botschaft,https://example.org/,DE",
    )
    report = take(engine, file)
    assert counts(report) == (0, 1, 0)
    others = "role and countries and name and email and name:fr"
    assert report.warnings == (f'line 2: "berlin" has another {others}; --update takes this one',)
    (target,) = known(engine)
    assert (target.role, target.name, target.email) == ("embassy", "Embassy in Berlin", "berlin@example.org")
    assert (target.names, target.url) == ({"de": "Botschaft", "fr": "Ambassade"}, "https://example.org/")
    assert target.countries == (), "it is for everyone: that is known"
    assert counts(take(engine, file, update=True)) == (0, 1, 0)
    (target,) = known(engine)
    assert (target.role, target.name, target.email) == ("authority", "Other", "b@example.net")
    assert (target.names["fr"], target.countries) == ("Autre", ("DE",))
    again = take(engine, file, update=True)
    assert (counts(again), again.warnings) == ((0, 0, 1), ())


def test_that_somebody_made_sure_of_a_target_before_is_not_pointed_out(engine: Engine, file: Path) -> None:
    checked = f"{HEADER},verified_on,verified_by"
    take(engine, write(file, checked, f"{BERLIN},2026-03-05,Ana"))
    assert take(engine, write(file, checked, f"{BERLIN},2026-01-05,Ben")).warnings == ()
    (later,) = take(engine, write(file, checked, f"{BERLIN},2026-03-06,Ben")).warnings
    assert "another verified_on and verified_by;" in later


def test_a_file_from_before_somebody_made_sure_of_a_target_corrects_it_and_leaves_the_day(
    engine: Engine, file: Path
) -> None:
    checked = f"{HEADER},verified_on,verified_by"
    take(engine, write(file, checked, f"{BERLIN},2026-03-05,Ana"))
    row = BERLIN.replace("berlin@example.org", "new@example.org")
    for day, by in (("2026-01-05", "Ana"), ("2026-03-06", "Ben")):
        take(engine, write(file, checked, f"{row},{day},Ben"), update=True)
        (target,) = known(engine)
        assert (target.email, str(target.verified_on), target.verified_by) == (
            "new@example.org",
            max(day, "2026-03-05"),
            by,
        )


def test_a_dash_empties_a_cell_where_the_file_replaces_what_is_known(engine: Engine, file: Path) -> None:
    take(engine, write(file, f"{HEADER},countries,name:fr,source", f"{BERLIN},DE,Ambassade,website"))
    write(file, "slug,email,countries,name:fr,source", "berlin,-,-,-,")
    assert counts(take(engine, file)) == (0, 0, 1)
    report = take(engine, file, update=True)
    assert report.warnings == ('line 2: there is no way any more to write to "berlin"',)
    (target,) = known(engine)
    assert (target.email, target.countries, target.names, target.source) == ("", (), {}, "website")


def test_a_dry_run_says_what_would_be_and_changes_nothing(engine: Engine, file: Path) -> None:
    assert counts(take(engine, write(file, HEADER, BERLIN), dry_run=True)) == (1, 0, 0)
    assert known(engine) == []


WRONG = {
    "no role": ("a,,BR,A,a@example.org", 'there is no target "a" yet, and a new one needs a role'),
    "no name": ("a,embassy,BR,,a@example.org", "needs a name"),
    "another role": ("a,king,,A,a@example.org", 'role "king" is not one of authority (a court, a ministry), embassy'),
    "no way": ("a,embassy,BR,A,", "give an email, a url, a phone or an address"),
    "slug": ("A b,embassy,BR,A,a@example.org", '"A b" cannot be a short name'),
    "address": ("a,embassy,BR,A,a@@example.org", "email: The part after the @-sign contains"),
    "about": ("a,embassy,Atlantis,A,a@example.org", 'about: There is no country "Atlantis"'),
    "of no country": ("a,embassy,,A,a@example.org", "give the country whose it is as about"),
    "no case": ("a,prisoner,,A,a@example.org", "give the slug of it as case"),
    "lines": ('a,embassy,BR,"A\nB",a@example.org', "name must be one line"),
    "control": ("a,embassy,BR,A\x1bB,a@example.org", "name has a character that cannot be shown"),
    "long": (f"a,embassy,BR,{'A' * 2001},a@example.org", "name is longer than 2,000 characters"),
    "twice": (f"{BERLIN}\n{BERLIN}", 'the target "berlin" is already on line'),
    "url": ("a,embassy,BR,A,,ftp://example.org", "is not the address of a page, such as https://"),
    "phone": ("a,embassy,BR,A,,,030 123456", "write it with + and the code of its country"),
    "zone": ("a,embassy,BR,A,,,+441632960960,Mon,Berlin", 'phone_zone "Berlin" is not a time zone'),
    "no zone": ("a,embassy,BR,A,,,+441632960960,Mon", "hours mean nothing elsewhere without phone_zone"),
    "no phone": ("a,embassy,BR,A,a@example.org,,,Mon,Europe/London", "but no phone: give the number"),
    "day": ("a,embassy,BR,A,a@example.org,,,,,2999-01-01", "is in the future"),
    "words": ("a,embassy,BR,A,a@example.org,,,,,,perhaps", "is neither yes nor no"),
    "language": ("a,embassy,BR,A,a@example.org,,,,,,,klingon!", '"klingon!" is not a language'),
    "group": ("a,embassy,BR,A,a@example.org,,,,,,,,@NATO", 'no country group "@NATO"'),
    "a case": ("a,embassy,,A,a@example.org,,,,,,,,,nobody", 'no case "nobody"'),
    "both": ("a,embassy,FR,A,a@example.org,,,,,,,,,leila", "the case is about BR already: leave about out"),
    "never": ("a,embassy,,AMAL ODEH,a@example.org,,,,,,,,,leila", "must not appear in the case leila: take it out"),
}


@pytest.mark.parametrize(("line", "problem"), WRONG.values(), ids=WRONG)
def test_each_mistake_is_told_with_its_line_and_a_remedy_and_nothing_is_taken(
    engine: Engine, session: Session, file: Path, line: str, problem: str
) -> None:
    make_case(session, never=["Amal Odeh"])
    session.commit()
    more = "url,phone,phone_hours,phone_zone,verified_on,own_words,languages,countries,case"
    write(file, f"{HEADER},{more}", "good,embassy,BR,Good,good@example.org", line, "bad,,,,")
    with pytest.raises(RefusedFile) as refused:
        take(engine, file)
    assert str(refused.value).startswith(f"Nothing was imported from {file}:")
    told = str(refused.value).splitlines()[1]
    assert told.startswith(("line 3: ", "line 4: "))
    assert problem in told
    assert "Amal" not in str(refused.value)
    assert known(engine) == []


def test_a_file_of_more_than_anybody_keeps_is_refused_before_any_of_it_is_written(
    engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_MOST_ROWS", 2)
    lines = [f"t-{number},embassy,BR,A,a@example.org" for number in range(4)]
    with pytest.raises(RefusedFile, match="line 4: there are more than 2 targets") as refused:
        take(engine, write(file, HEADER, *lines))
    assert "line 3" not in str(refused.value) and known(engine) == []
    assert take(engine, write(file, HEADER, *lines[:2])).added == 2


def test_what_turns_words_around_unseen_is_left_out(engine: Engine, file: Path) -> None:
    name, url, phone = (
        "\u202aEmbassy\u202c \u2067of\u2069 B",
        "https://example.org/\u202egro",
        "\u202a+441632960960\u202c",
    )
    take(engine, write(file, f"{HEADER},url,phone", f"a,embassy,BR,{name},a@example.org,{url},{phone}"))
    [target] = known(engine)
    assert (target.name, target.url, target.phone) == ("Embassy of B", "https://example.org/gro", "+441632960960")


def test_a_column_for_a_language_that_is_none_or_there_twice_is_refused(engine: Engine, file: Path) -> None:
    for column, problem in [
        ("name:qq", 'line 1: the column name:qq: "qq" is not a language'),
        ("name:fr,Name: FR", "is there more than once"),
        ("salutation", "needs a language, such as salutation:en"),
    ]:
        with pytest.raises(BrokenFile, match=problem):
            take(engine, write(file, f"{HEADER},{column}", BERLIN))
    assert take(engine, write(file, f"{HEADER},fax", f"{BERLIN},1")).warnings == (
        'column 6 "fax" is not known, and was ignored',
    )


def test_embassies_for_the_same_people_are_pointed_out(engine: Engine, file: Path) -> None:
    lines = ("berlin,embassy,BR,A,a@example.org,DE", "bonn,embassy,BR,B,b@example.org,DE AT")
    others = ("court,authority,BR,C,c@example.org,DE", "france,embassy,FR,D,d@example.org,DE")
    report = take(engine, write(file, f"{HEADER},countries", *lines, *others))
    assert report.warnings == ('"berlin" and "bonn" are embassies for the same people, who are asked to write to both',)


def test_a_union_neither_reads_nor_writes_the_book(engine: Engine, session: Session, file: Path) -> None:
    union = make_union(session, "bakers")
    session.commit()
    for act in (targets.import_file, targets.export):
        with session_scope(engine) as limited:
            scope.limit(limited, union.id)
            with pytest.raises(scope.ForOrganisers):
                act(limited, write(file, HEADER, BERLIN))


# --- out ------------------------------------------------------------------------------------------------------------

#: what a person could type: any script, formulas, quotation marks, what other programs take for a separator
_words = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from("=+-@'\",;|{}<>"), max_size=40)
    .map(str.strip)
    .filter(lambda text: text != targets.NOTHING and text == headers.clean(text))
)
_lines = st.lists(_words.filter(bool), max_size=3).map("\n".join).filter(lambda text: text != targets.NOTHING)
_by_language = st.dictionaries(st.sampled_from(["en", "fr", "pt-BR", "zh-Hant", "ar"]), _words.filter(bool))
_some = st.builds(
    Target,
    st.lists(st.sampled_from(["AT", "DE", "XK"]), unique=True).map(sorted).map(tuple),
    _words.filter(bool),
    st.sampled_from(["", "a@example.org", "O'Neil+x@example.org", "=1@example.org"]),
    _lines,
    st.lists(st.sampled_from(["@EU", "@NORDIC"]), unique=True).map(sorted).map(tuple),
    role=st.sampled_from(TargetRole),
    case=st.just("leila"),
    names=_by_language,
    salutations=_by_language,
    languages=st.lists(st.sampled_from(["en", "pt-BR", "ar"]), unique=True).map(tuple),
    url=st.sampled_from(["https://example.org/=a,b;c?d='e", "http://example.org"]),
    phone=st.just("+441632960960"),
    phone_hours=_words,
    phone_zone=st.just("America/Sao_Paulo"),
    address_latin=_lines,
    own_words=st.booleans(),
    verified_on=st.none() | st.dates(date(2000, 1, 1), date(2026, 1, 1)),
    verified_by=_words,
    source=_words,
)


@pytest.mark.parametrize("backend", ["sqlite"])  # the file is the same, whatever the database
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some=st.lists(_some, max_size=4), excel=st.booleans(), delimiter=st.sampled_from(",;\t"))
def test_what_goes_out_comes_in_as_it_was_and_no_cell_is_a_formula(
    engine: Engine, tmp_path: Path, some: list[Target], excel: bool, delimiter: str
) -> None:
    file = tmp_path / "out.csv"
    with session_scope(engine) as session:
        session.execute(delete(StoredTarget))
        make_case(session)
        written = [replace(target, slug=f"target-{number}") for number, target in enumerate(some)]
        for target in written:
            target_book.put(session, target)
        assert targets.export(session, file, dress=Dress(delimiter=delimiter, bom=excel)) == len(some)
        assert counts(targets.import_file(session, file, update=True)) == (0, 0, len(some))
        session.execute(delete(StoredTarget))
        _no_formula(file, delimiter)
        assert counts(targets.import_file(session, file)) == (len(some), 0, 0)
        session.expire_all()
        assert target_book.all_targets(session) == written


def _no_formula(file: Path, delimiter: str) -> None:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        cells = [cell for row in csv.reader(opened, delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
