"""`mailer users`: letting people come to the desk, and shutting them out."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pyotp
from sqlalchemy import Engine

from mailer.mail import addresses
from mailer.organisers import accounts, desk_sessions, invitations
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import session_scope, utcnow
from mailer.store.models import InvitationKind, Role
from tests.conftest import CommandLine
from tests.support.accounts import PASSWORD, make_account, make_session
from tests.support.factories import notices_owed

ROSA = "rosa@example.org"


def kind_of(engine: Engine, printed: str) -> InvitationKind:
    """What the link is for that a command printed on its last line."""
    link = printed.splitlines()[-1]
    assert link.startswith("http")
    with session_scope(engine) as session:
        found = invitations.look(session, link.rpartition("/desk/invitation/")[2], at=utcnow())
        assert found.account.email == ROSA
        return found.kind


def listed(cli: CommandLine) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli("users", "list", "--json").stdout.splitlines()]


def log(cli: CommandLine) -> list[tuple[str, str, str]]:
    lines = cli("audit", "list", "--json").stdout.splitlines()
    return [(entry["action"], entry["kind"], entry["subject"]) for entry in map(json.loads, reversed(lines))]


def test_the_first_admin_is_made_here_and_comes_in_by_the_link(cli: CommandLine, engine: Engine) -> None:
    assert "mailer users add ADDRESS --role admin" in cli("users", "list").stdout
    printed = cli("users", "add", ROSA, "--role", "admin", "--role", "writer", "--name", "Rosa").stdout
    assert kind_of(engine, printed) is InvitationKind.JOIN
    assert "within 24 hours" in printed
    assert cli("users", "list").stdout == "rosa@example.org (Rosa): admin, writer; has not come in yet\n"
    token, now = printed.strip().rpartition("/")[2], utcnow()
    with session_scope(engine) as session:
        secret = invitations.look(session, token, at=now).totp_secret or ""
    join = partial(invitations.join, partial(session_scope, engine), token, at=now)
    join(name="Rosa", zone="UTC", language=None, password=PASSWORD, code=pyotp.TOTP(secret).at(now))
    [rosa] = listed(cli)
    assert rosa == {
        "account": rosa["account"],
        "address": ROSA,
        "name": "Rosa",
        "roles": ["admin", "writer"],
        "has_joined": True,
        "second_factor": True,
        "disabled_at": None,
        "counts_as_publisher": False,
    }
    assert log(cli)[0] == ("users.add", "account", str(rosa["account"]))
    assert ROSA not in cli("audit", "list").stdout


def test_what_cannot_be_is_refused_with_what_to_do(cli: CommandLine, engine: Engine) -> None:
    assert "Missing option '--role'" in cli("users", "add", ROSA, exit_code=2).stderr
    assert "An email address must have an @-sign" in cli("users", "add", "rosa", "--role", "admin", exit_code=1).stderr
    cli("users", "add", ROSA, "--role", "admin")
    assert "has an account already" in cli("users", "add", ROSA, "--role", "writer", exit_code=1).stderr
    assert "has not come in yet" in cli("users", "invite", ROSA, "--password", exit_code=1).stderr
    assert "the only admin left" in cli("users", "disable", ROSA, exit_code=1).stderr
    assert "the only admin left" in cli("users", "role", ROSA, "--remove", "admin", exit_code=1).stderr
    assert "already" in cli("users", "role", ROSA, "--add", "admin", exit_code=1).stderr
    assert "Use --add, --remove or both" in cli("users", "role", ROSA, exit_code=2).stderr
    assert "mailer users list" in cli("users", "enable", "ana@example.org", exit_code=1).stderr
    assert [action for action, _, _ in log(cli)] == ["users.add"]


def test_a_new_link_is_for_what_was_lost(cli: CommandLine, engine: Engine) -> None:
    cli("users", "add", ROSA, "--role", "writer")
    assert kind_of(engine, cli("users", "invite", ROSA).stdout) is InvitationKind.JOIN
    with session_scope(engine) as session:
        accounts.named(session, addresses.parse(ROSA)).password_hash = "$argon2id$"
    for option, kind in (("--password", InvitationKind.PASSWORD), ("--second-factor", InvitationKind.SECOND_FACTOR)):
        assert kind_of(engine, cli("users", "invite", ROSA, option).stdout) is kind


def test_a_link_is_mailed_instead_of_printed_where_that_is_asked_for(cli: CommandLine, engine: Engine) -> None:
    said = cli("users", "add", ROSA, "--role", "writer", "--mail").stdout
    assert "on its way to rosa@example.org" in said
    assert "http" not in said
    with session_scope(engine) as session:
        [mail] = notices_owed(session)
        notice = Notice.from_stored(mail.notice or "")
        assert (mail.address, notice.kind, notice.words) == (ROSA, NoticeKind.INVITATION, {})
        assert invitations.look(session, notice.token or "", at=utcnow()).kind is InvitationKind.JOIN
        rosa = accounts.named(session, addresses.parse(ROSA))
        rosa.password_hash, rosa.language = "$argon2id$", "fr"
    cli("users", "invite", ROSA, "--password", "--mail")
    with session_scope(engine) as session:
        notice = Notice.from_stored(notices_owed(session)[-1].notice or "")
        assert (notice.words, notice.language) == ({"new_password": "yes"}, "fr")


def test_roles_are_given_and_taken_and_publishing_counts_a_day_later(cli: CommandLine, engine: Engine) -> None:
    with session_scope(engine) as session:
        make_account(session, "ana@example.org", Role.PUBLISHER, since=utcnow() - timedelta(days=9))
        make_account(session, ROSA, Role.ANALYST).totp_secret = None
    said = cli("users", "role", ROSA, "--add", "publisher", "--add", "writer", "--remove", "analyst").stdout
    assert "rosa@example.org is now publisher, writer." in said
    assert "counts in 24 hours" in said
    assert f"mailer users invite {ROSA} --second-factor" in said
    assert [each["counts_as_publisher"] for each in listed(cli)] == [True, False]


def test_who_leaves_is_signed_out_and_may_come_back(cli: CommandLine, engine: Engine) -> None:
    with session_scope(engine) as session:
        rosa = make_account(session, ROSA, Role.PUBLISHER)
        for _ in range(2):
            make_session(session, rosa)
    shown = cli("users", "sessions", ROSA).stdout
    assert "Firefox  192.0.2.7" in shown
    assert "Signed in: 2 sessions." in shown
    sessions = [json.loads(line) for line in cli("users", "sessions", ROSA, "--json").stdout.splitlines()]
    assert [each["session"] for each in sessions] == ["2", "1"]
    assert "Ended 2 sessions." in cli("users", "sessions", ROSA, "--end").stdout
    with session_scope(engine) as session:
        assert desk_sessions.of_account(session, rosa.id) == []
    said = cli("users", "disable", ROSA).stdout
    assert "cannot come in" in said
    assert "24 hours" in said
    assert "already" in cli("users", "disable", ROSA).stdout
    assert "publisher; disabled" in cli("users", "list").stdout
    assert "disabled. Enable it first" in cli("users", "invite", ROSA, "--password", exit_code=1).stderr
    assert "can come in again" in cli("users", "enable", ROSA).stdout
    assert "is not disabled" in cli("users", "enable", ROSA).stdout
    subject = str(rosa.id)
    acts = ["users.sessions", "users.disable", "users.enable"]
    assert log(cli) == [(act, "account", subject) for act in acts]
