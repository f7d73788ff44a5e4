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
        {"slug": "staff", "name": "Our staff", "description": None, "open": True, "owner": None},
        {"slug": "urgent-actions", "name": "Urgent actions", "description": None, "open": False, "owner": None},
    ]


def test_a_list_is_made_a_unions_own_and_given_back(cli: CommandLine) -> None:
    cli("unions", "add", "bakers", "--name", "Bakers' Union", "--country", "GB")
    cli("lists", "create", "bakers-news", "--name", "Bakers' news", "--owner", "bakers")
    cli("lists", "create", "night-shift", "--name", "Night shift")
    cli("lists", "change", "night-shift", "--owner", "bakers")
    assert cli("lists", "list").stdout == (
        "bakers-news  Bakers' news  open  bakers\nnight-shift  Night shift  open  bakers\n"
    )
    cli("lists", "change", "bakers-news", "--name", "News of the bakers")
    cli("lists", "change", "night-shift", "--no-owner")
    shown = [json.loads(line) for line in cli("lists", "list", "--json").stdout.splitlines()]
    assert {each["slug"]: each["owner"] for each in shown} == {"bakers-news": "bakers", "night-shift": None}


def test_an_owner_that_is_refused_leaves_the_list_as_it_was(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    assert "mailer unions add bakers" in cli("lists", "change", "news", "--owner", "bakers", exit_code=1).stderr
    cli("lists", "create", "other", "--name", "Other", "--owner", "bakers", exit_code=1)
    assert cli("lists", "list").stdout == "news  News  open\n"
    refused = cli("lists", "change", "news", "--owner", "bakers", "--no-owner", exit_code=2)
    assert "Use either --owner or --no-owner." in refused.stderr


def test_a_list_of_a_union_that_asked_not_to_be_named_is_not_called_by_its_name(cli: CommandLine) -> None:
    cli("unions", "add", "bakers", "--name", "Bakers' Union")
    cli("lists", "create", "bakers-news", "--name", "News of the Bakers' Union", "--owner", "bakers")
    told = cli("unions", "change", "bakers", "--unnamed").stdout
    assert "lists change bakers-news --name NAME" in told
    owner = json.loads(cli("lists", "list", "--json").stdout)["owner"]
    cli("lists", "change", "bakers-news", "--closed")
    changed = cli("lists", "change", "bakers-news", "--name", "For members").stdout
    assert "must not tell which union it is" in changed
    refused = cli("lists", "change", "bakers-news", "--name", "For the Bakers' Union", exit_code=1)
    assert "asked not to be named" in refused.stderr
    cli("lists", "create", "other", "--name", "The Bakers' Union", "--owner", owner, exit_code=1)
    assert "must not tell" in cli("lists", "create", "other", "--name", "For members", "--owner", owner).stdout
    cli("lists", "create", "third", "--name", "Bakers' Union")
    cli("lists", "change", "third", "--owner", owner, exit_code=1)
    assert "tell" not in cli("unions", "change", "bakers" if owner == "bakers" else owner, "--named").stdout


def test_a_change_of_something_else_leaves_a_list_open_or_closed(cli: CommandLine) -> None:
    cli("lists", "create", "staff", "--name", "Staff", "--closed")
    cli("lists", "change", "staff", "--name", "Our staff")
    assert cli("lists", "list").stdout == "staff  Our staff  closed\n"


def test_what_is_refused_ends_with_1(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    cli("lists", "create", "news", "--name", "Again", exit_code=1)
    cli("lists", "create", "other", "--name", "Other", "--description", "x" * 501, exit_code=1)
    assert "mailer lists create newz" in cli("lists", "change", "newz", "--closed", exit_code=1).stderr
