"""A forwarding kit belongs to nobody: no token, name or address of a person stands in any of its files.

`kit_reading.problems` opens every file as its readers would and looks inside; the last tests put something in on
purpose, and it must be found.
"""

import dataclasses
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from mailer.campaigns import addressees
from mailer.campaigns.correspondence import Correspondence
from mailer.formats.paper import sheets
from mailer.kits.editions import KitEditions
from mailer.kits.messages import letter_in
from mailer.kits.wording import Forwarder
from mailer.links import Link, sign
from mailer.mail import draft, render
from mailer.store.crypto import Keyring
from mailer.store.models import Campaign, CampaignText, TargetRole, Union
from mailer.trial import sample
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY
from tests.support.factories import SENDER, make_contact, make_list, make_subscriber, make_union
from tests.support.kit_reading import links, pdf_text, problems
from tests.support.sample_world import load_alert

FILES = {
    "mail.eml", "mail.html", "mail.txt", "messenger-short.txt", "messenger-medium.txt", "leaflet.pdf", "picture.png",
}  # fmt: skip
PEOPLE = {"ingeborg.quist@example.net": "Ingeborg Quist", "نبيلة@example.net": "نبيلة الحسيني"}
#: what nobody may learn from its kit of a union that asked not to be named
UNNAMED = {"ropewalkers-of-quartzholm": "Ropewalkers of Quartzholm"}
SECRETS = {*PEOPLE, *PEOPLE.values(), *UNNAMED, *UNNAMED.values()}
KEYRING = Keyring(secret_keys=[SECRET_KEY], link_keys=[LINK_KEY], index_key=INDEX_KEY)
#: what links of the generated texts start with
OF_TEXTS = "https://texts.example.org/"
TOKEN = sign(KEYRING, Link.UNSUBSCRIBE, 7)
SLUG = "travailleurs-des-quais"
BEARERS = [SLUG, "cedar-teachers", "harbour-workers-international", *UNNAMED, None]


@pytest.fixture
def backend() -> str:
    """What is made does not depend on the database."""
    return "sqlite"


class Kits:
    """The kits of one campaign, and what may stand in them."""

    def __init__(self, session: Session, campaign: Campaign, forwarders: dict[str | None, Forwarder]) -> None:
        self.renderer = KitEditions(session, campaign, SENDER)
        self.forwarders = forwarders
        targets, roles = addressees.writable(session, campaign), list(map(TargetRole, campaign.ask))
        self._targets = {slug: targets.of_roles(roles, forwarders[slug].country) for slug in forwarders}
        self._public = {target["email"] for target in campaign.targets} | {"copies@example.org"}

    def problems(self, slug: str | None, language: str) -> list[str]:
        """What is wrong with one kit in one language."""
        files = self.renderer.files(self.forwarders[slug], language)
        letters = {name for name in files if letter_in(name)}
        assert bool(letters) == bool(self._targets[slug])
        assert set(files) - letters in (FILES, FILES - {"leaflet.pdf", "picture.png"})
        reached = {target.email for target in self._targets[slug] if target.email}
        known = {*self._public, *reached, *self.links(slug, language), OF_TEXTS}

        def is_known(found: str) -> bool:
            return found.startswith(OF_TEXTS) or any(whole.startswith(found) for whole in known)

        return problems(files, secrets=SECRETS, is_known=is_known)

    def links(self, slug: str | None, language: str) -> set[str]:
        """The only links that a kit has, besides those of its text."""
        site = f"https://act.example.org/{language}"
        page = f"{site}/campaigns/veldara-dockers"
        letters = {f"{page}/letter/{target.slug}" for target in self._targets[slug]}
        found = {page, *letters, *(target.url for target in self._targets[slug] if target.url)}
        if slug is None or slug in UNNAMED:
            return {f"{site}/", *found}
        return {f"{site}/join/{slug}", f"{page}?union={slug}", *found}  # its leaflet's code leads to the second


@pytest.fixture
def forwarders(session: Session) -> dict[str | None, Forwarder]:
    """A federation, two of its unions, one that is not named, and everybody else; each with people who must not be."""
    unions: dict[str, Union] = {}
    for listed in sample.unions():
        parent = unions.get(listed.parent or "")
        unions[listed.slug] = make_union(session, listed.slug, name=listed.name, country=listed.country, parent=parent)
    harbour = unions["harbour-workers-international"]
    for slug, name in UNNAMED.items():
        unions[slug] = make_union(session, slug, name=name, country="GB", parent=harbour, is_named=False)
        unions[slug].introductions = dict.fromkeys(("en", "fr"), f"{name} greets its members.")
        unions[slug].logo = b"a logo"
    unions["travailleurs-des-quais"].introductions = {"fr": "Chers camarades,\n\nécrivez ce soir.\n\nLe bureau"}
    for email, name in PEOPLE.items():
        person = make_subscriber(session, email=email, name=name, union=unions["travailleurs-des-quais"])
        for slug in (*UNNAMED, "travailleurs-des-quais"):
            make_contact(session, unions[slug], person)
    return {slug: Forwarder.of(unions[slug] if slug else None) for slug in BEARERS}


@pytest.fixture
def kits(session: Session, forwarders: dict[str | None, Forwarder], tmp_path: Path) -> Kits:
    """Those of the sample campaign, as everyone may read it on the web too."""
    make_list(session, sample.LIST_SLUG)
    return Kits(session, load_alert(session, tmp_path), forwarders)


# --- nothing is there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", BEARERS)
def test_nothing_in_the_sample_campaigns_kits_belongs_to_a_person(kits: Kits, slug: str | None) -> None:
    for language in kits.renderer.languages:
        assert kits.problems(slug, language) == []


@pytest.mark.parametrize("slug", BEARERS)
def test_no_file_of_a_kit_leads_to_what_only_the_unions_office_may_see(kits: Kits, slug: str | None) -> None:
    for language in kits.renderer.languages:
        found = links(kits.renderer.files(kits.forwarders[slug], language))
        assert not [link for link in found if re.search("/(kit|results|answer|no-contact)/", link)]


def test_each_kit_has_its_own_links_and_no_other(kits: Kits) -> None:
    for slug in BEARERS:
        files = kits.renderer.files(kits.forwarders[slug], "fr")
        assert links(files) == kits.links(slug, "fr")


def test_the_checker_reads_what_is_printed(kits: Kits) -> None:
    leaflet = kits.renderer.files(kits.forwarders["travailleurs-des-quais"], "fr")["leaflet.pdf"]
    printed = " ".join(pdf_text(leaflet).split())
    for words in ("Douze ans de prison pour", "Syndicat des travailleurs des quais", "paris@embassies.example.org"):
        assert words in printed


WORDS = st.sampled_from(["Write today", "**Six** are _jailed_", "الحرية للستة", "Свободу", "a & b < c", "2 + 2"])
FIELDS = st.builds(
    lambda field, default: f'{{{{ {field} or "{default}" }}}}' if default else f"{{{{ {field} }}}}",
    st.sampled_from(["name", "country", "union", "target_name", "target_email", "target_address"]),
    st.sampled_from(["", "supporter", "وبعد", "<b>", "none yet"]),
)
LINKS = st.builds(
    lambda words, address: f"[{words}]({address})",
    FIELDS,
    st.sampled_from([OF_TEXTS, "tel:+1"])
    | st.builds(
        lambda start, field: start + field,
        st.sampled_from(["mailto:", "mailto:copies@example.org?subject="]),
        st.sampled_from(["{{ target_email }}", "{{ name }}", "{{ country }}"]),
    ),
)
SPANS = st.lists(WORDS | FIELDS | LINKS, min_size=1, max_size=4).map(" ".join)
LINES = st.builds(lambda mark, words: mark + words, st.sampled_from(["", "", "# ", "## ", "- ", "1. ", "> "]), SPANS)
BRANCHES = st.builds(
    lambda name, value, then, otherwise: (
        f'{{% if {name} == "{value}" %}}\n{then}\n{{% else %}}\n{otherwise}\n{{% endif %}}'
    ),
    st.sampled_from(["country", "union", "language"]),
    st.sampled_from(["GB", "FR", "harbour-workers-international", *UNNAMED, "fr", "ar"]),
    LINES,
    LINES,
)
BODIES = st.lists(LINES | BRANCHES, min_size=1, max_size=6).map("\n\n".join)


@given(language=st.sampled_from(["en", "fr", "ar"]), subject=SPANS, preheader=SPANS, body=BODIES, target=st.booleans())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_in_any_campaigns_kits_belongs_to_a_person(
    session: Session,
    forwarders: dict[str | None, Forwarder],
    language: str,
    subject: str,
    preheader: str,
    body: str,
    target: bool,
) -> None:
    embassy = {"name": "Embassy of Ondoria", "email": "london@embassies.example.org", "address": "1 Example\nSquare"}
    campaign = Campaign(
        slug="veldara-dockers",
        kind="urgent_action",
        fallbacks={},
        language=language,
        public=True,
        ask=[],
        targets=[embassy | {"countries": ["GB", "FR"]}] * target,
        texts=[CampaignText(language=language, subject=subject, preheader=preheader, body=body, body_line=1)],
    )
    made = Kits(session, campaign, forwarders)
    for slug in (SLUG, *UNNAMED, None):
        assert made.problems(slug, language) == []


# --- and if it were ---------------------------------------------------------------------------------------------------


def leak_by_template(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    shutil.copytree(render.TEMPLATES, folder / "emails")
    for suffix, words in (("mjml", '<mj-text><a href="{}">x</a></mj-text>'), ("txt", "{}\n")):
        file = folder / "emails" / "layouts" / f"campaign.{suffix}"
        link = f"https://act.example.org/unsubscribe/{TOKEN}"
        file.write_text(file.read_text().replace("{% block card %}\n", "{% block card %}\n" + words.format(link)))
    patch.setattr(render, "TEMPLATES", folder / "emails")
    patch.setattr(render, "_environment", render._environment.__wrapped__)
    return {"mail.eml", "mail.html", "mail.txt"}


def leak_by_value(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    filled = Correspondence.filled

    def leaking(*args: Any, **more: Any) -> Any:
        found = filled(*args, **more)
        return found._replace(values={**found.values, "name": "Ingeborg Quist"})

    patch.setattr(Correspondence, "filled", leaking)
    return {"mail.eml", "mail.html", "mail.txt"}


def leak_by_introduction(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    own = dataclasses.replace(kits.forwarders[SLUG], introductions={"fr": "Demandez à نبيلة@example.net."})
    patch.setitem(kits.forwarders, SLUG, own)
    return {"mail.eml", "mail.html", "mail.txt"}


def leak_by_name(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    patch.setitem(kits.forwarders, SLUG, dataclasses.replace(kits.forwarders[SLUG], name="Ropewalkers of Quartzholm"))
    return {"mail.eml", "mail.html", "mail.txt", "leaflet.pdf"}


def leak_by_header(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    write = draft.write
    patch.setattr(draft, "write", lambda **parts: b"Message-ID: <1@act.example.org>\r\n" + write(**parts))
    return {"mail.eml"}


def leak_by_link(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    patch.setattr(KitEditions, "_join_url", lambda *_: f"https://act.example.org/?from={TOKEN}")
    return FILES - {"picture.png"}


def leak_on_paper(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    leaflet = sheets.leaflet
    patch.setattr(sheets, "leaflet", lambda sheet: leaflet(dataclasses.replace(sheet, signature="نبيلة الحسيني")))
    return {"leaflet.pdf"}


def leak_behind_paper(kits: Kits, patch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    leaflet, picture = sheets.leaflet, sheets.picture
    text = b"tEXtAuthor\0somebody"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    patch.setattr(sheets, "leaflet", lambda sheet: leaflet(sheet).replace(b"/Creator(", b"/Author(somebody)/Creator("))
    patch.setattr(sheets, "picture", lambda sheet: picture(sheet)[:-12] + chunk + picture(sheet)[-12:])
    return {"leaflet.pdf", "picture.png"}


@pytest.mark.parametrize(
    "leak",
    [
        leak_by_template,
        leak_by_value,
        leak_by_introduction,
        leak_by_name,
        leak_by_header,
        leak_by_link,
        leak_on_paper,
        leak_behind_paper,
    ],
)
def test_what_is_put_in_on_purpose_is_found(
    kits: Kits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, leak: Callable[..., set[str]]
) -> None:
    leaking = leak(kits, monkeypatch, tmp_path)
    found = kits.problems(SLUG, "fr")
    assert {problem.partition(":")[0] for problem in found} >= leaking
