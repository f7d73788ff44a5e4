"""What somebody is written when something happens to their account, so that they notice when it was not they.

What happens within a minute goes out in one mail, and so does what happens in the quarter of an hour after that mail: a
stranger who can make mails go out cannot make many. None has a link, and none names another person.
"""

import enum
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mailer.locale import languages, moments, zones
from mailer.people import notices
from mailer.people.notices import Notice, NoticeKind
from mailer.store.db import utcnow
from mailer.store.models import WAITING, Account, AccountMail, Delivery

#: from what happens to the mail: what happens meanwhile stands in it, too
SOON = timedelta(minutes=1)
#: from one mail to the next
APART = timedelta(minutes=15)
#: between the times at which the same happened
_AND = "; "
#: times that stand in one mail: the first ones and the last, with a sign for those that are left out
_MOST_TIMES, _FIRST_TIMES, _LEFT_OUT = 6, 4, "…"


class Event(enum.StrEnum):
    """What has happened: the field of the mail that says when."""

    PASSWORD = "password_at"  # noqa: S105  # no password: there is another one, chosen at the desk or by a link
    SECOND_FACTOR = "factor_at"  # another one was set up
    RECOVERY_CODE = "code_at"  # one was used in place of the second factor
    NEW_BROWSER = "browser_at"  # somebody has signed in, in a browser that was not known
    ROLES = "roles_at"  # some were given or taken
    DISABLED = "disabled_at"  # the account lets nobody in any more
    ENABLED = "enabled_at"  # it does again


def tell(
    session: Session,
    account: Account,
    event: Event,
    *,
    at: datetime,
    codes: int | None = None,
    browser: str | None = None,
) -> None:
    """Owe somebody a mail that says what has happened, in the transaction in which it happens; nothing to who has not
    come in yet.

    :param codes: how many recovery codes are left; of `RECOVERY_CODE`.
    :param browser: what it is called; of `NEW_BROWSER`.
    """
    session.flush()
    # Who does something else to the same account waits for this row, and so does not owe a second mail.
    session.execute(select(Account.id).where(Account.id == account.id).with_for_update(key_share=True))
    if account.password_hash is None:
        return
    language = languages.of_site(account.language) or "en"
    when = moments.written(at, zones.or_utc(account.zone), languages.locale(language))
    said = {event.value: f"{when}, {browser}" if browser else when}
    said |= {} if codes is None else {"codes": str(codes)}
    latest = session.get(AccountMail, account.id, populate_existing=True)
    if latest and notices.rewrite_one(session, latest.delivery_id, lambda owed: _saying_also(owed, event, said)):
        return
    goes_at = max(at + SOON, latest.goes_at + APART) if latest else at + SOON
    notice = Notice(NoticeKind.ACCOUNT, words=said)
    owed = notices.owe(session, notice, language=language, address=account.email, not_before=goes_at)
    session.merge(AccountMail(account_id=account.id, delivery_id=owed, goes_at=goes_at))
    session.flush()


def _saying_also(owed: Notice, event: Event, said: dict[str, str]) -> Notice:
    """A mail that waits, which tells of something more: what it tells of already stays in it."""
    before = owed.words.get(event.value, "").split(_AND)
    times = [*(each for each in before if each), said[event.value]]
    if len(times) > _MOST_TIMES:
        times = [*times[:_FIRST_TIMES], _LEFT_OUT, times[-1]]
    return owed.saying({**owed.words, **said, event.value: _AND.join(dict.fromkeys(times))})


def forget_old(session: Session) -> None:
    """Forget which mails went to whom, once the next one may go. What still waits takes in what happens meanwhile."""
    waits = select(Delivery.id).where(Delivery.id == AccountMail.delivery_id, Delivery.state.in_(WAITING)).exists()
    session.execute(delete(AccountMail).where(AccountMail.goes_at < utcnow() - APART, ~waits))
