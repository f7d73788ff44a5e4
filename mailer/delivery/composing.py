"""Composing: an edition and a person become one message, ready for the wire."""

from collections.abc import Iterable
from dataclasses import replace
from email.utils import parseaddr
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import links
from mailer.campaigns.correspondence import Filled
from mailer.campaigns.editions import EditionKey, EditionRenderer, Reader, Unrenderable, from_json, mail_domain
from mailer.campaigns.letters import number_for
from mailer.cases import targets
from mailer.delivery.ledger import Claimed
from mailer.delivery.message_ids import MessageIds
from mailer.delivery.recipients import Recipient
from mailer.locale import countries
from mailer.mail.headers import a_label_address
from mailer.mail.merge import CompiledEdition, EditionHeaders, Merge, Prepared, compile_edition
from mailer.mail.sender import Sender
from mailer.mail.types import Outgoing, Rendering
from mailer.mail.webhooks import marks
from mailer.people import lists
from mailer.store.crypto import keyring_of
from mailer.store.db import utcnow
from mailer.store.models import Campaign, Edition, MailingList
from mailer.unions import directory

#: fields of what leads to where somebody says that they acted
_ACTING = frozenset({"act_url", "sign_url"})
#: what stands in headers for the slug of a list that must not tell whose it is
_NAMELESS_LIST = "members"
#: how many editions with letters are kept ready, for readers of one country who get the same wording
_MOST_PREPARED = 8192


class Composer(Protocol):
    """What makes the messages of a campaign, or of notices. Several threads may ask at once."""

    def compose(self, delivery: Claimed, recipient: Recipient) -> Outgoing:
        """The message of a delivery, ready for the wire.

        :raises UnusableAddress: no header can hold the recipient's.
        :raises MailerError: no message can be made at all.
        """

    def compile_all(self) -> None:
        """Compile every edition that is known, to find out before anything is sent that each can be.

        :raises MailerError: a setting or a text does not fit into a message.
        """


class Envelopes:
    """What every message is sent in, whatever it says: its id, and where it comes back to. Holds no session."""

    def __init__(self, session: Session, campaign: Campaign, sender: Sender) -> None:
        """:raises message_ids.MessageKeyMissing: no Message-ID can be made."""
        self._keyring = keyring_of(session)
        self._ids = MessageIds(self._keyring, campaign, domain=mail_domain(sender))
        self._from_address = parseaddr(sender.mailbox)[1]
        self._bounce_address = sender.bounce_address
        self._marks = marks.template(sender.providers)
        self.has_marks = bool(self._marks)

    def message_id(self, delivery_id: int) -> str:
        """The Message-ID of a delivery, without brackets."""
        return self._ids.make(delivery_id)

    def marks(self, delivery_id: int) -> bytes:
        """Header fields by which a mail provider knows a delivery again."""
        return marks.fill(self._marks, links.sign(self._keyring, links.Link.BOUNCE, delivery_id))

    def put_in(self, delivery_id: int, recipient: Recipient, data: bytes, *, message_id: str) -> Outgoing:
        """A message with everything that the wire asks for."""
        return Outgoing(
            id=delivery_id,
            sender=self._envelope_sender(delivery_id),
            recipient=a_label_address(recipient.email),
            data=data,
            envelope_id=message_id,
        )

    def _envelope_sender(self, delivery_id: int) -> str:
        if self._bounce_address is None:
            return self._from_address
        return self._bounce_address.format(token=links.sign(self._keyring, links.Link.BOUNCE, delivery_id))


_COMPILED = "compiled editions"  # of what `Session.info` holds


def compiled(session: Session) -> dict[object, CompiledEdition]:
    """What was compiled in a session: all that it depends on → the edition, as `editions.rendered`."""
    known: dict[object, CompiledEdition] = session.info.setdefault(_COMPILED, {})
    return known


class CampaignComposer:
    """Makes the messages of one campaign. Holds no session: what it needs is read when it is made."""

    def __init__(self, session: Session, campaign: Campaign, sender: Sender) -> None:
        self._keyring = keyring_of(session)
        self._sender = sender
        self._pages = links.Pages(sender.base_url)  # in no language: these links work for ever
        self._envelopes = Envelopes(session, campaign, sender)
        self._is_marked = self._envelopes.has_marks
        self._renderer = EditionRenderer(session, campaign, sender)
        self._campaign = campaign
        self._targets = targets.Targets.stored(campaign.targets)
        self._unions = directory.printable_names(session)
        owner_id = campaign.mailing_list.owner_id
        is_of_unnamed = owner_id is not None and owner_id not in self._unions
        self._headers = _edition_headers(campaign, campaign.mailing_list, sender, is_of_unnamed=is_of_unnamed)
        self._list_name, self._fallbacks = lists.name_of(campaign.mailing_list), campaign.fallbacks
        frozen = session.scalars(select(Edition).where(Edition.campaign_id == campaign.id))
        self._frozen = {EditionKey(each.language, each.variant, each.letters): each.rendering for each in frozen}
        self._compiled: dict[EditionKey, CompiledEdition] = {}
        self._known = compiled(session)
        self._prepared: dict[tuple[EditionKey, str | None, int | None, int], tuple[Prepared, Filled]] = {}
        self._values: dict[tuple[str, str | None, int | None], dict[str, str]] = {}

    def compose(self, delivery: Claimed, recipient: Recipient) -> Outgoing:
        """The message of a delivery, ready for the wire."""
        key = self._renderer.choose(Reader(delivery.language, delivery.country, delivery.union_id))
        token = links.sign(self._keyring, links.Link.UNSUBSCRIBE, recipient.subscription_id or 0)
        unsubscribe_url = self._pages.unsubscribe(token)
        own = {"preferences_url": self._pages.preferences(token), "unsubscribe_url": unsubscribe_url}
        if recipient.name:
            own["name"] = recipient.name
        edition, prepared = self._edition(key), None
        if not _ACTING.isdisjoint(edition.fields):  # not for everybody: a token takes as long as a name
            of_delivery = links.sign(self._keyring, links.Link.ACT, delivery.id)
            own["act_url"] = self._pages.act(of_delivery)
            own["sign_url"] = self._pages.sign_from_mail(of_delivery)
        if key.letters:
            prepared, letters = self._with_letters(edition, key, delivery)
            if recipient.name:
                own |= letters.signed_by(recipient.name)
        else:
            own = {**self._shared_values(key.language, delivery.country, delivery.union_id), **own}
        mailto = self._sender.unsubscribe_address
        identifier = self._envelopes.message_id(delivery.id)
        data = edition.merge(
            Merge(
                to_address=recipient.email,
                to_name=recipient.name,
                message_id=f"<{identifier}>",
                date=utcnow(),
                unsubscribe_url=unsubscribe_url,
                unsubscribe_mailto=mailto.format(token=token) if mailto else None,
                values=own,
                marks=self._envelopes.marks(delivery.id) if self._is_marked else b"",
            ),
            prepared,
        )
        return self._envelopes.put_in(delivery.id, recipient, data, message_id=identifier)

    def compile_all(self) -> None:
        """Compile every frozen edition, to find out before anything is sent that each can be.

        :raises MailerError: a setting or a text does not fit into a message.
        """
        self.compile(self._frozen)

    def compile(self, keys: Iterable[EditionKey]) -> None:
        """Compile some editions, frozen or not yet.

        :raises MailerError: as `compile_all`.
        """
        for key in keys:
            self._edition(key)

    def _edition(self, key: EditionKey) -> CompiledEdition:
        compiled = self._compiled.get(key)
        if compiled is None:
            frozen = self._frozen.get(key)
            # Nothing frozen: a draft, a test for a reader whom the audience does not have, or changed targets.
            rendering = from_json(frozen) if frozen else self._rendered(key)
            list_name = self._list_name.for_reader(key.language, fallbacks=self._fallbacks).text
            headers = replace(self._headers, list_name=list_name)
            words = (rendering.language, rendering.subject, rendering.html, rendering.text)
            signer = self._sender.signer
            content = (words, headers, signer)
            compiled = self._known.get(content)
            if compiled is None:
                compiled = self._known[content] = compile_edition(rendering, headers, signer=signer)
            self._compiled[key] = compiled
        return compiled

    def _rendered(self, key: EditionKey) -> Rendering:
        """An edition that was not frozen. Once a campaign goes out, other targets than were tried out stop it no more:
        the mail shows as many of them as it has room for."""
        while True:
            try:
                return self._renderer.render(key)
            except Unrenderable:
                if not (self._frozen and key.letters):
                    raise
                key = key._replace(letters=key.letters.rpartition(" ")[0])

    def _with_letters(self, edition: CompiledEdition, key: EditionKey, delivery: Claimed) -> tuple[Prepared, Filled]:
        """An edition with the letters that somebody gets, the same ones on every retry."""
        correspondence = self._renderer.correspondence
        if correspondence is None:
            raise ValueError(f"nothing asks to write, and an edition shows {key.letters}")
        number = number_for(self._campaign, delivery.subscriber_id or 0)
        number = correspondence.wording(key.letters, key.language, number)
        # Most texts name no union, and there are many.
        union_id = delivery.union_id if "union" in edition.fields else None
        kind = key, delivery.country, union_id, number
        found = self._prepared.get(kind)
        if found is None:
            filled = correspondence.filled(key.letters, key.language, delivery.country, number)
            values = {**self._shared_values(key.language, delivery.country, union_id), **filled.values}
            if len(self._prepared) >= _MOST_PREPARED:
                self._prepared.clear()
            prepared = edition.prepare(values, own=[field for field, _words, _values in filled.signed])
            found = self._prepared[kind] = prepared, filled
        return found

    def _shared_values(self, language: str, country: str | None, union_id: int | None) -> dict[str, str]:
        """The values of fields that are the same for everyone of a language, country and union."""
        found = self._values.get((language, country, union_id))
        if found is None:
            found = self._values[language, country, union_id] = self._find_values(language, country, union_id)
        return found

    def _find_values(self, language: str, country: str | None, union_id: int | None) -> dict[str, str]:
        target = self._targets.for_country(country)
        values = {
            "country": countries.name(country, language) if country else "",
            "union": self._unions.get(union_id, "") if union_id else "",
            "deadline": self._renderer.deadline(language, country) or "",
            **(target.values if target else {}),
        }
        return {field: value for field, value in values.items() if value}


def _edition_headers(
    campaign: Campaign, mailing_list: MailingList, sender: Sender, *, is_of_unnamed: bool
) -> EditionHeaders:
    """The headers that all messages of a campaign share, save that the list's name is in the language of each.

    :param is_of_unnamed: whether it is the own list of a union that asked not to be named: its slug may tell which one,
        and unlike its name it cannot be changed.
    """
    host = urlsplit(sender.base_url).hostname or "localhost"
    slug = _NAMELESS_LIST if is_of_unnamed else mailing_list.slug
    return EditionHeaders(
        sender=sender.mailbox,
        reply_to=sender.reply_to,
        list_id=f"{slug}.{host}",
        list_help=links.Pages(sender.base_url).front(),
        # Campaign, list, kind and sender, never a person: the parts that Gmail groups complaints by.
        feedback_id=f"{campaign.slug}:{slug}:{campaign.kind}:{host}",
    )
