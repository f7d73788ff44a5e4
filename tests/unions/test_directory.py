"""Unions stand in federations, and a federation means all that it contains."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer.formats import logos
from mailer.locale import countries, languages
from mailer.store import slugs
from mailer.store.db import session_scope
from mailer.store.models import UnionStatus
from mailer.unions import directory
from mailer.unions.directory import (
    CircularFederation,
    ImplausibleSize,
    NamelessUnion,
    TellingSlug,
    TooManyLanguages,
    UnionExists,
    UnknownUnion,
    UnusableText,
)
from tests.support.concurrency import Beside
from tests.support.factories import make_campaign, make_list


@pytest.fixture
def tree(session: Session) -> dict[str, int]:
    """world → europe → dockers-gb, dockers-fr; world → miners; teachers on its own. Slug → id."""
    directory.add(session, "world", "World Federation")
    directory.add(session, "europe", "European Federation", parent_slug="world")
    directory.add(session, "dockers-gb", "Dockers", country="United Kingdom", parent_slug="europe")
    directory.add(session, "dockers-fr", "Dockers", country="FR", parent_slug="europe")
    directory.add(session, "miners", "Miners United", country="ZA", parent_slug="world")
    directory.add(session, "teachers", "Teachers", country="ES")
    return {union.slug: union.id for union in directory.all_unions(session)}


def test_a_federation_contains_its_unions_at_any_depth(session: Session, tree: dict[str, int]) -> None:
    assert directory.descendants(session, ["world"]) == set(tree.values()) - {tree["teachers"]}
    assert directory.descendants(session, ["europe", "teachers"]) == {
        tree[slug] for slug in ("europe", "dockers-gb", "dockers-fr", "teachers")
    }
    assert directory.descendants(session, ["miners"]) == {tree["miners"]}
    assert directory.descendants(session, []) == set()


def test_a_union_knows_every_federation_above_it(session: Session, tree: dict[str, int]) -> None:
    above = directory.ancestors_by_union(session)
    assert above[tree["dockers-gb"]] == {"dockers-gb", "europe", "world"}
    assert above[tree["world"]] == {"world"}
    assert set(above) == set(tree.values())


def test_a_circle_made_by_hand_is_walked_once(session: Session, tree: dict[str, int]) -> None:
    directory.get(session, "world").parent_id = tree["dockers-gb"]
    session.flush()
    assert directory.descendants(session, ["europe"]) == set(tree.values()) - {tree["teachers"]}
    assert directory.ancestors_by_union(session)[tree["world"]] == {"world", "dockers-gb", "europe"}


def test_a_file_finds_a_union_by_slug_or_by_a_name_that_is_its_alone(session: Session, tree: dict[str, int]) -> None:
    assert directory.named(session, "miners").id == directory.named(session, "MINERS  United").id == tree["miners"]
    with pytest.raises(directory.SeveralUnions, match="dockers-fr, dockers-gb"):
        directory.named(session, "Dockers")
    with pytest.raises(UnknownUnion, match='Did you mean miners, "Miners United"'):
        directory.named(session, "Mineers United")


def test_a_slug_that_is_another_unions_name_means_the_slug(session: Session, tree: dict[str, int]) -> None:
    directory.add(session, "mu", "Miners")
    assert directory.named(session, "miners").id == tree["miners"]
    with pytest.raises(directory.SeveralUnions):
        directory.named(session, "Miners")


def test_country_is_kept_as_a_code(session: Session, tree: dict[str, int]) -> None:
    assert directory.get(session, "dockers-gb").country == "GB"
    assert directory.get(session, "world").country is None


def test_what_cannot_be_added_is_refused(session: Session, tree: dict[str, int]) -> None:
    with pytest.raises(UnionExists, match="World Federation"):
        directory.add(session, "world", "Another")
    with pytest.raises(UnknownUnion, match="mailer unions add nowhere"):
        directory.add(session, "new", "New", parent_slug="nowhere")
    with pytest.raises(UnknownUnion):
        directory.add(session, "own-parent", "New", parent_slug="own-parent")
    with pytest.raises(countries.UnknownCountry):
        directory.add(session, "new", "New", country="Atlantis")
    with pytest.raises(NamelessUnion):
        directory.add(session, "new", "  ")
    with pytest.raises(UnknownUnion):
        directory.descendants(session, ["nowhere"])


@pytest.mark.parametrize(
    "slug", ["", "Upper", "under_score", "-start", "end-", "two--hyphens", "é", "a b", "x" * 81, "a\n"]
)
def test_a_slug_is_lowercase_letters_digits_and_hyphens(session: Session, slug: str) -> None:
    with pytest.raises(slugs.InvalidSlug):
        directory.add(session, slug, "Name")


def test_of_two_who_add_the_same_union_at_once_one_is_told_of_the_other(engine: Engine) -> None:
    def add_it_too() -> None:
        with session_scope(engine) as session:
            directory.add(session, "dockers", "Other dockers")

    with session_scope(engine) as session:
        directory.add(session, "dockers", "Dockers")
        second = Beside(add_it_too)
        second.must_wait()
    with pytest.raises(UnionExists, match='named "Dockers"'):
        second.result()


def test_names_to_choose_from_are_those_of_the_country_first(session: Session, tree: dict[str, int]) -> None:
    assert directory.names_to_choose_from(session, "ZA", most=3) == ["Miners United", "Dockers", "European Federation"]
    everywhere = ["Dockers", "European Federation", "Miners United", "Teachers", "World Federation"]
    assert directory.names_to_choose_from(session, None, most=10) == everywhere
    assert directory.names_to_choose_from(session, "FR", most=10) == everywhere


@pytest.mark.parametrize(
    ("typed", "country", "slug"),
    [
        ("Miners United", None, "miners"),
        ("  mINERS   united ", "GB", "miners"),
        ("Miners\u00a0\u200bUnited", None, "miners"),
        ("Mi\u0301ners’ United", None, "miners"),
        ("miners", None, "miners"),
        ("Dockers", "GB", "dockers-gb"),
        ("dockers", "FR", "dockers-fr"),
        ("Dockers", None, None),
        ("Dockers", "ZA", None),
        ("Dockers of Atlantis", "GB", None),
        ("", "GB", None),
        ("\x00%_", None, None),
    ],
)
def test_a_union_is_recognised_as_people_type_it(
    session: Session, tree: dict[str, int], typed: str, country: str | None, slug: str | None
) -> None:
    assert directory.recognise(session, typed, country) == (tree[slug] if slug else None)


def test_a_union_is_recognised_in_any_script(session: Session) -> None:
    union = directory.add(session, "osyp", "Όσυπ Αθήνας")
    assert directory.recognise(session, "ΌΣΥΠ ΑΘΉΝΑΣ", None) == union.id


# --- what is known of a union ---------------------------------------------------------------------------------------


def test_a_union_is_added_with_all_that_is_known(session: Session) -> None:
    union = directory.add(
        session,
        "dockers",
        "Dockers",
        status=UnionStatus.AFFILIATED,
        languages=["FR", "pt_br", "fr"],
        members=1200,
        is_named=False,
    )
    session.commit()
    session.refresh(union)
    assert (union.status, union.languages, union.members) == (UnionStatus.AFFILIATED, ["fr", "pt-BR"], 1200)
    assert (union.is_named, union.introductions, union.logo) == (False, {}, None)
    assert union.affiliated_at is not None
    assert (union.interested_at, union.lapsed_at) == (None, None)


def test_only_what_is_named_is_changed(session: Session, tree: dict[str, int]) -> None:
    union = directory.change(
        session, "dockers-gb", members=900, languages=["en"], is_named=False, resolution="Carried.\r\n"
    )
    directory.change(session, union.slug, name=" Dockers  of Britain ")
    session.commit()
    session.refresh(union)
    assert (union.name, union.country, union.parent_id) == ("Dockers of Britain", "GB", tree["europe"])
    assert (union.members, union.languages, union.is_named) == (900, ["en"], False)
    assert f"{union.resolution}" == "Carried."
    directory.change(
        session, union.slug, country="", parent_slug="", languages=[], members=0, is_named=True, resolution=""
    )
    session.commit()
    session.refresh(union)
    assert (union.country, union.parent_id, union.members, union.resolution) == (None, None, None, None)
    assert (union.languages, union.is_named) == ([], True)


def test_no_union_comes_to_contain_itself(session: Session, tree: dict[str, int]) -> None:
    for parent in ("world", "europe", "dockers-gb"):
        with pytest.raises(CircularFederation):
            directory.change(session, "world", parent_slug=parent)
    directory.change(session, "dockers-gb", parent_slug="teachers")
    assert directory.children(session, directory.get(session, "teachers")) == [directory.get(session, "dockers-gb")]
    directory.change(session, "world", parent_slug="dockers-gb")
    assert directory.ancestors_by_union(session)[tree["world"]] == {"world", "dockers-gb", "teachers"}


def test_of_two_who_put_unions_under_each_other_one_is_told(engine: Engine, session: Session) -> None:
    for slug in ("one", "other"):
        directory.add(session, slug, slug)
    session.commit()

    def put_one_under_other() -> None:
        with session_scope(engine) as second:
            directory.change(second, "one", parent_slug="other")

    directory.change(session, "other", parent_slug="one")
    second = Beside(put_one_under_other)
    second.must_wait()
    session.commit()
    with pytest.raises(CircularFederation):
        second.result()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": ""}, NamelessUnion),
        ({"name": "x" * 201}, NamelessUnion),
        ({"country": "Atlantis"}, countries.UnknownCountry),
        ({"parent_slug": "nowhere"}, UnknownUnion),
        ({"languages": ["klingonish"]}, languages.InvalidLanguage),
        ({"languages": [f"en-{number}" for number in range(100, 121)]}, TooManyLanguages),
        ({"members": -1}, ImplausibleSize),
        ({"members": 10**9}, ImplausibleSize),
        ({"resolution": "x" * 2001}, UnusableText),
    ],
)
def test_a_wrong_change_changes_nothing(
    session: Session, tree: dict[str, int], wrong: dict[str, Any], error: type[Exception]
) -> None:
    right: dict[str, Any] = {"name": "New", "country": "DE", "languages": ["de"], "members": 5, "is_named": False}
    with pytest.raises(error):
        directory.change(session, "miners", **(right | wrong))
    union = directory.get(session, "miners")
    assert (union.name, union.country, union.languages, union.members, union.is_named) == (
        "Miners United",
        "ZA",
        [],
        None,
        True,
    )


def test_a_union_introduces_alerts_in_its_own_words_in_each_language(session: Session) -> None:
    union = directory.add(session, "dockers", "Dockers")
    directory.introduce(session, "dockers", "EN", "  Dear members,\r\n\r\nread this. \n")
    directory.introduce(session, "dockers", "fr", "Chers membres")
    session.commit()
    session.refresh(union)
    assert union.introductions == {"en": "Dear members,\n\nread this.", "fr": "Chers membres"}
    directory.introduce(session, "dockers", "en", None)
    session.commit()
    session.refresh(union)
    assert union.introductions == {"fr": "Chers membres"}


@pytest.mark.parametrize("words", ["", " \n ", "x" * 1001, "a\x07b", "a\x1b[31mb", "a\x00b", "\ud800"])
def test_an_introduction_is_plain_text_of_a_readable_length(session: Session, words: str) -> None:
    directory.add(session, "dockers", "Dockers")
    with pytest.raises(UnusableText, match="introduction"):
        directory.introduce(session, "dockers", "en", words)
    directory.introduce(session, "dockers", "en", "x" * 1000)


def test_a_logo_is_kept_as_a_small_png(session: Session) -> None:
    union = directory.add(session, "dockers", "Dockers")
    picture = io.BytesIO()
    Image.new("RGB", (900, 300), "red").save(picture, "JPEG")
    directory.set_logo(session, "dockers", picture.getvalue())
    session.commit()
    session.expire_all()
    assert union.logo is not None
    assert union.logo.startswith(b"\x89PNG")
    with pytest.raises(logos.UnusableLogo):
        directory.set_logo(session, "dockers", b"no picture")
    directory.set_logo(session, "dockers", None)
    session.commit()
    session.expire_all()
    assert union.logo is None


# --- what the public sees -------------------------------------------------------------------------------------------


def test_the_slug_of_a_union_that_asked_not_to_be_named_is_random(session: Session, tree: dict[str, int]) -> None:
    added = directory.add(session, "silent", "The Silent Ones", is_named=False)
    changed = directory.change(session, "miners", is_named=False)
    session.commit()
    for union in (added, changed):
        assert re.fullmatch(r"unnamed-[0-9a-f]{12}", union.slug)
        assert directory.get(session, union.slug) is union
    assert added.slug != changed.slug
    assert directory.find(session, "silent") is None
    assert directory.find(session, "miners") is None
    kept = changed.slug
    assert directory.change(session, kept, members=12).slug == kept
    assert directory.change(session, kept, is_named=False).slug == kept
    assert directory.add(session, "unnamed-0123456789ab", "From elsewhere", is_named=False).slug == (
        "unnamed-0123456789ab"
    )


def test_a_union_that_may_be_named_is_called_as_an_organiser_chooses(session: Session, tree: dict[str, int]) -> None:
    union = directory.change(session, "miners", is_named=False)
    random = union.slug
    with pytest.raises(TellingSlug, match=random):
        directory.change(session, random, new_slug="miners")
    with pytest.raises(TellingSlug):
        directory.change(session, "teachers", new_slug="educators", is_named=False)
    assert directory.change(session, random, is_named=True).slug == random
    with pytest.raises(UnionExists, match='"teachers"'):
        directory.change(session, random, new_slug="teachers")
    with pytest.raises(slugs.InvalidSlug):
        directory.change(session, random, new_slug="The Miners")
    revision = union.revision
    assert directory.change(session, random, new_slug="miners").slug == "miners"
    session.refresh(union)
    assert union.revision == revision + 1  # its kits carry the link to its join page


def test_campaigns_go_on_meaning_a_union_whose_slug_changes(session: Session, tree: dict[str, int]) -> None:
    campaign = make_campaign(
        session,
        make_list(session),
        audience={"unions": ["miners", "world"], "exclude_unions": ["miners"], "lists": ["miners"]},
        body="""miners {% if union == "miners" and country != 'miners' or union not in ('teachers', 'miners') %}
        "miners"{% elif (union)!=('miners') or language in ["miners"] %}{{ name or "miners" }}{% endif %}""",
    )
    session.commit()
    slug = directory.change(session, "miners", is_named=False).slug
    session.commit()
    session.refresh(campaign)
    assert campaign.audience == {"unions": [slug, "world"], "exclude_unions": [slug], "lists": ["miners"]}
    (text,) = campaign.texts
    session.refresh(text)
    assert text.body == (
        f"""miners {{% if union == "{slug}" and country != 'miners' or union not in ('teachers', '{slug}') %}}
        "miners"{{% elif (union)!=('{slug}') or language in ["miners"] %}}{{{{ name or "miners" }}}}{{% endif %}}"""
    )


def test_a_union_that_asked_not_to_be_named_is_named_to_nobody(session: Session, tree: dict[str, int]) -> None:
    directory.change(session, "miners", is_named=False)
    assert "Miners United" not in directory.names_to_choose_from(session, "ZA", most=10)
    assert directory.recognise(session, "Miners United", "ZA") is None
    assert directory.recognise(session, "miners", None) is None
    assert directory.find_named(session, "miners") is None
    assert directory.find_named(session, "nowhere") is None


def test_a_union_that_may_be_named_is_found(session: Session, tree: dict[str, int]) -> None:
    union = directory.find_named(session, "miners")
    assert union is not None
    assert union.id == tree["miners"]


def test_imports_and_audiences_still_know_it(session: Session, tree: dict[str, int]) -> None:
    directory.change(session, "miners", is_named=False)
    assert directory.named(session, "Miners United").id == tree["miners"]
    assert tree["miners"] in directory.descendants(session, ["world"])
    assert tree["miners"] in {union.id for union in directory.all_unions(session)}


def test_unions_of_a_name_are_found_however_it_is_written(session: Session, tree: dict[str, int]) -> None:
    found = [union.slug for union in directory.of_name(session, " DOCKERS ")]
    assert found == ["dockers-fr", "dockers-gb"]
    assert directory.of_name(session, "Dock") == []
