"""The small language of campaign texts: fields with defaults, and conditions on who reads.

Jinja2 reads the syntax; nothing is ever executed by it. What it read is walked with an allow list, so that
whatever is not named here is refused: no attribute, no call, no filter, no loop.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes

from mailer.errors import MailerError
from mailer.mail.types import Pieces, Slot, join_pieces

#: What is known of a reader: "union" holds the slugs of the person's union and of all that contain it.
Facts = Mapping[str, Collection[str]]
Test = Callable[[Facts], bool]


class TextFieldError(MailerError):
    """{file}:{line}: {problem}"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text says something else to each reader: it prints a field, or what a condition shows begins or ends."""

    names: frozenset[str]  # the field, or what the condition asks for
    line: int  # of the file
    slot: Slot | None  # what is printed; None for an end of a condition


@dataclass(frozen=True, slots=True)
class Condition:
    """An `{% if %}` with its `{% elif %}`s; the first that holds is shown, else `otherwise`."""

    branches: tuple[tuple[int, "Sequence"], ...]  # number of the test, what it shows
    otherwise: "Sequence"
    edge: Place  # what stands before and behind the words that it shows


Sequence = tuple[str | Place | Condition, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value that a text compares one of its conditions with."""

    name: str
    value: str
    line: int  # of the file


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read and found to hold nothing but what is allowed."""

    sequence: Sequence
    conditions: tuple[Test, ...]
    fields: frozenset[str]  # those it uses
    comparisons: tuple[Comparison, ...]  # what it asks for

    @property
    def condition_names(self) -> frozenset[str]:
        """The conditions it asks for."""
        return frozenset(comparison.name for comparison in self.comparisons)

    @property
    def tests(self) -> int:
        """How many `if` and `elif` there are: the length of a variant."""
        return len(self.conditions)

    def variant(self, facts: Facts) -> str:
        """Which wording a reader gets: "1" or "0" for each test, in the order they stand in.

        :param facts: for each condition name the values that hold; empty when nothing is known.
        """
        return "".join("1" if test(facts) else "0" for test in self.conditions)

    def resolve(self, variant: str) -> Pieces:
        """The wording that belongs to a variant.

        :raises ValueError: when the variant is not one of this text.
        """
        parts = (part.slot if isinstance(part, Place) else part for part in self.places(variant))
        return join_pieces(part for part in parts if part is not None)

    def places(self, variant: str) -> tuple[str | Place, ...]:
        """Likewise, with every place at which readers differ.

        :raises ValueError: when the variant is not one of this text.
        """
        if len(variant) != self.tests or set(variant) - {"0", "1"}:
            raise ValueError(f"variant {variant!r} does not fit a text with {self.tests} tests")
        return tuple(_resolved(self.sequence, variant))

    def samples(self) -> Iterator[str]:
        """Variants that between them show every wording at least once."""
        for true_tests in (frozenset[int](), *_paths(self.sequence, frozenset())):
            yield "".join("1" if number in true_tests else "0" for number in range(self.tests))


def parse(
    source: str, *, file: str, first_line: int = 1, fields: Collection[str], conditions: Collection[str]
) -> Template:
    """Read a campaign text.

    :param file: named in errors.
    :param first_line: the line of the file on which the source starts.
    :param fields: names that may stand in `{{ }}`.
    :param conditions: names that an `{% if %}` may ask for.
    :raises TextFieldError: with file, line and what is wrong there.
    """
    return _Reader(file, first_line, frozenset(fields), frozenset(conditions)).read(source)


def _resolved(sequence: Sequence, variant: str) -> Iterator[str | Place]:
    for part in sequence:
        if isinstance(part, Condition):
            shown = (inner for number, inner in part.branches if variant[number] == "1")
            yield part.edge
            yield from _resolved(next(shown, part.otherwise), variant)
            yield part.edge
        else:
            yield part


def _paths(sequence: Sequence, above: frozenset[int]) -> Iterator[frozenset[int]]:
    """For each branch, the tests that must hold, and no others, for it to be shown."""
    for part in sequence:
        if isinstance(part, Condition):
            for number, inner in part.branches:
                yield above | {number}
                yield from _paths(inner, above | {number})
            yield from _paths(part.otherwise, above)


#: Everything that a reader of errors may not know by its Jinja2 class name.
_REFUSED = {
    nodes.Getattr: "attributes (a.b)",
    nodes.Getitem: "items (a[b])",
    nodes.Call: "calls (a())",
    nodes.Filter: "filters (a | b)",
    nodes.Test: "tests (a is b)",
    nodes.For: "loops ({% for %})",
    nodes.Assign: "assignments ({% set %})",
    nodes.AssignBlock: "assignments ({% set %})",
    nodes.Macro: "macros ({% macro %})",
    nodes.CallBlock: "calls ({% call %})",
    nodes.FilterBlock: "filters ({% filter %})",
    nodes.Include: "includes ({% include %})",
    nodes.Import: "imports ({% import %})",
    nodes.FromImport: "imports ({% from %})",
    nodes.Extends: "inheritance ({% extends %})",
    nodes.Block: "blocks ({% block %})",
    nodes.With: "{% with %}",
    nodes.CondExpr: "inline conditions (a if b else c)",
}

_ALLOWED = 'Only {{ field }}, {{ field or "default" }} and {% if country == "GB" %} are allowed'

#: a field in one brace instead of two, with or without a default
_SINGLE_BRACES = re.compile(r"(?<!\{)\{\s*(\w+)(?:\s+or\s[^{}\n]*)?\s*\}(?!\})")
#: an opening after which another one, or the end of the text, comes before its closing
_UNCLOSED = re.compile(r"\{\{(?!(?:(?!\{[{%#]).)*\}\})|\{%(?!(?:(?!\{[{%#]).)*%\})|\{#(?!.*#\})", re.DOTALL)
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_TAG = re.compile(r"\{%[-+]?\s*(\w+)")
_IF_TAGS = frozenset(["if", "elif", "else", "endif"])

#: what Jinja2 says, as a pattern → what it means to whoever writes a text
_MEANINGS = {
    "unknown tag 'endif'": "This {% endif %} has no {% if %} before it.",
    "unknown tag 'el": "This {% else %} or {% elif %} has no {% if %} before it, or there is an {% else %} already.",
    "unexpected char '[“”„«»‘’]'": 'Write straight quotes: {{ name or "supporter" }}.',
    "unexpected char": "A quotation mark is not closed, or there is a character that may not be there.",
    "got '='": "Compare with two equals signs: ==, not =.",
    "Expected an expression|unexpected 'end of": "Something is missing between the braces.",
    "'end of print statement', got": 'Write only one field there, and maybe a default: {{ name or "supporter" }}.',
}

#: The operators of a comparison → whether they are true for a member or for anyone else.
_COMPARISONS = {"eq": True, "ne": False, "in": True, "notin": False}


class _Reader:
    """One reading of one text: collects tests, fields and condition names as it walks the syntax tree."""

    def __init__(self, file: str, first_line: int, fields: frozenset[str], conditions: frozenset[str]) -> None:
        self._file = file
        self._first_line = first_line
        self._known_fields = fields
        self._known_conditions = conditions
        self._tests: list[Test] = []
        self._fields: set[str] = set()
        self._comparisons: list[Comparison] = []

    def read(self, source: str) -> Template:
        # A text keeps its last line end, which Jinja2 takes away by default.
        environment = Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - nothing is rendered
        try:
            self._check_ifs_are_closed(environment, source)
            self._check_braces_are_double(environment, source)
            tree = environment.parse(source)
            sequence = self._sequence(tree.body)
        except TemplateSyntaxError as problem:
            raise self._explain(source, problem) from None
        except (ValueError, RecursionError):
            # Numbers with thousands of digits and thousands of brackets are too much for the parser itself.
            raise self._error(
                1, "The text cannot be read: a number is too long, or there are too many brackets."
            ) from None
        return Template(sequence, tuple(self._tests), frozenset(self._fields), tuple(self._comparisons))

    def _error(self, line: int, problem: str) -> TextFieldError:
        return TextFieldError(file=self._file, line=self._line(line), problem=problem)

    def _line(self, line: int) -> int:
        """The line of the file that a line of the text is."""
        return line + self._first_line - 1

    def _check_ifs_are_closed(self, environment: Environment, source: str) -> None:
        """Name the line of an `{% if %}` that is left open, where Jinja2 names the last line of the text."""
        opened: list[int] = []
        after_block_begin = False
        for line, kind, value in environment.lex(source):
            if after_block_begin and kind == "name":
                if value == "if":
                    opened.append(line)
                elif value == "endif" and opened:
                    opened.pop()
            after_block_begin = kind == "block_begin" or (after_block_begin and kind == "whitespace")
        if opened:
            raise self._error(opened[-1], "This {% if %} has no {% endif %}.")

    def _check_braces_are_double(self, environment: Environment, source: str) -> None:
        """Refuse what would go out as it stands, `{name}`, though a field was meant."""
        for line, kind, value in environment.lex(source):
            for written in _SINGLE_BRACES.finditer(value) if kind == "data" else ():
                if written[1].lower() in self._known_fields:
                    problem = f"Put a field in two braces: write {{{{ {written[1].lower()} }}}}, not {written[0]}."
                    raise self._error(line + value.count("\n", 0, written.start()), problem)

    def _explain(self, source: str, problem: TemplateSyntaxError) -> TextFieldError:
        """Say in a writer's words what the parser says in its own."""
        unclosed = _UNCLOSED.search(source)
        if unclosed:
            line = source.count("\n", 0, unclosed.start()) + 1
            return self._error(line, f"This {unclosed[0]} has no {_CLOSING[unclosed[0]]}.")
        written = source.split("\n")[problem.lineno - 1]
        said = problem.message or ""
        tags = [tag for tag in _TAG.findall(written) if tag not in _IF_TAGS]
        if tags:
            return self._error(problem.lineno, f"{_ALLOWED}, not {{% {tags[0]} %}}.")
        for pattern, meaning in _MEANINGS.items():
            if re.search(pattern, said):
                return self._error(problem.lineno, meaning)
        return self._error(problem.lineno, f"This cannot be read. {_ALLOWED}.")

    def _sequence(self, body: list[nodes.Node]) -> Sequence:
        parts: list[str | Place | Condition] = []
        for node in body:
            if isinstance(node, nodes.Output):
                parts.extend(self._output(inner) for inner in node.nodes)
            elif isinstance(node, nodes.If):
                parts.append(self._condition(node))
            else:
                raise self._refusal(node)
        return tuple(parts)

    def _output(self, node: nodes.Node) -> str | Place:
        match node:
            case nodes.TemplateData():
                return node.data
            case nodes.Name():
                return self._printed(node)
            case nodes.Or(left=nodes.Name() as name, right=nodes.Const(value=str(default))):
                return self._printed(name, default)
            case nodes.Or(left=nodes.Name()):
                raise self._error(node.lineno, 'A default is one text in quotes: {{ name or "supporter" }}.')
        raise self._refusal(node)

    def _printed(self, node: nodes.Name, default: str = "") -> Place:
        if node.name not in self._known_fields:
            raise self._error(node.lineno, _unknown("field", node.name, self._known_fields))
        self._fields.add(node.name)
        return Place(frozenset({node.name}), self._line(node.lineno), Slot(node.name, default))

    def _condition(self, node: nodes.If) -> Condition:
        branches: list[tuple[int, Sequence]] = []
        names: set[str] = set()
        for branch in (node, *node.elif_):
            number, asked = len(self._tests), len(self._comparisons)
            self._tests.append(self._test(branch.test))
            names |= {comparison.name for comparison in self._comparisons[asked:]}
            branches.append((number, self._sequence(branch.body)))
        edge = Place(frozenset(names), self._line(node.lineno), None)
        return Condition(tuple(branches), self._sequence(node.else_), edge)

    def _test(self, node: nodes.Node) -> Test:
        match node:
            case nodes.And():
                left, right = self._test(node.left), self._test(node.right)
                return lambda facts: left(facts) and right(facts)
            case nodes.Or():
                left, right = self._test(node.left), self._test(node.right)
                return lambda facts: left(facts) or right(facts)
            case nodes.Not():
                negated = self._test(node.node)
                return lambda facts: not negated(facts)
            case nodes.Compare(expr=nodes.Name() as name, ops=[nodes.Operand() as operand]):
                return self._comparison(name, operand)
            case nodes.Compare():
                raise self._error(node.lineno, 'A comparison is a name and a text in quotes: country == "GB".')
            case nodes.Name():
                self._check_condition_name(node)
                raise self._error(node.lineno, f'Compare {node.name} with something: {node.name} == "…".')
        raise self._refusal(node)

    def _comparison(self, name: nodes.Name, operand: nodes.Operand) -> Test:
        self._check_condition_name(name)
        if operand.op not in _COMPARISONS:
            raise self._error(operand.expr.lineno, "Only ==, !=, in and not in may compare.")
        field, expected, wanted = name.name, self._values(operand), _COMPARISONS[operand.op]
        line = self._line(operand.expr.lineno)
        self._comparisons += (Comparison(field, value, line) for value in sorted(expected))
        return lambda facts: (not expected.isdisjoint(facts.get(field, ()))) is wanted

    def _values(self, operand: nodes.Operand) -> frozenset[str]:
        match operand.op, operand.expr:
            case (("eq" | "ne"), nodes.Const(value=str(value))):
                return frozenset((value,))
            case (("in" | "notin"), (nodes.List(items=items) | nodes.Tuple(items=items))):
                values = [item.value for item in items if isinstance(item, nodes.Const) and isinstance(item.value, str)]
                if len(values) == len(items):
                    return frozenset(values)
        if operand.op in ("in", "notin"):
            raise self._error(
                operand.expr.lineno, 'After "in" comes a list of texts in quotes: country in ["GB", "IE"].'
            )
        raise self._error(operand.expr.lineno, 'Compare with one text in quotes: country == "GB".')

    def _check_condition_name(self, node: nodes.Name) -> None:
        if node.name not in self._known_conditions:
            raise self._error(node.lineno, _unknown("condition", node.name, self._known_conditions))

    def _refusal(self, node: nodes.Node) -> TextFieldError:
        what = _REFUSED.get(type(node), "this expression")
        return self._error(node.lineno, f"{_ALLOWED}, not {what}.")


def _unknown(kind: str, name: str, known: Collection[str]) -> str:
    return f'There is no {kind} "{name}". Known: {", ".join(sorted(known)) or "none"}.'
