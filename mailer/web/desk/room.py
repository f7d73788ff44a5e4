"""Room: how much of what takes long a process does at once. The rest of its threads are for those who stop something,
and for those who see and send. Whoever finds no room is asked to come back, and keeps nobody waiting meanwhile."""

import enum
from threading import BoundedSemaphore

from flask import Blueprint, abort, g

#: seconds after which there may be room
COME_BACK_SECONDS = 2


class Room(enum.Enum):
    """What shares one room. Together they are fewer than the threads of a process: see gunicorn.conf.py."""

    LOOKING = 5  # at previews, checks, test mails and reports
    UPLOADING = 2  # files, which may come over a slow line
    SIGNING_IN = 3  # strangers, who have passwords hashed, two at once


_ROOMS = {room: BoundedSemaphore(room.value) for room in Room}


def enter(room: Room) -> None:
    """Take a place until the request is over. 503 if there is none."""
    if not take(room):
        abort(503)
    g.room = room


def init(desk: Blueprint) -> None:
    """Have each place given back, whatever became of the request."""

    @desk.teardown_request
    def leave(_error: BaseException | None) -> None:
        if (room := g.pop("room", None)) is not None:
            give_back(room)


def take(room: Room) -> bool:
    """Take a place, if there is one."""
    return _ROOMS[room].acquire(blocking=False)


def give_back(room: Room) -> None:
    """Give a place back."""
    _ROOMS[room].release()
