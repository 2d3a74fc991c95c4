"""An item of media -> what is heard and seen in it, part after part: a long film needs no more memory than a short one.

Every part is a minute or less. A track ends with its part; people.py finds a person again in the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from gan.build import build
from gan.data.audio import SAMPLE_RATE_HZ, SOUND, read_sound, to_int16
from gan.data.films import Film
from gan.data.media import ends
from gan.data.pictures import PICTURES, read_picture
from gan.media.loudness import speech_to_pause_db
from gan.media.speech.base import Speech
from gan.raw.item import Item
from gan.raw.look import Looker
from gan.raw.profile import Profile
from gan.raw.store import Row

Part = tuple[Row, dict[str, np.ndarray]]


class Failed(ValueError):
    """An item cannot be used. stage: where it failed. kind: a few words by which failures are counted."""

    def __init__(self, stage: str, kind: str, reason: str):
        super().__init__(reason)
        self.stage, self.kind = stage, kind


class ItemReader:
    """Reads items; its detector, nets and speech detector are made once, when the first item needs them."""

    def __init__(self, profile: Profile):
        self._profile = profile
        self._speech: Speech | None = None
        self._looker: Looker | None = None

    def read(self, item: Item, last: Row | None = None) -> Iterator[Part]:
        """Rows and arrays of the parts after `last`, then the row with which the item ends: parts, seconds, notes.

        last: the row of the last part that was read before, if one was. What comes is the same as without a break.

        Raises Failed where the item cannot be used.
        """
        try:
            if ends(item.media, PICTURES):
                yield from self._picture(item)
            elif item.sound is None and ends(item.media, SOUND):
                yield from self._sound_file(item, last)
            else:
                yield from self._film(item, last)
        except (ValueError, OSError) as error:
            if isinstance(error, Failed):
                raise
            said = str(error)
            for path in (item.media, item.sound):
                said = said.removeprefix(f"{path}: ")
            raise Failed("open", "cannot be read", said) from error

    def _picture(self, item: Item) -> Iterator[Part]:
        image, note = read_picture(item.media)
        yield dict(part=0, picture=list(image.shape[1::-1])), self._look().picture(image)
        yield dict(parts=1, seconds=0.0, notes=[note] if note else []), {}

    def _sound_file(self, item: Item, last: Row | None) -> Iterator[Part]:
        sound, note = read_sound(item.media)
        first = round((item.start or 0) * SAMPLE_RATE_HZ)
        end = len(sound) if item.end is None else round(item.end * SAMPLE_RATE_HZ)
        samples = to_int16(sound[first:end])
        if not len(samples):
            raise Failed("sound", "no such stretch", f"lasts {len(sound) / SAMPLE_RATE_HZ:.2f} s, and begins at {item.start} s.")
        length = round(self._profile.parts.seconds * SAMPLE_RATE_HZ)
        number = -(-len(samples) // length)
        for part in range(_next(last), number):
            heard = samples[part * length : (part + 1) * length]
            start = (first + part * length) / SAMPLE_RATE_HZ
            yield self._heard(part, start, start + len(heard) / SAMPLE_RATE_HZ, start, heard)
        yield dict(parts=number, seconds=len(samples) / SAMPLE_RATE_HZ, notes=[note] if note else []), {}

    def _film(self, item: Item, last: Row | None) -> Iterator[Part]:
        with Film(item.media) as film, _voice(item.sound) or nullcontext(film) as voice:
            if not voice.has_sound:
                raise Failed("sound", "no sound track", "has no sound track.")
            if film.seconds is not None and film.seconds > self._profile.limits.hours * 3600:
                raise Failed(
                    "open",
                    "too long",
                    f"says that it lasts {film.seconds / 3600:.1f} h; limits.hours is {self._profile.limits.hours:g}.",
                )
            begin = film.start if item.start is None else item.start
            stated = None if film.seconds is None else film.start + film.seconds
            end = stated if item.end is None else item.end
            part = _next(last)
            reached, notes = (film.start, []) if last is None else (last["reached"], last["notes"])
            while end is None or begin + part * self._profile.parts.seconds < end:
                start = begin + part * self._profile.parts.seconds
                stop = start + self._profile.parts.seconds
                found = self._film_part(film, voice, part, start, stop if end is None else min(stop, end))
                if found is None:
                    break
                reached = max(reached, film.reached, voice.reached)
                notes = list(dict.fromkeys([*notes, *film.notes, *voice.notes]))
                found[0].update(reached=reached, notes=notes)  # for who goes on from here
                yield found
                part += 1
            if not part:
                raise Failed("sound", "no such stretch", f"holds nothing from {begin:.2f} s on.")
            reached = max(reached, film.reached, voice.reached)
            if stated is not None and item.end is None and reached - begin < self._profile.parts.least_share * (stated - begin):
                raise Failed(
                    "read",
                    "cut short",
                    f"says that it lasts {stated - begin:.1f} s, but only {max(0, reached - begin):.1f} s of it came.",
                )
            notes = list(dict.fromkeys([*notes, *film.notes, *voice.notes]))
            yield dict(parts=part, seconds=reached - begin, notes=notes), {}

    def _film_part(self, film: Film, voice: Film, part: int, start: float, stop: float) -> Part | None:
        """None where the film holds nothing there."""
        sound = voice.sound(start, stop)
        row, arrays = self._heard(part, start, stop, sound.start, to_int16(sound.waveform))
        row["holes"] = [list(hole) for hole in sound.holes]
        if film.has_pictures:
            seen, found = self._look().film(film, start, stop, row["speech"])
            row |= seen
            arrays |= found
        return (row, arrays) if len(arrays["waveform"]) or row.get("frames") else None

    def _heard(self, part: int, start: float, stop: float, heard: float, samples: np.ndarray) -> Part:
        """heard: time of the first of samples, int16 (S,)."""
        if self._speech is None:
            self._speech = build(Speech, self._profile.speech, "speech", settings=self._profile.spans)
        spans = self._speech.spans(samples)
        ratio = speech_to_pause_db(samples, spans)
        speech = [[round(heard + a, 4), round(heard + b, 4)] for a, b in spans]
        return dict(part=part, start=start, end=stop, heard=heard, speech=speech, speech_to_pause_db=ratio), dict(
            waveform=samples
        )

    def _look(self) -> Looker:
        if self._looker is None:
            profile = self._profile
            self._looker = Looker(profile.looks, profile.shots, profile.tracks, profile.crop)
        return self._looker


def _next(last: Row | None) -> int:
    """The number of the part that comes after."""
    return 0 if last is None else int(last["part"]) + 1


def _voice(path: Path | None) -> Film | None:
    return None if path is None else Film(path)
