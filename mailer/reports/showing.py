"""What is shown of a campaign's figures, and to whom: to those who see campaigns the whole exactly, since they mail
these people; to all others without small numbers, and without what would give one away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.people.small_numbers import hide_one, hide_small
from mailer.reports.figures import Answer, Figures, Sending, Unit
from mailer.store.models import DeliveryState

#: in the order of `Departures`, but for those who left after they got it, whose number is part of no other
_DURING = ("before", "suppressed", "erased")


@dataclass(frozen=True, slots=True)
class Shown:
    """Numbers to show; None is one that is hidden. Spreads and domains are the same for everybody: see `Sending`."""

    audience: int | None  # None too where the states would give a hidden one away
    states: Mapping[DeliveryState, int | None]
    unit: Unit
    slots: Sequence[tuple[datetime, int | None]]
    departures: Mapping[str, int | None]  # by the names of `Departures`
    answers: Sequence[tuple[Answer, int | None]]


def show(figures: Figures, *, is_exact: bool) -> Shown:
    """What somebody is shown.

    :param is_exact: whether they may see small numbers of the whole campaign.
    """
    sending, gone = figures.sending, figures.departures
    states = {state: sending.states[state] if is_exact else hide_one(sending.states[state]) for state in DeliveryState}
    by_slot = {start.isoformat(): number for start, number in sending.timeline.slots}
    slots = by_slot if is_exact else hide_small(by_slot)
    left: dict[str, int | None] = {"after": gone.after if is_exact else hide_one(gone.after)}
    during = {name: getattr(gone, name) for name in _DURING}
    left |= during if is_exact else {name: hide_small(during)[name] for name in _DURING}
    return Shown(
        audience=None if None in states.values() else sum(sending.states.values()),
        states=states,
        unit=sending.timeline.unit,
        slots=[(start, slots[start.isoformat()]) for start, _ in sending.timeline.slots],
        departures=left,
        answers=_answers(sending, is_exact=is_exact),
    )


def _answers(sending: Sending, *, is_exact: bool) -> list[tuple[Answer, int | None]]:
    kinds = {f"{place}": each.count for place, each in enumerate(sending.answers)}
    shown = kinds if is_exact else hide_small(kinds)
    return [(sending.answers[int(place)], number) for place, number in shown.items()]
