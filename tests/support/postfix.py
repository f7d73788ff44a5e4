"""Debian's Postfix as a relay of the test's own: on loopback, in its own directories, delivering into a Maildir."""

import email
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from tests.support.certificates import Certificates

MAIL_USER = "postfix"
#: a host whose every recipient it takes first, and sends a bounce for afterwards
GONE = "gone.example.org"
#: likewise, because their mailboxes are full
FULL = "full.example.org"
_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n    60 1 pickup
flush     unix n - n 1000? 0 flush
cleanup   unix n - n -    0 cleanup
qmgr      unix n - n 300  1 qmgr
rewrite   unix - - n -    - trivial-rewrite
bounce    unix - - n -    0 bounce
defer     unix - - n -    0 bounce
trace     unix - - n -    0 bounce
error     unix - - n -    - error
gone      unix - n n -    - pipe user=nobody argv=/bin/sh -c {{exit 67}}
full      unix - n n    - - pipe user=nobody argv=/bin/sh -c {{echo 5.2.2 The mailbox is full; exit 67}}
virtual   unix - n n -    - virtual
lmtp      unix - - n -    - lmtp
tlsmgr    unix - - n 1000? 1 tlsmgr
anvil     unix - - n -    1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running one."""

    port: int
    log: Path
    queue: Path
    _maildir: Path
    _control: Callable[[str], None]

    def flush(self) -> None:
        """Have it try everything again at once. By itself it leaves a mail alone for minutes that it wanted to try
        while the last try had not quite ended.
        """
        self._control("flush")

    def mailbox(self) -> list[Message]:
        """All that was delivered, to whomever; `Delivered-To` tells."""
        return [email.message_from_bytes(file.read_bytes()) for file in self._maildir.glob("new/*")]

    def wait_for(self, count: int, *, seconds: float = 20) -> list[Message]:
        """The mailbox, when so much has been delivered."""
        give_up = time.monotonic() + seconds
        while len(found := self.mailbox()) < count:
            assert time.monotonic() < give_up, f"{len(found)} of {count} delivered:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.1)
        return found


@contextmanager
def running_postfix(program: str, directory: Path, certificates: Certificates, **settings: str) -> Iterator[Postfix]:
    """A Postfix that asks for STARTTLS, until the end of the block. Only root can start one.

    :param directory: empty; the user that it runs as must be able to look into it.
    :param settings: of main.cf, beside those it needs.
    """
    port = _free_port()
    configuration, queue, data, mail = (directory / name for name in ("etc", "spool", "lib", "mail"))
    for folder in (configuration, queue, data, mail):
        folder.mkdir()
    for folder in (data, mail):
        shutil.chown(folder, MAIL_USER)
    log = directory / "log"
    main = _main(directory, certificates, uid=mail.stat().st_uid) | settings
    (configuration / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in main.items()))
    (configuration / "master.cf").write_text(_SERVICES.format(port=port))

    def control(action: str) -> None:
        done = subprocess.run([program, "-c", configuration, action], capture_output=True, text=True, check=False)
        said = log.read_text() if log.exists() else ""
        assert done.returncode == 0, f"postfix {action}: {done.stderr}{said[-3000:]}"

    control("start")
    try:
        _wait_until(lambda: _listens(port))
        yield Postfix(port, log, queue, mail / "all", control)
    finally:
        control("stop")


def _main(directory: Path, certificates: Certificates, *, uid: int) -> dict[str, str]:
    return {
        "compatibility_level": "3.6",
        "queue_directory": str(directory / "spool"),
        "data_directory": str(directory / "lib"),
        "maillog_file": str(directory / "log"),
        "maillog_file_prefixes": str(directory),
        "myhostname": "relay.example.org",
        "mydestination": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "local_transport": "error:no local mail",
        "default_transport": "error:nothing leaves this machine",
        "smtpd_error_sleep_time": "0",  # it would answer a second later after 10 refusals
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_received_header": "yes",
        "smtpd_tls_chain_files": str(certificates.server),
        "virtual_mailbox_domains": "example.org",
        "virtual_mailbox_base": str(directory / "mail"),
        "virtual_mailbox_maps": "static:all/",
        "virtual_uid_maps": f"static:{uid}",
        "virtual_gid_maps": f"static:{uid}",
        "virtual_minimum_uid": "1",
        "transport_maps": f"inline:{{ {GONE}=gone {FULL}=full }}",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)
