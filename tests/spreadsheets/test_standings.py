"""Whoever left stays out, however another program says it; what is not understood is asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from mailer.formats.tables import TableFile
from mailer.locale.folding import fold_whole
from mailer.mail import addresses
from mailer.spreadsheets import headers, programs
from mailer.spreadsheets.importing import SupporterImportReport, import_file
from mailer.spreadsheets.programs import Standing
from mailer.spreadsheets.standings import NoSuchColumn, NotUnderstood, Standings
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope
from mailer.store.models import ConsentText, Subscriber
from tests.support.factories import make_list

Take = Callable[..., SupporterImportReport]


@pytest.fixture
def take(engine: Engine, tmp_path: Path) -> Take:
    """Imports a file's content."""
    with session_scope(engine) as session:
        make_list(session)

    def take(content: str, **options: object) -> SupporterImportReport:
        path = tmp_path / "supporters.csv"
        path.write_text(content, encoding="utf-8")
        options = {"list_slug": "urgent-actions", "consent": "Yes."} | options
        return import_file(engine, path, **options)  # type: ignore[arg-type]  # as given

    return take


def on_list(engine: Engine) -> set[str]:
    """Who is known, by the first part of their addresses."""
    with session_scope(engine, read_only=True) as session:
        return {email.split("@")[0] for email in session.scalars(select(Subscriber.email))}


def said(tmp_path: Path, content: str, **options: object) -> list[Standing | None]:
    """What a file says of each row, of several things the first."""
    path = tmp_path / "supporters.csv"
    path.write_text(content, encoding="utf-8")
    with TableFile(path, columns=("email",), spellings=headers.SUPPORTERS) as file:
        standings = Standings(file, **options)  # type: ignore[arg-type]  # as given
        return [next((each.standing for each in standings.of(r)), None) for r in standings.survey()]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("email,name,status", {"ana": "Ana,enabled", "ben": "Ben,blocklisted", "bea": "Bea,disabled"}),
        ("Email,Subscribed To Emails", {"ana": "TRUE", "ben": "false", "bea": "0"}),
        ("email,opted_out", {"ana": "no", "ben": "Yes", "bea": "1"}),
        ("email,Opted-Out", {"ana": "", "ben": "x", "bea": "2024-05-01"}),
        ("email,blocklisted", {"ana": "0", "ben": "1", "bea": "true"}),
        ("email,unsubscribed_at", {"ana": "", "ben": "2024-05-01T10:00:00Z", "bea": "1 May 2024"}),
        ("email,Unsubscribe Date", {"ana": "0000-00-00 00:00:00", "ben": "01/05/2024", "bea": "yes, in May"}),
        ("email,email_status", {"ana": "Subscribed", "ben": "Hard bounce", "bea": "marked-as-spam"}),
        ("email,status", {"ana": "'subscribed", "ben": " Un-Subscribed ", "bea": "pending"}),
        ("email,Left", {"ana": "no", "ben": "yes", "bea": "2024-05-01"}),
        ("email,Bounced,status", {"ana": "no,active", "ben": "yes,active", "bea": "no,unsubscribed"}),
    ],
)
def test_whoever_left_elsewhere_is_put_on_no_list(
    take: Take, engine: Engine, header: str, rows: dict[str, str]
) -> None:
    report = take("\n".join([header, *(f"{who}@example.org,{cells}" for who, cells in rows.items())]))
    assert on_list(engine) == {"ana"}
    assert (report.created, report.left_elsewhere, report.remarked) == (1, 2, 2)
    assert "not imported" in report.examples[0]
    assert not report.warnings


def test_one_row_that_says_so_keeps_the_address_out_wherever_it_stands(take: Take, engine: Engine) -> None:
    rows = ["ana@example.org,Ana,subscribed", "ben@example.org,Ben,subscribed", "ANA@example.org,Ana,unsubscribed"]
    report = take("\n".join(["email,name,status", *rows]))
    assert on_list(engine) == {"ben"}
    assert (report.created, report.left_elsewhere, report.rejected) == (1, 2, 0)
    assert "line 4 says" in report.examples[0]


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("status", "gone fishing", 'column 2 "status" with "gone fishing" .line 2.'),
        ("Status", "", 'column 2 "Status" with "" .line 2.'),
        ("subscribed_to_emails", "", "subscribed_to_emails"),
        ("opted_out", "perhaps", "perhaps"),
        ("Member status", "lapsed", "Member status"),
        ("Abgemeldet am", "1.5.2024", "Abgemeldet am"),
        ("Désinscription", "oui", "Désinscription"),
        ("Fecha de baja", "1/5/2024", "Fecha de baja"),
        ("Дата отписки", "01.05.2024", "Дата отписки"),
        ("bounce_count", "3", "bounce_count"),
        ("Email subscription", "no", "Email subscription"),
        ("Notes", "Unsubscribed", 'column 2 "Notes" with "Unsubscribed"'),
        ("Etat", "désabonnée", "Etat"),
        ("GDPR consent", "No", 'column 2 "GDPR consent" with "No"'),
        ("Consent withdrawn at", "2024-05-05", "withdrawn"),
        ("Abonné", "non", "Abonné"),
        ("Подписка", "нет", "Подписка"),
        ("مشترك", "لا", "مشترك"),
        ("Einwilligung", "widerrufen", "Einwilligung"),
        ("Member Type", "nomail", "Member Type"),
    ],
)
def test_a_file_that_may_say_who_left_is_refused_until_it_is_said_how_to_take_it(
    take: Take, engine: Engine, column: str, value: str, problem: str
) -> None:
    content = f"email,{column}\nana@example.org,{value}\n"
    with pytest.raises(NotUnderstood, match=problem) as refused:
        take(content)
    assert "--only" in str(refused.value) and "--ignore" in str(refused.value)
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 0
        assert session.scalar(select(func.count()).select_from(ConsentText)) == 0
    assert take(content, only=[(column.upper(), "other")]).not_chosen == 1
    assert take(content, only=[(column, "other"), (column, f" {value.upper()}")]).created == 1
    assert take(content, ignored=[column.lower()]).unchanged == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[
            ("city", "Porto"),
            ("Notes", "met at the port"),
            ("phone", "+44 20 7946 0000"),
            ("can2_sms_status", "unsubscribed"),
        ],
        *[("OPTIN_TIME", "2019-03-04 12:00:00"), ("subscribed_at", "2019-03-04"), ("subscription date", "4 March")],
        *[
            ("Consent", "2024-05-05"),
            ("Consent", "I agree to get mail"),
            ("Date d'inscription", "5/5/2024"),
            ("Abonné", "oui"),
        ],
        *[("Estado", "Jalisco"), ("Unsubscribed at", ""), ("Abgemeldet", ""), ("created_at", "2019-03-04")],
    ],
)
def test_a_column_that_says_nothing_of_leaving_costs_nobody_anything(take: Take, column: str, value: str) -> None:
    assert take(f"email,{column}\nana@example.org,{value}\n").created == 1


def test_only_names_a_column_that_is_there_and_ignore_one_that_is_not_read(take: Take) -> None:
    for options, columns in (
        ({"ignored": ["statsu"]}, "status"),
        ({"ignored": ["name"]}, "status"),
        ({"only": [("statsu", "x")]}, "email, name, status"),
    ):
        with pytest.raises(NoSuchColumn, match=f"It has: {columns}"):
            take("email,name,status\nana@example.org,Ana,enabled\n", **options)


def test_only_chooses_by_a_column_that_is_imported_too(take: Take, engine: Engine) -> None:
    found = take("email,Pays\nana@example.org,France\nben@example.org,GB\n", only=[("pays", "france")])
    assert (found.created, found.not_chosen, found.warnings) == (1, 1, ('column 2 "Pays" was read as the country',))
    assert on_list(engine) == {"ana"}


def test_rejects_say_why_and_are_left_out_again(take: Take, engine: Engine, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    take("email,status\nana@example.org,enabled\nben@example.org,blocklisted\n", rejects=rejects)
    assert 'the file says that they left (status: ""blocklisted""); not imported' in rejects.read_text()
    assert take(rejects.read_text()).left_elsewhere == 1
    assert on_list(engine) == {"ana"}


FORMS = {
    "listmonk": (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        '6f1c,ana@example.org,Ana,"{""city"": ""Porto""}",enabled,2024-01-02 10:00:00 +0000 UTC,\n'
        "6f1d,ben@example.org,Ben,{},blocklisted,2024-01-02 10:00:00 +0000 UTC,2024-02-02 10:00:00 +0000 UTC\n"
        "6f1e,bea@example.org,Bea,{},disabled,2024-01-02 10:00:00 +0000 UTC,2024-02-02 10:00:00 +0000 UTC\n",
        [None, Standing.LEFT, Standing.OUTSIDE],
    ),
    "Ghost": (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n"
        "65a1,ana@example.org,Ana,,true,false,,2024-01-02T10:00:00.000Z,,,\n"
        "65a2,ben@example.org,Ben,,false,false,,2024-01-02T10:00:00.000Z,,,\n"
        "65a3,bea@example.org,Bea,,true,false,,2024-01-02T10:00:00.000Z,2024-03-01T10:00:00.000Z,,\n",
        [None, Standing.LEFT, Standing.LEFT],
    ),
    "Mailchimp": (
        "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,TIMEZONE,CC,"
        "REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\n"
        "ana@example.org,Ana,Example,2,2019-03-04 12:00:00,,2019-03-04 12:05:00,,Europe/Lisbon,PT,11,,1,a,,,,,,,\n"
        'ben@example.org,Ben,Example,2,,,,,,,,,2,b,,,2024-02-01 09:00:00,"May news","NORMAL",,\n'
        "bea@example.org,Bea,Example,2,,,,,,,,,3,c,,,,,,2024-02-01 09:00:00,May news\n",
        [None, Standing.LEFT, Standing.BOUNCED],
    ),
    "Action Network": (
        "uuid,first_name,last_name,email,zip_code,can2_user_tags,can2_subscription_status,can2_sms_status\n"
        "u1,Ana,Example,ana@example.org,1000,,subscribed,unsubscribed\n"
        "u2,Ben,Example,ben@example.org,1000,,unsubscribed,\n"
        "u3,Bea,Example,bea@example.org,1000,,bouncing,\n"
        "u4,Cem,Example,cem@example.org,1000,,spam complaint,\n",
        [None, Standing.LEFT, Standing.BOUNCED, Standing.COMPLAINED],
    ),
    "CiviCRM": (
        '"Contact ID","First Name","Last Name","Do Not Email","Do Not Mail","Do Not Sms","Do Not Trade",'
        '"No Bulk Emails (User Opt Out)","Deceased","Country","Email","On Hold"\n'
        '"1","Ana","Example","No","Yes","Yes","Yes","No","","Portugal","ana@example.org","No"\n'
        '"2","Ben","Example","Yes","","","","No","","Portugal","ben@example.org","No"\n'
        '"3","Bea","Example","","","","","Yes","","Portugal","bea@example.org",""\n'
        '"4","Cem","Example","","","","","","","Portugal","cem@example.org","On Hold Bounce"\n'
        '"5","Dan","Example","","","","","","","Portugal","dan@example.org","2"\n'
        '"6","Eva","Example","","","","","","Yes","Portugal","eva@example.org",""\n',
        [None, Standing.LEFT, Standing.LEFT, Standing.BOUNCED, Standing.LEFT, Standing.OUTSIDE],
    ),
}


@pytest.mark.parametrize("program", FORMS)
def test_exports_of_other_programs_are_understood(take: Take, engine: Engine, tmp_path: Path, program: str) -> None:
    content, expected = FORMS[program]
    assert said(tmp_path, content) == expected
    assert take(content).created == 1
    assert on_list(engine) == {"ana"}


def test_what_an_export_of_listmonk_does_not_say_is_told(take: Take) -> None:
    content, _ = FORMS["listmonk"]
    assert any("who unsubscribed from a list" in warning for warning in take(content).warnings)
    content, _ = FORMS["Ghost"]
    assert not any("unsubscribed from a list" in warning for warning in take(content).warnings)


def test_members_of_a_mailing_list_manager_are_read_with_their_names(take: Take, engine: Engine) -> None:
    lines = ["Ana Example <ana@example.org>", '"Ben, B." <ben@example.org>', "<bea@example.org>", "cem@example.org"]
    assert take("\n".join(["email", *lines])).created == 4
    assert on_list(engine) == {"ana", "ben", "bea", "cem"}
    with session_scope(engine, read_only=True) as session:
        assert set(session.scalars(select(Subscriber.name))) == {"Ana Example", "Ben, B.", None}


def test_no_program_contradicts_another_about_a_column() -> None:
    meanings: dict[tuple[str, str], set[Standing]] = {}
    for known in programs.KNOWN:
        assert known.source and known.program
        for value, standing in known.values.items():
            meanings.setdefault((fold_whole(known.column), fold_whole(value)), set()).add(standing)
    assert not {key for key, standings in meanings.items() if len(standings) > 1}


def test_nothing_of_an_address_is_kept_while_a_file_is_read(take: Take, engine: Engine) -> None:
    take("email,status\nben@example.org,blocklisted\nnone,unsubscribed\n")
    index = keyring_of(engine).blind_index(addresses.parse("ben@example.org").folded)
    with session_scope(engine, read_only=True) as session:
        assert session.scalar(select(func.count()).where(Subscriber.email_index == index)) == 0
