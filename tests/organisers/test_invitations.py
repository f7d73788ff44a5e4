"""Invitations: how somebody comes in for the first time, and sets up anew what they have lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pyotp
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.operations import housekeeping
from mailer.organisers import accounts, browsers, desk_sessions, invitations, own_account, passwords, recovery_codes
from mailer.organisers import sign_in as signing_in
from mailer.organisers.accounts import DisabledAccount
from mailer.organisers.invitations import (
    CodeMissing,
    JoinedAlready,
    NotJoined,
    OldInvitation,
    UnknownInvitation,
    UsedInvitation,
    WrongCode,
)
from mailer.organisers.mistakes import Mistakes
from mailer.organisers.passwords import PasswordsDiffer, WeakPassword
from mailer.organisers.sign_in import SignedIn, TooManyAttempts, WrongPassword
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, AuditEntry, Invitation, InvitationKind, KnownBrowser, Role
from tests.support.accounts import PASSWORD, code, given, make_account, make_session
from tests.support.factories import WHEN

HOUR = timedelta(hours=1)
NEW = "nine red paper lamps"
PASSWORD_LINK, APP = InvitationKind.PASSWORD, InvitationKind.SECOND_FACTOR


class Door:
    """What somebody does with a link."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sessions = partial(session_scope, engine)

    def invite(self, kind: InvitationKind, *roles: Role, at: datetime = WHEN) -> str:
        """Invite Rosa, who is made where there is nobody yet."""
        with self.sessions() as session:
            rosa = accounts.find(session, addresses.parse("rosa@example.org"))
            rosa = rosa or make_account(session, "rosa@example.org", *roles, has_joined=kind is not InvitationKind.JOIN)
            return invitations.invite(session, rosa, kind, by=None, at=at)

    def secret(self, token: str) -> str:
        with self.sessions() as session:
            return invitations.look(session, token, at=WHEN).totp_secret or ""

    def join(self, token: str, at: datetime = WHEN, **changes: Any) -> Sequence[str]:
        usual = {"name": "Rosa", "zone": "Europe/Paris", "language": "fr-CA", "password": NEW}
        code_shown = {} if "code" in changes else {"code": pyotp.TOTP(self.secret(token)).at(at)}
        return invitations.join(self.sessions, token, at=at, **(usual | code_shown | changes))

    def rosa(self) -> Account:
        with self.sessions() as session:
            return accounts.named(session, addresses.parse("rosa@example.org"))

    def comes_in(self, at: datetime, **changes: str | None) -> bool:
        """Whether Rosa gets in with what she gives."""
        return isinstance(signing_in.sign_in(self.sessions, given(self.rosa(), at, **changes), at=at), SignedIn)


@pytest.fixture
def door(engine: Engine) -> Door:
    return Door(engine)


def test_whoever_is_invited_chooses_a_password_sets_up_an_app_and_comes_in(door: Door) -> None:
    token = door.invite(InvitationKind.JOIN, Role.WRITER)
    assert door.secret(token) == door.secret(token), "the page may be loaded again"
    codes = door.join(token)
    assert len(codes) == 10
    rosa = door.rosa()
    assert (rosa.name, rosa.zone, rosa.language) == ("Rosa", "Europe/Paris", "fr")
    assert not door.comes_in(WHEN, password=NEW), "that code was used to join"
    assert door.comes_in(WHEN + timedelta(minutes=1), password=NEW)
    assert door.comes_in(WHEN + timedelta(minutes=1), password=NEW, code=codes[0])
    with door.sessions() as session:
        assert [entry.action for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))] == [
            "accounts.join",
            *["accounts.sign_in"] * 2,
        ]


def test_a_link_works_once_for_a_day_and_until_there_is_a_newer_one(door: Door) -> None:
    first, second = (door.invite(InvitationKind.JOIN, Role.WRITER) for _ in range(2))
    with door.sessions() as session:
        look = partial(invitations.look, session)
        with pytest.raises(OldInvitation):
            look(first, at=WHEN)
        assert look(second, at=WHEN + 23 * HOUR).account.email == "rosa@example.org"
        with pytest.raises(OldInvitation):
            look(second, at=WHEN + 24 * HOUR)
        for other in ("", "x" * 43, second[:-1], second + "x", "ü" * 43, f"{second}\n"):
            with pytest.raises(UnknownInvitation):
                look(other, at=WHEN)
        kept = session.scalars(select(Invitation.token_hash)).all()
        assert not any(second.encode() in bytes(each) for each in kept)
    door.join(second)
    with pytest.raises(UsedInvitation):
        door.join(second, code="123456")


def test_what_is_wrong_on_the_page_uses_up_no_link(door: Door) -> None:
    token = door.invite(InvitationKind.JOIN, Role.WRITER)
    problems: list[tuple[type[Exception], dict[str, Any]]] = [
        (WeakPassword, {"password": "password1234"}),
        (WeakPassword, {"password": "rosa@example.org"}),
        (WrongCode, {"code": "000000"}),
        (CodeMissing, {"code": ""}),
        (PasswordsDiffer, {"again": f"{NEW}!"}),
        (Mistakes, {"again": f"{NEW}!", "code": "000000", "zone": "Nowhere"}),
        (accounts.UnknownZone, {"zone": "Nowhere"}),
        (accounts.LongName, {"name": "x" * 201}),
    ]
    for problem, changes in problems:
        with pytest.raises(problem):
            door.join(token, **changes)
    assert not accounts.has_joined(door.rosa())
    assert door.join(token)


def test_an_analyst_may_join_without_a_second_factor_or_with_one(door: Door) -> None:
    token = door.invite(InvitationKind.JOIN, Role.ANALYST)
    with door.sessions() as session:
        assert not invitations.needs_code(invitations.look(session, token, at=WHEN))
    with pytest.raises(WrongCode):
        door.join(token, code="000000")
    assert door.join(token, code=" ") == []
    assert door.comes_in(WHEN, password=NEW, code="")


def test_a_link_is_for_one_thing(door: Door) -> None:
    token = door.invite(InvitationKind.PASSWORD, Role.WRITER)
    with pytest.raises(UnknownInvitation):
        door.join(token, code="123456")
    with pytest.raises(UnknownInvitation):
        invitations.set_second_factor(door.sessions, token, password=PASSWORD, code="123456", at=WHEN)
    invitations.set_password(door.sessions, token, password=NEW, at=WHEN)


def test_nobody_is_invited_to_what_they_have_or_do_not_have_yet(door: Door, session: Session) -> None:
    rosa, ana = make_account(session), make_account(session, "ana@example.org", has_joined=False)
    invite = partial(invitations.invite, session, by=rosa.id, at=WHEN)
    with pytest.raises(JoinedAlready, match=r"users invite rosa@example\.org --password"):
        invite(rosa, InvitationKind.JOIN)
    for kind in (InvitationKind.PASSWORD, InvitationKind.SECOND_FACTOR):
        with pytest.raises(NotJoined):
            invite(ana, kind)
    rosa.disabled_at = WHEN
    with pytest.raises(DisabledAccount):
        invite(rosa, InvitationKind.PASSWORD)


def test_no_link_works_once_the_account_is_disabled_not_even_after_it_is_enabled(door: Door) -> None:
    token = door.invite(InvitationKind.JOIN, Role.WRITER)
    change = door.secret(token)
    for alter in (accounts.disable, accounts.enable):
        with door.sessions() as session:
            alter(session, accounts.named(session, addresses.parse("rosa@example.org")), WHEN)
        with pytest.raises(OldInvitation):
            door.join(token, code=pyotp.TOTP(change).at(WHEN))


# --- what was lost --------------------------------------------------------------------------------------------------


def test_another_password_ends_every_session_and_does_not_do_without_the_second_factor(door: Door) -> None:
    token = door.invite(InvitationKind.PASSWORD, Role.WRITER)
    with door.sessions() as session:
        rosa = accounts.named(session, addresses.parse("rosa@example.org"))
        make_session(session, rosa, at=WHEN)
        browsers.know(session, rosa.id, None, at=WHEN)
    with pytest.raises(WeakPassword):
        invitations.set_password(door.sessions, token, password="short", at=WHEN)
    invitations.set_password(door.sessions, token, password=NEW, at=WHEN)
    with door.sessions() as session:
        assert desk_sessions.of_account(session, rosa.id, at=WHEN) == []
        assert session.scalars(select(KnownBrowser)).all() == []
    assert not door.comes_in(WHEN, password=NEW, code="")
    assert not door.comes_in(WHEN)
    assert door.comes_in(WHEN, password=NEW)


def test_another_second_factor_needs_the_password_and_brings_new_recovery_codes(door: Door) -> None:
    token = door.invite(InvitationKind.SECOND_FACTOR, Role.WRITER)
    rosa = door.rosa()
    with door.sessions() as session:
        old_codes = recovery_codes.make(session, rosa.id)
        make_session(session, rosa, at=WHEN)
    shown = pyotp.TOTP(door.secret(token)).at(WHEN)
    change = partial(invitations.set_second_factor, door.sessions, token, at=WHEN)
    with pytest.raises(WrongPassword):
        change(password=NEW, code=shown)
    with pytest.raises(WrongCode):
        change(password=PASSWORD, code=code(rosa, WHEN))
    new_codes = change(password=PASSWORD, code=shown)
    with door.sessions() as session:
        assert desk_sessions.of_account(session, rosa.id, at=WHEN) == []
    later = WHEN + timedelta(minutes=1)
    assert not door.comes_in(later, code=code(rosa, later)), "the lost one"
    assert not door.comes_in(later, code=old_codes[0])
    assert door.comes_in(later, code=new_codes[0])
    assert door.comes_in(later)


def test_whoever_found_a_link_may_not_try_passwords_on_it_for_ever(door: Door) -> None:
    token = door.invite(InvitationKind.SECOND_FACTOR, Role.WRITER)
    shown = pyotp.TOTP(door.secret(token)).at(WHEN)
    for problem in [WrongPassword] * 5 + [TooManyAttempts]:
        with pytest.raises(problem):
            invitations.set_second_factor(door.sessions, token, password=NEW, code=shown, at=WHEN)
    assert door.comes_in(WHEN), "that keeps nobody from signing in"


# --- one's own account ----------------------------------------------------------------------------------------------


def test_whoever_changes_their_password_gives_the_old_one_and_is_signed_out_everywhere_else(door: Door) -> None:
    with door.sessions() as session:
        rosa = make_account(session, "rosa@example.org", Role.WRITER)
        make_session(session, rosa, at=WHEN)
        here = desk_sessions.start(session, rosa.id, at=WHEN).desk_session.id
    change = partial(own_account.change_password, door.sessions, here, at=WHEN)
    with pytest.raises(WrongPassword):
        change(old=NEW, new=NEW)
    with pytest.raises(WeakPassword):
        change(old=PASSWORD, new="rosa@example.org")
    change(old=PASSWORD, new=NEW)
    with door.sessions() as session:
        assert [each.id for each in desk_sessions.of_account(session, rosa.id, at=WHEN)] == [here]
        kept = session.get_one(Account, rosa.id).password_hash
        assert passwords.verify(kept, NEW)
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.session, entry.subject) == ("accounts.password", "2", str(rosa.id))
        desk_sessions.end(session, here)
    with pytest.raises(WrongPassword):
        change(old=NEW, new=PASSWORD)


def test_somebody_says_how_they_are_called_and_in_which_zone_and_language_they_read(session: Session) -> None:
    rosa = make_account(session)
    own_account.change(session, rosa, name=" Rosa  D. ", zone="Asia/Tehran", language="fr-CA")
    assert (rosa.name, rosa.zone, rosa.language) == ("Rosa D.", "Asia/Tehran", "fr")
    own_account.change(session, rosa, name="", zone="UTC", language=None)
    assert (rosa.name, rosa.zone, rosa.language) == (None, "UTC", None)
    with pytest.raises(accounts.UnknownZone):
        own_account.change(session, rosa, name="Rosa", zone="Tehran", language=None)


@pytest.mark.parametrize(("days", "is_kept"), [(30, True), (32, False)])
def test_an_invitation_that_has_been_over_for_a_month_is_deleted(door: Door, days: int, is_kept: bool) -> None:
    door.invite(InvitationKind.JOIN, Role.WRITER, at=utcnow() - timedelta(days=days))
    housekeeping.tidy(door.engine)
    with door.sessions() as session:
        assert bool(session.scalars(select(Invitation)).all()) is is_kept


def test_an_admin_who_lets_themselves_into_a_publishers_account_approves_no_sooner_than_an_invited_one(
    door: Door,
) -> None:
    long_ago = WHEN - timedelta(days=30)
    with door.sessions() as session:
        admin = make_account(session, "ada@example.org", Role.ADMIN, since=long_ago)
        rosa = make_account(session, "rosa@example.org", Role.PUBLISHER, since=long_ago)
        assert accounts.is_publisher_at(session, rosa, WHEN)
        links = {kind: invitations.invite(session, rosa, kind, by=admin.id, at=WHEN) for kind in (PASSWORD_LINK, APP)}
    invitations.set_password(door.sessions, links[PASSWORD_LINK], password=NEW, at=WHEN)
    shown = pyotp.TOTP(door.secret(links[APP])).at(WHEN)
    invitations.set_second_factor(door.sessions, links[APP], password=NEW, code=shown, at=WHEN)
    with door.sessions() as session:
        rosa = accounts.get(session, rosa.id)
        assert not accounts.is_publisher_at(session, rosa, WHEN + 23 * HOUR)
        assert accounts.is_publisher_at(session, rosa, WHEN + 24 * HOUR)
        assert [each.id for each in accounts.publishers_at(session, WHEN)] == [rosa.id]  # whose mails are waited for


def test_whoever_sets_up_another_telephone_by_themselves_publishes_on(door: Door) -> None:
    with door.sessions() as session:
        rosa = make_account(session, "rosa@example.org", Role.PUBLISHER, since=WHEN - timedelta(days=30))
        token = invitations.invite(session, rosa, APP, by=rosa.id, at=WHEN)
    shown = pyotp.TOTP(door.secret(token)).at(WHEN)
    invitations.set_second_factor(door.sessions, token, password=PASSWORD, code=shown, at=WHEN)
    with door.sessions() as session:
        assert accounts.is_publisher_at(session, accounts.get(session, rosa.id), WHEN)
