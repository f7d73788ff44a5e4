"""A message without a token that we signed for that purpose acts on nobody, however it is made."""

import random
from collections.abc import Iterator

import pytest

from mailer import links
from mailer.inbound import receiving
from mailer.links import Link
from mailer.mail.feedback.types import Effect
from tests.inbound.test_explaining import KEYRING, OWN

TRIES = 10_000
_REPORT = (
    "From: MAILER-DAEMON@mx.example.net\nTo: {to}\nSubject: failure\n"
    "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ana@example.net\n"
    "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n"
)
_WISH = "From: ana@example.net\nTo: {to}\nSubject: unsubscribe\n\nunsubscribe\n"


def _tokens(purpose: Link, seed: random.Random) -> Iterator[str]:
    """What is no token for a purpose: by chance, one of ours with a digit changed, and one of ours for another."""
    others = [other for other in Link if other is not purpose]
    for number in range(TRIES):
        whose = seed.randrange(1, 2**32)
        ours = links.sign(KEYRING, purpose, whose)
        place = seed.randrange(len(ours))
        changed = seed.choice([digit for digit in "0123456789abcdef" if digit != ours[place]])
        yield (
            seed.randbytes(20).hex(),
            f"{ours[:place]}{changed}{ours[place + 1 :]}",
            links.sign(KEYRING, seed.choice(others), whose),
        )[number % 3]


@pytest.mark.parametrize(
    ("purpose", "address", "message", "effect"),
    [
        (Link.BOUNCE, "bounce+{}@in.example.org", _REPORT, Effect.SUPPRESS),
        (Link.UNSUBSCRIBE, "leave+{}@in.example.org", _WISH, Effect.LEAVE),
    ],
    ids=["bounce", "leave"],
)
def test_in_ten_thousand_tries_nobody_is_found_without_a_token_of_ours(
    purpose: Link, address: str, message: str, effect: Effect
) -> None:
    seed = random.Random(16)
    for token in _tokens(purpose, seed):
        to = address.format(token)
        found = receiving.recognise(message.format(to=to).encode(), addresses=OWN, recipient=to)
        assert (found.delivery, found.subscription) == (None, None), token
        assert found.effect in (Effect.NONE, Effect.FORWARD), token
    ours = address.format(links.sign(KEYRING, purpose, 4711))
    assert receiving.recognise(message.format(to=ours).encode(), addresses=OWN, recipient=ours).effect is effect
