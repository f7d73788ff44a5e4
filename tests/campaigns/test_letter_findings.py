"""What is warned of in a campaign's letters: those that are missing, too few wordings, and nothing to ask for."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import letter_findings, readiness
from mailer.cases import target_book
from mailer.cases.targets import Target
from mailer.store.models import Campaign, TargetRole
from tests.support.cases import make_case
from tests.support.factories import add_letter, add_text, make_campaign, make_list, make_subscriber


@pytest.fixture
def campaign(session: Session) -> Campaign:
    """A draft to one person in Britain that asks for the embassy, with a letter to it."""
    urgent = make_list(session)
    make_subscriber(session, urgent)
    campaign = make_campaign(session, urgent)
    campaign.about, campaign.ask = "BR", ["embassy"]
    add_letter(session, campaign)
    return campaign


def put(session: Session, slug: str = "embassy", *countries: str, role: str = "embassy", **known: Any) -> None:
    target = Target(countries, slug, "e@example.org", "", slug=slug, role=TargetRole(role), about="BR", **known)
    target_book.put(session, target)


def found(session: Session, campaign: Campaign, **people: int) -> list[tuple[str, str, str]]:
    by_country = dict[str | None, int](people.items())
    return [(each.code, each.where, each.what) for each in letter_findings.findings(session, campaign, by_country)]


def test_a_role_without_a_letter_is_warned_of_unless_its_targets_want_no_copies(
    session: Session, campaign: Campaign
) -> None:
    campaign.ask = ["embassy", "company"]
    assert found(session, campaign) == [], "that nobody has the role is an error of its own"
    put(session)
    put(session, "shipper", role="company")
    what = "people are asked to write to a target of role company, and there is no letter for them to send"
    assert found(session, campaign) == [("letter-missing", "letter-company.en.md", what)]
    assert "letter-missing" in [each.code for each in readiness.check(session, campaign).findings]
    put(session, "shipper", role="company", own_words=True)
    assert "letter-missing" not in [code for code, _, _ in found(session, campaign)]


def test_languages_in_which_targets_get_no_letter_are_named(session: Session, campaign: Campaign) -> None:
    for slug, reads in {"a": ("ar",), "b": ("ar", "fr"), "c": ("ru", "en"), "d": ("kk", "ru"), "e": ()}.items():
        put(session, slug, languages=reads)
    put(session, "f", languages=("tr",), own_words=True)
    campaign.case = make_case(session)
    [(code, where, what)] = found(session, campaign)
    assert (code, where) == ("letter-missing", "letter-embassy.*.md")
    assert what == (
        "3 targets of role embassy get the letter in en, because there is none in a language that they read: "
        "ar (2), kk (1)"
    )
    for language in ("ar", "ru"):
        add_letter(session, campaign, language=language)
    assert found(session, campaign) == []


def test_a_letter_that_no_target_gets_and_nobody_reads_is_warned_of(session: Session, campaign: Campaign) -> None:
    put(session, "a", languages=("ru",))
    for language in ("fr", "ka", "ru"):
        add_letter(session, campaign, language=language)
    add_text(session, campaign, "fr", "Bonjour.")
    what = "no target of role embassy gets this letter, and there is no text of the mail in ka"
    assert found(session, campaign) == [("letter-unread", "letter-embassy.ka.md", what)]
    put(session, "b", languages=("ka",))
    assert found(session, campaign) == []


def test_few_wordings_of_a_letter_that_many_would_send_are_warned_of(session: Session, campaign: Campaign) -> None:
    put(session)
    put(session, "paris", "FR", languages=("fr",))
    put(session, "paris-2", "FR", languages=("fr",))
    add_letter(session, campaign, language="fr", subjects=["a", "b", "c"], openings=["d", "e"], closings=["f", "g"])
    assert found(session, campaign, GB=500, FR=1000) == []
    few = [("wordings-few", "letter-embassy.en.md", "501 people would send this letter, in only 1 wording")]
    assert found(session, campaign, GB=300, DE=201, FR=1000) == few
    campaign.letters[1].subjects = ["a", "b"]
    few.append(("wordings-few", "letter-embassy.fr.md", "1,000 people would send this letter, in only 8 wordings"))
    assert found(session, campaign, GB=501, FR=1000) == few


def test_who_would_send_a_letter_is_counted_from_the_audience(
    session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(session)
    make_subscriber(session, campaign.mailing_list, country="FR")
    assert "wordings-few" not in [each.code for each in readiness.check(session, campaign).findings]
    monkeypatch.setattr(letter_findings, "_MANY", 1)
    said = [each.what for each in readiness.check(session, campaign).findings if each.code == "wordings-few"]
    assert said == ["2 people would send this letter, in only 1 wording"]


def test_a_target_that_wants_no_copies_needs_asks_in_each_language(session: Session, campaign: Campaign) -> None:
    put(session)
    assert found(session, campaign) == []
    put(session, own_words=True)
    what = "targets that want no copies get no letter, and nothing says what people should ask of them"
    assert found(session, campaign) == [("asks-missing", "campaign.toml, case", what)]
    campaign.case = make_case(session, asks={})
    assert found(session, campaign) == [("asks-missing", "case leila, asks", what)]
    campaign.case.asks = {"en": ["Release her."], "ru": ["Освободите её."]}
    add_text(session, campaign, "kk", "Text.\n")
    add_text(session, campaign, "fr-CA", "Text.\n")
    campaign.fallbacks = {"kk": ["ru"]}
    assert found(session, campaign) == [("asks-missing", "case leila, asks", f"{what} in fr-CA")]
    campaign.case.asks = campaign.case.asks | {"fr": ["Libérez-la."]}
    assert found(session, campaign) == []


def test_words_that_spam_filters_count_are_found_in_letters(session: Session, campaign: Campaign) -> None:
    add_letter(session, campaign, language="fr", body='Bonjour.\n\n{{ salutation or "Dear Sir" }},\n', body_line=4)
    [(code, where, what)] = found(session, campaign)
    assert (code, where) == ("spam-words", "letter-embassy.fr.md:6") and '"Dear Sir"' in what
