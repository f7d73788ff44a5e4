"""Lists of tags, as DKIM keys and DMARC policies are written in the DNS (RFC 6376 3.2)."""

from collections.abc import Mapping


def read_tags(text: str) -> Mapping[str, str]:
    """The tags of a record: their names in lower case, their values without white space around them.

    :raises ValueError: it is no such list, or has a tag twice.
    """
    tags: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue  # one semicolon too many is seen often, and read by everybody
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or not name:
            raise ValueError(f"{part.strip()[:40]!r} is no tag with a value")
        if name in tags:
            raise ValueError(f"the tag {name} stands there twice")
        tags[name] = value.strip()
    return tags
