"""Nothing of one union reaches another, whatever a session that is limited to it is asked."""

import ast
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, exists, func, insert, inspect, select, text, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session, aliased

import mailer
from mailer.campaigns import files, lifecycle, readiness, segments
from mailer.campaigns.readiness import Refused
from mailer.campaigns.segments import Segment
from mailer.delivery import control, ledger, verdicts
from mailer.formats.written_files import InvalidFile
from mailer.mail.feedback.types import Kind
from mailer.people import consents, lists, returned, subscribers, suppression
from mailer.people.mailed_links import issue
from mailer.people.notices import Notice, NoticeKind, owe
from mailer.reports import campaigns as campaign_reports
from mailer.reports import progress, refusals, spreads
from mailer.reports.spreads import By
from mailer.selfservice import disclosure
from mailer.spreadsheets import enrolment, exporting
from mailer.spreadsheets.enrolment import Candidate, Terms
from mailer.store import audit, scope
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    Account,
    AccountMail,
    AccountRole,
    Act,
    Application,
    Approval,
    ApprovalRequest,
    AuditEntry,
    Base,
    Campaign,
    CampaignAlarm,
    CampaignContent,
    CampaignFigures,
    CampaignStatus,
    CampaignText,
    Case,
    CaseEvent,
    CaseFact,
    CaseText,
    Claim,
    ConsentEvent,
    ConsentPurpose,
    ConsentSource,
    ConsentText,
    DailyMail,
    Delivery,
    DeliveryState,
    DeskSession,
    Edition,
    HoldMail,
    Import,
    ImportAddition,
    InboundTally,
    Invitation,
    JoinCount,
    Kit,
    KitEdition,
    KnownBrowser,
    LetterText,
    LoneNotice,
    LoneRequest,
    MailedLink,
    MailedLinkKind,
    MailEvent,
    MailEventCount,
    MailingList,
    Purpose,
    RecoveryCode,
    Reply,
    SavedAudience,
    Signature,
    SignInFailure,
    StoredTarget,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionLift,
    SuppressionReason,
    TargetReport,
    TargetReportKind,
    TargetRole,
    TextVersion,
    Union,
    UnionContact,
    UnreadMessage,
)
from mailer.store.scope import UnlimitableStatement
from mailer.unions import contacts, directory
from tests.support.accounts import make_all_of_one, make_approved
from tests.support.factories import (
    SENDER,
    WHEN,
    deliver,
    make_act,
    make_bounce,
    make_campaign,
    make_contact,
    make_list,
    make_signature,
    make_subscriber,
    make_union,
    subscribe,
)

# --- a random world -------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What there is, and whose it is, counted by hand. Every name in it occurs in no other."""

    connection: Connection
    unions: list[Union] = field(default_factory=list)
    lists: list[MailingList] = field(default_factory=list)
    people: list[Subscriber] = field(default_factory=list)
    campaigns: list[Campaign] = field(default_factory=list)
    rows: dict[type[Any], list[Any]] = field(default_factory=dict)  # model → all its rows

    def owner_of(self, list_id: int | None) -> int | None:
        return next((each.owner_id for each in self.lists if each.id == list_id), None)

    def owner_of_campaign(self, campaign_id: int) -> int | None:
        return next((self.owner_of(each.list_id) for each in self.campaigns if each.id == campaign_id), None)

    def has_person(self, subscriber_id: int, union_id: int) -> bool:
        """Whether somebody is or was on a list of a union, or is its contact."""
        on = [each for each in self.rows[Subscription] if each.subscriber_id == subscriber_id]
        speaks_for = [each.union_id for each in self.rows[UnionContact] if each.subscriber_id == subscriber_id]
        return union_id in speaks_for or any(self.owner_of(each.list_id) == union_id for each in on)

    def beneath(self, union_id: int) -> set[int]:
        """A union and all that it contains, save what is beneath one that is not named to it."""
        found = {union_id}
        for union in self.unions:  # federations come before their branches
            if union.parent_id in found and union.is_named:
                found.add(union.id)
        return found

    @contextmanager
    def seen_by(self, union_id: int | None) -> Iterator[Session]:
        with Session(self.connection, join_transaction_mode="create_savepoint") as session:
            if union_id is not None:
                scope.limit(session, union_id)
            yield session


#: model → whether a row is a union's own; what is public has no line here
OWN: dict[type[Any], Callable[[World, Any, int], bool]] = {
    Account: lambda _w, _row, _union: False,
    AccountMail: lambda _w, _row, _union: False,
    AccountRole: lambda _w, _row, _union: False,
    DeskSession: lambda _w, _row, _union: False,
    Invitation: lambda _w, _row, _union: False,
    KnownBrowser: lambda _w, _row, _union: False,
    RecoveryCode: lambda _w, _row, _union: False,
    SignInFailure: lambda _w, _row, _union: False,
    Application: lambda _w, _row, _union: False,
    Approval: lambda _w, _row, _union: False,
    ApprovalRequest: lambda _w, _row, _union: False,
    CampaignContent: lambda _w, _row, _union: False,
    LoneNotice: lambda _w, _row, _union: False,
    LoneRequest: lambda _w, _row, _union: False,
    AuditEntry: lambda _w, _row, _union: False,
    Campaign: lambda w, row, union: w.owner_of(row.list_id) == union,
    CampaignFigures: lambda _w, _row, _union: False,
    Import: lambda _w, _row, _union: False,
    ImportAddition: lambda _w, _row, _union: False,
    CampaignText: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    TextVersion: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    Case: lambda _w, _row, _union: False,
    CaseEvent: lambda _w, _row, _union: False,
    CaseFact: lambda _w, _row, _union: False,
    CaseText: lambda _w, _row, _union: False,
    Claim: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    ConsentEvent: lambda w, row, union: w.owner_of(row.list_id) == union,
    ConsentSource: lambda w, row, union: any(
        each.id == row.event_id and w.owner_of(each.list_id) == union for each in w.rows[ConsentEvent]
    ),
    CampaignAlarm: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    Delivery: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    DailyMail: lambda _w, _row, _union: False,
    HoldMail: lambda _w, _row, _union: False,
    InboundTally: lambda _w, _row, _union: False,
    Reply: lambda _w, _row, _union: False,
    UnreadMessage: lambda _w, _row, _union: False,
    Edition: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    JoinCount: lambda _w, row, union: row.union_id == union,
    Kit: lambda _w, row, union: row.union_id == union,
    KitEdition: lambda w, row, union: any(k.id == row.kit_id and k.union_id == union for k in w.rows[Kit]),
    LetterText: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    MailEvent: lambda w, row, union: any(
        each.id == row.delivery_id and w.owner_of_campaign(each.campaign_id) == union for each in w.rows[Delivery]
    ),
    Act: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    Signature: lambda w, row, union: any(
        act.id == row.act_id and w.owner_of_campaign(act.campaign_id) == union for act in w.rows[Act]
    ),
    MailEventCount: lambda w, row, union: w.owner_of_campaign(row.campaign_id) == union,
    MailingList: lambda _w, row, union: row.owner_id == union,
    SavedAudience: lambda _w, row, union: row.owner_id == union,
    MailedLink: lambda _w, _row, _union: False,
    StoredTarget: lambda _w, _row, _union: False,
    TargetReport: lambda _w, _row, _union: False,
    Subscriber: lambda w, row, union: w.has_person(row.id, union),
    Subscription: lambda w, row, union: w.owner_of(row.list_id) == union,
    Suppression: lambda w, row, union: any(
        p.email_index == row.email_index and w.has_person(p.id, union) for p in w.people
    ),
    SuppressionLift: lambda _w, _row, _union: False,
    Union: lambda _w, row, union: row.is_named or row.id == union,
    UnionContact: lambda _w, row, union: row.union_id == union,
}
MODELS: list[type[Any]] = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda each: each.__name__)


def make_world(connection: Connection, dice: Random) -> World:
    world = World(connection)
    with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
        _make_unions_and_lists(session, dice, world)
        _make_people(session, dice, world)
        _make_campaigns(session, dice, world)
        _make_kits(session, dice, world)
        session.commit()
        for model in MODELS:
            world.rows[model] = list(session.scalars(select(model)))
    return world


def _maybe(dice: Random) -> bool:
    return dice.random() < 0.5


def _make_unions_and_lists(session: Session, dice: Random, world: World) -> None:
    for number in range(dice.randint(2, 4)):
        parent = dice.choice([None, *world.unions])
        union = make_union(session, f"union-{number}", parent=parent, is_named=dice.random() < 0.8)
        world.unions.append(union)
        session.add(JoinCount(union_id=union.id, month="2035-04", joined=12))
    for number in range(dice.randint(2, 5)):
        mailing_list = make_list(session, f"list-{number}", name=f"List {number}")
        owner = dice.choice([None, *world.unions])
        mailing_list.owner_id = owner.id if owner else None
        mailing_list.is_open = _maybe(dice)
        world.lists.append(mailing_list)


def _make_people(session: Session, dice: Random, world: World) -> None:
    text_id = consents.text_id(session, "Yes, write to me.")
    for number in range(dice.randint(3, 6)):
        union = dice.choice([None, *world.unions])
        person = make_subscriber(session, email=f"p{number}@example.org", name=f"Person {number}", union=union)
        world.people.append(person)
        for mailing_list in [each for each in world.lists if _maybe(dice)]:
            on = subscribe(session, person, mailing_list, status=dice.choice(list(SubscriptionStatus)))
            on.reason = f"reason of p{number} for leaving list-{world.lists.index(mailing_list)}"
            given: dict[str, Any] = {"text": text_id, "method": "import", "asked_at": WHEN, "confirmed_at": WHEN}
            consents.give(session, person.id, ConsentPurpose.ALERTS, list_id=mailing_list.id, **given)
            session.flush()
            newest = session.scalars(select(func.max(ConsentEvent.id))).one()
            session.add(ConsentSource(event_id=newest, source="street stall"))
        if union is not None:
            consents.withdraw(session, person.id, ConsentPurpose.UNION, method="import")
        for speaks_for in [each for each in world.unions if dice.random() < 0.2]:
            make_contact(session, speaks_for, person, role=f"secretary of union-{world.unions.index(speaks_for)}")
            words = {"union": speaks_for.name}
            owe(session, Notice(NoticeKind.KIT, words=words), language="en", subscriber_id=person.id)
        if _maybe(dice):
            suppression.add(session, person.email_index, dice.choice(list(SuppressionReason)))
            subscribers.refresh(session, [person.id])
        if _maybe(dice):
            lifted = {"reason": SuppressionReason.BOUNCED, "month": "2026-03", "words": "They rang up."}
            session.add(SuppressionLift(email_index=person.email_index, **lifted))
        if _maybe(dice):
            issue(session, MailedLinkKind.MANAGE, email_index=person.email_index, subscriber_id=person.id)
            asked = {"languages": ["en"], "is_named": True, "subscriber_id": person.id}
            session.add(Application(name=f"Applicant {number}", role="Chair", **asked))


def _make_campaigns(session: Session, dice: Random, world: World) -> None:
    for number, mailing_list in enumerate(world.lists):
        if dice.random() < 0.3:
            continue
        campaign = make_campaign(session, mailing_list, slug=f"alert-{number}", status=CampaignStatus.SENDING)
        if not world.campaigns:
            make_approved(session, campaign, make_all_of_one(session))
            brought = {"import_id": session.scalars(select(Import.id)).one(), "fate": "created"}
            session.add(ImportAddition(subscriber_id=session.scalars(select(Subscriber.id)).first(), **brought))
            session.add(DailyMail(id=1, told_until=utcnow().date(), complaints=0))
            known = {"countries": [], "languages": [], "details": {}, "own_words": False}
            ministry = StoredTarget(slug="ministry", role=TargetRole.REPRESENTATIVE, **known)
            session.add(ministry)
            session.flush()
            reported = {"target_id": ministry.id, "month": WHEN.date().replace(day=1), "number": 1}
            session.add(TargetReport(kind=TargetReportKind.MOVED, **reported))
        session.add(SavedAudience(owner_id=mailing_list.owner_id, name="Theirs", audience={}, saved_at=utcnow()))
        written = {"subjects": ["Free them"], "openings": [], "closings": [], "rules": "", "body": "…", "body_line": 5}
        campaign.letters.append(LetterText(role=TargetRole.EMBASSY, language="en", **written))
        audit.append(session, "campaigns.send", audit.ITSELF, kind="campaign", subject=campaign.slug)
        session.add(HoldMail(campaign_id=campaign.id, reason=bytes(32), goes_at=utcnow()))
        counted: dict[str, Any] = {"counted_at": utcnow(), "milliseconds": 100, "unknown": 0, "departures_at": utcnow()}
        session.add(CampaignFigures(campaign_id=campaign.id, sending={}, departures={}, is_closed=False, **counted))
        campaign.mail_domain, campaign.forwardable = "example.org", True
        assert campaign.case is None  # read here: it is asked for when this session has ended
        world.campaigns.append(campaign)
        session.add(TextVersion(campaign_id=campaign.id, language="en", written={}, goes_out=False, saved_at=WHEN))
        session.add(CampaignAlarm(campaign_id=campaign.id, complaints_in_1000=1))
        session.add(Edition(campaign_id=campaign.id, language="en", variant="", rendering={}))
        session.add(Claim(campaign_id=campaign.id, worker=f"host-{number}", journal="j", expires_at=utcnow()))
        on = {each.subscriber_id for each in session.scalars(select(Subscription).filter_by(list_id=mailing_list.id))}
        for person in [each for each in world.people if each.id in on]:
            said = {"smtp_code": 550, "smtp_text": f"550 no {person.email} for alert-{number}"}
            sent = deliver(session, campaign, person, dice.choice([DeliveryState.SENT, DeliveryState.FAILED]), **said)
            make_bounce(session, sent, email_index=person.email_index)
            make_act(session, campaign, person)
            make_signature(session, campaign, person)
        returned.count(session, Kind.COMPLAINT, on=WHEN.date(), campaign_id=campaign.id)
        returned.count(session, Kind.COMPLAINT, on=WHEN.date())
        test = {"purpose": Purpose.TEST, "address": f"tester{number}@example.org"}
        deliver(session, campaign, None, DeliveryState.PENDING, **test)


def _make_kits(session: Session, dice: Random, world: World) -> None:
    for campaign in world.campaigns:
        for union in [None, *(each for each in world.unions if _maybe(dice))]:
            kit = Kit(campaign_id=campaign.id, union_id=union.id if union else None, sent_at=WHEN, reached=12)
            kit.editions.append(KitEdition(language="en"))
            session.add(kit)


@pytest.fixture
def world_of(engine: Engine) -> Callable[[Random], Any]:
    """Makes a world that is gone again at the end of its block."""

    @contextmanager
    def make(dice: Random) -> Iterator[World]:
        with engine.connect() as connection, connection.begin() as transaction:
            yield make_world(connection, dice)
            transaction.rollback()

    return make


worlds = given(st.integers(0, 10**9).map(Random))
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])  # what is asked of both databases stands further below
few = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- whatever is asked ----------------------------------------------------------------------------------------------


def test_every_model_says_whose_its_rows_are() -> None:
    assert set(MODELS) - scope.PUBLIC == set(OWN)
    assert {ConsentText} == scope.PUBLIC


@on_sqlite
@few
@worlds
def test_of_every_table_a_union_sees_its_own_rows_and_no_others(
    world_of: Callable[[Random], Any], dice: Random
) -> None:
    with world_of(dice) as world:
        for union in world.unions:
            for model in MODELS:
                own = [row for row in world.rows[model] if model in scope.PUBLIC or OWN[model](world, row, union.id)]
                _sees(world, union.id, model, {_key(row) for row in own})


def _key(row: Any) -> tuple[Any, ...]:
    return tuple(inspect(row).identity)


def _sees(world: World, union_id: int, model: type[Any], keys: set[tuple[Any, ...]]) -> None:
    other, key = aliased(model), inspect(model).primary_key[0].name
    column = getattr(model, key)
    with world.seen_by(union_id) as session:
        assert {_key(row) for row in session.scalars(select(model))} == keys, model
        asked = session.execute(
            select(
                select(func.count()).select_from(model).scalar_subquery(),
                select(func.count()).where(column == column).scalar_subquery(),
                select(func.count(getattr(other, key))).scalar_subquery(),
                select(func.count()).select_from(select(column).subquery()).scalar_subquery(),
                select(func.count()).select_from(select(column).cte("those")).scalar_subquery(),
                exists().where(column == column),
                exists().where(getattr(other, key).is_not(None)),
            )
        ).one()
        assert tuple(asked) == (*[len(keys)] * 5, bool(keys), bool(keys)), model
    with world.seen_by(union_id) as session:
        for row in [*world.rows[model][:2], *world.rows[model][-2:]]:
            assert (session.get(model, _key(row)) is not None) == (_key(row) in keys), model


@on_sqlite
@few
@worlds
def test_what_reading_functions_return_names_nothing_of_others(
    world_of: Callable[[Random], Any], tmp_path_factory: pytest.TempPathFactory, dice: Random
) -> None:
    folder = tmp_path_factory.mktemp("exports")
    with world_of(dice) as world:
        for union in world.unions:
            with world.seen_by(union.id) as session:
                told = " ".join(map(str, _read_everything(session, world, union.id, folder)))
            others = _names_of_others(world, union.id)
            assert [name for name in others if name in told] == []


def _names_of_others(world: World, union_id: int) -> list[str]:
    """Everything in a world that a union must not hear of."""
    told_lists = {each.id for each in world.lists if each.owner_id == union_id}
    told_unions = world.beneath(union_id)
    return [
        *(each.slug for each in world.lists if each.id not in told_lists),
        *(each.name for each in world.lists if each.id not in told_lists),
        *(each.slug for each in world.campaigns if each.list_id not in told_lists),
        *(f"host-{each.slug[-1]}" for each in world.campaigns if each.list_id not in told_lists),
        *(f"tester{each.slug[-1]}" for each in world.campaigns if each.list_id not in told_lists),
        *(each.email for each in world.people if not world.has_person(each.id, union_id)),
        *(str(each.name) for each in world.people if not world.has_person(each.id, union_id)),
        *(each.slug for each in world.unions if each.id not in told_unions),
        *(each.name for each in world.unions if each.id not in told_unions),
        "Applicant",
    ]


def _read_everything(session: Session, world: World, union_id: int, folder: Path) -> Iterator[object]:
    """All that the domain reads of lists, people and campaigns, asked for everybody's."""
    for each in (*lists.all_lists(session), *lists.open_lists(session)):
        yield each.slug, each.name
    for owner in world.unions:
        yield [each.slug for each in lists.open_lists(session, owner_id=owner.id)]
        yield [(contact.role, person.email) for contact, person in contacts.of_union(session, owner.id)]
    for mailing_list in world.lists:
        yield from _read_list(session, world, mailing_list, union_id, folder)
    yield [each.slug for each in lifecycle.all_campaigns(session)]
    for campaign in world.campaigns:
        yield from _read_campaign(session, world, campaign, union_id)
    for person in world.people:
        found = subscribers.find(session, person.email)
        assert (found is not None) == world.has_person(person.id, union_id)
        if found is None:
            with pytest.raises(NoResultFound):
                disclosure.about(session, person.id)
        else:
            yield disclosure.about(session, person.id)


def _read_list(
    session: Session, world: World, mailing_list: MailingList, union_id: int, folder: Path
) -> Iterator[object]:
    is_own = mailing_list.owner_id == union_id
    tally = list(session.execute(segments.tally(session, mailing_list.id, Segment()).select()))
    assert {row.union_id for row in tally} <= {None, *world.beneath(union_id)}
    counted = segments.count(session, mailing_list.id, Segment())
    wanted = [each for each in world.rows[Subscription] if each.list_id == mailing_list.id and each.mailable]
    assert counted == sum(row.people for row in tally) == (len(wanted) if is_own else 0)
    file = folder / "people.csv"
    if not is_own:
        assert lists.find(session, mailing_list.slug) is None
        with pytest.raises(lists.UnknownList):
            exporting.export_list(session, mailing_list.slug, file)
        with pytest.raises(lists.UnknownList):
            segments.count(session, mailing_list.id, Segment(exclude_lists=(mailing_list.slug,)))
    elif exporting.export_list(session, mailing_list.slug, file):
        yield file.read_text()
    for named in world.unions:
        if named.id not in world.beneath(union_id):
            for key in ("unions", "exclude_unions"):
                with pytest.raises((segments.ForeignUnion, directory.UnknownUnion)):
                    segments.count(session, mailing_list.id, Segment.parse({key: [named.slug]}))


def _read_campaign(session: Session, world: World, campaign: Campaign, union_id: int) -> Iterator[object]:
    """Also of one that came from elsewhere: it must not become a key to what is in the ledger."""
    is_own = world.owner_of(campaign.list_id) == union_id
    if is_own:
        yield lifecycle.get(session, campaign.slug).slug
    else:
        with pytest.raises(lifecycle.UnknownCampaign):
            lifecycle.get(session, campaign.slug)
    states = progress.of_campaign(session, campaign).states
    sent = [d for d in world.rows[Delivery] if d.campaign_id == campaign.id and d.purpose is Purpose.CAMPAIGN]
    assert sum(states.values()) == (len(sent) if is_own else 0)
    for state in DeliveryState:
        rows = list(progress.recipients(session, campaign, state))
        assert len(rows) == states[state]
        yield json.dumps(rows)
    report = campaign_reports.report(session, campaign).to_json()
    del report["slug"]
    yield json.dumps(report)
    yield refusals.refusals(session, campaign, states), refusals.test_mails(session, campaign)
    yield verdicts.latest_answers(session, campaign, 10)
    assert (campaign.id in ledger.campaigns_with_work(session)) == is_own
    if is_own:
        overview = progress.overview(session, lifecycle.get(session, campaign.slug)).to_json()
        del overview["slug"]
        yield json.dumps(overview)


# --- one after the other --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Two:
    """Two unions with a list each; Ana is on both, and on the organisers' list."""

    engine: Engine
    bakers: int
    dockers: int

    @contextmanager
    def seen_by(self, union_id: int) -> Iterator[Session]:
        with session_scope(self.engine) as session:
            scope.limit(session, union_id)
            yield session


ANA, BORIS = "ana@example.org", "boris@example.org"


@pytest.fixture
def two(engine: Engine) -> Two:
    with session_scope(engine) as session:
        federation = make_union(session, "food-workers", country=None)
        bakers = make_union(session, "bakers", parent=federation)
        dockers = make_union(session, "dockers")
        own = {union.slug: make_list(session, f"{union.slug}-news") for union in (bakers, dockers, federation)}
        main = make_list(session)
        for union in (bakers, dockers, federation):
            own[union.slug].owner_id = union.id
        ana = make_subscriber(session, main, email=ANA, union=dockers)
        for slug in ("bakers", "dockers"):
            on = subscribe(session, ana, own[slug])
            on.reason = f"what she told the {slug}"
        make_subscriber(session, own["bakers"], email=BORIS, union=bakers)
        make_subscriber(session, own["dockers"], email="carla@example.org", union=dockers)
        campaign = make_campaign(session, own["dockers"], slug="dockers-alert")
        deliver(session, campaign, ana, DeliveryState.PENDING)
        make_campaign(session, own["bakers"], slug="bakers-alert")
        make_campaign(session, main, slug="alert")
        return Two(engine, bakers.id, dockers.id)


def test_a_union_is_not_shown_what_its_federation_or_its_branch_has(two: Two) -> None:
    with two.seen_by(two.bakers) as session:
        assert [each.slug for each in lists.all_lists(session)] == ["bakers-news"]
    with session_scope(two.engine) as session:
        federation = directory.get(session, "food-workers").id
    with two.seen_by(federation) as session:
        assert [each.slug for each in lists.all_lists(session)] == ["food-workers-news"]
        assert session.scalar(select(func.count(Subscriber.id))) == 0


def test_an_export_does_not_tell_that_somebody_belongs_to_another_union(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    with two.seen_by(two.bakers) as session:
        assert exporting.export_list(session, "bakers-news", file) == 2
    ana, boris = file.read_text().splitlines()[1:]
    assert ana == f"{ANA},Ana Example,GB,,en,,"
    assert boris == f"{BORIS},Ana Example,GB,bakers,en,,"
    with session_scope(two.engine) as session:  # organisers are told
        exporting.export_list(session, "bakers-news", file)
    assert "GB,dockers,en" in file.read_text()


def test_no_question_about_an_audience_tells_it_either(two: Two) -> None:
    with two.seen_by(two.bakers) as session:
        bakers_news = lists.get(session, "bakers-news").id
        assert segments.count(session, bakers_news, Segment(unions=("bakers",))) == 1
        for question in (Segment(unions=("dockers",)), Segment(exclude_unions=("bakers", "dockers"))):
            with pytest.raises(segments.ForeignUnion, match='"dockers"'):
                segments.count(session, bakers_news, question)
        with pytest.raises(lists.UnknownList):
            segments.count(session, bakers_news, Segment(lists=("urgent-actions",)))


@pytest.mark.parametrize("key", ["got", "not_got", "acted", "not_acted"])
def test_a_union_chooses_an_audience_by_its_own_campaigns_and_learns_of_no_other(two: Two, key: str) -> None:
    with session_scope(two.engine) as session:
        for slug in ("bakers-news", "dockers-news", "urgent-actions"):
            campaign = make_campaign(session, lists.get(session, slug), slug=f"to-{slug}")
            for person in session.scalars(select(Subscriber)):
                deliver(session, campaign, person, DeliveryState.SENT)
                make_act(session, campaign, person)
    with two.seen_by(two.bakers) as session:
        bakers_news = lists.get(session, "bakers-news").id
        everybody = segments.count(session, bakers_news, Segment())
        count = segments.count(session, bakers_news, Segment.parse({key: ["to-bakers-news"]}))
        assert everybody and count == (0 if key.startswith("not") else everybody)
        refusals = set()
        for slug in ("to-dockers-news", "to-urgent-actions", "to-nobody"):
            with pytest.raises(lifecycle.UnknownCampaign) as refused:
                segments.count(session, bakers_news, Segment.parse({key: [slug]}))
            refusals.add(str(refused.value).replace(slug, "…"))
        assert len(refusals) == 1


def test_a_federation_is_told_who_belongs_to_a_union_beneath_it(two: Two) -> None:
    with session_scope(two.engine) as session:
        food_workers = directory.get(session, "food-workers").id
    with two.seen_by(food_workers) as session:
        assert scope.told_unions(session) == frozenset({food_workers, two.bakers})
    with session_scope(two.engine) as session:
        assert scope.told_unions(session) is None


def test_a_spread_by_union_leaves_the_others_out(two: Two) -> None:
    with session_scope(two.engine) as session:
        bakers_news, campaign = lists.get(session, "bakers-news"), lifecycle.get(session, "bakers-alert")
        for union_id in (two.bakers, two.dockers):
            for _ in range(20):
                person = make_subscriber(session, bakers_news, union=session.get_one(Union, union_id))
                deliver(session, campaign, person, DeliveryState.SENT)
    with two.seen_by(two.bakers) as session:
        campaign = lifecycle.get(session, "bakers-alert")
        spread = spreads.spreads(session, campaign)[By.UNION]
        assert {row.name: row.mails for row in spread or ()} == {"": 20, "Bakers": 20}


def test_what_is_changed_and_deleted_is_ones_own_too(two: Two) -> None:
    with two.seen_by(two.bakers) as session:
        session.execute(update(MailingList).values(name="Ours"))
        session.execute(update(Campaign).values(hold_reason="ours"))
        session.execute(delete(Delivery))
        session.execute(delete(Campaign).where(Campaign.slug == "dockers-alert"))
    with session_scope(two.engine) as session:
        ours = select(MailingList.slug).where(MailingList.name == "Ours")
        assert list(session.scalars(ours)) == ["bakers-news"]
        assert [each.slug for each in lifecycle.all_campaigns(session) if each.hold_reason] == ["bakers-alert"]
        assert len(lifecycle.all_campaigns(session)) == 3
        assert session.scalar(select(func.count(Delivery.id))) == 1


def test_a_union_plans_checks_and_stops_its_own_campaign(two: Two) -> None:
    with two.seen_by(two.bakers) as session:
        campaign = lifecycle.get(session, "bakers-alert")
        assert readiness.check(session, campaign).audience == 2
        assert control.start(session, campaign, SENDER) == 2
        control.pause(session, campaign, reason="We wait for the lawyer.")
        control.cancel(session, campaign)
        with pytest.raises(lifecycle.UnknownCampaign):
            lifecycle.get(session, "dockers-alert")
    with session_scope(two.engine) as session:
        states = progress.of_campaign(session, lifecycle.get(session, "dockers-alert")).states
        assert states[DeliveryState.PENDING] == 1


def test_a_campaign_does_not_load_with_a_list_of_another_union_in_its_audience(two: Two, tmp_path: Path) -> None:
    folder = tmp_path / "bread-for-all"
    folder.mkdir()
    head = 'kind = "urgent_action"\nlist = "bakers-news"\nlanguage = "en"\nabout = "none"\n[audience]\n'
    (folder / "campaign.toml").write_text(f'{head}exclude_lists = ["urgent-actions"]\nlists = ["dockers-news"]\n')
    (folder / "en.md").write_text('+++\nsubject = "Bread"\npreheader = "For all"\n+++\n\nHello.\n')
    with session_scope(two.engine) as session, pytest.raises(InvalidFile) as refused:
        files.load(session, folder)
    assert 'campaign.toml:7: lists: The list "dockers-news" belongs to a union' in str(refused.value)
    with two.seen_by(two.bakers) as session, pytest.raises(InvalidFile, match='no list "dockers-news"'):
        files.load(session, folder)


def test_nor_does_one_start_whose_list_has_become_another_unions_since(two: Two) -> None:
    with session_scope(two.engine) as session:
        lists.create(session, "strike-fund", "Strike fund")
        lifecycle.get(session, "alert").audience = {"exclude_lists": ["strike-fund"]}
        lists.hand_over(session, "strike-fund", two.bakers)
    with session_scope(two.engine) as session, pytest.raises(Refused, match='"strike-fund"'):
        control.start(session, lifecycle.get(session, "alert"), SENDER)


def test_a_plan_reads_nobody_from_the_list_of_another(two: Two) -> None:
    with session_scope(two.engine) as session:
        foreign = lifecycle.get(session, "dockers-alert")
    with two.seen_by(two.bakers) as session:
        ledger.plan(session, foreign)
    with session_scope(two.engine) as session:
        assert session.scalar(select(func.count(Delivery.id))) == 1


def test_what_belongs_to_a_row_is_loaded_within_the_limit_too(two: Two) -> None:
    with session_scope(two.engine) as session:
        alert = lifecycle.get(session, "alert").id
        session.add(Kit(campaign_id=alert, union_id=two.bakers))
    with two.seen_by(two.bakers) as session:
        kit = session.scalars(select(Kit)).one()
        campaign: Campaign | None = kit.campaign
        assert campaign is None


def test_who_speaks_for_a_union_is_known_to_it_and_to_no_other(two: Two) -> None:
    with session_scope(two.engine) as session:
        make_contact(session, directory.get(session, "dockers"), make_subscriber(session, email="dora@example.org"))
    for union_id, number in ((two.dockers, 1), (two.bakers, 0)):
        with two.seen_by(union_id) as session:
            assert len(contacts.of_union(session, two.dockers)) == number
            assert (subscribers.find(session, "dora@example.org") is not None) == bool(number)


def test_a_union_that_asked_not_to_be_named_is_not_named_to_another(two: Two) -> None:
    with session_scope(two.engine) as session:
        directory.get(session, "dockers").is_named = False
    with two.seen_by(two.bakers) as session:
        assert [each.slug for each in directory.all_unions(session)] == ["bakers", "food-workers"]
    with two.seen_by(two.dockers) as session:
        assert directory.get(session, "dockers").slug == "dockers"


def test_an_import_is_refused_and_tells_nothing_first(two: Two) -> None:
    with two.seen_by(two.bakers) as session:
        terms = Terms(list_id=lists.get(session, "bakers-news").id, text_id=None, union_text_id=None, update=True)
        emails = ["carla@example.org", "nobody@example.org"]  # on the dockers' list, and on none
        index = keyring_of(session).blind_index
        candidates = [
            Candidate(
                line=line,
                email=email,
                email_index=index(email),
                name="Carla",
                country=None,
                union_id=None,
                language=None,
                consent_at=None,
                source=None,
            )
            for line, email in enumerate(emails, start=2)
        ]
        decisions = enrolment.decide(session, terms, candidates)
        assert {each.fate for each in decisions} == {enrolment.Fate.CREATED}
        with pytest.raises(UnlimitableStatement):
            enrolment.carry_out(session, terms, decisions)


# --- no way around --------------------------------------------------------------------------------------------------

LISTS = Base.metadata.tables["lists"]


@pytest.mark.parametrize(
    "statement",
    [
        select(LISTS.c.id),
        select(func.count()).select_from(LISTS),
        select(LISTS.alias().c.id),
        select(MailingList.id).where(MailingList.id.in_(select(LISTS.c.id))),
        select(MailingList.id).join(LISTS.alias("again"), LISTS.alias("again").c.id == MailingList.id),
        select(MailingList).from_statement(text("SELECT * FROM lists")),
        update(LISTS).values(name="Ours"),
        delete(LISTS),
        insert(LISTS).values(slug="new", name="New"),
        update(Subscriber).where(Subscription.subscriber_id == Subscriber.id).values(name="Ours"),
        update(Subscription).values(reason=Subscriber.name),
        delete(Subscription).where(Subscription.subscriber_id == Subscriber.id),
    ],
    ids=lambda statement: " ".join(str(statement).split())[:60],
)
def test_a_statement_that_cannot_be_limited_is_not_run(two: Two, statement: Any) -> None:
    with session_scope(two.engine) as session:
        scope.limit(session, two.bakers)
        with pytest.raises(UnlimitableStatement):
            session.execute(statement)


def test_a_change_row_by_row_is_not_run(two: Two) -> None:
    with two.seen_by(two.bakers) as session, pytest.raises(UnlimitableStatement):
        session.execute(update(MailingList), [{"id": 1, "name": "Ours"}])


def test_a_session_is_limited_before_it_reads_and_once(two: Two) -> None:
    with session_scope(two.engine) as session:
        kept = lists.all_lists(session)  # held on to, or the session forgets it
        with pytest.raises(ValueError, match="before anything is read"):
            scope.limit(session, two.bakers)
        assert len(kept) == 4
    with two.seen_by(two.bakers) as session:
        assert scope.of(session) == two.bakers
        with pytest.raises(ValueError, match="once"):
            scope.limit(session, two.dockers)


def test_a_session_without_a_limit_sees_everything(two: Two) -> None:
    with two.seen_by(two.bakers):
        pass
    with session_scope(two.engine) as session:
        assert scope.of(session) is None
        assert len(lists.all_lists(session)) == 4


def test_the_domain_writes_no_sql_of_its_own() -> None:
    """What is written as text goes by every rule, so it stays in the modules that ask for nobody's rows."""
    allowed = {"store/db.py", "operations/schema.py"}
    folder = Path(mailer.__file__).parent
    writing = {
        str(file.relative_to(folder))
        for file in folder.rglob("*.py")
        if not file.is_relative_to(folder / "store" / "models") and "sqlalchemy.text" in _imports(file)
    }
    assert writing == allowed


def _imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
