"""The addresses of our pages, and signed links: a sealed number and a purpose, no address, nothing to look up.

A token is 40 hexadecimal digits (14 octets against forgery, 6 of the number), so that it survives a mail server that
folds the case of a local part, where `{token}` of the unsubscribe address stands. (Base32 would be 8 characters shorter
and take ten times as long.)
"""

import enum
import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass

from mailer.errors import MailerError
from mailer.locale.languages import of_site
from mailer.store import sealing
from mailer.store.crypto import Keyring

_OCTETS = 20
_FORM = re.compile(r"[0-9a-fA-F]{40}", re.ASCII)
#: of a number that carries a generation: what is left for the row id
_ROW_BITS = 32
_WITHIN = "desk"  # no purpose of a `Link`


class ForgedToken(MailerError):
    """This link does not work. Part of it may be missing: copy the whole link from the e-mail."""


class Link(enum.StrEnum):
    """What a token may be used for. One made for one purpose is refused for every other."""

    UNSUBSCRIBE = "unsubscribe"  # of a subscription: leave or pause that list, for ever valid
    BOUNCE = "bounce"  # of a delivery: which message came back
    KIT = "kit"  # of a kit, with a generation: read it, and say what became of it
    UNION = "union"  # of a union, with a generation: read what its forwarding brought
    CONTACT = "contact"  # of a union's contact: get no more of the union's mail
    FORWARDED = "forwarded"  # of the delivery that hands on what somebody wrote: it goes no further
    TRY = "try"  # of a mail that we send to ourselves: it came in
    LETTER = "letter"  # of a campaign that is not public: its letters, the same for everybody
    ACT = "act"  # of a delivery: say that one acted on its campaign, and ask to sign


def sign(keyring: Keyring, link: Link, number: int) -> str:
    """Make the token for a purpose and a row id, under the newest link key. It tells neither without the key."""
    return sealing.seal(keyring.link_keys[0].secret, link.value, number, octets=_OCTETS).hex()


def verify(keyring: Keyring, link: Link, token: str) -> int:
    """The row id in a token that any link key of the ring signed for this purpose.

    :raises ForgedToken: it was changed, cut, made for something else, or signed by nobody we know.
    """
    if not _FORM.fullmatch(token):
        raise ForgedToken
    raw = bytes.fromhex(token)
    for key in keyring.link_keys:
        for read in (sealing.unseal, _read_open):
            number = read(key.secret, link.value, raw)
            if number is not None:
                return number
    raise ForgedToken


def purposes(keyring: Keyring, token: str) -> dict[Link, int]:
    """What a token may be used for, and the row id for that; empty where it is none of ours."""
    found = {}
    for link in Link:
        with suppress(ForgedToken):
            found[link] = verify(keyring, link, token)
    return found


def sign_within(keyring: Keyring, visit: str, number: int) -> str:
    """Make the token for a row that somebody looks at in one session of the desk. It is worth nothing in another.

    :param visit: what no other session is ever called, before or after it.
    """
    return sealing.seal(_key_within(keyring.link_keys[0].secret, visit), _WITHIN, number, octets=_OCTETS).hex()


def verify_within(keyring: Keyring, visit: str, token: str) -> int:
    """The row id in such a token.

    :param visit: as for `sign_within`.
    :raises ForgedToken: it was made in another session, or by nobody we know.
    """
    if _FORM.fullmatch(token):
        for key in keyring.link_keys:
            number = sealing.unseal(_key_within(key.secret, visit), _WITHIN, bytes.fromhex(token))
            if number is not None:
                return number
    raise ForgedToken


def _key_within(secret: bytes, visit: str) -> bytes:
    return hashlib.blake2b(visit.encode(), key=secret, digest_size=32, person=b"desk session").digest()


def _read_open(secret: bytes, purpose: str, raw: bytes) -> int | None:
    """The number in a token as they were made at first, with the number in clear: mails that hold one are out."""
    number, mac = raw[:6], raw[6:]
    known = hashlib.blake2b(number, key=secret, digest_size=len(mac), person=purpose.encode()).digest()
    return int.from_bytes(number, "big") if hmac.compare_digest(mac, known) else None


def with_generation(row_id: int, generation: int) -> int:
    """The number of a link that a union may have replaced: the row id, and the generation of the union's links, of
    which there are 65,536. That of generation 0 is the row id itself."""
    return generation << _ROW_BITS | row_id


def split_generation(number: int) -> tuple[int, int]:
    """The row id and the generation that `with_generation` put together."""
    return number & ((1 << _ROW_BITS) - 1), number >> _ROW_BITS


def renewed(keyring: Keyring, address: str, generation: int) -> str:
    """The address of a union's kit or results with another generation in it. Any other address stays as it is."""
    page, slash, token = address.rpartition("/")
    for link in (Link.KIT, Link.UNION):
        try:
            row_id, _ = split_generation(verify(keyring, link, token))
        except ForgedToken:
            continue
        return page + slash + sign(keyring, link, with_generation(row_id, generation))
    return address


@dataclass(frozen=True, slots=True)
class Pages:
    """The addresses of our pages, written here and nowhere else. What a method is given stands in the address."""

    base_url: str  # of the site, no trailing slash
    language: str | None = None  # that the pages are to be in; none, or none of the site's: the one the visitor prefers

    def front(self) -> str:
        """What we do, and the form to sign up with."""
        return self._at("/")

    def join(self, union_slug: str | None) -> str:
        """Likewise, in a union's name; the front page where it is None."""
        return self._at(f"/join/{union_slug}") if union_slug else self.front()

    def campaign(self, slug: str, *, via: str | None = None) -> str:
        """An alert to read, and to act on.

        :param via: the slug of the union in whose name its readers may sign up there.
        """
        return self._at(f"/campaigns/{slug}{f'?union={via}' if via else ''}")

    def letter(self, slug: str, target: str | None = None) -> str:
        """The letter that a public campaign has people write to a target; without one, to whom somebody writes."""
        return self._at(f"/campaigns/{slug}/letter{f'/{target}' if target else ''}")

    def unlisted_letter(self, token: str, target: str | None = None) -> str:
        """Likewise of a campaign that is not public.

        :param token: of the campaign, for `Link.LETTER`.
        """
        return self._at(f"/letters/{token}{f'/{target}' if target else ''}")

    def act(self, token: str) -> str:
        """To say that one wrote.

        :param token: of a delivery, for `Link.ACT`.
        """
        return self._at(f"/act/{token}")

    def sign(self, slug: str) -> str:
        """To sign the petition of a public campaign, for everybody."""
        return self._at(f"/campaigns/{slug}/sign")

    def sign_from_mail(self, token: str) -> str:
        """Likewise, for whom a mail went to: they need type no address.

        :param token: as for `act`.
        """
        return self._at(f"/sign/{token}")

    def signed(self, token: str) -> str:
        """To confirm that one signs.

        :param token: as `mailed_links.issue` makes it; so below.
        """
        return self._at(f"/signed/{token}")

    def take_back(self, token: str) -> str:
        """To take back what one did for a campaign."""
        return self._at(f"/take-back/{token}")

    def case(self, slug: str) -> str:
        """What alerts are about, with its history."""
        return self._at(f"/cases/{slug}")

    def unsubscribe(self, token: str) -> str:
        """To leave the list that a mail came from.

        :param token: of a subscription, for `Link.UNSUBSCRIBE`.
        """
        return self._at(f"/unsubscribe/{token}")

    def preferences(self, token: str) -> str:
        """To pause that list, and to have a link to everything else mailed.

        :param token: as for `unsubscribe`.
        """
        return self._at(f"/preferences/{token}")

    def kit(self, keyring: Keyring, kit_id: int, generation: int) -> str:
        """What a union has to forward, and where it answers.

        :param generation: `Union.link_generation`; so below.
        """
        return self._at(f"/kit/{sign(keyring, Link.KIT, with_generation(kit_id, generation))}")

    def results(self, keyring: Keyring, union_id: int, generation: int) -> str:
        """What a union's forwarding brought."""
        return self._at(f"/results/{sign(keyring, Link.UNION, with_generation(union_id, generation))}")

    def no_contact(self, keyring: Keyring, contact_id: int) -> str:
        """To get no more of a union's mail as its contact."""
        return self._at(f"/no-contact/{sign(keyring, Link.CONTACT, contact_id)}")

    def confirm(self, token: str) -> str:
        """To confirm a sign-up.

        :param token: as `mailed_links.issue` makes it; so below.
        """
        return self._at(f"/confirm/{token}")

    def manage(self, token: str) -> str:
        """To see, change and erase what is held about a person."""
        return self._at(f"/manage/{token}")

    def address(self, token: str) -> str:
        """To be written to at another address."""
        return self._at(f"/address/{token}")

    def undo(self, token: str) -> str:
        """To take a leaving back."""
        return self._at(f"/undo/{token}")

    def resume(self, token: str) -> str:
        """To end a pause."""
        return self._at(f"/resume/{token}")

    def moved(self, token: str) -> str:
        """To stop the mail that has moved away from an address."""
        return self._at(f"/moved/{token}")

    def contact(self, token: str) -> str:
        """To become a union's contact."""
        return self._at(f"/contact/{token}")

    def desk_campaign(self, slug: str) -> str:
        """Where a campaign is watched, paused and resumed, at the desk; in no language."""
        return f"{self.base_url}/desk/campaigns/{slug}"

    def approval(self, slug: str) -> str:
        """To look at all that a campaign would send, and to approve it, at the desk."""
        return f"{self.base_url}/desk/campaigns/{slug}/approval"

    def answer(self, token: str) -> str:
        """To change what a union said of a kit."""
        return self._at(f"/answer/{token}")

    def desk_invitation(self, token: str) -> str:
        """To come to the desk for the first time, or to set up anew what one comes in with; in no language.

        :param token: as `organisers.invitations.invite` makes it.
        """
        return f"{self.base_url}/desk/invitation/{token}"

    def desk(self) -> str:
        """What needs an organiser now; in their own language."""
        return f"{self.base_url}/desk/"

    def caught(self) -> str:
        """Mail that was caught on this machine and not sent; in no language."""
        return f"{self.base_url}/caught/"

    def security_txt(self) -> str:
        """Where to report a weakness (RFC 9116); in no language."""
        return f"{self.base_url}/.well-known/security.txt"

    def _at(self, path: str) -> str:
        language = of_site(self.language)
        return f"{self.base_url}/{language}{path}" if language else f"{self.base_url}{path}"
