"""Before sending: how a mail would look."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.delivery import previews
from mailer.delivery.previews import SampleReader, UnwritableFolder
from mailer.locale import countries
from mailer.store.models import Campaign, DeliveryState, MailingList, Purpose, TargetRole
from mailer.unions import directory
from tests.support.factories import SENDER, add_letter, add_text, make_campaign, make_list, make_union


@pytest.fixture
def news(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def campaign(session: Session, news: MailingList) -> Campaign:
    campaign = make_campaign(session, news, body='{% if country == "GB" %}In London{% else %}Elsewhere{% endif %}\n')
    add_text(session, campaign, "ar", "مرحبا\n")
    return campaign


def test_every_language_is_previewed_as_page_text_and_message(
    session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    files = previews.preview(session, campaign, SampleReader(country="GB"), SENDER, tmp_path / "a" / "b")
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
    files = previews.preview(session, campaign, SampleReader(language="AR"), SENDER, tmp_path)
    assert {file.suffixes[0] for file in files} == {".ar"}


def test_a_language_without_a_text_is_previewed_and_tested_as_its_readers_get_it(
    session: Session, campaign: Campaign, tmp_path: Path
) -> None:
    previews.preview(session, campaign, SampleReader(language="fr"), SENDER, tmp_path)
    assert 'lang="en"' in (tmp_path / "free-the-five.fr.html").read_text()
    campaign.fallbacks = {"ckb": ["fa", "ar"]}
    previews.preview(session, campaign, SampleReader(language="ckb-IQ"), SENDER, tmp_path)
    assert 'lang="ar"' in (tmp_path / "free-the-five.ckb-IQ.html").read_text()
    owed = previews.order_test(session, campaign, SampleReader(language="ckb"), SENDER, "ana@example.org")
    assert owed.language == "ckb"


def test_an_unknown_country_or_union_is_refused(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    with pytest.raises(countries.UnknownCountry):
        previews.preview(session, campaign, SampleReader(country="Atlantis"), SENDER, tmp_path)
    with pytest.raises(directory.UnknownUnion):
        previews.preview(session, campaign, SampleReader(union="nobody"), SENDER, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableFolder, match="file"):
        previews.preview(session, campaign, SampleReader(), SENDER, tmp_path / "file")


def test_a_test_mail_is_owed_to_its_address_and_counts_in_no_audience(session: Session, campaign: Campaign) -> None:
    union = make_union(session, "dockers")
    reader = SampleReader(language="ar", country="Egypt", union="dockers")
    owed = previews.order_test(session, campaign, reader, SENDER, "me@example.org")
    assert (owed.purpose, owed.state, owed.address) == (Purpose.TEST, DeliveryState.PENDING, "me@example.org")
    assert (owed.language, owed.country, owed.union_id) == ("ar", "EG", union.id)


def test_letters_are_previewed_as_their_readers_get_them(session: Session, campaign: Campaign, tmp_path: Path) -> None:
    campaign.ask = ["solidarity"]
    add_letter(session, campaign, "solidarity", body="Dear {{ target_name }},\n\n{{ name or 'A friend' }}\n")
    target_book.put(session, Target(("GB",), "Family", "f@example.org", "", slug="family", role=TargetRole.SOLIDARITY))
    for has_name, signed in ((True, "Alex Reader"), (False, "A friend")):
        reader = SampleReader(language="en", country="GB", has_name=has_name)
        previews.preview(session, campaign, reader, SENDER, tmp_path)
        text = (tmp_path / "free-the-five.en.txt").read_text()
        assert f"Dear Family,\n\n{signed}\n" in text and "/letters/" in text
    assert previews.order_test(session, campaign, reader, SENDER, "ana@example.org").country == "GB"
