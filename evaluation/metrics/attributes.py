"""Do the drawn faces have their speakers' attributes: sex, age, hair colour, whatever the corpus says of its speakers?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluation.intervals.bootstrap import mean_or_none, speaker_means
from evaluation.intervals.correlation import FEWEST, correlation, interval_holding, resampled_speakers
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.trained.attribute_reader import AttributeReader, Head
from evaluation.trial import Score, Trial


class Attributes(Metric):
    """Agreement of each attribute, read off the drawn faces by linear regression, with what the corpus says of the speaker.

    attributes: columns of the corpus, each a score attribute/NAME. A number is scored by Pearson's correlation over speakers
        between the mean read off a speaker's drawn faces and the truth, any other attribute by accuracy.
    audible, inaudible: which of them a voice can tell and which it cannot; two more scores, attributes/audible and
        attributes/inaudible, are means of (value - chance) / (1 - chance), so 0 is chance and 1 is perfect.
    The regression is fitted to the real faces of the training speakers, so that all systems meet the same judge.
    On unseen speakers a model can beat chance on audible attributes. If it does so on one that has nothing to do with voices, not
    even indirectly, the splits leak. On seen speakers it may remember them all.
    chance: the share of the commonest class among the scored speakers; 0 for correlations, the note having their standard
    deviation when speakers are paired at random. upper: the same reader on the speakers' real faces of the split.
    """

    def __init__(self, attributes: Sequence[str] = ("sex",), audible: Sequence[str] = (), inaudible: Sequence[str] = ()):
        if not attributes or len(set(attributes)) != len(attributes):
            raise ValueError(f"attributes: {list(attributes)}; one name or more, each once.")
        for key, names in (("audible", audible), ("inaudible", inaudible)):
            if strange := [name for name in names if name not in attributes]:
                raise ValueError(f"{key}: {', '.join(strange)} not among attributes, {', '.join(attributes)}.")
        if both := set(audible) & set(inaudible):
            raise ValueError(f"inaudible: {', '.join(sorted(both))} named audible too.")
        self.attributes, self.groups = tuple(attributes), {"audible": tuple(audible), "inaudible": tuple(inaudible)}

    def __call__(self, trial: Trial) -> list[Score]:
        groups = [group for group, members in self.groups.items() if members]
        names = [*(f"attribute/{one}" for one in self.attributes), *(f"attributes/{group}" for group in groups)]
        if not len(trial.generated):
            return [skip(name, "no generated faces") for name in names]
        said = {one: _said(trial, one, trial.training_speaker) for one in self.attributes}
        varying = {one: texts for one, texts in said.items() if len(set(texts) - {""}) > 1}
        if not varying:
            why = f"the corpus says of its training speakers no two values of {', '.join(self.attributes)}"
            return [skip(name, why) for name in names]
        judge = AttributeReader(trial.training, trial.training_speaker, varying, trial.face_box)
        drawn, real = judge(trial.generated), judge(trial.gallery)
        agreed = {head.name: self._agreement(head, drawn[head.name], real[head.name], trial, judge) for head in judge.heads}
        missing = "the corpus says of its training speakers no two values of it"
        scores = [
            agreed[one].score if one in agreed else skip(f"attribute/{one}", missing, judge.label) for one in self.attributes
        ]
        return [*scores, *(self._mean(group, agreed, trial.seed, judge.label) for group in groups)]

    def _agreement(self, head: Head, drawn: np.ndarray, real: np.ndarray, trial: Trial, judge: AttributeReader) -> _Agreement:
        name = f"attribute/{head.name}"
        group = next((f"{group}; " for group, names in self.groups.items() if head.name in names), "")
        true, true_real = (head.targets(_said(trial, head.name, speaker)) for speaker in (trial.speaker, trial.gallery_speaker))
        known = np.isfinite(true)
        left_out = f"; {(~known).sum()} faces of speakers of unknown {head.name} left out" if not known.all() else ""
        speakers, truth = speaker_means(true, trial.speaker)
        if not head.classes and len(speakers) < FEWEST:
            why = f"{FEWEST} speakers or more of known {head.name} are needed, came {len(speakers)}"
            return _Agreement(skip(name, why, judge.label))
        if head.classes:
            right, real_right = (
                np.where(np.isfinite(answer), (found == answer).astype(np.float64), np.nan)
                for found, answer in ((drawn, true), (real, true_real))
            )
            chance = float(np.unique(truth, return_counts=True)[1].max() / len(truth)) if len(truth) else None
            score = score_items(
                name,
                right,
                trial,
                chance=chance,
                upper=mean_or_none(real_right, trial.gallery_speaker),
                extractor=judge.label,
                note=f"{group}accuracy over {len(speakers)} speakers, {len(head.classes)} classes{left_out}",
            )
            means = speaker_means(right, trial.speaker)[1]
            return _Agreement(score, speakers, means=means)
        found = correlation(speaker_means(np.where(known, drawn, np.nan), trial.speaker)[1], truth, trial.seed)
        note = f"{group}r over {len(speakers)} speakers; at random 0 +- {1 / math.sqrt(len(speakers) - 1):.2f}{left_out}"
        score = Score(
            name,
            found.value,
            found.interval,
            chance=0.0,
            upper=_real_correlation(real, true_real, trial),
            extractor=judge.label,
            details={"read": drawn, "true": true},
            note=note,
        )
        return _Agreement(score, speakers, resampled=found.resampled)

    def _mean(self, group: str, agreed: Mapping[str, _Agreement], seed: int, label: str) -> Score:
        """Of how far each attribute of the group lies from chance towards perfection. Speakers are resampled for all at once."""
        name = f"attributes/{group}"
        parts = [agreed[one] for one in self.groups[group] if one in agreed and agreed[one].can_be_raised]
        if not parts:
            return skip(name, "none of them could be scored against chance", label)
        value = float(np.mean([_above(part.score.value, part.score) for part in parts]))
        uppers = [_above(part.score.upper, part.score) for part in parts if part.score.upper is not None]
        interval = (math.nan, math.nan)
        if len(parts[0].speakers) > 1 and all(np.array_equal(part.speakers, parts[0].speakers) for part in parts):
            resampled = np.mean([_above(part.draws(seed), part.score) for part in parts], axis=0)
            interval = interval_holding(resampled, value, len(parts[0].speakers))
        return Score(
            name,
            value,
            interval,
            chance=0.0,
            upper=float(np.mean(uppers)) if uppers else None,
            extractor=label,
            note=f"mean of (value - chance) / (1 - chance) over {len(parts)} {group} attributes",
        )


@dataclass(frozen=True)
class _Agreement:
    """A score, and what its bootstrap is made of. speakers: (P,), those it is over."""

    score: Score
    speakers: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    means: np.ndarray | None = None
    resampled: np.ndarray | None = None

    @property
    def can_be_raised(self) -> bool:
        """Is there anything above chance? Not where all scored speakers are of one class."""
        return not self.score.skipped and self.score.chance is not None and self.score.chance < 1

    def draws(self, seed: int) -> np.ndarray:
        """The score of each bootstrap sample, (R,); the same samples for every attribute of the same speakers."""
        if self.resampled is not None:
            return self.resampled
        assert self.means is not None
        return self.means[resampled_speakers(len(self.means), seed)].mean(axis=1)


def _above(value: np.ndarray | float | None, score: Score) -> np.ndarray:
    assert value is not None
    assert score.chance is not None
    return (np.asarray(value) - score.chance) / (1 - score.chance)


def _said(trial: Trial, attribute: str, speaker: np.ndarray) -> list[str]:
    """(N,) speakers -> N texts; "" where the corpus does not say."""
    return [trial.attributes.get(one, {}).get(attribute, "") for one in speaker.tolist()]


def _real_correlation(real: np.ndarray, true: np.ndarray, trial: Trial) -> float | None:
    speaker = trial.gallery_speaker
    read, truth = speaker_means(np.where(np.isfinite(true), real, np.nan), speaker)[1], speaker_means(true, speaker)[1]
    return correlation(read, truth, trial.seed).value if len(truth) >= FEWEST else None
