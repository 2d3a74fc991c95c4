import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.experiments.averaging import Averaging
from tests.gan.experiments.conftest import Painter, paint, study
from tests.sound import write_wav


@pytest.mark.slow
def test_one_clip_is_the_plain_face_and_several_their_mean(painter: Painter, tiny: Corpus) -> None:
    own = study(painter, tiny, limit=3)
    voices = own.voices("unseen_speech")
    found = Averaging()(own)
    assert [row["clips"] for row in found.rows] == [1, 2, 4, 8]
    assert found.columns == ["real", "one clip", "mean of 2", "mean of 4", "mean of 8"]
    for voice, (caption, row) in zip(voices, found.pictures, strict=True):
        clips = [clip[start : start + 8000] for clip in voice.clips for start in range(0, 64_000, 8000)]
        assert caption == voice.name
        assert np.array_equal(row[0], voice.faces[0])
        assert np.array_equal(row[1], paint(clips[0]))
        for count, picture in zip((2, 4, 8), row[2:], strict=True):
            assert np.array_equal(picture, paint(np.mean(clips[:count], axis=0)))
    assert found.rows[0]["to_clips"].value == pytest.approx(1)
    assert np.isnan(found.rows[0]["change"].value)
    assert found.rows[1]["change"].value == pytest.approx(found.rows[1]["similarity"].value - found.rows[0]["similarity"].value)


@pytest.mark.slow
def test_voices_with_too_few_clips_drop_out(painter: Painter, tiny: Corpus, tmp_path) -> None:
    """Half a second each: one clip, three clips, eight."""
    for name, samples in (("one", 8000), ("three", 24_000), ("eight", 64_000)):
        write_wav(tmp_path / f"{name}.wav", tiny.waveform(0)[:samples])
    found = Averaging()(study(painter, tiny, audio=[tmp_path / f"{name}.wav" for name in ("one", "three", "eight")]))
    assert [(row["clips"], row["speakers"]) for row in found.rows] == [(1, 2), (2, 2), (4, 1), (8, 1)]
    assert [[picture is None for picture in row] for _, row in found.pictures] == [
        [True, False, False, True, True],
        [True, False, False, False, False],
    ]
