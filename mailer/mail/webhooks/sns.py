"""Messages of Amazon SNS: what proves that SNS sent one, and what a topic of ours says in it.

The fields and what is signed of them: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

import logging
import re
import time
from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from mailer.mail.webhooks import documents
from mailer.mail.webhooks.documents import text
from mailer.mail.webhooks.types import Fetch, Post, ProofAway, Unproven, is_fresh

log = logging.getLogger(__name__)

T = TypeVar("T")

_HOST = r"https://sns\.[a-z]{2,4}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(rf"{_HOST}/SimpleNotificationService-[0-9A-Za-z]{{1,80}}\.pem", re.ASCII)
_TO_CONFIRM = re.compile(rf"{_HOST}/\?Action=ConfirmSubscription&[!-~]{{1,2000}}", re.ASCII)
#: No field but these may hold a line end: what is signed has one between fields, and so could be cut elsewhere.
_MAY_HAVE_LINES = frozenset({"Message", "Subject"})
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_ABOUT_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _ABOUT_SUBSCRIPTION,
    "UnsubscribeConfirmation": _ABOUT_SUBSCRIPTION,
}
_HASHES = {"1": SHA1, "2": SHA256}
_MOST_CERTIFICATES = 8
_PATIENCE = 30.0  # seconds until a certificate that could not be had, or is none, is asked for again


@dataclass(frozen=True, slots=True)
class Notification:
    """What a topic says."""

    id: str
    message: str


class Topics:
    """Takes messages of some topics. Several threads may ask at once."""

    def __init__(self, arns: Collection[str], fetch: Fetch) -> None:
        """:param arns: the topics that may speak; without one, nothing is proved."""
        self._arns = frozenset(arns)
        self._fetch = fetch
        self._certificates = _Certificates(fetch)

    def read(self, post: Post, *, now: datetime) -> Notification | None:
        """What is said in a message. One that asks whether we want to hear a topic is answered with yes.

        :returns: None where a message says nothing else.
        :raises Unproven: SNS did not send it, or not lately, or for another topic.
        :raises Malformed: it is no JSON.
        :raises ProofAway: the certificate, or the page to say yes, cannot be fetched now.
        """
        message = self._verified(documents.parse(post.body), now)
        if message["Type"] == "Notification":
            return Notification(message["MessageId"], message["Message"])
        if message["Type"] == "SubscriptionConfirmation":
            self._confirm(message["SubscribeURL"])
        else:
            log.warning("Amazon SNS was told not to post here any more; if that was not you, subscribe again")
        return None

    def _verified(self, fields: object, now: datetime) -> dict[str, str]:
        """The fields that SNS signed, of a message that it did sign."""
        names = _SIGNED.get(text(fields, "Type"))
        if names is None:
            raise Unproven(why="it is no message of SNS; perhaps raw message delivery is on")
        signed = _signed(fields, names)
        if signed["TopicArn"] not in self._arns:
            raise Unproven(why="its topic is not in MAILER_HOOKS_SES_TOPICS")
        if not is_fresh(_time(signed["Timestamp"]), now):
            raise Unproven(why="it was signed more than 48 hours ago, or this machine's clock is wrong")
        algorithm = _HASHES.get(text(fields, "SignatureVersion"))
        if algorithm is None:
            raise Unproven(why="it has no signature of version 1 or 2")
        where = text(fields, "SigningCertURL")
        if not _CERTIFICATE.fullmatch(where):
            raise Unproven(why="its certificate would not come from Amazon")
        key = self._certificates.key(where, now)
        # Half a pair of surrogates is no text: what it becomes here, nobody signed.
        content = "".join(f"{name}\n{value}\n" for name, value in signed.items()).encode("utf-8", "surrogatepass")
        try:
            key.verify(b64decode(text(fields, "Signature"), validate=True), content, PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature):  # no base64, or another key's
            raise Unproven(why="its signature is wrong") from None
        return signed

    def _confirm(self, address: str) -> None:
        if not _TO_CONFIRM.fullmatch(address):
            raise Unproven(why="it would have us confirm elsewhere than at Amazon")
        self._fetch(address)
        log.info("the subscription to a topic of Amazon SNS is confirmed")


def _signed(fields: object, names: tuple[str, ...]) -> dict[str, str]:
    """The fields that are signed, in the order in which they are."""
    signed = {}
    for name in names:
        value = documents.at(fields, name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str) or (name not in _MAY_HAVE_LINES and not (value.isprintable() and value)):
            raise Unproven(why=f"its {name} is missing, or none")
        signed[name] = value
    return signed


def _time(written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise Unproven(why="its Timestamp is none") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class _Certificate(NamedTuple):
    key: RSAPublicKey
    begins: datetime
    ends: datetime


class _Certificates:
    """Fetches certificates, one at a time, and keeps a few."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._known: dict[str, _Certificate] = {}
        self._failed: dict[str, tuple[float, ProofAway | Unproven]] = {}  # with the time
        self._lock = Lock()

    def key(self, address: str, now: datetime) -> RSAPublicKey:
        """The public key of the certificate at an address.

        :raises Unproven: it is no certificate, or has run out.
        :raises ProofAway: it cannot be fetched.
        """
        with self._lock:
            known = self._known.get(address) or self._look_up(address)
            if not known.begins <= now <= known.ends:
                del self._known[address]
                raise Unproven(why="its certificate has run out, or this machine's clock is wrong")
        return known.key

    def _look_up(self, address: str) -> _Certificate:
        failed = self._failed.get(address)
        if failed is not None and time.monotonic() - failed[0] < _PATIENCE:
            raise failed[1]
        try:
            found = _read(self._fetch(address))
        except (ProofAway, Unproven) as problem:
            _keep(self._failed, address, (time.monotonic(), problem))
            raise
        _keep(self._known, address, found)
        return found


def _keep(where: dict[str, T], address: str, what: T) -> None:
    if len(where) >= _MOST_CERTIFICATES:
        where.clear()
    where[address] = what


def _read(pem: bytes) -> _Certificate:
    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Unproven(why="what stands at the address of its certificate is none") from None
    if not isinstance(key, RSAPublicKey):
        raise Unproven(why="its certificate is for another kind of signature")
    return _Certificate(key, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
