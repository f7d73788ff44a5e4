"""Whom a draft is for, chosen at the desk: it is saved as a folder would have it, and nobody overwrites anybody."""

import re

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.locale import countries
from mailer.organisers import content
from mailer.store.db import utcnow
from mailer.store.models import AuditEntry, Campaign, CampaignStatus, MailingList, Role, Subscriber
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import SENDER, make_act, make_campaign, make_list, make_subscriber, make_union

PAGE = "/campaigns/free-the-five/audience"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is chosen, counted and locked is tested on both databases where the domain does so


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news)
    for country, number in (("GB", 12), ("NO", 11), ("SE", 3)):
        for _ in range(number):
            make_subscriber(session, news, country=country)
    session.commit()
    return campaign


@pytest.fixture
def wanda(app: Flask, campaign: Campaign) -> Organiser:
    return come_in(app, Role.WRITER)


def seen_by(who: Organiser) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', who.get(PAGE).text)
    assert found
    return found[1]


def save(who: Organiser, **fields: str) -> tuple[int, str]:
    given = {"list": "urgent-actions", "seen": seen_by(who), **fields}
    answer = who.press(PAGE, **given)
    return answer.status_code, words(answer) if answer.status_code != 303 else answer.location


def audience_of(session: Session) -> dict[str, list[str]]:
    session.expire_all()
    found = lifecycle.get(session, "free-the-five").audience
    session.rollback()  # this session keeps all others from writing
    return found


def test_what_is_chosen_is_saved_as_a_folder_would_have_it(
    session: Session, news: MailingList, wanda: Organiser
) -> None:
    make_union(session, "dockers", name="Dockers, Lighters and Wharves")
    other = make_list(session, "news", name="News")
    assert make_campaign(session, news, slug="alert") and other
    session.commit()
    chosen = {
        "exclude_countries:@EU": "yes",
        "countries": "Norway; Suède, @nordic",
        "unions": "dockers, lighters and wharves",
        "languages": "French, pt_br",
        "exclude_lists": "News",
        "not_got": "alert",
    }
    status, where = save(wanda, **chosen)
    assert (status, where) == (303, "/desk/campaigns/free-the-five/audience?saved=1")
    assert audience_of(session) == {
        "countries": ["NO", "SE", "@NORDIC"],
        "exclude_countries": ["@EU"],
        "unions": ["dockers"],
        "languages": ["fr", "pt-BR"],
        "exclude_lists": ["news"],
        "not_got": ["alert"],
    }
    assert "Saved." in words(wanda.get(f"{PAGE}?saved=1"))


def test_what_means_nothing_is_said_at_its_field_and_the_rest_stays_chosen(session: Session, wanda: Organiser) -> None:
    answer = wanda.press(PAGE, list="urgent-actions", seen=seen_by(wanda), countries="Norway, Norwhere")
    assert answer.status_code == 422
    assert "There is no country “Norwhere”." in words(answer)
    assert 'name="countries:NO" value="yes" checked' in answer.text
    assert 'name="countries" type="text" list="known-countries" value="Norwhere"' in answer.text
    assert audience_of(session) == {}


def test_a_campaign_cannot_choose_by_itself_nor_by_what_is_somebody_else_s(
    session: Session, news: MailingList, wanda: Organiser
) -> None:
    theirs = make_list(session, "dockers-news", name="Dockers’ news")
    theirs.owner_id = make_union(session).id
    make_campaign(session, theirs, slug="their-alert")
    session.commit()
    status, said = save(wanda, got="free-the-five, their-alert, no-such-thing", lists="dockers-news")
    assert status == 422
    assert "“free-the-five” is this campaign itself" in said
    assert "Campaign “their-alert” went to a list of somebody else" in said
    assert "There is no campaign “no-such-thing” any more" in said
    assert "The list “dockers-news” belongs to a union" in said
    assert 'value="their-alert"' not in wanda.get(PAGE).text


def test_what_somebody_else_has_chosen_meanwhile_is_not_overwritten_and_both_are_shown(
    app: Flask, session: Session, wanda: Organiser
) -> None:
    ben, seen = come_in(app, Role.WRITER, email="ben@example.org"), seen_by(wanda)
    assert save(ben, countries="Sweden")[0] == 303
    answer = wanda.press(PAGE, list="urgent-actions", seen=seen, countries="Norway")
    assert answer.status_code == 409
    said = words(answer)
    assert "Somebody else has chosen another audience meanwhile" in said and "Only in Sweden" in said
    assert 'name="countries:NO" value="yes" checked' in answer.text
    assert audience_of(session) == {"countries": ["SE"]}
    assert save(wanda, countries="Norway")[0] == 303  # who has read it may
    assert audience_of(session) == {"countries": ["NO"]}


def test_to_count_first_does_not_hide_that_somebody_else_has_chosen(
    app: Flask, session: Session, wanda: Organiser
) -> None:
    ben, seen = come_in(app, Role.WRITER, email="ben@example.org"), seen_by(wanda)
    assert save(ben, countries="Sweden")[0] == 303
    counted = wanda.press(f"{PAGE}/count", list="urgent-actions", seen=seen, countries="Norway")
    assert counted.status_code == 303
    page = wanda.get(counted.location.removeprefix("/desk"))
    assert page.status_code == 200 and "Somebody else has chosen another audience meanwhile" in words(page)


def test_a_second_press_saves_nothing_and_writes_nothing_into_the_log(session: Session, wanda: Organiser) -> None:
    seen = seen_by(wanda)
    for _ in range(2):
        answer = wanda.press(PAGE, list="urgent-actions", seen=seen, countries="Norway")
        assert answer.status_code == 303
    assert [each.subject for each in session.scalars(select(AuditEntry))] == ["free-the-five"]


def test_whom_it_is_for_stays_once_it_is_no_draft_and_what_was_chosen_is_shown(
    session: Session, campaign: Campaign, wanda: Organiser
) -> None:
    seen = seen_by(wanda)
    campaign.status, campaign.scheduled_at = CampaignStatus.SCHEDULED, utcnow()
    session.commit()
    answer = wanda.press(PAGE, list="urgent-actions", seen=seen, countries="Norway")
    assert answer.status_code == 409
    assert "Nothing was saved: it is no draft any more" in words(answer) and "Only in Norway" in words(answer)
    assert audience_of(session) == {}
    assert "<form class" not in wanda.get(PAGE).text.partition("<main")[2]


def test_count_shows_size_and_split_and_saves_nothing(session: Session, wanda: Organiser) -> None:
    asked = {"list": "urgent-actions", "seen": seen_by(wanda), "countries:GB": "yes", "countries": "Norway"}
    counted = wanda.press(f"{PAGE}/count", **asked)
    said = words(wanda.get(counted.location.removeprefix("/desk")))
    assert "23 people get it." in said and "Norway 11" in said and "United Kingdom 12" in said
    assert "What you see is not saved yet." in said
    assert audience_of(session) == {}


def test_the_size_follows_what_is_chosen(wanda: Organiser) -> None:
    part = wanda.get(f"{PAGE}/size?list=urgent-actions&countries=GB|Norway|Nowhere")
    assert part.status_code == 200 and "<html" not in part.text
    assert "23 people get it." in words(part) and "There is no country “Nowhere”." in words(part)
    assert "Nobody would get it." in words(wanda.get(f"{PAGE}/size?list=urgent-actions&countries=FR"))


def test_who_could_be_singled_out_is_said_in_words_and_their_number_is_not(wanda: Organiser) -> None:
    said = words(wanda.get(PAGE))
    assert "26 people get it." in said
    assert "Some of them could be singled out." in said
    assert re.search(r"By country: .*Sweden", said) and "Sweden under 10" in said and "Sweden 3" not in said
    few = words(wanda.get(f"{PAGE}/size?list=urgent-actions&countries=SE"))
    assert "Fewer than 10 people get it." in few and "could be singled out" in few and " 3 " not in few
    many = words(wanda.get(f"{PAGE}/size?list=urgent-actions&countries=GB"))
    assert "12 people get it." in many and "singled out" not in many


def test_another_list_is_chosen_with_its_people(session: Session, wanda: Organiser) -> None:
    other = make_list(session, "news", name="News")
    for _ in range(14):
        make_subscriber(session, other)
    session.commit()
    assert "14 people get it." in words(wanda.get(f"{PAGE}/size?list=news"))
    assert save(wanda, list="news")[0] == 303
    session.expire_all()
    assert lifecycle.get(session, "free-the-five").mailing_list.slug == "news"


def test_people_at_home_are_left_out_as_they_are_when_it_is_sent(
    session: Session, campaign: Campaign, wanda: Organiser
) -> None:
    campaign.about = "NO"
    session.commit()
    said = words(wanda.get(PAGE))
    assert "15 people get it." in said and "Without people who live in Norway" in said


def test_what_was_chosen_is_there_again_after_the_session_has_ended(wanda: Organiser) -> None:
    sent = {"form_token": "", "list": "urgent-actions", "seen": "0", "countries:NO": "yes", "languages": "fr"}
    assert wanda.send(PAGE, sent).location == f"/desk{PAGE}?again=1"
    page = wanda.get(f"{PAGE}?again=1")
    assert 'name="countries:NO" value="yes" checked' in page.text
    assert 'name="languages:fr" value="yes" checked' in page.text


def test_every_country_there_is_fits_into_an_address(wanda: Organiser) -> None:
    every = {f"countries:{code}": "yes" for code, _name in countries.all_in("en")}
    counted = wanda.press(f"{PAGE}/count", list="urgent-actions", seen=seen_by(wanda), **every)
    assert len(counted.location) < 2000


def test_an_approval_does_not_hold_for_another_audience(session: Session, campaign: Campaign, wanda: Organiser) -> None:
    before = content.of(session, campaign, SENDER).hash
    session.rollback()
    assert save(wanda, countries="Norway")[0] == 303
    session.expire_all()
    assert content.of(session, lifecycle.get(session, "free-the-five"), SENDER).hash != before


def asked_for(who: Organiser, **chosen: str) -> str:
    """What the part of the page says that counts."""
    query = "&".join(f"{key}={value}" for key, value in chosen.items())
    return words(who.get(f"{PAGE}/size?list=urgent-actions&{query}"))


def test_who_could_be_singled_out_is_named_and_nobody_else(wanda: Organiser) -> None:
    page = words(wanda.get(PAGE))
    warned = page.partition("Some of them could be singled out.")[2].partition("By language")[0]
    few = warned.partition("By country:")[2].split("By country")[0]
    assert "Sweden" in few and "Norway" not in few
    assert "Sweden under 10" in page and "Norway not shown" in page and "United Kingdom 12" in page


def test_what_people_did_cannot_be_told_of_one_by_asking_twice(
    session: Session, news: MailingList, wanda: Organiser
) -> None:
    alert = make_campaign(session, news, slug="alert", status=CampaignStatus.SENT)
    people = session.scalars(select(Subscriber).where(Subscriber.country.in_(["GB", "SE"]))).all()
    for person in (*people[:12], people[-1]):
        make_act(session, alert, person)
    session.commit()
    with_sweden, without = (asked_for(wanda, acted="alert", countries=each) for each in ("GB|SE", "GB"))
    for said in (with_sweden, without):
        assert "10 people get it, or some more." in said
        assert not re.search(r"\b1[1-9]\b", said)
    assert "26 people get it." in asked_for(wanda)


def test_whom_it_is_for_is_not_changed_by_who_has_not_seen_that_approval_was_asked_for(
    app: Flask, session: Session, wanda: Organiser
) -> None:
    opened = wanda.get(PAGE).text
    fields = dict(re.findall(r'name="(seen|standing)" value="([^"]*)"', opened))
    come_in(app, Role.WRITER, email="walter@example.org").press("/campaigns/free-the-five/approval/ask")
    answer = wanda.press(PAGE, list="urgent-actions", countries="Norway", **fields)
    assert answer.status_code == 409 and "Approval was asked for" in words(answer)
    assert 'name="countries:NO" value="yes" checked' in answer.text and audience_of(session) == {}
    fields = dict(re.findall(r'name="(seen|standing)" value="([^"]*)"', answer.text))
    assert wanda.press(PAGE, list="urgent-actions", countries="Norway", **fields).status_code == 303
    assert audience_of(session) == {"countries": ["NO"]}
