"""What the audit log's actions are called at the desk."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from babel.lists import format_list
from flask_babel import format_number

from mailer.locale import languages
from mailer.store.models import InvitationKind, Role
from mailer.web import language
from mailer.web.desk import contents, duties, times
from mailer.web.language import _

#: action → what was done, as it begins a line
_SENTENCES: Mapping[str, Callable[[], str]] = {
    "accounts.add": lambda: _("Made an account"),
    "accounts.change": lambda: _("Changed their name, zone or language"),
    "accounts.disable": lambda: _("Disabled an account"),
    "accounts.enable": lambda: _("Enabled an account again"),
    "accounts.end_sessions": lambda: _("Ended sessions"),
    "accounts.invite": lambda: _("Invited somebody to the desk"),
    "accounts.join": lambda: _("Came to the desk for the first time"),
    "accounts.password": lambda: _("Chose another password"),
    "accounts.recovery_codes": lambda: _("Made new recovery codes"),
    "accounts.roles": lambda: _("Changed somebody’s roles"),
    "accounts.second_factor": lambda: _("Set up the second factor"),
    "accounts.sign_in": lambda: _("Signed in"),
    "audiences.delete": lambda: _("Deleted a saved audience"),
    "audiences.rename": lambda: _("Gave a saved audience another name"),
    "audiences.save": lambda: _("Saved an audience under a name"),
    "campaigns.alone": lambda: _("Sent a campaign alone"),
    "campaigns.approve": lambda: _("Approved a campaign"),
    "campaigns.ask": lambda: _("Asked for approval of a campaign"),
    "campaigns.audience": lambda: _("Chose whom a draft is for"),
    "campaigns.begin": lambda: _("Began a draft"),
    "campaigns.cancel": lambda: _("Cancelled a campaign"),
    "campaigns.close": lambda: _("Closed a campaign: nobody is asked to act on it any more"),
    "campaigns.copy": lambda: _("Began a draft as a copy of a campaign"),
    "campaigns.correct-letters": lambda: _("Corrected letters of a campaign"),
    "campaigns.delete": lambda: _("Deleted a draft"),
    "campaigns.hold": lambda: _("Held a campaign back"),
    "campaigns.load": lambda: _("Loaded a draft from its folder"),
    "campaigns.object": lambda: _("Objected to a campaign"),
    "campaigns.pause": lambda: _("Paused a campaign"),
    "campaigns.reopen": lambda: _("Opened a campaign again"),
    "campaigns.resend": lambda: _("Had mails of a campaign sent again"),
    "campaigns.resume": lambda: _("Resumed a campaign"),
    "campaigns.schedule": lambda: _("Scheduled a campaign"),
    "campaigns.send": lambda: _("Sent or scheduled a campaign"),
    "campaigns.send_back": lambda: _("Sent a campaign back, to be changed"),
    "campaigns.signatures.export": lambda: _("Wrote the names to hand over with a petition to files"),
    "campaigns.signatures.hide": lambda: _("Hid or showed a name below a petition"),
    "campaigns.start": lambda: _("Started a scheduled campaign"),
    "campaigns.stop": lambda: _("Stopped a campaign: everybody is asked to do nothing"),
    "campaigns.take_back": lambda: _("Took a request for approval back"),
    "campaigns.test": lambda: _("Ordered test mails of a campaign"),
    "campaigns.undo": lambda: _("Undid the sending of a campaign"),
    "campaigns.withdraw": lambda: _("Withdrew a campaign: its text and names are taken down"),
    "campaigns.write": lambda: _("Changed what a draft says"),
    "cases.close": lambda: _("Closed a case"),
    "cases.consent": lambda: _("Recorded the consent to a case"),
    "cases.load": lambda: _("Loaded a case from its folder"),
    "cases.reopen": lambda: _("Opened a case again"),
    "cases.stop": lambda: _("Stopped a case"),
    "db.upgrade": lambda: _("Upgraded the database"),
    "imports.drop": lambda: _("Dropped an uploaded file"),
    "imports.look": lambda: _("Had it looked at what an uploaded file would do"),
    "imports.rejects": lambda: _("Downloaded the lines that an import did not take"),
    "imports.take_back": lambda: _("Took back what an import added"),
    "imports.upload": lambda: _("Uploaded a file of supporters"),
    "keys.rotate": lambda: _("Put what is stored under the newest key"),
    "kits.make": lambda: _("Had kits of a campaign made"),
    "lists.change": lambda: _("Changed a list"),
    "lists.create": lambda: _("Made a list"),
    "lists.delete": lambda: _("Deleted a list"),
    "lists.translate": lambda: _("Translated a list"),
    "subscribers.add": lambda: _("Put somebody on a list"),
    "subscribers.change": lambda: _("Changed somebody’s details"),
    "subscribers.erase": lambda: _("Erased somebody’s data"),
    "subscribers.export": lambda: _("Exported supporters"),
    "subscribers.find": lambda: _("Looked for a supporter"),
    "subscribers.import": lambda: _("Imported supporters"),
    "subscribers.unsubscribe": lambda: _("Took somebody off a list"),
    "suppressions.import": lambda: _("Imported addresses that get nothing"),
    "suppressions.lift": lambda: _("Lifted a block on an address"),
    "targets.import": lambda: _("Imported targets"),
    "targets.verify": lambda: _("Confirmed that details of a target are right"),
    "unions.accept": lambda: _("Accepted a union’s application"),
    "unions.add": lambda: _("Added a union"),
    "unions.affiliate": lambda: _("Affiliated a union"),
    "unions.change": lambda: _("Changed a union"),
    "unions.decline": lambda: _("Declined a union’s application"),
    "unions.import": lambda: _("Imported unions"),
    "unions.interested": lambda: _("Noted that a union is interested"),
    "unions.introduce": lambda: _("Changed what a union says on its page"),
    "unions.invite": lambda: _("Invited a contact of a union"),
    "unions.lapse": lambda: _("Ended the affiliation of a union"),
    "unions.logo": lambda: _("Changed the logo of a union"),
    "unions.remove-contact": lambda: _("Removed a contact of a union"),
    "unions.renew-links": lambda: _("Replaced the links of a union"),
    "users.add": lambda: _("Made an account"),
    "users.disable": lambda: _("Disabled an account"),
    "users.enable": lambda: _("Enabled an account again"),
    "users.invite": lambda: _("Invited somebody to the desk"),
    "users.role": lambda: _("Changed somebody’s roles"),
    "users.sessions": lambda: _("Ended somebody’s sessions"),
}
#: kind of thing → what it is called before its name
_KINDS: Mapping[str, Callable[[], str]] = {
    "account": lambda: _("Account"),
    "application": lambda: _("Application"),
    "audience": lambda: _("Audience"),
    "campaign": lambda: _("Campaign"),
    "case": lambda: _("Case"),
    "import": lambda: _("Import"),
    "list": lambda: _("List"),
    "target": lambda: _("Target"),
    "union": lambda: _("Union"),
}
#: what else is told of what was done → what it is called
_DETAILS: Mapping[str, Callable[[], str]] = {
    "added": lambda: _("given"),
    "all": lambda: _("everything at once"),
    "alone": lambda: _("alone, because"),
    "at": lambda: _("starts"),
    "kind": lambda: _("link for"),
    "language": lambda: _("language"),
    "people": lambda: _("people"),
    "removed": lambda: _("taken away"),
    "role": lambda: _("letter to"),
    "roles": lambda: _("roles"),
    "supporter": lambda: _("supporter number"),
    "taken_out": lambda: _("taken out"),
}
_LINKS: Mapping[str, Callable[[], str]] = {
    InvitationKind.JOIN: lambda: _("coming in for the first time"),
    InvitationKind.PASSWORD: lambda: _("another password"),
    InvitationKind.SECOND_FACTOR: lambda: _("another second factor"),
}


def is_known(action: str) -> bool:
    """Whether there is a sentence for an action."""
    return action in _SENTENCES


def sentence(action: str) -> str:
    """What was done; an action that nobody found words for as the log has it."""
    return _SENTENCES.get(action, lambda: action)()


def kind(name: str) -> str:
    """What a kind of thing is called."""
    return _KINDS.get(name, lambda: name)()


def detail(name: str) -> str:
    """What something is called that is told besides."""
    return _DETAILS.get(name, lambda: kind(name))()


def value(name: str, told: Any) -> Any:
    """What is told of it, as a reader of the desk has it: times in their zone, and roles by their names."""
    if told is True:
        return _("yes")
    if isinstance(told, int):
        return format_number(told)
    if isinstance(told, list):
        locale = languages.locale(language.current())
        return format_list([str(value(name, each)) for each in told], locale=locale)
    if name in ("added", "removed", "roles") and told in set(Role):
        return duties.of(Role(told)).name
    if name == "role":
        return contents.role_name(told)
    if name == "language":
        return languages.name(told)
    if name == "kind" and told in _LINKS:
        return _LINKS[told]()
    moment = _moment(told) if isinstance(told, str) else None
    return times.written(moment) if moment else told


def _moment(told: str) -> datetime | None:
    """The time that somebody or something wrote down; None for all else."""
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def kinds() -> list[tuple[str, str]]:
    """All kinds of things, each with what it is called."""
    return [(name, words()) for name, words in _KINDS.items()]
