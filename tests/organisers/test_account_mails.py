"""Mails about one's own account: whoever did not do it themselves notices, and gets no flood of them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyotp
import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.operations import housekeeping
from mailer.organisers import (
    account_mails,
    accounts,
    browsers,
    desk_sessions,
    invitations,
    own_account,
    recovery_codes,
    sign_in,
)
from mailer.organisers.account_mails import APART, SOON, Event
from mailer.organisers.sign_in import Refused, SignedIn
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import session_scope
from mailer.store.models import (
    Account,
    AccountMail,
    Delivery,
    DeliveryState,
    InvitationKind,
    Role,
)
from tests.support.accounts import PASSWORD, given, make_account, make_session
from tests.support.factories import WHEN

NEW = "nine red paper lamps"
MINUTE = timedelta(minutes=1)


class Desk:
    """An account of Rosa's, and the mails about it."""

    def __init__(self, engine: Engine) -> None:
        self.sessions = partial(session_scope, engine)
        with self.sessions() as session:
            make_account(session, "admin@example.org", Role.ADMIN)
            self.rosa = make_account(session, "rosa@example.org", Role.WRITER)
            self.rosa.zone, self.rosa.language = "Europe/Berlin", "fr"

    def mails(self) -> list[Delivery]:
        with self.sessions() as session:
            found = session.scalars(select(Delivery).order_by(Delivery.id)).all()
            assert all(each.address == "rosa@example.org" for each in found)
            return list(found)

    def said(self) -> list[set[str]]:
        """What each mail says."""
        return [set(Notice.from_stored(each.notice or "").words) for each in self.mails()]

    def alter(self, act: Callable[[Session, Account], Any]) -> Any:
        with self.sessions() as session:
            return act(session, session.get_one(Account, self.rosa.id))

    def link(self, kind: InvitationKind) -> str:
        return str(self.alter(lambda session, rosa: invitations.invite(session, rosa, kind, by=None, at=WHEN)))

    def sign_in(self, at: datetime = WHEN, **changes: str | None) -> SignedIn | Refused:
        return sign_in.sign_in(self.sessions, given(self.rosa, at, browser_label="Firefox, Android", **changes), at=at)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine)


# --- of what --------------------------------------------------------------------------------------------------------


def own_password(desk: Desk) -> None:
    desk.alter(lambda session, rosa: make_session(session, rosa, at=WHEN))
    (one,) = desk.alter(lambda session, rosa: desk_sessions.of_account(session, rosa.id, at=WHEN))
    own_account.change_password(desk.sessions, one.id, old=PASSWORD, new=NEW, at=WHEN)


def password_by_link(desk: Desk) -> None:
    invitations.set_password(desk.sessions, desk.link(InvitationKind.PASSWORD), password=NEW, at=WHEN)


def second_factor_by_link(desk: Desk) -> None:
    token = desk.link(InvitationKind.SECOND_FACTOR)
    secret = desk.alter(lambda session, _rosa: invitations.look(session, token, at=WHEN).totp_secret)
    shown = pyotp.TOTP(secret).at(WHEN)
    invitations.set_second_factor(desk.sessions, token, password=PASSWORD, code=shown, at=WHEN)


def recovery_code(desk: Desk) -> None:
    codes = desk.alter(lambda session, rosa: recovery_codes.make(session, rosa.id))
    known = desk.alter(lambda session, rosa: browsers.know(session, rosa.id, None, at=WHEN))
    assert isinstance(desk.sign_in(code=codes[0], browser=known), SignedIn)


def more_roles(desk: Desk) -> None:
    desk.alter(lambda session, rosa: accounts.grant(session, rosa, Role.PUBLISHER, WHEN))


def fewer_roles(desk: Desk) -> None:
    desk.alter(lambda session, rosa: accounts.revoke(session, rosa, Role.WRITER, WHEN))


def closing(desk: Desk) -> None:
    desk.alter(lambda session, rosa: accounts.disable(session, rosa, WHEN))


def opening(desk: Desk) -> None:
    desk.alter(lambda _session, rosa: setattr(rosa, "disabled_at", WHEN))
    desk.alter(lambda session, rosa: accounts.enable(session, rosa, WHEN))


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (own_password, {Event.PASSWORD}),
        (password_by_link, {Event.PASSWORD}),
        (second_factor_by_link, {Event.SECOND_FACTOR}),
        (recovery_code, {Event.RECOVERY_CODE, "codes"}),
        (Desk.sign_in, {Event.NEW_BROWSER}),
        (more_roles, {Event.ROLES}),
        (fewer_roles, {Event.ROLES}),
        (closing, {Event.DISABLED}),
        (opening, {Event.ENABLED}),
    ],
)
def test_its_owner_is_written_what_happened_to_an_account(
    desk: Desk, act: Callable[[Desk], Any], said: set[str]
) -> None:
    act(desk)
    assert desk.said() == [said]
    (mail,) = desk.mails()
    notice = Notice.from_stored(mail.notice or "")
    assert (notice.kind, notice.language, notice.token) == (NoticeKind.ACCOUNT, "fr", None)
    assert mail.not_before == WHEN + SOON
    assert notice.words.get("codes", "9") == "9"
    assert any(re.search("CES?T", word) for word in notice.words.values()), "by the clock of its owner"


def test_nobody_is_written_what_did_not_happen(desk: Desk) -> None:
    known = desk.alter(lambda session, rosa: browsers.know(session, rosa.id, None, at=WHEN))
    assert isinstance(desk.sign_in(browser=known), SignedIn)
    later = WHEN + MINUTE
    for wrong in ({"password": "wrong"}, {"code": "000000"}, {"address": "nobody@example.org"}):
        assert isinstance(desk.sign_in(later, **wrong), Refused)
    desk.alter(lambda session, rosa: accounts.grant(session, rosa, Role.WRITER, WHEN))
    desk.alter(lambda session, rosa: accounts.enable(session, rosa, WHEN))
    assert desk.mails() == []


def test_who_has_not_come_in_yet_is_written_nothing(desk: Desk) -> None:
    with desk.sessions() as session:
        ana = make_account(session, "ana@example.org", Role.WRITER, has_joined=False)
        accounts.grant(session, ana, Role.ANALYST, WHEN)
        accounts.disable(session, ana, WHEN)
    assert desk.mails() == []


# --- how many -------------------------------------------------------------------------------------------------------


def test_what_happens_within_a_minute_stands_in_one_mail(desk: Desk) -> None:
    for act in (password_by_link, more_roles, fewer_roles, closing):
        act(desk)
    assert desk.said() == [{Event.PASSWORD, Event.ROLES, Event.DISABLED}]


def test_after_a_mail_the_next_goes_a_quarter_of_an_hour_later_with_all_that_happened_meanwhile(desk: Desk) -> None:
    tell = partial(account_mails.tell, browser=None)

    def send(number: int) -> None:
        done = {"state": DeliveryState.SENT, "settled_at": WHEN, "not_before": None}
        with desk.sessions() as session:
            session.execute(update(Delivery).where(Delivery.id == desk.mails()[number].id).values(done))

    desk.alter(lambda session, rosa: tell(session, rosa, Event.PASSWORD, at=WHEN))
    send(0)
    for minute in range(2, 12):
        desk.alter(partial(tell, event=Event.NEW_BROWSER, at=WHEN + minute * MINUTE))
    desk.alter(lambda session, rosa: tell(session, rosa, Event.ROLES, at=WHEN + 12 * MINUTE))
    assert desk.said()[1:] == [{Event.NEW_BROWSER, Event.ROLES}]
    assert desk.mails()[1].not_before == WHEN + SOON + APART
    send(1)
    desk.alter(lambda session, rosa: tell(session, rosa, Event.ENABLED, at=WHEN + 60 * MINUTE))
    assert desk.mails()[2].not_before == WHEN + 60 * MINUTE + SOON


def test_a_mail_that_waits_leaves_out_nothing_that_happened_before(desk: Desk) -> None:
    tell = partial(account_mails.tell, event=Event.NEW_BROWSER)
    for minute, browser in enumerate(["Laptop", "Thief", "Telephone"]):
        desk.alter(partial(tell, browser=browser, at=WHEN + timedelta(seconds=minute)))
    (mail,) = desk.mails()
    said = Notice.from_stored(mail.notice or "").words[Event.NEW_BROWSER]
    assert [each.rpartition(", ")[2] for each in said.split("; ")] == ["Laptop", "Thief", "Telephone"]
    for minute in range(100):
        desk.alter(partial(tell, browser=f"Number {minute}", at=WHEN + timedelta(seconds=minute)))
    (mail,) = desk.mails()
    said = Notice.from_stored(mail.notice or "").words[Event.NEW_BROWSER]
    browsers = [each.rpartition(", ")[2] for each in said.split("; ")]
    assert browsers == ["Laptop", "Thief", "Telephone", "Number 0", "…", "Number 99"]


def test_which_mail_went_to_whom_is_forgotten_once_another_may_go(desk: Desk, engine: Engine) -> None:
    more_roles(desk)
    with desk.sessions() as session:
        session.execute(update(AccountMail).values(goes_at=datetime.now(UTC) - 2 * APART))
    housekeeping.tidy(engine)
    with desk.sessions() as session:
        assert session.scalars(select(AccountMail)).all() != [], "it waits: what happens meanwhile stands in it"
        session.execute(update(Delivery).values(state=DeliveryState.SENT, settled_at=WHEN, not_before=None))
    housekeeping.tidy(engine)
    with desk.sessions() as session:
        assert session.scalars(select(AccountMail)).all() == []


# --- what it says ---------------------------------------------------------------------------------------------------


def test_a_mail_says_what_to_do_and_has_no_link_and_names_nobody_else(desk: Desk) -> None:
    codes = desk.alter(lambda session, rosa: recovery_codes.make(session, rosa.id))
    desk.alter(lambda _session, rosa: setattr(rosa, "language", None))
    desk.sign_in(code=codes[0])
    (mail,) = desk.mails()
    with desk.sessions() as session:
        from tests.delivery.test_notice_mails import compose, part

        message = compose(session, Notice.from_stored(mail.notice or ""))
    assert message["Subject"] == "About your account at the desk"
    shown = " ".join(part(message, "plain").split())
    assert "So many are left: 9" in shown and "a browser that was not known" in shown and "Firefox, Android" in shown
    assert "ring one of your admins at once, at a number that you already had" in shown
    for subtype in ("plain", "html"):
        assert "admin@" not in part(message, subtype) and "<a " not in part(message, subtype)
    assert "http" not in part(message, "plain")
