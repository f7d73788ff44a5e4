"""What several tests of the delivery need."""

import pytest

from mailer.delivery import ledger
from tests.support.ledger import by_id


@pytest.fixture
def unshuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of a claim go out in the order of their ids, for a test that must know who is next."""
    monkeypatch.setattr(ledger, "shuffle", by_id)
