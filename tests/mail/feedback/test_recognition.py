"""Any bytes are understood as something, within bounds, and nothing is raised."""

import base64
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail.feedback import reading, recognition
from mailer.mail.feedback.types import Category, Kind


def mail(body: str = "", **headers: str) -> bytes:
    """A message; `return_path="<>"` becomes a header."""
    standard = {"From": "Ana Example <ana@example.net>", "To": "alerts@example.org", "Subject": "hello"}
    named = standard | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items() if value]
    return "\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", body]).encode()


def kind(message: bytes, sender: str | None = None) -> Kind:
    return recognition.read(message, sender=sender).kind


@pytest.mark.parametrize(
    "subject",
    [
        "Out of office: hello",
        "Automatic reply: hello",
        "Re: Auto-Reply: hello",
        "Abwesenheitsnotiz: hello",
        "Automatische Antwort: hello",
        "Réponse automatique : hello",
        "Respuesta automática: hello",
        "Risposta automatica: hello",
        "Resposta automática: hello",
        "Автоответ: hello",
        "Автоматический ответ: hello",
        "Автоматты жауап: hello",
        "Otomatik yanıt: hello",
        "Αυτόματη απάντηση: hello",
        "رد تلقائي: hello",
        "Automatisch antwoord: hello",
        "Autosvar: hello",
        "Automatyczna odpowiedź: hello",
        "Automatická odpověď: hello",
        "自動返信: hello",
        "自动回复: hello",
        "자동 응답: hello",
    ],
)
def test_an_absence_is_known_by_its_subject_alone(subject: str) -> None:
    assert kind(mail("I am away.", Subject=subject, In_Reply_To="<x@example.org>")) is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "header",
    [
        {"Auto_Submitted": "auto-replied (vacation)"},
        {"X_Autoreply": "yes"},
        {"X_Autorespond": "hello"},
        {"X_Auto_Response_Suppress": "DR, OOF, AutoReply"},
        {"X_POST_MessageClass": "9; Autoresponder"},
        {"X_MS_Exchange_Inbox_Rules_Loop": "ana@example.net"},
        {"Precedence": "auto_reply"},
        {"Precedence": "junk"},
    ],
)
def test_a_program_that_answers_is_known_by_its_headers(header: dict[str, str]) -> None:
    assert kind(mail("The mailbox is no longer in use.", **header)) is Kind.AUTO_REPLY
    assert kind(mail("The mailbox is no longer in use.", Return_Path="<>", **header)) is Kind.AUTO_REPLY


def test_what_a_person_writes_is_a_reply_whatever_they_quote() -> None:
    quoted = "It came back:\n\nFinal-Recipient: rfc822; ben@example.com\nAction: failed\nStatus: 5.1.1\n"
    assert kind(mail(quoted, In_Reply_To="<x@example.org>", Subject="Re: Undeliverable: hello")) is Kind.REPLY
    assert kind(mail("550 5.1.1 user unknown")) is Kind.REPLY


def test_what_has_no_sender_and_is_of_no_mail_server_wants_no_answer() -> None:
    assert kind(mail("Gone fishing."), sender="") is Kind.AUTO_REPLY


def test_a_proof_that_somebody_is_human_is_not_given() -> None:
    assert kind(mail("Click.", Subject="Please confirm your message to ana")) is Kind.OTHER


def test_what_goes_to_a_list_is_nobodys_answer() -> None:
    assert kind(mail("News.", List_Id="<news.example.net>")) is Kind.OTHER


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\x00\xff\xfe", b"just some words\r\n", b"\r\n" * 1000])
def test_what_is_no_message_is_unreadable(data: bytes) -> None:
    assert kind(data) is Kind.UNREADABLE


# --- reports ---------------------------------------------------------------------------------------------------------


def report(fields: str, *, type_: str = "message/delivery-status", encoding: str = "7bit", notice: str = "") -> bytes:
    body = base64.encodebytes(fields.encode()).decode() if encoding == "base64" else fields
    return (
        "From: MAILER-DAEMON@mx.example.net\nTo: alerts@example.org\nSubject: it came back\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{notice}\n\n"
        f"--b\nContent-Type: {type_}\nContent-Transfer-Encoding: {encoding}\n\n{body}\n--b--\n"
    ).encode()


FIELDS = (
    "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.1.1\n"
)


@pytest.mark.parametrize("type_", ["message/delivery-status", "message/global-delivery-status"])
@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_status_report_is_read_however_it_is_encoded(type_: str, encoding: str) -> None:
    found = recognition.read(report(FIELDS, type_=type_, encoding=encoding))
    assert found.kind is Kind.BOUNCE
    assert found.meaning is not None
    assert found.meaning.category is Category.NO_MAILBOX
    assert [fate.address for fate in found.recipients] == ["ana@example.net"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("failed", Kind.BOUNCE),
        ("Failed (permanently)", Kind.BOUNCE),
        ("expired", Kind.BOUNCE),
        ("", Kind.BOUNCE),
        ("delayed", Kind.DELAYED),
        ("delivered", Kind.DELIVERED),
        ("relayed (to a host that reports nothing)", Kind.DELIVERED),
        ("expanded", Kind.DELIVERED),
    ],
)
def test_the_action_says_whether_it_came_back(action: str, expected: Kind) -> None:
    assert kind(report(FIELDS.replace("failed", action))) is expected


@pytest.mark.parametrize(
    "fields",
    [
        FIELDS.replace(": ", " : "),
        FIELDS.replace("\n\n", "\n"),
        "\n\n\n" + FIELDS.replace("\nAction", "\n\nAction"),
        FIELDS.replace("rfc822; ana@example.net", "ana@example.net"),
        FIELDS.replace("rfc822; ana@example.net", "RFC/822;<ana@example.net>"),
        FIELDS.replace("rfc822; ana@example.net", "rfc822; (Ana Example) ana@example.net (gone)"),
        FIELDS.replace("rfc822; ana@example.net", "rfc822;\n\tana@example.net"),
        FIELDS.replace("5.1.1", "5.1.1 (nobody of that name)"),
        "THIS IS NO FIELD\n" + FIELDS,
        FIELDS.replace("\n", "\r\n"),
        FIELDS.replace("Final-Recipient: rfc822; ana", "Final-Recipient: rfc822;IMCEAEX-_o=x_cn=ana")
        + "Original-Recipient: rfc822; ana@example.net\n",
    ],
)
def test_a_status_report_is_read_however_its_fields_are_written(fields: str) -> None:
    found = recognition.read(report(fields))
    assert (found.kind, [fate.address for fate in found.recipients]) == (Kind.BOUNCE, ["ana@example.net"])
    assert found.meaning is not None
    assert (found.meaning.category, found.meaning.status) == (Category.NO_MAILBOX, "5.1.1")


def test_each_recipient_has_a_fate_of_its_own() -> None:
    two = FIELDS + "\nFinal-Recipient: rfc822; ben@example.net\nAction: failed\nStatus: 5.2.2\n"
    for fields in (two, two.replace("\n\nFinal", "\nFinal")):
        found = recognition.read(report(fields))
        assert [(fate.address, fate.meaning.category) for fate in found.recipients] == [
            ("ana@example.net", Category.NO_MAILBOX),
            ("ben@example.net", Category.FULL),
        ]


def test_a_report_that_a_person_attaches_is_no_report_to_us() -> None:
    inner = report(FIELDS).decode()
    outer = (
        "From: ana@example.net\nTo: alerts@example.org\nSubject: look\nIn-Reply-To: <x@example.org>\n"
        f'Content-Type: multipart/mixed; boundary="o"\n\n--o\nContent-Type: text/plain\n\nSee below.\n'
        f"--o\nContent-Type: message/rfc822\n\n{inner}\n--o--\n"
    )
    assert kind(outer.encode()) is Kind.REPLY


def feedback_report(type_: str) -> bytes:
    return (
        "From: fbl@example.net\nSubject: report\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nA report.\n\n--b\nContent-Type: message/feedback-report\n\n"
        f"{type_}User-Agent: Example/1\nOriginal-Rcpt-To: <ana@example.net>\n\n"
        "--b\nContent-Type: message/rfc822\n\nFrom: alerts@example.org\nTo: ana@example.net\n\nHello\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("Feedback-Type: abuse\n", Kind.COMPLAINT),
        ("Feedback-Type: fraud\n", Kind.COMPLAINT),
        ("Feedback-Type: virus\n", Kind.COMPLAINT),
        ("Feedback-Type: other\n", Kind.COMPLAINT),
        ("Feedback-Type: something-new\n", Kind.COMPLAINT),
        ("", Kind.COMPLAINT),
        ("Feedback-Type: opt-out\n", Kind.UNSUBSCRIBE),
        ("Feedback-Type: opt-out-list\n", Kind.UNSUBSCRIBE),
        ("Feedback-Type: not-spam\n", Kind.OTHER),
        ("Feedback-Type: auth-failure\n", Kind.REPORT),
    ],
)
def test_what_a_provider_reports_is_a_complaint_unless_it_says_otherwise(type_: str, expected: Kind) -> None:
    found = recognition.read(feedback_report(type_))
    assert (found.kind, found.addresses) == (expected, ("ana@example.net",))


# --- anything --------------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    [b"From", b"To", b"Subject", b"Return-Path", b"Content-Type", b"Content-Transfer-Encoding", b"Auto-Submitted"]
)
_VALUES = st.sampled_from(
    [
        b"MAILER-DAEMON",
        b"multipart/report; boundary=b",
        b"multipart/mixed; boundary=",
        b"message/rfc822",
        b"message/delivery-status; charset=utf-7",
        b"text/html; charset=iso-2022-jp",
        b"text/plain; charset=punycode",
        b"base64",
        b"quoted-printable",
        b"=?utf-8?q?=ff?=",
        b"=?x?b?=?=",
    ]
)
_PIECES = st.sampled_from(
    [
        b"\n--b\n",
        b"\n\n",
        b"--b--",
        b"<html",
        b"\x1b$B",
        b"Final-Recipient: ;",
        b"Status: 5.1.1",
        b"=",
        b"550 ",
        b"\xff",
    ]
)
_HEADS = st.lists(st.tuples(_NAMES, st.one_of(_VALUES, st.binary(max_size=40))), max_size=5)
_BODIES = st.lists(st.one_of(_PIECES, st.binary(max_size=40)), max_size=12).map(b"".join)


@given(st.binary(max_size=500))
@example(b"Content-Type: message/delivery-status\n\nAction: failed")
@example(b"From: postmaster\nSubject: failure\n\n")
@example(b"Content-Type: text/plain; charset=\xff\n\n\xff")
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert kind(data) in Kind


@given(_HEADS, _BODIES, st.none() | st.text(), st.none() | st.text())
def test_no_message_and_no_envelope_are_too_strange(
    head: list[tuple[bytes, bytes]], body: bytes, recipient: str | None, sender: str | None
) -> None:
    data = b"".join(name + b": " + value + b"\n" for name, value in head) + b"\n" + body
    assert recognition.read(data, recipient=recipient, sender=sender).effect in ("none", "forward")


def nested(depth: int) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message.set_content("deepest")
    for _ in range(depth):
        outer = EmailMessage(policy=email.policy.SMTP)
        outer["From"] = "ana@example.net"
        outer.add_attachment(message)
        message = outer
    return message.as_bytes()


def test_parts_are_bounded_in_depth_and_number() -> None:
    deep = reading.read(nested(40))
    assert deep is not None
    assert len(deep.parts) < 30
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1000
    wide = reading.read(many)
    assert wide is not None
    assert len(wide.parts) < 100


def test_only_the_first_mebibyte_is_read() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
    found = reading.read(head + b"x" * reading.MAX_BYTES + b"\n--b\n\nlate\n--b--\n")
    assert found is not None
    assert len(found.parts) == 1


@pytest.mark.parametrize("label", ["iso-2022-jp", "us-ascii", "utf-8", "", "no-such-charset"])
def test_japanese_is_known_by_its_escapes_whatever_the_label(label: str) -> None:
    words = "<ana@example.net>: 550 宛先が見つかりません".encode("iso-2022-jp")
    head = f"From: MAILER-DAEMON@x\nSubject: failure\nContent-Type: text/plain; charset={label}\n\n"
    found = recognition.read(head.encode() + words)
    assert found.meaning is not None
    assert found.meaning.category is Category.NO_MAILBOX


def test_a_reply_may_go_on_in_lines_that_nobody_indented() -> None:
    fields = FIELDS.replace("5.1.1", "5.0.0") + "Diagnostic-Code: smtp; 550-this is\n550 5.2.2 a full mailbox\n"
    found = recognition.read(report(fields))
    assert found.meaning is not None
    assert (found.meaning.category, found.meaning.status) == (Category.FULL, "5.2.2")
