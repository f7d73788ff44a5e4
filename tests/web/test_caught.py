"""The page of caught mails: there for who tries the program out, for nobody else, and harmless."""

import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from mailer.app import create_app
from mailer.settings import Settings
from mailer.web import caught

TRIAL = "http://127.0.0.1:8000"


@pytest.fixture
def backend() -> str:
    """Nothing here depends on the kind of database."""
    return "sqlite"


@pytest.fixture(autouse=True)
def forget_greetings() -> None:
    """A port that another test's catcher had may be anybody's now."""
    caught._is_our_catcher.cache_clear()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a running mail catcher, which keeps what it gets where `mailer run` has it kept."""
    command = [sys.executable, "-m", "mailer.cli", "catcher", "--maildir", str(tmp_path / "data" / "caught")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.terminate()


@pytest.fixture
def visit(settings: Callable[..., Settings], port: int) -> Iterator[Callable[..., FlaskClient]]:
    """`visit(MAILER_BASE_URL=…)`: a visitor of a site whose mail goes to the catcher, with settings changed."""
    apps = []

    def visit(**changes: str | None) -> FlaskClient:
        trial = {"MAILER_BASE_URL": TRIAL, "MAILER_SMTP_URL": f"smtp://127.0.0.1:{port}"}
        apps.append(create_app(settings(**(trial | changes))))
        return apps[-1].test_client()

    yield visit
    for app in apps:
        app.extensions["site"].engine.dispose()


def send(port: int, *, subject: str, text: str, html: str | None = None, to: str = "ana@example.org") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "alerts@example.org", to, subject
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(message)


def names(client: FlaskClient) -> list[str]:
    """The addresses of the mails in the list, in its order."""
    page = client.get("/caught/").text
    return [part.partition('"')[0] for part in page.split('<h2><a href="')[1:]]


@pytest.mark.parametrize("page", ["/check-your-mail", "/preferences/sent", "/answer/sent"])
def test_a_page_that_says_to_check_the_mail_leads_to_the_caught_ones(
    visit: Callable[..., FlaskClient], page: str
) -> None:
    assert '<a href="/caught/">' in visit().get(page).text
    assert "/caught/" not in visit(MAILER_BASE_URL="https://act.example.org").get(page).text


def test_who_tries_it_out_sees_what_was_sent_the_newest_first(visit: Callable[..., FlaskClient], port: int) -> None:
    client = visit()
    assert "None yet" in client.get("/caught/").text
    send(port, subject="Please confirm", text=f"Confirm here: {TRIAL}/confirm/abc.\nNot ours: https://example.net/x\n")
    send(port, subject="Welcome <b>", text="Welcome!", to="eli@example.net")
    page = client.get("/caught/").text
    assert page.index("Welcome &lt;b&gt;") < page.index("Please confirm")
    assert "eli@example.net" in page
    mail = client.get(names(client)[1]).text
    assert f'<a href="{TRIAL}/confirm/abc">' in mail
    assert 'href="https://example.net' not in mail
    assert "ana@example.org" in mail and "Confirm here:" in mail
    assert "<iframe" not in mail


def test_a_mail_can_run_no_script_and_fetch_nothing(visit: Callable[..., FlaskClient], port: int) -> None:
    client = visit()
    html = '<html><head><style>p{color:red}</style></head><p>Hi</p><script>alert(1)</script><img src="https://example.net/pixel">'
    send(port, subject="Hi", text="<script>alert(2)</script>", html=html)
    (address,) = names(client)
    page = client.get(address)
    assert "<script" not in page.text
    assert f'src="{address}/html"' in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    frame = client.get(f"{address}/html")
    assert '<head><base target="_blank">' in frame.text  # no page of ours lets itself be framed
    policy = {part.strip() for part in frame.headers["Content-Security-Policy"].split(";")}
    assert {"default-src 'none'", "form-action 'none'", "frame-ancestors 'self'"} <= policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert not any(part.startswith(("script-src", "img-src")) for part in policy)
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"
    for answer in (page, frame, client.get("/caught/")):
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["no-such-mail", "..", "%2e%2e%2fkeys.env", "..%2Fkeys.env"])
def test_only_caught_mails_are_shown(visit: Callable[..., FlaskClient], name: str) -> None:
    assert visit().get(f"/caught/{name}").status_code in (404, 308)
    assert visit().get(f"/caught/{name}/html").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"MAILER_BASE_URL": "https://act.example.org"},
        {"MAILER_BASE_URL": "http://act.example.org"},
        {"MAILER_SMTP_URL": None},
        {"MAILER_SMTP_URL": "smtps://mail.example.org", "MAILER_BASE_URL": "https://act.example.org"},
        {"MAILER_SMTP_URL": "smtp://127.0.0.1:1"},
    ],
)
def test_in_production_there_is_no_such_page(visit: Callable[..., FlaskClient], changes: dict[str, str | None]) -> None:
    client = visit(**changes)
    for path in ("/caught/", "/caught/x", "/caught/x/html"):
        assert client.get(path).status_code == 404


@contextmanager
def real_mail_server() -> Iterator[int]:
    """Greets as a mail server on this machine does, which delivers what it is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example.org ESMTP Postfix\r\n")

        threading.Thread(target=greet, daemon=True).start()
        yield listener.getsockname()[1]


def test_where_mail_is_delivered_by_a_server_on_this_machine_there_is_no_such_page(
    visit: Callable[..., FlaskClient],
) -> None:
    with real_mail_server() as port:
        assert visit(MAILER_SMTP_URL=f"smtp://127.0.0.1:{port}").get("/caught/").status_code == 404


def test_no_page_asks_a_mail_server_elsewhere_how_it_greets(
    visit: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caught, "_is_our_catcher", lambda *_asked: pytest.fail("it was asked"))
    assert visit(MAILER_SMTP_URL="smtps://mail.example.org").get("/caught/").status_code == 404


@pytest.mark.parametrize(
    ("headers", "visitor"),
    [
        ({}, "192.0.2.7"),
        ({"Host": "rebound.example.net"}, "127.0.0.1"),  # a name of another site's that was made to lead here
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1"),
        ({"Forwarded": "for=192.0.2.7"}, "127.0.0.1"),
        ({"Via": "1.1 proxy"}, "127.0.0.1"),
    ],
)
def test_who_does_not_sit_at_this_machine_sees_nothing(
    visit: Callable[..., FlaskClient], headers: dict[str, str], visitor: str
) -> None:
    client = visit()
    answer = client.get("/caught/", headers=headers, environ_base={"REMOTE_ADDR": visitor})
    assert answer.status_code == 404
    assert client.get("/caught/").status_code == 200


def test_pages_can_lead_there_in_a_trial_only(visit: Callable[..., FlaskClient]) -> None:
    for changes, address in (({}, "/caught/"), ({"MAILER_BASE_URL": "https://act.example.org"}, None)):
        app = visit(**changes).application
        with app.test_request_context("/", environ_base={"REMOTE_ADDR": "127.0.0.1"}):
            assert caught.caught_url() == address
