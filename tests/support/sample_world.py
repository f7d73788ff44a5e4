"""The alert of the sample, with what it needs."""

from pathlib import Path

from sqlalchemy.orm import Session

from mailer.campaigns import files as campaign_files
from mailer.cases import files as case_files
from mailer.spreadsheets import targets
from mailer.store import db
from mailer.store.models import Campaign
from mailer.trial import sample


def load_alert(session: Session, folder: Path) -> Campaign:
    """Load the alert, the case that it is about, and the targets. Its list and the unions must be there.

    :param folder: where to copy the files; it may not be there yet.
    """
    sample.copy_files(folder, db.now(session).date())
    case_files.load(session, folder / "cases" / sample.CASE_SLUG)
    targets.import_file(session, folder / sample.TARGETS)
    return campaign_files.load(session, folder / "campaigns" / sample.CAMPAIGN_DIR.name)
