"""Pictures: files <-> uint8 (H, W, 3) RGB arrays, and their size."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from gan.files import write_atomically

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
MARK = "Generated from speech by voxface; not a photograph of anyone."


def read_face(path: str | Path, swap_red_blue: bool = False) -> np.ndarray:
    """A picture file -> uint8 (H, W, 3) RGB, turned upright by its EXIF orientation.

    swap_red_blue: the file stores blue where red belongs (Wav2Pix's corpus).
    Raises ValueError, one line, naming the file, if it is missing, not a picture, or larger than Pillow's limit (89 megapixels).
    """
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning), Image.open(path) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file.") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, SyntaxError) as error:
        raise ValueError(f"{path}: not a readable picture ({str(error).splitlines()[0]}).") from None
    return np.ascontiguousarray(pixels[..., ::-1]) if swap_red_blue else pixels


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
