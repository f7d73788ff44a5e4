"""Accounts at the desk, for admins."""

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from mailer.organisers import accounts, invitations
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.store.models import Account, AuditEntry, Delivery, Invitation, InvitationKind, Role
from tests.support.accounts import make_account
from tests.support.desk import Organiser, come_in, words


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is done to an account in a database is tested with the domain


@pytest.fixture
def admin(app: Flask) -> Organiser:
    return come_in(app, Role.ADMIN, email="admin@example.org", name="Ada")


@pytest.fixture
def rosa(app: Flask) -> int:
    """The id of Rosa's account, who is a writer."""
    with session_scope(app.extensions["site"].engine) as session:
        since = utcnow() - timedelta(days=3)
        return make_account(session, "rosa@example.org", Role.WRITER, name="Rosa", since=since).id


def roles_of(app: Flask, account_id: int) -> set[Role]:
    with session_scope(app.extensions["site"].engine) as session:
        return set(accounts.roles_of(session.get_one(Account, account_id)))


def entries(app: Flask) -> Sequence[AuditEntry]:
    with session_scope(app.extensions["site"].engine) as session:
        return session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()


def invitation_in(app: Flask, page: TestResponse) -> Invitation:
    """That whose link a page shows."""
    link = re.search(r"https://act\.example\.org/desk/invitation/([0-9a-f]+)", page.text)
    assert page.status_code == 200 and link is not None
    with session_scope(app.extensions["site"].engine) as session:
        return invitations.look(session, link[1], at=utcnow())


def test_the_list_says_who_there_is_and_may_come_in(app: Flask, admin: Organiser, rosa: int) -> None:
    with session_scope(app.extensions["site"].engine) as session:
        make_account(session, "new@example.org", Role.PUBLISHER, name="", has_joined=False)
        make_account(session, "gone@example.org", Role.ANALYST, name="Gone").disabled_at = utcnow()
        make_account(session, "half@example.org", Role.WRITER, name="Half").totp_secret = None
    page = words(admin.get("/accounts"))
    for facts in (
        "Rosa Active Writer rosa@example.org Not seen yet.",
        "new@example.org Invited Publisher Not seen yet.",
        "Gone Disabled Analyst",
        "Half Needs a second factor Writer",
        "Ada Active Admin",
    ):
        assert facts in page, facts
    assert page.count("Last seen on") == 1


def test_the_first_admin_is_told_whom_to_invite(admin: Organiser) -> None:
    assert "Invite a writer and two publishers" in words(admin.get("/accounts"))


def test_somebody_is_invited_by_a_link_that_is_shown_once(app: Flask, admin: Organiser) -> None:
    page = admin.press("/accounts/invite", invitee=" Ben@Example.org ", **{"role-writer": "yes"})
    invitation = invitation_in(app, page)
    assert (invitation.kind, invitation.by_id) == (InvitationKind.JOIN, admin.account_id)
    assert roles_of(app, invitation.account_id) == {Role.WRITER}
    entry = entries(app)[-1]
    assert (entry.action, entry.account_id, entry.details) == (
        "accounts.invite",
        admin.account_id,
        {"roles": ["writer"]},
    )
    assert "by mail" not in words(page)
    again = admin.press("/accounts/invite", invitee="ben@example.org", **{"role-writer": "yes"})
    assert again.status_code == 422 and "has an account already" in words(again)


def test_an_invitation_can_be_mailed_too(app: Flask, admin: Organiser) -> None:
    page = admin.press("/accounts/invite", invitee="ben@example.org", mailed="yes", **{"role-writer": "yes"})
    assert "It is on its way to ben@example.org by mail, too." in words(page)
    invitation_in(app, page)
    with session_scope(app.extensions["site"].engine) as session:
        assert session.scalars(select(Delivery.address)).one() == "ben@example.org"


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"invitee": "ben@example.org"}, "Choose at least one role"),
        ({"invitee": "no address", "role-writer": "yes"}, "This is no e-mail address"),
    ],
)
def test_an_invitation_that_says_too_little_is_shown_again(
    admin: Organiser, fields: dict[str, str], advice: str
) -> None:
    answer = admin.press("/accounts/invite", **fields)
    assert answer.status_code == 422 and advice in words(answer)
    assert f'value="{fields["invitee"]}"' in answer.text


def test_roles_are_given_and_taken_and_who_publishes_counts_later(app: Flask, admin: Organiser, rosa: int) -> None:
    with session_scope(app.extensions["site"].engine) as database:  # there have been publishers for long
        make_account(database, "paul@example.org", Role.PUBLISHER, since=utcnow() - timedelta(days=9))
    path = f"/accounts/{rosa}"
    assert "after 24 hours" in words(admin.get(path))
    answer = admin.press(f"{path}/roles", **{"role-publisher": "yes", "role-analyst": "yes"})
    assert (answer.status_code, answer.location) == (303, f"/desk/accounts/{rosa}?done=roles")
    assert roles_of(app, rosa) == {Role.PUBLISHER, Role.ANALYST}
    assert entries(app)[-1].details == {"added": ["analyst", "publisher"], "removed": ["writer"]}
    assert "do not count as a publisher yet" in words(admin.get(path))
    admin.press(f"{path}/roles", **{"role-publisher": "yes", "role-analyst": "yes"})
    assert len(entries(app)) == 1, "what changes nothing is not written down"
    none = admin.press(f"{path}/roles")
    assert none.status_code == 422 and "Choose at least one role" in words(none)


def test_the_last_admin_locks_nobody_out(app: Flask, admin: Organiser) -> None:
    for press, fields in (("roles", {"role-writer": "yes"}), ("disable", {})):
        answer = admin.press(f"/accounts/{admin.account_id}/{press}", **fields)
        assert answer.status_code == 422 and "This is the only admin left" in words(answer)
    assert roles_of(app, admin.account_id) == {Role.ADMIN}, "nothing of it was done"


@pytest.mark.parametrize("kind", ["password", "second_factor"])
def test_a_lost_password_or_phone_takes_a_new_link(app: Flask, admin: Organiser, rosa: int, kind: str) -> None:
    assert "Ring them first" in words(admin.get(f"/accounts/{rosa}"))
    page = admin.press(f"/accounts/{rosa}/link", kind=kind)
    assert invitation_in(app, page).kind is InvitationKind[kind.upper()]
    assert entries(app)[-1].details == {"kind": InvitationKind[kind.upper()].value}


def test_a_link_for_the_wrong_thing_is_not_made(admin: Organiser, rosa: int) -> None:
    answer = admin.press(f"/accounts/{rosa}/link", kind="join")
    assert answer.status_code == 422 and "They have joined meanwhile" in words(answer)
    assert admin.press(f"/accounts/{rosa}/link", kind="anything").status_code == 400
    assert admin.get("/accounts/4000").status_code == 404
    assert admin.press("/accounts/4000/disable").status_code == 404


def test_somebody_is_signed_out_shut_out_and_let_in_again(app: Flask, admin: Organiser) -> None:
    ben = come_in(app, Role.WRITER, email="ben@example.org", name="Ben")
    path = f"/accounts/{ben.account_id}"
    assert "203.0.113.7" in admin.get(path).text
    admin.press(f"{path}/end-sessions")
    assert ben.get("/").status_code == 303
    assert "Nowhere at the moment" in words(admin.get(path))
    assert admin.press(f"{path}/disable").location == f"/desk{path}?done=disable"
    assert "Let them in again" in words(admin.get(path))
    assert "This account is disabled" in words(admin.press(f"{path}/link", kind="password"))
    assert admin.press(f"{path}/enable").location == f"/desk{path}?done=enable"
    done = [(each.action.partition(".")[2], each.subject) for each in entries(app)]
    assert done == [(action, str(ben.account_id)) for action in ("end_sessions", "disable", "enable")]


def test_a_database_that_is_away_is_nobodys_mistake(
    app: Flask, admin: Organiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable(service="The database", problem="away", remedy="")

    monkeypatch.setattr(accounts, "add", fail)
    answer = admin.press("/accounts/invite", invitee="ben@example.org", **{"role-writer": "yes"})
    assert answer.status_code == 503 and 'value="ben@example.org"' in answer.text
