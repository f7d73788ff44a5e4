"""Accounts: what somebody may do, from when on, and that there is always somebody who can let others in."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.organisers import accounts, desk_sessions
from mailer.organisers.accounts import LastAdmin
from mailer.organisers.roles import MAY, Permission
from mailer.store.db import session_scope
from mailer.store.models import Account, DeskSession, Invitation, InvitationKind, Role
from tests.support.accounts import make_account, make_session
from tests.support.concurrency import Beside
from tests.support.factories import WHEN

HOUR = timedelta(hours=1)
LONG_AGO = WHEN - timedelta(days=30)


def publishing(session: Session, at: datetime) -> list[str | None]:
    """The names of those who count as publishers."""
    return [account.name for account in accounts.publishers_at(session, at)]


def test_an_account_is_found_by_its_address_however_that_is_written(session: Session) -> None:
    assert not accounts.exist(session)
    made = accounts.add(session, addresses.parse("Rosa@Example.org"), [Role.WRITER], name="  Rosa   Diaz ")
    assert accounts.exist(session)
    assert accounts.find(session, addresses.parse("rosa@example.org")) is made
    assert accounts.get(session, made.id) is made
    assert (made.name, accounts.has_joined(made)) == ("Rosa Diaz", False)
    assert accounts.roles_of(made) == {Role.WRITER}
    assert accounts.find(session, addresses.parse("ana@example.org")) is None
    assert [account.id for account in accounts.all_accounts(session)] == [made.id]


def test_an_address_has_one_account_and_an_account_a_role_and_a_zone_that_exists(session: Session) -> None:
    rosa = addresses.parse("rosa@example.org")
    accounts.add(session, rosa, [Role.WRITER])
    with pytest.raises(accounts.AccountAlready, match=r"users role ROSA@example\.org --add"):
        accounts.add(session, addresses.parse("ROSA@example.org"), [Role.ADMIN])
    with pytest.raises(accounts.NoRole):
        accounts.add(session, addresses.parse("ana@example.org"), [])
    with pytest.raises(accounts.UnknownZone, match="Europe/Paris"):
        accounts.add(session, addresses.parse("ana@example.org"), [Role.WRITER], zone="Paris")
    with pytest.raises(accounts.LongName):
        accounts.add(session, addresses.parse("ana@example.org"), [Role.WRITER], name="x" * 201)
    with pytest.raises(accounts.UnknownAccount, match="mailer users list"):
        accounts.named(session, addresses.parse("ana@example.org"))
    with pytest.raises(accounts.UnknownAccount):
        accounts.get(session, 77)


def test_somebody_may_do_what_any_of_their_roles_may(session: Session) -> None:
    rosa = make_account(session, "rosa@example.org", Role.WRITER)
    assert accounts.permissions_of(rosa) == MAY[Role.WRITER]
    assert accounts.grant(session, rosa, Role.PUBLISHER, WHEN)
    assert not accounts.grant(session, rosa, Role.PUBLISHER, WHEN)
    assert accounts.permissions_of(rosa) == MAY[Role.WRITER] | MAY[Role.PUBLISHER]
    assert accounts.revoke(session, rosa, Role.WRITER, WHEN)
    assert not accounts.revoke(session, rosa, Role.WRITER, WHEN)
    assert accounts.permissions_of(rosa) == MAY[Role.PUBLISHER]


def test_without_a_second_factor_somebody_may_do_no_more_than_an_analyst(session: Session) -> None:
    rosa = make_account(session, "rosa@example.org", Role.ANALYST, Role.PUBLISHER)
    rosa.totp_secret = None
    assert accounts.permissions_of(rosa) == MAY[Role.ANALYST]


def test_who_is_disabled_is_signed_out_and_may_do_nothing_until_they_are_enabled(session: Session) -> None:
    rosa = make_account(session, "rosa@example.org", Role.WRITER)
    secret = make_session(session, rosa, at=WHEN)
    waiting = Invitation(
        account_id=rosa.id,
        kind=InvitationKind.PASSWORD,
        token_hash=bytes(32),
        created_at=WHEN,
        expires_at=WHEN + 24 * HOUR,
    )
    session.add(waiting)
    assert accounts.disable(session, rosa, WHEN)
    assert not accounts.disable(session, rosa, WHEN)
    assert accounts.permissions_of(rosa) == frozenset()
    assert accounts.roles_of(rosa) == {Role.WRITER}
    assert session.scalars(select(DeskSession)).all() == []
    session.refresh(waiting)
    assert waiting.expires_at == WHEN
    assert accounts.enable(session, rosa, WHEN + HOUR)
    assert not accounts.enable(session, rosa, WHEN + HOUR)
    assert accounts.permissions_of(rosa) == MAY[Role.WRITER]
    assert desk_sessions.find(session, secret, at=WHEN) is None


def test_whose_page_is_open_is_shown_what_they_may_see_now_and_nothing_once_they_are_out(session: Session) -> None:
    writer, nobody, without, disabled, gone = (
        make_account(session, f"{name}@example.org", *roles)
        for name, roles in (
            ("writer", (Role.WRITER, Role.ANALYST)),
            ("nobody", ()),
            ("without", (Role.ANALYST, Role.PUBLISHER)),
            ("disabled", (Role.ADMIN,)),
            ("gone", (Role.ADMIN,)),
        )
    )
    without.totp_secret, disabled.disabled_at = None, WHEN
    of = {each.id: desk_sessions.hash_of(make_session(session, each, at=WHEN)) for each in (writer, nobody, without)}
    others = [desk_sessions.hash_of(make_session(session, disabled, at=WHEN)), bytes(32)]
    others.append(desk_sessions.hash_of(make_session(session, gone, at=WHEN - desk_sessions.IDLE)))
    accounts.revoke(session, writer, Role.ANALYST, WHEN)
    session.flush()
    found = accounts.permissions_in(session, [*of.values(), *others], at=WHEN)
    assert found == {of[each.id]: accounts.permissions_of(each) for each in (writer, nobody, without)}
    assert found[of[without.id]] == MAY[Role.ANALYST]


# --- admins ---------------------------------------------------------------------------------------------------------


def test_the_last_admin_can_neither_lose_the_role_nor_be_disabled(session: Session) -> None:
    rosa = make_account(session, "rosa@example.org", Role.ADMIN)
    ana = make_account(session, "ana@example.org", Role.ADMIN, has_joined=False)  # cannot let anybody in
    with pytest.raises(LastAdmin, match=r"rosa@example\.org is the only admin"):
        accounts.revoke(session, rosa, Role.ADMIN, WHEN)
    with pytest.raises(LastAdmin):
        accounts.disable(session, rosa, WHEN)
    assert accounts.disable(session, ana, WHEN)
    accounts.enable(session, ana, WHEN)
    ana.password_hash = "$argon2id$"
    assert accounts.revoke(session, rosa, Role.ADMIN, WHEN)
    with pytest.raises(LastAdmin):
        accounts.disable(session, ana, WHEN)


def test_two_admins_cannot_take_the_role_from_each_other_at_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        ids = [make_account(session, f"{name}@example.org", Role.ADMIN).id for name in ("rosa", "ana")]

    def take_from(account_id: int) -> None:
        with session_scope(engine) as session:
            accounts.revoke(session, accounts.get(session, account_id), Role.ADMIN, WHEN)

    with session_scope(engine) as session:
        rosa = session.get_one(Account, ids[0])
        accounts.revoke(session, rosa, Role.ADMIN, WHEN)
        other = Beside(lambda: take_from(ids[1]))
        other.must_wait()
    with pytest.raises(LastAdmin):
        other.result()


# --- who publishes --------------------------------------------------------------------------------------------------


def test_who_becomes_a_publisher_counts_a_day_later(session: Session) -> None:
    make_account(session, "rosa@example.org", Role.PUBLISHER, name="Rosa", since=LONG_AGO)
    ana = make_account(session, "ana@example.org", Role.WRITER, name="Ana", since=LONG_AGO)
    accounts.grant(session, ana, Role.PUBLISHER, WHEN)
    assert Permission.APPROVE in accounts.permissions_of(ana)
    assert publishing(session, WHEN + 23 * HOUR) == ["Rosa"]
    assert not accounts.is_publisher_at(session, ana, WHEN + 23 * HOUR)
    assert publishing(session, WHEN + 24 * HOUR) == ["Rosa", "Ana"]
    assert accounts.is_publisher_at(session, ana, WHEN + 24 * HOUR)


@pytest.mark.parametrize("how", ["revoked", "disabled"])
def test_who_stops_being_a_publisher_counts_for_another_day_and_may_approve_nothing(session: Session, how: str) -> None:
    make_account(session, "rosa@example.org", Role.PUBLISHER, name="Rosa", since=LONG_AGO)
    ana = make_account(session, "ana@example.org", Role.PUBLISHER, name="Ana", since=LONG_AGO)
    if how == "revoked":
        accounts.revoke(session, ana, Role.PUBLISHER, WHEN)
    else:
        accounts.disable(session, ana, WHEN)
    assert publishing(session, WHEN + 23 * HOUR) == ["Rosa", "Ana"]
    assert not accounts.is_publisher_at(session, ana, WHEN + HOUR)
    assert publishing(session, WHEN + 24 * HOUR) == ["Rosa"]


def test_who_is_enabled_again_counts_as_a_publisher_a_day_later(session: Session) -> None:
    make_account(session, "rosa@example.org", Role.PUBLISHER, name="Rosa", since=LONG_AGO)
    ana = make_account(session, "ana@example.org", Role.PUBLISHER, name="Ana", since=LONG_AGO)
    accounts.disable(session, ana, WHEN - timedelta(days=9))
    accounts.enable(session, ana, WHEN)
    assert publishing(session, WHEN + 23 * HOUR) == ["Rosa"]
    assert publishing(session, WHEN + 24 * HOUR) == ["Rosa", "Ana"]


def test_on_the_first_day_that_there_are_publishers_each_counts_at_once(session: Session) -> None:
    assert publishing(session, WHEN) == []
    make_account(session, "rosa@example.org", Role.PUBLISHER, name="Rosa", since=WHEN)
    make_account(session, "ana@example.org", Role.PUBLISHER, name="Ana", since=WHEN + 23 * HOUR)
    make_account(session, "eve@example.org", Role.PUBLISHER, name="Eve", since=WHEN + 24 * HOUR)
    assert publishing(session, WHEN) == ["Rosa"]
    assert publishing(session, WHEN + 25 * HOUR) == ["Rosa", "Ana"]


def test_who_never_came_in_does_not_count_as_a_publisher(session: Session) -> None:
    make_account(session, "rosa@example.org", Role.PUBLISHER, since=LONG_AGO, has_joined=False)
    assert publishing(session, WHEN) == []
