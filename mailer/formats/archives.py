"""The files of a kit as a ZIP: the same files are the same bytes, whoever packs them and when."""

import zipfile
from collections.abc import Mapping
from io import BytesIO

#: what is compressed already
_COMPRESSED = (".pdf", ".png")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a ZIP knows
_READABLE = 0o644 << 16


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files as a ZIP, in their order.

    :param files: path → contents.
    """
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for path, contents in files.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = _READABLE
            entry.compress_type = zipfile.ZIP_STORED if path.endswith(_COMPRESSED) else zipfile.ZIP_DEFLATED
            made.writestr(entry, contents)
    return archive.getvalue()


def names(archive: bytes) -> tuple[str, ...]:
    """The paths in a ZIP, in its order."""
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        return tuple(opened.namelist())


def read(archive: bytes, path: str) -> bytes | None:
    """One file of a ZIP; None where it has none of that path."""
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        return opened.read(path) if path in opened.namelist() else None


def unpack(archive: bytes) -> dict[str, bytes]:
    """All files of a ZIP."""
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        return {path: opened.read(path) for path in opened.namelist()}
