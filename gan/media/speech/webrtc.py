"""WebRTC's voice activity detector with a ring of frames, the rule of SF2F and of voice2face.

SF2F: aggressiveness 1, frames of 30 ms, ring of 10. voice2face: 2, 20 ms, ring of 2. Both take the ring's rule from the example
of py-webrtcvad (J. Wiseman, MIT): speech starts where the ring is full of it and stops where it holds none.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.media.speech.base import DEFAULT_SPANS, EXTRA, SpanSettings, Speech

FRAMES_MS = (10, 20, 30)


class WebRtc(Speech):
    """Frames that WebRTC calls speech, smoothed by a ring of the last frames. Music is taken for speech.

    aggressiveness: 0 to 3; the higher, the less is called speech. frame_ms: 10, 20 or 30. ring_frames: frames in the ring.
    share: a span starts with the ring's first frame once more than that share of the ring is speech; it ends with the ring's last
    frame once more than that share is none. settings: how frames become spans.
    Raises ValueError for other values, and if webrtcvad is not installed.
    """

    def __init__(
        self,
        aggressiveness: int = 1,
        frame_ms: int = 30,
        ring_frames: int = 10,
        share: float = 0.9,
        settings: SpanSettings = DEFAULT_SPANS,
    ):
        try:
            import webrtcvad  # noqa: F401
        except ImportError as error:
            raise ValueError(f'webrtc: needs webrtcvad, which is not installed. Run: pip install "{EXTRA}"') from error
        if aggressiveness not in (0, 1, 2, 3):
            raise ValueError(f"aggressiveness: {aggressiveness} came. Allowed: 0, 1, 2, 3.")
        if frame_ms not in FRAMES_MS:
            raise ValueError(f"frame_ms: {frame_ms} came. Allowed: {', '.join(map(str, FRAMES_MS))}.")
        if ring_frames < 1:
            raise ValueError(f"ring_frames: {ring_frames} came. Allowed: 1 or more.")
        if not 0 <= share < 1:
            raise ValueError(f"share: {share} came. Allowed: 0 or more and below 1.")
        self.aggressiveness, self.ring_frames, self.share, self.settings = aggressiveness, ring_frames, share, settings
        self.frame = frame_ms * SAMPLE_RATE_HZ // 1000
        self.label = (
            f"webrtcvad {version('webrtcvad-wheels')}, aggressiveness {aggressiveness}, {frame_ms} ms, "
            f"ring {ring_frames}, {share:g}, {settings}"
        )

    def voiced(self, waveform: np.ndarray) -> np.ndarray:
        import webrtcvad

        detector = webrtcvad.Vad(self.aggressiveness)  # anew, as it adapts to what it has heard
        samples = np.pad(waveform, (0, -len(waveform) % self.frame)).astype("<i2")
        heard = [detector.is_speech(frame.tobytes(), SAMPLE_RATE_HZ) for frame in samples.reshape(-1, self.frame)]
        return _ringed(np.array(heard, bool), self.ring_frames, self.share)


def _ringed(heard: np.ndarray, size: int, share: float) -> np.ndarray:
    """Frames heard as speech, bool (F,) -> frames inside a span, bool (F,)."""
    inside = np.zeros(len(heard), bool)
    speaking, first = False, 0  # in a span? where the ring begins
    for at in range(len(heard)):
        first = max(first, at + 1 - size)
        ring = heard[first : at + 1]
        if np.count_nonzero(ring != speaking) > share * size:
            speaking = not speaking
            if speaking:
                inside[first : at + 1] = True
            else:
                inside[at] = True
            first = at + 1  # the ring is emptied at each turn
        elif speaking:
            inside[at] = True
    return inside
