"""Who lives in the toy world: a speaker is a vector of attributes, drawn from a seed.

Three kinds of attribute: audible ones shape face and voice alike, inaudible ones the face only, voice-only ones the
voice only. An audible attribute has a face value (`age`) and a voice value (`voice_age`). With probability `coupling`
the face value is the voice value, else it is drawn anew: coupling 1 makes both equal, coupling 0 makes them unrelated.
Numbers are rounded as they are drawn, so that a row of speakers.csv gives back the very same speaker.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.random import Generator

AUDIBLE = ("sex", "age", "head_size", "head_length", "jaw", "nose_width", "mouth_width")
INAUDIBLE = (
    "skin_tone",
    "hair_colour",
    "hair_grey",
    "hair_length",
    "hairline",
    "parting",
    "eye_size",
    "eye_colour",
    "brows",
    "glasses",
    "beard",
)
VOICE_ONLY = ("pitch", "rate", "breathiness")

YOUNGEST, OLDEST = 18.0, 78.0  # years
_MEAN_DRAWS = 512  # from which the mean form is averaged


@dataclass(frozen=True)
class Speaker:
    """One speaker. Shapes are in [-1, 1] about the average of their sex and age, amounts in [0, 1], age in years."""

    sex: str  # f | m
    age: float
    head_size: float
    head_length: float
    jaw: float  # -1 narrow .. 1 broad
    nose_width: float
    mouth_width: float

    voice_sex: str
    voice_age: float
    voice_head_size: float
    voice_head_length: float
    voice_jaw: float
    voice_nose_width: float
    voice_mouth_width: float

    skin_tone: float  # 0 light .. 1 dark
    hair_colour: float  # 0 blond .. 1 black
    hair_grey: float
    hair_length: float  # 0 cropped .. 1 below the shoulders
    hairline: float  # 0 full .. 1 bald in front
    parting: float  # of the hair: -1 left .. 1 right
    eye_size: float
    eye_colour: float  # 0 blue .. 1 dark brown
    brows: float  # -1 thin and high .. 1 heavy and low
    glasses: float  # 0 | 1
    beard: float

    pitch: float  # habitual pitch within the sex
    rate: float
    breathiness: float

    coupling: float

    def to_row(self) -> dict[str, str | float]:
        """The attributes by name, as they stand in speakers.csv."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, str | float]) -> "Speaker":
        """The speaker of a row of speakers.csv, exactly; columns that are no attribute are passed over.

        Raises ValueError if an attribute is missing or is no number.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in row:
                raise ValueError(f"speakers.csv: no column {field.name}. Not a toy corpus of this version; prepare it.")
            value = row[field.name]
            try:
                values[field.name] = str(value) if field.type is str else float(value)
            except ValueError as error:
                raise ValueError(f"speakers.csv: {field.name} is {value!r}, not a number.") from error
        return cls(**values)


def draw_speaker(seed: int, index: int, coupling: float = 1.0) -> Speaker:
    """Speaker number `index` of the world `seed`. Voice and inaudible luck are the same at every coupling.

    Raises ValueError if coupling is outside [0, 1].
    """
    if not 0.0 <= coupling <= 1.0:
        raise ValueError(f"coupling: {coupling} is outside [0, 1].")
    rng = np.random.default_rng([seed, index, 0])
    voice = _draw_audible(rng)
    voice_only = {name: _uniform(rng, -1, 1) for name in VOICE_ONLY}
    values = _draw_face(voice, coupling, rng) | {f"voice_{name}": value for name, value in voice.items()} | voice_only
    return Speaker(**values, coupling=coupling)


def given_audible(speaker: Speaker, rng: Generator) -> Speaker:
    """The same voice with a face drawn anew, as faces are distributed given that voice. Nobody can hear more."""
    voice = {name: getattr(speaker, f"voice_{name}") for name in AUDIBLE}
    return replace(speaker, **_draw_face(voice, speaker.coupling, rng))


def audible_mean(speaker: Speaker) -> Speaker:
    """The same voice with the mean of the faces it can have: numbers at their mean, sex and glasses at their mode."""
    rng = np.random.default_rng(0)
    draws = [given_audible(speaker, rng) for _ in range(_MEAN_DRAWS)]
    mean: dict[str, Any] = {}
    for name in AUDIBLE + INAUDIBLE:
        values = [getattr(draw, name) for draw in draws]
        if name in ("sex", "glasses"):
            mean[name] = max(sorted(set(values)), key=values.count)
        else:
            mean[name] = round(sum(values) / len(values), 4)
    if speaker.coupling > 0:
        mean["sex"] = speaker.voice_sex
    return replace(speaker, **mean)


def _draw_face(voice: dict[str, Any], coupling: float, rng: Generator) -> dict[str, Any]:
    """Face values of the audible attributes given the voice's, then the inaudible ones given those."""
    drawn = _draw_audible(rng)
    copied = rng.random(len(AUDIBLE)) < coupling
    face = {name: voice[name] if copy else drawn[name] for name, copy in zip(AUDIBLE, copied, strict=True)}
    return face | _draw_inaudible(face["sex"], face["age"], rng)


def _draw_audible(rng: Generator) -> dict[str, Any]:
    sex = "f" if rng.random() < 0.5 else "m"
    age = _uniform(rng, YOUNGEST, OLDEST)
    return {"sex": sex, "age": age} | {name: _uniform(rng, -1, 1) for name in AUDIBLE[2:]}


def _draw_inaudible(sex: str, age: float, rng: Generator) -> dict[str, float]:
    """Hair, beard and glasses depend on sex and age, so a voice tells something of them; the rest is free."""
    man = sex == "m"
    luck = rng.random(13).tolist()
    skin_tone = luck[0]
    lightest_hair = 0.75 * min(1.0, max(0.0, (skin_tone - 0.3) / 0.3))
    if man:
        hair_length = 0.55 + 0.3 * luck[3] if luck[2] < 0.1 else 0.4 * luck[3]
        hairline = luck[4] * min(1.0, max(0.0, (age - 22) / 40))
        beard = 0.3 + 0.7 * luck[6] if luck[5] < 0.5 else 0.0
    else:
        hair_length, hairline, beard = 0.4 + 0.6 * luck[3], 0.0, 0.0
    values = {
        "skin_tone": skin_tone,
        "hair_colour": lightest_hair + (1 - lightest_hair) * luck[1],
        "hair_grey": min(1.0, max(0.0, (age - 48) / 25 + 0.6 * (luck[7] - 0.5))),
        "hair_length": hair_length,
        "hairline": hairline,
        "parting": 2 * luck[12] - 1,
        "eye_size": 2 * luck[8] - 1,
        "eye_colour": luck[9] if skin_tone < 0.5 else 0.6 + 0.4 * luck[9],
        "brows": 2 * luck[10] - 1,
        "glasses": float(luck[11] < 0.15 + 0.5 * (age - YOUNGEST) / (OLDEST - YOUNGEST)),
        "beard": beard,
    }
    return {name: round(value, 4) for name, value in values.items()}


def _uniform(rng: Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 4)
