"""Forms: who fills them in, where they come from, and how much they may hold."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask, render_template_string, request
from flask.testing import FlaskClient
from gunicorn.http.errors import (  # type: ignore[import-untyped]  # gunicorn has no types
    ChunkMissingTerminator,
    InvalidChunkSize,
    NoMoreData,
)
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.store.crypto import Key, Keyring
from mailer.store.models import Delivery, DeliveryState
from mailer.web import protection
from tests.support.factories import make_list, make_subscriber
from tests.web.conftest import stamp_of


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here asks the database


@pytest.fixture
def app(app: Flask) -> Flask:
    """The site, and a form on it that says what is thought of who sends it."""

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        if request.method == "GET" or "mistake" in request.form:
            return render_template_string('<form method="post">{{ stamp() }}</form>')
        return "human" if protection.looks_human(request.form) else "program"

    return app


@pytest.fixture
def anyone(app: Flask) -> FlaskClient:
    """A visitor who sends just what a test says."""
    return FlaskClient(app, app.response_class)


def fields_of(page: str) -> dict[str, str]:
    """What a browser posts when a page's form is sent as it is."""
    inputs = re.findall(r"<input[^>]*>", page)
    named = {found["name"]: each for each in inputs if (found := re.search(r'name="(?P<name>[^"]+)"', each))}
    values = {name: re.search(r'value="(?P<value>[^"]*)"', each) for name, each in named.items()}
    return {name: unescape(found["value"]) if found else "" for name, found in values.items()}


def post_after(monkeypatch: pytest.MonkeyPatch, client: FlaskClient, wait: timedelta, **changes: str) -> str:
    """Open the form, wait, and send it."""
    fields = fields_of(client.get("/form").text)
    monkeypatch.setattr(protection, "utcnow", lambda: datetime.now(UTC) + wait)
    return client.post("/form", data=fields | changes).text


# --- people and programs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait", "verdict"),
    [
        (timedelta(0), "program"),
        (timedelta(seconds=1), "program"),
        (timedelta(seconds=3), "human"),
        (timedelta(hours=1), "human"),
        (timedelta(days=1, minutes=5), "human"),  # left open overnight
        (timedelta(days=29), "human"),
        (timedelta(days=31), "program"),
        (timedelta(seconds=-30), "program"),
    ],
)
def test_a_form_takes_a_person_a_moment_and_keeps_for_a_month(
    monkeypatch: pytest.MonkeyPatch, anyone: FlaskClient, wait: timedelta, verdict: str
) -> None:
    assert post_after(monkeypatch, anyone, wait) == verdict


_FORMS = {
    "/": {"email": "ana@example.org", "name": "Ana", "country": "GB", "language": "en", "alerts": "yes"},
    "/preferences": {"email": "ana@example.org"},
    "/affiliate": {
        "email": "ana@example.org",
        "name": "Dockers of the North",
        "country": "GB",
        "language": "en",
        "agreed": "yes",
    },
}


@pytest.fixture
def mails(app: Flask, session: Session) -> Callable[[], int]:
    """How many mails are owed, and to be sent."""
    make_subscriber(session, email="ana@example.org")
    make_list(session)
    session.commit()

    def count() -> int:
        pending = select(func.count()).select_from(Delivery).where(Delivery.state == DeliveryState.PENDING)
        number = session.scalar(pending)
        session.rollback()
        return number or 0

    return count


@pytest.mark.parametrize("path", _FORMS)
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=31)])
def test_a_form_that_comes_too_quickly_or_after_a_month_is_asked_for_one_more_press_and_then_taken(
    app: Flask,
    anyone: FlaskClient,
    mails: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    age: timedelta,
) -> None:
    posted = {"stamp": stamp_of(app, age=age), "website": ""} | _FORMS[path]
    answer = anyone.post(path, data=posted)
    assert answer.status_code == 422
    assert "press the button once more" in answer.text
    assert 'href="#send"' in answer.text
    assert 'id="send"' in answer.text
    shown = fields_of(answer.text)
    assert shown["email"] == "ana@example.org"
    assert mails() == 0
    monkeypatch.setattr(protection, "utcnow", lambda: datetime.now(UTC) + timedelta(seconds=5))
    assert anyone.post(path, data=posted | {"stamp": shown["stamp"]}).status_code == 303
    assert mails() == 1


@pytest.mark.parametrize("path", _FORMS)
def test_a_program_that_is_quick_too_gets_the_answer_of_a_person(
    app: Flask, anyone: FlaskClient, mails: Callable[[], int], path: str
) -> None:
    trap = {"website": "https://example.com", "stamp": stamp_of(app, age=timedelta(0))}
    assert anyone.post(path, data=_FORMS[path] | trap).status_code == 303
    assert mails() == 0


def test_a_program_that_fills_in_every_field_gives_itself_away(
    monkeypatch: pytest.MonkeyPatch, anyone: FlaskClient
) -> None:
    fields = fields_of(anyone.get("/form").text)
    (trap,) = [name for name, value in fields.items() if not value]
    assert post_after(monkeypatch, anyone, timedelta(minutes=1), **{trap: "https://example.com/"}) == "program"


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "yes",
        "1792000000",
        "1792000000." + "0" * 32,
        "-1." + "0" * 32,
        "١٧٩٢٠٠٠٠٠٠." + "0" * 32,
        "9" * 400,
        "1792000000." + "é" * 32,
    ],
)
def test_a_stamp_that_is_none_of_ours_gives_a_program_away(anyone: FlaskClient, stamp: str) -> None:
    assert anyone.post("/form", data={"stamp": stamp}).text == "program"


def test_a_form_without_a_stamp_was_never_ours(anyone: FlaskClient) -> None:
    assert anyone.post("/form", data={"email": "ana@example.org"}).text == "program"


def test_the_time_in_a_stamp_cannot_be_changed(app: Flask, anyone: FlaskClient) -> None:
    made, _, mac = stamp_of(app, age=timedelta(0)).partition(".")
    assert anyone.post("/form", data={"stamp": f"{int(made) - 60}.{mac}"}).text == "program"


def test_no_other_signature_of_ours_is_a_stamp(app: Flask, anyone: FlaskClient) -> None:
    made = stamp_of(app).partition(".")[0]
    keyring = app.extensions["site"].settings.keyring
    for link in links.Link:
        signed = links.sign(keyring, link, int(made))
        for mac in (signed[:32], signed[-32:], signed[12:] + "0000"):
            assert anyone.post("/form", data={"stamp": f"{made}.{mac}"}).text == "program"


def test_a_stamp_outlives_the_change_of_the_link_key(
    app: Flask, anyone: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = stamp_of(app)
    settings = app.extensions["site"].settings
    keys = settings.keyring
    for kept, verdict in ((keys.link_keys, "human"), ((), "program")):
        newer = Keyring(
            secret_keys=keys.secret_keys, link_keys=[Key(id="l2", secret=bytes(range(32))), *kept], index_key=bytes(32)
        )
        monkeypatch.setitem(settings.__dict__, "keyring", newer)
        assert anyone.post("/form", data={"stamp": stamp}).text == verdict


def test_a_form_that_is_shown_again_keeps_its_time_so_that_mending_may_be_quick(
    app: Flask, anyone: FlaskClient
) -> None:
    first = stamp_of(app)
    again = fields_of(anyone.post("/form", data={"stamp": first, "mistake": "yes"}).text)
    assert anyone.post("/form", data=again).text == "human"


def test_a_forged_stamp_is_not_carried_on(anyone: FlaskClient) -> None:
    again = anyone.post("/form", data={"stamp": '1."><script>', "mistake": "yes"}).text
    assert "<script>" not in again
    assert re.fullmatch(r"\d+\.[0-9a-f]{32}", fields_of(again)["stamp"])


def test_the_trap_is_out_of_the_way_of_keyboard_reader_and_memory(anyone: FlaskClient) -> None:
    page = anyone.get("/form").text
    (trap,) = re.findall(r'<div class="visually-hidden" aria-hidden="true">.*?</div>', page)
    assert 'tabindex="-1"' in trap
    assert 'autocomplete="off"' in trap
    assert "Leave this field empty" in trap


# --- from where -----------------------------------------------------------------------------------------------------

OURS = "https://act.example.org"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser, or one from before 2010
        ({"Origin": OURS}, 200),
        ({"Origin": "null"}, 200),  # an old browser, under our Referrer-Policy
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": OURS}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": OURS}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example.org"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "https://act.example.org.evil.example.com"}, 403),
        ({"Origin": "http://act.example.org"}, 403),
        ({"Origin": "https://act.example.org:8443"}, 403),
        ({"Origin": ""}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/form", "/", "/fr/"])
def test_a_form_on_another_site_is_refused(
    anyone: FlaskClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = anyone.post(path, headers=headers)
    assert (answer.status_code == 403) == (status == 403)
    if status == 403 and path != "/fr/":
        assert "another site" in answer.text


def test_anybody_may_link_here(anyone: FlaskClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}
    assert anyone.get("/form", headers=headers).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/fr"])
def test_mail_programs_post_to_leave_from_wherever_they_are(app: Flask, anyone: FlaskClient, prefix: str) -> None:
    token = links.sign(app.extensions["site"].settings.keyring, links.Link.UNSUBSCRIBE, 7)
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://mail.example.com"}
    answer = anyone.post(f"{prefix}/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://act.example.org", "https://act.example.org"),
        ("https://ACT.example.org:443", "https://act.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://act.example.org:80/mail", "http://act.example.org"),
    ],
)
def test_the_origin_is_compared_as_browsers_write_it(base_url: str, origin: str) -> None:
    assert protection._origin(base_url) == origin


# --- how much -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/form", "/", "/healthz", "/no/such/page"])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/octet-stream", ""])
def test_ten_megabytes_are_refused_unread(anyone: FlaskClient, path: str, content_type: str) -> None:
    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError("the body was read")

        readline = readinto = __iter__ = read

    answer = anyone.post(
        path,
        content_type=content_type,
        environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": str(10 * 1024 * 1024)},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"], ids=["plain", "parts"]
)
def test_a_body_that_does_not_say_how_long_it_is_is_read_to_the_limit_only(
    anyone: FlaskClient, content_type: str
) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' if "multipart" in content_type else b"a="

    class Endless:
        def __init__(self) -> None:
            self.given = 0

        def read(self, size: int = -1) -> bytes:
            assert self.given < protection.MAX_BODY_BYTES + 8192, "it is read on and on"
            size = 8192 if size < 0 else min(size, 8192)
            self.given += size
            return head if self.given == size else b"a" * size

    answer = anyone.post(
        "/form",
        content_type=content_type,
        environ_overrides={"wsgi.input": Endless(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(("size", "status"), [(protection.MAX_BODY_BYTES, 200), (protection.MAX_BODY_BYTES + 1, 413)])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/octet-stream"])
def test_a_body_that_comes_in_chunks_is_taken_whole_or_refused(
    app: Flask, anyone: FlaskClient, content_type: str, size: int, status: int
) -> None:
    form = f"stamp={stamp_of(app)}&reason=".encode()
    answer = anyone.post(
        "/form",
        content_type=content_type,
        environ_overrides={
            "wsgi.input": io.BytesIO(form.ljust(size, b"a")),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
    )
    assert answer.status_code == status
    if status == 200 and "form" in content_type:
        assert answer.text == "human"


@pytest.mark.parametrize("problem", [ChunkMissingTerminator(b"ab"), InvalidChunkSize(b"zz"), NoMoreData()])
def test_a_broken_chunk_is_the_senders_mistake_and_one_line_of_the_log(
    anyone: FlaskClient, caplog: pytest.LogCaptureFixture, problem: Exception
) -> None:
    class Broken:
        def read(self, _size: int = -1) -> bytes:
            raise problem

    overrides = {"wsgi.input": Broken(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = anyone.post("/form", data=None, content_type="multipart/form-data", environ_overrides=overrides)
    assert answer.status_code == 400
    assert [record.getMessage() for record in caplog.records] == ["an invalid request was refused"]


def test_the_longest_form_that_a_person_sends_passes(app: Flask, anyone: FlaskClient) -> None:
    assert anyone.post("/form", data={"stamp": stamp_of(app), "reason": "я" * 10_000}).text == "human"


def test_a_thousand_parts_are_too_many(app: Flask, anyone: FlaskClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    answer = anyone.post("/form", data=part * 1000 + b"--x--\r\n", content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post("/form", data={"name": "Ana\0"}),
        lambda client: client.post("/form", data={"na\0me": "Ana"}),
        lambda client: client.post("/form?next=%00"),
        lambda client: client.get("/campaigns/%00"),
        lambda client: client.get("/?%00=1"),
        lambda client: client.get("/confirm/a%00b"),
    ],
)
def test_a_nul_is_refused_before_it_comes_to_the_database(
    anyone: FlaskClient, send: Callable[[FlaskClient], object]
) -> None:
    assert send(anyone).status_code == 400  # type: ignore[attr-defined]
