"""What things are called at the desk, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass

from mailer.delivery import alarms
from mailer.delivery.alarms import Alarm
from mailer.organisers.approvals import State
from mailer.organisers.whereabouts import Whereabouts
from mailer.people.unread import Unread
from mailer.reports.progress import WorkerState
from mailer.store.models import ActKind, Asking, CampaignStatus, CaseEventKind, DeliveryState
from mailer.web.language import _

#: what a state stands out by, besides its words: amber for what waits for somebody, green for what ended well
TONES: Mapping[str, str] = {
    CampaignStatus.SENDING: "busy",
    CampaignStatus.SCHEDULED: "busy",
    CampaignStatus.PAUSED: "held",
    State.WAITING: "held",
    State.SENT_BACK: "held",
    State.APPROVED: "busy",
    State.LAPSED: "held",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What is true of a campaign, in a word or two."""

    words: str
    tone: str = "calm"  # as `parts.html` has them


def marks(now: Whereabouts) -> list[Mark]:
    """What is true of a campaign: how far it is, and what was decided about it since."""
    return [progress_mark(now), *ending_marks(now), *approval_marks(now.approval)]


def progress_mark(now: Whereabouts) -> Mark:
    """How far a campaign is."""
    return Mark(status(now.status), "done" if now.ended_well else TONES.get(now.status, "calm"))


def ending_marks(now: Whereabouts) -> list[Mark]:
    """That nobody is asked any more to act on it; nothing where they are."""
    if now.asking is Asking.OPEN:
        return []
    of_case = {Asking.CLOSED: _("Case closed"), Asking.STOPPED: _("Case stopped")}
    own = {Asking.CLOSED: _("Closed"), Asking.STOPPED: _("Stopped"), Asking.WITHDRAWN: _("Withdrawn")}
    words = of_case.get(now.asking) if now.is_by_case else None
    return [Mark(words or own[now.asking], "calm" if now.asking is Asking.CLOSED else "held")]


def approval_marks(standing: State | None) -> list[Mark]:
    """How it stands with whoever approves; nothing where nobody has asked, or needs to."""
    if standing in (None, State.NONE, State.NOT_NEEDED):
        return []
    return [Mark(approval(standing), TONES.get(standing, "calm"))]


def status(campaign: CampaignStatus) -> str:
    """Where a campaign is, in a word or two."""
    return {
        CampaignStatus.DRAFT: _("Draft"),
        CampaignStatus.SCHEDULED: _("Scheduled"),
        CampaignStatus.SENDING: _("Going out"),
        CampaignStatus.PAUSED: _("Paused"),
        CampaignStatus.SENT: _("Sent"),
        CampaignStatus.CANCELLED: _("Cancelled"),
        CampaignStatus.STANDING: "",
    }[campaign]


def approval(standing: State) -> str:
    """How a campaign stands with whoever approves, in a few words."""
    return {
        State.NOT_NEEDED: _("No approval needed"),
        State.NONE: _("Not approved"),
        State.WAITING: _("Waiting for approval"),
        State.SENT_BACK: _("Sent back"),
        State.APPROVED: _("Approved"),
        State.LAPSED: _("Approval has lapsed"),
    }[standing]


def state(delivery: DeliveryState) -> str:
    """What a mail is, in a word or two."""
    return {
        DeliveryState.PENDING: _("Waiting"),
        DeliveryState.SENDING: _("Being sent"),
        DeliveryState.SENT: _("Sent"),
        DeliveryState.DEFERRED: _("Put off"),
        DeliveryState.FAILED: _("Failed"),
        DeliveryState.UNKNOWN: _("Unknown"),
        DeliveryState.SKIPPED: _("Left out"),
    }[delivery]


def meaning(delivery: DeliveryState) -> str:
    """What it means that a mail is in a state."""
    return {
        DeliveryState.PENDING: _("Not sent yet."),
        DeliveryState.SENDING: _("A worker holds it at this moment."),
        DeliveryState.SENT: _("The recipient's mail server took it."),
        DeliveryState.DEFERRED: _("Refused for now. It is tried again by itself."),
        DeliveryState.FAILED: _("Refused for good."),
        DeliveryState.UNKNOWN: _("It was begun, and nobody learned whether it arrived."),
        DeliveryState.SKIPPED: _("Its recipient had left before it was sent, or the campaign was cancelled."),
    }[delivery]


def kind(name: str) -> str:
    """What a kind of campaign is called."""
    known = {"urgent_action": _("Urgent action"), "update": _("News"), "stop": _("Please do not write any more")}
    return known.get(name, name)


def asking(now: Asking) -> str:
    """That people are not asked to act on a campaign any more; nothing where they are."""
    return {
        Asking.OPEN: "",
        Asking.CLOSED: _("It is closed: nobody is asked any more to act on it."),
        Asking.STOPPED: _("It is stopped: everybody is asked to do nothing any more."),
        Asking.WITHDRAWN: _("It is withdrawn: nothing of it can be read any more."),
    }[now]


def ended(now: Whereabouts) -> str:
    """Likewise, and whether that is because of its case."""
    of_case = {
        Asking.CLOSED: _("Its case is closed: nobody is asked any more to act on it."),
        Asking.STOPPED: _("Its case is stopped: everybody is asked to do nothing any more."),
    }
    return of_case.get(now.asking, "") if now.is_by_case else asking(now.asking)


def step(done: CaseEventKind) -> str:
    """What somebody decided about a campaign."""
    known = {
        CaseEventKind.STOPPED: _("Stopped"),
        CaseEventKind.REOPENED: _("Opened again"),
        CaseEventKind.CLOSED: _("Closed"),
        CaseEventKind.WITHDRAWN: _("Withdrawn"),
        CaseEventKind.CORRECTED: _("Letters corrected"),
    }
    return known.get(done, done.value)


@dataclass(frozen=True, slots=True)
class Told:
    """What happened, and what to do about it."""

    what: str
    advice: str


def alarm(reason: str | None) -> Told | None:
    """Why a campaign paused itself for what came back of it; None where it is paused for something else."""
    found = alarms.of_reason(reason)
    return (
        {
            Alarm.COMPLAINTS: Told(complaints(3), complaints_advice()),
            Alarm.GONE: Told(
                _("More than 5 in 100 of the first 1,000 addresses do not exist: the list may come from a bad import."),
                _("Look at where the list comes from, and mend it before you resume the campaign."),
            ),
            Alarm.REFUSED: Told(
                _("Mail servers send our mails back for what they have against us, and not for the addresses."),
                _(
                    "Ask whoever looks after the server what {command} says, and resume the campaign once that is "
                    "mended.",
                    command="mailer doctor",
                ),
            ),
        }.get(found)
        if found
        else None
    )


def complaints(in_1000: int | None) -> str:
    """How many of those who were sent a campaign called it spam: too many, or so few that the number is hidden, and
    perhaps too many; nothing where they are no more than usual."""
    return {
        None: _("Some, under 10, of those who were sent it called it spam: that may be more than 1 in 1,000."),
        1: _("More than 1 in 1,000 of those who were sent it called it spam."),
        3: _("At least 3 in 1,000 of those who were sent it called it spam."),
    }.get(in_1000, "")


def did(kind: ActKind) -> str:
    """What people did for a campaign."""
    return {ActKind.WROTE: _("Wrote, as they told us"), ActKind.SIGNED: _("Signed")}[kind]


def complaints_advice() -> str:
    """What to do about it."""
    return _(
        "Find out what these people signed up for, and whether they expected this mail, before more goes out to them: "
        "who gets many complaints has all their mail taken for spam."
    )


def came_back(kind: str) -> str:
    """What came back of a mail, by the names of `reports.returned`."""
    return {
        "permanent": _("The address does not exist"),
        "temporary": _("Could not be delivered for another reason"),
        "undetermined": _("Could not be delivered, no reason given"),
        "complaints": _("Called it spam"),
        "unsubscribed_by_mail": _("Left by mail"),
    }[kind]


def unread(why: Unread) -> str:
    """Why something that came in could not be read."""
    return {
        Unread.NO_MESSAGE: _("No message at all, or one that was cut off"),
        Unread.NOT_OURS: _("Came back or complains, and nothing proves of which of our mails"),
        Unread.NO_REASON: _("Came back, in words that no rule knows"),
        Unread.FORGED: _("Asks to leave, with a signature that is not ours"),
        Unread.OTHER: _("Nothing that is known"),
    }[why]


def worker(seen: WorkerState) -> str:
    """What to make of a worker that does not send; nothing of one that does."""
    return {
        WorkerState.SENDING: "",
        WorkerState.STALLED: _(
            "It is alive, but does nothing. If this goes on, end its process; what it held is then cleared up."
        ),
        WorkerState.LOST: _("Within about a minute, what it held is cleared up."),
    }[seen]
