"""Before sending: what `check` finds missing, and how a mail would look."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer import countries, previewing, unions
from mailer.models import Campaign, DeliveryState, MailingList, Purpose
from mailer.previewing import NoText, Reader, UnwritableFolder
from tests.factories import SENDER, add_text, make_campaign, make_list, make_subscriber, make_union


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news, body='{% if country == "GB" %}In London{% else %}Elsewhere{% endif %}\n')
    add_text(session, campaign, "ar", "مرحبا\n")
    return campaign


def test_a_check_says_whom_the_texts_and_targets_leave_out(
    session: Session, news: MailingList, campaign: Campaign
) -> None:
    campaign.targets = [{"countries": ["GB"], "name": "London", "email": "", "address": ""}]
    campaign.audience = {"exclude_countries": ["BR"]}
    for country, language in (("GB", "en-GB"), ("FR", "fr"), ("DE", "fr"), (None, None), ("EG", "ar"), ("BR", "en")):
        make_subscriber(session, news, country=country, language=language)
    found = previewing.check(session, campaign)
    assert found.audience == 5
    assert found.by_text == {"en": 4, "ar": 1}
    assert found.without_text == {"fr": 2}
    assert found.without_target == ("Egypt", "France", "Germany")
    assert found.without_country == 1
    assert not found.has_fallback
    assert any("ar.md" in warning for warning in found.warnings)


def test_a_check_of_an_audience_of_nobody_counts_nobody(session: Session, campaign: Campaign) -> None:
    found = previewing.check(session, campaign)
    assert (found.audience, found.by_text, found.without_country) == (0, {}, 0)


def test_every_language_is_previewed_as_page_text_and_message(
    session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    files = previewing.preview(session, campaign, Reader(country="GB"), SENDER, tmp_path / "a" / "b")
    names = {f"free-the-five.{language}.{kind}" for language in ("en", "ar") for kind in ("eml", "html", "txt")}
    assert {file.name for file in files} == names
    text = (tmp_path / "a/b/free-the-five.en.txt").read_text()
    assert "In London" in text
    assert "https://act.example.org/preferences/" in text
    arabic = (tmp_path / "a/b/free-the-five.ar.html").read_text()
    assert 'lang="ar"' in arabic and 'dir="rtl"' in arabic
    assert 'dir="rtl"' not in (tmp_path / "a/b/free-the-five.en.html").read_text()
    message = message_from_bytes((tmp_path / "a/b/free-the-five.ar.eml").read_bytes(), policy=policy.default)
    assert not message.defects
    assert message["Content-Language"] == "ar"


def test_one_language_is_previewed_when_one_is_asked_for(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    files = previewing.preview(session, campaign, Reader(language="AR"), SENDER, tmp_path)
    assert {file.suffixes[0] for file in files} == {".ar"}
    with pytest.raises(NoText, match=r"no text in fr\. It has texts in: ar, en"):
        previewing.preview(session, campaign, Reader(language="fr"), SENDER, tmp_path)


def test_an_unknown_country_or_union_is_refused(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    with pytest.raises(countries.UnknownCountry):
        previewing.preview(session, campaign, Reader(country="Atlantis"), SENDER, tmp_path)
    with pytest.raises(unions.UnknownUnion):
        previewing.preview(session, campaign, Reader(union="nobody"), SENDER, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableFolder, match="file"):
        previewing.preview(session, campaign, Reader(), SENDER, tmp_path / "file")


def test_a_test_mail_is_owed_to_its_address_and_counts_in_no_audience(session: Session, campaign: Campaign) -> None:
    union = make_union(session, "dockers")
    reader = Reader(language="ar", country="Egypt", union="dockers")
    owed = previewing.order_test(session, campaign, reader, SENDER, "me@example.org")
    assert (owed.purpose, owed.state, owed.address) == (Purpose.TEST, DeliveryState.PENDING, "me@example.org")
    assert (owed.language, owed.country, owed.union_id) == ("ar", "EG", union.id)
