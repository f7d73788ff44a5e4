"""A command that a message names can be typed where it is read."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.conftest import CommandLine
from tests.support.factories import make_campaign, make_list

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

MAILER = Path(sys.executable).with_name("mailer")


def run(cli: CommandLine, line: str, *, path: str = os.defpath) -> "subprocess.CompletedProcess[str]":
    """Type a command."""
    environment = cli.environment | {"PATH": path}
    return subprocess.run(shlex.split(line), env=environment, capture_output=True, text=True, check=False)


def test_what_is_told_to_do_next_can_be_typed(cli: CommandLine, session: Session) -> None:
    make_campaign(session, make_list(session))
    session.commit()
    typed = os.path.relpath(MAILER)
    refused = run(cli, f"{typed} campaigns status nothing")
    assert refused.stderr.startswith("mailer: ")
    hint = refused.stderr.rpartition("See which there are: ")[2].strip()
    assert hint == f"{typed} campaigns list"
    assert "free-the-five" in run(cli, hint).stdout


def test_who_has_the_command_in_their_path_reads_its_bare_name(cli: CommandLine) -> None:
    told = run(cli, "mailer campaigns list", path=f"{MAILER.parent}{os.pathsep}{os.defpath}")
    assert "Load one with: mailer campaigns load FOLDER" in told.stdout
