"""Programs that some tests check our work with, and that Debian packages."""

import os
import shutil
import subprocess

import pytest

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


def program(name: str, *, package: str) -> str:
    """The path of a program. As root its package is installed if need be.

    Where that is not possible the test is skipped and says so; with CI=true that is a failure.
    """
    found = shutil.which(name, path=_PATH)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(package)
        found = shutil.which(name, path=_PATH)
    if found is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"{name} is missing. On Debian: apt-get install {package}")
    return found


def _install(package: str) -> None:
    # Two test processes may want this at once: wait for each other's lock.
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "-qq", "-y"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--no-install-recommends", package]):
        subprocess.run([*apt, *command], env=quiet, capture_output=True, check=False)
