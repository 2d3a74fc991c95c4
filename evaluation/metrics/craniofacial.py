"""Craniofacial measures of drawn faces against those of the true ones: Speech2Face's list."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from evaluation.intervals.bootstrap import speaker_means
from evaluation.intervals.correlation import FEWEST, correlation, interval_holding
from evaluation.landmarks import find68
from evaluation.metrics.base import Metric, skip
from evaluation.real_faces.gallery import spare_faces
from evaluation.trial import Score, Trial

NAME = "craniofacial"
LABEL = "dlib 68 landmarks"


class Craniofacial(Metric):
    """Pearson's correlation over speakers of each measure of the drawn faces with that of the true faces; and their mean.

    A speaker's measure is the mean over the speaker's drawn faces, and over the speaker's real faces in the split. Lengths are
    in units of the distance between the outer corners of the eyes, the nose's area in its square, so that it does not matter
    how large a face lies in the picture; indices have no unit. Points are 300-W's 68, counted from 0; a face turned aside or an
    open mouth changes them, which `upper` shows. The names are Speech2Face's, which takes them from anthropometry (L. Farkas
    1994: n nasion, sn subnasale, al alare, sbal subalare, ls and li labiale superius and inferius, sto stomion, ch cheilion,
    en and ex inner and outer canthus, go gonion, zy zygion, gn gnathion); it does not say which points it measures between:

    upper_lip_height        sn-sto: 33 to the middle of 62 and 66
    lateral_upper_lip       sbal-ls': 31 to 50 and 35 to 52, their mean
    jaw_width               go-go: 4 to 12
    nose_height             n-sn: 27 to 33
    nose_width              al-al: 31 to 35
    labio_oral              the labio-oral region, as its width, ch-ch: 48 to 54
    mandibular_index        sto-gn over go-go: the middle of 62 and 66 to 8, over 4 to 12
    intercanthal_index      en-en over ex-ex: 39 to 42, over 36 to 45
    nasal_index             al-al over n-sn: 31 to 35, over 27 to 33
    vermilion_height_index  ls-sto over the whole of ls-sto and sto-li: 51 to 62, over itself and 66 to 57
    mouth_face_width_index  ch-ch over zy-zy: 48 to 54, over 1 to 15
    nose_area               the triangle of 27, 31 and 35

    (The vermilion index is Farkas's ls-sto / sto-li as a share: lips of no height leave it finite.)
    chance: 0; the note has the standard deviation of the correlation when speakers are paired at random. A system that draws
    one face for everybody has correlation 0. upper: training faces of the speakers against the split's; of unseen speakers one
    half of their real faces against the other.
    Source: Speech2Face (Oh et al. 2019), correlations between faces drawn from speech and from a picture.
    """

    def __call__(self, trial: Trial) -> list[Score]:
        names = [*(f"{NAME}/{one}" for one in MEASURES), f"{NAME}/mean"]
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(name, "no generated or no real faces", LABEL) for name in names]
        drawn, real = measure(trial.generated, trial), measure(trial.gallery, trial)
        pairs = [_paired(drawn[one], trial.speaker, real[one], trial.gallery_speaker) for one in MEASURES]
        speakers = len(pairs[0][0])
        if speakers < FEWEST:
            return [skip(name, f"{FEWEST} speakers or more are needed, came {speakers}", LABEL) for name in names]
        found = [correlation(*pair, trial.seed) for pair in pairs]
        uppers = _upper(trial, real)
        note = f"r over {speakers} speakers; at random 0 +- {1 / math.sqrt(speakers - 1):.2f}"
        scores = [
            Score(name, one.value, one.interval, chance=0.0, upper=upper, extractor=LABEL, note=note)
            for name, one, upper in zip(names, found, uppers, strict=False)
        ]
        value = float(np.mean([one.value for one in found]))
        interval = interval_holding(np.mean([one.resampled for one in found], axis=0), value, speakers)
        upper = float(np.mean(known)) if (known := [one for one in uppers if one is not None]) else None
        note = f"mean of {len(found)} correlations over {speakers} speakers"
        return [*scores, Score(names[-1], value, interval, chance=0.0, upper=upper, extractor=LABEL, note=note)]


def _length(*ends: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda points: np.linalg.norm(points[:, ends[0]] - points[:, ends[1]], axis=1)


def _stomion(points: np.ndarray) -> np.ndarray:
    return (points[:, 62] + points[:, 66]) / 2


def _upper_lip_height(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, 33] - _stomion(points), axis=1)


def _lateral_upper_lip(points: np.ndarray) -> np.ndarray:
    return (_length(31, 50)(points) + _length(35, 52)(points)) / 2


def _mandibular_index(points: np.ndarray) -> np.ndarray:
    return _ratio(np.linalg.norm(_stomion(points) - points[:, 8], axis=1), _length(4, 12)(points))


def _vermilion_height_index(points: np.ndarray) -> np.ndarray:
    upper, lower = _length(51, 62)(points), _length(66, 57)(points)
    return _ratio(upper, upper + lower)


def _nose_area(points: np.ndarray) -> np.ndarray:
    (ax, ay), (bx, by) = ((points[:, at] - points[:, 27]).T for at in (31, 35))
    return np.abs(ax * by - ay * bx) / 2


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where the whole is nothing: points are whole pixels, so they may coincide."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 1e-9)


def _index(part: tuple[int, int], whole: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda points: _ratio(_length(*part)(points), _length(*whole)(points))


# Each takes points (N, 68, 2), x and y in one unit, the outer eye corners 1 apart, and gives (N,).
MEASURES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "upper_lip_height": _upper_lip_height,
    "lateral_upper_lip": _lateral_upper_lip,
    "jaw_width": _length(4, 12),
    "nose_height": _length(27, 33),
    "nose_width": _length(31, 35),
    "labio_oral": _length(48, 54),
    "mandibular_index": _mandibular_index,
    "intercanthal_index": _index((39, 42), (36, 45)),
    "nasal_index": _index((31, 35), (27, 33)),
    "vermilion_height_index": _vermilion_height_index,
    "mouth_face_width_index": _index((48, 54), (1, 15)),
    "nose_area": _nose_area,
}


def measure(faces: np.ndarray, trial: Trial) -> dict[str, np.ndarray]:
    """uint8 (N, H, W, 3) -> each measure, (N,)."""
    points = find68(faces, trial.face_box)[0].astype(np.float64) * faces.shape[2:0:-1]
    eyes = np.maximum(np.linalg.norm(points[:, 36] - points[:, 45], axis=1), 1e-9)
    return {name: take(points / eyes[:, None, None]) for name, take in MEASURES.items()}


def _paired(a: np.ndarray, speaker_a: np.ndarray, b: np.ndarray, speaker_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the speakers that both have, (P,) each."""
    (speakers_a, means_a), (speakers_b, means_b) = speaker_means(a, speaker_a), speaker_means(b, speaker_b)
    _, at_a, at_b = np.intersect1d(speakers_a, speakers_b, assume_unique=True, return_indices=True)
    return means_a[at_a], means_b[at_b]


def _upper(trial: Trial, real: Mapping[str, np.ndarray]) -> list[float | None]:
    """The correlation of each measure between two sets of real faces of the same speakers; None for too few speakers."""
    faces, owner = spare_faces(trial)
    if len(faces):
        other = measure(faces, trial)
        pairs = [_paired(other[one], owner, real[one], trial.gallery_speaker) for one in MEASURES]
    else:
        order = np.argsort(trial.gallery_speaker, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        first = (place - np.searchsorted(trial.gallery_speaker[order], trial.gallery_speaker)) % 2 == 0
        owner = trial.gallery_speaker
        pairs = [_paired(real[one][first], owner[first], real[one][~first], owner[~first]) for one in MEASURES]
    return [correlation(*pair, trial.seed).value if len(pair[0]) >= FEWEST else None for pair in pairs]
