"""An uploaded file is worked off once, whatever breaks off; what it added goes again; nothing of it stays."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from mailer.people import subscribers, suppression
from mailer.spreadsheets import importing, upload_work, uploads
from mailer.spreadsheets.importing import Asked
from mailer.spreadsheets.uploads import Store
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    Delivery,
    DeliveryState,
    Import,
    ImportAddition,
    ImportState,
    MailingList,
    Role,
    Subscriber,
    Subscription,
    SubscriptionStatus,
)
from tests.support.accounts import make_account
from tests.support.factories import deliver, make_campaign, make_list, make_subscriber, subscribe

ASKED = Asked(list_slug="urgent-actions", consent="I want urgent actions by e-mail.")
PEOPLE = 20


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> Store:
    return Store.of(tmp_path, keyring_of(engine))


@pytest.fixture
def mailing_list(session: Session) -> MailingList:
    made = make_list(session)
    session.commit()
    return made


@pytest.fixture(autouse=True)
def few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "ROWS_PER_TRANSACTION", 4)


def upload(session: Session, store: Store, content: str | None = None) -> int:
    """An import that was looked at, and confirmed."""
    name, file = store.create()
    with file:
        rows = "".join(f"person{number}@example.org,Nowhereland\n" for number in range(PEOPLE))
        file.write((content or f"email,country\n{rows}").encode())
    account = make_account(session, f"{name}@example.org", Role.PUBLISHER)
    begun = uploads.begin(session, account.id, name="people.csv", file=name)
    uploads.ask(session, begun.id, ASKED)
    begun.state = ImportState.LOOKED
    uploads.confirm(session, begun.id)
    session.commit()
    return begun.id


def after(calls: int) -> "Breaking":
    return Breaking(calls)


class Breaking:
    """Breaks off after so many batches."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def never() -> bool:
    return False


def standing(engine: Engine, import_id: int) -> Import:
    with session_scope(engine, read_only=True) as session:
        return session.get_one(Import, import_id)


def number(engine: Engine, model: type) -> int:
    with session_scope(engine, read_only=True) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_an_import_that_breaks_off_goes_on_and_says_the_same_as_one_that_did_not(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList
) -> None:
    make_subscriber(session, email="person3@example.org", country=None)
    make_subscriber(session, mailing_list, email="person9@example.org", country=None)
    import_id = upload(session, store)
    for batches in (0, 1, 2):
        upload_work.work(engine, store, import_id, after(batches))
        assert standing(engine, import_id).state is ImportState.IMPORTING
    upload_work.work(engine, store, import_id, never)
    done = standing(engine, import_id)
    assert done.state is ImportState.DONE
    assert (done.found["created"], done.found["subscribed"], done.found["unchanged"]) == (PEOPLE - 2, 1, 1)
    assert done.found["remarked"] == PEOPLE and done.rows_done == PEOPLE
    assert number(engine, Subscriber) == number(engine, Subscription) == PEOPLE
    assert number(engine, ConsentEvent) == PEOPLE - 1, "nobody agreed twice"


def test_nobody_works_on_a_file_that_somebody_works_on(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList
) -> None:
    import_id = upload(session, store)
    file = standing(engine, import_id).file
    assert file is not None
    with store.held(file) as is_held:
        assert is_held
        assert upload_work.work(engine, store, import_id, never) is False
    assert number(engine, Subscriber) == 0
    assert upload_work.work(engine, store, import_id, never) is True
    assert list(store.folder.iterdir()) == [store.path(standing(engine, import_id).rejects or "")]


def test_a_file_that_is_dropped_while_it_is_looked_at_is_looked_at_no_further(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList
) -> None:
    import_id = upload(session, store)
    session.execute(update(Import).values(state=ImportState.LOOKING))
    session.commit()

    def drop() -> bool:
        with session_scope(engine) as other:
            if other.get_one(Import, import_id).state is ImportState.LOOKING:
                store.drop(uploads.drop(other, import_id))
        return False

    upload_work.work(engine, store, import_id, drop)
    assert standing(engine, import_id).state is ImportState.DROPPED
    assert list(store.folder.iterdir()) == []


def test_what_an_import_added_goes_again_except_who_has_confirmed_since_or_left(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.spreadsheets.taking_back._AT_ONCE", 6)
    news = make_list(session, "news")
    known = make_subscriber(session, news, email="person1@example.org")
    before = make_subscriber(session, mailing_list, email="person2@example.org")
    session.commit()
    import_id = upload(session, store)
    upload_work.work(engine, store, import_id, never)
    mailed, confirmed, left, elsewhere = (
        subscribers.find(session, f"person{number}@example.org") for number in (3, 4, 5, 6)
    )
    assert mailed and confirmed and left and elsewhere
    waiting = deliver(session, make_campaign(session, mailing_list), mailed, DeliveryState.PENDING)
    session.add(
        ConsentEvent(
            subscriber_id=confirmed.id,
            list_id=mailing_list.id,
            purpose=ConsentPurpose.ALERTS,
            action=ConsentAction.GIVEN,
            method="sign-up form",
        )
    )
    theirs = (Subscription.subscriber_id == left.id, Subscription.list_id == mailing_list.id)
    session.execute(update(Subscription).where(*theirs).values(status=SubscriptionStatus.UNSUBSCRIBED, mailable=False))
    subscribe(session, elsewhere, news)
    session.commit()
    with session_scope(engine) as owner:
        uploads.take_back(owner, import_id)
    upload_work.work(engine, store, import_id, after(1))
    assert standing(engine, import_id).state is ImportState.TAKING_BACK
    upload_work.work(engine, store, import_id, never)
    done = standing(engine, import_id)
    assert (done.state, done.found["kept"]) == (ImportState.TAKEN_BACK, 2)
    session.expire_all()
    stayed = {each.email.partition("@")[0] for each in session.scalars(select(Subscriber))}
    assert stayed == {"person1", "person2", "person4", "person5", "person6"}
    on = set(session.scalars(select(Subscription.subscriber_id).where(Subscription.list_id == mailing_list.id)))
    assert on == {before.id, confirmed.id, left.id}
    last = session.scalars(
        select(ConsentEvent).where(ConsentEvent.subscriber_id == known.id).order_by(ConsentEvent.id.desc())
    ).first()
    assert last is not None and last.action is ConsentAction.WITHDRAWN
    row = session.get_one(Delivery, waiting.id, populate_existing=True)
    assert (row.state, row.subscriber_id) == (DeliveryState.SKIPPED, None)
    assert not suppression.suppressed(session, [keyring_of(session).blind_index("person3@example.org")])


def test_who_is_erased_leaves_nothing_in_what_is_kept_of_an_import(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList
) -> None:
    upload_work.work(engine, store, upload(session, store), never)
    with session_scope(engine) as other:
        subscribers.erase(other, "person0@example.org")
    assert number(engine, ImportAddition) == PEOPLE - 1


def test_what_nobody_names_or_wants_any_more_is_deleted(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList
) -> None:
    name, file = store.create()
    file.write(b"email\n")
    file.abandon()  # as when a process is killed
    waits = upload(session, store)
    session.execute(update(Import).values(state=ImportState.LOOKED, created_at=utcnow() - timedelta(hours=25)))
    session.commit()
    uploads.clear(session, store)
    assert len(list(store.folder.iterdir())) == 2, "an upload may be under way"
    old = time.time() - 3 * 3600
    for path in store.folder.iterdir():
        os.utime(path, (old, old))
    uploads.clear(session, store)
    assert not store.path(name).exists() and len(list(store.folder.iterdir())) == 1
    uploads.forget_old(session)
    uploads.clear(session, store)
    session.commit()
    assert list(store.folder.iterdir()) == [] and standing(engine, waits).state is ImportState.DROPPED


def test_a_file_that_workers_die_over_is_refused_in_the_end_and_not_one_that_they_put_down(
    engine: Engine, session: Session, store: Store, mailing_list: MailingList
) -> None:
    put_down, deadly = upload(session, store), upload(session, store)
    for _ in range(6):
        upload_work.work(engine, store, put_down, after(0))
    assert standing(engine, put_down).state is ImportState.IMPORTING
    before = number(engine, Subscription)
    for _ in range(5):  # a worker begins, and is killed
        with session_scope(engine) as own:
            assert uploads.begin_try(own, deadly)
    upload_work.work(engine, store, deadly, never)
    refused = standing(engine, deadly)
    assert refused.state is ImportState.REFUSED and "has ended several times" in (refused.problem or "")
    assert number(engine, Subscription) == before
    with session_scope(engine) as own:  # its owner says once more what it is for
        uploads.ask(own, deadly, ASKED)
    upload_work.work(engine, store, deadly, never)
    assert standing(engine, deadly).state is ImportState.LOOKED
