"""Looks for a message that recognition raises at, or takes long for. `test_fuzzing.py` runs it, with atheris.

Each input is the envelope's sender and recipient, each up to the end of a line, and then the message.
"""

import sys
import time

import atheris

with atheris.instrument_imports(include=["mailer.mail.feedback", "mailer.inbound"]):
    from mailer.inbound import explaining
    from mailer.mail.feedback import recognition

from tests.inbound.test_explaining import EXPECTED, OWN, sample

_SECONDS = 2.0


def look_at(given: bytes) -> None:
    """Have one message recognised.

    :raises AssertionError: it took too long.
    """
    sender, _, rest = given.partition(b"\n")
    recipient, _, message = rest.partition(b"\n")
    began = time.process_time()
    found = recognition.read(
        message, lookup=OWN, recipient=recipient.decode("utf-8", "replace"), sender=sender.decode("utf-8", "replace")
    )
    explaining.as_json(found)
    assert time.process_time() - began < _SECONDS, "it took too long"


if __name__ == "__main__":
    for name in EXPECTED:  # what is read once, as the words of mail servers, is no fault of a message
        recognition.read(sample(name), lookup=OWN)
    atheris.Setup(sys.argv, look_at)
    atheris.Fuzz()
