"""The path of a campaign from its check to its report: the pages about it, each of which leads to the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailer.organisers.roles import Permission
from mailer.store.models import CampaignStatus
from mailer.web.desk import access
from mailer.web.desk.visit import visit
from mailer.web.language import _, url

_S = CampaignStatus
_BEFORE = frozenset({_S.DRAFT, _S.SCHEDULED})
_HELD = _BEFORE | {_S.PAUSED}  # what goes on may ask for another approval, and is checked again
_ALWAYS = frozenset(_S)
_BEGUN = frozenset({_S.SENDING, _S.PAUSED, _S.SENT, _S.CANCELLED})


@dataclass(frozen=True, slots=True)
class Step:
    """A link."""

    words: str
    address: str
    is_danger: bool = False  # it leads to what cannot all be undone


#: endpoint of a page that is about one campaign, by its slug; who may have it, at which status it helps, and its words
_Entry = tuple[str, Permission, frozenset[CampaignStatus], Callable[[], str]]
_STEPS: Sequence[_Entry] = (
    ("desk.checking.see", Permission.SEE_CAMPAIGNS, _HELD, lambda: _("Check and test")),
    ("desk.previewing.mail", Permission.PREVIEW, _ALWAYS, lambda: _("Preview")),
    ("desk.approving.see", Permission.PREVIEW, _HELD, lambda: _("Approval")),
    ("desk.sending.see", Permission.SEND, _BEFORE, lambda: _("Send")),
    ("desk.reports.show", Permission.SEE_TOTALS, _BEGUN, lambda: _("Report")),
    ("desk.ending.see", Permission.STOP, _BEGUN | {_S.SCHEDULED}, lambda: _("Stop or end")),
)
_DANGER = frozenset({"desk.ending.see"})


def steps(slug: str, status: CampaignStatus) -> list[Step]:
    """The pages about a campaign that help now, of those that whoever looks may see."""
    return [
        Step(words(), url(endpoint, slug=slug), is_danger=endpoint in _DANGER)
        for endpoint, may, at, words in _STEPS
        if status in at and access.may(visit(), may)
    ]
