"""`mailer demo` does the main job and makes kits, and stays away from a real installation, whatever its `.env` says."""

import csv
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from io import StringIO
from pathlib import Path

import click
import pytest
from rich.console import Console
from sqlalchemy import Engine, select

from mailer.cli import demo, demo_waiting, main
from mailer.cli.installation import Installation
from mailer.settings import hooks, load_settings
from mailer.store.db import session_scope
from mailer.store.models import Subscriber
from mailer.trial import catcher, sample

PROJECT = Path(__file__).parents[2]
VARIABLES = re.findall(r"^\| `(MAILER_[A-Z_]+)` \|", (PROJECT / "docs/reference/settings.md").read_text(), re.MULTILINE)


def test_no_setting_of_a_real_installation_shows_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"MAILER_SENDER": "real@example.org"})
    values = dict.fromkeys(VARIABLES, "1") | {
        "MAILER_DATA_DIR": "real",
        "MAILER_DATABASE_URL": "sqlite:///real.db",
        "MAILER_REDIS_URL": "rediss://:secret@real.example.org",
        "MAILER_SMTP_URL": "smtps://real.example.org",
        "MAILER_SMTP_HELO": "real.example.org",
        "MAILER_BASE_URL": "https://real.example.org",
        "MAILER_LANGUAGE_FALLBACKS": "kk=ru",
        "MAILER_SENDER": "real@example.org",
        "MAILER_REPLY_TO": "real@example.org",
        "MAILER_FORWARD_REPLIES_TO": "answers@real.example.org",
        "MAILER_INBOUND_URL": "maildir:/real",
        "MAILER_INBOUND_HANDLED": "delete",
        "MAILER_OAUTH_TOKEN_URL": "https://real.example.org/token",
        "MAILER_HOOKS_SES_TOPICS": hooks.TOPICS,
        "MAILER_HOOKS_SENDGRID_KEYS": hooks.KEYS,
        "MAILER_BOUNCE_ADDRESS": "real@example.org",
        "MAILER_UNSUBSCRIBE_ADDRESS": "real@example.org",
        "MAILER_ORGANISERS": "real@example.org",
        "MAILER_ORGANISERS_LANGUAGE": "fr",
        "MAILER_TIME_ZONE": "Europe/Paris",
        "MAILER_PRIVACY_CONTACT": "real@example.org",
        "MAILER_PRIVACY_URL": "https://real.example.org/privacy",
        "MAILER_SECURITY_CONTACT": "mailto:real@example.org",
        "MAILER_DKIM_DOMAIN": "example.org",
        "MAILER_DKIM_SELECTOR": "s1",
        "MAILER_DKIM_KEY_FILE": "real.pem",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    demo._isolate(tmp_path / "demo", load_settings().given)
    left = load_settings()
    assert left == load_settings({"MAILER_DATA_DIR": str(tmp_path / "demo")}, directory=tmp_path / "elsewhere")


def test_a_demo_beside_a_real_installation_touches_neither_its_database_nor_its_mail_server(tmp_path: Path) -> None:
    real = tmp_path / "real.db"
    with socket.create_server(("127.0.0.1", 0)) as mail_server:
        mail_server.settimeout(0)
        (tmp_path / ".env").write_text(
            f"MAILER_DATABASE_URL=sqlite:///{real}\nMAILER_SMTP_URL=smtp://127.0.0.1:{mail_server.getsockname()[1]}\n"
            "MAILER_REDIS_URL=redis://127.0.0.1:1/0\nMAILER_SECRET_KEYS=weak\nMAILER_DATA_DIR=data\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "mailer.cli", "demo", "--supporters", "40"],
            env={name: value for name, value in os.environ.items() if not name.startswith("MAILER_")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with pytest.raises(BlockingIOError):  # nobody called
            mail_server.accept()
    assert not real.exists()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    _require_targets(done.stdout)
    _require_kits(tmp_path / "data" / "demo", done.stdout)
    _require_case(tmp_path / "data" / "demo", done.stdout)
    _require_acts(tmp_path / "data" / "demo", done.stdout)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_docs_say_how_many_people_of_the_demo_are_alone_with_what_is_not_encrypted(
    environment: dict[str, str], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", environment)
    with click.Context(demo.demo, click.Context(main), "demo"):
        demo._prepare(Installation(), tmp_path, 1200, Console(file=StringIO()))
    with session_scope(engine, read_only=True) as session:
        people = session.execute(select(Subscriber.country, Subscriber.union_id, Subscriber.language)).all()
    alone = sum(together == 1 for together in Counter(people).values())
    written = (PROJECT / "docs/explanation/privacy.md").read_text("utf-8")
    assert f"of {len(people):,} people of the demo, {alone} are the only one" in " ".join(written.split())


def test_what_the_demo_waits_for_in_vain_is_named(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(demo_waiting, "_WAIT_SECONDS", 0.001)
    with (
        click.Context(demo.demo, click.Context(main), "demo"),
        pytest.raises(demo_waiting.TookTooLong, match=r"for its kits, in vain.* in demo\.log"),
    ):
        demo_waiting.wait_for("its kits", lambda _: None, installation=Installation(), log=Path("demo.log"))


def _require_targets(output: str) -> None:
    """Targets are listed, then those of which nobody made sure, then what is to be known of the campaign."""
    _, listed, stale, rest = re.split("`mailer (?:targets|campaigns) [^`]+`:", output)
    assert len(re.findall(r"^  embassy-\w\w ", listed, re.M)) == 26
    assert re.findall(r"^  (\S+) ", stale, re.M) == ["embassy-ca", "embassy-pl"]
    assert "  Warning: " in rest
    assert "NOT READY" not in rest
    assert re.search("letter to an embassy: http://.*/campaigns/veldara-dockers/letter/embassy-gb\n", rest)


def _require_kits(folder: Path, output: str) -> None:
    """Every union got its kit in every language, with its name only where it may be named, and its contact was told."""
    unions = [union for union in sample.unions() if union.contact]
    kits = {path.name: path for path in (folder / "kits").iterdir()}
    assert set(kits) == {"_everybody", *(union.slug for union in unions)}
    texts = {path.stem for path in sample.texts()}
    for kit in kits.values():
        assert {path.name for path in kit.iterdir()} == texts
        for path in kit.iterdir():
            names = {file.name for file in path.iterdir()}
            assert len([name for name in names if not name.startswith("letter-")]) == 7
            assert names >= {"letter-authority.ru.txt", "letter-prisoner.ru.txt"}
    for union in unions:
        written = (kits[union.slug] / union.languages[0] / "mail.txt").read_text("utf-8")
        assert (union.slug in written) is union.is_named
        assert union.contact
        assert f"{union.contact.address} ({union.languages[0]})" in output
    assert "/kit/" in (folder / "mails" / "kit-is-ready.txt").read_text("utf-8")


def _require_case(folder: Path, output: str) -> None:
    """The case was stopped and opened again, those who got the alert were told both times, and a text was taken
    down."""
    got = {slug: _who_got(folder, slug) for slug in (sample.CAMPAIGN_DIR.name, sample.STOP_SLUG, sample.NEWS_SLUG)}
    everybody = got[sample.CAMPAIGN_DIR.name]
    assert everybody
    assert got[sample.STOP_SLUG] == everybody
    assert got[sample.NEWS_SLUG] == everybody
    with (folder / "supporters.csv").open(encoding="utf-8", newline="") as file:
        at_home = [row["email"] for row in csv.DictReader(file) if row["country"] == sample.HOME]
    assert len(at_home) == 8
    assert not everybody & {*at_home}
    assert "8 people live in Ondoria" in output
    steps = output.split("The case, after the alert went out")[1].split("Those who act")[0]
    for told in (
        "People in Ondoria who got the alert: 0.",
        f"The alert's page asks people to write no more: {sample.stop_reasons()['en']}",
        f'it was sent to {len(everybody)}, and "{sample.STOP_SLUG}" to {len(everybody)}.',
        "3. Opened the case again. The alert's page asks people to write, as before.",
        f'sent "{sample.NEWS_SLUG}" to {len(everybody)}.',
        f'5. Sent "{sample.VIGIL_SLUG}" to {len(_who_got(folder, sample.VIGIL_SLUG))}, and closed it as if it were '
        "over. Its page says that it has ended, and keeps its text.",
        f'6. Sent "{sample.LETTER_SLUG}" to {len(_who_got(folder, sample.LETTER_SLUG))}, and withdrew it. '
        "What was mailed cannot be called back. Its page says that it was taken down, and nothing else.",
    ):
        assert told in steps
    mails = [Path(path) for path in re.findall(r"A mail: (\S+\.html)", steps)]
    assert len(mails) == 4
    assert "Please do not write any more" in (folder / "mails" / mails[0].with_suffix(".txt").name).read_text("utf-8")
    for path in mails:
        assert (folder / "mails" / path.name).exists()


def _require_acts(folder: Path, output: str) -> None:
    """Of those who got the petition some signed; the others alone were reminded, and those alone hear how it ended."""
    got, reminded = (_who_got(folder, slug) for slug in (sample.PETITION_SLUG, sample.REMINDER_SLUG))
    steps = output.split("Those who act")[1]
    signed = len(got) - len(reminded)
    assert got > reminded and signed > 0
    for told in (
        'people pressed "I have written" in the alert',
        f"{signed} people signed it",
        f"3. Reminded the {len(reminded)} who",
        f'5. Closed case "{sample.PETITION_CASE_SLUG}", and told the {signed} who signed how it ended.',
    ):
        assert told in steps
    caught = catcher.read(folder / catcher.FOLDER)
    told_of_end = {each.recipient for each in caught if "Nadia Orell, teacher" in str(each.message["Subject"])}
    assert told_of_end <= got - reminded
    assert (folder / "hand-over" / "orell-petition.pdf").read_bytes().startswith(b"%PDF")
    table = (folder / "hand-over" / "orell-petition.csv").read_text("utf-8")
    assert "the Ministry of Education of Ondoria" in table


def _who_got(folder: Path, slug: str) -> set[str]:
    """Whom a caught mail of a sample campaign went to."""
    texts = sample.texts(sample.CAMPAIGN_DIR.parent / slug)
    subjects = {tomllib.loads(path.read_text("utf-8").split("+++")[1])["subject"] for path in texts}
    caught = catcher.read(folder / catcher.FOLDER)
    got = [each.recipient for each in caught if str(each.message["Subject"]) in subjects and "List-Id" in each.message]
    assert len(got) == len({*got})
    return {*got}
