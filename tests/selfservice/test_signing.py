"""Signing counts nobody before the owner of the address confirms it, and tells nobody who has signed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, inspect, select, update
from sqlalchemy.orm import Session

from mailer.campaigns import acts, publishing
from mailer.campaigns.acts import Counted
from mailer.mail import addresses
from mailer.people import lists, mailed_links, subscribers, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import NoticeKind
from mailer.selfservice import signing, signing_links, signups
from mailer.selfservice.signing import Wish
from mailer.selfservice.signing_links import Shown, Undecided
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow, utctoday
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    CampaignStatus,
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentText,
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    Reason,
    Signature,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from tests.support.concurrency import Beside
from tests.support.factories import (
    WHEN,
    deliver,
    make_act,
    make_campaign,
    make_case,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
    subscribe,
)
from tests.support.statements import watched

ANA = "ana@example.org"
BASE_URL = "https://act.example.org"
WISH = Wish(
    name="Ana Kolmer",
    place="Porto",
    country="PT",
    language="fr",
    signed_text="I sign.",
    shown_text="Show it.",
    handed_over_text="Hand it over.",
    alerts_text=None,
    shown_in="en",
    asked_at=WHEN,
)
COUNTED = replace(WISH, name=None, place=None, shown_text=None, handed_over_text=None)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return petition(session, "free-the-five")


def petition(session: Session, slug: str) -> Campaign:
    """A public campaign that people can sign."""
    mailing_list = lists.find(session, "urgent-actions") or make_list(session)
    campaign = make_campaign(session, mailing_list, slug=slug, status=CampaignStatus.SENT)
    campaign.about, campaign.public, campaign.petition = "DK", True, {"to": {"en": "the Embassy of Denmark"}}
    campaign.started_at, campaign.deadline = WHEN, utcnow() + timedelta(days=30)
    session.commit()
    return campaign


def blind_index(session: Session, email: str = ANA) -> bytes:
    return keyring_of(session).blind_index(addresses.parse(email).folded)


@dataclass(frozen=True)
class World:
    """What people do, each time in a transaction of its own."""

    engine: Engine
    session: Session

    def ask(self, campaign: Campaign, wish: Wish = WISH, email: str = ANA) -> Reason | None:
        campaign_id = _id_of(campaign)
        with self._writing() as session:
            return signing.ask(session, session.get_one(Campaign, campaign_id), addresses.parse(email), wish)

    def ask_from_mail(self, campaign: Campaign, delivery_id: int) -> Reason | None:
        campaign_id = _id_of(campaign)
        with self._writing() as session:
            return signing.ask_from_mail(session, session.get_one(Campaign, campaign_id), delivery_id, WISH)

    def look(self, link: str) -> Shown:
        with self._writing() as session:
            return signing_links.look(session, link, language="en")

    def confirm(self, link: str, **chosen: str) -> Shown:
        with self._writing() as session:
            return signing_links.confirm(session, link, language="en", base_url=BASE_URL, chosen=chosen)

    def take_back(self, link: str, slug: str = "free-the-five") -> Shown:
        with self._writing() as session:
            return signing_links.take_back(session, link, slug, language="en")

    def sign(self, campaign: Campaign, wish: Wish = WISH) -> Shown:
        self.ask(campaign, wish)
        return self.confirm(self.token())

    def token(self) -> str:
        """Of the newest link that was mailed."""
        found = [said(each).token for each in notices_owed(self.session)]
        self.session.rollback()
        return next(each for each in reversed(found) if each)

    def signed(self, campaign: Campaign) -> int:
        """How many are counted."""
        campaign_id = _id_of(campaign)
        self.session.rollback()
        found = acts.count(self.session, campaign_id).signed
        self.session.rollback()
        return found

    def _writing(self) -> AbstractContextManager[Session]:
        self.session.rollback()  # on SQLite nobody else could write
        return session_scope(self.engine)


def _id_of(campaign: Campaign) -> int:
    """Without asking the database."""
    identity = inspect(campaign).identity
    assert identity is not None
    return int(identity[0])


@pytest.fixture
def world(engine: Engine, session: Session) -> World:
    return World(engine, session)


def person_of(session: Session, email: str = ANA) -> Subscriber:
    session.rollback()
    person = subscribers.find(session, email)
    assert person is not None
    return person


# --- asking ---------------------------------------------------------------------------------------------------------

Situation = Callable[[Session, Campaign], None]


def unknown(_session: Session, _campaign: Campaign) -> None:
    pass


def on_the_list(session: Session, campaign: Campaign) -> None:
    make_subscriber(session, campaign.mailing_list, email=ANA, language="el")


def has_signed(session: Session, campaign: Campaign) -> None:
    person = make_subscriber(session, campaign.mailing_list, email=ANA, language="el")
    make_act(session, campaign, person, ActKind.SIGNED, day=utctoday() - timedelta(days=9))


def signed_today(session: Session, campaign: Campaign) -> None:
    make_act(session, campaign, make_subscriber(session, email=ANA, language="el"), ActKind.SIGNED)


def suppressed(reason: SuppressionReason) -> Situation:
    def put_there(session: Session, campaign: Campaign) -> None:
        on_the_list(session, campaign)
        suppression.add(session, blind_index(session), reason)
        subscribers.refresh(session)

    put_there.__name__ = reason.value
    return put_there


def erased(session: Session, campaign: Campaign) -> None:
    has_signed(session, campaign)
    subscribers.erase(session, ANA)


def repeated(session: Session, campaign: Campaign) -> None:
    signing.ask(session, campaign, addresses.parse(ANA), WISH)


SITUATIONS = [
    *(unknown, on_the_list, has_signed, signed_today, erased, repeated),
    *(suppressed(each) for each in SuppressionReason if each is not SuppressionReason.ERASED),
]


def rows(session: Session) -> dict[str, int]:
    tables = (MailedLink, Delivery, Subscriber, Act, Signature, ConsentEvent, ConsentText, Subscription)
    return {table.__tablename__: session.scalars(select(func.count()).select_from(table)).one() for table in tables}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_same_statements_and_rows_answer_whoever_has_signed(
    world: World, session: Session, campaign: Campaign, situation: Situation
) -> None:
    world.ask(campaign, email="first@example.org")  # makes the standing campaign
    with watched(world.engine) as expected:
        world.ask(campaign, email="nobody@example.org")
    situation(session, campaign)
    session.commit()
    before = rows(session)
    session.rollback()
    with watched(world.engine) as statements:
        world.ask(campaign)
    assert statements == expected
    added = {table: count - before[table] for table, count in rows(session).items() if count != before[table]}
    assert added == {"mailed_links": 1, "deliveries": 1}


@pytest.mark.parametrize(
    ("situation", "language", "is_signed", "withheld"),
    [
        (unknown, "fr", False, None),
        (on_the_list, "el", False, None),
        (has_signed, "el", True, None),
        (signed_today, "el", True, Reason.REPEATED),
        (suppressed(SuppressionReason.LEFT), "el", False, None),
        (suppressed(SuppressionReason.BOUNCED), "el", False, None),
        (erased, "fr", False, None),
        (suppressed(SuppressionReason.COMPLAINED), "el", False, Reason.SUPPRESSED),
        (repeated, "fr", False, Reason.REPEATED),
    ],
)
def test_the_mail_is_the_one_that_the_owner_of_the_address_needs(
    session: Session, campaign: Campaign, situation: Situation, language: str, is_signed: bool, withheld: Reason | None
) -> None:
    situation(session, campaign)
    assert signing.ask(session, campaign, addresses.parse(ANA), WISH) is withheld
    delivery = notices_owed(session)[-1]
    notice = said(delivery)
    assert (notice.kind, notice.language, "is_signed" in notice.words) == (NoticeKind.SIGN, language, is_signed)
    assert notice.words["campaign"] == "Free the five"
    assert (delivery.state is DeliveryState.SKIPPED, delivery.reason) == (withheld is not None, withheld)
    assert (delivery.subscriber_id, delivery.address) == (None, None if withheld else ANA)
    assert "Kolmer" not in (delivery.notice or "")


def test_an_address_gets_one_mail_a_day_whatever_petitions_it_is_about(session: Session, campaign: Campaign) -> None:
    other = petition(session, "another")
    reasons = [signing.ask(session, each, addresses.parse(ANA), WISH) for each in (campaign, other, campaign)]
    assert reasons == [None, Reason.REPEATED, Reason.REPEATED]
    assert signing.ask(session, campaign, addresses.parse("Ana+1@example.org"), WISH) is Reason.REPEATED


def test_who_has_just_signed_gets_no_second_mail_that_day(world: World, session: Session, campaign: Campaign) -> None:
    world.sign(campaign)
    assert world.ask(campaign) is Reason.REPEATED
    assert world.ask(petition(session, "another")) is None


def test_nothing_is_known_of_anybody_before_they_confirm(world: World, session: Session, campaign: Campaign) -> None:
    world.ask(campaign)
    link = world.token()
    for _ in range(2):
        world.look(link)
    for table in (Subscriber, Act, Signature, ConsentEvent, ConsentText):
        assert session.scalars(select(table)).all() == []


# --- from one's own mail --------------------------------------------------------------------------------------------


def test_the_mail_goes_to_whom_the_campaigns_mail_went_to(world: World, session: Session, campaign: Campaign) -> None:
    person = make_subscriber(session, campaign.mailing_list, email=ANA, language="el")
    mail_id = deliver(session, campaign, person, DeliveryState.SENT).id
    session.commit()
    assert world.ask_from_mail(campaign, mail_id) is None
    [owed] = notices_owed(session)
    assert (owed.address, owed.subscriber_id, said(owed).language) == (ANA, None, "el")
    assert world.signed(campaign) == 0
    world.confirm(world.token())
    assert world.signed(campaign) == 1


def test_the_same_is_done_where_nobody_knows_any_more_whom_it_went_to(
    world: World, session: Session, campaign: Campaign
) -> None:
    people = [make_subscriber(session, campaign.mailing_list, language="fr") for _ in range(3)]
    mails = [deliver(session, campaign, person, DeliveryState.SENT).id for person in people]
    mails.append(deliver(session, campaign, None, DeliveryState.SENT).id)
    subscribers.erase(session, people[1].email)
    make_act(session, campaign, people[2], ActKind.SIGNED, day=utctoday() - timedelta(days=9))
    session.commit()
    world.ask(campaign, email="first@example.org")
    done = []
    for mail in mails:
        before = rows(session)
        session.rollback()
        with watched(world.engine) as statements:
            world.ask_from_mail(campaign, mail)
        done.append((list(statements), {table: rows(session)[table] - count for table, count in before.items()}))
        session.rollback()
    assert all(each == done[0] for each in done)
    assert [each.reason for each in notices_owed(session)[1:]] == [None, Reason.SUPPRESSED, None, Reason.SUPPRESSED]


# --- confirming -----------------------------------------------------------------------------------------------------


def test_a_signature_counts_once_and_keeps_what_was_agreed_to(
    world: World, session: Session, campaign: Campaign
) -> None:
    world.ask(campaign)
    link = world.token()
    first, second = world.confirm(link), world.confirm(link)
    assert first == second
    person = person_of(session)
    act = session.scalars(select(Act)).one()
    assert (act.country, act.language, act.kind, act.subscriber_id) == ("PT", "en", ActKind.SIGNED, person.id)
    signature = session.scalars(select(Signature)).one()
    assert (signature.name, signature.place, signature.is_shown, signature.is_handed_over) == (
        "Ana Kolmer", "Porto", True, True,
    )  # fmt: skip
    log = session.execute(
        select(ConsentEvent.purpose, ConsentText.text, ConsentEvent.campaign_id)
        .join(ConsentText)
        .order_by(ConsentEvent.id)
    ).all()
    assert log == [
        (ConsentPurpose.SIGNED, "I sign.", campaign.id),
        (ConsentPurpose.SHOWN, "Show it.", campaign.id),
        (ConsentPurpose.HANDED_OVER, "Hand it over.", campaign.id),
    ]
    assert (person.name, person.country, person.language, person.email) == (None, "PT", "fr", ANA)


def test_two_who_confirm_at_once_count_one(world: World, session: Session, campaign: Campaign) -> None:
    world.ask(campaign)
    link = world.token()
    with session_scope(world.engine) as first:
        signing_links.confirm(first, link, language="en", base_url=BASE_URL)
        second = Beside(lambda: world.confirm(link))
        second.must_wait()
    second.result()
    assert world.signed(campaign) == 1
    assert session.scalar(select(func.count()).select_from(Signature)) == 1


def test_who_wants_neither_has_no_name_anywhere(world: World, session: Session, campaign: Campaign) -> None:
    shown = world.sign(campaign, COUNTED)
    assert [each.signature and each.signature.name for each in shown.asked] == [None]
    assert world.signed(campaign) == 1
    assert session.scalars(select(Signature)).all() == []
    assert person_of(session).name is None


@pytest.mark.parametrize("country", ["DK", "GL", "FO", None])
def test_whoever_lives_at_home_or_names_no_country_is_only_counted(
    world: World, session: Session, campaign: Campaign, country: str | None
) -> None:
    world.ask(campaign, replace(WISH, country=country))
    link = world.token()
    looked = world.look(link)
    assert [waiting.is_named for asked in looked.asked for waiting in asked.waiting] == [False]
    world.confirm(link)
    assert world.signed(campaign) == 1
    assert session.scalars(select(Signature)).all() == []
    purposes = session.scalars(select(ConsentEvent.purpose)).all()
    assert purposes == [ConsentPurpose.SIGNED]


def test_who_told_us_before_that_they_live_at_home_is_not_named_whatever_a_form_says(
    world: World, session: Session, campaign: Campaign
) -> None:
    make_subscriber(session, campaign.mailing_list, email=ANA, country="GL")
    session.commit()
    world.sign(campaign)
    assert world.signed(campaign) == 1
    assert session.scalars(select(Signature)).all() == []


def test_a_word_that_must_not_appear_by_now_is_in_no_name(world: World, session: Session, campaign: Campaign) -> None:
    world.ask(campaign)
    campaign.case = make_case(session, country="DK", never=["Kolmer"])
    link = world.token()
    session.get_one(Campaign, campaign.id).case = make_case(session, country="DK", never=["Kolmer"])
    session.commit()
    world.confirm(link)
    assert world.signed(campaign) == 1
    assert session.scalars(select(Signature)).all() == []


def test_a_forged_link_one_that_ran_out_and_one_of_another_purpose_sign_nothing(
    world: World, session: Session, campaign: Campaign
) -> None:
    world.ask(campaign)
    link = world.token()
    kinds = [kind for kind in MailedLinkKind if kind is not MailedLinkKind.SIGN]
    others = [mailed_links.issue(session, kind, email_index=blind_index(session)) for kind in kinds]
    session.commit()
    for forged in ("0" * 40, link[:-1], *others):
        with pytest.raises(UnknownLink):
            world.confirm(forged)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    with pytest.raises(DeadLink):
        world.confirm(link)
    assert world.signed(campaign) == 0


@pytest.mark.parametrize("ended", ["deadline", "stopped", "closed", "cancelled"])
def test_after_the_end_nothing_is_signed_and_a_signature_can_still_be_taken_back(
    world: World, session: Session, campaign: Campaign, ended: str
) -> None:
    world.ask(campaign)
    late = world.token()
    other = "other@example.org"
    world.ask(campaign, email=other)
    early = world.token()
    world.confirm(early)
    session.rollback()
    found = session.get_one(Campaign, campaign.id)
    match ended:
        case "deadline":
            found.deadline = utcnow() - timedelta(minutes=1)
        case "cancelled":
            found.status = CampaignStatus.CANCELLED
        case _:
            found.asking = Asking(ended)
    session.commit()
    [asked] = world.confirm(late).asked
    assert asked.petition.over is not None
    assert (asked.waiting, asked.signature) == ((), None)
    assert world.signed(campaign) == 1
    world.take_back(early)
    assert world.signed(campaign) == 0


def test_what_was_taken_down_is_not_shown(world: World, session: Session, campaign: Campaign) -> None:
    world.ask(campaign)
    link = world.token()
    session.get_one(Campaign, campaign.id).asking = Asking.WITHDRAWN
    session.commit()
    with pytest.raises(publishing.Withdrawn):
        world.confirm(link)


# --- several that wait ----------------------------------------------------------------------------------------------


def test_what_differs_is_chosen_by_the_owner_of_the_address(world: World, session: Session, campaign: Campaign) -> None:
    other = petition(session, "another")
    for each, wish in ((campaign, WISH), (campaign, replace(WISH, name="Not Ana")), (other, COUNTED), (campaign, WISH)):
        world.ask(each, wish)
    [link] = [said(each).token for each in notices_owed(session) if said(each).token]
    session.rollback()
    assert link is not None
    shown = world.look(link)
    assert not shown.is_plain
    names = [[waiting.wish.name for waiting in asked.waiting] for asked in shown.asked]
    assert names == [["Ana Kolmer", "Not Ana"], [None]]
    with pytest.raises(Undecided) as undecided:
        world.confirm(link, **{"free-the-five": shown.asked[0].waiting[0].key})
    assert undecided.value.slugs == ["another"]
    assert world.signed(campaign) == 0
    world.confirm(link, **{"free-the-five": shown.asked[0].waiting[0].key, "another": ""})
    assert (world.signed(campaign), world.signed(other)) == (1, 0)
    assert session.scalars(select(Signature)).one().name == "Ana Kolmer"
    assert session.scalars(select(MailedLink).where(MailedLink.used_at.is_(None))).all() == []


def test_who_signs_none_of_it_has_signed_nothing(world: World, session: Session, campaign: Campaign) -> None:
    world.ask(campaign)
    world.ask(campaign, COUNTED)
    world.confirm(token_of_first(session), **{"free-the-five": ""})
    assert world.signed(campaign) == 0
    assert session.scalars(select(Subscriber)).all() == []


def token_of_first(session: Session) -> str:
    link = said(notices_owed(session)[0]).token
    session.rollback()
    assert link is not None
    return link


# --- who is on no list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [None, *SuppressionReason])
def test_signing_puts_nobody_on_a_list_and_lifts_nothing(
    world: World, session: Session, campaign: Campaign, reason: SuppressionReason | None
) -> None:
    world.ask(campaign)
    link = world.token()
    if reason:
        suppression.add(session, blind_index(session), reason)
        session.commit()
    world.confirm(link)
    assert world.signed(campaign) == 1
    assert session.scalars(select(Subscription)).all() == []
    assert session.scalars(select(Suppression.reason)).all() == ([reason] if reason else [])


def test_who_left_stays_off_the_list_by_signing(world: World, session: Session, campaign: Campaign) -> None:
    person = make_subscriber(session, email=ANA)
    subscribe(session, person, campaign.mailing_list, status=SubscriptionStatus.UNSUBSCRIBED)
    session.commit()
    world.sign(campaign)
    assert session.scalars(select(Subscription.status)).all() == [SubscriptionStatus.UNSUBSCRIBED]


@pytest.mark.parametrize("reason", [None, SuppressionReason.LEFT, SuppressionReason.BOUNCED])
def test_who_asks_for_our_alerts_is_put_on_the_campaigns_list_and_welcomed(
    world: World, session: Session, campaign: Campaign, reason: SuppressionReason | None
) -> None:
    if reason:
        suppression.add(session, blind_index(session), reason)
        session.commit()
    shown = world.sign(campaign, replace(COUNTED, alerts_text="Write to me."))
    assert [each.own for each in shown.lists] == ["Urgent actions"]
    subscription = session.scalars(select(Subscription)).one()
    assert (subscription.status, subscription.mailable) == (SubscriptionStatus.ACTIVE, True)
    assert session.scalars(select(Suppression)).all() == []
    alerts = select(ConsentText.text).join(ConsentEvent).where(ConsentEvent.purpose == ConsentPurpose.ALERTS)
    assert session.scalars(alerts).all() == ["Write to me."]
    assert said(notices_owed(session)[-1]).kind is NoticeKind.WELCOME


@pytest.mark.parametrize("obstacle", ["closed", "a union's own", "complained"])
def test_nobody_is_put_on_a_list_that_is_not_offered_or_against_a_complaint(
    world: World, session: Session, campaign: Campaign, obstacle: str
) -> None:
    world.ask(campaign, replace(COUNTED, alerts_text="Write to me."))
    link = world.token()
    mailing_list = lists.get(session, "urgent-actions")
    match obstacle:
        case "closed":
            mailing_list.is_open = False
        case "complained":
            suppression.add(session, blind_index(session), SuppressionReason.COMPLAINED)
        case _:
            mailing_list.owner_id = make_union(session).id
    session.commit()
    assert world.confirm(link).lists == ()
    assert world.signed(campaign) == 1
    assert session.scalars(select(Subscription)).all() == []


def test_who_is_on_the_list_is_welcomed_to_nothing_and_keeps_what_they_told_us(
    world: World, session: Session, campaign: Campaign
) -> None:
    make_subscriber(session, campaign.mailing_list, email=ANA, name="Ana", country="GB", language="el")
    session.commit()
    shown = world.sign(campaign, replace(WISH, alerts_text="Write to me."))
    assert shown.lists == ()
    person = person_of(session)
    assert (person.name, person.country, person.language) == ("Ana", "GB", "el")
    assert session.scalars(select(Act.country)).one() == "PT"  # where they live, as they have just said
    assert [said(each).kind for each in notices_owed(session)] == [NoticeKind.SIGN]


# --- taking it back -------------------------------------------------------------------------------------------------


def test_the_link_takes_the_signature_back_and_the_log_says_so(
    world: World, session: Session, campaign: Campaign
) -> None:
    world.ask(campaign)
    link = world.token()
    with pytest.raises(DeadLink):
        world.take_back(link)
    world.confirm(link)
    with pytest.raises(DeadLink):
        world.take_back(link, "another")
    world.take_back(link)
    assert acts.count(session, campaign.id) == Counted(0, 0)
    assert session.scalars(select(Signature)).all() == []
    withdrawn = select(ConsentEvent.purpose).where(ConsentEvent.action == ConsentAction.WITHDRAWN)
    purposes = {ConsentPurpose.SIGNED, ConsentPurpose.SHOWN, ConsentPurpose.HANDED_OVER}
    assert set(session.scalars(withdrawn)) == purposes
    session.rollback()
    with pytest.raises(DeadLink):
        world.confirm(link)
    assert world.signed(campaign) == 0


def test_who_has_signed_takes_it_back_by_the_mail_that_says_so(
    world: World, session: Session, campaign: Campaign
) -> None:
    has_signed(session, campaign)
    session.commit()
    world.ask(campaign, replace(WISH, name="Somebody Else"))
    link = world.token()
    [asked] = world.look(link).asked
    assert asked.waiting == ()
    assert asked.signature is not None
    world.confirm(link)
    assert session.scalars(select(Signature)).all() == []
    session.rollback()
    world.take_back(link)
    assert world.signed(campaign) == 0


def test_who_is_erased_leaves_the_number_and_no_name_and_no_link(
    world: World, session: Session, campaign: Campaign
) -> None:
    world.ask(campaign)
    link = world.token()
    world.confirm(link)
    subscribers.erase(session, ANA)
    session.commit()
    assert world.signed(campaign) == 1
    assert session.scalars(select(Signature)).all() == []
    session.rollback()
    with pytest.raises(DeadLink):
        world.take_back(link)


def test_a_sign_up_and_a_signature_do_not_get_in_each_others_way(
    world: World, session: Session, campaign: Campaign
) -> None:
    world.ask(campaign)
    link = world.token()
    with pytest.raises(UnknownLink):
        signups.look(session, link)
