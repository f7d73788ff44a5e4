"""Unions stand in federations, and a federation means all that it contains."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mailer import countries, slugs, unions
from mailer.db import session_scope
from mailer.unions import NamelessUnion, UnionExists, UnknownUnion
from tests.concurrency import Beside


@pytest.fixture
def tree(session: Session) -> dict[str, int]:
    """world → europe → dockers-gb, dockers-fr; world → miners; teachers on its own. Slug → id."""
    unions.add(session, "world", "World Federation")
    unions.add(session, "europe", "European Federation", parent_slug="world")
    unions.add(session, "dockers-gb", "Dockers", country="United Kingdom", parent_slug="europe")
    unions.add(session, "dockers-fr", "Dockers", country="FR", parent_slug="europe")
    unions.add(session, "miners", "Miners United", country="ZA", parent_slug="world")
    unions.add(session, "teachers", "Teachers", country="ES")
    return {union.slug: union.id for union in unions.all_unions(session)}


def test_a_federation_contains_its_unions_at_any_depth(session: Session, tree: dict[str, int]) -> None:
    assert unions.descendants(session, ["world"]) == set(tree.values()) - {tree["teachers"]}
    assert unions.descendants(session, ["europe", "teachers"]) == {
        tree[slug] for slug in ("europe", "dockers-gb", "dockers-fr", "teachers")
    }
    assert unions.descendants(session, ["miners"]) == {tree["miners"]}
    assert unions.descendants(session, []) == set()


def test_a_union_knows_every_federation_above_it(session: Session, tree: dict[str, int]) -> None:
    above = unions.ancestors_by_union(session)
    assert above[tree["dockers-gb"]] == {"dockers-gb", "europe", "world"}
    assert above[tree["world"]] == {"world"}
    assert set(above) == set(tree.values())


def test_a_circle_made_by_hand_is_walked_once(session: Session, tree: dict[str, int]) -> None:
    unions.get(session, "world").parent_id = tree["dockers-gb"]
    session.flush()
    assert unions.descendants(session, ["europe"]) == set(tree.values()) - {tree["teachers"]}
    assert unions.ancestors_by_union(session)[tree["world"]] == {"world", "dockers-gb", "europe"}


def test_a_union_is_found_by_slug_or_by_a_name_that_is_its_alone(session: Session, tree: dict[str, int]) -> None:
    found = unions.ids_by_slug_or_name(session)
    assert found["miners"] == found["Miners United"] == tree["miners"]
    assert "Dockers" not in found


def test_country_is_kept_as_a_code(session: Session, tree: dict[str, int]) -> None:
    assert unions.get(session, "dockers-gb").country == "GB"
    assert unions.get(session, "world").country is None


def test_what_cannot_be_added_is_refused(session: Session, tree: dict[str, int]) -> None:
    with pytest.raises(UnionExists, match="World Federation"):
        unions.add(session, "world", "Another")
    with pytest.raises(UnknownUnion, match="mailer unions add nowhere"):
        unions.add(session, "new", "New", parent_slug="nowhere")
    with pytest.raises(UnknownUnion):
        unions.add(session, "own-parent", "New", parent_slug="own-parent")
    with pytest.raises(countries.UnknownCountry):
        unions.add(session, "new", "New", country="Atlantis")
    with pytest.raises(NamelessUnion):
        unions.add(session, "new", "  ")
    with pytest.raises(UnknownUnion):
        unions.descendants(session, ["nowhere"])


@pytest.mark.parametrize(
    "slug", ["", "Upper", "under_score", "-start", "end-", "two--hyphens", "é", "a b", "x" * 81, "a\n"]
)
def test_a_slug_is_lowercase_letters_digits_and_hyphens(session: Session, slug: str) -> None:
    with pytest.raises(slugs.InvalidSlug):
        unions.add(session, slug, "Name")


def test_of_two_who_add_the_same_union_at_once_one_is_told_of_the_other(engine: Engine) -> None:
    def add_it_too() -> None:
        with session_scope(engine) as session:
            unions.add(session, "dockers", "Other dockers")

    with session_scope(engine) as session:
        unions.add(session, "dockers", "Dockers")
        second = Beside(add_it_too)
        second.must_wait()
    with pytest.raises(UnionExists, match='named "Dockers"'):
        second.result()


def test_names_to_choose_from_are_those_of_the_country_first(session: Session, tree: dict[str, int]) -> None:
    assert unions.names_to_choose_from(session, "ZA", most=3) == ["Miners United", "Dockers", "European Federation"]
    everywhere = ["Dockers", "European Federation", "Miners United", "Teachers", "World Federation"]
    assert unions.names_to_choose_from(session, None, most=10) == everywhere
    assert unions.names_to_choose_from(session, "FR", most=10) == everywhere


@pytest.mark.parametrize(
    ("typed", "country", "slug"),
    [
        ("Miners United", None, "miners"),
        ("  mINERS   united ", "GB", "miners"),
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
    assert unions.recognise(session, typed, country) == (tree[slug] if slug else None)


def test_a_union_is_recognised_in_any_script(session: Session) -> None:
    union = unions.add(session, "osyp", "Όσυπ Αθήνας")
    assert unions.recognise(session, "ΌΣΥΠ ΑΘΉΝΑΣ", None) == union.id
