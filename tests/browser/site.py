"""The public site as visitors meet it: served over HTTP, its mail sent by the real outbox to a server that keeps it."""

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property, partial
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask import abort
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from mailer.app import create_app
from mailer.campaigns import files
from mailer.delivery import control, ledger, sending, sweeping
from mailer.delivery.worker import Worker
from mailer.formats import logos
from mailer.kits import making
from mailer.links import Link, sign
from mailer.mail.pipeline import Pipeline
from mailer.mail.sender import Sender
from mailer.people import mailed_links, subscribers
from mailer.settings import Settings, load_settings
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    ActKind,
    Asking,
    Campaign,
    CampaignStatus,
    Case,
    CaseEventKind,
    CaseStatus,
    DeliveryState,
    JoinCount,
    Kit,
    MailedLinkKind,
    MailingList,
    Subscription,
    SubscriptionStatus,
    UnionStatus,
)
from mailer.trial import sample
from mailer.unions import directory
from tests.support import cases
from tests.support.factories import deliver, make_act, make_campaign, make_contact, make_signature, make_subscriber
from tests.support.ledger import by_id
from tests.support.mail_server import MailServer
from tests.support.sample_world import load_alert

ORGANISATION = "Harbour Solidarity"
LIST = sample.LIST_NAME
LIST_WITH_A_LONG_NAME = "News, victories and everything else that our member unions in forty countries want you to know"
UNION = "Quaysiders' Union"
#: as unions are really called, and one word of it wider than a phone
UNION_WITH_A_LONG_NAME = (
    "Confédération internationale des travailleuses et travailleurs des industries énergétiques, pétrolières et "
    "gazières – Донаудампфшиффартсгезельшафтсработники"
)
ALERT = "Write today"
PUBLIC_CAMPAIGN = sample.CAMPAIGN_DIR.name
#: what that is about
CASE = sample.CASE_SLUG
#: some of those whom it has people write to; the page of each shows something else
TARGETS = ("embassy-kz", "nordhaven-terminals", "ministry-of-justice", "grey-quay-block-3", "representative-gb")
#: a federation with unions beneath it, which gets kits
FEDERATION = "harbour-workers-international"

#: below it, a page for each status that something may end with
BROKEN = "/broken"

#: instead of the least that a person takes for a form
_IN_NO_TIME = timedelta(0)
_LOGO = sample.CAMPAIGN_DIR.parents[1] / "logos" / "quaysiders.png"
_LINK = re.compile(r"https?://[^\s\"'<>]+")
_HREF = re.compile(r'\bhref="([^"]+)"')


@dataclass(frozen=True)
class Mail:
    """A message as its recipient has it."""

    message: EmailMessage

    @cached_property
    def text(self) -> str:
        """The part for those who read text."""
        return self._part("plain")

    @cached_property
    def html(self) -> str:
        """The part for everyone else."""
        return self._part("html")

    def links(self) -> set[str]:
        """Every address of the web in it: in either part, and where mail programs look for a way to leave."""
        written = self.text + str(self.message["List-Unsubscribe"] or "")
        return {link.rstrip(".,)") for link in _LINK.findall(written)} | {
            unescape(link) for link in _HREF.findall(self.html) if link.startswith("http")
        }

    def link(self, page: str) -> str:
        """The link to a page of ours, such as "confirm"."""
        found = {link for link in self.links() if f"/{page}/" in link}
        assert len(found) == 1, f"{self.message['Subject']}: {len(found)} links to {page} among {self.links()}"
        return found.pop()

    def _part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        assert part is not None, f"the mail has no {subtype} part"
        return str(part.get_content())


class Site:
    """One installation with its web part running. Mail goes out when a test says so."""

    def __init__(self, settings: Settings, engine: Engine, mail_server: MailServer, folder: Path) -> None:
        self.url = settings.base_url
        self.engine = engine
        self._settings = settings
        self._mail_server = mail_server
        self._folder = folder
        self._numbers = count(1)

    def deliver(self) -> None:
        """Send what is owed, as a worker does, the newest last."""
        unshuffled = patch.object(ledger, "shuffle", by_id)
        with unshuffled, closing(Pipeline(self._settings.smtp, connections=1)) as wire:
            for campaign_id in self.sweep():
                sending.drain(self.engine, campaign_id, wire, self._worker)

    def sweep(self) -> list[int]:
        """Start what is due and finish what is done, as a worker does, but send nothing; ids of what has work."""
        return sweeping.sweep(self.engine, self._worker)

    @property
    def _worker(self) -> Worker:
        return Worker(
            name="test",
            lease=timedelta(seconds=30),
            journals=self._folder / "journals",
            sender=self.sender,
        )

    def mail_to(self, address: str) -> Mail:
        """The newest mail to an address, after all that is owed was sent."""
        mails = self.mails_to(address)
        assert mails, f"nothing was sent to {address}"
        return mails[-1]

    def mails_to(self, address: str) -> list[Mail]:
        """All mails to an address, oldest first, after all that is owed was sent."""
        self.deliver()
        return [
            Mail(message_from_bytes(received.data, EmailMessage, policy=policy.default))
            for received in self._mail_server.received
            if received.recipient == address
        ]

    def lists_of(self, address: str) -> dict[str, SubscriptionStatus] | None:
        """Where somebody stands with each list they were ever on, by its slug; None for somebody nobody knows."""
        with session_scope(self.engine, read_only=True) as session:
            person = subscribers.find(session, address)
            if person is None:
                return None
            rows = session.execute(
                select(MailingList.slug, Subscription.status)
                .join(Subscription, Subscription.list_id == MailingList.id)
                .where(Subscription.subscriber_id == person.id)
            )
            return {row.slug: row.status for row in rows}

    def new_address(self) -> str:
        """One that nobody signed up with before."""
        return f"visitor{next(self._numbers)}@example.org"

    def dead_link(self) -> str:
        """The path of a link that has run out."""
        with session_scope(self.engine) as session:
            token = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=secrets.token_bytes(32))
            mailed_links.find(session, MailedLinkKind.MANAGE, token).expires_at = utcnow()
        return f"/manage/{token}"

    def kit_link(self) -> str:
        """The path of the public campaign's kit for the federation."""
        with session_scope(self.engine, read_only=True) as session:
            return f"/kit/{sign(self._settings.keyring, Link.KIT, self._kit(session).id)}"

    def _kit(self, session: Session) -> Kit:
        union_id = directory.get(session, FEDERATION).id
        kit = select(Kit).join(Campaign).where(Campaign.slug == PUBLIC_CAMPAIGN, Kit.union_id == union_id)
        return session.scalars(kit).one()

    @contextmanager
    def answer_that_stands(self) -> Iterator[str]:
        """Let the federation have said two days ago what it did with that kit: the path of a link to change it."""
        with session_scope(self.engine) as session:
            kit = self._kit(session)
            kit.forwarded_at, kit.reached = utcnow() - timedelta(days=2), 1200
            person = make_subscriber(session)
            contact = make_contact(session, directory.get(session, FEDERATION), person)
            details = {"kit_id": kit.id, "contact_id": contact.id, "generation": 0}
            token = mailed_links.issue(
                session,
                MailedLinkKind.ANSWER,
                email_index=person.email_index,
                subscriber_id=person.id,
                details=details,
            )
        yield f"/answer/{token}"
        with session_scope(self.engine) as session:
            kit = self._kit(session)
            kit.forwarded_at = kit.reached = None

    def gone_kit_link(self) -> str:
        """The path of a kit that is not there any more."""
        return f"/kit/{sign(self._settings.keyring, Link.KIT, 1_000_000)}"

    @contextmanager
    def decided(self, kind: CaseEventKind) -> Iterator[None]:
        """Let the public campaign's case have been stopped or closed, or the campaign itself withdrawn, for a while."""
        with session_scope(self.engine) as session:
            campaign = session.scalars(select(Campaign).where(Campaign.slug == PUBLIC_CAMPAIGN)).one()
            about = campaign if kind is CaseEventKind.WITHDRAWN or campaign.case is None else campaign.case
            cases.decide(session, about, kind, cases.REASON)
        yield
        with session_scope(self.engine) as session:
            campaign = session.scalars(select(Campaign).where(Campaign.slug == PUBLIC_CAMPAIGN)).one()
            assert campaign.case is not None
            campaign.asking, campaign.case.status = Asking.OPEN, CaseStatus.OPEN

    @contextmanager
    def petition(self) -> Iterator[tuple[str, Callable[[Asking], None]]]:
        """A public campaign that can be signed, with names below it as long as they may be, and in several scripts: its
        slug, and what lets it be stopped, closed or withdrawn."""
        slug = f"petition-{next(self._numbers)}"
        with session_scope(self.engine) as session:
            alerts = session.scalars(select(MailingList).where(MailingList.slug == sample.LIST_SLUG)).one()
            campaign = make_campaign(session, alerts, slug=slug, status=CampaignStatus.SENT)
            campaign.public, campaign.about, campaign.started_at = True, "DK", utcnow()
            campaign.petition = {"to": {"en": "the Embassy of Denmark", "ar": "سفارة الدنمارك"}}
            campaign.ask, campaign.goal = ["embassy"], 50
            session.flush()
            for kind in (ActKind.WROTE, ActKind.SIGNED) * 20:
                make_act(session, campaign, None, kind)
            for name in ("Ana Kolmer", "ليلى مارون", "x" * 80, "Wolfeschlegelsteinhausenbergerdorff the Elder"):
                person = make_subscriber(session, country="GB")
                make_signature(session, campaign, person, name=name, place="Elektrizitätenhauptbetriebswerk")

        def end(asking: Asking) -> None:
            with session_scope(self.engine) as session:
                session.scalars(select(Campaign).where(Campaign.slug == slug)).one().asking = asking

        yield slug, end
        end(Asking.WITHDRAWN)

    def act_link(self, slug: str) -> str:
        """The path to which the button "I have written" in a mail of a campaign leads."""
        with session_scope(self.engine) as session:
            campaign = session.scalars(select(Campaign).where(Campaign.slug == slug)).one()
            mail = deliver(session, campaign, make_subscriber(session), DeliveryState.SENT)
        return f"/act/{sign(self._settings.keyring, Link.ACT, mail.id)}"

    def results_link(self) -> str:
        """The path of what the federation's forwarding brought."""
        with session_scope(self.engine, read_only=True) as session:
            union_id = directory.get(session, FEDERATION).id
        return f"/results/{sign(self._settings.keyring, Link.UNION, union_id)}"

    def no_contact_link(self) -> str:
        """The path by which a new contact of the federation gets no more of its mail."""
        with session_scope(self.engine) as session:
            contact = make_contact(session, directory.get(session, FEDERATION), make_subscriber(session))
        return f"/no-contact/{sign(self._settings.keyring, Link.CONTACT, contact.id)}"

    @property
    def sender(self) -> Sender:
        """Who its mail comes from."""
        return self._settings.mail_sender

    def send_campaign(self, folder: Path | None = None) -> int:
        """Send a campaign, by default a short one to the urgent actions list; returns its id."""
        folder = folder or write_campaign(self._folder / f"alert-{next(self._numbers)}")
        with session_scope(self.engine) as session:
            campaign = files.load(session, folder)
            control.start(session, campaign, self.sender)
            campaign_id = campaign.id
        self.deliver()
        return campaign_id


def write_campaign(folder: Path) -> Path:
    """Write an alert of a few words to the urgent actions list; returns its folder."""
    folder.mkdir()
    (folder / "campaign.toml").write_text(
        f'kind = "urgent_action"\nlist = "{sample.LIST_SLUG}"\nlanguage = "en"\nabout = "none"\n'
    )
    (folder / "en.md").write_text(
        f'+++\nsubject = "{ALERT}"\npreheader = "Five dockers are in prison for a strike: write today."\n+++\n'
        "Dear {{ name or 'supporter' }}, write to the embassy.\n"
    )
    return folder


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


#: makes what a site shows; returns the id of the campaign whose kits are to be made, if there is one
Furnish = Callable[[Session, Path, Settings], int | None]


@contextmanager
def serving(
    environment: dict[str, str], folder: Path, mail_server: MailServer, furnish: Furnish | None = None
) -> Iterator[Site]:
    """Run an installation for the length of the block.

    :param environment: its settings, but for the address that it is served at and where it hands its mail.
    :param furnish: by default, make lists, unions and a public campaign.
    """
    server = make_server("127.0.0.1", 0, _nothing_yet, threaded=True, request_handler=_QuietHandler)
    changes = {"MAILER_BASE_URL": f"http://127.0.0.1:{server.port}", "MAILER_SMTP_URL": mail_server.url}
    settings = load_settings(environment | changes, directory=folder)
    server.app = app = create_app(settings)
    app.add_url_rule(f"{BROKEN}/<int:code>", view_func=abort)
    engine = app.extensions["site"].engine
    site = Site(settings, engine, mail_server, folder)
    with session_scope(engine) as session:
        campaign_id = (furnish or _furnish)(session, folder, settings)
    if campaign_id is not None:
        scope = partial(session_scope, engine)
        making.make(scope, campaign_id, settings.mail_sender, seconds=60, stopping=lambda: False)
    with _running(server):
        site.deliver()
        yield site
    engine.dispose()


def _nothing_yet(_environ: Any, _start_response: Any) -> list[bytes]:
    raise AssertionError("the app stands before the server is started")


@contextmanager
def _running(server: BaseWSGIServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _furnish(session: Session, folder: Path, settings: Settings) -> int:
    """Make what a site shows: open lists and one that is not, unions, and a campaign that anyone may read and forward.

    :returns: that campaign's id.
    """
    alerts = MailingList(
        slug=sample.LIST_SLUG, name=LIST, description="When somebody is in danger: a mail or two a month."
    )
    session.add_all(
        [
            alerts,
            MailingList(slug="news", name=LIST_WITH_A_LONG_NAME, description="Four times a year."),
            MailingList(slug="staff", name="Only for our own staff", is_open=False),
        ]
    )
    session.flush()
    for union in sample.unions():
        directory.add(session, union.slug, union.name, country=union.country, parent_slug=union.parent)
    directory.add(session, "energy", UNION_WITH_A_LONG_NAME)
    _affiliate(session)
    make_subscriber(session, alerts)  # a campaign needs somebody to go to
    campaign = load_alert(session, folder / "sample")
    control.start(session, campaign, settings.mail_sender)
    assert campaign.case is not None
    _tell_more(session, campaign.case)
    return campaign.id


def _tell_more(session: Session, case: Case) -> None:
    """Say how a case ended, and where one can read more of what happened."""
    case.outcome = {"en": "They are free, all six.", "ar": "إنهم أحرار، الستة جميعًا."}
    known = {"en": "The port has known of the crane for a year.", "ar": "إدارة الميناء تعرف بأمر الرافعة منذ عام."}
    cases.tell_news(session, case, known, date(2026, 1, 3), "https://example.org/news/2026/what-the-port-knew-of-it")


def _affiliate(session: Session) -> None:
    """Affiliate a federation whose members read two languages, with a logo, and let people have joined through it."""
    federation = directory.get(session, FEDERATION)
    federation.status, federation.affiliated_at = UnionStatus.AFFILIATED, utcnow()
    federation.languages = ["ar", "en"]
    federation.logo = logos.read(_LOGO.read_bytes())
    month = utcnow()
    for union, joined in zip([federation, *directory.children(session, federation)], (120, 48, 7, 0), strict=True):
        for _ in range(3):
            session.add(JoinCount(union_id=union.id, month=f"{month:%Y-%m}", joined=joined))
            month -= timedelta(days=31)
