"""The text of a message as it comes over the wire after DATA (RFC 5321, 4.5.2), for those who take mail."""

import asyncio
from dataclasses import dataclass

_END = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent after DATA."""

    beginning: bytes  # all of it, or as much as was to be kept; without transparent dots
    size: int  # octets on the wire, with the final dot


async def read(reader: asyncio.StreamReader, *, keep: int) -> Body:
    """Read up to the final dot, and undo the transparent dots. A dot between line ends of another kind ends nothing:
    else one message could hold a second one that its sender's server did not see.

    :param reader: cancelled by who owns it where the connection ends before the dot.
    :param keep: octets, counted on the wire; the rest is read and dropped.
    """
    kept = bytearray()  # one, as a line of its own object takes up many times its octets
    size = 0
    end = b"\r\n"
    while end != _END:
        try:
            piece = await reader.readuntil(b".\r\n")
        except asyncio.LimitOverrunError as overrun:
            piece = await reader.read(overrun.consumed)
        end = (end + piece)[-len(_END) :]
        if size < keep:
            kept += piece[: keep - size]
        size += len(piece)
    if size <= keep:
        del kept[-len(b".\r\n") :]
    return Body((b"\r\n" + kept).replace(b"\r\n.", b"\r\n")[2:], size)
