"""What several tests of the delivery need."""

import pytest

from mailer.delivery import ledger
from mailer.delivery.ledger import Claimed


@pytest.fixture
def unshuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of a claim go out in the order of their ids, for a test that must know who is next."""

    def by_id(claimed: list[Claimed]) -> None:
        claimed.sort(key=lambda delivery: delivery.id)

    monkeypatch.setattr(ledger, "shuffle", by_id)
