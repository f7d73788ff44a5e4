"""An organiser with a terminal takes supporters in, gets them out, and erases one."""

import json
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.mail import addresses
from mailer.people import consents, lists, suppression
from mailer.people.notices import Notice, NoticeKind
from mailer.selfservice import signups
from mailer.store.crypto import keyring_of
from mailer.store.models import Delivery, DeliveryState, Purpose, Subscriber, SuppressionReason
from tests.conftest import CommandLine
from tests.support.factories import deliver, make_campaign

CONSENT = ("--consent", "I want urgent actions by e-mail.")


@pytest.fixture
def file(cli: CommandLine, tmp_path: Path) -> Path:
    cli("lists", "create", "urgent-actions", "--name", "Urgent actions")
    cli("unions", "add", "dockers", "--name", "Dockers United", "--country", "GB")
    path = tmp_path / "supporters.csv"
    path.write_text("email,name,union\nana@example.org,Ana,dockers\nbad,,\n")
    return path


def test_supporters_are_imported_exported_and_erased(cli: CommandLine, file: Path, tmp_path: Path) -> None:
    result = cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT)
    assert "1  new people" in result.output
    assert "--union-consent" in result.stderr
    assert "line 3:" in result.stderr
    assert "ana@example.org" not in result.output
    out = tmp_path / "out.csv"
    assert "1 person" in cli("subscribers", "export", "--list", "urgent-actions", "-o", out).output
    assert "ana@example.org,Ana" in out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    cli("subscribers", "erase", "ANA@example.org")
    report = cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT, "--json")
    assert json.loads(report.stdout)["left"] == 1


@pytest.mark.parametrize(("name", "separator"), [("comma", ","), ("semicolon", ";"), ("tab", "\t")])
def test_an_export_for_excel_has_a_byte_order_mark_and_the_separator_asked_for(
    cli: CommandLine, file: Path, tmp_path: Path, name: str, separator: str
) -> None:
    file.write_text("email,name\nana@example.org,Áná; 'the' docker\n")
    cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT)
    out = tmp_path / "out.csv"
    for group in (("subscribers", "export", "--list", "urgent-actions"), ("unions", "export")):
        cli(*group, "--excel", "--separator", name, "-o", out)
        assert out.read_bytes().startswith(b"\xef\xbb\xbf")
        assert out.read_text("utf-8-sig").splitlines()[0].count(separator) >= 6
        cli(*group, "-o", out)
        assert not out.read_bytes().startswith(b"\xef\xbb\xbf")
    cli("subscribers", "export", "--list", "urgent-actions", "--excel", "--separator", name, "-o", out)
    report = json.loads(cli("subscribers", "import", out, "--list", "urgent-actions", *CONSENT, "--json").stdout)
    assert (report["read"], report["unchanged"], report["warnings"]) == (1, 1, [])


def test_who_left_elsewhere_is_counted_with_the_command_that_keeps_them_out(cli: CommandLine, file: Path) -> None:
    arguments = ("subscribers", "import", file, "--list", "urgent-actions", *CONSENT)
    file.write_text("email,Stand\nana@example.org,dabei\nben@example.org,abgemeldet\n")
    refused = cli(*arguments, exit_code=1).stderr
    assert refused.splitlines()[-2:-1] == ['  column 2 "Stand" with "abgemeldet" (line 3)']
    assert "2  not chosen" in cli(*arguments, "--only", "stand=", "--dry-run").stdout
    file.write_text("email,status\nana@example.org,active\nben@example.org,unsubscribed\n")
    done = cli(*arguments)
    assert "1  not imported, because the file says" in done.stdout
    command = done.stderr[done.stderr.index("mailer suppressions import") :].splitlines()[0]
    assert "1  new on the suppression list" in cli(*command.split()[1:]).stdout


def test_an_organiser_sees_all_that_is_stored_of_who_rings_up(cli: CommandLine, file: Path) -> None:
    cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT)
    shown = cli("subscribers", "show", "ANA@example.org").stdout
    assert "person\n  email              ana@example.org\n  name               Ana\n" in shown
    assert "\n\nlists\n  list               urgent-actions\n  name               Urgent actions\n" in shown
    assert "  status             active\n" in shown
    assert "  text               I want urgent actions" in shown
    assert re.search(r"^  written at         \d{4}-\d\d-\d\d \d\d:\d\d UTC$", shown, re.MULTILINE)
    assert "{" not in shown
    assert json.loads(cli("subscribers", "show", "ana@example.org", "--json").stdout)["person"]["name"] == "Ana"
    assert "We know nobody" in cli("subscribers", "show", "ben@example.org", exit_code=1).stderr


def test_what_is_stored_of_a_mail_and_of_a_request_is_told_in_words(
    cli: CommandLine, session: Session, file: Path
) -> None:
    cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT)
    person = session.scalars(select(Subscriber)).first()
    assert person is not None
    campaign = make_campaign(session, lists.get(session, "urgent-actions"))
    deliver(session, campaign, person, DeliveryState.SENT, settled_at=datetime(2035, 1, 2, tzinfo=UTC))
    session.commit()
    cli("subscribers", "unsubscribe", "ana@example.org")
    shown = cli("subscribers", "show", "ana@example.org").stdout
    assert "  settled at         2035-01-02\n" in shown
    assert re.search(r"^  details            scope: all; taken: \d+; ", shown, re.MULTILINE)


def test_who_is_added_by_hand_is_on_no_list_before_they_confirm(cli: CommandLine, session: Session) -> None:
    cli("lists", "create", "news", "--name", "News")
    words = ("--list", "news", "--consent", "Asked for it on the phone.", "--country", "France", "--language", "French")
    assert "They get a mail" in cli("subscribers", "add", "ben@example.org", *words, "--name", "Ben").stdout
    assert "wait to confirm already" in cli("subscribers", "add", "ben@example.org", *words, "--name", "Ben").stdout
    assert session.scalars(select(Subscriber)).all() == []
    mail, repeated = session.scalars(select(Delivery).where(Delivery.purpose == Purpose.NOTICE).order_by(Delivery.id))
    assert (mail.address, mail.state) == ("ben@example.org", DeliveryState.PENDING)
    assert repeated.state is DeliveryState.SKIPPED
    token = Notice.from_stored(mail.notice or "").token
    session.rollback()
    signups.confirm(session, token or "", union_agreed=False, base_url="https://act.example.org")
    session.commit()
    held = json.loads(cli("subscribers", "show", "ben@example.org", "--json").stdout)
    assert (held["person"]["name"], held["person"]["country"], held["lists"][0]["status"]) == ("Ben", "FR", "active")
    assert held["person"]["language"] == "fr"
    assert held["consent"][0]["text"] == consents.WRITTEN_DOWN
    assert held["consent"][0]["source"] == "Asked for it on the phone."
    assert held["consent"][0]["method"] == "organiser"
    refused = cli("subscribers", "add", "ben@example.org", *words, exit_code=1).stderr
    assert "They are on the list already: news. Nothing was sent." in refused
    cli("subscribers", "add", "ben@example.org", "--list", "nothing", "--consent", "x", exit_code=1)
    cli("subscribers", "add", "cy@example.org", "--list", "news", "--consent", " ", exit_code=1)


def test_who_reported_our_mail_as_spam_is_not_added(cli: CommandLine, session: Session) -> None:
    cli("lists", "create", "news", "--name", "News")
    parsed = addresses.parse("ben@example.org")
    suppression.add(session, keyring_of(session).blind_index(parsed.folded), SuppressionReason.COMPLAINED)
    session.commit()
    refused = cli("subscribers", "add", "ben@example.org", "--list", "news", "--consent", "On the phone.", exit_code=1)
    assert "reported as spam" in refused.stderr


def test_who_asks_an_organiser_to_take_them_off_gets_a_goodbye(cli: CommandLine, file: Path, session: Session) -> None:
    cli("lists", "create", "news", "--name", "News")
    for slug in ("urgent-actions", "news"):
        cli("subscribers", "import", file, "--list", slug, *CONSENT)
    assert "Taken off: news." in cli("subscribers", "unsubscribe", "ana@example.org", "--list", "news").stdout
    assert "not on that list" in cli("subscribers", "unsubscribe", "ana@example.org", "--list", "news").stdout
    assert "Taken off: urgent-actions." in cli("subscribers", "unsubscribe", "ana@example.org").stdout
    assert "on no list" in cli("subscribers", "unsubscribe", "ana@example.org").stdout
    goodbyes = [Notice.from_stored(text or "").kind for text in session.scalars(select(Delivery.notice))]
    session.rollback()  # it would keep the import waiting
    assert goodbyes == [NoticeKind.GOODBYE] * 2
    report = cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT, "--json")
    assert json.loads(report.stdout)["left"] == 1
    cli("subscribers", "unsubscribe", "ana@example.org", "--list", "nothing", exit_code=1)
    cli("subscribers", "unsubscribe", "ben@example.org", exit_code=1)


def test_a_dry_run_changes_nothing(cli: CommandLine, file: Path) -> None:
    arguments = ("subscribers", "import", file, "--list", "urgent-actions", *CONSENT, "--json")
    planned = cli(*arguments, "--dry-run")
    assert json.loads(planned.stdout) == json.loads(cli(*arguments).stdout)
    assert "Nothing was changed" in cli(*[a for a in arguments if a != "--json"], "--dry-run").stdout


def test_the_rejects_go_to_a_file(cli: CommandLine, file: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT, "--rejects", rejects)
    assert rejects.read_text().splitlines()[0] == "email,name,union,rejected_line,rejected_reason"


def test_more_wrong_lines_than_are_shown_are_counted(cli: CommandLine, file: Path, tmp_path: Path) -> None:
    file.write_text("email\n" + "bad\n" * 12)
    arguments = ("subscribers", "import", file, "--list", "urgent-actions", *CONSENT)
    assert "… and 7 more (see them all with --rejects FILE)\n" in cli(*arguments).stderr
    assert "… and 7 more\n" in cli(*arguments, "--rejects", tmp_path / "rejects.csv").stderr


def test_what_is_refused_ends_with_1_and_says_what_to_do(cli: CommandLine, file: Path, tmp_path: Path) -> None:
    refused = cli("subscribers", "import", file, "--list", "newz", *CONSENT, exit_code=1)
    assert "mailer lists create newz" in refused.stderr
    file.write_bytes(b"email\njos\xe9@example.org\n")
    refused = cli("subscribers", "import", file, "--list", "urgent-actions", *CONSENT, exit_code=1)
    assert "line 2: this is not UTF-8" in refused.stderr
    nowhere = tmp_path / "nowhere.csv"
    assert "nowhere.csv" in cli("subscribers", "import", nowhere, "--list", "x", *CONSENT, exit_code=1).stderr
    cli("subscribers", "erase", "nobody", exit_code=1)
    cli("subscribers", "export", "--list", "newz", "-o", tmp_path / "out.csv", exit_code=1)
    cli("subscribers", "import", file, exit_code=2)


def test_unions_are_made_and_shown(cli: CommandLine, file: Path) -> None:
    cli("unions", "add", "world", "--name", "World Federation")
    cli("unions", "add", "miners", "--name", "Miners", "--country", "South Africa", "--parent", "world")
    shown = [json.loads(line) for line in cli("unions", "list", "--json").stdout.splitlines()]
    assert shown[1].items() >= {"slug": "miners", "name": "Miners", "country": "ZA", "parent": "world"}.items()
    assert "miners  Miners  ZA  world" in cli("unions", "list").stdout
    cli("unions", "add", "x", "--name", "X", "--country", "Atlantis", exit_code=1)


def test_unions_that_are_not_known_are_shown_by_how_often(cli: CommandLine, file: Path) -> None:
    file.write_text("email,union\na@example.org,Weavers\nb@example.org,WEAVERS\nc@example.org,Dockrs United\n")
    shown = cli(
        "subscribers", "import", file, "--list", "urgent-actions", *CONSENT, "--union-consent", "Store my union."
    ).stderr
    assert (
        "Unions that are not known, by how often:\n"
        "         2  Weavers\n"
        '         1  Dockrs United  Did you mean dockers, "Dockers United"?\n'
    ) in shown
