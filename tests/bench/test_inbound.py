"""Mail that comes back is taken in and does what it should while it is measured."""

from collections import Counter
from pathlib import Path

from sqlalchemy import select

from mailer.bench import inbound, installation, table
from mailer.mail.feedback.types import Effect, Kind
from mailer.store.db import session_scope, utcnow
from mailer.store.models import MailEvent


def test_each_kind_of_message_is_measured_doing_what_it_does(tmp_path: Path) -> None:
    measured = installation.make(tmp_path, people=inbound.people(each=2))
    found = inbound.measure(measured, "sqlite", each=2)
    assert [len(kind.seconds) for kind in found.kinds] == [2] * 7
    with measured.engine() as engine, session_scope(engine) as session:
        rows = session.execute(select(MailEvent.kind, MailEvent.effect))
        events = Counter((kind, effect) for kind, effect in rows)
    assert events == {
        (Kind.BOUNCE, Effect.SUPPRESS): 4,
        (Kind.BOUNCE, Effect.COUNT): 2,
        (Kind.COMPLAINT, Effect.SUPPRESS): 2,
        (Kind.UNSUBSCRIBE, Effect.LEAVE): 2,
        (Kind.AUTO_REPLY, Effect.NONE): 2,
        (Kind.REPLY, Effect.NONE): 2,
    }
    written = table.markdown([], taken=[found], today=utcnow().date())
    assert written.count("| sqlite |") == 8
    assert found.slowest_of in written
