import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.data.pictures import MARK, TRANSPARENT, read_face, read_picture, write_face


def test_written_faces_carry_a_mark(tmp_path: Path) -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_face(tmp_path / "f.png", image)
    assert np.array_equal(read_face(tmp_path / "f.png"), image)
    assert np.array_equal(read_face(tmp_path / "f.png", swap_red_blue=True), image[..., ::-1])
    with Image.open(tmp_path / "f.png") as opened:
        assert opened.text["Description"] == MARK
    assert [p.name for p in tmp_path.iterdir()] == ["f.png"]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_face(tmp_path / "turned.jpg").shape == (8, 4, 3)


# -- kinds of pictures: a smooth face-like picture, and the same in every mode ------------------------------------------

Y, X = np.mgrid[:48, :32]
COLOURED = np.stack([200 - 2 * X, 90 + 2 * Y, 60 + X + Y], axis=-1).astype(np.uint8)
GREY = np.repeat(COLOURED[..., :1], 3, axis=-1)
EXACT, LOSSY = 0.01, 3.0  # mean difference of a value


def png(values: np.ndarray, colour: int, transparent: bytes = b"") -> bytes:
    """A PNG of 16 bits a value, which Pillow does not write in every kind. colour: 0 grey, 2 RGB, 4 and 6 with alpha."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values.reshape(height, -1))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
        + (chunk(b"tRNS", transparent) if transparent else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def ycck() -> bytes:
    """A JPEG as image editors write CMYK, made from a CMYK one: other values, and the mark that says what they are."""
    values = 255 - np.asarray(Image.fromarray(255 - COLOURED).convert("YCbCr"))
    content = saved(Image.fromarray(np.concatenate([values, 0 * values[..., :1]], axis=-1), "CMYK"), "JPEG", quality=100)
    at = content.index(b"Adobe") + 11
    return content[:at] + b"\2" + content[at + 1 :]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def of_16_bits(bits: str) -> Image.Image:
    return Image.fromarray((GREY[..., 0].astype(np.uint16) * 257).astype(bits))


rgb, sixteen = Image.fromarray(COLOURED), COLOURED.astype(np.uint16) * 257
opaque = np.full_like(sixteen[..., :1], 65535)
KINDS = {
    "RGB": (saved(rgb, "PNG"), COLOURED, EXACT),
    "L": (saved(Image.fromarray(GREY[..., 0]), "PNG"), GREY, EXACT),
    "LA": (saved(Image.fromarray(GREY[..., 0]).convert("LA"), "PNG"), GREY, EXACT),
    "RGBA": (saved(rgb.convert("RGBA"), "PNG"), COLOURED, EXACT),
    "16-bit grey": (png(sixteen[..., 0], 0), GREY, EXACT),
    "16-bit RGB": (png(sixteen, 2), COLOURED, EXACT),
    "16-bit grey and alpha": (png(np.concatenate([sixteen[..., :1], opaque], axis=-1), 4), GREY, EXACT),
    "16-bit RGBA": (png(np.concatenate([sixteen, opaque], axis=-1), 6), COLOURED, EXACT),
    "16-bit TIFF": (saved(of_16_bits("<u2"), "TIFF"), GREY, EXACT),
    "16-bit TIFF of a Mac": (saved(of_16_bits(">u2"), "TIFF"), GREY, EXACT),
    "palette": (saved(rgb.quantize(256), "PNG"), COLOURED, 2 * LOSSY),
    "1": (saved(Image.fromarray(GREY[..., 0] > 160), "PNG"), np.where(GREY > 160, 255, 0), EXACT),
    "CMYK": (saved(rgb.convert("CMYK"), "JPEG", quality=100), COLOURED, LOSSY),
    "YCCK": (ycck(), COLOURED, LOSSY),
    "CMYK TIFF": (saved(rgb.convert("CMYK"), "TIFF"), COLOURED, LOSSY),
    "LAB": (saved(rgb.convert("LAB"), "TIFF"), COLOURED, LOSSY),
    "two photos of a camera": (
        saved(rgb, "MPO", save_all=True, append_images=[Image.new("RGB", rgb.size)], quality=95),
        COLOURED,
        LOSSY,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_gives_its_colours(kind: str, tmp_path: Path) -> None:
    content, wanted, far = KINDS[kind]
    (tmp_path / "face.png").write_bytes(content)
    face, said = read_picture(tmp_path / "face.png")
    assert (face.dtype, face.shape, said) == (np.uint8, (48, 32, 3), "")
    assert np.abs(face.astype(int) - wanted).mean() < far


def test_a_16_bit_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    of_16_bits("<u2").save(tmp_path / "face.png", exif=exif)
    assert np.array_equal(read_face(tmp_path / "face.png"), np.rot90(GREY, -1))


hidden = np.full((48, 32), 255, np.uint8)
hidden[:, :10] = 0
palette = rgb.quantize(8)
HIDDEN = {
    "RGBA": saved(Image.merge("RGBA", [*rgb.split(), Image.fromarray(hidden)]), "PNG"),
    "WebP": saved(Image.merge("RGBA", [*rgb.split(), Image.fromarray(hidden)]), "WEBP", lossless=True, exact=True),
    "LA": saved(Image.merge("LA", [Image.fromarray(GREY[..., 0]), Image.fromarray(hidden)]), "PNG"),
    "a colour of RGB": saved(rgb, "PNG", transparency=tuple(COLOURED[0, 0].tolist())),
    "a colour of 16-bit grey": png(sixteen[..., 0], 0, struct.pack(">H", int(sixteen[0, 0, 0]))),
    "a colour of a palette": saved(palette, "PNG", transparency=palette.getpixel((0, 0))),
    "a palette with alpha": saved(
        palette, "PNG", transparency=bytes(0 if at == palette.getpixel((0, 0)) else 255 for at in range(8))
    ),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_what_is_transparent_is_white_and_said(kind: str, tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(HIDDEN[kind])
    face, said = read_picture(tmp_path / "face.png")
    assert said == TRANSPARENT
    assert face[0, 0].tolist() == [255, 255, 255]
    assert np.abs(face[-1, -1].astype(int) - COLOURED[-1, -1]).max() < 120  # what is not hidden stays
    assert face[-1, -1].max() < 255


def test_half_transparent_is_half_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 100, 200, 51)).save(tmp_path / "face.png")
    assert read_face(tmp_path / "face.png")[0, 0].tolist() == [204, 224, 244]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (saved(Image.fromarray(GREY[..., 0].astype(np.float32)), "TIFF"), "values of 32 bits"),
        (saved(Image.fromarray(GREY[..., 0].astype(np.int32)), "TIFF"), "values of 32 bits"),
        *(
            (saved(rgb, kind, save_all=True, append_images=[Image.new("RGB", rgb.size)]), "several in one file")
            for kind in ("GIF", "PNG", "WEBP", "TIFF")
        ),
    ],
)
def test_pictures_that_say_too_little_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(content)
    with pytest.raises(ValueError, match=f"face.png: not a readable picture .{said}") as error:
        read_face(tmp_path / "face.png")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such file"), (b"", "not a readable picture"), (b"text", "not a readable picture")]
)
def test_bad_pictures_are_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"face.png: {said}") as error:
        read_face(path)
    assert "\n" not in str(error.value)


def test_a_bomb_is_not_opened(tmp_path: Path) -> None:
    Image.new("1", (20_000, 6_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb.png"):
        read_face(tmp_path / "bomb.png")
