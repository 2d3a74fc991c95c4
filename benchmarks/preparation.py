"""From films to a corpus, by `voxface prepare`'s own stages, held against the truth of films rendered for it.

    python -m benchmarks.preparation FOLDER [--seed 401] [--quick] [--note TEXT]

renders the sets of benchmarks/channel.py into FOLDER where they are not there yet, each from a seed of its own, SEED and on;
reads every film once, in this process; and writes preparation.md: a row a figure with its bar, its 95 % interval and what it is
of. What is read is kept in FOLDER too: started again, only what is missing is done. --quick: a tenth, to see whether all works.

Thresholds were chosen on seeds below 402 that are named in preparation.md; a figure counts on seeds that nobody has looked at.
Intervals: Wilson's for shares of separate things; for seconds, scenes or films drawn again (bootstrap). A bar is met where the
end of the interval that lies nearer to it meets it; where only the figure itself does, the row says so.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.signal import correlate
from scipy.stats import chi2
from tqdm import tqdm

from benchmarks.channel import SETS, SeenFace, Share, Truth, found_cuts, kept_speech, looks, people_in, write_film
from benchmarks.record import RESULTS, record
from benchmarks.table import PARTS
from evaluation.detectors.base import Detector
from evaluation.landmarks import points68_in
from gan.build import build
from gan.data.audio import SAMPLE_RATE_HZ
from gan.data.films import Film, Frame
from gan.data.toy.films import Person, plan
from gan.data.toy.speakers import draw_speaker
from gan.media.alignment import CropSettings, pupils
from gan.media.measures import FaceFilter, FaceFilterSettings, Measures, measure
from gan.media.speaking import Signals, SpeakingSettings, decide
from gan.media.tracks import Tracker
from gan.raw import look
from gan.raw.item import Item, Listing
from gan.raw.parts import MEASURES, Part
from gan.raw.profile import Profile
from gan.raw.read import ItemReader
from gan.raw.settle import Settled, read_parts, settle
from gan.raw.store import Row, Writer
from gan.raw.voices import voices
from gan.raw.work import Work, ended, size_of

TUNED_ON = "5, 11, 12, 21, 33 and 101"
# Set: people, films of each; and the same for --quick.
PLAN = {
    "channel": ((8, 2), (2, 2)),
    "two_faces": ((26, 1), (2, 1)),
    "lone_faces": ((6, 1), (2, 1)),
    "tracks": ((8, 1), (1, 1)),
    "under_music": ((6, 1), (1, 1)),
    "overlaid": ((3, 1), (2, 1)),
    "poor": ((5, 1), (1, 1)),
}
SIZE = (640, 360)
PICTURES, QUICK_PICTURES = 60, 8  # single pictures of each condition
FILM_SECONDS, QUICK_FILM_SECONDS = 45.0, 8.0  # of the two films by which speed is measured
LEAST_SECONDS = 2.0
LARGE = 90.0  # px of a face's box, from which on faces must be found
MOST_YAW = 0.6
# Which faces a filter should keep: as the toy world's good pictures of raw_media.md.
GOOD_YAW, GOOD_MOUTH, GOOD_SIZE = 0.1, 0.2, 105.0  # the filter for turned faces lets about 0.2 rad pass
POOR_YAW = 0.4
BLURS = (1.0, 1.5)
# Nothing is held back: only the order of scores counts.
OPEN = SpeakingSettings(score=0, margin=0, change=0)
BOOTSTRAPS = 2000
# A look at a film: when, and how many boxes; a box: of which look; and a box of a track.
LOOK = np.dtype([("seconds", "<f8"), ("boxes", "<i4")])
BOX = np.dtype([("box", "<f4", (4,))])
TRACKED = np.dtype([("track", "<i4"), ("seconds", "<f8"), ("box", "<f4", (4,))])
EYES = np.dtype([("pupils", "<f4", (2, 2))])
# Hours of film in the data sets, and how much of a film has two faces in sight (raw_media.md 3.12).
VOXCELEB2_HOURS, AVSPEECH_HOURS, TWO_FACES_SHARE, CORES = 2440, 4700, 0.3, 64


@dataclass(frozen=True)
class Figure:
    """One row. low, high: the 95 % interval. least, most: the bar, on one side. unit: behind the figures."""

    what: str
    value: float
    low: float
    high: float
    of: str
    least: float | None = None
    most: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def bar(self) -> str:
        sign, limit = (">=", self.least) if self.least is not None else ("<=", self.most)
        return "" if limit is None else f"{sign} {limit:g}{self.unit}"

    @property
    def met(self) -> str:
        if self.least is None and self.most is None:
            return ""
        if np.isnan(self.value):
            return "no data"
        if np.isnan(self.low):
            return "yes" if (self.value >= self.least if self.least is not None else self.value <= (self.most or 0)) else "**no**"
        near, itself = (
            (self.low >= self.least, self.value >= self.least)
            if self.least is not None
            else (self.high <= (self.most or 0), self.value <= (self.most or 0))
        )
        return "yes" if near else "figure only" if itself else "**no**"


def share(what: str, found: Share, of: str, **bar: Any) -> Figure:
    return Figure(what, found.value, *found.interval, f"{found.of:,} {of}", **bar)


def drawn_again(what: str, values: Sequence[float], weights: Sequence[float], of: str, **bar: Any) -> Figure:
    """Sum of values over sum of weights, pairs drawn again."""
    return _bootstrap(
        what, np.array([values, weights], float).T, lambda rows: rows[:, 0].sum() / max(rows[:, 1].sum(), 1e-9), of, **bar
    )


def _bootstrap(what: str, rows: np.ndarray, statistic: Callable[[np.ndarray], float], of: str, **bar: Any) -> Figure:
    if not len(rows):
        return Figure(what, np.nan, np.nan, np.nan, f"0 {of}", **bar)
    rng = np.random.default_rng(0)
    again = [statistic(rows[rng.integers(0, len(rows), len(rows))]) for _ in range(BOOTSTRAPS)]
    low, high = np.nanpercentile(again, (2.5, 97.5))
    return Figure(what, float(statistic(rows)), float(low), float(high), of, **bar)


def auc(what: str, good: Sequence[float], poor_ones: Sequence[float], of: str, **bar: Any) -> Figure:
    """Of how many pairs the good one is higher; both drawn again."""
    good_ones, others = np.asarray(good, float), np.asarray(poor_ones, float)
    if not len(good_ones) or not len(others):
        return Figure(what, np.nan, np.nan, np.nan, f"{len(good_ones)} and {len(others)} {of}", **bar)
    pairs = (good_ones[:, None] > others) + 0.5 * (good_ones[:, None] == others)
    rng = np.random.default_rng(0)
    again = [
        pairs[rng.integers(0, len(good_ones), len(good_ones))][:, rng.integers(0, len(others), len(others))].mean()
        for _ in range(BOOTSTRAPS // 4)
    ]
    low, high = np.percentile(again, (2.5, 97.5))
    return Figure(what, float(pairs.mean()), float(low), float(high), f"{len(good_ones)} and {len(others)} {of}", **bar)


# Films, rendered and read


class Watched(Tracker):
    """A tracker whose looks and tracks are kept, for the truth to be held against."""

    last: Watched

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.seen: list[tuple[float, np.ndarray]] = []
        Watched.last = self

    def add(self, seconds: float, boxes: np.ndarray, new_shot: bool) -> None:
        self.seen.append((seconds, boxes))
        super().add(seconds, boxes, new_shot)

    def arrays(self) -> dict[str, np.ndarray]:
        looked = np.array([(seconds, len(boxes)) for seconds, boxes in self.seen], LOOK)
        boxes = np.zeros(int(looked["boxes"].sum()), BOX)
        if len(boxes):
            boxes["box"] = np.concatenate([boxes[:, :4] for _, boxes in self.seen])
        tracked = [
            (number, seconds, box)
            for number, track in enumerate(self.finish())
            for seconds, box in zip(track.seconds, track.boxes, strict=True)
        ]
        return dict(looks=looked, boxes=boxes, tracked=np.array(tracked, TRACKED))


def render(folder: Path, name: str, seed: int, people: int, films: int) -> list[Path]:
    """Paths of a set's films, those made now that are not there yet."""
    paths = []
    for film in tqdm(SETS[name](seed, people, films, SIZE), desc=f"render {name}", total=people * films, disable=None):
        path = folder / f"{film.name}.mp4"
        if not path.with_suffix(".json").exists():  # which is written last
            write_film(film, path)
        paths.append(path)
    return paths


def read_set(folder: Path, paths: Sequence[Path], reader: ItemReader, profile: Profile) -> Work:
    """The folder of work in which all films of a set are read, and beside what the pipeline keeps what it looked at."""
    items = []
    for path in paths:
        name = f"{path.parent.name}/{path.stem}"
        items.append(Item(name, path, name, path.parent.name))
    about = dict(name=folder.name, source="rendered", licence="-", consent="-", face_sizes=[128])
    work = Work.make(folder, "benchmark", Listing(items), profile, about)
    for number, those in work.by_shard(items).items():
        work.shard(number).parent.mkdir(parents=True, exist_ok=True)
        with Writer(work.shard(number)) as writer:
            over = ended(writer.rows())
            for item in tqdm(those, desc=f"read {folder.name}", disable=None):
                if item.key not in over:
                    for row, arrays in _read(item, reader):
                        writer.append(row | {"item": item.key, "size": size_of(item)}, arrays)
    return work


def _read(item: Item, reader: ItemReader) -> Iterator[tuple[Row, dict[str, np.ndarray]]]:
    """Parts as the pipeline gives them, with its looks, the tracks' boxes and the pupils of each stored picture."""
    eyes: list[np.ndarray] = []

    def cropped(image: np.ndarray, points: np.ndarray, *rest: Any) -> np.ndarray:
        eyes.append(pupils(points))
        return plain_crop(image, points, *rest)

    plain_crop, began = look.crop, time.process_time()
    with mock.patch.object(look, "Tracker", Watched), mock.patch.object(look, "crop", cropped):
        for row, arrays in reader.read(item):
            if "part" in row:
                arrays = arrays | Watched.last.arrays()
                arrays["eyes"] = np.zeros(len(eyes), EYES)
                arrays["eyes"]["pupils"] = np.array(eyes).reshape(-1, 2, 2)
                eyes.clear()
            else:
                row = row | {"worked": time.process_time() - began}
            yield row, arrays


@dataclass
class Seen:
    """A film that was read: one part, as all these films are shorter than a minute."""

    truth: Truth
    part: Part

    def looked(self) -> Iterator[tuple[float, np.ndarray]]:
        """Seconds and boxes (n, 4) of each look."""
        at, boxes = 0, self.part.array("boxes")["box"]
        for seconds, count in self.part.array("looks").tolist():
            yield seconds, boxes[at : at + count]
            at += count

    def tracks(self) -> dict[int, np.ndarray]:
        """Track number -> its looks, rows of TRACKED."""
        tracked = self.part.array("tracked")
        return {int(number): tracked[tracked["track"] == number] for number in np.unique(tracked["track"])}

    def names(self) -> dict[int, str | None]:
        """Track number -> whom most of its looks show."""
        found = {}
        for number, rows in self.tracks().items():
            shown = [self.truth.person_at(float(row["seconds"]), row["box"]) for row in rows]
            found[number] = max(set(shown), key=shown.count)
        return found

    def signals(self) -> dict[int, Signals]:
        mouths = self.part.array("mouths")
        return {
            int(number): Signals(rows["seconds"].astype(np.float64), rows["darkness"].astype(np.float32))
            for number in np.unique(mouths["track"])
            for rows in [mouths[mouths["track"] == number]]
        }

    def in_sight(self, start: float, end: float) -> list[int]:
        """Numbers of the tracks that are seen all the time from start to end."""
        return [
            int(row["track"]) for row in self.part.array("tracks") if row["start"] <= start + 0.25 and row["end"] >= end - 0.25
        ]


def seen_films(work: Work) -> list[Seen]:
    return [Seen(Truth.read(part.item.media), part) for part in read_parts(work, work.listing(), [], [])]


# Figures


def sound_against_picture(films: Sequence[Seen], seed: int, people: int, number: int) -> Iterator[Figure]:
    planned = {film.name: film for film in SETS["channel"](seed, people, number, SIZE)}
    late, cuts = [], []
    for seen in films:
        true = planned[seen.truth.film].waveform()
        heard = seen.part.array("waveform").astype(np.float32) / 32768
        both = correlate(heard, true, method="fft")
        peak = int(both.argmax())
        a, b, c = both[peak - 1 : peak + 2].astype(float)
        lag = peak + 0.5 * (a - c) / (a - 2 * b + c) - (len(true) - 1)
        late.append(1000 * (lag / SAMPLE_RATE_HZ + seen.part.row["heard"]))
        cuts += [
            1000 * min(abs(cut - found) for found in seen.part.row["shots"]) for cut in seen.truth.cuts if seen.part.row["shots"]
        ]
    off = np.abs(late)
    yield Figure(
        "sound against its plan, worst film",
        float(off.max()),
        float(off.min()),
        float(off.max()),
        f"{len(off)} mp4 films, 29.97 and variable",
        most=1.0,
        unit=" ms",
        note=f"from the least to the worst; median {np.median(off):.2f}. Other containers: tests/gan/data/test_films.py",
    )
    near = np.array([each for each in cuts if each < 15])
    if len(near):
        yield Figure(
            "pictures against their plan, worst cut",
            float(near.max()),
            0.0,
            float(near.max()),
            f"{len(near)} cuts",
            most=1.0,
            unit=" ms",
        )


def is_plain(face: SeenFace) -> bool:
    return face.size >= LARGE and abs(face.yaw) <= MOST_YAW and face.light == 1


def faces_found(films: Sequence[Seen]) -> Iterator[Figure]:
    """What the looks of the pipeline found."""
    counts = defaultdict[str, Share](lambda: Share(0, 0))
    false, looked = 0, 0
    for seen in films:
        for seconds, boxes in seen.looked():
            names = [seen.truth.person_at(seconds, box) for box in boxes]
            looked, false = looked + 1, false + names.count(None)
            for face in seen.truth.faces(seconds):
                hit = Share(int(face.name in names), 1)
                if is_plain(face):
                    counts["plain"] += hit
                if face.light < 1:
                    counts["dark"] += hit
                elif abs(face.yaw) > MOST_YAW:
                    counts["yaw"] += hit
    yield share("faces found, 90 px or more, yaw to 0.6 rad", counts["plain"], "faces in looks at films", least=0.98)
    yield share("    in the dark (3 to 8 % of the light)", counts["dark"], "faces")
    yield share("    yaw above 0.6 rad", counts["yaw"], "faces")
    yield replace(
        share("false boxes a 1,000 frames", Share(false, looked), "looks at frames"),
        value=1000 * false / max(looked, 1),
        low=1000 * Share(false, looked).interval[0],
        high=1000 * Share(false, looked).interval[1],
        most=1.0,
    )


def faces_found_by_size(seed: int, count: int) -> Iterator[Figure]:
    """Of single pictures, each of another person."""
    plain = build(Detector, {"name": "dlib_hog", "upsampling": 0}, "detector")
    doubled = build(Detector, {"name": "dlib_hog", "upsampling": 1}, "detector")
    for size, yaw, detector, bar in (
        (90, 0.0, plain, 0.98),
        (90, 0.6, plain, 0.98),
        (140, 0.6, plain, 0.98),
        (66, 0.0, plain, None),
        (46, 0.0, doubled, 0.95),
    ):
        found = Share(0, 0)
        for image, box in tqdm(looks(seed, count, size, yaw, SIZE), total=count, desc=f"faces of {size} px", disable=None):
            middle = (box[:2] + box[2:]) / 2
            boxes = detector.locate(image)
            hit = any((np.abs((one[:2] + one[2:4]) / 2 - middle) < size / 2).all() for one in boxes)
            found += Share(int(hit), 1)
        how = ", one doubling" if detector is doubled else ""
        yield share(f"found, {size} px, yaw {yaw:g} rad{how}", found, "pictures", least=bar)


def cuts_and_tracks(films: Sequence[Seen]) -> Iterator[Figure]:
    cuts, false, minutes = Share(0, 0), 0, 0.0
    mixed, tracks, covered, scenes, people = 0, 0, [], [], Share(0, 0)
    for seen in films:
        found, wrong = found_cuts(seen.truth, seen.part.row["shots"])
        cuts, false, minutes = cuts + found, false + wrong, minutes + seen.truth.end / 60
        for rows in seen.tracks().values():
            tracks += 1
            shown = people_in(seen.truth, rows["seconds"], rows["box"])
            mixed += len(shown - {None}) > 1
            people += Share(int(len(shown) == 1 and None not in shown), 1)
        names = seen.names()
        table = seen.part.array("tracks")
        for scene in seen.truth.scenes:
            times = seen.truth.times[scene["first"] : scene["last"] + 1]
            for face in scene["faces"]:
                if scene["light"] < 1 or abs(face["yaw"][0]) > MOST_YAW:
                    continue
                inside = np.zeros(len(times), bool)
                for row in table:
                    if names.get(int(row["track"])) == face["name"]:
                        inside |= (times >= row["start"]) & (times < row["end"])
                covered.append(inside.mean() * (scene["end"] - scene["start"]))
                scenes.append(scene["end"] - scene["start"])
    yield share("cuts found, at their frame", cuts, "cuts", least=0.98)
    low, high = (10 * each / minutes for each in _poisson(false))
    yield Figure("false cuts in 10 minutes", 10 * false / minutes, low, high, f"{minutes:.0f} minutes", most=1.0)
    yield replace(
        share("tracks of two people", Share(mixed, tracks), "tracks"),
        most=0.0,
        note="bar: none of 100 or more; the interval cannot reach it",
    )
    yield share("tracks of one person and nothing else", people, "tracks")
    yield drawn_again(
        "face seconds covered by the right person's tracks", covered, scenes, f"{len(scenes)} faces in scenes", least=0.98
    )


def _poisson(count: int) -> tuple[float, float]:
    return (float(chi2.ppf(0.025, 2 * count) / 2) if count else 0.0), float(chi2.ppf(0.975, 2 * count + 2) / 2)


def who_speaks(two: Sequence[Seen], settings: SpeakingSettings) -> Iterator[Figure]:
    """Segments of two seconds or more, as the truth has them: who of the two is said to speak."""
    none = Share(0, 0)
    right, kept, told = (dict.fromkeys(("turns", "chewing"), none) for _ in range(3))
    unseen = 0
    for seen in two:
        names, signals, waveform = seen.names(), seen.signals(), seen.part.array("waveform")
        for segment in seen.truth.segments(2, LEAST_SECONDS):
            shown = seen.in_sight(segment.start, segment.end)
            faces = [signals.get(number, _NOTHING) for number in shown]
            span = (waveform, segment.start, segment.end)
            scores = np.array(decide(faces, *span, OPEN, seen.part.row["heard"]).scores)
            if not len(scores) or np.isnan(scores).all():
                unseen += 1
                right[segment.kind] += Share(0, 1)
                kept[segment.kind] += Share(0, 1)
                continue
            right[segment.kind] += Share(int(names[shown[int(np.nanargmax(scores))]] == segment.speaker), 1)
            said = decide(faces, *span, settings, seen.part.row["heard"]).speaker
            kept[segment.kind] += Share(int(said is not None), 1)
            if said is not None:
                told[segment.kind] += Share(int(names[shown[said]] == segment.speaker), 1)
    yield share("two faces, listener at rest: right", right["turns"], "segments of 2 s or more", least=0.90)
    yield share("two faces, listener chews: right", right["chewing"], "segments", least=0.90)
    yield share("two faces, those kept: right", told["turns"] + told["chewing"], "segments", least=0.98)
    yield share("    listener at rest", told["turns"], "segments")
    yield share("    listener chews", told["chewing"], "segments")
    yield share(
        "two faces: kept", kept["turns"] + kept["chewing"], f"segments ({unseen} with no face in sight throughout)", least=0.60
    )


_NOTHING = Signals(np.zeros(0), np.zeros(0, np.float32))


def lone_faces(films: Sequence[Seen], settings: SpeakingSettings) -> Iterator[Figure]:
    scores: dict[bool, list[float]] = {True: [], False: []}
    kept = {True: Share(0, 0), False: Share(0, 0)}
    for seen in films:
        signals, waveform = seen.signals(), seen.part.array("waveform")
        for segment in seen.truth.segments(1, LEAST_SECONDS):
            shown = seen.in_sight(segment.start, segment.end)
            if len(shown) != 1:
                continue
            span = ([signals.get(shown[0], _NOTHING)], waveform, segment.start, segment.end)
            score = decide(*span, OPEN, seen.part.row["heard"]).scores[0]
            if np.isnan(score):
                continue  # not looked at: a lone face is watched now and then
            speaks = segment.speaker is not None
            scores[speaks].append(score)
            kept[speaks] += Share(int(decide(*span, settings, seen.part.row["heard"]).speaker is not None), 1)
    yield auc("lone face, AUC of speaker against listener", scores[True], scores[False], "segments", least=0.90)
    yield share("lone speaker: kept", kept[True], "segments")
    yield share("lone listener: kept", kept[False], "segments")


def speaking_tracks(films: Sequence[Seen], profile: Profile, want: Callable[[Seen, float], bool]) -> Share:
    """Of the tracks in scenes that are wanted, those that the pipeline says speak."""
    found = Share(0, 0)
    for seen in films:
        said = {voice.track for voice in voices(seen.part, profile.voices, profile.speaking)[0]}
        for row in seen.part.array("tracks"):
            if want(seen, (float(row["start"]) + float(row["end"])) / 2):
                found += Share(int(int(row["track"]) in said), 1)
    return found


@dataclass(frozen=True)
class _Dubbed(Part):
    """A part with the sound of another."""

    other: Part

    def array(self, name: str) -> np.ndarray:
        return self.other.array(name) if name == "waveform" else super().array(name)


def dubbed(films: Sequence[Seen]) -> list[Seen]:
    """Each film with the sound of the next one of another person."""
    made = []
    for number, seen in enumerate(films):
        following = (films[(number + step) % len(films)] for step in range(1, len(films)))
        other = next((one.part for one in following if one.part.item.film != seen.part.item.film), None)
        if other is not None:
            sound = {name: other.row[name] for name in ("heard", "speech", "speech_to_pause_db")}
            made.append(Seen(seen.truth, _Dubbed(seen.part.item, seen.part.row | sound, seen.part.shard, other)))
    return made


def clips(films: Sequence[Seen], profile: Profile) -> Share:
    """Of the clips that are cut, those whose track shows who is heard in nearly all of it."""
    found = Share(0, 0)
    for seen in films:
        names = seen.names()
        for voice in voices(seen.part, profile.voices, profile.speaking)[0]:
            found += Share(int(_says(seen.truth, names.get(voice.track), voice.start, voice.end)), 1)
    return found


def _says(truth: Truth, name: str | None, start: float, end: float) -> bool:
    """Whether this person, in sight, is who is heard in 9 tenths of what is heard from start to end."""
    times = np.arange(start, end, 0.05)
    heard = [truth.seen_speaking(float(at)) for at in times if truth.speaking(float(at))]
    return bool(heard) and float(np.mean([name in who for who in heard])) >= 0.9


def identity(films: Sequence[Seen], settled: Settled) -> Iterator[Figure]:
    truths = {seen.truth.film: seen.truth for seen in films}
    by_film: dict[str, list[bool]] = defaultdict(list)
    for picture in settled.pictures:
        if not picture.reason:
            shown = truths[picture.film].person_at(float(picture.face["seconds"]), picture.face["box"])
            by_film[picture.film].append(shown == picture.person)
    kept = Share(sum(map(sum, by_film.values())), sum(map(len, by_film.values())))
    own, strange, lost, passed = 0, 0, 0, 0
    known = {(id(picture.part), int(picture.face["track"])) for picture in settled.pictures}
    parts = {(picture.part.item.key, int(picture.face["track"])) for picture in settled.pictures}
    assert len(parts) == len(known)
    for seen in films:
        for number, name in seen.names().items():
            if number not in seen.part.array("faces")["track"]:
                continue
            is_known = (seen.part.item.key, number) in parts
            if name == seen.truth.host:
                own, lost = own + 1, lost + (not is_known)
            else:
                strange, passed = strange + 1, passed + is_known
    yield share("kept faces that show the person of the folder", kept, "kept faces", least=0.99)
    yield share(
        "tracks of strangers not recognised as such", Share(passed, strange), "tracks of strangers, listeners and false boxes"
    )
    yield share("the person's own tracks lost as a stranger's", Share(lost, own), "tracks", most=0.02)


def clips_of_people(films: Sequence[Seen], settled: Settled) -> Figure:
    truths = {seen.truth.film: seen.truth for seen in films}
    found = Share(0, 0)
    for speech in settled.speech:
        found += Share(int(_says(truths[speech.film], speech.person, speech.voice.start, speech.voice.end)), 1)
    return share("clips whose person of the folder is seen to speak and heard", found, "clips of a channel")


def filters(films: Sequence[Seen], settings: FaceFilterSettings) -> Iterator[Figure]:
    """Faces that the pipeline chose of each track, by what their scene is."""
    sieve = FaceFilter(settings)
    counts = defaultdict[str, Share](lambda: Share(0, 0))
    for seen in films:
        for row in seen.part.array("faces"):
            face = seen.truth.face_at(float(row["seconds"]), row["box"])
            if face is None:
                continue
            dropped = Share(int(bool(sieve.reason(Measures(*(float(row[name]) for name in MEASURES))))), 1)
            if face.light < 1:
                counts["dark"] += dropped
            elif face.blur >= 1.5:
                counts["blurred"] += dropped
            elif abs(face.yaw) >= POOR_YAW:
                counts["turned"] += dropped
            elif face.mouth_open <= GOOD_MOUTH and face.size >= GOOD_SIZE:
                name = "good" if abs(face.yaw) <= GOOD_YAW else "half" if abs(face.yaw) <= 2 * GOOD_YAW else "beyond"
                counts[name] += Share(dropped.of - dropped.hits, dropped.of)
    yield share("good faces of films kept (yaw <= 0.1 rad, mouth <= 0.2, 105 px or more)", counts["good"], "faces", least=0.90)
    yield share("    yaw 0.1 to 0.2 rad kept", counts["half"], "faces")
    yield share("faces of yaw >= 0.4 dropped, best of each track", counts["turned"], "faces", least=0.95)
    yield share("faces blurred by sigma 1.5 or more dropped", counts["blurred"], "faces", least=0.95)
    yield share("faces in the dark dropped", counts["dark"], "faces", least=0.95)


def filters_of_pictures(seed: int, count: int, settings: FaceFilterSettings) -> Iterator[Figure]:
    """Single pictures of 120 px faces, made worse one way at a time."""
    detector = build(Detector, {"name": "dlib_hog", "upsampling": 0}, "detector")
    sieve = FaceFilter(settings)

    def measured(size: float, yaw: float, change: Callable[[np.ndarray], np.ndarray] = lambda image: image) -> list[Measures]:
        found = []
        for image, true in looks(seed + 1, count, size, yaw, SIZE):
            image = change(image)
            boxes = detector.locate(image)
            middle = (true[:2] + true[2:]) / 2
            near = [box for box in boxes if (np.abs((box[:2] + box[2:4]) / 2 - middle) < size / 2).all()]
            box = near[0][:4] if near else _as_hog(true)
            found.append(measure(image, points68_in(image, box[None])[0]))
        return found

    def blurred(sigma: float, image: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))

    def lit(times: float, image: np.ndarray) -> np.ndarray:
        return np.clip(255 * (image / 255) * times, 0, 255).astype(np.uint8)

    good = measured(120, 0.0)
    turned3, turned4 = measured(120, 0.3), measured(120, 0.4)
    blur1, blur15 = (measured(120, 0.0, partial(blurred, sigma)) for sigma in BLURS)
    dark, bright = measured(120, 0.0, partial(lit, 0.15)), measured(120, 0.0, partial(lit, 2.5))
    small = measured(75, 0.0)

    def values(of: Sequence[Measures], name: str) -> list[float]:
        return [getattr(each, name) for each in of]

    def dropped(of: Sequence[Measures]) -> Share:
        return Share(sum(bool(sieve.reason(each)) for each in of), len(of))

    kept = dropped(good)
    yield share("good pictures kept", Share(kept.of - kept.hits, kept.of), "pictures", least=0.90)
    yield auc(
        "AUC of asymmetry, yaw 0.3 against good", values(turned3, "asymmetry"), values(good, "asymmetry"), "pictures", least=0.98
    )
    yield share("yaw 0.4 dropped", dropped(turned4), "pictures", least=0.95)
    yield auc(
        "AUC of sharpness, good against blur 1", values(good, "sharpness"), values(blur1, "sharpness"), "pictures", least=0.95
    )
    yield share("blur 1.5 dropped", dropped(blur15), "pictures", least=0.95)
    yield auc(
        "AUC of level, good against 15 % of the light", values(good, "level"), values(dark, "level"), "pictures", least=0.98
    )
    yield auc(
        "AUC of clipped share, light x 2.5 against good",
        values(bright, "clipped"),
        values(good, "clipped"),
        "pictures",
        least=0.98,
    )
    tiny = [each for each in small if each.pupil_distance_px < settings.least_pupil_distance_px]
    yield share(
        "75 px faces (pupils 23 px) dropped", dropped(small), f"pictures, {len(tiny)} measured below the limit", least=0.95
    )


def _as_hog(true: np.ndarray) -> np.ndarray:
    """The box that dlib's detector would give, of a face that it does not find."""
    side = 0.68 * (true[2] - true[0])
    x, y = (true[0] + true[2]) / 2, (true[1] + true[3]) / 2 - 0.03 * (true[3] - true[1])
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)


def speech(films: Sequence[Seen]) -> Iterator[Figure]:
    kept = [kept_speech(seen.truth, seen.part.row["speech"]) for seen in films]

    def figure(what: str, kind: str, **bar: Any) -> Figure:
        called, there = ([one[kind][at] for one in kept] for at in (0, 1))
        return drawn_again(what, called, there, f"{sum(there):.0f} s in {len(kept)} films", **bar)

    yield figure("speech found, music 5 or 10 dB below", "speech_under", least=0.95)
    yield figure("pauses called speech, music 5 or 10 dB below", "pauses_under", most=0.20)
    yield figure("music alone called speech", "music", most=0.02)
    yield figure("speech found, no music", "speech", least=0.95)
    yield figure("pauses called speech, no music", "pauses", most=0.20)


def eyes_aligned(films: Sequence[Seen], crop_settings: CropSettings, settings: FaceFilterSettings) -> Iterator[Figure]:
    """Where the true pupils lie in stored pictures that the filters keep."""
    sieve = FaceFilter(settings)
    off, turn = [], []
    for seen in films:
        faces = seen.part.array("faces")
        # Pictures are cut in the order of time.
        faces, eyes = faces[np.argsort(faces["seconds"], kind="stable")], seen.part.array("eyes")["pupils"]
        for row, found in zip(faces, eyes, strict=True):
            face = seen.truth.face_at(float(row["seconds"]), row["box"])
            if face is None or sieve.reason(Measures(*(float(row[name]) for name in MEASURES))):
                continue
            true = face.points[:2]
            apart, across = found - true, true[1] - true[0]
            distance = float(np.hypot(*across))
            off.append(float(np.hypot(*apart.T).max()) / distance)
            level = found[1] - found[0]
            turn.append(abs(float(np.degrees(np.arctan2(level[1], level[0]) - np.arctan2(across[1], across[0])))))
    for what, values, bar, unit in (
        ("pupils of stored pictures beside their place, 95 % of pictures", np.array(off) * 100, 10.0, " % of their distance"),
        ("turn left over, 95 % of pictures", np.array(turn), 3.0, " degrees"),
    ):
        yield _bootstrap(
            what, values, lambda some: float(np.percentile(some, 95)), f"{len(values):,} pictures", most=bar, unit=unit
        )


# Speed


@contextmanager
def metered(reader: ItemReader) -> Iterator[dict[str, float]]:
    """Processor seconds of each of PARTS, from the functions that the pipeline calls."""
    taken = dict.fromkeys(PARTS, 0.0)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken[part] += time.process_time() - began

        return call

    def frames(self: Film, *args: Any) -> Iterator[Frame]:
        some = plain_frames(self, *args)
        step = timed("decoding", lambda: next(some, None))
        while (frame := step()) is not None:
            yield frame

    plain_frames, looker = Film.frames, reader._look()
    patches = [
        mock.patch.object(Film, "frames", frames),
        mock.patch.object(Film, "sound", timed("decoding", Film.sound)),
        mock.patch.object(Frame, "rgb", timed("RGB", Frame.rgb)),
        mock.patch.object(Frame, "small", timed("cuts", Frame.small)),
        mock.patch.object(look, "points68_in", timed("points", look.points68_in)),
        mock.patch.object(look, "measure", timed("measures", look.measure)),
        mock.patch.object(look.Mouth, "add", timed("mouths", look.Mouth.add)),
        mock.patch.object(looker, "_cut", timed("pictures", looker._cut)),
        mock.patch.object(looker._embedder, "embed", timed("embedding", looker._embedder.embed)),
        mock.patch.object(looker._detector, "locate", timed("detection", looker._detector.locate)),
    ]
    if reader._speech is not None:
        patches.append(mock.patch.object(reader._speech, "spans", timed("speech", reader._speech.spans)))
    for patch in patches:
        patch.start()
    try:
        yield taken
    finally:
        for patch in patches:
            patch.stop()


def speed(folder: Path, seed: int, seconds: float, reader: ItemReader) -> tuple[list[Figure], list[dict[str, Any]]]:
    """A film with one face in one shot, and one with two who talk by turns: film seconds a processor second, and by part."""
    host, guest = (Person(name, draw_speaker(seed, number)) for name, number in (("p000", 0), ("s000", 100_000)))
    figures, rows = [], []
    for name, kind, least in (("one face", "speaker", 4.0), ("two faces", "turns", 1.5)):
        path = folder / f"{kind}.mp4"
        spans = ((seconds, seconds),) * 2
        if not path.with_suffix(".json").exists():
            write_film(plan("speed/f00", host, guest, [kind], seed, SIZE, "29.97", (110, 140), *spans), path)
        item = Item(kind, path, kind, "p000")
        list(reader.read(replace(item, end=2.0)))  # not counted: nets are made
        began = time.process_time()
        with metered(reader) as taken:
            list(reader.read(item))
        worked = time.process_time() - began
        taken["rest"] = worked - sum(taken.values())
        figures.append(
            Figure(
                f"times real time a core, 360p, {name}", seconds / worked, np.nan, np.nan, f"{seconds:g} s of film", least=least
            )
        )
        rows.append(dict(film=name, times=seconds / worked, **{part: 1000 * each / seconds for part, each in taken.items()}))
    return figures, rows


def projection(one: float, two: float) -> str:
    """one, two: times real time with one face and with two."""
    hours = AVSPEECH_HOURS * ((1 - TWO_FACES_SHARE) / one + TWO_FACES_SHARE / two)
    vox = VOXCELEB2_HOURS / one
    return (
        f"By these two speeds, on {CORES} cores: VoxCeleb2's {VOXCELEB2_HOURS:,} h of films {vox:,.0f} core hours, "
        f"{vox / CORES:.1f} h; AVSpeech's {AVSPEECH_HOURS:,} h, two faces in {TWO_FACES_SHARE:.0%} of them, "
        f"{hours:,.0f} core hours, {hours / CORES:.1f} h."
    )


# The whole


def measure_all(
    folder: Path, seed: int, plans: Mapping[str, tuple[int, int]], pictures: int, film_seconds: float
) -> tuple[dict[str, list[Figure]], list[dict[str, Any]], str]:
    """Sections of figures; rows of speed by part; a line of what was read.

    plans: people and films of each set. pictures: single ones of each condition. film_seconds: of the films that show the speed.
    """
    torch.set_num_threads(1)
    profile = Profile()
    reader = ItemReader(profile)
    films: dict[str, list[Seen]] = {}
    works: dict[str, Work] = {}
    for number, (name, (people, each)) in enumerate(plans.items()):
        paths = render(folder / name, name, seed + number, people, each)
        works[name] = read_set(folder / "work" / name, paths, reader, profile)
        films[name] = seen_films(works[name])
    named = films["channel"], settle(works["channel"])
    every = [seen for some in films.values() for seen in some]
    straight = [seen for name, some in films.items() if name != "overlaid" for seen in some]
    figures, rows = speed(folder / "speed", seed, film_seconds, reader)
    still = speaking_tracks(films["poor"] + films["channel"], profile, lambda seen, at: seen.truth.scene(at)["kind"] == "still")
    listening = speaking_tracks(
        films["lone_faces"] + films["channel"], profile, lambda seen, at: seen.truth.scene(at)["kind"] == "listener"
    )
    talking = speaking_tracks(
        films["lone_faces"] + films["channel"], profile, lambda seen, at: seen.truth.scene(at)["kind"] == "speaker"
    )
    swapped = speaking_tracks(dubbed(straight), profile, lambda seen, at: True)
    over = speaking_tracks(films["overlaid"], profile, lambda seen, at: True)
    sections = {
        "Sound against picture": [*sound_against_picture(films["channel"], seed, *plans["channel"])],
        "Faces found": [*faces_found(every), *faces_found_by_size(seed, pictures)],
        "Cuts and tracks": [*cuts_and_tracks(every)],
        "Who speaks": [
            *who_speaks(films["two_faces"], profile.speaking),
            *lone_faces(films["lone_faces"], profile.speaking),
            share("sound of another film: tracks said to speak", over, "tracks", most=0.05),
            share(
                "sound of another film, laid over what was read: tracks said to speak",
                swapped,
                "tracks (watched where their own film has speech)",
                most=0.05,
            ),
            share("still with a voice: tracks said to speak", still, "tracks", most=0.05),
            share("lone listener: tracks said to speak", listening, "tracks"),
            share("lone speaker: tracks said to speak", talking, "tracks"),
            share("clips of two faces whose track is who is heard", clips(films["two_faces"], profile), "clips", least=0.98),
            share("clips of all sets but the overlaid, the same", clips(straight, profile), "clips", least=0.98),
        ],
        "Identity": [*identity(*named), clips_of_people(*named)],
        "Filters": [*filters(straight, profile.faces), *filters_of_pictures(seed, pictures, profile.faces)],
        "Eye alignment": [*eyes_aligned(straight, profile.crop, profile.faces)],
        "Speech (Silero)": [*speech(films["under_music"])],
        "Speed": figures,
    }
    length = sum(seen.truth.end for seen in every)
    parts = sum(len(seen.truth.segments(2, LEAST_SECONDS)) for seen in films["two_faces"])
    worked = [row["worked"] for work in works.values() for row in _last_rows(work)]
    about = (
        f"{len(every)} films, {length / 60:.1f} minutes, {sum(len(seen.tracks()) for seen in every):,} tracks, {parts} segments "
        f"of two faces; read at {length / sum(worked):.1f} times real time on a core, all sets together (their shots last 2 to "
        "6 s, so nearly every frame is watched)."
    )
    return sections, rows, about


def _last_rows(work: Work) -> Iterable[Row]:
    for number in work.by_shard(work.listing().items):
        yield from ended(Writer(work.shard(number)).rows()).values()


def text(sections: Mapping[str, Sequence[Figure]], rows: Sequence[Mapping[str, Any]], about: str, seed: int, note: str) -> str:
    lines = [
        "# From films to a corpus, against films whose truth is known",
        "",
        "<!-- written by python -m benchmarks.preparation -->",
        "",
        f"Films of the toy world, 640x360, H.264 and AAC, rendered from seeds {seed} to {seed + len(PLAN) - 1}; thresholds "
        f"were chosen on seeds {TUNED_ON}. {about}",
        "",
        "A bar is met (yes) where the end of the 95 % interval nearer to it meets it; `figure only`: the figure does, the "
        "interval's end does not.",
        "",
    ]
    if note:
        lines += [note, ""]
    for title, figures in sections.items():
        lines += [f"## {title}", "", "| what | figure | 95 % | of | bar | met |", "|---|--:|---|---|---|---|"]
        for one in figures:
            between = "-" if np.isnan(one.low) else f"{one.low:.3g} to {one.high:.3g}"
            said = f". {one.note}" if one.note else ""
            lines.append(f"| {one.what} | {one.value:.3g}{one.unit} | {between} | {one.of}{said} | {one.bar} | {one.met} |")
        lines.append("")
    parts = [name for name in rows[0] if name not in ("film", "times")]
    lines += [
        "Processor milliseconds a second of film:",
        "",
        "| film | " + " | ".join(parts) + " |",
        "|---" * (len(parts) + 1) + "|",
    ]
    lines += [f"| {row['film']} | " + " | ".join(f"{row[name]:.0f}" for name in parts) + " |" for row in rows]
    lines += ["", projection(rows[0]["times"], rows[1]["times"]), ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preparation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="for films and what is read of them; about 100 MB")
    parser.add_argument("--seed", type=int, default=401, help="of the first set; each further set has the next")
    parser.add_argument("--quick", action="store_true", help="a tenth of it; nothing is recorded")
    parser.add_argument("--note", default="", help="a line for preparation.md")
    parser.add_argument("--report", type=Path, default=Path(__file__).with_suffix(".md"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    plans = {name: sizes[given.quick] for name, sizes in PLAN.items()}
    amount = (QUICK_PICTURES, QUICK_FILM_SECONDS) if given.quick else (PICTURES, FILM_SECONDS)
    sections, rows, about = measure_all(given.folder, given.seed, plans, *amount)
    written = text(sections, rows, about, given.seed, given.note)
    print(written)
    if not given.quick:
        given.report.write_text(written, encoding="utf-8")
        for title, figures in sections.items():
            for one in figures:
                record(
                    "preparation",
                    dict(
                        stage=title,
                        what=one.what.strip(),
                        value=_number(one.value),
                        interval=[_number(one.low), _number(one.high)],
                        of=one.of,
                        bar=one.bar,
                        met=one.met.strip("*"),
                    ),
                    given.results,
                )
        for row in rows:
            record(
                "preparation_speed",
                {name: each if isinstance(each, str) else round(each, 2) for name, each in row.items()},
                given.results,
            )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.4g}")


if __name__ == "__main__":
    main()
