"""`mailer run`: web, worker, Valkey and mail catcher on one machine."""

import errno
import socket
from pathlib import Path

import click

from mailer.cli.hints import typed
from mailer.errors import MailerError
from mailer.links import Pages
from mailer.organisers import accounts
from mailer.people import lists
from mailer.settings import load_settings
from mailer.store.db import open_engine, session_scope
from mailer.trial.processes import Local, alone_in, local_installation

#: what an installation that was told nothing calls itself; links lead to this machine, so nothing real can be sent
SAMPLE_IDENTITY = {
    "MAILER_ORGANISATION": "Harbour Solidarity (sample)",
    "MAILER_SENDER": "Harbour Solidarity <alerts@example.org>",
    "MAILER_POSTAL_ADDRESS": "1 Example Street, Example City",
}

_CHECKOUT = Path(__file__).parents[2]  # where wsgi.py is, wherever the command is run from
_GUNICORN = (
    "gunicorn",
    *("--config", str(_CHECKOUT / "gunicorn.conf.py")),
    *("--pythonpath", str(_CHECKOUT)),
    *("--log-level", "warning"),
)


class PortTaken(MailerError):
    """Port {port} {problem}. Try another one: mailer run --port {another}"""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="The port of the web part, on 127.0.0.1.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many workers send at the same time.",
)
def run(port: int, workers: int) -> None:
    """Run everything on this machine, until Ctrl-C.

    If MAILER_REDIS_URL is not set, it starts its own Valkey. If MAILER_SMTP_URL is not set, it starts a mail catcher,
    which delivers nothing. If MAILER_INBOUND_LMTP or MAILER_INBOUND_SMTP is set, it takes mail there, and fetches
    it if MAILER_INBOUND_URL is.
    """
    defaults = SAMPLE_IDENTITY | {"MAILER_BASE_URL": f"http://127.0.0.1:{port}"}
    try:
        with alone_in(load_settings().make_data_dir()):
            require_free(port)
            with local_installation(defaults) as local:
                _prepare_sample_list(local)
                _start(local, port, workers)
                local.wait()
    except KeyboardInterrupt:
        click.echo("Stopped.")


def require_free(port: int) -> None:
    """:raises PortTaken: another program listens there, or this user may not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn: what was just closed is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            is_taken = problem.errno == errno.EADDRINUSE
            words = "is taken" if is_taken else f"cannot be used: {problem.strerror}"
            raise PortTaken(port=port, problem=words, another=8001 if port != 8001 else 8002) from None


def _prepare_sample_list(local: Local) -> None:
    """Let a newcomer sign up: the sample organisation gets a list, as long as there is none. It leaves the sign-up page
    when there is another, also one of an earlier version."""
    engine = open_engine(local.settings.database_url, local.settings.keyring)
    with session_scope(engine) as session:
        if "MAILER_ORGANISATION" not in local.given and not lists.all_lists(session):
            description = "A few alerts a month, all invented."
            lists.create(session, lists.SAMPLE_SLUG, lists.SAMPLE_NAME, description=description)
        lists.close_sample(session)
    engine.dispose()


def _how_to_sign_in(local: Local) -> str:
    desk = Pages(local.settings.base_url).desk()
    engine = open_engine(local.settings.database_url, local.settings.keyring)
    with session_scope(engine, read_only=True) as session:
        has_accounts = accounts.exist(session)
    engine.dispose()
    if has_accounts:
        return f"Desk, for organisers: {desk}"
    first = typed("`mailer users add ADDRESS --role admin --role writer --role publisher`")
    return f"Desk, for organisers: {desk} Nobody can sign in yet. In another terminal: {first} prints a link for you."


def start_web(local: Local, port: int) -> None:
    """Run the web part on this machine."""
    local.start("web", *_GUNICORN, "--bind", f"127.0.0.1:{port}", "wsgi:app")


def _start(local: Local, port: int, workers: int) -> None:
    start_web(local, port)
    for number in range(1, workers + 1):
        local.start(f"worker {number}", "workers")
    if local.settings.inbound_lmtp or local.settings.inbound_smtp:
        local.start("inbound listener", "mailer.cli", "inbound", "listen")
    if local.settings.inbound_mailbox:
        local.start("inbound fetcher", "mailer.cli", "inbound", "fetch")
    if unset := SAMPLE_IDENTITY.keys() - local.given:
        names = ", ".join(sorted(unset))
        refused = typed("`mailer campaigns send` is refused")
        click.echo(f"Not set: {names}. The site shows sample values, and {refused}.")
    if "MAILER_SMTP_URL" not in local.given:
        click.echo(f"Mail is caught, not sent. Read it: {Pages(local.settings.base_url).caught()}")
    click.echo(_how_to_sign_in(local))
    click.echo(f"Site: {local.settings.base_url}   Data: {local.settings.data_dir}   Stop: Ctrl-C")
