"""A petition and targets that are written at the desk are those that loading a folder makes."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import appeals, drafts, files, folders, lifecycle, petitions
from mailer.campaigns.appeals import ChangedMeanwhile, KindHasNone, WrongTargets
from mailer.campaigns.lifecycle import NoDraft
from mailer.campaigns.petitions import WrongPetition
from mailer.campaigns.text_versions import Saving
from mailer.cases.targets import Written
from mailer.store.models import Campaign, CampaignStatus, Edition
from tests.support.factories import WHEN, make_campaign, make_list

TO = [("en", " the Embassy\n of Ondoria "), ("pt-br", "a “embaixada” \\ de Ondória")]
EMBASSY = Written(["gb", "@eu", "Norway"], " Embassy ", "embassy@EXAMPLE.org", "1 High St\nLondon")
MINISTRY = Written([], "Ministry")


@pytest.fixture
def draft(session: Session) -> Campaign:
    return make_campaign(session, make_list(session))


def write(session: Session, draft: Campaign, *targets: Written) -> bool:
    return appeals.write_targets(session, draft, targets, seen=appeals.targets_mark(draft))


def test_what_is_written_is_the_same_after_it_was_exported_and_loaded_and_in_a_copy(
    session: Session, draft: Campaign, tmp_path: Path
) -> None:
    assert appeals.write_petition(session, draft, TO, seen=appeals.petition_mark(draft))
    assert write(session, draft, EMBASSY, MINISTRY)
    petition, targets = draft.petition, draft.targets
    assert petition == {"to": {"en": "the Embassy of Ondoria", "pt-BR": "a “embaixada” \\ de Ondória"}}
    assert targets == [
        {
            "countries": ["GB", "NO"],
            "groups": ["@EU"],
            "name": "Embassy",
            "email": "embassy@example.org",
            "address": "1 High St\nLondon",
        },
        {"countries": [], "name": "Ministry", "email": "", "address": ""},
    ]
    folder = folders.write(session, draft, tmp_path)
    draft.petition, draft.targets = None, []
    session.flush()
    files.load(session, folder)
    assert draft.targets == targets and lifecycle.get(session, draft.slug).petition == petition
    copied = drafts.copy(session, draft, "again", Saving(base=0, at=WHEN))
    assert (copied.petition, copied.targets) == (petition, targets)


def test_what_was_rendered_before_is_made_anew_and_what_is_saved_again_changes_nothing(
    session: Session, draft: Campaign
) -> None:
    asked: list[int] = []
    for _ in range(2):
        appeals.write_petition(
            session, draft, TO, seen=appeals.petition_mark(draft), before_change=lambda: asked.append(1)
        )
    assert asked == [1]
    session.add(Edition(campaign_id=draft.id, language="en", variant="", rendering={}))
    session.flush()
    assert write(session, draft, MINISTRY) and not session.query(Edition).count()
    assert not write(session, draft, MINISTRY)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([("fr", "le président")], {"en": "is missing in en"}),
        ([("en", " "), ("fr", "le président")], {"en": "must say who gets the names"}),
        ([("en", "x" * 201)], {"en": "may have 200 letters"}),
        ([("en", "x"), ("fr", "y"), ("FR", "z")], {"FR": "is written twice in fr"}),
        ([("en", "x"), ("not a tag", "y")], {"not a tag": '"not a tag" is not a language'}),
    ],
)
def test_a_petition_that_nobody_could_sign_is_not_saved(
    session: Session, draft: Campaign, written: list[tuple[str, str]], said: dict[str, str]
) -> None:
    with pytest.raises(WrongPetition) as refused:
        appeals.write_petition(session, draft, written, seen=appeals.petition_mark(draft))
    found = {each.language: str(each.why) for each in refused.value.wrong}
    assert found.keys() == said.keys() and all(found[key].startswith(said[key]) for key in said), found
    assert draft.petition is None


def test_without_anybody_who_gets_the_names_there_is_no_petition(session: Session, draft: Campaign) -> None:
    appeals.write_petition(session, draft, TO, seen=appeals.petition_mark(draft))
    assert appeals.write_petition(session, draft, [], seen=appeals.petition_mark(draft))
    assert petitions.of(draft) is None


def test_all_that_is_wrong_with_targets_is_told_at_its_place(session: Session, draft: Campaign) -> None:
    targets = [
        Written(["GB", "Atlantis", "@XY"], "", "at home"),
        Written(["@G7"], "Embassy"),
        Written([], "Ministry"),
        Written(["Atlantis"], "Court"),
        Written([], "President"),
    ]
    with pytest.raises(WrongTargets) as refused:
        write(session, draft, *targets)
    assert [(each.nth, each.field, each.text) for each in refused.value.wrong] == [
        (1, "countries", "Atlantis"),
        (1, "countries", "@XY"),
        (1, "name", ""),
        (1, "email", "at home"),
        (2, "countries", "GB"),
        (4, "countries", "Atlantis"),
        (5, "countries", ""),
    ]
    assert draft.targets == []


def test_of_two_who_write_the_second_overwrites_nobody(session: Session, draft: Campaign) -> None:
    seen, of_petition = appeals.targets_mark(draft), appeals.petition_mark(draft)
    write(session, draft, EMBASSY)
    appeals.write_petition(session, draft, TO, seen=of_petition)
    with pytest.raises(ChangedMeanwhile):
        appeals.write_targets(session, draft, [MINISTRY], seen=seen)
    with pytest.raises(ChangedMeanwhile):
        appeals.write_petition(session, draft, [], seen=of_petition)
    assert [each["name"] for each in draft.targets] == ["Embassy"] and draft.petition


def test_what_another_kind_cannot_have_can_be_taken_out_and_not_added(session: Session, draft: Campaign) -> None:
    write(session, draft, EMBASSY)
    appeals.write_petition(session, draft, TO, seen=appeals.petition_mark(draft))
    draft.kind = "update"
    with pytest.raises(KindHasNone):
        write(session, draft, EMBASSY, MINISTRY)
    with pytest.raises(KindHasNone):
        appeals.write_petition(session, draft, TO[:1], seen=appeals.petition_mark(draft))
    assert write(session, draft)
    assert appeals.write_petition(session, draft, [], seen=appeals.petition_mark(draft))
    assert (draft.targets, draft.petition) == ([], None)


def test_what_is_no_draft_stays_as_it_is(session: Session, draft: Campaign) -> None:
    draft.status = CampaignStatus.SCHEDULED
    session.flush()
    with pytest.raises(NoDraft):
        write(session, draft, MINISTRY)
    with pytest.raises(NoDraft):
        appeals.write_petition(session, draft, TO, seen=appeals.petition_mark(draft))
