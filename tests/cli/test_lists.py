"""An organiser with a terminal makes lists, and opens and closes them."""

import json

from sqlalchemy.orm import Session

from mailer.people import lists as mailing_lists
from mailer.store.models import MailingList, SubscriptionStatus
from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_list, make_subscriber

NOBODY = "0 active, 0 waiting, 0 left"


def facts(slug: str, name: str, *, is_open: bool) -> dict[str, object]:
    """What is printed of a list for programs, which no union owns and of which nothing more is said."""
    unsaid: dict[str, object] = {"description": None, "names": {}, "descriptions": {}, "owner": None}
    return {"slug": slug, "name": name, "open": is_open, **unsaid}


def test_lists_are_made_changed_and_shown(cli: CommandLine) -> None:
    cli("lists", "create", "urgent-actions", "--name", "Urgent actions", "--description", "About two a month.")
    cli("lists", "create", "staff", "--name", "Staff", "--closed")
    assert cli("lists", "list").stdout == (
        f"staff  Staff  closed  {NOBODY}\nurgent-actions  Urgent actions  open  {NOBODY}\n"
    )
    cli("lists", "change", "urgent-actions", "--closed", "--description", "")
    cli("lists", "change", "staff", "--open", "--name", "Our staff")
    shown = [json.loads(line) for line in cli("lists", "list", "--json").stdout.splitlines()]
    nobody = {"active": 0, "waiting": 0, "left": 0}
    assert shown == [
        facts("staff", "Our staff", is_open=True) | nobody,
        facts("urgent-actions", "Urgent actions", is_open=False) | nobody,
    ]


def test_a_list_is_made_a_unions_own_and_given_back(cli: CommandLine) -> None:
    cli("unions", "add", "bakers", "--name", "Bakers' Union", "--country", "GB")
    cli("lists", "create", "bakers-news", "--name", "Bakers' news", "--owner", "bakers")
    cli("lists", "create", "night-shift", "--name", "Night shift")
    cli("lists", "change", "night-shift", "--owner", "bakers")
    assert cli("lists", "list").stdout == (
        f"bakers-news  Bakers' news  open  bakers  {NOBODY}\nnight-shift  Night shift  open  bakers  {NOBODY}\n"
    )
    cli("lists", "change", "bakers-news", "--name", "News of the bakers")
    cli("lists", "change", "night-shift", "--no-owner")
    shown = [json.loads(line) for line in cli("lists", "list", "--json").stdout.splitlines()]
    assert {each["slug"]: each["owner"] for each in shown} == {"bakers-news": "bakers", "night-shift": None}


def test_an_owner_that_is_refused_leaves_the_list_as_it_was(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    assert "mailer unions add bakers" in cli("lists", "change", "news", "--owner", "bakers", exit_code=1).stderr
    cli("lists", "create", "other", "--name", "Other", "--owner", "bakers", exit_code=1)
    assert cli("lists", "list").stdout == f"news  News  open  {NOBODY}\n"
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
    assert cli("lists", "list").stdout == f"staff  Our staff  closed  {NOBODY}\n"


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
        f"people           {NOBODY}\n"
    )
    shown = json.loads(cli("lists", "show", "news", "--json").stdout)
    assert (shown["names"], shown["descriptions"]) == ({"fr": "Nouvelles", "ar": "أخبار"}, {"fr": "Par mois."})
    assert shown == json.loads(cli("lists", "list", "--json").stdout)
    assert cli("lists", "list").stdout == f"news  News  open  {NOBODY}\n"  # the command line keeps to a list's own name
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


# --- how many people --------------------------------------------------------------------------------------------------


def test_a_list_shows_how_many_are_on_it_wait_and_left(cli: CommandLine, session: Session) -> None:
    news = make_list(session, "news", name="News")
    make_list(session, "other", name="Other")
    for _ in range(3):
        make_subscriber(session, news)
    make_subscriber(session, news, status=SubscriptionStatus.UNSUBSCRIBED)
    session.commit()
    for consent in ("Asked on the phone.", "Asked again."):
        cli("subscribers", "add", "ben@example.org", "--list", "news", "--consent", consent)
    cli("subscribers", "add", "cy@example.org", "--list", "news", "--list", "other", "--consent", "Asked at a stall.")
    assert cli("lists", "list").stdout.splitlines() == [
        "news  News  open  3 active, 2 waiting, 1 left",
        "other  Other  open  0 active, 1 waiting, 0 left",
    ]
    counted = json.loads(cli("lists", "list", "--json").stdout.splitlines()[0])
    assert (counted["active"], counted["waiting"], counted["left"]) == (3, 2, 1)


def test_where_there_is_no_list_it_says_how_to_make_one(cli: CommandLine) -> None:
    assert "mailer lists create SLUG --name NAME" in cli("lists", "list").stdout
    assert cli("lists", "list", "--json").stdout == ""


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_an_empty_list_is_deleted(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    assert cli("lists", "delete", "news").stdout == "Deleted the list news.\n"
    assert "mailer lists create" in cli("lists", "delete", "news", exit_code=1).stderr
    cli("lists", "create", "news", "--name", "News")


def test_what_stands_in_the_way_of_deleting_a_list_is_said(cli: CommandLine, session: Session) -> None:
    news, other = make_list(session, "news"), make_list(session, "other")
    make_list(session, "new")  # its name is a part of another's
    make_campaign(session, news, slug="free-the-five")
    make_campaign(session, other, slug="free-the-six", audience={"exclude_lists": ["news"]})
    for status in SubscriptionStatus:
        make_subscriber(session, news, status=status)
    session.commit()
    refused = cli("lists", "delete", "news", exit_code=1).stderr
    for obstacle in (
        "1 person is on it",
        "1 person waits to confirm",
        "1 person left it; who left is remembered",
        "campaigns go to it: free-the-five;",
        "campaigns name it in their audience: free-the-six.",
        "mailer lists change news --closed",
    ):
        assert obstacle in refused
    cli("lists", "delete", "new")


def test_a_list_that_somebody_waits_to_join_is_kept(cli: CommandLine) -> None:
    cli("lists", "create", "news", "--name", "News")
    cli("subscribers", "add", "ben@example.org", "--list", "news", "--consent", "Asked on the phone.")
    assert "1 person waits to confirm" in cli("lists", "delete", "news", exit_code=1).stderr


# --- the sample list --------------------------------------------------------------------------------------------------


def offered(session: Session) -> list[str]:
    found = [each.slug for each in mailing_lists.open_lists(session)]
    session.rollback()
    return found


def make_sample(session: Session, name: str = mailing_lists.SAMPLE_NAME) -> MailingList:
    sample = make_list(session, mailing_lists.SAMPLE_SLUG, name=name)
    make_subscriber(session, sample)
    session.commit()
    return sample


def test_the_sample_list_leaves_the_form_when_there_is_another(cli: CommandLine, session: Session) -> None:
    sample = make_sample(session)
    assert "sample" not in cli("lists", "create", "staff", "--name", "Staff", "--closed").stdout
    assert offered(session) == ["sample-alerts"]
    told = cli("lists", "create", "news", "--name", "News").stdout
    assert "lists change sample-alerts --open" in told
    assert offered(session) == ["news"]
    assert mailing_lists.members(session)[sample.id].active == 1
    session.rollback()
    cli("lists", "change", "sample-alerts", "--open")
    assert offered(session) == ["news", "sample-alerts"]
    assert "The sample list has left" in cli("lists", "change", "staff", "--open").stdout


def test_a_sample_list_that_was_given_a_name_is_no_sample_any_more(cli: CommandLine, session: Session) -> None:
    make_sample(session, name="Urgent actions")
    cli("lists", "create", "news", "--name", "News")
    assert offered(session) == ["news", "sample-alerts"]
