"""Amazon SES, whose events come by Amazon SNS.

Fields: Amazon SES Developer Guide, "Amazon SNS notification contents for Amazon SES", and "Examples of event data that
Amazon SES publishes to Amazon SNS".
"""

from collections.abc import Sequence
from datetime import datetime

from mailer.mail.feedback.types import Category, Feedback, Kind, Meaning
from mailer.mail.webhooks import documents, judging
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.sns import Topics
from mailer.mail.webhooks.types import Malformed, Post, Report

#: SES did not even try
_OWN_LISTS = frozenset({"Suppressed", "OnAccountSuppressionList"})
_TRANSIENT = {
    "MailboxFull": Category.FULL,
    "MessageTooLarge": Category.SIZE,
    "ContentRejected": Category.CONTENT,
    "AttachmentRejected": Category.CONTENT,
}
_MOST_HEADERS = 100


class Ses:
    """Reads what SES tells through topics of SNS."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """As `Hook.read`."""
        notification = self._topics.read(post, now=now)
        if notification is None:
            return ()
        try:
            event = documents.parse(notification.message)
        except Malformed:
            return ()  # a sentence: SES tries a topic so, and people do
        feedback = _feedback(event)
        if feedback is None:
            return ()
        source = text(event, "mail", "source")
        return (Report(feedback, notification.id, sender=source, message_id=_message_id(event)),)


def _feedback(event: object) -> Feedback | None:
    """What an event says; None if that is nothing that we want to know, such as that a mail was read."""
    match text(event, "notificationType") or text(event, "eventType"):
        case "Bounce":
            return _bounce(event)
        case "Complaint":
            return _complaint(event)
        case "DeliveryDelay":
            delay = next(iter(documents.items(event, "deliveryDelay", "delayedRecipients")), None)
            words, status = text(delay, "diagnosticCode"), text(delay, "status")
            return judging.delayed("SES: DeliveryDelay", words, status=status)
        case "Reject":
            meaning = Meaning(Category.CONTENT, None, "the provider's word")
            return judging.bounce(meaning, "SES: Reject")
        case _:
            return None


def _bounce(event: object) -> Feedback:
    type_, subtype = text(event, "bounce", "bounceType"), text(event, "bounce", "bounceSubType")
    says = f"SES: {type_} {subtype}"
    if subtype in _OWN_LISTS:
        return judging.not_tried(says)
    recipient = next(iter(documents.items(event, "bounce", "bouncedRecipients")), None)
    words, status = text(recipient, "diagnosticCode"), text(recipient, "status")
    if type_ == "Permanent" and subtype in ("General", "NoEmail"):
        return judging.bounce(judging.hard(words, status=status), says)
    if type_ == "Transient" and subtype == "General" and not words and not status:
        return Feedback(Kind.AUTO_REPLY, f"{says}, as SES calls automatic answers too")
    otherwise = _TRANSIENT.get(subtype, Category.TEMPORARY if type_ == "Transient" else Category.UNDETERMINED)
    return judging.bounce(judging.soft(words, status=status, otherwise=otherwise), says)


def _complaint(event: object) -> Feedback:
    if subtype := text(event, "complaint", "complaintSubType"):
        return Feedback(Kind.OTHER, f"SES: complaint {subtype}, no new one")
    return judging.complaint("SES: complaint", type_=text(event, "complaint", "complaintFeedbackType"))


def _message_id(event: object) -> str:
    """The Message-ID that our mail had; SES gives it one of its own."""
    common = text(event, "mail", "commonHeaders", "messageId")
    if common:
        return common
    headers = documents.items(event, "mail", "headers")[:_MOST_HEADERS]
    return next((text(each, "value") for each in headers if text(each, "name").lower() == "message-id"), "")
