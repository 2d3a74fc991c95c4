"""Share of drawn faces that a classifier of the corpus's people takes for the right person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.face_nets.base import FaceNet
from evaluation.face_nets.vgg import Vgg
from evaluation.face_nets.vgg_face import VggFace
from evaluation.intervals.bootstrap import mean_or_none
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.trained.face_net import BATCH_SIZE, default_steps, name_faces, trained_face_net
from evaluation.trial import Score, Trial

NAME = "identity_accuracy"
NETWORKS = ("vgg", "vgg_face")
FINE_TUNING_RATE = 1e-4  # of AdamW, a twentieth of what a net from scratch is given
PASSES = 27  # over the faces, at least, until that is what a net is given anyway: fewer name fewer of 60 people's held-out faces
FEWEST_STEPS = 60


class IdentityAccuracy(Metric):
    """Accuracy, over drawn faces, of a VGG-style classifier trained on the real training faces, 0..1.

    network: vgg, a small one from scratch; or vgg_face, VGG-16 that starts from VGG-Face's weights, whose last layers are
    tuned on the corpus. weights: vgg_face's file, vgg_face_dag.pth. tuned: the layers of vgg_face that are trained, fc8
    among them; which ones Wav2Pix tuned is not published. steps: training steps of the classifier; None fits them to the
    number of faces: 27 passes over them, 60 steps or more, and never more than train_face_net takes by itself. seed: of its
    training; not the trial's, so that all systems meet the same judge. device: where it is trained and run; vgg_face wants
    a GPU.
    It knows training speakers only; on a split without them (unseen speakers) the metric is skipped. chance: one
    over their number. upper: its accuracy on the real held-out faces, over the same speakers. details: `predicted`, the
    speaker each drawn face was taken for; evaluation/confusion.py draws it.
    Source: Wav2Pix's fine-tuned VGG-Face.
    """

    def __init__(
        self,
        network: str = "vgg",
        weights: str | None = None,
        tuned: Sequence[str] = ("fc6", "fc7", "fc8"),
        steps: int | None = None,
        seed: int = 0,
        device: str = "cpu",
    ):
        if network not in NETWORKS:
            raise ValueError(f"network: {network}; {' or '.join(NETWORKS)}.")
        if (network == "vgg_face") != (weights is not None):
            raise ValueError("weights: vgg_face needs its file, vgg_face_dag.pth; vgg has none, as it starts from scratch.")
        if "fc8" not in tuned:
            raise ValueError(f"tuned: {', '.join(tuned) or 'nothing'}; fc8, the layer that names the corpus's people, is new.")
        if steps is not None and steps < 1:
            raise ValueError(f"steps: {steps}; 1 or more, or null.")
        self.network, self.weights, self.tuned = network, weights, tuple(tuned)
        self.steps, self.seed, self.device = steps, seed, device

    def __call__(self, trial: Trial) -> list[Score]:
        people = np.unique(trial.training_speaker)
        known = np.isin(trial.speaker, people)
        if not known.any():
            return [skip(NAME, f"no speaker of {trial.split} is among the {len(people)} training speakers")]
        if len(people) < 2:
            return [skip(NAME, "a classifier needs two training speakers or more")]
        net, label = self._judge(trial)
        predicted = people[name_faces(net, trial.generated)]
        items = (predicted == trial.speaker).astype(np.float64)
        real = (people[name_faces(net, trial.gallery)] == trial.gallery_speaker).astype(np.float64)
        real[~np.isin(trial.gallery_speaker, trial.speaker[known])] = np.nan
        score = score_items(
            NAME,
            np.where(known, items, np.nan),
            trial,
            chance=1 / len(people),
            upper=mean_or_none(real, trial.gallery_speaker),
            extractor=label,
            note=f"{len(people)} identities, trained on {len(trial.training)} real faces"
            + (f"; {(~known).sum()} faces of other speakers left out" if not known.all() else ""),
        )
        return [replace(score, details={"predicted": predicted})]

    def _judge(self, trial: Trial) -> tuple[FaceNet, str]:
        """The classifier, and what a row says of it."""
        kind: type[FaceNet] = Vgg
        more: dict[str, Any] = {}
        name = "VGG-style classifier"
        if self.weights is not None:
            kind, more = VggFace, dict(weights=self.weights, tuned=self.tuned, learning_rate=FINE_TUNING_RATE)
            name = f"VGG-Face ({Path(self.weights).name}), {', '.join(self.tuned)} tuned on the corpus"
        steps = self.steps
        if steps is None:
            enough = max(FEWEST_STEPS, PASSES * len(trial.training) // BATCH_SIZE)
            steps = min(enough, default_steps(len(trial.training)))
        net, checksum = trained_face_net(kind, trial.training, trial.training_speaker, self.seed, steps, self.device, **more)
        return net, f"{name}, whole picture at {net.input_size} px, weights {checksum[:12]}"
