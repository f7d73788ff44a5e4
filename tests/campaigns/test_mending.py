"""Where a finding is put right."""

from itertools import product
from pathlib import Path
from typing import get_args

import click
import pytest

from mailer.campaigns import mending
from mailer.campaigns.mending import About, Mending
from mailer.cases.findings import Code, Finding, Level
from mailer.cli import main
from mailer.store.models import Campaign, CampaignStatus, Case

ROOT = Path(__file__).parents[2]


@pytest.fixture
def campaign() -> Campaign:
    campaign = Campaign(slug="free-the-five", status=CampaignStatus.DRAFT)
    campaign.case = Case(slug="leila", never=[])
    return campaign


def of(campaign: Campaign, code: Code, where: str = "en.md:5") -> Mending:
    return mending.of(campaign, Finding(Level.ERROR, code, where, "what", "remedy"))


def test_every_finding_names_a_page_and_a_command_that_there_is(campaign: Campaign) -> None:
    for status, code in product((CampaignStatus.DRAFT, CampaignStatus.PAUSED), get_args(Code)):
        campaign.status = status
        found = of(campaign, code)
        assert (ROOT / found.page).is_file()
        if found.command:
            program, group, name = found.command.split()[:3]
            assert program == "mailer"
            context = click.Context(main)
            commands = main.get_command(context, group)
            assert isinstance(commands, click.Group)
            assert name in commands.list_commands(context)


def test_a_command_names_the_campaign_and_its_case(campaign: Campaign) -> None:
    assert of(campaign, "text-broken").command == "mailer campaigns load free-the-five"
    assert of(campaign, "consent-missing").command == "mailer cases consent leila"
    assert of(campaign, "consent-missing").about is About.CASE


def test_what_is_no_draft_any_more_is_not_loaded_again(campaign: Campaign) -> None:
    campaign.status = CampaignStatus.PAUSED
    assert of(campaign, "spam-words").command == ""
    assert of(campaign, "letter-missing").command == "mailer campaigns correct-letters free-the-five"


def test_a_word_that_must_not_appear_is_taken_out_where_it_stands_and_no_command_holds_it(campaign: Campaign) -> None:
    assert of(campaign, "never", "target embassy-gb").about is About.TARGETS
    assert of(campaign, "never", "the name of the list").about is About.LIST
    assert of(campaign, "never", "letter-embassy.en.md:7").page.endswith("letter-files.md")
    assert campaign.case is not None
    campaign.case.never = ["Five"]
    assert of(campaign, "never").command == "mailer campaigns load SLUG"
