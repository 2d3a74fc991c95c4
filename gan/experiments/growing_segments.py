"""Faces of one, two, four ... twenty segments of a voice (SF2F)."""

from __future__ import annotations

import numpy as np

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.experiments._judge import COLUMNS, likeness
from gan.experiments._study import Study
from gan.experiments._voice import SHOWN, real_picture, windows
from gan.experiments.base import Experiment, Outcome

WAYS = (
    "fused: segments joined by the run's fuser; whole: as one waveform; mean embedding: drawn from the mean of the segments' "
    "voice embeddings."
)
COUNTS = (1, 2, 4, 8, 12, 16, 20)


class GrowingSegments(Experiment):
    """The first n segments of each voice's speech (its recordings, end to end), each half a segment after the one before.

    They are joined by the run's fuser; without one by the encoder, which hears all as one waveform; and beside it by the mean of
    the segments' embeddings. Source: SF2F's fusion of up to 20 segments.
    """

    about = "faces of 1, 2, 4 ... 20 segments of a voice, fused or averaged (SF2F)"

    def __call__(self, study: Study) -> Outcome:
        hop = study.window // 2
        pairs = [(voice, np.concatenate(voice.clips)) for voice in study.voices(self.split)]
        pairs = [(voice, speech) for voice, speech in pairs if len(speech) >= study.window]
        if not pairs:
            raise ValueError(
                f"growing-segments: no voice speaks for a segment of {study.window / SAMPLE_RATE_HZ:g} s. Give longer speech."
            )
        voices, speech = [voice for voice, _ in pairs], [own for _, own in pairs]
        pieces = [windows(own, study.window, hop)[: max(COUNTS)] for own in speech]
        judge = study.judge(voices)
        generator = study.run.generator
        ways = ["mean embedding"]
        if generator.fuser is not None or generator.encoder.input_frames is None:
            ways.insert(0, "whole" if generator.fuser is None else "fused")
        rows, shown = [], []
        for way in ways:
            first = None
            for count in COUNTS:
                voice = np.flatnonzero([len(own) >= count for own in pieces])
                if not len(voice):
                    break
                if way == "mean embedding":
                    faces = study.draw_mean([own[:count] for own in pieces])
                else:
                    faces = study.draw([own[: (count - 1) * hop + study.window] for own in speech])
                common, first = likeness(judge, faces[voice], voice, first)
                seconds = ((count - 1) * hop + study.window) / SAMPLE_RATE_HZ
                rows.append(dict(joined_by=way, segments=count, seconds=seconds, **common))
                if way == ways[0]:
                    shown.append([faces[at] if at in voice else None for at in range(len(voices))])
        pictures = [
            (voice.name, [real_picture(voice), *(of_count[at] for of_count in shown)]) for at, voice in enumerate(voices[:SHOWN])
        ]
        titles = [
            f"{row['segments']} {'segment' if row['segments'] == 1 else 'segments'}\n({row['seconds']:.3g} s)"
            for row in rows[: len(shown)]
        ]
        return Outcome(
            ["real", *titles],
            pictures,
            rows,
            [
                f"Segments of {study.window / SAMPLE_RATE_HZ:g} s, each half a segment after the one before; of each voice its "
                f"recordings end to end. Joined by: {ways[0]}."
            ],
            [WAYS, COLUMNS],
        )
