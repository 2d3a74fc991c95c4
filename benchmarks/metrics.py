"""How each metric that needs no weight file orders damaged real faces, and how it varies with their number -> metrics.md.

    python -m benchmarks.metrics                the page, between its markers

A ladder is a kind of damage and its levels, each a system of its own whose faces are real ones made that much worse. Which
faces: of new speech, both val_speech faces of every speaker; of new speakers, those of each one's last two recordings, while
the gallery is those of the other recordings. So no drawn face stands in the gallery and none is drawn twice.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage, stats
from tqdm import tqdm

from evaluation.metrics.base import Metric
from evaluation.trial import Score, Trial
from gan.data.corpora import open_corpus
from gan.data.corpus import Corpus
from gan.data.dataset import rng
from gan.recipes import load_protocol
from gan.scoring.evaluate import build_metrics, score
from gan.scoring.requests import make_requests
from gan.scoring.systems import OracleIdentity, Prior

PAGE = Path(__file__).with_name("metrics.md")
BEGIN, END = "<!-- written by python -m benchmarks.metrics -->", "<!-- end of what is written -->"
CORPUS, SPLITS, SECONDS, FACE_SIZE, SEED = "toy:demo", ("unseen_speech", "unseen_speaker"), 1.25, 64, 0
SIZES, SPEAKERS, FEWEST_SETS, MOST_SETS = (50, 100, 200, 400), (10, 20, 40, 60), 5, 20
BY_FACES = ("frechet", "kid", "prdc", "similarity", "recall", "identity_accuracy")
OF_SETS = ("frechet", "kid", "prdc")
BY_SPEAKERS = (*BY_FACES, "matching", "verification")
STREAM_DAMAGE, STREAM_SUBSAMPLES = 200, 201


# -- the ladder -------------------------------------------------------------------------------------------------------


def blurred(faces: np.ndarray, sigma: float) -> np.ndarray:
    """uint8 (N, H, W, 3) -> the same, each under a Gaussian of so many px."""
    return np.stack([_rounded(ndimage.gaussian_filter(face.astype(np.float32), (sigma, sigma, 0))) for face in faces])


def noisy(faces: np.ndarray, sigma: float, stream: int = 0) -> np.ndarray:
    """Gaussian noise, of 255, on every channel of every pixel."""
    return _rounded(faces + sigma * rng(SEED, STREAM_DAMAGE, stream).standard_normal(faces.shape, dtype=np.float32))


def swapped(faces: np.ndarray, run: np.ndarray, share: float) -> np.ndarray:
    """That share of each run's faces (every speaker once), each handed to another speaker. A larger share holds a smaller one."""
    out = faces.copy()
    for one in np.unique(run):
        here = np.flatnonzero(run == one)
        chosen = rng(SEED, STREAM_DAMAGE, 10 + int(one)).permutation(here)[: round(share * len(here))]
        out[chosen] = faces[np.roll(chosen, 1)]
    return out


def averaged(faces: np.ndarray, mean: np.ndarray, share: float) -> np.ndarray:
    """Blended with the mean face (H, W, 3)."""
    return _rounded((1 - share) * faces.astype(np.float32) + share * mean)


def _rounded(pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Ladder:
    """A kind of damage. make: (faces, level, 0 for generated and 1 for again) -> faces. unit: of the levels, as printed."""

    name: str
    unit: str
    levels: tuple[float, ...]
    make: Callable[[np.ndarray, float, int], np.ndarray]

    @property
    def title(self) -> str:
        return f"{self.name} {', '.join(f'{level:g}' for level in self.levels)} {self.unit}"


def ladders(run: np.ndarray, mean: np.ndarray) -> list[Ladder]:
    return [
        Ladder("blur", "px", (1, 2, 4), lambda faces, level, _: blurred(faces, level)),
        Ladder("noise", "of 255", (10, 30, 60), noisy),
        Ladder("swapped", "%", (25, 50, 100), lambda faces, level, _: swapped(faces, run, level / 100)),
        Ladder("mean face", "%", (25, 50, 100), lambda faces, level, _: averaged(faces, mean, level / 100)),
    ]


def real_trial(corpus: Corpus, split: str) -> Trial:
    """Level 0: another real face of the same speaker, of recordings that neither gallery nor training holds."""
    faces, training = corpus.in_split(corpus.faces, split), corpus.in_split(corpus.faces, "train")
    if split == "unseen_speech":
        spare, gallery = corpus.in_split(corpus.faces, "val_speech"), faces
    else:
        last = np.zeros(len(faces), dtype=bool)
        recording, speaker = corpus.faces["recording"][faces], corpus.faces["speaker"][faces]
        for one in np.unique(speaker):
            last |= np.isin(recording, np.unique(recording[speaker == one])[-2:])
        spare, gallery = faces[last], faces[~last]
    of_spare, of_gallery = (corpus.faces["speaker"][rows].astype(np.int64) for rows in (spare, gallery))
    runs = int(np.unique(of_spare, return_counts=True)[1].min())
    asked = make_requests(corpus, split, SECONDS, runs, SEED)
    own = {one: spare[of_spare == one] for one in np.unique(of_spare)}
    other = {one: gallery[of_gallery == one] for one in np.unique(of_gallery)}
    drawn, again = (
        [own[one][(run + step) % runs] for one, run in zip(asked.speaker.tolist(), asked.run.tolist(), strict=True)]
        for step in (0, 1)
    )
    # The request's own true face is one of the spare ones at times; then another one of the gallery.
    target = [
        face if face in other[one] else other[one][run % len(other[one])]
        for one, run, face in zip(asked.speaker.tolist(), asked.run.tolist(), asked.target.tolist(), strict=True)
    ]
    return Trial(
        generated=corpus.pixels(drawn, FACE_SIZE),
        speaker=asked.speaker,
        clip=asked.clip,
        run=asked.run,
        target=corpus.pixels(target, FACE_SIZE),
        gallery=corpus.pixels(gallery, FACE_SIZE),
        gallery_speaker=of_gallery,
        training=corpus.pixels(training, FACE_SIZE),
        training_speaker=corpus.faces["speaker"][training].astype(np.int64),
        split=split,
        face_box=corpus.face_box,
        seed=SEED,
        attributes=dict(enumerate(corpus.speakers)),
        again=corpus.pixels(again, FACE_SIZE),
    )


def mean_face(corpus: Corpus, split: str) -> np.ndarray:
    """(H, W, 3): the control `prior`'s."""
    return Prior().draw(make_requests(corpus, split, SECONDS, 1, SEED), corpus, FACE_SIZE, load_protocol("default"))[0]


def climb(metrics: Mapping[str, Metric], real: Trial, kinds: Sequence[Ladder]) -> Iterator[tuple[str, float, list[Score]]]:
    """Kind, level and what every metric says there; ("real", 0) first."""
    yield "real", 0.0, score(metrics, real)
    assert real.again is not None
    for kind in kinds:
        for level in kind.levels:
            damaged = replace(real, generated=kind.make(real.generated, level, 0), again=kind.make(real.again, level, 1))
            yield kind.name, level, score(metrics, damaged)


@dataclass(frozen=True)
class Reaction:
    """What a metric makes of a ladder. values: of each level. outside: of each, +1 where it lies beyond the interval of level 0
    on the worse side, -1 on the better one, else 0. rho: Spearman's, of how bad the metric says it is with the level, over level
    0 and all that could be scored; NaN without three of them. inverted: whether any level is said to be better than the one
    before it; equal ones, at the metric's floor or ceiling, are not.
    """

    values: list[float]
    outside: list[int]
    rho: float
    inverted: bool

    @property
    def mark(self) -> str:
        if math.isnan(self.values[-1]):
            return "worst not scored"
        if self.outside[-1] == 0:
            return "unnoticed"
        if self.outside[-1] < 0:
            return "prefers it"
        return f"order: rho {self.rho:.1f}" if self.inverted else ""


def reaction(real: Score, levels: Sequence[Score]) -> Reaction:
    """levels: the scores of one metric, from the least to the worst damage."""
    sign = -1 if real.higher_is_better else 1  # how bad it says it is, upwards
    low, high = sorted(sign * end for end in real.interval)
    values = [one.value for one in levels]
    outside = [(sign * value > high) * 1 - (sign * value < low) * 1 for value in values]
    bad = np.array([sign * value for value in (real.value, *values)])
    known = np.isfinite(bad)
    rho, inverted = math.nan, bool((np.diff(bad[known]) < -1e-9).any())
    if known.sum() > 2:
        flat = np.ptp(bad[known]) < 1e-9
        rho = 0.0 if flat else float(stats.spearmanr(np.flatnonzero(known), bad[known]).statistic)
    return Reaction(values, outside, rho, inverted)


def ladder_table(found: Sequence[tuple[str, float, list[Score]]], kinds: Sequence[Ladder]) -> str:
    """A row a score, a column a kind of damage."""
    by_kind: dict[str, list[list[Score]]] = {}
    for name, _, scores in found:
        by_kind.setdefault(name, []).append(scores)
    lines = [
        "| metric | chance | real faces, 95 % | " + " | ".join(kind.title for kind in kinds) + " |",
        "|---|--:|---|" + "---|" * len(kinds),
    ]
    for at, real in enumerate(by_kind["real"][0]):
        if real.skipped:
            lines.append(f"| {real.metric} | | {real.note} |" + " |" * len(kinds))
            continue
        arrow = "" if real.higher_is_better else " (low is good)"
        low, high = real.interval
        chance = "" if real.chance is None else _figure(real.chance)
        cells = [_cell(real, reaction(real, [scores[at] for scores in by_kind[kind.name]])) for kind in kinds]
        lines.append(
            f"| {real.metric}{arrow} | {chance} | {_figure(real.value)} ({_figure(low)} to {_figure(high)}) | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def _cell(real: Score, found: Reaction) -> str:
    text, before = "", real.value
    for value, side in zip(found.values, found.outside, strict=True):
        shown, last = _figure(value), _figure(before)
        text += "" if not text else " = " if shown == last else " > " if before > value else " < " if before < value else ", "
        text += f"**{shown}**" if side > 0 else f"*{shown}*" if side < 0 else shown
        before = value
    return f"{text}; {found.mark}" if found.mark else text


def _figure(value: float) -> str:
    """Three digits; numbers that print the same are called equal."""
    return "–" if math.isnan(value) else "0" if abs(value) < 5e-8 else f"{value:.3g}"


# -- the number of faces ----------------------------------------------------------------------------------------------


def fresh_faces(corpus: Corpus, split: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """More real faces than the corpus has: new pictures of a split's speakers by the toy world itself.

    Returns faces (N, H, W, 3), whose, and of which run (N,), in the order of a seed, so that any part is a random part.
    """
    speakers = len(np.unique(make_requests(corpus, split, SECONDS, 1, SEED).speaker))
    asked = make_requests(corpus, split, SECONDS, math.ceil(count / speakers), SEED)
    faces = OracleIdentity().draw(asked, corpus, FACE_SIZE, replace(load_protocol("default"), seed=seed))
    order = rng(seed, STREAM_SUBSAMPLES, 0).permutation(len(faces))[:count]
    return faces[order], asked.speaker[order], asked.run[order]


def by_number_of_faces(metrics: Mapping[str, Metric], real: Trial, corpus: Corpus, sizes: Sequence[int]) -> list[str]:
    """Rows of a table: disjoint parts of one large set of real faces, against the gallery and against as many real ones."""
    most = max(sizes) * FEWEST_SETS
    faces, speaker, run = fresh_faces(corpus, real.split, most, SEED + 1)
    others, of_others, _ = fresh_faces(corpus, real.split, most, SEED + 2)
    lines = []
    for against in (f"{len(real.gallery)} real", "N real"):
        found: dict[str, dict[int, list[float]]] = {}
        asked = {name: metric for name, metric in metrics.items() if name in (BY_FACES if against != "N real" else OF_SETS)}
        for size in tqdm(sizes, desc=f"N against {against}", disable=None, leave=False):
            for part in range(min(MOST_SETS, most // size)):
                here = slice(part * size, (part + 1) * size)
                trial = replace(
                    real,
                    generated=faces[here],
                    speaker=speaker[here],
                    run=run[here],
                    clip=run[here],
                    target=faces[here],
                    again=None,
                )
                if against == "N real":
                    trial = replace(trial, gallery=others[here], gallery_speaker=of_others[here])
                for one in score(asked, trial):
                    found.setdefault(one.metric, {}).setdefault(size, []).append(one.value)
        lines += _number_rows({f"{name} | {against}": values for name, values in found.items()})
    return lines


def by_number_of_speakers(metrics: Mapping[str, Metric], real: Trial, numbers: Sequence[int]) -> list[str]:
    """Rows of a table: the level 0 of the ladder, of some of its speakers alone, drawn and real faces both."""
    speakers = np.unique(real.speaker)
    asked = {name: metric for name, metric in metrics.items() if name in BY_SPEAKERS}
    found: dict[str, dict[int, list[float]]] = {}
    for number in tqdm(numbers, desc="speakers", disable=None, leave=False):
        for part in range(MOST_SETS if number < len(speakers) else 1):
            some = rng(SEED, STREAM_SUBSAMPLES, part).permutation(speakers)[:number]
            here, there = np.isin(real.speaker, some), np.isin(real.gallery_speaker, some)
            trial = replace(
                real,
                generated=real.generated[here],
                speaker=real.speaker[here],
                clip=real.clip[here],
                run=real.run[here],
                target=real.target[here],
                gallery=real.gallery[there],
                gallery_speaker=real.gallery_speaker[there],
                again=None,
            )
            for one in score(asked, trial):
                found.setdefault(one.metric, {}).setdefault(number, []).append(one.value)
    return _number_rows(found)


def _number_rows(found: Mapping[str, Mapping[int, Sequence[float]]]) -> list[str]:
    return [
        f"| {name} | " + " | ".join(_spread(values) for values in of.values()) + f" | {drift(list(of.values()))} |"
        for name, of in found.items()
    ]


def _spread(values: Sequence[float]) -> str:
    known = np.array([value for value in values if math.isfinite(value)])
    if not len(known):
        return "–"
    return _figure(known.mean()) + (f" ± {known.std(ddof=1):.1g}" if len(known) > 1 else "")


def drift(by_size: Sequence[Sequence[float]]) -> str:
    """Does the mean move from the fewest to the most by more than four standard errors? "" where it does not, or one cannot say.

    A standard error is of the largest deviation of any size: five values may lie close together by luck, or at a ceiling.
    """
    known = [np.array([value for value in values if math.isfinite(value)]) for values in by_size]
    known = [values for values in known if len(values)]
    if len(known) < 2 or max(len(values) for values in known) < 2:
        return ""
    deviation = max(values.std(ddof=1) for values in known if len(values) > 1)
    moved = float(known[-1].mean() - known[0].mean())
    if not deviation or abs(moved) <= 4 * deviation * math.sqrt(1 / len(known[0]) + 1 / len(known[-1])):
        return ""
    return "rises" if moved > 0 else "falls"


# -- the page ---------------------------------------------------------------------------------------------------------


def content(
    corpus: Corpus,
    metrics: Mapping[str, Metric],
    left_out: Sequence[str],
    sizes: Sequence[int] = SIZES,
    numbers: Sequence[int] = SPEAKERS,
) -> str:
    """What stands between the markers."""
    start, parts = time.perf_counter(), []
    for split in SPLITS:
        real = real_trial(corpus, split)
        kinds = ladders(real.run, mean_face(corpus, split))
        total = 1 + sum(len(kind.levels) for kind in kinds)
        found = list(tqdm(climb(metrics, real, kinds), desc=split, total=total, unit="system", disable=None, leave=False))
        parts += [
            f"## Damage, {split}",
            f"{len(np.unique(real.speaker))} speakers, {real.run.max() + 1} faces each, against {len(real.gallery)} real faces.",
            ladder_table(found, kinds),
        ]
    real = real_trial(corpus, SPLITS[0])
    head = "| metric | against | " + " | ".join(f"N = {size}" for size in sizes) + " | with N |"
    parts += [
        f"## Number of faces, {SPLITS[0]}",
        f"Real faces, fresh pictures of the {len(np.unique(real.speaker))} speakers by "
        f"the toy world: mean and standard deviation of disjoint sets of N, from {FEWEST_SETS} sets (largest N) to "
        f"{MOST_SETS}.",
        "\n".join([head, "|---|---|" + "--:|" * len(sizes) + "---|", *by_number_of_faces(metrics, real, corpus, sizes)]),
        f"## Number of speakers, {SPLITS[0]}",
        f"The ladder's real faces, {real.run.max() + 1} a speaker: mean and "
        f"standard deviation of {MOST_SETS} random sets of speakers, which overlap the more the larger they are.",
        "\n".join(
            [
                "| metric | " + " | ".join(f"{number} speakers" for number in numbers) + " | with speakers |",
                "|---|" + "--:|" * len(numbers) + "---|",
                *by_number_of_speakers(metrics, real, numbers),
            ]
        ),
    ]
    seconds = time.perf_counter() - start
    taken = (
        f"Taken by `python -m benchmarks.metrics`, {date.today().isoformat()}, in {seconds / 60:.1f} minutes on "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} thread, torch {torch.__version__}. Corpus {CORPUS}, "
        f"{FACE_SIZE} px. Left out, for want of a weight file: {', '.join(left_out) or 'nothing'}.\n\n"
        "Bold: worse than the 95 % interval of the undamaged faces; italic: better than it. `unnoticed`: the interval "
        "covers the worst damage. `prefers it`: the worst damage is said to be better. `order`: some level is said to be "
        "better than a lighter one, with Spearman's rank correlation of level and badness; `=`, most often a floor or "
        "ceiling, is none."
    )
    return "\n\n".join([BEGIN, taken, *parts, END])


def write_page(text: str, page: Path) -> None:
    """Renew what is between the markers; what a person wrote around them stays."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + text + after, encoding="utf-8")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    start = time.perf_counter()
    built = build_metrics(load_protocol("default"))
    metrics = {name: metric for name, metric in built.items() if isinstance(metric, Metric)}
    write_page(content(open_corpus(CORPUS), metrics, [name for name in built if name not in metrics]), PAGE)
    print(f"Wrote {PAGE} in {(time.perf_counter() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
