"""Mistakes: all that is wrong with what somebody filled in, told at once, so that they fill it in twice at most."""

from collections.abc import Callable, Sequence

from mailer.errors import MailerError, ServiceUnavailable


class Mistakes(MailerError):
    """Several things are not right: {all}"""

    def __init__(self, found: Sequence[MailerError]) -> None:
        super().__init__(all=" ".join(map(str, found)))
        self.found = found


def gather(*checks: Callable[[], object]) -> None:
    """Look at everything, whatever is wrong with some of it.

    :param checks: each raises a `MailerError` where something is wrong.
    :raises MailerError: what one has raised, if only one has.
    :raises Mistakes: several have raised something.
    """
    found: list[MailerError] = []
    for check in checks:
        try:
            check()
        except ServiceUnavailable:
            raise  # nobody's mistake
        except MailerError as mistake:
            found.append(mistake)
    if found:
        raise found[0] if len(found) == 1 else Mistakes(found)
