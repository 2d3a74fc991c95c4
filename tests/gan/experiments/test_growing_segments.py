import numpy as np
import pytest

import gan
from encoders.fusers.base import Fuser
from gan.build import build
from gan.data.corpus import Corpus
from gan.experiments.growing_segments import COUNTS, GrowingSegments
from gan.run import Run
from tests.gan.experiments.conftest import study


@pytest.mark.slow
def test_ever_more_of_the_same_speech(loaded: dict[str, Run], tiny: Corpus) -> None:
    run = loaded["free"]
    own = study(run, tiny, limit=2)
    window, hop = own.window, own.window // 2
    found = GrowingSegments()(own)
    assert [(row["joined_by"], row["segments"]) for row in found.rows] == [
        (way, count) for way in ("whole", "mean embedding") for count in COUNTS
    ]
    assert found.rows[0]["similarity"].value == found.rows[len(COUNTS)]["similarity"].value  # one segment, either way
    for voice, (_, row) in zip(own.voices("unseen_speech"), found.pictures, strict=True):
        speech = np.concatenate(voice.clips)
        for count, picture in zip(COUNTS, row[1:], strict=True):
            assert picture is not None
            assert np.abs(picture.astype(int) - run.generate(speech[: (count - 1) * hop + window])).max() <= 1


@pytest.mark.slow
def test_the_fuser_that_takes_the_mean_is_the_mean(loaded: dict[str, Run], tiny: Corpus) -> None:
    run = gan.load(loaded["free"].path, "cpu")
    run.generator.fuser = build(Fuser, {"name": "mean"}, "fuser", embedding_dim=run.generator.encoder.embedding_dim)
    rows = GrowingSegments()(study(run, tiny, limit=3)).rows
    half = len(rows) // 2
    assert [row["joined_by"] for row in rows] == ["fused"] * half + ["mean embedding"] * half
    for fused, mean in zip(rows[:half], rows[half:], strict=True):
        assert fused["segments"] == mean["segments"]
        assert fused["similarity"].value == pytest.approx(mean["similarity"].value, abs=1e-3)  # a pixel rounds differently


@pytest.mark.slow
def test_one_fixed_length_is_joined_by_its_mean_embedding(loaded: dict[str, Run], tiny: Corpus) -> None:
    found = GrowingSegments()(study(loaded["fixed"], tiny, limit=2))
    assert {row["joined_by"] for row in found.rows} == {"mean embedding"}
    assert "Joined by: mean embedding" in " ".join(found.notes)
