"""The listener that mail servers hand over to: whether it runs, and takes what is ours and nothing else."""

from collections.abc import Iterator

from mailer.mail import listener_probe
from mailer.mail.listener_probe import Answer, Heard, NoListener
from mailer.mail.smtp import Place
from mailer.mail.smtp_taking import Dialect
from mailer.operations.doctor.findings import Code, Finding, Level
from mailer.operations.doctor.rounds import Seen

_SECONDS = 5.0  # for each answer
_NAME = "Tocsin"  # by which our own greets
_STRANGER = "nobody@doctor.invalid"  # RFC 2606
_SETTINGS = {Dialect.LMTP: "MAILER_INBOUND_LMTP", Dialect.SMTP: "MAILER_INBOUND_SMTP"}
_WAITS = "Until then your mail server keeps what comes in, as long as it keeps mail."


def look(place: Place, dialect: Dialect, own_address: str | None) -> Seen:
    """Ask as a mail server does whether it takes mail to an address of ours, and to a stranger's. No message is given.

    :param own_address: that it should take mail for, if one is set; of its token only the form counts.
    """
    setting = _SETTINGS[dialect]
    if own_address is None:
        what = (
            "MAILER_BOUNCE_ADDRESS is not set, nor MAILER_UNSUBSCRIBE_ADDRESS, and without mailer inbound listen ends"
        )
        return _found("listener-refuses", setting, what, "Set both, then start mailer inbound listen.")
    try:
        heard = listener_probe.ask(place, dialect, (own_address, _STRANGER), seconds=_SECONDS)
    except NoListener as problem:
        what = f"nobody takes mail at {place}: {problem}"
        remedy = (
            "Start mailer inbound listen, and see in its log why it ended. If it runs on another machine only, take "
            f"{setting} out of the settings of this one. {_WAITS}"
        )
        return _found("listener-away", setting, what, remedy)
    return next(_findings(heard, place, dialect, own_address), Seen(_in_words(place, dialect)))


def _in_words(place: Place, dialect: Dialect) -> str:
    if dialect is Dialect.LMTP:
        return f"{place} answers over LMTP, and takes mail"  # from whom it is not: that is dropped without a word
    return f"{place} answers over SMTP, takes mail to our own addresses, and to no other"


def _findings(heard: Heard, place: Place, dialect: Dialect, own_address: str) -> Iterator[Seen]:
    setting = _SETTINGS[dialect]
    answers = [heard.greeting, *([heard.opening] if heard.opening else []), *heard.recipients.values()]
    if any(answer.is_for_now for answer in answers):
        yield _busy(setting, place, next(answer for answer in answers if answer.is_for_now))
    if _NAME not in heard.greeting.words.split():
        what = f"another program answers at {place}: {heard.greeting}"
        remedy = f"Have one of the two use another port or path; {setting}, and your mail server, name ours. {_WAITS}"
        yield _found("listener-other", setting, what, remedy)
    own, stranger = (heard.recipients.get(address) for address in (own_address, _STRANGER))
    if own is None or not own.is_yes:
        what = f"it refuses mail to our own addresses: {own or heard.opening or heard.greeting}"
        remedy = (
            "It runs with other addresses than these settings name: restart mailer inbound listen. Until then your "
            "mail server sends back what comes in."
        )
        yield _found("listener-refuses", setting, what, remedy)
    if dialect is Dialect.SMTP and stranger is not None and stranger.is_yes:
        what = f"it takes mail to addresses that are not ours: {stranger}"
        remedy = "A listener of ours never does, so stop what runs there, and start mailer inbound listen."
        yield _found("listener-open", setting, what, remedy)


def _busy(setting: str, place: Place, answer: Answer) -> Seen:
    what = f"{place} takes nothing just now: {answer}"
    remedy = f"Look again in a minute. If it stays so, see the log of mailer inbound listen. {_WAITS}"
    return Seen(findings=(Finding(Level.WARNING, "listener-busy", setting, what, remedy),))


def _found(code: Code, setting: str, what: str, remedy: str) -> Seen:
    return Seen(findings=(Finding(Level.ERROR, code, setting, what, remedy),))
