"""The errors that a person can act on.

A child's docstring is its message, with `{fields}` filled in from keyword arguments. Children stand beside
the function that raises them; only the roots live here.
"""

import inspect
from collections.abc import Sequence


class MailerError(Exception):
    """The request was refused."""

    #: what a command line ends with: 1 for a refused request, 3 for a missing service
    exit_code = 1

    def __init__(self, **fields: object) -> None:
        """Build the message from the class's docstring.

        :param fields: the values of the `{fields}` in the docstring, also kept as `self.fields`.
        """
        self.fields = fields
        docstring = inspect.getdoc(type(self)) or type(self).__name__
        super().__init__(" ".join(docstring.split()).format_map({k: str(v) for k, v in fields.items()}))

    @property
    def lines(self) -> Sequence[str]:
        """The message as a terminal shows it: one line, where it lists nothing."""
        return [str(self)]


class ServiceUnavailable(MailerError):
    """{service} cannot be reached: {problem}. {remedy}"""

    exit_code = 3


class ConfigurationError(Exception):
    """A setting is missing or wrong.

    Not a MailerError, so that no edge takes it for a refused request: the program must not start.
    """

    exit_code = 1
    #: what is wrong with which one, where it is known apart from the message
    variable = problem = example = ""

    def __init__(self, variable: str, problem: str, example: str) -> None:
        """:param variable: name of the setting; :param example: a value that would be accepted."""
        self.variable, self.problem, self.example = variable, problem, example
        super().__init__(f"{variable}: {problem}. Example: {variable}={example}")
