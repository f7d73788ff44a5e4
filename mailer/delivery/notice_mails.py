"""The mails of system notices: one template a kind, compiled once per language and merged like a campaign's."""

import string
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from mailer import links
from mailer.delivery.composing import Envelopes
from mailer.delivery.ledger import Claimed
from mailer.delivery.recipients import NothingToSend, Recipient
from mailer.errors import MailerError
from mailer.links import Link, Pages
from mailer.locale import languages, translations
from mailer.mail import attaching, headers
from mailer.mail.merge import CompiledEdition, EditionHeaders, Merge, compile_edition
from mailer.mail.render import Frame, render_notice
from mailer.mail.sender import Sender
from mailer.mail.types import Outgoing, Pieces, Slot, join_pieces
from mailer.people import notices, replies
from mailer.people.notices import Notice, NoticeKind
from mailer.store.crypto import UnreadableSecret, keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Reason

#: the page that a notice's button leads to, by the token of its link; where there is none, a word holds the address
_PAGES: Mapping[NoticeKind, Callable[[Pages, str], str]] = {
    NoticeKind.CONFIRM: Pages.confirm,
    NoticeKind.MANAGE: Pages.manage,
    NoticeKind.ADDRESS: Pages.address,
    NoticeKind.GOODBYE: Pages.undo,
    NoticeKind.PAUSED: Pages.resume,
    NoticeKind.MOVED: Pages.moved,
    NoticeKind.CONTACT: Pages.contact,
    NoticeKind.STEPPED_DOWN: Pages.contact,
    NoticeKind.ANSWER: Pages.answer,
    NoticeKind.SIGN: Pages.signed,
    NoticeKind.INVITATION: Pages.desk_invitation,
    NoticeKind.TAKE_BACK: Pages.take_back,
}
_ALERT_FIELDS = frozenset({"campaign_url", "campaign_title", "target_name", "target_email", "target_address"})
_KIT_FIELDS = frozenset({"kit_url", "campaign", "kind", "union", "deadline", "stop_url"})  # kind: if it asks nobody
_NUMBERED_KITS = [f"kit_{number}{what}" for number in range(1, notices.MOST_KITS_NAMED + 1) for what in ("", "_url")]
_LEAVING = [f"leave_{number}{what}" for number in range(1, notices.MOST_LISTS_LEFT + 1) for what in ("", "_url")]
#: what each kind may print of its own
_FIELDS: Mapping[NoticeKind, frozenset[str]] = {
    NoticeKind.CONFIRM: frozenset({"link_url"}),
    NoticeKind.WELCOME: frozenset({"lists", "share_url", "preferences_url", *_ALERT_FIELDS, *_LEAVING}),
    NoticeKind.MANAGE: frozenset({"link_url", "is_on_list"}),  # on it: they signed up again
    NoticeKind.ADDRESS: frozenset({"link_url"}),
    NoticeKind.GOODBYE: frozenset({"link_url", "list"}),
    NoticeKind.PAUSED: frozenset({"link_url", "list", "until"}),
    NoticeKind.MOVED: frozenset({"link_url"}),
    NoticeKind.CONTACT: frozenset({"link_url", "union", "is_invited"}),  # invited where the union is not named
    NoticeKind.STEPPED_DOWN: frozenset({"link_url", "union"}),
    NoticeKind.AFFILIATED: frozenset({"union", "join_url", "results_url", "stop_url"}),
    NoticeKind.KIT: _KIT_FIELDS,
    NoticeKind.REMINDER: _KIT_FIELDS,
    NoticeKind.RENEWED: frozenset({"union", "results_url", "stop_url", *_NUMBERED_KITS}),
    NoticeKind.ANSWER: frozenset({"link_url", "campaign", "union", "stop_url"}),
    NoticeKind.CHANGED: frozenset({"kit_url", "campaign", "reached", "union", "stop_url"}),
    NoticeKind.APPLICATION: frozenset({"union", "applications_command", "accept_command", "decline_command"}),
    NoticeKind.HELD: frozenset({"campaign", "reason", "status_command", "resume_command", "cancel_command"}),
    NoticeKind.DAILY: frozenset(
        {
            *("day", "since", "until", "asked", "confirmed", "left", "sent", "refused", "complained"),
            *("applications", "applications_command", "paused", "paused_command"),
        }
    ),
    NoticeKind.INVITATION: frozenset({"link_url", "new_password", "new_factor"}),  # new: to replace what was lost
    NoticeKind.WAITING: frozenset({"campaign", "desk_url"}),
    NoticeKind.APPROVED: frozenset({"campaign", "desk_url"}),
    NoticeKind.SENT_BACK: frozenset({"campaign", "desk_url"}),
    NoticeKind.ACCOUNT: frozenset(
        {
            *("password_at", "factor_at", "code_at", "codes", "browser_at"),
            *("roles_at", "disabled_at", "enabled_at"),
        }
    ),
    NoticeKind.ALONE: frozenset({"campaign", "who", "why", "campaign_url"}),
    NoticeKind.HELD_AT_DESK: frozenset({"campaign", "reason", "campaign_url"}),
    NoticeKind.TAKE_BACK: frozenset({"link_url", "campaign"}),
    NoticeKind.SIGN: frozenset({"link_url", "campaign", "is_signed"}),  # they have signed already
    NoticeKind.REPLY: frozenset({"is_cut"}),
    NoticeKind.REPLIES: frozenset({"day", "forwarded", "dropped"}),
}
#: with a link to the campaign's page at the desk
_ABOUT_CAMPAIGN = frozenset({NoticeKind.ALONE, NoticeKind.HELD_AT_DESK})

#: kind, language, and which of its fields are printed
_Key = tuple[NoticeKind, str, frozenset[str]]


class WordlessNotice(MailerError):
    """The words of delivery {delivery}, a notice, are no longer stored. It should have been skipped."""


class NoticeComposer:
    """Makes the mails of system notices. Holds no session: what it needs is read when it is made."""

    def __init__(self, session: Session, sender: Sender) -> None:
        self._sender = sender
        self._keyring = keyring_of(session)
        self._engine = session.get_bind().engine
        self._envelopes = Envelopes(session, notices.campaign(session), sender)
        self._headers = EditionHeaders(sender=sender.mailbox, reply_to=sender.reply_to, auto_submitted=True)
        self._compiled: dict[_Key, CompiledEdition] = {}

    def compose(self, delivery: Claimed, recipient: Recipient) -> Outgoing:
        """The mail of a notice, ready for the wire. It names nobody: whoever asked for it may be a stranger.

        :raises WordlessNotice: what it said was dropped.
        """
        if delivery.notice is None:
            raise WordlessNotice(delivery=delivery.id)
        notice = Notice.from_stored(delivery.notice)
        language = notice.language or "en"
        values = {field: value for field, value in self._values(notice, language, recipient).items() if value}
        identifier = self._envelopes.message_id(delivery.id)
        edition = self._edition((notice.kind, languages.of_site(language) or "en", frozenset(values)))
        now = utcnow()
        data = edition.merge(
            Merge(
                to_address=recipient.email,
                message_id=f"<{identifier}>",
                date=now,
                values=values,
                marks=self._envelopes.marks(delivery.id) if self._envelopes.has_marks else b"",
            )
        )
        if notice.kind is NoticeKind.REPLY:
            return self._handing_on(delivery.id, recipient, data, now)
        return self._envelopes.put_in(delivery.id, recipient, data, message_id=identifier)

    def _handing_on(self, delivery_id: int, recipient: Recipient, data: bytes, now: datetime) -> Outgoing:
        """A mail with what somebody wrote. It has no sender and asks for no report, so that nothing comes back of it,
        and it says that it goes no further.

        :raises NothingToSend: what they wrote is there no longer.
        """
        try:
            written = replies.read(self._engine, delivery_id)
        except UnreadableSecret:
            raise NothingToSend(delivery=delivery_id, reason=Reason.UNREADABLE) from None
        if written is None:
            raise NothingToSend(delivery=delivery_id, reason=Reason.ERASED)
        mark = headers.token("X-Tocsin-Forwarded", links.sign(self._keyring, Link.FORWARDED, delivery_id))
        timestamp = int(now.timestamp())
        carrying = attaching.carry(data, written, field=mark, signer=self._sender.signer, timestamp=timestamp)
        return Outgoing(
            delivery_id, "", headers.a_label_address(recipient.email), carrying.data, is_8bit=carrying.is_8bit
        )

    def compile_all(self) -> None:
        """Compile every mail with all that it may print, in each language, to find out that each can be.

        :raises MailerError: a setting or a template does not fit into a message.
        """
        for kind, fields in _FIELDS.items():
            for language in languages.SITE_LANGUAGES:
                self._edition((kind, language, fields))

    def _values(self, notice: Notice, language: str, recipient: Recipient) -> dict[str, str]:
        """What a notice prints of its own, by field."""
        values = {field: word for field, word in notice.words.items() if field in _FIELDS[notice.kind]}
        until = notice.words.get("campaign_until")
        if not recipient.may_act or (until is not None and datetime.fromisoformat(until) < utcnow()):
            values = {field: word for field, word in values.items() if field not in _ALERT_FIELDS}
        if notice.kind in _ABOUT_CAMPAIGN:
            values["campaign_url"] = Pages(self._sender.base_url).desk_campaign(notice.words["slug"])
        if notice.token is not None and notice.kind in _PAGES:
            values["link_url"] = _PAGES[notice.kind](Pages(self._sender.base_url, language), notice.token)
        return values

    def _edition(self, key: _Key) -> CompiledEdition:
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = self._compile(*key)
        return compiled

    def _compile(self, kind: NoticeKind, language: str, shown: frozenset[str]) -> CompiledEdition:
        translate = translations.gettext_for(language)
        organisation = self._sender.organisation
        subject, preheader = _heading(kind, translate, shown)
        named = ("list", "campaign", "union", "day", "since", "until")
        names: dict[str, Pieces] = {field: (Slot(field),) for field in named}
        rendering = render_notice(
            kind.value,
            subject=_fill(subject, organisation=(organisation,), **names),
            preheader=_fill(preheader, organisation=(organisation,)),
            fields={field: (Slot(field),) if field in shown else () for field in _FIELDS[kind]},
            frame=Frame(
                language=language,
                direction=languages.direction(language),
                organisation=organisation,
                postal_address=self._sender.postal_address,
                gettext=translate,
                answers_are_read=self._sender.answers_are_read,
            ),
        )
        is_signed_later = kind is NoticeKind.REPLY  # with what it carries
        return compile_edition(rendering, self._headers, signer=None if is_signed_later else self._sender.signer)


def _heading(kind: NoticeKind, _: Callable[[str], str], shown: frozenset[str]) -> tuple[str, str]:
    """Subject and preheader.

    :param _: translates into the mail's language.
    :param shown: the fields that are printed.
    """
    match kind:
        case NoticeKind.CONFIRM:
            preheader = _("One click and you are signed up. If this was not you, do nothing.")
            return _("Please confirm your address"), preheader
        case NoticeKind.WELCOME:
            preheader = _("You are signed up. Here is what you will get and what you can do.")
            return _("Welcome to {organisation}"), preheader
        case NoticeKind.MANAGE if "is_on_list" in shown:
            preheader = _("There is nothing you need to do. If you want, see or change your details.")
            return _("You are already on our list"), preheader
        case NoticeKind.MANAGE:
            return _("The link to your details"), _("It works for one day. Never forward this e-mail.")
        case NoticeKind.ADDRESS:
            return _("Please confirm your new address"), _("One click, and we will write to this address from now on.")
        case NoticeKind.GOODBYE:
            preheader = _("If this was not you, use the button in this e-mail to undo it.")
            return (_("You have left {list}") if "list" in shown else _("You have left all our lists")), preheader
        case NoticeKind.PAUSED:
            preheader = _("If this was not you, use the button in this e-mail to end the pause.")
            return _("Your e-mails from {list} are paused"), preheader
        case NoticeKind.MOVED:
            preheader = _("They now go to another address. If you did not want that, you can stop them.")
            return _("Our e-mails no longer come to this address"), preheader
        case NoticeKind.CONTACT if shown & {"union", "is_invited"}:
            preheader = _("We send nothing until you say yes, with one click.")
            named, unnamed = _("May we send you our e-mails for {union}?"), _("May we send you e-mails for your union?")
            return (named if "union" in shown else unnamed), preheader
        case NoticeKind.CONTACT:
            return _("Please confirm your address"), _("With one click, you confirm that you wrote to us for a union.")
        case NoticeKind.AFFILIATED:
            preheader = _("From now on, you will get each alert ready to forward to your members.")
            named, unnamed = _("{union} is now affiliated: welcome!"), _("Your union is now affiliated: welcome!")
            return (named if "union" in shown else unnamed), preheader
        case NoticeKind.STEPPED_DOWN:
            preheader = _("If this was not you, use the button in this e-mail to undo it.")
            if "union" in shown:
                return _("You will get no more e-mails for {union}"), preheader
            return _("You will get no more e-mails for your union"), preheader
        case NoticeKind.KIT:
            preheader = _("An e-mail, messages, a leaflet and a picture for your members.")
            return _("Ready to forward: {campaign}"), preheader
        case NoticeKind.REMINDER:
            preheader = _("The kit for your members is waiting. Forwarding it takes five minutes.")
            return _("There is still time: {campaign}"), preheader
        case NoticeKind.RENEWED:
            preheader = _("The earlier links no longer work. The new ones are in this e-mail.")
            named, unnamed = _("New links for {union}"), _("New links for your union")
            return (named if "union" in shown else unnamed), preheader
        case NoticeKind.ANSWER:
            preheader = _("It works for one day. Never forward this e-mail.")
            return _("The link to change your answer: {campaign}"), preheader
        case NoticeKind.CHANGED:
            preheader = _("What your union told us about this kit is not what it was.")
            return _("Your answer was changed: {campaign}"), preheader
        case NoticeKind.APPLICATION:
            preheader = _("Its address is confirmed. Somebody there waits for your answer.")
            return _("A union asks to affiliate"), preheader
        case NoticeKind.HELD:
            preheader = _("Nothing more of it goes out until somebody resumes it.")
            return _("Held: {campaign}"), preheader
        case NoticeKind.DAILY:
            preheader = _("Sign-ups, e-mails and what waits for you, in figures.")
            one, several = _("What happened on {day}"), _("What happened from {since} to {until}")
            return (one if "day" in shown else several), preheader
        case NoticeKind.INVITATION:
            return _("Your link to the desk"), _("It works for one day. Never forward this e-mail.")
        case NoticeKind.WAITING:
            return _("Waiting for you: {campaign}"), _("Nothing of it goes out before a second person has said yes.")
        case NoticeKind.APPROVED:
            return _("Approved: {campaign}"), _("It goes out when somebody sends it.")
        case NoticeKind.SENT_BACK:
            return _("Sent back: {campaign}"), _("Somebody wants it changed before it goes out.")
        case NoticeKind.ALONE:
            return _("To be sent alone: {campaign}"), _("You have a quarter of an hour to object.")
        case NoticeKind.ACCOUNT:
            return _("About your account at the desk"), _("Please check whether it was you, or agreed with you.")
        case NoticeKind.HELD_AT_DESK:
            return _heading(NoticeKind.HELD, _, shown)
        case NoticeKind.TAKE_BACK:
            preheader = _("If it was not you who said that you acted, use the button in this e-mail.")
            return _("To take back what you told us: {campaign}"), preheader
        case NoticeKind.SIGN if "is_signed" in shown:
            return _("You have already signed: {campaign}"), _("There is nothing you need to do.")
        case NoticeKind.SIGN:
            preheader = _("One click and you have signed. If this was not you, do nothing.")
            return _("Please confirm that you sign: {campaign}"), preheader
        case NoticeKind.REPLY:
            return _("An answer to our e-mails"), _("It is attached as it came.")
        case NoticeKind.REPLIES:
            return _("More answers than we forward: {day}"), _("Some were only counted.")


def _fill(words: str, **values: Pieces) -> Pieces:
    """A sentence with what stands in for its placeholders: `{name}`, as in all messages."""
    pieces: list[str | Slot] = []
    for text, name, _, _ in string.Formatter().parse(words):
        pieces += (text, *(values[name] if name else ()))
    return join_pieces(pieces)
