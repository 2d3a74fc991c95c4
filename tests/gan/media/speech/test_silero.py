import numpy as np
import pytest
import torch

from gan.data.toy.speakers import draw_speaker
from gan.data.toy.voices import draw_recording, synthesise
from gan.media.speech import silero
from gan.media.speech.silero import Silero


@pytest.fixture(scope="module")
def waveform() -> np.ndarray:
    """Two seconds and a bit of babble, between silence."""
    random = np.random.default_rng(5)
    spoken = synthesise(draw_speaker(5, 0), draw_recording(random), 2.0, random)
    return np.concatenate([np.zeros(8000, np.int16), spoken, np.zeros(8003, np.int16)])


def test_probabilities_are_those_of_the_model_frame_by_frame(waveform: np.ndarray) -> None:
    detector = Silero()
    model = torch.jit.load(str(detector.path), map_location="cpu").eval()
    padded = np.pad(waveform, (0, -len(waveform) % 512)).astype(np.float32) / 32_768
    with torch.no_grad():
        expected = [float(model(torch.from_numpy(frame[None]), 16_000)) for frame in padded.reshape(-1, 512)]
    assert detector.probability(waveform) == pytest.approx(np.array(expected), abs=1e-4)
    assert max(expected) > 0.9
    assert min(expected) < 0.1


def test_pieces_make_no_difference(waveform: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Silero().probability(waveform)
    monkeypatch.setattr(silero, "FRAMES_AT_ONCE", 7)
    assert Silero().probability(waveform) == pytest.approx(whole, abs=1e-4)


def test_threads_and_gradients_stay_as_they_are(waveform: np.ndarray) -> None:
    threads = torch.get_num_threads()
    Silero().spans(waveform)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_between_the_two_thresholds_speech_goes_on(waveform: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    row = np.array([0.4, 0.6, 0.4, 0.36, 0.3, 0.4, 0.5], np.float32)
    monkeypatch.setattr(Silero, "probability", lambda self, waveform: row)
    # False, True, True, True, False, False, True; and that two frames earlier
    assert Silero().voiced(waveform).tolist() == [True, True, False, False, True, True, True]
