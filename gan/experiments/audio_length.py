"""Faces of the same speech, cut shorter and longer (Wav2Pix)."""

from __future__ import annotations

import numpy as np
import torch

from gan.data.audio import middle
from gan.data.corpus import SAMPLE_RATE_HZ
from gan.experiments._judge import COLUMNS, likeness
from gan.experiments._study import Study
from gan.experiments._voice import SHOWN, real_picture
from gan.experiments.base import Experiment, Outcome
from gan.model import Generator

SECONDS = (0.3, 0.7, 1.0, 2.0, 4.0)


class AudioLength(Experiment):
    """The middle of each voice's longest clip, 0.3 to 4 s of it, the shorter inside the longer.

    Source: Wav2Pix's presentation: 0.3, 0.7 and 1 s, each a network of its own trained at that length; here one network is heard
    at all of them. To repeat theirs, train a run for each length and do this experiment on each.
    """

    about = "faces of 0.3, 0.7, 1, 2 and 4 s of the same speech (Wav2Pix)"

    def __call__(self, study: Study) -> Outcome:
        voices = study.voices(self.split)
        judge = study.judge(voices)
        speech = [max(voice.clips, key=len) for voice in voices]
        generator = study.run.generator
        lengths = _readable(generator)
        rows, first, shown = [], None, []
        for seconds in lengths:
            voice = np.flatnonzero([len(own) >= round(seconds * SAMPLE_RATE_HZ) for own in speech])
            if not len(voice):
                break
            faces = study.draw([middle(own, seconds) for own in speech])
            common, first = likeness(judge, faces[voice], voice, first)
            rows.append(dict(seconds=seconds, **common))
            shown.append([faces[at] if at in voice else None for at in range(len(voices))])
        if not rows:
            longest = max(map(len, speech)) / SAMPLE_RATE_HZ
            raise ValueError(
                f"audio-length: the speech lasts {longest:.2g} s at most. This run can be given "
                f"{', '.join(f'{seconds:g}' for seconds in lengths) or 'none of these lengths'} s."
            )
        pictures = [
            (voice.name, [real_picture(voice), *(of_length[at] for of_length in shown)])
            for at, voice in enumerate(voices[:SHOWN])
        ]
        trained = "-".join(f"{seconds:g}" for seconds in dict.fromkeys(study.run.config.data.clip_seconds))
        notes = [f"The run was trained on {trained} s. Every length is the middle of the same recording."]
        if generator.encoder.input_frames is not None:
            notes.append("Its encoder reads that one length: a shorter clip is followed by silence.")
        if left_out := [f"{seconds:g}" for seconds in SECONDS if seconds not in [row["seconds"] for row in rows]]:
            notes.append(f"Left out: {', '.join(left_out)} s, which the encoder does not read or no recording lasts.")
        return Outcome(["real", *(f"{row['seconds']:g} s" for row in rows)], pictures, rows, notes, [COLUMNS])


def _readable(generator: Generator) -> list[float]:
    """The lengths of SECONDS that the encoder reads; for one of one length, those below it and that length itself."""
    encoder, features = generator.encoder, generator.features
    if encoder.input_frames is not None:
        own = features.samples(encoder.input_frames) / SAMPLE_RATE_HZ
        return [*(seconds for seconds in SECONDS if seconds < own), own]
    device = next(generator.parameters()).device
    found = []
    for seconds in SECONDS:
        samples = round(seconds * SAMPLE_RATE_HZ)
        with torch.no_grad():
            _, frames = features(torch.zeros(1, samples, device=device), torch.tensor([samples], device=device))
        if int(frames) >= encoder.min_frames:
            found.append(seconds)
    return found
