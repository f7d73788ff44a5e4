"""What a union says of its kit: corrected for a day by whoever has its link, later only out of a contact's mailbox."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.kits import answers, pages, renewal
from mailer.kits.answers import AnswerStands, InvalidReach, UnionAnswer
from mailer.kits.pages import NoKit, NothingToForward, Withdrawn
from mailer.people import suppression
from mailer.people.mailed_links import DeadLink, UnknownLink
from mailer.people.notices import NoticeKind
from mailer.store.db import utcnow
from mailer.store.models import (
    Asking,
    CampaignStatus,
    Kit,
    MailedLink,
    Subscriber,
    SuppressionReason,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import contacts
from tests.support.factories import (
    SENDER,
    WHEN,
    make_campaign,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
)

BASE = SENDER.base_url
DAY = timedelta(days=1)
SEEN, PROMISED, FORWARDED = UnionAnswer


@pytest.fixture
def union(session: Session) -> Union:
    """A union with two contacts."""
    union = make_union(session, name="Dockers United", status=UnionStatus.AFFILIATED)
    for email, language in (("ana@example.org", "en"), ("ben@example.org", "de")):
        make_contact(session, union, make_subscriber(session, email=email, language=language))
    return union


@pytest.fixture
def kit(session: Session, union: Union) -> Kit:
    campaign = make_campaign(session, make_list(session), status=CampaignStatus.SENDING)
    kit = Kit(campaign_id=campaign.id, union_id=union.id, ready_at=WHEN, sent_at=WHEN)
    session.add(kit)
    session.commit()
    return kit


@pytest.fixture
def answer(session: Session, kit: Kit) -> Callable[..., None]:
    """Says something of the kit by its own link."""

    def say(said: UnionAnswer = FORWARDED, reached: int | None = None) -> None:
        answers.answer(session, kit.id, said, reached=reached, base_url=BASE)
        session.commit()
        session.refresh(kit)

    return say


def told(session: Session, kind: NoticeKind) -> list[dict[str, str]]:
    return [dict(said(owed).words) for owed in notices_owed(session) if said(owed).kind is kind]


def age(session: Session, kit: Kit, old: timedelta) -> None:
    """Let what the union said have been said so long ago."""
    kit.forwarded_at = utcnow() - old
    session.commit()


def links_mailed(session: Session, kit: Kit) -> list[str]:
    """Ask for links, and return the tokens of those that this owes."""
    before = len(notices_owed(session))
    answers.mail_links(session, kit.id, base_url=BASE)
    session.commit()
    return [str(said(owed).token) for owed in notices_owed(session)[before:]]


# --- by the kit's own link ------------------------------------------------------------------------------------------


def test_an_answer_keeps_the_time_when_it_was_first_given(kit: Kit, answer: Callable[..., None]) -> None:
    answer(SEEN)
    first = kit.seen_at
    assert first is not None and abs(utcnow() - first) < timedelta(minutes=1)
    assert (kit.promised_at, kit.forwarded_at, kit.reached) == (None, None, None)
    answer(SEEN)
    answer(PROMISED)
    assert kit.seen_at == first and kit.promised_at is not None


def test_how_many_a_union_reached_may_be_corrected_for_a_day(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    answer()
    age(session, kit, DAY - timedelta(minutes=1))
    first = kit.forwarded_at
    for number in (250, 300):
        answer(reached=number)
    answer()
    answer(SEEN, reached=7)
    assert (kit.reached, kit.forwarded_at) == (300, first)


def test_after_a_day_the_kits_link_changes_nothing_any_more(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    with pytest.raises(AnswerStands):
        answer(reached=999)
    session.rollback()
    answer(reached=250)  # a page that is sent again says nothing new
    answer()
    answer(PROMISED)
    assert (kit.reached, kit.corrections) == (250, 0)
    assert told(session, NoticeKind.CHANGED) == []


def test_the_contacts_hear_of_every_correction_by_the_kits_link(
    session: Session, union: Union, answer: Callable[..., None]
) -> None:
    answer()
    answer(reached=250)  # which corrects nothing
    assert told(session, NoticeKind.CHANGED) == []
    answer(reached=1300)
    english, german = told(session, NoticeKind.CHANGED)
    assert (english["reached"], german["reached"]) == ("1,300", "1.300")
    assert (english["campaign"], english["union"]) == ("Free the five", "Dockers United")
    assert english["kit_url"].startswith(f"{BASE}/en/kit/")
    # Skipped once they are its contacts no more.
    assert [owed.union_id for owed in notices_owed(session)] == [union.id] * 2
    answer(reached=250)
    assert [words["reached"] for words in told(session, NoticeKind.CHANGED)] == ["1,300", "1.300", "250", "250"]


def test_whoever_has_the_kits_link_has_three_mails_sent_at_most_and_changes_nothing_unheard(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    for number in (250, 999, 251, 998):
        answer(reached=number)
    for number in (997, 252):
        with pytest.raises(AnswerStands):
            answer(reached=number)
        session.rollback()
    assert not pages.may_be_corrected(session, kit)
    assert kit.reached == 998
    assert [words["reached"] for words in told(session, NoticeKind.CHANGED)[::2]] == ["999", "251", "998"]
    token = links_mailed(session, kit)[0]  # the day is not over
    assert answers.change(session, token, 250, base_url=BASE).reached == 250


@pytest.mark.parametrize("reached", [0, -5, 10**9 + 1, 10**30])
def test_nobody_reaches_less_than_one_or_more_than_there_are(
    session: Session, kit: Kit, answer: Callable[..., None], reached: int
) -> None:
    with pytest.raises(InvalidReach):
        answer(reached=reached)
    session.refresh(kit)
    assert (kit.forwarded_at, kit.reached) == (None, None)


# --- by a link that was mailed --------------------------------------------------------------------------------------


def test_all_contacts_are_mailed_a_link_of_their_own_once_the_kits_is_not_enough(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    assert links_mailed(session, kit) == []
    answer(reached=250)
    assert links_mailed(session, kit) == []
    age(session, kit, DAY)
    assert len(set(links_mailed(session, kit))) == 2
    mail = notices_owed(session)[-1]
    assert set(said(mail).words) == {"campaign", "union", "stop_url"}
    session.execute(update(Union).values(is_named=False))
    session.commit()
    links_mailed(session, kit)
    assert set(said(notices_owed(session)[-1]).words) == {"campaign", "stop_url"}


def test_nobody_is_mailed_more_than_three_links_a_day_or_any_who_reported_us_as_spam(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    ben = session.scalars(select(Subscriber).where(Subscriber.language == "de")).one()
    suppression.add(session, ben.email_index, SuppressionReason.COMPLAINED)
    session.commit()
    assert [len(links_mailed(session, kit)) for _ in range(5)] == [1, 1, 1, 0, 0]
    session.execute(update(MailedLink).values(created_at=utcnow() - DAY))
    session.commit()
    assert len(links_mailed(session, kit)) == 1


def test_such_a_link_changes_the_answer_once_and_every_contact_hears_of_it(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, 40 * DAY)
    first, second = links_mailed(session, kit)
    page = answers.look(session, first)
    assert (page.campaign_title, page.union_name) == ("Free the five", "Dockers United")
    assert (page.forwarded_at, page.reached, page.is_changed) == (kit.forwarded_at, 250, False)
    session.commit()
    page = answers.change(session, first, 300, base_url=BASE)
    assert (page.reached, page.is_changed) == (300, True)
    session.commit()
    assert [words["reached"] for words in told(session, NoticeKind.CHANGED)] == ["300", "300"]
    assert answers.change(session, first, 999, base_url=BASE).reached == 300
    session.commit()
    assert answers.look(session, second).is_changed is False
    session.commit()
    answers.change(session, second, 301, base_url=BASE)
    session.commit()
    assert len(told(session, NoticeKind.CHANGED)) == 4
    session.refresh(kit)
    assert kit.reached == 301


def test_a_number_that_is_the_same_is_news_to_nobody(session: Session, kit: Kit, answer: Callable[..., None]) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    answers.change(session, links_mailed(session, kit)[0], 250, base_url=BASE)
    assert told(session, NoticeKind.CHANGED) == []


def test_who_is_the_unions_contact_no_more_changes_nothing_by_the_link_that_they_have(
    session: Session, union: Union, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    token = links_mailed(session, kit)[0]
    contacts.end(session, session.scalars(select(UnionContact).order_by(UnionContact.id)).first() or UnionContact())
    session.commit()
    with pytest.raises(DeadLink):
        answers.look(session, token)
    with pytest.raises(DeadLink):
        answers.change(session, token, 9, base_url=BASE)
    session.rollback()


def test_such_a_link_ends_when_the_unions_links_are_replaced(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    token = links_mailed(session, kit)[0]
    renewal.renew(session, "dockers", base_url=BASE)
    session.commit()
    with pytest.raises(DeadLink):
        answers.look(session, token)
    with pytest.raises(DeadLink):
        answers.change(session, token, 9, base_url=BASE)
    session.rollback()
    session.refresh(kit)
    assert kit.reached == 250


def test_a_link_that_ran_out_is_none_of_ours_or_has_a_bad_number_changes_nothing(
    session: Session, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    token = links_mailed(session, kit)[0]
    with pytest.raises(InvalidReach):
        answers.change(session, token, 0, base_url=BASE)
    with pytest.raises(UnknownLink):
        answers.change(session, "0" * 40, 9, base_url=BASE)
    session.execute(update(MailedLink).values(expires_at=utcnow()))
    session.commit()
    with pytest.raises(DeadLink):
        answers.change(session, token, 9, base_url=BASE)
    session.rollback()
    session.refresh(kit)
    assert kit.reached == 250


def test_a_kit_of_nobody_or_of_a_union_that_lapsed_has_no_answer(
    session: Session, union: Union, kit: Kit, answer: Callable[..., None]
) -> None:
    answer(reached=250)
    age(session, kit, DAY)
    token = links_mailed(session, kit)[0]
    union.status = UnionStatus.LAPSED
    everybodys = Kit(campaign_id=kit.campaign_id, union_id=None)
    session.add(everybodys)
    session.commit()
    for ask in (
        lambda: answers.mail_links(session, everybodys.id, base_url=BASE),
        lambda: answers.mail_links(session, kit.id, base_url=BASE),
        lambda: answers.look(session, token),
        lambda: answers.change(session, token, 9, base_url=BASE),
        lambda: pages.look(session, kit.id, base_url=BASE),
    ):
        with pytest.raises(NoKit):
            ask()
        session.rollback()


@pytest.mark.parametrize("decided", [Asking.STOPPED, Asking.WITHDRAWN])
def test_nothing_is_counted_any_more_once_a_campaign_is_stopped_or_withdrawn(
    session: Session, kit: Kit, answer: Callable[..., None], decided: Asking
) -> None:
    answer(reached=250)
    age(session, kit, 2 * DAY)
    token, other = links_mailed(session, kit)
    kit.campaign.asking = decided
    session.commit()
    attempts: list[Callable[[], object]] = [
        *(partial(answer, said) for said in UnionAnswer),
        lambda: links_mailed(session, kit),
        lambda: answers.look(session, token),
        lambda: answers.change(session, other, 300, base_url=BASE),
    ]
    for attempt in attempts:
        with pytest.raises(NothingToForward if decided is Asking.STOPPED else Withdrawn):
            attempt()
        session.rollback()
    session.refresh(kit)
    assert (kit.seen_at, kit.promised_at, kit.reached) == (None, None, 250)
    kit.campaign.asking = Asking.OPEN
    session.commit()
    assert answers.change(session, other, 300, base_url=BASE).reached == 300
