"""The content of a campaign: whatever decides what is sent to whom changes its hash, and nothing else does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from mailer.cases import cases, target_book
from mailer.cases.dossier import Consent, ConsentBy
from mailer.mail import template_files
from mailer.mail.render import TEMPLATES
from mailer.mail.sender import Sender
from mailer.mail.webhooks.types import Provider
from mailer.organisers import content
from mailer.organisers.content import Content, Difference
from mailer.store.models import Campaign, CampaignStatus, CaseFact, Certainty, HomeRule, StoredTarget
from tests.support.factories import SENDER, add_text, make_campaign, make_case, make_list, make_subscriber
from tests.support.letters import add_letter, put_target


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """One with a part of every kind."""
    case = make_case(session, country="BR", asks={"en": ["Release them."]}, never=["Informant"])
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    case.facts.append(
        CaseFact(text="Held", source="Lawyer", certainty=Certainty.KNOWN, checked_on=date(2026, 1, 5), good_for=30)
    )
    case.copy_to = [{"countries": [], "name": "Union", "email": "union@example.org", "address": ""}]
    made = make_campaign(session, make_list(session))
    made.case, made.about, made.ask = case, "BR", ["embassy"]
    made.deadline, made.latest_start = datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    made.targets = [{"countries": [], "name": "Ministry", "email": "ministry@example.org", "address": ""}]
    made.audience = {"countries": ["@EU", "GB"]}
    add_letter(session, made)
    put_target(session)
    session.flush()
    return made


def hash_of(session: Session, campaign: Campaign, sender: Sender = SENDER) -> str:
    session.flush()
    session.expire_all()
    return content.of(session, campaign, sender).hash


Change = Callable[[Session, Campaign], object]


def _put(row: object, values: dict[str, Any]) -> None:
    for key, value in values.items():
        setattr(row, key, value)


def _set(**values: Any) -> Change:
    return lambda _session, campaign: _put(campaign, values)


def _text(part: str) -> Change:
    return lambda _session, campaign: _put(campaign.texts[0], {part: "Other words"})


def _letter(**parts: Any) -> Change:
    return lambda _session, campaign: _put(campaign.letters[0], parts)


def _target(**known: Any) -> Change:
    return lambda session, _campaign: target_book.put(session, replace(target_book.get(session, "embassy-de"), **known))


def _case(**values: Any) -> Change:
    return lambda _session, campaign: _put(campaign.case, values)


def _list(**values: Any) -> Change:
    return lambda _session, campaign: _put(campaign.mailing_list, values)


def _no_consent(session: Session, campaign: Campaign) -> None:
    assert campaign.case is not None
    cases.withdraw_consent(session, campaign.case, "They asked us.")


def _fact(_session: Session, campaign: Campaign) -> None:
    assert campaign.case is not None
    campaign.case.facts[0].text = "Free"


def _other_list(session: Session, campaign: Campaign) -> None:
    campaign.mailing_list = make_list(session, "others", name="Others")


#: what is changed → what an organiser is told of
CHANGES: dict[str, tuple[Change, str]] = {
    "subject": (_text("subject"), "text en: subject"),
    "preheader": (_text("preheader"), "text en: preheader"),
    "body": (_text("body"), "text en: body"),
    "another text": (lambda session, campaign: add_text(session, campaign, "fr", "Écrivez."), "text fr: body"),
    "a letter's subjects": (_letter(subjects=["Free them"]), "letter embassy.en"),
    "a letter's openings": (_letter(openings=["I am a docker."]), "letter embassy.en"),
    "a letter's closings": (_letter(closings=["Yours."]), "letter embassy.en"),
    "a letter's rules": (_letter(rules="Be polite."), "letter embassy.en"),
    "a letter's body": (_letter(body="Free them.\n"), "letter embassy.en"),
    "another letter": (lambda session, campaign: add_letter(session, campaign, "ru"), "letter embassy.ru"),
    "no letter": (lambda _session, campaign: campaign.letters.clear(), "letter embassy.en"),
    "audience": (_set(audience={"countries": ["@EU"]}), "audience"),
    "list": (_other_list, "list"),
    "a list's name": (_list(name="Alerts"), "list"),
    "a list's names": (_list(names={"fr": "Alertes"}), "list"),
    "kind": (_set(kind="update"), "kind and templates"),
    "language": (_set(language="fr"), "languages"),
    "fallbacks": (_set(fallbacks={"kk": ["ru"]}), "languages"),
    "petition": (_set(petition={"to": {"en": "the President"}}), "petition"),
    "goal": (_set(goal=5000), "goal"),
    "ask": (_set(ask=["embassy", "authority"]), "roles written to"),
    "targets": (_set(targets=[]), "target 1 of campaign.toml"),
    "deadline": (_set(deadline=None), "deadline"),
    "latest start": (_set(latest_start=datetime(2026, 11, 2, tzinfo=UTC)), "latest start"),
    "public": (_set(public=True), "public"),
    "forwardable": (_set(forwardable=True), "forwardable"),
    "about": (_set(about="none"), "home rules"),
    "home": (_set(home=HomeRule.INCLUDE), "home rules"),
    "unknown home": (_set(unknown_home=HomeRule.EXCLUDE), "home rules"),
    "name": (_set(slug="free-the-six"), "name"),
    "a target's address": (_target(address="1 Example Street"), "target embassy-de"),
    "a target's e-mail": (_target(email="other@example.org"), "target embassy-de"),
    "a target's name": (_target(name="Consulate"), "target embassy-de"),
    "a target's countries": (_target(countries=("DE",)), "target embassy-de"),
    "a target's languages": (_target(languages=("ru",)), "target embassy-de"),
    "a target's salutation": (_target(salutations={"en": "Dear Sir"}), "target embassy-de"),
    "a target's own words": (_target(own_words=True), "target embassy-de"),
    "a target's telephone": (_target(phone="+44 1632 960001"), "target embassy-de"),
    "another target": (lambda session, _campaign: put_target(session, "embassy-fr"), "target embassy-fr"),
    "a target with no way to write": (_target(email=""), "target embassy-de"),
    "a target of which nothing may be said": (_case(never=["Embassy of Brazil"]), "target embassy-de"),
    "a case's country": (_case(country="AR"), "case"),
    "asks": (_case(asks={"en": ["Release her."]}), "case: asks"),
    "copies": (_case(copy_to=[]), "case: copies to"),
    "consent": (_no_consent, "case: consent"),
    "never": (_case(never=["Somebody"]), "case: words that must not appear"),
    "a fact": (_fact, "case: fact 1"),
    "no case": (_set(case=None), "case"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_decides_what_is_sent_to_whom_changes_the_hash_and_is_told(
    session: Session, campaign: Campaign, what: str
) -> None:
    before = content.of(session, campaign, SENDER)
    change, part = CHANGES[what]
    change(session, campaign)
    session.flush()
    session.expire_all()
    after = content.of(session, campaign, SENDER)
    assert after.hash != before.hash
    assert part in [each.part for each in content.differences(before.parts, after.parts)]


def test_every_column_of_a_campaign_a_text_a_letter_and_a_target_was_thought_of(campaign: Campaign) -> None:
    left_out = {
        "campaigns": {
            *("id", "status", "asking", "salt", "message_key", "hashed_until", "mail_domain", "hold_reason"),
            *("created_at", "scheduled_at", "started_at", "resumed_at", "finished_at", "undone"),
            *("held_by", "held_at", "hold_words"),
        },
        "campaign_texts": {"id", "campaign_id", "body_line"},
        "letters": {"id", "campaign_id", "body_line"},
        "targets": {"id", "verified_on", "doubts", "created_at"},
        "lists": {"id", "description", "descriptions", "created_at", "owner_id", "is_open", "is_sample"},
    }
    looked_at = {
        "campaigns": {
            *("slug", "kind", "list_id", "case_id", "about", "home", "unknown_home", "language", "audience"),
            *("fallbacks", "targets", "ask", "deadline", "latest_start", "public", "forwardable", "petition", "goal"),
        },
        "campaign_texts": {"language", "subject", "preheader", "body"},
        "letters": {"role", "language", "subjects", "openings", "closings", "rules", "body"},
        "targets": {"slug", "role", "case_id", "about", "countries", "languages", "details", "own_words"},
    }
    tables = Campaign.metadata.tables
    for name, columns in looked_at.items():
        assert set(tables[name].columns.keys()) == columns | left_out[name]


def test_what_is_not_sent_changes_no_hash(session: Session, campaign: Campaign) -> None:
    before = hash_of(session, campaign)
    make_subscriber(session, campaign.mailing_list)
    target_book.verify(session, "embassy-de", "Ana")
    session.query(StoredTarget).one().doubts = [1, 2, 3]
    put_target(session, "court", role="authority")
    campaign.scheduled_at = datetime(2026, 10, 1, tzinfo=UTC)
    campaign.status, campaign.hold_reason = CampaignStatus.PAUSED, "paused"
    assert campaign.case is not None
    campaign.case.facts[0].checked_on += timedelta(days=3)
    campaign.case.notes, campaign.case.public = "for us", False
    campaign.audience = {"countries": ["GB", "@EU"]}
    assert hash_of(session, campaign) == before


@pytest.mark.parametrize(
    "field", ["organisation", "mailbox", "postal_address", "base_url", "reply_to", "unsubscribe_address"]
)
def test_another_sender_is_another_content(session: Session, campaign: Campaign, field: str) -> None:
    values: dict[str, Any] = {field: "Other <other@example.net>"}
    other = replace(SENDER, **values)
    assert hash_of(session, campaign, other) != hash_of(session, campaign)


def test_who_may_tell_us_what_became_of_mails_is_no_part_of_them(session: Session, campaign: Campaign) -> None:
    assert hash_of(session, campaign, replace(SENDER, providers=tuple(Provider))) == hash_of(session, campaign)


def test_that_nobody_reads_answers_is_another_content_and_that_somebody_does_is_that_of_before(
    session: Session, campaign: Campaign
) -> None:
    now = content.of(session, campaign, SENDER)
    assert "answers_are_read" not in now.parts["sender"], "as in what was approved before it could be said"
    assert hash_of(session, campaign, replace(SENDER, answers_are_read=False)) != now.hash


def test_a_changed_template_is_another_content(
    session: Session, campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_of(session, campaign)
    for file in TEMPLATES.rglob("*.*"):
        there = tmp_path / file.relative_to(TEMPLATES)
        there.parent.mkdir(exist_ok=True)
        there.write_bytes(file.read_bytes())
    monkeypatch.setattr(template_files, "TEMPLATES", tmp_path)
    assert hash_of(session, campaign) == before
    (tmp_path / "notices" / "held.txt").write_text("A notice is no part of it.")
    (tmp_path / "campaigns" / "stop.txt").write_text("Nor is another kind.")
    assert hash_of(session, campaign) == before
    included = tmp_path / "layouts" / "writing.txt"
    included.write_text(included.read_text() + "More.")
    assert hash_of(session, campaign) != before


def test_the_words_of_a_template_are_found_in_all_its_files() -> None:
    made_from = template_files.of_kind("urgent_action")
    assert {"Unsubscribe", "Change what you get"} <= set(made_from.messages)
    assert "Held: {campaign}" not in made_from.messages


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)
_parts = st.dictionaries(st.sampled_from(["text en: body", "audience", "case: consent", "public"]), _json)


@given(_parts, _parts)
def test_two_contents_have_the_same_hash_if_no_part_differs(before: dict[str, Any], after: dict[str, Any]) -> None:
    is_same = Content.made_of(before).hash == Content.made_of(after).hash
    assert is_same == (content.differences(before, after) == [])
    assert content.unpacked(content.packed(Content.made_of(before))) == Content.made_of(before)
    assert Content.made_of(dict(reversed(before.items()))).hash == Content.made_of(before).hash


def test_a_part_that_came_or_went_is_told_apart_from_one_that_is_empty() -> None:
    assert content.differences({"a": None}, {}) == [Difference("a", None, None)]
    assert content.differences({"a": None}, {"a": None}) == []


def test_what_is_kept_is_what_was_read(session: Session, campaign: Campaign) -> None:
    now = content.of(session, campaign, SENDER)
    assert content.differences(content.unpacked(content.packed(now)).parts, now.parts) == []
