"""Folders: a campaign is written as the files from which loading makes the same draft again."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mailer.campaigns import drafts, files, kinds, text_versions
from mailer.errors import MailerError
from mailer.formats import written_files
from mailer.store.models import Campaign


class FolderInUse(MailerError):
    """{folder} is not empty, and what lies in it would be loaded, too. Name another folder, or empty it."""


class NotWritten(MailerError):
    """{folder} cannot be written: {problem}"""


def write(session: Session, campaign: Campaign, to: Path) -> Path:
    """Write the files of a campaign. What is not finished is written, too, and loading says then what is missing.

    :param to: the folder if it is called as the campaign is, else the one in which such a folder is made.
    :returns: the folder.
    :raises drafts.Withdrawn: nobody is to see it any more.
    :raises FolderInUse: something lies in it.
    :raises NotWritten: the disk does not take it.
    """
    drafts.require_shown(campaign)
    folder = to if to.resolve().name == campaign.slug else to / campaign.slug
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FolderInUse(folder=folder)
        for name, text in _files(session, campaign):
            (folder / name).write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise NotWritten(folder=folder, problem=error.strerror) from None
    return folder


def _files(session: Session, campaign: Campaign) -> Iterator[tuple[str, str]]:
    """Name and content of each file."""
    yield files.SETTINGS_FILE, _settings(campaign)
    for name, version in text_versions.latest(session, campaign).items():
        if version.written is not None:
            yield name.file, version.written.file


def _settings(campaign: Campaign) -> str:
    """What stands in campaign.toml."""
    keys = kinds.of(campaign).keys
    own: dict[str, Any] = {"ask": campaign.ask, "deadline": campaign.deadline, "goal": campaign.goal}
    table: dict[str, Any] = {
        "kind": campaign.kind,
        "list": campaign.mailing_list.slug,
        "language": campaign.language,
        "case": campaign.case.slug if campaign.case else None,
        "about": campaign.about,
        "home": campaign.home,
        "unknown_home": campaign.unknown_home,
        **{key: value for key, value in own.items() if key in keys},
        "latest_start": campaign.latest_start,
        "public": campaign.public,
        "forwardable": campaign.forwardable,
        "fallbacks": campaign.fallbacks,
    }
    text = written_files.toml_text({key: value for key, value in table.items() if value})
    if campaign.petition:
        text += f"\n[petition]\n{written_files.toml_text(campaign.petition)}"
    if campaign.audience:
        text += f"\n[audience]\n{written_files.toml_text(campaign.audience)}"
    return text + "".join(f"\n[[targets]]\n{written_files.toml_text(_target(target))}" for target in campaign.targets)


def _target(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A target as it is written: groups of countries stand among these."""
    places = [*stored.get("countries", ()), *stored.get("groups", ())]
    target = {"countries": places, **{key: stored.get(key, "") for key in ("name", "email", "address")}}
    return {key: value for key, value in target.items() if value}
