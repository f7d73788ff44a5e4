"""What is stored is unreadable without the key, and goes on being readable while keys change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, LargeBinary, select, type_coerce, update

from mailer.people import consents
from mailer.store import crypto
from mailer.store.crypto import Key, Keyring, KeyUsage, UnreadableSecret
from mailer.store.db import session_scope
from mailer.store.models import Base, ConsentEvent, ConsentPurpose, ConsentSource, Subscriber, Union
from tests.support.factories import make_subscriber, make_union
from tests.support.unpadded import take_padding_away, unpadded

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


@given(st.text())
def test_every_text_comes_back_as_it_was(text: str) -> None:
    ring = keyring(OLD)
    assert ring.decrypt(ring.encrypt(text, "subscribers.name"), "subscribers.name") == text


@given(st.binary() | st.lists(st.sampled_from([b"\x80", b"\0", b"\x80\0\0"])).map(b"".join))
def test_so_does_what_looks_like_padding_itself(data: bytes) -> None:
    ring = keyring(OLD)
    assert ring.decrypt_bytes(ring.encrypt_bytes(data, "unions.logo"), "unions.logo") == data


def test_addresses_and_names_are_all_of_one_length() -> None:
    ring = keyring(OLD)
    addresses = ["a@b.example", "ana.maria.example@mail.harbour-workers.example.org"]
    names = ["", "Ana", "สมศักดิ์ เจริญสุขสวัสดิ์วงศ์", "x" * 127]
    assert len({len(ring.encrypt(text, "subscribers.email")) for text in addresses + names}) == 1


def test_of_all_lengths_few_are_left_and_nothing_becomes_over_twice_as_long() -> None:
    ring = keyring(OLD)
    lengths = {length: len(ring.encrypt("x" * length, "subscriptions.reason")) for length in range(3000)}
    assert len(set(lengths.values())) == 6
    assert all(stored <= 2 * length + 64 for length, stored in lengths.items() if length > 127)
    assert sorted(lengths.values()) == [lengths[length] for length in range(3000)]


def test_what_was_written_before_there_was_padding_is_still_read() -> None:
    ring = keyring(NEW, OLD)
    for text in ("", "Ana", "ends as padding does\0"):
        assert ring.decrypt(unpadded(OLD, text, "subscribers.name"), "subscribers.name") == text


def test_neither_form_can_be_passed_off_as_the_other() -> None:
    ring = keyring(OLD)
    for secret in (ring.encrypt("Ana", "subscribers.name"), unpadded(OLD, "Ana", "subscribers.name")):
        for form in {0, 1, 2, 3} - {secret[0]}:
            with pytest.raises(UnreadableSecret):
                ring.decrypt(bytes([form]) + secret[1:], "subscribers.name")


def test_what_is_cut_short_is_not_read() -> None:
    ring = keyring(OLD)
    secret = ring.encrypt("Ana", "subscribers.name")
    for length in range(len(secret)):
        with pytest.raises(UnreadableSecret):
            ring.decrypt(secret[:length], "subscribers.name")


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
        assert crypto.key_usage(session, Base.metadata) == {"new": KeyUsage(2), "old": KeyUsage(5)}
    assert crypto.rotate(engine, Base.metadata, batch=batch) == 5
    assert crypto.rotate(engine, Base.metadata, batch=batch) == 0
    crypto.attach(engine, keyring(NEW))
    with session_scope(engine) as session:
        assert crypto.key_usage(session, Base.metadata) == {"new": KeyUsage(7)}
        names = session.scalars(select(Subscriber.name).order_by(Subscriber.id)).all()
        assert names == ["Ana", None, "Boris", "Cem"]


def test_what_is_unpadded_awaits_rotation_also_under_the_newest_key(engine: Engine) -> None:
    crypto.attach(engine, keyring(NEW, OLD))
    with session_scope(engine) as session:
        for name in ("Ana", None, "Boris"):
            make_subscriber(session, name=name)
        assert not crypto.has_unpadded(session, Base.metadata)
        take_padding_away(session, Subscriber.email, OLD)
        take_padding_away(session, Subscriber.name, NEW)
        assert crypto.has_unpadded(session, Base.metadata)
        assert crypto.key_usage(session, Base.metadata) == {"new": KeyUsage(2, 2), "old": KeyUsage(3, 3)}
    assert crypto.rotate(engine, Base.metadata) == 5
    with session_scope(engine) as session:
        assert not crypto.has_unpadded(session, Base.metadata)
        assert crypto.key_usage(session, Base.metadata) == {"new": KeyUsage(5), "old": KeyUsage(0)}
        assert session.scalars(select(Subscriber.name).order_by(Subscriber.id)).all() == ["Ana", None, "Boris"]


def test_rotation_reaches_pictures_words_by_language_and_the_sources_of_consent(engine: Engine) -> None:
    crypto.attach(engine, keyring(OLD))
    with session_scope(engine) as session:
        union = make_union(session)
        union.introductions, union.logo, union.resolution = {"fr": "Chers membres"}, b"\x89PNG\0", "Carried."
        person = make_subscriber(session)
        consents.withdraw(session, person.id, ConsentPurpose.UNION, method="import")
        session.flush()
        event = session.scalars(select(ConsentEvent)).one()
        session.add(ConsentSource(event_id=event.id, source="street stall"))
    crypto.attach(engine, keyring(NEW, OLD))
    assert crypto.rotate(engine, Base.metadata) == 7
    crypto.attach(engine, keyring(NEW))
    with session_scope(engine) as session:
        union = session.scalars(select(Union)).one()
        assert (union.introductions, union.logo) == ({"fr": "Chers membres"}, b"\x89PNG\0")
        assert (union.name, union.resolution) == ("Dockers", "Carried.")
        assert session.scalars(select(ConsentSource.source)).one() == "street stall"


def test_a_key_that_is_missing_is_counted_and_stops_rotation(engine: Engine) -> None:
    crypto.attach(engine, keyring(OLD))
    with session_scope(engine) as session:
        make_subscriber(session)
    crypto.attach(engine, keyring(NEW))
    with session_scope(engine) as session:
        make_subscriber(session)
        assert crypto.key_usage(session, Base.metadata) == {"new": KeyUsage(2), "old": KeyUsage(2)}
    with pytest.raises(UnreadableSecret, match='"old"'):
        crypto.rotate(engine, Base.metadata)


def test_a_damaged_value_is_not_overwritten_by_rotation(engine: Engine) -> None:
    crypto.attach(engine, keyring(OLD))
    with session_scope(engine) as session:
        person = make_subscriber(session)
        stored = type_coerce(Subscriber.email, LargeBinary)
        whole = session.scalars(select(stored)).one()
        damaged = whole[:-1] + bytes([whole[-1] ^ 1])
        table = Subscriber.__table__
        session.execute(update(Subscriber).values({table.c.email: type_coerce(damaged, LargeBinary)}))
        assert person.id
    crypto.attach(engine, keyring(NEW, OLD))
    with pytest.raises(UnreadableSecret):
        crypto.rotate(engine, Base.metadata)
    with session_scope(engine) as session:
        assert session.scalars(select(stored)).one() == damaged
