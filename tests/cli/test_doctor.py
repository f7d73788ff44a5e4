"""`mailer doctor`: an installation is looked at, and each finding says what to do."""

import json
import shutil
from collections import namedtuple
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailer.mail import lookups
from mailer.mail.dkim import SigningKey
from mailer.mail.dkim_records import record_for
from mailer.operations.doctor import outgoing
from tests.conftest import CommandLine
from tests.support.dns_answers import SILENCE, Dns
from tests.support.mail_server import MailServer
from tests.support.maildirs import SomeMaildir

Records = dict[tuple[str, str], Sequence[str] | str]
_Usage = namedtuple("_Usage", "total used free")


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Records:
    """What stands in the DNS: change it before the command runs."""
    records: Records = {
        ("union.org", "MX"): ["10 mail.union.org"],
        ("mail.union.org", "A"): ["198.51.100.1"],
        ("union.org", "TXT"): ["v=spf1 mx -all"],
        ("_dmarc.union.org", "TXT"): ["v=DMARC1; p=reject"],
        ("1.100.51.198.in-addr.arpa", "PTR"): ["mail.union.org"],
    }
    monkeypatch.setattr(lookups, "system_lookup", lambda **_: Dns(records))
    monkeypatch.setattr(outgoing, "own_address", lambda: "198.51.100.1")
    return records


@pytest.fixture
def installation(
    cli: CommandLine, server: MailServer, valkey_url: str, records: Records, tmp_path: Path
) -> CommandLine:
    """One with which nothing is wrong."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_file = tmp_path / "dkim.pem"
    key_file.touch(0o600)
    key_file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    records["s1._domainkey.union.org", "TXT"] = [record_for(SigningKey("s1", private))]
    (tmp_path / "data").mkdir()
    cli.environment |= {
        "MAILER_SENDER": "Harbour Solidarity <alerts@union.org>",
        "MAILER_BOUNCE_ADDRESS": "bounce+{token}@union.org",
        "MAILER_SMTP_URL": server.url,
        "MAILER_SMTP_HELO": "mail.union.org",
        "MAILER_REDIS_URL": valkey_url,
        "MAILER_ORGANISERS": "rosa@union.org",
        "MAILER_DKIM_DOMAIN": "union.org",
        "MAILER_DKIM_SELECTOR": "s1",
        "MAILER_DKIM_KEY_FILE": str(key_file),
    }
    return cli


def found(result: Result) -> list[str]:
    return [each["code"] for each in json.loads(result.stdout)["findings"]]


def test_where_nothing_is_wrong_it_says_so_and_sends_nothing(installation: CommandLine, server: MailServer) -> None:
    said = installation("doctor").stdout
    assert "Nothing is wrong" in said
    assert all(line.startswith("well") for line in said.splitlines()[:-2])
    assert not server.received
    shown = json.loads(installation("doctor", "--json").stdout)
    assert shown["findings"] == []
    names = {each["name"] for each in shown["checks"]}
    assert names >= {"settings", "disk", "keys", "database", "Redis", "mail server", "DKIM", "DMARC", "SPF"}


def test_what_is_wrong_is_said_with_what_to_do_and_ends_with_1(installation: CommandLine, records: Records) -> None:
    records["s1._domainkey.union.org", "TXT"] = ["v=DKIM1; p="]
    records["union.org", "TXT"] = ["v=spf1 mx -all", "v=spf1 -all"]
    said = installation("doctor", exit_code=1).stdout
    assert "WRONG     DKIM: s1._domainkey.union.org: the key there is revoked" in said
    assert '→ Publish this one TXT record there: "v=DKIM1; k=rsa; p=' in said
    assert "wrong: 2, warnings: 0, not seen: 0." in said
    result = installation("doctor", "--json", exit_code=1)
    assert sorted(found(result)) == ["dkim-revoked", "spf-several"]
    assert set(json.loads(result.stdout)["findings"][0]) == {"level", "code", "where", "what", "remedy"}


def test_what_could_not_be_looked_at_ends_with_3_unless_something_is_wrong(
    installation: CommandLine, records: Records
) -> None:
    records["_dmarc.union.org", "TXT"] = SILENCE
    assert found(installation("doctor", "--json", exit_code=3)) == ["dns-silent"]
    records["union.org", "MX"] = ["0 ."]
    assert set(found(installation("doctor", "--json", exit_code=1))) >= {"dns-silent", "mx-null"}


def test_a_relay_on_this_machine_is_looked_for_in_spf_and_in_the_reverse_dns(
    installation: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "own_address", lambda: "198.51.100.2")
    assert sorted(found(installation("doctor", "--json", exit_code=1))) == ["ptr-missing", "spf-relay"]


def test_a_dkim_key_is_looked_for_at_every_selector_of_ours(installation: CommandLine) -> None:
    installation.environment["MAILER_DKIM_SELECTOR"] = "s2"
    assert found(installation("doctor", "--json", exit_code=1)) == ["dkim-missing"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
class TestOnOneDatabase:
    """What has nothing to do with the kind of database."""

    def test_no_person_and_no_secret_is_shown(self, installation: CommandLine) -> None:
        installation.environment |= {
            "MAILER_SMTP_URL": installation.environment["MAILER_SMTP_URL"].replace(
                "127.0.0.1", "rosa%40union.org:very-secret@127.0.0.1"
            ),
            "MAILER_REPLY_TO": "rosa.l@union.org",
        }
        for arguments in (("doctor",), ("doctor", "--json")):
            said = installation(*arguments, exit_code=1).output
            secrets = [installation.environment[f"MAILER_{each}"] for each in ("SECRET_KEYS", "LINK_KEYS", "INDEX_KEY")]
            assert [word for word in ("rosa", "very-secret", "alerts@", *secrets) if word in said] == []

    def test_an_installation_without_any_setting_learns_where_to_begin(
        self, cli: CommandLine, tmp_path: Path, records: Records
    ) -> None:
        said = cli("doctor", exit_code=1, env={"MAILER_DATA_DIR": str(tmp_path / "none")}).stdout
        for word in ("MAILER_SMTP_URL", "MAILER_SECRET_KEYS", "keys new", "MAILER_ORGANISATION", "data-directory"):
            assert word in said
        assert not (tmp_path / "none").exists()

    def test_settings_that_cannot_be_read_are_a_finding(self, cli: CommandLine) -> None:
        cli.environment["MAILER_SMTP_RATE"] = "fast"
        result = cli("doctor", "--json", exit_code=1)
        assert found(result) == ["setting-wrong"]
        assert json.loads(result.stdout)["findings"][0]["where"] == "MAILER_SMTP_RATE"

    def test_a_database_that_is_not_there_is_not_made(self, installation: CommandLine, tmp_path: Path) -> None:
        installation.environment["MAILER_DATABASE_URL"] = f"sqlite:///{tmp_path / 'other.db'}"
        assert found(installation("doctor", "--json", exit_code=1)) == ["database-missing"]
        assert not (tmp_path / "other.db").exists()

    def test_keys_beside_the_database_are_warned_of(self, installation: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "data" / "keys.env").touch(0o600)
        assert found(installation("doctor", "--json", exit_code=1)) == ["keys-beside-database"]

    @pytest.mark.parametrize(("free", "code"), [(10**7, "disk-full"), (5 * 10**8, "disk-low")])
    def test_a_disk_that_fills_is_told_of(
        self, installation: CommandLine, monkeypatch: pytest.MonkeyPatch, free: int, code: str
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder: _Usage(10**12, 0, free))
        assert set(found(installation("doctor", "--json", exit_code=1))) == {code}

    def test_redis_that_is_away_is_a_warning(self, installation: CommandLine, tmp_path: Path) -> None:
        installation.environment["MAILER_REDIS_URL"] = f"unix://{tmp_path / 'none.sock'}"
        assert found(installation("doctor", "--json", exit_code=1)) == ["redis-away"]

    def test_the_mailbox_that_mail_is_fetched_from_is_opened(self, installation: CommandLine, tmp_path: Path) -> None:
        installation.environment["MAILER_INBOUND_URL"] = f"maildir:{SomeMaildir(tmp_path / 'box').folder}"
        assert "mailbox: " in installation("doctor").stdout
        installation.environment["MAILER_INBOUND_URL"] = f"maildir:{tmp_path}/nowhere"
        assert found(installation("doctor", "--json", exit_code=1)) == ["mailbox-folder"]
        installation.environment["MAILER_INBOUND_URL"] = "imaps://box@127.0.0.1:1"
        assert "MAILER_INBOUND_PASSWORD_FILE is not set" in installation("doctor", exit_code=1).stdout.replace(":", "")

    @pytest.mark.parametrize("dialect", ["LMTP", "SMTP"])
    def test_the_listener_is_asked_where_one_is_set(self, installation: CommandLine, dialect: str) -> None:
        installation.environment[f"MAILER_INBOUND_{dialect}"] = "127.0.0.1:1"
        assert found(installation("doctor", "--json", exit_code=1)) == ["listener-away"]

    def test_domains_for_examples_are_said_and_not_asked_about(
        self, installation: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dns = Dns({})
        monkeypatch.setattr(lookups, "system_lookup", lambda **_: dns)
        for name in ("BOUNCE_ADDRESS", "DKIM_DOMAIN", "DKIM_SELECTOR", "DKIM_KEY_FILE"):
            del installation.environment[f"MAILER_{name}"]
        installation.environment["MAILER_SENDER"] = "alerts@example.org"
        assert found(installation("doctor", "--json", exit_code=1)) == ["domain-reserved"]
        assert dns.asked == []

    def test_the_words_of_the_json_are_those_for_people(self, installation: CommandLine, records: Records) -> None:
        del records["_dmarc.union.org", "TXT"]
        (finding,) = _findings(installation("doctor", "--json", exit_code=1))
        said = installation("doctor", exit_code=1).stdout
        assert f"{finding['where']}: {finding['what']} [{finding['code']}]" in said
        assert f"→ {finding['remedy']}" in said


def test_a_database_of_another_version_is_told_of(installation: CommandLine, empty_database_url: str) -> None:
    installation.environment["MAILER_DATABASE_URL"] = empty_database_url
    code = "database-missing" if empty_database_url.startswith("sqlite") else "database-version"
    assert found(installation("doctor", "--json", exit_code=1)) == [code]


def _findings(result: Result) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(result.stdout)["findings"]
    return found
