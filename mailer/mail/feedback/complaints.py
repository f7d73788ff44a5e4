"""Reports of providers that somebody called our mail spam (RFC 5965), or that a machine did not like it (RFC 6591)."""

import re
from typing import NamedTuple

from mailer.mail.feedback.notices import addresses_in
from mailer.mail.feedback.reading import Headers, Message, fields_in
from mailer.mail.feedback.types import Kind

_REPORT = "message/feedback-report"
#: what one provider writes into the mail that it gives back, whose complaints are of no standard
_OUTLOOK = "x-hmxmroriginalrecipient"
_SUBJECT = re.compile(
    r"^\s*(?:complaint about message from|email feedback report for ip)\s+[\d.a-f:\[]+", re.IGNORECASE
)
#: of the daily reports of receivers (RFC 7489, 7.2.1.1)
_AGGREGATE = re.compile(r"^\s*report domain:\s*\S+\s+submitter:", re.IGNORECASE)
_REDACTED = re.compile(r"redact|^[0-9a-f]{24,}@|\*|^x+@|\[.*\]", re.IGNORECASE)
_FEEDBACK_TYPE = re.compile(r"^feedback-type[ \t]*:", re.IGNORECASE | re.MULTILINE)

_MEANINGS = {
    "auth-failure": (Kind.REPORT, "feedback report: authentication"),
    "dmarc": (Kind.REPORT, "feedback report: authentication"),
    "not-spam": (Kind.OTHER, "feedback report: no spam"),
    "opt-out": (Kind.UNSUBSCRIBE, "feedback report: wants to leave"),
    "opt-out-list": (Kind.UNSUBSCRIBE, "feedback report: wants to leave"),
}


class Complaint(NamedTuple):
    """What a provider reports."""

    kind: Kind
    rule: str
    addresses: tuple[str, ...] = ()  # whom it names
    identifiers: tuple[str, ...] = ()  # values of its fields that may lead to a delivery


def read(message: Message) -> Complaint | None:
    """What a feedback report says; None if a message is none."""
    for part in message.own_parts():
        is_report = part.type == _REPORT
        if is_report or (part.type.startswith("text/") and _is_report_in_text(message, part.text)):
            return _of_fields(Headers(tuple(fields_in(part.text))))
    if _AGGREGATE.match(message.headers.first("subject")):
        return Complaint(Kind.REPORT, "subject of a DMARC report")
    nested = [part.headers for part in message.returned()]
    named = [value for headers in (message.headers, *nested) for value in headers.all(_OUTLOOK)]
    if named:
        return Complaint(Kind.COMPLAINT, f"header: {_OUTLOOK}", _shown(named))
    if nested and _SUBJECT.match(message.headers.first("subject")):
        return Complaint(Kind.COMPLAINT, "subject of a complaint")
    return None


def _is_report_in_text(message: Message, text: str) -> bool:
    is_given_back = message.report_type == "feedback-report" or next(message.returned(), None) is not None
    return is_given_back and _FEEDBACK_TYPE.search(text) is not None


def _of_fields(fields: Headers) -> Complaint:
    type_ = fields.first("feedback-type").split("(")[0].split(";")[0].strip().lower()
    kind, rule = _MEANINGS.get(type_, (Kind.COMPLAINT, f"feedback report: {type_[:40] or 'no type'}"))
    if kind is Kind.COMPLAINT and fields.all("auth-failure"):  # one that says abuse of what a machine found
        kind, rule = _MEANINGS["auth-failure"]
    named = fields.all("original-rcpt-to", "removal-recipient")
    return Complaint(kind, rule, _shown(named), tuple(fields.all("original-mail-from", "original-envelope-id")))


def _shown(values: list[str]) -> tuple[str, ...]:
    found = (address for value in values for address in addresses_in(value) if not _REDACTED.search(address))
    return tuple(dict.fromkeys(found))
