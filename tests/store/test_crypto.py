"""What is stored is unreadable without the key, and goes on being readable while keys change."""

import pytest
from sqlalchemy import Engine, LargeBinary, select, type_coerce, update

from mailer.store import crypto
from mailer.store.crypto import Key, Keyring, UnreadableSecret
from mailer.store.db import session_scope
from mailer.store.models import Base, Subscriber
from tests.support.factories import make_subscriber

OLD = Key("old", bytes(range(32)))
NEW = Key("new", bytes(range(1, 33)))
INDEX = bytes(range(2, 34))


def keyring(*keys: Key) -> Keyring:
    return Keyring(secret_keys=keys, link_keys=[OLD], index_key=INDEX)


def test_a_secret_comes_back_and_never_looks_the_same_twice() -> None:
    ring = keyring(OLD)
    first, second = (ring.encrypt("ana@example.org", "subscribers.email") for _ in range(2))
    assert first != second
    assert b"ana" not in first
    assert ring.decrypt(first, "subscribers.email") == ring.decrypt(second, "subscribers.email") == "ana@example.org"


def test_the_wrong_key_cannot_read_whatever_it_is_called() -> None:
    secret = keyring(OLD).encrypt("ana@example.org", "subscribers.email")
    with pytest.raises(UnreadableSecret, match='"old"'):
        keyring(NEW).decrypt(secret, "subscribers.email")
    with pytest.raises(UnreadableSecret):
        keyring(Key("old", NEW.secret)).decrypt(secret, "subscribers.email")


def test_a_value_moved_to_another_column_or_changed_is_not_read() -> None:
    ring = keyring(OLD)
    secret = ring.encrypt("ana@example.org", "subscribers.email")
    with pytest.raises(UnreadableSecret):
        ring.decrypt(secret, "subscribers.name")
    with pytest.raises(UnreadableSecret):
        ring.decrypt(secret[:-1] + bytes([secret[-1] ^ 1]), "subscribers.email")


def test_an_older_key_still_reads_and_the_newest_writes() -> None:
    secret = keyring(OLD).encrypt("Ana", "subscribers.name")
    both = keyring(NEW, OLD)
    assert both.decrypt(secret, "subscribers.name") == "Ana"
    assert both.encrypt("Ana", "subscribers.name").startswith(both.newest_prefix)


def test_the_blind_index_depends_on_the_index_key_alone() -> None:
    assert keyring(OLD).blind_index("ana@example.org") == keyring(NEW).blind_index("ana@example.org")
    other = Keyring(secret_keys=[OLD], link_keys=[OLD], index_key=bytes(32))
    assert other.blind_index("ana@example.org") != keyring(OLD).blind_index("ana@example.org")


@pytest.mark.parametrize(
    "text",
    ["", "k1", "k1:", ":AAAA", "k 1:" + "A" * 43 + "=", "k1:" + "A" * 43 + "=", "k1:short", "k1:" + "é" * 44],
)
def test_a_weak_or_broken_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Key.parse(text)


def test_a_generated_key_is_read_back_and_hides_itself() -> None:
    key = Key.generate()
    assert Key.parse(str(key)) == key
    assert str(key.secret) not in repr(key)


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_rotation_encrypts_everything_anew_and_the_old_key_can_go(engine: Engine, batch: int) -> None:
    crypto.attach(engine, keyring(OLD))
    with session_scope(engine) as session:
        for name in ("Ana", None, "Boris"):
            make_subscriber(session, name=name)
    crypto.attach(engine, keyring(NEW, OLD))
    with session_scope(engine) as session:
        make_subscriber(session, name="Cem")
        assert crypto.key_usage(session, Base.metadata) == {"new": 2, "old": 5}
    assert crypto.rotate(engine, Base.metadata, batch=batch) == 5
    assert crypto.rotate(engine, Base.metadata, batch=batch) == 0
    crypto.attach(engine, keyring(NEW))
    with session_scope(engine) as session:
        assert crypto.key_usage(session, Base.metadata) == {"new": 7}
        names = session.scalars(select(Subscriber.name).order_by(Subscriber.id)).all()
        assert names == ["Ana", None, "Boris", "Cem"]


def test_a_key_that_is_missing_is_counted_and_stops_rotation(engine: Engine) -> None:
    crypto.attach(engine, keyring(OLD))
    with session_scope(engine) as session:
        make_subscriber(session)
    crypto.attach(engine, keyring(NEW))
    with session_scope(engine) as session:
        make_subscriber(session)
        assert crypto.key_usage(session, Base.metadata) == {"new": 2, "old": 2}
    with pytest.raises(UnreadableSecret, match='"old"'):
        crypto.rotate(engine, Base.metadata)


def test_a_damaged_value_is_not_overwritten_by_rotation(engine: Engine) -> None:
    crypto.attach(engine, keyring(OLD))
    with session_scope(engine) as session:
        person = make_subscriber(session)
        stored = type_coerce(Subscriber.email, LargeBinary)
        damaged = session.scalars(select(stored)).one()[:-1] + b"?"
        table = Subscriber.__table__
        session.execute(update(Subscriber).values({table.c.email: type_coerce(damaged, LargeBinary)}))
        assert person.id
    crypto.attach(engine, keyring(NEW, OLD))
    with pytest.raises(UnreadableSecret):
        crypto.rotate(engine, Base.metadata)
    with session_scope(engine) as session:
        assert session.scalars(select(stored)).one() == damaged
