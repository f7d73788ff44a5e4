"""The documentation is complete, and its links lead somewhere."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import click
import pytest

from mailer.cases.findings import Code
from mailer.cli import main
from mailer.operations.doctor import findings as of_installations
from tests.browser import test_desk_images, test_images

PROJECT = Path(__file__).parent.parent
REFERENCE = PROJECT / "docs" / "reference"
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


def _settings_that_are_read() -> set[str]:
    files = (PROJECT / "mailer" / "settings").glob("*.py")
    return {name for file in files for name in re.findall(r'"(MAILER_[A-Z_]+)"', file.read_text())}


def _settings_that_are_documented() -> list[str]:
    return re.findall(r"^\| `(MAILER_[A-Z_]+)` \|", (REFERENCE / "settings.md").read_text(), re.MULTILINE)


def test_every_setting_is_documented_once_and_no_other() -> None:
    documented = _settings_that_are_documented()
    assert sorted(documented) == sorted(_settings_that_are_read())


def test_settings_are_the_sole_reader_of_single_variables() -> None:
    # The programs that start others hand the environment on as a whole.
    readers = [
        file.relative_to(PROJECT)
        for folder in ("mailer", "workers")
        for file in (PROJECT / folder).rglob("*.py")
        if file.parent.name != "settings" and re.search(r"\bgetenv\(|\bos\.environ\.get\(", file.read_text())
    ]
    assert readers == []


def _walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command under a group, by its full name."""
    if command.hidden:
        return
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield name, command
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from _walk(found, f"{name} {child}")
    else:
        yield name, command


def _sections() -> dict[str, str]:
    """The sections of the reference, each about a group of commands, by the group's full name."""
    _, *parts = re.split(r"^## (.+)$", (REFERENCE / "commands.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _rows(text: str, *header: str) -> list[list[str]]:
    """The rows of all tables with this header, each as its cells."""
    rows, is_inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if is_inside and cells and set(line) != set("|-"):
            assert len(cells) == len(header), line
            rows.append(cells)
        is_inside = cells == [*header] or (is_inside and cells != [])
    return rows


def _quoted(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def _real_options() -> Iterator[tuple[str, click.Option]]:
    for name, command in _walk(main, "mailer"):
        yield from ((name, each) for each in command.params if isinstance(each, click.Option) and not each.hidden)


def _documented_options() -> Iterator[tuple[str, str, str]]:
    """Each option of each command: the command's full name, the option with its value, the default."""
    for group, text in _sections().items():
        for commands, options, default, _ in _rows(text, "command", "option", "default", "meaning"):
            for command in _quoted(commands):
                for option in _quoted(options):
                    yield f"{group} {command}", option, default


def _options(command: click.Command) -> set[str]:
    return {"--help"} | {option for parameter in command.params for option in parameter.opts}


def test_the_reference_has_every_command_with_its_arguments_in_the_section_of_its_group_and_no_other() -> None:
    documented = [
        (group, re.sub(r"(--[a-z-]+) [A-Z-]+", r"\1 …", usage))
        for group, text in _sections().items()
        for cell, _ in _rows(text, "command", "what it does")
        for usage in _quoted(cell)
    ]
    real = []
    for name, command in _walk(main, "mailer"):
        pieces = () if isinstance(command, click.Group) else command.collect_usage_pieces(click.Context(command))
        arguments = [piece for piece in pieces if piece != "[OPTIONS]"]
        required = [f"{each.opts[-1]} …" for known, each in _real_options() if known == name and each.required]
        real.append((name.rpartition(" ")[0], " ".join([name, *arguments, *required])))
    assert sorted(documented) == sorted(real)


def test_the_reference_has_every_option_of_every_command_and_no_other() -> None:
    documented = [(command, *option.partition(" ")[:2]) for command, option, _ in _documented_options()]
    real = [(name, each.opts, "" if each.is_flag else " ") for name, each in _real_options()]
    assert sorted(documented) == sorted((name, option, value) for name, options, value in real for option in options)


def test_the_reference_gives_the_defaults_that_hold() -> None:
    documented = {(command, option.split()[0]): default for command, option, default in _documented_options()}
    for name, each in _real_options():
        written = documented[name, each.opts[-1]]
        assert written
        assert (written == "required") is each.required, (name, each.opts)
        values = each.default if isinstance(each.default, tuple) else (each.default,)
        real = {str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool)}
        assert real <= set(written.replace(",", "").split()), (name, each.opts)


def test_options_that_the_reference_mentions_are_options_of_that_group() -> None:
    known = dict(_walk(main, "mailer"))
    for group, text in _sections().items():
        allowed = [_options(command) for name, command in known.items() if group in (name, name.rpartition(" ")[0])]
        assert set(_OPTION.findall(text)) <= set().union(*allowed), group


_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*(?![\w])")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_commands_that_pages_show_exist_with_their_options(page: Path) -> None:
    known = dict(_walk(main, "mailer"))
    text = page.read_text().replace("\\\n", " ")
    for shown in re.finditer(r"(?:`|bin/)(mailer(?: [a-z]+(?![\w-]))+)([^`\n]*)", text):
        names = [name for name in known if f"{shown[1]} ".startswith(f"{name} ")]
        groups = [name for name in known if name.startswith(f"{shown[1]} ")]
        assert names or groups, shown[0]
        for name in names and [max(names, key=len)]:  # `mailer inbound` is a command, and has commands
            assert set(_OPTION.findall(shown[2])) <= _options(known[name]), shown[0]


def test_what_the_log_may_warn_of_is_explained_to_who_is_on_call() -> None:
    page = (PROJECT / "docs" / "how-to" / "run-in-production.md").read_text()
    said = [
        re.split("%s|[:;]", message)[0].rstrip()
        for folder in ("mailer", "workers")
        for file in (PROJECT / folder).rglob("*.py")
        for message in re.findall(r'\blog(?:ger)?\.(?:warning|error)\(\s*"([^"]+)"', file.read_text())
    ]
    assert len(said) > 10
    assert [message for message in said if f"`{message}" not in page] == []


def test_every_command_says_what_it_does() -> None:
    silent = [
        f"{name} {parameter.name}" if parameter else name
        for name, command in _walk(main, "mailer")
        for parameter in [None, *(p for p in command.params if isinstance(p, click.Option))]
        if not (parameter or command).help
    ]
    assert silent == []


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    needed = [re.split(r"[\[<>=~!]", requirement)[0] for requirement in project["dependencies"]]
    explained = re.findall(r"^\| `([\w-]+)` \|", (REFERENCE / "dependencies.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(needed)


def test_every_decision_stands_in_the_index_under_its_number_and_title() -> None:
    folder = PROJECT / "docs" / "decisions"
    listed = _rows((folder / "README.md").read_text(), "number", "decision", "what was chosen", "date")
    decisions = []
    for page in sorted(folder.glob("[0-9]*.md")):
        number, _, title = page.read_text().partition("\n")[0].removeprefix("# ").partition(". ")
        assert int(page.name[:4]) == int(number), page.name
        decisions.append([number, f"[{title}]({page.name})"])
    assert [cells[:2] for cells in listed] == decisions
    assert all(chosen and re.fullmatch(r"20\d\d-\d\d-\d\d", date) for _, _, chosen, date in listed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = [unquote(link.partition("#")[0]) for link in _LINK.findall(page.read_text())]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_few_pictures_are_kept_which_scripts_take_and_pages_show() -> None:
    images = PROJECT / "docs" / "images"
    kept = {each.relative_to(images).as_posix() for each in images.rglob("*") if each.is_file()}
    assert kept == {f"{name}.png" for name in (*test_images.NAMES, *test_desk_images.NAMES)}
    assert len(test_images.NAMES) <= 12
    assert len(test_desk_images.NAMES) <= 6
    pages = "".join(page.read_text() for page in [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])
    assert [name for name in sorted(kept) if f"images/{name})" not in pages] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_anchor_is_a_headline_of_its_page(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        target, _, anchor = link.partition("#")
        if anchor:
            text = (page.parent / target if target else page).read_text()
            headlines = [re.sub(r"[^\w\- ]", "", line).strip().lower() for line in re.findall(r"^#+ (.*)", text, re.M)]
            assert anchor in [headline.replace(" ", "-") for headline in headlines], link


def test_the_quickstart_uses_only_commands_that_there_are() -> None:
    known = [name for name, _ in _walk(main, "mailer")]
    used = re.findall(r"\.venv/bin/(mailer(?: [a-z]+)+)", (PROJECT / "docs" / "quickstart.md").read_text())
    assert used
    assert [command for command in used if not any(command.startswith(name) for name in known)] == []


def test_the_page_of_findings_has_every_code_once_and_no_other() -> None:
    rows = _rows((REFERENCE / "findings.md").read_text(), "code", "what it means", "what to do")
    assert sorted(code for codes, *_ in rows for code in _quoted(codes)) == sorted(get_args(Code))


def test_the_page_of_findings_has_every_code_of_an_installation_once_and_no_other() -> None:
    rows = _rows((REFERENCE / "findings.md").read_text(), "code", "level", "what it means", "what to do")
    assert [code for codes, *_ in rows for code in _quoted(codes)] == sorted(get_args(of_installations.Code))
