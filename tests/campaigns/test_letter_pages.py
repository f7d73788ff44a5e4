"""Pages with letters: whom somebody may write to, what they send, and when nobody is to write any more."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import letter_pages
from mailer.campaigns.letter_pages import NoSuchTarget, NothingToSend, Writing
from mailer.campaigns.publishing import NotPublished, Withdrawn
from mailer.store.db import utcnow
from mailer.store.models import Asking, Campaign, CampaignStatus, Case, CaseEventKind, TargetRole
from tests.support.cases import decide, make_case
from tests.support.factories import WHEN, make_campaign, make_list
from tests.support.letters import add_letter, put_target

DEADLINE = datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC)
LAWYER = {"countries": [], "name": "Her lawyer", "email": "law@example.net", "address": ""}
LAWYER_IN_FRANCE = {"countries": ["FR"], "name": "Her lawyer in Paris", "email": "paris@example.net", "address": ""}


@pytest.fixture
def case(session: Session) -> Case:
    return make_case(session, "leila", copy_to=[LAWYER_IN_FRANCE, LAWYER])


@pytest.fixture
def campaign(session: Session, case: Case) -> Campaign:
    """A public campaign that asks embassies, and then courts, for something."""
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.public, campaign.started_at, campaign.case, campaign.about = True, WHEN, case, "BR"
    campaign.ask, campaign.deadline = ["embassy", "authority"], DEADLINE
    for language in ("en", "ru", "ar"):
        add_letter(session, campaign, language)
    session.commit()
    return campaign


@pytest.fixture
def look(session: Session, campaign: Campaign) -> Callable[..., letter_pages.LetterPage]:
    """`look("embassy-de")`: its page for somebody who reads English."""

    def look(slug: str = "embassy-de", *, number: int = 0, language: str = "en") -> letter_pages.LetterPage:
        return letter_pages.page(session, campaign, slug, number=number, language=language, shown_in=language)

    return look


def shown(page: letter_pages.LetterPage) -> Writing:
    assert page.writing is not None
    return page.writing


# --- to whom --------------------------------------------------------------------------------------------------------


@pytest.fixture
def embassies(session: Session, case: Case) -> None:
    assert case.slug == "leila"
    put_target(session, "embassy-de", countries=("DE",))
    put_target(session, "embassy-fr", countries=("FR",))
    put_target(session, "embassy-else")
    put_target(session, "court", role=TargetRole.AUTHORITY, case="leila")
    put_target(session, "embassy-of-peru", about="PE", countries=("DE",))
    put_target(session, "company", role=TargetRole.COMPANY, case="leila")
    session.commit()


@pytest.mark.usefixtures("embassies")
@pytest.mark.parametrize(
    ("country", "slugs"),
    [
        ("DE", ["embassy-de", "court"]),
        ("RE", ["embassy-fr", "court"]),  # Réunion, whose state is France
        ("IT", ["embassy-else", "court"]),
        ("BR", []),  # at home
    ],
)
def test_people_write_to_whom_the_roles_name_for_their_country_and_nobody_at_home_does(
    session: Session, campaign: Campaign, country: str, slugs: list[str]
) -> None:
    assert letter_pages.slugs_for(session, campaign, country) == slugs


@pytest.mark.usefixtures("embassies")
def test_whom_to_write_to_is_shown_to_those_who_said_where_they_live(session: Session, campaign: Campaign) -> None:
    page = letter_pages.choice(session, campaign, language="en")
    assert (page.is_open, page.is_by_country, page.targets, page.home) == (True, True, (), "Brazil")
    page = letter_pages.choice(session, campaign, language="en", chosen=["court", "embassy-fr"])
    assert [slug for slug, _name in page.targets] == ["court", "embassy-fr"]
    for slug in ("embassy-of-peru", "company", "nobody"):
        with pytest.raises(NoSuchTarget):
            letter_pages.choice(session, campaign, language="en", chosen=[slug])


def test_where_all_write_to_the_same_nobody_is_asked_where_they_live(session: Session, campaign: Campaign) -> None:
    put_target(session, "court", role=TargetRole.AUTHORITY, case="leila", name="Court", names={"fr": "Tribunal"})
    put_target(session, "embassy-all")
    page = letter_pages.choice(session, campaign, language="fr")
    assert not page.is_by_country
    assert page.targets == (("embassy-all", "Embassy of Brazil"), ("court", "Tribunal"))


@pytest.mark.usefixtures("embassies")
@pytest.mark.parametrize("slug", ["embassy-of-peru", "company", "nobody", ""])
def test_there_is_no_page_for_whom_the_campaign_does_not_ask_to_write_to(
    look: Callable[..., letter_pages.LetterPage], slug: str
) -> None:
    with pytest.raises(NoSuchTarget):
        look(slug)


# --- what -----------------------------------------------------------------------------------------------------------


def test_a_page_shows_the_letter_in_the_targets_language_and_one_to_read(
    session: Session, look: Callable[..., letter_pages.LetterPage]
) -> None:
    put_target(session, languages=("ru",), countries=("DE",), salutations={"ru": "Господин посол"})
    session.commit()
    writing = shown(look(number=1))
    assert writing.letter and writing.reading and writing.wording and writing.mailto
    assert (writing.letter.language, writing.letter.written.subject) == ("ru", "Пять докеров в тюрьме")
    assert writing.letter.written.text.startswith("Господин посол,\n\n")
    assert writing.letter.written.text.endswith("\n(ваше имя)")
    assert (writing.reading.language, writing.reading.written.subject) == ("en", "Five dockers in prison")
    assert (writing.wording.number, writing.wording.of) == (1, 2)
    assert not writing.mailto.has_text
    assert shown(look(language="ru")).reading is None
    assert shown(look(number=3)).wording == writing.wording


def test_it_is_copied_to_those_whom_the_case_names_for_the_targets_country(
    session: Session, look: Callable[..., letter_pages.LetterPage]
) -> None:
    put_target(session, "embassy-fr", countries=("FR",))
    put_target(session, "embassy-de", countries=("DE",))
    for slug, copy in (("embassy-fr", "paris@example.net"), ("embassy-de", "law@example.net")):
        writing = shown(look(slug))
        assert writing.copy_to and writing.mailto and writing.mailto.has_text
        assert writing.copy_to.email == copy
        assert writing.mailto.address.startswith(f"mailto:{slug}@example.org?cc={copy}&subject=Free%20the%20five&body=")


def test_who_wants_no_copies_gets_what_is_asked_for_in_own_words(
    session: Session, look: Callable[..., letter_pages.LetterPage]
) -> None:
    put_target(session, own_words=True)
    writing = shown(look(language="fr"))
    assert (writing.letter, writing.reading, writing.wording, writing.has_draft) == (None, None, None, False)
    assert [ask.text for ask in writing.asks] == ["Libérez-la immédiatement."]
    assert writing.mailto and writing.mailto.address == "mailto:embassy-de@example.org?cc=law@example.net"


def test_a_target_is_shown_as_it_is_known_now(session: Session, look: Callable[..., letter_pages.LetterPage]) -> None:
    target = put_target(session)
    assert shown(look()).target == target
    put_target(session, email="new@example.org", url="https://example.org/form")
    assert (shown(look()).target.email, shown(look()).url) == ("new@example.org", "https://example.org/form")
    put_target(session, email="", url="javascript:alert(1)")
    assert (shown(look()).mailto, shown(look()).url) == (None, "")


def test_a_draft_goes_to_the_target_and_the_copy(session: Session, campaign: Campaign) -> None:
    put_target(session, languages=("ar",))
    message = message_from_bytes(
        letter_pages.draft_of(session, campaign, "embassy-de", number=1), policy=policy.default
    )
    assert (message["To"], message["Cc"]) == ("embassy-de@example.org", "law@example.net")
    assert (message["Subject"], message["Content-Language"]) == ("خمسة عمال في السجن", "ar")
    put_target(session, email="")
    with pytest.raises(NothingToSend):
        letter_pages.draft_of(session, campaign, "embassy-de", number=1)


# --- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "event"),
    [
        ({"asking": Asking.STOPPED}, None),
        ({"asking": Asking.CLOSED}, None),
        ({}, CaseEventKind.STOPPED),
        ({}, CaseEventKind.CLOSED),
        ({"status": CampaignStatus.CANCELLED}, None),
        ({"deadline": WHEN}, None),
        ({"deadline": None}, None),  # it began more than 30 days ago
    ],
    ids=str,
)
def test_once_nobody_is_to_write_there_is_no_letter_nor_anybody_to_write_to(
    session: Session,
    campaign: Campaign,
    case: Case,
    look: Callable[..., letter_pages.LetterPage],
    columns: dict[str, Any],
    event: CaseEventKind | None,
) -> None:
    campaign.started_at = utcnow() - timedelta(days=40)
    put_target(session)
    assert shown(look()).letter
    for name, value in columns.items():
        setattr(campaign, name, value)
    if event:
        decide(session, case, event)
    assert look().writing is look("nobody").writing is None
    assert not letter_pages.choice(session, campaign, language="en", chosen=["embassy-de"]).targets
    with pytest.raises(NothingToSend):
        letter_pages.draft_of(session, campaign, "embassy-de", number=0)


def test_only_a_campaign_that_has_begun_has_letters_and_by_its_name_only_a_public_one(
    session: Session, campaign: Campaign
) -> None:
    assert letter_pages.find(session, "free-the-five") is letter_pages.find_unlisted(session, campaign.id) is campaign
    for columns, is_unlisted in (
        ({"public": False}, True),
        ({"public": True, "ask": []}, False),
        ({"ask": ["embassy"], "status": CampaignStatus.DRAFT, "started_at": None}, False),
    ):
        for name, value in columns.items():
            setattr(campaign, name, value)
        session.flush()
        with pytest.raises(NotPublished):
            letter_pages.find(session, "free-the-five")
        if is_unlisted:
            assert letter_pages.find_unlisted(session, campaign.id) is campaign
        else:
            with pytest.raises(NotPublished):
                letter_pages.find_unlisted(session, campaign.id)
    with pytest.raises(NotPublished):
        letter_pages.find_unlisted(session, campaign.id + 1)


@pytest.mark.parametrize("column", ["subjects", "openings", "closings", "rules", "body"])
def test_a_letter_with_a_word_that_must_not_appear_takes_the_campaign_down(
    session: Session, campaign: Campaign, case: Case, column: str
) -> None:
    written = "Quillfeather saw it."
    setattr(campaign.letters[0], column, [written] if column.endswith("s") and column != "rules" else written)
    session.commit()
    assert letter_pages.find(session, "free-the-five")
    case.never = ["Quillfeather"]
    session.commit()
    with pytest.raises(Withdrawn):
        letter_pages.find(session, "free-the-five")
    with pytest.raises(Withdrawn):
        letter_pages.find_unlisted(session, campaign.id)


def test_a_target_with_a_word_that_must_not_appear_is_shown_to_nobody(
    session: Session, campaign: Campaign, case: Case, look: Callable[..., letter_pages.LetterPage]
) -> None:
    put_target(session, address="c/o Quillfeather")
    put_target(session, "court", role=TargetRole.AUTHORITY, case="leila")
    case.never = ["Quillfeather"]
    session.commit()
    with pytest.raises(Withdrawn):
        look()
    assert letter_pages.slugs_for(session, campaign, "DE") == ["court"]
    assert [slug for slug, _name in letter_pages.choice(session, campaign, language="en").targets] == ["court"]
    assert shown(look("court")).copy_to
    case.never = ["law@example.net"]
    assert shown(look("court")).copy_to is None


def test_nobody_reads_along_what_is_written_to_somebody_in_prison(
    session: Session, campaign: Campaign, look: Callable[..., letter_pages.LetterPage]
) -> None:
    campaign.ask = ["prisoner"]
    put_target(session, "prisoner", role=TargetRole.PRISONER, case="leila")
    assert shown(look("prisoner")).copy_to is None
