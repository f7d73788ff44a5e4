"""Petitioning: to write who gets the names of those who sign for a draft, in each language."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.campaigns import appeals, kinds, lifecycle, petitions, text_versions
from mailer.campaigns.lifecycle import NoDraft
from mailer.campaigns.petitions import Wrong
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.locale.languages import InvalidLanguage
from mailer.organisers import writing
from mailer.store.models import Campaign, CampaignStatus
from mailer.web.desk import choices, losing, named, refusing
from mailer.web.desk.approving import sender
from mailer.web.desk.visit import typed, typed_form, visit
from mailer.web.language import _, url
from mailer.web.site import site

_LONGEST_MARK = 40
_FIELD = "to-"  # before the language, in the name of a field
_NEW = "new"  # in place of one that nobody has written yet; no language has this tag


def see(slug: str) -> Any:
    """Who gets the names, to be changed."""
    return _page(slug)


def save(slug: str) -> Any:
    """Save who gets the names, unless somebody else has changed it meanwhile."""
    mark, seen = (request.form.get(key, "")[:_LONGEST_MARK] for key in ("mark", "seen"))
    problems: dict[str, str] = {}
    another = _another(problems)
    if problems:
        return _page(slug, problems)
    try:
        with site().session() as session:
            campaign = lifecycle.get(session, slug)
            written = _written(campaign.language, another)
            writing.petition(session, campaign, written, mark=mark, seen=seen, sender=sender(), who=visit().who)
    except petitions.WrongPetition as refused:
        return _page(slug, {_field_of(each, another): _advice(each) for each in refused.wrong})
    except appeals.KindHasNone:
        return _page(slug, {"form": _("A campaign of this kind has no petition.")})
    except appeals.ChangedMeanwhile:
        words = _("Somebody else has changed this meanwhile. What you typed is in the form, and not saved yet.")
        return _page(slug, {"form": words}, is_late=True)
    except writing.AskedMeanwhile as refused:
        return _page(slug, {"form": refusing.advice(refused)}, is_late=True)
    except lifecycle.UnknownCampaign:
        return losing.give_back(_("This draft was deleted meanwhile."), _typed(), 404)
    except NoDraft as refused:
        return losing.give_back(refusing.advice(refused), _typed(), 409, slug=slug)
    return redirect(url("desk.petitioning.see", slug=slug, saved=1), 303)


def give_back() -> Any:
    """What somebody typed who may not write any more; None where they typed nothing."""
    said = _typed()
    return losing.give_back(_("You may not change campaigns any more."), said, 404) if said else None


# --- what a form says -----------------------------------------------------------------------------------------------


def _fields() -> Mapping[str, str]:
    """Language → what was typed, of the fields that have one."""
    fields = {name.removeprefix(_FIELD): said for name, said in typed_form().items() if name.startswith(_FIELD)}
    return {tag: said for tag, said in fields.items() if tag != _NEW}


def _another(problems: dict[str, str]) -> tuple[str, str] | None:
    """A language that is added, and who gets the names in it."""
    tongue, said = typed("tongue").strip(), typed(f"{_FIELD}{_NEW}").strip()
    if not tongue and not said:
        return None
    if not tongue:
        problems["tongue"] = _("Choose the language in which this is written.")
    elif not said:
        problems[f"{_FIELD}{_NEW}"] = _("Write who gets the names in this language, or leave the language out.")
    else:
        try:
            return languages.parse(tongue), said
        except InvalidLanguage:
            problems["tongue"] = _("No language is known by this name. Choose one from the list.")
    return None


def _written(own: str, another: tuple[str, str] | None) -> Sequence[tuple[str, str]]:
    """What is to be saved. The campaign's own language is needed once there is another."""
    said = [(tag, words) for tag, words in _fields().items() if words.strip()]
    if another:
        said.append(another)
    return said if not said or own in dict(said) else [(own, ""), *said]


def _field_of(wrong: Wrong, another: tuple[str, str] | None) -> str:
    if isinstance(wrong.why, petitions.LanguageTwice):
        return "tongue"
    is_added = another is not None and wrong.language == another[0] and not _fields().get(another[0], "").strip()
    return f"{_FIELD}{_NEW if is_added else wrong.language}"


def _advice(wrong: Wrong) -> str:
    why: MailerError = wrong.why
    if isinstance(why, petitions.NobodyNamed | petitions.NotInOwnLanguage):
        return _(
            "Write who gets the names in {language}, too: it is the campaign’s own language. "
            "Or empty all fields, and there is no petition.",
            language=languages.name(wrong.language),
        )
    if isinstance(why, petitions.LongAddressee):
        return _("This may have {most} letters. Name them, and say the rest in the text.", most=why.fields["most"])
    if isinstance(why, petitions.LanguageTwice):
        return _("This language has a field of its own above. Write it there.")
    return str(why)


def _typed() -> Sequence[tuple[str, str]]:
    """Language and words of all that was typed."""
    said = [*_fields().items(), (typed("tongue"), typed(f"{_FIELD}{_NEW}"))]
    return [(tag or _("Another language"), words) for tag, words in said if words.strip()]


# --- the page -------------------------------------------------------------------------------------------------------


def _page(slug: str, problems: Mapping[str, str] | None = None, *, is_late: bool = False) -> Any:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        petition = petitions.of(campaign)
        now = dict(petition.to) if petition else {}
        page = render_template(
            "desk/petitioning/see.html",
            campaign=campaign,
            name=named.name_of(campaign),
            is_draft=campaign.status is CampaignStatus.DRAFT,
            keys=kinds.of(campaign).keys,
            rows=[(tag, languages.name(tag), now.get(tag, "")) for tag in _tags(session, campaign, now)],
            saved=[(languages.name(tag), words) for tag, words in now.items()],
            most=petitions.MOST,
            choices=choices.every_language(),
            mark=appeals.petition_mark(campaign),
            seen=writing.standing(session, campaign, sender()),
            is_late=is_late,
            problems=problems or {},
        )
    return make_response(page, 409 if is_late else 422 if problems else 200)


def _tags(session: Session, campaign: Campaign, now: Mapping[str, str]) -> Sequence[str]:
    """The languages that have a field: of the texts, the campaign's own first, and those that are or were written."""
    latest = text_versions.latest(session, campaign).items()
    texts = [name.language for name, version in latest if version.written is not None and name.role is None]
    known = [tag for tag in _fields() if _is_language(tag)]
    return list(dict.fromkeys([campaign.language, *texts, *now, *known]))


def _is_language(tag: str) -> bool:
    try:
        return languages.normalise(tag) == tag
    except InvalidLanguage:
        return False
