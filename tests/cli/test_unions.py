"""An organiser with a terminal keeps unions, decides who affiliates, and says who gets their mail."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.links import Link
from mailer.mail import addresses
from mailer.operations.queue import connect, open_queue
from mailer.people.notices import NoticeKind
from mailer.people.organisers import NOBODY
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import MailingList, Subscriber, Union, UnionStatus
from mailer.unions import applications, contacts, directory
from mailer.unions.applications import AskedFor
from tests.cli.test_confirming import at_a_terminal
from tests.conftest import CommandLine
from tests.support.factories import SENDER, make_contact, make_list, make_subscriber, make_union, notices_owed, said


def apply(engine: Engine, name: str = "Dockers of Example", **changes: Any) -> int:
    """Somebody asks on the site, and confirms; returns the application's id."""
    facts: dict[str, Any] = {
        "name": name,
        "country": "GB",
        "languages": ("en",),
        "members": 1200,
        "parent": "World Federation",
        "resolution": "Carried\nunanimously.",
        "is_named": True,
        "person_name": "Ana Example",
        "address": addresses.parse("ana@example.org"),
        "role": "General secretary",
        "language": "en",
        "consent_text": "Yes.",
        "shown_in": "en",
        "asked_at": utcnow(),
    }
    with Session(engine) as session, session.begin():
        applications.ask(session, AskedFor(**(facts | changes)))
        token = said(notices_owed(session)[-1]).token
    with Session(engine) as session, session.begin():
        applications.confirm(session, token or "", base_url=SENDER.base_url, told=NOBODY)
        return applications.all_applications(session)[-1].id


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def with_valkey(cli: CommandLine, valkey_url: str) -> str:
    cli.environment["MAILER_REDIS_URL"] = valkey_url
    return valkey_url


def rung_for(valkey_url: str) -> list[str]:
    """The jobs that wait in the queue."""
    with connect(valkey_url) as connection:
        return [str(job.args) for job in open_queue(connection).jobs]


# --- keeping unions -------------------------------------------------------------------------------------------------


def test_unions_are_added_changed_and_shown(cli: CommandLine) -> None:
    cli("unions", "add", "world", "--name", "World Federation", "--language", "en", "--language", "FR")
    added = cli("unions", "add", "dockers", "--name", "Dockers", "--country", "GB", "--parent", "world", "--unnamed")
    slug = added.stdout.split()[3].rstrip(",")
    assert added.stdout == (
        f'Added the union {slug}, "Dockers". It asked not to be named, so its short name is random: "dockers" is kept '
        "nowhere.\n"
    )
    assert cli("unions", "list").stdout == (
        f"{slug}  Dockers  GB  world  listed\nworld  World Federation  -  -  listed\n"
    )
    refused = cli("unions", "change", slug, "--as", "dockers", exit_code=1)
    assert f'"{slug}" asked not to be named' in refused.stderr
    cli("unions", "change", slug, "--name", "Dockers’ Union", "--members", "900", "--named", "--language", "cy")
    assert "Its short name is now dockers." in cli("unions", "change", slug, "--as", "dockers").stdout
    cli("unions", "change", "dockers", "--resolution", "Carried.")
    assert json.loads(cli("unions", "show", "dockers", "--json").stdout)["resolution"] == "Carried."
    cli("unions", "change", "dockers", "--parent", "")
    dockers, world = lines(cli("unions", "list", "--json").stdout)
    assert dockers == {
        "slug": "dockers",
        "name": "Dockers’ Union",
        "country": "GB",
        "parent": None,
        "status": "listed",
        "languages": ["cy"],
        "members": 900,
        "is_named": True,
    }
    assert world["languages"] == ["en", "fr"]
    changed = cli("unions", "change", "world", "--language", "", "--unnamed").stdout
    cli("unions", "change", "dockers", "--name", "Dockers")
    dockers, world = lines(cli("unions", "list", "--json").stdout)
    assert f"now {world['slug']}. It asked not to be named, so its short name is random" in changed
    assert "Links to its old join page stop working" in changed
    assert "replace world yourself" in changed
    assert (world["languages"], world["is_named"], dockers["is_named"]) == ([], False, True)


def test_unions_are_listed_by_where_they_stand(cli: CommandLine) -> None:
    for status in UnionStatus:
        cli("unions", "add", f"union-{status}", "--name", "A", "--status", status.value)
    assert [each["slug"] for each in lines(cli("unions", "list", "--status", "lapsed", "--json").stdout)] == [
        "union-lapsed"
    ]
    cli("unions", "list", "--status", "expelled", exit_code=2)


def test_all_of_a_union_is_shown(cli: CommandLine, session: Session) -> None:
    world = make_union(session, "world")
    union = make_union(session, "dockers", parent=world, status=UnionStatus.AFFILIATED, languages=["en", "fr"])
    for branch in ("branch-b", "branch-a"):
        make_union(session, branch, parent=union)
    make_contact(session, union)
    session.add_all([MailingList(slug="own", name="Own", owner_id=union.id), MailingList(slug="any", name="Any")])
    directory.introduce(session, "dockers", "en", "Dear members,\n\nread this.")
    union.resolution = "Carried."
    session.commit()
    shown = json.loads(cli("unions", "show", "dockers", "--json").stdout)
    assert shown == {
        "slug": "dockers",
        "name": "Dockers",
        "country": "GB",
        "parent": "world",
        "status": "affiliated",
        "languages": ["en", "fr"],
        "members": None,
        "is_named": True,
        "interested_at": None,
        "affiliated_at": "2026-03-01",
        "lapsed_at": None,
        "resolution": "Carried.",
        "introductions": {"en": "Dear members,\n\nread this."},
        "has_logo": False,
        "unions": ["branch-a", "branch-b"],
        "contacts": 1,
        "lists": ["own"],
    }
    text = cli("unions", "show", "dockers").stdout
    for line in (
        "languages     en, fr",
        "is named      yes",
        "has logo      no",
        "introductions en: Dear members,",
        "              read this.",
        "unions        branch-a, branch-b",
    ):
        assert line in text.splitlines()
    assert "lapsed" not in text


def test_a_logo_is_set_and_removed(cli: CommandLine, session: Session, tmp_path: Path) -> None:
    make_union(session, "dockers")
    session.commit()
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "PNG")
    file, other = tmp_path / "logo.png", tmp_path / "logo.gif"
    file.write_bytes(picture.getvalue())
    other.write_bytes(b"GIF89a")
    cli("unions", "logo", "dockers", file)
    assert json.loads(cli("unions", "show", "dockers", "--json").stdout)["has_logo"] is True
    assert "PNG or JPEG" in cli("unions", "logo", "dockers", other, exit_code=1).stderr
    other.write_bytes(bytes(6_000_000))
    cli("unions", "logo", "dockers", other, exit_code=1)
    cli("unions", "logo", "dockers", "--remove")
    assert json.loads(cli("unions", "show", "dockers", "--json").stdout)["has_logo"] is False
    for wrong in ([], [str(file), "--remove"], [str(tmp_path / "nothing")]):
        cli("unions", "logo", "dockers", *wrong, exit_code=2)


def test_an_introduction_is_read_from_a_file_or_standard_input(
    cli: CommandLine, session: Session, tmp_path: Path
) -> None:
    union = make_union(session, "dockers")
    session.commit()
    file = tmp_path / "words.txt"
    file.write_text("\ufeffDear members,\r\n", encoding="utf-8")
    cli("unions", "introduce", "dockers", "--language", "en", file)
    cli("unions", "introduce", "dockers", "--language", "el", "-", input="Αγαπητά μέλη\n".encode())
    session.refresh(union)
    assert union.introductions == {"en": "Dear members,", "el": "Αγαπητά μέλη"}
    session.commit()
    cli("unions", "introduce", "dockers", "--language", "el", "--remove")
    session.refresh(union)
    assert union.introductions == {"en": "Dear members,"}
    session.commit()
    file.write_bytes(b"\xff\xfe")
    cli("unions", "introduce", "dockers", "--language", "en", file, exit_code=2)
    file.write_text("x" * 1001)
    assert "1,001 characters" in cli("unions", "introduce", "dockers", "--language", "en", file, exit_code=1).stderr
    cli("unions", "introduce", "dockers", "--language", "en", exit_code=2)


# --- affiliation ----------------------------------------------------------------------------------------------------


def test_an_application_is_shown_and_accepted(
    cli: CommandLine, engine: Engine, session: Session, with_valkey: str
) -> None:
    assert cli("unions", "applications").stdout == "No application is waiting.\n"
    assert cli("unions", "applications", "--json").stdout == ""
    application_id = apply(engine)
    (shown,) = lines(cli("unions", "applications", "--json").stdout)
    assert shown.pop("confirmed_at")
    assert shown == {
        "id": application_id,
        "name": "Dockers of Example",
        "country": "GB",
        "parent": "World Federation",
        "known_parent": None,
        "languages": ["en"],
        "members": 1200,
        "is_named": True,
        "resolution": "Carried\nunanimously.",
        "email": "ana@example.org",
        "person": "Ana Example",
        "role": "General secretary",
    }
    text = cli("unions", "applications").stdout
    assert "asked by    Ana Example, General secretary, ana@example.org" in text
    assert "    resolution  Carried\n                unanimously." in text
    said_yes = cli("unions", "accept", str(application_id))
    assert said_yes.stdout == (
        'The union dockers-of-example, "Dockers of Example", is affiliated. It has 1 contact.\n'
        'The application says that it belongs to "World Federation". No union that is known is called so, or nearly so.'
        " To set its federation: mailer unions change dockers-of-example --parent SLUG\n"
    )
    assert said_yes.stderr == ""
    assert len(rung_for(with_valkey)) == 1
    mail = notices_owed(session)[-1]
    assert said(mail).kind is NoticeKind.AFFILIATED
    assert said(mail).words["join_url"] == "https://act.example.org/en/join/dockers-of-example"
    session.rollback()
    cli("unions", "accept", str(application_id), exit_code=1)


def test_an_application_may_be_accepted_under_another_name_and_federation(
    cli: CommandLine, engine: Engine, session: Session, with_valkey: str
) -> None:
    make_union(session, "world")
    session.commit()
    application_id = str(apply(engine, "Профсоюз докеров"))
    assert "--as SLUG" in cli("unions", "accept", application_id, exit_code=1).stderr
    cli("unions", "accept", application_id, "--as", "dockers-ru", "--parent", "world")
    union = directory.get(session, "dockers-ru")
    assert union.parent is not None
    assert (union.name, union.parent.slug) == ("Профсоюз докеров", "world")


def test_an_application_is_declined(cli: CommandLine, engine: Engine, session: Session) -> None:
    application_id = str(apply(engine, is_named=False))
    assert "named       no, it asks not to be" in cli("unions", "applications").stdout
    cli("unions", "decline", application_id)
    cli("unions", "decline", application_id, exit_code=1)
    assert session.scalars(select(Subscriber)).all() == []
    assert session.scalars(select(Union)).all() == []


def test_a_union_is_interested_affiliates_and_lapses(cli: CommandLine, session: Session, with_valkey: str) -> None:
    union = make_union(session, "dockers")
    make_contact(session, union)
    session.commit()
    cli("unions", "interested", "dockers")
    cli("unions", "interested", "dockers", exit_code=1)
    affiliated = cli("unions", "affiliate", "dockers", "--resolution", "Carried.")
    assert affiliated.stdout == "The union dockers is affiliated. It has 1 contact.\n"
    assert len(rung_for(with_valkey)) == 1
    assert "already" in cli("unions", "affiliate", "dockers", exit_code=1).stderr
    session.refresh(union)
    assert (union.status, union.resolution) == (UnionStatus.AFFILIATED, "Carried.")
    session.commit()
    cli("unions", "lapse", "dockers")
    assert "is lapsed" in cli("unions", "lapse", "dockers", exit_code=1).stderr


def test_the_address_of_its_results_can_be_handed_to_a_union(cli: CommandLine, session: Session) -> None:
    union = make_union(session, "dockers", status=UnionStatus.AFFILIATED)
    session.commit()
    token = cli("unions", "link", "dockers").stdout.strip().removeprefix("https://act.example.org/results/")
    assert links.verify(keyring_of(session), Link.UNION, token) == union.id


def test_who_has_no_contact_is_told_how_to_get_one(cli: CommandLine, session: Session) -> None:
    make_union(session, "dockers")
    session.commit()
    result = cli("unions", "affiliate", "dockers")
    assert "mailer unions invite dockers ADDRESS" in result.stdout
    assert result.stderr == ""  # nobody is to be told, so no worker is woken


# --- the federation that an application names -----------------------------------------------------------------------


def parent_of(session: Session, slug: str) -> str | None:
    session.rollback()
    parent = directory.get(session, slug).parent
    found = parent.slug if parent else None
    session.rollback()
    return found


def test_an_organiser_sees_what_was_written_and_takes_it_by_one_flag(
    cli: CommandLine, engine: Engine, session: Session
) -> None:
    directory.add(session, "world-fed", "WORLD  Fédération")
    session.commit()
    number = str(apply(engine, parent="World federation"))
    (shown,) = lines(cli("unions", "applications", "--json").stdout)
    assert (shown["parent"], shown["known_parent"]) == ("World federation", "world-fed")
    assert "belongs to  World federation (known as world-fed)" in cli("unions", "applications").stdout
    cli("unions", "accept", number, "--parent", "world-fed", "--parent-as-written", exit_code=2)
    said = cli("unions", "accept", number, "--parent-as-written").stdout
    assert "The application says" not in said
    assert parent_of(session, "dockers-of-example") == "world-fed"


def test_without_a_terminal_a_federation_is_named_and_never_guessed(
    cli: CommandLine, engine: Engine, session: Session
) -> None:
    directory.add(session, "world-fed", "World Federation")
    session.commit()
    said = cli("unions", "accept", str(apply(engine))).stdout
    assert 'says that it belongs to "World Federation". That is the name of world-fed, "World Federation".' in said
    assert "mailer unions change dockers-of-example --parent SLUG" in said
    assert parent_of(session, "dockers-of-example") is None


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "No union that is known is called so, or nearly so."),
        (["World Federations"], 'No union is called so; the nearest is u0, "World Federations".'),
        (["World Federation", "World-Federation"], "Several unions are called so: u0, u1."),
    ],
)
def test_the_flag_takes_no_federation_that_is_not_the_only_one_called_so(
    cli: CommandLine, engine: Engine, session: Session, names: list[str], said: str
) -> None:
    for count, name in enumerate(names):
        make_union(session, f"u{count}", name=name)
    session.commit()
    number = str(apply(engine))
    refused = cli("unions", "accept", number, "--parent-as-written", exit_code=1).stderr
    assert " ".join(refused.split()).count(f'belongs to "World Federation". {said}') == 1
    assert len(lines(cli("unions", "applications", "--json").stdout)) == 1
    assert said in cli("unions", "accept", number).stdout
    assert parent_of(session, "dockers-of-example") is None


def test_a_union_whose_federation_is_known_is_asked_for_no_other(
    cli: CommandLine, engine: Engine, session: Session
) -> None:
    fed = make_union(session, "old-fed", name="Old Federation")
    make_union(session, "world-fed", name="World Federation")
    make_union(session, "dockers", parent=fed)
    session.commit()
    assert "The application says" not in cli("unions", "accept", str(apply(engine)), "--as", "dockers").stdout
    assert parent_of(session, "dockers") == "old-fed"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("known", "answer", "parent"),
    [
        ("World Federation", "y\n", "world-fed"),
        ("World Federations", "y\n", "world-fed"),
        ("World Federation", "n\n", None),
        ("World Federation", "\n", None),
    ],
)
def test_on_a_terminal_the_nearest_federation_is_taken_by_one_answer(
    cli: CommandLine, engine: Engine, session: Session, known: str, answer: str, parent: str | None
) -> None:
    make_union(session, "world-fed", name=known)
    session.commit()
    exit_code, shown = at_a_terminal(cli, "unions", "accept", str(apply(engine)), answer=answer)
    assert exit_code == 0
    assert "Is that its federation? [y/N]" in " ".join(shown.split())
    assert parent_of(session, "dockers-of-example") == parent
    assert ("--parent SLUG" in shown) is (parent is None)


# --- contacts -------------------------------------------------------------------------------------------------------


def test_contacts_are_invited_shown_and_removed(cli: CommandLine, session: Session, with_valkey: str) -> None:
    union = make_union(session, "dockers")
    session.commit()
    details = ("--name", "Ana Example", "--role", "Treasurer", "--language", "fr")
    assert cli("unions", "invite", "dockers", "ana@example.org", *details).stderr == ""
    assert len(rung_for(with_valkey)) == 1
    assert "less than 24 hours" in cli("unions", "invite", "dockers", "ana@example.org", exit_code=1).stderr
    assert cli("unions", "contacts", "dockers").stdout == ""
    applications.confirm(session, said(notices_owed(session)[0]).token or "", base_url=SENDER.base_url, told=NOBODY)
    session.commit()
    assert cli("unions", "contacts", "dockers").stdout == "ana@example.org  Ana Example  Treasurer\n"
    (shown,) = lines(cli("unions", "contacts", "dockers", "--json").stdout)
    assert shown.pop("confirmed_at")
    assert shown == {"email": "ana@example.org", "name": "Ana Example", "role": "Treasurer", "language": "fr"}
    cli("unions", "remove-contact", "dockers", "ana@example.org")
    cli("unions", "remove-contact", "dockers", "ana@example.org", exit_code=1)
    assert contacts.of_union(session, union.id) == []


@pytest.mark.parametrize("command", [("remove-contact", "dockers", "ana@example.org"), ("renew-links", "dockers")])
def test_the_links_of_a_union_are_replaced_and_its_contacts_are_mailed_the_new_ones(
    cli: CommandLine, session: Session, with_valkey: str, command: tuple[str, ...]
) -> None:
    union = make_union(session, "dockers", status=UnionStatus.AFFILIATED)
    for name in ("ana", "ben", "cleo"):
        make_contact(session, union, make_subscriber(session, email=f"{name}@example.org"))
    session.commit()
    before = cli("unions", "link", "dockers").stdout
    told = 2 if command[0] == "remove-contact" else 3
    result = cli("unions", *command)
    assert f"were replaced; {told} contacts are mailed the new ones.\n" in result.stdout
    assert result.stderr == ""
    assert len(rung_for(with_valkey)) == 1
    assert [said(owed).kind for owed in notices_owed(session)] == [NoticeKind.RENEWED] * told
    after = cli("unions", "link", "dockers").stdout
    assert after != before
    assert said(notices_owed(session)[0]).words["results_url"].endswith(after.strip().rpartition("/")[2])
    session.rollback()
    assert "mailer unions add miners" in cli("unions", "renew-links", "miners", exit_code=1).stderr
    assert cli("unions", "link", "dockers").stdout == after


def test_a_union_without_contacts_has_its_links_replaced_all_the_same(cli: CommandLine, session: Session) -> None:
    union = make_union(session, "dockers", status=UnionStatus.AFFILIATED)
    session.commit()
    assert "nobody is mailed" in cli("unions", "renew-links", "dockers").stdout
    session.refresh(union)
    assert union.link_generation == 1


def test_without_redis_a_command_warns_and_the_mail_is_owed(cli: CommandLine, session: Session) -> None:
    make_union(session, "dockers")
    session.commit()
    cli.environment["MAILER_REDIS_URL"] = "redis://127.0.0.1:1/0"
    result = cli("unions", "invite", "dockers", "ana@example.org")
    assert "Warning" in result.stderr
    assert "half a minute" in result.stderr
    assert len(notices_owed(session)) == 1


def test_what_names_no_union_ends_with_1(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("Words")
    for command in (
        ("change", "nowhere", "--members", "1"),
        ("show", "nowhere"),
        ("affiliate", "nowhere"),
        ("interested", "nowhere"),
        ("lapse", "nowhere"),
        ("logo", "nowhere", "--remove"),
        ("introduce", "nowhere", "--language", "en", file),
        ("invite", "nowhere", "ana@example.org"),
        ("contacts", "nowhere"),
        ("remove-contact", "nowhere", "ana@example.org"),
        ("link", "nowhere"),
    ):
        assert "mailer unions list" in cli("unions", *command, exit_code=1).stderr


# --- as CSV ---------------------------------------------------------------------------------------------------------


def test_unions_are_imported_and_exported(cli: CommandLine, session: Session, tmp_path: Path, with_valkey: str) -> None:
    file, out = tmp_path / "unions.csv", tmp_path / "out.csv"
    file.write_text("slug,name,phone,contact_email\ndockers,Dockers,1,ana@example.org\n")
    dry = cli("unions", "import", file, "--dry-run")
    assert "Nothing was changed." in dry.stdout
    assert "         1  added" in dry.stdout
    assert "--invite" in dry.stderr
    report = json.loads(cli("unions", "import", file, "--invite", "--json").stdout)
    assert report == {
        "added": 1,
        "changed": 0,
        "unchanged": 0,
        "invited": 1,
        "warnings": ['column 3 "phone" is not known, and was ignored'],
    }
    assert len(rung_for(with_valkey)) == 1
    assert cli("unions", "export", "-o", out).stdout == f"Wrote 1 union to {out}.\n"
    assert out.read_text().splitlines()[1] == "dockers,Dockers,,,listed,,,,,,,yes"
    file.write_text("slug,name\ndockers,Dockers of Example\n")
    cli("unions", "import", file)
    assert directory.get(session, "dockers").name == "Dockers"
    session.rollback()
    cli("unions", "import", file, "--update")
    session.expire_all()
    assert directory.get(session, "dockers").name == "Dockers of Example"


def test_a_wrong_line_stops_an_import(cli: CommandLine, session: Session, tmp_path: Path) -> None:
    make_subscriber(session, make_list(session))
    session.commit()
    file = tmp_path / "unions.csv"
    file.write_text("slug,name\ndockers,Dockers\nWRONG,Wrong\n")
    assert "line 3: " in cli("unions", "import", file, exit_code=1).stderr
    assert session.scalars(select(Union)).all() == []
