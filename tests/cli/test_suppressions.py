"""An organiser brings a list of addresses that must not be mailed, counts them, and lifts a mistake."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from mailer.mail.feedback.types import Category
from mailer.people import subscribers, suppression
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.db import session_scope
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    Subscription,
    SubscriptionStatus,
    SuppressionLift,
    SuppressionReason,
)
from tests.conftest import CommandLine

ON = ("--list", "urgent-actions", "--consent", "I want urgent actions by e-mail.")


@pytest.fixture
def file(cli: CommandLine, tmp_path: Path) -> Path:
    """A file of ana and ben, who are on a list."""
    cli("lists", "create", "urgent-actions", "--name", "Urgent actions")
    path = tmp_path / "people.csv"
    path.write_text("email\nana@example.org\nben@example.org\n")
    cli("subscribers", "import", path, *ON)
    return path


def take(cli: CommandLine, path: Path, content: str, *options: str | Path, reason: str = "left") -> dict[str, object]:
    path.write_text(content)
    report = cli("suppressions", "import", path, "--reason", reason, *options, "--json")
    return {key: value for key, value in json.loads(report.stdout).items() if value}


def shown(cli: CommandLine, email: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli("suppressions", "show", email, "--json").stdout)
    return found


def mailable(engine: Engine, email: str) -> bool:
    with session_scope(engine, read_only=True) as session:
        person = subscribers.find(session, email)
        assert person is not None
        return session.scalars(select(Subscription.mailable).where(Subscription.subscriber_id == person.id)).one()


def test_who_is_on_a_do_not_mail_list_gets_no_mail_and_is_not_imported_again(
    cli: CommandLine, engine: Engine, file: Path
) -> None:
    report = take(cli, file, "E-Mail;Reason\nANA@example.org;asked by letter\ncem@example.org;\nbad;\n")
    assert [report[key] for key in ("read", "added", "rejected", "taken_off")] == [3, 2, 1, 1]
    assert (mailable(engine, "ana@example.org"), mailable(engine, "ben@example.org")) == (False, True)
    file.write_text("email\nana@example.org\ncem@example.org\n")
    assert json.loads(cli("subscribers", "import", file, *ON, "--json").stdout)["left"] == 2


def test_members_of_a_mailing_list_manager_who_stopped_its_mail_are_kept_off(cli: CommandLine, file: Path) -> None:
    take(cli, file, "email\nAna Example <ana@example.org>\n", reason="bounced")
    assert shown(cli, "ana@example.org")["reason"] == "bounced"


def test_who_left_elsewhere_has_left_here_and_the_consent_log_says_so(
    cli: CommandLine, engine: Engine, file: Path
) -> None:
    take(cli, file, "email\nana@example.org\n")
    with session_scope(engine, read_only=True) as session:
        ana = subscribers.find(session, "ana@example.org")
        assert ana is not None
        held = session.scalars(select(Subscription).where(Subscription.subscriber_id == ana.id)).one()
        assert held.status is SubscriptionStatus.UNSUBSCRIBED and held.unsubscribed_at is not None
        log = select(ConsentEvent).where(ConsentEvent.subscriber_id == ana.id).order_by(ConsentEvent.id.desc())
        last = session.scalars(log).first()
        assert last is not None
        assert (last.action, last.method, last.list_id) == (ConsentAction.WITHDRAWN, "import", held.list_id)


@pytest.mark.parametrize("reason", ["bounced", "complained"])
def test_who_bounced_or_complained_stays_on_the_list_and_gets_no_mail(
    cli: CommandLine, engine: Engine, file: Path, reason: str
) -> None:
    take(cli, file, "email\nana@example.org\n", reason=reason)
    assert not mailable(engine, "ana@example.org")
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(Subscription.status)).all() == [SubscriptionStatus.ACTIVE] * 2


def test_of_an_export_those_who_want_mail_are_not_taken_and_the_others_for_what_it_says(
    cli: CommandLine, engine: Engine, file: Path
) -> None:
    rows = ["ana,subscribed", "ben,spam complaint", "cem,bouncing", "dan,unsubscribed", "eva,pending"]
    content = "email,status\n" + "".join(f"{row.replace(',', '@example.org,')}\n" for row in rows)
    report = take(cli, file, content)
    assert (report["added"], report["wanted"], report["taken_off"]) == (3, 2, 1)
    reasons = [shown(cli, f"{who}@example.org")["reason"] for who in ("ana", "ben", "cem", "dan", "eva")]
    assert reasons == [None, "complained", "bounced", "left", None]
    assert mailable(engine, "ana@example.org")
    assert take(cli, file, content)["unchanged"] == 3


def test_a_file_that_may_say_who_left_is_refused_until_it_is_said_how_to_take_it(cli: CommandLine, file: Path) -> None:
    content = "email,status\nana@example.org,here\nben@example.org,gone\n"
    file.write_text(content)
    assert "--only" in cli("suppressions", "import", file, "--reason", "left", exit_code=1).stderr
    assert take(cli, file, content, "--only", "status=gone") == {"read": 2, "added": 1, "not_chosen": 1, "taken_off": 1}
    cli("suppressions", "import", file, "--reason", "erased", exit_code=2)
    assert (
        "status=subscribed"
        in cli("suppressions", "import", file, "--reason", "left", "--only", "x", exit_code=2).stderr
    )


def test_a_dry_run_says_the_same_and_changes_nothing(cli: CommandLine, engine: Engine, file: Path) -> None:
    content = "email\nana@example.org\ncem@example.org\n"
    planned = take(cli, file, content, "--dry-run")
    assert mailable(engine, "ana@example.org") and shown(cli, "cem@example.org")["reason"] is None
    assert take(cli, file, content) == planned
    assert "Nothing was changed" in cli("suppressions", "import", file, "--reason", "left", "--dry-run").stdout


def test_rejects_are_written_for_their_owner_only(cli: CommandLine, file: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    take(cli, file, "\ufeffemail;note\nbad;x\n", "--rejects", rejects)
    assert rejects.read_bytes().startswith("\ufeffemail;note;rejected_line".encode())
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    assert "overwrite" in cli("suppressions", "import", file, "--reason", "left", "--rejects", file, exit_code=1).stderr


def test_the_list_is_counted_by_reason_and_month_and_small_numbers_are_hidden(cli: CommandLine, file: Path) -> None:
    take(cli, file, "email\n" + "".join(f"p{n}@example.org\n" for n in range(30)))
    take(cli, file, "email\n" + "".join(f"q{n}@example.org\n" for n in range(12)), reason="bounced")
    take(cli, file, "email\nr1@example.org\nr2@example.org\n", reason="complained")
    rows = [json.loads(line) for line in cli("suppressions", "list", "--json").stdout.splitlines()]
    by_reason = {row["reason"]: row["addresses"] for row in rows if row["month"] is None}
    assert by_reason == {"left": 30, "bounced": None, "complained": None, None: 44}
    assert {row["addresses"] for row in rows if row["month"] and row["reason"] == "left"} == {30}
    text = cli("suppressions", "list").stdout
    assert "under 10" in text and "@" not in text


def test_of_what_bounced_the_list_tells_why(cli: CommandLine, engine: Engine) -> None:
    with session_scope(engine) as session:
        for number in range(36):
            category = Category.NO_MAILBOX if number < 20 else Category.FULL if number < 34 else None
            suppression.add(session, number.to_bytes(32, "big"), SuppressionReason.BOUNCED, category)
    rows = [json.loads(line) for line in cli("suppressions", "list", "--json").stdout.splitlines()]
    sums = {row["category"]: row["addresses"] for row in rows if row["reason"] == "bounced" and row["month"] is None}
    assert sums == {None: 36, "full": None, "no_mailbox": 20, "unknown": None}
    assert all(row["addresses"] in (20, None) for row in rows if row["month"] is not None)
    assert "no_mailbox" in cli("suppressions", "list").stdout


def test_why_an_address_bounced_is_shown(cli: CommandLine, engine: Engine, keyring: Keyring) -> None:
    with session_scope(engine) as session:
        index = keyring.blind_index("ana@example.org")
        suppression.add(session, index, SuppressionReason.BOUNCED, Category.FULL)
    assert "bounced (the mailbox is full)" in cli("suppressions", "show", "ana@example.org").stdout
    assert shown(cli, "ana@example.org")["category"] == "full"


def test_an_address_is_shown_with_its_reason_and_what_lifts_it(cli: CommandLine, file: Path) -> None:
    assert "Not on the suppression list" in cli("suppressions", "show", "ana@example.org").stdout
    take(cli, file, "email\nana@example.org\n", reason="bounced")
    found = cli("suppressions", "show", "ANA@example.org").stdout
    assert "bounced" in found and "mailer suppressions lift" in found
    cli("suppressions", "show", "nobody", exit_code=1)


@pytest.mark.parametrize("reason", ["bounced", "complained"])
def test_a_mistake_is_lifted_and_why_is_kept(cli: CommandLine, engine: Engine, file: Path, reason: str) -> None:
    take(cli, file, "email\nana@example.org\n", reason=reason)
    words = "She rang: her mailbox works again."
    lifted = cli("suppressions", "lift", "Ana@example.org", "--reason", words).stdout
    assert "ana@" not in lifted.lower()
    assert mailable(engine, "ana@example.org")
    assert shown(cli, "ana@example.org")["reason"] is None
    assert [(each["reason"], each["why"]) for each in shown(cli, "ana@example.org")["lifted"]] == [(reason, words)]  # type: ignore[attr-defined]  # a list
    assert words in cli("suppressions", "show", "ana@example.org").stdout
    cli("subscribers", "erase", "ana@example.org")
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(SuppressionLift)).all() == []


@pytest.mark.parametrize("left_by", ["left", "erased"])
@pytest.mark.parametrize("then", [[], ["bounced"], ["complained"], ["bounced", "complained"]])
@pytest.mark.parametrize("other_way_round", [False, True])
def test_nobody_who_left_or_was_erased_is_lifted_whatever_came_before_or_after(
    cli: CommandLine, engine: Engine, file: Path, left_by: str, then: list[str], other_way_round: bool
) -> None:
    for reason in reversed([left_by, *then]) if other_way_round else [left_by, *then]:
        if reason == "erased":
            cli("subscribers", "erase", "cem@example.org")
        else:
            take(cli, file, "email\ncem@example.org\n", reason=reason)
    for _ in range(3):
        if shown(cli, "cem@example.org")["reason"] in ("left", "erased"):
            break
        assert "stays on the list" in cli("suppressions", "lift", "cem@example.org", "--reason", "A mistake.").stdout
    refused = cli("suppressions", "lift", "cem@example.org", "--reason", "A mistake.", exit_code=1)
    assert "signing up" in refused.stderr
    assert shown(cli, "cem@example.org")["reason"] == left_by


def test_nothing_is_lifted_without_a_reason_or_where_nothing_is(cli: CommandLine, engine: Engine, file: Path) -> None:
    assert "nothing to lift" in cli("suppressions", "lift", "ana@example.org", "--reason", "x", exit_code=1).stderr
    take(cli, file, "email\nana@example.org\n", reason="bounced")
    assert "Say why" in cli("suppressions", "lift", "ana@example.org", "--reason", " ", exit_code=1).stderr
    cli("suppressions", "lift", "ana@example.org", exit_code=2)
    assert not mailable(engine, "ana@example.org")


def test_who_comes_back_by_themselves_has_nothing_underneath(cli: CommandLine, engine: Engine, file: Path) -> None:
    take(cli, file, "email\nana@example.org\n")
    take(cli, file, "email\nana@example.org\n", reason="bounced")
    with session_scope(engine) as session:
        ana = subscribers.find(session, "ana@example.org")
        assert ana is not None
        index = keyring_of(session).blind_index("ana@example.org")
        assert suppression.lift(session, index, reasons=[SuppressionReason.LEFT]) is None
        found = suppression.find(session, index)
        assert found is not None
        assert (found.reason, found.underneath) == (SuppressionReason.BOUNCED, None)
        suppression.add(session, index, SuppressionReason.LEFT)
        assert found.underneath is SuppressionReason.LEFT
        assert suppression.lift(session, index) is SuppressionReason.BOUNCED
        assert suppression.reason(session, index) is None
