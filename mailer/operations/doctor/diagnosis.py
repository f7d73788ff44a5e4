"""Which checks an installation gets, by its settings, and what they came to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, make_url

from mailer.errors import ConfigurationError
from mailer.mail.dkim import Signer
from mailer.mail.lookups import Lookup
from mailer.mail.mailboxes.types import ImapFolder
from mailer.mail.smtp import Server
from mailer.mail.smtp_taking import Dialect
from mailer.operations import checks
from mailer.operations.doctor import domains, findings, hooks, listener, machine, mailbox, outgoing, relay, rounds
from mailer.operations.doctor.domains import Mailboxes
from mailer.operations.doctor.findings import Finding, Level
from mailer.operations.doctor.rounds import Check, Checked, Seen
from mailer.operations.mailboxes import secret_of
from mailer.settings import Settings

T = TypeVar("T")

SECONDS = 25.0  # for all checks together
#: for all questions to the DNS together: a little less, so that each says itself what it did not learn
DNS_SECONDS = 20.0
_REDIS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, in order."""

    checked: tuple[Checked, ...]

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong or could not be looked at, the worst first."""
        found = [finding for each in self.checked for finding in each.seen.findings]
        return sorted(found, key=lambda finding: list(Level).index(finding.level))

    @property
    def exit_code(self) -> int:
        """0: nothing found; 1: something is wrong; 3: nothing is, as far as could be seen, which is not all."""
        levels = {finding.level for finding in self.findings}
        return 1 if levels - {Level.UNKNOWN} else 3 if levels else 0

    def to_json(self) -> dict[str, Any]:
        """As `doctor --json` prints it."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "checks": [
                {"name": each.name, "says": each.seen.says, "codes": [finding.code for finding in each.seen.findings]}
                for each in self.checked
            ],
        }


def of_unusable_settings(problem: ConfigurationError) -> Diagnosis:
    """What is to be said where the settings cannot be read: nothing else can be looked at then."""
    return Diagnosis((Checked("settings", Seen(findings=(findings.from_settings(checks.wrong_setting(problem)),))),))


def examine(
    settings: Settings,
    open_engine: Callable[[], Engine],
    look_up: Lookup,
    *,
    own_address: Callable[[], str | None],
    seconds: float = SECONDS,
) -> Diagnosis:
    """Look at everything at the same time. Ends in time, sends no mail, and changes nothing.

    :param open_engine: makes the engine of the database; nothing is connected yet.
    :param look_up: asks the DNS.
    :param own_address: this machine's address towards the world.
    """
    wrong: list[Finding] = []
    signer = _usable(lambda: settings.signer, wrong)
    server = _usable(lambda: settings.smtp, wrong)
    planned = [
        *_of_this_machine(settings, open_engine, wrong),
        *([Check("mail server", partial(relay.look, server))] if server else []),
        *_of_mailbox(settings, wrong),
        *_of_listener(settings),
        *_of_domains(settings, signer, server, look_up, own_address),
    ]
    about_settings = _each_once([*wrong, *map(findings.from_settings, checks.of_settings(settings))])
    own = Checked("settings", Seen("" if about_settings else "complete", about_settings))
    return Diagnosis((own, *rounds.run(planned, seconds=seconds)))


def _each_once(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(found))


def _usable(read: Callable[[], T], wrong: list[Finding]) -> T | None:
    try:
        return read()
    except ConfigurationError as problem:
        wrong.append(findings.from_settings(checks.wrong_setting(problem)))
        return None


def _of_this_machine(settings: Settings, open_engine: Callable[[], Engine], wrong: list[Finding]) -> Iterator[Check]:
    url = make_url(settings.database_url)
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    yield Check("disk", partial(machine.look_at_disk, settings.data_dir, file))
    if _usable(lambda: settings.keyring, wrong):
        yield Check("keys", partial(machine.look_at_keys, settings.advice_on_keys))
        yield Check("database", partial(machine.look_at_database, open_engine()))
        if settings.hooks.providers:
            bounces = settings.bounce_address
            yield Check("webhooks", partial(hooks.look, settings.hooks, open_engine(), bounce_address=bounces))
    if redis_url := _usable(lambda: settings.redis_url, wrong):
        from mailer.operations import queue  # here: RQ takes longer to load than most checks take

        connection = queue.connect(redis_url, answer_seconds=_REDIS_SECONDS)
        yield Check("Redis", partial(machine.look_at_redis, connection))


def _of_mailbox(settings: Settings, wrong: list[Finding]) -> Iterator[Check]:
    place = settings.inbound_mailbox
    if isinstance(place, ImapFolder):
        if secret := _usable(lambda: secret_of(settings, place), wrong):
            yield Check("mailbox", partial(mailbox.look, (place, secret)))
    elif place is not None:
        yield Check("mailbox", partial(mailbox.look, place))


def _of_listener(settings: Settings) -> Iterator[Check]:
    own_address = settings.bounce_address or settings.unsubscribe_address
    address = own_address.replace("{token}", "0" * 40) if own_address else None  # it goes by the form of a token
    for dialect, place in ((Dialect.LMTP, settings.inbound_lmtp), (Dialect.SMTP, settings.inbound_smtp)):
        if place is not None:
            yield Check(f"listener ({dialect.name})", partial(listener.look, place, dialect, address))


def _of_domains(
    settings: Settings,
    signer: Signer | None,
    server: Server | None,
    look_up: Lookup,
    own_address: Callable[[], str | None],
) -> Iterator[Check]:
    boxes = mailboxes(settings)
    if boxes is None:
        return
    for domain, variables in boxes.inbound.items():
        if domains.is_reserved(domain):
            yield Check(f"mail to {domain}", partial(domains.look_at_reserved, domain, variables))
        else:
            yield Check(f"mail to {domain}", partial(domains.look_at_exchanges, domain, variables, look_up))
    if domains.is_reserved(boxes.author):
        return
    if signer:
        yield Check("DKIM", partial(domains.look_at_keys, signer, look_up))
    elif not (settings.dkim_domain or settings.dkim_selectors or settings.dkim_key_file):
        yield Check("DKIM", partial(domains.unsigned, boxes.author))
    yield Check("DMARC", partial(domains.look_at_dmarc, boxes, signer, look_up))
    known = partial(_outgoing, server, boxes.author, look_up, own_address)
    variable = "MAILER_BOUNCE_ADDRESS" if settings.bounce_address else "MAILER_SENDER"
    yield Check("SPF", partial(domains.look_at_spf, boxes.envelope, known, look_up, variable=variable))
    yield Check("reverse DNS", partial(domains.look_at_names, known, look_up))


def _outgoing(
    server: Server | None, domain: str, look_up: Lookup, own_address: Callable[[], str | None]
) -> outgoing.Outgoing:
    if server is None:
        return outgoing.Outgoing(why_not="no mail server is set")
    return outgoing.find(server, domain, look_up, own_address=own_address)


def mailboxes(settings: Settings) -> Mailboxes | None:
    """The domains of the addresses that are set; None without a sender."""
    written: Sequence[tuple[str, str | None]] = (
        ("MAILER_SENDER", settings.sender),
        ("MAILER_REPLY_TO", settings.reply_to),
        ("MAILER_FORWARD_REPLIES_TO", settings.forward_replies_to),
        ("MAILER_BOUNCE_ADDRESS", settings.bounce_address),
        ("MAILER_UNSUBSCRIBE_ADDRESS", settings.unsubscribe_address),
    )
    by_domain: dict[str, list[str]] = {}
    for variable, address in written:
        if domain := _domain_of(address):
            by_domain.setdefault(domain, []).append(variable)
    author = _domain_of(settings.sender)
    if not author:
        return None
    return Mailboxes(author, _domain_of(settings.bounce_address) or author, by_domain)


def _domain_of(address: str | None) -> str:
    return parseaddr(address or "")[1].rpartition("@")[2].lower()
