"""Saved audiences at the desk: saved from one draft, chosen for another, renamed and deleted."""

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import saved_audiences
from mailer.campaigns.segments import Segment
from mailer.store.models import AuditEntry, Role
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import make_campaign, make_list, make_subscriber, make_union

PAGE = "/campaigns/free-the-five/audience"
_NORTH = Segment(countries=("NO",))


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is saved is tested on both databases where the domain does so


@pytest.fixture
def wanda(app: Flask, session: Session) -> Organiser:
    alerts = make_list(session)
    make_campaign(session, alerts)
    for _ in range(12):
        make_subscriber(session, alerts, country="NO")
    session.commit()
    return come_in(app, Role.WRITER)


def names(session: Session) -> list[str]:
    session.expire_all()
    found = [each.name for each in saved_audiences.all_of(session, None)]
    session.rollback()
    return found


def saved(session: Session, name: str = "Up north", segment: Segment = _NORTH) -> int:
    found = saved_audiences.save(session, None, name, segment).id
    session.commit()
    return found


def test_what_is_chosen_is_saved_under_a_name_and_chosen_again_and_the_draft_stays(
    session: Session, wanda: Organiser
) -> None:
    seen = wanda.get(PAGE).text.partition('name="seen" value="')[2].partition('"')[0]
    asked = {"list": "urgent-actions", "seen": seen, "countries": "Norway", "name": "Up north"}
    answer = wanda.press(f"{PAGE}/keep", **asked)
    assert answer.status_code == 303 and "kept=1" in answer.location
    assert "Saved under its name." in words(wanda.get(answer.location.removeprefix("/desk")))
    assert names(session) == ["Up north"]
    page = wanda.get(PAGE)
    address = page.text.partition('<ul class="saved">')[2].partition('href="')[2].partition('"')[0]
    chosen = wanda.get(address.replace("&amp;", "&").removeprefix("/desk"))
    assert 'name="countries:NO" value="yes" checked' in chosen.text and "not saved yet" in words(chosen)
    assert [each.action for each in session.scalars(select(AuditEntry))] == ["audiences.save"]


def test_a_name_that_does_not_do_is_said_at_its_field_and_nothing_is_lost(session: Session, wanda: Organiser) -> None:
    saved(session)
    asked = {"list": "urgent-actions", "seen": "0", "countries": "Norway"}
    for name, said in (("up NORTH", "There is an audience of that name already."), ("", "Type a name")):
        answer = wanda.press(f"{PAGE}/keep", **asked, name=name)
        assert answer.status_code == 422 and said in words(answer)
        assert 'name="countries:NO" value="yes" checked' in answer.text and f'value="{name}"' in answer.text
    assert names(session) == ["Up north"]


def test_only_those_of_the_owner_of_the_list_are_offered(session: Session, wanda: Organiser) -> None:
    union = make_union(session)
    saved_audiences.save(session, union.id, "Ours alone", Segment())
    saved(session)
    said = words(wanda.get(PAGE))
    assert "Up north" in said and "Ours alone" not in said
    assert "Ours alone" in words(wanda.get("/audiences"))


def test_one_that_names_what_is_gone_says_so_and_so_does_the_page_where_it_is_chosen(
    session: Session, wanda: Organiser
) -> None:
    saved(session, segment=Segment(countries=("NO",), not_got=("older",)))
    assert "It names what there is no more: older ." in words(wanda.get("/audiences"))
    chosen = wanda.get(f"{PAGE}?list=urgent-actions&seen=0&countries=NO&not_got=older")
    assert "There is no campaign “older” any more" in words(chosen)
    assert 'name="countries:NO" value="yes" checked' in chosen.text


def test_one_is_renamed_and_deleted_and_a_second_press_does_nothing(session: Session, wanda: Organiser) -> None:
    number = saved(session)
    saved(session, "Down south")
    refused = wanda.press(f"/audiences/{number}/rename", name="Down South")
    assert refused.status_code == 422 and "There is an audience of that name already." in words(refused)
    assert 'value="Down South"' in refused.text
    assert wanda.press(f"/audiences/{number}/rename", name="North of here").status_code == 303
    assert names(session) == ["Down south", "North of here"]
    for _ in range(2):
        assert wanda.press(f"/audiences/{number}/delete").status_code == 303
    assert names(session) == ["Down south"]
    actions = [each.action for each in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert actions == ["audiences.rename", "audiences.delete"]


def test_none_yet_says_how_one_is_saved(wanda: Organiser) -> None:
    assert "None is saved yet" in words(wanda.get("/audiences"))
