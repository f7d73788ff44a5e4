"""Uploads: a file that comes with a form goes straight into a sealed file, piece by piece, and nowhere else.

Every other form may have 64 KB and no file. Whoever may upload is known before a byte of the body is read.
"""

from collections.abc import Callable
from typing import IO, cast

from flask import Flask, Request, abort, g, request
from werkzeug.datastructures import ImmutableMultiDict

from mailer.spreadsheets import uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.sealed_files import SealedWriter
from mailer.web import server
from mailer.web.site import site

#: of a form, beside its file
_AROUND_BYTES = 64 * 1024
#: in memory at a time: Werkzeug reads 64 KB, beside what it has not parsed yet
_MEMORY_BYTES = 512 * 1024
#: for a file on a slow line
_PATIENCE_SECONDS = 3600
_ADMITTED = "upload"  # in flask.g


class Upload:
    """A file on its way in."""

    def __init__(self, store: Store, name: str, file: SealedWriter) -> None:
        self._store, self.name, self._file = store, name, file
        self.size = 0
        self.is_wanted = False

    def write(self, data: bytes) -> int:
        """Take a piece."""
        self.size += len(data)
        return self._file.write(data)

    def seek(self, _offset: int) -> int:
        """What Werkzeug does once the file is whole."""
        self._file.close()
        return 0

    def close(self) -> None:
        """What Werkzeug does once the request is over."""

    def forget(self) -> None:
        """Delete the file, unless somebody wanted it."""
        if not self.is_wanted:
            self._file.abandon()
            self._store.drop(self.name)


class UploadRequest(Request):
    """A request whose file goes where `admit` said."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        begin: Callable[[], Upload] | None = g.get(_ADMITTED)
        if begin is None:
            abort(400)  # no form of ours has a file here, and none has two
        g.pop(_ADMITTED)
        return cast(IO[bytes], begin())


def init(app: Flask) -> None:
    """Have each file be deleted that nobody took, whatever became of its request."""
    app.request_class = UploadRequest

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        if (upload := g.pop("uploaded", None)) is not None:
            upload.forget()


def is_too_large() -> bool:
    """Whether a request says that more comes than a file may have. Nothing of it was read."""
    return (request.content_length or 0) > uploads.MOST_BYTES + _AROUND_BYTES


def ignore() -> None:
    """Read nothing of what comes with this request: whoever sends it may not."""
    vars(request)["form"] = ImmutableMultiDict[str, str]()


def admit() -> None:
    """Let a file come in with this request. To be called before its form is read, once it is known who sends it.

    :raises HTTPException: 411, it does not say how much comes.
    """
    if request.content_length is None:
        abort(411)
    request.max_content_length = uploads.MOST_BYTES + _AROUND_BYTES
    request.max_form_memory_size = _MEMORY_BYTES
    server.be_patient(request.environ, _PATIENCE_SECONDS)
    store = Store.of(site().settings.data_dir, site().settings.keyring)
    size = request.content_length

    def begin() -> Upload:
        name, file = store.create(size=size)
        g.uploaded = Upload(store, name, file)
        return cast(Upload, g.uploaded)

    setattr(g, _ADMITTED, begin)


def taken() -> Upload | None:
    """The file that came with this request, if one did."""
    return cast(Upload | None, g.get("uploaded"))
