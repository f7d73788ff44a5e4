"""Imports: a file of supporters is uploaded, said what it is for, looked at, imported by a worker, and taken back."""

from collections.abc import Callable, Iterator, Mapping

from flask import Response, abort, make_response, redirect, render_template, request
from sqlalchemy.orm import Session

from mailer.errors import MailerError, ServiceUnavailable
from mailer.people import lists
from mailer.spreadsheets import uploads
from mailer.spreadsheets.importing import Asked
from mailer.spreadsheets.uploads import Store, UnknownImport
from mailer.store.models import Import
from mailer.store.sealed_files import open_sealed
from mailer.web import uploading
from mailer.web.desk import choices, import_words
from mailer.web.desk.visit import record, visit
from mailer.web.language import _, url
from mailer.web.site import site

_MOST_WORDS = 2_000
_MOST_COLUMNS = 2_000  # characters of their names
_MOST_ONLY = 200  # of a column by which rows are chosen, and of its value
_PIECE = 64 * 1024
_MOVES = frozenset(uploads.WORK)


def _store() -> Store:
    return Store.of(site().settings.data_dir, site().settings.keyring)


def see() -> Response:
    """The form to upload a file with, and the imports of the last days."""
    problem = {"file": import_words.too_large()} if request.args.get("problem") == "size" else {}
    return _page(problem)


def _page(problems: Mapping[str, str]) -> Response:
    with site().session(read_only=True) as session:
        latest = uploads.latest(session)
        has_lists = bool(lists.all_lists(session))
    page = render_template(
        "desk/imports/see.html", imports=latest, has_lists=has_lists, words=import_words, problems=problems
    )
    return make_response(page, 422 if problems else 200)


def upload() -> Response:
    """Take a file in: it is sealed while it comes, and waits to be told what it is for."""
    came = uploading.taken()
    if came is None or came.size == 0:
        return _page({"file": _("Choose a file first. An empty one cannot be imported.")})
    name = request.files["file"].filename or "" if "file" in request.files else ""
    try:
        with site().session() as session:
            begun = uploads.begin(session, visit().account_id, name=name, file=came.name)
            record(session, "imports.upload", begun.id, kind="import")
            import_id = begun.id
    except uploads.TooMany as refused:
        return _page(import_words.refusal(refused))
    came.is_wanted = True
    return _to(import_id)


def _to(import_id: int) -> Response:
    return make_response(redirect(url("desk.imports.one", import_id=import_id), 303))


def one(import_id: int) -> Response:
    """How an import stands, and what comes next."""
    return _one(import_id, {})


def _one(import_id: int, problems: Mapping[str, str]) -> Response:
    with site().session(read_only=True) as session:
        found = _get(session, import_id)
        every = choices.every_list(session)
    page = render_template(
        "desk/imports/one.html",
        each=found,
        moves=found.state in _MOVES,
        is_own=found.account_id == visit().account_id,
        lists=every,
        words=import_words,
        terms_of=found.terms or {},
        most_words=_MOST_WORDS,
        most_only=_MOST_ONLY,
        problems=problems,
    )
    return make_response(page, 422 if problems else 200)


def _get(session: Session, import_id: int) -> Import:
    try:
        return uploads.get(session, import_id)
    except UnknownImport:
        abort(404)


def follow(import_id: int) -> Response:
    """How far it is; once it is further than that, the whole page."""
    with site().session(read_only=True) as session:
        found = _get(session, import_id)
    is_same = request.args.get("seen") == found.state
    response = make_response(render_template("desk/imports/follow.html", each=found, words=import_words, moves=is_same))
    if not is_same:
        response.headers["HX-Refresh"] = "true"
    return response


def ask(import_id: int) -> Response:
    """Say what a file is for, and have a worker look at what it would do."""
    form = request.form
    union_consent = form.get("union-consent", "").strip()[:_MOST_WORDS] or None
    ignored = form.get("ignored", "")[:_MOST_COLUMNS].splitlines()
    column, value = (form.get(name, "").strip()[:_MOST_ONLY] for name in ("only-column", "only-value"))
    if value and not column:
        return _one(import_id, {"only-column": _("Name the column in which this value stands.")})
    asked = Asked(
        list_slug=form.get("list", ""),
        consent=form.get("consent", "").strip()[:_MOST_WORDS],
        union_consent=union_consent,
        update=bool(form.get("update")),
        ignored=tuple(each.strip() for each in ignored if each.strip()),
        only=((column, value),) if column else (),
    )

    def act(session: Session) -> None:
        uploads.ask(session, import_id, asked)
        # It says who is on that list, as looking for an address does.
        record(session, "imports.look", asked.list_slug, kind="list", details={"import": import_id})

    return _do(import_id, act)


def confirm(import_id: int) -> Response:
    """Have it imported."""

    def act(session: Session) -> None:
        found = uploads.confirm(session, import_id)
        record(session, "subscribers.import", found.terms["list_slug"], kind="list", details={"import": import_id})

    return _do(import_id, act)


def drop(import_id: int) -> Response:
    """Import nothing of it, and delete the file."""
    files: list[str | None] = []

    def act(session: Session) -> None:
        files.append(uploads.drop(session, import_id))
        record(session, "imports.drop", import_id, kind="import")

    answer = _do(import_id, act)
    for file in files:
        _store().drop(file)
    return answer


def rejects(import_id: int) -> Response:
    """The lines that were not imported as they stand, for whoever uploaded the file."""
    with site().session() as session:
        found = _get(session, import_id)
        if found.rejects is None or found.account_id != visit().account_id:
            abort(404)
        name = found.rejects
        record(session, "imports.rejects", import_id, kind="import")
    try:
        file = open_sealed(_store().path(name), site().settings.keyring)
    except OSError:  # on another machine, or its time is over
        abort(404)

    def parts() -> Iterator[bytes]:
        with file:
            while piece := file.read(_PIECE):
                yield piece

    response = Response(parts(), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"rejects-{import_id}.csv")
    return response


def take_back(import_id: int) -> Response:
    """Have those go again whom it added."""

    def act(session: Session) -> None:
        found = uploads.take_back(session, import_id)
        record(session, "imports.take_back", found.terms["list_slug"], kind="list", details={"import": import_id})

    return _do(import_id, act)


def _do(import_id: int, act: Callable[[Session], None]) -> Response:
    try:
        with site().session() as session:
            _get(session, import_id)
            act(session)
    except ServiceUnavailable:
        raise
    except MailerError as refused:
        return _one(import_id, import_words.refusal(refused))
    return _to(import_id)
