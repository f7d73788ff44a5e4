"""The desk in the demo: two people who can sign in, and an alert that both of them together can send."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.campaigns import files
from mailer.cli.installation import Installation
from mailer.links import Pages
from mailer.mail import addresses
from mailer.organisers import accounts, invitations
from mailer.store.db import utcnow
from mailer.store.models import InvitationKind, Role
from mailer.trial import sample

_SLUG = f"{sample.CAMPAIGN_DIR.name}-again"
#: address, name, roles, and what to do as them
_PEOPLE: Sequence[tuple[str, str, Sequence[Role], str]] = (
    ("rosa@example.org", "Rosa Díaz", (Role.ADMIN, Role.WRITER), "checks the alert, and asks for approval"),
    ("tomas@example.org", "Tomás Vidal", (Role.PUBLISHER,), "approves it, and sends it"),
)


def prepare(installation: Installation, folder: Path) -> Iterator[str]:
    """Invite two people, and load the sample's alert once more, as a draft; what to tell whoever looks around.

    :param folder: the demo's, with the files of the sample.
    """
    alerts = folder / "campaigns"
    shutil.copytree(alerts / sample.CAMPAIGN_DIR.name, alerts / _SLUG)
    with installation.session() as session:
        files.load(session, alerts / _SLUG)
        links = [_invite(session, address, name, roles) for address, name, roles, _ in _PEOPLE]
    pages = Pages(installation.settings.base_url)
    yield f'The desk: {pages.desk()} There the alert "{_SLUG}" waits to be sent by two people. They come in by these'
    yield "links, each in a browser or private window of its own, with any authenticator app:"
    for (address, name, _, does), token in zip(_PEOPLE, links, strict=True):
        yield f"  {name}, {address}, {does}: {pages.desk_invitation(token)}"


def _invite(session: Session, address: str, name: str, roles: Sequence[Role]) -> str:
    account = accounts.add(session, addresses.parse(address), roles, name=name)
    return invitations.invite(session, account, InvitationKind.JOIN, by=None, at=utcnow())
