"""Pictures: files <-> uint8 (H, W, 3) RGB arrays, and their size."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from gan.files import write_atomically

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TRANSPARENT = "transparent parts, white put behind them"
MARK = "Generated from speech by voxface; not a photograph of anyone."


def read_face(path: str | Path, swap_red_blue: bool = False) -> np.ndarray:
    """A picture file -> uint8 (H, W, 3) RGB, turned upright by its EXIF orientation, white behind what is transparent.

    swap_red_blue: the file stores blue where red belongs (Wav2Pix's corpus).
    Raises ValueError, one line, naming the file, if it is missing, not a picture, animated, of 32 bits a value (which have no
    agreed white), or larger than Pillow's limit (89 megapixels).
    """
    return read_picture(path, swap_red_blue)[0]


def read_picture(path: str | Path, swap_red_blue: bool = False) -> tuple[np.ndarray, str]:
    """read_face, and what a person is to be told of the picture: TRANSPARENT or nothing."""
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning), Image.open(path) as image:
            if getattr(image, "is_animated", False) and image.format != "MPO":  # of a camera's MPO the first is the photo
                raise ValueError("several in one file, as animations are; save the one that is meant")
            if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):  # a PNG's are 16 bits, for older Pillows
                raise ValueError("values of 32 bits, whose white is not known; save it with 8 or 16")
            pixels, transparent = _eight_bit(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file.") from None
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise ValueError(f"{path}: not a readable picture ({str(error).splitlines()[0]}).") from None
    return np.ascontiguousarray(pixels[..., ::-1]) if swap_red_blue else pixels, TRANSPARENT if transparent else ""


def _eight_bit(image: Image.Image) -> tuple[np.ndarray, bool]:
    """uint8 (H, W, 3) RGB, composited on white; was anything transparent?"""
    if image.mode == "I" or image.mode.startswith("I;16"):  # Pillow itself would clip 16 bits at 255
        values = np.asarray(image).astype(np.int64)
        grey = np.rint(values / 257).astype(np.uint8)
        hidden = values == image.info.get("transparency", -1)
        return np.repeat(np.where(hidden, 255, grey)[..., None], 3, axis=-1).astype(np.uint8), bool(hidden.any())
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), False
    image = image.convert("RGBA")
    transparent = bool(np.asarray(image)[..., 3].min() < 255)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")), transparent


def write_face(path: str | Path, image: np.ndarray) -> None:
    """uint8 (H, W, 3) RGB -> PNG that carries a mark of its origin."""
    write_atomically(Path(path), png(Image.fromarray(image), MARK))


def png(image: Image.Image, mark: str) -> bytes:
    """A PNG file's content; mark: what it says of its origin."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "voxface")
    info.add_text("Description", mark)
    content = io.BytesIO()
    image.save(content, format="PNG", pnginfo=info)
    return content.getvalue()


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (size, size, 3), bilinear with antialiasing, aspect not kept (as SF2F and Wav2Pix)."""
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
