"""Nobody is named whose name was not to be, and nobody at all who lives where the authorities are."""

from collections import Counter
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from mailer.campaigns import handing_over, signatures
from mailer.campaigns.signatures import Name, NoPetition, NoSuchSignature
from mailer.store.models import Act, ActKind, Campaign, CampaignStatus, Signature, Subscriber, new_act_id
from tests.support.factories import (
    make_act,
    make_campaign,
    make_case,
    make_list,
    make_signature,
    make_subscriber,
)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.about, campaign.petition = "DK", {"to": {"en": "the Embassy of Denmark", "fr": "l’ambassade du Danemark"}}
    return campaign


def sign(session: Session, campaign: Campaign, name: str, country: str | None = "GB", **columns: object) -> Signature:
    return make_signature(session, campaign, make_subscriber(session, country=country), name=name, **columns)


def shown(session: Session, campaign: Campaign) -> list[str]:
    return [each.name for each in signatures.shown(session, campaign)[0]]


def test_names_are_shown_whose_owners_want_it_by_the_alphabet(session: Session, campaign: Campaign) -> None:
    sign(session, campaign, "zoe", place="Porto")
    sign(session, campaign, "Ana", is_handed_over=False)
    sign(session, campaign, "Only for the petition", is_shown=False)
    sign(session, campaign, "Found to be bad", is_hidden=True)
    other = make_campaign(session, campaign.mailing_list, slug="another")
    sign(session, other, "Elsewhere")
    assert signatures.shown(session, campaign) == ([Name("Ana", None), Name("zoe", "Porto")], False)
    handed_over = signatures.hand_over(session, campaign, language="en")
    assert handed_over.names == [Name("Only for the petition", None), Name("zoe", "Porto")]


@pytest.mark.parametrize("country", ["DK", "GL", "FO", None])
def test_nobody_at_home_in_its_territories_or_nowhere_is_named_though_a_row_were_there(
    session: Session, campaign: Campaign, country: str | None
) -> None:
    sign(session, campaign, "Ana", country)
    assert shown(session, campaign) == []
    assert signatures.hand_over(session, campaign, language="en").names == []


@pytest.mark.parametrize("moved_to", ["DK", "GL", None])
def test_whoever_moved_home_or_takes_their_country_back_is_named_to_nobody_and_their_name_goes(
    session: Session, campaign: Campaign, moved_to: str | None
) -> None:
    sign(session, campaign, "Ana")
    stays = sign(session, campaign, "Zoe")
    session.scalars(select(Subscriber).order_by(Subscriber.id)).first().country = moved_to  # type: ignore[union-attr]
    session.flush()
    assert shown(session, campaign) == ["Zoe"]
    assert [each.name for each in signatures.hand_over(session, campaign, language="en").names] == ["Zoe"]
    assert [each.name for each in signatures.listed(session, campaign)] == ["Zoe"]
    signatures.drop(session, signatures.at_home(session))
    assert session.scalars(select(Signature.act_id)).all() == [stays.act_id]
    assert len(session.scalars(select(Act)).all()) == 2


def test_once_a_case_is_found_to_be_about_another_country_nobody_there_is_told_to_organisers_either(
    session: Session, campaign: Campaign
) -> None:
    sign(session, campaign, "Ana", "SE")
    campaign.case = make_case(session, country="SE")
    assert signatures.listed(session, campaign) == []
    assert len(signatures.at_home(session)) == 1


def test_a_word_that_must_not_appear_is_neither_shown_nor_handed_over_also_if_it_came_later(
    session: Session, campaign: Campaign
) -> None:
    sign(session, campaign, "Amal Odeh")
    sign(session, campaign, "Ana", place="for Amal Odeh")
    sign(session, campaign, "Zoe")
    campaign.case = make_case(session, country="DK", never=["Amal Odeh"])
    assert shown(session, campaign) == ["Zoe"]
    assert [each.name for each in signatures.hand_over(session, campaign, language="en").names] == ["Zoe"]


def test_a_page_has_so_many_names_and_which_says_nothing_of_when_they_signed(
    session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "PER_PAGE", 4)
    for number in range(10):
        sign(session, campaign, f"Name {number}")
    pages = [signatures.shown(session, campaign, page=page) for page in (1, 2, 3, 4)]
    assert [(len(names), more) for names, more in pages] == [(4, True), (4, True), (2, False), (0, False)]
    assert {each.name for names, _ in pages for each in names} == {f"Name {number}" for number in range(10)}
    by_id = [each.name for each in session.scalars(select(Signature).order_by(Signature.act_id))]
    assert [{each.name for each in names} for names, _ in pages[:3]] == [
        set(by_id[:4]), set(by_id[4:8]), set(by_id[8:])
    ]  # fmt: skip


def test_an_organiser_hides_a_name_by_its_code_and_shows_it_again(session: Session, campaign: Campaign) -> None:
    sign(session, campaign, "Bad words")
    sign(session, campaign, "Ana")
    code = next(each.code for each in signatures.listed(session, campaign) if each.name == "Bad words")
    with pytest.raises(NoSuchSignature):
        signatures.hide(session, campaign, [code, "0" * 12])
    assert shown(session, campaign) == ["Ana", "Bad words"]
    signatures.hide(session, campaign, [code.upper()])
    assert shown(session, campaign) == ["Ana"]
    assert [each.name for each in signatures.hand_over(session, campaign, language="en").names] == ["Ana"]
    assert signatures.hand_over(session, campaign, language="en").total is None
    assert [each.is_hidden for each in signatures.listed(session, campaign)] == [False, True]
    signatures.hide(session, campaign, [code], is_hidden=False)
    assert shown(session, campaign) == ["Ana", "Bad words"]


def test_a_code_of_another_campaign_hides_nothing(session: Session, campaign: Campaign) -> None:
    other = make_campaign(session, campaign.mailing_list, slug="another")
    sign(session, other, "Ana")
    with pytest.raises(NoSuchSignature):
        signatures.hide(session, campaign, [signatures.listed(session, other)[0].code])


def test_the_hand_over_counts_all_hides_small_numbers_and_says_nothing_of_those_at_home(
    session: Session, campaign: Campaign
) -> None:
    for country, number in {"GB": 30, "FR": 12, "BR": 3, "US": 2, "DK": 11, None: 4}.items():
        for _ in range(number):
            make_act(session, campaign, make_subscriber(session, country=country), ActKind.SIGNED)
    make_act(session, campaign, make_subscriber(session), ActKind.WROTE)
    found = signatures.hand_over(session, campaign, language="fr")
    assert found.total == 62
    assert found.to.text == "l’ambassade du Danemark"
    told = [("Royaume-Uni", 30), ("France", 12), ("Brésil", None), ("États-Unis", None), ("", 15)]
    assert found.by_country == told


def test_of_fewer_than_ten_not_even_the_countries_are_told(session: Session, campaign: Campaign) -> None:
    for _ in range(9):
        make_act(session, campaign, make_subscriber(session), ActKind.SIGNED)
    found = signatures.hand_over(session, campaign, language="en")
    assert (found.total, found.by_country) == (None, ())


def test_a_campaign_without_a_petition_hands_nothing_over(session: Session, campaign: Campaign) -> None:
    campaign.petition = None
    with pytest.raises(NoPetition):
        signatures.hand_over(session, campaign, language="en")


# --- ten thousand ---------------------------------------------------------------------------------------------------

_COUNTRIES = ("GB", "FR", "DK", "GL", "FO", "US", "BR", None)


def ten_thousand(session: Session, campaign: Campaign) -> Counter[str | None]:
    """As many signatures, each named after its country, as if nothing had kept those at home out; returns the
    countries."""
    people: list[dict[str, Any]] = []
    acts: list[dict[str, Any]] = []
    named: list[dict[str, Any]] = []
    first = 1000
    secret = make_subscriber(session).email
    for number in range(10_000):
        country, act_id = _COUNTRIES[number % len(_COUNTRIES)], new_act_id()
        index = number.to_bytes(32, "big")
        people.append({"id": first + number, "email": secret, "email_index": index, "country": country})
        acts.append(
            {
                "id": act_id,
                "campaign_id": campaign.id,
                "kind": ActKind.SIGNED,
                "subscriber_id": first + number,
                "country": country,
                "language": "en",
                "day": date(2026, 3, 1),
            }
        )
        flags = {"is_shown": True, "is_handed_over": True, "is_hidden": False, "place": None}
        name = f"of {country} {number}"
        named.append({"act_id": act_id, "subscriber_id": first + number, "name": name, **flags})
    session.execute(insert(Subscriber), people)
    session.execute(insert(Act), acts)
    session.execute(insert(Signature), named)
    return Counter(each["country"] for each in people)


def test_among_ten_thousand_signatures_nobody_at_home_is_named_on_any_page_nor_handed_over(
    session: Session, campaign: Campaign
) -> None:
    by_country = ten_thousand(session, campaign)
    named: Counter[str] = Counter()
    page, has_more = 1, True
    while has_more:
        names, has_more = signatures.shown(session, campaign, page=page)
        named.update(each.name.split()[1] for each in names)
        page += 1
    abroad = {country: number for country, number in by_country.items() if country in ("GB", "FR", "US", "BR")}
    assert named == abroad
    found = signatures.hand_over(session, campaign, language="en")
    assert Counter(each.name.split()[1] for each in found.names) == abroad
    assert found.total == 10_000
    assert found.by_country[-1] == ("", by_country["DK"] + by_country["GL"] + by_country["FO"] + by_country[None])
    lines = list(handing_over._lines(found))
    assert not [line for line in lines if "of DK" in line[1] or "of GL" in line[1] or "of FO" in line[1]]
