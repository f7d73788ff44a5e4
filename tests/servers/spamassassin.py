"""Debian's SpamAssassin, with the rules of its package, and without the network."""

import os
import re
import subprocess
from collections.abc import Mapping
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

from mailer.store.db import utcnow
from tests.support import debian

_ARGUMENTS = (
    "--local",
    "--configpath=/usr/share/spamassassin",  # the rules as they were packaged, whatever an update has fetched since
    "--nocreate-prefs",
    "--prefspath=/dev/null",
    "--cf=report_safe 0",
    "--cf=fold_headers 0",
    "--cf=clear_headers",
    "--cf=add_header all Scored _HEADER(X-Case)_ _TESTSSCORES(,)_",
)
_SCORED = re.compile(r"^X-Spam-Scored: (\d+) +(\S+)", re.MULTILINE)


class Verdict(NamedTuple):
    """What SpamAssassin says of a mail."""

    rules: Mapping[str, float]  # those that fit → points

    @property
    def cost(self) -> float:
        """All that was held against it. What speaks for it, as the headers of a list do, makes up for nothing."""
        return sum(points for points in self.rules.values() if points > 0)

    def __str__(self) -> str:
        dearest_first = sorted(self.rules.items(), key=lambda rule: -rule[1])
        return f"{self.cost:.1f}: " + ", ".join(f"{name} {points:g}" for name, points in dearest_first)


def version() -> str:
    """Such as "SpamAssassin version 4.0.1"."""
    return _run("--version").partition("\n")[0]


def envelope(message_id: str) -> bytes:
    """The headers that a mail program adds to a draft."""
    return (
        f"From: Bo Example <bo@example.org>\r\nTo: ana@example.net\r\nDate: {format_datetime(utcnow())}\r\n"
        f"Message-ID: <{message_id}>\r\n"
    ).encode()


def judge(mails: Mapping[str, bytes], folder: Path) -> dict[str, Verdict]:
    """What it says of each mail, as it comes to another's server from ours.

    :param folder: for files.
    """
    received = (
        "Received: from relay.example.org (relay.example.org [198.18.0.7]) by mx.example.net (Postfix) with ESMTPS\r\n"
        f"\tid 4F2A1C3 for <ana@example.net>; {format_datetime(utcnow())}\r\n"
    )
    cases = {str(number): case for number, case in enumerate(mails)}
    written = [folder / f"{number}.eml" for number in cases]
    for number, path in zip(cases, written, strict=True):
        path.write_bytes(f"{received}X-Case: {number}\r\n".encode() + mails[cases[number]])
    found = {cases[number]: _verdict(rules) for number, rules in _SCORED.findall(_run(*_ARGUMENTS, *written))}
    assert found.keys() == mails.keys()
    return {case: found[case] for case in mails}


def _verdict(said: str) -> Verdict:
    rules = (rule.partition("=") for rule in said.split(","))
    return Verdict({name: float(points) for name, _, points in rules if points})


def _run(*arguments: str | Path) -> str:
    program = debian.program("spamassassin", package="spamassassin")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    return done.stdout.decode(errors="replace")
