"""A face for every window of a recording, and for all of them together (SF2F)."""

from __future__ import annotations

import math

import numpy as np

from evaluation.real_faces.gallery import sums_of, unit
from gan.data.corpus import SAMPLE_RATE_HZ
from gan.experiments._judge import COLUMNS, likeness
from gan.experiments._study import Study
from gan.experiments._voice import SHOWN, real_picture, windows
from gan.experiments.base import Experiment, Outcome

MOST, DRAWN = 20, 6  # windows of a voice: in the numbers, in the sheet


class Windows(Experiment):
    """Windows of one segment, each half a segment after the one before, of each voice's longest recording; and ways to join them:
    the whole recording, the mean of their embeddings, the mean embedding of their faces, a fuser where the run has one.

    Source: SF2F's inference tool: windows of 125 frames (1.25 s), 63 frames apart.
    """

    about = "the face of every window of a recording, and of all together: fused or averaged (SF2F)"

    def __call__(self, study: Study) -> Outcome:
        hop = study.window // 2
        speech = [(voice, max(voice.clips, key=len)) for voice in study.voices(self.split)]
        speech = [(voice, clip) for voice, clip in speech if len(clip) >= study.window + hop]
        if not speech:
            raise ValueError(
                f"windows: no recording holds two windows of {study.window / SAMPLE_RATE_HZ:g} s, one half a window "
                "after the other. Give longer speech."
            )
        voices = [voice for voice, _ in speech]
        pieces = [windows(clip, study.window, hop)[:MOST] for _, clip in speech]
        # What is joined is exactly what the windows cover.
        spans = [clip[: (len(own) - 1) * hop + study.window] for (_, clip), own in zip(speech, pieces, strict=True)]
        judge = study.judge(voices)
        alone = study.draw([window for own in pieces for window in own])
        owner = np.repeat(np.arange(len(voices)), [len(own) for own in pieces])
        every = np.arange(len(voices))
        ways: dict[str, np.ndarray] = {}
        generator = study.run.generator
        if generator.fuser is not None:
            ways["fused"] = study.draw(spans)
        elif generator.encoder.input_frames is None:
            ways["whole"] = study.draw(spans)
        ways["mean embedding"] = study.draw_mean(pieces)

        units = judge.embed(alone)
        common, first = likeness(judge, alone, owner, None)
        agreement = [judge.measure(values, every) for values in _agreement(units, owner, len(voices))]
        rows = [{"drawn_from": "one window"} | common | dict(within=agreement[0], between=agreement[1])]
        for way, faces in ways.items():
            common, _ = likeness(judge, faces, every, first)
            own, others = (judge.measure(values, owner) for values in judge.own_and_others(units, owner, judge.embed(faces)))
            rows.append({"drawn_from": way} | common | dict(within=own, between=others))
        sums, _ = sums_of(units, owner, len(voices))
        to_own, to_others = judge.to_real(unit(sums), every)
        nothing = dict.fromkeys(common, math.nan)
        rows.append(
            {"drawn_from": "mean of the windows' faces"}
            | nothing
            | dict(
                speakers=len(voices),
                faces=0,
                similarity=judge.measure(to_own, every),
                to_others=judge.measure(to_others, every),
                change=judge.change(to_own, every, *first),
            )
            | dict.fromkeys(("within", "between"), math.nan)
        )
        pictures = []
        for at, voice in list(enumerate(voices))[:SHOWN]:
            faces = alone[owner == at]
            chosen = [faces[number] for number in np.linspace(0, len(faces) - 1, DRAWN).round().astype(int)]
            pictures.append(
                (
                    f"{voice.name} ({len(faces)} windows)",
                    [real_picture(voice), *(joined[at] for joined in ways.values()), *chosen],
                )
            )
        titles = ["first window", *["..."] * (DRAWN - 2), "last window"]
        return Outcome(
            ["real", *ways, *titles],
            pictures,
            rows,
            [
                f"Windows of {study.window / SAMPLE_RATE_HZ:g} s, each half a window after the one before, {MOST} at most; the "
                f"sheet shows {DRAWN} of them in order, evenly spread. fused: by the run's fuser; whole: all that the "
                "windows cover, as one waveform; mean embedding: drawn from the mean of the windows' voice embeddings."
            ],
            [
                "mean of the windows' faces: no face, but their mean dlib embedding.",
                COLUMNS,
                "within: cosine to the faces of the voice's windows; between: to those of other voices' windows.",
            ],
        )


def _agreement(units: np.ndarray, owner: np.ndarray, voices: int) -> tuple[np.ndarray, np.ndarray]:
    """units: (N, E) of unit length; owner: (N,) -> each voice's mean cosine of its faces to one another, and to others': (P,)."""
    sums, counts = sums_of(units, owner, voices)
    squares = (sums**2).sum(axis=1)
    within = np.where(counts > 1, (squares - counts) / np.maximum(counts * (counts - 1), 1), np.nan)
    rest = len(units) - counts
    between = np.where(rest > 0, (sums @ sums.sum(axis=0) - squares) / np.maximum(counts * rest, 1), np.nan)
    return within, between
