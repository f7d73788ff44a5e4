"""Whatever is typed or sent is text, and breaks no page."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.delivery import sending, sweeping
from mailer.delivery.worker import Worker
from mailer.mail.pipeline import Pipeline
from mailer.settings import Settings
from tests.support.mail_server import running
from tests.web.pages import affiliate, every_page, sign_up, stays_here

pytestmark = pytest.mark.usefixtures("ana")


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what PostgreSQL takes ill is refused before it gets there, see test_protection


NASTY = [
    "Ana\r\nBcc: everybody@example.com",
    "Ana\nX-Evil: 1",
    "=?utf-8?q?Ana=0D=0AX-Evil:_1?=",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*191 }}{% raw %}",
    "{name}{0.__class__}",
    "%s%n%(name)s",
    "Ana\u202egpj.exe",
    "../../etc/passwd",
    "' OR 1=1 --",
    "😀" * 10,
    "a" * 10_000,
]


# --- through every field --------------------------------------------------------------------------------------------


@pytest.fixture
def deliver(
    settings: Callable[..., Settings], engine: Engine, tmp_path: Path
) -> Iterator[Callable[[], list[EmailMessage]]]:
    """Sends what is owed as a worker does, and gives back what arrived."""
    with running() as mail_server:
        sender = settings(MAILER_SMTP_URL=mail_server.url)
        worker = Worker(
            name="test", lease=timedelta(seconds=30), journals=tmp_path / "journals", sender=sender.mail_sender
        )

        def send() -> list[EmailMessage]:
            with closing(Pipeline(sender.smtp, connections=1)) as wire:
                for campaign_id in sweeping.sweep(engine, worker):
                    sending.drain(engine, campaign_id, wire, worker)
            return [
                message_from_bytes(received.data, EmailMessage, policy=policy.default)
                for received in mail_server.received
            ]

        yield send


@pytest.mark.parametrize("text", NASTY)
def test_what_somebody_types_is_shown_as_text_and_never_in_a_mail_to_others(
    client: FlaskClient, session: Session, deliver: Callable[[], list[EmailMessage]], text: str
) -> None:
    for field in ("email", "name", "country", "union", "language", "lists"):
        page = sign_up(client, **{"address": "new@example.org", "country": "", field: text})
        assert page.status_code == 422  # there is a mistake in it, so that it is shown again
        shows_no_markup(page.text, text)
    assert sign_up(client, "new@example.org", name=text[:200]).status_code == 303
    (confirmation,) = deliver()
    assert has_no_trace(confirmation, text)
    client.post(f"/confirm/{token_in(confirmation)}")
    welcome = deliver()[-1]
    assert has_no_trace(welcome, text)
    client.post("/preferences", data={"email": "new@example.org"})
    manage = token_in(deliver()[-1])
    page = client.get(f"/manage/{manage}")
    assert page.status_code == 200
    shows_no_markup(page.text, text)
    for form, fields in {
        "details": {"name": text[:200], "country": "GB", "language": "en", "union": text, "store_union": "yes"},
        "lists/urgent-actions": {"do": text},
        "address": {"email": text},
        "download": {"format": text},
    }.items():
        answer = client.post(f"/manage/{manage}/{form}", data=fields)
        assert answer.status_code in (303, 400, 422), form
        shows_no_markup(answer.text, text)
    for extension in ("json", "csv"):
        answer = client.post(f"/manage/{manage}/download", data={"format": extension})
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("text", NASTY)
def test_what_a_union_types_is_shown_as_text_and_never_in_a_mail(
    client: FlaskClient,
    links: dict[str, str],
    deliver: Callable[[], list[EmailMessage]],
    text: str,
) -> None:
    deliver()
    texts = ("name", "parent", "resolution", "person_name", "role")
    for field in (*texts, "email", "country", "members", "languages", "language"):
        page = affiliate(client, **{"address": "new@example.org", "country": "", field: text})
        assert page.status_code == 422  # there is a mistake in it, so that it is shown again
        shows_no_markup(page.text, text)
    before = len(deliver())
    assert affiliate(client, "new@example.org", **dict.fromkeys(texts, text[:200])).status_code == 303
    [confirmation] = deliver()[before:]
    assert has_no_trace(confirmation, text)
    contact = token_in(confirmation)
    for page in (client.get(f"/contact/{contact}"), client.post(f"/contact/{contact}")):
        assert page.status_code == 200
        shows_no_markup(page.text, text)
    page = client.post(f"/kit/{links['kit']}", data={"answer": "forwarded", "reached": text})
    assert page.status_code == 422
    shows_no_markup(page.text, text)


def shows_no_markup(page: str, text: str) -> None:
    if escape(text) != text and "<" in text:
        assert text not in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "1337" not in page  # 7 times 191: nobody's template was run


#: of a system mail; one more, and somebody has written it
HEADERS = {
    *("from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type", "content-language"),
    *("auto-submitted", "x-auto-response-suppress", "precedence", "feedback-id", "content-transfer-encoding"),
    *("list-id", "list-help", "list-post", "list-unsubscribe", "list-unsubscribe-post"),
}


def has_no_trace(mail: EmailMessage, text: str) -> bool:
    assert {name.lower() for name in mail.keys()} <= HEADERS  # noqa: SIM118  # a message is no dict
    written = mail.as_string() + "".join(str(part.get_content()) for part in mail.walk() if not part.is_multipart())
    assert "everybody@example.com" not in written
    assert "<script" not in written
    assert "onerror" not in written
    return text not in written


def token_in(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part
    found = re.search(
        r"https://act\.example\.org/(?:[a-z]{2}/)?(?:confirm|manage|contact)/([0-9a-f]{40})", part.get_content()
    )
    assert found
    return found[1]


def test_no_address_is_shown_as_markup(app: Flask, client: FlaskClient, links: dict[str, str]) -> None:
    trap = '"><script>alert(1)</script>'
    for page in [*every_page(app, links), "/no/such/page", f"/{trap}", f"/join/{trap}", f"/campaigns/{trap}"]:
        answer = client.get(
            page,
            query_string={"x": trap, trap: "1", "saved": trap, "union": trap},
            headers={"Accept-Language": f"fr, {trap}", "User-Agent": trap, "Referer": f"https://example.com/{trap}"},
        )
        with closing(answer):
            assert b"<script>alert" not in answer.data, page


# --- what no browser sends ------------------------------------------------------------------------------------------

WEIRD_TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60)
PATHS = st.sampled_from(
    [
        "/",
        "/fr/",
        "/join/dockers",
        "/preferences",
        "/preferences/sent",
        "/affiliate",
        "/check-your-mail",
        "/contact/",
        "/no-contact/",
        "/kit/",
        "/results/",
        "/confirm/",
        "/unsubscribe/",
        "/manage/",
        "/undo/",
        "/resume/",
        "/moved/",
        "/campaigns/",
        "/feed.atom",
        "/privacy",
        "/static/",
        "/healthz",
        "/.well-known/security.txt",
        "/caught/",
        "/ar",
    ]
)
FIELDS = st.sampled_from(
    [
        "email",
        "name",
        "country",
        "union",
        "language",
        "lists",
        "alerts",
        "store_union",
        "languages",
        "members",
        "parent",
        "resolution",
        "is_named",
        "person_name",
        "role",
        "agreed",
        "answer",
        "reached",
        "stamp",
        "website",
        "scope",
        "reason",
        "weeks",
        "is_old_read_by_others",
        "do",
        "format",
        "List-Unsubscribe",
    ]
)
HEADER_NAMES = st.sampled_from(
    [
        "Accept",
        "Accept-Language",
        "Authorization",
        "Content-Encoding",
        "Cookie",
        "Expect",
        "Host",
        "If-Modified-Since",
        "If-None-Match",
        "Origin",
        "Range",
        "Sec-Fetch-Site",
        "Transfer-Encoding",
        "X-Forwarded-For",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.tuples(FIELDS, st.binary(max_size=40)), max_size=20).map(
        lambda pairs: b"&".join(name.encode() + b"=" + value for name, value in pairs)
    ),
    st.lists(st.tuples(FIELDS, st.binary(max_size=40)), max_size=10).map(
        lambda pairs: (
            b"".join(
                b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value + b"\r\n"
                for name, value in pairs
            )
            + b"--x--\r\n"
        )
    ),
)
CONTENT_TYPES = st.one_of(
    st.sampled_from(
        [
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=utf-16",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=" + "x" * 500,
            "application/json",
            "text/plain",
            "",
        ]
    ),
    WEIRD_TEXT,
)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """One who sends what they like."""
    return FlaskClient(app, app.response_class)


@hypothesis_settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND"]),
    path=PATHS,
    rest=WEIRD_TEXT,
    query=WEIRD_TEXT,
    content_type=CONTENT_TYPES,
    body=BODIES,
    headers=st.dictionaries(HEADER_NAMES, WEIRD_TEXT, max_size=4),
)
@example("POST", "/", "", "", "application/x-www-form-urlencoded", b"email=%ff%fe&name=%00&country=%c3%28", {})
@example("POST", "/", "", "", "application/x-www-form-urlencoded", b"a=&" * 10_000, {})
@example("POST", "/", "", "", "application/x-www-form-urlencoded", b"email=" + b"%f0%9f%98%80" * 5000, {})
@example("GET", "/", "", "%", "", b"", {"Accept-Language": "en-" + "x-" * 2000})
@example("GET", "/campaigns/", "\xed\xa0\x80", "", "", b"", {})
def test_nothing_that_is_sent_breaks_a_page(
    stranger: FlaskClient,
    method: str,
    path: str,
    rest: str,
    query: str,
    content_type: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    answer = stranger.open(
        method=method,
        data=body,
        environ_overrides={
            **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()},
            "PATH_INFO": path + rest,
            "QUERY_STRING": query,
            "CONTENT_TYPE": content_type,
        },
    )
    with closing(answer):
        assert answer.status_code < 500
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        stays_here(answer)
