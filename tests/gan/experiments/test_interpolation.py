import numpy as np
import pytest

from gan.data.audio import middle
from gan.data.corpus import Corpus
from gan.experiments.interpolation import WEIGHTS, Interpolation
from tests.gan.experiments.conftest import Painter, paint, study


@pytest.mark.slow
def test_the_ends_are_the_plain_faces_and_the_middle_is_the_mixture(painter: Painter, tiny: Corpus) -> None:
    own = study(painter, tiny, limit=5)
    voices = own.voices("unseen_speech")
    found = Interpolation()(own)
    assert [row["a"] for row in found.rows] == list(WEIGHTS)
    assert found.columns == ["real A", *(f"a = {weight:g}" for weight in WEIGHTS), "real B"]
    assert len(found.pictures) == 5
    for number, (caption, row) in enumerate(found.pictures):
        a, b = voices[number], voices[(number + 1) % 5]
        assert caption == f"A: {a.name}\nB: {b.name}"
        speech_a, speech_b = middle(a.clips[0], 0.5), middle(b.clips[0], 0.5)
        assert np.array_equal(row[0], a.faces[0])
        assert np.array_equal(row[-1], b.faces[0])
        assert np.array_equal(row[1], paint(speech_a))
        assert np.array_equal(row[-2], paint(speech_b))
        assert np.array_equal(row[6], paint((speech_a + speech_b) / 2))
        assert np.abs(row[2].astype(int) - paint(np.float32(0.9) * speech_a + np.float32(0.1) * speech_b)).max() <= 1
    assert found.rows[0]["to_drawn_a"].value == pytest.approx(1)
    assert found.rows[-1]["to_drawn_b"].value == pytest.approx(1)
    assert found.rows[0]["to_drawn_b"].value == pytest.approx(found.rows[-1]["to_drawn_a"].value)
    # Third voices, each at a place of its own pair: never A, never B.
    for shift, call in zip((2, 3, 4), painter.drawn[len(WEIGHTS) :], strict=True):
        assert all(
            np.array_equal(waveform, middle(voices[(number + shift) % 5].clips[0], 0.5)) for number, waveform in enumerate(call)
        )


def test_two_voices_are_one_pair_without_a_third(painter: Painter, tiny: Corpus) -> None:
    found = Interpolation()(study(painter, tiny, limit=2))
    assert len(found.pictures) == 1
    assert all(row["pairs"] == 1 and np.isnan(row["to_others"].value) for row in found.rows)


@pytest.mark.slow
def test_the_shorter_voice_decides_the_length(painter: Painter, tiny: Corpus, tmp_path) -> None:
    from tests.sound import write_wav

    write_wav(tmp_path / "short.wav", tiny.waveform(0)[:3000])
    write_wav(tmp_path / "long.wav", tiny.waveform(1))
    Interpolation()(study(painter, tiny, audio=[tmp_path / "short.wav", tmp_path / "long.wav"]))
    assert {len(waveform) for call in painter.drawn for waveform in call} == {3000}
