"""Whatever happens, in whatever order or at the same moment: what goes out was approved by a second person as it is."""

import re
from collections.abc import Callable
from itertools import count
from threading import Barrier, Thread
from typing import ClassVar

from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.campaigns import files
from mailer.cases import target_book
from mailer.delivery import control
from mailer.errors import MailerError, ServiceUnavailable
from mailer.organisers import approvals, content
from mailer.store import audit
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Account,
    Approval,
    AuditActor,
    Campaign,
    CampaignContent,
    CampaignStatus,
    Delivery,
    Edition,
    Role,
)
from tests.support.accounts import make_account, make_publisher
from tests.support.factories import SENDER, make_campaign, make_list, make_subscriber
from tests.support.letters import add_letter, put_target

_number = count(1)
ONE = st.sampled_from(["text", "target", "ask", "petra", "olga", "start", "start at once", "schedule", "undo"])


class Machine(RuleBasedStateMachine):
    """A campaign that writers change, publishers approve, and anybody starts."""

    engine: ClassVar[Engine]
    people: ClassVar[dict[str, int]]

    @initialize()
    def make(self) -> None:
        with session_scope(self.engine) as session:
            mailing_list = make_list(session, f"list-{next(_number)}")
            make_subscriber(session, mailing_list, country="DE")
            campaign = make_campaign(session, mailing_list, slug=f"alert-{next(_number)}", body="Version 0.\n")
            campaign.ask, campaign.about = ["embassy"], "BR"
            add_letter(session, campaign)
            put_target(session)
            self.campaign_id, self.slug = campaign.id, campaign.slug
        self.version = count(1)
        self.refused = list[str]()

    # --- what people do ---------------------------------------------------------------------------------------------

    def change_text(self) -> None:
        with session_scope(self.engine) as session:
            # As a campaign is loaded: held first.
            campaign = session.scalars(select(Campaign).where(Campaign.id == self.campaign_id).with_for_update()).one()
            if campaign.status is not CampaignStatus.DRAFT:
                raise files.AlreadyStarted(slug=campaign.slug, status=campaign.status)
            campaign.texts[0].body = f"Version {next(self.version)}.\n"
            who = audit.Who(AuditActor.ACCOUNT, self.people["wanda"], "1")
            audit.append(session, "campaigns.write", who, kind="campaign", subject=campaign.slug)

    def change_target(self) -> None:
        with session_scope(self.engine) as session:
            known = target_book.get(session, "embassy-de")
            put_target(session, "embassy-de", own_words=not known.own_words)

    def ask(self) -> None:
        with session_scope(self.engine) as session:
            approvals.ask(session, self.get(session), self.who(session, "wanda"), None, at=utcnow(), sender=SENDER)

    def approve(self, name: str) -> None:
        with session_scope(self.engine, read_only=True) as session:
            shown = approvals.standing(session, self.get(session), SENDER).content.hash
        with session_scope(self.engine) as session:
            by = self.who(session, name)
            approvals.approve(session, self.get(session), by, shown, None, at=utcnow(), sender=SENDER)

    def start(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            ahead = control.look_ahead(session, self.get(session), SENDER)
        with session_scope(self.engine) as session:
            ahead.give(session)
            control.start(session, self.get(session), SENDER)

    def start_at_once(self) -> None:
        with session_scope(self.engine) as session:
            campaign = self.get(session)
            list(campaign.texts)  # somebody has looked at it before, in the same session
            control.start(session, campaign, SENDER)

    def schedule(self) -> None:
        with session_scope(self.engine) as session:
            campaign = self.get(session)
            control.send_soon(session, campaign, SENDER, expected=1, undone=campaign.undone)

    def undo(self) -> None:
        with session_scope(self.engine) as session:
            control.undo(session, self.get(session))

    def get(self, session: Session) -> Campaign:
        return session.get_one(Campaign, self.campaign_id)

    def who(self, session: Session, name: str) -> Account:
        return session.get_one(Account, self.people[name])

    def do(self, what: str) -> None:
        """One of them, whatever comes of it but a database that is busy."""
        acts: dict[str, Callable[[], None]] = {
            "text": self.change_text,
            "target": self.change_target,
            "ask": self.ask,
            "petra": lambda: self.approve("petra"),
            "olga": lambda: self.approve("olga"),
            "start": self.start,
            "start at once": self.start_at_once,
            "schedule": self.schedule,
            "undo": self.undo,
        }
        try:
            acts[what]()
        except ServiceUnavailable:
            raise
        except MailerError as refused:
            self.refused.append(type(refused).__name__)

    # --- in any order, and at once ----------------------------------------------------------------------------------

    @rule(what=ONE)
    def one(self, what: str) -> None:
        self.do(what)

    @rule()
    def asked_and_approved(self) -> None:
        for what in ("ask", "petra"):
            self.do(what)

    @rule(several=st.lists(ONE, min_size=2, max_size=3))
    def together(self, several: list[str]) -> None:
        """At the same moment."""
        begin = Barrier(len(several))
        problems = list[BaseException]()

        def act(what: str) -> None:
            begin.wait()
            try:
                self.do(what)
            except BaseException as problem:  # noqa: BLE001  # raised again below
                problems.append(problem)

        threads = [Thread(target=act, args=(what,)) for what in several]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]

    @rule(change=st.sampled_from(["text", "target"]), start=st.sampled_from(["start", "start at once", "schedule"]))
    def race(self, change: str, start: str) -> None:
        """Two approvals, a change and a start at the same moment."""
        self.do("ask")
        self.together(["petra", "olga", change, start])

    @invariant()
    def what_goes_out_was_approved(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            campaign = session.get(Campaign, self.campaign_id)
            for name in self.refused:
                event(name)
            self.refused.clear()
            if campaign is None or campaign.started_at is None:
                return
            event("started")
            frozen = session.scalars(select(Edition).where(Edition.campaign_id == campaign.id)).one()
            sent = _version(str(frozen.rendering["text"])), frozen.letters == "embassy:own"
            of_campaign = CampaignContent.campaign_id == campaign.id
            given = session.scalars(select(Approval).join(Approval.content).where(of_campaign)).all()
            assert sent in {_approved(approval) for approval in given}
            assert session.scalars(select(Delivery).where(Delivery.campaign_id == campaign.id)).one()


def _version(text: str) -> str:
    found = re.search(r"Version (\d+)", text)
    assert found
    return found[1]


def _approved(approval: Approval) -> tuple[str, bool]:
    parts = content.unpacked(approval.content.parts).parts
    return _version(parts["text en: body"]), "own_words" in parts["target embassy-de"]


def test_what_goes_out_always_has_the_content_that_was_approved(engine: Engine) -> None:
    with session_scope(engine) as session:
        make_account(session, "wanda@example.org", Role.WRITER)
        people = {"wanda": 1} | {name: make_publisher(session, name).id for name in ("petra", "olga")}

    class OnEngine(Machine):
        pass

    OnEngine.engine, OnEngine.people = engine, people
    run_state_machine_as_test(
        OnEngine,
        settings=settings(
            max_examples=4,  # each takes seconds
            stateful_step_count=6,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
