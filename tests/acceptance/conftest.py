"""A whole installation for each test, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.trial import sample
from tests.acceptance.own_valkey import OwnValkey
from tests.acceptance.system import CONNECTIONS, LEASE_SECONDS, System
from tests.support.mail_server import MailServer


@pytest.fixture
def system(
    environment: dict[str, str],
    valkey_url: str,
    server: MailServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[System]:
    """An installation without a worker yet, its leases a second long."""
    monkeypatch.chdir(tmp_path)  # away from any .env
    changed = {
        "MAILER_REDIS_URL": valkey_url,
        "MAILER_SMTP_URL": server.url,
        "MAILER_LEASE_SECONDS": str(LEASE_SECONDS),
        "MAILER_SMTP_CONNECTIONS": str(CONNECTIONS),
    }
    system = System(environment | changed, server, tmp_path)
    yield system
    system.stop()


@pytest.fixture
def loaded(system: System, tmp_path: Path) -> Callable[[int], str]:
    """Imports so many sample supporters and loads the sample campaign; returns its slug."""

    def load(supporters: int) -> str:
        table = tmp_path / "supporters.csv"
        sample.write_supporters(table, supporters)
        system.mailer("lists", "create", sample.LIST_SLUG, "--name", sample.LIST_NAME)
        for union in sample.unions():
            options = (*(("--country", union.country) if union.country else ()),)
            parent = (*(("--parent", union.parent) if union.parent else ()),)
            system.mailer("unions", "add", union.slug, "--name", union.name, *options, *parent)
        consent = ("--consent", sample.CONSENT, "--union-consent", sample.UNION_CONSENT)
        system.mailer("subscribers", "import", table, "--list", sample.LIST_SLUG, *consent)
        sample.copy_files(tmp_path / "sample", datetime.now(UTC).date())
        system.mailer("cases", "load", tmp_path / "sample" / "cases" / sample.CASE_SLUG)
        system.mailer("targets", "import", tmp_path / "sample" / sample.TARGETS)
        system.mailer("campaigns", "load", tmp_path / "sample" / "campaigns" / sample.CAMPAIGN_DIR.name)
        return sample.CAMPAIGN_DIR.name

    return load


@pytest.fixture
def campaign(system: System, tmp_path: Path) -> Callable[[int | Sequence[str]], str]:
    """Imports so many people, or these addresses, and loads a campaign to all of them; returns its slug."""

    def make(people: int | Sequence[str]) -> str:
        addresses = [f"p{number}@example.net" for number in range(people)] if isinstance(people, int) else people
        table = tmp_path / "people.csv"
        table.write_text("\n".join(["email", *addresses, ""]))
        system.mailer("lists", "create", "news", "--name", "News")
        system.mailer("subscribers", "import", table, "--list", "news", "--consent", "Yes, write to me.")
        return load_alert(system, tmp_path / "first-alert")

    return make


def load_alert(system: System, folder: Path) -> str:
    """Load a campaign of a few words to all on that list; returns its slug.

    :param folder: a new one, which the slug is taken from.
    """
    folder.mkdir()
    settings = 'kind = "urgent_action"\nlist = "news"\nlanguage = "en"\nabout = "none"\n'
    (folder / "campaign.toml").write_text(settings)
    (folder / "en.md").write_text(
        '+++\nsubject = "Write today"\npreheader = "Five dockers are in prison for a strike: write today."\n+++\n'
        "Dear {{ name or 'supporter' }}, write to the embassy.\n"
    )
    system.mailer("campaigns", "load", folder)
    return folder.name


@pytest.fixture
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnValkey]:
    """A Valkey that a test may kill."""
    with ExitStack() as stack:
        yield OwnValkey(tmp_path_factory.mktemp("v"), stack)
