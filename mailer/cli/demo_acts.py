"""What the demo does with those who act: they write and sign, the others are reminded, the names are handed over, and
who acted hears how it ended."""

import time
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import acts, handing_over, lifecycle, outcome_news, petitions, signatures
from mailer.campaigns.signatures import Name
from mailer.cases import files as case_files
from mailer.cli.demo_cases import Demo, send
from mailer.cli.installation import Installation
from mailer.cli.options import dress
from mailer.delivery import stopping
from mailer.links import Pages
from mailer.store.db import utctoday
from mailer.store.models import (
    Act,
    ActKind,
    Campaign,
    Delivery,
    DeliveryState,
    Subscriber,
)
from mailer.trial import sample

_ALERT, _PETITION = sample.CAMPAIGN_DIR.name, sample.PETITION_SLUG
#: how many act, at most; of those who get a campaign, one in three never does
_WRITERS, _SIGNERS = 200, 300
#: what stands on no page, and what everybody who acts in a demo agrees to
_WORDS = {ActKind.WROTE: "Yes, I have written. (Demo)", ActKind.SIGNED: "Yes, I sign. (Demo)"}
_TO_NAME = "Yes, my name may be shown and handed over. (Demo)"
_METHOD = "demo"
_ONE_IN = 3  # of those who sign wants to be named
_HAND_OVER = "hand-over"


def show(demo: Demo) -> None:
    """Have people write and sign, remind the others, hand over, and tell those who signed how it ended."""
    demo.console.print("\nThose who act", style="italic")
    _write(demo)
    _sign(demo)
    _remind(demo)
    _hand_over(demo)
    _end(demo)


def _write(demo: Demo) -> None:
    began = time.monotonic()
    with demo.installation.session() as session:
        writers = _who_act(session, lifecycle.get(session, _ALERT), ActKind.WROTE, _WRITERS)
    took = time.monotonic() - began
    demo.say(f'1. {len(writers)} people pressed "I have written" in the alert, in {took:.1f} s.')


def _sign(demo: Demo) -> None:
    with demo.installation.session() as session:
        case_files.load(session, demo.folder / "cases" / sample.PETITION_CASE_SLUG)
    sent, where = send(demo, _PETITION)
    with demo.installation.session() as session:
        campaign = lifecycle.get(session, _PETITION)
        signers = _who_act(session, campaign, ActKind.SIGNED, _SIGNERS)
        named = sum(_name(session, campaign, person, act) for person, act in signers[::_ONE_IN])
    reached = sent.states[DeliveryState.SENT]
    demo.say(
        f'2. Sent the petition "{_PETITION}" to {reached:,}. {len(signers)} people signed it, {named} of them by name. '
        f"{where}"
    )


def _remind(demo: Demo) -> None:
    sent, where = send(demo, sample.REMINDER_SLUG)
    demo.say(f"3. Reminded the {sent.states[DeliveryState.SENT]:,} who got it and had not signed. {where}")


def _hand_over(demo: Demo) -> None:
    folder = demo.folder / _HAND_OVER
    folder.mkdir()
    with demo.installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, _PETITION)
        found = signatures.hand_over(session, campaign, language=campaign.language)
    settings = demo.installation.settings
    web_url = Pages(settings.base_url, found.language).campaign(_PETITION)
    organisation = settings.mail_sender.organisation
    pdf, table = folder / f"{_PETITION}.pdf", folder / f"{_PETITION}.csv"
    pdf.write_bytes(handing_over.on_paper(found, organisation=organisation, web_url=web_url, day=utctoday()))
    handing_over.write_table(found, table, dress(excel=False, separator="comma"))
    demo.say(f"4. Wrote what is handed over, with {len(found.names)} names: {pdf} and {table}")


def _end(demo: Demo) -> None:
    sessions, case = demo.installation.session, sample.PETITION_CASE_SLUG
    stopping.close_case(sessions, case, sample.OUTCOME)
    with sessions() as session:
        news = outcome_news.write(session, case)
    for each in news:
        sent, where = send(demo, each.slug, is_loaded=True)
        reached = sent.states[DeliveryState.SENT]
        demo.say(f'5. Closed case "{case}", and told the {reached:,} who signed how it ended. {where}')


# --- who acts -------------------------------------------------------------------------------------------------------


def _who_act(session: Session, campaign: Campaign, kind: ActKind, most: int) -> Sequence[tuple[Subscriber, Act]]:
    """Have two in three of those who got a campaign act on it."""
    got = (Delivery.campaign_id == campaign.id, Delivery.state == DeliveryState.SENT)
    people = select(Subscriber).join(Delivery, Delivery.subscriber_id == Subscriber.id).where(*got)
    found = session.scalars(people.order_by(Subscriber.id)).all()
    acting = [person for number, person in enumerate(found) if number % 3][:most]
    said = ((person, _act(session, campaign, kind, person)) for person in acting)
    return [(person, act) for person, act in said if act is not None]


def _act(session: Session, campaign: Campaign, kind: ActKind, person: Subscriber) -> Act | None:
    return acts.add(
        session, campaign, kind, person, language=person.language or "en", words=_WORDS[kind], method=_METHOD
    )


def _name(session: Session, campaign: Campaign, person: Subscriber, act: Act) -> bool:
    """Keep the name of somebody who signed, to be shown and handed over, unless they live at home."""
    if person.name is None or not petitions.may_be_named(campaign, person.country):
        return False
    said = Name(person.name, None)
    signatures.add(session, act, said, shown_words=_TO_NAME, handed_over_words=_TO_NAME, language="en", method=_METHOD)
    return True


# --- to look around -------------------------------------------------------------------------------------------------


def pages(installation: Installation) -> Iterator[tuple[str, str]]:
    """Pages that show what was done: what each has, and its address."""
    site = Pages(installation.settings.base_url)
    yield "The petition, which has ended", site.campaign(_PETITION)
