"""What a spam filter says of our mails. Run by `make test-servers`; a failure names the rules that cost points."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import editions, files
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.ledger import Claimed
from mailer.delivery.notice_mails import NoticeComposer
from mailer.delivery.recipients import Recipient
from mailer.formats.paper import sheets
from mailer.kits.editions import KitEditions
from mailer.kits.wording import Forwarder
from mailer.locale import translations
from mailer.locale.languages import SITE_LANGUAGES
from mailer.mail.costly_words import COSTLY
from mailer.people.notices import NoticeKind
from mailer.store.models import Campaign, CampaignText, Purpose, Union
from mailer.trial import sample
from tests.delivery.test_notice_mails import claimed, notice
from tests.servers import spamassassin
from tests.servers.spamassassin import Verdict
from tests.support.factories import SENDER, make_campaign, make_list, make_union
from tests.support.sample_world import load_alert

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "stay-out-of-the-spam-folder.md").read_text("utf-8")
#: what each of our mails may cost of the five points from which on a mail is spam
MOST = 0.5
#: MIXED_ES, "Too many es are not es": a point for Cyrillic letters beside addresses in Latin ones
MOST_IN_CYRILLIC = 1.5

pytestmark = pytest.mark.servers


@pytest.fixture
def backend() -> str:
    """What is made does not depend on the database."""
    return "sqlite"


def judge(mails: Mapping[str, bytes], folder: Path) -> dict[str, Verdict]:
    verdicts = spamassassin.judge(mails, folder)
    for case, verdict in verdicts.items():
        print(f"{case}: {verdict}")  # noqa: T201 # shown where the test fails, or with -rP
    return verdicts


def require_cheap(verdicts: Mapping[str, Verdict]) -> None:
    """Insist on few points. Cases begin with their language."""
    assert {case: str(verdict) for case, verdict in verdicts.items() if verdict.cost > _most(case)} == {}


def _most(case: str) -> float:
    return MOST_IN_CYRILLIC if case.startswith(("ru", "kk")) else MOST


def mail(session: Session, campaign: Campaign, language: str, *, name: str | None, union: Union | None = None) -> bytes:
    """A campaign's mail to somebody who has told everything, or nothing."""
    country, union_id = ("GB" if name else None), (union.id if union and name else None)
    delivery = Claimed(1, Purpose.CAMPAIGN, 1, None, language, country, union_id, attempts=0)
    recipient = Recipient("ana@example.net", name, subscription_id=41)
    return CampaignComposer(session, campaign, SENDER).compose(delivery, recipient).data


def mails(session: Session, campaign: Campaign, *, union: Union | None = None) -> dict[str, bytes]:
    return {
        f"{text.language}, {name or 'without a name'}": mail(session, campaign, text.language, name=name, union=union)
        for text in campaign.texts
        for name in (None, "Ana Example")
    }


@pytest.fixture
def union(session: Session) -> Union:
    """One that the sample campaign has words for, on whose list it is; the other unions that it names are there too."""
    make_list(session)
    unions = {union.slug: make_union(session, union.slug, name=union.name) for union in sample.unions()}
    session.commit()
    return unions["harbour-workers-international"]


def test_the_sample_campaign_costs_next_to_nothing(session: Session, union: Union, tmp_path: Path) -> None:
    verdicts = judge(mails(session, load_alert(session, tmp_path / "sample"), union=union), tmp_path)
    assert len(verdicts) == 12
    require_cheap(verdicts)


def test_a_campaign_like_that_of_the_quickstart_costs_next_to_nothing(session: Session, tmp_path: Path) -> None:
    make_list(session)
    written = (ROOT / "docs" / "quickstart.md").read_text("utf-8")
    folder = tmp_path / "free-the-dockers"
    folder.mkdir()
    for file, kind in (("campaign.toml", "toml"), ("en.md", "markdown")):
        (block,) = re.findall(rf"```{kind}\n(.*?)```", written, re.DOTALL)
        (folder / file).write_text(block, "utf-8")
    require_cheap(judge(mails(session, files.load(session, folder)), tmp_path))


def test_a_campaign_that_speed_is_measured_with_costs_next_to_nothing(session: Session, tmp_path: Path) -> None:
    make_list(session)
    require_cheap(judge(mails(session, files.load(session, ROOT / "mailer" / "bench" / "campaign")), tmp_path))


@pytest.mark.parametrize("kind", ["update", "stop"])
def test_news_and_a_stop_cost_next_to_nothing_in_every_language(session: Session, tmp_path: Path, kind: str) -> None:
    campaign = make_campaign(session, make_list(session))
    campaign.kind = kind
    campaign.texts.clear()
    session.flush()
    for language in SITE_LANGUAGES:
        words = translations.gettext_for(language)(
            "You will get an e-mail with a kit whenever there is an alert to forward."
        )
        text = {"subject": words[:40], "preheader": words, "body": f"{words}\n", "body_line": 5}
        campaign.texts.append(CampaignText(language=language, **text))
    session.flush()
    verdicts = judge(mails(session, campaign), tmp_path)
    assert len(verdicts) == 2 * len(SITE_LANGUAGES)
    require_cheap(verdicts)


def test_a_kit_costs_whoever_forwards_it_next_to_nothing(
    session: Session, union: Union, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("leaflet", "picture"):
        monkeypatch.setattr(sheets, name, lambda _sheet: b"paper")
    kits = KitEditions(session, load_alert(session, tmp_path / "sample"), SENDER)
    drafts = {
        f"{language}, {forwarder.name or 'for everybody'}": kits.files(forwarder, language)["mail.eml"]
        for language in kits.languages
        for forwarder in (Forwarder.of(None), Forwarder.of(union))
    }
    sent = {case: spamassassin.envelope(f"{number}@example.org") + drafts[case] for number, case in enumerate(drafts)}
    require_cheap(judge(sent, tmp_path))


def test_system_mails_cost_next_to_nothing_in_every_language(session: Session, tmp_path: Path) -> None:
    composer, recipient = NoticeComposer(session, SENDER), Recipient("ana@example.net", None, subscription_id=None)
    require_cheap(
        judge(
            {
                f"{language}, {kind}": composer.compose(claimed(notice(kind), language=language), recipient).data
                for language in SITE_LANGUAGES
                for kind in set(NoticeKind) - {NoticeKind.REPLY}  # which holds what somebody else wrote
            },
            tmp_path,
        )
    )


# --- words ----------------------------------------------------------------------------------------------------------


def words_of_the_page() -> dict[str, float]:
    """Words in Markdown that the page gives points for."""
    section = PAGE.partition("## Words\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*`.*) \| ([\d.]+) \|", section, re.MULTILINE)
    priced = {words: float(points) for cell, points in rows for words in re.findall("`([^`]+)`", cell)}
    (free,) = re.findall(r"These cost nothing by themselves: ([^.]*)", section)
    ((points, letter),) = re.findall(r"This model letter costs ([\d.]+) points:\n\n((?:>.*\n)+)", section)
    return priced | dict.fromkeys(re.findall("`([^`]+)`", free), 0.0) | {letter: float(points)}


def campaign_with(session: Session, words: str, *, subject: str = "Free the five") -> Campaign:
    mailing_list = make_list(session, f"list-{abs(hash((words, subject)))}")
    body = f"Hello,\n\nwrite to [us](https://example.org/a).\n\n{words}\n"
    campaign = make_campaign(session, mailing_list, slug=mailing_list.slug, body=body)
    campaign.texts[0].subject = subject
    return campaign


def test_words_cost_what_the_page_says(session: Session, tmp_path: Path) -> None:
    expected = words_of_the_page()
    assert len(expected) > 15
    campaigns = {words: campaign_with(session, words) for words in expected}
    found = judge({each: mail(session, campaign, "en", name=None) for each, campaign in campaigns.items()}, tmp_path)
    assert {words: round(verdict.cost, 1) for words, verdict in found.items()} == expected
    for words, campaign in campaigns.items():
        warned = [found for found in editions.try_out(session, campaign) if found.code == "spam-words"]
        assert bool(warned) is (found[words].cost >= 1), words
        assert all(warning.where.startswith("en.md") for warning in warned)


def test_the_page_has_all_words_that_a_check_warns_of() -> None:
    for costly in COSTLY:
        points = {points for words, points in words_of_the_page().items() if costly.pattern.search(words)}
        assert costly.points in points


def test_words_cost_as_much_in_the_subject_and_in_the_preheader(session: Session, tmp_path: Path) -> None:
    lines = ("Urgent request from the dockers", "FREE THE FIVE", "Free the five")
    letters = {}
    for line in lines:
        campaign = campaign_with(session, "Thank you.", subject=line)
        letters[f"subject: {line}"] = mail(session, campaign, "en", name=None)
        campaign.texts[0].subject, campaign.texts[0].preheader = "Free the five", line
        letters[f"preheader: {line}"] = mail(session, campaign, "en", name=None)
    costs = [round(verdict.cost, 1) for verdict in judge(letters, tmp_path).values()]
    assert costs == [1.8, 1.8, 0.5, 0.0, 0.0, 0.0]


def test_the_page_names_the_version_that_was_measured() -> None:
    assert spamassassin.version().replace("version ", "") in PAGE
