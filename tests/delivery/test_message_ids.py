"""Message-IDs: the same on every retry, nobody's without a key, and a way back to the row."""

import hashlib
import logging
import re

import pytest
from sqlalchemy.orm import Session

from mailer.delivery import message_ids
from mailer.delivery.message_ids import MessageIds, MessageKeyMissing
from mailer.store.crypto import Key, Keyring, keyring_of
from mailer.store.models import Campaign, CampaignStatus
from tests.conftest import INDEX_KEY, LINK_KEY, SECRET_KEY
from tests.support.factories import make_campaign, make_list

NEWER = Key(id="l2", secret=bytes(range(96, 128)))


def ring(*link_keys: Key) -> Keyring:
    return Keyring(secret_keys=[SECRET_KEY], link_keys=link_keys, index_key=INDEX_KEY)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_list(session))


def test_one_leads_back_to_its_delivery_whatever_was_put_around_it(session: Session, campaign: Campaign) -> None:
    made = MessageIds(keyring_of(session), campaign, domain="example.org").make(77)
    assert re.fullmatch(r"[0-9a-f]{32}@example\.org", made)
    for written in (made, f"<{made}>", f" <{made.upper()}>\r\n"):
        assert message_ids.find(keyring_of(session), written) == 77


@pytest.mark.parametrize("text", ["", "<>", "<1@example.org>", f"<{'0' * 32}@example.org>", f"<{'f' * 32}>"])
def test_what_is_none_of_ours_leads_nowhere(session: Session, text: str) -> None:
    assert message_ids.find(keyring_of(session), text) is None


def test_what_stands_in_the_database_makes_none(session: Session, campaign: Campaign) -> None:
    campaign.salt = b"s" * 16
    made = MessageIds(keyring_of(session), campaign, domain="example.org").make(77)
    for known in (campaign.salt, campaign.salt + campaign.slug.encode(), campaign.message_key.encode(), b""):
        for number in (b"77", (77).to_bytes(8, "big"), (77).to_bytes(8, "little"), (77).to_bytes(6, "big")):
            for algorithm in ("sha256", "blake2b", "sha1", "md5"):
                assert hashlib.new(algorithm, known + number).hexdigest()[:32] not in made


def test_one_is_the_same_with_a_newer_key_in_front(session: Session, campaign: Campaign) -> None:
    before = MessageIds(ring(LINK_KEY), campaign, domain="example.org").make(77)
    assert MessageIds(ring(NEWER, LINK_KEY), campaign, domain="example.org").make(77) == before
    assert message_ids.find(ring(NEWER, LINK_KEY), before) == 77


def test_without_its_key_a_campaign_says_which_one_it_needs(campaign: Campaign) -> None:
    with pytest.raises(MessageKeyMissing, match=r'needs the link key "l1".*MAILER_LINK_KEYS'):
        MessageIds(ring(NEWER), campaign)


def test_what_began_before_ids_were_sealed_keeps_its_own(session: Session, campaign: Campaign) -> None:
    campaign.hashed_until, campaign.salt = 77, b"s" * 16
    ids = MessageIds(keyring_of(session), campaign, domain="example.org")
    digest = hashlib.sha256(b"s" * 16 + (77).to_bytes(8, "big")).hexdigest()
    assert ids.make(77) == f"{digest[:32]}@example.org"
    assert message_ids.find(keyring_of(session), ids.make(78)) == 78


@pytest.mark.parametrize("status", [CampaignStatus.SENDING, CampaignStatus.PAUSED])
def test_a_missing_key_is_named_before_anything_is_sent(
    session: Session, campaign: Campaign, status: CampaignStatus, caplog: pytest.LogCaptureFixture
) -> None:
    campaign.message_key, campaign.status, campaign.started_at = "gone", status, campaign.created_at
    with caplog.at_level(logging.ERROR):
        message_ids.require_keys(session)
    (record,) = caplog.records
    assert (record.__dict__["campaign"], record.__dict__["key"]) == (campaign.id, "gone")
    assert campaign.message_key == "gone"


def test_what_has_not_begun_goes_on_with_the_newest_key(
    session: Session, campaign: Campaign, caplog: pytest.LogCaptureFixture
) -> None:
    campaign.message_key = "gone"
    message_ids.require_keys(session)
    assert campaign.message_key == LINK_KEY.id
    assert not caplog.records


def test_what_began_before_ids_were_sealed_goes_on_without_the_key(
    session: Session, campaign: Campaign, caplog: pytest.LogCaptureFixture
) -> None:
    campaign.hashed_until, campaign.message_key = 77, "gone"
    campaign.status, campaign.started_at = CampaignStatus.SENDING, campaign.created_at
    kept = MessageIds(ring(LINK_KEY), campaign, domain="example.org").make(77)
    assert MessageIds(ring(NEWER), campaign, domain="example.org").make(77) == kept
    assert message_ids.find(ring(NEWER), MessageIds(ring(NEWER), campaign, domain="example.org").make(78)) == 78
    message_ids.require_keys(session)
    assert not caplog.records
