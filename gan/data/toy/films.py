"""Films of the toy world: planned from a seed, drawn a frame at a time, with the truth about every frame.

A film is a row of scenes with hard cuts between them. In each scene nobody, one or two people sit before a wall; heads sway,
and the mouth of whoever talks follows the first formant of the voice. What is heard need not be what is seen: see SCENES.
Times are seconds from the first frame, which is also where the sound begins. Boxes and points are pixels of the frame, from
its left top corner. Nothing here reads or writes a file; benchmarks/channel.py makes mp4 files of it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.data.toy.faces import FACE_BOX, Picture, draw_picture, landmarks, paint_over, texture, to_bytes
from gan.data.toy.speakers import Speaker, draw_speaker
from gan.data.toy.voices import FRAMES_PER_SECOND, Recording, compose, draw_recording, synthesise

SCENES = {
    "speaker": "one person who talks to the camera",
    "turns": "two people who talk by turns; the other's mouth is at rest",
    "chewing": "the same, but the other chews at random",
    "listener": "one person with mouth at rest, and the voice of another who is not in the picture",
    "stranger": "the guest alone, talking, in the film of its host",
    "music": "one person who talks, music below the voice",
    "music_alone": "music, and a picture without a face",
    "still": "a photograph of a person, and that person's voice",
    "voice_over": "the host's voice, and a picture without a face",
    "pause": "one person who talks, then is silent for a second or more",
    "turned": "one person who talks, head turned by 0.4 to 0.8 rad",
    "blurred": "one person who talks, out of focus",
    "dark": "one person who talks, in the dark",
}
TWO_FACES = ("turns", "chewing")
RATES = ("29.97", "variable")
TICK = 90_000  # frame times are whole ticks: ticks a second
MOVES_HZ = 15  # heads sway in steps, so that a listener is drawn anew at every other frame only; mouths move at every frame

_FRAME_TICKS = 3003  # 29.97 frames a second
_LEAST_TURN = 2.1  # seconds that somebody talks while two are in the picture
_STRANGERS = 100_000  # number of the first speaker of a world who owns no film

Array = np.ndarray


@dataclass(frozen=True)
class Person:
    """Somebody with a name that is a mere label: p000 owns films, s000 is a guest."""

    name: str
    speaker: Speaker


@dataclass(frozen=True)
class Face:
    """A person in a scene: the square window that is painted, in pixels, and how the person looks at rest."""

    person: Person
    left: int
    top: int
    size: int
    rest: Picture
    seed: int
    chews: bool = False
    still: bool = False


@dataclass(frozen=True)
class Scene:
    """From start to end, in seconds. `light` is the share of the light that is left, `blur` a sigma in pixels."""

    kind: str
    start: float
    end: float
    faces: tuple[Face, ...]
    wall: tuple[float, float, float, float]
    light: float = 1.0
    blur: float = 0.0


@dataclass(frozen=True)
class Turn:
    """Somebody talks from start to end, with the short rests that are within speech."""

    person: Person
    start: float
    end: float
    seed: int


@dataclass(frozen=True)
class Music:
    """Music from start to end, its level in dB below the voices'."""

    start: float
    end: float
    below_db: float
    seed: int


@dataclass(frozen=True, eq=False)
class Film:
    """A planned film. `talk` moves mouths, `heard` is in the sound; they are the same but in a dubbed film.

    ticks: int64 (N,), the time of each frame in 1 / TICK seconds; the first is 0. A fast film of N frames ends at `end`.
    """

    name: str
    size: tuple[int, int]  # width, height
    rate: str
    ticks: Array
    end: float
    scenes: tuple[Scene, ...]
    talk: tuple[Turn, ...]
    heard: tuple[Turn, ...]
    music: tuple[Music, ...]
    recording: Recording
    seed: int
    sound_from: str = ""

    @property
    def times(self) -> Array:
        """Seconds of each frame, float64 (N,)."""
        return self.ticks / TICK

    def frames(self) -> Iterator[Array]:
        """uint8 (H, W, 3), frame by frame; one is in memory."""
        for scene in self.scenes:
            yield from _Set(self, scene).frames()

    def waveform(self) -> Array:
        """What is heard: float32 (S,) mono at 16 kHz."""
        samples = round(self.end * SAMPLE_RATE_HZ)
        out = np.zeros(samples)
        voice = _amplitude(self.recording.level_db)
        for turn in self.heard:
            # One microphone hears all: its noise is added once, below, so the voices come without.
            clean = replace(self.recording, noise_db=-120.0)
            spoken = synthesise(turn.person.speaker, clean, turn.end - turn.start, np.random.default_rng(turn.seed)) / 32768
            _add(out, spoken, turn.start)
        for one in self.music:
            tune = _tune(one.end - one.start, np.random.default_rng(one.seed))
            _add(out, tune * (voice * _amplitude(-one.below_db)), one.start)
        noise = np.random.default_rng([self.seed, 1]).standard_normal(samples)
        out += noise * (voice * _amplitude(self.recording.noise_db))
        return np.clip(out, -1, 1).astype(np.float32)

    def truth(self) -> dict[str, Any]:
        """All that is known, as JSON values. benchmarks/channel.py says what each key holds."""
        people = {turn.person.name: turn.person for turn in (*self.talk, *self.heard)}
        people |= {face.person.name: face.person for scene in self.scenes for face in scene.faces}
        return {
            "film": self.name,
            "size": list(self.size),
            "rate": self.rate,
            "seed": self.seed,
            "sound_from": self.sound_from,
            "end": round(self.end, 6),
            "times": [round(float(time), 6) for time in self.times],
            "cuts": [round(float(self.times[_frames_of(self, scene).start]), 6) for scene in self.scenes[1:]],
            "speakers": {name: people[name].speaker.to_row() for name in sorted(people)},
            "scenes": [_Set(self, scene).truth() for scene in self.scenes],
            "turns": [{"name": turn.person.name, "start": turn.start, "end": turn.end} for turn in self.heard],
            "speech": [
                {"name": turn.person.name, "start": start, "end": end} for turn in self.heard for start, end in _phrases(turn)
            ],
            "music": [{"start": one.start, "end": one.end, "below_db": one.below_db} for one in self.music],
        }


def channel(
    seed: int, people: int, films: int, size: tuple[int, int] = (640, 360), scenes: int = 6, coupling: float = 1.0
) -> Iterator[Film]:
    """Films of each of a number of people: p000/f00, p000/f01, ... Each opens on its host, and has `scenes` scenes in all.

    Every second film has frames at variable times. Scenes are drawn so that a person's films hold all kinds about alike often.
    """
    for number in range(people):
        host = Person(f"p{number:03}", draw_speaker(seed, number, coupling))
        rng = np.random.default_rng([seed, number, 7])
        kinds: list[str] = []
        for film in range(films):
            row = ["speaker"]
            while len(row) < scenes:
                # Half of what is shown is the host talking, as in films that people make of themselves.
                if len(row) % 2 == 0:
                    row.append("speaker")
                    continue
                kinds = kinds or [str(kind) for kind in rng.permutation(list(SCENES)[1:])]
                row.append(kinds.pop())
            guest_number = int(rng.integers(1000))
            guest = Person(f"s{guest_number:03}", draw_speaker(seed, _STRANGERS + guest_number, coupling))
            film_seed = int(rng.integers(2**31))
            yield plan(f"{host.name}/f{film:02}", host, guest, row, film_seed, size, RATES[film % 2])


def plan(
    name: str,
    host: Person,
    guest: Person,
    kinds: Sequence[str],
    seed: int,
    size: tuple[int, int] = (640, 360),
    rate: str = "29.97",
    face_px: tuple[float, float] = (90.0, 185.0),
    seconds: tuple[float, float] = (3.0, 5.0),
    two_seconds: tuple[float, float] = (5.0, 6.0),
) -> Film:
    """A film of one scene a kind, in that order. Equal arguments give the same film.

    face_px: sides of the faces' boxes, least and greatest; the frame's size bounds them too. seconds: of a scene with one face
    or none; two_seconds: with two.
    """
    rng = np.random.default_rng(seed)
    recording = draw_recording(rng)
    made: list[Scene] = []
    talk: list[Turn] = []
    heard: list[Turn] = []
    music: list[Music] = []
    start = 0.0
    for kind in kinds:
        low, high = two_seconds if kind in TWO_FACES else seconds
        end = round(start + float(rng.uniform(low, high)), 4)
        scene = _scene(kind, start, end, host, guest, size, face_px, rng)
        made.append(scene)
        turns = _turns(scene, host, guest, rng)
        heard += turns
        # A photograph's mouth does not move, whoever is heard.
        talk += [] if kind == "still" else turns
        if kind in ("music", "music_alone"):
            music.append(Music(start, end, (5.0, 10.0)[int(rng.integers(2))], int(rng.integers(2**31))))
        start = end
    ticks = _ticks(start, rate, rng)
    return Film(name, size, rate, ticks, start, tuple(made), tuple(talk), tuple(heard), tuple(music), recording, seed)


def dubbed(film: Film, other: Film) -> Film:
    """The pictures of one film with the sound of another laid over, cut to the pictures' length or silent at its end."""
    heard = tuple(replace(turn, end=min(turn.end, film.end)) for turn in other.heard if turn.start < film.end - 0.1)
    music = tuple(replace(one, end=min(one.end, film.end)) for one in other.music if one.start < film.end - 0.1)
    return replace(film, heard=heard, music=music, recording=other.recording, sound_from=other.name)


def _scene(
    kind: str,
    start: float,
    end: float,
    host: Person,
    guest: Person,
    size: tuple[int, int],
    face_px: tuple[float, float],
    rng: Generator,
) -> Scene:
    wall = tuple(round(float(value), 4) for value in rng.random(4))
    if kind in ("voice_over", "music_alone"):
        return Scene(kind, start, end, (), wall)  # type: ignore[arg-type]
    people = [host]
    if kind in TWO_FACES:
        people = [host, guest] if rng.random() < 0.5 else [guest, host]
    elif kind == "stranger" or (kind == "listener" and rng.random() < 0.5):
        people = [guest]
    width, height = size
    share = FACE_BOX[2] - FACE_BOX[0]
    most = min(face_px[1] / share, 0.95 * height, 0.95 * width / len(people))
    window = round(float(rng.uniform(min(face_px[0] / share, most), most)))
    # Two people sit at one desk, so their windows end on one line.
    top = height - window - round(float(rng.uniform(0, 0.8)) * (height - window))
    faces = []
    for place, person in enumerate(people):
        free = width / len(people) - window
        left = round(place * width / len(people) + float(rng.uniform(0.1, 0.9)) * free)
        rest = replace(draw_picture(rng), mouth_open=0.0, shift_x=0.0, shift_y=0.0, scale=1.0, gaze_x=0.0, gaze_y=0.0)
        rest = replace(rest, yaw=0.6 * rest.yaw)
        if kind == "turned":
            turn = float(rng.uniform(0.4, 0.8)) * (1 if rng.random() < 0.5 else -1)
            rest = replace(rest, yaw=round(turn, 4))
        faces.append(
            Face(person, left, top, window, rest, int(rng.integers(2**31)), chews=kind == "chewing", still=kind == "still")
        )
    light = round(float(rng.uniform(0.03, 0.08)), 4) if kind == "dark" else 1.0
    blur = round(float(rng.uniform(1.5, 3.0)), 4) if kind == "blurred" else 0.0
    return Scene(kind, start, end, tuple(faces), wall, light, blur)  # type: ignore[arg-type]


def _turns(scene: Scene, host: Person, guest: Person, rng: Generator) -> list[Turn]:
    """Who talks when in a scene, with a rest of half a second or more where there is room for one."""
    start, end = scene.start + 0.15, scene.end - 0.15
    shown = [face.person for face in scene.faces]
    if scene.kind == "music_alone":
        return []
    if scene.kind in TWO_FACES:
        number = max(1, int((end - start + 0.2) / (_LEAST_TURN + 0.2)))
        first = int(rng.integers(2))
        order = [shown[(first + turn) % 2] for turn in range(number)]
        rest = 0.2
    else:
        heard = shown[0] if shown else host
        if scene.kind == "listener":
            heard = guest if heard == host else host
        rest = min(float(rng.uniform(*((1.0, 2.0) if scene.kind in ("pause", "music") else (0.5, 0.9)))), end - start - 1.4)
        order = [heard] * (2 if rest >= 0.5 else 1)
    each = (end - start - rest * (len(order) - 1)) / len(order)
    turns = []
    for place, person in enumerate(order):
        begins = start + place * (each + rest)
        turns.append(Turn(person, round(begins, 4), round(begins + each, 4), int(rng.integers(2**31))))
    return turns


def _ticks(end: float, rate: str, rng: Generator) -> Array:
    """Times of the frames before `end`, in ticks. A variable rate is 17 to 50 ms between frames, now and then 0.1 s."""
    if rate == "29.97":
        return np.arange(math.ceil(end * TICK / _FRAME_TICKS), dtype=np.int64) * _FRAME_TICKS
    if rate != "variable":
        raise ValueError(f"rate: {rate} is unknown. Have: {', '.join(RATES)}.")
    steps = rng.integers(1500, 4500, math.ceil(end * TICK / 1500))
    steps[rng.random(len(steps)) < 0.02] = 9000
    ticks = np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)
    return ticks[ticks < end * TICK]


def _frames_of(film: Film, scene: Scene) -> slice:
    """The numbers of a scene's frames."""
    first, last = np.searchsorted(film.times, [scene.start, scene.end])
    return slice(int(first), int(last))


class _Set:
    """One scene of a film, ready to be shot: the wall, and where every head and mouth is at every frame."""

    def __init__(self, film: Film, scene: Scene):
        self.film, self.scene = film, scene
        self.numbers = _frames_of(film, scene)
        self.times = film.times[self.numbers]
        self.pictures = [_pictures(film, scene, face, self.times) for face in scene.faces]

    def frames(self) -> Iterator[Array]:
        scene = self.scene
        wall = self._wall()
        if not scene.faces:
            # A picture without a face passes by, as from a car: it moves, but nobody is in it.
            width = self.film.size[0]
            for time in self.times:
                left = round((time - scene.start) * 30)
                yield to_bytes(wall[:, :, left : left + width])
            return
        empty = to_bytes(wall)
        drawn: list[tuple[Picture, Array] | None] = [None] * len(scene.faces)
        for number in range(len(self.times)):
            frame = empty.copy()
            for place, face in enumerate(scene.faces):
                picture, before = self.pictures[place][number], drawn[place]
                window = (slice(face.top, face.top + face.size), slice(face.left, face.left + face.size))
                if before is None or before[0] != picture:
                    lit = paint_over(face.person.speaker, picture, wall[:, *window] / scene.light) * scene.light
                    before = drawn[place] = (picture, to_bytes(_blurred(lit, scene.blur)))
                frame[window] = before[1]
            yield frame

    def _wall(self) -> Array:
        """Linear light (3, H, W), with the desk; wider where it passes by."""
        scene, (width, height) = self.scene, self.film.size
        wide = width if scene.faces else width + math.ceil((scene.end - scene.start) * 30) + 1
        scale = np.float32(2 / height)
        x = (np.arange(wide, dtype=np.float32)[None] + np.zeros((height, 1), np.float32)) * scale
        y = (np.arange(height, dtype=np.float32)[:, None] + np.zeros((1, wide), np.float32)) * scale
        wall = texture(x + 30 * scene.wall[2], y + 30 * scene.wall[3], scene.wall)
        # Each room has its own light, so that a cut changes the picture even where two walls are alike.
        wall *= 0.5 + scene.wall[2]
        desk = max((face.top + face.size for face in scene.faces), default=height)
        if desk < height:
            grain = 0.8 + 0.4 * texture(x[desk:] * 0.3, y[desk:] * 4, (scene.wall[3],) * 4).mean(0)
            wall[:, desk:] = np.array([0.16, 0.09, 0.05], np.float32)[:, None, None] * grain
        return _blurred(wall * np.float32(scene.light), scene.blur).astype(np.float32)

    def truth(self) -> dict[str, Any]:
        scene = self.scene
        return {
            "kind": scene.kind,
            "start": scene.start,
            "end": scene.end,
            "first": self.numbers.start,
            "last": self.numbers.stop - 1,
            "light": scene.light,
            "blur": scene.blur,
            "faces": [self._truth_of(face, row) for face, row in zip(scene.faces, self.pictures, strict=True)],
        }

    def _truth_of(self, face: Face, row: list[Picture]) -> dict[str, Any]:
        known: dict[Picture, tuple[list[float], list[list[float]]]] = {}
        for picture in row:
            # The mouth moves the corners of the lips by nothing, so shut mouths stand for all.
            shut = replace(picture, mouth_open=0.0)
            if shut not in known:
                corner = np.array([face.left, face.top])
                points = corner + landmarks(face.person.speaker, shut, face.size)
                known[shut] = (_box(face, picture), [[round(float(value), 2) for value in point] for point in points])
        shuts = [known[replace(picture, mouth_open=0.0)] for picture in row]
        return {
            "name": face.person.name,
            "still": face.still,
            "chews": face.chews,
            "size": round(face.size * (FACE_BOX[2] - FACE_BOX[0]), 1),
            "boxes": [box for box, _ in shuts],
            "points": [points for _, points in shuts],
            **{key: [getattr(picture, key) for picture in row] for key in ("yaw", "pitch", "roll", "mouth_open")},
        }


def _box(face: Face, picture: Picture) -> list[float]:
    """The face in the frame: left, top, right, bottom. FACE_BOX of the window, moved as the head moves."""
    shift = (picture.shift_x / 2, picture.shift_y / 2)
    corner = (face.left, face.top)
    return [
        round(corner[axis] + face.size * (0.5 + (FACE_BOX[2 * end + axis] - 0.5) * picture.scale + shift[axis]), 2)
        for end in range(2)
        for axis in range(2)
    ]


def _pictures(film: Film, scene: Scene, face: Face, times: Array) -> list[Picture]:
    """How a face looks at each frame."""
    if face.still:
        return [face.rest] * len(times)
    rng = np.random.default_rng(face.seed)
    sway = {name: _sway(rng, amount) for name, amount in _SWAYS.items()}
    mouth = _mouth(film.talk, scene, face, rng)
    opens = np.interp(times - scene.start, np.arange(len(mouth)) / FRAMES_PER_SECOND, mouth)
    row = []
    for time, open_ in zip(times, opens, strict=True):
        step = math.floor(time * MOVES_HZ) / MOVES_HZ
        moved = {name: round(getattr(face.rest, name) + move(step), 4) for name, move in sway.items()}
        row.append(replace(face.rest, mouth_open=round(float(open_) * 50) / 50, **moved))
    return row


# How far a head goes from where it rests, in the units of Picture: its own slow movements, not those of speech.
_SWAYS = {
    "yaw": 0.06,
    "pitch": 0.035,
    "roll": 0.03,
    "shift_x": 0.04,
    "shift_y": 0.02,
    "brow_raise": 0.15,
    "gaze_x": 0.15,
}


def _sway(rng: Generator, amount: float) -> Any:
    slow, fast = rng.uniform(0.1, 0.25), rng.uniform(0.3, 0.6)
    first, second = rng.random(2)

    def move(seconds: float) -> float:
        return amount * (
            0.7 * math.sin(2 * math.pi * (slow * seconds + first)) + 0.3 * math.sin(2 * math.pi * (fast * seconds + second))
        )

    return move


def _mouth(talk: Sequence[Turn], scene: Scene, face: Face, rng: Generator) -> Array:
    """How far the mouth is open from the scene's start on, 0 .. 1, one value each 10 ms."""
    length = math.ceil((scene.end - scene.start) * FRAMES_PER_SECOND) + 2
    mouth = np.zeros(length)
    own = np.zeros(length, bool)
    for turn in talk:
        if turn.person != face.person or turn.end <= scene.start or turn.start >= scene.end:
            continue
        begins = round((turn.start - scene.start) * FRAMES_PER_SECOND)
        opens = _opening(turn)[: length - begins]
        mouth[begins : begins + len(opens)] = opens
        own[begins : begins + len(opens)] = True
    if face.chews:
        # Bites are as far and about as often as a mouth opens that speaks, so only their time tells them from speech.
        knots = rng.random(length // 11 + 3)
        knots[::2] *= 0.3
        bites = np.interp(np.arange(length) / 11, np.arange(len(knots)), knots)
        mouth = np.where(own, mouth, 0.9 * bites)
    return np.clip(np.convolve(mouth, np.full(5, 0.2), "same"), 0, 1)


def _opening(turn: Turn) -> Array:
    """The mouth of who talks: wide where the first formant is high, as the jaw is, and shut where nothing sounds."""
    utterance = compose(turn.person.speaker, turn.end - turn.start, np.random.default_rng(turn.seed))
    first = utterance.formants[:, 0]
    middle, wide = np.percentile(first[utterance.speech], [5, 97]) if utterance.speech.any() else (300, 800)
    height = np.clip((first - middle) / max(wide - middle, 1.0), 0, 1)
    sounds = np.clip(1.4 * (utterance.voicing + utterance.aspiration + 0.3 * utterance.frication), 0, 1)
    return 0.9 * (0.15 + 0.85 * height) * sounds


def _phrases(turn: Turn) -> list[tuple[float, float]]:
    """Where there is speech within a turn: between the short rests, which last 0.18 s and more."""
    speech = compose(turn.person.speaker, turn.end - turn.start, np.random.default_rng(turn.seed)).speech
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speech.astype(int), [0]]))) / FRAMES_PER_SECOND
    return [(round(turn.start + start, 4), round(min(turn.start + end, turn.end), 4)) for start, end in edges.reshape(-1, 2)]


def _tune(seconds: float, rng: Generator) -> Array:
    """Chords, plucked notes and a beat, of unit power: float64 (S,) at 16 kHz."""
    samples = round(seconds * SAMPLE_RATE_HZ)
    time = np.arange(samples) / SAMPLE_RATE_HZ
    beat = float(rng.uniform(0.3, 0.5))
    root = 110 * 2 ** (float(rng.integers(12)) / 12)
    scale = (0, 2, 4, 7, 9, 12, 14, 16)
    out = np.zeros(samples)
    for number in range(math.ceil(seconds / beat)):
        start = round(number * beat * SAMPLE_RATE_HZ)
        if number % 4 == 0:
            chord = (
                [root * 2 ** (step / 12) for step in (0, 4, 7)]
                if number % 8 == 0
                else [root * 2 ** (step / 12) for step in (5, 9, 12)]
            )
            held = time[: min(samples - start, round(4 * beat * SAMPLE_RATE_HZ))]
            swell = np.clip(held / 0.05, 0, 1) * np.clip((4 * beat - held) / 0.05, 0, 1)
            for hertz in chord:
                out[start : start + len(held)] += (
                    0.25
                    * swell
                    * (
                        np.sin(2 * np.pi * hertz * held)
                        + 0.4 * np.sin(4 * np.pi * hertz * held)
                        + 0.2 * np.sin(6 * np.pi * hertz * held)
                    )
                )
        rings = time[: min(samples - start, SAMPLE_RATE_HZ)]
        note = 4 * root * 2 ** (scale[int(rng.integers(len(scale)))] / 12)
        for part in range(1, 5):
            out[start : start + len(rings)] += (
                0.6 / part**2 * np.exp(-rings * (3 + 2 * part)) * np.sin(2 * np.pi * note * part * rings)
            )
        hit = time[: min(samples - start, SAMPLE_RATE_HZ // 8)]
        out[start : start + len(hit)] += 0.3 * rng.standard_normal(len(hit)) * np.exp(-hit * 60)
    return out / max(math.sqrt(float(np.mean(np.square(out)))), 1e-9)


def _add(out: Array, sound: Array, start: float) -> None:
    """Add a sound at its time, with 10 ms of fade at both ends, so that no click tells where it was cut."""
    first = round(start * SAMPLE_RATE_HZ)
    sound = sound[: max(len(out) - first, 0)].copy()
    ramp = np.arange(min(160, len(sound))) / 160
    sound[: len(ramp)] *= ramp
    sound[len(sound) - len(ramp) :] *= ramp[::-1]
    out[first : first + len(sound)] += sound


def _blurred(image: Array, sigma: float) -> Array:
    """Linear light (C, H, W), blurred along both axes; edges are repeated."""
    # A pass of 1/4, 1/2, 1/4 has a variance of a half.
    for _ in range(round(2 * sigma * sigma)):
        for axis in (1, 2):
            pad = [(0, 0), (0, 0), (0, 0)]
            pad[axis] = (1, 1)
            wide = np.pad(image, pad, "edge")
            low, high = (wide[:, :-2], wide[:, 2:]) if axis == 1 else (wide[:, :, :-2], wide[:, :, 2:])
            image = 0.5 * image + 0.25 * (low + high)
    return image


def _amplitude(decibel: float) -> float:
    return float(10 ** (decibel / 20))
