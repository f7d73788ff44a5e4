"""Listening for mail servers that hand messages over, until told to stop."""

import asyncio
import logging
import os
import signal
import socket
import stat
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mailer.errors import ServiceUnavailable
from mailer.mail.smtp import Place
from mailer.mail.smtp_conversation import Conversation, LmtpConversation, Patience, Room
from mailer.mail.smtp_taking import Dialect, Inbox, Taking

_STOP_SECONDS = 30  # for messages that are coming in
#: of a socket in the file system: whoever may write to it may hand over
_SOCKET_MODE = 0o660

log = logging.getLogger(__name__)


class CannotListen(ServiceUnavailable):
    """The listener cannot listen on {place}: {problem}. Choose another port or path, or stop the program that uses
    it."""


def serve(
    inbox: Inbox,
    places: Mapping[Dialect, Place],
    *,
    name: str,
    patience: Patience | None = None,
    on_ready: Callable[[Mapping[Dialect, Place]], None] = lambda _places: None,
) -> None:
    """Take messages until SIGTERM or SIGINT, then finish what is coming in. Blocks; for the main thread of a process
    of its own.

    :param name: what this machine calls itself.
    :param on_ready: called once, with the places as they are, when mail is taken.
    :raises CannotListen: a place is taken, or may not be used.
    """
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd logs every address it hears
    asyncio.run(_serve(Taking(inbox), Room(patience or Patience()), places, name, on_ready))


async def _serve(
    taking: Taking,
    room: Room,
    places: Mapping[Dialect, Place],
    name: str,
    on_ready: Callable[[Mapping[Dialect, Place]], None],
) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    servers: list[asyncio.Server] = []
    taken: dict[Dialect, Place] = {}
    try:
        for dialect, place in places.items():
            kind = LmtpConversation if dialect is Dialect.LMTP else Conversation
            server = await _listen(partial(kind, room, taking, name=name, loop=loop), place)
            servers.append(server)
            taken[dialect] = place if place.path else Place(place.host, server.sockets[0].getsockname()[1])
        _say(taken)
        on_ready(taken)
        await stopped.wait()
        log.info("stopping", extra={"open": len(room.conversations)})
    finally:
        for server in servers:
            server.close()
        for place in taken.values():
            if place.path is not None:
                place.path.unlink(missing_ok=True)
        await _finish(room)
        await asyncio.to_thread(taking.close)


async def _finish(room: Room) -> None:
    """End all conversations, each after the message that is coming in."""
    for conversation in list(room.conversations):
        conversation.end()
    give_up = asyncio.get_running_loop().time() + _STOP_SECONDS
    while room.conversations and asyncio.get_running_loop().time() < give_up:
        await asyncio.sleep(0.02)


async def _listen(make: Callable[[], Conversation], place: Place) -> asyncio.Server:
    """:raises CannotListen: it is taken, or may not be used."""
    loop = asyncio.get_running_loop()
    try:
        if place.path is None:
            return await loop.create_server(make, place.host, place.port)
        _require_unused(place.path)
        before = os.umask(0o777 & ~_SOCKET_MODE)
        try:
            return await loop.create_unix_server(make, str(place.path))
        finally:
            os.umask(before)
    except OSError as problem:
        words = os.strerror(problem.errno) if problem.errno and problem.errno > 0 else str(problem)
        raise CannotListen(place=place, problem=words) from problem


def _require_unused(path: Path) -> None:
    """A socket that nobody listens on is what a killed listener left: asyncio replaces it. And it would replace one
    that another listens on.

    :raises OSError: it is in use, or is no socket.
    """
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError("a file that is no socket lies there")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise FileExistsError("another program listens there")


def _say(places: Mapping[Dialect, Place]) -> None:
    for dialect, place in places.items():
        log.info("listening", extra={"source": dialect.value, "place": str(place)})
        if not place.is_local:
            log.warning(
                "the listener can be reached from other machines: only a mail server should, so close the port to all"
                " others",
                extra={"source": dialect.value, "place": str(place)},
            )
