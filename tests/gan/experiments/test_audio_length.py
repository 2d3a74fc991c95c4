import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.experiments.audio_length import AudioLength
from tests.gan.experiments.conftest import Painter, paint, study
from tests.sound import write_wav


@pytest.mark.slow
def test_lengths_of_the_same_speech_inside_one_another(painter: Painter, tiny: Corpus) -> None:
    own = study(painter, tiny, limit=3)
    found = AudioLength()(own)
    assert [row["seconds"] for row in found.rows] == [0.3, 0.7, 1, 2, 4]
    assert found.columns == ["real", "0.3 s", "0.7 s", "1 s", "2 s", "4 s"]
    lengths = [[len(waveform) for waveform in call] for call in painter.drawn]
    assert lengths == [[samples] * 3 for samples in (4800, 11_200, 16_000, 32_000, 64_000)]
    for voice, (_, row), number in zip(own.voices("unseen_speech"), found.pictures, range(3), strict=True):
        assert np.array_equal(row[1], paint(painter.drawn[0][number]))
        whole = painter.drawn[-1][number]
        assert any(np.array_equal(whole, clip) for clip in voice.clips)
        assert np.array_equal(painter.drawn[2][number], whole[24_000:40_000])


@pytest.mark.slow
def test_what_the_encoder_and_the_speech_allow(tiny: Corpus, tmp_path) -> None:
    """An encoder of 0.9 s: shorter clips, and its own length; it says what becomes of them."""
    found = AudioLength()(study(Painter(0.9, input_frames=14_400), tiny, limit=2))
    assert [row["seconds"] for row in found.rows] == [0.3, 0.7, 0.9]
    assert "followed by silence" in " ".join(found.notes)
    assert "Left out: 1, 2, 4 s" in " ".join(found.notes)
    needy = Painter()
    needy.generator.encoder.min_frames = 12_000
    assert [row["seconds"] for row in AudioLength()(study(needy, tiny, limit=2)).rows] == [1, 2, 4]
    for name, samples in (("short", 12_000), ("long", 40_000)):
        write_wav(tmp_path / f"{name}.wav", tiny.waveform(0)[:samples])
    found = AudioLength()(study(Painter(), tiny, audio=[tmp_path / "short.wav", tmp_path / "long.wav"]))
    assert [(row["seconds"], row["speakers"]) for row in found.rows] == [(0.3, 2), (0.7, 2), (1, 1), (2, 1)]
    assert found.pictures[0][1][3] is None
    assert "silence" not in " ".join(found.notes)
