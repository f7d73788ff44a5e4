"""A campaign at the desk, who wrote it, and who may send it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from flask import Flask
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.mail.sender import Sender
from mailer.organisers import approvals, content
from mailer.store import audit
from mailer.store.db import session_scope, utcnow
from mailer.store.models import Account, AuditActor, AuditEntry, Campaign, MailingList, Role
from tests.support.accounts import make_account, make_publisher
from tests.support.desk import Organiser, come_in
from tests.support.factories import make_campaign, make_list, make_subscriber

SLUG = "free-the-five"


@dataclass
class World:
    """One campaign, a writer and two publishers, each in a browser of their own."""

    app: Flask
    sender: Sender
    wanda: Organiser  # writes
    petra: Organiser  # publishes
    olga: Organiser  # likewise

    def session(self) -> AbstractContextManager[Session]:
        return session_scope(self.app.extensions["site"].engine)

    def ask(self) -> None:
        """Have Wanda ask for approval of the campaign as it is now."""
        with self.session() as session:
            by = session.get_one(Account, self.wanda.account_id)
            approvals.ask(
                session, lifecycle.get(session, SLUG), by, "The court sits on Monday.", at=utcnow(), sender=self.sender
            )

    def approve(self) -> None:
        """Have the campaign be approved as it is now."""
        self.ask()
        with self.session() as session:
            campaign, by = lifecycle.get(session, SLUG), session.get_one(Account, self.olga.account_id)
            shown = content.of(session, campaign, self.sender).hash
            approvals.approve(session, campaign, by, shown, None, at=utcnow(), sender=self.sender)

    def hash(self) -> str:
        """What the campaign is now."""
        with self.session() as session:
            return content.of(session, lifecycle.get(session, SLUG), self.sender).hash

    def state(self) -> approvals.State:
        with self.session() as session:
            return approvals.standing(session, lifecycle.get(session, SLUG), self.sender).state

    def request_id(self) -> int:
        """Of what somebody asks for now, or asked for before it was approved; 0 where nobody does."""
        with self.session() as session:
            request = approvals.standing(session, lifecycle.get(session, SLUG), self.sender).request
            return request.id if request else 0

    def campaign(self) -> Campaign:
        """The campaign as it is now."""
        with self.session() as session:
            found = lifecycle.get(session, SLUG)
            session.expunge(found)
            return found

    def change(self, act: Callable[[Campaign], object]) -> None:
        with self.session() as session:
            act(lifecycle.get(session, SLUG))

    def changed_by(self, who: Organiser) -> None:
        """Have the audit log say that somebody changed the campaign."""
        with self.session() as session:
            by = audit.Who(AuditActor.ACCOUNT, who.account_id, "1")
            audit.append(session, "campaigns.write", by, kind="campaign", subject=SLUG)

    def join(self, people: int) -> None:
        """Have people sign up."""
        with self.session() as session:
            mailing_list = session.query(MailingList).one()
            for _ in range(people):
                make_subscriber(session, mailing_list)

    def log(self) -> list[tuple[str, int | None, str | None]]:
        """What the audit log says that organisers did."""
        with self.session() as session:
            entries = session.query(AuditEntry).filter(AuditEntry.actor == AuditActor.ACCOUNT).order_by(AuditEntry.id)
            return [
                (each.action, each.account_id, each.subject) for each in entries if each.action.startswith("campaigns")
            ]


def make_world(app: Flask, people: int = 2) -> World:
    with session_scope(app.extensions["site"].engine) as session:
        mailing_list = make_list(session)
        make_campaign(session, mailing_list, slug=SLUG)
        for _ in range(people):
            make_subscriber(session, mailing_list)
        wanda = make_account(session, "wanda@example.org", Role.WRITER, name="Wanda")
        petra, olga = make_publisher(session, "petra"), make_publisher(session, "olga")
    sender = app.extensions["site"].settings.mail_sender
    return World(app, sender, *(come_in(app, account=each) for each in (wanda, petra, olga)))
