"""What the views work with."""

from dataclasses import dataclass
from typing import cast

from flask import current_app
from redis import Redis
from sqlalchemy import Engine

from mailer.settings import Settings


@dataclass(frozen=True, slots=True)
class Site:
    """One installation, as the web part sees it."""

    settings: Settings
    engine: Engine
    redis: Redis | None  # the doorbell; without it, workers find the work in the database by themselves


def site() -> Site:
    """The site that the current request is for."""
    return cast(Site, current_app.extensions["site"])
