"""An address changes only from the mailbox of the new one, and whoever names one learns nothing of who is known."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from mailer.delivery import ledger
from mailer.delivery.ledger import Settlement
from mailer.mail import addresses
from mailer.mail.feedback.types import Category
from mailer.people import mailed_links, notices, subscribers, suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import NoticeKind
from mailer.selfservice import address_change, disclosure, leaving, preferences
from mailer.selfservice.address_change import AddressTaken, TooManyAddresses
from mailer.selfservice.leaving import Method, Scope
from mailer.spreadsheets.importing import import_file
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Delivery,
    DeliveryState,
    MailedLink,
    MailedLinkKind,
    MailingList,
    Reason,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, notices_owed, said, subscribe

ANA, NEW = "ana@example.org", "ana.new@example.net"


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    return make_list(session)


@pytest.fixture
def ana(session: Session, mailing_list: MailingList) -> Subscriber:
    person = make_subscriber(session, mailing_list, email=ANA, language="fr")
    session.commit()
    return person


def index_of(session: Session, email: str) -> bytes:
    return keyring_of(session).blind_index(addresses.parse(email).folded)


def name(session: Session, person: Subscriber, address: str = NEW, *, is_old_address_told: bool = True) -> str | None:
    """Name an address; returns the token in the mail that goes there, if one does."""
    address_change.name(session, person.id, address, language="tr", is_old_address_told=is_old_address_told)
    mail = notices_owed(session)[-1]
    assert (mail.state is DeliveryState.PENDING) == (said(mail).token is not None)
    return said(mail).token


def sent(token: str | None) -> str:
    assert token is not None
    return token


def pass_a_day(session: Session) -> None:
    for request in session.scalars(select(MailedLink)):
        request.created_at -= timedelta(days=1)
        request.expires_at -= timedelta(days=1)
    session.commit()


def reason_of(session: Session, email: str) -> SuppressionReason | None:
    return session.scalar(select(Suppression.reason).where(Suppression.email_index == index_of(session, email)))


# --- moving ---------------------------------------------------------------------------------------------------------


def test_an_address_changes_once_the_new_one_says_so(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    token = sent(name(session, ana, "Ana.New@EXAMPLE.net"))
    (mail,) = notices_owed(session)
    assert (mail.subscriber_id, mail.address, said(mail).language) == (None, "Ana.New@example.net", "fr")
    assert said(mail).kind is NoticeKind.ADDRESS
    address_change.look(session, token)
    assert ana.email == ANA
    assert address_change.named(session, ana.id) == "Ana.New@example.net"
    for _ in range(2):
        address_change.move(session, token)
        address_change.look(session, token)
    session.expire_all()
    assert ana.email == "Ana.New@example.net"
    assert subscribers.find(session, NEW) is ana
    assert subscribers.find(session, ANA) is None
    assert address_change.named(session, ana.id) is None
    assert session.scalars(select(Subscription.mailable)).all() == [True]


def test_the_mail_is_in_the_language_of_the_page_where_the_person_has_chosen_none(
    session: Session, ana: Subscriber
) -> None:
    ana.language = None
    name(session, ana)
    assert said(notices_owed(session)[0]).language == "tr"


def test_no_other_link_and_none_that_ran_out_changes_an_address(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    manage = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=ana.email_index, subscriber_id=ana.id)
    for other in (manage, token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1")):
        with pytest.raises(UnknownLink):
            address_change.move(session, other)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    for act in (address_change.look, address_change.move):
        with pytest.raises(DeadLink):
            act(session, token)
    assert ana.email == ANA


def test_the_latest_wish_counts(session: Session, ana: Subscriber) -> None:
    mistyped = sent(name(session, ana, "anna@example.net"))
    token = sent(name(session, ana))
    for act in (address_change.look, address_change.move):
        with pytest.raises(DeadLink):
            act(session, mistyped)
    address_change.move(session, token)
    assert ana.email == NEW


def test_a_wish_can_be_withdrawn_and_taken_up_again_without_another_mail(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    address_change.withdraw(session, ana.id)
    assert address_change.named(session, ana.id) is None
    with pytest.raises(DeadLink):
        address_change.move(session, token)
    assert name(session, ana) is None
    assert notices_owed(session)[-1].reason == Reason.REPEATED
    assert address_change.named(session, ana.id) == NEW
    address_change.move(session, token)
    assert ana.email == NEW


def test_an_address_may_be_spelt_otherwise(session: Session, ana: Subscriber) -> None:
    address_change.move(session, sent(name(session, ana, "Ana@example.org")))
    assert ana.email == "Ana@example.org"
    assert subscribers.find(session, ANA) is ana
    assert reason_of(session, ANA) is None


def test_what_was_mailed_to_the_old_address_opens_nothing_any_more(session: Session, ana: Subscriber) -> None:
    manage = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=ana.email_index, subscriber_id=ana.id)
    left = leaving.leave(session, session.scalars(select(Subscription)).one(), method=Method.PAGE)
    earlier = sent(name(session, ana, "other@example.net"))
    address_change.move(session, sent(name(session, ana)))
    with pytest.raises(DeadLink):
        mailed_links.find(session, MailedLinkKind.MANAGE, manage)
    with pytest.raises(DeadLink):
        leaving.undo(session, sent(left.undo))
    with pytest.raises(DeadLink):
        address_change.move(session, earlier)
    assert ana.email == NEW


#: why a kind of link outlives the address that it was mailed to
LEFT_OPEN = {
    MailedLinkKind.SIGN_UP: "it signs up the address that it was mailed to, and shows nothing of who moved away",
    MailedLinkKind.ADDRESS: "it was mailed to a new address; all but the last are withdrawn",
    MailedLinkKind.MOVED: "it is made for the old address, and does nothing but stop mail",
}


def test_each_kind_of_link_dies_with_the_old_address_or_has_a_reason_not_to(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    tokens = {
        kind: mailed_links.issue(session, kind, email_index=ana.email_index, subscriber_id=ana.id)
        for kind in MailedLinkKind
    }
    address_change.move(session, token)
    session.expire_all()
    for kind, mailed in tokens.items():
        if kind in LEFT_OPEN:
            mailed_links.find(session, kind, mailed)
        else:
            with pytest.raises(DeadLink):
                mailed_links.find(session, kind, mailed)


def test_a_link_that_was_used_does_not_bring_back_who_has_moved_on(session: Session, ana: Subscriber) -> None:
    first = sent(name(session, ana))
    address_change.move(session, first)
    address_change.move(session, sent(name(session, ana, "third@example.net")))
    for act in (address_change.look, address_change.move):
        with pytest.raises(DeadLink):
            act(session, first)
    assert ana.email == "third@example.net"


def test_no_import_brings_the_old_address_back(
    engine: Engine, session: Session, ana: Subscriber, mailing_list: MailingList, tmp_path: Path
) -> None:
    address_change.move(session, sent(name(session, ana)))
    session.commit()
    file = tmp_path / "people.csv"
    file.write_text(f"email\n{ANA}\n")
    import_file(engine, file, list_slug="urgent-actions", consent="I want urgent actions.")
    assert session.scalars(select(Subscriber.id)).all() == [ana.id]


def test_who_left_all_lists_has_left_them_at_the_new_address_too(session: Session, ana: Subscriber) -> None:
    of_ana = session.scalars(select(Subscription.id)).one()
    leaving.leave(session, leaving.find(session, of_ana), method=Method.ONE_CLICK, scope=Scope.ALL)
    address_change.move(session, sent(name(session, ana)))
    assert (reason_of(session, NEW), reason_of(session, ANA)) == (SuppressionReason.LEFT, SuppressionReason.LEFT)


@pytest.mark.parametrize("reason", [SuppressionReason.ERASED, SuppressionReason.BOUNCED, SuppressionReason.LEFT])
def test_an_address_that_works_and_is_wanted_gets_mail_again(
    session: Session, ana: Subscriber, reason: SuppressionReason
) -> None:
    suppression.add(session, ana.email_index, SuppressionReason.BOUNCED)
    suppression.add(session, index_of(session, NEW), reason)
    subscribers.refresh(session)
    address_change.move(session, sent(name(session, ana)))
    assert reason_of(session, NEW) is None
    assert reason_of(session, ANA) is SuppressionReason.BOUNCED
    assert session.scalars(select(Subscription.mailable)).all() == [True]


@pytest.mark.parametrize("complained", [ANA, NEW])
def test_nothing_goes_where_our_mail_was_reported_as_spam(session: Session, ana: Subscriber, complained: str) -> None:
    suppression.add(session, index_of(session, complained), SuppressionReason.COMPLAINED)
    assert name(session, ana) is None
    assert notices_owed(session)[-1].state is DeliveryState.SKIPPED


@pytest.mark.parametrize("complained", [ANA, NEW])
def test_who_reports_our_mail_as_spam_in_the_meantime_stays(session: Session, ana: Subscriber, complained: str) -> None:
    token = sent(name(session, ana))
    suppression.add(session, index_of(session, complained), SuppressionReason.COMPLAINED)
    with pytest.raises(DeadLink):
        address_change.move(session, token)
    assert ana.email == ANA


# --- the old address ------------------------------------------------------------------------------------------------


def told(session: Session) -> list[Delivery]:
    """What goes to addresses that somebody has moved away from."""
    return [mail for mail in notices_owed(session) if mail.notice and said(mail).kind is NoticeKind.MOVED]


def moved(session: Session, ana: Subscriber) -> str:
    """Ana moves; returns the token in the mail to her old address."""
    address_change.move(session, sent(name(session, ana)))
    session.commit()
    return sent(said(told(session)[-1]).token)


def test_the_old_address_is_told_that_mail_has_moved_and_never_where_to(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    assert told(session) == []  # nothing has happened yet
    for _ in range(2):
        address_change.move(session, token)
    (mail,) = told(session)
    assert (mail.address, mail.subscriber_id, said(mail).language) == (ANA, None, "fr")
    assert mail.state is DeliveryState.PENDING
    assert mail.notice is not None
    assert NEW not in mail.notice
    assert said(mail).words == {}
    notices.to_ring_for(session)


def test_whose_old_mailbox_others_read_moves_in_silence(session: Session, ana: Subscriber) -> None:
    address_change.move(session, sent(name(session, ana, is_old_address_told=False)))
    assert (ana.email, told(session)) == (NEW, [])


def test_the_latest_wish_about_the_old_mailbox_counts(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    assert name(session, ana, is_old_address_told=False) is None  # the mail is there already
    address_change.move(session, token)
    assert told(session) == []


def test_who_named_an_address_before_they_could_choose_moves_in_silence(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    mailed_links.keep(mailed_links.find(session, MailedLinkKind.ADDRESS, token), {"address": NEW})
    address_change.move(session, token)
    assert (ana.email, told(session)) == (NEW, [])


@pytest.mark.parametrize("reason", [SuppressionReason.BOUNCED, SuppressionReason.LEFT])
def test_an_address_that_is_only_spelt_otherwise_or_gets_no_mail_is_told_nothing(
    session: Session, ana: Subscriber, reason: SuppressionReason
) -> None:
    address_change.move(session, sent(name(session, ana, "Ana@example.org")))
    suppression.add(session, ana.email_index, reason)
    address_change.move(session, sent(name(session, ana)))
    assert (ana.email, told(session)) == (NEW, [])


def test_the_old_mailbox_stops_the_mail_and_never_brings_it_back(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    token = moved(session, ana)
    subscription = session.scalars(select(Subscription)).one()
    address_change.look_at_stop(session, token)
    assert subscription.mailable
    address_change.stop(session, token)
    session.refresh(subscription)
    assert (subscription.status, subscription.mailable) == (SubscriptionStatus.UNSUBSCRIBED, False)
    assert (ana.email, reason_of(session, NEW)) == (NEW, SuppressionReason.LEFT)
    goodbye = notices_owed(session)[-1]
    assert (said(goodbye).kind, goodbye.subscriber_id) == (NoticeKind.GOODBYE, ana.id)
    address_change.stop(session, token)  # pressed twice
    assert notices_owed(session)[-1] is goodbye
    leaving.undo(session, sent(said(goodbye).token))  # from the new mailbox, whosever it is
    session.refresh(subscription)
    assert subscription.mailable
    address_change.stop(session, token)
    session.refresh(subscription)
    assert not subscription.mailable


def test_the_old_mailbox_stops_what_has_moved_on_again(session: Session, ana: Subscriber) -> None:
    token = moved(session, ana)
    address_change.move(session, sent(name(session, ana, "third@example.net")))
    address_change.stop(session, token)
    assert reason_of(session, "third@example.net") is SuppressionReason.LEFT
    assert session.scalars(select(Subscription.mailable)).all() == [False]


def test_the_mail_of_a_union_stops_too_and_who_is_on_no_list_gets_none(session: Session) -> None:
    person = make_subscriber(session, email=ANA)
    token = moved(session, person)
    address_change.stop(session, token)
    assert reason_of(session, NEW) is SuppressionReason.LEFT


def test_the_old_mailbox_does_not_learn_what_became_of_the_person(session: Session, ana: Subscriber) -> None:
    token = moved(session, ana)
    preferences.erase(session, ana.id)
    session.commit()
    address_change.look_at_stop(session, token)
    address_change.stop(session, token)
    assert session.scalars(select(Subscriber)).all() == []


def test_the_link_in_the_old_mailbox_works_for_a_week_and_for_nothing_else(session: Session, ana: Subscriber) -> None:
    token = moved(session, ana)
    link = mailed_links.find(session, MailedLinkKind.MOVED, token)
    assert link.expires_at - link.created_at == timedelta(days=7)
    for kind in MailedLinkKind:
        if kind is not MailedLinkKind.MOVED:
            with pytest.raises(UnknownLink):
                mailed_links.find(session, kind, token)
    manage = mailed_links.issue(session, MailedLinkKind.MANAGE, email_index=ana.email_index, subscriber_id=ana.id)
    for other in (manage, token[:-1]):
        for act in (address_change.look_at_stop, address_change.stop):
            with pytest.raises(UnknownLink):
                act(session, other)
    link.expires_at = utcnow()
    session.flush()
    for act in (address_change.look_at_stop, address_change.stop):
        with pytest.raises(DeadLink):
            act(session, token)
    assert session.scalars(select(Subscription.mailable)).all() == [True]


def test_who_signs_up_at_the_old_address_later_is_told_nothing_of_who_moved_away(
    session: Session, ana: Subscriber
) -> None:
    moved(session, ana)
    notices_owed(session)[-1].notice = None  # it was sent, and forgotten
    heir = make_subscriber(session, email=ANA)
    assert disclosure.about(session, heir.id)["requests"] == []
    assert "mover" not in disclosure.to_json(disclosure.about(session, ana.id))


def test_a_way_to_end_a_pause_dies_with_the_old_address(session: Session, ana: Subscriber) -> None:
    leaving.pause(session, session.scalars(select(Subscription)).one(), 4)
    token = sent(said(notices_owed(session)[-1]).token)
    moved(session, ana)
    with pytest.raises(DeadLink):
        leaving.resume(session, token)


# --- other people's addresses ---------------------------------------------------------------------------------------


def outcome(engine: Engine, ana: Subscriber, address: str) -> tuple[str | None, int, int]:
    """What naming an address shows, and how many rows it writes."""

    def rows() -> tuple[int, int]:
        with session_scope(engine) as session:
            return len(session.scalars(select(MailedLink.id)).all()), len(session.scalars(select(Delivery.id)).all())

    before = rows()
    with session_scope(engine) as session:
        address_change.name(session, ana.id, address, language="en")
    after = rows()
    with session_scope(engine) as session:
        return address_change.named(session, ana.id), after[0] - before[0], after[1] - before[1]


def test_naming_an_address_shows_and_writes_the_same_whosever_it_is(
    engine: Engine, session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    make_subscriber(session, mailing_list, email="taken@example.net")
    suppression.add(session, index_of(session, "spam@example.net"), SuppressionReason.COMPLAINED)
    session.commit()
    for address in ("free@example.net", "taken@example.net", "spam@example.net"):
        assert outcome(engine, ana, address) == (address, 1, 1)
    states = {mail.address: mail.state for mail in notices_owed(session)}
    assert states == {"free@example.net": DeliveryState.PENDING, None: DeliveryState.SKIPPED}


def test_two_people_cannot_take_each_others_address(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    boris = make_subscriber(session, mailing_list, email="boris@example.org")
    assert name(session, ana, "boris@example.org") is None
    assert name(session, boris, ANA) is None
    assert (ana.email, boris.email) == (ANA, "boris@example.org")


def test_two_people_swap_addresses_by_way_of_a_third(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    boris = make_subscriber(session, mailing_list, email="boris@example.org")
    address_change.move(session, sent(name(session, ana)))
    address_change.move(session, sent(name(session, boris, ANA)))
    address_change.move(session, sent(name(session, ana, "boris@example.org")))
    session.expire_all()
    assert (ana.email, boris.email) == ("boris@example.org", ANA)
    assert subscribers.find(session, ANA) is boris
    assert session.scalars(select(Subscription.mailable)).all() == [True, True]
    assert (reason_of(session, ANA), reason_of(session, "boris@example.org")) == (None, None)


def test_of_two_who_named_the_same_address_the_first_to_confirm_gets_it(
    engine: Engine, session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    boris = make_subscriber(session, mailing_list, email="boris@example.org")
    first, second = sent(name(session, ana)), sent(name(session, boris))
    address_change.move(session, first)
    session.commit()
    with pytest.raises(AddressTaken), session_scope(engine) as other:
        address_change.move(other, second)
    session.expire_all()
    assert (ana.email, boris.email) == (NEW, "boris@example.org")


def test_an_address_that_signed_up_in_the_meantime_keeps_its_own(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    token = sent(name(session, ana))
    make_subscriber(session, mailing_list, email=NEW)
    with pytest.raises(AddressTaken):
        address_change.move(session, token)


# --- floods ---------------------------------------------------------------------------------------------------------


def test_a_person_names_three_addresses_a_day(session: Session, ana: Subscriber) -> None:
    for number in range(3):
        assert name(session, ana, f"ana{number}@example.net")
    with pytest.raises(TooManyAddresses):
        address_change.name(session, ana.id, NEW, language="en")
    assert address_change.named(session, ana.id) == "ana2@example.net"
    assert name(session, ana, "ana1@example.net") is None  # the mail is there already
    assert address_change.named(session, ana.id) == "ana1@example.net"
    pass_a_day(session)
    assert name(session, ana)


def test_an_address_gets_three_such_mails_a_day_whoever_names_it(session: Session, mailing_list: MailingList) -> None:
    people = [make_subscriber(session, mailing_list) for _ in range(5)]
    assert [name(session, person) is not None for person in people] == [True, True, True, False, False]
    assert notices_owed(session)[-1].reason == Reason.REPEATED


def test_a_mailbox_gets_as_many_whichever_of_its_addresses_are_named(
    session: Session, mailing_list: MailingList
) -> None:
    people = [make_subscriber(session, mailing_list) for _ in range(5)]
    named = [name(session, person, f"new+{number}@example.net") for number, person in enumerate(people)]
    assert [token is not None for token in named] == [True, True, True, False, False]


def test_who_changes_their_mind_floods_nobody(session: Session, ana: Subscriber) -> None:
    for _ in range(5):
        name(session, ana)
        address_change.withdraw(session, ana.id)
        mailed_links.forget_expired(session)
    assert [mail.state for mail in notices_owed(session)].count(DeliveryState.PENDING) == 1


# --- being erased ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.SENT])
def test_who_is_erased_leaves_no_new_address_behind(
    session: Session, ana: Subscriber, mailing_list: MailingList, state: DeliveryState
) -> None:
    boris = make_subscriber(session, mailing_list, email="boris@example.org")
    name(session, ana)
    address_change.withdraw(session, ana.id)
    name(session, boris, "boris.new@example.net")
    notices_owed(session)[0].state = state
    session.flush()
    address_change.forget_mails(session, ana.id)
    hers, his = notices_owed(session)
    assert (hers.address, hers.notice, hers.language) == (None, None, None)
    assert hers.state is (DeliveryState.SENT if state is DeliveryState.SENT else DeliveryState.SKIPPED)
    assert (his.address, his.state) == ("boris.new@example.net", DeliveryState.PENDING)


def test_who_is_erased_leaves_no_old_address_behind(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    boris = make_subscriber(session, mailing_list, email="boris@example.org")
    address_change.move(session, sent(name(session, boris, "boris.new@example.net")))
    moved(session, ana)
    preferences.erase(session, ana.id)
    session.commit()
    written = {mail.address: mail.state for mail in notices_owed(session) if mail.address}
    assert ANA not in written
    assert written["boris@example.org"] is DeliveryState.PENDING


def test_a_link_to_a_new_address_dies_with_the_person(session: Session, ana: Subscriber) -> None:
    token = sent(name(session, ana))
    subscribers.erase(session, ANA)
    with pytest.raises(DeadLink):
        address_change.move(session, token)


def test_an_erased_persons_address_is_forgotten_where_somebody_else_named_it(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    make_subscriber(session, mailing_list, email=NEW)
    name(session, ana)
    subscribers.erase(session, NEW)
    (link,) = session.scalars(select(MailedLink))
    assert (link.person, link.email_index, link.details) == (link.token_hash, link.token_hash, "{}")


def test_who_is_on_no_list_moves_too(session: Session) -> None:
    person = make_subscriber(session, email="boris@example.org")
    address_change.move(session, sent(name(session, person)))
    assert person.email == NEW
    subscribe(session, person, make_list(session))


# --- beside a campaign ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moves", [False, True])
def test_a_new_address_is_not_held_to_blame_for_the_old_one(
    session: Session, ana: Subscriber, mailing_list: MailingList, moves: bool
) -> None:
    """A server says that the address does not exist just after its owner has left it."""
    row = deliver(session, make_campaign(session, mailing_list), ana, DeliveryState.SENDING, fence=7)
    if moves:
        address_change.move(session, sent(name(session, ana)))
    ledger.record(session, 7, [Settlement(row.id, DeliveryState.FAILED, smtp_code=550, refused=Category.NO_MAILBOX)])
    assert (session.get(Suppression, ana.email_index) is None) is moves


def test_whoever_names_anothers_address_each_day_does_not_keep_its_owner_from_it(
    session: Session, ana: Subscriber, mailing_list: MailingList
) -> None:
    wanted = "boris.new@example.net"
    owner = make_subscriber(session, mailing_list, email=wanted)
    for number in range(4):
        stranger = make_subscriber(session, mailing_list, email=f"stranger{number}@example.org")
        name(session, stranger, wanted)
        address_change.withdraw(session, stranger.id)
    owner.email_index = bytes(32)  # it becomes free
    session.flush()
    name(session, ana, wanted)
    assert notices_owed(session)[-1].state is DeliveryState.PENDING
