"""News of how a case ended: a draft to everyone who acted on its campaigns, for an organiser to look at and send."""

import itertools
import re
import secrets
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, kinds, lifecycle, segments
from mailer.campaigns.segments import Segment
from mailer.cases import cases
from mailer.cases.sayable import Sayable, nearest
from mailer.locale import languages
from mailer.locale.languages import SITE_LANGUAGES
from mailer.locale.translations import gettext_for
from mailer.store import db, slugs
from mailer.store.crypto import keyring_of
from mailer.store.models import Act, Campaign, CampaignStatus, CampaignText, Case, HomeRule, MailingList

#: letters of a case's name in that of its news
_ROOM = slugs.MAX_LENGTH - 12
#: letters of a subject and of a preheader that most inboxes show
_SUBJECT, _PREHEADER = 60, 90
#: what Markdown would take for more than a sign, and with what a text field begins
_SIGNS = re.compile(r"[\\`*_{\[\]<>~&%#]")
#: likewise at the beginning of a line
_MARK = re.compile(r"^(?:[-+=]|\d{1,9}(?=[.)]))")


@dataclass(frozen=True, slots=True)
class News:
    """A campaign that tells those who acted how a case ended."""

    slug: str
    list_slug: str  # of the list that it goes to
    status: CampaignStatus
    is_new: bool  # else it was there before, and was left as it is


def write(session: Session, slug: str) -> list[News]:
    """Write, for each list of a case's campaigns on which somebody is who acted on one of them, a draft that tells
    these people how it ended. Nobody gets two: who is on several lists of one owner gets that of the first.

    None where there is no outcome that may be said. What was written before is left as it is.

    :raises cases.UnknownCase: there is none.
    """
    case = cases.get(session, slug)
    outcome = case.outcome if Sayable(case).may_say(*case.outcome.values()) else {}
    if not outcome:
        return []
    return [
        _of_list(session, case, mailing_list, segment, outcome) for mailing_list, segment in _audiences(session, case)
    ]


def _audiences(session: Session, case: Case) -> Iterator[tuple[MailingList, Segment]]:
    asked = [each for each in lifecycle.of_case(session, case.id) if kinds.of(each).asks and each.started_at]
    lists = {each.mailing_list.slug: each.mailing_list for each in asked}
    before: dict[int | None, list[str]] = {}  # owner → lists that get it
    for mailing_list in (lists[slug] for slug in sorted(lists)):
        owner_id = mailing_list.owner_id
        theirs = [each for each in asked if each.mailing_list.owner_id == owner_id]
        if not _is_anybody_known(session, theirs):
            continue
        earlier = tuple(before.get(owner_id, ()))
        segment = Segment(acted=tuple(sorted(each.slug for each in theirs)), exclude_lists=earlier or None)
        if segments.count(session, mailing_list.id, segment):
            before.setdefault(owner_id, []).append(mailing_list.slug)
            yield mailing_list, segment


def _is_anybody_known(session: Session, campaigns: Sequence[Campaign]) -> bool:
    of_them = (Act.campaign_id.in_([each.id for each in campaigns]), Act.subscriber_id.is_not(None))
    return bool(session.scalar(select(exists().where(*of_them))))


def _of_list(
    session: Session, case: Case, mailing_list: MailingList, segment: Segment, outcome: Mapping[str, str]
) -> News:
    base = f"{case.slug[:_ROOM].rstrip('-')}-outcome" if Sayable(case).may_say(case.slug) else "outcome"
    for number in itertools.count(1):
        if found := _found(session, case, mailing_list):
            return News(found.slug, mailing_list.slug, found.status, is_new=False)
        slug = base if number == 1 else f"{base}-{number}"
        draft = _draft(session, slug, case, mailing_list, segment)
        draft.language = nearest(draft.language, outcome)
        draft.texts.extend(_texts(session, case, outcome))
        if db.add_unique(session, draft):
            return News(slug, mailing_list.slug, draft.status, is_new=True)
    raise AssertionError("unreachable")  # mypy cannot see that the last try returns


def _found(session: Session, case: Case, mailing_list: MailingList) -> Campaign | None:
    """What was written before, by this or by hand."""
    return next((each for each in acts.news(session, case.id) if each.list_id == mailing_list.id), None)


def _draft(session: Session, slug: str, case: Case, mailing_list: MailingList, segment: Segment) -> Campaign:
    """What goes to those of a list who acted, but not to readers at home: they need words of their own, which somebody
    has to write. Those whose country is not known get it if every alert went to them."""
    alerts = [lifecycle.get(session, each) for each in segment.acted or ()]
    is_for_unknown = all(each.unknown_home is HomeRule.INCLUDE for each in alerts)
    return Campaign(
        slug=slug,
        kind=kinds.UPDATE,
        list_id=mailing_list.id,
        case_id=case.id,
        about=case.country if any(segments.home_of(each) for each in alerts) else segments.NO_COUNTRY,
        home=HomeRule.EXCLUDE,
        unknown_home=HomeRule.INCLUDE if is_for_unknown else HomeRule.EXCLUDE,
        language=alerts[-1].language,
        status=CampaignStatus.DRAFT,
        audience=segment.to_json(),
        fallbacks=alerts[-1].fallbacks,
        targets=[],
        salt=secrets.token_bytes(16),
        message_key=keyring_of(session).link_keys[0].id,
    )


# --- its words ------------------------------------------------------------------------------------------------------


def _texts(session: Session, case: Case, outcome: Mapping[str, str]) -> Iterator[CampaignText]:
    may, today = Sayable(case), db.now(session).date()
    may_name = cases.consent_finding(case, today) is None  # else news may name nobody
    titles = {text.language: text.title for text in case.texts if may_name and may.may_say(text.title)}
    for language, words in outcome.items():
        title = titles.get(language)
        yield CampaignText(language=language, body_line=1, **_written(language, words, title))


def _written(language: str, outcome: str, title: str | None) -> dict[str, str]:
    """Subject, preheader and body; in a language in which we have no words of our own, with none."""
    if set(SITE_LANGUAGES).isdisjoint(languages.forms(language)):
        subject, before, thanks = title or _short(outcome, _SUBJECT), "", ""
    else:
        _ = gettext_for(language)
        subject = _("How it ended: {title}").format(title=title) if title else _("How it ended")
        before = _("You acted on this case: you wrote, or you signed. Now it is over, and this is how it ended.")
        thanks = _("Thank you for what you did.")
    return {
        "subject": _line(subject),
        "preheader": _line(_short(f"{thanks} {outcome}", _PREHEADER)),
        "body": "\n\n".join(part for part in (before, _plain(outcome), thanks) if part) + "\n",
    }


def _short(words: str, most: int) -> str:
    return textwrap.shorten(words, most, placeholder=" …")


def _plain(words: str) -> str:
    """One line of somebody's words, in Markdown in which nothing is more than it looks like. Addresses stay links."""
    escaped = [word if "://" in word else _SIGNS.sub(r"\\\g<0>", word) for word in words.split()]
    return _MARK.sub(r"\\\g<0>" if escaped[0][:1] in "-+=" else r"\g<0>\\", _line(" ".join(escaped)))


def _line(words: str) -> str:
    """Words in which no text field begins."""
    return re.sub(r"\{(?=[{%#])", "{ ", words)
