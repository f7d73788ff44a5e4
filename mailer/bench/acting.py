"""Acting under load: how long "I have written" and the form to sign take, whether nothing is lost of what was accepted,
and how long it takes to count a million."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select

from mailer.bench.installation import Installation, load_campaign
from mailer.bench.site import served
from mailer.bench.visitors import Visits, fill_in, press_steadily
from mailer.campaigns import acts
from mailer.delivery import control
from mailer.links import Link, Pages, sign
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope
from mailer.store.models import (
    Act,
    ActKind,
    Campaign,
    Delivery,
    MailedLink,
    MailedLinkKind,
    new_act_id,
)

#: presses a second and for how many seconds, half of them that one wrote and half that one signs
STRETCHES = ((50, 20), (200, 10), (50, 10))
#: so many acts are counted
_MILLION = 1_000_000
_FILL_IN_SECONDS = 3.0
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Acting:
    """What a site answered to those who act."""

    database: str
    stretches: tuple[Visits, ...]
    accepted: int  # answered as it should be
    kept: int  # found in the database afterwards
    counted: int  # acts on one campaign, in `count_seconds`
    count_seconds: float


def measure(
    measured: Installation,
    database: str,
    *,
    stretches: Sequence[tuple[int, int]] = STRETCHES,
    counted: int = _MILLION,
) -> Acting:
    """Run the site as in production, have people press what stands in their mails and sign, and count very many acts.

    :param stretches: presses a second, and for how many seconds.
    :param counted: how many acts are counted.
    """
    number = sum(rate * seconds for rate, seconds in stretches)
    slug, mails = _prepare(measured, (number + 1) // 2)
    with served(measured) as port:
        form = fill_in(port, f"/campaigns/{slug}/sign", boxes=("shown",))
        time.sleep(_FILL_IN_SECONDS)
        pages = [press for n, mail in enumerate(mails) for press in _presses(slug, mail, form, n)]
        visits, done = [], 0
        for rate, seconds in stretches:
            some = pages[done : done + rate * seconds]
            visits.append(press_steadily(port, some, rate=rate, first_visitor=done))
            done += len(some)
    accepted = sum(each.answers.get("200", 0) + each.answers.get("303", 0) for each in visits)
    kept = _kept(measured)
    return Acting(database, tuple(visits), accepted, kept, counted, _count(measured, counted))


def _presses(slug: str, mail: str, form: dict[str, str], number: int) -> tuple[tuple[str, dict[str, str]], ...]:
    signed = form | {"email": f"signer{number}@example.org", "name": f"Signer {number}", "country": "GB"}
    return (mail, {}), (f"/campaigns/{slug}/sign", signed)


def _prepare(measured: Installation, number: int) -> tuple[str, list[str]]:
    """A petition that goes to people; its slug, and where the button of each mail leads."""
    loaded = load_campaign(measured)
    with measured.engine() as engine, session_scope(engine) as session:
        campaign = session.get_one(Campaign, loaded.id)
        campaign.public, campaign.petition = True, {"to": {"en": "the Ministry"}}
        control.start(session, campaign, measured.settings.mail_sender)
        mails = select(Delivery.id).where(Delivery.campaign_id == campaign.id).limit(number)
        tokens = [sign(keyring_of(session), Link.ACT, each) for each in session.scalars(mails)]
    return loaded.slug, [Pages("").act(token) for token in tokens]


def _kept(measured: Installation) -> int:
    """How many acts there are, and signatures that wait to be confirmed."""
    waiting = select(func.count()).select_from(MailedLink).where(MailedLink.kind == MailedLinkKind.SIGN)
    with measured.engine() as engine, session_scope(engine, read_only=True) as session:
        acted = session.scalar(select(func.count()).select_from(Act)) or 0
        return acted + (session.scalar(waiting) or 0)


def _count(measured: Installation, number: int) -> float:
    """Seconds that it takes to count so many acts on one campaign."""
    campaign_id = load_campaign(measured).id
    with measured.engine() as engine:
        for first in range(0, number, _ROWS):
            with session_scope(engine) as session:
                session.execute(insert(Act), [_act(campaign_id) for _ in range(min(_ROWS, number - first))])
        with session_scope(engine, read_only=True) as session:
            began = time.monotonic()
            found = acts.count(session, campaign_id)
            seconds = time.monotonic() - began
    if found.wrote != number:
        raise AssertionError(f"{number} acts were counted as {found.wrote}")
    return seconds


def _act(campaign_id: int) -> dict[str, Any]:
    return {"id": new_act_id(), "campaign_id": campaign_id, "kind": ActKind.WROTE, "country": "GB", "language": "en"}
