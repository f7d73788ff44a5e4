"""The audit log at the desk: every entry in words, with who and what, and paged by its numbers."""

import ast
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

import mailer
from mailer.cli.effects import EFFECTS, Effect
from mailer.store import audit
from mailer.store.audit import COMMAND_LINE, ITSELF, Who
from mailer.store.db import session_scope
from mailer.store.models import Account, AuditActor, Role
from mailer.web.desk import audit_words
from tests.support.desk import come_in, words
from tests.support.factories import make_union

CODE = Path(mailer.__file__).parent
_ACTION = re.compile(r"[a-z]+\.[a-z_-]+")


@pytest.fixture
def backend() -> str:
    return "sqlite"  # tests/store has what depends on the database


def written_by(file: Path) -> set[str]:
    """The actions that a file writes into the log: every constant of their form, in one that writes there."""
    source = file.read_text()
    tree = ast.parse(source)
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if "audit.append" not in calls and not ("record" in calls and "from mailer.web.desk.visit import" in source):
        return set()
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {each for each in constants if isinstance(each, str) and _ACTION.fullmatch(each)}


def test_whatever_stands_in_the_log_has_a_sentence() -> None:
    commands = {
        name.replace(" ", ".") for name, effect in EFFECTS.items() if isinstance(effect, Effect) and effect.changes
    }
    files = [file for folder in (CODE, CODE.parent / "workers") for file in folder.rglob("*.py")]
    written = {action for file in files for action in written_by(file)}
    assert {"campaigns.start", "campaigns.hold", "accounts.sign_in", "campaigns.test"} <= written
    wordless = {action for action in commands | written if not audit_words.is_known(action)}
    assert not wordless, "say in mailer/web/desk/audit_words.py what these mean"


def test_it_says_who_did_what_to_what_when_and_from_which_session(app: Flask, engine: Engine) -> None:
    who = come_in(app, Role.ADMIN, name="Rosa <Díaz>")
    with session_scope(engine) as session:
        union = make_union(session, "dockers").id
        rosa = Who(AuditActor.ACCOUNT, who.account_id, "7")
        audit.append(session, "campaigns.pause", rosa, kind="campaign", subject="free-the-pilots")
        audit.append(session, "unions.change", COMMAND_LINE, kind="union", subject=union)
        audit.append(session, "campaigns.start", ITSELF, kind="campaign", subject="free-the-pilots")
        audit.append(session, "subscribers.erase", COMMAND_LINE, day_only=True)
        audit.append(session, "moon.land", COMMAND_LINE, details={"why": "<b>nobody</b> did"})
        audit.chain(session)
    page = who.get("/log")
    said = words(page)
    assert "Paused a campaign – free-the-pilots" in said
    assert "Rosa <Díaz> · session 7 · " in said
    assert "Changed a union – Union dockers" in said
    assert re.search(r"Started a scheduled campaign – free-the-pilots only this By itself · ", said)
    assert "Erased somebody’s data Command line · " in said
    assert "moon.land Command line" in said
    assert "entry 5 why <b>nobody</b> did" in said
    assert "<b>nobody" not in page.text
    assert re.search(r"Erased.*?<time datetime=\"\d{4}-\d\d-\d\d\">", page.text, re.DOTALL)


def test_times_and_roles_in_an_entry_are_those_that_its_reader_knows(app: Flask, engine: Engine) -> None:
    who = come_in(app, Role.ADMIN)
    with session_scope(engine) as session:
        session.get_one(Account, who.account_id).zone = "Europe/Berlin"
        at = {"at": "2035-04-30T12:30:00+00:00", "people": 3214}
        audit.append(session, "campaigns.send", COMMAND_LINE, kind="campaign", subject="alert", details=at)
        given = {"added": ["publisher"], "removed": []}
        audit.append(session, "accounts.roles", COMMAND_LINE, kind="account", subject=who.account_id, details=given)
        link = {"kind": "second factor"}
        audit.append(session, "accounts.invite", COMMAND_LINE, kind="account", subject=who.account_id, details=link)
    said = words(who.get("/log")).replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")
    assert "starts 30 Apr 2035, 2:30 pm CEST" in said and "people 3,214" in said
    assert "given Publisher" in said and "link for another second factor" in said
    assert "its number follows" in said and "taken away" not in said and "T12:30" not in said


def test_one_campaign_and_one_person_can_be_looked_at_alone_page_by_page(
    app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.web.desk.audit._PAGE", 2)
    who = come_in(app, Role.ADMIN)
    with session_scope(engine) as session:
        rosa = Who(AuditActor.ACCOUNT, who.account_id, "7")
        for number in range(6):
            about = "alert" if number % 2 else "other"
            audit.append(session, f"a.{number}", rosa if number < 4 else ITSELF, kind="campaign", subject=about)
        audit.chain(session)

    def pages(path: str) -> list[list[str]]:
        found = []
        while path:
            text = who.get(path).text
            found.append(re.findall(r"<strong>a\.(\d)</strong>", text))
            older = re.search(r'href="/desk(/log\?[^"]*)" rel="next"', text)
            path = older[1].replace("&amp;", "&") if older else ""
        return found

    assert pages("/log") == [["5", "4"], ["3", "2"], ["1", "0"]]
    assert pages("/log?kind=campaign&subject=alert") == [["5", "3"], ["1"]]
    assert pages(f"/log?account={who.account_id}&kind=&subject=") == [["3", "2"], ["1", "0"]]
    assert "There is no such entry." in words(who.get("/log?kind=campaign&subject=nothing"))
    assert who.get("/log?before=x&account=y").status_code == 200


def test_where_nothing_was_done_the_log_says_what_will_stand_in_it(app: Flask) -> None:
    assert "Nothing has been done yet." in words(come_in(app, Role.ADMIN).get("/log"))
