"""Drafts: campaigns that somebody begins to write, whether in a folder, at the desk, or from another one."""

import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from mailer.campaigns import kinds, text_versions
from mailer.campaigns.segments import Segment
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import Written
from mailer.cases.sayable import Sayable
from mailer.errors import MailerError
from mailer.store import slugs
from mailer.store.crypto import keyring_of
from mailer.store.db import add_unique
from mailer.store.models import Asking, Campaign, CampaignStatus, Case, MailingList

#: characters of a name that is made of a subject
_LONGEST_NAME = 60


class NameTaken(MailerError):
    """There is a campaign "{slug}" already. Choose another name."""


class UnsayableName(MailerError):
    """The name holds a word that must not appear, and stands in each link. Choose another name."""


class Withdrawn(MailerError):
    """Campaign "{slug}" was withdrawn: its text and names are taken down for good, so nothing is made of it again."""


class UnknownKind(MailerError):
    """There is no kind "{kind}". Known are: {known}"""


def blank(session: Session, slug: str, **values: Any) -> Campaign:
    """A draft that says nothing yet. It is not in the database.

    :param values: its columns.
    """
    return Campaign(
        slug=slug,
        salt=secrets.token_bytes(16),
        message_key=keyring_of(session).link_keys[0].id,
        status=CampaignStatus.DRAFT,
        **values,
    )


def begin(
    session: Session,
    slug: str,
    *,
    kind: str,
    mailing_list: MailingList,
    language: str,
    subject: str,
    saving: Saving,
    case: Case | None = None,
    fallbacks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Campaign:
    """Begin a draft, of whose text there is the subject only.

    :param language: in which it is written first.
    :param saving: by whom, and when.
    :param fallbacks: of languages.
    :raises slugs.InvalidSlug: its name is none.
    :raises NameTaken: another campaign has it.
    :raises UnsayableName: a word is in it that must not appear where its case is spoken of.
    :raises UnknownKind: there is no such kind.
    """
    if not Sayable(case).may_say(slug):
        raise UnsayableName
    if kind not in kinds.KINDS:
        raise UnknownKind(kind=kind, known=", ".join(kinds.KINDS))
    draft = blank(
        session,
        slugs.check(slug),
        kind=kind,
        list_id=mailing_list.id,
        case_id=case.id if case else None,
        about=case.country if case else None,
        language=language,
        fallbacks={tag: list(others) for tag, others in fallbacks.items()},
        audience=Segment().to_json(),
        targets=[],
    )
    if not add_unique(session, draft):
        raise NameTaken(slug=slug)
    text_versions.save(session, draft, TextName(language), Written.of(subject, "", ""), saving, goes_out=False)
    return draft


def name_of(subject: str) -> str:
    """What a campaign with this subject may be called in links; nothing where its script has no such letters."""
    plain = unicodedata.normalize("NFKD", subject).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    name = ""
    for word in words:
        if len(name) + len(word) + 1 > _LONGEST_NAME:
            break
        name = f"{name}-{word}" if name else word
    return name if sum(map(str.isalpha, name)) >= min(3, len(subject)) else ""


def copy(session: Session, campaign: Campaign, slug: str, saving: Saving) -> Campaign:
    """Begin a draft that is another campaign over again, with its texts, letters, targets and audience, and without its
    times.

    :param slug: its name.
    :param saving: by whom, and when.
    :raises slugs.InvalidSlug: its name is none.
    :raises NameTaken: another campaign has it.
    :raises UnsayableName: a word is in it that must not appear where its case is spoken of.
    :raises Withdrawn: nobody is to see the other one any more.
    """
    require_shown(campaign)
    if not Sayable(campaign.case).may_say(slug):
        raise UnsayableName
    values = {key: getattr(campaign, key) for key in _COPIED}
    draft = blank(session, slugs.check(slug), **values)
    if not add_unique(session, draft):
        raise NameTaken(slug=slug)
    for name, version in text_versions.latest(session, campaign).items():  # none before what it is translated from
        if version.written is not None:
            text_versions.save(session, draft, name, version.written, saving, goes_out=version.goes_out)
    return draft


def require_shown(campaign: Campaign) -> None:
    """:raises Withdrawn: its text and names were taken down for good."""
    if campaign.asking is Asking.WITHDRAWN:
        raise Withdrawn(slug=campaign.slug)


_COPIED = (
    *("kind", "list_id", "case_id", "about", "home", "unknown_home", "language", "audience", "fallbacks"),
    *("targets", "ask", "petition", "goal", "public", "forwardable"),
)
