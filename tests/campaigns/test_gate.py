"""The gate: what a case says against sending a campaign, at each moment at which it could go out."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, gate, kinds, readiness, segments
from mailer.campaigns.lifecycle import WrongStatus
from mailer.campaigns.readiness import Refused
from mailer.cases import cases
from mailer.cases.dossier import Consent, ConsentBy, Person, PersonStatus
from mailer.cases.findings import Level
from mailer.delivery import control
from mailer.store import db, scope
from mailer.store.models import (
    Campaign,
    CampaignStatus,
    Case,
    CaseEventKind,
    CaseFact,
    CaseStatus,
    Certainty,
    Delivery,
    DeliveryState,
    HomeRule,
)
from tests.support.concurrency import Beside
from tests.support.factories import (
    SENDER,
    WHEN,
    add_letter,
    deliver,
    make_campaign,
    make_case,
    make_list,
    make_subscriber,
    make_union,
)


@pytest.fixture
def case(session: Session) -> Case:
    """A case of which we may speak."""
    case = make_case(session, "leila", never=["Amal Odeh"])
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5)))
    case.facts.append(fact(today(session)))
    return case


@pytest.fixture
def campaign(session: Session, case: Case) -> Campaign:
    """A draft about it, and somebody to send it to."""
    urgent = make_list(session)
    make_subscriber(session, urgent)
    campaign = make_campaign(session, urgent)
    campaign.case = case
    session.flush()
    return campaign


def today(session: Session) -> date:
    return db.now(session).date()


def fact(checked_on: date, good_for: int = 30) -> CaseFact:
    return CaseFact(
        text="She is held at the port.",
        source="her lawyer",
        certainty=Certainty.KNOWN,
        checked_on=checked_on,
        good_for=good_for,
    )


def codes(session: Session, campaign: Campaign) -> list[str]:
    return [finding.code for finding in gate.findings(session, campaign)]


#: what is found only in what goes out has no line
OUT = "en.md, as it goes out"


def start(session: Session, campaign: Campaign) -> None:
    control.start(session, campaign, SENDER)


def schedule(session: Session, campaign: Campaign) -> None:
    control.schedule(session, campaign, db.now(session) + timedelta(hours=1), SENDER)


def resume(session: Session, campaign: Campaign) -> None:
    campaign.status = CampaignStatus.PAUSED
    control.resume(session, campaign, SENDER)


def resend(session: Session, campaign: Campaign) -> None:
    campaign.status = CampaignStatus.SENT
    control.resend(session, campaign, DeliveryState.FAILED)


def test_a_campaign_about_a_case_of_which_we_may_speak_goes_out(session: Session, campaign: Campaign) -> None:
    assert codes(session, campaign) == []
    start(session, campaign)
    assert campaign.status is CampaignStatus.SENDING


@pytest.mark.parametrize("move", [start, schedule, resume, resend])
def test_nothing_goes_out_without_consent_until_it_is_recorded(
    session: Session, campaign: Campaign, case: Case, move: Callable[[Session, Campaign], None]
) -> None:
    cases.withdraw_consent(session, case, "the family is afraid")
    session.commit()
    with pytest.raises(Refused, match=r"nobody has agreed that we speak of it\. Ask, and record the answer"):
        move(session, campaign)
    session.rollback()
    assert codes(session, campaign) == ["consent-missing"]
    cases.record_consent(session, case, Consent(ConsentBy.LAWYER, today(session)))
    move(session, campaign)
    assert campaign.status in (CampaignStatus.SENDING, CampaignStatus.SCHEDULED, CampaignStatus.SENT)


def test_consent_holds_through_its_last_day(session: Session, campaign: Campaign, case: Case) -> None:
    for days, found in ((0, []), (-1, ["consent-past"])):
        until = today(session) + timedelta(days=days)
        cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5), until))
        assert codes(session, campaign) == found


def test_a_fact_is_good_for_its_days_and_no_longer(session: Session, campaign: Campaign, case: Case) -> None:
    case.facts[0].checked_on = today(session) - timedelta(days=30)
    assert codes(session, campaign) == []
    case.facts.append(fact(today(session) - timedelta(days=8), good_for=7))
    assert codes(session, campaign) == ["fact-stale"]
    [finding] = gate.findings(session, campaign)
    assert "fact 2 was last checked on" in finding.what
    assert "port" not in str(finding)


@pytest.mark.parametrize("status", [CaseStatus.STOPPED, CaseStatus.CLOSED])
def test_nothing_goes_out_on_a_case_that_is_not_open(
    session: Session, campaign: Campaign, case: Case, status: CaseStatus
) -> None:
    case.status = status
    with pytest.raises(Refused, match=f"case leila: the case is {status}"):
        start(session, campaign)


@pytest.mark.parametrize(
    ("part", "text", "where"),
    [
        ("subject", "Free Amal Odeh's friend", "en.md, subject"),
        ("preheader", "AMAL  ODEH saw it", "en.md, preheader"),
        ("body", "Dear all,\n\nAm**al** Odeh saw it.\n", "en.md:7"),
    ],
)
def test_a_word_that_must_not_appear_is_found_in_each_part_of_a_text_and_never_shown(
    session: Session, campaign: Campaign, part: str, text: str, where: str
) -> None:
    [written] = campaign.texts
    was = getattr(written, part)
    setattr(written, part, text)
    written.body_line = 5
    [finding] = gate.findings(session, campaign)
    assert (finding.code, finding.where) == ("never", where)
    with pytest.raises(Refused) as refused:
        start(session, campaign)
    assert "amal" not in str(refused.value).lower() and "odeh" not in str(refused.value).lower()
    setattr(written, part, was)
    assert codes(session, campaign) == []


LETTER = "letter-embassy.en.md"


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"subjects": ["Free them", "Free Amal Odeh"]}, f"{LETTER}, subjects, number 2"),
        ({"openings": ["I know Amal Odeh."]}, f"{LETTER}, openings, number 1"),
        ({"closings": ["Amal  Odeh waits."]}, f"{LETTER}, closings, number 1"),
        ({"rules": "Do not name\nAmal Odeh."}, f"{LETTER}, rules"),
        ({"body": "Please,\n\nfree Amal Odeh.\n", "body_line": 4}, f"{LETTER}:6"),
        ({"body": "Please.\n\nFree Am{# her #}al Odeh.\n"}, f"{LETTER}, as it goes out"),
        ({"subjects": ['{{ name or "Amal" }} Odeh']}, f"{LETTER}, subjects, number 1"),
    ],
)
def test_a_word_that_must_not_appear_is_found_in_each_part_of_a_letter_and_never_shown(
    session: Session, campaign: Campaign, parts: dict[str, Any], where: str
) -> None:
    add_letter(session, campaign)
    assert codes(session, campaign) == []
    campaign.letters.clear()
    session.flush()
    add_letter(session, campaign, **parts)
    [finding] = gate.findings(session, campaign)
    assert (finding.code, finding.where) == ("never", where)
    assert "amal" not in str(finding).lower() and "odeh" not in str(finding).lower()
    assert finding.remedy == "Take it out, and load the campaign again."
    campaign.status = CampaignStatus.PAUSED
    [finding] = gate.findings(session, campaign)
    assert finding.remedy.endswith("mailer campaigns correct-letters FOLDER")


def test_a_word_that_must_not_appear_is_found_in_a_target_in_the_petition_and_in_the_slug(
    session: Session, campaign: Campaign
) -> None:
    campaign.petition = {"to": {"en": "the President", "fr": "le tribunal d'Amal Odeh"}}
    campaign.targets = [{"countries": [], "name": "Amal Odeh", "email": "", "address": ""}]
    campaign.slug = "free-amal-odeh"
    wheres = [finding.where for finding in gate.findings(session, campaign)]
    assert wheres == ["campaign.toml, [[targets]]", "campaign.toml, [petition]", "the name of the campaign's folder"]


def test_once_a_case_turns_out_to_be_about_another_country_its_campaigns_are_loaded_anew_before_they_go_out(
    session: Session, campaign: Campaign, case: Case
) -> None:
    campaign.about, case.country = "BR", "TR"
    assert codes(session, campaign) == ["about-outdated"]
    assert segments.home_of(campaign) == {"BR", "TR"}  # meanwhile nobody in either is asked to act by a page or a kit
    with pytest.raises(Refused, match="Türkiye now"):
        schedule(session, campaign)
    campaign.about = "TR"
    schedule(session, campaign)


def test_a_campaign_without_a_case_is_left_alone(session: Session, campaign: Campaign, case: Case) -> None:
    cases.withdraw_consent(session, case, "why")
    campaign.case = None
    session.flush()
    assert codes(session, campaign) == []


def test_a_session_that_sees_no_case_sends_nothing_about_one(session: Session, campaign: Campaign) -> None:
    owner = make_union(session, "dockers")
    campaign.mailing_list.owner_id = owner.id
    session.commit()
    with Session(session.get_bind()) as limited:
        scope.limit(limited, owner.id)
        assert codes(limited, limited.get_one(Campaign, campaign.id)) == ["case-unseen"]


@pytest.mark.parametrize("move", [start, schedule, control.resume, control.resend])
def test_a_move_that_is_not_allowed_is_refused_for_that_first(
    session: Session, campaign: Campaign, case: Case, move: Callable[..., None]
) -> None:
    cases.withdraw_consent(session, case, "the family is afraid")
    campaign.status = CampaignStatus.CANCELLED
    more: dict[object, list[object]] = {control.resume: [SENDER], control.resend: [DeliveryState.FAILED]}
    with pytest.raises(WrongStatus):
        move(session, campaign, *more.get(move, []))


def test_every_error_is_named_and_they_come_before_the_warnings(
    session: Session, campaign: Campaign, case: Case
) -> None:
    campaign.deadline = db.now(session) + timedelta(hours=47)
    cases.withdraw_consent(session, case, "why")
    case.facts[0].checked_on = date(2026, 1, 5)
    cases.note(session, case, CaseEventKind.STOPPED, "Amal Odeh is in danger")
    campaign.targets = [{"countries": [], "name": "Amal Odeh", "email": "", "address": ""}]
    session.flush()
    session.expire(case, ["events"])
    found = ["consent-missing", "fact-stale", "never", "deadline-near", "never-in-history", "no-link"]
    assert [finding.code for finding in readiness.findings(session, campaign)] == found
    with pytest.raises(Refused, match=r"nobody has agreed.* Also: case leila: fact 1 was last checked"):
        start(session, campaign)


def test_a_campaign_is_scheduled_only_for_a_day_that_consent_covers(
    session: Session, campaign: Campaign, case: Case
) -> None:
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, date(2026, 1, 5), today(session)))
    with pytest.raises(Refused, match=r"the consent ends on .*\. Ask, and record"):
        control.schedule(session, campaign, db.now(session) + timedelta(days=1), SENDER)
    assert campaign.status is CampaignStatus.DRAFT
    start(session, campaign)


def withdraw(engine: Engine, slug: str) -> None:
    with Session(engine) as other:
        cases.withdraw_consent(other, cases.get(other, slug, to_change=True), "the family is afraid")
        other.commit()


def test_consent_is_withdrawn_without_waiting_for_a_campaign_that_starts_and_it_does_not_start(
    engine: Engine, session: Session, campaign: Campaign, case: Case
) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    session.commit()
    readiness.require(session, campaign)
    Beside(lambda: withdraw(engine, "leila")).result()
    with pytest.raises(Refused, match="nobody has agreed"):
        readiness.require_still(session, campaign)


def test_a_start_sees_consent_that_was_withdrawn_since_it_read_the_case(
    engine: Engine, session: Session, campaign: Campaign, case: Case
) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    session.commit()
    assert codes(session, campaign) == []
    withdraw(engine, "leila")
    with pytest.raises(Refused, match="nobody has agreed"):
        start(session, campaign)


def test_consent_that_somebody_else_has_just_recorded_is_withdrawn_too(
    engine: Engine, session: Session, campaign: Campaign, case: Case
) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    cases.withdraw_consent(session, case, "why")
    session.commit()
    with Session(engine) as other:
        as_it_was = cases.get(other, "leila")
        assert cases.consent_of(as_it_was) is None
        cases.record_consent(session, case, Consent(ConsentBy.FAMILY, today(session)))
        session.commit()
        cases.withdraw_consent(other, cases.get(other, "leila", to_change=True), "why")
        other.commit()
    session.expire_all()
    assert cases.consent_of(case) is None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("We know &#65;mal Odeh.", "en.md:6"),
        ("We know Am&#x61;l Odeh.", "en.md:6"),
        ("We know Am&shy;al Odeh.", "en.md:6"),
        ("We know Amal&nbsp;Odeh.", "en.md:6"),
        ("Amal {# real name? #}Odeh", OUT),
        ('{{ name or "\\x41mal Odeh" }} saw it.', OUT),
        ('Amal {{ name or "Odeh" }} saw it.', OUT),
        ("Amal {{ union }} Odeh saw it.", OUT),
        ('Amal {% if country == "GB" %}Smith{% else %}Odeh{% endif %}', OUT),
        ('Am{% if country == "GB" %}al{% endif %} Odeh', OUT),
        ("[Amal](https://example.org/a) [Odeh](https://example.org/b)", OUT),
        ("Am[al](https://example.org/a) Odeh", OUT),
        ("[Amal][a] Odeh\n\n[a]: https://example.org/a", OUT),
        ("1. Amal\n2. Odeh", OUT),
        ("[them](https://example.org/Amal%20Odeh)", "en.md:6"),
        ("[them](https://example.org/%41mal+Odeh)", "en.md:6"),
        ("[them](mailto:us@example.org?subject=Amal%20Odeh)", "en.md:6"),
        ("[them](https://example.org 'A&#109;al Odeh')", "en.md:6"),
        ("[them](https://freeamalodeh.example.org)", "en.md:6"),
    ],
)
def test_a_word_that_must_not_appear_is_found_in_what_goes_out_however_it_was_written(
    session: Session, campaign: Campaign, body: str, where: str
) -> None:
    [written] = campaign.texts
    written.body, written.body_line = f"Dear all,\n\n{body}\n", 4
    found = [(finding.code, finding.where) for finding in gate.findings(session, campaign)]
    assert found == [("never", where)]


def test_of_a_campaign_that_has_started_what_is_frozen_is_searched(
    session: Session, campaign: Campaign, case: Case
) -> None:
    [written] = campaign.texts
    written.body = "[Leila](https://example.org/a) [Marun](https://example.org/b) needs you.\n"
    start(session, campaign)
    written.body = "Somebody changed it since.\n"
    case.never = ["Leila Marun"]
    [finding] = gate.findings(session, campaign)
    assert (finding.where, finding.remedy) == (OUT, "Cancel it, and send one without that word.")


@pytest.mark.parametrize("key", ["name", "email", "address"])
def test_each_part_of_a_target_is_searched(session: Session, campaign: Campaign, key: str) -> None:
    campaign.targets = [{"countries": [], "name": "A", "email": "", "address": ""} | {key: "amal-odeh@example.org"}]
    assert codes(session, campaign) == ["never"]


def test_a_refusal_does_not_name_a_campaign_that_is_called_so(session: Session, campaign: Campaign) -> None:
    campaign.slug = "free-amal-odeh"
    with pytest.raises(Refused, match=r"^This campaign cannot be sent\. the name of") as refused:
        start(session, campaign)
    assert "amal" not in str(refused.value)


@pytest.mark.parametrize(("key", "value"), [("name", "Friends of Amal Odeh"), ("names", {"ar": "Amal-Odeh"})])
def test_the_name_of_the_list_is_searched_since_each_mail_has_it(
    session: Session, campaign: Campaign, key: str, value: object
) -> None:
    setattr(campaign.mailing_list, key, value)
    assert [(each.code, each.where) for each in gate.findings(session, campaign)] == [("never", "the name of the list")]


def test_names_of_unions_are_searched_where_a_text_prints_one(session: Session, campaign: Campaign) -> None:
    union = make_union(session, "dockers", name="Amal Odeh Dockers")
    assert codes(session, campaign) == []
    campaign.texts[0].body = 'Dear {{ union or "friends" }}.\n'
    [finding] = gate.findings(session, campaign)
    assert (finding.code, finding.where) == ("never", "{{ union }}, which prints the name of a union")
    union.is_named = False
    assert codes(session, campaign) == []


# --- campaigns that choose the audience -----------------------------------------------------------------------------


@pytest.fixture
def alert(session: Session, campaign: Campaign) -> Campaign:
    """What the audience of the campaign got."""
    alert = make_campaign(session, campaign.mailing_list, slug="alert", status=CampaignStatus.SENT)
    alert.started_at = WHEN
    campaign.audience = {"got": ["alert"]}
    session.flush()
    return alert


@pytest.fixture
def reader(session: Session, campaign: Campaign, alert: Campaign) -> int:
    """Who was sent the alert."""
    person = make_subscriber(session, campaign.mailing_list)
    deliver(session, alert, person, DeliveryState.SENT)
    return person.id


def test_a_correction_reaches_exactly_those_who_had_the_alert(
    session: Session, campaign: Campaign, alert: Campaign, reader: int
) -> None:
    unlucky = make_subscriber(session, campaign.mailing_list)
    deliver(session, alert, unlucky, DeliveryState.FAILED)
    start(session, campaign)
    reached = session.scalars(select(Delivery.subscriber_id).where(Delivery.campaign_id == campaign.id))
    assert list(reached) == [reader]


@pytest.mark.parametrize("key", ["got", "not_got"])
def test_it_is_warned_of_a_campaign_that_nobody_has_got_yet(
    session: Session, campaign: Campaign, alert: Campaign, key: str
) -> None:
    campaign.audience = {key: ["alert"]}
    alert.started_at = None
    [finding] = gate.findings(session, campaign)
    assert (finding.level, finding.code) == (Level.WARNING, "got-not-begun")
    assert "nobody has got campaign alert yet" in finding.what
    campaign.started_at = WHEN
    assert codes(session, campaign) == []


_HELD_UP = r"campaign alert is going out at this moment.* Pause that one, or wait"


@pytest.mark.parametrize("key", ["got", "not_got"])
@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.SENDING])
def test_nothing_starts_by_who_got_a_campaign_while_more_people_are_getting_it(
    session: Session, campaign: Campaign, alert: Campaign, reader: int, key: str, state: DeliveryState
) -> None:
    campaign.audience = {key: ["alert"]}
    alert.status = CampaignStatus.SENDING
    next_one = deliver(session, alert, make_subscriber(session, campaign.mailing_list), state, fence=1)
    session.commit()
    with pytest.raises(Refused, match=_HELD_UP):
        start(session, campaign)
    session.rollback()
    schedule(session, campaign)  # it may well be over by then
    next_one.state = DeliveryState.SENT
    start(session, campaign)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (CampaignStatus.SENDING, DeliveryState.DEFERRED),
        (CampaignStatus.PAUSED, DeliveryState.PENDING),
        (CampaignStatus.SENT, DeliveryState.FAILED),
    ],
)
def test_what_waits_or_failed_keeps_nobody_from_being_told(
    session: Session, campaign: Campaign, alert: Campaign, reader: int, status: CampaignStatus, state: DeliveryState
) -> None:
    alert.status = status
    deliver(session, alert, make_subscriber(session, campaign.mailing_list), state)
    session.commit()
    assert codes(session, campaign) == []
    start(session, campaign)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (kinds.STOP, CampaignStatus.SENDING),
        (kinds.STOP, CampaignStatus.PAUSED),
        ("update", CampaignStatus.PAUSED),
        ("update", CampaignStatus.CANCELLED),
    ],
)
def test_a_stop_waits_for_nothing_and_nothing_waits_for_a_worker_that_hangs(
    session: Session, campaign: Campaign, alert: Campaign, reader: int, kind: str, status: CampaignStatus
) -> None:
    campaign.kind, alert.status = kind, status
    deliver(session, alert, make_subscriber(session, campaign.mailing_list), DeliveryState.SENDING, fence=1)
    session.commit()
    [finding] = gate.of_others(session, campaign)
    assert (finding.level, finding.code) == (Level.WARNING, "got-going-out")
    assert "send this to the rest: under another name, with `not_got` naming this one" in finding.remedy
    start(session, campaign)


def test_a_campaign_whose_name_must_not_appear_is_not_named(
    session: Session, campaign: Campaign, case: Case, alert: Campaign
) -> None:
    alert.slug, alert.started_at = "for-amal-odeh", None
    campaign.audience = {"got": [alert.slug]}
    session.flush()
    [finding] = gate.findings(session, campaign)
    assert finding.code == "got-not-begun"
    assert "amal" not in str(finding)


@pytest.fixture
def acted_on(session: Session, campaign: Campaign, alert: Campaign) -> Campaign:
    """The same, if it asks people to tell us that they wrote, and is over."""
    alert.targets, alert.deadline = [{"name": "The embassy"}], db.now(session) - timedelta(days=1)
    session.flush()
    return alert


@pytest.mark.parametrize("key", ["acted", "not_acted"])
def test_nothing_stands_against_who_acted_once_nobody_may_act_any_more(
    session: Session, campaign: Campaign, acted_on: Campaign, key: str
) -> None:
    campaign.audience = {key: ["alert"]}
    assert codes(session, campaign) == []


@pytest.mark.parametrize("key", ["acted", "not_acted"])
@pytest.mark.parametrize("change", [{"started_at": None}, {"targets": []}, {"kind": "update"}])
def test_it_is_warned_of_a_campaign_on_which_nobody_can_have_acted(
    session: Session, campaign: Campaign, acted_on: Campaign, key: str, change: dict[str, Any]
) -> None:
    campaign.audience = {key: ["alert"]}
    for name, value in change.items():
        setattr(acted_on, name, value)
    [finding] = gate.findings(session, campaign)
    assert (finding.level, finding.code) == (Level.WARNING, "acted-nobody")
    assert "nobody can have acted on campaign alert" in finding.what


def test_it_is_warned_of_news_to_those_who_acted_while_others_still_may(
    session: Session, campaign: Campaign, acted_on: Campaign
) -> None:
    acted_on.deadline = db.now(session) + timedelta(days=1)
    campaign.audience = {"acted": ["alert"]}
    [finding] = gate.findings(session, campaign)
    assert (finding.level, finding.code) == (Level.WARNING, "acted-still-open")
    campaign.audience = {"not_acted": ["alert"]}  # whoever acts later is spared
    assert codes(session, campaign) == []


def test_no_reminder_goes_out_once_it_is_forgotten_who_has_done_what_it_asks_for(
    session: Session, campaign: Campaign, acted_on: Campaign
) -> None:
    acted_on.deadline = db.now(session) - acts.KNOWN_FOR - timedelta(days=1)
    campaign.audience = {"acted": ["alert"]}
    [finding] = gate.findings(session, campaign)
    assert (finding.level, finding.code) == (Level.WARNING, "acted-forgotten")
    campaign.audience = {"not_acted": ["alert"]}
    session.commit()
    with pytest.raises(Refused, match=r"who acted on campaign alert is known no more.*`not_got`"):
        start(session, campaign)


# --- kinds that ask nobody to act -----------------------------------------------------------------------------------

#: what of a case stands against asking people to act
AGAINST: dict[str, Callable[[Session, Case], None]] = {
    "no consent": lambda session, case: cases.withdraw_consent(session, case, "the family is afraid"),
    "a fact that is stale": lambda _session, case: setattr(case.facts[0], "checked_on", date(2026, 1, 5)),
    "a case that is stopped": lambda _session, case: setattr(case, "status", CaseStatus.STOPPED),
    "a case that is closed": lambda _session, case: setattr(case, "status", CaseStatus.CLOSED),
}


@pytest.mark.parametrize("against", AGAINST.values(), ids=AGAINST)
@pytest.mark.parametrize("kind", ["update", "stop"])
def test_news_and_a_stop_go_out_at_each_moment_where_an_alert_does_not(
    session: Session, campaign: Campaign, case: Case, kind: str, against: Callable[[Session, Case], None]
) -> None:
    against(session, case)
    moves: list[tuple[CampaignStatus, Callable[[], object]]] = [
        (
            CampaignStatus.DRAFT,
            lambda: control.schedule(session, campaign, db.now(session) + timedelta(hours=1), SENDER),
        ),
        (CampaignStatus.SCHEDULED, lambda: control.start(session, campaign, SENDER)),
        (CampaignStatus.PAUSED, lambda: control.resume(session, campaign, SENDER)),
        (CampaignStatus.SENT, lambda: control.resend(session, campaign, DeliveryState.FAILED)),
    ]
    for status, move in moves:
        campaign.kind, campaign.status = "urgent_action", status
        with pytest.raises(Refused):
            move()
        assert campaign.status is status
        campaign.kind = kind
        move()
        if status is CampaignStatus.SCHEDULED:
            control.pause(session, campaign, reason="a break")


@pytest.mark.parametrize("kind", ["update", "stop"])
def test_words_that_must_not_appear_and_readers_at_home_hold_news_and_a_stop_too(
    session: Session, campaign: Campaign, case: Case, kind: str
) -> None:
    case.status = CaseStatus.STOPPED
    campaign.kind, campaign.about = kind, "BR"
    make_subscriber(session, campaign.mailing_list, country="BR")
    campaign.texts[0].body = "Amal Odeh saw it.\n"
    assert codes(session, campaign) == ["never", "home-undecided"]
    campaign.home = HomeRule.INCLUDE
    assert codes(session, campaign) == ["never", "home-same-words"]
    campaign.home, campaign.texts[0].body = HomeRule.EXCLUDE, "They are free.\n"
    assert codes(session, campaign) == []


ZAHRA = Person("Zahra Nur", PersonStatus.RELEASED, {"Arab": "زهراء نور"})


@pytest.mark.parametrize(
    ("part", "words", "where"),
    [
        ("subject", "Zahra Nur is free", "en.md, subject"),
        ("preheader", "ZAHRA  NUR is with her family", "en.md, preheader"),
        ("body", "Dear all,\n\nزهراء نور is free.\n", "en.md:7"),
        ("body", "Za{# her real name #}hra is free.\n", OUT),
    ],
)
def test_news_names_nobody_whose_consent_is_missing_and_a_stop_may(
    session: Session, campaign: Campaign, case: Case, part: str, words: str, where: str
) -> None:
    case.persons = [ZAHRA.to_json()]
    campaign.kind = "update"
    setattr(campaign.texts[0], part, words)
    assert codes(session, campaign) == []
    cases.withdraw_consent(session, case, "the family is afraid")
    [finding] = gate.findings(session, campaign)
    assert (finding.code, finding.where) == ("consent-missing", where)
    assert "somebody is named here, and nobody has agreed" in finding.what
    with pytest.raises(Refused) as refused:
        start(session, campaign)
    assert "zahra" not in str(refused.value).lower() and "نور" not in str(refused.value)
    campaign.kind = "stop"
    assert codes(session, campaign) == []
    campaign.kind = "update"
    cases.record_consent(session, case, Consent(ConsentBy.FAMILY, today(session)))
    start(session, campaign)


@pytest.mark.parametrize("kind", ["update", "stop"])
def test_who_is_asked_nothing_needs_no_target_and_no_deadline(session: Session, campaign: Campaign, kind: str) -> None:
    campaign.kind = kind
    assert readiness.check(session, campaign).gaps.without_target == {}
    start(session, campaign)
