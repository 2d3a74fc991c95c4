"""Invented people to review: plain squares as pictures, a tone as sound."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence

import numpy as np
from PIL import Image

from gan.pages.review import Picture


class Invented:
    """Each has three chosen pictures and one left out (in this order: 0 left out, 1, 2, 3), and one sound."""

    def __init__(self, names: Sequence[str]):
        self._names = list(names)

    def names(self) -> list[str]:
        return self._names

    def pictures(self, person: str) -> list[Picture]:
        kinds = [("turned away", False), ("", True), ("", True), ("", True)]
        return [Picture(f"{person}/{number}", f"film {number}", reason, chosen) for number, (reason, chosen) in enumerate(kinds)]

    def png(self, key: str) -> bytes:
        image = Image.new("RGB", (8, 8), (40 * int(key[-1]), 90, 120))
        file = io.BytesIO()
        image.save(file, "png")
        return file.getvalue()

    def sounds(self, person: str) -> list[tuple[str, str]]:
        return [(f"{person}/sound", "film 1, 0:12")]

    def wav(self, key: str) -> bytes:
        tone = (3000 * np.sin(np.arange(8000) / 10)).astype("<i2")
        file = io.BytesIO()
        with wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(16000)
            out.writeframes(tone.tobytes())
        return file.getvalue()
