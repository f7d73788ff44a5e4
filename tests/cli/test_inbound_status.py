"""`mailer inbound status` says how much could not be read, and why."""

import json

import pytest
from sqlalchemy.orm import Session

from mailer.mail.feedback.types import Kind
from mailer.people import returned
from mailer.store.db import utctoday
from tests.conftest import CommandLine

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def test_it_says_how_much_could_not_be_read(cli: CommandLine, session: Session) -> None:
    returned.count(session, Kind.UNREADABLE, on=utctoday(), number=1_200)
    session.commit()
    assert "1,200" in cli("inbound", "status").output
    found = json.loads(cli("inbound", "status", "--json").output)["unread"]
    this, last = found.values()
    assert this == {"no message": 1_200, "not ours": 0, "no reason": 0, "forged": 0, "other": 0}
    assert set(last.values()) == {0}
