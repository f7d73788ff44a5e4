"""The consent log keeps the exact words, once, and says who agreed to them and who took it back."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.people import consents
from mailer.store.models import ConsentAction, ConsentEvent, ConsentPurpose, ConsentText
from tests.support.factories import make_list, make_subscriber

ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_the_same_words_are_kept_once_and_any_change_makes_others(session: Session) -> None:
    first = consents.text_id(session, "Write to me.", language="en")
    assert consents.text_id(session, "Write to me.", language="en") == first
    others = {
        consents.text_id(session, "Write to me!", language="en"),
        consents.text_id(session, "Write to me.", language="fr"),
        consents.text_id(session, "Write to me."),
    }
    assert len(others | {first}) == 4
    kept = session.get_one(ConsentText, first)
    assert (kept.text, kept.language) == ("Write to me.", "en")


def test_the_log_says_who_agreed_to_what_and_who_took_it_back(session: Session) -> None:
    mailing_list = make_list(session)
    person = make_subscriber(session, mailing_list)
    text = consents.text_id(session, "Write to me.", language="en")
    consents.give(
        session,
        person.id,
        ConsentPurpose.ALERTS,
        text=text,
        method="sign-up form",
        asked_at=ASKED,
        confirmed_at=ASKED + timedelta(hours=1),
        list_id=mailing_list.id,
    )
    consents.withdraw(session, person.id, ConsentPurpose.ALERTS, method="one-click", list_id=mailing_list.id)
    session.flush()
    session.expire_all()
    given, withdrawn = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id))
    assert (given.action, given.text_id, given.method) == (ConsentAction.GIVEN, text, "sign-up form")
    assert (given.asked_at, given.confirmed_at) == (ASKED.date(), (ASKED + timedelta(hours=1)).date())
    assert (withdrawn.action, withdrawn.text_id, withdrawn.method) == (ConsentAction.WITHDRAWN, None, "one-click")
    assert given.list_id == withdrawn.list_id == mailing_list.id
