"""What is seen in a part of a film: shots, tracks of faces, the best pictures of each track, and how its mouth moves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from evaluation.landmarks import chips, points5_in, points68_in
from gan.build import build
from gan.data.films import Film
from gan.media.alignment import CropSettings, crop
from gan.media.background import Person
from gan.media.measures import Measures, measure, quality
from gan.media.shots import Cuts, ShotSettings
from gan.media.speaking import Mouth
from gan.media.tracks import Track, Tracker, TrackSettings
from gan.raw.parts import FACE, MOUTH, TRACK

Span = tuple[float, float]
WHOLE_CHIP = (0.0, 0.0, 1.0, 1.0)
INSTANT_SECONDS = 1e-3  # shorter than any frame: the one that begins at a span's start
JUMP_SECONDS = 2.0  # what is not wanted, and shorter: decoding on is cheaper than to jump to the key frame before
AROUND_SECONDS = 1.0  # a mouth that rests in a pause tells as much as one that moves in speech


@dataclass(frozen=True)
class LookSettings:
    """detector: a section of evaluation/detectors, one that says where. detect_height: px; taller pictures shrink for it.
    height: and for everything else. per_second: looks for faces. faces_a_track: pictures kept of each track, spread over it.
    picture_size: of these, px. watch_seconds: how much of a lone face's speech is watched in each watch_every_seconds; where
    several faces are seen, all of it is.

    Raises ValueError for an impossible value.
    """

    detector: dict[str, Any] = field(default_factory=lambda: {"name": "dlib_hog", "upsampling": 0})
    detect_height: int = 480
    height: int = 1080
    per_second: float = 4.0
    faces_a_track: int = 6
    picture_size: int = 256
    watch_seconds: float = 3.0
    watch_every_seconds: float = 15.0

    def __post_init__(self) -> None:
        for name, least in (("detect_height", 64), ("height", 64), ("faces_a_track", 1), ("picture_size", 32)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)} came. Allowed: {least} or more.")
        if not 0 < self.per_second <= 60:
            raise ValueError(f"per_second: {self.per_second} came. Allowed: above 0, to 60.")
        if not 0 <= self.watch_seconds <= self.watch_every_seconds:
            raise ValueError(f"watch_seconds: {self.watch_seconds} came. Allowed: 0 to watch_every_seconds.")


@dataclass
class _Seen:
    """One face in one look. points: its 68 points (68, 2) px. Pictures are cut later, of the best of a track alone."""

    seconds: float
    box: np.ndarray
    score: float
    points: np.ndarray
    measures: Measures


@dataclass
class _Kept:
    """What is kept of a face beside what was measured: its picture as a PNG, and its chip for the net."""

    png: bytes
    chip: np.ndarray


class Looker:
    """Looks at films and pictures by a profile; its nets are made once."""

    def __init__(self, settings: LookSettings, shots: ShotSettings, tracks: TrackSettings, crop_settings: CropSettings):
        self._settings, self._shots, self._tracks, self._crop = settings, shots, tracks, crop_settings
        self._detector = build(Detector, self._settings.detector, "looks.detector")
        self._embedder = build(Embedder, {"name": "dlib"}, "looks")
        self._person = Person() if crop_settings.white else None

    def picture(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Every face of one picture, uint8 (H, W, 3), as a track of its own: arrays tracks, faces, png."""
        image = _lower(image, self._settings.height)[0]
        seen = self._faces_in(image, 0.0)
        tracks = np.zeros(len(seen), TRACK)
        for number, face in enumerate(seen):
            tracks[number] = (number, 0, 0.0, 0.0, 1, face.box)
        faces, png = self._stored(list(enumerate(seen)), [self._cut(image, face) for face in seen])
        return dict(tracks=tracks, faces=faces, png=png)

    def film(
        self, film: Film, start: float, stop: float, speech: Sequence[Sequence[float]]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a part's row says of its pictures, and arrays tracks, faces, png, mouths.

        start, stop, speech (spans): seconds on the film's clock.
        """
        cuts, tracker = Cuts(self._shots), Tracker(self._tracks)
        looks: list[list[_Seen]] = []
        shots: list[float] = []
        frames, cut, due = 0, False, start
        size = [0, 0]
        for frame in film.frames(start, stop):
            frames += 1
            if cuts(frame.small()):
                cut = True
                shots.append(frame.seconds)
            if frame.seconds >= due or cut:
                image = frame.rgb(self._settings.height)
                size = list(image.shape[1::-1])
                seen = self._faces_in(image, frame.seconds)
                tracker.add(frame.seconds, np.array([face.box for face in seen], np.float64).reshape(-1, 4), cut)
                looks.append(seen)
                cut, due = False, frame.seconds + 1 / self._settings.per_second
        tracks = tracker.finish()
        ends = [self._end(track, shots, stop) for track in tracks]
        table = np.zeros(len(tracks), TRACK)
        best: list[tuple[int, _Seen]] = []
        for number, track in enumerate(tracks):
            table[number] = (number, track.shot, track.start, ends[number], len(track.looks), track.boxes[0])
            seen = [looks[look][row] for look, row in zip(track.looks, track.rows, strict=True)]
            best += [(number, face) for face in _spread(seen, self._settings.faces_a_track)]
        kept, mouths = self._watch(film, best, tracks, ends, speech)
        # Of a damaged film, a frame may not come a second time.
        faces, png = self._stored([best[row] for row in sorted(kept)], [kept[row] for row in sorted(kept)])
        row = dict(frames=frames, looks=len(looks), picture=size, shots=shots, found=sum(map(len, looks)))
        return row, dict(tracks=table, faces=faces, png=png, mouths=mouths)

    def _faces_in(self, image: np.ndarray, seconds: float) -> list[_Seen]:
        small, factor = _lower(image, self._settings.detect_height)
        found = self._detector.locate(small)
        boxes, scores = found[:, :4] * factor, found[:, 4]
        points = points68_in(image, boxes)
        return [
            _Seen(seconds, boxes[row], float(scores[row]), points[row], measure(image, points[row])) for row in range(len(boxes))
        ]

    def _cut(self, image: np.ndarray, face: _Seen) -> _Kept:
        picture = crop(image, face.points, face.box, self._crop, self._settings.picture_size)
        (chip,) = chips(image, points5_in(image, face.box[None]))
        return _Kept(_png(picture if self._person is None else self._person.white(picture)), chip)

    def _stored(self, faces: Sequence[tuple[int, _Seen]], kept: Sequence[_Kept]) -> tuple[np.ndarray, np.ndarray]:
        """(track number, face), and what is kept of each -> their rows, and the bytes of their pictures end to end."""
        table, blobs, at = np.zeros(len(faces), FACE), [], 0
        if not len(faces):
            return table, np.zeros(0, np.uint8)
        embedded = self._embedder.embed(np.stack([each.chip for each in kept]), WHOLE_CHIP)
        for row, (number, face) in enumerate(faces):
            blob = kept[row].png
            table[row] = (number, face.seconds, face.box, face.score, *astuple(face.measures), embedded[row], at, len(blob))
            blobs.append(np.frombuffer(blob, np.uint8))
            at += len(blob)
        return table, np.concatenate(blobs)

    def _end(self, track: Track, shots: Sequence[float], stop: float) -> float:
        """Until when a face is in sight: to the next look, if no shot ends before."""
        return min([track.end + 1 / self._settings.per_second, stop, *(cut for cut in shots if cut > track.end)])

    def _watch(
        self,
        film: Film,
        best: Sequence[tuple[int, _Seen]],
        tracks: Sequence[Track],
        ends: Sequence[float],
        speech: Sequence[Sequence[float]],
    ) -> tuple[dict[int, _Kept], np.ndarray]:
        """A second time through the film, where there is something to see: what is kept of the best faces, by their
        place in `best`; and every frame's darkness of the mouth where somebody may be speaking, rows by track, then time."""
        visible = [(track.start, end) for track, end in zip(tracks, ends, strict=True)]
        watched = [_watched(number, visible, speech, self._settings) for number in range(len(tracks))]
        mouths = [Mouth() for _ in tracks]
        at: dict[float, list[int]] = {}
        for row, (_, face) in enumerate(best):
            at.setdefault(face.seconds, []).append(row)
        kept: dict[int, _Kept] = {}
        wanted = [*((second, second + INSTANT_SECONDS) for second in at), *(span for spans in watched for span in spans)]
        for first, last in _union(wanted, JUMP_SECONDS):
            for frame in film.frames(first, last):
                now = [
                    number for number, spans in enumerate(watched) if any(start <= frame.seconds < end for start, end in spans)
                ]
                rows = at.get(frame.seconds, [])
                if not now and not rows:
                    continue
                image = frame.rgb(self._settings.height)
                kept |= {row: self._cut(image, best[row][1]) for row in rows}
                if now:
                    points = points68_in(image, np.stack([tracks[number].box_at(frame.seconds) for number in now]))
                    for number, face in zip(now, points, strict=True):
                        mouths[number].add(frame.seconds, image, face)
        signals = [mouth.signals() for mouth in mouths]
        table = np.zeros(sum(len(each.seconds) for each in signals), MOUTH)
        table["track"] = np.repeat(np.arange(len(signals)), [len(each.seconds) for each in signals])
        if len(table):
            table["seconds"] = np.concatenate([each.seconds for each in signals])
            table["darkness"] = np.concatenate([each.darkness for each in signals])
        return kept, table


def _watched(number: int, visible: Sequence[Span], speech: Sequence[Sequence[float]], settings: LookSettings) -> list[Span]:
    """Where a track's mouth is looked at frame by frame: round speech, all the time beside another face, else now and then."""
    heard = _common([visible[number]], [(start - AROUND_SECONDS, end + AROUND_SECONDS) for start, end in speech])
    beside = _common(heard, [span for other, span in enumerate(visible) if other != number])
    return _union([*beside, *_now_and_then(heard, settings)])


def _now_and_then(spans: Sequence[Span], settings: LookSettings) -> list[Span]:
    """The first watch_seconds of speech, and again of what begins watch_every_seconds later."""
    chosen, due = list[Span](), -np.inf
    for start, end in spans:
        while due < end and end - max(start, due) >= min(settings.watch_seconds, end - start):
            first = max(start, due)
            chosen.append((first, min(end, first + settings.watch_seconds)))
            due = first + settings.watch_every_seconds
    return chosen


def _common(spans: Sequence[Span], others: Sequence[Sequence[float]]) -> list[Span]:
    """What lies both in one of spans and in one of others."""
    found = [(max(a, c), min(b, d)) for a, b in spans for c, d in others]
    return _union([(start, end) for start, end in found if end > start])


def _union(spans: Sequence[Span], gap: float = 0.0) -> list[Span]:
    """In order, those that lie nearer than `gap` joined."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + gap:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _spread(seen: Sequence[_Seen], most: int) -> list[_Seen]:
    """The best of each of so many stretches of a track, in order of time."""
    pieces = [piece for piece in np.array_split(np.arange(len(seen)), most) if len(piece)]
    return [seen[max(piece.tolist(), key=lambda at: quality(seen[at].measures))] for piece in pieces]


def _lower(image: np.ndarray, height: int) -> tuple[np.ndarray, float]:
    """A picture of that height at most, and by how much it was larger."""
    if image.shape[0] <= height:
        return image, 1.0
    width = round(image.shape[1] * height / image.shape[0])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX)), image.shape[0] / height


def _png(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG", compress_level=3)
    return content.getvalue()
