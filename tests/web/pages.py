"""The whole public site at once: an address for each of its pages, and genuine links for those that need one."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from mailer.formats import archives
from mailer.links import Link, sign
from mailer.store.models import Base, Campaign, Delivery, Kit, KitEdition, Purpose, Subscription, Union
from tests.support.factories import WHEN

#: where nobody must be led
EVIL = "evil.example.com"


def sign_up(client: FlaskClient, address: str = "", **changes: str) -> TestResponse:
    fields = {"email": address, "name": "", "country": "GB", "union": "", "language": "en", "alerts": "yes"}
    return client.post("/", data=fields | changes)


def affiliate(client: FlaskClient, address: str = "", **changes: str) -> TestResponse:
    fields = {"name": "Dockers of the North", "country": "GB", "email": address, "language": "en", "agreed": "yes"}
    return client.post("/affiliate", data=fields | changes)


def forwarded_notes(page: str) -> list[str]:
    """What an English page says to whom its mail was forwarded to: each time a quiet line."""
    return re.findall(r'<p class="meta">Was the e-mail forwarded to you\?.*?</p>', page, re.DOTALL)


#: what stands in each file of a kit that `make_kit` makes
KIT_FILES = {
    "mail.eml": b"X-Unsent: 1\n\nWrite today.\n",
    "mail.html": b"<p>Write today.</p>\n",
    "mail.txt": b"Write today.\n",
    "messenger-short.txt": "Write today: five dockers are in prison – https://act.example.org/join/dockers".encode(),
    "messenger-medium.txt": b"Five dockers are in prison.\nWrite today.\n",
    "leaflet.pdf": b"%PDF-1.7 leaflet",
    "picture.png": b"\x89PNG picture",
}


def make_kit(
    session: Session,
    campaign: Campaign,
    union: Union | None,
    *,
    languages: Iterable[str] = ("en", "fr"),
    files: Mapping[str, bytes] | None = None,
) -> Kit:
    """A kit that is ready, in some languages, with the same files in each."""
    kit = Kit(campaign_id=campaign.id, union_id=union.id if union else None, ready_at=WHEN, sent_at=WHEN)
    archive = archives.pack(KIT_FILES if files is None else files)
    made_of = union.revision if union else None
    kit.editions = [
        KitEdition(language=language, made_at=WHEN, archive=archive, union_revision=made_of) for language in languages
    ]
    session.add(kit)
    session.flush()
    return kit


def signed(app: Flask, link: Link, number: int) -> str:
    """The token that stands in a mail."""
    return sign(app.extensions["site"].settings.keyring, link, number)


def newest_token(session: Session) -> str:
    """The token in the mail that was owed last."""
    session.rollback()  # to see what others committed
    notice = session.scalars(
        select(Delivery.notice).where(Delivery.purpose == Purpose.NOTICE).order_by(Delivery.id.desc()).limit(1)
    ).one()
    session.rollback()
    assert notice
    return str(json.loads(notice)["token"])


def campaign_link(app: Flask, session: Session) -> str:
    """The token in every campaign mail to Ana."""
    subscription = session.scalars(select(Subscription.id).order_by(Subscription.id)).first()
    session.rollback()  # on SQLite nobody else could write
    assert subscription
    return sign(app.extensions["site"].settings.keyring, Link.UNSUBSCRIBE, subscription)


def first_part(rule: Rule) -> str:
    return rule.rule.removeprefix("/<any(").rpartition(":language>/")[2].lstrip("/").partition("/")[0]


def address_of(app: Flask, rule: Rule, token: str) -> str:
    values = {"token": token, "language": "fr", "slug": "urgent-actions", "union": "dockers", "filename": "site.css"}
    values |= {"name": "1.a", "edition": "fr", "file": "leaflet.pdf", "target": "gb-embassy"}
    arguments = {name: values[name] for name in rule.arguments}
    return str(app.url_map.bind("localhost").build(rule.endpoint, arguments, method=next(iter(rule.methods or ()))))


def rules(app: Flask, method: str = "GET") -> list[Rule]:
    """Those of the public site: the desk's are walked by tests of its own."""
    public = (rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/desk"))
    return [rule for rule in public if method in (rule.methods or ())]


def every_page(app: Flask, links: dict[str, str], method: str = "GET") -> list[str]:
    """An address for every page of the site, those with a link with a genuine one."""
    return [address_of(app, rule, links.get(first_part(rule), "0" * 40)) for rule in rules(app, method)]


def stored(engine: Engine) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {table.name}")))
            for table in Base.metadata.sorted_tables
        }


def seen(answer: TestResponse) -> tuple[int, str, list[tuple[str, str]]]:
    text = answer.data.decode(errors="replace")  # some are archives and pictures
    return answer.status_code, text, [header for header in answer.headers if header[0] != "Date"]


def raw(path: str) -> dict[str, str]:
    """What a server hands on for a path, as it came."""

    before, _, query = path.partition("?")
    return {"PATH_INFO": unquote(before, "latin-1"), "QUERY_STRING": query, "REQUEST_URI": path, "RAW_URI": path}


def stays_here(answer: TestResponse) -> None:
    location = answer.headers.get("Location")
    if location is not None:
        assert re.match(r"/(?![/\\])", location), location
        assert "\\" not in location.partition("?")[0]
        assert not re.search(r"[\r\n]", location)
    for link in (f'href="//{EVIL}', f'href="https://{EVIL}', f'action="//{EVIL}'):
        assert link.encode() not in answer.data
