"""Published DKIM keys: ours is told from every other thing that may stand there."""

import functools
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailer.mail.dkim import SigningKey
from mailer.mail.dkim_records import Published, compare, record_for


@functools.cache
def _keys() -> tuple[SigningKey, SigningKey, SigningKey]:
    private = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    return SigningKey("s1", private[0]), SigningKey("s1", private[1]), SigningKey("ed1", Ed25519PrivateKey.generate())


RSA, OTHER, ED25519 = _keys()
PUBLIC = record_for(RSA).partition("p=")[2]


@pytest.mark.parametrize("key", [RSA, ED25519])
def test_what_we_ask_to_publish_is_taken_for_ours(key: SigningKey) -> None:
    assert compare(key, [record_for(key)]) == (Published.OURS, "")


@pytest.mark.parametrize(
    "record",
    [
        f"p={PUBLIC}",
        f"k=rsa;  p={PUBLIC[:100]} {PUBLIC[100:]} ;",
        f"v=DKIM1; h=sha1:sha256; s=*; t=s; p={PUBLIC}",
        f"v=DKIM1; s=email; n=a note; p={PUBLIC}",
    ],
)
def test_ours_is_known_however_it_is_written(record: str) -> None:
    assert compare(RSA, [record]) == (Published.OURS, "")


@pytest.mark.parametrize(
    ("records", "published", "why"),
    [
        ([], Published.MISSING, ""),
        ([record_for(RSA), record_for(OTHER)], Published.SEVERAL, ""),
        (["v=DKIM1; k=rsa; p="], Published.REVOKED, ""),
        ([record_for(OTHER)], Published.OTHER, ""),
        ([record_for(RSA)[:-40]], Published.OTHER, ""),
        ([f"v=DKIM1; t=y:s; p={PUBLIC}"], Published.TESTING, ""),
        (["v=DKIM1; k=rsa"], Published.BROKEN, "no p="),
        ([PUBLIC.replace("=", "")], Published.BROKEN, "no tag"),
        ([record_for(ED25519)], Published.BROKEN, "k=ed25519"),
        ([f"v=DKIM1; h=sha1; p={PUBLIC}"], Published.BROKEN, "sha1"),
        ([f"v=DKIM1; s=tlsrpt; p={PUBLIC}"], Published.BROKEN, "tlsrpt"),
        ([f"v=spf1; p={PUBLIC}"], Published.BROKEN, "v=spf1"),
    ],
)
def test_what_is_not_ours_is_told_apart(records: list[str], published: Published, why: str) -> None:
    found, said = compare(RSA, records)
    assert found is published
    assert why in said


def test_an_ed25519_key_is_published_bare() -> None:
    _, _, public = record_for(ED25519).partition("p=")
    assert isinstance(ED25519.private, Ed25519PrivateKey)
    assert public == b64encode(ED25519.private.public_key().public_bytes_raw()).decode()
