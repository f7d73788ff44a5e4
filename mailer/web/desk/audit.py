"""The audit log: who did what, to what, and when."""

from flask import render_template, request

from mailer.organisers import log
from mailer.web.desk import audit_words
from mailer.web.desk.numbers import row_number
from mailer.web.site import site

_PAGE = 50


def see() -> str:
    """A page of the log, the newest first; of one thing or one person, if asked."""
    kind, subject = (request.args.get(name, "").strip() or None for name in ("kind", "subject"))
    account_id = request.args.get("account", type=row_number)
    before = request.args.get("before", type=row_number)
    with site().session(read_only=True) as session:
        lines = log.page(session, before=before, limit=_PAGE + 1, kind=kind, subject=subject, account_id=account_id)
        people = log.people(session)
    shown = lines[:_PAGE]
    chosen = {"kind": kind, "subject": subject, "account": account_id}
    return render_template(
        "desk/audit/see.html",
        lines=shown,
        older=shown[-1].number if len(lines) > _PAGE else None,
        before=before,
        chosen={name: value for name, value in chosen.items() if value is not None},
        people=people,
        kinds=audit_words.kinds(),
        words=audit_words,
    )
