"""The people of a folder of work, as the review page wants them."""

from __future__ import annotations

import io
from pathlib import Path

import soundfile
from PIL import Image

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.pages.review import Picture, review
from gan.raw.settle import Settled, settle
from gan.raw.work import Work

SOUNDS = 6  # clips of a person that can be played


class WorkPeople:
    """People with their pictures and clips, as they are settled now; gan/pages/review.py says what is asked."""

    def __init__(self, settled: Settled):
        self._pictures = {picture.key: picture for picture in settled.pictures}
        self._speech = {speech.key: speech for speech in settled.speech}

    def names(self) -> list[str]:
        return sorted({picture.person for picture in self._pictures.values()})

    def pictures(self, person: str) -> list[Picture]:
        theirs = [picture for picture in self._pictures.values() if picture.person == person]
        theirs.sort(key=lambda picture: (bool(picture.reason), -picture.quality))
        return [
            Picture(each.key, f"{each.film} at {each.seconds:.1f} s" if each.film else each.key, each.reason, not each.reason)
            for each in theirs
        ]

    def png(self, key: str) -> bytes:
        content = io.BytesIO()
        Image.fromarray(self._pictures[key].pixels()).save(content, "PNG")
        return content.getvalue()

    def sounds(self, person: str) -> list[tuple[str, str]]:
        theirs = [speech for speech in self._speech.values() if speech.person == person]
        step = max(1, len(theirs) // SOUNDS)
        return [(each.key, f"{each.film or each.key} at {each.voice.start:.1f} s") for each in theirs[::step][:SOUNDS]]

    def wav(self, key: str) -> bytes:
        content = io.BytesIO()
        soundfile.write(content, self._speech[key].samples(), SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
        return content.getvalue()


def review_work(folder: Path, reviewer: str, port: int) -> None:
    """Serve the page until Ctrl-C; answers go to the folder of work, where the next preparation reads them."""
    work = Work.open(folder)
    review(WorkPeople(settle(work)), work.answers, reviewer, port)
