"""Speech of people outside training, beside new speech of people inside it (Wav2Pix)."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.metrics.base import Metric
from evaluation.trial import Trial
from gan.build import build
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.overlap import overlap
from gan.experiments._judge import Judge, Measured
from gan.experiments._study import Study
from gan.experiments._voice import SHOWN, Voice, real_picture
from gan.experiments.base import Experiment, Outcome

CROPS = 5  # of a voice, spread over its speech


class UnseenVoices(Experiment):
    """Training speakers' held-out recordings against unseen people, equally many of each, so that chance is alike.

    Seen people are of the run's own corpus. Sound files, where given, are a third group, and any split of
    another corpus (--corpus) is unseen, but for people whom both corpora name alike: their number is told.
    Source: Wav2Pix's presentation, which states that unseen voices fail.
    """

    about = "speech of people outside training beside new speech of people inside it (Wav2Pix)"
    split = "unseen_speaker"

    def __call__(self, study: Study) -> Outcome:
        own = study.run.config.data.corpus
        home = study.corpus if study.corpus.checksum == study.run.corpus["checksum"] else open_corpus(own)
        if home.checksum != study.run.corpus["checksum"]:
            raise ValueError(
                f"data.corpus: {own} is no longer the corpus that {study.run.path.name} was trained on, so nobody "
                "in it is known to be seen."
            )
        if home is study.corpus and study.split not in (None, "val_speaker", "unseen_speaker"):
            raise ValueError(f"--split: {study.split} holds people that were trained on. Allowed: val_speaker, unseen_speaker.")
        split = study.split or self.split
        seen, unseen = study.of_split(home, "unseen_speech"), study.of_split(study.corpus, split)
        shared = overlap(home, study.corpus, split)
        known = (
            [
                f"LEAKS, going by names: {shared.shared_speakers} of {shared.speakers} people of {study.corpus.name}, {split}, "
                "were trained on."
            ]
            if shared.shared_speakers
            else []
        )
        count = min(len(seen), len(unseen))
        groups = [("seen", home, seen[:count]), ("unseen", study.corpus, unseen[:count])]
        if study.audio:
            groups.append(("files", study.corpus, study.voices(split)))
        rows, pictures = [], []
        for group, corpus, voices in groups:
            crops = [_spread(voice.crops(study.samples) or voice.clips) for voice in voices]
            # One call, so that each face has noise of its own, and those of one voice are no more alike by it.
            drawn = study.draw([crop for own in crops for crop in own])
            drawn = drawn.reshape(len(voices), CROPS, *drawn.shape[1:])
            rows.append({"voices": group} | _numbers(study, corpus, voices, drawn))
            pictures += [
                (f"{group}: {voice.name}", [real_picture(voice), *faces])
                for voice, faces in list(zip(voices, drawn, strict=True))[: SHOWN // 2]
            ]
        return Outcome(
            ["real", *(f"clip {number + 1}" for number in range(CROPS))],
            pictures,
            rows,
            [
                *known,
                f"Each face is drawn from another {study.seconds:g} s of the voice. seen: training speakers, recordings kept "
                f"from training; unseen: people kept from training ({split}).",
            ],
            [
                "similarity: cosine (dlib) to the speaker's mean real face; to_others: to those of the group's other speakers, "
                "what a face scores in other hands; advantage: the one minus the other, 0 where the voice decides nothing.",
                "recall@k: share of faces whose speaker is among the k nearest of the group; chance_k: what guessing scores; "
                "found: share in which MTCNN finds a face; within: cosine between faces of one voice; between: of two voices.",
            ],
        )


def _spread(crops: list[np.ndarray]) -> list[np.ndarray]:
    """CROPS of them, evenly spread; the same again where there are fewer."""
    return [crops[number * len(crops) // CROPS] for number in range(CROPS)]


def _numbers(study: Study, corpus: Corpus, voices: list[Voice], drawn: np.ndarray) -> dict[str, Any]:
    """drawn: uint8 (P, CROPS, H, W, 3)."""
    judge = study.judge(voices, corpus)
    faces, voice = drawn.reshape(-1, *drawn.shape[2:]), np.repeat(np.arange(len(voices)), CROPS)
    units = judge.embed(faces)
    own, others = judge.to_real(units, voice)
    within, between = _agreement(units.reshape(*drawn.shape[:2], -1))
    places = np.arange(len(voices))
    return dict(
        speakers=len(voices),
        faces=len(faces),
        similarity=judge.measure(own, voice),
        to_others=judge.measure(others, voice),
        advantage=judge.measure(own - others, voice),
        real_similarity=judge.real_similarity(),
        **_recall(judge, study, voices, faces, voice),
        found=judge.measure(judge.found(faces), voice),
        real_found=judge.real_found(),
        within=judge.measure(within, places),
        between=judge.measure(between, places),
    )


def _agreement(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, N, E) of unit length -> mean cosine of each voice's faces to one another, and to the other voices' faces: (P,) each."""
    sums = units.sum(axis=1)
    number, voices = units.shape[1], len(units)
    within = ((sums**2).sum(axis=1) - number) / (number * (number - 1))
    between = np.full(voices, np.nan)
    if voices > 1:
        products = sums @ sums.T / number**2
        between = (products.sum(axis=1) - np.diag(products)) / (voices - 1)
    return within, between


def _recall(judge: Judge, study: Study, voices: list[Voice], faces: np.ndarray, voice: np.ndarray) -> dict[str, Any]:
    """recall@1 and @5 as `voxface evaluate` has them, in a gallery of the group."""
    ranks = (1, 5)
    found: dict[str, Any] = {
        key: value for k in ranks for key, value in ((f"recall@{k}", Measured(np.nan)), (f"chance_{k}", float("nan")))
    }
    if not len(judge.real):
        return found
    nothing = judge.real[:0]
    trial = Trial(
        faces,
        voice,
        np.zeros_like(voice),
        np.zeros_like(voice),
        np.stack([voices[at].faces[0] for at in voice]),
        judge.real,
        judge.owner,
        nothing,
        judge.owner[:0],
        "group",
        judge.face_box,
        study.seed,
    )
    metric = build(Metric, {"name": "recall", "k": list(ranks), "extractor": {"name": "dlib"}}, "experiment")
    for k, score in zip(ranks, metric(trial), strict=True):
        if not score.skipped:
            assert score.chance is not None
            found |= {f"recall@{k}": Measured(score.value, *score.interval), f"chance_{k}": score.chance}
    return found
