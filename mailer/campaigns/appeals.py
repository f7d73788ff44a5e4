"""Appeals: to whom a draft itself has people sign and write: its petition, and the targets of its own."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from mailer.campaigns import editions, kinds, lifecycle, petitions
from mailer.cases import targets
from mailer.cases.targets import Target
from mailer.errors import MailerError
from mailer.formats import marks
from mailer.store.models import Campaign


class ChangedMeanwhile(MailerError):
    """Somebody else has changed whom people sign for or write to in campaign "{slug}". See what they wrote, and save
    again."""


class KindHasNone(MailerError):
    """A campaign of this kind has none: {key}."""


class WrongTargets(MailerError):
    """Something that is written of the targets cannot be: {fields}."""

    def __init__(self, wrong: Sequence[targets.Wrong]) -> None:
        super().__init__(fields=", ".join(f"{each.nth} {each.field}" for each in wrong))
        self.wrong = wrong


def petition_mark(campaign: Campaign) -> str:
    """What is different once somebody has changed a campaign's petition."""
    return marks.of(campaign.petition)


def targets_mark(campaign: Campaign) -> str:
    """What is different once somebody has changed a campaign's own targets."""
    return marks.of(campaign.targets)


def own_targets(campaign: Campaign) -> list[Target]:
    """The targets that a campaign has itself, in their order."""
    return [Target.from_json(row) for row in campaign.targets]


def write_petition(
    session: Session,
    campaign: Campaign,
    written: Sequence[tuple[str, str]],
    *,
    seen: str,
    before_change: Callable[[], object] = lambda: None,
) -> bool:
    """Save who gets the names of those who sign for a draft, as loading its folder would.

    :param written: language and who gets them; nothing where there is to be no petition.
    :param seen: the `petition_mark` of what somebody saw when they began.
    :param before_change: as for `text_versions.save`.
    :returns: whether it is another one than before.
    :raises lifecycle.NoDraft: it is none any more.
    :raises petitions.WrongPetition: nobody could sign it like that.
    :raises KindHasNone: its kind has no petition.
    :raises ChangedMeanwhile: somebody else has changed it since.
    """
    lifecycle.hold_draft(session, campaign)
    new = petitions.understand(written, campaign.language).to_json() if written else None
    if new == campaign.petition:
        return False
    before_change()
    if petition_mark(campaign) != seen:
        raise ChangedMeanwhile(slug=campaign.slug)
    _require_key(campaign, "petition", new)
    campaign.petition = new
    session.flush()
    editions.discard(session, campaign)
    return True


def write_targets(
    session: Session,
    campaign: Campaign,
    written: Sequence[targets.Written],
    *,
    seen: str,
    before_change: Callable[[], object] = lambda: None,
) -> bool:
    """Save the targets that a draft has itself, as loading its folder would.

    :param seen: the `targets_mark` of what somebody saw when they began; the others as for `write_petition`.
    :returns: whether they are others than before.
    :raises lifecycle.NoDraft: it is none any more.
    :raises WrongTargets: something of them cannot be.
    :raises KindHasNone: its kind has no targets.
    :raises ChangedMeanwhile: somebody else has changed them since.
    """
    lifecycle.hold_draft(session, campaign)
    found, wrong = targets.understand(written)
    if wrong:
        raise WrongTargets(wrong)
    new = [target.to_json() for target in found]
    if new == campaign.targets:
        return False
    before_change()
    if targets_mark(campaign) != seen:
        raise ChangedMeanwhile(slug=campaign.slug)
    _require_key(campaign, "targets", new)
    campaign.targets = new
    session.flush()
    editions.discard(session, campaign)
    return True


def _require_key(campaign: Campaign, key: kinds.Key, new: object) -> None:
    """What another kind left can be taken out, and nothing added."""
    if new and key not in kinds.of(campaign).keys:
        raise KindHasNone(key=key)
