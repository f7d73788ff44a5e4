"""Brevo. Fields and proof: its documentation, "Transactional webhooks" and "Secure webhook calls"."""

from collections.abc import Sequence
from datetime import datetime

from mailer.mail.feedback.types import Category, Feedback
from mailer.mail.webhooks import documents, judging
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.proofs import require_token
from mailer.mail.webhooks.types import Post, Report

#: Brevo numbers no events; what it calls `id` is the same for all
_KNOWN_BY = ("event", "message-id", "email", "ts_epoch", "ts_event")


class Brevo:
    """Reads what Brevo posts."""

    def __init__(self, tokens: Sequence[str]) -> None:
        """:param tokens: bearer tokens of the webhook, of which each counts."""
        self._tokens = tokens

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """As `Hook.read`. Brevo signs nothing, so there is no time to judge by."""
        require_token(post, self._tokens)
        return [report for event in documents.events(post.body) if (report := _report(event)) is not None]


def _report(event: object) -> Report | None:
    feedback = _feedback(event)
    if feedback is None:
        return None
    key = " ".join(text(event, name) for name in _KNOWN_BY)
    return Report(feedback, key, token=text(event, "X-Mailin-custom"), message_id=text(event, "message-id"))


def _feedback(event: object) -> Feedback | None:
    name, words = text(event, "event"), text(event, "reason")
    says = f"Brevo: {name}"
    match name:
        case "hard_bounce" | "invalid_email":
            return judging.bounce(judging.hard(words), says)
        case "soft_bounce":
            return judging.bounce(judging.soft(words, otherwise=Category.TEMPORARY), says)
        case "blocked" | "error":
            return judging.not_tried(says)
        case "deferred":
            return judging.delayed(says, words)
        case "spam" | "complaint":
            return judging.complaint(says)
        case "unsubscribed":
            return judging.wish_to_leave(says)
        case _:
            return None
