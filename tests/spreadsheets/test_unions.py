"""Unions come in from a spreadsheet all at once or not at all, and go out so that they can come in again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.formats.tables import BrokenFile, UnreadableFile, UnwritableFile
from mailer.people import notices, suppression
from mailer.people.notices import NoticeKind
from mailer.spreadsheets import unions
from mailer.spreadsheets.rows import RefusedFile
from mailer.spreadsheets.unions import COLUMNS, UnionImportReport
from mailer.store import scope
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import SuppressionReason, Union, UnionStatus
from mailer.unions import directory
from tests.support.days import is_today
from tests.support.factories import WHEN, make_contact, make_subscriber, make_union, notices_owed, said


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "unions.csv"


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def take(
    engine: Engine, file: Path, *, ring: Callable[[int], None] = lambda _: None, **options: Any
) -> UnionImportReport:
    with notices.ringing_session(engine, ring) as session:
        return unions.import_file(session, file, **options)


def facts(session: Session) -> list[tuple[Any, ...]]:
    """All that is known of all unions."""
    session.expire_all()
    found = [tuple(unions._cells(union).values()) for union in directory.all_unions(session)]
    session.commit()
    return found


def get(session: Session, slug: str) -> Union:
    session.expire_all()
    union = directory.get(session, slug)
    _ = union.parent
    session.commit()
    return union


# --- in -------------------------------------------------------------------------------------------------------------


def test_new_unions_that_nobody_can_tell_apart_by_name_are_pointed_out(engine: Engine, file: Path) -> None:
    write(file, "slug,name,country", "metal-fr,Métal,FR", "metal-be,Metal,BE", "metal-2,METAL,FR", "dockers,Dockers,FR")
    warned = [warning.partition(";")[0] for warning in take(engine, file).warnings]
    assert warned == [
        'line 2: "Métal" is the same name to us as that of metal-2',
        'line 4: "METAL" is the same name to us as that of metal-fr',
    ]
    assert take(engine, file).warnings == ()


def test_a_union_that_asked_not_to_be_named_is_found_however_its_name_is_written(
    engine: Engine, session: Session, file: Path
) -> None:
    take(engine, write(file, "slug,name,is_named", "quiet,Dockers’ Únion,no"))
    report = take(engine, write(file, "slug,name,is_named", "silent,DOCKERS' union,no"))
    assert (report.added, report.unchanged) == (0, 1)


def test_all_columns_are_taken_over(engine: Engine, session: Session, file: Path) -> None:
    write(
        file,
        ",".join(COLUMNS),
        "world,World Federation,,,,,,,,,,",
        "dockers,Dockers,United Kingdom,world,lapsed,en pt_br,1200,2024-01-02,2024-03-04T10:00Z,2025-01-01,"
        '"Carried,\nunanimously",no',
    )
    report = take(engine, file)
    assert (report.added, report.changed, report.unchanged) == (2, 0, 0)
    (slug,) = [union.slug for union in directory.all_unions(session) if union.name == "Dockers"]
    assert report.warnings == (
        f'line 3: the union asked not to be named, so its short name is random: {slug}, not "dockers"',
    )
    union = get(session, slug)
    assert (union.name, union.country, union.languages, union.members) == ("Dockers", "GB", ["en", "pt-BR"], 1200)
    assert union.parent is not None
    assert union.parent.slug == "world"
    assert (union.status, union.is_named, union.resolution) == (UnionStatus.LAPSED, False, "Carried,\nunanimously")
    dates = [union.interested_at, union.affiliated_at, union.lapsed_at]
    assert [str(day) for day in dates] == ["2024-01-02", "2024-03-04", "2025-01-01"]
    world = get(session, "world")
    assert (world.status, world.is_named, world.country, world.members) == (UnionStatus.LISTED, True, None, None)


def test_a_parent_may_come_later_in_the_file_or_be_there_already(engine: Engine, session: Session, file: Path) -> None:
    make_union(session, "world")
    session.commit()
    take(engine, write(file, "slug,name,parent", "dockers,Dockers,europe", "europe,Europe,world"))
    assert directory.ancestors_by_union(session)[directory.get(session, "dockers").id] == {"dockers", "europe", "world"}


def test_excels_semicolons_and_mark_are_read(engine: Engine, session: Session, file: Path) -> None:
    file.write_bytes('\ufeff"slug";Name ;country;members\r\ndockers;Dockers, all;GB;12\r\n;;;\r\n'.encode())
    assert take(engine, file).added == 1
    union = get(session, "dockers")
    assert (union.name, union.country, union.members) == ("Dockers, all", "GB", 12)


def test_the_column_that_must_be_there_says_what_parts_the_columns(
    engine: Engine, session: Session, file: Path
) -> None:
    assert take(engine, write(file, "slug;name;ours, not, theirs", "dockers;Dockers;")).added == 1
    assert get(session, "dockers").name == "Dockers"


def test_a_status_without_a_date_is_as_of_now(engine: Engine, session: Session, file: Path) -> None:
    take(engine, write(file, "slug,name,status", "a,A,affiliated", "b,B,Interested"))
    affiliated, interested = get(session, "a"), get(session, "b")
    assert is_today(affiliated.affiliated_at, interested.interested_at)
    assert (affiliated.interested_at, interested.affiliated_at) == (None, None)


HEADER = "slug,name,country,parent,status,languages,members,affiliated_at,resolution,is_named"


def test_what_is_known_is_only_filled_in(engine: Engine, session: Session, file: Path) -> None:
    other = make_union(session, "other")
    make_union(session, "full", name="Full", languages=["en"], status=UnionStatus.INTERESTED, parent=other)
    make_union(session, "empty", name="Empty", country=None)
    session.commit()
    before = facts(session)
    report = take(
        engine,
        write(
            file,
            HEADER,
            "full,New,FR,empty,affiliated,fr,,2024-01-01,,yes",
            "empty,New,FR,other,affiliated,fr,5,2024-01-01,We do,yes",
            "other,,,,,,,,,",
        ),
    )
    assert (report.added, report.changed, report.unchanged) == (0, 1, 2)
    assert [fact for fact in facts(session) if fact[0] != "empty"] == [fact for fact in before if fact[0] != "empty"]
    union = get(session, "empty")
    assert (union.name, union.country, union.languages, union.members) == ("Empty", "FR", ["fr"], 5)
    assert union.parent is not None
    assert (union.status, union.affiliated_at, union.is_named) == (UnionStatus.LISTED, None, True)
    assert union.resolution == "We do"


def test_that_a_union_is_not_to_be_named_counts_at_once_and_is_not_taken_back(
    engine: Engine, session: Session, file: Path
) -> None:
    make_union(session, "dockers")
    make_union(session, "miners", is_named=False)
    session.commit()
    report = take(engine, write(file, "slug,is_named", "dockers,no", "miners,yes"))
    assert (report.changed, report.unchanged) == (1, 1)
    session.expire_all()
    assert [union.is_named for union in directory.all_unions(session)] == [False, False]


def test_a_file_goes_on_finding_a_union_whose_slug_became_random_by_its_name(
    engine: Engine, session: Session, file: Path
) -> None:
    write(
        file,
        "slug,name,country,parent,is_named,members",
        "docks,Dockers of the North,,world,no,",
        "sisters,Sisters,GB,docks,no,",
        "sisters-fr,Sisters,FR,docks,no,",
        "world,World,,,no,",
    )
    assert take(engine, file, dry_run=True).warnings == ()
    first = take(engine, file)
    assert (first.added, len(first.warnings)) == (4, 4)
    before = facts(session)
    assert all(row[0].startswith("unnamed-") for row in before)
    again = take(engine, file, update=True)
    assert (again.added, again.unchanged, again.warnings) == (0, 4, ())
    assert facts(session) == before
    parents = {(row[1], row[2]): row[3] for row in before}
    slugs = {row[1]: row[0] for row in before}
    assert parents["Sisters", "GB"] == parents["Sisters", "FR"] == slugs["Dockers of the North"]
    assert parents["Dockers of the North", None] == slugs["World"]
    write(file, "slug,name,is_named", "sisters,Sisters,no")
    with pytest.raises(RefusedFile, match="several unnamed unions"):
        take(engine, file)


def test_with_update_the_file_counts_and_an_empty_cell_erases_nothing(
    engine: Engine, session: Session, file: Path
) -> None:
    make_union(session, "dockers", country="GB", languages=["en"], status=UnionStatus.AFFILIATED)
    make_union(session, "other")
    session.commit()
    write(file, HEADER, "dockers,New,FR,other,lapsed,fr,5,2024-01-01,We do,no", "other,,,,,,,,,")
    report = take(engine, file, update=True)
    assert (report.added, report.changed, report.unchanged) == (0, 1, 1)
    (slug,) = [union.slug for union in directory.all_unions(session) if union.name == "New"]
    union = get(session, slug)
    assert (union.name, union.country, union.languages, union.members) == ("New", "FR", ["fr"], 5)
    assert (union.status, union.is_named, union.resolution) == (UnionStatus.LAPSED, False, "We do")
    assert union.lapsed_at is not None
    assert f"{union.affiliated_at:%Y-%m-%d}" == "2024-01-01"
    before = facts(session)
    assert take(engine, write(file, HEADER, f"{slug},,,,,,,,,"), update=True).unchanged == 1
    assert facts(session) == before


def test_a_status_that_stays_keeps_its_date(engine: Engine, session: Session, file: Path) -> None:
    make_union(session, "dockers", status=UnionStatus.AFFILIATED)
    session.commit()
    take(engine, write(file, "slug,status", "dockers,affiliated"), update=True)
    assert get(session, "dockers").affiliated_at == WHEN.date()


def test_a_tree_may_be_turned_over(engine: Engine, session: Session, file: Path) -> None:
    top = make_union(session, "a")
    make_union(session, "b", parent=top)
    make_union(session, "c")
    session.commit()
    take(engine, write(file, "slug,parent", "a,b", "b,c"), update=True)  # a was above b
    assert directory.ancestors_by_union(session)[top.id] == {"a", "b", "c"}


def test_an_import_has_those_kits_made_again_whose_union_it_changes_and_no_others(
    engine: Engine, session: Session, file: Path
) -> None:
    def revisions() -> dict[str, int]:
        session.expire_all()
        found = {union.name: union.revision for union in directory.all_unions(session)}
        session.commit()
        return found

    rows = ("world,World Federation,,", "dockers,Dockers,world,10", "miners,Miners,world,10")
    tree = ("slug,name,parent,members", *rows)
    take(engine, write(file, *tree))
    new = revisions()
    take(engine, write(file, *tree), update=True)  # nothing has changed, the federation neither
    take(engine, write(file, "slug,members", "dockers,20"), update=True)  # which no kit prints
    assert revisions() == new
    take(engine, write(file, "slug,is_named", "dockers,no"))
    assert revisions() == new | {"Dockers": new["Dockers"] + 1}
    take(engine, write(file, "slug,country", "miners,ZA"), update=True)
    assert revisions() == {name: revision + (name != "World Federation") for name, revision in new.items()}


def test_a_dry_run_says_the_same_and_writes_nothing(engine: Engine, session: Session, file: Path) -> None:
    make_union(session, "empty", country=None)
    session.commit()
    before = facts(session)
    write(file, "slug,name,country,parent,contact_email", "empty,,FR,new,ana@example.org", "new,New,,,")
    rung: list[int] = []
    dry = take(engine, file, dry_run=True, invite=True, ring=rung.append)
    assert (facts(session), notices_owed(session), rung) == (before, [], [])
    session.commit()
    wet = take(engine, file, invite=True, ring=rung.append)
    assert (dry.added, dry.changed, dry.unchanged, dry.invited) == (1, 1, 0, 1)
    assert (wet.added, wet.changed, wet.unchanged, wet.invited) == (1, 1, 0, 1)
    assert rung == [notices_owed(session)[0].campaign_id]


def test_every_wrong_line_is_named_and_nothing_is_imported(engine: Engine, session: Session, file: Path) -> None:
    header = "slug,name,country,status,languages,members,affiliated_at,is_named,contact_email,contact_name"
    wrong = {
        "UPPER,A,,,,,,,,": "cannot be a short name",
        "nameless,,,,,,,,,": "one needs a name",
        "atlantis,A,Atlantis,,,,,,,": 'no country "Atlantis"',
        "status,A,,joined,,,,,,": "not one of listed, interested, affiliated, lapsed",
        "language,A,,,klingonish,,,,,": "is not a language",
        "members,A,,,,many,,,,": 'members "many"',
        "none,A,,,,0,,,,": "cannot have 0 members",
        "date,A,,affiliated,,,yesterday,,,": "is not an ISO date",
        "future,A,,affiliated,,,2999-01-01,,,": "in the future",
        "dated,A,,,,,2024-01-01,,,": "give another status",
        "named,A,,,,,,perhaps,,": "neither yes nor no",
        "address,A,,,,,,,ana,": "line",
        "nobody,A,,,,,,,,Ana": "without contact_email",
        "good,A,,,,,,,,": "",
        "good,B,,,,,,,,": "is already on line 15",
        "long,A,,,,,,,,,surplus": "11 cells",
    }
    write(file, header, *wrong)
    found = set()
    for _ in range(2):  # what is wrong with lines by themselves is told first
        with pytest.raises(RefusedFile) as refused:
            take(engine, file)
        for number, (line, problem) in enumerate(wrong.items(), start=2):
            told = [said for said in str(refused.value).splitlines() if said.startswith(f"line {number}: ")]
            if told:
                assert problem in told[0]
                found.add(line)
        write(file, header, *("" if line in found else line for line in wrong))
    assert found == set(wrong) - {"good,A,,,,,,,,"}
    assert facts(session) == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("a,A,nowhere",), 'line 2: There is no union "nowhere"'),
        (("a,A,b", "b,B,a"), "line 3: .*cannot belong"),
        (("a,A,a",), "line 2: .*cannot belong"),
    ],
)
def test_a_parent_that_cannot_be_is_named(
    engine: Engine, session: Session, file: Path, lines: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(RefusedFile, match=problem):
        take(engine, write(file, "slug,name,parent", *lines))
    assert facts(session) == []


def test_of_many_wrong_lines_the_first_are_told(engine: Engine, file: Path) -> None:
    with pytest.raises(RefusedFile) as refused:
        take(engine, write(file, "slug,name", *(f"BAD {number},A" for number in range(30))))
    lines = str(refused.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "… and 10 more"


def test_what_is_no_such_table_is_refused(engine: Engine, file: Path) -> None:
    with pytest.raises(BrokenFile, match='no column "slug"'):
        take(engine, write(file, "name,country", "Dockers,GB"))
    with pytest.raises(BrokenFile, match="more than once"):
        take(engine, write(file, "slug,name,name", "a,A,B"))
    with pytest.raises(BrokenFile, match=r"line 2: .*quotation mark"):
        take(engine, write(file, "slug,name", 'a,"A'))
    file.unlink()
    with pytest.raises(UnreadableFile):
        take(engine, file)


def test_a_column_that_is_not_read_is_told(engine: Engine, file: Path) -> None:
    report = take(engine, write(file, "slug,name,phone", "a,A,1"))
    assert report.warnings == ('column 3 "phone" is not known, and was ignored',)


# --- contacts -------------------------------------------------------------------------------------------------------

CONTACTS = (
    "slug,name,languages,contact_email,contact_name,contact_role",
    "a,A,fr en,ana@example.org,Ana Example,Treasurer",
    "b,B,,boris@example.org,,",
    "c,C,,,,",
)


def test_contacts_are_asked_only_on_request(engine: Engine, session: Session, file: Path) -> None:
    report = take(engine, write(file, *CONTACTS))
    assert (report.invited, notices_owed(session)) == (0, [])
    assert "2 contacts were not invited" in report.warnings[0]


def test_contacts_are_asked_and_are_none_until_they_confirm(engine: Engine, session: Session, file: Path) -> None:
    assert take(engine, write(file, *CONTACTS), invite=True).invited == 2
    mails = notices_owed(session)
    written_to = [(mail.address, said(mail).language) for mail in mails]
    assert written_to == [("ana@example.org", "fr"), ("boris@example.org", "en")]
    assert {said(mail).kind for mail in mails} == {NoticeKind.CONTACT}
    assert said(mails[0]).words == {"union": "A"}


def test_who_cannot_be_asked_is_told_and_stops_nothing(engine: Engine, session: Session, file: Path) -> None:
    make_contact(session, make_union(session, "a"), make_subscriber(session, email="ana@example.org"))
    index = keyring_of(session).blind_index("boris@example.org")
    suppression.add(session, index, SuppressionReason.COMPLAINED)
    session.commit()
    rung: list[int] = []
    report = take(engine, write(file, *CONTACTS), invite=True, ring=rung.append)
    assert (report.added, report.invited, rung) == (2, 0, [])
    assert [warning[:7] for warning in report.warnings] == ["line 2:", "line 3:"]


# --- out ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def full(session: Session) -> list[tuple[Any, ...]]:
    """Unions with all that a spreadsheet or a reader could trip over."""
    world = make_union(session, "world", name="=World; Federation", country=None, languages=["en", "zh-Hant"])
    union = make_union(
        session, "unnamed-0123456789ab", name="Union “Ø”, '-quoted'", parent=world, status=UnionStatus.LAPSED
    )
    union.resolution, union.members, union.is_named = '+1: "yes",\nall of us', 3, False
    make_union(session, "b", name="'", status=UnionStatus.AFFILIATED, country="XK")
    make_union(session, "c", status=UnionStatus.INTERESTED).interested_at = utcnow()
    session.commit()
    return facts(session)


def test_what_goes_out_comes_in_as_it_was(
    engine: Engine, session: Session, file: Path, full: list[tuple[Any, ...]]
) -> None:
    assert unions.export(session, file) == 4
    assert not [line for line in file.read_text().splitlines() if line.split(",")[1].startswith(("=", "+"))]
    session.commit()
    assert take(engine, file, update=True).unchanged == 4
    session.execute(Union.__table__.delete())  # type: ignore[attr-defined]
    session.commit()
    assert take(engine, file).added == 4
    assert facts(session) == full


def test_an_export_is_readable_for_its_owner_only_and_whole_or_not_there(
    session: Session, file: Path, full: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    unions.export(session, file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UnwritableFile):
        unions.export(session, tmp_path / "nowhere" / "unions.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableFile):
        unions.export(session, tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.glob("*.csv*")) == ["unions.csv"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert session.scalars(select(Union.slug)).first()


def test_the_file_of_all_unions_is_for_organisers_only(engine: Engine, session: Session, file: Path) -> None:
    union_id = make_union(session, "dockers").id
    session.commit()
    write(file, "slug,name", "miners,Miners")
    with session_scope(engine) as limited:
        scope.limit(limited, union_id)
        with pytest.raises(scope.ForOrganisers):
            unions.export(limited, file.with_name("out.csv"))
        with pytest.raises(scope.ForOrganisers):
            unions.import_file(limited, file)
    assert not file.with_name("out.csv").exists()
