"""Approving at the desk: what is shown is what is approved, by somebody else than who changed it or asked."""

import re
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from mailer.campaigns import lifecycle
from mailer.campaigns.lifecycle import Move
from mailer.delivery import control
from mailer.organisers import content
from mailer.organisers.approvals import State
from mailer.people.notices import NoticeKind
from mailer.store import audit
from mailer.store.db import utcnow
from mailer.store.models import Account, Campaign, CampaignText, Role
from tests.support.accounts import make_account, make_publisher
from tests.support.cases import make_case
from tests.support.concurrency import Beside
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import notices_owed, said
from tests.support.letters import add_letter, put_target
from tests.web.desk.sendable import SLUG, World, make_world

PAGE = f"/campaigns/{SLUG}/approval"
MARK = "Write to **the embassy** today.\n"


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def approve(world: World, **changes: str) -> int:
    return world.petra.press(f"{PAGE}/approve", **({"content": world.hash()} | changes)).status_code


def test_a_writer_asks_and_the_publishers_hear_of_it_by_mail(world: World) -> None:
    with world.session() as session:
        make_publisher(session, "newcomer", since=utcnow() - timedelta(minutes=5))
        make_account(session, "ada@example.org", Role.ADMIN)
    assert "Ask for approval" in world.wanda.get(PAGE).text
    asked = world.wanda.press(f"{PAGE}/ask", words="The court sits on Monday.")
    assert (asked.status_code, asked.location) == (303, f"/desk{PAGE}")
    page = words(world.petra.get(PAGE))
    assert "Waiting for approval" in page and "The court sits on Monday." in page and "Wanda asked" in page
    with world.session() as session:
        owed = notices_owed(session)
        assert sorted(each.address or "" for each in owed) == ["olga@example.org", "petra@example.org"]
        notice = said(owed[0])
        assert notice.kind is NoticeKind.WAITING
        assert notice.words["desk_url"].endswith(f"/desk{PAGE}")
        assert "court" not in str(notice.words)
    assert world.log() == [("campaigns.ask", world.wanda.account_id, SLUG)]


def test_home_leads_whoever_may_approve_to_what_others_ask_for(world: World) -> None:
    link = f'href="/desk{PAGE}"'
    assert link not in world.petra.get("/").text
    world.ask()
    assert link in world.petra.get("/").text
    assert link not in world.wanda.get("/").text  # who asked, and may not
    world.approve()
    assert link not in world.petra.get("/").text


def test_who_asks_twice_asks_once(world: World) -> None:
    for _ in range(2):
        assert world.wanda.press(f"{PAGE}/ask", words="").status_code == 303
    assert len(world.log()) == 1
    with world.session() as session:
        assert len(notices_owed(session)) == 2


def test_words_that_are_too_long_stand_in_the_form_again(world: World) -> None:
    answer = world.wanda.press(f"{PAGE}/ask", words="word " * 500)
    assert answer.status_code == 422 and "Write at most 2000 characters" in answer.text
    assert "word word" in answer.text and world.state() is State.NONE


def test_a_second_person_approves_what_the_page_shows(world: World) -> None:
    world.ask()
    page = world.petra.get(PAGE).text
    assert f'value="{world.hash()}"' in page
    assert approve(world) == 303
    assert world.state() is State.APPROVED
    shown = words(world.petra.get(PAGE))
    assert "Petra approved it" in shown and "Send it" in shown
    assert approve(world) == 303
    assert world.log() == [("campaigns.approve", world.petra.account_id, SLUG)], "a second press changes nothing"


def test_what_somebody_says_with_their_approval_stands_beside_it(world: World) -> None:
    world.ask()
    assert 'name="remark"' in world.petra.get(PAGE).text
    world.petra.press(f"{PAGE}/approve", content=world.hash(), remark="Not before eight in Lima.")
    assert "Petra approved it" in (said := words(world.olga.get(PAGE))) and "Not before eight in Lima." in said


def test_the_page_shows_all_that_the_hash_stands_for(world: World) -> None:
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        campaign.case, campaign.about, campaign.ask = make_case(session), "BR", ["embassy"]
        campaign.audience = {"countries": ["DE", "@EU"], "exclude_languages": ["fr"], "unions": ["dockers"]}
        campaign.deadline = utcnow() + timedelta(days=3)
        add_letter(session, campaign, "ar", rules="No insults.", openings=["I write to you."])
        put_target(session, address="1 Example Street", phone="+44 1632 960001", names={"de": "Botschaft"})
        session.flush()
        parts = content.of(session, campaign, world.sender).parts
    shown = " ".join(words(world.petra.get(PAGE)).split())
    for said_words in leaves(parts):
        assert " ".join(said_words.split()) in shown, said_words


def leaves(value: object, key: str = "") -> list[str]:
    """All texts in a content, but for what is shown by another name or by its fingerprint."""
    if isinstance(value, dict):
        return [leaf for name, each in value.items() for leaf in leaves(each, name)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each, key)]
    if not isinstance(value, str) or key in {"own"}:
        return []
    if len(value) == 64:
        return [value[:16]]
    renamed = value.startswith("20") or len(value) == 2 or value in ("embassy", "exclude", "include", "urgent_action")
    return [] if renamed else [value]


def test_each_text_stands_there_in_its_language_and_direction(world: World) -> None:
    with world.session() as session:
        add_letter(session, lifecycle.get(session, SLUG), "ar")
    page = world.petra.get(PAGE).text
    assert '<div class="reading" lang="ar" dir="rtl">' in page and '<li class="words">أفرجوا عن الخمسة' in page
    assert '<div class="reading" lang="en" dir="ltr">' in page


def test_all_of_it_is_on_the_page_and_open_is_what_whoever_looks_can_read(world: World) -> None:
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        for tag in ("ar", "de", "fr"):
            said = {"subject": f"Subject {tag}", "preheader": f"Preview {tag}", "body": f"Body {tag}\n"}
            campaign.texts.append(CampaignText(language=tag, body_line=5, **said))
        for tag in ("ar", "en", "fr"):
            add_letter(session, campaign, tag, subjects=[f"Letter {tag}"], body=f"Letter {tag}\n")
        session.get_one(Account, world.olga.account_id).language = "fr"
    page = world.petra.get(PAGE).text
    assert folded(page) == {
        "part-text-en": True,
        **dict.fromkeys(["part-text-ar", "part-text-de", "part-text-fr"], False),
        "part-letter-embassy-en": True,
        **dict.fromkeys(["part-letter-embassy-ar", "part-letter-embassy-fr"], False),
    }
    assert all(f'href="#{part}"' in page for part in folded(page))
    assert all(f"Body {tag}" in page for tag in ("ar", "de", "fr"))
    in_french = folded(world.olga.get(PAGE).text)
    assert [part for part, is_open in in_french.items() if is_open] == [
        *("part-text-fr", "part-text-en"),
        "part-letter-embassy-fr",
    ]
    assert list(in_french)[:2] == ["part-text-fr", "part-text-en"], "what is open stands first"


def folded(page: str) -> dict[str, bool]:
    """What folds on a page, and whether it is open."""
    found = re.findall(r'<details class="content-part" id="([^"]+)"( open)?>', page)
    return {part: bool(is_open) for part, is_open in found}


def test_the_top_of_the_page_says_in_short_what_would_happen_and_leads_to_what_has_changed(world: World) -> None:
    world.approve()
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    world.ask()
    page = world.petra.get(PAGE)
    top = words(page).partition("On this page")[0]
    for told in ("1 thing, since it was last approved", "2 people get it", "Urgent actions", "When somebody sends it"):
        assert told in top
    assert page.text.index('href="#changes"') < page.text.index('id="approve"') < page.text.index('id="changes"')
    assert page.text.index('id="changes"') < page.text.index('id="all"') < page.text.index('form="approve"')
    assert page.text.index('id="all"') < page.text.index('href="#send-back"')


def test_targets_stand_in_a_table_for_each_role(world: World) -> None:
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        campaign.ask, campaign.about = ["embassy"], "BR"
        put_target(session, "embassy-de", countries=("DE",), phone="+44 1632 960001")
        put_target(session, "embassy-all", email="all@example.org")
    page = words(world.petra.get(PAGE))
    assert "Embassies: 2" in page and "everybody who has no other" in page
    assert "embassy-de" in page and "Telephone: +44 1632 960001" in page and "all@example.org" in page


def test_signs_that_nobody_would_see_are_shown(world: World) -> None:
    world.change(lambda campaign: setattr(campaign.texts[0], "body", "Write\u202e today\u200b.\n"))
    page = world.petra.get(PAGE).text
    assert "U+202E" in page and "U+200B" in page and "\u202e" not in page


def test_nothing_that_a_text_says_becomes_part_of_the_page(world: World) -> None:
    evil = "<script>alert(1)</script><img src=x>"

    def write(campaign: Campaign) -> None:
        campaign.texts[0].body = campaign.texts[0].subject = evil

    world.approve()
    world.change(write)
    page = world.petra.get(PAGE).text
    assert "<script>alert" not in page and "<img" not in page and "&lt;script&gt;alert(1)" in page


def test_what_has_changed_since_the_page_is_not_approved_but_shown(world: World) -> None:
    world.ask()
    shown = world.hash()
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    world.ask()
    answer = world.petra.press(f"{PAGE}/approve", content=shown)
    assert answer.status_code == 422
    assert "so it was not approved" in answer.text and "since you opened this page" in answer.text
    assert "<del>" in answer.text and "<ins>" in answer.text and "<strong>" not in answer.text.split("<ins>")[1]
    assert world.state() is State.WAITING and world.log() == []
    assert f'value="{world.hash()}"' in answer.text, "a second press approves what this page shows"
    assert approve(world) == 303


@pytest.mark.parametrize("press", ["approve", "send-back"])
def test_of_what_has_changed_and_nobody_asks_about_the_page_says_so_and_keeps_what_was_typed(
    world: World, press: str
) -> None:
    world.ask()
    form = {"content": world.hash(), "request": str(world.request_id())}
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    answer = world.petra.press(f"{PAGE}/{press}", **form, remark="Not before eight.", wanted="The embassy has moved.")
    page = words(answer)
    assert answer.status_code == 422 and "It has changed, and nobody has asked for approval" in page
    assert "<ins>" in answer.text and "press again" not in page
    assert "You wrote: Not before eight." in page and "The embassy has moved." in page
    assert "Ask for approval" in page and "Not before eight.</textarea>" not in answer.text
    leads_somewhere(answer)


def test_of_what_has_changed_and_somebody_else_has_to_approve_nobody_is_told_to_press_again(world: World) -> None:
    world.ask()
    form = {"content": world.hash(), "request": str(world.request_id())}
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    world.changed_by(world.petra)
    world.ask()
    page = words(world.petra.press(f"{PAGE}/approve", **form))
    assert "It has changed since you opened this page." in page and "You have changed the campaign" in page
    assert "press again" not in page


def leads_somewhere(answer: TestResponse) -> None:
    """Check that each link within a page leads to something on it."""
    for place in re.findall(r'href="#([^"]+)"', answer.text):
        assert f'id="{place}"' in answer.text, place


def test_what_somebody_wrote_who_comes_too_late_stands_on_the_page(world: World) -> None:
    world.ask()
    request = str(world.request_id())
    world.petra.press(f"{PAGE}/approve", content=world.hash())
    answer = send_back(world, world.olga, request=request)
    assert answer.status_code == 422 and "Somebody has approved it already" in answer.text
    assert "You wrote: The embassy has moved." in words(answer)
    leads_somewhere(answer)
    too_long = world.olga.press(f"{PAGE}/approve", remark="word " * 500)
    assert "at most 2000 characters" in too_long.text and "You wrote: word word" in words(too_long)
    leads_somewhere(too_long)


def test_a_lapsed_approval_says_what_has_changed(world: World) -> None:
    world.approve()
    world.change(lambda campaign: setattr(campaign.texts[0], "subject", "Free all five"))
    page = world.wanda.get(PAGE)
    assert "Approval has lapsed" in page.text and "What has changed since it was last approved" in page.text
    assert "<ins>" in page.text and "Ask for approval" in page.text


def test_nobody_approves_what_they_asked_for_or_changed(world: World) -> None:
    world.petra.press(f"{PAGE}/ask")
    assert "You asked for this approval yourself" in world.petra.get(PAGE).text
    answer = world.petra.press(f"{PAGE}/approve", content=world.hash())
    assert answer.status_code == 422 and "You asked for this approval yourself" in answer.text
    world.changed_by(world.olga)
    answer = world.olga.press(f"{PAGE}/approve", content=world.hash())
    assert answer.status_code == 422 and "You have changed the campaign" in answer.text
    assert world.state() is State.WAITING


def test_a_publisher_of_today_and_a_writer_do_not_approve(world: World, app: Flask) -> None:
    world.ask()
    assert world.wanda.press(f"{PAGE}/approve", content=world.hash()).status_code == 404
    nina = come_in(app, Role.PUBLISHER, email="nina@example.org")
    answer = nina.press(f"{PAGE}/approve", content=world.hash())
    assert answer.status_code == 422 and "can do so a day later" in answer.text
    assert world.state() is State.WAITING


def test_what_nobody_asked_about_or_has_begun_is_not_approved(world: World) -> None:
    answer = world.petra.press(f"{PAGE}/approve", content=world.hash())
    assert answer.status_code == 422 and "Nobody has asked for approval" in answer.text
    world.ask()
    with world.session() as session:
        lifecycle.move(session, lifecycle.get(session, SLUG), Move.START, started_at=utcnow())
    answer = world.petra.press(f"{PAGE}/approve", content=world.hash())
    assert answer.status_code == 422 and "has begun already" in answer.text
    assert world.wanda.press(f"{PAGE}/ask").status_code == 422


def send_back(world: World, who: Organiser, words: str = "The embassy has moved.", **changes: str) -> TestResponse:
    fields = {"content": world.hash(), "request": str(world.request_id()), "wanted": words} | changes
    return who.press(f"{PAGE}/send-back", **fields)


def test_who_asked_reads_on_the_page_at_home_and_in_a_mail_that_it_was_sent_back(world: World) -> None:
    world.ask()
    assert 'name="wanted"' in world.petra.get(PAGE).text
    assert send_back(world, world.petra).status_code == 303
    assert world.state() is State.SENT_BACK
    for path in (PAGE, f"/campaigns/{SLUG}", "/"):
        page = words(world.wanda.get(path))
        assert "Petra sent it back" in page and "The embassy has moved." in page, path
    assert f'href="/desk{PAGE}"' not in world.olga.get("/").text
    with world.session() as session:
        [owed] = notices_owed(session)
        assert (owed.address, said(owed).kind) == ("wanda@example.org", NoticeKind.SENT_BACK)
        assert set(said(owed).words) == {"campaign", "desk_url"}
    assert world.log() == [("campaigns.send_back", world.petra.account_id, SLUG)]


def test_what_was_sent_back_can_be_asked_for_again_and_says_what_became_of_it_before(world: World) -> None:
    world.ask()
    send_back(world, world.petra)
    assert "Ask for approval" in world.wanda.get(PAGE).text
    assert world.wanda.press(f"{PAGE}/ask", words="It has not: I rang them.").status_code == 303
    assert "sent it back" not in words(world.wanda.get("/"))
    page = words(world.olga.get(PAGE))
    assert page.index("Petra sent it back") < page.index("Wanda asked for approval again") < page.index("I rang them")
    form = {"content": world.hash(), "request": str(world.request_id())}
    assert world.olga.press(f"{PAGE}/approve", **form).status_code == 303
    assert world.state() is State.APPROVED


def test_whoever_did_not_see_that_it_was_sent_back_looks_again_before_they_approve_it(world: World) -> None:
    world.ask()
    seen = re.findall(r'name="request" value="(\d+)"', world.olga.get(PAGE).text)
    assert seen == [str(world.request_id())] * 2, "in both forms"
    send_back(world, world.petra)
    world.ask()
    form = {"content": world.hash(), "remark": "Good."}
    answer = world.olga.press(f"{PAGE}/approve", **form, request=seen[0])
    page = words(answer)
    assert answer.status_code == 422 and "it was asked for again. Read what they say" in page
    assert "The embassy has moved." in page and "Good.</textarea>" in answer.text
    leads_somewhere(answer)
    assert world.state() is State.WAITING
    assert world.olga.press(f"{PAGE}/approve", **form, request=str(world.request_id())).status_code == 303


def test_what_was_sent_back_and_has_changed_is_not_said_to_have_to_change(world: World) -> None:
    world.ask()
    send_back(world, world.petra)
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    page = words(world.wanda.get(PAGE))
    assert "Nothing of it is sent before somebody asks for approval again" in page and "Once it is" not in page


def test_without_words_nothing_is_sent_back(world: World) -> None:
    world.ask()
    for typed, problem in (("  ", "Say what should be changed"), ("word " * 500, "at most 2000 characters")):
        answer = send_back(world, world.petra, typed)
        assert answer.status_code == 422 and problem in answer.text
        assert 'id="send-back" open' in answer.text
    assert world.state() is State.WAITING and world.log() == []


def test_what_somebody_wants_changed_is_there_again_after_they_lost_their_session(world: World) -> None:
    world.ask()
    form = {"form_token": "0" * 64, "content": world.hash(), "request": str(world.request_id())}
    answer = world.petra.send(f"{PAGE}/send-back", form | {"wanted": "The embassy has moved."})
    page = world.petra.get(answer.location.removeprefix("/desk")).text
    assert 'id="send-back" open' in page and "The embassy has moved.</textarea>" in page
    assert world.state() is State.WAITING


def test_who_may_not_approve_sends_nothing_back(world: World, app: Flask) -> None:
    world.ask()
    assert send_back(world, world.wanda).status_code == 404
    assert send_back(world, come_in(app, Role.PUBLISHER, email="nina@example.org")).status_code == 422
    world.changed_by(world.olga)
    assert "You have changed the campaign" in send_back(world, world.olga).text
    assert world.state() is State.WAITING


def test_what_has_changed_since_the_page_is_not_sent_back_but_shown(world: World) -> None:
    world.ask()
    shown = world.hash()
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    world.ask()
    answer = send_back(world, world.petra, content=shown)
    assert answer.status_code == 422 and "so it was not sent back" in answer.text and "<ins>" in answer.text
    assert "The embassy has moved." in answer.text and world.state() is State.WAITING
    assert send_back(world, world.petra).status_code == 303, "a second press is about what this page shows"


def test_an_old_press_says_nothing_about_what_was_asked_since(world: World) -> None:
    world.ask()
    old = str(world.request_id())
    for _ in range(2):
        assert send_back(world, world.petra, request=old).status_code == 303
    assert len(world.log()) == 1
    assert "Somebody has sent it back" in send_back(world, world.olga, request=old).text
    world.ask()
    assert send_back(world, world.petra, request=old).status_code == 303  # a replay
    assert world.wanda.press(f"{PAGE}/take-back", request=old).status_code == 422
    assert world.state() is State.WAITING
    assert approve(world, request=str(world.request_id())) == 303
    assert "Somebody has approved it already" in send_back(world, world.olga).text
    assert world.wanda.press(f"{PAGE}/take-back", request=str(world.request_id())).status_code == 422
    assert world.state() is State.APPROVED


@pytest.mark.parametrize("request_id", ["", "0", "x", "-1", "9" * 30])
def test_a_press_about_no_request_does_nothing(world: World, request_id: str) -> None:
    world.ask()
    assert send_back(world, world.petra, request=request_id).status_code == 422
    assert world.wanda.press(f"{PAGE}/take-back", request=request_id).status_code == 422
    assert world.state() is State.WAITING


def test_who_asked_takes_it_back_and_nobody_is_asked_any_more(world: World) -> None:
    world.ask()
    request = str(world.request_id())
    assert "Take it back" in world.wanda.get(PAGE).text and "Take it back" not in world.petra.get(PAGE).text
    assert world.petra.press(f"{PAGE}/take-back", request=request).status_code == 422
    for _ in range(2):
        assert world.wanda.press(f"{PAGE}/take-back", request=request).status_code == 303
    assert "You have taken it back" in world.wanda.get(f"{PAGE}?taken_back=1").text
    assert world.state() is State.NONE
    assert f'href="/desk{PAGE}"' not in world.petra.get("/").text
    answer = world.petra.press(f"{PAGE}/approve", content=world.hash())
    assert answer.status_code == 422 and "taken that back" in answer.text
    assert "taken that back" in send_back(world, world.petra, request=request).text
    assert world.log() == [("campaigns.take_back", world.wanda.account_id, SLUG)]
    world.ask()
    assert approve(world) == 303


def test_who_may_approve_what_another_asks_for_is_not_offered_to_send_alone(world: World) -> None:
    link = f'href="/desk/campaigns/{SLUG}/alone"'
    assert link in world.petra.get(PAGE).text, "nobody asks yet"
    world.ask()
    assert link not in world.petra.get(PAGE).text
    assert "Look at it and decide" in (page := world.petra.get(f"/campaigns/{SLUG}/alone").text)
    assert "Tell the others" not in page
    world.changed_by(world.petra)
    assert link in world.petra.get(PAGE).text
    send_back(world, world.olga)
    assert link not in world.petra.get(PAGE).text, "a second publisher has answered"
    world.wanda.press(f"{PAGE}/ask")
    assert link not in world.petra.get(PAGE).text, "and that stays an answer to what it is"
    world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK))
    assert link in world.petra.get(PAGE).text


def test_once_it_is_approved_the_page_says_who_asked_and_who_said_yes_and_how(world: World) -> None:
    world.ask()
    world.petra.press(f"{PAGE}/approve", content=world.hash(), remark="Not before eight in Lima.")
    with world.session() as session:
        lifecycle.move(session, lifecycle.get(session, SLUG), Move.START, started_at=utcnow())
    page = words(world.olga.get(PAGE))
    for told in ("Wanda asked for approval", "The court sits on Monday.", "Petra approved it", "Not before eight"):
        assert told in page


@pytest.mark.parametrize("before", ["nobody asks", "waiting", "approved"])
def test_of_a_cancelled_campaign_the_page_says_so_and_offers_nothing(world: World, before: str) -> None:
    if before != "nobody asks":
        world.ask()
    if before == "approved":
        approve(world)
    with world.session() as session:
        control.cancel(session, lifecycle.get(session, SLUG))
    for who in (world.wanda, world.petra, world.olga):
        page = words(answer := who.get(PAGE))
        assert (
            "Cancelled" in page
            and "It was cancelled on" in page
            and ("Wanda asked" in page) is (before != "nobody asks")
        )
        untrue = ("Waiting for approval", "Nobody has asked", "people get it", "Check", "has begun", "resumes it")
        assert not [said for said in untrue if said in page.partition("On this page")[0]]
        assert '<form method="post" action="/desk/campaigns' not in answer.text and "send it alone" not in page
        assert f'class="button" href="/desk/campaigns/{SLUG}/send"' not in answer.text
    for who, press in ((world.olga, "approve"), (world.wanda, "ask")):
        answer = who.press(f"{PAGE}/{press}", content=world.hash(), words="Why?", remark="Good.")
        assert answer.status_code == 422 and "was cancelled, so there is nothing to approve" in answer.text
        leads_somewhere(answer)
    alone = words(world.petra.get(f"/campaigns/{SLUG}/alone"))
    assert "It was cancelled on" in alone and "Tell the others" not in alone


def test_of_what_goes_out_or_is_out_the_page_says_so_and_offers_nothing(world: World) -> None:
    world.approve()
    with world.session() as session:
        lifecycle.move(session, lifecycle.get(session, SLUG), Move.START, started_at=utcnow())
    page = words(world.petra.get(PAGE))
    assert "It is going out now." in page and "Olga approved it" in page and "people get it" not in page
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        lifecycle.move(session, campaign, Move.PAUSE, hold_reason="paused", held_at=utcnow())
    page = words(world.petra.get(PAGE))
    assert "When somebody resumes it" in page and "resumes it, once it is approved" not in page
    with world.session() as session:
        campaign = lifecycle.get(session, SLUG)
        lifecycle.move(session, campaign, Move.RESUME)
        lifecycle.move(session, campaign, Move.FINISH, finished_at=utcnow())
    top = words(world.petra.get(PAGE)).partition("On this page")[0]
    assert "All mails were out on" in top and "people get it" not in top and "Check" not in top


def test_what_is_scheduled_is_not_offered_to_be_sent(world: World) -> None:
    world.approve()
    button = f'class="button" href="/desk/campaigns/{SLUG}/send"'
    assert button in world.petra.get(PAGE).text
    with world.session() as session:
        at = utcnow() + timedelta(hours=3)
        lifecycle.move(session, lifecycle.get(session, SLUG), Move.SCHEDULE, scheduled_at=at)
    page = world.petra.get(PAGE)
    assert button not in page.text and "It goes out on" in words(page)


def test_a_yes_and_a_no_at_once_are_one_answer(world: World) -> None:
    world.ask()
    form = {"content": world.hash(), "request": str(world.request_id()), "wanted": "The embassy has moved."}
    answers = list[int]()

    def press(who: Organiser, what: str) -> None:
        answers.append(who.press(f"{PAGE}/{what}", **form).status_code)

    for each in [Beside(partial(press, world.petra, "approve")), Beside(partial(press, world.olga, "send-back"))]:
        each.result()
    assert sorted(answers) == [303, 422]
    assert world.state() in (State.APPROVED, State.SENT_BACK) and len(world.log()) == 1


def test_two_publishers_who_press_at_once_and_a_change_leave_what_was_approved(world: World) -> None:
    world.ask()
    shown = world.hash()
    both = [Beside(partial(who.press, f"{PAGE}/approve", content=shown)) for who in (world.petra, world.olga)]
    change = Beside(lambda: world.change(lambda campaign: setattr(campaign.texts[0], "body", MARK)))
    for each in (*both, change):
        each.result()
    assert world.state() in (State.LAPSED, State.NONE), "what it is now is what nobody approved"


@pytest.mark.parametrize("press", ["ask", "approve", "send-back", "take-back"])
def test_a_press_that_fails_at_its_end_has_done_nothing(
    world: World, press: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if press != "ask":
        world.ask()
    who = world.wanda if press == "take-back" else world.petra
    form = {"content": world.hash(), "request": str(world.request_id()), "wanted": "Another word."}

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    before = world.state()
    monkeypatch.setattr(audit, "append", fail)
    assert who.press(f"{PAGE}/{press}", **form).status_code == 500
    monkeypatch.undo()
    assert world.state() is before and world.log() == []
    with world.session() as session:
        assert notices_owed(session) == []
        assert session.get_one(Account, world.petra.account_id).disabled_at is None


def test_of_a_campaign_that_is_not_there_the_page_says_so(world: World) -> None:
    assert world.petra.get("/campaigns/no-such-thing/approval").status_code == 404
    assert world.petra.press("/campaigns/no-such-thing/approval/approve", content="0").status_code == 404
