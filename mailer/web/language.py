"""The reader's language: chosen by the address, then the person's setting, then what the browser asks for."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from babel.support import NullTranslations
from flask import Flask, Response, current_app, g, request, url_for
from flask_babel import Babel, Domain, format_number, refresh
from markupsafe import Markup, escape
from werkzeug.routing import Map, Rule

from mailer.locale import languages, translations
from mailer.people.lists import Wording
from mailer.web.site import site

#: What the name of a page is preceded by where its address begins with a language.
PREFIX = "in_language"
LANGUAGES = languages.SITE_LANGUAGES
_DESK_LANGUAGES = ("en", "fr", "ru", "ar")
_START = "joining.sign_up"  # where a switch of language leads from a page that cannot be asked for again
_MOST_WISHES = 20  # of an Accept-Language that are looked at


class _Catalogues(Domain):  # type: ignore[misc]  # Flask-Babel has no types
    """The same catalogues that mails are written from. A value that is `Markup` makes the whole sentence Markup, with
    everything else in it escaped: so a name can stand in `<bdi>`."""

    def get_translations(self) -> NullTranslations:
        return translations.catalogue(current(), translations.DESK if g.get("is_desk") else translations.SITE)

    def gettext(self, string: str, **values: Any) -> str:
        return _filled(self.get_translations().gettext(string), values)

    def ngettext(self, singular: str, plural: str, num: int, **values: Any) -> str:
        sentence = self.get_translations().ngettext(singular, plural, num)
        return _filled(sentence, {"num": format_number(num), **values})


def _filled(sentence: str, values: dict[str, Any]) -> str:
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(sentence).format_map(values)
    return sentence.format_map(values) if values else sentence


_CATALOGUES = _Catalogues()
#: Translate into the reader's language; `{name}` in a message stands for a value.
_ = _CATALOGUES.gettext
#: Translate a sentence about a number, in the form that the language has for it; `{num}` is the number as it writes it.
ngettext = _CATALOGUES.ngettext


class _Address(Rule):
    """The address of a page. A slash may stand behind it, as any other sign."""

    def bind(self, map: Map, rebind: bool = False) -> None:
        self.strict_slashes = self.rule.endswith("/")
        super().bind(map, rebind)


class Version(NamedTuple):
    """This page in one of the site's languages."""

    language: str
    name: str  # as its speakers call it
    address: str  # a path
    is_current: bool


def init(app: Flask) -> None:
    """Let pages speak the reader's language."""
    app.url_rule_class = _Address
    Babel(app, locale_selector=current_locale).domain_instance = _CATALOGUES
    app.jinja_env.globals.update(_=_, ngettext=ngettext, url=url, versions=versions, alternates=alternates)
    app.jinja_env.filters.update(
        bdi=bdi,
        code=code,
        of_list=of_list,
        in_its_language=in_its_language,
        written=languages.written,
        direction=languages.direction,
    )
    app.url_value_preprocessor(_take_from_address)
    app.context_processor(lambda: {"language": current(), "direction": languages.direction(current())})
    app.after_request(_say_language)


# --- choosing -------------------------------------------------------------------------------------------------------


def current() -> str:
    """The language of this page, one of LANGUAGES."""
    chosen: str | None = in_address() or g.get("person_language") or g.get("wished_language")
    if chosen is None:
        chosen = g.wished_language = wished(offered()) or "en"
    return chosen


def offered() -> tuple[str, ...]:
    """The languages that this page may be in."""
    return _DESK_LANGUAGES if g.get("is_desk") else LANGUAGES


def speak_at_desk() -> None:
    """Have this page speak as the desk does: in fewer languages, and with words of its own."""
    g.is_desk = True


@contextmanager
def visited(endpoint: str, language: str | None, **values: Any) -> Iterator[None]:
    """Have a page of the site be made while another is, as for somebody who visits its address.

    :param language: in the address; where the site does not speak it, English.
    :param values: of the address.
    """
    spoken = languages.of_site(language) or "en"
    address = url_for(f"{PREFIX}.{endpoint}", language=spoken, **values)
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # Flask's documented way
    with app.app_context(), app.test_request_context(address, base_url=site().settings.base_url):
        _take_from_address(request.endpoint, request.view_args)
        yield


def in_address() -> str | None:
    """The language that this page's address names."""
    named: str | None = g.get("address_language")
    return named


def current_locale() -> str:
    """The CLDR locale that this page's dates and names are written by."""
    return str(languages.locale(current()))


def wished(offered: Collection[str]) -> str | None:
    """What the browser asks for most, of what is offered, by looking up as RFC 4647 (3.4) does: each wish in turn, with
    its last subtag taken off until something fits. So "kk-KZ, ru;q=0.8" is Kazakh, and "zh, fr;q=0.5" French.
    """
    for tag, quality in list(request.accept_languages)[:_MOST_WISHES]:
        if quality > 0 and (found := _looked_up(tag, offered)):
            return found
    return None


def _looked_up(tag: str, offered: Collection[str]) -> str | None:
    by_folded = {language.lower(): language for language in offered}
    known = (by_folded.get(form) for form in languages.forms(tag.lower().replace("_", "-")))
    return next(filter(None, known), None)


def prefer(language: str | None) -> None:
    """Show this page in a person's own language, unless its address names another, or it is in fewer languages."""
    known = languages.of_site(language)
    g.person_language = known if known in offered() else None
    refresh()


#: the last part of an address that stands in mails and texts
_WRITTEN_IN_LINKS = ("slug", "token", "union", "target")
#: What a mail program may take for a part of a link that it stands behind, such as a full stop, a bracket, or the next
#: word where a script has no spaces. What is written in links ends in a letter or digit of ASCII.
_BEHIND_A_LINK = re.compile(r"[^A-Za-z0-9\0-\x1f\x7f]+\Z")


def _take_from_address(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values is not None:
        values |= {name: _BEHIND_A_LINK.sub("", values[name]) for name in _WRITTEN_IN_LINKS if name in values}
    g.address_language = values.pop("language", None) if values else None
    if values is None:  # there is no such page, or not for this method: say so in the language it was asked in
        first = request.path.lstrip("/").partition("/")[0]
        g.address_language = first if first in LANGUAGES else None


def _say_language(response: Response) -> Response:
    """Tell caches and readers which language this is, and that it depends on the wish where no address names it."""
    if response.mimetype in ("text/html", "application/atom+xml"):
        response.headers.setdefault("Content-Language", current())
        if not in_address():
            response.vary.add("Accept-Language")
    return response


# --- addresses ------------------------------------------------------------------------------------------------------


def url(endpoint: str, **values: Any) -> str:
    """The address of a page, in the language that this page's address names, if it does.

    :param values: of the address; `language` for one of another language, None for one of no language.
    """
    language = values.pop("language", in_address())
    if language and f"{PREFIX}.{endpoint}" in current_app.view_functions:
        return url_for(f"{PREFIX}.{endpoint}", language=language, **values)
    return url_for(endpoint, **values)


def bdi(name: str) -> Markup:
    """A name in a script of its own, which leaves the sentence around it in order. As a value of `_` too."""
    return Markup("<bdi>{}</bdi>").format(name)


def code(words: str) -> Markup:
    """What is typed as it stands, such as a command or the name of a file. As a value of `_` too."""
    return Markup('<code dir="ltr">{}</code>').format(words)


def of_list(wording: Wording) -> Markup:
    """The name or the description of a list, for a reader of this page. As a value of `_` too."""
    words = wording.for_reader(current(), fallbacks=site().settings.language_fallbacks)
    if words.language is None:
        return bdi(words.text) if words.text else Markup()
    return in_its_language(words.text, words.language)


def in_its_language(words: str, language: str) -> Markup:
    """Words in another language, which leave the sentence around them in order. As a value of `_` too."""
    opening = Markup('<bdi lang="{}" dir="{}">').format(language, languages.direction(language))
    return opening + Markup("{}</bdi>").format(words)


def versions() -> list[Version]:
    """This page in each of the site's languages; from one that nobody can ask for, the way to the start."""
    endpoint, values = _page()
    query = request.query_string.decode("ascii", "ignore") if endpoint and _was_asked_for() else ""
    return [
        Version(
            language=language,
            name=languages.name(language),
            address=url(endpoint or _START, language=language, **values) + (f"?{query}" if query else ""),
            is_current=language == current(),
        )
        for language in LANGUAGES
    ]


def alternates() -> list[tuple[str, str]]:
    """For search engines: language → absolute address of this page in it. None of a page whose address is a secret, or
    does not say all of what is shown."""
    endpoint, values = _page()
    if endpoint is None or "token" in values or request.query_string or g.get("is_error") or not _was_asked_for():
        return []
    by_language = {language: url(endpoint, language=language, **values) for language in LANGUAGES}
    by_language["x-default"] = url(endpoint, language=None, **values)
    return [(language, site().settings.base_url + address) for language, address in by_language.items()]


def forget_address() -> None:
    """Let nothing on the page that is being made lead back to its own address, which may name what was taken down."""
    g.is_forgotten = True


def _page() -> tuple[str | None, dict[str, Any]]:
    """The page at this address, by its name without a language, and the values in the address. None where there is
    none, none to look at, one in English only, or one that was taken down."""
    if g.get("is_forgotten"):
        return None, {}
    rule = _to_look_at(request.url_rule)
    if rule is None:
        return None, {}
    endpoint = rule.endpoint.removeprefix(f"{PREFIX}.")
    if f"{PREFIX}.{endpoint}" not in current_app.view_functions:
        return None, {}
    return endpoint, dict(request.view_args or {})


def _to_look_at(rule: Rule | None) -> Rule | None:
    """The rule of the page that one may look at, also where a form was posted to its address."""
    if rule is None or "GET" in (rule.methods or ()):
        return rule
    same_address = (each for each in current_app.url_map.iter_rules() if each.rule == rule.rule)
    return next((each for each in same_address if "GET" in (each.methods or ())), None)


def _was_asked_for() -> bool:
    return request.method in ("GET", "HEAD")
