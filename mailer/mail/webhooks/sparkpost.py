"""SparkPost. Fields: its documentation, "Webhook Event Reference" and "Bounce Classification Codes"."""

from collections.abc import Sequence
from datetime import datetime

from mailer.mail.feedback.types import Category, Feedback, Kind
from mailer.mail.webhooks import documents, judging
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.proofs import require_login
from mailer.mail.webhooks.types import Post, Report

_HARD = frozenset({"10", "30", "90"})
_NOT_TRIED = frozenset({"25", "26"})  # a rule or a list of SparkPost's own
#: what other classes mean if the words of the server do not tell
_SOFT = {
    "20": Category.TEMPORARY,
    "21": Category.TEMPORARY,  # the DNS did not answer
    "22": Category.FULL,
    "23": Category.SIZE,
    "24": Category.TEMPORARY,
    "50": Category.POLICY,
    "51": Category.POLICY,
    "52": Category.CONTENT,
    "53": Category.CONTENT,
    "54": Category.RELAY,
    "70": Category.TEMPORARY,
}


class SparkPost:
    """Reads what SparkPost posts."""

    def __init__(self, logins: Sequence[str]) -> None:
        """:param logins: `user:password`, of which each counts."""
        self._logins = logins

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """As `Hook.read`. SparkPost signs nothing, so there is no time to judge by."""
        require_login(post, self._logins)
        return [report for event in documents.events(post.body) if (report := _report(event)) is not None]


def _report(wrapped: object) -> Report | None:
    event = documents.at(wrapped, "msys", "message_event") or documents.at(wrapped, "msys", "unsubscribe_event")
    feedback = _feedback(event)
    if feedback is None:
        return None
    key = text(event, "event_id") or " ".join(text(event, name) for name in ("type", "message_id", "timestamp"))
    return Report(feedback, key, token=text(event, "rcpt_meta", "tocsin"))


def _feedback(event: object) -> Feedback | None:
    match type_ := text(event, "type"):
        case "bounce" | "out_of_band":
            return _bounce(event, f"SparkPost: {type_} {text(event, 'bounce_class')}")
        case "policy_rejection" | "generation_failure" | "generation_rejection":
            return judging.not_tried(f"SparkPost: {type_}")
        case "delay":
            return judging.delayed("SparkPost: delay", _words(event))
        case "spam_complaint":
            return judging.complaint("SparkPost: spam_complaint", type_=text(event, "fbtype"))
        case "list_unsubscribe" | "link_unsubscribe":
            return judging.wish_to_leave(f"SparkPost: {type_}")
        case _:
            return None


def _words(event: object) -> str:
    return text(event, "raw_reason") or text(event, "reason")


def _bounce(event: object, says: str) -> Feedback:
    class_, words = text(event, "bounce_class"), _words(event)
    code = documents.number(event, "error_code")
    if class_ in _HARD:
        return judging.bounce(judging.hard(words, code=code), says)
    if class_ in _NOT_TRIED:
        return judging.not_tried(says)
    if class_ == "60":
        return Feedback(Kind.AUTO_REPLY, says)
    if class_ in ("80", "100"):  # somebody subscribes, or asks for a proof that we are no program
        return Feedback(Kind.OTHER, says)
    return judging.bounce(judging.soft(words, code=code, otherwise=_SOFT.get(class_, Category.UNDETERMINED)), says)
