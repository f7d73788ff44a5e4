"""Bytes → text, by what is there: labels lie."""

import binascii
import codecs
import re
from functools import lru_cache

#: Those that mail is written in. Others that Python knows take long or mean something else, such as punycode.
_NAMES = """
ascii utf-8 utf-16 utf-16-le utf-16-be latin-1 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
koi8-r koi8-u cp437 cp850 cp852 cp866 mac-roman tis-620 cp874 shift_jis cp932 euc-jp iso-2022-jp iso-2022-jp-1
iso-2022-jp-2 iso-2022-jp-3 euc-kr cp949 iso-2022-kr johab gb2312 gbk gb18030 hz big5 cp950 big5-hkscs
"""
_CHARSETS = frozenset(
    codecs.lookup(name).name for name in (*_NAMES.split(), *(f"iso8859-{n}" for n in range(2, 17) if n != 12))
)
#: wider than what is on the label, and what is meant by it
_MEANT = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "iso8859-1": "cp1252"}
_ISO_2022_JP = (b"\x1b$B", b"\x1b$@", b"\x1b(J")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_ENCODED_WORD = re.compile(r"=\?([\w.:-]{1,40})(?:\*[\w-]{0,20})?\?([bq])\?([^?\s]{0,400})\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?)")


def text_of(data: bytes, label: str = "") -> str:
    """Decode, whatever the label says.

    :param label: the charset that a message names.
    """
    if any(escape in data for escape in _ISO_2022_JP):
        return data.decode("iso2022_jp_2", "replace")
    for name in (_known(label), "utf-8"):
        try:
            if name:
                return data.decode(name)
        except (UnicodeError, LookupError):
            continue
    name = _known(label)
    if name and name not in ("ascii", "utf-8"):  # cut off in the middle of a letter
        text = data.decode(name, "replace")
        if text.count("�") * 20 < len(text):
            return text
    return data.decode("latin-1")


@lru_cache(maxsize=64)
def _known(label: str) -> str | None:
    try:
        name = codecs.lookup(label.strip().lower()[:40]).name
    except (LookupError, ValueError, UnicodeError):
        return None
    return _MEANT.get(name, name) if name in _CHARSETS else None


def without_transfer_encoding(data: bytes, encoding: str) -> bytes:
    """Undo base64 or quoted-printable, also where it is broken off or has other lines between."""
    match encoding.strip().lower():
        case "base64":
            return from_base64(data)
        case "quoted-printable":
            return binascii.a2b_qp(data)
        case _:
            return data


def from_base64(data: bytes) -> bytes:
    """As much as can be read."""
    digits = _NOT_BASE64.sub(b"", data)
    whole = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def words_of(value: str) -> str:
    """A header's value with its encoded words decoded (RFC 2047)."""
    if "=?" not in value:
        return value
    return _ENCODED_WORD.sub(_decoded, _BETWEEN_WORDS.sub("", value))


def _decoded(word: re.Match[str]) -> str:
    charset, encoding, content = word.groups()
    raw = content.encode("utf-8", "replace")
    data = from_base64(raw) if encoding in "bB" else binascii.a2b_qp(raw, header=True)
    return text_of(data, charset)
