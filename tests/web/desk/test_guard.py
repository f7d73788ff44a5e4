"""Nobody comes in who may not, every route is decided about, and nothing that somebody typed is lost."""

import hashlib
import re
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mailer.organisers import desk_sessions
from mailer.organisers.roles import MAY
from mailer.store.db import session_scope, utcnow
from mailer.store.models import DeskSession, Role
from mailer.web.desk import access, room
from mailer.web.desk.room import Room
from mailer.web.desk.routes import ROUTES, Route
from tests.support.desk import Organiser, come_in, words

STATIC = Path(__file__).parents[3] / "mailer" / "web" / "static"
CONFIGURATION = Path(__file__).parents[3] / "gunicorn.conf.py"
#: what a browser says of a form of our own
OURS = {"Sec-Fetch-Site": "same-origin"}
#: what stands in a path for something that there is none of: the guard decides before anybody looks for it
NAMED = {"slug": "no-such-thing", "token": "0" * 43, "account_id": "0", "session_id": "0"}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # which page somebody may have depends on no database


def path(route: Route) -> str:
    written = route.path
    while "<" in written:
        before, _, rest = written.partition("<")
        name, _, after = rest.partition(">")
        written = before + NAMED.get(name.rpartition(":")[2], "0") + after
    return written


def ask(who: Organiser, route: Route) -> int:
    return (who.get(path(route)) if route.page is None else who.press(path(route))).status_code


@pytest.mark.parametrize("role", Role)
def test_a_role_has_what_the_table_says_and_of_the_rest_it_does_not_learn_that_it_is_there(
    app: Flask, role: Role
) -> None:
    for number, route in enumerate(ROUTES):
        who = come_in(app, role, email=f"rosa{number}@example.org")  # who signs out is out for the next route
        status = ask(who, route)
        if route.may in (access.SIGNED_IN, access.ANYBODY) or route.may in MAY[role]:
            unknown = any(name in route.path for name in ("slug", "token", "_id", "<"))
            assert status < 400 or unknown or route.page is not None, (role, route)
        else:
            assert status == 404, (role, route)


def test_who_has_no_role_any_more_is_let_to_nothing(app: Flask) -> None:
    who = come_in(app)
    assert {ask(who, route) for route in ROUTES if route.may not in (access.SIGNED_IN, access.ANYBODY)} <= {404}


def test_nobody_is_shown_the_form_to_sign_in_with_and_then_the_page_that_they_wanted(client: FlaskClient) -> None:
    for route in ROUTES:
        if route.may == access.ANYBODY:
            continue
        if route.page is not None:
            answer = client.post(f"/desk{path(route)}", data={"words": "Free them"}, headers=OURS)
            assert answer.status_code == 403 and "Sign in" in answer.text, route
        elif route.asks_itself:
            assert client.get(f"/desk{path(route)}").status_code == 403
        else:
            answer = client.get(f"/desk{path(route)}")
            assert answer.status_code == 303 and answer.location.startswith("/desk/sign-in?to="), route


def test_every_route_of_the_desk_stands_in_the_table(app: Flask) -> None:
    known = {(f"/desk{route.path}", route.method) for route in ROUTES}
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/desk")]
    assert {(rule.rule, method) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}} == known
    assert len(known) == len(ROUTES)


def test_a_session_ends_by_itself_and_its_owner_signs_in_again(app: Flask) -> None:
    idle = come_in(app, Role.WRITER, at=utcnow() - desk_sessions.IDLE - timedelta(seconds=1))
    assert idle.get("/").location == "/desk/sign-in?to=/desk/"


def test_a_form_of_an_earlier_session_or_of_another_site_does_nothing_and_is_shown_again_filled_in(app: Flask) -> None:
    rosa = come_in(app, Role.WRITER)
    for token in ("", "0" * 64, desk_sessions.form_token("of somebody else")):
        answer = rosa.send("/sign-out", {"form_token": token, "words": "Free them"})
        assert (answer.status_code, answer.location) == (303, "/desk/?again=1")
        assert "What you typed is in the form again" in rosa.get("/?again=1").text
    with session_scope(app.extensions["site"].engine) as session:
        kept = session.query(DeskSession).one().kept
    assert (kept["page"], kept["fields"]["words"]) == ("/desk/", "Free them")
    assert "form_token" not in kept["fields"]


@pytest.mark.parametrize(
    "path", ["/accounts/{}", "/log?account={}", "/log?before={}", "/campaigns?before={}", "/reports?before={}"]
)
def test_a_number_that_no_database_knows_is_of_nothing(app: Flask, path: str) -> None:
    assert come_in(app, Role.ADMIN).get(path.format(10**30)).status_code in (200, 404)


def test_however_many_look_at_previews_or_sign_in_there_is_room_to_stop(app: Flask, client: FlaskClient) -> None:
    rosa, page, form = come_in(app, Role.WRITER), "/campaigns/no-such-thing/preview", "/desk/sign-in"
    for _ in range(2 * Room.LOOKING.value):
        assert rosa.get(page).status_code == 404  # each has given its place back
    with ExitStack() as others:
        for taken in (*[Room.LOOKING] * Room.LOOKING.value, *[Room.SIGNING_IN] * Room.SIGNING_IN.value):
            assert room.take(taken)
            others.callback(room.give_back, taken)
        full = rosa.get(page)
        assert (full.status_code, full.headers["Retry-After"]) == (503, "2")
        assert client.post(form, headers=OURS).status_code == 503
        assert rosa.press("/stop-everything").status_code == 303
    assert rosa.get(page).status_code == 404
    assert client.post(form, headers=OURS).status_code == 400


def test_what_takes_long_leaves_threads_to_those_who_stop_something() -> None:
    threads = int(re.search(r"^threads = (\d+)", CONFIGURATION.read_text(), re.MULTILINE)[1])  # type: ignore[index]
    assert sum(each.value for each in Room) <= threads - 2
    assert all(each.room is None for each in ROUTES if each.is_urgent)


def test_another_site_posts_to_no_route(app: Flask) -> None:
    rosa = come_in(app, Role.ADMIN, Role.WRITER, Role.PUBLISHER)
    for route in ROUTES:
        if route.page is not None:
            data = {"form_token": desk_sessions.form_token(rosa.secret)}
            assert rosa.send(path(route), data, site="cross-site").status_code == 403


def test_the_desk_is_kept_by_no_browser_and_runs_only_scripts_of_ours(app: Flask) -> None:
    rosa = come_in(app, Role.WRITER)
    for answer in (rosa.get("/"), rosa.get("/no/such/page"), app.test_client().get("/desk/sign-in")):
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert rosa.get("/").headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in rosa.get("/").headers["Content-Security-Policy"]
    assert "script-src" not in app.test_client().get("/").headers["Content-Security-Policy"]


def test_only_the_desk_has_cookies(app: Flask, client: FlaskClient) -> None:
    rosa = come_in(app, Role.WRITER)
    assert "Set-Cookie" not in rosa.client.get("/").headers
    assert "Set-Cookie" not in client.get("/").headers
    cookies = client.get("/desk/sign-in").headers.getlist("Set-Cookie")
    assert cookies and all("HttpOnly" in each and "Path=/desk" in each and "SameSite=Lax" in each for each in cookies)


def test_signing_out_ends_the_session_for_good(app: Flask) -> None:
    rosa = come_in(app, Role.WRITER)
    answer = rosa.press("/sign-out")
    assert answer.location == "/desk/sign-in"
    assert answer.headers["Clear-Site-Data"] == '"storage"'
    rosa.cookie = rosa.secret
    assert rosa.get("/").status_code == 303


def test_a_page_is_in_the_language_of_its_viewer_or_in_english(app: Flask) -> None:
    rosa = come_in(app, Role.WRITER)
    assert 'lang="en"' in rosa.get("/", headers={"Accept-Language": "kk, de;q=0.5"}).text
    assert 'dir="rtl"' in rosa.get("/", headers={"Accept-Language": "ar"}).text


@pytest.mark.parametrize(
    "to", ["//example.net/", "/desk//example.net", "/desk/\\example.net", "https://example.net", "/"]
)
def test_nobody_is_sent_anywhere_else_after_signing_in(app: Flask, to: str) -> None:
    rosa = come_in(app, Role.WRITER)
    assert rosa.get("/sign-in", query_string={"to": to}).location == "/desk/"
    assert words(app.test_client().get("/desk/sign-in", query_string={"to": to}))


def test_what_was_kept_is_forgotten_once_the_form_was_taken(app: Flask) -> None:
    rosa = come_in(app, Role.WRITER)
    rosa.send("/sign-out", {"form_token": "", "words": "Free them"})
    other = come_in(app, account=None, email="ben@example.org")
    other.send("/sign-out", {"form_token": "", "words": "Free them"})
    assert rosa.press("/sign-out").status_code == 303
    with session_scope(app.extensions["site"].engine) as session:
        assert session.query(DeskSession).one().account_id == other.account_id


def test_a_failure_keeps_what_was_typed_on_its_page(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    rosa = come_in(app, Role.WRITER)

    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(desk_sessions, "end", fail)
    answer = rosa.press("/sign-out", words="Free <them>")
    assert answer.status_code == 500
    assert '<input type="hidden" name="words" value="Free &lt;them&gt;">' in answer.text
    assert "Try again" in answer.text


def test_the_script_of_others_is_the_one_that_was_published(app: Flask) -> None:
    folder = Path(app.static_folder or "")
    assert hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest() in (folder / "htmx.txt").read_text()
    page = come_in(app, Role.WRITER).get("/").text
    assert '"allowEval": false' in page and '"includeIndicatorStyles": false' in page


def test_no_brace_of_the_style_sheet_is_lost() -> None:
    rules = re.sub(r"/\*.*?\*/", "", (STATIC / "desk.css").read_text(), flags=re.DOTALL)
    assert rules.count("{") == rules.count("}")
