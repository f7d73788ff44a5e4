"""Choosing an audience: what somebody says of it is read word by word, and saved into a draft that nobody else has
changed meanwhile."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.campaigns import editions, lifecycle, segments
from mailer.campaigns.segments import Segment
from mailer.errors import MailerError
from mailer.formats import marks
from mailer.locale import languages
from mailer.people import lists
from mailer.store.models import Campaign, MailingList
from mailer.unions import directory

#: key of an audience → what somebody says it should be
Said = Mapping[str, Sequence[str]]
#: what stands between several things that are typed at once: the comma and the semicolon, in Arabic too
_BETWEEN = re.compile("[,;،؛]")


class OwnCampaign(MailerError):
    """It names this campaign itself, which nobody has before it goes out."""


class ChangedMeanwhile(MailerError):
    """Somebody else has just changed whom campaign "{slug}" is for. Look at what they chose, and choose again."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was said of an audience, and means nothing."""

    key: str
    text: str
    why: MailerError


class WrongAudience(MailerError):
    """Something that was said of the audience means nothing: {texts}."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__(texts=", ".join(f"{each.key}: {each.text}" for each in wrong))
        self.wrong = wrong


# --- reading --------------------------------------------------------------------------------------------------------


def read(
    session: Session, slug: str, list_id: int, said: Said, *, is_held: bool = False
) -> tuple[Segment, Sequence[Wrong]]:
    """What somebody means who says whom of a list a campaign is for, and what of it means nothing.

    :param slug: of the campaign.
    :param said: names and languages also as people call them, and several in one text with commas between them.
    :param is_held: nobody deletes what is named until the transaction ends.
    """
    meant: dict[str, list[str]] = {}
    wrong: list[Wrong] = []

    def understand(key: str, texts: Sequence[str]) -> list[str]:
        return read_key(session, slug, list_id, key, _tags(key, texts), is_held=is_held)

    for key, texts in said.items():
        try:
            meant[key] = understand(key, texts)
            continue
        except MailerError:  # one of them means nothing, or is several
            meant[key] = []
        for text in texts:
            for part in parts(text, lambda text: understand(key, [text])):  # noqa: B023  # called at once
                try:
                    meant[key] += understand(key, [part])
                except MailerError as why:
                    wrong.append(Wrong(key, part, why))
    return Segment.parse({key: list(dict.fromkeys(texts)) for key, texts in meant.items() if texts}), wrong


def parts(text: str, understand: Callable[[str], object]) -> Sequence[str]:
    """What stands in a text: one thing, whose name may have a comma, or several with commas between them.

    :param understand: raises MailerError where a text means nothing.
    """
    several = [part for part in map(str.strip, _BETWEEN.split(text)) if part]
    if len(several) > 1:
        try:
            understand(text)
        except MailerError:
            return several
    return [text]


def _tags(key: str, texts: Sequence[str]) -> list[str]:
    return [languages.parse(text) for text in texts] if key.endswith("languages") else list(texts)


def read_key(session: Session, slug: str, list_id: int, key: str, value: object, *, is_held: bool = True) -> list[str]:
    """What one key of an audience means: codes, tags, and slugs in place of names.

    :param slug: of the campaign; the others as for `read`.
    :raises OwnCampaign: it names the campaign itself.
    :raises segments.InvalidSegment: as `Segment.parse`; so the others that it raises.
    :raises directory.UnknownUnion: as `segments.audience`; so the others that it raises.
    :raises lists.ListGone: a list was deleted a moment ago.
    """
    if key in segments.CAMPAIGN_KEYS and isinstance(value, list) and slug in value:
        raise OwnCampaign
    segment = Segment.parse({key: _slugs(session, key, value, is_held=is_held)})
    segments.audience(session, list_id, segment)  # finds what there is none of
    return segment.to_json()[key]


def _slugs(session: Session, key: str, value: object, *, is_held: bool) -> object:
    """What stands under a key, with the slugs of unions and lists in place of their names."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return value
    if key.endswith("unions"):
        return [directory.named(session, each).slug for each in value]
    if key in segments.CAMPAIGN_KEYS:
        return [lifecycle.get(session, each, is_held=is_held).slug for each in value]
    return [lists.named(session, each, is_held=is_held).slug for each in value] if key.endswith("lists") else value


# --- saving ---------------------------------------------------------------------------------------------------------


def mark(campaign: Campaign) -> str:
    """What is different once somebody has chosen another audience for a campaign."""
    return marks.of(campaign.list_id, campaign.audience)


def choose(
    session: Session,
    campaign: Campaign,
    mailing_list: MailingList,
    said: Said,
    *,
    seen: str,
    before_change: Callable[[], object] = lambda: None,
) -> bool:
    """Save whom a draft is for, as loading its folder would.

    :param said: as for `read`.
    :param seen: its `mark` when it was chosen.
    :param before_change: as for `text_versions.save`.
    :returns: whether that is another audience than before.
    :raises lifecycle.NoDraft: it is none any more.
    :raises WrongAudience: something means nothing.
    :raises ChangedMeanwhile: somebody else has chosen another audience since.
    """
    lifecycle.hold_draft(session, campaign)
    segment, wrong = read(session, campaign.slug, mailing_list.id, said, is_held=True)
    if wrong:
        raise WrongAudience(wrong)
    if (mailing_list.id, segment.to_json()) == (campaign.list_id, campaign.audience):
        return False
    before_change()
    if mark(campaign) != seen:
        raise ChangedMeanwhile(slug=campaign.slug)
    campaign.mailing_list, campaign.audience = mailing_list, segment.to_json()
    session.flush()
    editions.discard(session, campaign)
    return True
