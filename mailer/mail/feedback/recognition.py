"""One message → what it is, about whom, and what follows. Any bytes will do; nothing is raised."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mailer.mail.feedback import automatic, complaints, identifying, notices, reading, status_reports, wishes
from mailer.mail.feedback.identifying import Found, Lookup, Nobody
from mailer.mail.feedback.meanings import judge
from mailer.mail.feedback.notices import Notice, addresses_in
from mailer.mail.feedback.reading import Message
from mailer.mail.feedback.types import NOTHING_KNOWN, Category, Effect, Fate, Feedback, Identified, Kind, Meaning

_STATUS_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECEIPTS = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_MOST_WORDS = 60_000  # characters of what a message says itself


def read(
    message: bytes, *, lookup: Lookup | None = None, recipient: str | None = None, sender: str | None = None
) -> Feedback:
    """Find out what a message is.

    :param message: RFC 5322, as a mail server hands it over; the first MiB is read.
    :param lookup: what the caller knows of its own addresses.
    :param recipient: whom the envelope names, if that is known; else headers say it.
    :param sender: whom the envelope names, which may be empty; if it is not known, Return-Path says it.
    """
    return of(reading.read(message), lookup=lookup, recipient=recipient, sender=sender)


def of(
    message: Message | None, *, lookup: Lookup | None = None, recipient: str | None = None, sender: str | None = None
) -> Feedback:
    """Likewise, of a message that was read; None is what has no header."""
    if message is None:
        return Feedback(Kind.UNREADABLE, "no header")
    known = message.mailbox_sender if sender is None else sender
    return _Reader(message, lookup or Nobody(), recipient, known).read()


@dataclass
class _Reader:
    """Looks at one message."""

    message: Message
    lookup: Lookup
    recipient: str | None
    sender: str | None

    def read(self) -> Feedback:
        kinds = (
            self._wish_to_leave,
            self._complaint,
            self._receipt,
            self._status_report,
            self._absence,
            self._bounce_in_words,
            self._automatic,
        )
        return next((found for look in kinds if (found := look()) is not None), None) or self._rest()

    # --- what several look at

    @cached_property
    def subject(self) -> str:
        return self.message.headers.first("subject")

    @cached_property
    def has_no_sender(self) -> bool:
        return wishes.has_no_sender(self.message.headers, self.sender)

    @cached_property
    def words(self) -> str:
        """What the message says itself."""
        texts = [part.text for part in self.message.own_parts() if part.type.startswith("text/")]
        unique = list(dict.fromkeys(text.strip("\n") for text in texts))
        return "\n\n".join(unique)[:_MOST_WORDS]

    @cached_property
    def notice(self) -> Notice:
        return notices.cut(self.words)

    @cached_property
    def whose(self) -> Found:
        places = identifying.places(self.message, self.recipient, [self.words])
        return identifying.find(places, self.lookup)

    @cached_property
    def sent_to(self) -> str:
        """Whom the mail names that was given back; "" if there is none, or it names several."""
        values = [value for part in self.message.returned() for value in part.headers.all("to")]
        copy = re.search(r"^[> |\t]{0,4}To: ?(.{1,400})$", self.notice.copy, re.MULTILINE)
        found = addresses_in(", ".join(values[:1]) or (copy[1] if copy else ""))
        return found[0] if len(found) == 1 else ""

    @cached_property
    def not_about(self) -> list[str]:
        """Addresses that stand in a bounce and did not fail."""
        headers = self.message.headers
        own = headers.all("to", "from", "delivered-to", "return-path", "reply-to", "cc", "x-original-to")
        sent_by = [v for part in self.message.returned() for v in part.headers.all("from", "return-path", "reply-to")]
        copied = re.findall(r"^[> |\t]{0,4}(?:From|Return-Path): ?(.{1,400})$", self.notice.copy[:20_000], re.MULTILINE)
        return [address for value in (*own, *sent_by, *copied) for address in addresses_in(value)]

    # --- the kinds, in their order

    def _wish_to_leave(self) -> Feedback | None:
        return wishes.read(self.message, lookup=self.lookup, recipient=self.recipient, sender=self.sender)

    def _complaint(self) -> Feedback | None:
        found = complaints.read(self.message)
        if found is None:
            return None
        feedback = self._about(Feedback(found.kind, found.rule, addresses=found.addresses), more=found.identifiers)
        if found.kind is Kind.UNSUBSCRIBE:
            return self._left(feedback)
        acts = found.kind is Kind.COMPLAINT and feedback.delivery is not None and not feedback.is_unproven
        return replace(feedback, effect=Effect.SUPPRESS) if acts else feedback

    def _left(self, feedback: Feedback) -> Feedback:
        """A provider's word that somebody wants to leave. What proves that their mail came back takes nobody off a
        list: it must hold what that mail could be left by.
        """
        subscription = identifying.left_by(self.message, self.lookup)
        if subscription is None:
            return feedback
        return replace(
            feedback,
            effect=Effect.LEAVE,
            subscription=subscription,
            identified_by=Identified.RETURNED,
            is_unproven=False,
            leaves_all=True,
        )

    def _receipt(self) -> Feedback | None:
        is_one = self.message.report_type == "disposition-notification" or any(
            part.type in _RECEIPTS for part in self.message.own_parts()
        )
        return self._about(Feedback(Kind.OTHER, "receipt of reading")) if is_one else None

    def _status_report(self) -> Feedback | None:
        texts = [part.text for part in self.message.own_parts() if part.type in _STATUS_REPORTS]
        if any(status_reports.stands_in(text) or re.search(r"^Action\s*:", text, re.M | re.I) for text in texts):
            fates = status_reports.read("\n\n".join(texts), self.notice.words)
            return self._returned(self._completed(fates), "status report") if fates else None
        if not self._is_of_a_machine or not status_reports.stands_in(self.notice.words):
            return None
        start = re.search(
            r"^[ \t]{0,4}(?:Reporting-MTA|Final-Recipient|Original-Recipient|Action|Status)[ \t]*:",
            self.notice.words,
            re.MULTILINE | re.IGNORECASE,
        )
        before = self.notice.words[: start.start()] if start else ""
        fields = re.sub(r"^[ \t]{1,4}(?=[A-Z][\w-]+[ \t]*:)", "", self.notice.words[len(before) :], flags=re.MULTILINE)
        fates = status_reports.read(fields, before)
        return self._returned(self._completed(fates), "status report in the text") if fates else None

    def _completed(self, fates: Sequence[Fate]) -> list[Fate]:
        """Fates with what only the words of the notice tell."""
        said = "\n".join(notices.answers(self.notice.words.split("\n")))
        completed = []
        for fate in fates:
            meaning = fate.meaning
            if (
                meaning.category is Category.UNDETERMINED
                and said
                and meaning.rule.startswith(("nothing", "reply", "status"))
            ):
                heard = judge(said, status=meaning.status, notice=self.notice.words)
                meaning = heard if heard.category is not Category.UNDETERMINED or not meaning.status else meaning
            if fate.address and "@" in fate.address:
                completed.append(replace(fate, meaning=meaning))
                continue
            address = next(iter(self.message.headers.all("x-failed-recipients")), "") or self.sent_to or fate.address
            completed.append(replace(fate, address=address, meaning=meaning))
        return completed

    def _absence(self) -> Feedback | None:
        if self.message.report_type == "delivery-status" or not automatic.is_absence(self.subject):
            return None
        return self._about(Feedback(Kind.AUTO_REPLY, "subject of an absence note"))

    @cached_property
    def _is_of_a_machine(self) -> bool:
        headers = self.message.headers
        if headers.all("x-failed-recipients") or automatic.is_from_a_mail_server(headers):
            return True
        # A person who answers quotes, and a program that answers for one says so.
        is_answer = bool(headers.all("in-reply-to")) or automatic.is_an_answer(self.subject)
        return self.has_no_sender or (not is_answer and automatic.says_returned(self.subject))

    def _bounce_in_words(self) -> Feedback | None:
        headers = self.message.headers
        failed = [address for value in headers.all("x-failed-recipients") for address in addresses_in(value)]
        if not failed and not self._is_of_a_machine:
            return None
        words = self.notice.words if self.notice.words.strip() else self.words
        if not failed and not self._says_that_it_came_back(words):
            return None
        fates = notices.read(
            Notice(words, self.notice.copy), failed=failed, not_about=self.not_about, sent_to=self.sent_to
        )
        if notices.is_only_a_warning(self.subject, words):
            fates = [replace(fate, action="delayed") for fate in fates]
        rule = "header: x-failed-recipients" if failed else "words of a mail server"
        return self._returned(fates, rule)

    def _says_that_it_came_back(self, words: str) -> bool:
        headers = self.message.headers
        if automatic.says_returned(self.subject) or automatic.is_from_a_daemon(headers):
            return True
        quotes = any(True for _ in notices.answers(words.split("\n")))
        if not automatic.is_from_a_mail_server(headers):  # nor does the subject tell
            return quotes and not automatic.is_marked(headers)
        return quotes or judge("", notice=words).category is not Category.UNDETERMINED

    def _automatic(self) -> Feedback | None:
        if automatic.is_challenge(self.subject) and not self.message.headers.all("in-reply-to"):
            return self._about(Feedback(Kind.OTHER, "asks for a proof that we are no program"))
        if automatic.is_marked(self.message.headers):
            return self._about(Feedback(Kind.AUTO_REPLY, "header of an automatic answer"))
        if self.has_no_sender and not automatic.is_from_a_mail_server(self.message.headers):
            return self._about(Feedback(Kind.AUTO_REPLY, "no sender to answer to"))  # as RFC 3834 demands, section 3.3
        return None

    def _rest(self) -> Feedback:
        headers = self.message.headers
        is_a_persons = not self.has_no_sender and addresses_in(headers.first("from"))
        if not is_a_persons or automatic.is_from_a_mail_server(headers):
            return self._about(Feedback(Kind.OTHER, NOTHING_KNOWN))
        if headers.all("list-id") or wishes.is_of_many(headers):
            return self._about(Feedback(Kind.OTHER, "mail to many"))
        return self._about(Feedback(Kind.REPLY, "somebody wrote it", Effect.FORWARD))

    # --- about whom

    def _about(self, feedback: Feedback, *, more: Sequence[str] = ()) -> Feedback:
        whose = self.whose
        if whose.delivery is None or whose.is_unproven:
            named = next((found for text in more if (found := self.lookup.delivery(text)) is not None), None)
            whose = whose if named is None else Found(named, Identified.RETURNED)
        delivery, proof, is_unproven = whose
        return replace(feedback, delivery=delivery, identified_by=proof, is_unproven=is_unproven)

    def _returned(self, fates: Sequence[Fate], rule: str) -> Feedback:
        """What fates mean together, and what follows for the delivery."""
        delivery, proof, is_unproven = self.whose
        own = (self.lookup.address(delivery) if delivery is not None else None) or self.sent_to
        ours = _of_delivery(fates, own) if delivery is not None else list(fates)
        listed = ours or list(fates)
        failed = [fate for fate in listed if fate.has_failed]
        waiting = [fate for fate in listed if fate.action == "delayed"]
        candidates = failed or waiting or listed
        decisive = next((fate for fate in candidates if status_reports.same(fate.address, own)), candidates[0])
        kind = Kind.BOUNCE if failed else Kind.DELAYED if waiting else Kind.DELIVERED
        meaning = decisive.meaning
        acts = kind is Kind.BOUNCE and delivery is not None and ours and not is_unproven
        return Feedback(
            kind,
            f"{rule}; {meaning.rule}" if kind is Kind.BOUNCE else rule,
            meaning.category.effect if acts else Effect.NONE,
            meaning,
            tuple(listed),
            delivery=delivery,
            identified_by=proof,
            is_unproven=is_unproven,
        )


def _of_delivery(fates: Sequence[Fate], own: str) -> list[Fate]:
    """The fates that speak of a delivery; behind a forward, softened.

    :param own: to whom the delivery was; "" if that is not known.
    """
    if not own:
        return list(fates)
    found = []
    for fate in fates:
        if fate.original is not None and fate.final is not None and status_reports.same(fate.original, own):
            behind = Meaning(_softened(fate.meaning.category), fate.meaning.status, "an address behind a forward")
            found.append(replace(fate, meaning=behind))
        elif status_reports.same(fate.address, own):
            found.append(fate)
    if not found and len(fates) == 1:
        return list(fates)
    return found


def _softened(category: Category) -> Category:
    return Category.UNDETERMINED if category.permanent else category
