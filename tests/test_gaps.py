"""What texts print, and some of their readers have nothing for."""

import pytest
from sqlalchemy.orm import Session

from mailer import gaps
from mailer.gaps import NobodyToWriteTo
from mailer.store.models import MailingList
from tests.factories import add_text, make_campaign, make_list, make_subscriber, make_union


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


def test_only_who_reads_a_field_without_a_default_and_has_no_value_counts(session: Session, news: MailingList) -> None:
    campaign = make_campaign(session, news, body='{{ name }} {{ country or "here" }} {{ union }}\n')
    add_text(session, campaign, "fr", '{{ name or "à vous" }} {{ country }}\n')
    make_subscriber(session, news, union=make_union(session, "dockers"))
    make_subscriber(session, news)
    make_subscriber(session, news, name=None, country=None)
    make_subscriber(session, news, name=None, country=None, language="fr")
    found = gaps.find(session, campaign)
    assert found.empty_fields == {"name": 1, "union": 2, "country": 1}
    assert found.without_target == {}


def test_what_only_others_read_counts_for_nobody(session: Session, news: MailingList) -> None:
    union = make_union(session, "dockers")
    body = (
        '{% if union == "dockers" %}{{ union }}{% endif %}{% if country == "GB" %}{{ target_name }}{% endif %}'
        '{% if country == "FR" %}{{ name }}{% endif %}.\n'
    )
    campaign = make_campaign(session, news, body=body)
    make_subscriber(session, news, union=union, country="IE", name=None)
    make_subscriber(session, news, country=None)
    gaps.require_targets(session, campaign)
    assert gaps.find(session, campaign) == gaps.Gaps({}, {})


def test_people_without_a_target_are_named_by_country(session: Session, news: MailingList) -> None:
    campaign = make_campaign(session, news, body="Write to {{ target_name }}, {{ target_email }}.\n")
    campaign.targets = [{"countries": ["GB"], "name": "London", "email": "", "address": ""}]
    for country in ("GB", "FR", None):
        make_subscriber(session, news, country=country)
    found = gaps.find(session, campaign)
    assert found.without_target == {"FR": 1, None: 1}
    assert found.empty_fields == {"target_email": 1}  # of the target there is
    with pytest.raises(NobodyToWriteTo, match=r"none for France, people whose country is not known\. In campaign"):
        gaps.require_targets(session, campaign)
    campaign.targets = [*campaign.targets, {"countries": [], "name": "Ministry", "email": "m@x.org", "address": ""}]
    gaps.require_targets(session, campaign)


def test_texts_that_print_no_target_need_none(session: Session, news: MailingList) -> None:
    make_subscriber(session, news)
    gaps.require_targets(session, make_campaign(session, news, body='Write to {{ target_name or "them" }}.\n'))


def test_many_countries_are_named_in_part(session: Session) -> None:
    codes = ["AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR"]
    named = gaps.name_countries(dict.fromkeys([*codes, None], 1))
    assert named.startswith("Austria, Belgium, ")
    assert named.endswith("Greece, Spain, 2 more countries, people whose country is not known")
