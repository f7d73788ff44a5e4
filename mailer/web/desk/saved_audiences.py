"""Saved audiences: whom campaigns may be for, under names. Each is renamed or deleted here, and chosen on a draft's
page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Response, make_response, redirect, render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import saved_audiences
from mailer.errors import MailerError
from mailer.store.models import SavedAudience, Union
from mailer.web.desk import contents
from mailer.web.desk.contents import Line
from mailer.web.desk.visit import record, typed
from mailer.web.language import _, url
from mailer.web.site import site


@dataclass(frozen=True, slots=True)
class Kept:
    """A saved audience, in words."""

    id: int
    name: str
    lines: Sequence[Line]
    gone: Sequence[str]  # what it names, and there is no more
    owner: str | None  # the union whose lists it is for


def see() -> Response:
    """All of them, whom each means, and what it names that is gone."""
    return _page({})


def rename(audience_id: int) -> Response:
    """Call one something else."""
    return _do(audience_id, "rename", lambda session: saved_audiences.rename(session, audience_id, typed("name")))


def delete(audience_id: int) -> Response:
    """Forget one. A second press finds it gone."""
    return _do(audience_id, "delete", lambda session: saved_audiences.delete(session, audience_id))


def _do(audience_id: int, what: str, act: Callable[[Session], object]) -> Response:
    try:
        with site().session() as session:
            act(session)
            record(session, f"audiences.{what}", audience_id, kind="audience")
    except saved_audiences.UnknownAudience:
        pass  # somebody else was quicker: the page shows those that there are
    except MailerError as problem:
        return _page({f"name-{audience_id}": why(problem)})
    return make_response(redirect(url("desk.saved_audiences.see"), 303))


def _page(problems: dict[str, str]) -> Response:
    with site().session(read_only=True) as session:
        owners = {row.id: row.name for row in session.execute(select(Union.id, Union.name))}
        saved = session.scalars(select(SavedAudience)).all()
        shown = [in_words(session, each, owners.get(each.owner_id or 0)) for each in saved]
    shown.sort(key=lambda each: (each.owner or "", each.name.casefold()))
    page = render_template("desk/saved_audiences/see.html", saved=shown, problems=problems, renamed=typed("name"))
    return make_response(page, 422 if problems else 200)


def in_words(session: Session, saved: SavedAudience, owner: str | None) -> Kept:
    """A saved audience, for a page.

    :param owner: the name of the union whose lists it is for.
    """
    gone = saved_audiences.gone(session, saved)
    return Kept(saved.id, saved.name, contents.of_audience(saved.audience), gone, owner)


def why(problem: MailerError) -> str:
    """Why an audience was not saved, or not called so, and what to do."""
    if isinstance(problem, saved_audiences.NamelessAudience):
        return _("Type a name of at most 100 characters.")
    if isinstance(problem, saved_audiences.AudienceExists):
        return _("There is an audience of that name already. Choose another name, or delete that one first.")
    if isinstance(problem, saved_audiences.TooManyAudiences):
        return _("There are 200 saved audiences already. Delete one that nobody needs any more.")
    return str(problem)
