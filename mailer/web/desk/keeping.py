"""What somebody had typed when something came between: it stands in the form again when that is shown next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app, request, url_for

from mailer.organisers import desk_sessions
from mailer.web.site import site

View = Callable[..., Any]
#: in the address of a page that is shown again because something came between
AGAIN = "again"
_TOKEN = "form_token"  # noqa: S105  # the name of a field
#: the field with the address of whoever is looked for: it is kept nowhere, also not until one has signed in
LOOKED_FOR = "supporter-address"


@dataclass(frozen=True, slots=True)
class Kept:
    """A form that was sent, and not taken."""

    page: str  # the path of the page that has it
    fields: Mapping[str, str]

    @classmethod
    def of_request(cls, page: str) -> "Kept":
        """What this request has sent, but for what is secret, and whom somebody looks for.

        :param page: the path of the page that has the form.
        """
        left_out = {_TOKEN, LOOKED_FOR}
        fields = {name: said for name, said in request.form.items() if name not in left_out and not is_secret(name)}
        return cls(page, fields)

    @classmethod
    def from_stored(cls, stored: Any) -> "Kept":
        """What `to_stored` made."""
        return cls(str(stored["page"]), {str(name): str(value) for name, value in stored["fields"].items()})

    def to_stored(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"page": self.page, "fields": dict(self.fields)}


def is_secret(name: str) -> bool:
    """Whether a field is one that no page holds after it was sent, by its name."""
    return "password" in name or name == "code"


def keep(session_id: int, kept: Kept | None) -> None:
    """Have a form be filled in when its page is shown next; None once it was taken.

    :param session_id: in which its sender is signed in.
    """
    with site().session() as session:
        desk_sessions.keep(session, session_id, kept.to_stored() if kept else None)


def endpoint_of(view: View) -> str:
    """What Flask calls a view of the desk."""
    return f"desk.{view.__module__.rpartition('.')[2]}.{view.__name__}"


def page_of(view: View) -> str:
    """The path of the page that has the form which was posted.

    :param view: that shows the page.
    """
    endpoint = endpoint_of(view)
    named = {name for rule in current_app.url_map.iter_rules(endpoint) for name in rule.arguments}
    return url_for(endpoint, **{name: value for name, value in (request.view_args or {}).items() if name in named})
