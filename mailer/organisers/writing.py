"""Writing: somebody at the desk changes what a draft says, and the audit log says who did."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from mailer.campaigns import appeals, choosing, outlines, text_versions
from mailer.campaigns.choosing import Said
from mailer.campaigns.outlines import Outline
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Saving, Version
from mailer.campaigns.written import AnyWritten
from mailer.cases import targets
from mailer.errors import MailerError
from mailer.mail.sender import Sender
from mailer.organisers import approvals
from mailer.organisers.approvals import State
from mailer.store import audit
from mailer.store.audit import Who
from mailer.store.db import utcnow
from mailer.store.models import AuditEntry, Campaign, CampaignContent, MailingList

#: a script saves every few seconds: of that, one entry in so long a time
_NOTED_EVERY = timedelta(minutes=10)


class AskedMeanwhile(MailerError):
    """Approval of campaign "{slug}" was asked for, or given, after you opened its text. Whoever changes it now has
    to ask anew."""


def standing(session: Session, campaign: Campaign, sender: Sender) -> str:
    """What a page has to know of approval before something is changed on it: which request is open, or was answered
    with yes. Nothing where there is none."""
    if not session.scalar(select(exists().where(CampaignContent.campaign_id == campaign.id))):
        return ""  # nobody ever asked, and nothing has to be compared
    now = approvals.standing(session, campaign, sender)
    if now.state not in (State.WAITING, State.APPROVED):
        return ""
    return f"{now.state}-{now.request.id if now.request else 0}"


def save(
    session: Session,
    campaign: Campaign,
    name: TextName,
    written: AnyWritten,
    saving: Saving,
    *,
    goes_out: bool,
    seen: str,
    sender: Sender,
    who: Who,
) -> Version:
    """Save a text of a draft, as `text_versions.save` does.

    :param seen: what `standing` said when the page was made.
    :param who: for the audit log.
    :raises AskedMeanwhile: it says something else now.
    :raises MailerError: for all that `text_versions.save` raises.
    """
    ask = _asking(session, campaign, seen, sender, note=(who, details_of(name)))
    return text_versions.save(session, campaign, name, written, saving, goes_out=goes_out, before_change=ask)


def take_out(
    session: Session, campaign: Campaign, name: TextName, saving: Saving, *, seen: str, sender: Sender, who: Who
) -> None:
    """Take a text out of a draft, as `text_versions.take_out` does.

    :param seen: as for `save`; so the others.
    :raises AskedMeanwhile: likewise.
    :raises MailerError: for all that `text_versions.take_out` raises.
    """
    ask = _asking(session, campaign, seen, sender, note=(who, {**details_of(name), "taken_out": True}))
    text_versions.take_out(session, campaign, name, saving, before_change=ask)


def choose(
    session: Session, campaign: Campaign, mailing_list: MailingList, said: Said, *, mark: str, seen: str, sender: Sender
) -> bool:
    """Save whom a draft is for, as `choosing.choose` does.

    :param mark: of the audience that somebody saw.
    :param seen: as for `save`; so the others.
    :raises AskedMeanwhile: as `save`, where it is another audience.
    :raises MailerError: for all that `choosing.choose` raises.
    """
    ask = _asking(session, campaign, seen, sender)
    return choosing.choose(session, campaign, mailing_list, said, seen=mark, before_change=ask)


def _asking(
    session: Session,
    campaign: Campaign,
    seen: str,
    sender: Sender,
    note: tuple[Who, Mapping[str, Any]] | None = None,
) -> Callable[[], None]:
    """What is done before a draft is changed: insist that whoever changes it knows how it stands with whoever approves,
    and write down that they do.

    :param note: who, and what; none where somebody else writes it down.
    """

    def ask() -> None:
        now = standing(session, campaign, sender)
        if now and now != seen:
            raise AskedMeanwhile(slug=campaign.slug)
        if note is not None:
            write_down(session, campaign, *note)

    return ask


def details_of(name: TextName) -> dict[str, str]:
    """What the audit log tells of which text it is."""
    return {"language": name.language, **({"role": name.role.value} if name.role else {})}


def write_down(session: Session, campaign: Campaign, who: Who, details: Mapping[str, Any]) -> None:
    """Write into the audit log that somebody changed a draft; once, while they go on and nothing else is done to it."""
    about = (AuditEntry.kind == "campaign", AuditEntry.subject == campaign.slug)
    last = session.scalar(select(AuditEntry).where(*about).order_by(AuditEntry.id.desc()).limit(1))
    is_same = last is not None and (last.action, last.account_id, last.session, last.details) == (
        "campaigns.write",
        who.account_id,
        who.session,
        dict(details),
    )
    if last is None or not is_same or utcnow() - last.created_at >= _NOTED_EVERY:
        audit.append(session, "campaigns.write", who, kind="campaign", subject=campaign.slug, details=details)


def outline(
    session: Session, campaign: Campaign, new: Outline, *, mark: str, seen: str, sender: Sender, who: Who
) -> None:
    """Save what a draft is about, as `outlines.change` does.

    :param mark: of the outline that somebody saw.
    :param seen: as for `save`; so the others.
    :raises AskedMeanwhile: as `save`.
    :raises MailerError: for all that `outlines.change` raises.
    """
    ask = _asking(session, campaign, seen, sender, note=(who, {}))
    outlines.change(session, campaign, new, seen=mark, before_change=ask)


def petition(
    session: Session,
    campaign: Campaign,
    written: Sequence[tuple[str, str]],
    *,
    mark: str,
    seen: str,
    sender: Sender,
    who: Who,
) -> None:
    """Save who gets the names of those who sign, as `appeals.write_petition` does.

    :param mark: of the petition that somebody saw.
    :param seen: as for `save`; so the others.
    :raises AskedMeanwhile: as `save`.
    :raises MailerError: for all that `appeals.write_petition` raises.
    """
    ask = _asking(session, campaign, seen, sender, note=(who, {}))
    appeals.write_petition(session, campaign, written, seen=mark, before_change=ask)


def own_targets(
    session: Session,
    campaign: Campaign,
    written: Sequence[targets.Written],
    *,
    mark: str,
    seen: str,
    sender: Sender,
    who: Who,
) -> None:
    """Save the targets that a draft has itself, as `appeals.write_targets` does.

    :param mark: of the targets that somebody saw.
    :param seen: as for `save`; so the others.
    :raises AskedMeanwhile: as `save`.
    :raises MailerError: for all that `appeals.write_targets` raises.
    """
    ask = _asking(session, campaign, seen, sender, note=(who, {}))
    appeals.write_targets(session, campaign, written, seen=mark, before_change=ask)
