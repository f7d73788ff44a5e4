"""Settings and keys at the desk: what helps an admin, and nothing that is secret."""

import dataclasses
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from mailer.mail.feedback.types import Kind
from mailer.mail.smtp import Server
from mailer.operations.doctor import machine
from mailer.people import returned
from mailer.store.db import session_scope, utctoday
from mailer.store.models import Account, Role
from mailer.web.desk import finding_words
from tests.support.desk import come_in, words


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what it reads of the database is tested where it is read


def test_an_admin_sees_settings_and_names_of_keys_and_no_secret(app: Flask) -> None:
    site = app.extensions["site"]
    settings = dataclasses.replace(
        site.settings,
        organisation="Harbour <Solidarity>",
        database_url="postgresql+psycopg://tocsin:pa55-of-db@db/tocsin",
        configured_redis_url="redis://:pa55-of-redis@cache:6379/0",
        given=frozenset({"MAILER_DATABASE_URL", "MAILER_ORGANISATION", *site.settings.configured_keys}),
    )
    app.extensions["site"] = dataclasses.replace(site, settings=settings)
    page = come_in(app, Role.ADMIN).get("/installation")
    said = words(page)
    assert "Harbour <Solidarity>" in said and "mailer keys status" in said
    assert "MAILER_DATABASE_URL" in page.text.replace("<wbr>", "")
    keyring = settings.keyring
    assert all(key.id in said for key in [*keyring.secret_keys, *keyring.link_keys])
    assert "pa55" not in page.text
    for written in settings.configured_keys.values():
        for each in written.split(","):
            assert each.rpartition(":")[2] not in page.text
    assert "/desk/installation" in page.text


def test_what_could_not_be_read_is_a_number_with_its_reason(app: Flask, engine: Engine) -> None:
    who = come_in(app, Role.ADMIN)
    with session_scope(engine) as session:
        returned.count(session, Kind.FORGED, on=utctoday(), number=1_234)
    said = words(who.get("/installation"))
    assert "Asks to leave, with a signature that is not ours 1,234 0" in said
    assert "No message at all, or one that was cut off 0 0" in said


def test_what_is_found_is_said_in_the_viewers_language(app: Flask, engine: Engine, tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    keys.touch()
    site = app.extensions["site"]
    changed = {"database_url": f"sqlite:///{tmp_path / 'tocsin.db'}", "keys_file": keys, "data_dir": tmp_path / "none"}
    settings = dataclasses.replace(site.settings, configured_smtp=Server(host="localhost", port=25), **changed)
    app.extensions["site"] = dataclasses.replace(site, settings=settings)
    who = come_in(app, Role.ADMIN)
    with session_scope(engine) as session:
        session.get_one(Account, who.account_id).language = "fr"
    said = words(who.get("/installation"))
    assert "Le dossier des données manque" in said and "Les clés sont à côté de la base" in said
    assert "Aucun organisateur n’est averti" in said


def test_every_finding_at_a_glance_has_words() -> None:
    source = Path(machine.__file__).read_text()
    seen = {"keys-beside-database", "data-directory", "disk-full", "disk-low"}
    assert all(f'"{code}"' in source for code in seen) and seen <= finding_words._SENTENCES.keys()


def test_a_long_name_of_a_setting_may_be_broken_between_its_words(app: Flask) -> None:
    assert "MAILER_<wbr>SMTP_<wbr>CONNECTIONS" in come_in(app, Role.ADMIN).get("/installation").text


def test_it_says_what_could_be_better_set(app: Flask) -> None:
    site = app.extensions["site"]
    server = Server(host="localhost", port=25)
    settings = dataclasses.replace(site.settings, configured_smtp=server, organiser_addresses=())
    app.extensions["site"] = dataclasses.replace(site, settings=settings)
    assert "MAILER_ORGANISERS" in words(come_in(app, Role.ADMIN).get("/installation"))
