"""Texts: what a draft and its letters say in each language, written at the desk, with all that was saved before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import abort, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.campaigns import kinds, lifecycle, text_findings, text_versions
from mailer.campaigns.lifecycle import NoDraft
from mailer.campaigns.text_names import NoRole, TextName
from mailer.campaigns.text_versions import OwnLanguage, SavedMeanwhile, Saving, TooLong, Version
from mailer.campaigns.written import AnyWritten, Fault, kind_of
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.locale.languages import InvalidLanguage
from mailer.organisers import accounts, writing
from mailer.organisers.writing import AskedMeanwhile
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, TargetRole
from mailer.web.desk import choices, contents, insertions, keeping, losing, named, refusing, text_fields, times
from mailer.web.desk.approving import sender
from mailer.web.desk.numbers import row_number
from mailer.web.desk.recent import renderings
from mailer.web.desk.text_fields import Part
from mailer.web.desk.visit import typed, visit
from mailer.web.language import _, url
from mailer.web.site import site

_JSON = "application/json"
_LONGEST_WINDOW = 40
#: why a text is not saved as somebody typed it: they are shown it again, and what stands against it
_REFUSED = (SavedMeanwhile, AskedMeanwhile, TooLong)


@dataclass(frozen=True, slots=True)
class Row:
    """A text of a draft, in the list of them."""

    stem: str
    tag: str
    title: str
    words: str  # of it, to know it by
    is_source: bool
    can_be_taken_out: bool
    is_unfinished: bool
    is_outdated: bool
    version: int
    saved_at: datetime | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """The texts of a mail, or the letters to those of a role."""

    role: str | None
    title: str
    rows: Sequence[Row]
    first: str  # the name of that which others are translated from
    is_asked: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form sent."""

    written: AnyWritten
    saving: Saving
    seen: str  # of approval, when the page was made


# --- the list -------------------------------------------------------------------------------------------------------


def browse(slug: str) -> Any:
    """The texts of a draft: which are finished, and which are older than what they were translated from."""
    return _list(slug)


def add(slug: str) -> Any:
    """Begin a translation."""
    said = request.form.get("role", "")
    role = TargetRole(said) if said in set(TargetRole) else None
    try:
        tag = languages.parse(request.form.get("tongue", "").strip())
    except InvalidLanguage:
        field = f"tongue-{role}" if role else "tongue"
        return _list(slug, {field: _("No language is known by this name. Choose one from the list.")})
    return redirect(url("desk.texts.write", slug=slug, text=TextName(tag, role).stem), 303)


def take_out(slug: str, text: str) -> Any:
    """Have a draft not have a text any more."""
    seen = request.form.get("seen", "")[:_LONGEST_WINDOW]
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            writing.take_out(session, campaign, _name(text), _saving(), seen=seen, sender=sender(), who=visit().who)
    except (NoDraft, OwnLanguage, *_REFUSED) as refused:
        return _list(slug, {"form": refusing.advice(refused)}, status=409)
    return redirect(url("desk.texts.browse", slug=slug), 303)


def _list(slug: str, problems: Mapping[str, str] | None = None, *, status: int = 422) -> Any:
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        page = render_template(
            "desk/texts/browse.html",
            campaign=campaign,
            name=named.name_of(campaign),
            is_draft=campaign.status is CampaignStatus.DRAFT,
            groups=_groups(session, campaign),
            seen=writing.standing(session, campaign, sender()),
            choices=choices.every_language(),
            problems=problems or {},
        )
    return make_response(page, status if problems else 200)


def _groups(session: Session, campaign: Campaign) -> list[Group]:
    """The texts of a draft, and its letters by role: also of those that nobody has written yet."""
    rows = _rows(session, campaign)
    asked = campaign.ask if "ask" in kinds.of(campaign).keys else []
    roles = dict.fromkeys([None, *map(TargetRole, asked), *(name.role for name in rows)])
    return [
        Group(
            role=role,
            title=_("Letter to {role}", role=contents.role_name(role)) if role else _("The mail"),
            rows=[row for name, row in rows.items() if name.role == role],
            first=TextName(campaign.language, role).stem,
            is_asked=role is None or role in asked,
        )
        for role in roles
    ]


def _rows(session: Session, campaign: Campaign) -> dict[TextName, Row]:
    versions = text_versions.latest(session, campaign)
    compared = text_findings.sources_of(session, versions)
    names = accounts.names(session, {each.account_id for each in versions.values() if each.account_id})
    return {
        name: Row(
            stem=name.stem,
            tag=name.language,
            title=text_fields.title(name),
            words=next(iter(each.written.typed.values())).partition("\n")[0],
            is_source=name == name.source(campaign.language),
            can_be_taken_out=text_versions.can_be_taken_out(campaign, name, versions),
            is_unfinished=not each.goes_out,
            is_outdated=text_findings.is_outdated(each, versions.get(name.source(campaign.language)), compared),
            version=each.id,
            saved_at=each.saved_at,
            by=names.get(each.account_id) if each.account_id else None,
        )
        for name, each in versions.items()
        if each.written is not None
    }


# --- one of them ----------------------------------------------------------------------------------------------------


def write(slug: str, text: str) -> Any:
    """One text, to be written; beside a translation, what it is made of."""
    return _page(slug, _name(text))


def save(slug: str, text: str) -> Any:
    """Save a text, finished or not; asked by a script, say so in JSON."""
    name = _name(text)
    sent = _sent(name)
    try:
        saved, found, seen = _save(slug, name, sent)
    except lifecycle.UnknownCampaign:
        return _lost(_("This draft was deleted meanwhile."), sent.written, 404)
    except NoDraft as refused:
        return _lost(refusing.advice(refused), sent.written, 409)
    except _REFUSED as refused:
        return _not_saved(slug, name, sent, refused)
    if _is_script():
        who = visit()
        if who.kept is not None and who.kept.page == request.path:  # what it filled in is saved now
            keeping.keep(who.session.id, None)
        at = times.in_words(saved.saved_at) if saved.saved_at else ""
        problems = text_fields.problems(sent.written, found)
        return {"version": saved.id, "seen": seen, "saved": _("Saved {time}.", time=at), "problems": problems}
    return redirect(url("desk.texts.write", slug=slug, text=text, saved=1), 303)


def _save(slug: str, name: TextName, sent: Sent) -> tuple[Version, Sequence[Fault], str]:
    """Save a text; what keeps it from going out; and how it stands with whoever approves then."""
    found: Sequence[Fault] = ()
    if name.role is None:
        with site().session(read_only=True) as session, renderings().lent(session):
            found = text_versions.read(session, lifecycle.get(session, slug), name, sent.written)
    with site().session() as session:
        campaign = lifecycle.get(session, slug)
        saved = writing.save(
            session,
            campaign,
            name,
            sent.written,
            sent.saving,
            goes_out=not found,
            seen=sent.seen,
            sender=sender(),
            who=visit().who,
        )
        session.flush()
        if name.role:  # it takes no time, and `save` reads it itself
            found = text_versions.read(session, campaign, name, sent.written)
        return saved, found, writing.standing(session, campaign, sender())


def _not_saved(slug: str, name: TextName, sent: Sent, refused: MailerError) -> Any:
    """What somebody typed that was not saved, and why."""
    if _is_script():
        return {"refused": refusing.advice(refused)}, 409
    return _page(slug, name, sent=sent, refused=refused)


def give_back() -> Any:
    """What somebody typed who may not write any more; None where they typed nothing."""
    written = _typed(_name((request.view_args or {}).get("text", "")), typed)
    return None if written.is_empty else _lost(_("You may not change texts any more."), written, 404)


def _lost(why: str, written: AnyWritten, status: int) -> Any:
    """What somebody typed that can be saved nowhere any more."""
    if _is_script():
        return {"refused": why}, status
    return losing.give_back(why, [part for part in text_fields.parts(written) if part[1]], status)


def compare(slug: str, text: str) -> Any:
    """Say that a translation says what its source does now."""
    name, source = _name(text), request.form.get("source", default=0, type=row_number)
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            if text_versions.compare(session, campaign, name, source):
                writing.write_down(session, campaign, visit().who, writing.details_of(name))
    except NoDraft as refused:
        return _list(slug, {"form": refusing.advice(refused)}, status=409)
    return redirect(url("desk.texts.write", slug=slug, text=text), 303)


def _page(slug: str, name: TextName, *, sent: Sent | None = None, refused: MailerError | None = None) -> Any:
    """The page of a text.

    :param sent: what was not saved, and is in the form again.
    """
    with site().session(read_only=True) as session, renderings().lent(session):
        campaign = named.campaign(session, slug)
        if campaign.status is not CampaignStatus.DRAFT:
            why = refusing.advice(NoDraft(slug=slug, status=campaign.status))
            return losing.give_back(why, (), 409, slug=slug)
        versions = text_versions.latest(session, campaign)
        version = versions.get(name)
        saved = (version.written if version else None) or kind_of(name)()
        shown = sent.written if sent else saved
        kept = visit().kept
        is_kept = sent is None and kept is not None and kept.page == request.path and "body" in kept.fields
        # Whatever it was refused for: whoever presses Save again on this page is taken to have seen what is saved.
        is_theirs = sent is not None and text_versions.is_news(campaign, version, sent.saving)
        faults = [] if shown.is_empty else text_versions.read(session, campaign, name, shown)
        page = render_template(
            "desk/texts/write.html",
            campaign=campaign,
            name=named.name_of(campaign),
            rows=_rows(session, campaign).values(),
            stem=name.stem,
            is_letter=name.role is not None,
            tag=name.language,
            tongue=languages.name(name.language),
            title=text_fields.title(name),
            direction_of=languages.direction,
            parts_of=text_fields.parts,
            fields=text_fields.every(name, shown),
            is_kept=is_kept,
            base=version.id if version else 0,
            seen=writing.standing(session, campaign, sender()),
            saved_at=version.saved_at if version else None,
            is_begun=bool(version and version.written is not None),
            problems=text_fields.problems(shown, faults),
            refused=refusing.advice(refused) if refused else None,
            theirs=version if is_theirs and version else None,
            by=_by(session, version),
            conflict=text_fields.differences(saved, shown) if is_theirs else (),
            has_versions=bool(version and version.id),
            **_source(session, campaign, name, versions),
            insertions=insertions.of_letter() if name.role else insertions.every(campaign),
        )
    return make_response(page, 409 if refused else 200)


def _by(session: Session, version: Version | None) -> str | None:
    if version is None or version.account_id is None:
        return None
    return accounts.names(session, [version.account_id]).get(version.account_id)


def _source(
    session: Session, campaign: Campaign, name: TextName, versions: Mapping[TextName, Version]
) -> dict[str, Any]:
    """What a translation is made of, and what has changed in it since the two were last compared."""
    source, translation = versions.get(name.source(campaign.language)), versions.get(name)
    if name == name.source(campaign.language) or source is None or source.written is None:
        return {"source": None, "changes": ()}
    compared = text_findings.sources_of(session, versions)
    changes: Sequence[Part] = ()
    if translation and text_findings.is_outdated(translation, source, compared):
        before = compared.get(translation.source_id or 0) or kind_of(name)()
        changes = text_fields.differences(before, source.written)
    return {"source": source, "source_name": languages.name(campaign.language), "changes": changes}


# --- what was saved before ------------------------------------------------------------------------------------------


def history(slug: str, text: str) -> Any:
    """What was saved of a text, the latest first; how one of it differs from what there is now."""
    name = _name(text)
    chosen = request.args.get("version", default=0, type=row_number)
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        versions = text_versions.history(session, campaign, name)
        now = text_versions.latest_of(session, campaign, name)
        before = text_versions.get(session, campaign, name, chosen) if chosen else None
        if chosen and before is None:
            abort(404)
        shown = before.written if before else None
        return render_template(
            "desk/texts/history.html",
            campaign=campaign,
            name=named.name_of(campaign),
            stem=name.stem,
            tag=name.language,
            title=text_fields.title(name),
            direction_of=languages.direction,
            parts_of=text_fields.parts,
            versions=versions,
            names=accounts.names(session, {each.account_id for each in versions if each.account_id}),
            before=before,
            now=now,
            changes=text_fields.differences((now.written if now else None) or kind_of(name)(), shown) if shown else (),
            seen=writing.standing(session, campaign, sender()),
            is_draft=campaign.status is CampaignStatus.DRAFT,
        )


def bring_back(slug: str, text: str) -> Any:
    """Save an earlier version of a text as the latest one."""
    name, chosen = _name(text), request.form.get("version", default=0, type=row_number)
    with site().session(read_only=True) as session:
        before = text_versions.get(session, named.campaign(session, slug), name, chosen)
    if before is None or before.written is None:
        abort(404)
    seen = request.form.get("seen", "")[:_LONGEST_WINDOW]
    try:
        _save(slug, name, Sent(before.written, _saving(), seen))
    except lifecycle.UnknownCampaign:
        abort(404)
    except NoDraft as refused:
        return _lost(refusing.advice(refused), before.written, 409)
    except _REFUSED as refused:
        return _page(slug, name, sent=Sent(before.written, _saving(), seen), refused=refused)
    return redirect(url("desk.texts.write", slug=slug, text=text, saved=1), 303)


# --- forms ----------------------------------------------------------------------------------------------------------


def _sent(name: TextName) -> Sent:
    written = _typed(name, lambda field: request.form.get(field, ""))
    return Sent(written, _saving(), request.form.get("seen", "")[:_LONGEST_WINDOW])


def _typed(name: TextName, read: Callable[[str], str]) -> AnyWritten:
    """What stands in the fields of a text."""
    kind = kind_of(name)
    return kind.of_typed({field: read(field) for field in kind.LONGEST})


def _saving() -> Saving:
    base = request.form.get("base", default=0, type=row_number)
    window = request.form.get("window", "")[:_LONGEST_WINDOW] or None
    turn = request.form.get("turn", default=0, type=row_number)
    source = request.form.get("source", type=row_number)
    return Saving(base=base, at=utcnow(), account_id=visit().account_id, window=window, turn=turn, source=source)


def _is_script() -> bool:
    return request.headers.get("Accept") == _JSON


def _name(written: str) -> TextName:
    """The text that an address names; a page that says so where there is no such."""
    try:
        name = TextName.parse(written)
    except (InvalidLanguage, NoRole):
        abort(404)
    if name.stem != written:
        abort(404)
    return name
