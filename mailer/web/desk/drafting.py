"""Drafting: to begin a campaign at the desk, from nothing or from another one."""

from typing import Any

from flask import make_response, redirect, render_template, request

from mailer.campaigns import drafts, kinds, text_versions
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import LONGEST_LINE
from mailer.cases import cases
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.locale.languages import InvalidLanguage
from mailer.people import lists
from mailer.store.db import utcnow
from mailer.store.slugs import InvalidSlug
from mailer.web.desk import choices, named, refusing, terms
from mailer.web.desk.visit import record, visit
from mailer.web.language import _, current, url
from mailer.web.site import site


def prepare() -> Any:
    """The form with which a draft is begun."""
    return _form()


def begin() -> Any:
    """Begin a draft, and show its text to be written."""
    problems = _problems()
    if problems:
        return _form(problems)
    subject, tag = request.form.get("subject", "").strip(), _tongue()
    slug = _slug()
    try:
        with site().session() as session:
            case = request.form.get("case", "")
            draft = drafts.begin(
                session,
                slug,
                kind=request.form.get("kind", ""),
                mailing_list=lists.get(session, request.form.get("list", "")),
                case=cases.get(session, case) if case else None,
                language=tag,
                subject=subject,
                saving=Saving(base=0, at=utcnow(), account_id=visit().account_id),
                fallbacks=site().settings.language_fallbacks,
            )
            record(session, "campaigns.begin", draft.slug)
    except (drafts.NameTaken, drafts.UnsayableName, InvalidSlug) as refused:
        return _form(_of_name(slug, refused))
    except (cases.UnknownCase, lists.UnknownList, drafts.UnknownKind):
        return _form({"form": _("Something that you chose is not there any more. Choose again.")})
    return redirect(url("desk.texts.write", slug=slug, text=tag), 303)


def copying(slug: str) -> Any:
    """The form with which a campaign is copied."""
    return _copying(slug)


def copy(slug: str) -> Any:
    """Begin a draft that is another campaign over again."""
    name = request.form.get("name", "").strip()
    try:
        with site().session() as session:
            saving = Saving(base=0, at=utcnow(), account_id=visit().account_id)
            draft = drafts.copy(session, named.campaign(session, slug), name, saving)
            record(session, "campaigns.copy", draft.slug, details={"campaign": slug})
    except (drafts.NameTaken, drafts.UnsayableName, InvalidSlug) as refused:
        return _copying(slug, _of_name(name, refused))
    except drafts.Withdrawn:
        return _copying(slug, {"form": _("It was withdrawn, so nothing is made of it again.")})
    except text_versions.TooLong as refused:
        return _copying(slug, {"form": refusing.advice(refused)})
    return redirect(url("desk.texts.browse", slug=name), 303)


def _copying(slug: str, problems: dict[str, str] | None = None) -> Any:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        name = named.name_of(campaign)
        suggested = f"{name[:70]}-copy" if name else ""
        page = render_template(
            "desk/drafting/copying.html", campaign=campaign, name=name, suggested=suggested, problems=problems or {}
        )
    return make_response(page, 422 if problems else 200)


def _problems() -> dict[str, str]:
    problems = {}
    subject = request.form.get("subject", "").strip()
    if not subject:
        problems["subject"] = _("Give it a subject. You can change it later.")
    elif len(subject) > LONGEST_LINE:
        problems["subject"] = _("Write at most {most} characters.", most=LONGEST_LINE)
    try:
        _tongue()
    except InvalidLanguage:
        problems["tongue"] = _("No language is known by this name. Choose one from the list.")
    if subject and not _slug():
        problems["name"] = _("No name can be made of this subject. Give it one in Latin letters.")
    return problems


def _of_name(slug: str, refused: MailerError) -> dict[str, str]:
    if isinstance(refused, drafts.NameTaken):
        return {"name": _("There is a campaign “{name}” already. Choose another name.", name=slug)}
    if isinstance(refused, drafts.UnsayableName):
        return {
            "name": _("A word is in the name that must not appear, and the name stands in links. Choose another one.")
        }
    return {"name": _("A name may have lowercase Latin letters, digits, and single hyphens between them.")}


def _tongue() -> str:
    return languages.parse(request.form.get("tongue", "").strip())


def _slug() -> str:
    """The name that somebody gave it, else one that is made of its subject."""
    return request.form.get("name", "").strip() or drafts.name_of(request.form.get("subject", ""))


def _form(problems: dict[str, str] | None = None) -> Any:
    with site().session(read_only=True) as session:
        page = render_template(
            "desk/drafting/prepare.html",
            kinds=[(name, terms.kind(name)) for name in kinds.KINDS],
            lists=choices.every_list(session),
            cases=[("", _("None")), *choices.every_case(session)],
            languages=choices.every_language(),
            own_language=languages.of_site(current()) or "en",
            longest=LONGEST_LINE,
            problems=problems or {},
        )
    return make_response(page, 422 if problems else 200)
