"""How a connection comes to be: what is offered is honoured, what is secret stays so, what is amiss is said."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailer.mail.pipeline import Pipeline, Timeouts
from mailer.mail.smtp import Server, SmtpUnavailable
from mailer.mail.types import Outcome, OutcomeKind, Outgoing, Stage
from tests.mail.desk import Desk
from tests.support.mail_server import Behaviour, MailServer, running

ALL = ("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN")


def outgoing(recipient: str = "p1@example.org", *, envelope_id: str = "", octets: int = 20) -> Outgoing:
    return Outgoing(1, "alerts@example.org", recipient, b"x" * (octets - 2) + b"\r\n", envelope_id)


def send(server: Server, message: Outgoing | None = None, *, context: ssl.SSLContext | None = None) -> Outcome:
    message = message or outgoing()
    desk = Desk([message])
    pipeline = Pipeline(server, context=context, timeouts=Timeouts(connect=5))
    try:
        pipeline.send(desk)
    except SmtpUnavailable:
        assert not desk.begun
        raise
    finally:
        pipeline.close()
    return desk.outcomes[message.id]


def plain(server: MailServer) -> Server:
    return Server("127.0.0.1", server.port)


# --- extensions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running(Behaviour(extensions=ALL)) as state:
        yield state


def commands(server: MailServer) -> list[str]:
    return [line for line in server.commands if line.startswith(("MAIL", "RCPT"))]


def test_a_server_that_offers_everything_is_told_everything(server: MailServer) -> None:
    assert send(plain(server), outgoing("ánna@example.org", envelope_id="d+1=ü")).kind is OutcomeKind.SENT
    assert commands(server) == [
        "MAIL FROM:<alerts@example.org> SIZE=20 SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=d+2B1+3D+C3+BC",
        "RCPT TO:<ánna@example.org> NOTIFY=FAILURE,DELAY",
    ]


def test_what_is_not_needed_is_not_asked_for(server: MailServer) -> None:
    send(plain(server))
    assert commands(server) == ["MAIL FROM:<alerts@example.org> SIZE=20", "RCPT TO:<p1@example.org>"]


@pytest.mark.parametrize("ehlo", ["502 what?", "250 hello"])
def test_a_server_that_offers_nothing_is_told_nothing(server: MailServer, ehlo: str) -> None:
    server.behaviour.ehlo = ehlo
    assert send(plain(server), outgoing(envelope_id="d1")).kind is OutcomeKind.SENT
    assert commands(server) == ["MAIL FROM:<alerts@example.org>", "RCPT TO:<p1@example.org>"]
    assert any(line.startswith("HELO ") for line in server.commands) == ehlo.startswith("502")


@pytest.mark.parametrize(("octets", "kind"), [(1000, OutcomeKind.SENT), (1001, OutcomeKind.FAILED)])
def test_a_message_larger_than_offered_is_not_begun(server: MailServer, octets: int, kind: OutcomeKind) -> None:
    outcome = send(plain(server), outgoing(octets=octets))
    assert outcome.kind is kind
    if kind is OutcomeKind.FAILED:
        assert (outcome.stage, "1001 octets" in outcome.text, "1000" in outcome.text) == (Stage.MAIL, True, True)
        assert not commands(server)


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0"])
def test_a_size_without_a_limit_limits_nothing(server: MailServer, size: str) -> None:
    server.behaviour.extensions = (size,)
    assert send(plain(server), outgoing(octets=5000)).kind is OutcomeKind.SENT
    assert commands(server)[0].endswith(" SIZE=5000")


def test_an_international_address_fails_visibly_where_it_is_not_taken(server: MailServer) -> None:
    server.behaviour.extensions = ("PIPELINING",)
    outcome = send(plain(server), outgoing("ánna@example.org"))
    text = "the mail server does not take international addresses (SMTPUTF8)"
    assert outcome == Outcome(1, OutcomeKind.FAILED, 0, text, Stage.RCPT)


def test_an_address_cannot_smuggle_a_command(server: MailServer) -> None:
    outcome = send(plain(server), outgoing("p1@example.org>\r\nRCPT TO:<p2@example.org"))
    assert (outcome.kind, outcome.stage) == (OutcomeKind.FAILED, Stage.RCPT)
    assert not commands(server)


def hellos(server: MailServer) -> list[str]:
    return [line for line in server.commands if line.startswith(("EHLO", "HELO"))]


def test_the_greeting_gives_a_name_or_an_address(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "mailer.example.org")
    send(plain(server))
    for no_full_name in ("laptop", "my_host.example.org", "mäiler.example.org", "192.0.2.1", "mailer.example.org."):
        monkeypatch.setattr("socket.gethostname", lambda name=no_full_name: name)
        send(plain(server))
    assert hellos(server) == ["EHLO mailer.example.org", *["EHLO [127.0.0.1]"] * 5]


def test_the_greeting_gives_the_name_that_was_set(server: MailServer) -> None:
    server.behaviour.ehlo = "502 what?"
    send(replace(plain(server), greeted_as="relay.example.org"))
    assert hellos(server) == ["EHLO relay.example.org", "HELO relay.example.org"]


# --- TLS ------------------------------------------------------------------------------------------------------------


class Certificates(NamedTuple):
    """An authority made for the test run, and a certificate of the server's."""

    server: ssl.SSLContext
    client: ssl.SSLContext  # trusts the authority


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, *, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    authority = name == issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not authority:
        names = [x509.IPAddress(ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Authority", authority_key, issuer="Authority", signer=authority_key)
    certificate = _certificate("Server", key, issuer="Authority", signer=authority_key)
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=authority.public_bytes(serialization.Encoding.PEM).decode())
    return Certificates(server, client)


@contextmanager
def encrypted(certificates: Certificates, security: str) -> Iterator[tuple[MailServer, Server]]:
    behaviour = Behaviour(tls=certificates.server, tls_from_the_start=security == "tls")
    with running(behaviour) as state:
        yield state, Server("127.0.0.1", state.port, security)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_goes_out_encrypted(certificates: Certificates, security: str) -> None:
    with encrypted(certificates, security) as (state, server):
        for _ in range(3):
            assert send(server, outgoing(octets=400_000), context=certificates.client).kind is OutcomeKind.SENT
        assert [len(message.data) for message in state.received] == [400_000] * 3
        hellos = sum(line.startswith("EHLO") for line in state.commands)
        assert hellos == (3 if security == "tls" else 6)  # again after STARTTLS


def test_a_long_answer_is_read_whole_from_one_tls_record(certificates: Certificates) -> None:
    with encrypted(certificates, "tls") as (state, server):
        state.behaviour.dot = lambda _: "250-all is well\r\n" * 700 + "250 queued"
        assert send(server, context=certificates.client).kind is OutcomeKind.SENT


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_of_nobody_known_is_refused(certificates: Certificates, security: str) -> None:
    with encrypted(certificates, security) as (state, server):
        with pytest.raises(SmtpUnavailable, match=r"certificate is not valid: .*self-signed certificate|unable to get"):
            send(server)
        assert state.connections <= 1
        assert not commands(state)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_for_another_name_is_refused(certificates: Certificates, security: str) -> None:
    with encrypted(certificates, security) as (state, server):
        elsewhere = Server("localhost", server.port, security)
        with pytest.raises(SmtpUnavailable, match=r"certificate is not valid: .*[Hh]ostname mismatch"):
            send(elsewhere, context=certificates.client)
        assert not commands(state)


def test_without_starttls_nothing_is_sent_in_the_clear(server: MailServer) -> None:
    with pytest.raises(SmtpUnavailable, match="does not offer STARTTLS"):
        send(Server("127.0.0.1", server.port, "starttls", "user", "secret"))
    assert not commands(server)
    assert not any("AUTH" in line for line in server.commands)


def test_what_was_said_before_the_handshake_is_forgotten(certificates: Certificates) -> None:
    with encrypted(certificates, "starttls") as (state, server):
        state.behaviour.injected = "\r\n250-forged\r\n250 SIZE 1"
        assert send(server, context=certificates.client).kind is OutcomeKind.SENT


# --- log-in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offer", ["AUTH LOGIN PLAIN CRAM-MD5", "AUTH LOGIN", "AUTH=LOGIN"])
def test_the_server_is_told_who_sends(server: MailServer, offer: str) -> None:
    server.behaviour.extensions = (*ALL, offer)
    server.behaviour.login = ("user", "pässword")
    assert send(Server("127.0.0.1", server.port, "none", "user", "pässword")).kind is OutcomeKind.SENT
    auth = next(line for line in server.commands if line.startswith("AUTH"))
    assert auth.startswith("AUTH PLAIN " if "PLAIN" in offer else "AUTH LOGIN")


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
def test_a_refused_log_in_names_the_setting_and_not_the_password(server: MailServer, offer: str) -> None:
    server.behaviour.extensions = (*ALL, offer)
    server.behaviour.login = ("user", "another")
    with pytest.raises(SmtpUnavailable, match="MAILER_SMTP_URL: 535") as caught:
        send(Server("127.0.0.1", server.port, "none", "user", "secret"))
    assert "secret" not in str(caught.value)
    assert server.connections == 1  # more tries would lock the account


def test_a_server_without_a_known_way_to_log_in_gets_nothing(server: MailServer) -> None:
    with pytest.raises(SmtpUnavailable, match="PLAIN or LOGIN"):
        send(Server("127.0.0.1", server.port, "none", "user", "secret"))
    assert not commands(server)
