"""What must hold of a campaign after any fault: the ledger against what the mail server itself received."""

from collections import Counter
from typing import Any

from tests.acceptance.system import System

_NOT_SENT = ("pending", "deferred", "skipped", "failed")


def require_exact(system: System, slug: str, *, unknown_at_most: int) -> dict[str, Any]:
    """Insist that every state is true of what was received, and that nobody received more than one message.

    For a campaign of which nothing was resent, while no worker is at it.

    :param unknown_at_most: how many may be unknown.
    :returns: its status.
    """
    status = system.status(slug)  # insists that the states add up to the audience
    received = Counter(message.message_id for message in list(system.server.received))
    assert max(received.values(), default=1) == 1, "somebody received two"
    assert max(system.server.copies().values(), default=1) == 1, "somebody received two"
    sent = _message_ids(system, slug, "sent")
    assert sent <= received.keys(), f"{len(sent - received.keys())} are sent and were not received"
    for state in _NOT_SENT:
        wrong = _message_ids(system, slug, state) & received.keys()
        assert not wrong, f"{len(wrong)} are {state} and were received"
    assert status["states"]["unknown"] <= unknown_at_most
    return status


def _message_ids(system: System, slug: str, state: str) -> set[str]:
    return {row["message_id"] for row in system.recipients(slug, state)}


def require_completion(system: System, slug: str, *, resend: str = "unknown", seconds: float = 60) -> None:
    """Have a person resend what is unknown, and insist that then everybody has it, under one Message-ID.

    :param resend: the state to resend.
    """
    if system.status(slug)["states"][resend]:
        system.mailer("campaigns", "resend", slug, "--state", resend)
    status = system.wait_until_sent(slug, seconds=seconds)
    assert status["states"]["sent"] == status["audience"] == len(system.server.copies())
    ids = {(message.recipient, message.message_id) for message in system.server.received}
    assert len(ids) == status["audience"]  # what went out twice did so under the same Message-ID
