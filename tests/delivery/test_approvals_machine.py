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
from mailer.organisers import approvals, content, requests
from mailer.organisers.approvals import State
from mailer.store import audit
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Account,
    Approval,
    ApprovalRequest,
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
ONE = st.sampled_from(
    [
        *("text", "target", "ask", "petra", "olga", "start", "start at once", "schedule", "undo"),
        *("petra sends back", "olga sends back", "take back"),
    ]
)


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
            seen = approvals.standing(session, self.get(session), SENDER)
            shown, request_id = seen.content.hash, seen.request.id if seen.request else 0
        with session_scope(self.engine) as session:
            campaign, by = self.get(session), self.who(session, name)
            approvals.approve(session, campaign, by, shown, None, at=utcnow(), sender=SENDER, request_id=request_id)

    def send_back(self, name: str) -> None:
        with session_scope(self.engine, read_only=True) as session:
            standing = approvals.standing(session, self.get(session), SENDER)
            request_id = standing.request.id if standing.request else 0
        with session_scope(self.engine) as session:
            requests.send_back(
                session,
                self.get(session),
                self.who(session, name),
                "Another word, please.",
                request_id=request_id,
                shown=standing.content.hash,
                at=utcnow(),
                sender=SENDER,
                who=audit.Who(AuditActor.ACCOUNT, self.people[name], "1"),
            )

    def take_back(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            request = approvals.standing(session, self.get(session), SENDER).request
            request_id = request.id if request else 0
        with session_scope(self.engine) as session:
            wanda = self.who(session, "wanda")
            who = audit.Who(AuditActor.ACCOUNT, wanda.id, "1")
            requests.take_back(session, self.get(session), wanda, request_id=request_id, at=utcnow(), who=who)

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
            "petra sends back": lambda: self.send_back("petra"),
            "olga sends back": lambda: self.send_back("olga"),
            "take back": self.take_back,
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

    @rule(no=st.sampled_from(["olga sends back", "take back"]), start=st.sampled_from(["start", "ask"]))
    def race_to_answer(self, no: str, start: str) -> None:
        """A yes, a no, and what comes of either, at the same moment."""
        self.do("ask")
        self.together(["petra", no, start])

    @invariant()
    def what_goes_out_was_approved(self) -> None:
        with session_scope(self.engine, read_only=True) as session:
            campaign = session.get(Campaign, self.campaign_id)
            self.each_request_has_one_answer(session)
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

    def each_request_has_one_answer(self, session: Session) -> None:
        """Nobody says yes to what was sent back or taken back, and what may go out waits for nobody."""
        of_campaign = CampaignContent.campaign_id == self.campaign_id
        asked = session.scalars(select(ApprovalRequest).join(ApprovalRequest.content).where(of_campaign)).all()
        given = session.scalars(select(Approval).join(Approval.content).where(of_campaign)).all()
        open_ = [each for each in asked if each.sent_back_at is None and each.taken_back_at is None]
        assert not [each for each in asked if each.sent_back_at is not None and each.taken_back_at is not None]
        assert {each.request_id for each in given} <= {each.id for each in open_}
        assert len({each.content_id for each in open_}) == len(open_), "one content is asked for once"
        campaign = session.get(Campaign, self.campaign_id)
        if campaign is None or campaign.started_at is not None:
            return
        standing = approvals.standing(session, campaign, SENDER)
        event(standing.state)
        is_waiting = standing.state is State.WAITING
        # Those of earlier runs may wait, too: a target that is put back makes them again what was asked for.
        waits = [each for each in approvals.waiting(session, SENDER) if each.content.campaign_id == self.campaign_id]
        assert bool(waits) is is_waiting
        if is_waiting:
            assert standing.request in open_
        if standing.state is State.SENT_BACK:
            assert standing.sent_back not in open_


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
            max_examples=5,  # each takes seconds
            stateful_step_count=6,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
