"""Who speaks: the mouth of each face against the sound.

An open mouth is dark, and raises the first formant of the voice; so the darkness of the mouth goes with the level of the sound
between 500 and 1100 Hz, and the change of the one with the change of the other. Mere motion would not do: a listener may chew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gan.data.corpus import SAMPLE_RATE_HZ

PATCH = (40, 30)  # px, width and height of the aligned picture of a mouth
WIDTH = 1.05  # of the patch, times the distance of the pupils
DARKEST = 3  # percentile of the patch: what is dark in an open mouth
EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))  # of the 68 points: left and right eye in the picture
CORNERS = (48, 54)  # of the mouth
STEP = 1 / 30  # seconds: both signals are compared at this rate, whatever the film's own
LAGS = 6  # steps by which the sound is moved either way, 0.2 s
BAND_HZ = (500, 1100)
WINDOW = 640  # samples, 40 ms
DEPTH_DB = 20.0  # below the loud moments (95th percentile) of a span, all sound counts alike
NOISE, CHANGE_NOISE = 1.0, 0.25  # of a mouth at rest in the picture, of 255: what moves less has no score
WINDOWS_AT_ONCE = 4096


@dataclass(frozen=True)
class SpeakingSettings:
    """When a face is said to speak. Chosen on scenes of the toy world; benchmarks/who_speaks.py tries them on others.

    least_seconds: shorter spans are not judged; the other values were chosen on spans of 2 s and a little more.
    score: the least that mouth and sound go together, 1 at most.
    margin: by which the best face's score exceeds the next one's, at least.
    lag_seconds: the most that sound and mouth may be out of step where they agree best.
    gap_seconds: the longest time within a span without a look at the face.
    change: the least mean change of the mouth's darkness from step to step, of 255; below it the mouth rests, or is a picture.
    Raises ValueError for a negative value, and for a lag that is not sought.
    """

    least_seconds: float = 2.0
    score: float = 0.5
    margin: float = 0.15
    lag_seconds: float = 0.05
    gap_seconds: float = 0.2
    change: float = 0.3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise ValueError(f"{name}: {value} came. Allowed: 0 or more.")
        if self.least_seconds < 0.5:
            raise ValueError(f"least_seconds: {self.least_seconds} came. Allowed: 0.5 or more.")
        if self.lag_seconds >= LAGS * STEP:
            raise ValueError(f"lag_seconds: {self.lag_seconds} came. Allowed: below {LAGS * STEP:g}.")


DEFAULT_SETTINGS = SpeakingSettings()


@dataclass(frozen=True, eq=False)
class Signals:
    """The mouth of one face, frame by frame. seconds: float64 (F,), rising. darkness: float32 (F,), 0 light to 255 dark."""

    seconds: np.ndarray
    darkness: np.ndarray


@dataclass(frozen=True)
class Decision:
    """Who speaks in a span of time.

    speaker: number of the face, or None for "cannot tell". reason: why not; "" if there is a speaker, else "short" (the span),
    "unseen" (no face is in it throughout), "still" (no mouth moves), "out of step", "apart" (mouth and sound do not go together)
    or "unclear" (two faces are alike). scores: of each face, nan where it is unseen. margin: from the best face to the next, inf
    for a lone one. lag_seconds: by which the sound is late for the best face.
    """

    speaker: int | None
    reason: str
    scores: tuple[float, ...]
    margin: float = 0.0
    lag_seconds: float = 0.0


class Mouth:
    """Watches one face, frame by frame. A frame takes 0.5 ms beside its 68 points; two numbers of it are kept."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float]] = []

    def add(self, seconds: float, image: np.ndarray, points: np.ndarray) -> None:
        """seconds: of the frame. image: uint8 (H, W, 3). points: float (68, 2) px, as evaluation.landmarks.points68_in."""
        self._rows.append((seconds, 255 - float(np.percentile(mouth_patch(image, points), DARKEST))))

    def signals(self) -> Signals:
        rows = np.array(self._rows, np.float64).reshape(-1, 2)
        return Signals(rows[:, 0], rows[:, 1].astype(np.float32))


def mouth_patch(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The mouth turned level and cut out in grey: uint8 (30, 40). Beyond the frame its edge is repeated.

    The eyes give size and turn and the corners of the mouth the place, as the other points of a mouth move when it opens.
    """
    left, right = (points[list(eye)].mean(axis=0) for eye in EYES)
    across = (right - left) * (WIDTH / PATCH[0])  # one px of the patch, in px of the image
    centre = points[list(CORNERS)].mean(axis=0)
    scale = max(float(np.hypot(*across)), 1e-3)
    fine = int(np.ceil(scale))  # a large face is read px by px and then averaged
    width, height = PATCH[0] * fine, PATCH[1] * fine
    along_x = across / fine
    along_y = np.array([-along_x[1], along_x[0]])
    reach = int(np.ceil(scale * np.hypot(*PATCH) / 2)) + 2
    corner = np.floor(centre).astype(int) - reach
    rows, columns = (
        np.clip(np.arange(start, start + 2 * reach), 0, end - 1) for start, end in zip(corner[::-1], image.shape[:2], strict=True)
    )
    around = Image.fromarray(image[rows][:, columns]).convert("L")
    origin = centre - corner - along_x * (width / 2) - along_y * (height / 2)
    affine = (along_x[0], along_y[0], origin[0], along_x[1], along_y[1], origin[1])
    fine_patch = around.transform((width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return np.asarray(fine_patch.reduce(fine))


def decide(
    faces: Sequence[Signals],
    waveform: np.ndarray,
    start: float,
    end: float,
    settings: SpeakingSettings = DEFAULT_SETTINGS,
    sound_start: float = 0.0,
) -> Decision:
    """Which face speaks from start to end, a span of speech in seconds?

    waveform: (S,) at 16 kHz, float or int16; sound_start: time of its first sample. Faces and sound are on one clock.
    A lone face is judged too: a listener, a still or another film's sound is no speaker.
    """
    times = np.arange(start, end, STEP)
    unseen = tuple(float("nan") for _ in faces)
    if end - start < settings.least_seconds:
        return Decision(None, "short", unseen)
    levels = _levels(waveform, times[0] - sound_start + STEP * np.arange(-LAGS, len(times) + LAGS))
    agreements = np.array([_agreement(face, times, levels, settings) for face in faces]).reshape(-1, 2 * LAGS + 1)
    seen = ~np.isnan(agreements[:, 0])
    if not seen.any():
        return Decision(None, "unseen", unseen)
    best_lags = np.where(np.isnan(agreements), -np.inf, agreements).argmax(axis=1) - LAGS
    near = np.abs(np.arange(-LAGS, LAGS + 1)) * STEP <= settings.lag_seconds
    scores = np.where(seen, agreements[:, near].max(axis=1), np.nan)
    best = int(np.nanargmax(scores))
    others = np.delete(scores, best)[np.delete(seen, best)]
    margin = float(scores[best] - others.max()) if len(others) else float("inf")
    if not _moves(faces[best], times, settings):
        reason = "still"
    elif not near[best_lags[best] + LAGS] and agreements[best].max() >= settings.score:
        reason = "out of step"
    elif scores[best] < settings.score:
        reason = "apart"
    elif margin < settings.margin:
        reason = "unclear"
    else:
        reason = ""
    lag = float(best_lags[best] * STEP)
    return Decision(None if reason else best, reason, tuple(scores.tolist()), margin, lag)


def _moves(face: Signals, times: np.ndarray, settings: SpeakingSettings) -> bool:
    return float(np.abs(_change(np.interp(times, face.seconds, face.darkness))).mean()) >= settings.change


def _agreement(face: Signals, times: np.ndarray, levels: np.ndarray, settings: SpeakingSettings) -> list[float]:
    """How well mouth and sound go together at each lag, -1 .. 1; nan if the face is not in sight all the time."""
    inside = face.seconds[(face.seconds > times[0]) & (face.seconds < times[-1])]
    if np.diff(np.concatenate([times[:1], inside, times[-1:]])).max() > settings.gap_seconds:
        return [float("nan")] * (2 * LAGS + 1)
    darkness = np.interp(times, face.seconds, face.darkness)
    heard = np.lib.stride_tricks.sliding_window_view(levels, len(times))
    return [
        (_correlation(darkness, level, NOISE) + _correlation(_change(darkness), _change(level), CHANGE_NOISE)) / 2
        for level in heard
    ]


def _levels(waveform: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Level in the band at each time, in dB, not below DEPTH_DB under the loud moments. Silence before and after the waveform."""
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)
    band = (hz >= BAND_HZ[0]) & (hz < BAND_HZ[1])
    first = np.round(times * SAMPLE_RATE_HZ).astype(np.int64) - WINDOW // 2
    power = []
    for at in range(0, len(first), WINDOWS_AT_ONCE):
        where = first[at : at + WINDOWS_AT_ONCE, None] + np.arange(WINDOW)
        there = (where >= 0) & (where < len(waveform))
        samples = np.where(there, waveform[np.clip(where, 0, len(waveform) - 1)], 0) if len(waveform) else np.zeros(where.shape)
        spectrum = np.fft.rfft(samples * np.hanning(WINDOW))
        power.append((np.square(spectrum.real) + np.square(spectrum.imag))[:, band].sum(axis=1))
    found = np.concatenate(power)
    loud = float(np.percentile(found, 95))
    return 10 * np.log10(np.maximum(found, max(loud * 10 ** (-DEPTH_DB / 10), 1e-12)))


def _change(track: np.ndarray) -> np.ndarray:
    """From step to step, smoothed over three."""
    return np.convolve(np.pad(np.diff(track), 1, mode="edge"), (0.25, 0.5, 0.25), "valid")


def _correlation(mouth: np.ndarray, sound: np.ndarray, noise: float) -> float:
    """Pearson's, with the mouth's own noise added to its variance."""
    mouth, sound = mouth - mouth.mean(), sound - sound.mean()
    scale = np.sqrt((mouth @ mouth + len(mouth) * noise**2) * (sound @ sound))
    return float(mouth @ sound / scale) if scale > 0 else 0.0
