"""`mailer catcher`: the mail catcher of `run` and `demo`, as a process of its own."""

from pathlib import Path

import click

from mailer.trial import catcher as domain


@click.command(hidden=True)
@click.option("--maildir", type=click.Path(path_type=Path), required=True, help="The directory in which mail is kept.")
@click.option("--port", type=int, default=0, help="The port on 127.0.0.1; 0 takes a free one.")
def catcher(maildir: Path, port: int) -> None:
    """Take mail on this machine and keep it instead of delivering it."""
    domain.serve(maildir, port=port, on_ready=lambda taken: click.echo(taken))
