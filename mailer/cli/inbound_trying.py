"""`mailer inbound try`: whether mail to our own addresses comes in."""

import sys
import time

import click

from mailer.cli.installation import Installation, pass_installation
from mailer.errors import ConfigurationError
from mailer.inbound import trying
from mailer.inbound.acting import Source
from mailer.store.db import utcnow

_LOOK_SECONDS = 0.5


@click.command("try")
@click.option(
    "--wait",
    "seconds",
    metavar="SECONDS",
    type=click.IntRange(1, 3600),
    default=150,
    show_default=True,
    help="How long to wait for each mail.",
)
@pass_installation
def try_(installation: Installation, seconds: int) -> None:
    """Send a mail to the bounce address and one to the unsubscribe address, and wait until they have come in.

    They go out through the mail server of MAILER_SMTP_URL, and come in as any other mail: through the MX, and the
    listener, the pipe or the mailbox. Nothing follows from them for anybody.

    Exit codes: 0 each came in, 1 one did not in that time.
    """
    settings = installation.settings
    server, sender = settings.smtp, settings.mail_sender
    tried = {
        "MAILER_BOUNCE_ADDRESS": settings.bounce_address,
        "MAILER_UNSUBSCRIBE_ADDRESS": settings.unsubscribe_address,
    }
    if not any(tried.values()):
        raise ConfigurationError(
            "MAILER_BOUNCE_ADDRESS", "is not set, nor MAILER_UNSUBSCRIBE_ADDRESS", "bounce+{token}@in.example.org"
        )
    sent: dict[str, tuple[int, float]] = {}
    for variable, address in tried.items():
        if address is None:
            click.echo(f"{variable} is not set: not tried.")
            continue
        number, message = trying.make(settings.keyring, sender, address, at=utcnow())
        trying.send(server, message)
        sent[variable] = number, time.monotonic()
        click.echo(f"{variable}: {server} took a mail to {address}.")
    click.echo("Waiting until it comes in…" if len(sent) == 1 else "Waiting until both come in…")
    came = [_has_come(installation, variable, number, began, seconds) for variable, (number, began) in sent.items()]
    if not all(came):
        sys.exit(1)


def _has_come(installation: Installation, variable: str, number: int, began: float, seconds: int) -> bool:
    """Wait for a mail, and say what became of it."""
    source = _wait(installation, number, began + seconds)
    if source is not None:
        click.echo(f"{variable}: it came in within {time.monotonic() - began:.1f} s, by {source.value}.")
        return True
    click.echo(
        f"{variable}: it did not come in within {seconds} s. Look for it in the log and the queue of your mail server "
        "(mailq), then in the log of mailer inbound. Does mailer doctor say anything of that domain?",
        err=True,
    )
    return False


def _wait(installation: Installation, number: int, until: float) -> Source | None:
    while True:
        with installation.session(read_only=True) as session:  # on SQLite, others write meanwhile
            source = trying.came_by(session, number)
        if source is not None:
            with installation.session() as session:
                trying.forget(session, number)
            return source
        if time.monotonic() >= until:
            return None
        time.sleep(_LOOK_SECONDS)
