"""kill -9 of the web part at any step of approving or sending: nothing goes out twice, and nothing unapproved."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from email import message_from_bytes, policy
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.delivery import control, sending
from mailer.delivery.sweeping import sweep
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.mail.sender import Sender
from mailer.organisers import content
from mailer.settings import load_settings
from mailer.store import audit, db
from mailer.store.db import session_scope
from mailer.store.models import (
    Approval,
    AuditActor,
    Campaign,
    CampaignContent,
    CampaignStatus,
    Edition,
    MailingList,
    Role,
)
from tests.acceptance import dying, mortal_site
from tests.acceptance.dying import POINTS
from tests.acceptance.system import System
from tests.support.accounts import make_account, make_publisher, make_session
from tests.support.factories import make_campaign, make_list, make_subscriber
from tests.support.mail_server import MailServer
from tests.support.waiting import wait_until

_S = CampaignStatus
_PEOPLE = 3
_PUBLISHERS = ("petra", "olga")
#: who makes a press that is one person's
_USUAL = {"ask": "wanda"}
_PATHS = {"ask": "approval/ask", "approve": "approval/approve"}

#: It is held at its time, because it has changed since it was approved, and goes out when it is resumed. The server
#: dies at each point of what has a "!".
HELD = ("ask!", "approve!", "send!", "undo!", "send", "change", "minute", "resume", "ask", "approve", "resume!")
#: it is changed under the eyes of whoever approves it, whose old form comes again
CHANGED = ("ask", "approve!", "change", "old approve", "send", "ask", "approve", "send", "minute")
#: nobody approves it
ALONE = ("send", "ask", "send", "undo", "resume", "change", "ask", "minute", "send", "resume")
_PRESSES = ("ask", "approve", "send", "undo", "resume")
_ANY = (*_PRESSES, *(f"{press}!" for press in _PRESSES), "change", "minute", "old approve", "old send", "old resume")
_SOAK_RUNS = 5
_SOAK_ACTS = 25
#: how long a worker may be kept from going on by others on a busy machine
_LEASE = timedelta(seconds=10)
#: done, refused because it is something else by now, or for what the page says
_ANSWERS = (303, 409, 422)
#: who, where below the campaigns, and what the form holds
Press = tuple[str, str, Mapping[str, str]]


class Desk:
    """The site's own server, which dies now and then, and three people who press on one campaign after another."""

    def __init__(self, engine: Engine, sender: Sender, folder: Path, port: int) -> None:
        self.engine, self.sender, self._folder, self._port = engine, sender, folder, port
        self._worker = Worker(name="test", lease=_LEASE, journals=folder / "journals", sender=sender)
        self.deaths = Counter[str]()  # point → how often
        with session_scope(engine) as session:
            self._list_id = make_list(session).id
            for number in range(_PEOPLE):
                make_subscriber(session, session.get_one(MailingList, self._list_id), email=f"p{number}@example.net")
            writer = make_account(session, "wanda@example.org", Role.WRITER, name="Wanda")
            self._writer_id = writer.id
            everybody = {"wanda": writer} | {name: make_publisher(session, name) for name in _PUBLISHERS}
            self._secrets = {name: make_session(session, account) for name, account in everybody.items()}

    # --- what people do ---------------------------------------------------------------------------------------------

    def press(self, name: str, path: str, fields: Mapping[str, str]) -> int | None:
        """Send a form; returns the status of the answer, None if there was none."""
        return mortal_site.press(self._port, self._secrets[name], f"/campaigns/{path}", fields)

    def together(self, presses: Sequence[Press], point: str | None = None) -> None:
        """Have people press at the same moment.

        :param point: where the server dies when the first of them gets there; by default it lives.
        """
        with ExitStack() as stack:
            if point:
                stack.enter_context(dying.at(self._folder, point))
            people = stack.enter_context(ThreadPoolExecutor(len(presses)))
            answers = list(people.map(lambda each: self.press(*each), presses))
            has_died = point is not None and not dying.is_to_come(self._folder)
        assert has_died or all(each in _ANSWERS for each in answers), f"{presses} were answered with {answers}"
        if point:
            self.deaths[point] += has_died

    # --- what they have in hand -------------------------------------------------------------------------------------

    def add(self, slug: str) -> None:
        """A campaign."""
        with session_scope(self.engine) as session:
            make_campaign(session, session.get_one(MailingList, self._list_id), slug=slug, body=_body(slug, 0))

    def change(self, slug: str, version: int) -> None:
        """Have a campaign that has not begun say something else."""
        with session_scope(self.engine) as session:
            campaign = self.get(session, slug)
            content.hold(session, campaign)
            if campaign.started_at is None:
                campaign.texts[0].body = _body(slug, version)
                who = audit.Who(AuditActor.ACCOUNT, self._writer_id, "1")
                audit.append(session, "campaigns.write", who, kind="campaign", subject=slug)

    def let_the_minute_pass(self, slug: str) -> None:
        """Let the time to undo it be over, and a worker see that."""
        with session_scope(self.engine) as session:
            is_due = (Campaign.slug == slug) & (Campaign.status == _S.SCHEDULED)
            session.execute(update(Campaign).where(is_due).values(scheduled_at=db.now(session)))
        sweep(self.engine, self._worker)
        assert self.status(slug) is not _S.SCHEDULED

    def drain(self, wire: Pipeline) -> None:
        """Have a worker send all that is to be sent."""
        for campaign_id in sweep(self.engine, self._worker):
            sending.drain(self.engine, campaign_id, wire, self._worker)

    def get(self, session: Session, slug: str) -> Campaign:
        return lifecycle.get(session, slug)

    def status(self, slug: str) -> CampaignStatus:
        with session_scope(self.engine, read_only=True) as session:
            return self.get(session, slug).status

    def form(self, slug: str, what: str) -> dict[str, str]:
        """What the form for a press holds now."""
        with session_scope(self.engine, read_only=True) as session:
            campaign = self.get(session, slug)
            match what:
                case "ask":
                    return {"words": ""}
                case "approve":
                    return {"words": "", "content": content.of(session, campaign, self.sender).hash}
                case "send":
                    people = str(_PEOPLE)
                    return {"when": "now", "people": people, "expected": people, "undone": str(campaign.undone)}
                case "undo":
                    return {"undone": str(campaign.undone)}
                case _:
                    return {"pause": control.which_pause(campaign)}


class Story:
    """One campaign, and what happens to it while the server dies again and again."""

    def __init__(self, desk: Desk, slug: str) -> None:
        self._desk, self.slug = desk, slug
        self._version = count(1)
        self._forms: dict[str, dict[str, str]] = {}
        self.said_yes_to = set[str]()
        desk.add(slug)

    def tell(self, acts: Sequence[str]) -> None:
        """Do all of it, one after the other.

        :param acts: `approve!` has the server die at each of its points, and then is pressed again; `old approve` sends
            again what was sent before.
        """
        for act in acts:
            what = act.removeprefix("old ").removesuffix("!")
            if what == "change":
                self._desk.change(self.slug, next(self._version))
            elif what == "minute":
                self._desk.let_the_minute_pass(self.slug)
            else:
                self._press(what, is_old=act.startswith("old "), points=POINTS if act.endswith("!") else ())

    def _press(self, what: str, *, is_old: bool = False, points: Sequence[str] = ()) -> None:
        """All press who may; whenever the server has died, they press again."""
        form = self._forms[what] if is_old and what in self._forms else self._take(what)
        path = f"{self.slug}/{_PATHS.get(what, what)}"
        names = [_USUAL[what]] if what in _USUAL else _PUBLISHERS
        for point in (*points, None):
            self._desk.together([(name, path, form) for name in names], point)

    def _take(self, what: str) -> dict[str, str]:
        """A form for a press, filled in."""
        form = self._forms[what] = self._desk.form(self.slug, what)
        if what == "approve":
            with session_scope(self._desk.engine, read_only=True) as session:
                self.said_yes_to.add(_said(self._desk.get(session, self.slug).texts[0].body))
        return form

    # --- what has come of it ----------------------------------------------------------------------------------------

    def require_approved(self) -> None:
        """Insist that what has begun is what somebody said yes to, and that yes is written down."""
        with session_scope(self._desk.engine, read_only=True) as session:
            campaign = self._desk.get(session, self.slug)
            frozen = session.scalars(select(Edition).where(Edition.campaign_id == campaign.id)).all()
            assert bool(frozen) is (campaign.started_at is not None)
            of_campaign = CampaignContent.campaign_id == campaign.id
            given = session.scalars(select(Approval).join(Approval.content).where(of_campaign)).all()
            contents = [content.unpacked(each.content.parts) for each in given]
            approved = {_said(str(each.parts["text en: body"])) for each in contents}
            assert approved <= self.said_yes_to
            assert {_said(str(edition.rendering["text"])) for edition in frozen} <= approved
            if frozen:  # nothing changes it any more
                assert content.of(session, campaign, self._desk.sender).hash in {each.hash for each in contents}

    def go_on(self) -> None:
        """Have it go on from wherever it is, with a server that lives."""
        self._desk.let_the_minute_pass(self.slug)
        acts = {_S.DRAFT: ("ask", "approve", "send", "minute"), _S.PAUSED: ("ask", "approve", "resume")}
        self.tell(acts.get(self._desk.status(self.slug), ()))


def _body(slug: str, version: int) -> str:
    return f"This is {slug} in version {version}.\n"


def _said(text: str) -> str:
    """What tells a version of a campaign from all others."""
    found = re.search(r"This is [\w-]+ in version \d+", text)
    assert found
    return found[0]


def _received(server: MailServer) -> Counter[tuple[str, str]]:
    """How often each person got each version of each campaign."""
    letters = [each for each in list(server.received) if each.recipient.endswith("@example.net")]
    return Counter((each.recipient, _said(_text(each.data))) for each in letters)


def _text(mail: bytes) -> str:
    plain = message_from_bytes(mail, policy=policy.default).get_body(("plain",))
    assert plain is not None
    return str(plain.get_content())


@pytest.fixture
def desk(system: System, engine: Engine, tmp_path: Path) -> Iterator[Desk]:
    """A desk with a server that dies."""
    sender = load_settings(system.environment, directory=tmp_path).mail_sender
    with mortal_site.serving(system, tmp_path) as port:
        yield Desk(engine, sender, tmp_path, port)


def test_killed_at_each_point_of_approving_and_sending(system: System, desk: Desk, wire: Pipeline) -> None:
    stories = [Story(desk, slug) for slug in ("held", "changed", "alone")]
    for story, acts in zip(stories, (HELD, CHANGED, ALONE), strict=True):
        story.tell(acts)
        story.require_approved()
    presses = [act.removesuffix("!") for act in (*HELD, *CHANGED, *ALONE) if act.endswith("!")]
    # Where several press, one of them may have done it already when the server dies under another.
    least = sum(act in _USUAL for act in presses)
    assert least and all(least <= desk.deaths[point] <= len(presses) for point in POINTS), desk.deaths
    assert desk.status("alone") is _S.DRAFT
    _require_each_sent_once(system.server, desk, wire, stories)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(_SOAK_RUNS))
def test_killed_at_each_point_of_anything_while_a_worker_sends(
    system: System, desk: Desk, wire: Pipeline, seed: int
) -> None:
    chance = random.Random(seed)
    system.start_worker(MAILER_LEASE_SECONDS=str(_LEASE.seconds))
    stories = [Story(desk, f"alert-{number}") for number in range(2)]
    for _ in range(_SOAK_ACTS):
        for story in stories:
            story.tell([chance.choice(_ANY)])
            story.require_approved()
    _require_each_sent_once(system.server, desk, wire, stories)


def _require_each_sent_once(server: MailServer, desk: Desk, wire: Pipeline, stories: Sequence[Story]) -> None:
    """Insist that all can go on until they are sent, and that everybody then has each once, as it was approved."""
    for story in stories:
        story.go_on()
        story.require_approved()
    desk.drain(wire)
    wait_until(lambda: all(desk.status(story.slug) is _S.SENT for story in stories))
    received = _received(server)
    assert max(received.values()) == 1, "somebody received two"
    assert {said for _, said in received} <= set[str]().union(*(story.said_yes_to for story in stories))
    assert Counter(said.partition(" in ")[0] for _, said in received) == {
        f"This is {story.slug}": _PEOPLE for story in stories
    }
