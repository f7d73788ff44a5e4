"""Message-IDs: a delivery's id, sealed, so that they name nobody without a key, are the same on every retry, and lead
from a mail that comes back to its row."""

import hashlib
import logging
import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.store import sealing
from mailer.store.crypto import Keyring, keyring_of
from mailer.store.models import Campaign, CampaignStatus

log = logging.getLogger(__name__)

_PURPOSE = "message-id"
_OCTETS = 16
_FORM = re.compile(r"<?([0-9a-f]{32})@[^@>]+>?", re.ASCII | re.IGNORECASE)
_OVER = (CampaignStatus.SENT, CampaignStatus.CANCELLED)


class MessageKeyMissing(MailerError):
    """Campaign "{slug}" needs the link key "{key_id}" for its Message-IDs, but it is not in MAILER_LINK_KEYS. Put the
    key back, behind the newest one, or cancel the campaign."""


class MessageIds:
    """Makes those of one campaign. Holds no session."""

    def __init__(self, keyring: Keyring, campaign: Campaign, *, domain: str | None = None) -> None:
        """:param domain: right of the @, unless one was frozen with the campaign.

        :raises MessageKeyMissing: the key that this campaign's are made with is not in the ring.
        """
        secret = _secrets(keyring).get(campaign.message_key)
        if secret is None and campaign.hashed_until is not None:
            secret = keyring.link_keys[0].secret  # for what is added, such as test mails; the rest needs none
        if secret is None:
            raise MessageKeyMissing(slug=campaign.slug, key_id=campaign.message_key)
        self._secret = secret
        self._salt, self._hashed_until = campaign.salt, campaign.hashed_until or 0
        self._domain = campaign.mail_domain or domain

    def make(self, delivery_id: int) -> str:
        """The Message-ID of a delivery, without brackets."""
        if delivery_id <= self._hashed_until:  # of a campaign that had begun before ids were sealed
            digits = hashlib.sha256(self._salt + delivery_id.to_bytes(8, "big")).hexdigest()[:32]
        else:
            digits = sealing.seal(self._secret, _PURPOSE, delivery_id, octets=_OCTETS).hex()
        return f"{digits}@{self._domain}"


def find(keyring: Keyring, message_id: str) -> int | None:
    """The id of the delivery whose Message-ID this is, with or without its brackets.

    :returns: None if it is none of ours, is made with a key that is not in the ring, or is of the old kind.
    """
    form = _FORM.fullmatch(message_id.strip())
    if form is None:
        return None
    sealed = bytes.fromhex(form[1])
    found = (sealing.unseal(secret, _PURPOSE, sealed) for secret in _secrets(keyring).values())
    return next((delivery_id for delivery_id in found if delivery_id is not None), None)


def require_keys(session: Session) -> None:
    """See before anything is sent that every Message-ID can be made, and name the keys that are missing. What has not
    begun, and system mail, which begins anew every day, go on with the newest key.
    """
    keyring = keyring_of(session)
    known = list(_secrets(keyring))
    lacking = select(Campaign).where(
        Campaign.message_key.not_in(known), Campaign.status.not_in(_OVER), Campaign.hashed_until.is_(None)
    )
    for campaign in session.scalars(lacking.order_by(Campaign.id)):
        if campaign.started_at is None:
            campaign.message_key = known[0]
            continue
        log.error(
            "a link key is missing that a campaign needs: put it back into MAILER_LINK_KEYS, behind the newest one",
            extra={"campaign": campaign.id, "key": campaign.message_key},
        )


def _secrets(keyring: Keyring) -> dict[str, bytes]:
    return {key.id: key.secret for key in keyring.link_keys}
