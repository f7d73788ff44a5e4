"""`mailer keys`: make, replace and inspect the encryption keys."""

import dataclasses
import json

import click

from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_option
from mailer.settings import KEY_VARIABLES, Settings, keys_file
from mailer.store import crypto
from mailer.store.db import driver_errors_explained
from mailer.store.models import Base


@click.group()
def keys() -> None:
    """Make, replace and inspect the encryption keys."""


@keys.command()
@pass_installation
def new(installation: Installation) -> None:
    """Make the keys for a new installation, in keys.env in the data directory.

    MAILER_KEYS_FILE names another file to make them in.

    Keep a copy of that file, away from the database's backups. Without it, no stored address can be read.
    """
    settings = installation.settings
    if settings.configured_keys:
        raise keys_file.KeysExist(file=_where(settings))
    settings.make_data_dir()
    click.echo(f"Made {keys_file.create(settings.keys_file)}. Keep a copy of it, away from the database's backups.")


@keys.command()
@pass_installation
def rotate(installation: Installation) -> None:
    """Replace the secret key: add a new one in front, and encrypt everything again with it.

    If something awaits rotation already, because an earlier run was interrupted or an earlier version stored it, no key
    is added: that is encrypted again first.

    Stop the web part and the workers first: they cannot read what is encrypted with a key that they do not know. If it
    is interrupted, run it again: it continues where it stopped. If your keys come from the environment, it prints the
    value to set. Set it, and run the command again: it then encrypts everything.
    """
    if not _needs_encrypting(installation):
        if not installation.settings.secret_keys_in_file:
            _print_next_value(installation.settings)
            return
        key = keys_file.add_secret_key(installation.settings.keys_file)
        click.echo(f"Added the key {key.id} to {_where(installation.settings)}.")
        installation.read_again()
    with driver_errors_explained():
        count = crypto.rotate(installation.engine, Base.metadata)
    click.echo(f"Encrypted {count} values again, with the key {installation.settings.keyring.secret_keys[0].id}.")


@keys.command()
@json_option
@pass_installation
def status(installation: Installation, *, as_json: bool) -> None:
    """Show how many stored values are encrypted with each secret key, newest key first.

    A key with none may be removed. Values of an earlier version, which show how long they are, await `rotate`.
    """
    with installation.session(read_only=True) as session:
        usage = crypto.key_usage(session, Base.metadata)
    if advice := installation.settings.advice_on_keys:
        click.echo(typed(advice), err=True)
    if as_json:
        click.echo(json.dumps([{"key": key, **dataclasses.asdict(each)} for key, each in usage.items()]))
        return
    rotate = typed("mailer keys rotate")
    for key, each in usage.items():
        unpadded = f", {each.unpadded} of them from an earlier version: run {rotate}" if each.unpadded else ""
        click.echo(f"{key}  {each.values} values{unpadded}")


def _needs_encrypting(installation: Installation) -> bool:
    """Whether an earlier rotation is still to be completed, or something of an earlier version awaits one."""
    newest = installation.settings.keyring.secret_keys[0].id
    with installation.session(read_only=True) as session:
        usage = crypto.key_usage(session, Base.metadata)
    return any(each.values if key != newest else each.unpadded for key, each in usage.items())


def _print_next_value(settings: Settings) -> None:
    value = f"{crypto.Key.generate()},{settings.configured_keys['MAILER_SECRET_KEYS']}"
    click.echo("The keys come from the environment. Set this value everywhere, then run this command again:", err=True)
    click.echo(f"MAILER_SECRET_KEYS={value}")


def _where(settings: Settings) -> str:
    file = settings.keys_file
    return str(file) if file.exists() else f"the environment ({', '.join(KEY_VARIABLES)})"
