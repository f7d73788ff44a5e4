"""`mailer run`: web, worker, Valkey and mail catcher on one machine."""

from pathlib import Path

import click

from mailer.cli.processes import local_installation

#: what an installation that was told nothing calls itself; links lead to this machine, so nothing real can be sent
SAMPLE_IDENTITY = {
    "MAILER_ORGANISATION": "Harbour Solidarity (sample)",
    "MAILER_SENDER": "Harbour Solidarity <alerts@example.org>",
    "MAILER_POSTAL_ADDRESS": "1 Example Street, Example City",
}

_CHECKOUT = Path(__file__).parents[2]  # where wsgi.py is, wherever the command is run from
_GUNICORN = ("gunicorn", "--pythonpath", str(_CHECKOUT), "--log-level", "warning")


@click.command()
@click.option("--port", default=8000, show_default=True, help="Of the web part, on 127.0.0.1.")
@click.option("--workers", default=1, show_default=True, help="How many send side by side.")
def run(port: int, workers: int) -> None:
    """Run everything on this machine, until Ctrl-C.

    Without MAILER_REDIS_URL it brings its own Valkey, without MAILER_SMTP_URL a mail catcher that delivers nothing.
    """
    try:
        with local_installation(SAMPLE_IDENTITY | {"MAILER_BASE_URL": f"http://127.0.0.1:{port}"}) as local:
            local.start("web", *_GUNICORN, "--bind", f"127.0.0.1:{port}", "wsgi:app")
            for number in range(1, workers + 1):
                local.start(f"worker {number}", "workers")
            if unset := SAMPLE_IDENTITY.keys() - local.given:
                names = ", ".join(sorted(unset))
                click.echo(f"Not set: {names}. The site shows sample values, and `mailer campaigns send` refuses.")
            click.echo(f"Site: {local.settings.base_url}   Data: {local.settings.data_dir}   Stop: Ctrl-C")
            local.wait()
    except KeyboardInterrupt:
        click.echo("Stopped.")
