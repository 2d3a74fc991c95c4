"""A channel of films rendered from the toy world, each beside its truth, and how a result is held against that truth.

    python -m benchmarks.channel FOLDER --people 20 --films 4 --seed 7
    python -m benchmarks.channel FOLDER --set two_faces --people 25 --films 1 --seed 8

writes FOLDER/<person>/<film>.mp4 (H.264, AAC) and <film>.json. The sets are listed in SETS, the kinds of scenes in
gan/data/toy/films.py. The JSON holds, in seconds and pixels:

    film, size, rate, seed, end    p000/f00, [width, height], 29.97 | variable, of the film, its length
    times                          of each frame
    cuts                           of the first frame of each scene but the first
    speakers                       name -> row of speakers.csv, of everybody seen or heard
    scenes                         kind, start, end, first and last frame, light (share left), blur (sigma), faces
    scenes[].faces                 name, size (side of its box), still, chews, and one value a frame of the scene:
                                   boxes [left, top, right, bottom], points (2 pupils, nose, 2 corners of the mouth),
                                   yaw, pitch, roll (rad), mouth_open
    turns                          name, start, end: who is heard talking, short rests within
    speech                         name, start, end: the same without the rests
    music                          start, end, below_db: its level under that of speech
    sound_from                     the film whose sound is laid over this one's pictures, else empty
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import resample_poly
from tqdm import tqdm

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.data.toy.films import RATES, TICK, Film, Person, channel, dubbed, plan
from gan.data.toy.speakers import draw_speaker

SOUND_HZ = 48_000  # of the mp4's sound, as in films from the net
LEAST_PAUSE = 0.5  # seconds: a shorter rest is part of speaking

Array = np.ndarray
Spans = Sequence[tuple[float, float]]

# Films and how they are written


def two_faces(seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    """Films of two people who talk by turns of 2.1 s or more: the listener at rest and chewing, scene by scene.

    A film has six scenes and twelve segments, of which six have a listener who chews.
    """
    return _films(seed, people, films, size, ("turns", "chewing") * 3)


def lone_faces(seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    """Films with one face a scene: who is seen talks, or listens to the voice of another: 12 segments of 2 s or more."""
    return _films(seed, people, films, size, ("speaker", "listener") * 3, seconds=(5.2, 6.4))


def tracks(seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    """Films of many short scenes with one or two faces, for cuts and tracks: 12 scenes and 16 tracks a film."""
    return _films(seed, people, films, size, ("speaker", "stranger", "turns") * 4, seconds=(2.0, 3.0), two_seconds=(2.0, 3.0))


def under_music(seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    """Films whose sound counts: music alone, speech above music, speech alone, all with rests.

    Music alone comes first: what a detector adds after a voice is counted with the rests, where it belongs.
    """
    return _films(seed, people, films, size, ("music_alone", "music", "pause", "music", "speaker"), seconds=(5.0, 7.0))


def poor(seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    """Films of what a corpus should not have: photographs with a voice, turned, blurred and dark faces; 10 scenes a film."""
    return _films(seed, people, films, size, ("speaker", "still", "turned", "blurred", "dark") * 2)


def overlaid(seed: int, people: int, films: int, size: tuple[int, int]) -> Iterator[Film]:
    """The films of a channel, each with the sound of the next person's: no mouth belongs to a voice."""
    made = list(channel(seed, people, films, size))
    for number, film in enumerate(made):
        yield dubbed(film, made[(number + films) % len(made)])


SETS: dict[str, Callable[[int, int, int, tuple[int, int]], Iterator[Film]]] = {
    "channel": channel,
    "two_faces": two_faces,
    "lone_faces": lone_faces,
    "tracks": tracks,
    "under_music": under_music,
    "poor": poor,
    "overlaid": overlaid,
}


def _films(
    seed: int, people: int, films: int, size: tuple[int, int], kinds: Sequence[str], **lengths: tuple[float, float]
) -> Iterator[Film]:
    rng = np.random.default_rng([seed, 8])
    for number, film in itertools.product(range(people), range(films)):
        host = Person(f"p{number:03}", draw_speaker(seed, number))
        guest = Person(f"s{number:03}", draw_speaker(seed, 100_000 + number))
        film_seed = int(rng.integers(2**31))
        yield plan(f"{host.name}/f{film:02}", host, guest, kinds, film_seed, size, RATES[film % 2], **lengths)


def tiny_channel(folder: Path, seed: int = 0) -> list[Path]:
    """Three people with two films of about 7 s each, 320x180 pixels, faces of 90 to 100 px; the paths of the mp4 files.

    Of each person one film has only its host in it; the other opens on its host and goes on with two people, with the voice
    of somebody else or with a photograph. The second film's frames come at variable times.
    """
    written = []
    others = ("chewing", "listener", "still")
    for number in range(3):
        host = Person(f"p{number:03}", draw_speaker(seed, number))
        guest = Person(f"s{number:03}", draw_speaker(seed, 100_000 + number))
        for film, kinds in enumerate((("speaker", "music"), ("speaker", others[number]))):
            made = plan(
                f"{host.name}/f{film:02}",
                host,
                guest,
                kinds,
                1000 * seed + 10 * number + film,
                (320, 180),
                RATES[film],
                (90.0, 100.0),
                (3.0, 3.6),
                (3.8, 4.2),
            )
            written.append(folder / f"{made.name}.mp4")
            write_film(made, written[-1])
    return written


def looks(seed: int, count: int, face_px: float, yaw: float, size: tuple[int, int] = (640, 360)) -> Iterator[tuple[Array, Array]]:
    """Single frames of one face each, every one of another person: uint8 (H, W, 3), and its box (4,)."""
    rng = np.random.default_rng([seed, 9])
    for number in range(count):
        person = Person(f"p{number:03}", draw_speaker(seed, number))
        film = plan("look", person, person, ["speaker"], int(rng.integers(2**31)), size, face_px=(face_px, face_px))
        (scene,) = film.scenes
        turned = replace(scene.faces[0].rest, yaw=yaw * (1 if rng.random() < 0.5 else -1))
        # As a photograph, so that the head is turned as asked, and sways no further.
        face = replace(scene.faces[0], rest=turned, still=True)
        film = replace(film, scenes=(replace(scene, faces=(face,)),))
        box = film.truth()["scenes"][0]["faces"][0]["boxes"][0]
        yield next(film.frames()), np.array(box, np.float32)


def write_film(film: Film, path: Path) -> None:
    """The film as mp4, every frame at its own time, and its truth as JSON beside it."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "21"})
        pictures.width, pictures.height = film.size
        pictures.pix_fmt = "yuv420p"
        # With the time base of the frame rate, a variable rate would be rounded to it.
        pictures.codec_context.time_base = Fraction(1, TICK)
        pictures.codec_context.gop_size = 60
        pictures.codec_context.thread_count = 1
        voice = out.add_stream("aac", rate=SOUND_HZ, layout="mono", bit_rate=96_000)
        parts = _sound_frames(film.waveform())
        for tick, image in zip(film.ticks.tolist(), film.frames(), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, TICK)
            out.mux(pictures.encode(frame))
            # One frame of sound a picture or a little more goes along, so that the muxer holds back but few of either.
            for part in itertools.islice(parts, 2):
                out.mux(voice.encode(part))
        for part in parts:
            out.mux(voice.encode(part))
        out.mux(pictures.encode(None))
        out.mux(voice.encode(None))
    path.with_suffix(".json").write_text(json.dumps(film.truth()))


def _sound_frames(waveform: Array) -> Iterator[Any]:
    """(S,) at 16 kHz -> PyAV's frames at SOUND_HZ; sample 0 at time 0."""
    import av

    # scipy's filter has no delay; a resampler that has one would put the sound out of step.
    sound = resample_poly(waveform, SOUND_HZ // SAMPLE_RATE_HZ, 1).astype(np.float32)
    for start in range(0, len(sound), 1024):
        part = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None, start : start + 1024]), "fltp", "mono")
        part.sample_rate, part.pts, part.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
        yield part


# The truth, read


@dataclass(frozen=True)
class SeenFace:
    """A face in one frame. box (4,), points (5, 2) px; angles in rad. speaks: this mouth makes the voice that is heard."""

    name: str
    box: Array
    points: Array
    yaw: float
    pitch: float
    roll: float
    mouth_open: float
    size: float
    still: bool
    chews: bool
    light: float
    blur: float
    speaks: bool


class Truth:
    """What is known of a film, by time. Times outside it give its first or last frame."""

    def __init__(self, values: Mapping[str, Any]):
        self.film, self.rate, self.end = str(values["film"]), str(values["rate"]), float(values["end"])
        self.host = self.film.partition("/")[0]
        self.size = tuple(values["size"])
        self.times = np.array(values["times"])
        self.cuts: list[float] = values["cuts"]
        self.scenes: list[dict[str, Any]] = values["scenes"]
        self.turns: list[dict[str, Any]] = values["turns"]
        self.music: list[dict[str, Any]] = values["music"]
        self.speech: list[tuple[float, float]] = [(one["start"], one["end"]) for one in values["speech"]]
        self.sound_from = str(values["sound_from"])

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Of the film at `path`, or of its JSON."""
        return cls(json.loads(path.with_suffix(".json").read_text()))

    def frame(self, seconds: float) -> int:
        """Number of the frame that is seen at this time."""
        # Half a tick, because a reader may round times otherwise than we do.
        return max(0, int(np.searchsorted(self.times, seconds + 0.5 / TICK, "right")) - 1)

    def scene(self, seconds: float) -> dict[str, Any]:
        number = self.frame(seconds)
        return next(scene for scene in self.scenes if scene["first"] <= number <= scene["last"])

    def faces(self, seconds: float) -> list[SeenFace]:
        """All faces that are seen at this time."""
        scene = self.scene(seconds)
        row = self.frame(seconds) - scene["first"]
        heard = self.speaking(seconds)
        return [
            SeenFace(
                **{key: face[key] for key in ("name", "size", "still", "chews")},
                **{key: face[key][row] for key in ("yaw", "pitch", "roll", "mouth_open")},
                **{key: scene[key] for key in ("light", "blur")},
                box=np.array(face["boxes"][row]),
                points=np.array(face["points"][row]),
                speaks=face["name"] in heard and not face["still"] and not self.sound_from,
            )
            for face in scene["faces"]
        ]

    def face_at(self, seconds: float, box: Sequence[float] | Array) -> SeenFace | None:
        """The face that a found box shows: its middle lies in the true box, and its side is a third to three times as long.

        Detectors draw their boxes tighter or wider than ours, so no overlap is asked for. None if the box is a false one.
        """
        left, top, right, bottom = (float(value) for value in box[:4])
        middle = ((left + right) / 2, (top + bottom) / 2)
        near = []
        for face in self.faces(seconds):
            true = face.box
            ratio = (right - left) / (true[2] - true[0])
            if true[0] <= middle[0] <= true[2] and true[1] <= middle[1] <= true[3] and 1 / 3 <= ratio <= 3:
                near.append((math.dist(middle, ((true[0] + true[2]) / 2, (true[1] + true[3]) / 2)), face))
        return min(near, key=lambda one: one[0])[1] if near else None

    def person_at(self, seconds: float, box: Sequence[float] | Array) -> str | None:
        """Name of the person whom a found box shows."""
        face = self.face_at(seconds, box)
        return face.name if face else None

    def speaking(self, seconds: float) -> set[str]:
        """Names of those who are heard talking, the short rests within speech included."""
        return {turn["name"] for turn in self.turns if turn["start"] <= seconds < turn["end"]}

    def seen_speaking(self, seconds: float) -> set[str]:
        """Names of those who are heard and seen to talk: no photograph, no other film's sound."""
        return {face.name for face in self.faces(seconds) if face.speaks}

    def segments(self, num_faces: int, seconds: float = 2.0) -> list[Segment]:
        """Each turn of `seconds` or more within a scene of so many faces."""
        found = []
        for scene in self.scenes:
            names = [face["name"] for face in scene["faces"]]
            if len(names) != num_faces:
                continue
            for turn in self.turns:
                start, end = max(turn["start"], scene["start"]), min(turn["end"], scene["end"])
                if end - start >= seconds:
                    seen = turn["name"] in names and scene["kind"] != "still" and not self.sound_from
                    found.append(Segment(start, end, scene["kind"], tuple(names), turn["name"] if seen else None))
        return found

    def face_seconds(self) -> float:
        """Seconds of all faces, added up."""
        return sum(len(scene["faces"]) * (scene["end"] - scene["start"]) for scene in self.scenes)


@dataclass(frozen=True)
class Segment:
    """A stretch in which one voice is heard. speaker: who of those shown is seen to speak, None if nobody is."""

    start: float
    end: float
    kind: str
    shown: tuple[str, ...]
    speaker: str | None


# A result, held against the truth


@dataclass(frozen=True)
class Share:
    """So many of so many, with the 95 % interval of Wilson (1927)."""

    hits: int
    of: int

    def __add__(self, other: Share) -> Share:
        return Share(self.hits + other.hits, self.of + other.of)

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        z, n, p = 1.959964, self.of, self.value
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] of {self.of}"


def found_faces(
    truth: Truth, frames: Iterable[tuple[float, Array]], good: Callable[[SeenFace], bool] = lambda face: True
) -> tuple[Share, Share]:
    """Frames' seconds and boxes (n, >= 4) -> found of those faces that are `good`; false boxes of frames looked at."""
    found, false = Share(0, 0), Share(0, 0)
    for seconds, boxes in frames:
        seen = [truth.person_at(seconds, box) for box in boxes]
        for face in truth.faces(seconds):
            if good(face):
                found += Share(int(face.name in seen), 1)
        false += Share(seen.count(None), 1)
    return found, false


def found_cuts(truth: Truth, found: Sequence[float], within: float = 0.001) -> tuple[Share, int]:
    """Cuts found at the right frame, and how many were found where none is."""
    hits = sum(any(abs(one - cut) <= within for one in found) for cut in truth.cuts)
    false = sum(all(abs(one - cut) > within for cut in truth.cuts) for one in found)
    return Share(hits, len(truth.cuts)), false


def people_in(truth: Truth, seconds: Iterable[float], boxes: Iterable[Array]) -> set[str | None]:
    """Names of all whom a track shows; one name if the track is pure, None among them if a box shows nobody."""
    return {truth.person_at(at, box) for at, box in zip(seconds, boxes, strict=True)}


def kept_speech(truth: Truth, spans: Spans) -> dict[str, tuple[float, float]]:
    """Seconds called speech, and seconds in all, of each kind of time.

    speech, speech_under: without and with music; pauses, pauses_under: of half a second or more; rests: shorter ones, with or
    without music; music: alone, where nobody talks from its start to its end.
    """
    step = 0.01
    at = np.arange(round(truth.end / step)) * step + step / 2

    def inside(some: Iterable[tuple[float, float]]) -> Array:
        held = np.zeros(len(at), bool)
        for start, end in some:
            held |= (start <= at) & (at < end)
        return held

    called, speech = inside(spans), inside(truth.speech)
    music = [(one["start"], one["end"]) for one in truth.music]
    alone = inside((start, end) for start, end in music if not any(a < end and b > start for a, b in truth.speech))
    under = inside(music) & ~alone
    edges = [0.0, *itertools.chain.from_iterable(truth.speech), truth.end]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    pauses = inside(gap for gap in gaps if gap[1] - gap[0] >= LEAST_PAUSE) & ~alone
    kinds = {
        "speech": speech & ~under,
        "speech_under": speech & under,
        "pauses": pauses & ~under,
        "pauses_under": pauses & under,
        "rests": ~speech & ~pauses & ~alone,
        "music": alone,
    }
    return {name: (step * int((called & kind).sum()), step * int(kind.sum())) for name, kind in kinds.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.channel", description="Render films with known truth.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", choices=SETS, default="channel")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--films", type=int, default=4, help="of each person")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360), metavar=("WIDTH", "HEIGHT"))
    given = parser.parse_args(arguments)
    films = SETS[given.set](given.seed, given.people, given.films, tuple(given.size))
    seconds, worked = 0.0, time.process_time()
    for film in tqdm(films, total=given.people * given.films, desc=given.set, unit="film", disable=None):
        write_film(film, given.folder / f"{film.name}.mp4")
        seconds += film.end
    worked = time.process_time() - worked
    print(
        f"{given.people * given.films} films, {seconds:.0f} s of film, {worked / seconds:.3f} processor seconds a second of film"
    )


if __name__ == "__main__":
    main()
