"""What `mailer inbound --explain` says of a message: what it is, how that is known, and what would follow."""

from collections.abc import Iterator
from typing import Any

from mailer.mail.feedback.types import Category, Effect, Fate, Feedback, Identified, Kind

_KINDS = {
    Kind.UNSUBSCRIBE: "Somebody wants to leave.",
    Kind.FORGED: "It was sent to an address to leave, but nobody of us signed what stands in that address.",
    Kind.COMPLAINT: "A provider reports that somebody called our mail spam.",
    Kind.REPORT: "A machine reports on our signatures. Nobody complained.",
    Kind.BOUNCE: "Our mail was not delivered.",
    Kind.DELAYED: "Our mail is not delivered yet. The server goes on trying.",
    Kind.DELIVERED: "A server reports that our mail arrived.",
    Kind.AUTO_REPLY: "A program answered. The mail arrived.",
    Kind.REPLY: "A person wrote it.",
    Kind.OTHER: "It is nothing that we act on.",
    Kind.UNREADABLE: "It is no message.",
}
#: why a mail came back, in the middle of a sentence
CATEGORIES = {
    Category.NO_MAILBOX: "nobody has that address",
    Category.NO_DOMAIN: "the domain of the address does not exist, or takes no mail",
    Category.DISABLED: "the mailbox is locked or unused",
    Category.FULL: "the mailbox is full",
    Category.TEMPORARY: "the server gave up after trying for long",
    Category.UNDETERMINED: "the server does not say why",
    Category.RATE: "there was too much mail in too short a time",
    Category.POLICY: "a blocklist or a rule of the server refused it",
    Category.CONTENT: "of what the mail says or carries",
    Category.AUTH: "of our signatures, or of the names of our server",
    Category.SIZE: "the mail is too large",
    Category.RELAY: "the server takes no mail for that domain",
    Category.US: "of our own sender's address or account",
}
_PROOFS = {
    Identified.ENVELOPE: "by the address that the message came to",
    Identified.RETURNED: "by the mail that it gives back",
    Identified.MESSAGE_ID: "by the Message-ID of our mail",
}
_EFFECTS = {
    Effect.SUPPRESS: "The address would get no more mail, at once.",
    Effect.COUNT: "It would count. Some such together end the mail to that address.",
    Effect.LEAVE: "That subscription would end.",
    Effect.FORWARD: "It would go on to the address in MAILER_FORWARD_REPLIES_TO, if not too many have today.",
    Effect.NONE: "Nothing would follow for anybody.",
}
_READ_BY_NOBODY = "It would be counted, and read by nobody: MAILER_FORWARD_REPLIES_TO does not say to whom it could go."
_LEAVES_ALL = "All subscriptions of that person would end, and the address would get no more mail."


def as_json(feedback: Feedback) -> dict[str, Any]:
    """What was found, for programs; docs/reference/inbound.md explains each field."""
    meaning = feedback.meaning
    return {
        "kind": feedback.kind.value,
        "permanent": _is_permanent(feedback),
        "category": feedback.category.value if feedback.category else None,
        "status": meaning.status if meaning else None,
        "recipients": [*map(_fate_as_json, feedback.recipients), *map(_named_as_json, feedback.addresses)],
        "delivery": feedback.delivery,
        "subscription": feedback.subscription,
        "identified_by": feedback.identified_by.value,
        "effect": feedback.effect.value,
        "rule": feedback.rule,
    }


def sentences(feedback: Feedback, *, goes_on: bool) -> Iterator[str]:
    """What was found, for people.

    :param goes_on: whether somebody is named whom answers go to.
    """
    yield _KINDS[feedback.kind]
    meaning = feedback.meaning
    if meaning is not None and feedback.kind is Kind.BOUNCE:
        code = f" ({meaning.status})" if meaning.status else ""
        yield f"The reason: {CATEGORIES[meaning.category]}{code}."
    named = [fate.address for fate in feedback.recipients if fate.address] or list(feedback.addresses)
    if named:
        yield f"It names: {', '.join(named)}."
    yield f"How we know: {feedback.rule}."
    if feedback.subscription is not None:
        yield f"It is about subscription {feedback.subscription}, known {_PROOFS[feedback.identified_by]}."
    elif feedback.delivery is not None:
        yield f"It is about delivery {feedback.delivery}, known {_PROOFS[feedback.identified_by]}."
    else:
        yield "It holds nothing that we signed, so it acts on nobody."
    if feedback.is_unproven:
        yield "Only what it answers says so. Everybody can write that who got an answer, so it acts on nobody."
    if feedback.effect is Effect.FORWARD and not goes_on:
        yield _READ_BY_NOBODY
    else:
        yield _LEAVES_ALL if feedback.leaves_all else _EFFECTS[feedback.effect]


def _is_permanent(feedback: Feedback) -> bool | None:
    if feedback.meaning is None or feedback.kind not in (Kind.BOUNCE, Kind.DELAYED):
        return None
    return feedback.kind is Kind.BOUNCE and feedback.meaning.category.permanent


def _fate_as_json(fate: Fate) -> dict[str, Any]:
    return {
        "address": fate.address,
        "original": fate.original,
        "final": fate.final,
        "status": fate.meaning.status,
        "permanent": fate.has_failed and fate.meaning.category.permanent,
        "category": fate.meaning.category.value if fate.has_failed else None,
        "action": fate.action or "failed",
    }


def _named_as_json(address: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("original", "final", "status", "permanent", "category", "action"))
    return {"address": address, **nothing}
