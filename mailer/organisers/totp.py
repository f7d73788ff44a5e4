"""The second factor: the six digits that an authenticator app shows, new every 30 seconds (RFC 6238)."""

import hmac
import unicodedata
from datetime import datetime

import pyotp
from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from mailer.store.models import Account

SECONDS = 30  # that a code lasts
_DIGITS = 6
#: how many steps a telephone's clock may be wrong by
_WINDOW = 1
#: what a code is compared with where there is no secret, so that it takes as long
_NOBODYS = pyotp.random_base32()


def new_secret() -> str:
    """A secret to set up an app with: 160 bits in base32."""
    return pyotp.random_base32()


def uri(secret: str, *, account: str, organisation: str) -> str:
    """What an app reads as a QR code.

    :param account: whose it is, as the app shows it.
    """
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=organisation)


def step_of(at: datetime) -> int:
    """The number of the 30 seconds that a moment is in."""
    return int(at.timestamp()) // SECONDS


def verify(secret: str | None, code: str, last_step: int | None, at: datetime) -> int | None:
    """The step whose code somebody typed, if it is one that has not been used; see `use`. Takes as long for any code.

    :param secret: of the account; None: it has none, or there is no account.
    :param code: as it was typed, with spaces and in anybody's digits.
    :param last_step: the last that was used, `Account.totp_step`.
    """
    typed, app = digits_of(code).encode(), pyotp.TOTP(secret or _NOBODYS)
    now, found = step_of(at), None
    for step in range(now - _WINDOW, now + _WINDOW + 1):
        if hmac.compare_digest(app.generate_otp(step).encode(), typed) and (last_step is None or step > last_step):
            found = step
    return found if secret is not None else None


def use(session: Session, account_id: int, step: int) -> bool:
    """Use a step up: of two who come with the same code, even at once, one gets in.

    :returns: whether nobody has used it, or a later one.
    """
    unused = or_(Account.totp_step.is_(None), Account.totp_step < step)
    used = update(Account).where(Account.id == account_id, unused).values(totp_step=step).returning(Account.id)
    return session.execute(used, execution_options={"synchronize_session": False}).first() is not None


def digits_of(code: str) -> str:
    """A code as it is compared: without what people put between its digits, whichever digits they write."""
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in code
        if not (character.isspace() or character in "-\u200e\u200f\u061c\u2066\u2067\u2068\u2069")
    )
