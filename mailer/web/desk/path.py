"""The path of a campaign from its check to its report: the pages about it, each of which leads to the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mailer.organisers import approvals
from mailer.organisers.approvals import Standing, State
from mailer.organisers.roles import Permission
from mailer.store.models import CampaignStatus
from mailer.web.desk import access, named
from mailer.web.desk.approving import sender
from mailer.web.desk.visit import visit
from mailer.web.language import _, url
from mailer.web.site import site

_S = CampaignStatus
_BEFORE = frozenset({_S.DRAFT, _S.SCHEDULED})
_HELD = _BEFORE | {_S.PAUSED}  # what goes on may ask for another approval, and is checked again
_ALWAYS = frozenset(_S)
_SEND = "desk.sending.see"
_BEGUN = frozenset({_S.SENDING, _S.PAUSED, _S.SENT, _S.CANCELLED})


@dataclass(frozen=True, slots=True)
class Step:
    """A link; or, where it cannot be followed yet, what it waits for."""

    words: str
    address: str
    is_danger: bool = False  # it leads to what cannot all be undone
    waits: str = ""  # why nothing can be done there yet


@dataclass(frozen=True, slots=True)
class Ahead:
    """A step on the way of a draft to its readers."""

    words: str
    address: str | None  # None: whoever looks cannot take it, or not yet
    state: Literal["done", "now", "open", "waits"]
    note: str
    is_own: bool = True  # whoever looks can take it; else it waits for somebody else


#: endpoint of a page that is about one campaign, by its slug; who may have it, at which status it helps, and its words
_Entry = tuple[str, Permission, frozenset[CampaignStatus], Callable[[], str]]
_STEPS: Sequence[_Entry] = (
    ("desk.outlining.see", Permission.WRITE, frozenset({_S.DRAFT}), lambda: _("What it is about")),
    ("desk.texts.browse", Permission.WRITE, frozenset({_S.DRAFT}), lambda: _("Texts")),
    ("desk.audience.see", Permission.WRITE, frozenset({_S.DRAFT}), lambda: _("Audience")),
    ("desk.checking.see", Permission.SEE_CAMPAIGNS, _HELD, lambda: _("Check and test")),
    ("desk.previewing.mail", Permission.PREVIEW, _ALWAYS, lambda: _("Preview")),
    ("desk.approving.see", Permission.PREVIEW, _HELD, lambda: _("Approval")),
    (_SEND, Permission.SEND, _BEFORE, lambda: _("Send")),
    ("desk.reports.show", Permission.SEE_TOTALS, _BEGUN, lambda: _("Report")),
    ("desk.drafting.copying", Permission.WRITE, _ALWAYS, lambda: _("Copy")),
    ("desk.ending.see", Permission.STOP, _BEGUN | {_S.SCHEDULED}, lambda: _("Stop or end")),
)
_DANGER = frozenset({"desk.ending.see"})


def steps(slug: str, status: CampaignStatus, standing: State | None = None) -> list[Step]:
    """The pages about a campaign that help now, of those that whoever looks may see.

    :param standing: how it stands with whoever approves, where a page knows that already.
    """
    return [
        Step(
            words(),
            url(endpoint, slug=slug),
            is_danger=endpoint in _DANGER,
            waits=_waits(slug, status, standing) if endpoint == _SEND else "",
        )
        for endpoint, may, at, words in _STEPS
        if status in at and access.may(visit(), may)
    ]


def _waits(slug: str, status: CampaignStatus, standing: State | None) -> str:
    """Why a campaign cannot be sent yet: one that is scheduled was sent, and that can be undone."""
    if status is not _S.DRAFT:
        return ""
    if standing is None:
        with site().session(read_only=True) as session:
            standing = approvals.standing(session, named.campaign(session, slug), sender()).state
    return "" if standing in (State.APPROVED, State.NOT_NEEDED) else _("not approved yet")


def to_send(slug: str, standing: Standing) -> list[Ahead]:
    """The way of a draft to its readers, in order.

    :param standing: how it stands with whoever approves.
    """
    may, state = visit().may, standing.state
    is_asked, is_approved = state in (State.WAITING, State.APPROVED), state is State.APPROVED
    is_own_request = standing.request is not None and standing.request.by_id == visit().account_id
    approval = url("desk.approving.see", slug=slug)
    writing = Ahead(
        _("Texts"),
        url("desk.texts.browse", slug=slug),
        "open",
        _("What it says, in each language that you write it in."),
    )
    outlining = Ahead(
        _("What it is about"),
        url("desk.outlining.see", slug=slug),
        "open",
        _("Its case, whom people write to, and until when."),
    )
    choosing = Ahead(_("Audience"), url("desk.audience.see", slug=slug), "open", _("Choose who gets it."))
    return [
        *([outlining, writing, choosing] if may(Permission.WRITE) else []),
        Ahead(
            _("Check and test"),
            url("desk.checking.see", slug=slug),
            "open" if is_asked else "now",
            _("What stands against it, whom it reaches, and a test mail to yourself."),
        ),
        Ahead(
            _("Preview"),
            url("desk.previewing.mail", slug=slug),
            "open",
            _("The mail, the letter and the kit, as their readers see them."),
        ),
        Ahead(
            _("Ask for approval"),
            approval,
            "done" if is_asked else "open",
            _("Somebody has asked for it.") if is_asked else _("Another person than you looks at all that is sent."),
        ),
        Ahead(
            _("Approval"),
            approval if is_asked else None,
            "done" if is_approved else "now" if is_asked else "waits",
            _of_approval(standing, is_asked=is_asked),
            is_own=may(Permission.APPROVE) and not is_own_request,
        ),
        Ahead(
            _("Send"),
            url("desk.sending.see", slug=slug) if is_approved and may(Permission.SEND) else None,
            "now" if is_approved else "waits",
            _of_sending(is_approved=is_approved, may=may(Permission.SEND)),
        ),
    ]


def _of_approval(standing: Standing, *, is_asked: bool) -> str:
    if standing.state is State.APPROVED:
        given = standing.approval
        if given is not None and (given.lone_request_id is not None or given.by_id is None):
            return _("It may be sent without a second person, as the log says.")
        return _("A second person has said yes to it as it is now.")
    if is_asked:
        return _("It waits for a second person, who reads it and says yes.")
    return _("It has to be asked for first.")


def _of_sending(*, is_approved: bool, may: bool) -> str:
    if not is_approved:
        return _("Nothing is sent before a second person has said yes.")
    if not may:
        return _("A publisher sends it.")
    return _("Now, or at a time that you choose.")
