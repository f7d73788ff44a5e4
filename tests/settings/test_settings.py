"""Every setting: its default, what is refused, and the one line that says so."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.errors import ConfigurationError
from mailer.mail.headers import split_mailbox
from mailer.mail.mailboxes.types import ImapFolder, MaildirFolder
from mailer.mail.smtp import Place, Server
from mailer.mail.webhooks.types import Provider
from mailer.people.organisers import Organisers
from mailer.settings import Settings, keys_file, load_settings
from mailer.settings.secret_files import SecretFile
from mailer.store.crypto import Key
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY
from tests.support.webhooks import TOPIC, verification_key

KEYS = {
    "MAILER_SECRET_KEYS": str(SECRET_KEY),
    "MAILER_LINK_KEYS": str(LINK_KEY),
    "MAILER_INDEX_KEY": str(Key(id="x", secret=INDEX_KEY)).partition(":")[2],
}
ALL_ZERO = str(Key(id="k1", secret=bytes(32)))
SHORT = "k1:c2hvcnQ="


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """`load(MAILER_SENDER=…)`: settings of just these variables."""

    def load(**variables: str) -> Settings:
        return load_settings({"MAILER_DATA_DIR": str(tmp_path / "data"), **variables}, directory=tmp_path)

    return load


def refusal(act: Callable[[], object]) -> str:
    """The one line that a wrong setting ends the program with."""
    with pytest.raises(ConfigurationError) as caught:
        act()
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("2424", "127.0.0.1", 2424),
        (":2424", "127.0.0.1", 2424),
        ("localhost:24", "localhost", 24),
        ("0.0.0.0:25", "0.0.0.0", 25),
        ("[::1]:24", "::1", 24),
    ],
)
def test_where_the_listener_takes_mail_is_on_this_machine_unless_it_says_otherwise(
    load: Callable[..., Settings], text: str, host: str, port: int
) -> None:
    settings = load(MAILER_INBOUND_LMTP=text, MAILER_INBOUND_SMTP="unix:/run/tocsin/smtp")
    assert settings.inbound_lmtp == Place(host, port)
    assert settings.inbound_lmtp.is_local is (host != "0.0.0.0")
    assert settings.inbound_smtp == Place(path=Path("/run/tocsin/smtp"))
    assert settings.inbound_smtp.is_local


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("maildir:/var/mail/tocsin", MaildirFolder(Path("/var/mail/tocsin"))),
        ("imaps://box@mail.example.org", ImapFolder("mail.example.org", "box")),
        ("imaps://box@mail.example.org/", ImapFolder("mail.example.org", "box")),
        ("imaps://box@mail.example.org/INBOX?auth=xoauth2", ImapFolder("mail.example.org", "box", by_token=True)),
        (
            "imaps://a%40b.example@mail.example.org:1993/x%20%26/y",
            ImapFolder("mail.example.org", "a@b.example", 1993, "x &/y"),
        ),
        ("imaps://bounces@in.example.org@Mail.example.org", ImapFolder("mail.example.org", "bounces@in.example.org")),
    ],
)
def test_a_mailbox_may_be_a_maildir_or_a_folder_on_a_server(
    load: Callable[..., Settings], text: str, place: MaildirFolder | ImapFolder
) -> None:
    assert load(MAILER_INBOUND_URL=text).inbound_place == place


def test_the_password_of_a_mailbox_stands_in_a_file_that_not_everybody_can_read(
    load: Callable[..., Settings], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    settings = load(MAILER_INBOUND_PASSWORD_FILE=str(file))
    assert "cannot be read: No such file" in refusal(lambda: settings.inbound_password)
    file.touch(0o640)
    assert "must hold one line" in refusal(lambda: settings.inbound_password)
    file.write_text("two\nlines\n")
    assert "must hold one line" in refusal(lambda: settings.inbound_password)
    file.write_bytes(b"\xff")
    assert "is not UTF-8" in refusal(lambda: settings.inbound_password)
    file.write_text(" pässwörd \n")
    assert settings.inbound_password == " pässwörd "
    file.chmod(0o644)
    assert "chmod o-rwx" in refusal(lambda: settings.inbound_password)
    assert "is not set, and the mailbox wants" in refusal(lambda: load().inbound_password)


def test_who_may_post_to_webhooks_is_who_is_set(load: Callable[..., Settings], tmp_path: Path) -> None:
    assert load().hooks.providers == ()
    one = load(MAILER_HOOKS_SES_TOPICS=f"{TOPIC}, {TOPIC}-2", MAILER_HOOKS_SENDGRID_KEYS=verification_key())
    assert one.hooks.providers == (Provider.SES, Provider.SENDGRID)
    assert one.hooks.ses_topics == (TOPIC, f"{TOPIC}-2")
    names = ("MAILGUN", "POSTMARK", "BREVO", "SPARKPOST")
    others = load(**{f"MAILER_HOOKS_{name}_FILE": str(tmp_path / name) for name in names})  # read when they are needed
    assert others.hooks.providers == tuple(Provider(name.lower()) for name in names)


def test_who_asks_for_tokens_needs_a_secret_or_somebodys_consent(load: Callable[..., Settings], tmp_path: Path) -> None:
    secret, consent = tmp_path / "secret", tmp_path / "consent"
    known = {"MAILER_OAUTH_TOKEN_URL": "https://oauth2.example.com/token", "MAILER_OAUTH_CLIENT_ID": "tocsin"}
    assert "MAILER_OAUTH_CLIENT_SECRET_FILE: is not set" in refusal(lambda: load(**known).oauth_client)
    secret.touch(0o600)
    secret.write_text("hush\n")
    known["MAILER_OAUTH_CLIENT_SECRET_FILE"] = str(secret)
    client = load(**known, MAILER_OAUTH_SCOPE="a b").oauth_client
    assert (client.secret, client.scope, client.consent) == ("hush", "a b", None)
    known["MAILER_OAUTH_REFRESH_TOKEN_FILE"] = str(consent)
    assert "MAILER_OAUTH_REFRESH_TOKEN_FILE" in refusal(lambda: load(**known).oauth_client)
    consent.touch(0o640)
    consent.write_text("yes")
    kept = load(**known).oauth_client.consent
    assert kept
    assert kept.load() == "yes"
    for variable in ("MAILER_OAUTH_TOKEN_URL", "MAILER_OAUTH_CLIENT_ID"):
        settings = load(**known | {variable: ""})
        assert f"{variable}: is not set" in refusal(lambda: settings.oauth_client)  # noqa: B023  # called at once


def test_a_new_refresh_token_takes_the_place_of_the_old_at_one_stroke_and_others_still_cannot_read_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "real").touch(0o640)
    (tmp_path / "consent").symlink_to(tmp_path / "real")
    file = SecretFile("MAILER_OAUTH_REFRESH_TOKEN_FILE", tmp_path / "consent", "/x")
    file.store("new")
    assert file.load() == "new"
    assert (tmp_path / "real").read_text() == "new\n"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["consent", "real"]


def test_what_is_not_set_has_the_documented_default(tmp_path: Path) -> None:
    settings = load_settings({}, directory=tmp_path)
    assert settings.data_dir == Path("data")
    assert settings.database_url == "sqlite:///data/tocsin.db"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert (settings.smtp_connections, settings.smtp_rate, settings.lease_seconds) == (4, None, 30)
    assert settings.trusted_proxies == 0
    assert settings.organisation is settings.sender is settings.postal_address is None
    assert settings.reply_to is settings.bounce_address is settings.unsubscribe_address is None
    assert settings.privacy_contact is settings.privacy_url is settings.security_contact is settings.contact is None


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("MAILER_DATABASE_URL", "nonsense", "is not a database URL"),
        ("MAILER_DATABASE_URL", "mysql://localhost/x", "'mysql' is not supported"),
        ("MAILER_DATABASE_URL", "postgresql://localhost/x", "postgresql+psycopg"),
        ("MAILER_DATABASE_URL", "sqlite://", "must name a file"),
        ("MAILER_DATABASE_URL", "sqlite:///:memory:", "must name a file"),
        ("MAILER_DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true", "must name a file"),
        ("MAILER_DATA_DIR", "caf\udce9", "must be UTF-8"),
        ("MAILER_ORGANISATION", "Harbour\0Solidarity", "without control characters"),
        ("MAILER_POSTAL_ADDRESS", "1 Example Street\\n\udce9", "must be UTF-8"),
        ("MAILER_BASE_URL", "act.example.org", "must be an http or https address"),
        ("MAILER_BASE_URL", "https://act.example.org/?a=1", "without user, query and fragment"),
        ("MAILER_BASE_URL", "https://user@act.example.org", "without user, query and fragment"),
        ("MAILER_BASE_URL", "https://bücher.example.org", "xn--"),
        ("MAILER_BASE_URL", "https://act.example.org:99999", "has a port"),
        ("MAILER_BASE_URL", 'https://act.example.org/"onclick', "contains characters"),
        ("MAILER_BASE_URL", "https://www.example.org/act", "must not have a path"),
        ("MAILER_BASE_URL", "https://www.example.org/act/", "give it a host of its own"),
        ("MAILER_BASE_URL", "https://[www.example.org", "is not a URL"),
        ("MAILER_DATABASE_URL", "postgresql+psycopg://ana:se@cret@host/tocsin", "%40"),
        ("MAILER_REDIS_URL", "rediss://:se/cret@redis.example.org:6379/0", "must be percent-encoded"),
        ("MAILER_REDIS_URL", "localhost:6379", "must start with redis://"),
        ("MAILER_REDIS_URL", "redis://", "must name a host"),
        ("MAILER_REDIS_URL", "redis://localhost:many/0", "has a port"),
        ("MAILER_REDIS_URL", "rediss://redis.example.org", "must hold a password"),
        ("MAILER_REDIS_URL", "rediss://ana@redis.example.org", "must hold a password"),
        ("MAILER_REDIS_URL", "redis://10.0.0.7", "must hold a password"),
        ("MAILER_REDIS_URL", "redis://:secret@redis.example.org", "must start with rediss://"),
        ("MAILER_REDIS_URL", "redis://:secret@192.0.2.7", "must start with rediss://"),
        ("MAILER_REDIS_URL", "redis://:secret@internal.example.org", "must start with rediss://"),
        ("MAILER_REDIS_URL", "redis://redis:6379/0", "must hold a password"),
        ("MAILER_REDIS_URL", "rediss://:secret@redis.example.org?ssl_cert_reqs=none", "must not turn off the check"),
        ("MAILER_REDIS_URL", "rediss://:secret@10.0.0.7?ssl_check_hostname=false", "must not turn off the check"),
        ("MAILER_REDIS_URL", "redis://10.0.0.7?password=", "must hold a password"),
        ("MAILER_REDIS_URL", "redis://:secret@[::ffff:192.0.2.7]", "must start with rediss://"),
        ("MAILER_REDIS_URL", "redis://127.0.0.1:secret@redis.example.org", "must start with rediss://"),
        ("MAILER_REDIS_URL", "unix://", "must name a host, or after unix:// the path"),
        ("MAILER_INBOUND_LMTP", "localhost", "must be a port, HOST:PORT"),
        ("MAILER_INBOUND_LMTP", "127.0.0.1:65536", "must be a port, HOST:PORT"),
        ("MAILER_INBOUND_LMTP", "::1:24", "[IPv6]:PORT"),
        ("MAILER_INBOUND_LMTP", "unix:lmtp", "must have a path from the root"),
        ("MAILER_INBOUND_LMTP", "unix:/" + "x" * 107, "longer than 107 octets"),
        ("MAILER_INBOUND_SMTP", "smtp://127.0.0.1:25", "must be a port, HOST:PORT"),
        ("MAILER_INBOUND_URL", "maildir:box", "a path from the root"),
        ("MAILER_INBOUND_URL", "imap://box@mail.example.org/INBOX", "must be imaps://"),
        ("MAILER_INBOUND_URL", "imaps://mail.example.org/INBOX", "a user, @ and a host"),
        ("MAILER_INBOUND_URL", "imaps://box@mail.example.org/INBOX#x", "a user, @ and a host"),
        ("MAILER_INBOUND_URL", "imaps://box:secret@mail.example.org", "MAILER_INBOUND_PASSWORD_FILE"),
        ("MAILER_INBOUND_URL", "imaps://box@mail.example.org/Tocsin", "a folder other than Tocsin"),
        ("MAILER_INBOUND_URL", "imaps://box@mail.example.org?auth=xoauth", "only auth=xoauth2"),
        ("MAILER_OAUTH_TOKEN_URL", "http://oauth2.example.com/token", "must be an https address"),
        ("MAILER_INBOUND_URL", "imaps://box@mail.example.org/INBOX%0A", "a folder other than"),
        ("MAILER_INBOUND_HANDLED", "move", "must be keep or delete"),
        ("MAILER_HOOKS_SES_TOPICS", "tocsin", "must be ARNs of topics"),
        ("MAILER_HOOKS_SES_TOPICS", f"{TOPIC},", "must be ARNs of topics"),
        ("MAILER_HOOKS_SES_TOPICS", TOPIC.replace("sns", "sqs"), "must be ARNs of topics"),
        ("MAILER_HOOKS_SENDGRID_KEYS", "MFkw", "must be the verification key"),
        ("MAILER_HOOKS_SENDGRID_KEYS", "!", "must be the verification key"),
        ("MAILER_HOOKS_SENDGRID_KEYS", "ä", "must be the verification key"),
        ("MAILER_SMTP_URL", "mail.example.org", "must be smtp://"),
        ("MAILER_SMTP_URL", "smtp://", "and then a host"),
        ("MAILER_SMTP_URL", "smtp://mail.example.org/inbox", "must be smtp://"),
        ("MAILER_SMTP_URL", "smtps://ana:se/cret@mail.example.org", "must be percent-encoded"),
        ("MAILER_SMTP_URL", "smtps://ana:se#cret@mail.example.org:465", "%23"),
        ("MAILER_SMTP_URL", "smtp+starttls://ana:se?cret@mail.example.org", "%3F"),
        ("MAILER_SMTP_URL", "smtps://ana:s@e/cret@mail.example.org", "%2F"),
        ("MAILER_SMTP_URL", "smtps://ana:se[cret@mail.example.org", "%5B"),
        ("MAILER_SMTP_URL", "smtps://mail.example.org?user=ana", "with nothing behind it"),
        ("MAILER_SMTP_URL", "smtp://mail.example.org:0x19", "has a port"),
        ("MAILER_SMTP_URL", "smtp://user:pass@mail.example.org", "must not travel unencrypted"),
        ("MAILER_ORGANISERS", "desk@example.org, rosa", "but number 2 is not an e-mail address"),
        ("MAILER_ORGANISERS", "desk@example.org,", "but number 2 "),
        ("MAILER_ORGANISERS", "Rosa <rosa@example.org>", "but number 1 must be an address without a name"),
        ("MAILER_ORGANISERS_LANGUAGE", "sw", "must be one of the site's languages: en, fr,"),
        ("MAILER_ORGANISERS_LANGUAGE", "tongues", "must be one of the site's languages"),
        ("MAILER_TIME_ZONE", "Ondoria/Tidewater", "is not a time zone that this machine knows"),
        ("MAILER_TIME_ZONE", "../etc/passwd", "is not a time zone"),
        ("MAILER_TIME_ZONE", "Europe", "is not a time zone"),
        ("MAILER_SMTP_HELO", "mail", "must be a full domain name, with a dot in it"),
        ("MAILER_SMTP_HELO", "mail.example.org.", "must be a full domain name"),
        ("MAILER_SMTP_HELO", "mail_1.example.org", "must be a full domain name"),
        ("MAILER_SMTP_HELO", "-.example.org", "must be a full domain name"),
        ("MAILER_SMTP_HELO", "mail.example.org EHLO", "must be a full domain name"),
        ("MAILER_SMTP_HELO", "a.b" * 100, "must be a full domain name"),
        ("MAILER_SMTP_HELO", "192.0.2.1", "an IP address in brackets"),
        ("MAILER_SMTP_HELO", "[192.0.2]", "is not an address in brackets"),
        ("MAILER_SMTP_HELO", "[2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("MAILER_SMTP_HELO", "[IPv6:192.0.2.1]", "is not an address in brackets"),
        ("MAILER_SMTP_HELO", "bücher.example.org", "xn--"),
        ("MAILER_LANGUAGE_FALLBACKS", "kk", "such as kk=ru,en"),
        ("MAILER_LANGUAGE_FALLBACKS", "kk=", "such as kk=ru,en"),
        ("MAILER_LANGUAGE_FALLBACKS", "kk=klingon", "is no language"),
        ("MAILER_SENDER", "alerts", "is not an e-mail address"),
        ("MAILER_SENDER", "one@example.org, two@example.org", "must be a single e-mail address"),
        ("MAILER_SENDER", "Harbour <alerts@example.org", "a bracket or a quotation mark is missing"),
        ("MAILER_SENDER", "Harbour alerts@example.org>", "a bracket or a quotation mark is missing"),
        ("MAILER_SENDER", 'Harbour" <alerts@example.org>', "a bracket or a quotation mark is missing"),
        ("MAILER_REPLY_TO", "Office (desk <office@example.org>", "a bracket or a quotation mark is missing"),
        ("MAILER_SENDER", '"Dockers": Alerts <alerts@example.org>', "a name with : in it needs quotation marks"),
        ("MAILER_SENDER", '"Dockers" [Alert] <alerts@example.org>', "a name with [ in it needs quotation marks"),
        ("MAILER_SENDER", "Dockers: alerts@example.org;", "a name with : in it needs quotation marks"),
        ("MAILER_SENDER", "One <one@example.org>; Two <two@example.org>", "must be a single e-mail address"),
        ("MAILER_SENDER", "alerts@bücher.example.org", "xn--"),
        ("MAILER_REPLY_TO", "office@", "is not an e-mail address"),
        ("MAILER_INBOUND_KEEP_UNREAD_DAYS", "8", "must be a whole number from 0 to 7"),
        ("MAILER_FORWARD_REPLIES_TO", "Office <office@example.org>", "must be an address without a name"),
        ("MAILER_BOUNCE_ADDRESS", "bounce+{id}@example.org", "only {token} is filled in"),
        ("MAILER_BOUNCE_ADDRESS", "Bounces <bounce@example.org>", "must be an address without a name"),
        ("MAILER_UNSUBSCRIBE_ADDRESS", "leave+{token.__class__}@example.org", "only {token} is filled in"),
        ("MAILER_PRIVACY_CONTACT", "Privacy <privacy@example.org>", "must be an address without a name"),
        ("MAILER_PRIVACY_CONTACT", "privacy", "is not an e-mail address"),
        ("MAILER_PRIVACY_URL", "http://www.example.org/privacy", "must be an https address"),
        ("MAILER_PRIVACY_URL", "https://user@www.example.org", "must be an https address"),
        ("MAILER_PRIVACY_URL", "https://www.example.org/datenschutzerklärung", "contains characters"),
        ("MAILER_SECURITY_CONTACT", "security@example.org", "must start with mailto: or https://"),
        ("MAILER_SECURITY_CONTACT", "mailto:security", "is not an e-mail address"),
        ("MAILER_SECURITY_CONTACT", "javascript:alert(1)", "must start with mailto: or https://"),
        ("MAILER_DKIM_DOMAIN", "https://example.org", "is not an e-mail domain"),
        ("MAILER_DKIM_DOMAIN", "bücher.example.org", "xn--"),
        ("MAILER_DKIM_SELECTOR", "s1._domainkey", "must be a name of letters"),
        ("MAILER_DKIM_SELECTOR", "s1,s1", "two different ones"),
        ("MAILER_DKIM_SELECTOR", "s1,s2,s3", "must be a name of letters"),
        ("MAILER_SMTP_CONNECTIONS", "0", "must be a whole number from 1 to 100"),
        ("MAILER_SMTP_CONNECTIONS", "four", "must be a whole number from 1 to 100"),
        ("MAILER_SMTP_RATE", "0", "must be a number of messages a second"),
        ("MAILER_SMTP_RATE", "fast", "must be a number of messages a second"),
        ("MAILER_LEASE_SECONDS", "0.1", "must be a number of seconds from 0.5 to 3600"),
        ("MAILER_LEASE_SECONDS", "nan", "must be a number of seconds from 0.5 to 3600"),
        ("MAILER_TRUSTED_PROXIES", "-1", "must be a whole number from 0 to 10"),
    ],
)
def test_a_wrong_value_is_explained_in_one_line_with_an_example(
    load: Callable[..., Settings], variable: str, value: str, problem: str
) -> None:
    line = refusal(lambda: load(**{variable: value}))
    assert line.startswith(f"{variable}: ")
    assert problem in line
    example = line.rpartition(f"Example: {variable}=")[2]
    load(**{variable: example})  # what the line proposes is accepted


@pytest.mark.parametrize(
    ("variable", "ask"),
    [
        ("MAILER_REDIS_URL", lambda settings: settings.redis_url),
        ("MAILER_SMTP_URL", lambda settings: settings.smtp),
        ("MAILER_SECRET_KEYS", lambda settings: settings.keyring),
        ("MAILER_ORGANISATION", lambda settings: settings.mail_sender),
    ],
)
def test_what_is_missing_is_named_when_it_is_needed(
    load: Callable[..., Settings], variable: str, ask: Callable[[Settings], object]
) -> None:
    settings = load()
    assert refusal(lambda: ask(settings)).startswith(f"{variable}: is not set")


@pytest.mark.parametrize(
    "sender", ['"A <b>, c" <alerts@example.org>', "Alerts (from us) <alerts@example.org>", "<alerts@example.org>"]
)
def test_a_sender_may_have_pairs_of_everything(load: Callable[..., Settings], sender: str) -> None:
    assert load(MAILER_SENDER=sender).sender == sender


@pytest.mark.parametrize(
    "name",
    ["Dockers: News", "Dockers:", "[News] Dockers", "Dockers @ Sea", "Dockers; Pilots", "Dockers, Pilots", "A\\B"],
)
@pytest.mark.parametrize("variable", ["MAILER_SENDER", "MAILER_REPLY_TO"])
def test_a_name_with_signs_of_an_address_in_it_stays_whole(
    load: Callable[..., Settings], variable: str, name: str
) -> None:
    settings = load(**{variable: f"{name} <news@example.org>"})
    assert split_mailbox(settings.sender or settings.reply_to or "") == (name, "news@example.org")


@pytest.mark.parametrize(
    "url",
    [
        "unix:///run/redis@tocsin/redis.sock",
        "rediss://redis.example.org?password=se@cret",
        "redis://127.0.0.1:6379/0",
        "redis://[::1]",
        "redis://localhost",
        "unix:///run/redis/redis.sock",
        "redis://:secret@10.0.0.7:6379/0",
        "redis://:secret@[fd00::7]",
        "redis://:secret@redis:6379/0",
        "redis://:secret@Cache.Internal.",
        "rediss://:secret@redis.example.org?ssl_cert_reqs=required&ssl_check_hostname=True",
        "rediss://:secret@redis.example.org",
        "rediss://redis.example.org?password=secret&ssl_ca_certs=/etc/redis/ca.pem",
    ],
)
def test_a_redis_is_near_or_asks_for_a_password(load: Callable[..., Settings], url: str) -> None:
    assert load(MAILER_REDIS_URL=url).redis_url == url


@pytest.mark.parametrize("contact", ["mailto:security@example.org", "https://www.example.org/security?form=1#top"])
def test_a_security_contact_is_an_address_or_a_page(load: Callable[..., Settings], contact: str) -> None:
    assert load(MAILER_SECURITY_CONTACT=contact).security_contact == contact


def test_questions_about_peoples_data_go_where_answers_to_mails_go_unless_there_is_an_address_for_them(
    load: Callable[..., Settings],
) -> None:
    alerts = {"MAILER_SENDER": "Alerts <alerts@example.org>"}
    office = {"MAILER_REPLY_TO": "Office <office@example.org>"}
    assert load(**alerts).contact == "alerts@example.org"
    assert load(**alerts, **office).contact == "office@example.org"
    assert load(**alerts, **office, MAILER_PRIVACY_CONTACT="privacy@example.org").contact == "privacy@example.org"


@pytest.mark.parametrize(
    ("ours", "to"),
    [
        ({"MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org"}, "Bounce@in.example.org"),
        ({"MAILER_BOUNCE_ADDRESS": "bounce+{token}@in.example.org"}, f"bounce+{'0' * 40}@in.example.org"),
        ({"MAILER_BOUNCE_ADDRESS": "bounces@example.org"}, "bounces@example.org"),
        ({"MAILER_UNSUBSCRIBE_ADDRESS": "leave+{token}@in.example.org"}, f"leave+{'0' * 40}@in.example.org"),
    ],
)
def test_what_people_write_does_not_go_to_where_it_came_from(
    load: Callable[..., Settings], ours: dict[str, str], to: str
) -> None:
    line = refusal(lambda: load(**ours, MAILER_FORWARD_REPLIES_TO=to))
    assert line.startswith("MAILER_FORWARD_REPLIES_TO: is an address whose mail comes to this program")
    sender = {"MAILER_SENDER": "Alerts <office@example.org>"}
    settings = load(**ours, **sender, MAILER_FORWARD_REPLIES_TO="office@example.org")
    assert settings.readers.addresses == ("office@example.org",)


@pytest.mark.parametrize(
    ("more", "are_read"),
    [
        ({}, False),
        ({"MAILER_REPLY_TO": "office@example.org"}, True),
        ({"MAILER_FORWARD_REPLIES_TO": "office@example.org"}, True),
    ],
)
def test_mails_say_that_nobody_reads_answers_where_no_reader_is_set(
    load: Callable[..., Settings], more: dict[str, str], are_read: bool
) -> None:
    known = {"MAILER_ORGANISATION": "Harbour", "MAILER_SENDER": "a@example.org", "MAILER_POSTAL_ADDRESS": "1 Street"}
    assert load(**known, **more).mail_sender.answers_are_read is are_read


def test_missing_keys_are_asked_for_with_the_place_they_were_looked_for(
    load: Callable[..., Settings], tmp_path: Path
) -> None:
    line = refusal(lambda: load(MAILER_DATA_DIR=str(tmp_path / "here")).keyring)
    assert str(tmp_path / "here" / "keys.env") in line
    assert "set MAILER_DATA_DIR" in line


@pytest.mark.parametrize(
    ("name", "hint"),
    [("MAILER_SENDR", "Did you mean MAILER_SENDER?"), ("MAILER_COLOUR_OF_THE_SKY_AT_NIGHT", "docs/reference")],
)
def test_a_setting_that_does_not_exist_is_refused(
    load: Callable[..., Settings], tmp_path: Path, name: str, hint: str
) -> None:
    line = refusal(lambda: load(**{name: "x"}))
    assert line.startswith(f"{name}: there is no such setting. ") and hint in line
    (tmp_path / ".env").write_text(f"{name}=x\n")
    assert hint in refusal(lambda: load_settings({}, directory=tmp_path))
    load_settings({name: ""}, directory=tmp_path)  # blank is not set


@pytest.mark.parametrize("missing", ["MAILER_ORGANISATION", "MAILER_SENDER", "MAILER_POSTAL_ADDRESS"])
def test_no_mail_goes_out_without_saying_who_sent_it(settings: Callable[..., Settings], missing: str) -> None:
    incomplete = settings(**{missing: None})
    assert refusal(lambda: incomplete.mail_sender).startswith(f"{missing}: is not set")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:2525", Server("127.0.0.1", 2525, "none", None, None)),
        ("smtp://[::1]", Server("::1", 25, "none", None, None)),
        (
            "smtp+starttls://ana%40example.org:p%3Aq@mail.example.org",
            Server("mail.example.org", 587, "starttls", "ana@example.org", "p:q"),
        ),
        ("smtps://ana:s%2Fe%23%3F@mail.example.org", Server("mail.example.org", 465, "tls", "ana", "s/e#?")),
        ("smtps://mail.example.org", Server("mail.example.org", 465, "tls", None, None)),
    ],
)
def test_a_mail_server_is_read_from_its_url(load: Callable[..., Settings], url: str, server: Server) -> None:
    assert load(MAILER_SMTP_URL=url, MAILER_BASE_URL="https://act.example.org").smtp == server


@pytest.mark.parametrize("password", ["hush/hush", "hush#hush", "hush\u2100hush", "hush[hush"])
def test_a_password_that_is_written_wrongly_is_not_repeated(load: Callable[..., Settings], password: str) -> None:
    assert "hush" not in refusal(lambda: load(MAILER_SMTP_URL=f"smtps://ana:{password}@mail.example.org"))


def test_languages_may_stand_in_for_others(load: Callable[..., Settings]) -> None:
    assert load().language_fallbacks == {}
    assert load(MAILER_LANGUAGE_FALLBACKS="KK=ru,en be=ru").language_fallbacks == {"kk": ["ru", "en"], "be": ["ru"]}


@pytest.mark.parametrize("name", ["mail.example.org", "M-1.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_the_mail_server_is_greeted_with_the_name_that_is_set(load: Callable[..., Settings], name: str) -> None:
    settings = load(MAILER_SMTP_URL="smtp://127.0.0.1:2525", MAILER_SMTP_HELO=name)
    assert settings.smtp == Server("127.0.0.1", 2525, greeted_as=name)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("vm", "this machine is called vm, which is no full domain name"),
        ("my_host.example.org", "this machine is called my_host.example.org, which is no full domain name"),
        (
            "localhost.localdomain",
            "this machine is called localhost.localdomain, a name that only a local network knows",
        ),
        ("ip-10-0-0-7.ec2.internal", "a name that only a local network knows"),
        ("mail.example.org", None),
    ],
)
def test_a_machine_with_a_name_that_mail_servers_think_little_of_is_told_what_to_set(
    load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, host: str, said: str | None
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    server = {"MAILER_SMTP_URL": "smtp://127.0.0.1:2525"}
    advice = load(**server).advice_on_helo
    assert advice is None if said is None else advice and said in str(advice) and "Set MAILER_SMTP_HELO" in str(advice)
    assert load().advice_on_helo is None  # it sends nothing
    assert load(**server, MAILER_SMTP_HELO="mail.example.org").advice_on_helo is None


def test_organisers_are_addresses_with_commas_between_them_each_once(load: Callable[..., Settings]) -> None:
    assert load().organisers == Organisers((), "en", UTC)
    settings = load(
        MAILER_ORGANISERS="desk@example.org, Rosa@example.net,DESK@example.org",
        MAILER_ORGANISERS_LANGUAGE="FR_ca",
        MAILER_TIME_ZONE="Europe/Paris",
    )
    assert settings.organisers == Organisers(("desk@example.org", "Rosa@example.net"), "fr", ZoneInfo("Europe/Paris"))


def test_who_sends_mail_is_told_if_no_organiser_hears_of_anything(load: Callable[..., Settings]) -> None:
    server = {"MAILER_SMTP_URL": "smtp://127.0.0.1:2525"}
    assert "Set MAILER_ORGANISERS" in str(load(**server).advice_on_organisers)
    assert load().advice_on_organisers is None  # it sends nothing
    assert load(**server, MAILER_ORGANISERS="desk@example.org").advice_on_organisers is None


def test_links_in_mail_that_leaves_this_machine_must_be_https(load: Callable[..., Settings]) -> None:
    away = load(MAILER_SMTP_URL="smtp://mail.example.org", MAILER_BASE_URL="http://act.example.org")
    assert "must be https" in refusal(lambda: away.smtp)
    assert load(MAILER_SMTP_URL="smtp://localhost:2525", MAILER_BASE_URL="http://act.example.org").smtp


def test_passwords_and_keys_are_not_in_the_settings_repr(load: Callable[..., Settings]) -> None:
    settings = load(MAILER_SMTP_URL="smtps://ana:swordfish@mail.example.org", **KEYS)
    assert "swordfish" not in repr(settings)
    assert KEYS["MAILER_INDEX_KEY"] not in repr(settings)


def test_a_postal_address_may_have_lines(settings: Callable[..., Settings], tmp_path: Path) -> None:
    lines = "1 Example Street\nExample City"
    for written in (r"1 Example Street\nExample City", " 1  Example Street \n\n Example City\n"):
        assert settings(MAILER_POSTAL_ADDRESS=written).postal_address == lines
    (tmp_path / ".env").write_text(f"MAILER_POSTAL_ADDRESS='{lines}'\n")
    assert settings(MAILER_POSTAL_ADDRESS=None).postal_address == lines


def test_the_data_directory_is_made_for_its_owner_only(load: Callable[..., Settings], tmp_path: Path) -> None:
    folder = load(MAILER_DATA_DIR=str(tmp_path / "var" / "tocsin")).make_data_dir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_cannot_be_made_is_named(load: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, words in ((tmp_path / "file" / "data", "Not a directory"), (tmp_path / ("x" * 300), "name too long")):
        settings = load(MAILER_DATA_DIR=str(path))
        line = refusal(settings.make_data_dir)
        assert line.startswith(f"MAILER_DATA_DIR: {path} cannot be made: ")
        assert words in line
    assert "valkey.sock cannot be read: File name too long" in refusal(lambda: settings.redis_url)


# --- DKIM -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def dkim_settings(settings: Callable[..., Settings], tmp_path: Path) -> Callable[..., Settings]:
    """Settings of an installation that signs with RSA and Ed25519; a variable given as None is not set."""
    file = tmp_path / "dkim.pem"
    keys = (generate_private_key(65537, 2048), Ed25519PrivateKey.generate())
    file.write_bytes(b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in keys))
    file.chmod(0o640)

    def make(**changes: str | None) -> Settings:
        variables = {
            "MAILER_DKIM_DOMAIN": "Example.org",
            "MAILER_DKIM_SELECTOR": "s1, ed1",
            "MAILER_DKIM_KEY_FILE": str(file),
        }
        return settings(**(variables | changes))

    return make


def test_mail_is_signed_once_all_three_dkim_settings_are_set(
    dkim_settings: Callable[..., Settings], settings: Callable[..., Settings]
) -> None:
    signer = dkim_settings().mail_sender.signer
    assert signer is not None
    assert signer.domain == "example.org"
    assert [(key.selector, key.algorithm) for key in signer.keys] == [("s1", "rsa-sha256"), ("ed1", "ed25519-sha256")]
    assert settings().mail_sender.signer is None


@pytest.mark.parametrize("missing", ["MAILER_DKIM_DOMAIN", "MAILER_DKIM_SELECTOR", "MAILER_DKIM_KEY_FILE"])
def test_some_dkim_settings_without_the_others_are_refused(
    dkim_settings: Callable[..., Settings], missing: str
) -> None:
    line = refusal(lambda: dkim_settings(**{missing: None}).mail_sender)
    assert line.startswith(f"{missing}: is not set; DKIM needs all three")


@pytest.mark.parametrize("sender", ["alerts@example.org", "Harbour <alerts@Mail.Example.Org>"])
def test_the_signing_domain_may_be_that_of_the_sender_or_above_it(
    dkim_settings: Callable[..., Settings], sender: str
) -> None:
    assert dkim_settings(MAILER_SENDER=sender).mail_sender.signer


def test_a_signing_domain_that_is_not_the_senders_is_refused(dkim_settings: Callable[..., Settings]) -> None:
    line = refusal(lambda: dkim_settings(MAILER_SENDER="alerts@example.net").mail_sender)
    assert line.startswith("MAILER_DKIM_DOMAIN: must be the domain of MAILER_SENDER, example.net, or one above it")


def test_every_dkim_key_needs_a_selector(dkim_settings: Callable[..., Settings]) -> None:
    line = refusal(lambda: dkim_settings(MAILER_DKIM_SELECTOR="s1").mail_sender)
    assert line.startswith("MAILER_DKIM_SELECTOR: must name one selector for each key")
    assert line.endswith("MAILER_DKIM_SELECTOR=s1,ed1")


def test_a_dkim_key_that_anybody_may_read_is_refused(dkim_settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").chmod(0o644)
    line = refusal(lambda: dkim_settings().mail_sender)
    assert line.startswith(f"MAILER_DKIM_KEY_FILE: {tmp_path}/dkim.pem can be read or changed by everybody")


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read: No such file"), (b"", "holds no private key in PEM form")]
)
def test_a_dkim_key_file_that_cannot_be_used_is_named(
    dkim_settings: Callable[..., Settings], tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "other.pem"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)
    line = refusal(lambda: dkim_settings(MAILER_DKIM_KEY_FILE=str(file)).mail_sender)
    assert line.startswith(f"MAILER_DKIM_KEY_FILE: {file} {problem}")


# --- where settings come from ---------------------------------------------------------------------------------------


def test_the_environment_goes_before_a_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "MAILER_ORGANISATION='Harbour Solidarity'\nMAILER_SENDER=file@example.org\nMAILER_DATA_DIR=elsewhere\n"
    )
    settings = load_settings({"MAILER_SENDER": "shell@example.org"}, directory=tmp_path)
    assert settings.organisation == "Harbour Solidarity"
    assert settings.sender == "shell@example.org"
    assert settings.data_dir == Path("elsewhere")


@pytest.mark.parametrize("name", [".env", "data/keys.env"])
def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path, load: Callable[..., Settings], name: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / name).write_bytes(b"MAILER_ORGANISATION=\xff\xfe\n")
    (tmp_path / name).chmod(0o600)
    line = refusal(load)
    assert line.startswith(str(tmp_path / name))
    assert "not UTF-8" in line


# --- where keys are -------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A file of keys outside the data directory."""
    folder = tmp_path / "keys"
    folder.mkdir(0o700)
    return keys_file.create(folder / "of-the-alerts.env")


def test_keys_are_read_from_the_file_that_is_named(load: Callable[..., Settings], keys: Path, tmp_path: Path) -> None:
    settings = load(MAILER_KEYS_FILE=str(keys))
    assert settings.keys_file == keys
    assert settings.keyring.secret_keys
    assert settings.secret_keys_in_file
    (tmp_path / ".env").write_text(f"MAILER_KEYS_FILE={keys}\n")
    assert load().keyring.secret_keys == settings.keyring.secret_keys
    assert load(**KEYS).keyring.secret_keys == (SECRET_KEY,)  # the environment goes first
    assert not load(**KEYS).secret_keys_in_file


def test_keys_that_were_not_moved_yet_are_not_taken_for_none(
    load: Callable[..., Settings], keys: Path, tmp_path: Path
) -> None:
    default = load().keys_file
    assert default == tmp_path / "data" / "keys.env"
    default.parent.mkdir()
    elsewhere = keys.rename(default).with_name("elsewhere.env")
    line = refusal(lambda: load(MAILER_KEYS_FILE=str(elsewhere)))
    assert line.startswith(f"MAILER_KEYS_FILE: {elsewhere} is not there, but {default} is; move that file")
    default.rename(elsewhere)
    assert load(MAILER_KEYS_FILE=str(elsewhere)).keyring.secret_keys


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o644, 0o666])
@pytest.mark.parametrize("is_default", [False, True])
def test_keys_that_everybody_may_read_or_change_are_refused(
    load: Callable[..., Settings], keys: Path, tmp_path: Path, mode: int, is_default: bool
) -> None:
    if is_default:
        (tmp_path / "data").mkdir(0o700)
        keys = keys.rename(tmp_path / "data" / "keys.env")
    settings = {} if is_default else {"MAILER_KEYS_FILE": str(keys)}
    keys.chmod(mode)
    line = refusal(lambda: load(**settings))
    assert line.startswith(f"MAILER_KEYS_FILE: {keys} can be read or changed by everybody on this machine; run chmod")
    for allowed in (0o400, 0o600, 0o640, 0o660):  # a group may be meant to
        keys.chmod(allowed)
        assert load(**settings).keyring.secret_keys


@pytest.mark.parametrize("mode", [0o702, 0o777, 0o1777])
def test_a_folder_that_everybody_may_write_to_is_refused(
    load: Callable[..., Settings], keys: Path, tmp_path: Path, mode: int
) -> None:
    data = tmp_path / "data"
    data.mkdir(0o700)
    for variable, folder in (("MAILER_DATA_DIR", data), ("MAILER_KEYS_FILE", keys.parent)):
        folder.chmod(mode)
        line = refusal(lambda: load(MAILER_KEYS_FILE=str(keys)))
        assert line.startswith(f"{variable}: {folder} can be changed by everybody on this machine; run chmod o-w")
        for allowed in (0o775, 0o770, 0o755, 0o700):
            folder.chmod(allowed)
            assert load(MAILER_KEYS_FILE=str(keys)).keyring.secret_keys


def test_keys_that_lie_where_the_database_lies_are_spoken_of(
    load: Callable[..., Settings], keys: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "backup").mkdir(parents=True, mode=0o700)
    assert load().advice_on_keys is None  # there are none
    elsewhere = load(MAILER_KEYS_FILE=str(keys))
    assert elsewhere.advice_on_keys is None
    (tmp_path / "link").symlink_to(data)
    for place in (data / "keys.env", data / "other.env", data / "backup" / "keys.env", tmp_path / "link" / "keys.env"):
        keys = keys.rename(place)
        advice = load(MAILER_KEYS_FILE=str(keys)).advice_on_keys
        assert advice and advice.startswith(f"{keys} lies in the directory of the database")
    copy = tmp_path / "copied.env"
    copy.write_bytes(keys.read_bytes())
    copy.chmod(0o600)
    advice = load(MAILER_KEYS_FILE=str(copy)).advice_on_keys  # what was copied, not moved, still lies there
    assert advice and advice.startswith(f"{data / 'keys.env'} lies in the directory of the database")
    url = f"sqlite:///{keys.parent.resolve() / 'other.db'}"
    assert load(MAILER_KEYS_FILE=str(keys), MAILER_DATABASE_URL=url).advice_on_keys
    for url in (f"sqlite:///{tmp_path / 'keys' / 'tocsin.db'}", "postgresql+psycopg:///tocsin"):
        assert load(MAILER_KEYS_FILE=str(keys), MAILER_DATABASE_URL=url).advice_on_keys is None


def test_the_embedded_valkey_of_the_data_directory_is_found(load: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "valkey.sock").touch()
    assert load().redis_url == f"unix://{tmp_path}/data/valkey.sock"
    assert load(MAILER_REDIS_URL="redis://localhost").redis_url == "redis://localhost"


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (SHORT, "has 5 bytes, but 32 are needed"),
        (ALL_ZERO, "is not random"),
        ("k1:correct-horse-battery-staple!", "is not url-safe base64"),
        (str(SECRET_KEY).partition(":")[2], "a key is written as id:base64"),
        (f"{SECRET_KEY},{SECRET_KEY}", "two keys have the same id"),
        (f"{SECRET_KEY},", "a key is written as id:base64"),
    ],
)
@pytest.mark.parametrize("variable", ["MAILER_SECRET_KEYS", "MAILER_LINK_KEYS"])
def test_a_weak_key_is_refused_without_repeating_it(
    load: Callable[..., Settings], variable: str, keys: str, problem: str
) -> None:
    settings = load(**(KEYS | {variable: keys}))
    line = refusal(lambda: settings.keyring)
    assert line.startswith(f"{variable}: ")
    assert problem in line
    assert "mailer keys new" in line
    assert keys not in line


@pytest.mark.parametrize("key", [SHORT.partition(":")[2], ALL_ZERO.partition(":")[2], "no base64 at all"])
def test_a_weak_index_key_is_refused(load: Callable[..., Settings], key: str) -> None:
    settings = load(**(KEYS | {"MAILER_INDEX_KEY": key}))
    assert refusal(lambda: settings.keyring).startswith("MAILER_INDEX_KEY: ")


def test_the_newest_key_encrypts_and_older_ones_still_decrypt(load: Callable[..., Settings]) -> None:
    newer = Key(id="k2", secret=bytes(range(100, 132)))
    old = load(**KEYS).keyring.encrypt("Ana", "subscribers.name")
    both = load(**(KEYS | {"MAILER_SECRET_KEYS": f"{newer},{SECRET_KEY}"})).keyring
    assert both.decrypt(old, "subscribers.name") == "Ana"
    assert both.encrypt("Ana", "subscribers.name").startswith(both.newest_prefix)
    assert b"k2" in both.newest_prefix


def test_a_wrong_setting_ends_the_program_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from mailer.cli import main; main()", "db", "upgrade"],
        env={"MAILER_BASE_URL": "act.example.org", "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("mailer: MAILER_BASE_URL: must be an http or https address")
    assert done.stderr.count("\n") == 1
