"""What unions have to do with the demo: they affiliate, and get their kits."""

from email.message import EmailMessage
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from mailer.campaigns import lifecycle
from mailer.cli.demo_waiting import wait_for
from mailer.cli.installation import Installation
from mailer.cli.tables import print_table
from mailer.delivery import previews
from mailer.kits import pages, progress
from mailer.kits.progress import KitProgress
from mailer.links import Pages
from mailer.people.notices import Notice
from mailer.people.organisers import NOBODY
from mailer.store.models import Delivery, Purpose, Union
from mailer.trial import catcher, sample
from mailer.trial.sample import SampleContact, SampleUnion
from mailer.unions import affiliation, applications, contacts, directory

_EVERYBODY = "_everybody"  # the folder of the kit that carries nobody's name
MAILS = "mails"  # the folder of mails to be read in a browser
_KIT_MAIL = "kit-is-ready"  # one of them


# --- affiliating ----------------------------------------------------------------------------------------------------


def affiliate(session: Session, base_url: str) -> None:
    """Add the sample unions, have their contacts agree to be that, and affiliate them. What they are mailed waits for
    the workers.

    :param base_url: of the site, for links in these mails.
    """
    for each in sample.unions():
        union = directory.add(
            session,
            each.slug,
            each.name,
            country=each.country,
            parent_slug=each.parent,
            languages=each.languages,
            members=each.members,
            is_named=each.is_named,
        )
        for language, words in each.introductions.items():
            directory.introduce(session, union.slug, language, words)
        if each.logo is not None:
            directory.set_logo(session, union.slug, each.logo.read_bytes())
        if each.contact is not None:
            _appoint(session, union, each.contact, base_url)
            affiliation.affiliate(session, union.slug, resolution=each.resolution, base_url=base_url)


def _appoint(session: Session, union: Union, person: SampleContact, base_url: str) -> None:
    """Invite somebody, and follow the link in the mail that asks them, as nobody does in a demo."""
    contacts.invite(session, union, person.address, name=person.name, role=person.role)
    session.flush()
    newest = select(Delivery).where(Delivery.purpose == Purpose.NOTICE).order_by(Delivery.id.desc()).limit(1)
    invitation = session.scalars(newest).one()
    token = Notice.from_stored(invitation.notice or "").token
    applications.confirm(session, token or "", base_url=base_url, told=NOBODY)


# --- kits -----------------------------------------------------------------------------------------------------------


def show_kits(installation: Installation, folder: Path, log: Path, console: Console) -> None:
    """Wait for the sample campaign's kits, save them, and say where they are and who was told.

    :param folder: the demo's; the kits are saved below it.
    :param log: what the workers say.
    :raises TookTooLong: they were not made, or nobody was told, in time.
    """
    kits = wait_for("its kits", _ready_kits, installation=installation, log=log)
    table = Table()
    for heading in ("union", "reads", "files", "told that it is ready"):
        table.add_column(heading, justify="right" if heading == "files" else "left", no_wrap=True)
    told = _told(folder)
    known = _sample_unions(installation)
    for kit in kits:
        union = known.get(kit.union or "")
        name = union.slug if union else _EVERYBODY
        saved = _save(installation, kit, folder / "kits" / name)
        table.add_row(
            name if union is None or union.is_named else f"{name} (unnamed)",
            " ".join(union.languages) if union else "",
            str(len(saved)),
            told.get(union.contact.address, "not told") if union and union.contact else "",
        )
    console.print()
    print_table(console, "Kits for unions to forward", table)
    made_in = " ".join(sorted({file.parent.name for file in saved}))
    console.print(
        f"Saved in {folder / 'kits'}/UNION/LANGUAGE/ (languages: {made_in}):", soft_wrap=True, highlight=False
    )
    console.print(f"  {', '.join(sorted({file.name for file in saved}))}", soft_wrap=True, highlight=False)
    console.print(f"A mail that tells a union's contact about it: {folder / MAILS / _KIT_MAIL}.html", soft_wrap=True)


def _sample_unions(installation: Installation) -> dict[str, SampleUnion]:
    """The sample unions by slug, as it is in the database: that of an unnamed one is random."""
    by_name = {union.name: union for union in sample.unions()}
    with installation.session(read_only=True) as session:
        return {union.slug: by_name[union.name] for union in directory.all_unions(session)}


def kit_page(installation: Installation) -> str | None:
    """The address of the page of the first sample union's kit, with everything that it can forward; None if it has
    none, since the campaign did not start."""
    slug = next(union.slug for union in sample.unions() if union.contact)
    with installation.session(read_only=True) as session:
        campaign = lifecycle.get(session, sample.CAMPAIGN_DIR.name)
        kit = next((each for each in progress.of_campaign(session, campaign) if each.union == slug), None)
    if kit is None:
        return None
    return Pages(installation.settings.base_url).kit(installation.settings.keyring, kit.kit_id, kit.link_generation)


def _ready_kits(session: Session) -> list[KitProgress] | None:
    """The kits, once they are made and their unions were told."""
    kits = progress.of_campaign(session, lifecycle.get(session, sample.CAMPAIGN_DIR.name))
    are_ready = all(each.ready_at and (each.sent_at or each.union is None) for each in kits)
    is_unsent = exists().where(Delivery.purpose == Purpose.NOTICE, Delivery.settled_at.is_(None))
    return kits if are_ready and not session.scalar(select(is_unsent)) else None


def _save(installation: Installation, kit: KitProgress, folder: Path) -> list[Path]:
    with installation.session(read_only=True) as session:
        found = pages.files(session, kit.kit_id)
    saved: list[Path] = []
    for language, files in found.items():
        (folder / language).mkdir(parents=True)
        for name, contents in files.items():
            saved.append(folder / language / name)
            saved[-1].write_bytes(contents)
    return saved


def _told(folder: Path) -> dict[str, str]:
    """Whom a caught mail told that a kit is ready: address → address and language. Saves the first of these mails."""
    wanted = {each.contact.address for each in sample.unions() if each.contact}
    told: dict[str, str] = {}
    for caught in catcher.read(folder / catcher.FOLDER):
        if caught.recipient in wanted and _leads_to_a_kit(caught.message):
            if not told:
                previews.write_parts(caught.data, folder / MAILS / _KIT_MAIL)
            told[caught.recipient] = f"{caught.recipient} ({caught.message['Content-Language']})"
    return told


def _leads_to_a_kit(message: EmailMessage) -> bool:
    text = message.get_body(preferencelist=("plain",))
    return text is not None and "/kit/" in text.get_content()
