"""Saved audiences: each belongs to an owner, has a name of its own, and says what it names that is gone."""

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import saved_audiences
from mailer.campaigns.saved_audiences import AudienceExists, NamelessAudience, UnknownAudience
from mailer.campaigns.segments import Segment
from mailer.unions import references
from tests.support.factories import make_campaign, make_list, make_union

_NORDIC = Segment(countries=("@NORDIC",), unions=("dockers",))


def test_each_owner_has_audiences_of_their_own(session: Session) -> None:
    dockers = make_union(session).id
    saved_audiences.save(session, None, "Up  north", _NORDIC)
    saved_audiences.save(session, dockers, "Up north", _NORDIC)
    [ours] = saved_audiences.all_of(session, None)
    [theirs] = saved_audiences.all_of(session, dockers)
    assert (ours.name, theirs.name, ours.audience) == ("Up north", "Up north", _NORDIC.to_json())
    assert ours.id != theirs.id


def test_no_two_of_an_owner_are_called_the_same_and_none_is_called_nothing(session: Session) -> None:
    saved_audiences.save(session, None, "Up north", _NORDIC)
    other = saved_audiences.save(session, None, "Down south", Segment())
    for name, refused in (("UP NORTH", AudienceExists), (" ", NamelessAudience), ("x" * 101, NamelessAudience)):
        with pytest.raises(refused):
            saved_audiences.save(session, None, name, Segment())
        with pytest.raises(refused):
            saved_audiences.rename(session, other.id, name)
    assert saved_audiences.rename(session, other.id, "DOWN SOUTH").name == "DOWN SOUTH"


def test_a_deleted_one_is_gone_for_whoever_comes_second(session: Session) -> None:
    saved = saved_audiences.save(session, None, "Up north", _NORDIC)
    saved_audiences.delete(session, saved.id)
    with pytest.raises(UnknownAudience):
        saved_audiences.delete(session, saved.id)


def test_one_says_what_it_names_that_there_is_no_more(session: Session) -> None:
    make_union(session)
    make_campaign(session, make_list(session), slug="alert")
    segment = Segment(unions=("dockers", "miners"), lists=("urgent-actions", "news"), not_got=("alert", "older"))
    saved = saved_audiences.save(session, None, "All sorts", segment)
    assert saved_audiences.gone(session, saved) == ["miners", "news", "older"]


def test_a_union_that_wants_another_short_name_is_called_so_in_them_too(session: Session) -> None:
    saved = saved_audiences.save(session, None, "Up north", _NORDIC)
    references.rename(session, "dockers", "unnamed-0123456789ab")
    assert saved.audience["unions"] == ["unnamed-0123456789ab"]
