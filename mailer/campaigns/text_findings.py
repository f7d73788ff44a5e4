"""What stands against the texts of a draft: what cannot go out as it was saved last, and translations whose source has
changed since."""

from collections.abc import Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaigns import text_versions
from mailer.campaigns.text_names import TextName
from mailer.campaigns.text_versions import Version
from mailer.campaigns.written import AnyWritten
from mailer.cases.findings import Finding, Level
from mailer.store.models import Campaign, CampaignStatus, TextVersion

_MEND = "Open the text at the desk and mend it, or load the campaign again from its folder."
_COMPARE = "Compare the two at the desk, and say there that it is up to date."


def is_outdated(translation: Version, source: Version | None, compared: Mapping[int, AnyWritten]) -> bool:
    """Whether what a text is translated from has changed since the two were last compared.

    :param source: the latest version of that.
    :param compared: as `sources_of` gives it.
    """
    if translation.written is None or source is None or source.written is None or translation.name == source.name:
        return False
    before = compared.get(translation.source_id or 0)
    if before is None:  # it is older than what it is a translation of
        return source.id > translation.id
    return before != source.written


def sources_of(session: Session, versions: Mapping[TextName, Version]) -> dict[int, AnyWritten]:
    """Version → what it said, of those that translations were last compared with."""
    wanted = {each.source_id for each in versions.values() if each.source_id}
    rows = session.scalars(select(TextVersion).where(TextVersion.id.in_(sorted(wanted))))
    found = map(Version.of, rows)
    return {each.id: each.written for each in found if each.written is not None}


def findings(session: Session, campaign: Campaign) -> Iterator[Finding]:
    """Texts of a draft that were saved and cannot go out like that, and translations of what has changed since."""
    if campaign.status is not CampaignStatus.DRAFT:
        return
    versions = text_versions.latest(session, campaign)
    compared = sources_of(session, versions)
    for name, version in versions.items():
        if version.written is not None and not version.goes_out:
            yield _unfinished(session, campaign, name, version.written)
        elif is_outdated(version, versions.get(name.source(campaign.language)), compared):
            what = "what this was translated from has changed since the two were compared"
            yield Finding(Level.WARNING, "translation-outdated", name.file, what, _COMPARE)


def _unfinished(session: Session, campaign: Campaign, name: TextName, written: AnyWritten) -> Finding:
    found = text_versions.read(session, campaign, name, written)
    if not found:
        what = "it was saved when it could not be sent, and can be now. Save it again"
        return Finding(Level.ERROR, "text-unfinished", name.file, what, _MEND)
    first = found[0]
    line = first.error.fields.get("line", 1)
    return Finding(Level.ERROR, "text-unfinished", f"{name.file}:{line}", first.problem.rstrip("."), _MEND)
