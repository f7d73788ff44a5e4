"""An organiser with a terminal makes lists, and opens and closes them."""

import json

from tests.conftest import CommandLine


def facts(slug: str, name: str, *, is_open: bool) -> dict[str, object]:
    """What is printed of a list for programs, which no union owns and of which nothing more is said."""
    unsaid: dict[str, object] = {"description": None, "names": {}, "descriptions": {}, "owner": None}
    return {"slug": slug, "name": name, "open": is_open, **unsaid}


def test_lists_are_made_changed_and_shown(cli: CommandLine) -> None:
    cli("lists", "create", "urgent-actions", "--name", "Urgent actions", "--description", "About two a month.")
    cli("lists", "create", "staff", "--name", "Staff", "--closed")
    assert cli("lists", "list").stdout == "staff  Staff  closed\nurgent-actions  Urgent actions  open\n"
    cli("lists", "change", "urgent-actions", "--closed", "--description", "")
    cli("lists", "change", "staff", "--open", "--name", "Our staff")
    shown = [json.loads(line) for line in cli("lists", "list", "--json").stdout.splitlines()]
    assert shown == [
        facts("staff", "Our staff", is_open=True),
        facts("urgent-actions", "Urgent actions", is_open=False),
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


def test_a_name_and_a_description_in_other_languages_are_set_shown_and_removed(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News", "--description", "Once a month.")
    said = cli("lists", "translate", "news", "--language", "FR", "--name", "Nouvelles", "--description", "Par mois.")
    assert said.stdout == "The list news has words in fr now.\n"
    cli("lists", "translate", "news", "--language", "ar", "--name", "أخبار")
    assert cli("lists", "show", "news").stdout == (
        "name             News\n"
        "name, ar         أخبار\n"
        "name, fr         Nouvelles\n"
        "description      Once a month.\n"
        "description, fr  Par mois.\n"
        "sign-up page     open\n"
    )
    shown = json.loads(cli("lists", "show", "news", "--json").stdout)
    assert (shown["names"], shown["descriptions"]) == ({"fr": "Nouvelles", "ar": "أخبار"}, {"fr": "Par mois."})
    assert shown == json.loads(cli("lists", "list", "--json").stdout)
    assert cli("lists", "list").stdout == "news  News  open\n"  # the command line keeps to a list's own name
    assert "fr any more" in cli("lists", "translate", "news", "--language", "fr", "--remove").stdout
    assert "neither" in cli("lists", "translate", "news", "--language", "fr", "--remove", exit_code=1).stderr
    assert json.loads(cli("lists", "show", "news", "--json").stdout)["names"] == {"ar": "أخبار"}


def test_who_renames_a_list_is_told_of_its_names_in_other_languages(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    cli("lists", "translate", "news", "--language", "fr", "--name", "Nouvelles")
    told = cli("lists", "change", "news", "--name", "All the news").stdout
    assert "stay as they are: fr." in told
    assert "mailer lists translate news --language TAG" in told
    for unsaid in (["--closed"], ["--description", "Once a month."]):
        assert cli("lists", "change", "news", *unsaid).stdout == "Changed the list news.\n"


def test_words_in_a_language_that_no_page_is_in_are_set_and_that_is_said(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    assert "no page of the site is in pt" in cli("lists", "translate", "news", "--language", "pt", "--name", "x").stdout
    assert "no page" not in cli("lists", "translate", "news", "--language", "de", "--name", "x").stdout


def test_a_translation_needs_something_to_do(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    for wrong in ([], ["--name", "Nouvelles", "--remove"]):
        refused = cli("lists", "translate", "news", "--language", "fr", *wrong, exit_code=2)
        assert "--name, --description or both" in refused.stderr
    assert "mailer lists create newz" in cli("lists", "show", "newz", exit_code=1).stderr


def test_no_name_in_another_language_tells_of_a_union_that_asked_not_to_be_named(cli: CommandLine) -> None:
    cli("unions", "add", "bakers", "--name", "Bakers' Union")
    cli("lists", "create", "members", "--name", "For members", "--owner", "bakers")
    cli("lists", "create", "second", "--name", "For members")
    cli("lists", "translate", "second", "--language", "fr", "--description", "Du Bakers' Union")
    french = ("lists", "translate", "members", "--language", "fr")
    cli(*french, "--name", "Bakers' Union pour ses membres")
    told = cli("unions", "change", "bakers", "--unnamed").stdout
    assert "mailer lists translate members --language fr --name NAME" in told
    owner = json.loads(cli("lists", "show", "members", "--json").stdout)["owner"]
    assert "must not tell" in cli(*french, "--name", "Pour les membres").stdout
    assert "names it" in cli(*french, "--description", "Du Bakers' Union", exit_code=1).stderr
    assert json.loads(cli("lists", "show", "members", "--json").stdout)["descriptions"] == {}
    cli("lists", "change", "second", "--owner", owner, exit_code=1)
