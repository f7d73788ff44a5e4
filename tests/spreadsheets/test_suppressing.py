"""Exports of other programs are taken by both commands: who left is kept off, and who wants mail is put on the list."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from mailer.mail import addresses
from mailer.people import suppression
from mailer.spreadsheets import importing, suppressing
from mailer.spreadsheets.programs import Standing
from mailer.store.crypto import keyring_of
from mailer.store.db import session_scope
from mailer.store.models import Subscriber, Suppression, SuppressionReason
from tests.spreadsheets.test_standings import FORMS
from tests.support.factories import make_list

_NAMES = ("ana", "ben", "bea", "cem", "dan", "eva")


@pytest.mark.parametrize("program", FORMS)
def test_one_export_is_taken_by_both_commands(engine: Engine, tmp_path: Path, program: str) -> None:
    content, standings = FORMS[program]
    path = tmp_path / "export.csv"
    path.write_text(content, encoding="utf-8")
    with session_scope(engine) as session:
        make_list(session)
    report = suppressing.import_file(engine, path, reason=SuppressionReason.LEFT)
    out = [each for each in standings if each is not None and each is not Standing.OUTSIDE]
    assert (report.added, report.wanted, report.rejected) == (len(out), len(standings) - len(out), 0)
    with session_scope(engine, read_only=True) as session:
        reasons = []
        for name, _ in zip(_NAMES, standings, strict=False):
            index = keyring_of(session).blind_index(addresses.parse(f"{name}@example.org").folded)
            found = suppression.reason(session, index)
            reasons.append(found.value if found else None)
    assert reasons == [each.value if each in out and each else None for each in standings]
    done = importing.import_file(engine, path, list_slug="urgent-actions", consent="Yes.")
    assert (done.created, done.left_elsewhere) == (1, len(standings) - 1)
    with session_scope(engine, read_only=True) as session:
        assert session.scalars(select(Subscriber.email)).all() == ["ana@example.org"]


def test_many_addresses_are_taken_in_a_few_statements_each_once(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("email\n" + "".join(f"P{number % 1500}@example.org\n" for number in range(2500)))
    report = suppressing.import_file(engine, path, reason=SuppressionReason.BOUNCED)
    assert (report.read, report.added, report.unchanged, report.changed) == (2500, 1500, 1000, 0)
    with session_scope(engine, read_only=True) as session:
        assert len(session.scalars(select(Suppression.month)).all()) == 1500
