"""What a union gets to forward, what it says of it, and what came of that. Behind signed links, which name nobody."""

from dataclasses import dataclass
from datetime import date
from io import BytesIO

from babel.dates import format_skeleton
from flask import Blueprint, Response, abort, redirect, render_template, request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns.correspondence import HEADINGS
from mailer.formats import charts
from mailer.kits import answers, pages
from mailer.kits.answers import AnswerPage, AnswerStands, InvalidReach, UnionAnswer
from mailer.kits.messages import letter_in
from mailer.kits.pages import KitPage, NoKit, NothingToForward, Withdrawn
from mailer.links import Link
from mailer.locale import languages
from mailer.reports import unions
from mailer.reports.unions import NoResults, UnionResults
from mailer.store.models import Kit, TargetRole, Union
from mailer.unions import generations
from mailer.web import errors, fields, security
from mailer.web.fields import Mistyped
from mailer.web.language import _, current, current_locale, prefer, url
from mailer.web.public.joining import logo_address
from mailer.web.site import site

forwarding = Blueprint("forwarding", __name__)

#: what is in a kit → what kind of file that is; texts are UTF-8
_TYPES = {
    "mail.eml": "message/rfc822",
    "mail.html": "text/html",
    "mail.txt": "text/plain",
    "messenger-short.txt": "text/plain",
    "messenger-medium.txt": "text/plain",
    "leaflet.pdf": "application/pdf",
    "picture.png": "image/png",
}
_PICTURE = "picture.png"
_PAPER = frozenset({"leaflet.pdf", _PICTURE})


# --- a kit ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edition:
    """A kit in one language, as its page shows it."""

    language: str
    name: str  # of the language, as its speakers call it
    is_own: bool  # one of the union's
    is_open: bool  # else behind its name
    files: tuple[str, ...]  # to download, by name; none while it is being made, or where it cannot be
    texts: tuple[str, str] | None  # for messengers: short, medium
    has_paper: bool
    has_failed: bool


@forwarding.get("/kit/<token>")
def kit(token: str) -> ResponseReturnValue:
    """Everything to forward, and the three things that a union may say of it."""
    kit_id = _kit(token)
    try:
        return _show(token, kit_id)
    except NoKit as gone:
        return _gone(gone)


@forwarding.post("/kit/<token>")
def answer(token: str) -> ResponseReturnValue:
    """Keep what a union says of a kit."""
    kit_id = _kit(token)
    try:
        return _answer(token, kit_id)
    except NoKit as gone:
        return _gone(gone)


def _kit(token: str) -> int:
    kit_id, generation = links.split_generation(links.verify(site().settings.keyring, Link.KIT, token))
    with site().session(read_only=True) as session:
        kit = session.get(Kit, kit_id)
        generations.require_current(kit.union if kit else None, generation)
    return kit_id


def _gone(gone: NoKit | NothingToForward) -> ResponseReturnValue:
    if isinstance(gone, Withdrawn):
        return errors.explain_withdrawn()
    return render_template("forwarding/gone.html"), 410


def _answer(token: str, kit_id: int) -> ResponseReturnValue:
    said, typed = request.form.get("answer"), request.form.get("reached", "")
    if said not in list(UnionAnswer):
        abort(400)
    try:
        reached = fields.number(typed) if said == UnionAnswer.FORWARDED else None
        with site().session() as session:
            answers.answer(session, kit_id, UnionAnswer(said), reached=reached, base_url=site().settings.base_url)
    except NothingToForward:
        return _show(token, kit_id), 410
    except AnswerStands:
        return _show(token, kit_id), 409  # the page says how it can be changed
    except Mistyped as mistake:
        return _show(token, kit_id, typed, mistake.advice), 422
    except InvalidReach:
        return _show(token, kit_id, typed, _no_such_reach()), 422
    return redirect(url("forwarding.kit", token=token, noted=1), 303)


def _no_such_reach() -> str:
    return _("Enter about how many members it reached, such as 250.")


def _show(token: str, kit_id: int, typed: str | None = None, problem: str | None = None) -> str:
    with site().session(read_only=True) as session:
        page = pages.look(session, kit_id, base_url=site().settings.base_url)
        logo = _logo(session, page)
        if page.own_languages:
            prefer(page.languages[0])
        words = pages.words(session, kit_id, current())
    security.allow_our_script()
    return render_template(
        "forwarding/kit.html",
        token=token,
        page=page,
        words=words,
        logo=logo,
        editions=_editions(page),
        labels=_labels(page),
        picture=_PICTURE,
        reached=typed if typed is not None else page.reached,
        problems={"reached": problem} if problem else {},
        is_noted="noted" in request.args,
        max_number=fields.MAX_NUMBER_LENGTH,
    )


def _logo(session: Session, page: KitPage) -> str | None:
    return logo_address(session.get(Union, page.union_id)) if page.union_id and page.union_name else None


def _editions(page: KitPage) -> list[_Edition]:
    opened = page.languages[: page.own_languages] or [current() if current() in page.languages else page.languages[0]]
    return [
        _Edition(
            language=language,
            name=languages.name(language),
            is_own=language in page.languages[: page.own_languages],
            is_open=language in opened,
            # A letter is in a language that its target reads, so it is the same one in each kit: shown where one looks.
            files=tuple(
                name
                for name in _labels(page)
                if name in page.files.get(language, ()) and (language in opened or letter_in(name) is None)
            ),
            texts=page.texts.get(language),
            has_paper=_PAPER.issubset(page.files.get(language, ())),
            has_failed=language in page.problems,
        )
        for language in page.languages
    ]


def _labels(page: KitPage) -> dict[str, str]:
    """What the page calls the files that it offers, in this order."""
    there = dict.fromkeys(name for names in page.files.values() for name in names)
    return {
        "mail.eml": _("Draft e-mail (EML)"),
        "mail.html": _("E-mail to paste (HTML)"),
        "mail.txt": _("E-mail as plain text"),
        "leaflet.pdf": _("Leaflet to print (PDF)"),
        _PICTURE: _("Picture (PNG)"),
        **{name: _label(*letter) for name in there if (letter := letter_in(name))},
    }


def _label(role: TargetRole, language: str) -> str:
    """What the page calls a letter."""
    return f"{_(HEADINGS[role])} ({languages.name(language)})"


@forwarding.get("/kit/<token>/<edition>/<file>")
def kit_file(token: str, edition: str, file: str) -> ResponseReturnValue:
    """One file of a kit, in the language `edition`."""
    kit_id = _kit(token)
    if file not in _TYPES and letter_in(file) is None:
        abort(404)
    with site().session(read_only=True) as session:
        try:
            content = pages.file(session, kit_id, edition, file)
        except NothingToForward:
            return _show(token, kit_id), 410
        except NoKit:
            return _missing(session, kit_id)
        name = f"{_slug(session, kit_id)}-{edition}-{file}"
    return _download(content, name, _TYPES.get(file, "text/plain"))


@forwarding.get("/kit/<token>/kit.zip")
def kit_archive(token: str) -> ResponseReturnValue:
    """All of a kit at once."""
    kit_id = _kit(token)
    with site().session(read_only=True) as session:
        try:
            content = pages.archive(session, kit_id)
        except NothingToForward:
            return _show(token, kit_id), 410
        except NoKit:
            return _missing(session, kit_id)
        name = f"{_slug(session, kit_id)}-kit.zip"
    return _download(content, name, "application/zip")


def _missing(session: Session, kit_id: int) -> ResponseReturnValue:
    """Tell a kit that is gone from one that never had such a file, or has it not yet."""
    try:
        pages.look(session, kit_id, base_url=site().settings.base_url)
        abort(404)
    except NoKit as gone:
        return _gone(gone)


def _slug(session: Session, kit_id: int) -> str:
    return session.get_one(Kit, kit_id).campaign.slug


def _download(content: bytes, name: str, mimetype: str) -> Response:
    # A picture that a page shows is shown all the same.
    return send_file(BytesIO(content), mimetype=mimetype, as_attachment=True, download_name=name)


# --- changing an answer ---------------------------------------------------------------------------------------------


@forwarding.post("/kit/<token>/link")
def mail_link(token: str) -> ResponseReturnValue:
    """Mail the union's contacts a link to change what it said. No stamp: one button, which one may press at once."""
    kit_id = _kit(token)
    try:
        with site().session() as session:
            answers.mail_links(session, kit_id, base_url=site().settings.base_url)
    except NothingToForward:
        return _show(token, kit_id), 410
    except NoKit as gone:
        return _gone(gone)
    return redirect(url("forwarding.link_sent"), 303)


@forwarding.get("/answer/sent")
def link_sent() -> str:
    """Say what to do next, the same to everybody."""
    return render_template("forwarding/link_sent.html")


@forwarding.get("/answer/<token>")
def correct(token: str) -> ResponseReturnValue:
    """The form to change how many a kit reached."""
    try:
        with site().session(read_only=True) as session:
            found = answers.look(session, token)
    except (NoKit, NothingToForward) as gone:
        return _gone(gone)
    return _show_answer(token, found)


@forwarding.post("/answer/<token>")
def change(token: str) -> ResponseReturnValue:
    """Change it, and tell all of the union's contacts."""
    typed = request.form.get("reached", "")
    try:
        reached = fields.number(typed)
        if reached is None:
            raise InvalidReach(reached=typed)
        with site().session() as session:
            answers.change(session, token, reached, base_url=site().settings.base_url)
    except (Mistyped, InvalidReach):
        return _ask_again(token, typed, _no_such_reach())
    except (NoKit, NothingToForward) as gone:
        return _gone(gone)
    return redirect(url("forwarding.correct", token=token), 303)


def _ask_again(token: str, typed: str, problem: str) -> ResponseReturnValue:
    try:
        with site().session(read_only=True) as session:
            found = answers.look(session, token)
    except (NoKit, NothingToForward) as gone:
        return _gone(gone)
    return _show_answer(token, found, typed, problem), 422


def _show_answer(token: str, found: AnswerPage, typed: str | None = None, problem: str | None = None) -> str:
    prefer(found.language)
    return render_template(
        "forwarding/correct.html",
        token=token,
        answer=found,
        reached=typed if typed is not None else found.reached,
        problems={"reached": problem} if problem else {},
        max_number=fields.MAX_NUMBER_LENGTH,
    )


# --- results --------------------------------------------------------------------------------------------------------


@forwarding.get("/results/<token>")
def results(token: str) -> ResponseReturnValue:
    """What a union's forwarding brought; of a federation, what that of its unions brought too."""
    union_id, generation = _union(token)
    found = _results(union_id)
    if found is None:
        return render_template("forwarding/no_results.html"), 410
    keyring = site().settings.keyring
    return render_template(
        "forwarding/results.html",
        token=token,
        results=found,
        kits=[
            (kit, links.sign(keyring, Link.KIT, links.with_generation(kit.kit_id, generation))) for kit in found.kits
        ],
        months=[(_month(month, "yMMMM"), joined) for month, joined in found.joined.items()],
    )


@forwarding.get("/results/<token>/chart.svg")
def results_chart(token: str) -> ResponseReturnValue:
    """Who joined through a union's link, month by month, as a picture."""
    union_id, _generation = _union(token)
    found = _results(union_id)
    if found is None:
        abort(404)
    rows = [(_month(month, "yMMM"), joined) for month, joined in found.joined.items()]
    svg = charts.bars(
        _("Signed up through your link"),
        rows,
        hidden=_("under 10"),
        empty=_("Nobody has signed up through your link in these twelve months."),
    )
    return Response(svg, content_type="image/svg+xml; charset=utf-8")


def _union(token: str) -> tuple[int, int]:
    """The union that a link is for, and the generation of that link, which is the latest."""
    union_id, generation = links.split_generation(links.verify(site().settings.keyring, Link.UNION, token))
    with site().session(read_only=True) as session:
        generations.require_current(session.get(Union, union_id), generation)
    return union_id, generation


def _results(union_id: int) -> UnionResults | None:
    try:
        with site().session(read_only=True) as session:
            return unions.results(session, union_id)
    except NoResults:
        return None


def _month(month: str, skeleton: str) -> str:
    """A month as the reader writes it.

    :param month: "2035-04".
    :param skeleton: CLDR's name for the form.
    """
    return str(format_skeleton(skeleton, date.fromisoformat(f"{month}-01"), locale=current_locale()))
