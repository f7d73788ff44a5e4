"""A supply for the wire that remembers everything and checks what it is told."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mailer.mail.types import Outcome, OutcomeKind, Outgoing


@dataclass
class Desk:
    """A supply that remembers everything and checks what it is told."""

    messages: list[Outgoing]
    may_begin: Callable[[Outgoing], bool] = lambda _: True
    on_note: Callable[[Outcome], None] = lambda _: None
    is_halted: Callable[[], bool] = lambda: False
    begun: list[int] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    most_unanswered: int = 0

    def __post_init__(self) -> None:
        self.offer_the_rest()

    def offer_the_rest(self) -> None:
        """Offer what has neither an Outcome nor was withdrawn, as after an error of the pipeline's."""
        done = {*self.outcomes, *self.withdrawn, *self.begun}
        self._pending = deque(message for message in self.messages if message.id not in done)

    def take(self, *, wait: bool) -> Outgoing | None:
        return self._pending.popleft() if self._pending else None

    @property
    def exhausted(self) -> bool:
        return self.is_halted() or not self._pending

    @property
    def halted(self) -> bool:
        return self.is_halted()

    def pulse(self) -> None:
        pass

    def begin(self, message: Outgoing) -> bool:
        assert message.id not in self.begun, "begun twice"
        if not self.may_begin(message):
            self.withdrawn.append(message.id)
            return False
        self.begun.append(message.id)
        self.most_unanswered = max(self.most_unanswered, len(self.unanswered))
        return True

    def note(self, outcome: Outcome) -> None:
        assert outcome.id not in self.outcomes, "two outcomes"
        self.outcomes[outcome.id] = outcome
        self.on_note(outcome)

    @property
    def unanswered(self) -> set[int]:
        return set(self.begun) - set(self.outcomes)

    @property
    def kinds(self) -> list[OutcomeKind | None]:
        """In the order of the messages; None for one without an Outcome."""
        found = [self.outcomes.get(message.id) for message in self.messages]
        return [None if outcome is None else outcome.kind for outcome in found]
