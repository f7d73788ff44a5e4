"""Composing: what stands in one person's message."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns.editions import freeze
from mailer.delivery import message_ids
from mailer.delivery.composing import CampaignComposer
from mailer.delivery.ledger import Claimed
from mailer.delivery.recipients import Recipient
from mailer.mail.dkim import Signer, SigningKey
from mailer.mail.sender import Sender
from mailer.mail.types import Outgoing
from mailer.mail.webhooks.types import Provider
from mailer.store.crypto import keyring_of
from mailer.store.models import Campaign, Edition, Purpose
from tests.support.factories import SENDER, add_text, make_campaign, make_list, make_union
from tests.support.statements import watched

BODY = """\
{{ target_name or "nobody" }} / {{ target_email or "none" }} / {{ country or "anywhere" }} / {{ union or "all" }}
"""
TARGETS = [
    {"countries": ["GB", "IE"], "name": "Embassy, London", "email": "london@example.org", "address": "1 Square"},
    {"countries": [], "name": "The ministry", "email": "", "address": ""},
]


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), body=BODY)
    campaign.targets = TARGETS
    return campaign


def claimed(number: int = 1, *, country: str | None = None, union_id: int | None = None) -> Claimed:
    return Claimed(
        id=number,
        purpose=Purpose.CAMPAIGN,
        subscriber_id=1,
        address=None,
        language="en",
        country=country,
        union_id=union_id,
        attempts=0,
    )


def compose(
    session: Session,
    campaign: Campaign,
    delivery: Claimed,
    *,
    email: str = "ana@example.org",
    name: str | None = "Ana",
    sender: Sender = SENDER,
) -> tuple[Outgoing, EmailMessage]:
    outgoing = CampaignComposer(session, campaign, sender).compose(delivery, Recipient(email, name, subscription_id=41))
    return outgoing, message_from_bytes(outgoing.data, policy=policy.default)


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return " ".join(str(part.get_content()).split())


@pytest.mark.parametrize(
    ("country", "words"),
    [
        ("GB", "Embassy, London / london@example.org / United Kingdom / all"),
        ("IE", "Embassy, London / london@example.org / Ireland / all"),
        ("FR", "The ministry / none / France / all"),
        (None, "The ministry / none / anywhere / all"),
    ],
)
def test_everyone_is_asked_to_write_to_their_own_target_or_the_fallback(
    session: Session, campaign: Campaign, country: str | None, words: str
) -> None:
    _, message = compose(session, campaign, claimed(country=country))
    assert words in text_of(message)


def test_a_deadline_is_in_the_time_of_the_country_that_somebody_lives_in(session: Session, campaign: Campaign) -> None:
    campaign.deadline = datetime(2035, 12, 15, 17, 0, tzinfo=UTC)
    for country, clock in (("DE", "6:00 pm (Central European Time)"), ("US", "5:00 pm (Coordinated")):
        assert f"Act by 15 December 2035, {clock}" in text_of(compose(session, campaign, claimed(country=country))[1])


def test_without_any_target_the_defaults_stand_there(session: Session, campaign: Campaign) -> None:
    campaign.targets = []
    union = make_union(session, "dockers", name="Dockers' Union")
    _, message = compose(session, campaign, claimed(union_id=union.id))
    assert "nobody / none / anywhere / Dockers' Union" in text_of(message)


def test_header_and_body_and_preferences_lead_to_the_same_subscription(session: Session, campaign: Campaign) -> None:
    sender = replace(SENDER, unsubscribe_address="leave+{token}@example.org")
    outgoing, message = compose(session, campaign, claimed(), sender=sender)
    found = set(re.findall(r"https://act\.example\.org/unsubscribe/([a-z0-9]+)", text_of(message)))
    header = message["List-Unsubscribe"]
    found |= set(re.findall(r"unsubscribe/([a-z0-9]+)>", header)) | set(re.findall(r"leave\+([a-z0-9]+)@", header))
    (token,) = found
    assert links.verify(keyring_of(session), links.Link.UNSUBSCRIBE, token) == 41
    assert f"<https://act.example.org/preferences/{token}>" in text_of(message)
    assert outgoing.sender == "alerts@example.org"


def test_without_an_unsubscribe_address_there_is_no_mailto(session: Session, campaign: Campaign) -> None:
    _, message = compose(session, campaign, claimed())
    assert "mailto:" not in message["List-Unsubscribe"]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_lists_name_is_in_the_language_of_the_mail_and_nothing_is_asked_for_it_per_person(
    engine: Engine, session: Session, campaign: Campaign
) -> None:
    add_text(session, campaign, "ar", "Body")
    add_text(session, campaign, "ru", "Body")
    campaign.mailing_list.names = {"ar": "أفعال عاجلة", "ru": "Срочные действия"}
    campaign.fallbacks = {"kk": ["ru"]}
    session.flush()
    composer = CampaignComposer(session, campaign, SENDER)
    found = {}
    with watched(engine) as statements:
        for language in ("en", "ar", "ru", "kk", "de"):
            mail = composer.compose(claimed()._replace(language=language), Recipient("ana@example.org", "Ana", 41)).data
            found[language] = message_from_bytes(mail, policy=policy.default)["List-Id"]
    assert found == {
        "en": "Urgent actions <urgent-actions.act.example.org>",
        "ar": "أفعال عاجلة <urgent-actions.act.example.org>",
        "ru": "Срочные действия <urgent-actions.act.example.org>",
        "kk": "Срочные действия <urgent-actions.act.example.org>",
        "de": "Urgent actions <urgent-actions.act.example.org>",
    }
    assert statements == []


def test_a_bounce_comes_back_to_its_delivery(session: Session, campaign: Campaign) -> None:
    sender = replace(SENDER, bounce_address="bounce+{token}@example.org")
    outgoing, _ = compose(session, campaign, claimed(77), sender=sender)
    token = outgoing.sender.removeprefix("bounce+").removesuffix("@example.org")
    assert links.verify(keyring_of(session), links.Link.BOUNCE, token) == 77


def test_a_message_id_is_the_same_on_every_retry_and_of_no_other_message(session: Session, campaign: Campaign) -> None:
    ids = [compose(session, campaign, claimed(number))[1]["Message-ID"] for number in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]
    assert [message_ids.find(keyring_of(session), each) for each in ids] == [1, 1, 2]


def test_a_message_id_outlives_a_change_of_the_sender(session: Session, campaign: Campaign) -> None:
    campaign.mail_domain = "example.org"
    moved = replace(SENDER, mailbox="alerts@example.net")
    assert compose(session, campaign, claimed(), sender=moved)[1]["Message-ID"].endswith("@example.org>")


def test_a_domain_in_another_script_travels_as_a_label(session: Session, campaign: Campaign) -> None:
    outgoing, message = compose(session, campaign, claimed(), email="ana@bücher.example.org")
    assert outgoing.recipient == "ana@xn--bcher-kva.example.org"
    assert not outgoing.needs_smtputf8
    assert "xn--bcher-kva" in message["To"]


def test_who_has_no_name_is_addressed_by_the_default(session: Session) -> None:
    campaign = make_campaign(session, make_list(session))
    assert "Dear supporter," in text_of(compose(session, campaign, claimed(), name=None)[1])
    assert "Dear Ana," in text_of(compose(session, campaign, claimed())[1])


def test_what_a_sender_with_a_key_sends_is_signed(session: Session, campaign: Campaign) -> None:
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signing = replace(SENDER, signer=Signer("example.org", (SigningKey("s1", key),)))
    signed, message = compose(session, campaign, claimed(country="GB"), sender=signing)
    assert "d=example.org; s=s1;" in message["DKIM-Signature"]
    assert dkimpy.verify(signed.data, dnsfunc=lambda *_, **__: b"v=DKIM1; p=" + base64.b64encode(public))
    assert "DKIM-Signature" not in compose(session, campaign, claimed(country="GB"))[1]


def test_a_mail_carries_what_its_provider_gives_back_outside_the_signature(
    session: Session, campaign: Campaign
) -> None:
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    sender = replace(
        SENDER, signer=Signer("example.org", (SigningKey("s1", key),)), providers=(Provider.SES, Provider.POSTMARK)
    )
    outgoing, message = compose(session, campaign, claimed(77), sender=sender)
    assert links.verify(keyring_of(session), links.Link.BOUNCE, message["X-PM-Metadata-tocsin"]) == 77
    assert message["X-PM-TrackLinks"] == "None"
    # The provider takes it out, and the signature holds.
    start = outgoing.data.index(b"X-PM-Metadata-tocsin:")
    taken_out = outgoing.data[:start] + outgoing.data[outgoing.data.index(b"\r\n", start) + 2 :]
    for data in (outgoing.data, taken_out):
        assert dkimpy.verify(data, dnsfunc=lambda *_, **__: b"v=DKIM1; p=" + base64.b64encode(public))


def test_without_a_provider_a_mail_is_as_it_was(session: Session, campaign: Campaign) -> None:
    _, plain = compose(session, campaign, claimed())
    _, by_ses = compose(session, campaign, claimed(), sender=replace(SENDER, providers=(Provider.SES,)))
    assert plain.keys() == by_ses.keys()
    assert [name for name in plain.keys() if name.startswith("X-")] == ["X-Auto-Response-Suppress"]  # noqa: SIM118


# --- saying that one acted ------------------------------------------------------------------------------------------

_ACTING = re.compile(r"https://act\.example\.org/(act|sign)/([0-9a-f]{40})")


def acting_links(message: EmailMessage) -> list[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        in_part = set(_ACTING.findall(str(part.get_content()).replace("&#x2F;", "/")))
        assert not found or found == in_part
        found = in_part
    return sorted(found)


def test_a_mail_leads_its_reader_to_say_that_they_wrote_and_to_sign(session: Session, campaign: Campaign) -> None:
    campaign.petition = {"to": {"en": "the Embassy of Ondoria"}}
    _, message = compose(session, campaign, claimed(7))
    found = acting_links(message)
    assert [page for page, _token in found] == ["act", "sign"]
    assert {links.verify(keyring_of(session), links.Link.ACT, token) for _page, token in found} == {7}
    assert "It goes to: the Embassy of Ondoria" in text_of(message)
    _, other = compose(session, campaign, claimed(8))
    assert {token for _page, token in acting_links(other)}.isdisjoint(token for _page, token in found)


@pytest.mark.parametrize(
    ("changed", "pages"),
    [
        ({"targets": []}, []),
        ({"targets": [], "petition": {"to": {"en": "the Embassy"}}}, ["sign"]),
        ({}, ["act"]),
        ({"kind": "update"}, []),
    ],
)
def test_what_a_campaign_does_not_ask_for_its_mail_does_not_mention(
    session: Session, campaign: Campaign, changed: dict[str, object], pages: list[str]
) -> None:
    for name, value in changed.items():
        setattr(campaign, name, value)
    _, message = compose(session, campaign, claimed())
    assert [page for page, _token in acting_links(message)] == pages
    assert ("I have written" in text_of(message)) is ("act" in pages)


def test_a_mail_that_was_rendered_before_it_could_lead_there_goes_out_as_it_is(
    session: Session, campaign: Campaign
) -> None:
    freeze(session, campaign, SENDER)
    campaign.petition = {"to": {"en": "the Embassy"}}
    session.expire(campaign)
    frozen = session.scalars(select(Edition).where(Edition.campaign_id == campaign.id)).all()
    assert not any("sign_url" in str(each.rendering) for each in frozen)
    _, message = compose(session, campaign, claimed())
    assert [page for page, _token in acting_links(message)] == ["act"]
