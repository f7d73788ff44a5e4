"""The web part: what it shows, what every answer carries, and what it keeps to itself."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy import text

from mailer.app import create_app
from mailer.settings import Settings
from mailer.store.db import DatabaseUnavailable

PROJECT = Path(__file__).parent.parent
PAGES = ["/", "/fr/", "/healthz", "/static/site.css", "/no/such/page", "/privacy", "/feed.atom", f"/confirm/{'0' * 40}"]


@pytest.fixture
def make_app(settings: Callable[..., Settings]) -> Iterator[Callable[..., Flask]]:
    """`make_app(MAILER_BASE_URL=…)`: the web app of an installation with these settings changed."""
    with ExitStack() as connections:

        def make(**changes: str | None) -> Flask:
            app = create_app(settings(**changes))
            connections.callback(app.extensions["site"].engine.dispose)
            return app

        yield make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_the_front_page_names_the_organisation_and_where_it_is(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "Harbour Solidarity" in page.text
    assert "<bdi>1 Example Street, Example City</bdi>" in page.text


def test_a_postal_address_keeps_its_lines(make_app: Callable[..., Flask]) -> None:
    page = make_app(MAILER_POSTAL_ADDRESS=r"1 Example Street\nExample <City>").test_client().get("/").text
    assert "<bdi>1 Example Street</bdi><br><bdi>Example &lt;City&gt;</bdi>" in page


def test_the_front_page_stands_before_the_organisation_is_named(make_app: Callable[..., Flask]) -> None:
    app = make_app(MAILER_ORGANISATION=None, MAILER_POSTAL_ADDRESS=None)
    page = app.test_client().get("/").text
    assert "None" not in page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE"])
def test_every_answer_forbids_foreign_scripts_framing_sniffing_and_referrers(
    client: FlaskClient, path: str, method: str
) -> None:
    with client.open(path, method=method) as answer:
        headers = answer.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["style-src"] == policy["form-action"] == "'self'"
    assert "script-src" not in policy
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "geolocation=(), " in headers["Permissions-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Set-Cookie" not in headers
    assert "X-Powered-By" not in headers


@pytest.mark.parametrize("path", [f"/confirm/{'0' * 40}", "/no/such/page", "/fr/undo/x"])
def test_what_a_link_leads_to_is_kept_nowhere(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/fr/", "/preferences"])
def test_what_a_form_was_answered_is_kept_nowhere(client: FlaskClient, path: str) -> None:
    assert client.post(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/privacy"])
def test_a_page_may_be_kept_for_the_way_back_to_it(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-cache"


def test_static_files_are_kept_for_a_year_under_an_address_that_changes_with_them(
    make_app: Callable[..., Flask], client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r'href="(/static/site\.css\?v=[0-9a-f]+)"', client.get("/").text)
    assert found
    with (
        client.get(found[1]) as current,
        client.get("/static/site.css?v=0") as other,
        client.get("/static/site.css") as bare,
    ):
        assert current.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert other.headers["Cache-Control"] == bare.headers["Cache-Control"] == "no-cache"
        assert current.data == other.data == bare.data
    with client.get("/static/no-such-file.css") as missing:
        assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")
    (tmp_path / "site.css").write_text("body { color: red }")
    monkeypatch.setattr(Flask, "static_folder", str(tmp_path))
    assert found[1] not in make_app().test_client().get("/").text


def test_flasks_own_redirects_stay_on_this_site(client: FlaskClient) -> None:
    for host in ("act.example.org", "evil.example.com"):
        answer = client.get("/fr", headers={"Host": host})
        assert (answer.status_code, answer.headers["Location"]) == (308, "/fr/")


def test_browsers_are_not_held_to_https_where_there_is_none(make_app: Callable[..., Flask]) -> None:
    app = make_app(MAILER_BASE_URL="http://127.0.0.1:8000")
    assert "Strict-Transport-Security" not in app.test_client().get("/").headers


def test_no_page_has_inline_style_or_script() -> None:
    ours = re.compile(r"""<script src="\{\{ url\('static', filename='[\w.]+\.js'\) \}\}" defer></script>""")
    templates = PROJECT / "mailer" / "web" / "templates"
    in_frame = templates / "desk" / "previewing" / "problem.html"  # where a mail would stand, with a policy of its own
    for template in {*templates.rglob("*.html")} - {in_frame}:
        assert not re.search(r"<style|<script|\sstyle=|\son\w+=", ours.sub("", template.read_text())), template


def test_an_unknown_address_gets_a_page_that_helps(client: FlaskClient) -> None:
    page = client.get("/no/such/page")
    assert page.status_code == 404
    assert "We cannot find this page" in page.text


def test_a_mistake_of_ours_is_not_shown_to_visitors(app: Flask) -> None:
    @app.get("/fails")
    def fails() -> str:
        raise ZeroDivisionError("a secret detail")

    page = app.test_client().get("/fails")
    assert page.status_code == 500
    assert "our fault" in page.text
    assert "secret detail" not in page.text


def test_of_a_mistake_of_ours_the_log_says_where_but_not_what_was_asked_for(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/fails/<token>")
    def fails(token: str) -> str:
        try:
            return dict[str, str]()[request.form["name"]]
        except KeyError as problem:
            raise ValueError(f"{token} {request.form}") from problem

    app.test_client().post("/fails/0123abc?email=ana@example.org", data={"name": "Ana Example"})
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    written = record.getMessage()
    assert "builtins.ValueError" in written
    assert "builtins.KeyError" in written
    assert 'return dict[str, str]()[request.form["name"]]' in written
    assert record.__dict__["page"] == "fails"
    for secret in ("0123abc", "example.org", "Ana Example"):
        assert secret not in caplog.text


def test_health_is_good_while_the_database_answers(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://127.0.0.1:1/tocsin"])
def test_health_is_bad_without_a_database_and_does_not_say_why(make_app: Callable[..., Flask], url: str) -> None:
    app = make_app(MAILER_DATABASE_URL=url)
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable"})


def test_health_is_bad_before_the_database_is_migrated(make_app: Callable[..., Flask], empty_database_url: str) -> None:
    app = make_app(MAILER_DATABASE_URL=empty_database_url)
    assert app.test_client().get("/healthz").status_code == 503


@pytest.mark.parametrize(("proxies", "visitor"), [("0", "127.0.0.1"), ("1", "198.51.100.7"), ("2", "192.0.2.1")])
def test_the_visitors_address_is_taken_from_trusted_proxies_only(
    make_app: Callable[..., Flask], proxies: str, visitor: str
) -> None:
    app = make_app(MAILER_TRUSTED_PROXIES=proxies)
    with app.test_client() as client:
        client.get("/", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1, 198.51.100.7", "X-Forwarded-Host": "x"})
        assert request.remote_addr == visitor
        assert request.host == "localhost"


def test_a_page_that_needs_the_database_says_to_come_back(app: Flask) -> None:
    @app.get("/needs-it")
    def needs_it() -> str:
        raise DatabaseUnavailable(problem="a secret detail")

    page = app.test_client().get("/needs-it")
    assert page.status_code == 503
    assert "We will be back soon" in page.text
    assert "secret detail" not in page.text


def test_health_is_bad_on_another_versions_database(app: Flask) -> None:
    with app.extensions["site"].engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert app.test_client().get("/healthz").status_code == 503


ASK_FOR_HEALTH = "print(wsgi.app.test_client().get('/healthz').status_code)"


def load_wsgi(
    folder: Path, environment: dict[str, str], *, then: str = ASK_FOR_HEALTH
) -> "subprocess.CompletedProcess[str]":
    """Load the web app as a server does, and have it do something."""
    return subprocess.run(
        [sys.executable, "-c", f"import wsgi; {then}"],
        env={"PATH": os.environ["PATH"], "MAILER_DATA_DIR": str(folder), "PYTHONPATH": str(PROJECT), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_server_refuses_to_start_on_a_database_that_is_behind(
    empty_database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    done = load_wsgi(tmp_path, environment | {"MAILER_DATABASE_URL": empty_database_url})
    assert done.returncode == 1
    assert done.stderr.startswith("mailer: The database is not up to date")
    assert done.stderr.count("\n") == 1


def test_a_server_starts_without_its_database_and_its_log_names_nobody(
    environment: dict[str, str], tmp_path: Path
) -> None:
    url = "postgresql+psycopg://ana:swordfish@127.0.0.1:1/tocsin"
    done = load_wsgi(tmp_path, environment | {"MAILER_DATABASE_URL": url})
    assert (done.returncode, done.stdout) == (0, "503\n")
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert records[0]["message"].startswith("starting without the database")
    assert "swordfish" not in done.stderr


def test_a_server_on_a_good_database_is_healthy(environment: dict[str, str], tmp_path: Path) -> None:
    done = load_wsgi(tmp_path, environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


def test_what_pages_are_made_of_is_read_before_the_first_visitor_comes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    kept = "len(wsgi.app.jinja_env.cache) == len(wsgi.app.jinja_env.list_templates())"
    named = "countries.all_in.cache_info().currsize == len(SITE_LANGUAGES)"
    imports = "from mailer.locale import countries; from mailer.locale.languages import SITE_LANGUAGES"
    done = load_wsgi(tmp_path, environment, then=f"{imports}; print({kept}, {named})")
    assert (done.stdout, done.stderr) == ("True True\n", "")


def test_a_server_with_a_wrong_setting_ends_with_one_line(tmp_path: Path) -> None:
    done = load_wsgi(tmp_path, {})
    assert done.returncode == 1
    assert done.stderr.startswith("mailer: MAILER_SECRET_KEYS: is not set")
    assert done.stderr.count("\n") == 1
