"""Whatever a command changes stands in the audit log, and nothing that somebody typed does."""

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import Engine, LargeBinary, select, text, type_coerce
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy
from mailer.cli import effects, main
from mailer.cli.effects import EFFECTS, READS, Effect, Unlogged
from mailer.delivery import stopping
from mailer.store import audit
from mailer.store.db import DatabaseUnavailable, session_scope
from mailer.store.models import AuditActor, Base, Union
from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_case, make_list, make_subscriber

WHY = ("--why", "Letters now put her in danger.")


@pytest.fixture
def alert(engine: Engine) -> str:
    """A campaign that could be sent to somebody."""
    with session_scope(engine) as session:
        people = make_list(session)
        make_subscriber(session, people, email="ana@example.org")
        make_campaign(session, people, slug="free-leila")
    return "free-leila"


def entries(cli: CommandLine) -> list[dict[str, Any]]:
    """All of the log, the oldest first."""
    lines = cli("audit", "list", "--json", "--limit", "500").stdout.splitlines()
    return [json.loads(line) for line in reversed(lines)]


def told(cli: CommandLine) -> list[tuple[str, str | None, str | None]]:
    return [(entry["action"], entry["kind"], entry["subject"]) for entry in entries(cli)]


# --- every command is in it -----------------------------------------------------------------------------------------


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    if command.invoke_without_command:
        yield name, command
    context = click.Context(command)
    for child in command.list_commands(context):
        found = command.get_command(context, child)
        assert found is not None
        yield from _commands(found, f"{name} {child}".strip())


COMMANDS = dict(_commands(main, ""))


def test_of_every_command_somebody_said_whether_it_reads_or_changes() -> None:
    assert sorted(COMMANDS.keys() - EFFECTS.keys()) == [], "say in cli/effects.py what these commands do"
    assert sorted(EFFECTS.keys() - COMMANDS.keys()) == [], "these commands are no more: take them out of cli/effects.py"


def test_what_the_log_takes_from_a_command_is_a_parameter_that_names_something() -> None:
    for name, effect in EFFECTS.items():
        if isinstance(effect, Unlogged):
            assert effect.why
            continue
        named = [*effect.more, *([effect.about[1]] if effect.about else [])]
        assert effect.changes or not named, name
        parameters = {each.name: each for each in COMMANDS[name].params}
        for parameter in named:
            metavar = parameters[parameter].metavar or parameter.upper()
            assert metavar.rstrip(".") in ("SLUG", "NEW-SLUG", "CAMPAIGN", "UNION", "FOLDER", "ID"), (name, parameter)


def test_a_command_that_nobody_spoke_of_touches_no_database(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "EFFECTS", {})
    with pytest.raises(KeyError, match="lists list"):
        cli("lists", "list")


def test_a_command_that_is_said_to_read_changes_nothing(
    cli: CommandLine, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "EFFECTS", {**EFFECTS, "lists create": READS})
    with pytest.raises(RuntimeError, match="`mailer lists create` changes something"):
        cli("lists", "create", "news", "--name", "News")
    assert json.loads("[" + ",".join(cli("lists", "list", "--json").stdout.splitlines()) + "]") == []


# --- what stands in it ----------------------------------------------------------------------------------------------


def test_the_life_of_a_campaign_stands_in_the_log(cli: CommandLine, alert: str) -> None:
    for command in (
        ("test", alert, "--to", "boris@example.org"),
        ("send", alert),
        ("pause", alert),
        ("resume", alert),
        ("pause", "--all"),
        ("stop", alert, *WHY),
        ("reopen", alert),
        ("close", alert),
        ("withdraw", alert),
    ):
        cli("campaigns", *command)
    acts = ["test", "send", "pause", "resume", "pause", "stop", "reopen", "close", "withdraw"]
    assert told(cli) == [(f"campaigns.{act}", "campaign", alert) for act in acts]
    assert {entry["actor"] for entry in entries(cli)} == {"command line"}
    assert [entry["number"] for entry in entries(cli)] == list(range(1, 10))


def test_what_reads_what_is_refused_and_what_finds_nothing_to_do_leaves_no_entry(
    cli: CommandLine, alert: str, tmp_path: Path
) -> None:
    make = tmp_path / "targets.csv"
    make.write_text("slug,role,about,name,address\nan-embassy,embassy,BR,Embassy,1 Example St\n")
    cli("campaigns", "check", alert)
    cli("campaigns", "status", alert)
    cli("campaigns", "pause", alert, exit_code=1)
    cli("campaigns", "pause", "--all")
    cli("cases", "stop", "ana@example.org", *WHY, exit_code=1)
    cli("lists", "create", "No Slug", "--name", "News", exit_code=1)
    cli("targets", "import", make, "--dry-run")
    cli("unions", "show", "nothing", exit_code=1)
    assert told(cli) == []
    cli("targets", "import", make)
    assert told(cli) == [("targets.import", None, None)]


def test_a_stop_that_takes_several_transactions_stands_in_it_once_with_the_first(
    cli: CommandLine, engine: Engine, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(engine) as session:
        case = make_case(session, "port-arrest")
        lifecycle.get(session, alert).case = case
        cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    cli("campaigns", "send", alert)
    decide = stopping._decide_on_case

    def break_down(*_arguments: object) -> None:
        raise DatabaseUnavailable(problem="the disk is full")

    monkeypatch.setattr(stopping, "_decide_on_case", break_down)
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    cli("cases", "stop", "port-arrest", *WHY, exit_code=3)
    assert told(cli)[1:] == [("cases.stop", "case", "port-arrest")]
    monkeypatch.setattr(stopping, "_decide_on_case", decide)
    cli("cases", "stop", "port-arrest", *WHY)
    assert told(cli)[1:] == [("cases.stop", "case", "port-arrest")] * 2


def test_a_commit_that_failed_has_no_entry_and_the_next_try_has_one(
    cli: CommandLine, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("campaigns", "send", alert)
    failures = iter([True])
    write = effects.Recorder._write

    def write_and_fail(recorder: Any, effect: Effect, connection: Any) -> None:
        write(recorder, effect, connection)
        if next(failures, False):
            raise DatabaseUnavailable(problem="gone")

    monkeypatch.setattr(effects.Recorder, "_write", write_and_fail)
    monkeypatch.setattr(stopping, "_PAUSE_SECONDS", 0)
    cli("campaigns", "stop", alert, *WHY)
    assert told(cli)[1:] == [("campaigns.stop", "campaign", alert)]


def test_an_import_stands_in_it_once_with_its_first_rows(
    cli: CommandLine, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(engine) as session:
        make_list(session)
    file = tmp_path / "people.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["email"], *([f"p{number}@example.org"] for number in range(2500))])
    agreed = ("--list", "urgent-actions", "--consent", "Yes, write to me.")
    cli("subscribers", "import", file, *agreed, "--dry-run")
    assert told(cli) == []
    cli("subscribers", "import", file, *agreed)
    assert told(cli) == [("subscribers.import", "list", "urgent-actions")]


def test_what_is_about_one_person_says_the_day_alone_and_not_whom(cli: CommandLine, alert: str) -> None:
    cli("subscribers", "unsubscribe", "ana@example.org")
    cli("subscribers", "erase", "ana@example.org")
    assert told(cli) == [("subscribers.unsubscribe", None, None), ("subscribers.erase", None, None)]
    assert {len(entry["at"]) for entry in entries(cli)} == {len("2026-01-05")}


def test_what_is_no_slug_is_left_out_whatever_a_command_is_said_to_take(
    cli: CommandLine, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = effects.changes("list", "email")
    monkeypatch.setattr(effects, "EFFECTS", {**EFFECTS, "subscribers unsubscribe": named})
    cli("subscribers", "unsubscribe", "ana@example.org")
    assert told(cli) == [("subscribers.unsubscribe", None, None)]


def test_several_that_are_named_have_an_entry_each(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "targets.csv"
    file.write_text("slug,role,about,name,address\na,embassy,BR,A,1 Example St\nb,embassy,BR,B,2 Example St\n")
    cli("targets", "import", file)
    cli("targets", "verify", "a", "b", "--by", "Ana")
    assert told(cli)[1:] == [("targets.verify", "target", "a"), ("targets.verify", "target", "b")]


def test_unions_are_named_as_they_are_called_now_and_nowhere_as_they_asked_not_to_be(
    cli: CommandLine, engine: Engine
) -> None:
    cli("unions", "add", "zqx-federation", "--name", "Federation")
    cli("unions", "add", "zqx-dockers", "--name", "Dockers", "--parent", "zqx-federation")
    cli("unions", "add", "zqx-silent", "--name", "Silent", "--unnamed")
    cli("lists", "create", "dockers-news", "--name", "News", "--owner", "zqx-dockers")
    cli("unions", "change", "zqx-dockers", "--unnamed")
    cli("unions", "change", "zqx-federation", "--as", "federation")
    with Session(engine) as session:
        federation, dockers, silent = session.scalars(select(Union.slug).order_by(Union.id)).all()
        for column in Base.metadata.tables["audit_entries"].columns:
            stored = session.scalars(select(type_coerce(column, LargeBinary) if column.name == "details" else column))
            assert not [value for value in stored if "zqx" in str(value)], column
    assert federation == "federation"
    assert told(cli) == [
        ("unions.add", "union", "federation"),
        ("unions.add", "union", dockers),
        ("unions.add", "union", silent),
        ("lists.create", "list", "dockers-news"),
        ("unions.change", "union", dockers),
        ("unions.change", "union", "federation"),
    ]
    assert [entry["details"] for entry in entries(cli)[1:4:2]] == [{"union": "federation"}, {"union": dockers}]


def test_a_new_database_and_other_keys_stand_in_it(cli: CommandLine, empty_database_url: str, tmp_path: Path) -> None:
    given = cli.environment | {"MAILER_DATABASE_URL": empty_database_url}
    keys = {name: given.pop(name) for name in list(given) if name.endswith(("_KEYS", "_KEY"))}
    assert len(keys) == 3
    cli.environment = given
    cli("keys", "new")
    for command in (("db", "upgrade"), ("db", "upgrade"), ("lists", "create", "news", "--name", "News")):
        cli(*command)
    cli("keys", "rotate")
    assert told(cli)[:2] == [("db.upgrade", None, None), ("lists.create", "list", "news")]
    assert "1 entry, all" in cli("audit", "verify").stdout or "entries, all" in cli("audit", "verify").stdout


# --- showing and verifying ------------------------------------------------------------------------------------------


def test_the_log_is_shown_page_by_page(cli: CommandLine) -> None:
    assert cli("audit", "list").stdout == "There is no such entry.\n"
    for slug in ("a", "b", "c"):
        cli("lists", "create", slug, "--name", slug)
    first = cli("audit", "list", "--limit", "2").stdout.splitlines()
    assert first[0].split() == ["3", *first[0].split()[1:4], "command", "line", "lists.create", "list", "c"]
    assert first[2] == "For older ones: mailer audit list --before 2"
    [last] = cli("audit", "list", "--limit", "2", "--before", "2").stdout.splitlines()
    assert last.endswith("list a")


def test_an_account_is_shown_with_its_session(cli: CommandLine, session: Session) -> None:
    who = audit.Who(AuditActor.ACCOUNT, 7, "3")
    audit.append(session, "campaigns.send", who, kind="campaign", subject="alert", details={"people": 3214})
    session.commit()
    line = cli("audit", "list").stdout
    assert "account 7" in line
    assert line.endswith("campaigns.send            session 3  campaign alert  people 3214\n")


def test_a_log_that_was_touched_is_told_with_the_entry(cli: CommandLine, engine: Engine) -> None:
    for slug in ("a", "b", "c"):
        cli("lists", "create", slug, "--name", slug)
    whole = cli("audit", "verify").stdout.splitlines()
    assert whole[0] == "3 entries, all as they were written."
    noted = whole[1].removeprefix("Newest: ")
    assert whole[2].endswith(f"mailer audit verify --noted {noted}")
    cli("audit", "verify", "--noted", noted)
    on = " ON audit_entries" if engine.dialect.name == "postgresql" else ""
    with engine.begin() as connection:
        for name in ("append_only", "kept"):
            connection.execute(text(f"DROP TRIGGER audit_entries_{name}{on}"))
        connection.execute(text("UPDATE audit_entries SET subject = 'z' WHERE number = 2"))
    touched = cli("audit", "verify", exit_code=1)
    assert touched.stdout.startswith("Entry 2 is not as written.\nNewest: 3:")
    assert "The audit log is not as it was written." in touched.stderr
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_entries WHERE number > 1"))
    assert json.loads(cli("audit", "verify", "--json").stdout)["findings"] == []
    cut = json.loads(cli("audit", "verify", "--json", "--noted", noted, exit_code=1).stdout)
    assert cut["findings"] == [{"first": 2, "last": 3, "fault": "missing"}]
    assert "is not what" in cli("audit", "verify", "--noted", "yesterday", exit_code=2).stderr
