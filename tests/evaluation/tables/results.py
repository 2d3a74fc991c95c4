"""Results rows for tests of tables, and tables read back."""

from zlib import crc32

import numpy as np


def row(system="a", metric="recall@1", value=0.5, **changes):
    content = dict(
        system=system,
        run=None,
        step=None,
        training_seed=None,
        corpus="toy",
        split="unseen_speech",
        protocol={"runs": 10, "seconds": 1.25},
        metric=metric,
        value=value,
        interval=[0.25, 0.75],
        chance=0.1,
        upper=0.9,
        extractor="net 1",
        note="gallery of 10 speakers",
        higher_is_better=True,
    )
    return content | changes


def lines(text):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]


def cells(text, column=1):
    return {line[0]: line[column] for line in lines(text)[2:]}


def stored(folder, system, shift, metric="recall@1", better=True, noise=0.1, **changes):
    """A row with scores of 20 speakers, all of them better by `shift`."""
    rng = np.random.default_rng(crc32(f"{system} {metric}".encode()))
    speaker = np.tile(np.arange(20), 3)
    value = np.tile(np.random.default_rng(0).normal(0, 0.1, 20), 3) + shift + rng.normal(0, noise, 60)
    (folder / "scores").mkdir(exist_ok=True)
    name = f"scores/{system}-{metric.replace('@', '')}-{changes.get('training_seed')}.npz"
    np.savez(folder / name, speaker=speaker, clip=speaker, run=np.repeat(np.arange(3), 20), value=value)
    return row(system, metric, float(value.mean()), scores=name, higher_is_better=better, **changes)
