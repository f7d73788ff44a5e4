"""What must not be said of a case, and what organisers note of it, stands nowhere that anybody can open."""

import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from mailer.cases import files
from mailer.links import Link
from mailer.store.db import utcnow
from mailer.store.models import CampaignStatus, CaseEventKind, Kit, UnionStatus
from mailer.web.language import LANGUAGES
from tests.support.cases import decide
from tests.support.factories import WHEN, make_campaign, make_case, make_list, make_union
from tests.web.pages import make_kit, signed

UNSAID = ("Quillfeather", "Brambletonk", "Ozmundery", "Vexleydale", "Harkentop", "Tamsinwick")
CASE = f"""\
country = "BR"
public = true
never = ["{UNSAID[0]}", "{UNSAID[1]}"]
notes = "{UNSAID[2]} calls on Mondays."

[asks]
en = ["Release her at once."]

[[persons]]
name = "Leila Marun"
status = "arrested"

[consent]
by = "none_possible"
on = 2026-01-05
reason = "{UNSAID[3]}"
agreed_by = "{UNSAID[4]}"

[[facts]]
text = "She is held at the port."
source = "{UNSAID[5]}"
certainty = "known"
checked_on = 2026-01-05
"""


@pytest.fixture
def backend() -> str:
    return "sqlite"  # no page reads the database in a way of its own


@pytest.mark.parametrize("kind", [None, CaseEventKind.STOPPED, CaseEventKind.REOPENED, CaseEventKind.CLOSED])
def test_nothing_that_must_not_be_said_of_a_case_stands_on_any_page(
    app: Flask, client: FlaskClient, session: Session, tmp_path: Path, kind: CaseEventKind | None
) -> None:
    folder = tmp_path / "leila"
    folder.mkdir()
    (folder / "case.toml").write_text(CASE)
    (folder / "en.md").write_text('+++\ntitle = "Leila"\n+++\nShe organised a strike.\n')
    case = files.load(session, folder)
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.public, campaign.started_at, campaign.case = True, WHEN, case
    campaign.deadline = utcnow() + timedelta(days=30)
    kit = make_kit(session, campaign, make_union(session, status=UnionStatus.AFFILIATED), languages=["en"])
    session.commit()
    if kind is not None:
        decide(session, case, kind, {"en": f"{UNSAID[0]} was seen."})
    if kind is CaseEventKind.REOPENED:
        decide(session, campaign, CaseEventKind.STOPPED, {"en": f"{UNSAID[1]} was seen."})
    pages = everything(app, client, kit)
    assert any("She organised a strike." in page for page in pages)
    assert [word for word in UNSAID for page in pages if word.lower() in page.lower()] == []


@pytest.mark.parametrize("part", ["subject", "preheader", "body"])
def test_a_word_that_must_not_appear_only_since_an_alert_went_out_stands_on_no_page_any_more(
    app: Flask, client: FlaskClient, session: Session, part: str
) -> None:
    case = make_case(session, "leila")
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.public, campaign.started_at, campaign.case = True, WHEN, case
    campaign.deadline = utcnow() + timedelta(days=30)
    setattr(campaign.texts[0], part, f"{UNSAID[0]} saw it")
    kit = make_kit(session, campaign, make_union(session, status=UnionStatus.AFFILIATED), languages=["en"])
    session.commit()
    assert UNSAID[0] in "".join(everything(app, client, kit))
    case.never = [UNSAID[0]]
    session.commit()
    assert UNSAID[0] not in "".join(everything(app, client, kit))
    assert client.get("/en/campaigns/free-the-five").status_code == 410
    assert client.get(f"/en/kit/{signed(app, Link.KIT, kit.id)}/kit.zip").status_code == 410


def everything(app: Flask, client: FlaskClient, kit: Kit) -> list[str]:
    """What stands at every address about the case, its campaign and its kit."""
    token = signed(app, Link.KIT, kit.id)
    paths = ["/campaigns", "/campaigns/free-the-five", "/cases/leila", "/feed.atom", f"/kit/{token}"]
    paths.append(f"/results/{signed(app, Link.UNION, kit.union_id or 0)}")
    answers = [client.get(f"/{language}{path}") for language in LANGUAGES for path in paths]
    archive = client.get(f"/kit/{token}/kit.zip")
    if archive.status_code == 200:
        files = zipfile.ZipFile(BytesIO(archive.data))
        within = [files.read(name).decode(errors="replace") for name in files.namelist()]
        return [answer.text for answer in answers] + within
    return [answer.text for answer in (*answers, archive)]
