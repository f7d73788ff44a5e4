"""Lists are made once and found by slug."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.locale.languages import InvalidLanguage
from mailer.people import lists
from mailer.people.lists import Words
from mailer.store import slugs
from mailer.store.db import session_scope
from mailer.store.models import SubscriptionStatus
from tests.support.concurrency import Beside
from tests.support.factories import make_campaign, make_subscriber, make_union


def test_a_list_is_made_and_found(session: Session) -> None:
    made = lists.create(session, "urgent-actions", " Urgent  actions ")
    assert lists.get(session, "urgent-actions") is made
    assert made.name == "Urgent actions"
    assert [mailing_list.slug for mailing_list in lists.all_lists(session)] == ["urgent-actions"]


def test_an_unknown_list_is_refused_with_how_to_make_it(session: Session) -> None:
    with pytest.raises(lists.UnknownList, match="mailer lists create newz --name"):
        lists.get(session, "newz")
    assert lists.find(session, "newz") is None


def test_a_file_may_name_a_list_by_its_name_and_a_misspelt_one_is_suggested(session: Session) -> None:
    made = lists.create(session, "urgent-actions", "L’appel urgent")
    assert lists.named(session, "urgent-actions") is lists.named(session, "L'APPEL  URGENT") is made
    with pytest.raises(lists.UnknownList, match="Did you mean urgent-actions, "):
        lists.get(session, "urgnt-actions")
    lists.create(session, "others", "l'appel urgent")
    with pytest.raises(lists.SeveralLists, match="others, urgent-actions"):
        lists.named(session, "L'appel urgent")


def test_the_sign_up_page_offers_lists_that_are_open(session: Session) -> None:
    lists.create(session, "urgent-actions", "Urgent actions", description=" About two\na month. ")
    lists.create(session, "staff", "Staff", is_open=False)
    assert [(each.slug, each.description) for each in lists.open_lists(session)] == [
        ("urgent-actions", "About two a month.")
    ]
    lists.change(session, "staff", is_open=True)
    lists.change(session, "urgent-actions", is_open=False)
    assert [each.slug for each in lists.open_lists(session)] == ["staff"]


def test_a_unions_own_lists_are_offered_on_its_page_only(session: Session) -> None:
    bakers, dockers = make_union(session, "bakers"), make_union(session, "dockers")
    lists.create(session, "urgent-actions", "Urgent actions")
    lists.create(session, "bakers-news", "Bakers' news", owner_id=bakers.id)
    lists.create(session, "bakers-staff", "Bakers' staff", owner_id=bakers.id, is_open=False)
    offered = {
        owner: [each.slug for each in lists.open_lists(session, owner_id=owner)]
        for owner in (None, bakers.id, dockers.id)
    }
    assert offered == {
        None: ["urgent-actions"],
        bakers.id: ["bakers-news", "urgent-actions"],
        dockers.id: ["urgent-actions"],
    }
    assert lists.open_lists(session) == lists.open_lists(session, owner_id=None)


def test_a_list_with_people_or_campaigns_is_not_handed_to_a_union(session: Session) -> None:
    bakers, dockers = make_union(session, "bakers"), make_union(session, "dockers")
    empty, joined, sent = (lists.create(session, slug, "News") for slug in ("empty", "joined", "sent"))
    make_subscriber(session, joined, status=SubscriptionStatus.UNSUBSCRIBED)
    make_campaign(session, sent)
    assert lists.hand_over(session, "empty", bakers.id) is empty
    for slug in ("joined", "sent"):
        with pytest.raises(lists.ListInUse, match=f'"{slug}" already'):
            lists.hand_over(session, slug, bakers.id)
    make_subscriber(session, empty)
    with pytest.raises(lists.ListInUse):
        lists.hand_over(session, "empty", dockers.id)
    assert lists.hand_over(session, "empty", bakers.id).owner_id == bakers.id
    assert lists.hand_over(session, "empty", None).owner_id is None
    with pytest.raises(lists.UnknownList):
        lists.hand_over(session, "newz", None)
    assert joined.owner_id is sent.owner_id is None


def test_of_a_list_only_what_is_named_is_changed(session: Session) -> None:
    lists.create(session, "news", "News", description="Once a month.", is_open=False)
    changed = lists.change(session, "news", name="All the news")
    assert (changed.name, changed.description, changed.is_open) == ("All the news", "Once a month.", False)
    lists.change(session, "news", description="")
    assert (changed.name, changed.description) == ("All the news", None)


@pytest.mark.parametrize(("name", "description"), [(" ", "Other"), ("x" * 201, "Other"), ("Other", "x" * 501)])
def test_a_change_that_is_refused_leaves_the_list_as_it_was(session: Session, name: str, description: str) -> None:
    lists.create(session, "news", "News", description="Once a month.")
    with pytest.raises((lists.NamelessList, lists.LongDescription)):
        lists.change(session, "news", name=name, description=description)
    assert (lists.get(session, "news").name, lists.get(session, "news").description) == ("News", "Once a month.")
    with pytest.raises(lists.UnknownList):
        lists.change(session, "newz", name="News")


def test_what_cannot_be_made_is_refused(session: Session) -> None:
    lists.create(session, "news", "News")
    with pytest.raises(lists.ListExists, match='named "News"'):
        lists.create(session, "news", "Other news")
    with pytest.raises(lists.NamelessList):
        lists.create(session, "other", " ")
    with pytest.raises(lists.LongDescription, match="501"):
        lists.create(session, "other", "Other", description="x" * 501)
    with pytest.raises(slugs.InvalidSlug):
        lists.create(session, "Other News", "Other news")


def test_of_two_who_make_the_same_list_at_once_one_is_told_of_the_other(engine: Engine) -> None:
    def make_it_too() -> None:
        with session_scope(engine) as session:
            lists.create(session, "news", "Other news")

    with session_scope(engine) as session:
        lists.create(session, "news", "News")
        second = Beside(make_it_too)
        second.must_wait()
    with pytest.raises(lists.ListExists, match='named "News"'):
        second.result()


# --- in other languages ---------------------------------------------------------------------------------------------

FALLBACKS = {"kk": ["ru", "en"]}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (["fr"], Words("Actions urgentes", "fr")),
        (["fr-CA"], Words("Actions urgentes", "fr")),
        (["kk"], Words("Срочные действия", "ru")),
        (["uk", "ru"], Words("Срочные действия", "ru")),
        (["de"], Words("Urgent actions", None)),
        ([None], Words("Urgent actions", None)),
        ([], Words("Urgent actions", None)),
    ],
)
def test_readers_get_the_nearest_of_their_languages_and_else_a_lists_own_name(
    session: Session, tags: list[str | None], words: Words
) -> None:
    lists.create(session, "urgent-actions", "Urgent actions")
    lists.translate(session, "urgent-actions", "FR", name=" Actions\nurgentes ")
    lists.translate(session, "urgent-actions", "ru", name="Срочные действия")
    session.expire_all()
    found = lists.get(session, "urgent-actions")
    assert lists.name_of(found).for_reader(*tags, fallbacks=FALLBACKS) == words
    assert lists.description_of(found).for_reader(*tags, fallbacks=FALLBACKS) == Words("", None)


def test_a_name_and_a_description_are_translated_each_by_itself(session: Session) -> None:
    made = lists.create(session, "news", "News", description="Once a month.")
    lists.translate(session, "news", "fr", name="Nouvelles")
    lists.translate(session, "news", "de", description="Einmal im Monat.")
    lists.translate(session, "news", "fr", description="Une fois par mois.")
    assert (made.names, made.descriptions) == (
        {"fr": "Nouvelles"},
        {"de": "Einmal im Monat.", "fr": "Une fois par mois."},
    )
    assert lists.translated_into(made) == ["de", "fr"]
    lists.translate(session, "news", "fr", name="")
    assert (made.names, made.descriptions["fr"]) == ({}, "Une fois par mois.")
    lists.drop_translation(session, "news", "fr")
    assert lists.translated_into(made) == ["de"]
    assert (made.name, made.description) == ("News", "Once a month.")


def test_a_translation_that_is_refused_leaves_the_list_as_it_was(session: Session) -> None:
    made = lists.create(session, "news", "News")
    lists.translate(session, "news", "fr", name="Nouvelles", description="Une fois par mois.")
    refused: list[tuple[type[Exception], str, str, str]] = [
        (lists.LongName, "fr", "x" * 201, "Other"),
        (lists.LongDescription, "fr", "Other", "x" * 501),
        (InvalidLanguage, "klingonese", "Other", "Other"),
    ]
    for error, language, name, description in refused:
        with pytest.raises(error):
            lists.translate(session, "news", language, name=name, description=description)
    with pytest.raises(lists.Untranslated, match="in de"):
        lists.drop_translation(session, "news", "de")
    with pytest.raises(lists.UnknownList):
        lists.translate(session, "newz", "fr", name="Nouvelles")
    assert (made.names, made.descriptions) == ({"fr": "Nouvelles"}, {"fr": "Une fois par mois."})


def test_of_two_who_translate_a_list_at_once_neither_undoes_the_other(engine: Engine) -> None:
    def translate_too() -> None:
        with session_scope(engine) as session:
            lists.get(session, "news")  # as it was before the first had committed, where that is possible
            lists.translate(session, "news", "de", name="Neuigkeiten")

    with session_scope(engine) as session:
        lists.create(session, "news", "News")
    with session_scope(engine) as session:
        lists.translate(session, "news", "fr", name="Nouvelles")
        second = Beside(translate_too)
        second.must_wait()
    second.result()
    with session_scope(engine) as session:
        assert lists.get(session, "news").names == {"fr": "Nouvelles", "de": "Neuigkeiten"}
