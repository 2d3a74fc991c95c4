"""Pictures of faces: files <-> uint8 arrays, and uint8 <-> the pixel space a decoder works in. Only here."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TRANSPARENT = "transparent parts, white put behind them"
MARK = "Generated from speech by voxface; not a photograph of anyone."

# value = (pixel / 255 - mean) / std, per RGB channel. `unit` spans [-1, 1]; `imagenet` is SF2F's standardised space.
PIXEL_SPACES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "unit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def _scale(space: str, device: torch.device) -> tuple[Tensor, Tensor]:
    if space not in PIXEL_SPACES:
        raise ValueError(f"pixel_space: {space} is unknown. Have: {', '.join(PIXEL_SPACES)}.")
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in PIXEL_SPACES[space])
    return mean, std


def to_pixel_space(images: Tensor, space: str) -> Tensor:
    """uint8 (..., H, W, 3) RGB -> float32 (..., 3, H, W) in the named pixel space."""
    mean, std = _scale(space, images.device)
    # The change of layout and of type in one pass, then x / 255 / std - mean / std: this is most of what a batch costs to load.
    planar = images.movedim(-1, -3).to(torch.float32, memory_format=torch.contiguous_format)
    return planar.mul_(1 / (255 * std)).sub_(mean / std)


def from_pixel_space(faces: Tensor, space: str) -> Tensor:
    """float (..., 3, H, W) in the named pixel space -> float in [0, 1], clamped; differentiable inside the range."""
    mean, std = _scale(space, faces.device)
    return (faces * std + mean).clamp(0, 1)


def to_uint8(faces: Tensor, space: str) -> np.ndarray:
    """float (..., 3, H, W) in the named pixel space -> uint8 (..., H, W, 3) RGB, rounded to nearest."""
    return from_pixel_space(faces.detach().float(), space).mul(255).round().byte().movedim(-3, -1).cpu().numpy()


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
            if getattr(image, "is_animated", False) and image.format != "MPO":      # of a camera's MPO the first is the photo
                raise ValueError("several in one file, as animations are; save the one that is meant")
            if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):  # a PNG's are 16 bits, for older Pillows
                raise ValueError("values of 32 bits, whose white is not known; save it with 8 or 16")
            pixels, transparent = _eight_bit(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file.") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, SyntaxError,
            ValueError) as error:
        raise ValueError(f"{path}: not a readable picture ({str(error).splitlines()[0]}).") from None
    return np.ascontiguousarray(pixels[..., ::-1]) if swap_red_blue else pixels, TRANSPARENT if transparent else ""


def _eight_bit(image: Image.Image) -> tuple[np.ndarray, bool]:
    """uint8 (H, W, 3) RGB, composited on white; was anything transparent?"""
    if image.mode == "I" or image.mode.startswith("I;16"):      # Pillow itself would clip 16 bits at 255
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
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "voxface")
    info.add_text("Description", MARK)
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        Image.fromarray(image).save(temporary, format="PNG", pnginfo=info)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
