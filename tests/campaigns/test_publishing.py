"""Public campaigns: which there are, and what somebody reads of whom nothing is known."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from mailer.campaigns import publishing
from mailer.campaigns.kinds import KINDS
from mailer.campaigns.publishing import Addressee
from mailer.store.db import utcnow
from mailer.store.models import Campaign, CampaignStatus, CaseEventKind, HomeRule, MailingList
from tests.support.cases import decide, make_case
from tests.support.factories import WHEN, add_letter, add_text, make_campaign, make_list

DEADLINE = datetime(2035, 4, 30, 23, 59, 59, tzinfo=UTC)
TARGETS = [
    {"countries": ["GB"], "name": "Embassy, London", "email": "london@example.org", "address": "12 Example Square"},
    {"countries": ["DE", "AT"], "name": "Botschaft, Berlin", "email": "", "address": "Beispielallee 21"},
    {"countries": [], "name": "The Ministry", "email": "a%b@example.org", "address": "1 Ministry Square"},
]


@pytest.fixture
def alerts(session: Session) -> MailingList:
    return make_list(session)


def publish(session: Session, alerts: MailingList, slug: str = "free-the-five", **columns: Any) -> Campaign:
    """A public campaign that is out, with some columns changed."""
    campaign = make_campaign(session, alerts, slug=slug, body=columns.pop("body", "Write today.\n"))
    out = {"public": True, "status": CampaignStatus.SENT, "started_at": WHEN, "deadline": DEADLINE}
    for name, value in (out | columns).items():
        setattr(campaign, name, value)
    session.flush()
    return campaign


def html(session: Session, campaign: Campaign, language: str = "en") -> str:
    return publishing.page(session, campaign, language=language, shown_in="en").html


# --- which there are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "is_listed", "is_readable"),
    [
        ({"status": CampaignStatus.SENDING}, True, True),
        ({"status": CampaignStatus.SENT}, True, True),
        ({"status": CampaignStatus.PAUSED}, False, True),
        ({"status": CampaignStatus.CANCELLED}, False, True),
        ({"status": CampaignStatus.PAUSED, "started_at": None}, False, False),
        ({"status": CampaignStatus.CANCELLED, "started_at": None}, False, False),
        ({"status": CampaignStatus.SCHEDULED, "started_at": None}, False, False),
        ({"status": CampaignStatus.DRAFT, "started_at": None}, False, False),
        ({"public": False}, False, False),
    ],
)
def test_what_is_public_and_has_begun_can_be_read_and_what_goes_on_is_listed(
    session: Session, alerts: MailingList, columns: dict[str, Any], is_listed: bool, is_readable: bool
) -> None:
    publish(session, alerts, **columns)
    listed, _ = publishing.archive(session, "en")
    assert [headline.slug for headline in listed] == ["free-the-five"] * is_listed
    if is_readable:
        assert publishing.find(session, "free-the-five")
    else:
        with pytest.raises(publishing.NotPublished):
            publishing.find(session, "free-the-five")


def test_the_newest_come_first_and_so_many_to_a_page(session: Session, alerts: MailingList) -> None:
    for number in range(publishing.PER_PAGE + 2):
        publish(session, alerts, f"no-{number}", started_at=WHEN + timedelta(days=number % 7))
    first, has_older = publishing.archive(session, "en")
    second, has_older_still = publishing.archive(session, "en", page=2)
    assert (len(first), has_older, len(second), has_older_still) == (publishing.PER_PAGE, True, 2, False)
    begun = [headline.since for headline in first + second]
    assert begun == sorted(begun, reverse=True)
    assert len({headline.slug for headline in first + second}) == publishing.PER_PAGE + 2


def test_a_headline_comes_in_the_readers_language_else_in_the_campaigns_own(
    session: Session, alerts: MailingList
) -> None:
    campaign = publish(session, alerts)
    add_text(session, campaign, "fr", "Écrivez.\n")
    for reader, language in (("fr", "fr"), ("fr-CA", "fr"), ("ru", "en")):
        (headline,), _ = publishing.archive(session, reader)
        assert headline.language == language
        assert headline.title == {"fr": "Subject", "en": "Free the five"}[language]


def test_a_deadline_is_over_once_it_has_passed(session: Session, alerts: MailingList) -> None:
    for slug, deadline in (("past", utcnow() - timedelta(hours=1)), ("open", utcnow() + timedelta(hours=1))):
        publish(session, alerts, slug, deadline=deadline)
    publish(session, alerts, "without", deadline=None, started_at=utcnow() - timedelta(days=29))
    publish(session, alerts, "old", deadline=None, started_at=utcnow() - timedelta(days=31))
    listed, _ = publishing.archive(session, "en")
    is_over = {headline.slug: headline.is_over for headline in listed}
    assert is_over == {"past": True, "open": False, "without": False, "old": True}


def test_the_current_campaign_is_the_newest_whose_deadline_is_to_come(session: Session, alerts: MailingList) -> None:
    assert publishing.current(session, "en", "GB") is None
    publish(session, alerts, "endless", deadline=None, started_at=utcnow() - timedelta(minutes=5))
    assert publishing.current(session, "en", "GB") is None
    soon = utcnow() + timedelta(days=1)
    publish(session, alerts, "older", started_at=utcnow() - timedelta(days=3), deadline=soon)
    publish(session, alerts, "newer", started_at=utcnow() - timedelta(days=2), deadline=soon)
    publish(session, alerts, "over", started_at=utcnow() - timedelta(days=1), deadline=utcnow() - timedelta(hours=1))
    current = publishing.current(session, "en", "GB")
    assert current is not None and current.slug == "newer"


@pytest.mark.parametrize(
    ("columns", "for_whom"),
    [
        ({}, {"CN", "HK", "GB", None}),
        ({"about": "CN"}, {"GB"}),
        ({"about": "CN", "unknown_home": HomeRule.INCLUDE}, {"GB", None}),
        ({"about": "CN", "unknown_home": HomeRule.EXCLUDE}, {"GB"}),
        ({"about": "CN", "home": HomeRule.INCLUDE}, {"GB"}),
    ],
)
def test_nobody_is_asked_to_act_against_the_authorities_where_they_live(
    session: Session, alerts: MailingList, columns: dict[str, Any], for_whom: set[str | None]
) -> None:
    soon = utcnow() + timedelta(days=1)
    publish(session, alerts, "older", deadline=soon)
    publish(session, alerts, "newer", started_at=WHEN + timedelta(days=1), deadline=soon, **columns)
    for country in ("CN", "HK", "GB", None):
        found = publishing.current_for(session, "en", country)
        assert found is not None
        assert found[0].slug == ("newer" if country in for_whom else "older")
        assert publishing.current(session, "en", country) == found[0]


@pytest.mark.parametrize("kind", [CaseEventKind.STOPPED, CaseEventKind.CLOSED, CaseEventKind.WITHDRAWN])
def test_nobody_is_asked_to_act_on_what_was_stopped_or_has_ended(
    session: Session, alerts: MailingList, kind: CaseEventKind
) -> None:
    soon = utcnow() + timedelta(days=1)
    decide(session, publish(session, alerts, "itself", deadline=soon), kind)
    case = make_case(session)
    publish(session, alerts, "with-its-case", deadline=soon, case=case)
    decide(session, case, kind if kind is not CaseEventKind.WITHDRAWN else CaseEventKind.STOPPED)
    publish(session, alerts, "news", deadline=soon, kind="update")
    assert publishing.current(session, "en", "GB") is None


@pytest.mark.parametrize("status", [CampaignStatus.SENT, CampaignStatus.PAUSED, CampaignStatus.CANCELLED])
def test_what_was_stopped_or_has_ended_stays_in_the_archive_and_what_was_withdrawn_leaves_it(
    session: Session, alerts: MailingList, status: CampaignStatus
) -> None:
    campaign = publish(session, alerts, status=status)
    for kind in (CaseEventKind.STOPPED, CaseEventKind.CLOSED):
        event = decide(session, campaign, kind, {"en": "Because."})
        [headline], _ = publishing.archive(session, "en")
        assert headline.told.asking == campaign.asking
        assert headline.updated == event.created_at
    assert publishing.withdrawn(session) == []
    event = decide(session, campaign, CaseEventKind.WITHDRAWN)
    assert publishing.archive(session, "en") == ([], False)
    assert publishing.withdrawn(session) == [publishing.TakenDown(headline.id, event.created_at)]
    with pytest.raises(publishing.Withdrawn):
        publishing.find(session, campaign.slug)


@pytest.mark.parametrize(
    "parts",
    [
        {"subjects": ["Free them", "Free Amal Odeh"]},
        {"openings": ["I know Amal Odeh."]},
        {"closings": ["Amal Odeh waits."]},
        {"rules": "Name Amal Odeh nowhere."},
        {"body": "Free Amal Odeh.\n"},
    ],
)
def test_a_letter_with_a_word_that_must_not_appear_takes_the_campaign_down(
    session: Session, alerts: MailingList, parts: dict[str, Any]
) -> None:
    campaign = publish(session, alerts, ask=["embassy"])
    campaign.case = make_case(session, never=["Amal Odeh"])
    add_letter(session, campaign)
    assert publishing.find(session, campaign.slug) is campaign
    campaign.letters.clear()
    session.flush()
    add_letter(session, campaign, **parts)
    with pytest.raises(publishing.Withdrawn):
        publishing.find(session, campaign.slug)


@pytest.mark.parametrize("columns", [{"public": False}, {"started_at": None}])
def test_what_nobody_could_read_leaves_no_trace_when_it_is_withdrawn(
    session: Session, alerts: MailingList, columns: dict[str, Any]
) -> None:
    campaign = publish(session, alerts, status=CampaignStatus.PAUSED, **columns)
    decide(session, campaign, CaseEventKind.WITHDRAWN)
    assert publishing.withdrawn(session) == []
    with pytest.raises(publishing.NotPublished):
        publishing.find(session, campaign.slug)


@pytest.mark.parametrize("kind", ["update", "stop"])
def test_news_and_a_stop_are_published_and_offered_to_nobody_to_act_on(
    session: Session, alerts: MailingList, kind: str
) -> None:
    soon = utcnow() + timedelta(days=1)
    publish(session, alerts, "alert", started_at=utcnow() - timedelta(days=2), deadline=soon)
    news = publish(session, alerts, "news", kind=kind, started_at=utcnow() - timedelta(days=1), deadline=soon)
    for offered in (
        publishing.current(session, "en", "GB"),
        (publishing.current_for(session, "en", "GB") or [None])[0],
    ):
        assert offered is not None and offered.slug == "alert"
    listed, _has_older = publishing.archive(session, "en")
    assert [(each.slug, each.kind) for each in listed] == [("news", KINDS[kind].heading), ("alert", None)]
    assert publishing.page(session, news, language="en", shown_in="en").headline.is_stop == (kind == "stop")


def test_what_names_a_campaign_in_feeds_stays_and_gives_no_secret_away(session: Session, alerts: MailingList) -> None:
    campaign = publish(session, alerts, salt=bytes(range(16)))
    (before,), _ = publishing.archive(session, "en")
    campaign.started_at = WHEN + timedelta(days=1)
    session.flush()
    (after,), _ = publishing.archive(session, "fr")
    assert before.id == after.id
    assert before.id != uuid.UUID(bytes=campaign.salt, version=4)
    publish(session, alerts, "another")
    assert len({headline.id for headline in publishing.archive(session, "en")[0]}) == 2


# --- what one reads -------------------------------------------------------------------------------------------------


def test_nobody_in_particular_is_addressed(session: Session, alerts: MailingList) -> None:
    body = "Dear {{ name or 'supporter' }} in {{ country }}, of {{ union or 'no <union>' }}.\n"
    text = html(session, publish(session, alerts, body=body))
    assert (
        'Dear <span dir="ltr">supporter</span> in <span dir="ltr">…</span>, of <span dir="ltr">no &lt;union&gt;</span>.'
        in text
    )


def test_a_text_names_the_target_for_everyone_else(session: Session, alerts: MailingList) -> None:
    body = "{{ target_name }}, {{ target_address }}\n\n[Write](mailto:{{ target_email }})\n"
    text = html(session, publish(session, alerts, body=body, targets=TARGETS))
    assert '<span dir="ltr">The Ministry</span>, <span dir="ltr">1 Ministry Square</span>' in text
    assert '<p class="action"><a href="mailto:a%25b@example.org">Write</a></p>' in text
    without = html(session, publish(session, alerts, "without", body=body))
    assert '<span dir="ltr">…</span>, <span dir="ltr">…</span>' in without
    assert "<p>Write</p>" in without


def test_bare_addresses_are_links_where_there_is_one(session: Session, alerts: MailingList) -> None:
    body = "Read https://example.org/a, write to {{ target_email }}.\n\n| a |\n|---|\n| b |\n"
    campaign = publish(session, alerts, body=body)
    shown = html(session, campaign)
    assert '<a href="https://example.org/a">' in shown and "<td>b</td>" in shown
    assert shown.count("<a ") == 1
    campaign.targets = [{"countries": [], "name": "Ministry", "email": "m@example.org", "address": ""}]
    assert '<a href="mailto:m@example.org"><span dir="ltr">m@example.org</span></a>' in html(session, campaign)


def test_branches_show_what_somebody_reads_of_whom_only_the_language_is_known(
    session: Session, alerts: MailingList
) -> None:
    body = (
        '{% if country == "GB" %}British{% else %}anywhere{% endif %} '
        '{% if union != "dockers" %}no docker{% endif %} {% if language == "fr" %}French{% endif %}\n'
    )
    campaign = publish(session, alerts, body=body)
    assert html(session, campaign) == "<p>anywhere no docker</p>\n"
    assert "French" in html(session, campaign, "fr-CA")


def test_headlines_stand_below_the_title_of_the_page(session: Session, alerts: MailingList) -> None:
    for slug, body, shown in (
        ("one", "# A\n\n## B\n\n###### C\n", ["<h2>A</h2>", "<h3>B</h3>", "<h6>C</h6>"]),
        ("two", "## A\n\n### B\n", ["<h2>A</h2>", "<h3>B</h3>"]),
        ("three", "### A\n\n#### B\n", ["<h2>A</h2>", "<h3>B</h3>"]),
    ):
        text = html(session, publish(session, alerts, slug, body=body))
        assert [headline for headline in shown if headline not in text] == []


def test_what_an_author_wrote_cannot_become_a_script(session: Session, alerts: MailingList) -> None:
    body = "`<script>` &lt;script&gt; [x](https://example.org/?q=\"onclick=1) {{ name or '<script>' }}\n"
    text = html(session, publish(session, alerts, body=body))
    assert "<script" not in text
    assert " onclick" not in text


def test_a_title_is_one_line_that_any_document_can_hold(session: Session, alerts: MailingList) -> None:
    campaign = publish(session, alerts)
    campaign.texts[0].subject = "Free {{ name or 'them' }},\n now\x0b & \ufffe<all>"
    session.flush()
    assert publishing.page(session, campaign, language="en", shown_in="en").headline.title == "Free them, now & <all>"


def test_everyone_to_write_to_is_listed_by_country_and_the_rest_of_the_world_comes_last(
    session: Session, alerts: MailingList
) -> None:
    campaign = publish(session, alerts, targets=[TARGETS[2], *TARGETS[:2]])
    page = publishing.page(session, campaign, language="en", shown_in="fr")
    assert page.addressees == (
        Addressee("Allemagne et Autriche", "Botschaft, Berlin", "", "Beispielallee 21"),
        Addressee("Royaume-Uni", "Embassy, London", "london@example.org", "12 Example Square"),
        Addressee("", "The Ministry", "a%b@example.org", "1 Ministry Square"),
    )
    assert page.addressees[2].mailto == "mailto:a%25b@example.org"


WRITE = (
    "Read [this](https://example.org/a), write to {{ target_email }}.\n\n[Write](mailto:{{ target_email }})\n\nNow.\n"
)


def test_a_text_on_which_nobody_is_to_act_any_more_has_nothing_to_press_but_what_is_to_be_read(
    session: Session, alerts: MailingList
) -> None:
    campaign = publish(session, alerts, body=WRITE, targets=TARGETS)
    assert html(session, campaign).count("mailto:") == 2
    decide(session, campaign, CaseEventKind.CLOSED)
    shown = publishing.page(session, campaign, language="en", shown_in="en")
    assert shown.html == (
        '<p>Read <a href="https://example.org/a">this</a>, write to <span dir="ltr">a%b@example.org</span>.</p>\n'
        "<p>Now.</p>\n"
    )
    assert shown.addressees == () and shown.headline.deadline is None
    decide(session, campaign, CaseEventKind.STOPPED, {"en": "Because."})
    shown = publishing.page(session, campaign, language="en", shown_in="en")
    assert (shown.html, shown.addressees, shown.headline.deadline) == ("", (), None)


def test_news_asks_nobody_to_act_and_is_read_while_its_case_is_stopped(session: Session, alerts: MailingList) -> None:
    case = make_case(session)
    deadline = datetime(2035, 1, 1, tzinfo=UTC)
    campaign = publish(session, alerts, kind="update", case=case, targets=TARGETS, deadline=deadline)
    decide(session, case, CaseEventKind.STOPPED, {"en": "Because."})
    shown = publishing.page(session, campaign, language="en", shown_in="en")
    assert shown.html == "<p>Write today.</p>\n"
    assert (shown.addressees, shown.headline.deadline, shown.home) == ((), None, "")


@pytest.mark.parametrize(
    ("columns", "home"),
    [
        ({}, ""),
        ({"about": None}, ""),
        ({"about": "BR"}, "Brésil"),
        ({"about": "CN"}, "Chine, R.A.S. chinoise de Hong Kong et R.A.S. chinoise de Macao"),
        ({"about": "FR"}, "France"),
        ({"about": "BR", "home": HomeRule.EXCLUDE}, "Brésil"),
        ({"about": "BR", "home": HomeRule.INCLUDE}, "Brésil"),
        ({"about": "BR", "deadline": WHEN}, ""),
        ({"about": "BR", "kind": "update"}, ""),
    ],
)
def test_a_page_says_where_one_should_not_act_on_it(
    session: Session, alerts: MailingList, columns: dict[str, Any], home: str
) -> None:
    campaign = publish(session, alerts, **{"deadline": datetime(2035, 1, 1, tzinfo=UTC)} | columns)
    assert publishing.page(session, campaign, language="en", shown_in="fr").home == home


def test_a_page_leads_to_its_case_where_that_has_one(session: Session, alerts: MailingList) -> None:
    case = make_case(session)
    campaign = publish(session, alerts, case=case)

    def leads_to() -> str | None:
        return publishing.page(session, campaign, language="en", shown_in="en").case_slug

    assert leads_to() == "leila"
    case.public = False
    assert leads_to() is None


def test_a_cancelled_campaign_says_so(session: Session, alerts: MailingList) -> None:
    campaign = publish(session, alerts, status=CampaignStatus.CANCELLED, deadline=datetime(2035, 1, 1, tzinfo=UTC))
    assert publishing.page(session, campaign, language="en", shown_in="en").is_cancelled
