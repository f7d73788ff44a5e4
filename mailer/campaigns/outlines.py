"""Outlines: what a draft is about and what it asks for, apart from its words and its audience."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.campaigns import editions, kinds, lifecycle, petitions, segments, text_versions
from mailer.campaigns.text_names import TextName
from mailer.cases import cases
from mailer.errors import MailerError
from mailer.formats import marks
from mailer.locale import countries
from mailer.store.models import Campaign, Case, HomeRule, TargetRole


class ChangedMeanwhile(MailerError):
    """Somebody else has changed what campaign "{slug}" is about. See what they chose, and choose again."""


class WrongOutline(MailerError):
    """Something that was chosen does not go together: {fields}."""

    def __init__(self, wrong: Sequence["Wrong"]) -> None:
        super().__init__(fields=", ".join(each.field for each in wrong))
        self.wrong = wrong


class AboutOther(MailerError):
    """The case is about another country."""


class NeedsCase(MailerError):
    """A prisoner is written to in one case: choose it."""


class LetterLeft(MailerError):
    """There is a letter to a role that is not asked for: {role}."""


class GoalOutOfRange(MailerError):
    """A goal is a whole number from {least} on."""


class KindHasNone(MailerError):
    """What is written of it belongs to another kind: {what}."""

    def __init__(self, *parts: str) -> None:
        super().__init__(what=", ".join(parts))
        self.parts = parts  # "petition", "targets", "letters", or the file of a text


@dataclass(frozen=True, slots=True)
class Wrong:
    """What does not go together with the rest."""

    field: str
    why: MailerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a draft is about, and what it asks for."""

    kind: str
    case: str | None = None  # slug
    about: str | None = None  # as `Campaign.about`
    home: HomeRule | None = None
    unknown_home: HomeRule | None = None
    ask: tuple[str, ...] = ()  # roles, the most important first
    deadline: datetime | None = None
    latest_start: datetime | None = None
    goal: int | None = None
    public: bool = False
    forwardable: bool = False

    @classmethod
    def of(cls, campaign: Campaign) -> "Outline":
        """What a campaign's is now."""
        return cls(
            kind=campaign.kind,
            case=campaign.case.slug if campaign.case else None,
            about=campaign.about,
            home=campaign.home,
            unknown_home=campaign.unknown_home,
            ask=tuple(campaign.ask),
            deadline=campaign.deadline,
            latest_start=campaign.latest_start,
            goal=campaign.goal,
            public=campaign.public,
            forwardable=campaign.forwardable,
        )

    @property
    def mark(self) -> str:
        """What is different once anything of it is."""
        return marks.of(self)


def change(
    session: Session,
    campaign: Campaign,
    new: Outline,
    *,
    seen: str,
    before_change: Callable[[], object] = lambda: None,
) -> bool:
    """Save what a draft is about, as loading its folder would.

    :param seen: the mark of its outline when that was chosen.
    :param before_change: as for `text_versions.save`.
    :returns: whether it is another one than before.
    :raises lifecycle.NoDraft: it is none any more.
    :raises ChangedMeanwhile: somebody else has changed it since.
    :raises cases.UnknownCase: there is no such case.
    :raises WrongOutline: something does not go together.
    """
    lifecycle.hold_draft(session, campaign)
    case = cases.get(session, new.case) if new.case else None
    new = _completed(new, case)
    now = Outline.of(campaign)
    if new == now:
        return False
    before_change()
    if now.mark != seen:
        raise ChangedMeanwhile(slug=campaign.slug)
    if wrong := [*_wrong(campaign, new, case), *_of_letters(session, campaign, new)]:
        raise WrongOutline(wrong)
    campaign.kind, campaign.case, campaign.about = new.kind, case, new.about
    campaign.home, campaign.unknown_home = new.home, new.unknown_home
    campaign.ask, campaign.goal = list(new.ask), new.goal
    campaign.deadline, campaign.latest_start = new.deadline, new.latest_start
    campaign.public, campaign.forwardable = new.public, new.forwardable
    session.flush()
    editions.discard(session, campaign)
    text_versions.say_letters(session, campaign)
    if new.kind != now.kind and (name := _unfit(session, campaign)):
        raise WrongOutline([Wrong("kind", KindHasNone(name.file))])
    return True


def _completed(new: Outline, case: Case | None) -> Outline:
    """With the country of its case, and without what its kind does not have."""
    keys = kinds.KINDS[new.kind].keys
    return Outline(
        kind=new.kind,
        case=new.case,
        about=new.about or (case.country if case else None),
        home=new.home,
        unknown_home=new.unknown_home,
        ask=tuple(dict.fromkeys(new.ask)) if "ask" in keys else (),
        deadline=new.deadline if "deadline" in keys else None,
        latest_start=new.latest_start,
        goal=new.goal if "goal" in keys else None,
        public=new.public,
        forwardable=new.forwardable,
    )


def _wrong(campaign: Campaign, new: Outline, case: Case | None) -> Iterator[Wrong]:
    if new.about not in (None, segments.NO_COUNTRY):
        try:
            countries.parse(str(new.about))
        except MailerError as why:
            yield Wrong("about", why)
    if case is not None and new.about != case.country:
        yield Wrong("about", AboutOther())
    if TargetRole.PRISONER in new.ask and case is None:
        yield Wrong("case", NeedsCase())
    if new.goal is not None and new.goal not in petitions.GOALS:
        yield Wrong("goal", GoalOutOfRange(least=petitions.GOALS.start))
    keys = kinds.KINDS[new.kind].keys
    has = {"targets": campaign.targets, "petition": campaign.petition}
    if left := [key for key, value in has.items() if value and key not in keys]:
        yield Wrong("kind", KindHasNone(*left))


def _of_letters(session: Session, campaign: Campaign, new: Outline) -> Iterator[Wrong]:
    """Letters, finished or not, that nobody would be asked to send."""
    written = [name for name, each in text_versions.latest(session, campaign).items() if each.written is not None]
    roles = dict.fromkeys(name.role for name in written if name.role)
    if roles and "ask" in kinds.of(campaign).keys and "ask" not in kinds.KINDS[new.kind].keys:
        yield Wrong("kind", KindHasNone("letters"))
    else:
        left = (role for role in roles if role in campaign.ask and role not in new.ask)
        yield from (Wrong("ask", LetterLeft(role=role)) for role in left)


def _unfit(session: Session, campaign: Campaign) -> TextName | None:
    """A text that a campaign of its kind cannot have."""
    for name, version in text_versions.latest(session, campaign).items():
        is_whole = version.written is not None and version.goes_out
        if is_whole and version.written and text_versions.read(session, campaign, name, version.written):
            return name
    return None
