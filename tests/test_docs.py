"""The documentation is complete, and its links lead somewhere."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from mailer.cli import main

PROJECT = Path(__file__).parent.parent
REFERENCE = PROJECT / "docs" / "reference"
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


def _settings_that_are_read() -> set[str]:
    return set(re.findall(r'"(MAILER_[A-Z_]+)"', (PROJECT / "mailer" / "settings" / "__init__.py").read_text()))


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
        context = click.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from _walk(found, f"{name} {child}")
    else:
        yield name, command


def _items() -> list[str]:
    """The parts of the reference, each about a command or a few: an item of a list, or a section."""
    return re.split(r"^(?:- (?=`)|## )", (REFERENCE / "commands.md").read_text(), flags=re.MULTILINE)


def _documented(command: str) -> str:
    """What the reference says of a command."""
    return "\n".join(item for item in _items() if re.search(rf"(?:^|`){re.escape(command)}\b", item))


def _options(command: click.Command) -> set[str]:
    return {"--help"} | {option for parameter in command.params for option in parameter.opts}


def test_every_command_and_option_is_documented() -> None:
    missing = []
    for name, command in _walk(main, "mailer"):
        about = _documented(name)
        if not about:
            missing.append(name)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                missing += [f"{name} {option}" for option in parameter.opts if not _names(about, option)]
    assert missing == []


def test_every_documented_option_exists() -> None:
    known = dict(_walk(main, "mailer"))
    invented = []
    for item in _items():
        about = [command for name, command in known.items() if re.search(rf"(?:^|`){re.escape(name)}\b", item)]
        if about:
            allowed = set().union(*map(_options, about))
            invented += [option for option in _OPTION.findall(item) if option not in allowed]
    assert invented == []


_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*(?![\w])")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_commands_that_pages_show_exist_with_their_options(page: Path) -> None:
    known = dict(_walk(main, "mailer"))
    text = page.read_text().replace("\\\n", " ")
    for shown in re.finditer(r"(?:`|bin/)(mailer(?: [a-z]+(?![\w-]))+)([^`\n]*)", text):
        names = [name for name in known if f"{shown[1]} ".startswith(f"{name} ")]
        groups = [name for name in known if name.startswith(f"{shown[1]} ")]
        assert names or groups, shown[0]
        for name in names:
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


def _names(about: str, option: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", about) is not None


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = [unquote(link.partition("#")[0]) for link in _LINK.findall(page.read_text())]
    assert [target for target in targets if not (page.parent / target).exists()] == []


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
