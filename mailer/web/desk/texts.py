"""Texts: what a draft says in each language, written at the desk, with all that was saved before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import abort, make_response, redirect, render_template, request
from markupsafe import Markup, escape
from sqlalchemy.orm import Session

from mailer.campaigns import kinds, lifecycle, text_versions
from mailer.campaigns.lifecycle import NoDraft
from mailer.campaigns.text_files import Fault
from mailer.campaigns.text_versions import OwnLanguage, SavedMeanwhile, Saving, TooLong, Version, Written
from mailer.errors import MailerError
from mailer.locale import languages
from mailer.locale.languages import InvalidLanguage
from mailer.organisers import accounts, writing
from mailer.organisers.writing import AskedMeanwhile
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus
from mailer.web.desk import choices, differing, insertions, keeping, named, refusing, times
from mailer.web.desk.approving import sender
from mailer.web.desk.differing import Piece
from mailer.web.desk.numbers import row_number
from mailer.web.desk.recent import renderings
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

    tag: str
    name: str
    subject: str
    is_own: bool
    is_unfinished: bool
    is_outdated: bool
    version: int
    saved_at: datetime | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, and how it differs from another."""

    label: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form sent."""

    written: Written
    saving: Saving
    seen: str  # of approval, when the page was made


# --- the list -------------------------------------------------------------------------------------------------------


def browse(slug: str) -> Any:
    """The texts of a draft: which are finished, and which are older than what they were translated from."""
    return _list(slug)


def add(slug: str) -> Any:
    """Begin a translation."""
    try:
        tag = languages.parse(request.form.get("tongue", "").strip())
    except InvalidLanguage:
        return _list(slug, {"tongue": _("No language is known by this name. Choose one from the list.")})
    return redirect(url("desk.texts.write", slug=slug, tag=tag), 303)


def take_out(slug: str, tag: str) -> Any:
    """Have a draft have no text in a language any more."""
    seen = request.form.get("seen", "")[:_LONGEST_WINDOW]
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            writing.take_out(session, campaign, _tag(tag), _saving(), seen=seen, sender=sender(), who=visit().who)
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
            rows=_rows(session, campaign),
            seen=writing.standing(session, campaign, sender()),
            choices=choices.every_language(),
            problems=problems or {},
        )
    return make_response(page, status if problems else 200)


def _rows(session: Session, campaign: Campaign) -> list[Row]:
    versions = text_versions.latest(session, campaign)
    source, compared = versions.get(campaign.language), text_versions.sources_of(session, versions)
    names = accounts.names(session, {each.account_id for each in versions.values() if each.account_id})
    return [
        Row(
            tag=tag,
            name=languages.name(tag),
            subject=each.written.subject,
            is_own=tag == campaign.language,
            is_unfinished=not each.goes_out,
            is_outdated=text_versions.is_outdated(each, source, compared),
            version=each.id,
            saved_at=each.saved_at,
            by=names.get(each.account_id) if each.account_id else None,
        )
        for tag, each in versions.items()
        if each.written is not None
    ]


# --- one of them ----------------------------------------------------------------------------------------------------


def write(slug: str, tag: str) -> Any:
    """One text, to be written; beside a translation, what it is made of."""
    return _page(slug, _tag(tag))


def save(slug: str, tag: str) -> Any:
    """Save a text, finished or not; asked by a script, say so in JSON."""
    tag, sent = _tag(tag), _sent()
    try:
        saved, found, seen = _save(slug, tag, sent)
    except lifecycle.UnknownCampaign:
        return _lost(_("This draft was deleted meanwhile."), sent.written, 404)
    except NoDraft as refused:
        return _lost(refusing.advice(refused), sent.written, 409)
    except _REFUSED as refused:
        return _not_saved(slug, tag, sent, refused)
    if _is_script():
        who = visit()
        if who.kept is not None and who.kept.page == request.path:  # what it filled in is saved now
            keeping.keep(who.session.id, None)
        at = times.in_words(saved.saved_at) if saved.saved_at else ""
        problems = _problems(saved.written or Written(), found)
        return {"version": saved.id, "seen": seen, "saved": _("Saved {time}.", time=at), "problems": problems}
    return redirect(url("desk.texts.write", slug=slug, tag=tag, saved=1), 303)


def _save(slug: str, tag: str, sent: Sent) -> tuple[Version, Sequence[Fault], str]:
    """Save a text; what keeps it from going out; and how it stands with whoever approves then."""
    with site().session(read_only=True) as session, renderings().lent(session):
        found = text_versions.read(session, lifecycle.get(session, slug), tag, sent.written)
    with site().session() as session:
        campaign = lifecycle.get(session, slug)
        saved = writing.save(
            session,
            campaign,
            tag,
            sent.written,
            sent.saving,
            goes_out=not found,
            seen=sent.seen,
            sender=sender(),
            who=visit().who,
        )
        session.flush()
        return saved, found, writing.standing(session, campaign, sender())


def _not_saved(slug: str, tag: str, sent: Sent, refused: MailerError) -> Any:
    """What somebody typed that was not saved, and why."""
    if _is_script():
        return {"refused": refusing.advice(refused)}, 409
    return _page(slug, tag, sent=sent, refused=refused)


def give_back() -> Any:
    """What somebody typed who may not write any more; None where they typed nothing."""
    written = _typed(typed)
    return _lost(_("You may not change texts any more."), written, 404) if written != Written() else None


def _lost(why: str, written: Written, status: int) -> Any:
    """What somebody typed that can be saved nowhere any more."""
    if _is_script():
        return {"refused": why}, status
    return make_response(render_template("desk/texts/lost.html", why=why, written=written), status)


def compare(slug: str, tag: str) -> Any:
    """Say that a translation says what the campaign's own text does now."""
    tag, source = _tag(tag), request.form.get("source", default=0, type=row_number)
    try:
        with site().session() as session:
            campaign = named.campaign(session, slug)
            if text_versions.compare(session, campaign, tag, source):
                writing.write_down(session, campaign, visit().who, {"language": tag})
    except NoDraft as refused:
        return _list(slug, {"form": refusing.advice(refused)}, status=409)
    return redirect(url("desk.texts.write", slug=slug, tag=tag), 303)


def _page(slug: str, tag: str, *, sent: Sent | None = None, refused: MailerError | None = None) -> Any:
    """The page of a text.

    :param sent: what was not saved, and is in the form again.
    """
    with site().session(read_only=True) as session, renderings().lent(session):
        campaign = named.campaign(session, slug)
        if campaign.status is not CampaignStatus.DRAFT:
            why = refusing.advice(NoDraft(slug=slug, status=campaign.status))
            return make_response(render_template("desk/texts/lost.html", why=why, written=None, campaign=campaign), 409)
        versions = text_versions.latest(session, campaign)
        version = versions.get(tag)
        shown = sent.written if sent else (version.written if version else None) or Written()
        kept = visit().kept
        is_kept = sent is None and kept is not None and kept.page == request.path and "body" in kept.fields
        # Whatever it was refused for: whoever presses Save again on this page is taken to have seen what is saved.
        is_theirs = sent is not None and text_versions.is_news(campaign, version, sent.saving)
        faults = text_versions.read(session, campaign, tag, shown) if shown != Written() else []
        page = render_template(
            "desk/texts/write.html",
            campaign=campaign,
            name=named.name_of(campaign),
            rows=_rows(session, campaign),
            tag=tag,
            tongue=languages.name(tag),
            direction_of=languages.direction,
            shown=shown,
            is_kept=is_kept,
            base=version.id if version else 0,
            seen=writing.standing(session, campaign, sender()),
            saved_at=version.saved_at if version else None,
            is_begun=bool(version and version.written is not None),
            problems=_problems(shown, faults),
            refused=refusing.advice(refused) if refused else None,
            theirs=version if is_theirs and version else None,
            by=_by(session, version),
            conflict=_parts(version.written or Written(), shown) if is_theirs and version else (),
            has_versions=bool(version and version.id),
            **_source(session, campaign, tag, versions),
            insertions=insertions.every(campaign),
            longest=(text_versions.LONGEST_LINE, text_versions.LONGEST_BODY),
            prints_targets="targets" in kinds.of(campaign).keys,
        )
    return make_response(page, 409 if refused else 200)


def _by(session: Session, version: Version | None) -> str | None:
    if version is None or version.account_id is None:
        return None
    return accounts.names(session, [version.account_id]).get(version.account_id)


def _source(session: Session, campaign: Campaign, tag: str, versions: Mapping[str, Version]) -> dict[str, Any]:
    """What a translation is made of, and what has changed in it since the two were last compared."""
    source, translation = versions.get(campaign.language), versions.get(tag)
    if tag == campaign.language or source is None or source.written is None:
        return {"source": None, "changes": ()}
    compared = text_versions.sources_of(session, versions)
    changes: Sequence[Part] = ()
    if translation and text_versions.is_outdated(translation, source, compared):
        changes = _parts(compared[translation.source_id or 0], source.written)
    return {"source": source, "source_name": languages.name(campaign.language), "changes": changes}


def _parts(before: Written, after: Written) -> list[Part]:
    """The parts of a text that differ in two versions of it."""
    parts = (
        (_("Subject"), before.subject, after.subject),
        (_("Preview line"), before.preheader, after.preheader),
        (_("Text"), before.body, after.body),
    )
    found = [(label, differing.pieces(was, now)) for label, was, now in parts if was != now]
    return [Part(label, differing.near(pieces)) for label, pieces in found]


def _problems(written: Written, faults: Sequence[Fault]) -> dict[str, Markup]:
    """Field → what keeps a text from going out, as HTML: a part of it may be in another language than the page."""
    empty = {
        "subject": (written.subject, _("There is no subject yet.")),
        "preheader": (written.preheader, _("There is no preview line yet.")),
        "body": (written.body, _("There is no text yet.")),
    }
    problems = {}
    for fault in faults:
        value, words = empty[fault.part]
        if value and fault.part == "body":
            words = _("Line {line}: {problem}", line=fault.line, problem=_in_english(fault.problem))
        elif value:
            words = _in_english(fault.problem)
        problems[fault.part] = escape(words)
    return problems


def _in_english(words: str) -> Markup:
    """What the program says in one language only, as a page in any other has it."""
    return Markup('<span lang="en" dir="ltr">{}</span>').format(words)


# --- what was saved before ------------------------------------------------------------------------------------------


def history(slug: str, tag: str) -> Any:
    """What was saved of a text, the latest first; how one of it differs from what there is now."""
    tag = _tag(tag)
    chosen = request.args.get("version", default=0, type=row_number)
    with site().session(read_only=True) as session:
        campaign = named.campaign(session, slug)
        versions = text_versions.history(session, campaign, tag)
        now = text_versions.latest_of(session, campaign, tag)
        before = text_versions.get(session, campaign, tag, chosen) if chosen else None
        if chosen and before is None:
            abort(404)
        shown = before.written if before else None
        return render_template(
            "desk/texts/history.html",
            campaign=campaign,
            name=named.name_of(campaign),
            tag=tag,
            tongue=languages.name(tag),
            direction_of=languages.direction,
            versions=versions,
            names=accounts.names(session, {each.account_id for each in versions if each.account_id}),
            before=before,
            now=now,
            changes=_parts((now.written if now else None) or Written(), shown) if shown else (),
            seen=writing.standing(session, campaign, sender()),
            is_draft=campaign.status is CampaignStatus.DRAFT,
        )


def bring_back(slug: str, tag: str) -> Any:
    """Save an earlier version of a text as the latest one."""
    tag, chosen = _tag(tag), request.form.get("version", default=0, type=row_number)
    with site().session(read_only=True) as session:
        before = text_versions.get(session, named.campaign(session, slug), tag, chosen)
    if before is None or before.written is None:
        abort(404)
    seen = request.form.get("seen", "")[:_LONGEST_WINDOW]
    try:
        _save(slug, tag, Sent(before.written, _saving(), seen))
    except lifecycle.UnknownCampaign:
        abort(404)
    except NoDraft as refused:
        return _lost(refusing.advice(refused), before.written, 409)
    except _REFUSED as refused:
        return _page(slug, tag, sent=Sent(before.written, _saving(), seen), refused=refused)
    return redirect(url("desk.texts.write", slug=slug, tag=tag, saved=1), 303)


# --- forms ----------------------------------------------------------------------------------------------------------


def _sent() -> Sent:
    written = _typed(lambda name: request.form.get(name, ""))
    return Sent(written, _saving(), request.form.get("seen", "")[:_LONGEST_WINDOW])


def _typed(read: Callable[[str], str]) -> Written:
    """What stands in the fields of a text."""
    return Written.of(*map(read, ("subject", "preheader", "body")))


def _saving() -> Saving:
    base = request.form.get("base", default=0, type=row_number)
    window = request.form.get("window", "")[:_LONGEST_WINDOW] or None
    turn = request.form.get("turn", default=0, type=row_number)
    source = request.form.get("source", type=row_number)
    return Saving(base=base, at=utcnow(), account_id=visit().account_id, window=window, turn=turn, source=source)


def _is_script() -> bool:
    return request.headers.get("Accept") == _JSON


def _tag(written: str) -> str:
    """The language that an address names; a page that says so where there is no such."""
    try:
        tag = languages.normalise(written)
    except InvalidLanguage:
        abort(404)
    if tag != written:
        abort(404)
    return tag
