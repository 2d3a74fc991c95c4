import numpy as np
import pytest

from gan.media.speech.webrtc import _ringed


@pytest.mark.parametrize(
    ("heard", "size", "share", "inside"),
    [
        ("0110110", 2, 0.9, "0111111"),  # two of two start it, a lone 0 does not stop it
        ("0110011", 2, 0.9, "0111111"),  # two of two stop it, and begin to fill the ring anew
        ("010101", 2, 0.9, "000000"),
        ("0111111111", 10, 0.9, "0000000000"),  # more than 90 % of 10 is 10
        ("1111111111", 10, 0.9, "1111111111"),
        ("01111", 5, 0.7, "11111"),  # the ring's first frame goes with it
        ("11100000", 3, 0.9, "11111100"),
        ("1", 1, 0.9, "1"),
    ],
)
def test_the_ring_starts_and_stops(heard: str, size: int, share: float, inside: str) -> None:
    frames = np.array([letter == "1" for letter in heard])
    assert "".join(str(int(frame)) for frame in _ringed(frames, size, share)) == inside
