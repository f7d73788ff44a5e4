"""Names the tests of what has changed, for `make check`: `python tests/support/changed.py` prints their paths.

What has changed is what git has not committed yet; where that is nothing, the last commit. A file of the program leads
to the test of its path, else to the tests of its folder; a template leads to the test of its views. Whatever has
changed, the tests of the documentation and of the layout are among them. The slow ones, which start browsers and whole
systems, are left to `make test`.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).parents[2]
ALWAYS = ("tests/test_docs.py", "tests/test_layout.py")
_SLOW = ("tests/acceptance", "tests/browser")
#: folders outside `mailer/` → what tests them
_ELSEWHERE = {
    "migrations": "tests/test_migrations.py",
    "templates": "tests/mail/test_render.py",
    "workers": "tests/workers",
}


def paths_for(changed: Iterable[str], *, project: Path = PROJECT) -> list[str]:
    """The tests to run, by path.

    :param changed: paths of files, from the top of the project; a file that is gone counts as well.
    """
    found = set(ALWAYS)
    for name in changed:
        test = _test_of(PurePosixPath(name), project)
        if test is not None and not test.startswith(_SLOW):
            found.add(test)
    return sorted(found)


def _test_of(path: PurePosixPath, project: Path) -> str | None:
    top, *rest = path.parts
    if top == "tests":
        is_test = path.name.startswith("test_") and path.suffix == ".py" and (project / path).exists()
        return str(path) if is_test else None
    if top in _ELSEWHERE:
        return _ELSEWHERE[top]
    if top != "mailer" or not rest:
        return None
    folder = PurePosixPath("tests", *rest[:-1])
    own = folder / f"test_{path.stem}.py"
    if rest[:2] == ["web", "templates"]:
        folder, own = PurePosixPath("tests/web"), PurePosixPath("tests/web/public", f"test_{rest[2]}.py")
    return next((str(each) for each in (own, folder, *folder.parents[:-2]) if (project / each).exists()), None)


def _changed() -> list[str]:
    uncommitted = _git("status", "--porcelain=v1", "--untracked-files=all", "-z").split("\0")
    names = [entry[3:] for entry in uncommitted if entry]
    return names or _git("diff", "--name-only", "-z", "HEAD~1", "HEAD").split("\0")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print(*paths_for(filter(None, _changed())))  # noqa: T201  # for the Makefile
