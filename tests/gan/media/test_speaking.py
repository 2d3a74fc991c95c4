import numpy as np
import pytest

from gan.media.speaking import PATCH, Decision, Mouth, Signals, SpeakingSettings, decide, mouth_patch

SECONDS = 4.0


def openings(seed: int, seconds: float = SECONDS, pace: float = 5.0) -> np.ndarray:
    """How far a mouth is open, 0 .. 1, each 10 ms: syllables of random height, so many a second."""
    random = np.random.default_rng(seed)
    knots = random.random(int(seconds * 2 * pace) + 3)
    knots[::2] *= 0.2
    return np.interp(np.arange(0, seconds, 0.01), np.arange(len(knots)) / (2 * pace), knots)


def face(opening: np.ndarray, hz: float = 29.97, seed: int = 0) -> Signals:
    times = np.arange(0, len(opening) / 100 - 0.01, 1 / hz)
    noise = np.random.default_rng(seed).normal(size=len(times))
    darkness = 180 + 40 * np.interp(times, np.arange(len(opening)) / 100, opening) + 0.2 * noise
    return Signals(times, darkness.astype(np.float32))


def sound(opening: np.ndarray) -> np.ndarray:
    """A tone of 800 Hz that is loud where the mouth is open: int16 (S,)."""
    samples = len(opening) * 160
    loud = np.interp(np.arange(samples) / 160, np.arange(len(opening)), opening)
    return np.rint(8000 * loud * np.sin(2 * np.pi * 800 / 16000 * np.arange(samples))).astype(np.int16)


SPEAKER, CHEWER = openings(1), openings(2, pace=4.1)
REST = np.zeros_like(SPEAKER)


@pytest.mark.parametrize("listener", [CHEWER, REST])
@pytest.mark.parametrize("place", [0, 1])
def test_the_mouth_that_goes_with_the_sound_speaks(listener: np.ndarray, place: int) -> None:
    faces = [face(listener, seed=1)]
    faces.insert(place, face(SPEAKER))
    decision = decide(faces, sound(SPEAKER), 0.0, SECONDS)
    assert (decision.speaker, decision.reason) == (place, "")
    assert abs(decision.lag_seconds) <= 0.034
    assert decision.margin > 0.15
    assert decision.scores[place] == max(decision.scores)


@pytest.mark.parametrize(
    ("faces", "heard", "reason"),
    [
        ([REST], SPEAKER, "still"),  # a still, or a listener
        ([CHEWER], SPEAKER, "apart"),  # a listener that chews, a dubbed film
        ([CHEWER, REST], SPEAKER, "apart"),
        ([SPEAKER], REST, "apart"),  # no sound
        ([SPEAKER, SPEAKER], SPEAKER, "unclear"),
        ([SPEAKER], np.roll(SPEAKER, 12), "out of step"),
        ([], SPEAKER, "unseen"),
    ],
)
def test_what_it_cannot_tell(faces: list[np.ndarray], heard: np.ndarray, reason: str) -> None:
    decision = decide([face(one) for one in faces], sound(heard), 0.0, SECONDS)
    assert (decision.speaker, decision.reason) == (None, reason)
    if reason == "out of step":
        assert decision.lag_seconds == pytest.approx(0.12, abs=0.04)


def test_a_perfect_still_scores_nothing() -> None:
    still = Signals(np.arange(0, SECONDS, 0.04), np.full(100, 200, np.float32))
    decision = decide([still], sound(SPEAKER), 0.0, SECONDS)
    assert decision == Decision(None, "still", (0.0,), float("inf"), decision.lag_seconds)


def test_short_spans_and_faces_that_go_are_not_judged() -> None:
    speaker = face(SPEAKER)
    assert decide([speaker], sound(SPEAKER), 1.0, 1.5).reason == "short"
    half = Signals(speaker.seconds[:60], speaker.darkness[:60])
    assert decide([half], sound(SPEAKER), 0.0, SECONDS).reason == "unseen"
    decision = decide([half, speaker], sound(SPEAKER), 0.0, SECONDS)
    assert (decision.speaker, decision.margin) == (1, float("inf"))
    assert np.isnan(decision.scores[0])
    empty = Signals(np.zeros(0), np.zeros(0, np.float32))
    assert decide([empty], sound(SPEAKER), 0.0, SECONDS).reason == "unseen"


@pytest.mark.parametrize("hz", [15.0, 23.976, 29.97, 60.0])
def test_any_frame_rate_and_any_clock(hz: float) -> None:
    speaker = face(SPEAKER, hz)
    later = Signals(speaker.seconds + 100, speaker.darkness)
    decision = decide([later], sound(SPEAKER), 100.0, 100 + SECONDS, sound_start=100.0)
    assert decision.speaker == 0
    scaled = decide([later], sound(SPEAKER) / np.float32(32768), 100.0, 100 + SECONDS, sound_start=100.0)
    assert scaled.scores == pytest.approx(decision.scores, abs=1e-3)


def test_sound_that_ends_before_the_pictures_counts_as_silence() -> None:
    assert decide([face(SPEAKER)], sound(SPEAKER)[:100], 0.0, SECONDS).speaker is None
    assert decide([face(SPEAKER)], np.zeros(0, np.int16), 0.0, SECONDS).speaker is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"score": -1.0}, "score: -1.0 came. Allowed: 0 or more."),
        ({"least_seconds": 0.1}, "least_seconds: 0.1 came. Allowed: 0.5 or more."),
        ({"lag_seconds": 0.2}, "lag_seconds: 0.2 came. Allowed: below 0.2."),
        ({"margin": float("nan")}, "margin: nan came. Allowed: 0 or more."),
    ],
)
def test_settings_are_checked(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpeakingSettings(**values)


def points(centre: tuple[float, float], pupils: float, turn: float) -> np.ndarray:
    """68 points of which eyes and corners of the mouth are true: pupils above a mouth at `centre`, turned by `turn` rad."""
    level = np.zeros((68, 2))
    level[36:42], level[42:48] = (-pupils / 2, -pupils), (pupils / 2, -pupils)
    level[48], level[54] = (-pupils / 2, 0), (pupils / 2, 0)
    sin, cos = np.sin(turn), np.cos(turn)
    return level @ np.array([[cos, sin], [-sin, cos]]) + centre


def mouth_image(centre: tuple[float, float], pupils: float, turn: float, height: float) -> np.ndarray:
    """A light picture with a dark ellipse, as wide as half the distance of the pupils."""
    y, x = np.mgrid[:200, :300] + 0.5
    along = np.cos(turn) * (x - centre[0]) + np.sin(turn) * (y - centre[1])
    down = np.cos(turn) * (y - centre[1]) - np.sin(turn) * (x - centre[0])
    inside = np.square(along / (pupils / 4)) + np.square(down / height) < 1
    return np.where(inside[..., None], 20, 200).astype(np.uint8).repeat(3, axis=2)


@pytest.mark.parametrize("turn", [0.0, 0.4, -0.4])
@pytest.mark.parametrize("pupils", [30.0, 90.0])
def test_a_mouth_is_cut_out_level_and_at_one_size(turn: float, pupils: float) -> None:
    patch = mouth_patch(mouth_image((150, 110), pupils, turn, pupils / 8), points((150, 110), pupils, turn)).astype(float)
    assert patch.shape == PATCH[::-1]
    level = mouth_patch(mouth_image((150, 110), 60, 0.0, 60 / 8), points((150, 110), 60, 0.0)).astype(float)
    assert np.abs(patch - level).mean() < 6
    assert abs((200 - patch)[:, :20].sum() - (200 - patch)[:, 20:].sum()) < 0.1 * (200 - patch).sum()


def test_an_open_mouth_is_darker_also_at_the_edge_of_the_frame() -> None:
    mouth = Mouth()
    assert len(mouth.signals().seconds) == 0
    for seconds, height in ((0.0, 0.2), (0.04, 8.0)):
        mouth.add(seconds, mouth_image((150, 110), 60, 0.0, height), points((150, 110), 60, 0.0))
    signals = mouth.signals()
    assert signals.seconds.tolist() == [0.0, 0.04]
    assert signals.darkness[1] > signals.darkness[0] + 100
    for centre in ((0, 0), (-500, 300), (299, 199)):
        mouth.add(1.0, np.full((200, 300, 3), 90, np.uint8), points(centre, 60, 0.0))
        assert mouth.signals().darkness[-1] == pytest.approx(165, abs=1)  # the edge is repeated, not filled with black
