"""Supporters: one is found by their exact address, seen, changed, erased; and a list is exported. Nothing lists them.

Each look-up stands in the audit log, and leads to a page that works in this session alone: whoever wants to see
somebody again later has to look again, and is counted. No address stands in a link or in the log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from flask import Response, abort, make_response, redirect, render_template, request, stream_with_context
from sqlalchemy.orm import Session

from mailer import links
from mailer.errors import MailerError, ServiceUnavailable
from mailer.formats.tables import SEPARATORS, Dress
from mailer.links import ForgedToken
from mailer.locale import countries, languages
from mailer.mail import addresses
from mailer.mail.addresses import InvalidAddress
from mailer.organisers import desk_sessions
from mailer.people import lists, subscribers, suppression
from mailer.people.mailed_links import DeadLink
from mailer.people.subscribers import MAX_TEXT_LENGTH
from mailer.selfservice import disclosure, on_behalf, preferences
from mailer.selfservice.preferences import PersonalData
from mailer.spreadsheets import exporting
from mailer.store import audit
from mailer.store.crypto import keyring_of
from mailer.store.models import MailingList, Subscriber
from mailer.web import fields, language
from mailer.web.desk import choices, keeping, refusing, supporter_words
from mailer.web.desk.visit import visit
from mailer.web.fields import MAX_ADDRESS_LENGTH
from mailer.web.language import _, url
from mailer.web.site import site

_MOST_WORDS = 2_000
_FORMATS: Mapping[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "json": ("application/json", disclosure.to_json),
    "csv": ("text/csv", disclosure.to_csv),
}


# --- finding somebody, and taking a list along ------------------------------------------------------------------------


def see() -> Response:
    """The form to find somebody with, and the lists that may be taken along."""
    return _page({})


def _page(problems: Mapping[str, str]) -> Response:
    with site().session(read_only=True) as session:
        every = choices.every_list(session)
    page = render_template(
        "desk/supporters/see.html",
        lists=every,
        problems=problems,
        separators=supporter_words.separators(),
        max_address=MAX_ADDRESS_LENGTH,
    )
    return make_response(page, 422 if problems else 200)


def find() -> Response:
    """Look for who has an address, and write down that somebody did."""
    try:
        address = addresses.parse(request.form.get(keeping.LOOKED_FOR, "").strip())
    except InvalidAddress as mistake:
        return _page({keeping.LOOKED_FOR: refusing.advice(mistake)})
    with site().session() as session:
        person = subscribers.find(session, address.text)
        reason = suppression.reason(session, keyring_of(session).blind_index(address.folded))
        _note(session, "subscribers.find", person.id if person else None)
    if person is None:
        return _page({keeping.LOOKED_FOR: supporter_words.unknown(reason)})
    return _to(person.id)


def export_list() -> Response:
    """Everybody on a list, as a file that comes while it is made: nothing of it is written to a disk here."""
    slug, separator = request.form.get("list", ""), SEPARATORS.get(request.form.get("separator", ""))
    if separator is None:
        abort(400)
    with site().session() as session:
        if lists.find(session, slug) is None:
            return _page({"list": _("Choose a list.")})
        audit.append(session, "subscribers.export", visit().who, kind="list", subject=slug)
    dress = Dress(delimiter=separator, bom=True)

    def parts() -> Iterator[str]:
        with site().session(read_only=True) as session:
            yield from exporting.in_parts(session, slug, dress=dress)

    return _file(stream_with_context(parts()), "text/csv", f"{slug}.csv")


def _file(content: Iterator[str] | str, kind: str, name: str) -> Response:
    response = Response(content, content_type=f"{kind}; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


# --- one of them ------------------------------------------------------------------------------------------------------


def one(token: str) -> Response:
    """All about somebody, and what may be done."""
    return _person(token, {})


def _person(token: str, problems: Mapping[str, str]) -> Response:
    with _of(token, read_only=True) as (session, person):
        held = preferences.see(session, person.id)
        sections = supporter_words.sections(disclosure.about(session, person.id))
        union_names = fields.union_names(session, held.country)
        every = lists.all_lists(session)
        number = person.id
    page = render_template(
        "desk/supporters/one.html",
        token=token,
        number=number,
        held=held,
        seen=on_behalf.mark(held),
        sections=sections,
        blocked=supporter_words.blocked(held.blocked),
        can_join=_can_join(every, held),
        countries=[("", _("Not known")), *countries.all_in(language.current())],
        languages=[("", _("That of each mail")), *_languages(held)],
        union_names=union_names,
        max_text=MAX_TEXT_LENGTH,
        max_words=_MOST_WORDS,
        problems=problems,
    )
    return make_response(page, 422 if problems else 200)


def _can_join(every: Sequence[MailingList], held: PersonalData) -> list[tuple[str, str]]:
    on = {each.slug for each in held.memberships if each.is_on}
    return [(each.slug, each.name) for each in every if each.slug not in on]


def _languages(held: PersonalData) -> list[tuple[str, str]]:
    own = [held.language] if held.language and held.language not in language.LANGUAGES else []
    return [(tag, languages.name(tag)) for tag in (*own, *language.LANGUAGES)]


@contextmanager
def _of(token: str, *, read_only: bool = False) -> Iterator[tuple[Session, Subscriber]]:
    """Whom a link of this session is about; a page that says so where there is nobody any more."""
    with site().session(read_only=read_only) as session:
        try:
            subscriber_id = links.verify_within(keyring_of(session), desk_sessions.once(visit().session), token)
        except ForgedToken:
            abort(404)
        person = session.get(Subscriber, subscriber_id)
        if person is None:
            abort(404)
        yield session, person


def _to(subscriber_id: int, done: str | None = None) -> Response:
    token = links.sign_within(site().settings.keyring, desk_sessions.once(visit().session), subscriber_id)
    return make_response(redirect(url("desk.supporters.one", token=token, done=done), 303))


def _note(session: Session, action: str, subscriber_id: int | None, **lists_named: str) -> None:
    """Write down what was done about somebody: by their number, and only the day."""
    details = {} if subscriber_id is None else {"supporter": str(subscriber_id)}
    audit.append(session, action, visit().who, details={**details, **lists_named} or None, day_only=True)


def change(token: str) -> Response:
    """Change name, country, language and union."""

    def act(session: Session, person: Subscriber) -> None:
        form = request.form
        on_behalf.describe(
            session,
            person.id,
            seen=form.get("seen", ""),
            name=form.get("name", ""),
            country=form.get("country", ""),
            language=form.get("language", ""),
            union=form.get("union", ""),
            union_words=form.get("union-words", "")[:_MOST_WORDS],
        )
        _note(session, "subscribers.change", person.id)

    return _do(token, act, done="change")


def take_off(token: str) -> Response:
    """Take somebody off a list, or off all."""
    slug, is_all = request.form.get("list") or None, "all" in request.form
    if is_all is (slug is not None):  # neither, or both
        abort(400)

    def act(session: Session, person: Subscriber) -> None:
        left = on_behalf.unsubscribe(session, person.email, slug, fallbacks=site().settings.language_fallbacks)
        if left or slug is None:
            _note(session, "subscribers.unsubscribe", person.id, **({"list": slug} if slug else {}))

    return _do(token, act, done="left")


def add(token: str) -> Response:
    """Mail somebody a link to confirm that they want to be on a list."""
    slug, consent = request.form.get("list", ""), request.form.get("consent", "")[:_MOST_WORDS]
    mailed = False

    def act(session: Session, person: Subscriber) -> None:
        nonlocal mailed
        mailed = on_behalf.add(
            session,
            person.email,
            [slug],
            consent=consent,
            name=person.name,
            country=person.country,
            language=person.language or "en",
        )
        _note(session, "subscribers.add", person.id, list=slug)

    answer = _do(token, act, done="asked")
    return answer if mailed or answer.status_code != 303 else _to_again(token)


def _to_again(token: str) -> Response:
    return make_response(redirect(url("desk.supporters.one", token=token, done="asked-before"), 303))


def export(token: str) -> Response:
    """All about somebody as a file."""
    kind, write = _FORMATS.get(request.form.get("as", ""), (None, None))
    if kind is None or write is None:
        abort(400)
    with _of(token) as (session, person):
        held = disclosure.about(session, person.id)
        _note(session, "subscribers.export", person.id)
    return _file(write(held), kind, f"supporter.{request.form['as']}")


def prepare_erasing(token: str) -> Response:
    """What goes and what stays where somebody is erased."""
    with _of(token, read_only=True) as (session, person):
        held = preferences.see(session, person.id)
    return make_response(render_template("desk/supporters/prepare_erasing.html", token=token, held=held))


def erase(token: str) -> Response:
    """Erase somebody, everywhere."""
    with _of(token) as (session, person):
        subscriber_id = person.id
        try:
            preferences.erase(session, subscriber_id)
        except DeadLink:  # somebody else did at this moment
            abort(404)
        _note(session, "subscribers.erase", subscriber_id)
    return make_response(redirect(url("desk.supporters.see", done="erased"), 303))


def _do(token: str, act: Callable[[Session, Subscriber], None], *, done: str) -> Response:
    try:
        with _of(token) as (session, person):
            act(session, person)
    except ServiceUnavailable:
        raise
    except MailerError as refused:
        return _person(token, supporter_words.refusal(refused))
    return make_response(redirect(url("desk.supporters.one", token=token, done=done), 303))
