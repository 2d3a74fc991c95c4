"""Two voices mixed, sample by sample, and the face of the mixture (Wav2Pix)."""

from __future__ import annotations

import numpy as np

from gan.data.audio import middle
from gan.experiments._study import Study
from gan.experiments._voice import SHOWN, real_picture
from gan.experiments.base import Experiment, Outcome

WEIGHTS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
OTHERS = 3  # voices that a mixture is compared with and was not mixed from


class Interpolation(Experiment):
    """a * A + (1 - a) * B of equally long crops of two speakers, for a from 1 to 0.

    Every voice is A once and B once (two voices: one pair). Its intervals resample the speakers A.
    Source: Wav2Pix's presentation, which shows 0.9/0.1 and 0.4/0.6 and finds no face where no distinct voice remains.
    """

    about = "faces of two speakers' voices mixed, a*A + (1-a)*B (Wav2Pix)"

    def __call__(self, study: Study) -> Outcome:
        voices = study.voices(self.split, at_least=2)
        judge = study.judge(voices)
        count = len(voices) if len(voices) > 2 else 1
        first = np.arange(count)
        second = (first + 1) % len(voices)
        speech = [middle(voice.clips[0], study.seconds) for voice in voices]
        pairs = [(speech[a][: len(speech[b])], speech[b][: len(speech[a])]) for a, b in zip(first, second, strict=True)]
        # One call a weight: where the decoder draws noise, a pair keeps its noise from one weight to the next.
        drawn = [
            study.draw([weight * a + np.float32(1 - weight) * b for a, b in pairs]) for weight in np.asarray(WEIGHTS, np.float32)
        ]
        embedded = [judge.embed(faces) for faces in drawn]
        # Third voices, each at the pair's own place, so that its noise tells nothing.
        others = [
            judge.embed(study.draw([speech[(a + shift) % len(voices)] for a in first]))
            for shift in range(2, min(len(voices), 2 + OTHERS))
        ]
        rows = []
        for weight, faces, units in zip(WEIGHTS, drawn, embedded, strict=True):
            to_drawn_a, to_drawn_b = (judge.measure((units * end).sum(axis=1), first) for end in (embedded[0], embedded[-1]))
            to_others = np.mean([(units * other).sum(axis=1) for other in others], axis=0) if others else np.full(count, np.nan)
            rows.append(
                dict(
                    a=weight,
                    pairs=count,
                    to_drawn_a=to_drawn_a,
                    to_drawn_b=to_drawn_b,
                    to_others=judge.measure(to_others, first),
                    to_real_a=judge.measure(judge.to_real(units, first)[0], first),
                    to_real_b=judge.measure(judge.to_real(units, second)[0], first),
                    found=judge.measure(judge.found(faces), first),
                    real_found=judge.real_found(),
                )
            )
        pictures = [
            (
                f"A: {voices[a].name}\nB: {voices[b].name}",
                [real_picture(voices[a]), *(faces[pair] for faces in drawn), real_picture(voices[b])],
            )
            for pair, (a, b) in enumerate(zip(first[:SHOWN], second, strict=False))
        ]
        return Outcome(
            ["real A", *(f"a = {weight:g}" for weight in WEIGHTS), "real B"],
            pictures,
            rows,
            ["Each face is drawn from a*A + (1-a)*B: A's voice alone at the left, B's at the right."],
            [
                "to_drawn: cosine (dlib) to the faces drawn from A's and from B's voice alone; to_real: to their mean real "
                "faces; to_others: to faces drawn from third voices. found: share in which MTCNN finds a face."
            ],
        )
