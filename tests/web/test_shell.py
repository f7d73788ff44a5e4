"""What every page has in common: its language, its frame, its look, its weight, and what is shown when it cannot be."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from mailer import links
from mailer.app import create_app
from mailer.locale import translations
from mailer.people.mailed_links import DeadLink
from mailer.settings import Settings
from mailer.store.db import DatabaseUnavailable
from mailer.web import language
from mailer.web.language import LANGUAGES, _, ngettext, prefer
from tests.support import contrast

WEB = Path(language.__file__).parent
CSS = (WEB / "static" / "site.css").read_text(encoding="utf-8")
PAGES = ["/", "/campaigns", "/privacy", "/preferences", "/affiliate", "/no/such/page"]
RIGHT_TO_LEFT = {"ar"}
EMPTY = {"area", "base", "br", "circle", "hr", "img", "input", "link", "meta", "path", "wbr"}  # elements without an end


@pytest.fixture
def backend() -> str:
    """Nothing here depends on the kind of database."""
    return "sqlite"


# --- markup ---------------------------------------------------------------------------------------------------------


class Markup(HTMLParser):
    """A page as a strict reader sees it: every element that can be closed is closed, in order, and by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {names}"
        self.elements.append((tag, dict(attrs)))
        if tag == "option" and self.open[-1] == "option":  # in a datalist its end tag may be left out
            self.open.pop()
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1] == "option" and tag != "option":
            self.open.pop()
        if tag not in EMPTY:
            assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _tag, attributes in self.elements if attribute in attributes]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_in_every_language_and_says_which_it_is(client: FlaskClient, path: str) -> None:
    for tag in LANGUAGES:
        answer = client.get(f"/{tag}{path}")
        assert answer.status_code == (404 if "no/such" in path else 200)
        html = Markup(answer.text).all("html")[0]
        assert html == {"lang": tag, "dir": "rtl" if tag in RIGHT_TO_LEFT else "ltr"}
        assert answer.headers["Content-Language"] == tag


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_sound_markup_with_one_headline_and_no_id_twice(client: FlaskClient, path: str) -> None:
    page = Markup(client.get(path).text)
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    ids = page.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    pointed_at = page.values("for") + " ".join(page.values("aria-describedby") + page.values("aria-labelledby")).split()
    pointed_at += [link[1:] for link in page.values("href") if link.startswith("#")]
    assert set(pointed_at) <= set(ids)


def test_a_headline_in_the_title_stands_before_the_organisation(client: FlaskClient) -> None:
    assert "<title>Privacy – Harbour Solidarity</title>" in client.get("/privacy").text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fetches_a_style_sheet_and_an_icon_of_ours_and_nothing_else(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    page = Markup(answer.text)
    fetched = [link["href"] or "" for link in page.all("link") if link["rel"] in ("stylesheet", "icon", "preload")]
    fetched += page.values("src") + page.values("srcset") + page.values("poster")
    assert all(re.match(r"/static/[\w.]+(\?v=\w+)?$", address) for address in fetched)
    assert len(fetched) <= 2  # three requests with the page itself
    assert not page.all("script") and not page.all("style")
    weight = len(answer.data)
    for address in fetched:
        with client.get(address) as file:
            assert file.status_code == 200
            weight += len(file.data)
    assert weight < 60_000


def test_the_style_sheet_fetches_nothing_and_knows_neither_left_nor_right() -> None:
    rules = re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)
    assert not re.search(r"url\(|@import|@font-face", rules)
    assert not re.search(
        r"(?<!-)\b(left|right|width|height|top|bottom)\s*:|-(left|right)\b", re.sub(r"\(max-width", "", rules)
    )


# --- colours --------------------------------------------------------------------------------------------------------

#: ink and paper → the contrast that WCAG 2.2 asks for: 4.5 for words (1.4.3), 3 for what shows where a control is
#: (1.4.11)
CONTRASTS = {
    **{(ink, paper): 4.5 for ink in ("ink", "muted", "link") for paper in ("page", "card", "notice-card")},
    ("ink", "error-card"): 4.5,
    ("link", "error-card"): 4.5,
    ("error", "page"): 4.5,
    ("error", "card"): 4.5,
    ("error", "error-card"): 4.5,
    ("button-ink", "button"): 4.5,
    ("mast-ink", "mast"): 4.5,
    **{(ink, paper): 3.0 for ink in ("control", "focus", "button") for paper in ("page", "card")},
    ("notice", "notice-card"): 3.0,
}


def colours(scheme: str) -> dict[str, tuple[int, ...]]:
    """The colours of a scheme, by name."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS.partition("@media print")[0], re.DOTALL)
    rules = light if scheme == "light" else light + dark
    found = re.findall(r"--([\w-]+): #(\w{6});", rules)
    return {name: tuple(bytes.fromhex(value)) for name, value in found}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pair", CONTRASTS, ids="-on-".join)
def test_colours_stand_out_from_each_other(scheme: str, pair: tuple[str, str]) -> None:
    palette = colours(scheme)
    assert contrast.between(*(palette[name] for name in pair)) >= CONTRASTS[pair]


# --- language -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "shown"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA", "fr"),
        ("de-AT, de;q=0.9, en;q=0.8", "de"),
        ("en;q=0.2, ru;q=0.7, kk;q=0.5", "ru"),
        ("kk-KZ, ru;q=0.8", "kk"),  # a form of the first wish goes before the second wish
        ("pt-BR, es;q=0.5", "es"),
        ("pt-BR", "en"),
        ("zh-Hant-TW, zh;q=0.9", "en"),
        ("AR-eg", "ar"),
        ("de;q=0, it", "it"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("x" * 5000, "en"),
        ("tr;q=none, ;;,=", "en"),
    ],
)
def test_a_page_comes_in_the_language_that_the_browser_asks_for_most(
    client: FlaskClient, wish: str, shown: str
) -> None:
    answer = client.get("/privacy", headers={"Accept-Language": wish})
    assert answer.headers["Content-Language"] == shown
    assert "Accept-Language" in answer.vary


def test_the_language_in_the_address_goes_before_the_persons_and_theirs_before_the_browsers(app: Flask) -> None:
    wish = {"Accept-Language": "it"}
    for path, own, shown in (("/de/x", "tr", "de"), ("/x", "tr-CY", "tr"), ("/x", "sw", "it"), ("/x", None, "it")):
        with app.test_request_context(path, headers=wish):
            app.preprocess_request()
            prefer(own)
            assert language.current() == shown


def test_the_switch_leads_to_this_page_in_each_language_named_as_its_speakers_do(client: FlaskClient) -> None:
    page = Markup(client.get("/fr/campaigns?page=1").text)
    switch = [(link["hreflang"], link["href"]) for link in page.all("a") if link.get("hreflang")]
    assert switch == [(tag, f"/{tag}/campaigns?page=1") for tag in LANGUAGES]
    assert [link["hreflang"] for link in page.all("a") if link.get("aria-current")] == ["fr"]
    assert "Қазақ тілі" in client.get("/").text


def test_the_switch_cannot_be_made_to_lead_elsewhere(client: FlaskClient) -> None:
    page = Markup(client.get('/campaigns?_external=1&_scheme=javascript&language=de&x="><b>').text)
    assert {str(link["href"]).split("?")[0] for link in page.all("a") if link.get("hreflang")} == {
        f"/{tag}/campaigns" for tag in LANGUAGES
    }


def test_from_a_page_that_is_not_there_the_switch_leads_to_the_start(client: FlaskClient) -> None:
    page = Markup(client.get("/no/such/page").text)
    assert [link["href"] for link in page.all("a") if link.get("hreflang")] == [f"/{tag}/" for tag in LANGUAGES]


def test_from_a_form_that_was_sent_the_switch_leads_to_the_page_at_its_address(client: FlaskClient, app: Flask) -> None:
    token = links.sign(app.extensions["site"].settings.keyring, links.Link.UNSUBSCRIBE, 1)
    for path in ("/", "/affiliate", "/preferences", f"/unsubscribe/{token}"):
        page = Markup(client.post(f"/fr{path}").text)
        assert [link["href"] for link in page.all("a") if link.get("hreflang")] == [
            f"/{tag}{path}" for tag in LANGUAGES
        ]
        assert not [link for link in page.all("link") if "hreflang" in link]


def test_search_engines_find_a_page_in_each_language_but_no_page_whose_address_is_a_secret(
    client: FlaskClient, app: Flask
) -> None:
    page = Markup(client.get("/de/privacy").text)
    found = {link["hreflang"]: link["href"] for link in page.all("link") if "hreflang" in link}
    wanted = {tag: f"https://act.example.org/{tag}/privacy" for tag in LANGUAGES}
    assert found == wanted | {"x-default": "https://act.example.org/privacy"}
    keyring = app.extensions["site"].settings.keyring
    token = links.sign(keyring, links.Link.UNSUBSCRIBE, 1)
    for secret in (f"/unsubscribe/{token}", "/no/such/page", "/privacy?utm=1"):
        page = Markup(client.get(secret).text)
        assert not [link for link in page.all("link") if "hreflang" in link]
        assert {"name": "robots", "content": "noindex"} in page.all("meta")


CATALOGUE = """
msgid ""
msgstr ""
"Language: {tag}\\n"
"Plural-Forms: {forms}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "one letter"
msgid_plural "{{num}} letters"
{strings}

#, fuzzy
msgid "a draft"
msgstr "no translator has looked at this"
"""
FORMS = {
    "ru": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2)",
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5)",
}


@pytest.fixture
def catalogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Catalogues of two languages that count otherwise than English: form 0, form 1 and so on, with the number."""
    for tag, forms in FORMS.items():
        strings = "\n".join(f'msgstr[{form}] "form {form}: {{num}}"' for form in range(int(forms[9])))
        file = tmp_path / "catalogues" / tag / "LC_MESSAGES" / "messages.po"
        file.parent.mkdir(parents=True)
        file.write_text(CATALOGUE.format(tag=tag, forms=forms, strings=strings), encoding="utf-8")
    monkeypatch.setattr(translations, "CATALOGUES", tmp_path / "catalogues")
    translations.catalogue.cache_clear()
    yield
    translations.catalogue.cache_clear()


@pytest.mark.parametrize(
    ("tag", "forms"),
    [
        ("ru", {1: 0, 2: 1, 5: 2, 11: 2, 21: 0, 104: 1}),
        ("ar", {0: 0, 1: 1, 2: 2, 7: 3, 11: 4, 100: 5}),
    ],
)
@pytest.mark.usefixtures("catalogues")
def test_numbers_take_the_form_that_the_language_has_for_them(app: Flask, tag: str, forms: dict[int, int]) -> None:
    with app.test_request_context(f"/{tag}/"):
        app.preprocess_request()
        for number, form in forms.items():
            assert ngettext("one letter", "{num} letters", number) == f"form {form}: {number}"
        assert _("a draft") == "a draft"
        assert _("not there {name}", name="<x>") == "not there <x>"


@pytest.mark.parametrize(
    ("tag", "written"), [("en", "1,200"), ("fr", "1\u202f200"), ("de", "1.200"), ("ru", "1\xa0200")]
)
def test_the_number_in_a_sentence_is_written_as_its_reader_writes_it(app: Flask, tag: str, written: str) -> None:
    with app.test_request_context(f"/{tag}/"):
        app.preprocess_request()
        assert ngettext("a reader", "{num} readers", 1200) == f"{written} readers"


def test_a_name_in_a_sentence_is_kept_apart_and_escaped(app: Flask) -> None:
    with app.test_request_context("/"):
        assert _("by {name} & <co>", name=language.bdi("<b>")) == "by <bdi>&lt;b&gt;</bdi> &amp; &lt;co&gt;"


# --- errors ---------------------------------------------------------------------------------------------------------

STATUSES = {
    400: "Go back and try again",
    403: "fill in the form again",
    404: "Check the address",
    405: "use the button on the page",
    410: "send you a new one",
    413: "make it shorter",
    418: "Go back and try again",
    429: "Wait a few minutes",
    500: "our fault",
    502: "our fault",
    503: "try again in a few minutes",
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_error_has_a_page_that_says_what_to_do(app: Flask, status: int) -> None:
    @app.get("/fails")
    def fails() -> str:
        abort(status)

    answer = app.test_client().get("/fails")
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert STATUSES[status] in answer.text
    assert len(Markup(answer.text).all("h1")) == 1


def test_errors_are_explained_in_the_readers_language(client: FlaskClient) -> None:
    assert client.get("/no/such/page", headers={"Accept-Language": "el"}).headers["Content-Language"] == "el"
    assert 'lang="ar" dir="rtl"' in client.get("/ar/no/such/page", headers={"Accept-Language": "el"}).text


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/privacy")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(("problem", "status"), [(DeadLink(), 410), (links.ForgedToken(), 404)])
def test_a_link_that_does_not_work_leads_to_a_fresh_one(app: Flask, problem: Exception, status: int) -> None:
    @app.get("/link")
    def link() -> str:
        raise problem

    answer = app.test_client().get("/link")
    assert answer.status_code == status
    assert "/preferences" in [link["href"] for link in Markup(answer.text).all("a") if link.get("class") == "button"]


def test_without_a_database_every_page_still_says_to_come_back_and_when(settings: Callable[..., Settings]) -> None:
    app = create_app(settings(MAILER_DATABASE_URL="sqlite:////nowhere/at/all.db"))
    answer = app.test_client().get("/ru/campaigns")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert 'lang="ru"' in answer.text
    assert "nowhere" not in answer.text
    assert app.test_client().get("/privacy").status_code == 200


def test_what_is_missing_stands_in_the_log_only(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/needs-it")
    def needs_it() -> str:
        raise DatabaseUnavailable(problem="a detail")

    assert "a detail" not in app.test_client().get("/needs-it").text
    assert "a detail" in caplog.text


@pytest.mark.parametrize("sheet", ["site.css", "desk.css"])
def test_each_rule_of_a_style_sheet_ends_before_the_next_begins(app: Flask, sheet: str) -> None:
    depth = 0
    for line in (Path(app.static_folder or "") / sheet).read_text(encoding="utf-8").splitlines():
        assert depth == 0 or not line or line.startswith((" ", "}", "@")), line
        depth += line.count("{") - line.count("}")
    assert depth == 0
