"""SendGrid. Fields and signature: Twilio SendGrid's documentation, "Event Webhook Reference" and "Getting Started with
the Event Webhook Security Features"."""

from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from mailer.mail.feedback.types import Feedback
from mailer.mail.webhooks import documents, judging
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.proofs import require_fresh
from mailer.mail.webhooks.types import Post, Report, Unproven

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


class SendGrid:
    """Reads what SendGrid posts."""

    def __init__(self, keys: Sequence[EllipticCurvePublicKey]) -> None:
        """:param keys: the verification keys, of which each counts."""
        self._keys = keys

    def read(self, post: Post, *, now: datetime) -> Sequence[Report]:
        """As `Hook.read`; the whole post is signed, as it is, with the time before it."""
        self._require_signature(post, now)
        return [report for event in documents.events(post.body) if (report := _report(event)) is not None]

    def _require_signature(self, post: Post, now: datetime) -> None:
        written = post.header(_TIMESTAMP)
        require_fresh(written, now)
        try:
            signature = b64decode(post.header(_SIGNATURE), validate=True)
        except ValueError:
            signature = b""
        if not any(_is_signed(key, signature, written.encode() + post.body) for key in self._keys):
            raise Unproven(why="its signature is wrong, or of another key than MAILER_HOOKS_SENDGRID_KEYS")


def _is_signed(key: EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _report(event: object) -> Report | None:
    feedback = _feedback(event)
    if feedback is None:
        return None
    # What we gave it stands beside its own fields, and did not always.
    token = text(event, "tocsin") or text(event, "unique_args", "tocsin")
    key = text(event, "sg_event_id") or " ".join(text(event, name) for name in ("event", "sg_message_id", "timestamp"))
    return Report(feedback, key, token=token, message_id=text(event, "smtp-id"))


def _feedback(event: object) -> Feedback | None:
    name, type_ = text(event, "event"), text(event, "type")
    words, status = text(event, "reason"), text(event, "status")
    says = f"SendGrid: {name} {type_}".rstrip()
    match name:
        case "bounce" if type_ == "bounce":
            return judging.bounce(judging.hard(words, status=status), says)
        case "bounce":
            return judging.bounce(judging.soft(words, status=status), says)
        case "dropped":
            return judging.not_tried(says)
        case "deferred":
            return judging.delayed(says, text(event, "response") or words, status=status)
        case "spamreport":
            return judging.complaint(says)
        case "unsubscribe" | "group_unsubscribe":
            return judging.wish_to_leave(says)
        case _:
            return None
