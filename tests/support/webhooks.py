"""What mail providers post, written and signed here: their fields, with values of our own."""

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from mailer.mail.feedback.types import Category, Effect, Kind
from mailer.mail.webhooks.types import Hook, Post, ProofAway, Report

TOPIC = "arn:aws:sns:eu-west-1:123456789012:tocsin"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c3d4e5f.pem"
CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=t&Token=2336412f37fb"
LOGIN = "postmark:a-password-of-ours"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def post(body: object, headers: Mapping[str, str] | None = None) -> Post:
    """A request, as a hook gets it.

    :param body: a document, or its octets.
    """
    given = {name.lower(): value for name, value in (headers or {}).items()}
    return Post(body if isinstance(body, bytes) else as_json(body), given)


def reports(hook: Hook, body: object, headers: Mapping[str, str] | None = None) -> list[Report]:
    """What a hook reads in a request."""
    return list(hook.read(post(body, headers), now=NOW))


def judged(report: Report) -> tuple[Category, Effect]:
    """Why a mail came back, and what follows."""
    assert report.feedback.kind is Kind.BOUNCE
    assert report.feedback.meaning is not None
    return report.feedback.meaning.category, report.feedback.effect


def basic(login: str = LOGIN) -> dict[str, str]:
    """The header of a login."""
    return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}


# --- Amazon ---------------------------------------------------------------------------------------------------------


@cache
def amazon_key(name: str) -> rsa.RSAPrivateKey:
    """A key that signs, made once in a test run for each name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(
    name: str = "amazon", *, begins: datetime = datetime(2020, 1, 1, tzinfo=UTC), days: int = 9000
) -> bytes:
    """A certificate for such a key, in PEM form."""
    key = amazon_key(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


class Amazon:
    """The pages of Amazon that we fetch, and what was fetched."""

    def __init__(self, pages: dict[str, bytes] | None = None) -> None:
        self.pages = (
            {CERTIFICATE: certificate(), CONFIRM: b"<ConfirmSubscriptionResponse/>"} if pages is None else pages
        )
        self.fetched: list[str] = []

    def __call__(self, address: str) -> bytes:
        self.fetched.append(address)
        if address not in self.pages:
            raise ProofAway(problem="no route to host")
        return self.pages[address]


def sns(
    message: str, *, now: datetime = NOW, key: str = "amazon", version: str = "2", **changes: Any
) -> dict[str, Any]:
    """A message of SNS, signed after the changes; None takes a field away."""
    fields: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "11111111-2222-3333-4444-555555555555",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }
    fields |= changes
    fields = {name: value for name, value in fields.items() if value is not None}
    return fields | {"Signature": signature(fields, key)}


def confirmation(**changes: Any) -> dict[str, Any]:
    """SNS asks whether we want to hear a topic."""
    asked = {"Type": "SubscriptionConfirmation", "Token": "2336412f37fb", "SubscribeURL": CONFIRM}
    return sns("You have chosen to subscribe to the topic.", **(asked | changes))


def signature(fields: dict[str, Any], key: str = "amazon") -> str:
    """What SNS puts below a message, by the rules of its version."""
    about = ("SubscribeURL", "Token") if fields.get("Type") != "Notification" else ("Subject",)
    names = sorted({"Message", "MessageId", "Timestamp", "TopicArn", "Type", *about} & fields.keys())
    content = "".join(f"{name}\n{fields[name]}\n" for name in names).encode("utf-8", "surrogatepass")
    hash_ = hashes.SHA1() if fields.get("SignatureVersion") == "1" else hashes.SHA256()  # as SNS has it
    return b64encode(amazon_key(key).sign(content, PKCS1v15(), hash_)).decode()


def ses_bounce(
    source: str, words: str | None = "smtp; 550 5.1.1 user unknown", type_: str = "Permanent General", **mail: Any
) -> dict[str, Any]:
    """SES tells that a mail came back.

    :param type_: bounceType and bounceSubType.
    :param words: Diagnostic-Code.
    """
    recipient = {"emailAddress": "ana@example.net", "action": "failed", "status": "5.1.1", "diagnosticCode": words}
    if words is None:
        del recipient["diagnosticCode"], recipient["status"]
    first, second = type_.split()
    return {
        "notificationType": "Bounce",
        "mail": {"source": source, "messageId": "0100-ses", "destination": ["ana@example.net"], **mail},
        "bounce": {"bounceType": first, "bounceSubType": second, "bouncedRecipients": [recipient], "feedbackId": "f1"},
    }


def ses_complaint(source: str, **complaint: Any) -> dict[str, Any]:
    """SES tells that somebody called a mail spam."""
    told = {"complainedRecipients": [{"emailAddress": "ana@example.net"}], "feedbackId": "f2"}
    return {"eventType": "Complaint", "mail": {"source": source}, "complaint": told | complaint}


# --- others ---------------------------------------------------------------------------------------------------------


def postmark(token: str, type_: str = "HardBounce", /, **changes: Any) -> dict[str, Any]:
    """Postmark tells that a mail came back."""
    return {
        "RecordType": "Bounce",
        "ID": 4711,
        "Type": type_,
        "TypeCode": 1,
        "Name": "Hard bounce",
        "MessageID": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 no such user here",
        "Email": "ana@example.net",
        "BouncedAt": "2026-11-30T12:00:00Z",
        "Metadata": {"tocsin": token},
    } | changes


def postmark_change(token: str, /, **changes: Any) -> dict[str, Any]:
    """Postmark tells that somebody left by its own link."""
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "ChangedAt": "2026-11-30T12:00:00Z",
        "Recipient": "ana@example.net",
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "ManualSuppression",
        "Metadata": {"tocsin": token},
    } | changes


@cache
def sendgrid_key(name: str) -> ec.EllipticCurvePrivateKey:
    """A key that signs, made once in a test run for each name."""
    return ec.generate_private_key(ec.SECP256R1())


def verification_key(name: str = "sendgrid") -> str:
    """Its public half, as SendGrid shows it."""
    public = sendgrid_key(name).public_key()
    return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def sendgrid_headers(body: bytes, *, now: datetime = NOW, key: str = "sendgrid") -> dict[str, str]:
    """What SendGrid sends with a body."""
    written = str(int(now.timestamp()))
    signed = sendgrid_key(key).sign(written.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": b64encode(signed).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": written,
    }


def sendgrid(token: str, event: str = "bounce", /, **changes: Any) -> dict[str, Any]:
    """SendGrid tells that a mail came back: one of a batch."""
    return {
        "email": "ana@example.net",
        "timestamp": 1796040000,
        "smtp-id": "<1@example.org>",
        "event": event,
        "type": "bounce",
        "reason": "550 5.1.1 no such user here",
        "status": "5.1.1",
        "sg_event_id": f"{event}-1",
        "sg_message_id": "m1",
        "tocsin": token,
    } | changes


MAILGUN_KEY = "a-signing-key-of-ours"


def mailgun_signature(now: datetime = NOW, token: str = "c0ffee" * 8, key: str = MAILGUN_KEY) -> dict[str, str]:
    """What Mailgun signs: a time, and a token that is new each time."""
    written = str(int(now.timestamp()))
    return {
        "timestamp": written,
        "token": token,
        "signature": hmac.digest(key.encode(), f"{written}{token}".encode(), "sha256").hex(),
    }


def mailgun(token: str, event: str = "failed", /, **changes: Any) -> dict[str, Any]:
    """Mailgun tells that a mail came back; without its signature."""
    return {
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1796040000.3,
        "event": event,
        "severity": "permanent",
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": "550 5.1.1 no such user here", "description": ""},
        "recipient": "ana@example.net",
        "message": {"headers": {"message-id": "1@example.org", "to": "ana@example.net"}},
        "user-variables": {"tocsin": token},
    } | changes


BREVO_TOKEN = "a-bearer-token-of-ours"  # of tests


def brevo(token: str, event: str = "hard_bounce", /, **changes: Any) -> dict[str, Any]:
    """Brevo tells that a mail came back."""
    return {
        "event": event,
        "email": "ana@example.net",
        "id": 26224,
        "date": "2026-11-30 12:00:00",
        "ts": 1796040000,
        "ts_event": 1796040000,
        "ts_epoch": 1796040000000,
        "message-id": "<1@smtp-relay.example.org>",
        "reason": "550 5.1.1 no such user here",
        "X-Mailin-custom": f"tocsin:{token}",
    } | changes


def sparkpost(token: str, type_: str = "bounce", /, **changes: Any) -> dict[str, Any]:
    """SparkPost tells that a mail came back: one of a batch."""
    event = {
        "type": type_,
        "bounce_class": "10",
        "error_code": "550",
        "event_id": "92356927693813856",
        "message_id": "000443ee14578172be22",
        "raw_reason": "550 5.1.1 no such user here",
        "reason": "550 5.1.1 ...",
        "rcpt_to": "ana@example.net",
        "rcpt_meta": {"tocsin": token},
        "timestamp": "1796040000",
    } | changes
    kind = "unsubscribe_event" if type_.endswith("_unsubscribe") else "message_event"
    return {"msys": {kind: event}}


def as_json(document: object) -> bytes:
    """A body."""
    return json.dumps(document).encode()
