"""An organiser with a terminal makes lists, and opens and closes them."""

import json

from tests.conftest import CommandLine


def test_lists_are_made_changed_and_shown(cli: CommandLine) -> None:
    cli("lists", "create", "urgent-actions", "--name", "Urgent actions", "--description", "About two a month.")
    cli("lists", "create", "staff", "--name", "Staff", "--closed")
    assert cli("lists", "list").stdout == "staff  Staff  closed\nurgent-actions  Urgent actions  open\n"
    cli("lists", "change", "urgent-actions", "--closed", "--description", "")
    cli("lists", "change", "staff", "--open", "--name", "Our staff")
    shown = [json.loads(line) for line in cli("lists", "list", "--json").stdout.splitlines()]
    assert shown == [
        {"slug": "staff", "name": "Our staff", "description": None, "open": True},
        {"slug": "urgent-actions", "name": "Urgent actions", "description": None, "open": False},
    ]


def test_a_change_of_something_else_leaves_a_list_open_or_closed(cli: CommandLine) -> None:
    cli("lists", "create", "staff", "--name", "Staff", "--closed")
    cli("lists", "change", "staff", "--name", "Our staff")
    assert cli("lists", "list").stdout == "staff  Our staff  closed\n"


def test_what_is_refused_ends_with_1(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    cli("lists", "create", "news", "--name", "Again", exit_code=1)
    cli("lists", "create", "other", "--name", "Other", "--description", "x" * 501, exit_code=1)
    assert "mailer lists create newz" in cli("lists", "change", "newz", "--closed", exit_code=1).stderr
