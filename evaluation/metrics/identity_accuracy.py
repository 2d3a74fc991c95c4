"""Share of drawn faces that a classifier of the corpus's people takes for the right person."""

from __future__ import annotations

import numpy as np

from evaluation.face_nets.vgg import Vgg
from evaluation.face_training import name_faces, trained_face_net
from evaluation.metrics.base import Metric, Score, Trial, mean_or_none, score_items, skip

NAME = "identity_accuracy"


class IdentityAccuracy(Metric):
    """Accuracy, over drawn faces, of a VGG-style classifier trained on the real training faces, 0..1.

    steps: training steps of the classifier; None fits them to the number of faces. seed: of its training; not the
    trial's, so that all systems meet the same judge. device: where it is trained and run.
    It names training speakers only: where none is in the split (unseen speakers) the metric is skipped. chance: one
    over their number. upper: its accuracy on the real held-out faces, over the same speakers.
    Source: Wav2Pix's fine-tuned VGG-Face.
    """

    def __init__(self, steps: int | None = None, seed: int = 0, device: str = "cpu"):
        if steps is not None and steps < 1:
            raise ValueError(f"steps: {steps}; 1 or more, or null.")
        self.steps, self.seed, self.device = steps, seed, device

    def __call__(self, trial: Trial) -> list[Score]:
        people = np.unique(trial.training_speaker)
        known = np.isin(trial.speaker, people)
        if not known.any():
            return [skip(NAME, f"no speaker of {trial.split} is among the {len(people)} training speakers")]
        if len(people) < 2:
            return [skip(NAME, "a classifier needs two training speakers or more")]
        net, checksum = trained_face_net(
            Vgg, trial.training, trial.training_speaker, self.seed, self.steps, self.device
        )
        items = (people[name_faces(net, trial.generated)] == trial.speaker).astype(np.float64)
        real = (people[name_faces(net, trial.gallery)] == trial.gallery_speaker).astype(np.float64)
        real[~np.isin(trial.gallery_speaker, trial.speaker[known])] = np.nan
        return [
            score_items(
                NAME,
                np.where(known, items, np.nan),
                trial,
                chance=1 / len(people),
                upper=mean_or_none(real, trial.gallery_speaker),
                extractor=f"VGG-style classifier, whole picture at {net.input_size} px, weights {checksum[:12]}",
                note=f"{len(people)} identities, trained on {len(trial.training)} real faces"
                + (f"; {(~known).sum()} faces of other speakers left out" if not known.all() else ""),
            )
        ]
