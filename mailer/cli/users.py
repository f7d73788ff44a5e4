"""`mailer users`: who may come to the desk."""

import json
from datetime import datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from mailer.cli.hints import typed
from mailer.cli.installation import Installation, pass_installation
from mailer.cli.options import json_lines_option
from mailer.errors import MailerError
from mailer.links import Pages
from mailer.mail import addresses
from mailer.mail.addresses import Address
from mailer.organisers import accounts, desk_sessions, invitations, roles
from mailer.organisers.accounts import PUBLISHERS_CHANGE_AFTER
from mailer.store.db import utcnow
from mailer.store.models import Account, InvitationKind, Role

_HOURS = PUBLISHERS_CHANGE_AFTER.total_seconds() / 3600
_PUBLISHES_LATER = f"This counts in {_HOURS:.0f} hours; on the first day that there are publishers, at once."
_IS_FOR = {
    InvitationKind.JOIN: "choose a password and set up the second factor",
    InvitationKind.PASSWORD: "choose another password; the second factor stays",
    InvitationKind.SECOND_FACTOR: "set up another second factor, with the password",
}


class NothingToChange(MailerError):
    """{address} has the roles already that you name, or does not have those to take away. See: mailer users list"""


class _Address(click.ParamType[Address]):
    """An e-mail address."""

    name = "ADDRESS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        return value if isinstance(value, Address) else addresses.parse(value)


_mail_option = click.option(
    "--mail", "is_mailed", is_flag=True, help="Mail the link to that address, in place of printing it."
)
_address_argument = click.argument("address", type=_Address(), metavar="ADDRESS")
_ROLES = click.Choice([role.value for role in Role])


@click.group()
def users() -> None:
    """Let people come to the desk, say what they may do there, and shut them out."""


@users.command()
@_address_argument
@click.option("--role", "chosen", type=_ROLES, multiple=True, required=True, help="What they do. May be repeated.")
@click.option("--name", help="What they are called; they can change it.")
@_mail_option
@pass_installation
def add(
    installation: Installation, address: Address, chosen: tuple[str, ...], name: str | None, is_mailed: bool
) -> None:
    """Make an account, and print the link by which its owner comes in."""
    now = utcnow()
    with installation.session() as session:
        account = accounts.add(session, address, [Role(each) for each in chosen], name=name, at=now)
        link = _invite(installation, session, account, InvitationKind.JOIN, is_mailed=is_mailed)
        _is_about(installation, account)
    _tell(address, InvitationKind.JOIN, link)


@users.command("list")
@json_lines_option
@pass_installation
def list_(installation: Installation, as_json: bool) -> None:
    """Show who has an account, and in which roles."""
    with installation.session(read_only=True) as session:
        told = _all_facts(session, utcnow())
    for facts in told:
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else _line(facts))
    if not told and not as_json:
        click.echo(typed("Nobody has an account. Make the first: mailer users add ADDRESS --role admin"))


@users.command()
@_address_argument
@click.option("--password", "kind", flag_value=InvitationKind.PASSWORD.value, help="To choose another password.")
@click.option(
    "--second-factor",
    "kind",
    flag_value=InvitationKind.SECOND_FACTOR.value,
    help="To set up another second factor. Ring its owner first: whoever has the link and the password gets in.",
)
@_mail_option
@pass_installation
def invite(installation: Installation, address: Address, kind: str | None, is_mailed: bool) -> None:
    """Print a new link for somebody who has not come in yet, or has lost what they come in with.

    Earlier links for the same work no more.
    """
    chosen = InvitationKind(kind) if kind else InvitationKind.JOIN
    with installation.session() as session:
        account = accounts.named(session, address)
        link = _invite(installation, session, account, chosen, is_mailed=is_mailed)
        _is_about(installation, account)
    _tell(address, chosen, link)


@users.command()
@_address_argument
@click.option("--add", "added", type=_ROLES, multiple=True, help="A role to give. May be repeated.")
@click.option("--remove", "removed", type=_ROLES, multiple=True, help="A role to take away. May be repeated.")
@pass_installation
def role(installation: Installation, address: Address, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Give somebody roles, or take some away."""
    if not added and not removed:
        raise click.UsageError("Use --add, --remove or both.")
    now = utcnow()
    with installation.session() as session:
        account = accounts.named(session, address)
        changed = [Role(each) for each in added if accounts.grant(session, account, Role(each), now)]
        changed += [Role(each) for each in removed if accounts.revoke(session, account, Role(each), now)]
        if not changed:
            raise NothingToChange(address=address.text)
        _is_about(installation, account)
        has = sorted(accounts.roles_of(account))
        lacks_factor = accounts.has_joined(account) and account.totp_secret is None and roles.need_second_factor(has)
    click.echo(f"{address.text} is now {', '.join(has) or 'without a role'}.")
    if Role.PUBLISHER in changed:
        click.echo(_PUBLISHES_LATER)
    if lacks_factor:
        click.echo("They need a second factor first, and may do no more than an analyst until they have one:")
        click.echo(typed(f"mailer users invite {address.text} --second-factor"))


@users.command()
@_address_argument
@pass_installation
def disable(installation: Installation, address: Address) -> None:
    """Let somebody in no more, and sign them out everywhere. Nothing that they did is lost."""
    with installation.session() as session:
        account = accounts.named(session, address)
        is_new = accounts.disable(session, account, utcnow())
        publishes = Role.PUBLISHER in accounts.roles_of(account)
        _is_about(installation, account)
    click.echo(f"{address.text} {'is signed out everywhere and' if is_new else 'already'} cannot come in.")
    if is_new and publishes:
        click.echo(f"As a publisher they count for another {_HOURS:.0f} hours.")


@users.command()
@_address_argument
@pass_installation
def enable(installation: Installation, address: Address) -> None:
    """Let somebody in again who was disabled, with the password and the second factor that they had."""
    with installation.session() as session:
        account = accounts.named(session, address)
        is_new = accounts.enable(session, account, utcnow())
        publishes = Role.PUBLISHER in accounts.roles_of(account)
        _is_about(installation, account)
    click.echo(f"{address.text} can {'come in again' if is_new else 'come in: the account is not disabled'}.")
    if is_new and publishes:
        click.echo(_PUBLISHES_LATER)


@users.command()
@_address_argument
@click.option("--end", "is_to_end", is_flag=True, help="Sign them out everywhere.")
@json_lines_option
@pass_installation
def sessions(installation: Installation, address: Address, is_to_end: bool, as_json: bool) -> None:
    """Show where somebody is signed in, or sign them out."""
    now = utcnow()
    with installation.session(read_only=not is_to_end) as session:
        account = accounts.named(session, address)
        _is_about(installation, account)
        told = [
            {
                "session": each.label,
                "browser": each.browser,
                "network": each.network,
                "since": each.created_at.isoformat(),
                "used": each.used_at.isoformat(),
            }
            for each in desk_sessions.of_account(session, account.id, at=now)
        ]
        if is_to_end:
            desk_sessions.end_all(session, account.id)
    for facts in told:
        words = f"{facts['session']}  {facts['since']}  {facts['browser'] or '-'}  {facts['network'] or '-'}"
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else words)
    if not as_json:
        where = f"{len(told)} session{'' if len(told) == 1 else 's'}"
        click.echo(f"Ended {where}." if is_to_end else f"Signed in: {where}.")


def _is_about(installation: Installation, account: Account) -> None:
    installation.is_about("account", account.id)


def _invite(
    installation: Installation, session: Session, account: Account, kind: InvitationKind, *, is_mailed: bool
) -> str | None:
    """:returns: the link; None if it is mailed."""
    token = invitations.invite(session, account, kind, by=None, at=utcnow())
    if is_mailed:
        invitations.mail(session, account, kind, token)
        return None
    return Pages(installation.settings.base_url).desk_invitation(token)


def _tell(address: Address, kind: InvitationKind, link: str | None) -> None:
    """Print a link alone on its line, so that it can be copied."""
    within = f"It works once, within {invitations.LIFETIME.total_seconds() / 3600:.0f} hours"
    if link is None:
        click.echo(f"A link is on its way to {address.text}, to {_IS_FOR[kind]}. {within}.")
    else:
        click.echo(f"For {address.text}, to {_IS_FOR[kind]}. {within}:")
        click.echo(link)


def _all_facts(session: Session, at: datetime) -> list[dict[str, Any]]:
    publishing = {account.id for account in accounts.publishers_at(session, at)}
    return [
        {
            "account": account.id,
            "address": account.email,
            "name": account.name,
            "roles": sorted(accounts.roles_of(account)),
            "has_joined": accounts.has_joined(account),
            "second_factor": account.totp_secret is not None,
            "disabled_at": None if account.disabled_at is None else account.disabled_at.isoformat(),
            "counts_as_publisher": account.id in publishing,
        }
        for account in accounts.all_accounts(session)
    ]


def _line(facts: dict[str, Any]) -> str:
    state = "disabled" if facts["disabled_at"] else "" if facts["has_joined"] else "has not come in yet"
    named = f" ({facts['name']})" if facts["name"] else ""
    return f"{facts['address']}{named}: {', '.join(facts['roles']) or 'no role'}{f'; {state}' if state else ''}"
