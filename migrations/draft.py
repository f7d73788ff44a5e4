"""Draft the next migration: `make migration NAME="what it does"`.

It is what the models have and the migrations before it do not make. These are run on an empty database of its own, so
nothing has to be set up, and no development database to be up to date.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config

from mailer.operations import schema
from mailer.store.crypto import Key, Keyring
from mailer.store.db import open_engine


def draft(name: str) -> None:
    """Write `migrations/versions/NNNN_name.py`, with the next number.

    :param name: what the migration does, in a few words; its file and its docstring say them.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    keyring = Keyring(secret_keys=[Key.generate()], link_keys=[Key.generate()], index_key=os.urandom(32))
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/draft.db", keyring)
        schema.upgrade(engine)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.revision(config, name, autogenerate=True, rev_id=f"{int(schema.head()) + 1:04}")
        engine.dispose()


if __name__ == "__main__":
    draft(sys.argv[1])
