"""Before a campaign is sent: whom it would leave out, and what its texts print for which readers have nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.campaigns import readiness
from mailer.campaigns.readiness import Refused
from mailer.store.db import utcnow
from mailer.store.models import Campaign, HomeRule, MailingList
from tests.support.factories import add_text, make_campaign, make_list, make_subscriber, make_union
from tests.support.statements import watched


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news, body="Write to {{ target_name }}.\n")
    add_text(session, campaign, "ar", "{{ target_email or 'x' }} مرحبا\n".replace("'", '"'))
    return campaign


def test_a_check_says_whom_the_texts_and_targets_leave_out(
    session: Session, news: MailingList, campaign: Campaign
) -> None:
    campaign.targets = [{"countries": ["GB"], "name": "London", "email": "", "address": ""}]
    campaign.audience = {"exclude_countries": ["BR"]}
    for country, language in (("GB", "en-GB"), ("FR", "fr"), ("DE", "fr"), (None, None), ("EG", "ar"), ("BR", "en")):
        make_subscriber(session, news, country=country, language=language)
    found = readiness.check(session, campaign)
    assert found.audience == 5
    assert found.by_text == {"en": 4, "ar": 1}
    assert found.without_text == {"fr": 2}
    assert found.without_target == ("Egypt", "France", "Germany")
    assert found.without_country == 1
    assert not found.has_fallback
    assert any(finding.where == "ar.md" for finding in found.findings)


def test_a_check_says_whom_groups_leave_out_because_they_live_in_a_territory(
    session: Session, news: MailingList, campaign: Campaign
) -> None:
    for country in ("FR", "RE", "NC", "NC", "GL", "FO", "US", "PR"):
        make_subscriber(session, news, country=country)
    make_subscriber(session, news, country="PF", language="kk")
    campaign.audience = {"countries": ["@EU", "FO"], "exclude_languages": ["kk"]}
    found = readiness.check(session, campaign)
    assert found.audience == 3
    assert found.left_out == {"GL": 1, "NC": 2}
    assert found.not_excluded == {}
    campaign.audience = {"exclude_countries": ["@EU"]}
    found = readiness.check(session, campaign)
    assert found.audience == 7
    assert found.left_out == {}
    assert found.not_excluded == {"FO": 1, "GL": 1, "NC": 2, "PF": 1}


def test_a_check_says_whom_a_country_leaves_out_because_they_live_in_its_territory(
    session: Session, news: MailingList, campaign: Campaign
) -> None:
    for country in ("FR", "RE", "RE", "NC", "GB", "GI", "HK"):
        make_subscriber(session, news, country=country)
    campaign.audience = {"countries": ["FR", "GB", "NC"]}
    found = readiness.check(session, campaign)
    assert (found.audience, found.left_out, found.not_excluded) == (3, {"GI": 1, "RE": 2}, {})
    campaign.audience = {"exclude_countries": ["FR", "NC"], "countries": ["FR", "NC", "RE", "GI"]}
    found = readiness.check(session, campaign)
    assert (found.audience, found.left_out, found.not_excluded) == (3, {}, {"RE": 2})


def test_whose_text_names_no_target_needs_none(session: Session, news: MailingList) -> None:
    campaign = make_campaign(session, news, body='{% if country == "GB" %}{{ target_name or "them" }}{% endif %}.\n')
    add_text(session, campaign, "fr", "Bonjour.\n")
    for country, language in (("GB", "en"), ("FR", "fr"), ("IE", "en"), (None, "fr")):
        make_subscriber(session, news, country=country, language=language)
    found = readiness.check(session, campaign)
    assert found.without_target == ("United Kingdom",)
    assert found.without_country == 0


def test_only_a_deadline_that_has_passed_is_named_as_one(session: Session, campaign: Campaign) -> None:
    campaign.started_at = utcnow() - timedelta(days=60)
    assert not readiness.check(session, campaign).is_over
    campaign.deadline = utcnow() - timedelta(minutes=1)
    assert readiness.check(session, campaign).is_over


def test_a_check_of_an_audience_of_nobody_counts_nobody(session: Session, campaign: Campaign) -> None:
    found = readiness.check(session, campaign)
    assert (found.audience, found.by_text, found.without_country) == (0, {}, 0)


def test_only_who_reads_a_field_without_a_default_and_has_no_value_counts(session: Session, news: MailingList) -> None:
    campaign = make_campaign(session, news, body='{{ name }} {{ country or "here" }} {{ union }}\n')
    add_text(session, campaign, "fr", '{{ name or "à vous" }} {{ country }}\n')
    make_subscriber(session, news, union=make_union(session, "dockers"))
    make_subscriber(session, news)
    make_subscriber(session, news, name=None, country=None)
    make_subscriber(session, news, name=None, country=None, language="fr")
    found = readiness.find(session, campaign)
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
    readiness.require(session, campaign)
    assert readiness.find(session, campaign) == readiness.Gaps({}, {}, {}, {})


def test_people_without_a_target_are_named_by_country(session: Session, news: MailingList) -> None:
    campaign = make_campaign(session, news, body="Write to {{ target_name }}, {{ target_email }}.\n")
    campaign.targets = [{"countries": ["GB"], "name": "London", "email": "", "address": ""}]
    for country in ("GB", "FR", None):
        make_subscriber(session, news, country=country)
    found = readiness.find(session, campaign)
    assert found.without_target == {"FR": 1, None: 1}
    assert found.empty_fields == {"target_email": 1}  # of the target there is
    with pytest.raises(Refused, match=r"none for France, people whose country is not known\. Add \[\[targets"):
        readiness.require(session, campaign)
    campaign.targets = [*campaign.targets, {"countries": [], "name": "Ministry", "email": "m@x.org", "address": ""}]
    readiness.require(session, campaign)


def test_texts_that_print_no_target_need_none(session: Session, news: MailingList) -> None:
    make_subscriber(session, news)
    readiness.require(session, make_campaign(session, news, body='Write to {{ target_name or "them" }}.\n'))


def test_many_countries_are_named_in_part(session: Session) -> None:
    codes = ["AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR"]
    named = readiness.name_countries(dict.fromkeys([*codes, None], 1))
    assert named.startswith("Austria, Belgium, ")
    assert named.endswith("Greece, Spain, 2 more countries, people whose country is not known")


def test_a_link_that_leads_nowhere_is_named_with_its_line(session: Session, news: MailingList) -> None:
    body = """Dear supporter,

[Write to the embassy](mailto:{{ target_email }}?subject=Free%20them)

{% if country != "IE" %}Or to {{ target_email or "nobody by e-mail" }}.{% endif %}
[Call them](tel:{{ target_address }})

{{ target_email }} <{{ target_email or "us@example.org" }}>
[Write to us](mailto:us@example.org) [Send this on](mailto:?subject=Free%20them)
[Write][1]

[1]: mailto:{{ target_email or "no address" }}
"""
    campaign = make_campaign(session, news, body=body)
    campaign.targets = [
        {"countries": ["GB"], "name": "London", "email": "gb@example.org", "address": "+44 1632 960001"},
        {"countries": ["FR", "IE"], "name": "Paris", "email": "", "address": "1 rue de l'Exemple"},
        {"countries": ["ES"], "name": "Madrid", "email": "", "address": ""},
        {"countries": [], "name": "Ministry", "email": "ministry@example.org", "address": "no number"},
    ]
    for country in ("GB", "FR", "FR", "IE", "ES", "DE", None):
        make_subscriber(session, news, country=country)
    found = readiness.find(session, campaign).dead_links
    by_mail, by_number = {"FR": 2, "IE": 1, "ES": 1}, {"ES": 1, "DE": 1, None: 1}
    assert [(dead.file, dead.link.line, dead.link.written, dict(dead.by_country)) for dead in found] == [
        ("en.md", 7, "mailto:{{ target_email }}", by_mail),
        ("en.md", 10, "tel:{{ target_address }}", by_number),
        ("en.md", 12, "mailto:{{ target_email }}", by_mail),
        ("en.md", 16, 'mailto:{{ target_email or "no address" }}', by_mail),
    ]
    campaign.texts[0].body = '[Write](mailto:{{ target_email or "us@example.org" }}), {{ target_email or "x" }}\n'
    assert readiness.find(session, campaign).dead_links == ()


def test_who_has_no_target_at_all_is_not_counted_for_each_link(session: Session, news: MailingList) -> None:
    campaign = make_campaign(session, news, body="[Write](mailto:{{ target_email }})\n")
    make_subscriber(session, news)
    found = readiness.find(session, campaign)
    assert (found.without_target, found.dead_links) == ({"GB": 1}, ())
    campaign.texts[0].body = '[Write](mailto:{{ target_email or "nobody" }})\n'
    assert [dead.by_country for dead in readiness.find(session, campaign).dead_links] == [{"GB": 1}]


@pytest.mark.parametrize(("rule", "looks"), [(HomeRule.INCLUDE, 1), (HomeRule.EXCLUDE, 2)])
def test_a_check_looks_through_an_audience_once_and_again_only_for_those_at_home_who_are_left_out(
    session: Session, engine: Engine, campaign: Campaign, rule: HomeRule, looks: int
) -> None:
    campaign.about, campaign.home, campaign.unknown_home = "BR", rule, rule
    session.commit()
    with watched(engine) as statements:
        readiness.check(session, campaign)
    assert sum("FROM subscriptions" in statement for statement in statements) == looks
