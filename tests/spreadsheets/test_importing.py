"""An import takes in every row it can, says why not of every other, and never brings back who left."""

import csv
import resource
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from mailer.locale import countries
from mailer.people import consents, lists, subscribers, suppression
from mailer.spreadsheets import enrolment, importing
from mailer.spreadsheets.exporting import export_list
from mailer.spreadsheets.importing import SupporterImportReport, import_file
from mailer.spreadsheets.rows import RejectsFileIsInput
from mailer.store.crypto import keyring_of
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import (
    ConsentEvent,
    ConsentPurpose,
    ConsentSource,
    ConsentText,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    SuppressionReason,
    Union,
)
from tests.support.concurrency import Beside
from tests.support.factories import make_list, make_subscriber, make_union
from tests.support.statements import watched

HEADER = "email,name,country,union,language,consent_at,source"
ANA = "ana@example.org,Ana Example,GB,dockers,en,2025-05-01,street stall"
BORIS = "boris@example.net,Борис Пример,United Kingdom,Dockers United,ru,2025-05-01T10:00:00+02:00,"

Import = Callable[..., SupporterImportReport]


@pytest.fixture
def database(engine: Engine) -> Engine:
    """A database with the list "urgent-actions" and the unions "dockers" and "miners"."""
    with session_scope(engine) as session:
        make_list(session)
        make_union(session, "dockers", name="Dockers United")
        make_union(session, "miners", name="Miners United")
    return engine


@pytest.fixture
def run(database: Engine, tmp_path: Path) -> Import:
    """Imports lines (or bytes) with sensible consent texts: `run(HEADER, ANA, update=True)`."""

    def run(*lines: str | bytes, **options: object) -> SupporterImportReport:
        path = tmp_path / "supporters.csv"
        path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n")
        options = {"consent": "I want urgent actions.", "union_consent": "You may store my union."} | options
        return import_file(database, path, list_slug="urgent-actions", **options)  # type: ignore[arg-type]  # as given

    return run


@pytest.fixture
def person(database: Engine) -> Callable[[str], Subscriber]:
    """Looks up who has an address."""

    def find(email: str) -> Subscriber:
        with session_scope(database, read_only=True) as session:
            found = subscribers.find(session, email)
            assert found is not None
            return found

    return find


def subscription(engine: Engine, email: str) -> Subscription:
    with session_scope(engine, read_only=True) as session:
        person = subscribers.find(session, email)
        assert person is not None
        return session.scalars(select(Subscription).where(Subscription.subscriber_id == person.id)).one()


def everything(engine: Engine) -> list[Sequence[object]]:
    """All that an import could have written."""
    with session_scope(engine, read_only=True) as session:
        people = session.execute(
            select(
                Subscriber.email_index, Subscriber.name, Subscriber.country, Subscriber.union_id, Subscription.mailable
            ).outerjoin(Subscription, Subscription.subscriber_id == Subscriber.id)
        ).all()
        events = session.execute(
            select(ConsentEvent.subscriber_id, ConsentEvent.purpose, ConsentEvent.text_id, ConsentEvent.id)
        ).all()
        return sorted(map(repr, people)) + sorted(map(repr, events))  # type: ignore[return-value]  # reprs compare


def total(engine: Engine, table: type[Subscriber | Subscription | ConsentEvent | ConsentText]) -> int:
    with session_scope(engine, read_only=True) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# --- files of other programs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "Email,First name,Country,Trade union,Language",
        "Adresse e-mail,Prénom,Pays,Syndicat,Langue",
        "E-Mail-Adresse,Vorname,Land,Gewerkschaft,Sprache",
        "Indirizzo e-mail,Nome,Paese,Sindacato,Lingua",
        "Correo electrónico,Nombre,País,Sindicato,Idioma",
        "Διεύθυνση e-mail,Όνομα,Χώρα,Συνδικάτο,Γλώσσα",
        "Адрес электронной почты,Имя,Страна,Профсоюз,Язык",
        "Электрондық пошта,Аты-жөні,Ел,Кәсіподақ,Тіл",
        "E-posta adresi,Adı,Ülke,Sendika,Dil",
        "البريد الإلكتروني,الاسم,البلد,النقابة,اللغة",
    ],
)
def test_columns_may_be_called_as_in_any_language_of_the_site(
    run: Import, person: Callable[..., Subscriber], header: str
) -> None:
    assert run(header, "ana@example.org,Ana,GB,dockers,en").created == 1
    ana = person("ana@example.org")
    assert (ana.name, ana.country, ana.language, ana.union_id is None) == ("Ana", "GB", "en", False)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("excels_line", ["", "sep={}\r\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_rejects_are_written_like_the_file_that_they_come_from(
    run: Import, tmp_path: Path, delimiter: str, bom: str, excels_line: str, line_end: str
) -> None:
    rejects = tmp_path / "rejects.csv"
    start = bom + excels_line.format(delimiter) + delimiter.join(["email", "name"])
    run(f"{start}{line_end}bad{delimiter}Ana{line_end}".encode().removesuffix(b"\n"), rejects=rejects)
    written = rejects.read_bytes().decode()
    assert written.startswith(start + delimiter + "rejected_line")
    assert written.endswith(line_end)
    again = run(rejects.read_bytes().replace(b"bad", b"good@example.org"))
    assert (again.created, again.warnings) == (1, ())


# --- what becomes of a row ------------------------------------------------------------------------------------------


def test_a_row_becomes_a_person_who_can_be_mailed(
    run: Import, person: Callable[..., Subscriber], engine: Engine
) -> None:
    assert run(HEADER, ANA, BORIS).created == 2
    boris = person("BORIS@example.net")
    assert (boris.email, boris.name, boris.country, boris.language) == ("boris@example.net", "Борис Пример", "GB", "ru")
    assert boris.union_id == person("ana@example.org").union_id is not None
    made = subscription(engine, "boris@example.net")
    assert (made.status, made.mailable) == (SubscriptionStatus.ACTIVE, True)
    assert (made.country, made.union_id, made.language) == (boris.country, boris.union_id, boris.language)
    assert made.confirmed_at == date(2025, 5, 1)


def test_refreshing_after_an_import_changes_nothing(run: Import, engine: Engine) -> None:
    run(HEADER, ANA, BORIS, "cem@example.org,,,,,,")
    before = everything(engine)
    with session_scope(engine) as session:
        subscribers.refresh(session)
    assert everything(engine) == before


def test_consent_is_logged_with_its_words_source_and_time(run: Import, engine: Engine) -> None:
    run(HEADER, ANA)
    with session_scope(engine, read_only=True) as session:
        rows = session.execute(
            select(ConsentEvent, ConsentText.text, ConsentSource.source)
            .join(ConsentText, ConsentText.id == ConsentEvent.text_id)
            .join(ConsentSource, ConsentSource.event_id == ConsentEvent.id)
        ).all()
    logged = {(event.purpose, text, event.list_id is not None) for event, text, _ in rows}
    assert logged == {
        (ConsentPurpose.ALERTS, "I want urgent actions.", True),
        (ConsentPurpose.UNION, "You may store my union.", False),
    }
    for event, _, source in rows:
        assert (event.method, source) == ("import", "street stall")
        assert event.asked_at == event.confirmed_at == date(2025, 5, 1)


def test_without_union_consent_no_union_is_stored(
    run: Import, person: Callable[..., Subscriber], engine: Engine
) -> None:
    report = run(HEADER, ANA, BORIS, union_consent=None)
    assert (report.created, report.unions_dropped, report.unknown_unions) == (2, 2, 0)
    assert len(report.warnings) == 1
    assert person("ana@example.org").union_id is None
    assert total(engine, ConsentEvent) == 2


def test_an_unknown_union_is_reported_and_not_invented(
    run: Import, person: Callable[..., Subscriber], tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    report = run(HEADER, "ana@example.org,,,bakers,,,", rejects=rejects)
    assert (report.created, report.rejected, report.unknown_unions) == (1, 0, 1)
    assert person("ana@example.org").union_id is None
    corrected = rejects.read_text().replace("ana@example.org,,,bakers", "ana@example.org,,,miners")
    assert run(*corrected.splitlines()).updated == 1
    assert person("ana@example.org").union_id is not None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("not-an-address,,,,,,", "@-sign"),
        (",Nobody,GB,,,,", "no address"),
        ("ana@example.org,,,,,,,surplus", "8 cells"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_reason(run: Import, tmp_path: Path, row: str, reason: str) -> None:
    rejects = tmp_path / "rejects.csv"
    report = run(HEADER, row, BORIS, rejects=rejects)
    assert (report.read, report.created, report.rejected) == (2, 1, 1)
    with rejects.open(newline="") as file:
        [listed] = list(csv.DictReader(file))
    assert listed["rejected_line"] == "2"
    assert reason in listed["rejected_reason"]
    assert report.examples == (f"line 2: {listed['rejected_reason']}",)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            "ana@example.org,Ana,Atlantis,dockers,en,2025-05-01,stall",
            'there is no country "Atlantis"; imported without it',
        ),
        ("ana@example.org,Ana,Frnace,dockers,en,2025-05-01,stall", "Did you mean France?"),
        ("ana@example.org,Ana,GB,bakers,en,2025-05-01,stall", 'there is no union "bakers"; imported without it'),
        ("ana@example.org,Ana,GB,Dockers Unite,en,2025-05-01,stall", 'Did you mean dockers, "Dockers United"?'),
        ("ana@example.org,Ana,GB,dockers,klingonese,2025-05-01,stall", 'Imported without a language: "klingonese" is'),
        ("ana@example.org,Ana,GB,dockers,en,yesterday,stall", "yesterday"),
        ("ana@example.org,Ana,GB,dockers,en,2999-01-01,stall", "in the future; imported without it"),
        ("ana@example.org,Ana,GB,dockers,en,0001-01-01T00:00+14:00,stall", "not an ISO date"),
        (f"ana@example.org,{'x' * 201},GB,dockers,en,2025-05-01,stall", "name is longer"),
        (f"ana@example.org,Ana,GB,dockers,en,2025-05-01,{'x' * 201}", "source is longer"),
    ],
)
def test_a_cell_that_cannot_be_read_costs_nobody_their_place_on_the_list(
    run: Import, database: Engine, tmp_path: Path, row: str, reason: str
) -> None:
    rejects, out = tmp_path / "rejects.csv", tmp_path / "out.csv"
    report = run(HEADER, row, rejects=rejects)
    assert (report.created, report.rejected, report.remarked) == (1, 0, 1)
    assert report.unknown_unions + report.unknown_countries + report.unread == 1
    with rejects.open(newline="") as file:
        [listed] = list(csv.DictReader(file))
    assert reason in listed["rejected_reason"]
    with session_scope(database, read_only=True) as session:
        export_list(session, "urgent-actions", out)
    [written] = list(csv.reader(out.read_text().splitlines()[1:]))
    known = ["ana@example.org", "Ana", "GB", "dockers", "en", "2025-05-01", "stall"]
    kept = [cell for cell in written if cell]
    assert (len(kept), kept) == (6, [cell for cell in known if cell in kept])


def test_all_that_cannot_be_read_in_a_line_is_listed_and_filled_in_once_it_is_corrected(
    run: Import, person: Callable[..., Subscriber], tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    report = run(HEADER, "ana@example.org,Ana,Atlantis,bakers,en,,", rejects=rejects)
    assert (report.created, report.unknown_countries, report.unknown_unions, report.remarked) == (1, 1, 1, 1)
    listed = rejects.read_text()
    assert "there is no country" in listed
    assert "there is no union" in listed
    assert run(*listed.replace("Atlantis,bakers", "Sénégal,miners", 1).splitlines()).updated == 1
    assert person("ana@example.org").country == "SN"
    assert person("ana@example.org").union_id is not None


def test_countries_are_taken_as_other_programs_write_them(run: Import, person: Callable[..., Subscriber]) -> None:
    names = ['"Iran, Islamic Republic of"', "Königreich Spanien", "Республика Молдова", '"Gambia, The"', "ΕΛΛΑΔΑ"]
    report = run("email,country", *(f"p{number}@example.org,{name}" for number, name in enumerate(names)))
    assert (report.created, report.remarked) == (5, 0)
    assert [person(f"p{number}@example.org").country for number in range(5)] == ["IR", "ES", "MD", "GM", "GR"]


def test_languages_are_taken_by_their_names_too(run: Import, person: Callable[..., Subscriber]) -> None:
    names = ["English", "Französisch", "portugués de Brasil", "ru-KZ"]
    report = run("email,language", *(f"p{number}@example.org,{name}" for number, name in enumerate(names)))
    assert (report.created, report.remarked) == (4, 0)
    assert [person(f"p{number}@example.org").language for number in range(4)] == ["en", "fr", "pt-BR", "ru-KZ"]


def test_a_union_is_found_as_spreadsheets_write_its_name(run: Import, database: Engine) -> None:
    with session_scope(database) as session:
        make_union(session, "packers", name="Packers' Union Älv")
    names = ["Packers’ Union Älv", "PACKERS' UNION ÄLV", "Packers'  Union Älv", "packers union alv", "PACKERS"]
    report = run("email,union", *(f"p{number}@example.org,{name}" for number, name in enumerate(names)))
    assert (report.created, report.unknown_unions) == (5, 0)
    with session_scope(database, read_only=True) as session:
        packers = session.scalars(select(Union.id).where(Union.slug == "packers")).one()
        assert list(session.scalars(select(Subscriber.union_id))) == [packers] * 5


def test_of_two_unions_whose_names_fold_alike_none_is_stored_unless_the_country_or_the_slug_tells(
    run: Import, database: Engine, person: Callable[..., Subscriber]
) -> None:
    with session_scope(database) as session:
        make_union(session, "metal-be", name="Métal", country="BE")
        metal = make_union(session, "metal-fr", name="Metal", country="FR").id
    report = run(
        "email,country,union",
        "unclear@example.org,GB,Metal",
        "near@example.org,FR,Métal",
        "sure@example.org,,metal-fr",
    )
    assert (report.created, report.unknown_unions) == (3, 1)
    assert report.examples == (
        'line 2: several unions are called "Metal": metal-be, metal-fr; write the slug; imported without it.',
    )
    assert person("unclear@example.org").union_id is None
    assert person("near@example.org").union_id == person("sure@example.org").union_id == metal


def test_what_is_not_known_is_counted_by_how_often_it_stands_in_the_file(run: Import) -> None:
    unions = ["Bakers", "Weavers", "WEAVERS", "Wéavers", "Mineers United", ""]
    report = run("email,union,country", *(f"p{number}@example.org,{each},XX" for number, each in enumerate(unions)))
    assert [(each.column, each.text, each.lines) for each in report.unknown] == [
        ("union", "Weavers", 3),
        ("union", "Bakers", 1),
        ("union", "Mineers United", 1),
        ("country", "XX", 6),
    ]
    assert [each.suggestion for each in report.unknown] == ["", "", 'Did you mean miners, "Miners United"?', ""]


def test_a_union_that_asked_not_to_be_named_is_never_suggested(run: Import, database: Engine) -> None:
    with session_scope(database) as session:
        make_union(session, "unnamed-0123456789ab", name="Weavers United", is_named=False)
    report = run("email,union", "ana@example.org,Weavers Unitd")
    assert [each.suggestion for each in report.unknown] == [""]


def test_a_file_full_of_names_that_nobody_knows_is_compared_with_ours_no_more_than_500_times(
    run: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def compare(text: str) -> str:
        compared.append(text)
        return ""

    monkeypatch.setattr(countries, "suggestion", compare)
    run("email,country", *(f"p{number}@example.org,Land {number}" for number in range(700)))
    assert len(compared) == 500


def test_a_corrected_rejects_file_is_imported_without_a_warning(run: Import, tmp_path: Path) -> None:
    rejects, again = tmp_path / "rejects.csv", tmp_path / "again.csv"
    run(HEADER, 'ana@example.org,"=Ana, ""the"" Example",Atlantis,,en,,', rejects=rejects)
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    report = run(*rejects.read_text().replace("Atlantis", "FR", 1).splitlines(), rejects=again)
    assert (report.updated, report.rejected, report.warnings) == (1, 0, ())
    assert again.read_text().splitlines() == [f"{HEADER},rejected_line,rejected_reason"]


def test_rejects_never_overwrite_the_file_they_come_from(run: Import, tmp_path: Path) -> None:
    with pytest.raises(RejectsFileIsInput):
        run(HEADER, ANA)
        run(HEADER, ANA, rejects=tmp_path / "supporters.csv")
    assert (tmp_path / "supporters.csv").read_text() == f"{HEADER}\n{ANA}\n"


def test_a_second_row_with_the_same_address_is_rejected_with_the_first_ones_line(run: Import) -> None:
    report = run("email,country", "ana@example,FR", "ana@example.org,FR", "b@example.org,", "ANA@example.org,")
    assert (report.created, report.rejected) == (2, 2)
    assert report.examples[1] == "line 5: same address as line 3"


def test_addresses_that_differ_by_gmail_tricks_are_different_people(run: Import) -> None:
    assert run("email", "a.na@example.com", "ana@example.com", "ana+alerts@example.com").created == 3


def test_an_internationalised_address_is_taken(run: Import, person: Callable[..., Subscriber]) -> None:
    assert run("email", "josé@bücher.example.com").created == 1
    assert person("josé@XN--bcher-kva.example.com").email == "josé@bücher.example.com"


# --- people who are known -------------------------------------------------------------------------------------------


def test_an_import_fills_in_what_is_not_known_and_leaves_what_is(
    run: Import, person: Callable[..., Subscriber], engine: Engine
) -> None:
    run(HEADER, "ana@example.org,Ana,,,,,")
    assert run(HEADER, ANA).updated == 1
    ana = person("ana@example.org")
    assert (ana.name, ana.country, ana.language) == ("Ana", "GB", "en")
    copied = subscription(engine, "ana@example.org")
    assert (copied.country, copied.union_id, copied.language) == ("GB", ana.union_id, "en")


def test_update_overwrites_but_an_empty_cell_erases_nothing(
    run: Import, person: Callable[..., Subscriber], engine: Engine
) -> None:
    run(HEADER, ANA)
    assert run(HEADER, "ana@example.org,Anna,,miners,,,", update=True).updated == 1
    ana = person("ana@example.org")
    assert (ana.name, ana.country, ana.language) == ("Anna", "GB", "en")
    assert subscription(engine, "ana@example.org").union_id == ana.union_id
    assert total(engine, ConsentEvent) == 3  # alerts, the first union, the second


def test_someone_known_from_another_list_is_subscribed_with_all_that_is_known(run: Import, database: Engine) -> None:
    with session_scope(database) as session:
        make_subscriber(session, email="ana@example.org", country="FR", language=None)
    report = run(HEADER, ANA)
    assert (report.created, report.subscribed, report.updated) == (0, 1, 0)
    made = subscription(database, "ana@example.org")
    assert (made.status, made.mailable, made.country, made.language) == (SubscriptionStatus.ACTIVE, True, "FR", "en")


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("status", [SubscriptionStatus.UNSUBSCRIBED, SubscriptionStatus.PENDING])
def test_nobodys_status_is_changed(run: Import, database: Engine, status: SubscriptionStatus, update: bool) -> None:
    with session_scope(database) as session:
        mailing_list = lists.get(session, "urgent-actions")
        make_subscriber(session, mailing_list, email="ana@example.org", status=status)
    report = run(HEADER, ANA, update=update)
    assert report.left == (status is SubscriptionStatus.UNSUBSCRIBED)
    kept = subscription(database, "ana@example.org")
    assert (kept.status, kept.mailable) == (status, False)


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_who_left_or_was_removed_is_not_brought_back(
    run: Import, database: Engine, tmp_path: Path, reason: SuppressionReason
) -> None:
    with session_scope(database) as session:
        suppression.add(session, keyring_of(session).blind_index("ana@example.org"), reason)
    rejects = tmp_path / "rejects.csv"
    report = run(HEADER, ANA, update=True, rejects=rejects)
    assert (report.read, report.left, report.created, report.rejected) == (1, 1, 0, 0)
    assert "not imported" in rejects.read_text()
    assert total(database, Subscriber) == 0


def test_an_erased_person_never_returns(run: Import, database: Engine) -> None:
    run(HEADER, ANA)
    with session_scope(database) as session:
        subscribers.erase(session, "Ana@Example.org")
    assert run(HEADER, ANA, update=True).left == 1
    assert total(database, Subscriber) == total(database, ConsentEvent) == 0


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_union_whose_storing_was_taken_back_is_not_stored_again(
    run: Import, database: Engine, person: Callable[..., Subscriber]
) -> None:
    run(HEADER, ANA)
    assert person("ana@example.org").union_id is not None
    with session_scope(database) as session:
        ana = subscribers.find(session, "ana@example.org")
        assert ana is not None
        ana.union_id = None
        consents.withdraw(session, ana.id, ConsentPurpose.UNION, method="preferences page")
    run(HEADER, ANA, update=True)
    assert person("ana@example.org").union_id is None


def test_running_again_changes_nothing(run: Import, database: Engine) -> None:
    run(HEADER, ANA, BORIS)
    before = everything(database)
    report = run(HEADER, ANA, BORIS, update=True)
    assert (report.read, report.unchanged) == (2, 2)
    assert everything(database) == before
    assert total(database, ConsentText) == 2


def test_a_dry_run_says_what_the_run_then_does_and_writes_nothing(
    run: Import, database: Engine, tmp_path: Path
) -> None:
    with session_scope(database) as session:
        mailing_list = lists.get(session, "urgent-actions")
        make_subscriber(session, mailing_list, email="known@example.org", country=None)
        make_subscriber(session, email="elsewhere@example.org")
        make_subscriber(session, mailing_list, email="left@example.org", status=SubscriptionStatus.UNSUBSCRIBED)
        subscribers.erase(session, "erased@example.org")
    lines = [
        "email,country,union",
        *("known@example.org,GB,", "elsewhere@example.org,,bakers", "left@example.org,,", "erased@example.org,,"),
        *("new@example.org,GB,dockers", "new@example.org,GB,", "bad,GB,"),
    ]
    before = everything(database)
    planned = run(*lines, dry_run=True, rejects=tmp_path / "planned.csv")
    assert everything(database) == before
    assert total(database, ConsentText) == 0
    assert planned == run(*lines, rejects=tmp_path / "done.csv")
    assert (tmp_path / "planned.csv").read_text() == (tmp_path / "done.csv").read_text()
    assert planned == replace(
        planned, read=7, created=1, subscribed=1, updated=1, unchanged=0, rejected=2, left=2, unknown_unions=1
    )


@pytest.mark.parametrize(
    ("failure", "error"),
    [(KeyboardInterrupt, importing.ImportInterrupted), (OSError(28, "No space left"), importing.ImportStopped)],
)
def test_after_an_interruption_the_same_command_goes_on(
    run: Import,
    database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    error: type[Exception],
) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", 2)
    lines = ["email", *(f"person{number}@example.org" for number in range(5))]

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise failure

    with pytest.raises(error, match="4 of 5"):
        run(*lines, progress=stop)
    assert total(database, Subscription) == 4
    report = run(*lines)
    assert (report.unchanged, report.created) == (4, 1)


def test_a_database_that_fails_on_the_way_leaves_whole_transactions_only(
    run: Import, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", 2)
    written = enrolment._log_consent
    calls = iter([written])

    def fail(*arguments: Any) -> None:
        then = next(calls, None)
        if then is None:
            raise DatabaseUnavailable(problem="database or disk is full")
        then(*arguments)

    monkeypatch.setattr(enrolment, "_log_consent", fail)
    with pytest.raises(importing.ImportStopped, match=r"2 of 5 rows.*disk is full") as stopped:
        run("email", *(f"person{number}@example.org" for number in range(5)))
    assert stopped.value.exit_code == 3
    assert total(database, Subscriber) == total(database, Subscription) == total(database, ConsentEvent) == 2


def test_progress_counts_up_to_the_rows_there_are(run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", 2)
    seen: list[tuple[int, int]] = []
    run("email", "a@example.org", "", "b@example.org", "bad", progress=lambda *step: seen.append(step))
    assert seen == [(2, 3), (3, 3)]


def test_a_sign_up_at_the_same_moment_makes_the_batch_decide_anew(
    run: Import, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect.name == "sqlite":
        pytest.skip("on SQLite there is one writer at a time")
    decide = enrolment.decide

    def decide_too_early(session: Session, *arguments: Any) -> object:
        decided = decide(session, *arguments)
        monkeypatch.setattr(enrolment, "decide", decide)
        with session_scope(database) as other:
            make_subscriber(other, lists.get(other, "urgent-actions"), email="ana@example.org")
        return decided

    monkeypatch.setattr(enrolment, "decide", decide_too_early)
    report = run(HEADER, ANA, BORIS)
    assert (report.created, report.updated) == (1, 1)


def erase_ana(database: Engine) -> None:
    with session_scope(database) as session:
        subscribers.erase(session, "ana@example.org")


def everyone(database: Engine) -> list[str]:
    with session_scope(database, read_only=True) as session:
        return list(session.scalars(select(Subscriber.email)))


def test_who_is_erased_while_an_import_decides_is_gone_afterwards(
    run: Import, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(database) as session:
        make_subscriber(session, lists.get(session, "urgent-actions"), email="ana@example.org")
    decide, erasures = enrolment.decide, []

    def decide_while_ana_is_erased(*arguments: Any) -> object:
        decided = decide(*arguments)
        erasures.append(Beside(lambda: erase_ana(database)))
        erasures[0].must_wait()
        return decided

    monkeypatch.setattr(enrolment, "decide", decide_while_ana_is_erased)
    run(HEADER, ANA, BORIS)
    erasures[0].result()
    assert everyone(database) == ["boris@example.net"]


def test_an_import_waits_for_an_erasure_and_brings_nobody_back(run: Import, database: Engine) -> None:
    reports: list[SupporterImportReport] = []
    run("email")  # so that the words of the consent are there, and nothing but the people is left to be written
    with session_scope(database) as session:
        subscribers.erase(session, "ana@example.org")
        importing_both = Beside(lambda: reports.append(run(HEADER, ANA, BORIS)))
        importing_both.must_wait()
    importing_both.result()
    assert (reports[0].left, reports[0].created) == (1, 1)
    assert everyone(database) == ["boris@example.net"]


def test_two_imports_that_bring_the_same_new_words_at_once_both_end_well(run: Import, database: Engine) -> None:
    with session_scope(database) as session:
        consents.text_id(session, "I want urgent actions.")
        second = Beside(lambda: run("email", "ana@example.org"))
        second.must_wait()
    second.result()
    assert everyone(database) == ["ana@example.org"]


def test_a_language_with_too_long_a_tag_is_left_out(run: Import) -> None:
    report = run("email,language", "ana@example.org,en", "ben@example.org,sl-Latn-IT-rozaj-nedis")
    assert (report.created, report.unread) == (2, 1)
    assert "at most 20 characters" in report.examples[0]


def test_a_header_alone_is_an_import_of_nobody(run: Import) -> None:
    assert run(HEADER).read == 0


def test_a_list_that_does_not_exist_is_refused_with_how_to_make_it(database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "supporters.csv"
    path.write_text("email\n")
    with pytest.raises(lists.UnknownList, match="mailer lists create newz"):
        import_file(database, path, list_slug="newz", consent="Yes.")


@pytest.mark.parametrize("texts", [{"consent": " "}, {"union_consent": ""}])
def test_consent_must_have_words(run: Import, texts: dict[str, str]) -> None:
    with pytest.raises(importing.NoConsentText):
        run(HEADER, ANA, **texts)


# --- promises about the whole ---------------------------------------------------------------------------------------


def test_the_database_file_names_nobody(run: Import, database: Engine, tmp_path: Path) -> None:
    if database.dialect.name != "sqlite":
        pytest.skip("reads SQLite's files")
    run(HEADER, "zenobia.lighthouse@example.org,Zenobia Lighthouse,GB,dockers,en,,stall", BORIS)
    for _ in ("write-ahead log", "database file"):
        stored = b"".join(file.read_bytes() for file in tmp_path.glob("tocsin.db*"))
        assert b"urgent-actions" in stored
        for secret in ("zenobia", "lighthouse", "boris", "example.org", "example.net"):
            assert secret.encode() not in stored.lower()
        assert "Борис".encode() not in stored
        database.dispose()  # the last connection moves the log into the file


def test_many_rows_take_few_statements_and_bounded_memory(database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write(HEADER + "\n")
        file.writelines(
            f"p{n}@mail{n % 50}.example.org,Ana {n},GB,dockers,en,2025-05-01,stall\n" for n in range(20_000)
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with watched(database) as statements:
        report = import_file(database, path, list_slug="urgent-actions", consent="Yes.", union_consent="Yes, that too.")
    assert report.created == 20_000
    assert len(statements) < 20_000 / 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80_000  # KiB
