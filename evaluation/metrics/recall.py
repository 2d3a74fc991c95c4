"""Retrieval of the right person, or of the right photograph, by the drawn face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from evaluation.extractors.base import Embedder
from evaluation.intervals.bootstrap import mean_or_none
from evaluation.metrics.base import Metric, score_items, skip
from evaluation.real_faces.gallery import EQUAL, FaceGallery, Gallery, groups, nearness, own_nearness
from evaluation.trial import Score, Trial

KINDS = ("speakers", "faces")
CHUNK = 8_000_000  # similarities held at once: 64 MB


class Recall(Metric):
    """Share of drawn faces whose own entry is among the k nearest of a gallery.

    extractor: the face embedder. k: the ranks asked for.
    gallery: "speakers", one mean embedding each (SF2F), or "faces", every real face for itself: only the very face of the
    request is then the right one (Speech2Face: the clip's own).
    measure: cosine, or l1 (SF2F's). renormalise: whether a speaker's mean is brought to unit length, which l1 notices.
    matched: an attribute, such as sex; a gallery then holds only people who share the query's. So the score tells what is
    right beyond that attribute. Speakers for whom the corpus does not give it are left out.
    gallery_size: entries in a gallery; None, or a number above what there is, takes all.
    galleries: None takes the mean over every gallery of that size that holds the query's own entry. It is exact (the number of
    nearer entries in a random gallery is hypergeometric). A number takes so many disjoint galleries, drawn by the trial's
    seed, or as many as the entries make; only queries whose own entry is in one count (SF2F: 3 of 100).

    Equal similarities share their ranks, as a random order would, so that one face drawn for everybody scores chance,
    k / the gallery's size. A gallery of no more than k entries always holds the right one, so its queries are left out.
    upper: real faces as queries: training faces of seen speakers; of unseen ones the true faces, each left out of its own
    speaker's mean. Of a gallery of faces: they ask for another face of the same speaker, and are left out of the gallery.
    Sources: SF2F's and Speech2Face's recall@K.
    """

    def __init__(
        self,
        extractor: Embedder,
        k: Sequence[int] = (1, 5, 10),
        gallery: str = "speakers",
        measure: str = "cosine",
        renormalise: bool = True,
        matched: str | None = None,
        gallery_size: int | None = None,
        galleries: int | None = None,
    ):
        self.k = [int(rank) for rank in k]
        if not self.k or min(self.k) < 1:
            raise ValueError(f"k: {list(k)}; needs ranks of 1 or more.")
        if gallery not in KINDS:
            raise ValueError(f"gallery: {gallery}. Have: {', '.join(KINDS)}.")
        if measure not in ("cosine", "l1"):
            raise ValueError(f"measure: {measure}. Have: cosine, l1.")
        if gallery_size is not None and gallery_size < 2:
            raise ValueError(f"gallery_size: {gallery_size}; 2 or more, or null for all there are.")
        if galleries is not None and (galleries < 1 or (gallery_size is None and galleries > 1)):
            raise ValueError(f"galleries: {galleries}; 1 or more, and more than 1 only with a gallery_size.")
        self.extractor, self.gallery, self.measure, self.renormalise = extractor, gallery, measure, renormalise
        self.matched, self.gallery_size, self.galleries = matched, gallery_size, galleries

    def __call__(self, trial: Trial) -> list[Score]:
        label = self.extractor.label
        if not len(trial.generated) or not len(trial.gallery):
            return [skip(self._name(k), "no generated or no real faces", label) for k in self.k]
        hall = self._speakers(trial) if self.gallery == "speakers" else self._faces(trial)
        kind, kinds = groups(trial, hall.owner, self.matched)
        if not kinds:
            return [skip(self._name(k), f"{self.matched} of no speaker is known", label) for k in self.k]
        cells = self._cells(kind, trial.seed)
        ranks, real_ranks = (_ranks(asked, hall.entries, cells, self.measure) for asked in (hall.drawn, hall.real))
        known = (hall.drawn.own >= 0) & (kind[hall.drawn.own] >= 0)
        note = hall.note + self._galleries_note(cells, kind, kinds, trial.seed)
        if not known.all():
            note += f"; {(~known).sum()} faces of speakers without a real face"
            note += (f" or without a known {self.matched}" if self.matched else "") + " left out"
        scores = []
        for k in self.k:
            name = self._name(k, cells)
            items = _found(ranks, cells, k)
            if not np.isfinite(items).any():
                sizes = " or ".join(str(size) for size in sorted(set(cells.size.tolist())))
                holds = f"a gallery of {sizes} {self.gallery} always holds it"
                scores.append(skip(name, holds if k >= cells.size.max() else f"nobody in the gallery{note}", label))
                continue
            chance = np.append(k / cells.size, np.nan)[np.where(np.isfinite(items), ranks.cell, -1)]
            always = [str(size) for size in sorted(set(cells.size.tolist())) if k >= size]
            scores.append(
                score_items(
                    name,
                    items,
                    trial,
                    chance=k / int(cells.size[0]) if len(cells.size) == 1 else mean_or_none(chance, trial.speaker),
                    upper=mean_or_none(_found(real_ranks, cells, k), hall.real_speaker),
                    extractor=label,
                    note=note + (f"; galleries of {', '.join(always)} left out, they always hold it" if always else ""),
                )
            )
        return scores

    def _speakers(self, trial: Trial) -> _Hall:
        gallery = Gallery(trial, self.extractor, self.renormalise)
        position = gallery.position(trial.speaker)
        faces, speaker = gallery.real_queries()
        own = gallery.position(speaker)
        drawn = _Asked(gallery.embed(trial.generated), position, gallery.means[position])
        real = _Asked(gallery.embed(faces), own, gallery.means_without(faces, own))
        return _Hall(gallery.means, gallery.speakers, drawn, real, speaker, gallery.note)

    def _faces(self, trial: Trial) -> _Hall:
        gallery = FaceGallery(trial, self.extractor)
        target = gallery.position(trial.target, trial.speaker)
        faces, speaker, own, itself = gallery.real_pairs()
        drawn = _Asked(gallery.embed(trial.generated), target, gallery.vectors[target])
        real = _Asked(gallery.embed(faces), own, gallery.vectors[own], itself)
        note = f"{gallery.note}; right is the request's own face; real faces: another face of the speaker"
        return _Hall(gallery.vectors, gallery.owner, drawn, real, speaker, note)

    def _cells(self, kind: np.ndarray, seed: int) -> _Cells:
        """kind: (P,), the group of each entry. The sets of entries from which a query's galleries are made."""
        cell = np.full(len(kind), -1, dtype=np.int64)
        pool: list[int] = []
        size: list[int] = []
        rng = np.random.default_rng(seed)
        for group in range(kind.max() + 1):
            members = np.flatnonzero(kind == group)
            wanted = min(self.gallery_size or len(members), len(members))
            if self.galleries is None:
                parts = [members]
            else:
                parts = list(rng.permutation(members)[: len(members) // wanted * wanted].reshape(-1, wanted)[: self.galleries])
            for part in parts:
                cell[part] = len(pool)
                pool.append(len(part))
                size.append(wanted)
        everyone = len(pool) == kind.max() + 1 and pool == size and bool((cell >= 0).sum() == (kind >= 0).sum())
        return _Cells(cell, np.array(pool), np.array(size), everyone)

    def _name(self, k: int, cells: _Cells | None = None) -> str:
        """The size stands in the name where there are more entries than it, so that columns do not mix."""
        name = f"recall@{k}" + ("/faces" if self.gallery == "faces" else "")
        if self.measure != "cosine":
            name += f"/{self.measure}" + ("" if self.renormalise or self.gallery == "faces" else "/raw_mean")
        name += f"/{self.matched}" if self.matched else ""
        if self.gallery_size is None or (cells is not None and cells.everyone):
            return name
        return f"{name}/{'' if self.galleries is None else f'{self.galleries}x'}{self.gallery_size}"

    def _galleries_note(self, cells: _Cells, kind: np.ndarray, kinds: list[str], seed: int) -> str:
        note = ""
        if self.matched:
            sizes = ", ".join(f"{name} {(kind == at).sum()}" for at, name in enumerate(kinds))
            note += f"; galleries of the query's own {self.matched} only: {sizes}"
        if self.measure != "cosine" and self.gallery == "speakers":
            note += f"; means {'brought to unit length' if self.renormalise else 'not brought to unit length'}"
        if self.gallery_size is None:
            return note
        sizes = " and ".join(str(size) for size in sorted(set(cells.size.tolist()), reverse=True))
        if self.galleries is None:
            return f"{note}; mean over every gallery of {sizes} of them ({self.gallery_size} asked for)"
        return (
            f"{note}; disjoint galleries of {sizes} drawn with seed {seed}: {len(cells.pool)} (asked for: {self.galleries} of"
            f" {self.gallery_size}), {(cells.cell >= 0).sum()} {self.gallery} in all, whose faces alone ask"
        )


@dataclass(frozen=True)
class _Asked:
    """Queries (N, E); the entry each is to find, (N,), -1 if none; its vector, (N, E); the entry that is itself, if any."""

    queries: np.ndarray
    own: np.ndarray
    wanted: np.ndarray
    itself: np.ndarray | None = None


@dataclass(frozen=True)
class _Hall:
    """All entries (P, E) and whose they are (P,), and who asks: drawn faces, and real ones with their speakers."""

    entries: np.ndarray
    owner: np.ndarray
    drawn: _Asked
    real: _Asked
    real_speaker: np.ndarray
    note: str


@dataclass(frozen=True)
class _Cells:
    """cell: (P,), which cell an entry is in, -1 for none. pool, size: (C,), entries of a cell, and of a gallery of it.

    everyone: whether a gallery is all entries of its kind.
    """

    cell: np.ndarray
    pool: np.ndarray
    size: np.ndarray
    everyone: bool


@dataclass(frozen=True)
class _Ranks:
    """Of each query, (N,): its cell, -1 if none; how many others there are nearer and how many equally near, NaN if unknown."""

    cell: np.ndarray
    nearer: np.ndarray
    equal: np.ndarray


def _ranks(asked: _Asked, entries: np.ndarray, cells: _Cells, measure: str) -> _Ranks:
    count = len(asked.queries)
    cell = np.where(asked.own >= 0, cells.cell[asked.own], -1)
    mine = own_nearness(asked.queries, asked.wanted, measure)
    nearer, equal = np.full(count, np.nan), np.full(count, np.nan)
    rows = max(1, CHUNK // len(entries))
    for start in range(0, count, rows):
        part = slice(start, start + rows)
        gap = nearness(asked.queries[part], entries, measure) - mine[part, None]
        gap[cells.cell != cell[part, None]] = -np.inf
        at = np.arange(len(gap))
        gap[at, asked.own[part]] = -np.inf
        if asked.itself is not None:
            there = asked.itself[part] >= 0
            gap[at[there], asked.itself[part][there]] = -np.inf
        nearer[part] = (gap > EQUAL).sum(axis=1)
        equal[part] = (np.abs(gap) <= EQUAL).sum(axis=1)
    nearer[(cell < 0) | np.isnan(mine)] = np.nan
    return _Ranks(cell, nearer, equal)


def _found(ranks: _Ranks, cells: _Cells, k: int) -> np.ndarray:
    """(N,): probability of rank <= k, over the galleries of the cell and random orders of the equally near; NaN if unknown."""
    found = np.full(len(ranks.cell), np.nan)
    for cell, (pool, size) in enumerate(zip(cells.pool.tolist(), cells.size.tolist(), strict=True)):
        asked = (ranks.cell == cell) & np.isfinite(ranks.nearer)
        if k >= size or not asked.any():
            continue
        # held[n]: with n nearer ones in the cell, the chance that fewer than k of them are in the gallery.
        nearer = np.arange(pool)
        held = (nearer < k).astype(np.float64) if size == pool else stats.hypergeom.cdf(k - 1, pool - 1, nearer, size - 1)
        # In a random order of e equally near ones, 0, 1, ... or e of them come before: each as likely.
        total = np.concatenate([[0.0], np.cumsum(held)])
        before, equal = ranks.nearer[asked].astype(np.int64), ranks.equal[asked].astype(np.int64)
        found[asked] = (total[before + equal + 1] - total[before]) / (equal + 1)
    return found
