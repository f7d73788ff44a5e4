"""What a thief reads in a database without its keys. Of every column somebody decided whether it may be in clear."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from mailer.campaigns import text_versions
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Saving
from mailer.campaigns.written import Written, WrittenLetter
from mailer.cases import files as cases
from mailer.delivery import control
from mailer.formats import archives
from mailer.kits import making
from mailer.mail import addresses
from mailer.mail.feedback.types import Category, Kind
from mailer.operations import housekeeping
from mailer.people import replies, returned, subscribers, suppression, tallies, unread
from mailer.people.organisers import NOBODY, Organisers
from mailer.selfservice import address_change, leaving, preferences, signups
from mailer.selfservice.signups import SignUp
from mailer.spreadsheets import importing
from mailer.spreadsheets import targets as target_csv
from mailer.store import audit
from mailer.store.crypto import Encrypted, Keyring
from mailer.store.db import UtcDateTime, session_scope, utcnow
from mailer.store.models import (
    AuditActor,
    Base,
    Campaign,
    CampaignStatus,
    Claim,
    DeliveryState,
    HomeRule,
    Import,
    ImportAddition,
    KitEdition,
    LetterText,
    MailingList,
    Purpose,
    SavedAudience,
    StoredTarget,
    Subscriber,
    Subscription,
    SuppressionReason,
    Tally,
    TargetReport,
    TargetReportKind,
    TargetRole,
    Union,
    UnionStatus,
)
from mailer.unions import applications, contacts, directory
from mailer.unions.applications import AskedFor
from tests.support import kit_reading
from tests.support.accounts import make_all_of_one, make_approved
from tests.support.factories import (
    SENDER,
    WHEN,
    deliver,
    make_bounce,
    make_campaign,
    make_list,
    make_signature,
    notices_owed,
    said,
)
from tests.support.stolen import files_of

BASE = SENDER.base_url

#: column → why it may be in clear. Whoever adds a column of words, bytes or JSON encrypts it (`crypto.Encrypted`),
#: or lists it here, and has `world` below put something into it.
IN_CLEAR = {
    "import_additions.fate": "a word of ours",
    "imports.file": "a random name",
    "imports.rejects": "a random name",
    "imports.state": "a word of ours",
    "account_roles.role": "a word of ours",
    "accounts.email_index": "a keyed hash",
    "accounts.language": "a code",
    "accounts.password_hash": "a salted hash that takes long to make (Argon2id)",
    "accounts.zone": "the name of a time zone",
    "acts.country": "a code",
    "acts.id": "random",
    "acts.kind": "a word of ours",
    "acts.language": "a code",
    "alembic_version.version_num": "which migration",
    "applications.country": "a code",
    "applications.languages": "codes",
    "audit_entries.action": "a word of ours",
    "audit_entries.actor": "a word of ours",
    "audit_entries.digest": "a keyed hash",
    "audit_entries.hash": "a keyed hash",
    "audit_entries.kind": "a word of ours",
    "audit_entries.previous": "a keyed hash",
    "audit_entries.session": "what a session is called where its owner sees it",
    "audit_entries.subject": "a slug, or the number of a row",
    "campaign_contents.digest": "a keyed hash",
    "campaign_texts.body": "for everybody's eyes",
    "campaign_texts.language": "a code",
    "campaign_texts.preheader": "for everybody's eyes",
    "campaign_texts.subject": "for everybody's eyes",
    "campaigns.about": "a code",
    "campaigns.asking": "a word of ours",
    "campaigns.ask": "words of ours",
    "campaigns.audience": "codes and slugs",
    "campaigns.fallbacks": "codes of languages",
    "campaigns.hold_reason": "what a server said, without addresses and without whom it is about",
    "campaigns.home": "a word of ours",
    "campaigns.kind": "the name of a template",
    "campaigns.language": "a code",
    "campaigns.mail_domain": "our own",
    "campaigns.message_key": "the id of a key",
    "campaigns.petition": "for everybody's eyes",
    "campaigns.salt": "random",
    "campaigns.slug": "in the address of its page",
    "campaigns.status": "a word of ours",
    "campaigns.targets": "whom everybody is asked to write to",
    "campaigns.unknown_home": "a word of ours",
    "case_events.kind": "a word of ours",
    "case_facts.certainty": "a word of ours",
    "case_texts.language": "a code",
    "cases.country": "a code",
    "cases.slug": "in the address of its page",
    "cases.status": "a word of ours",
    "claims.journal": "the name of a file of ours",
    "claims.worker": "the name of a machine of ours",
    "consent_events.action": "a word of ours",
    "consent_events.method": "a word of ours",
    "consent_events.purpose": "a word of ours",
    "consent_texts.language": "a code",
    "consent_texts.sha256": "a hash of the text beside it",
    "consent_texts.text": "shown beside a box to everybody",
    "deliveries.country": "a code, by which audiences are counted",
    "deliveries.language": "a code, by which audiences are counted",
    "deliveries.purpose": "a word of ours",
    "deliveries.reason": "a word of ours",
    "deliveries.state": "a word of ours",
    "desk_sessions.label": "what a session is called where its owner sees it",
    "desk_sessions.secret_hash": "a hash of 256 random bits",
    "editions.language": "a code",
    "editions.letters": "roles and codes",
    "editions.rendering": "for everybody's eyes",
    "editions.variant": "zeros and ones",
    "hold_mails.reason": "a digest",
    "inbound_tallies.what": "a word of ours",
    "invitations.kind": "a word of ours",
    "invitations.token_hash": "a hash of 256 random bits",
    "join_counts.month": "a month",
    "kit_editions.archive": "to be forwarded to everybody; without a name where a union asked not to be named",
    "kit_editions.language": "a code",
    "kit_editions.letters": "a digest of words that the archive shows",
    "kit_editions.problem": "what is wrong with a text for everybody's eyes",
    "known_browsers.secret_hash": "a hash of 256 random bits",
    "letters.body": "for everybody's eyes",
    "letters.closings": "for everybody's eyes",
    "letters.language": "a code",
    "letters.openings": "for everybody's eyes",
    "letters.role": "a word of ours",
    "letters.rules": "for everybody's eyes",
    "letters.subjects": "for everybody's eyes",
    "lists.description": "on the page for signing up",
    "lists.descriptions": "likewise",
    "lists.name": "on the page for signing up",
    "lists.names": "likewise",
    "lists.slug": "in the header of each mail",
    "mail_event_counts.category": "a word of ours",
    "mail_event_counts.kind": "a word of ours",
    "mail_event_counts.month": "a month",
    "mail_events.category": "a word of ours",
    "mail_events.effect": "a word of ours",
    "mail_events.email_index": "a keyed hash",
    "mail_events.identified_by": "a word of ours",
    "mail_events.key": "a keyed hash",
    "mail_events.kind": "a word of ours",
    "mail_events.source": "a word of ours",
    "mail_events.status": "three numbers",
    "mailed_links.email_index": "a keyed hash",
    "mailed_links.kind": "a word of ours",
    "mailed_links.mailbox": "a keyed hash",
    "mailed_links.person": "a keyed hash",
    "mailed_links.token_hash": "a hash of 160 random bits",
    "recovery_codes.code_hash": "a keyed hash",
    "replies.key": "a keyed hash",
    "signatures.act_id": "random",
    "saved_audiences.audience": "codes and slugs",
    "sign_in_failures.account_hash": "a keyed hash",
    "sign_in_failures.network_hash": "a keyed hash",
    "subscribers.country": "a code, by which audiences are chosen",
    "subscribers.email_index": "a keyed hash",
    "subscribers.language": "a code, by which audiences are chosen",
    "subscriptions.country": "a code, by which audiences are chosen",
    "subscriptions.language": "a code, by which audiences are chosen",
    "subscriptions.status": "a word of ours",
    "suppression_lifts.email_index": "a keyed hash",
    "suppression_lifts.month": "a month",
    "suppression_lifts.reason": "a word of ours",
    "suppressions.category": "a word of ours",
    "suppressions.email_index": "a keyed hash",
    "suppressions.month": "a month",
    "suppressions.reason": "a word of ours",
    "suppressions.underneath": "a word of ours",
    "target_reports.kind": "a word of ours",
    "targets.about": "a code",
    "targets.countries": "codes",
    "targets.doubts": "numbers from 0 to 15",
    "targets.languages": "codes",
    "targets.role": "a word of ours",
    "targets.slug": "in the address of its letter",
    "text_versions.language": "a code",
    "text_versions.role": "of targets",
    "text_versions.window": "random",
    "unions.country": "a code",
    "unread_messages.key": "a keyed hash",
    "unread_messages.kind": "a word of ours",
    "unions.languages": "codes",
    "unions.slug": "in the address of its page; random where it asked not to be named",
    "unions.status": "a word of ours",
}
#: what the world below leaves empty
EMPTY = {"kit_editions.problem"}
#: of what belongs to a person, the times that need hours, and why
HOURS = {
    "subscriptions.paused_until": "a midnight: nobody is mailed before it",
    "deliveries.not_before": "when to try again; empty once it is settled",
    "deliveries.settled_at": "how fast a campaign goes",
}
#: numbers, times and yes or no: nobody can type words into these
_WORDLESS = (Integer, Numeric, Boolean, Date, DateTime)


@dataclass(frozen=True)
class World:
    """A database in which everything that anybody typed contains the same mark."""

    engine: Engine
    mark: str
    once_public: str  # what stands in slug, name and words of a union that was named at first, and in its first kit


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    """All features used."""
    mark, once_public = f"zqx{token_hex(6)}", f"zqy{token_hex(6)}"
    with session_scope(engine) as session:
        mailing_list = make_list(session)
        mailing_list.description = "Once a week"
        campaign = _campaign(session, mailing_list, f"{once_public}-pilots")
        chosen = {"exclude_unions": [f"{once_public}-pilots"]}
        session.add(SavedAudience(name=f"{mark} and friends", audience=chosen, saved_at=utcnow()))
        over = make_campaign(session, mailing_list, slug="over", status=CampaignStatus.SENT)
        over.started_at = over.finished_at = WHEN
    _people(engine, tmp_path, mark)
    _unions(engine, mark, once_public)
    _case(engine, tmp_path / "a-case", mark)
    _target(engine, tmp_path / "targets.csv", mark)
    with session_scope(engine) as session:
        control.start(session, session.get_one(Campaign, campaign.id), SENDER)
    make_kits = partial(
        making.make, partial(session_scope, engine), campaign.id, SENDER, seconds=60, stopping=lambda: False
    )
    make_kits()
    with session_scope(engine) as session:
        for union in directory.all_unions(session):
            directory.change(session, union.slug, is_named=False)
    housekeeping.tidy(engine)
    with session_scope(engine) as session:
        making.plan_missing(session)
    make_kits()
    with session_scope(engine) as session:
        _stop_campaign(session, session.get_one(Campaign, campaign.id), mark)
        who = audit.Who(AuditActor.ACCOUNT, 1, "3")
        audit.append(session, "campaigns.send", who, details={"why": f"{mark} nobody else is awake"})
        audit.chain(session)
        make_approved(session, session.get_one(Campaign, campaign.id), make_all_of_one(session, mark), mark)
        brought = {"import_id": session.scalars(select(Import.id)).one(), "fate": "created"}
        session.add(ImportAddition(subscriber_id=session.scalars(select(Subscriber.id)).first(), **brought))
        _draft(session, mark)
    return World(engine, mark, once_public)


def _draft(session: Session, mark: str) -> None:
    """What somebody has not finished, and may take out again."""
    saving = Saving(base=0, at=utcnow(), account_id=1, window=token_hex(16), turn=1)
    draft = make_campaign(session, session.scalars(select(MailingList)).first() or make_list(session), slug="begun")
    written = Written.of(mark, f"{mark} is in prison", f"{mark} {{{{")
    text_versions.save(session, draft, TextName("en"), written, saving, goes_out=False)
    text_versions.save(session, draft, TextName("fr"), written, saving, goes_out=False)
    letter = WrittenLetter(subjects=(mark,), openings=(mark,), closings=(mark,), rules=mark, body=mark)
    text_versions.save(session, draft, TextName("en", TargetRole.EMBASSY), letter, saving, goes_out=False)


def _campaign(session: Session, mailing_list: MailingList, union_slug: str) -> Campaign:
    body = f'Dear {{{{ name or "supporter" }}}}, {{% if union == "{union_slug}" %}}pilots, {{% endif %}}write.\n'
    campaign = make_campaign(session, mailing_list, body=body, audience={"exclude_unions": [union_slug]})
    campaign.home = campaign.unknown_home = HomeRule.INCLUDE
    campaign.forwardable = True
    campaign.ask = ["representative"]
    campaign.petition = {"to": {"en": "the Embassy of Brazil"}}
    written = {"subjects": ["Free them"], "openings": ["Please."], "closings": ["Thank you."]}
    campaign.letters.append(
        LetterText(role="representative", language="en", **written, rules="No politics.", body="Act.", body_line=5)
    )
    campaign.targets = [{"countries": [], "name": "Embassy", "email": "embassy@example.org", "address": "1 Example St"}]
    return campaign


def _people(engine: Engine, folder: Path, mark: str) -> None:
    file = folder / "people.csv"
    rows = [f"{mark}{name}@example.org,{mark} {name},GB,en,{mark} stall" for name in ("ana", "boris", "carla", "dede")]
    file.write_text("email,name,country,language,source\n" + "\n".join(rows) + "\n", "utf-8")
    importing.import_file(engine, file, list_slug="urgent-actions", consent="Yes, write to me.")
    with session_scope(engine) as session:
        for name in ("pending", "confirmed"):
            signups.ask(session, _sign_up(session, f"{mark}{name}@example.org", f"{mark} {name}"))
        signups.confirm(session, _token(session), union_agreed=False, base_url=BASE)
        ana, boris, carla, _, _ = session.scalars(select(Subscriber).order_by(Subscriber.id))
        on = session.scalars(select(Subscription).where(Subscription.subscriber_id == ana.id)).one()
        leaving.leave(session, on, method=leaving.Method.PAGE, reason=f"{mark} too many mails")
        address_change.name(session, boris.id, f"{mark}new@example.net", language="en")
        preferences.mail_link(session, boris.email, language="en")
        subscribers.erase(session, carla.email)
        for reason in (SuppressionReason.LEFT, SuppressionReason.BOUNCED):
            suppression.add(session, ana.email_index, reason)
        suppression.lift_by_hand(session, ana.email_index, f"{mark} rang, and her mailbox works")
        suppression.add(session, ana.email_index, SuppressionReason.BOUNCED, Category.FULL)
        campaign = session.scalars(select(Campaign).where(Campaign.petition.is_not(None))).one()
        make_signature(session, campaign, boris, name=f"{mark} Boris", place=f"{mark} harbour")
        written, to = f"Subject: {mark}\n\n{mark} wrote this\n".encode(), Organisers(("answers@example.org",))
        replies.keep(session, written, key=bytes(32), subscriber_id=boris.id, is_cut=False, to=to, now=utcnow())
        tallies.count(session, Tally.TAKEN, utcnow())
        unread.keep(
            session, f"{mark} is away", key=bytes(32), kind=Kind.OTHER, subscriber_id=None, days=7, now=utcnow()
        )


def _case(engine: Engine, folder: Path, mark: str) -> None:
    folder.mkdir()
    (folder / "en.md").write_text(f'+++\ntitle = "{mark} prisoner"\n+++\n{mark} was taken.\n')
    (folder / "case.toml").write_text(
        f"""
        country = "BR"
        never = ["{mark}witness"]
        notes = "{mark} brother"
        asks = {{ en = ["Release {mark}."] }}
        outcome = {{ en = "{mark} is free" }}
        [[persons]]
        name = "{mark} prisoner"
        status = "arrested"
        [[copy_to]]
        name = "{mark} lawyer"
        [[contact]]
        name = "{mark} union"
        [consent]
        by = "none_possible"
        on = 2026-01-05
        reason = "{mark} cannot be asked"
        agreed_by = "{mark} colleague"
        [[facts]]
        text = "{mark} is held"
        source = "{mark} lawyer"
        certainty = "known"
        checked_on = 2026-01-05
        [[history]]
        on = 2026-01-05
        words = {{ en = "{mark} was taken" }}
        link = "https://example.org/{mark}"
        """
    )
    with session_scope(engine) as session:
        cases.load(session, folder)


def _target(engine: Engine, file: Path, mark: str) -> None:
    file.write_text(
        "slug,role,case,about,name,name:fr,salutation:en,countries,languages,email,url,phone,phone_hours,phone_zone,"
        "address,address_latin,verified_on,verified_by,source\n"
        f"a-prison,prisoner,a-case,,{mark},{mark} fr,Dear {mark},GB,en,{mark}@example.org,https://example.org/{mark},"
        f"+441632960960,{mark} at noon,Europe/London,{mark} cell,{mark} cell,2026-01-05,{mark} checked,{mark} lawyer\n"
        f"an-embassy,embassy,,BR,{mark},,,,,,,,,,{mark} square,,,,\n"
        "a-member,representative,,,A Member,,,,,,,,,,Parliament Square,,,,\n"  # in each mail and kit
    )
    with session_scope(engine) as session:
        target_csv.import_file(session, file)
        [member] = session.scalars(select(StoredTarget.id).where(StoredTarget.slug == "a-member"))
        reported = {"target_id": member, "month": utcnow().date().replace(day=1), "number": 1}
        session.add(TargetReport(kind=TargetReportKind.MOVED, **reported))


def _sign_up(session: Session, email: str, name: str) -> SignUp:
    return SignUp(
        address=addresses.parse(email),
        name=name,
        country="FR",
        union_id=None,
        language="fr",
        list_ids=(session.scalars(select(MailingList.id)).one(),),
        alerts_text="Yes, write to me.",
        union_text="Yes, store my union.",
        shown_in="en",
        asked_at=WHEN,
    )


def _token(session: Session) -> str:
    return said(notices_owed(session)[-1]).token or ""


def _unions(engine: Engine, mark: str, once_public: str) -> None:
    with session_scope(engine) as session:
        directory.add(session, f"{mark}-silent", f"{mark} The Silent Ones", is_named=False, languages=["en"])
        slug, name = f"{once_public}-pilots", f"{once_public} Pilots"
        directory.add(session, slug, name, country="GB", status=UnionStatus.AFFILIATED)
        for union in directory.all_unions(session):
            slug = union.slug
            directory.introduce(session, slug, "en", f"{once_public if union.is_named else mark} We, the members, ask")
            directory.set_logo(session, slug, _picture())
            directory.change(session, slug, resolution=f"{mark} carried at congress")
            contacts.invite(
                session, directory.get(session, slug), f"{mark}{slug}@example.org", name=mark, role=f"{mark} chair"
            )
    for name, is_accepted in (("accepted", True), ("waiting", False), ("unconfirmed", False)):
        with session_scope(engine) as session:
            applications.ask(session, _application(f"{mark} {name}", mark))
            token = _token(session)
        with session_scope(engine) as session:
            if name != "unconfirmed":
                applications.confirm(session, token, base_url=BASE, told=NOBODY)
            if is_accepted:
                (waiting,) = applications.all_applications(session)
                applications.accept(session, waiting.id, base_url=BASE)


def _application(name: str, mark: str) -> AskedFor:
    return AskedFor(
        name=name,
        country="FR",
        languages=("en",),
        members=1200,
        parent=f"{mark} Federation",
        resolution=f"{mark} we affiliate",
        is_named=False,
        person_name=f"{mark} secretary",
        address=addresses.parse(f"{name.replace(' ', '')}@example.org"),
        role=f"{mark} secretary",
        language="en",
        consent_text="Yes, write to me about our union.",
        shown_in="en",
        asked_at=WHEN,
    )


def _picture() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (90, 60), "red").save(picture, "PNG")
    return picture.getvalue()


def _stop_campaign(session: Session, campaign: Campaign, mark: str) -> None:
    refused = {"smtp_code": 550, "smtp_text": f"550 no {mark}refused@example.org here", "reason": "policy"}
    failed = deliver(session, campaign, None, DeliveryState.FAILED, **refused)
    make_bounce(session, failed, email_index=bytes(32))
    returned.count(session, Kind.BOUNCE, Category.FULL, on=WHEN.date(), campaign_id=campaign.id)
    tested = {"purpose": Purpose.TEST, "address": f"{mark}tester@example.org"}
    deliver(session, campaign, None, DeliveryState.PENDING, **tested)
    session.add(Claim(campaign_id=campaign.id, worker="host", journal="journal", expires_at=utcnow()))
    reason = "the mail server refuses our mail: <[address]>: blocked"
    control.hold(session, campaign, reason=reason, organisers=Organisers((f"{mark}desk@example.org",)))
    campaign.hold_words = f"{mark} asks us to wait"
    union = session.scalars(select(Union).limit(1)).one()
    signups._count_join(session, union.id, datetime(2026, 3, 1, tzinfo=UTC))


# --- deciding -------------------------------------------------------------------------------------------------------


def _wordy(metadata: MetaData) -> Iterator[Column[Any]]:
    for table in metadata.sorted_tables:
        yield from (column for column in table.columns if not isinstance(column.type, _WORDLESS))


def _encrypted() -> dict[str, Column[Any]]:
    return {str(column): column for column in _wordy(Base.metadata) if isinstance(column.type, Encrypted)}


@pytest.fixture
def stored(engine: Engine) -> MetaData:
    """The tables as the database has them."""
    metadata = MetaData()
    metadata.reflect(engine)
    return metadata


def test_of_every_column_somebody_decided_whether_it_may_be_in_clear(stored: MetaData) -> None:
    columns, decided = {str(column) for column in _wordy(stored)}, IN_CLEAR.keys() | _encrypted().keys()
    assert sorted(columns - decided) == [], "encrypt these columns, or say in IN_CLEAR why they may be in clear"
    assert sorted(decided - columns) == [], "these columns are no more: take them out of IN_CLEAR"
    assert sorted(IN_CLEAR.keys() & _encrypted().keys()) == [], "these are encrypted: take them out of IN_CLEAR"
    assert all(IN_CLEAR.values())


def test_nothing_that_people_typed_is_in_clear_in_any_column(world: World, stored: MetaData, keyring: Keyring) -> None:
    assert _encrypted()
    with Session(world.engine) as session:
        for name, column in _encrypted().items():
            values = session.scalars(select(type_coerce(column, LargeBinary)).where(column.is_not(None))).all()
            assert values, f"{name} is empty: have `world` put something into it"
            assert all(bytes(value).startswith(keyring.newest_prefix) for value in values), f"{name} is not encrypted"
        for column in _wordy(stored):
            if (name := str(column)) in IN_CLEAR:
                values = session.scalars(select(column).where(column.is_not(None))).all()
                if name in EMPTY:
                    assert not values, f"{name} is not empty any more: take it out of EMPTY"
                else:
                    assert values, f"{name} is empty: have `world` put something into it, or list it in EMPTY"
                for mark in (world.mark, world.once_public):
                    in_clear = [value for value in values if mark in _words(value)]
                    assert in_clear == [], f"{name} holds what somebody typed: encrypt it"


def _words(value: Any) -> str:
    return value.decode("latin-1").lower() if isinstance(value, bytes) else str(value).lower()


def test_no_kit_names_a_union_that_asked_not_to_be_named(world: World) -> None:
    with Session(world.engine) as session:
        kits = [kit for kit in session.scalars(select(KitEdition.archive)) if kit is not None]
    assert len(kits) == 3  # of everybody, and of the two unions that are affiliated
    for kit in kits:
        for name, data in archives.unpack(kit).items():
            for words in kit_reading.readings(name, data):
                assert world.mark not in words.lower(), name
                assert world.once_public not in words.lower(), name


def test_what_was_typed_can_still_be_read_with_the_keys(world: World) -> None:
    with Session(world.engine) as session:
        for name, column in _encrypted().items():
            assert any(world.mark in str(value) for value in session.scalars(select(column)) if value) or name in (
                "unions.logo",
                "campaign_figures.sending",  # numbers
                "campaign_figures.departures",
                "deliveries.notice",  # mail that waits, which named a union until that asked not to be named
            ), name


def test_the_files_of_the_database_hold_nothing_that_was_typed(world: World) -> None:
    marks = (world.mark, world.mark.upper())
    spellings = [mark.encode(encoding) for mark in marks for encoding in ("utf-8", "utf-16-le")]
    files = list(files_of(world.engine))
    assert files
    for file in files:
        data = file.read_bytes()
        assert not any(spelling in data for spelling in spellings), file.name


def test_of_when_somebody_did_something_only_the_day_is_kept() -> None:
    people = Base.metadata.tables["subscribers"]
    refer = [
        table for table in Base.metadata.sorted_tables if any(key.column.table is people for key in table.foreign_keys)
    ]
    times = [column for table in (people, *refer) for column in table.columns if isinstance(column.type, UtcDateTime)]
    assert {str(column) for column in times} == HOURS.keys()
