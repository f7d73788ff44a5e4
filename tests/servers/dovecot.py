"""Debian's Dovecot with one mailbox. It needs no root of its own: it writes only into the folder that it is given."""

import imaplib
import os
import pwd
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import debian
from tests.support.certificates import Certificates, make_certificates

USER, PASSWORD = "bounces@in.example.org", 'with "quotes", ö and \\'
_START_SECONDS = 60

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{certificate}
auth_mechanisms = plain {mechanisms}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:~/Maildir
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = .
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
{passdb}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{more}
"""


@dataclass(frozen=True)
class Dovecot:
    """A running one."""

    port: int
    certificates: Certificates
    folder: Path

    @property
    def url(self) -> str:
        """As MAILER_INBOUND_URL has it."""
        return f"imaps://{USER}@127.0.0.1:{self.port}/INBOX"

    def log_in(self) -> imaplib.IMAP4_SSL:
        """As a mail program does, which puts messages there and looks at them."""
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        client = imaplib.IMAP4_SSL("127.0.0.1", self.port, ssl_context=context, timeout=60)
        try:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        except BaseException:
            client.shutdown()
            raise
        return client

    def deliver(self, *messages: bytes, flags: str = "") -> None:
        """Put messages into INBOX."""
        with self.log_in() as client:
            for message in messages:
                status, said = client.append("INBOX", flags, "", message)  # today
                assert status == "OK", said

    def holds(self, name: str) -> list[bytes]:
        """The flags of each message in a folder, in order; none if there is no such folder."""
        with self.log_in() as client:
            if client.select(name, readonly=True)[0] != "OK":
                return []
            found = client.uid("FETCH", "1:*", "(FLAGS)")[1]
        flags = [line.partition(b"FLAGS (")[2].partition(b")")[0] for line in found if isinstance(line, bytes)]
        return [each.replace(b"\\Recent", b"").strip() for each in flags]


@contextmanager
def running(
    folder: Path, *, prefix: str = "", passdb: str = "", mechanisms: str = "", more: str = ""
) -> Iterator[Dovecot]:
    """One, until the end of the block.

    :param folder: empty, and open to all users.
    :param prefix: of the names of folders.
    :param passdb: more ways to know somebody, and in `mechanisms` to be told who it is.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can start Dovecot")
    program = debian.program("dovecot", package="dovecot-imapd")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    owner = pwd.getpwnam("nobody")
    for name in ("run", "state", "home"):
        (folder / name).mkdir()
    os.chown(folder / "home", owner.pw_uid, owner.pw_gid)
    certificates = make_certificates(folder)
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    configuration = folder / "dovecot.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder,
            certificate=certificates.server,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            port=port,
            prefix=prefix,
            passdb=passdb,
            mechanisms=mechanisms,
            more=more,
        )
    )
    process = subprocess.Popen([program, "-F", "-c", str(configuration)])
    try:
        dovecot = Dovecot(port, certificates, folder)
        _wait(dovecot, process)
        yield dovecot
    finally:
        process.terminate()
        process.wait(30)


def _wait(dovecot: Dovecot, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            with dovecot.log_in():
                return
        except (OSError, imaplib.IMAP4.error) as problem:
            log = dovecot.folder / "log"
            said = log.read_text() if log.exists() else ""
            assert process.poll() is None and time.monotonic() < give_up, f"{problem}: {said}"
            time.sleep(0.1)
