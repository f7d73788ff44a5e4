"""DKIM: other people's verifiers accept what we sign, and nothing that was changed on the way."""

import base64
import functools
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import dkim as dkimpy
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.mail import dkim
from mailer.mail.dkim import Signer, SigningKey
from mailer.mail.merge import EditionHeaders, compile_edition
from mailer.mail.pipeline import Pipeline
from mailer.mail.smtp import Server
from mailer.mail.types import OutcomeKind, Outgoing, Rendering, Slot, SlotContext
from tests.mail.desk import Desk
from tests.mail.test_merge import HOSTILE_NAMES, LIST_HEADERS, RENDERING, assert_fit_for_the_wire, merge_for, read
from tests.support.debian import program
from tests.trial.test_catcher import Catcher

WHEN = datetime(2025, 3, 1, 12, tzinfo=UTC)
ED25519_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(key: object, encryption: KeySerializationEncryption | None = None) -> bytes:
    assert isinstance(key, rsa.RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


@functools.cache
def signer() -> Signer:
    return Signer("example.org", (SigningKey("s1", rsa_key()), SigningKey("ed1", ED25519_KEY)))


@functools.cache
def dns() -> dict[str, str]:
    """What the domain publishes (RFC 6376 3.6.2.1, RFC 8463 4)."""
    rsa_public = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed25519_public = ED25519_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "s1._domainkey.example.org": f"v=DKIM1; k=rsa; p={base64.b64encode(rsa_public).decode()}",
        "ed1._domainkey.example.org": f"v=DKIM1; k=ed25519; p={base64.b64encode(ed25519_public).decode()}",
    }


def message(
    name: str | None = "Ada",
    *,
    rendering: Rendering = RENDERING,
    headers: EditionHeaders = LIST_HEADERS,
    **fields: object,
) -> bytes:
    return compile_edition(rendering, headers, signer=signer()).merge(merge_for(name, date=WHEN, **fields))


def rsa_holds(data: bytes) -> bool:
    """Whether dkimpy accepts the first signature."""

    def look_up(name: bytes, **_: object) -> bytes:
        return dns()[name.decode().rstrip(".")].encode()

    return bool(dkimpy.verify(data, dnsfunc=look_up))


def ed25519_holds(data: bytes) -> bool:
    """Whether the second signature is good for what dkimpy says that it covers.

    dkimpy leaves the operation itself to a package that nothing else here needs.
    """
    parsed = dkimpy.DKIM(data)
    tags, names, signatures = parsed.verify_headerprep(1)
    digest = sha256()
    dkimpy.hash_headers(digest, Relaxed, Relaxed.canonicalize_headers(parsed.headers), names, signatures[1], tags)
    try:
        ED25519_KEY.public_key().verify(base64.b64decode(tags[b"b"]), digest.digest())
    except InvalidSignature:
        return False
    return bool(tags[b"a"] == b"ed25519-sha256" and tags[b"bh"] == body_hash(parsed.body))


def body_hash(body: bytes) -> bytes:
    return base64.b64encode(sha256(Relaxed.canonicalize_body(body)).digest())


# --- verified by others ---------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=150) | st.sampled_from(HOSTILE_NAMES))
def test_both_signatures_hold_whatever_a_person_is_called(name: str) -> None:
    data = message(name)
    assert_fit_for_the_wire(data)
    assert rsa_holds(data)
    assert ed25519_holds(data)


texts = st.text(alphabet=" \t\n.=é<a", max_size=200)


@settings(max_examples=100)
@given(texts, texts, texts, texts)
def test_the_body_hash_is_that_of_the_whole_body_whatever_white_space_it_has(
    before: str, between: str, after: str, value: str
) -> None:
    rendering = Rendering(
        language="en",
        subject=("x",),
        text=(before, Slot("name"), between, Slot("name"), Slot("country"), after),
        html=(after, Slot("name", "", SlotContext.HTML), between, Slot("country", "", SlotContext.HTML)),
    )
    data = message(rendering=rendering, values={"name": value, "country": "a  b\t c "})
    body = data.partition(b"\r\n\r\n")[2]
    hashes = re.findall(rb"bh=([^;]+);", data)
    assert hashes == [body_hash(body)] * 2


@given(st.lists(st.text(alphabet=" \ta", max_size=9)))
def test_lines_made_canonical_one_by_one_are_the_canonical_body(lines: list[str]) -> None:
    parts = [f"{line}\r\n".encode() for line in [*lines, "end"]]
    assert b"".join(map(dkim.relaxed_body, parts)) == Relaxed.canonicalize_body(b"".join(parts))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: message(None), id="nameless"),
        pytest.param(lambda: message(unsubscribe_url=None), id="without unsubscribe link"),
        pytest.param(lambda: message(headers=EditionHeaders(sender="a@example.org", auto_submitted=True)), id="notice"),
        pytest.param(lambda: message(to_address="дмитрий@пример.example.org"), id="address in Cyrillic"),
        pytest.param(lambda: message(rendering=replace(RENDERING, html=("<p>x</p>",), text=("x\n",))), id="no slots"),
        pytest.param(lambda: message(rendering=replace(RENDERING, subject=("É " * 60,))), id="long static subject"),
    ],
)
def test_every_shape_of_message_verifies(data: Callable[[], bytes]) -> None:
    assert rsa_holds(data())
    assert ed25519_holds(data())


def test_opendkim_accepts_both_signatures_and_sees_a_changed_body(tmp_path: Path) -> None:
    opendkim = program("opendkim", package="opendkim")
    keys, configuration = tmp_path / "keys", tmp_path / "opendkim.conf"
    keys.write_text("".join(f"{name} {record}\n" for name, record in dns().items()))
    configuration.write_text(f"Mode v\nSyslog no\nTestPublicKeys {keys}\n")

    def results(data: bytes) -> list[tuple[str, str]]:
        mail = tmp_path / "mail.eml"
        mail.write_bytes(data)
        done = subprocess.run(
            [opendkim, "-x", configuration, "-t", mail, "-vvv"], capture_output=True, check=False, text=True, timeout=60
        )
        return [(found[1], found[2]) for found in re.finditer(r"dkim=(\w+)[^;]*header\.a=([\w-]+)", done.stdout)]

    accepted = [("pass", "rsa-sha256"), ("pass", "ed25519-sha256")]
    for name in ("Ada", None, *HOSTILE_NAMES):
        assert results(message(name)) == accepted, name
    assert ("pass", "rsa-sha256") not in results(message().replace(b"Dear", b"Dead"))


def test_a_signature_survives_the_way_through_our_client_into_a_mailbox(tmp_path: Path) -> None:
    data = message(HOSTILE_NAMES[5])
    catcher = Catcher(tmp_path / "caught")
    try:
        desk = Desk([Outgoing(id=1, sender="a@example.org", recipient="ada@example.org", data=data)])
        wire = Pipeline(Server("127.0.0.1", catcher.port))
        wire.send(desk)
        wire.close()
    finally:
        catcher.stop()
    assert desk.kinds == [OutcomeKind.SENT]
    (caught,) = catcher.caught()
    assert caught.data == data
    assert rsa_holds(caught.data)


# --- changed on the way ---------------------------------------------------------------------------------------------


def changed(old: bytes, new: bytes) -> bytes:
    data = message()
    assert data.count(old) == 1, old
    return data.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\r\n&amp;x=3D1", b"\r\n&amp;x=3D2"),
        (b"To: Ada <ada@example.org>", b"To: Ada <eve@example.org>"),
        (b"Subject: To Ada: act", b"Subject: To Ada: rest"),
        (b"Date: Sat, 01 Mar 2025", b"Date: Sat, 08 Mar 2025"),
        (b"Message-ID: <abc@", b"Message-ID: <abd@"),
        (b"List-Unsubscribe: <https://example.org", b"List-Unsubscribe: <https://example.net"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        (b"List-Id: Urgent actions", b"List-Id: Other actions"),
        (b"Feedback-ID: c7:", b"Feedback-ID: c8:"),
        (b"Reply-To: office@", b"Reply-To: eve@"),
        (b"Content-Language: en", b"Content-Language: fr"),
        (b"Content-Type: multipart/alternative", b"Content-Type: multipart/mixed"),
        (b"MIME-Version: 1.0\r\n", b""),
        (b"\r\nFrom: Harbour", b"\r\nFrom: Eve <eve@example.net>\r\nFrom: Harbour"),
        (b"\r\nReply-To:", b"\r\nFrom: Eve <eve@example.net>\r\nReply-To:"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(old: bytes, new: bytes) -> None:
    data = changed(old, new)
    assert not rsa_holds(data)
    assert not ed25519_holds(data)


def test_a_relay_may_fold_headers_and_squeeze_white_space() -> None:
    data = changed(b"Feedback-ID: c7:urgent:harbour", b"feedback-id:\r\n\t c7:urgent:harbour ").replace(
        b"Dear ", b"Dear  "
    )
    assert rsa_holds(data)
    assert ed25519_holds(data)


# --- the header field -----------------------------------------------------------------------------------------------


def test_everything_that_should_be_is_signed_and_from_twice() -> None:
    tags = dict(re.findall(r"(\w+)=([^;]*)", re.sub(r"\s", "", str(read(message())["DKIM-Signature"]))))
    signed = tags["h"].split(":")
    present = {name.lower() for name in read(message())}
    assert present - set(signed) == {"dkim-signature", "precedence", "x-auto-response-suppress"}
    assert signed.count("from") == 2
    assert len(signed) == len(set(signed)) + 1
    assert (tags["v"], tags["c"], tags["d"], tags["t"]) == ("1", "relaxed/relaxed", "example.org", "1740830400")
    assert not {"l", "x", "i"} & set(tags)


def test_signatures_stand_first_and_fit_in_78_columns() -> None:
    lines = message().partition(b"\r\nTo: ")[0].split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines if not line.startswith(b" ")] == [b"DKIM-Signature"] * 2
    assert max(map(len, lines)) <= 78


def test_without_a_signer_nothing_is_signed() -> None:
    assert b"DKIM" not in compile_edition(RENDERING, LIST_HEADERS).merge(merge_for("Ada"))


@pytest.mark.parametrize(
    ("domain", "aligned"),
    [("example.org", True), ("EXAMPLE.org", True), ("mail.example.org", True), ("badexample.org", False),
     ("example.net", False), ("org", False)],
)  # fmt: skip
def test_a_signer_answers_for_its_domain_and_those_below(domain: str, aligned: bool) -> None:
    assert signer().answers_for(domain) is aligned


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys_are_read_in_the_order_of_the_file() -> None:
    kinds = [SigningKey("x", key).algorithm for key in dkim.read_keys(pem(ED25519_KEY) + b"comment\n" + pem(rsa_key()))]
    assert kinds == ["ed25519-sha256", "rsa-sha256"]
    assert len(dkim.read_keys(pem(rsa_key()))) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(lambda: b"", "holds no private key", id="empty"),
        pytest.param(lambda: b"MIIEvQIBADANBg", "holds no private key", id="no PEM"),
        pytest.param(lambda: pem(rsa_key()).replace(b"MII", b"AAA", 1), "something other", id="broken"),
        pytest.param(
            lambda: rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "something other than private keys",
            id="public key",
        ),
        pytest.param(lambda: pem(rsa_key(), BestAvailableEncryption(b"secret")), "passphrase", id="encrypted"),
        pytest.param(lambda: pem(rsa_key(1024)), "RSA key of 1024 bits; at least 2048", id="too small"),
        pytest.param(lambda: pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519", id="EC"),
        pytest.param(lambda: pem(ED25519_KEY), "must hold one RSA key", id="no RSA"),
        pytest.param(lambda: pem(rsa_key()) * 2, "must hold one RSA key", id="two RSA"),
        pytest.param(lambda: pem(rsa_key()) + pem(ED25519_KEY) * 2, "at most one Ed25519", id="three"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_repeating_them(
    content: Callable[[], bytes], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        dkim.read_keys(content())
    assert not re.search(r"[A-Za-z0-9+/]{20}", str(refused.value))


def test_a_key_is_not_in_the_repr_of_its_signer() -> None:
    assert "Key object" not in repr(signer())
