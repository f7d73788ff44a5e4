"""Whatever picture somebody gives becomes a small PNG that holds nothing but the picture."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from mailer.formats import logos
from mailer.formats.logos import UnusableLogo


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_picture_is_made_small_in_its_proportions(kind: str) -> None:
    logo = opened(logos.read(encoded(Image.new("RGB", (1500, 500), "red"), kind)))
    assert (logo.format, logo.size) == ("PNG", (600, 200))


def test_a_small_picture_keeps_its_size_and_pixels() -> None:
    picture = Image.new("RGB", (40, 50), (12, 34, 56))
    assert opened(logos.read(encoded(picture))).tobytes() == picture.tobytes()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_stays_so(mode: str) -> None:
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 32, 64))
    logo = opened(logos.read(encoded(picture.convert(mode))))
    assert logo.mode == "RGBA"
    assert [logo.getpixel((x, 0))[3] for x in (0, 63)] == [255, 0]  # type: ignore[index]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16"])
def test_pictures_of_every_kind_are_taken(mode: str) -> None:
    picture = Image.new(mode, (64, 64))
    logo = opened(logos.read(encoded(picture, "JPEG" if mode == "CMYK" else "PNG")))
    assert (logo.mode, logo.size) == ("RGB", (64, 64))


def test_nothing_of_who_made_it_and_where_stays_in_it() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ana Example")
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ana"  # Make
    picture = Image.new("RGB", (64, 64), "red")
    for data in (
        encoded(picture, pnginfo=texts, exif=exif, icc_profile=b"profile of Ana", dpi=(300, 300)),
        encoded(picture, "JPEG", exif=exif, comment=b"by Ana", icc_profile=b"profile of Ana"),
        encoded(picture) + b"Ana",
    ):
        assert b"Ana" in data
        logo = logos.read(data)
        assert b"Ana" not in logo
        assert chunks(logo) <= {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


def chunks(png: bytes) -> set[bytes]:
    """The names of a PNG's chunks."""
    found, position = set(), 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        found.add(png[position + 4 : position + 8])
        position += length + 12
    return found


def test_a_picture_that_a_phone_took_on_its_side_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned by 90 degrees
    logo = opened(logos.read(encoded(Image.new("RGB", (100, 50)), "JPEG", exif=exif)))
    assert logo.size == (50, 100)


def test_a_logo_read_again_is_the_same() -> None:
    logo = logos.read(encoded(Image.linear_gradient("L")))
    assert logos.read(logo) == logo


GIF = encoded(Image.new("RGB", (64, 64)), "GIF")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def huge(width: int, height: int) -> bytes:
    """A PNG that says of itself that it is large, and has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in body]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a PNG or JPEG"),
        (b"not a picture", "not a PNG or JPEG"),
        (GIF, "not a PNG or JPEG"),
        (SVG, "not a PNG or JPEG"),
        (encoded(Image.new("RGB", (64, 64)))[:-40], "broken"),
        (encoded(Image.effect_noise((64, 64), 9), "JPEG")[:500], "broken"),
        (encoded(Image.new("RGB", (31, 64))), "31 × 64 pixels, but needs at least 32"),
        (huge(7000, 7000), "7000 × 7000 pixels, which is too many"),
        (huge(10_000, 10_000), "too many"),
        (huge(100_000, 100_000), "too many"),
        (b"\x89PNG\r\n\x1a\n" + bytes(6_000_000), "5.7 MB"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(UnusableLogo, match=problem):
        logos.read(data)


@given(st.integers(0, 2**32), st.integers(0, 255), st.sampled_from(["PNG", "JPEG"]))
def test_a_damaged_file_is_refused_or_read_but_breaks_nothing(position: int, byte: int, kind: str) -> None:
    data = bytearray(encoded(Image.linear_gradient("L"), kind))
    data[position % len(data)] = byte
    try:
        logos.read(bytes(data))
    except UnusableLogo as refused:
        assert "PNG or JPEG" in str(refused)
