import builtins
import importlib.util
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.build import build, names
from gan.data.toy.speakers import draw_speaker
from gan.data.toy.voices import compose, draw_recording, synthesise
from gan.media.speech.base import SpanSettings, Speech, _spans
from tests.properties import examples

DETECTORS = ("energy", "silero", "webrtc")
UNTOUCHED = SpanSettings(0.0, 0.0, 0.0)


def test_the_family() -> None:
    assert names(Speech) == list(DETECTORS)


@pytest.fixture(scope="module")
def voice() -> tuple[np.ndarray, np.ndarray]:
    """Four seconds of babble between two of room tone: int16 (S,), and bool, one each 10 ms: is there speech?"""
    random = np.random.default_rng(3)
    speaker, recording = draw_speaker(3, 0), draw_recording(random)
    before = random.bit_generator.state
    speech = compose(speaker, 4.0, random).speech
    random.bit_generator.state = before
    rest = np.zeros(200, bool)
    spoken = synthesise(speaker, recording, 4.0, random)
    noise = np.rint(random.normal(size=(2, 32_000)) * 3).astype(np.int16)
    return np.concatenate([noise[0], spoken, noise[1]]), np.concatenate([rest, speech, rest])


def called(spans: list[tuple[float, float]], length: int) -> np.ndarray:
    at = np.arange(length) / 100 + 0.005
    return np.any([(start <= at) & (at < end) for start, end in spans], axis=0) if spans else np.zeros(length, bool)


@pytest.mark.parametrize("name", DETECTORS)
def test_speech_is_found_and_silence_is_not(name: str, voice: tuple[np.ndarray, np.ndarray]) -> None:
    waveform, speech = voice
    detector = build(Speech, {"name": name}, "speech")
    spans = detector.spans(waveform)
    found = called(spans, len(speech))
    assert found[speech].mean() > 0.95
    assert found[:150].mean() < 0.05
    assert found[-150:].mean() < 0.05
    assert all(0 <= start < end <= len(waveform) / 16_000 for start, end in spans)
    assert all(end < start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))
    assert detector.spans(waveform) == spans  # nothing is kept from call to call
    assert build(Speech, {"name": name}, "speech").spans(waveform) == spans
    assert detector.label.isprintable()
    assert name in detector.label


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("samples", [0, 1, 100, 511, 512, 513, 8000])
def test_silence_of_any_length(name: str, samples: int) -> None:
    assert build(Speech, {"name": name}, "speech", settings=UNTOUCHED).spans(np.zeros(samples, np.int16)) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_a_moment_of_speech_and_other_kinds(name: str, voice: tuple[np.ndarray, np.ndarray]) -> None:
    detector = build(Speech, {"name": name}, "speech", settings=UNTOUCHED)
    for samples in (1, 30, 700):
        assert all(end <= samples / 16_000 for _, end in detector.spans(voice[0][40_000 : 40_000 + samples]))
    for other in (voice[0].astype(np.float32), voice[0][None]):
        with pytest.raises(ValueError, match=r"waveform: .* came. Allowed: int16 \(S,\), mono, 16 kHz."):
            detector.spans(other)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_last_frame_counts(name: str, voice: tuple[np.ndarray, np.ndarray]) -> None:
    detector = build(Speech, {"name": name}, "speech", settings=UNTOUCHED)
    spoken = voice[0][32_000 : 32_000 + 5 * detector.frame + 7]
    assert len(detector.voiced(spoken)) == 6


def test_energy_needs_a_level() -> None:
    faint = np.rint(np.random.default_rng(0).normal(size=16_000) * 3).astype(np.int16)
    assert build(Speech, {"name": "energy"}, "speech").spans(faint) == []
    assert build(Speech, {"name": "energy", "least_db": -90}, "speech").spans(faint) == [(0.0, 1.0)]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"name": "energy", "below_db": 0}, "speech: below_db: 0.0 came. Allowed: above 0."),
        ({"name": "silero", "threshold": 1.0}, "speech: threshold: 1.0 came. Allowed: above 0 and below 1."),
        ({"name": "webrtc", "aggressiveness": 4}, "speech: aggressiveness: 4 came. Allowed: 0, 1, 2, 3."),
        ({"name": "webrtc", "frame_ms": 25}, "speech: frame_ms: 25 came. Allowed: 10, 20, 30."),
        ({"name": "webrtc", "ring_frames": 0}, "speech: ring_frames: 0 came. Allowed: 1 or more."),
        ({"name": "webrtc", "share": 1.0}, "speech: share: 1.0 came. Allowed: 0 or more and below 1."),
    ],
)
def test_settings_are_checked(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        build(Speech, section, "speech")


def test_span_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^gap_seconds: -1 came. Allowed: 0 or more.$"):
        SpanSettings(gap_seconds=-1)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import, real_find = builtins.__import__, importlib.util.find_spec

    def no_import(name: str, *rest: Any, **more: Any) -> Any:
        if name == "webrtcvad":
            raise ImportError(name)
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_import)
    monkeypatch.setattr("gan.media.speech.silero.find_spec", lambda name: None if name == "silero_vad" else real_find(name))
    with pytest.raises(ValueError, match=r'^speech: webrtc: needs webrtcvad, .* Run: pip install "voxface\[media\]"$'):
        build(Speech, {"name": "webrtc"}, "speech")
    with pytest.raises(ValueError, match=r'^speech: silero: needs silero-vad, .* Run: pip install "voxface\[media\]"$'):
        build(Speech, {"name": "silero"}, "speech")
    build(Speech, {"name": "energy"}, "speech")


spans_of = st.lists(st.integers(0, 200), unique=True, max_size=20).map(
    lambda edges: [[start / 20, end / 20] for start, end in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


@examples(100)
@given(spans_of, st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.25, 2.0]), st.sampled_from([0.0, 0.1, 1.0]))
def test_spans_are_in_order_apart_long_enough_and_inside(
    found: list[list[float]], gap: float, least: float, padding: float
) -> None:
    settings = SpanSettings(gap, least, padding)
    spans = _spans(found, 9.0, settings)
    assert all(0 <= start < end <= 9.0 or start >= 9.0 for start, end in spans)
    assert all(one[1] < other[0] for one, other in zip(spans, spans[1:], strict=False))
    if least:
        assert all(end - start >= min(least, 9.0 - start) - 1e-9 for start, end in spans)


def test_gaps_then_length_then_padding() -> None:
    settings = SpanSettings(gap_seconds=0.1, least_seconds=0.3, padding_seconds=0.05)
    assert _spans([[0.0, 0.2], [0.25, 0.4], [1.0, 1.1], [2.0, 2.5]], 2.52, settings) == [(0.0, 0.45), (1.95, 2.52)]
    assert _spans([[0.0, 0.5], [0.6, 1.0]], 1.0, SpanSettings(0.0, 0.0, 0.05)) == [(0.0, 1.0)]
