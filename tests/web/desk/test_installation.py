"""Settings and keys at the desk: what helps an admin, and nothing that is secret."""

import dataclasses

import pytest
from flask import Flask

from mailer.mail.smtp import Server
from mailer.store.models import Role
from tests.support.desk import come_in, words


@pytest.fixture
def backend() -> str:
    return "sqlite"  # it reads nothing from the database


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
    assert "Harbour <Solidarity>" in said and "MAILER_DATABASE_URL" in said and "mailer keys status" in said
    keyring = settings.keyring
    assert all(key.id in said for key in [*keyring.secret_keys, *keyring.link_keys])
    assert "pa55" not in page.text
    for written in settings.configured_keys.values():
        for each in written.split(","):
            assert each.rpartition(":")[2] not in page.text
    assert "/desk/installation" in page.text


def test_it_says_what_could_be_better_set(app: Flask) -> None:
    site = app.extensions["site"]
    server = Server(host="localhost", port=25)
    settings = dataclasses.replace(site.settings, configured_smtp=server, organiser_addresses=())
    app.extensions["site"] = dataclasses.replace(site, settings=settings)
    assert "MAILER_ORGANISERS" in words(come_in(app, Role.ADMIN).get("/installation"))
