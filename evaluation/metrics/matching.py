"""Cross-modal matching: is the drawn face nearer to the speaker's true face than an imposter's is?"""

from __future__ import annotations

import numpy as np

from evaluation.extractors.base import Embedder
from evaluation.intervals.bootstrap import mean_or_none
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.gallery import EQUAL, FaceGallery, groups
from evaluation.trial import Score, Trial

CHUNK = 8_000_000  # similarities held at once: 64 MB


class Matching(Metric):
    """Share of imposters farther than the true face: cos(drawn, own true face) > cos(drawn, an imposter's true face).

    extractor: the face embedder.
    imposters: how many for each drawn face. Each is a random face of a random other speaker, by the trial's seed, the same for
    all systems. None: every face of every other speaker, each speaker counting the same, which is the exact mean of such draws.
    matched: an attribute, such as sex, that imposters share with the speaker; speakers without a known one are left out.
    Equal similarities count one half, so chance is 0.5 for one face drawn for everybody as well.
    upper: another real face of the speaker in place of the drawn one, against every imposter: a training face of seen
    speakers, of unseen ones a true face.
    The interval resamples the speakers who speak, not the imposters.
    Source: voice2face, section "cross-modal matching", unstratified and with sex held equal.
    """

    def __init__(self, extractor: Embedder, imposters: int | None = None, matched: str | None = None):
        if imposters is not None and imposters < 1:
            raise ValueError(f"imposters: {imposters}; 1 or more, or null for all there are.")
        self.extractor, self.imposters, self.matched = extractor, imposters, matched
        self.name = "matching" + (f"/{matched}" if matched else "")

    def __call__(self, trial: Trial) -> list[Score]:
        label = self.extractor.label
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(self.name, "no generated or no real faces", label)]
        faces = FaceGallery(trial, self.extractor)
        people = _People(faces, *groups(trial, faces.owner, self.matched))
        drawn, target = faces.embed(trial.generated), faces.position(trial.target, trial.speaker)
        if self.imposters is None:
            items = people.beaten(drawn, target)
            note = "imposters: every face of every other speaker"
        else:
            order = np.lexsort((trial.run, trial.clip, trial.speaker))  # the draw is of the request, not of its place
            items = np.full(len(drawn), np.nan)
            items[order] = people.beaten_of(drawn[order], target[order], self.imposters, trial.seed)
            note = f"imposters: {self.imposters} faces of other speakers for each, seed {trial.seed}"
        if not np.isfinite(items).any():
            return [skip(self.name, f"no speaker has an imposter{f' of equal {self.matched}' if self.matched else ''}", label)]
        asking, speaker, own, _ = faces.real_pairs()
        if self.matched:
            note += f"; of the query's own {self.matched} only: {people.note} speakers"
        if missing := int(np.isnan(items).sum()):
            note += f"; {missing} faces of speakers without an imposter left out"
        return [
            score_items(
                self.name,
                items,
                trial,
                chance=0.5,
                upper=mean_or_none(people.beaten(faces.embed(asking), own), speaker),
                extractor=label,
                note=f"{faces.note}; {note}",
            )
        ]


class _People:
    """The gallery's faces by speaker. starts, counts: (P,), each speaker's entries; kind: (P,), the group, -1 unknown."""

    def __init__(self, faces: FaceGallery, kind: np.ndarray, kinds: list[str]):
        self._faces = faces
        _, self._starts, self._counts = np.unique(faces.owner, return_index=True, return_counts=True)
        self._of = np.repeat(np.arange(len(self._starts)), self._counts)
        self._kind = kind[self._starts]
        self.note = ", ".join(f"{name} {(self._kind == at).sum()}" for at, name in enumerate(kinds))

    def beaten(self, queries: np.ndarray, own: np.ndarray) -> np.ndarray:
        """(N, E), and the entry of each one's true face, -1 if none -> share of all imposters beaten, (N,); NaN if none."""
        items = np.full(len(queries), np.nan)
        rows = max(1, CHUNK // len(self._of))
        for start in range(0, len(queries), rows):
            part = slice(start, start + rows)
            cosines = queries[part] @ self._faces.vectors.T
            gap = cosines[np.arange(len(cosines)), own[part]][:, None] - cosines
            by_speaker = np.add.reduceat(_wins(gap), self._starts, axis=1) / self._counts
            me = self._of[own[part]]
            imposter = (self._kind[me][:, None] == self._kind) & (np.arange(len(self._kind)) != me[:, None])
            imposter &= ((own[part] >= 0) & (self._kind[me] >= 0))[:, None]
            number = imposter.sum(axis=1)
            total = (by_speaker * imposter).sum(axis=1)
            items[part] = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return items

    def beaten_of(self, queries: np.ndarray, own: np.ndarray, imposters: int, seed: int) -> np.ndarray:
        """As beaten, of so many imposters drawn at random for each query, with replacement."""
        rng = np.random.default_rng(seed)
        who, which = rng.random((2, len(queries), imposters))
        items = np.full(len(queries), np.nan)
        mine = (queries * self._faces.vectors[own]).sum(axis=1)
        for kind in range(self._kind.max() + 1):
            members = np.flatnonzero(self._kind == kind)
            asked = np.flatnonzero((own >= 0) & (self._kind[self._of[own]] == kind))
            if len(members) < 2 or not len(asked):
                continue
            place = (who[asked] * (len(members) - 1)).astype(np.int64)
            place += place >= np.searchsorted(members, self._of[own[asked]])[:, None]  # step over oneself
            chosen = members[place]
            entry = self._starts[chosen] + (which[asked] * self._counts[chosen]).astype(np.int64)
            rows = max(1, CHUNK // (imposters * queries.shape[1]))
            for start in range(0, len(asked), rows):
                part = asked[start : start + rows]
                cosines = np.einsum("ne,nie->ni", queries[part], self._faces.vectors[entry[start : start + rows]])
                items[part] = _wins(mine[part, None] - cosines).mean(axis=1)
        return items


def _wins(gap: np.ndarray) -> np.ndarray:
    """1 where the own face is nearer, one half where both are equally near."""
    return (gap > EQUAL) + 0.5 * (np.abs(gap) <= EQUAL)
