"""Logos of unions: whatever picture somebody gives becomes a small PNG that holds nothing but the picture."""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from mailer.errors import MailerError

MAX_SIDE = 600  # pixels; printed 5 cm wide that is 300 dots an inch
_MIN_SIDE = 32
MAX_BYTES = 5 * 1024 * 1024
_MAX_PIXELS = 40_000_000  # as much as a camera takes; unpacked that is 160 MB


class UnusableLogo(MailerError):
    """This file cannot be used as a logo: {problem}. Give a PNG or JPEG picture of at most 5 MB."""


def read(data: bytes) -> bytes:
    """Make a logo of a picture: upright, of at most 600 pixels a side, without whatever the file says besides.

    :param data: a PNG or JPEG file.
    :returns: a PNG; what is transparent stays so.
    :raises UnusableLogo: it is something else, broken, too small or too large.
    """
    if len(data) > MAX_BYTES:
        raise UnusableLogo(problem=f"it has {len(data) / 1024 / 1024:.1f} MB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's about large or odd files, which are told apart here
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                _check_size(*picture.size)
                small = _shrunk(picture)
        except UnidentifiedImageError:
            raise UnusableLogo(problem="it is not a PNG or JPEG picture") from None
        except Image.DecompressionBombError:
            raise UnusableLogo(problem="it has too many pixels") from None
        except (OSError, SyntaxError, ValueError, EOFError) as problem:  # what Pillow raises where a file is broken
            raise UnusableLogo(problem=f"it is broken ({problem})") from None
    png = io.BytesIO()
    small.save(png, "PNG", optimize=True)
    return png.getvalue()


def _check_size(width: int, height: int) -> None:
    if min(width, height) < _MIN_SIDE:
        raise UnusableLogo(problem=f"it has {width} × {height} pixels, but needs at least {_MIN_SIDE} each way")
    if width * height > _MAX_PIXELS:
        raise UnusableLogo(problem=f"it has {width} × {height} pixels, which is too many")


def _shrunk(picture: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(picture)
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    plain = upright.convert("RGBA" if has_alpha else "RGB")
    plain.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    # A picture of its own: the one that was opened carries texts, profiles and dates, which `save` would write.
    small = Image.new(plain.mode, plain.size)
    small.paste(plain)
    return small
