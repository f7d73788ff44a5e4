"""What a union gets to forward: planned with its campaign, made whatever becomes of workers, and told of once."""

import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session, object_session, undefer

from mailer import links
from mailer.cases import target_book
from mailer.delivery import control
from mailer.errors import MailerError
from mailer.kits import announcements, answers, making, pages, progress
from mailer.kits.answers import UnionAnswer
from mailer.kits.editions import KitEditions
from mailer.kits.making import Made
from mailer.kits.pages import NoKit, NothingToForward
from mailer.kits.wording import Forwarder
from mailer.links import Link
from mailer.people import notices, subscribers
from mailer.people.notices import NoticeKind
from mailer.store.crypto import keyring_of
from mailer.store.db import DatabaseUnavailable, session_scope, utcnow
from mailer.store.models import (
    Asking,
    Campaign,
    CampaignStatus,
    CaseStatus,
    Kit,
    KitEdition,
    Union,
    UnionContact,
    UnionStatus,
)
from mailer.unions import directory
from tests.support.concurrency import Beside
from tests.support.factories import (
    SENDER,
    WHEN,
    add_text,
    make_campaign,
    make_case,
    make_contact,
    make_list,
    make_subscriber,
    make_union,
    notices_owed,
    said,
)
from tests.support.letters import add_letter, put_target

BASE = SENDER.base_url
AFFILIATED = UnionStatus.AFFILIATED
OFFICER = "officer@example.org"
FILES = (
    "mail.eml",
    "mail.html",
    "mail.txt",
    "messenger-short.txt",
    "messenger-medium.txt",
    "leaflet.pdf",
    "picture.png",
)


class Unprintable(MailerError):
    """The text cannot be made into a mail."""


def make_forwardable(session: Session, *languages: str, deadline: datetime | None = None) -> Campaign:
    """A draft to one person, in English and in these languages."""
    mailing_list = make_list(session)
    make_subscriber(session, mailing_list)
    campaign = make_campaign(session, mailing_list)
    campaign.forwardable, campaign.deadline = True, deadline
    for language in languages:
        add_text(session, campaign, language, "Dear {{ name or 'supporter' }}, write to the embassy.\n")
    return campaign


def start(session: Session, campaign: Campaign) -> Campaign:
    control.start(session, campaign, SENDER)
    session.commit()
    return campaign


Ring = Callable[[int], None]


def make(engine: Engine, campaign: Campaign, *, seconds: float = 60, ring: Ring = lambda _: None) -> Made:
    """Make what waits, after the test's own transaction, which a worker would wait for."""
    session, campaign_id = object_session(campaign), campaign.id
    assert session is not None
    session.commit()
    return work(engine, campaign_id, seconds=seconds, ring=ring)


def work(engine: Engine, campaign_id: int, *, seconds: float = 60, ring: Ring = lambda _: None) -> Made:
    sessions = partial(notices.ringing_session, engine, ring)
    return making.make(sessions, campaign_id, SENDER, seconds=seconds, stopping=lambda: False)


def planned(session: Session) -> list[tuple[str | None, str]]:
    """Whose kits there are, in which languages."""
    rows = select(Union.slug, KitEdition.language).select_from(KitEdition).join(Kit).outerjoin(Union)
    return [(slug, language) for slug, language in session.execute(rows.order_by(Kit.id, KitEdition.language))]


def kit_of(session: Session, union: Union | None) -> Kit:
    session.expire_all()
    of_union = Kit.union_id.is_(None) if union is None else Kit.union_id == union.id
    return session.scalars(select(Kit).where(of_union)).one()


def told(session: Session, kind: NoticeKind = NoticeKind.KIT) -> list[int | None]:
    """Who was owed a notice of that kind."""
    return [owed.subscriber_id for owed in notices_owed(session) if said(owed).kind is kind]


# --- planning -------------------------------------------------------------------------------------------------------


def test_a_start_plans_a_kit_for_everybody_and_each_affiliated_union_in_every_language(session: Session) -> None:
    for status in UnionStatus:
        make_union(session, f"union-{status}", status=status)
    make_union(session, "second", status=AFFILIATED)
    start(session, make_forwardable(session, "fr", "ar"))
    assert planned(session) == [
        (slug, language) for slug in (None, "union-affiliated", "second") for language in ("ar", "en", "fr")
    ]


def test_what_is_not_to_be_forwarded_has_no_kits(session: Session) -> None:
    make_union(session, status=AFFILIATED)
    campaign = make_forwardable(session)
    campaign.forwardable = False
    start(session, campaign)
    making.plan_missing(session)
    assert planned(session) == []
    with pytest.raises(making.NotForForwarding):
        making.require_forwarding(session, campaign)


def test_what_goes_to_a_unions_own_list_is_for_that_union_alone(session: Session) -> None:
    campaign = make_forwardable(session)
    campaign.mailing_list.owner_id = make_union(session, "dockers", status=AFFILIATED).id
    make_union(session, "miners", status=AFFILIATED)
    control.start(session, campaign, SENDER)
    making.plan_missing(session)
    assert session.scalars(select(Kit.union_id)).all() == [campaign.mailing_list.owner_id]


def test_planning_again_plans_nothing(session: Session) -> None:
    make_union(session, status=AFFILIATED)
    campaign = start(session, make_forwardable(session))
    assert making.plan(session, campaign) == 0
    assert len(planned(session)) == 2


def test_two_who_plan_the_same_at_once_plan_it_once(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session))
    make_union(session, status=AFFILIATED)
    session.commit()

    def plan() -> None:
        with session_scope(engine) as other:
            making.plan_missing(other)

    assert making.plan(session, campaign) == 1
    beside = Beside(plan)
    beside.must_wait()
    session.commit()
    beside.result()
    assert planned(session) == [(None, "en"), ("dockers", "en")]


def test_a_union_that_affiliates_later_gets_the_kits_of_what_is_under_way(session: Session) -> None:
    campaign = start(session, make_forwardable(session, deadline=utcnow() + timedelta(days=1)))
    make_union(session, status=AFFILIATED)
    making.plan_missing(session)
    assert planned(session) == [(None, "en"), ("dockers", "en")]
    assert campaign.id in making.campaigns_with_work(session)


@pytest.mark.parametrize(
    "stopped",
    [
        {"status": CampaignStatus.PAUSED},
        {"status": CampaignStatus.CANCELLED},
        {"deadline": WHEN},
        {"started_at": WHEN},  # no deadline, and more than 30 days ago
        *({"asking": decided} for decided in Asking if decided is not Asking.OPEN),
    ],
    ids=str,
)
def test_no_kit_is_planned_or_made_of_what_is_stopped_or_over(
    engine: Engine, session: Session, stopped: dict[str, object]
) -> None:
    campaign = start(session, make_forwardable(session))
    make_union(session, status=AFFILIATED)
    session.execute(update(Campaign).where(Campaign.id == campaign.id).values(stopped))
    session.commit()
    making.plan_missing(session)
    session.commit()
    assert planned(session) == [(None, "en")]
    assert making.campaigns_with_work(session) == []
    session.commit()
    assert make(engine, campaign) == Made(editions=0, more=False)
    session.refresh(campaign)
    with pytest.raises(making.NobodyIsAsked if "asking" in stopped else making.NoTimeToForward):
        making.require_forwarding(session, campaign)


# --- making ---------------------------------------------------------------------------------------------------------


def test_every_edition_is_made_and_each_contact_is_told_once(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED)
    silent = make_union(session, "silent", status=AFFILIATED)
    people = [make_contact(session, union).subscriber_id for _ in range(2)]
    campaign = start(
        session, make_forwardable(session, "fr", deadline=datetime(2035, 4, 30, 23, 59, tzinfo=utcnow().tzinfo))
    )
    rung: list[int] = []
    assert make(engine, campaign, ring=rung.append) == Made(editions=6, more=False)
    assert set(rung) == {notices_owed(session)[0].campaign_id}
    assert told(session) == people
    rung.clear()
    assert make(engine, campaign, ring=rung.append) == Made(editions=0, more=False)
    announcements.tell(session, BASE)
    assert (rung, notices.to_ring_for(session)) == ([], None)
    assert told(session) == people
    for whose in (union, silent, None):
        kit = kit_of(session, whose)
        assert kit.ready_at is not None
        assert (kit.sent_at is not None) is (whose is union)
        assert pages.look(session, kit.id, base_url=BASE).files == {"en": FILES, "fr": FILES}


@pytest.mark.parametrize(("kind", "heading"), [("update", "Neuigkeiten"), ("stop", "Bitte schreiben Sie nicht mehr")])
def test_kits_of_news_and_of_a_stop_are_made_on_a_stopped_case_and_contacts_are_told_what_they_are(
    engine: Engine, session: Session, kind: str, heading: str
) -> None:
    contact = make_contact(session, make_union(session, status=AFFILIATED), make_subscriber(session, language="de"))
    campaign = make_forwardable(session)
    campaign.case = make_case(session)
    campaign.kind, campaign.case.status = kind, CaseStatus.STOPPED
    start(session, campaign)
    assert make(engine, campaign).editions == 2
    assert told(session) == [contact.subscriber_id]
    assert said(notices_owed(session)[0]).words["kind"] == heading


def test_who_is_erased_meanwhile_waits_until_all_are_told(engine: Engine, session: Session) -> None:
    make_contact(session, make_union(session, status=AFFILIATED), make_subscriber(session, email=OFFICER))
    campaign = start(session, make_forwardable(session))
    make(engine, campaign)
    session.execute(update(Kit).values(sent_at=None))
    session.commit()
    announcements.tell(session, BASE)
    assert notices.to_ring_for(session) is not None

    def erase() -> None:
        with session_scope(engine) as other:
            subscribers.erase(other, OFFICER)

    erasure = Beside(erase)
    erasure.must_wait()
    session.commit()
    erasure.result()
    session.expire_all()
    assert session.scalars(select(UnionContact.id)).all() == []
    assert all(mail.subscriber_id is None for mail in notices_owed(session))


def test_a_notice_leads_to_the_kit_and_out_of_being_a_contact(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED)
    contact = make_contact(session, union, make_subscriber(session, language="fr"))
    deadline = datetime(2035, 4, 30, 23, 59, tzinfo=WHEN.tzinfo)
    make(engine, start(session, make_forwardable(session, deadline=deadline)))
    (owed,) = notices_owed(session)
    keyring = keyring_of(session)
    assert (owed.union_id, said(owed).language) == (union.id, "fr")
    assert said(owed).words == {
        "kit_url": f"{BASE}/fr/kit/{links.sign(keyring, Link.KIT, kit_of(session, union).id)}",
        "stop_url": f"{BASE}/fr/no-contact/{links.sign(keyring, Link.CONTACT, contact.id)}",
        "campaign": "Free the five",
        "union": "Dockers",
        "deadline": "30 avril 2035",
    }


@pytest.mark.parametrize(
    ("spoken", "of_union", "written"), [("tr", ["fr"], "tr"), (None, ["fr", "tr"], "fr"), (None, [], "en")]
)
def test_a_contact_is_written_to_in_their_own_language_else_in_their_unions(
    engine: Engine, session: Session, spoken: str | None, of_union: list[str], written: str
) -> None:
    union = make_union(session, status=AFFILIATED, languages=of_union)
    make_contact(session, union, make_subscriber(session, language=spoken))
    make(engine, start(session, make_forwardable(session)))
    assert [said(owed).language for owed in notices_owed(session)] == [written]


def test_who_becomes_a_contact_after_the_kit_was_made_is_told_then(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED)
    make(engine, start(session, make_forwardable(session)))
    announcements.tell(session, BASE)
    assert notices.to_ring_for(session) is None
    person = make_contact(session, union).subscriber_id
    announcements.tell(session, BASE)
    assert notices.to_ring_for(session) is not None
    announcements.tell(session, BASE)
    assert notices.to_ring_for(session) is None
    assert told(session) == [person]


def test_the_same_kit_is_the_same_bytes(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session))
    archives = []
    for _ in range(2):
        make(engine, campaign)
        session.expire_all()
        edition = session.scalars(select(KitEdition).options(undefer(KitEdition.archive))).one()
        archives.append(edition.archive)
        edition.made_at = edition.archive = edition.taken_until = None
        session.commit()
    assert archives[0] == archives[1]
    with zipfile.ZipFile(BytesIO(archives[0] or b"")) as made:
        assert tuple(made.namelist()) == FILES
        assert made.testzip() is None


def test_workers_side_by_side_make_each_edition_once(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        make_contact(session, make_union(session, f"union-{number}", status=AFFILIATED))
    campaign = start(session, make_forwardable(session, "fr"))
    made: list[tuple[int | None, str]] = []

    def files(_renderer: KitEditions, forwarder: Forwarder, language: str) -> dict[str, bytes]:
        made.append((forwarder.union_id, language))
        return {"mail.txt": b"words"}

    monkeypatch.setattr(KitEditions, "files", files)
    both = [Beside(lambda: work(engine, campaign.id)) for _ in range(2)]
    for worker in both:
        worker.result()
    assert len(made) == len(set(made)) == 22
    assert len(told(session)) == 10
    assert session.scalar(select(func.count()).where(Kit.ready_at.is_(None))) == 0


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_nobody_waits_for_what_another_is_just_taking(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session))
    session.execute(select(KitEdition.id).with_for_update())
    assert work(engine, campaign.id) == Made(editions=0, more=False)


def test_what_a_lost_worker_had_taken_is_made_by_another_when_its_lease_is_over(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_contact(session, make_union(session, status=AFFILIATED))
    campaign = start(session, make_forwardable(session))

    def die(*_: object) -> dict[str, bytes]:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(KitEditions, "files", die)
        with pytest.raises(KeyboardInterrupt):
            make(engine, campaign)
    assert make(engine, campaign) == Made(editions=0, more=False)  # still another's
    session.execute(update(KitEdition).values(taken_until=utcnow() - timedelta(seconds=1)))
    session.commit()
    assert make(engine, campaign).editions == 2
    assert len(told(session)) == 1


def test_a_worker_that_comes_second_changes_nothing(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = start(session, make_forwardable(session))

    def files(*_: object) -> dict[str, bytes]:
        with session_scope(engine) as other:
            other.execute(update(KitEdition).values(archive=b"the other's", made_at=WHEN, taken_until=WHEN))
            other.execute(update(Kit).values(ready_at=WHEN))
        return {"mail.txt": b"ours"}

    monkeypatch.setattr(KitEditions, "files", files)
    make(engine, campaign)
    assert session.execute(select(KitEdition.archive, KitEdition.made_at)).one() == (b"the other's", WHEN)
    assert kit_of(session, None).ready_at == WHEN


def test_of_two_workers_with_a_kits_last_editions_the_second_calls_it_ready(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session, "fr"))
    first, second = session.scalars(select(KitEdition.id).order_by(KitEdition.id))
    session.execute(
        update(KitEdition).where(KitEdition.id == first).values(taken_until=utcnow() + timedelta(minutes=1))
    )
    session.commit()
    session.execute(select(Kit.id).with_for_update(key_share=True))
    session.execute(update(KitEdition).where(KitEdition.id == first).values(made_at=utcnow()))
    beside = Beside(lambda: work(engine, campaign.id))
    beside.must_wait()
    session.commit()
    beside.result()
    assert session.get_one(KitEdition, second, populate_existing=True).made_at is not None
    assert kit_of(session, None).ready_at is not None


def fail_in(language: str) -> Callable[[KitEditions, Forwarder, str], dict[str, bytes]]:
    whole = KitEditions.files

    def files(renderer: KitEditions, forwarder: Forwarder, wanted: str) -> dict[str, bytes]:
        if wanted == language:
            raise Unprintable
        return whole(renderer, forwarder, wanted)

    return files


def test_what_cannot_be_made_in_one_language_says_why_and_keeps_no_other_from_being_made(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    union = make_union(session, status=AFFILIATED)
    person = make_contact(session, union).subscriber_id
    campaign = start(session, make_forwardable(session, "fr"))
    with monkeypatch.context() as broken:
        broken.setattr(KitEditions, "files", fail_in("en"))
        assert make(engine, campaign).editions == 4
    page = pages.look(session, kit_of(session, union).id, base_url=BASE)
    assert page.is_ready
    assert page.problems == {"en": "The text cannot be made into a mail."}
    assert list(page.files) == list(page.texts) == ["fr"]
    assert (
        caplog.messages.count(
            "kit edition cannot be made: The text cannot be made into a mail; once that is fixed, run: mailer kits make"
        )
        == 2
    )
    assert told(session) == [person]
    making.try_again(session, campaign)
    session.commit()
    assert make(engine, campaign).editions == 2
    assert pages.look(session, kit_of(session, union).id, base_url=BASE).problems == {}
    assert told(session) == [person]  # and not again


def test_nobody_is_told_of_a_kit_with_nothing_in_it(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_contact(session, make_union(session, status=AFFILIATED))
    campaign = start(session, make_forwardable(session))
    with monkeypatch.context() as broken:
        broken.setattr(KitEditions, "files", fail_in("en"))
        make(engine, campaign)
    assert told(session) == []
    making.try_again(session, campaign)
    session.commit()
    make(engine, campaign)
    assert len(told(session)) == 1


def test_a_database_that_is_away_is_no_fault_of_the_text(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = start(session, make_forwardable(session))

    def fail(*_: object) -> dict[str, bytes]:
        raise DatabaseUnavailable(problem="it is busy")

    monkeypatch.setattr(KitEditions, "files", fail)
    with pytest.raises(DatabaseUnavailable):
        make(engine, campaign)
    assert session.scalars(select(KitEdition.problem)).all() == [None]


def test_a_worker_that_is_told_to_stop_lets_go_at_once(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session, "fr", "de"))
    answers = iter([False, False, True, True, True])
    done = making.make(partial(session_scope, engine), campaign.id, SENDER, seconds=60, stopping=lambda: next(answers))
    assert done == Made(editions=1, more=True)
    assert making.campaigns_with_work(session) == [campaign.id]


def test_making_ends_after_its_seconds_and_says_that_there_is_more(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session))
    assert make(engine, campaign, seconds=0) == Made(editions=0, more=True)
    assert make(engine, campaign) == Made(editions=1, more=False)


def test_a_union_that_lapsed_gets_nothing_until_it_is_affiliated_again(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED)
    make_contact(session, union)
    campaign = start(session, make_forwardable(session))
    union.status = UnionStatus.LAPSED
    session.commit()
    assert make(engine, campaign).editions == 1
    kit_id = kit_of(session, union).id
    with pytest.raises(NoKit):
        pages.look(session, kit_id, base_url=BASE)
    with pytest.raises(NoKit):
        answers.answer(session, kit_id, UnionAnswer.SEEN, base_url=BASE)
    assert [kit.union for kit in progress.of_campaign(session, campaign)] == [None]
    session.get_one(Union, union.id).status = AFFILIATED
    session.commit()
    assert make(engine, campaign).editions == 1
    assert len(told(session)) == 1


def test_a_union_that_asked_not_to_be_named_is_named_nowhere(engine: Engine, session: Session) -> None:
    union = make_union(session, "quiet-harbour", name="Quiet Harbour Union", status=AFFILIATED, is_named=False)
    make_contact(session, union)
    make(engine, start(session, make_forwardable(session)))
    kit_id = kit_of(session, union).id
    page = pages.look(session, kit_id, base_url=BASE)
    assert (page.union_id, page.union_name, page.join_url) == (union.id, None, f"{BASE}/en/")
    assert "union" not in said(notices_owed(session)[0]).words
    with zipfile.ZipFile(BytesIO(pages.archive(session, kit_id))) as made:
        for name in made.namelist():
            assert b"uiet" not in made.read(name)


def test_a_union_that_asks_not_to_be_named_later_has_its_kits_made_anew(engine: Engine, session: Session) -> None:
    union = make_union(session, "quiet-harbour", name="Quiet Harbour Union", status=AFFILIATED)
    make_contact(session, union)
    campaign = start(session, make_forwardable(session))
    make(engine, campaign)
    kit_id = kit_of(session, union).id
    assert b"Quiet" in pages.file(session, kit_id, "en", "mail.txt")
    directory.change(session, "quiet-harbour", is_named=False)
    session.commit()
    with pytest.raises(NoKit):  # at once, before any worker hears of it
        pages.file(session, kit_id, "en", "mail.txt")
    assert not pages.look(session, kit_id, base_url=BASE).is_ready
    making.plan_missing(session)
    assert make(engine, campaign).editions == 1  # and not the one for everybody
    assert pages.look(session, kit_id, base_url=BASE).is_ready
    assert b"Quiet" not in pages.file(session, kit_id, "en", "mail.txt")
    assert len(told(session)) == 1


def test_a_kit_that_carries_a_name_goes_also_when_its_campaign_is_over(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED)
    campaign = start(session, make_forwardable(session))
    make(engine, campaign)
    campaign.deadline = WHEN
    directory.change(session, union.slug, name="Another name")
    making.plan_missing(session)
    assert kit_of(session, union).ready_at  # nothing is made again
    directory.change(session, union.slug, is_named=False)
    with pytest.raises(NoKit):
        pages.look(session, kit_of(session, union).id, base_url=BASE)
    assert session.scalars(select(KitEdition.archive).where(KitEdition.kit_id == kit_of(session, union).id)).one()
    making.drop_names(session)
    assert not session.scalars(select(KitEdition.archive).where(KitEdition.kit_id == kit_of(session, union).id)).one()


@pytest.mark.parametrize(
    "change",
    [
        lambda session: directory.change(session, "dockers", name="Dockers United"),
        lambda session: directory.change(session, "dockers", country="FR"),
        lambda session: directory.introduce(session, "dockers", "en", "Dear members"),
        lambda session: directory.set_logo(session, "dockers", None),
    ],
)
def test_whatever_changes_what_a_kit_prints_has_it_made_again(
    engine: Engine, session: Session, change: Callable[[Session], object]
) -> None:
    make_union(session, "dockers", status=AFFILIATED)
    campaign = start(session, make_forwardable(session))
    assert make(engine, campaign).editions == 2
    directory.change(session, "dockers", members=12)  # which no kit prints
    making.plan_missing(session)
    session.commit()
    assert make(engine, campaign).editions == 0
    change(session)
    making.plan_missing(session)
    session.commit()
    assert make(engine, campaign).editions == 1


def test_a_corrected_letter_or_target_has_the_kits_made_again_that_show_it(engine: Engine, session: Session) -> None:
    for slug, country in (("pilots", "DE"), ("dockers", "FR")):
        make_union(session, slug, status=AFFILIATED, country=country)
    campaign = make_forwardable(session)
    campaign.ask, campaign.about = ["embassy"], "BR"
    letter = add_letter(session, campaign)
    for country in ("DE", "FR"):
        put_target(session, f"embassy-{country.lower()}", countries=(country, "GB"))
    start(session, campaign)
    make(engine, campaign)

    def made_again() -> set[str | None]:
        making.plan_missing(session)
        session.commit()
        waiting = select(Kit).join(KitEdition).where(KitEdition.made_at.is_(None))
        found = {kit.union.slug if kit.union else None for kit in session.scalars(waiting)}
        assert make(engine, campaign).editions == len(found)
        return found

    assert made_again() == set()
    target_book.verify(session, "embassy-de", "Ana")  # which no kit prints
    assert made_again() == set()
    put_target(session, "embassy-de", countries=("DE", "GB"), email="new@example.org")
    assert made_again() == {"pilots"}
    kit = kit_of(session, session.scalars(select(Union).where(Union.slug == "pilots")).one())
    assert b"new@example.org" in pages.file(session, kit.id, "en", "letter-embassy.en.txt")
    letter.body = "Please free all five.\n"
    assert made_again() == {"pilots", "dockers"}
    assert b"free all five" in pages.file(session, kit.id, "en", "letter-embassy.en.txt")
    assert len(told(session)) == 0


def test_what_is_being_made_while_a_union_asks_not_to_be_named_is_not_kept(
    engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    union_id = make_union(session, status=AFFILIATED).id
    campaign = start(session, make_forwardable(session))
    made: list[str | None] = []

    def files(_renderer: KitEditions, forwarder: Forwarder, _language: str) -> dict[str, bytes]:
        if forwarder.union_id and not any(made):
            with session_scope(engine) as other:
                directory.change(other, other.get_one(Union, union_id).slug, is_named=False)
        made.append(forwarder.name)
        return {"mail.txt": str(forwarder.name).encode()}

    monkeypatch.setattr(KitEditions, "files", files)
    make(engine, campaign)
    assert pages.file(session, kit_of(session, session.get_one(Union, union_id)).id, "en", "mail.txt") == b"None"


# --- what its page shows --------------------------------------------------------------------------------------------


def test_a_page_shows_the_kit_with_the_unions_own_languages_first(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED, languages=["tr-CY", "kk", "fr"])
    deadline = utcnow() + timedelta(days=4)
    campaign = make_forwardable(session, "fr", "tr", "ar", deadline=deadline)
    campaign.public = True
    start(session, campaign)
    kit_id = kit_of(session, union).id
    before = pages.look(session, kit_id, base_url=BASE)
    assert (before.is_ready, before.files, before.texts) == (False, {}, {})
    session.commit()
    make(engine, campaign)
    page = pages.look(session, kit_of(session, union).id, base_url=BASE)
    assert (page.languages, page.own_languages) == (("tr", "fr", "ar", "en"), 2)
    assert (page.campaign_title, page.campaign_slug) == ("Subject", "free-the-five")
    assert (page.union_id, page.union_name) == (union.id, "Dockers")
    assert (page.join_url, page.public_url) == (f"{BASE}/tr/join/dockers", f"{BASE}/tr/campaigns/free-the-five")
    assert (page.deadline, page.is_over, page.is_ready) == (deadline, False, True)
    assert page.join_url in page.texts["tr"][0] and "\r" not in page.texts["tr"][1]
    assert not session.is_modified(kit_of(session, union))


@pytest.mark.parametrize("status", [CampaignStatus.PAUSED, CampaignStatus.CANCELLED])
def test_nothing_can_be_taken_of_a_campaign_that_was_stopped(
    engine: Engine, session: Session, status: CampaignStatus
) -> None:
    campaign = start(session, make_forwardable(session))
    make(engine, campaign)
    kit = kit_of(session, None)
    campaign.status = status
    session.flush()
    page = pages.look(session, kit.id, base_url=BASE)
    assert (page.files, page.texts, page.is_held) == ({}, {}, status is CampaignStatus.PAUSED)
    with pytest.raises(NoKit):
        pages.file(session, kit.id, "en", "mail.eml")
    with pytest.raises(NoKit):
        pages.archive(session, kit.id)
    campaign.status = CampaignStatus.SENDING
    session.flush()
    assert pages.look(session, kit.id, base_url=BASE).files == {"en": FILES}


def test_the_kit_for_everybody_carries_nobodys_name(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session, "fr"))
    make(engine, campaign)
    page = pages.look(session, kit_of(session, None).id, base_url=BASE)
    assert (page.union_id, page.union_name, page.own_languages) == (None, None, 0)
    assert (page.join_url, page.public_url) == (f"{BASE}/en/", None)
    with pytest.raises(NoKit):
        answers.answer(session, kit_of(session, None).id, UnionAnswer.SEEN, base_url=BASE)


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [({"deadline": None}, False), ({"deadline": WHEN}, True), ({"status": CampaignStatus.CANCELLED}, True)],
    ids=str,
)
def test_a_page_says_whether_it_is_too_late(session: Session, changes: dict[str, object], is_over: bool) -> None:
    campaign = start(session, make_forwardable(session))
    session.execute(update(Campaign).where(Campaign.id == campaign.id).values(changes))
    assert pages.look(session, kit_of(session, None).id, base_url=BASE).is_over is is_over


def test_once_it_is_too_late_nothing_of_a_kit_can_be_had_or_promised(engine: Engine, session: Session) -> None:
    union = make_union(session, status=AFFILIATED)
    campaign = start(session, make_forwardable(session))
    make(engine, campaign)
    kit_id = kit_of(session, union).id
    assert pages.look(session, kit_id, base_url=BASE).files
    campaign.deadline = utcnow() - timedelta(minutes=1)
    session.flush()
    page = pages.look(session, kit_id, base_url=BASE)
    assert (page.files, page.texts) == ({}, {})
    for refused in (
        lambda: pages.file(session, kit_id, "en", "mail.txt"),
        lambda: pages.archive(session, kit_id),
        lambda: answers.answer(session, kit_id, UnionAnswer.PROMISED, base_url=BASE),
    ):
        with pytest.raises(NothingToForward):
            refused()
    answers.answer(session, kit_id, UnionAnswer.FORWARDED, reached=40, base_url=BASE)  # which they did before


def test_files_are_to_be_had_one_by_one_and_all_at_once(engine: Engine, session: Session) -> None:
    campaign = start(session, make_forwardable(session, "fr"))
    make(engine, campaign)
    kit_id = kit_of(session, None).id
    with zipfile.ZipFile(BytesIO(pages.archive(session, kit_id))) as made:
        assert made.namelist() == [f"{language}/{name}" for language in ("en", "fr") for name in FILES]
        for name in FILES:
            assert made.read(f"fr/{name}") == pages.file(session, kit_id, "fr", name)
    assert pages.archive(session, kit_id) == pages.archive(session, kit_id)
    for language, name in (("de", "mail.txt"), ("fr", "letter.txt"), ("fr", "../fr/mail.txt")):
        with pytest.raises(NoKit):
            pages.file(session, kit_id, language, name)


def test_nothing_is_to_be_had_of_a_kit_that_is_not_made_or_not_there(session: Session) -> None:
    start(session, make_forwardable(session))
    kit_id = kit_of(session, None).id
    for read in (
        lambda: pages.archive(session, kit_id),
        lambda: pages.file(session, kit_id, "en", "mail.txt"),
        lambda: pages.look(session, kit_id + 1, base_url=BASE),
        lambda: pages.archive(session, kit_id + 1),
        lambda: answers.answer(session, kit_id + 1, UnionAnswer.SEEN, base_url=BASE),
    ):
        with pytest.raises(NoKit):
            read()


# --- reminding ------------------------------------------------------------------------------------------------------

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def kit(session: Session) -> Kit:
    """A union's kit, nothing of it made."""
    union = make_union(session, status=AFFILIATED)
    start(session, make_forwardable(session))
    return kit_of(session, union)


@pytest.fixture
def sent(session: Session, kit: Kit) -> Callable[..., int | None]:
    """A kit of which its union was told so long ago, with so long to the deadline; then looks whom to remind."""
    union = session.get_one(Union, kit.union_id)
    make_contact(session, union)

    def send(*, ago: timedelta, left: timedelta, **changes: object) -> int | None:
        kit.sent_at = utcnow() - ago
        kit.campaign.deadline = utcnow() + left
        for column, value in changes.items():
            setattr(kit, column, value)
        session.commit()
        announcements.remind(session, BASE)
        session.commit()
        return notices.to_ring_for(session)

    return send


@pytest.mark.parametrize(
    ("ago", "left", "is_reminded"),
    [
        (25 * HOUR, 2 * DAY, True),
        (25 * HOUR, 3 * DAY + HOUR, False),  # too early
        (23 * HOUR, 2 * DAY, False),  # told today
        (23 * HOUR, 35 * HOUR, True),  # told today, and hardly any time
        (5 * HOUR, 35 * HOUR, False),  # told just now
        (25 * HOUR, -HOUR, False),  # too late
    ],
)
def test_who_said_nothing_is_reminded_once_in_the_last_three_days(
    session: Session, sent: Callable[..., int | None], ago: timedelta, left: timedelta, is_reminded: bool
) -> None:
    assert (sent(ago=ago, left=left) is not None) is is_reminded
    assert len(told(session, NoticeKind.REMINDER)) == is_reminded
    announcements.remind(session, BASE)
    assert notices.to_ring_for(session) is None


@pytest.mark.parametrize("answer", list(UnionAnswer))
def test_who_said_anything_is_not_reminded(
    session: Session, kit: Kit, sent: Callable[..., int | None], answer: UnionAnswer
) -> None:
    answers.answer(session, kit.id, answer, base_url=BASE)
    assert sent(ago=2 * DAY, left=DAY) is None


def test_who_was_told_nothing_is_not_reminded(sent: Callable[..., int | None], session: Session, kit: Kit) -> None:
    sent(ago=DAY, left=9 * DAY)
    kit.sent_at, kit.campaign.deadline = None, utcnow() + DAY
    session.commit()
    announcements.remind(session, BASE)
    assert notices.to_ring_for(session) is None


@pytest.mark.parametrize("status", [CampaignStatus.PAUSED, CampaignStatus.CANCELLED])
def test_nobody_is_reminded_of_what_was_stopped(
    session: Session, kit: Kit, sent: Callable[..., int | None], status: CampaignStatus
) -> None:
    kit.campaign.status = status
    assert sent(ago=2 * DAY, left=DAY) is None


@pytest.mark.parametrize("status", [CaseStatus.STOPPED, CaseStatus.CLOSED])
def test_nobody_is_told_of_a_kit_or_reminded_of_it_while_its_case_is_not_open(
    engine: Engine, session: Session, kit: Kit, sent: Callable[..., int | None], status: CaseStatus
) -> None:
    case = kit.campaign.case = make_case(session)
    case.status = status
    make(engine, kit.campaign)
    assert sent(ago=2 * DAY, left=DAY, ready_at=WHEN) is None
    kit.sent_at = None
    session.commit()
    announcements.tell(session, BASE)
    assert notices.to_ring_for(session) is None
    case.status = CaseStatus.OPEN
    assert sent(ago=2 * DAY, left=DAY) is not None


def test_a_reminder_says_what_the_notice_said(session: Session, kit: Kit, sent: Callable[..., int | None]) -> None:
    sent(ago=2 * DAY, left=DAY)
    (owed,) = notices_owed(session)
    assert set(said(owed).words) == {"kit_url", "stop_url", "campaign", "union", "deadline"}


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ended", "is_kept"), [(89 * DAY, True), (91 * DAY, False)])
@pytest.mark.parametrize("has_deadline", [True, False])
def test_files_go_90_days_after_the_end_and_what_was_said_stays(
    engine: Engine, session: Session, ended: timedelta, is_kept: bool, has_deadline: bool
) -> None:
    union = make_union(session, status=AFFILIATED)
    campaign = start(session, make_forwardable(session))
    make(engine, campaign)
    kit_id = kit_of(session, union).id
    answers.answer(session, kit_id, UnionAnswer.FORWARDED, reached=40, base_url=BASE)
    end = utcnow() - ended
    campaign.deadline, campaign.finished_at = (end, None) if has_deadline else (None, end)
    session.commit()
    pages.forget_old(session)
    session.commit()
    assert kit_of(session, union).reached == 40
    archives = session.scalars(select(KitEdition.archive).where(KitEdition.kit_id == kit_id)).all()
    assert [archive is not None for archive in archives] == [is_kept]
    if not is_kept:
        with pytest.raises(NoKit):
            pages.look(session, kit_id, base_url=BASE)
