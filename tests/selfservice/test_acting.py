"""Saying that one wrote, with the link of a mail that may have been forwarded; and taking it back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns import acts, publishing
from mailer.campaigns.acts import Counted
from mailer.links import ForgedToken, Link
from mailer.people import mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.selfservice import acting
from mailer.selfservice.acting import NothingToSay
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Act,
    ActKind,
    Asking,
    Campaign,
    CampaignStatus,
    ConsentEvent,
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    Purpose,
    Subscriber,
    SuppressionReason,
)
from tests.support.concurrency import Beside
from tests.support.factories import (
    WHEN,
    deliver,
    make_act,
    make_campaign,
    make_list,
    make_signature,
    make_subscriber,
    notices_owed,
    said,
)

WORDS = "Yes, I have written, and you may keep that."
NOBODY, ONE = Counted(0, 0), Counted(1, 0)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENT)
    campaign.ask, campaign.started_at, campaign.deadline = ["embassy"], WHEN, utcnow() + timedelta(days=3)
    session.flush()
    return campaign


@pytest.fixture
def ana(session: Session) -> Subscriber:
    return make_subscriber(session, email="ana@example.org", country="GB", language="fr")


@pytest.fixture
def mail(session: Session, campaign: Campaign, ana: Subscriber) -> Delivery:
    """What Ana got."""
    return deliver(session, campaign, ana, DeliveryState.SENT)


def token_of(session: Session, mail: Delivery, link: Link = Link.ACT) -> str:
    return links.sign(keyring_of(session), link, mail.id)


def say(session: Session, token: str) -> acting.Asked:
    """Say it, and look at what is shown then."""
    acting.say(session, acting.look(session, token, language="en"), language="en", words=WORDS)
    return acting.look(session, token, language="en")


def press(engine: Engine, token: str) -> None:
    """Likewise, as the page does: read first, and write in a transaction of its own."""
    with session_scope(engine, read_only=True) as reading:
        asked = acting.look(reading, token, language="en")
    with session_scope(engine) as writing:
        acting.say(writing, asked, language="en", words=WORDS)


def test_each_press_is_answered_alike_and_the_first_one_counts(
    session: Session, campaign: Campaign, mail: Delivery
) -> None:
    token = token_of(session, mail)
    looked = acting.look(session, token, language="en")
    assert acts.count(session, campaign.id) == NOBODY
    assert [say(session, token) for _ in range(3)] == [looked] * 3
    assert acting.look(session, token, language="en") == looked
    assert acts.count(session, campaign.id) == ONE
    act = session.scalars(select(Act)).one()
    assert (act.kind, act.country, act.language) == (ActKind.WROTE, "GB", "en")
    assert len(session.scalars(select(ConsentEvent)).all()) == 1


def test_a_token_of_another_purpose_says_nothing(session: Session, campaign: Campaign, mail: Delivery) -> None:
    for link in set(Link) - {Link.ACT}:
        for use in (say, acting.look, acting.mail_take_back):
            options = {} if use is say else {"language": "en"}
            with pytest.raises(ForgedToken):
                use(session, token_of(session, mail, link), **options)
    assert acts.count(session, campaign.id) == NOBODY


@pytest.mark.parametrize("became", ["erased", "a test", "gone"])
def test_of_a_mail_to_nobody_nothing_is_counted_and_the_answer_is_the_same(
    session: Session, campaign: Campaign, ana: Subscriber, mail: Delivery, became: str
) -> None:
    looked = acting.look(session, token_of(session, mail), language="en")
    other = deliver(session, campaign, None, DeliveryState.SENT, purpose=Purpose.TEST, address="t@example.org")
    match became:
        case "erased":
            subscribers.erase(session, ana.email)
            session.expire_all()
        case "a test":
            mail = other
        case _:
            session.delete(mail)
            session.flush()
            with pytest.raises(DeadLink):
                say(session, links.sign(keyring_of(session), Link.ACT, mail.id))
            return
    assert say(session, token_of(session, mail)) == looked
    assert acts.count(session, campaign.id) == NOBODY


def test_somebody_who_acted_and_nobody_take_as_many_statements(
    engine: Engine, session: Session, campaign: Campaign, ana: Subscriber, mail: Delivery
) -> None:
    boris = make_subscriber(session, email="boris@example.org")
    his = deliver(session, campaign, boris, DeliveryState.SENT)
    make_act(session, campaign, boris)
    subscribers.erase(session, ana.email)
    session.commit()
    numbers = []
    for delivery in (his, mail):
        token, statements = token_of(session, delivery), list[str]()
        session.commit()
        session.expunge_all()

        def note(_c: object, _cursor: object, statement: str, *_: object, heard: list[str] = statements) -> None:
            heard.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        say(session, token)
        session.commit()
        event.remove(engine, "before_cursor_execute", note)
        numbers.append((len(statements), sum("FOR NO KEY UPDATE" in each for each in statements)))
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("why", ["deadline", "closed", "stopped", "cancelled"])
def test_nothing_counts_after_the_end(session: Session, campaign: Campaign, mail: Delivery, why: str) -> None:
    match why:
        case "deadline":
            campaign.deadline = utcnow() - timedelta(seconds=1)
        case "cancelled":
            campaign.status = CampaignStatus.CANCELLED
        case _:
            campaign.asking = Asking(why)
    asked = say(session, token_of(session, mail))
    assert asked.over is (Asking(why) if why in ("closed", "stopped") else Asking.OPEN)
    assert acts.count(session, campaign.id) == NOBODY


def test_of_a_campaign_that_was_taken_down_nothing_is_shown(
    session: Session, campaign: Campaign, mail: Delivery
) -> None:
    campaign.asking = Asking.WITHDRAWN
    with pytest.raises(publishing.Withdrawn):
        say(session, token_of(session, mail))


def test_a_campaign_that_asks_nobody_to_write_has_nothing_to_be_told(
    session: Session, campaign: Campaign, mail: Delivery
) -> None:
    campaign.ask = []
    with pytest.raises(NothingToSay):
        say(session, token_of(session, mail))


def test_two_presses_at_once_count_one(engine: Engine, session: Session, campaign: Campaign, mail: Delivery) -> None:
    token, campaign_id = token_of(session, mail), campaign.id
    session.commit()

    for each in [Beside(lambda: press(engine, token)) for _ in range(4)]:
        each.result()
    with session_scope(engine) as after:
        assert acts.count(after, campaign_id) == ONE
        assert len(after.scalars(select(ConsentEvent)).all()) == 1


def test_an_erasure_at_the_same_moment_leaves_no_act_with_the_persons_name(
    engine: Engine, session: Session, campaign: Campaign, ana: Subscriber, mail: Delivery
) -> None:
    token = token_of(session, mail)
    session.commit()

    def erase() -> None:
        with session_scope(engine) as own:
            subscribers.erase(own, "ana@example.org")

    for each in [Beside(erase), Beside(lambda: press(engine, token))]:
        each.result()
    with session_scope(engine) as after:
        assert set(after.scalars(select(Act.subscriber_id))) <= {None}


def test_who_was_erased_since_the_page_was_read_leaves_no_act(
    engine: Engine, session: Session, campaign: Campaign, ana: Subscriber, mail: Delivery
) -> None:
    asked = acting.look(session, token_of(session, mail), language="en")
    session.commit()
    with session_scope(engine) as own:
        subscribers.erase(own, "ana@example.org")
    with session_scope(engine) as own:
        acting.say(own, asked, language="en", words=WORDS)
    with session_scope(engine) as after:
        assert after.scalars(select(Act)).all() == []


# --- taking it back -------------------------------------------------------------------------------------------------


def link_for(session: Session, mail: Delivery) -> str:
    acting.mail_take_back(session, token_of(session, mail), language="en")
    return said(notices_owed(session)[-1]).token or ""


def test_only_the_owners_mailbox_takes_something_back(
    session: Session, campaign: Campaign, ana: Subscriber, mail: Delivery
) -> None:
    say(session, token_of(session, mail))
    make_signature(session, campaign, ana)
    token = link_for(session, mail)
    owed = notices_owed(session)[-1]
    assert (owed.address, said(owed).language, said(owed).words) == (ana.email, "fr", {"campaign": "Free the five"})
    shown = acting.look_at_take_back(session, token, language="en")
    assert set(shown.kinds) == {ActKind.WROTE, ActKind.SIGNED}
    assert acts.count(session, campaign.id) == Counted(1, 1)
    for _ in range(2):
        acting.take_back(session, token, language="en")
        assert acts.count(session, campaign.id) == NOBODY
    assert acting.look_at_take_back(session, token, language="en").kinds == []
    with pytest.raises(UnknownLink):
        acting.take_back(session, token_of(session, mail), language="en")


def test_it_takes_back_nothing_of_another_campaign_or_person(
    session: Session, campaign: Campaign, ana: Subscriber, mail: Delivery
) -> None:
    other = make_campaign(session, campaign.mailing_list, slug="another")
    make_act(session, other, ana)
    make_act(session, campaign, make_subscriber(session, email="boris@example.org"))
    acting.take_back(session, link_for(session, mail), language="en")
    assert (acts.count(session, campaign.id), acts.count(session, other.id)) == (ONE, ONE)


def test_a_mailbox_gets_three_such_links_a_day(session: Session, mail: Delivery) -> None:
    for _ in range(5):
        acting.mail_take_back(session, token_of(session, mail), language="en")
    owed = notices_owed(session)
    assert [delivery.state for delivery in owed] == [DeliveryState.PENDING] * 3 + [DeliveryState.SKIPPED] * 2
    assert [delivery.address is None for delivery in owed] == [False] * 3 + [True] * 2


def erased(session: Session, ana: Subscriber) -> None:
    subscribers.erase(session, ana.email)
    session.expire_all()


def complained(session: Session, ana: Subscriber) -> None:
    suppression.add(session, ana.email_index, SuppressionReason.COMPLAINED)


def acted(session: Session, ana: Subscriber) -> None:
    make_act(session, session.scalars(select(Campaign).where(Campaign.ask.is_not(None))).first(), ana)  # type: ignore[arg-type]


@pytest.mark.parametrize("became", [erased, complained, acted])
def test_whoever_asks_for_the_link_has_the_same_written_whoever_it_is_for(
    engine: Engine,
    session: Session,
    campaign: Campaign,
    ana: Subscriber,
    mail: Delivery,
    became: Callable[[Session, Subscriber], None],
) -> None:
    boris = make_subscriber(session, email="boris@example.org")
    his = deliver(session, campaign, boris, DeliveryState.SENT)
    became(session, ana)
    notices.campaign(session)  # is made once
    written = []
    for delivery in (his, mail):
        statements: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_: object, heard: list[str] = statements) -> None:
            heard.append(statement)

        session.flush()
        event.listen(engine, "before_cursor_execute", note)
        acting.mail_take_back(session, token_of(session, delivery), language="en")
        session.flush()
        event.remove(engine, "before_cursor_execute", note)
        written.append([each.split(" WHERE")[0] for each in statements if each.split()[0] in ("INSERT", "UPDATE")])
    assert written[0] == written[1]
    rows = session.scalars(select(MailedLink).where(MailedLink.kind == MailedLinkKind.TAKE_BACK)).all()
    assert len(rows) == 2


def test_the_link_runs_out_after_a_day_and_is_gone_with_the_person(
    session: Session, ana: Subscriber, mail: Delivery
) -> None:
    token = link_for(session, mail)
    link = mailed_links.find(session, MailedLinkKind.TAKE_BACK, token)
    assert timedelta(hours=23) < link.expires_at - utcnow() <= timedelta(days=1)
    erased(session, ana)
    with pytest.raises((DeadLink, UnknownLink)):
        acting.take_back(session, token, language="en")
