"""The mean waveform of several clips of one speaker, and its face (Wav2Pix)."""

from __future__ import annotations

import numpy as np

from gan.experiments._judge import COLUMNS, likeness
from gan.experiments._study import Study
from gan.experiments._voice import SHOWN, real_picture
from gan.experiments.base import Experiment, Outcome

COUNTS = (1, 2, 4, 8)


class Averaging(Experiment):
    """The mean of k clips of one voice, sample by sample, for k = 1, 2, 4, 8.

    Source: Wav2Pix's presentation, which does not state its k and finds the faces plausible.
    """

    about = "the face of the mean waveform of several clips of one speaker (Wav2Pix)"

    def __call__(self, study: Study) -> Outcome:
        voices = study.voices(self.split)
        clips = [voice.crops(study.samples)[: max(COUNTS)] for voice in voices]
        enough = [at for at, own in enumerate(clips) if len(own) >= 2]
        if not enough:
            raise ValueError(
                f"averaging: no voice has two clips of {study.seconds:g} s. Give longer speech, or a folder of one "
                "speaker's clips."
            )
        voices, clips = [voices[at] for at in enough], [clips[at] for at in enough]
        judge = study.judge(voices)
        # The clips one by one, and those of the next voice at the same place, so that noise makes neither more alike.
        following = [*clips[1:], clips[0]]
        alone, others = (
            [
                judge.embed(study.draw([own[min(number, len(own) - 1)] for own in of_voices]))
                for number in range(max(map(len, clips)))
            ]
            for of_voices in (clips, following)
        )
        rows, first, shown = [], None, []
        for count in COUNTS:
            voice = np.flatnonzero([len(own) >= count for own in clips])
            if not len(voice):
                break
            # Every voice is drawn, those with too few clips to be left out: so each keeps its place, and with it its noise.
            faces = study.draw([np.mean(own[:count], axis=0) for own in clips])
            common, first = likeness(judge, faces[voice], voice, first)
            units = judge.embed(faces)
            to_clips, to_others_clips = (
                np.mean([(units * single).sum(axis=1) for single in singles[:count]], axis=0) for singles in (alone, others)
            )
            if len(voices) == 1:
                to_others_clips = np.full(1, np.nan)
            rows.append(
                dict(
                    clips=count,
                    **common,
                    to_clips=judge.measure(to_clips[voice], voice),
                    to_others_clips=judge.measure(to_others_clips[voice], voice),
                )
            )
            shown.append([faces[at] if at in voice else None for at in range(len(voices))])
        pictures = [
            (voice.name, [real_picture(voice), *(of_count[at] for of_count in shown)]) for at, voice in enumerate(voices[:SHOWN])
        ]
        return Outcome(
            ["real", "one clip", *(f"mean of {row['clips']}" for row in rows[1:])],
            pictures,
            rows,
            [
                f"Each face is drawn from the sample-by-sample mean of several clips of {study.seconds:g} s of one voice. Clips "
                "cancel in part, so their mean is quieter than each."
            ],
            [
                COLUMNS,
                "to_clips: cosine to the faces of the same clips drawn one by one; to_others_clips: to those of another voice's.",
            ],
        )
