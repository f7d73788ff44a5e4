"""Mailgun. Fields and signature: its documentation, "Webhooks", "Securing webhooks" and "Event structure"."""

import hmac
from collections.abc import Sequence
from datetime import datetime

from mailer.mail.feedback.types import Category, Feedback, Kind
from mailer.mail.webhooks import documents, judging
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.proofs import require_fresh
from mailer.mail.webhooks.types import Post, Report, Unproven

#: what Mailgun calls a failure that says nothing final of the address
_SOFT = {"old": Category.TEMPORARY, "greylisted": Category.TEMPORARY, "espblock": Category.POLICY}


class Mailgun:
    """Reads what Mailgun posts."""

    def __init__(self, keys: Sequence[str]) -> None:
        """:param keys: HTTP webhook signing keys, of which each counts."""
        self._keys = keys

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """As `Hook.read`. Mailgun signs a time and a token, and not what it says: so each event is known by its token,
        and what comes with the same token again acts no more, whatever it says then.
        """
        posted = documents.parse(post.body)
        token = self._signed_token(documents.at(posted, "signature"), now)
        event = documents.at(posted, "event-data")
        feedback = _feedback(event)
        if feedback is None:  # perhaps that somebody reads: it is remembered without a word of which mail it is about
            nothing = Feedback(Kind.OTHER, "Mailgun: nothing that we want to know")
            return (Report(nothing, token, must_be_kept=True),)
        given_back = text(event, "user-variables", "tocsin")
        message_id = text(event, "message", "headers", "message-id")
        return (Report(feedback, token, token=given_back, message_id=message_id, must_be_kept=True),)

    def _signed_token(self, signature: object, now: datetime) -> str:
        written, token, given = (text(signature, name) for name in ("timestamp", "token", "signature"))
        require_fresh(written, now)
        content = f"{written}{token}".encode("utf-8", "replace")
        signatures = (hmac.digest(key.encode(), content, "sha256").hex().encode() for key in self._keys)
        if not token or not any(hmac.compare_digest(given.encode("utf-8", "replace"), each) for each in signatures):
            raise Unproven(why="its signature is wrong, or of another key than in MAILER_HOOKS_MAILGUN_FILE")
        # Where the time ends and the token begins is not signed: so what is remembered is both.
        return f"{written}{token}"


def _feedback(event: object) -> Feedback | None:
    match text(event, "event"):
        case "failed":
            return _failure(event)
        case "rejected":
            return judging.not_tried("Mailgun: rejected")
        case "complained":
            return judging.complaint("Mailgun: complained")
        case "unsubscribed":
            return judging.wish_to_leave("Mailgun: unsubscribed")
        case _:
            return None


def _failure(event: object) -> Feedback:
    severity, reason = text(event, "severity"), text(event, "reason")
    says = f"Mailgun: {severity} {reason}".rstrip()
    words = text(event, "delivery-status", "message") or text(event, "delivery-status", "description")
    code = documents.number(event, "delivery-status", "code")
    if reason.startswith("suppress-") or (code is not None and 605 <= code <= 607):
        return judging.not_tried(says)
    if severity != "permanent":
        return judging.delayed(says, words)
    if reason in _SOFT:
        return judging.bounce(judging.soft(words, code=code, otherwise=_SOFT[reason]), says)
    meaning = judging.hard(words, code=code) if reason == "bounce" else judging.refusal(words, code=code)
    return judging.bounce(meaning, says)
