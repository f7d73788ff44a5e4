"""Postmark. Fields: its developer documentation, "Bounce webhook", "Spam complaint webhook", "Subscription change
webhook", and "Bounce types"."""

from collections.abc import Sequence
from datetime import datetime

from mailer.mail.feedback.types import Category, Feedback, Kind
from mailer.mail.webhooks import documents, judging
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.proofs import require_login
from mailer.mail.webhooks.types import Post, Report

_HARD = frozenset({"HardBounce", "BadEmailAddress"})
#: what other types mean if the words of the server do not tell
_SOFT = {
    "SoftBounce": Category.TEMPORARY,
    "Transient": Category.TEMPORARY,
    "DnsError": Category.TEMPORARY,
    "Blocked": Category.POLICY,
    "SpamNotification": Category.CONTENT,  # a server's word, and nobody's complaint
    "VirusNotification": Category.CONTENT,
    "DMARCPolicy": Category.AUTH,
    "Unknown": Category.UNDETERMINED,
}


class Postmark:
    """Reads what Postmark posts."""

    def __init__(self, logins: Sequence[str]) -> None:
        """:param logins: `user:password`, of which each counts."""
        self._logins = logins

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """As `Hook.read`. Postmark signs nothing, so there is no time to judge by."""
        require_login(post, self._logins)
        event = documents.parse(post.body)
        feedback = _feedback(event)
        if feedback is None:
            return ()
        # A subscription has no number of its own: it is known by the mail, and by when it changed.
        id_ = text(event, "ID") or f"{text(event, 'MessageID')} {text(event, 'ChangedAt')}"
        key = f"{text(event, 'RecordType')} {id_}"
        return (Report(feedback, key, token=text(event, "Metadata", "tocsin")),)


def _feedback(event: object) -> Feedback | None:
    match text(event, "RecordType"):
        case "Bounce":
            return _bounce(event)
        case "SpamComplaint":
            return judging.complaint("Postmark: SpamComplaint")
        case "SubscriptionChange":
            # A bounce and a complaint change it too, and are told of for themselves.
            is_wish = text(event, "Origin") == "Recipient" and text(event, "SuppressionReason") == "ManualSuppression"
            stops = documents.at(event, "SuppressSending") is True
            return judging.wish_to_leave("Postmark: SubscriptionChange") if is_wish and stops else None
        case _:
            return None


def _bounce(event: object) -> Feedback:
    type_ = text(event, "Type")
    says = f"Postmark: {type_}"
    words = text(event, "Details")  # what the server said; Description is the same for all of a type
    if type_ in _HARD:
        return judging.bounce(judging.hard(words), says)
    if type_ in _SOFT:
        return judging.bounce(judging.soft(words, otherwise=_SOFT[type_]), says)
    match type_:
        case "SpamComplaint":
            return judging.complaint(says)
        case "Unsubscribe":
            return judging.wish_to_leave(says)
        case "AutoResponder":
            return Feedback(Kind.AUTO_REPLY, says)
        case "ManuallyDeactivated":
            return judging.not_tried(says)
        case _:
            return Feedback(Kind.OTHER, says)
