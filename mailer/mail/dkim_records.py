"""The public keys of DKIM in the DNS (RFC 6376 3.6.1; RFC 8463 for Ed25519), compared with a private one."""

import enum
from base64 import b64encode
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailer.mail.dkim import SigningKey
from mailer.mail.tags import read_tags


class Published(enum.StrEnum):
    """What is under a key's name."""

    OURS = "ours"
    TESTING = "testing"  # ours, marked with t=y
    MISSING = "missing"
    SEVERAL = "several"
    REVOKED = "revoked"
    OTHER = "other"
    BROKEN = "broken"


def record_for(key: SigningKey) -> str:
    """What has to be published for a key."""
    kind = "rsa" if isinstance(key.private, RSAPrivateKey) else "ed25519"
    return f"v=DKIM1; k={kind}; p={_public(key)}"


def _public(key: SigningKey) -> str:
    """The p= of a key: of RSA the SubjectPublicKeyInfo, of Ed25519 the bare 32 octets (RFC 8463 4.2)."""
    public = key.private.public_key()
    if isinstance(key.private, RSAPrivateKey):
        octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b64encode(octets).decode()


def compare(key: SigningKey, records: Sequence[str]) -> tuple[Published, str]:
    """Find out whether what is published verifies a key's signatures.

    :param records: the texts under `<selector>._domainkey.<domain>`.
    :returns: what is there, and where it is broken why.
    """
    if not records:
        return Published.MISSING, ""
    if len(records) > 1:
        return Published.SEVERAL, ""
    try:
        tags = read_tags(records[0])
    except ValueError as problem:
        return Published.BROKEN, str(problem)
    if "p" not in tags:
        return Published.BROKEN, "it has no p="
    published = "".join(tags["p"].split())
    if not published:
        return Published.REVOKED, ""
    kind, is_rsa = tags.get("k", "rsa"), isinstance(key.private, RSAPrivateKey)
    if tags.get("v", "DKIM1") != "DKIM1" or kind != ("rsa" if is_rsa else "ed25519"):
        return Published.BROKEN, f"it says v={tags.get('v', 'DKIM1')} and k={kind}"
    if "sha256" not in _listed(tags.get("h", "sha256")):
        return Published.BROKEN, f"it allows only the hash {tags['h']}, and mails are signed with sha256"
    if not {"*", "email"} & _listed(tags.get("s", "*")):
        return Published.BROKEN, f"it is for {tags['s']} only, not for email"
    if published != _public(key):
        return Published.OTHER, ""
    return (Published.TESTING if "y" in _listed(tags.get("t", "")) else Published.OURS), ""


def _listed(value: str) -> set[str]:
    return {part.strip().lower() for part in value.split(":")}
