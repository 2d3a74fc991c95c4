"""Who says what, from arrays: a speaker's mouth, a listener's, faces that come and go, the place that a list names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.media.speaking import SpeakingSettings
from gan.raw.item import Item
from gan.raw.voices import SLIVER_SECONDS, Voice, VoiceSettings, _cut, _longer, _pieces, joined, voices
from tests.gan.media.test_speaking import face, openings, sound
from tests.gan.raw.stored import part
from tests.properties import examples

SECONDS = 8.0
SPEAKER, CHEWER = openings(1, SECONDS), openings(2, SECONDS, pace=4.1)
REST = np.zeros_like(SPEAKER)
ALL = (0.0, SECONDS)
SPEECH = [(0.2, 3.0), (4.0, 7.8)]
LISTED = Item("f/0-8", Path("f.mp4"), "f", centre=(0.25, 0.5))
LEFT, RIGHT = (110.0, 130.0, 210.0, 230.0), (430.0, 130.0, 530.0, 230.0)  # in 640 x 360; the first is where LISTED says


def mouth(opening: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    signals = face(opening, seed=seed)
    return signals.seconds, signals.darkness


def kept(found: list[Voice]) -> list[tuple[int, float, float]]:
    return [(voice.track, round(voice.start, 3), round(voice.end, 3)) for voice in found]


def test_the_speaker_s_mouth_is_believed_and_the_listener_s_not() -> None:
    mouths = {0: mouth(CHEWER), 1: mouth(SPEAKER)}
    found, left = voices(part(sound(SPEAKER), SPEECH, [ALL, ALL], mouths), VoiceSettings(), SpeakingSettings())
    assert kept(found) == [(1, 0.2, 3.0), (1, 4.0, 7.8)]
    assert not left
    assert all(voice.score > 0.5 and abs(voice.lag_seconds) <= 0.05 for voice in found)
    dubbed = part(sound(openings(7, SECONDS, pace=3.3)), SPEECH, [ALL, ALL], mouths)
    found, left = voices(dubbed, VoiceSettings(), SpeakingSettings())
    assert not found
    assert sum(left.values()) == pytest.approx(6.6)
    found, left = voices(part(sound(SPEAKER), SPEECH, [ALL], {0: mouth(REST)}), VoiceSettings(), SpeakingSettings())
    assert not found
    assert set(left) == {"still"}


def test_a_lone_face_that_is_looked_at_now_and_then_is_believed_until_it_is_seen_otherwise() -> None:
    times, dark = mouth(SPEAKER)
    early = times < 3.5
    found, left = voices(
        part(sound(SPEAKER), SPEECH, [ALL], {0: (times[early], dark[early])}), VoiceSettings(), SpeakingSettings()
    )
    assert kept(found) == [(0, 0.2, 3.0), (0, 4.0, 7.8)]
    found, left = voices(part(sound(SPEAKER), SPEECH, [ALL]), VoiceSettings(), SpeakingSettings())
    assert not found
    assert left == {"not looked at": pytest.approx(6.6)}
    # It speaks in the first stretch, and rests in the second while another is heard.
    dark = np.where(times < 3.2, dark, 180).astype(np.float32)
    speech = [*SPEECH[:1], (4.0, 5.0), (7.0, 7.8)]
    looked = times < 6.3
    found, left = voices(
        part(sound(SPEAKER), speech, [ALL], {0: (times[looked], dark[looked])}), VoiceSettings(), SpeakingSettings()
    )
    assert kept(found) == [(0, 0.2, 3.0)]
    assert set(left) == {"still", "not looked at"}


def test_faces_that_come_and_go_cut_a_stretch() -> None:
    shots = [(0.0, 4.0), (4.0, SECONDS)]  # two people, one after the other
    times, dark = mouth(SPEAKER)
    mouths = {0: (times[times < 4], dark[times < 4]), 1: (times[times >= 4], dark[times >= 4])}
    found, _ = voices(part(sound(SPEAKER), [(1.0, 7.0)], shots, mouths), VoiceSettings(), SpeakingSettings())
    assert kept(found) == [(0, 1.0, 4.0), (1, 4.0, 7.0)]
    found, left = voices(
        part(sound(SPEAKER), [(1.0, 7.0)], [(0.0, 4.0)], {0: mouth(SPEAKER)}), VoiceSettings(), SpeakingSettings()
    )
    assert kept(found) == [(0, 1.0, 4.0)]
    assert left == {"nobody is in sight": pytest.approx(3.0)}


def test_the_face_that_a_list_names_speaks_whatever_its_mouth_does() -> None:
    two = part(sound(SPEAKER), SPEECH, [ALL, ALL], {}, [RIGHT, LEFT], item=LISTED)
    found, left = voices(two, VoiceSettings(), SpeakingSettings())
    assert kept(found) == [(1, 0.2, 3.0), (1, 4.0, 7.8)]
    assert not left
    whole, _ = voices(two, VoiceSettings(cut="whole"), SpeakingSettings())
    assert kept(whole) == [(1, 0.0, 8.0)]
    elsewhere = part(sound(SPEAKER), SPEECH, [ALL], {}, [RIGHT], item=LISTED)
    found, left = voices(elsewhere, VoiceSettings(), SpeakingSettings())
    assert not found
    assert left == {"no face at the speaker's place": pytest.approx(6.6)}


def test_who_comes_to_the_named_place_later_is_not_meant() -> None:
    """The next shot's face lies nearer to the place than that of the first."""
    shots = [(0.0, 4.0), (4.0, SECONDS)]
    near = (LEFT[0] + 20, LEFT[1], LEFT[2] + 20, LEFT[3])
    found, left = voices(part(sound(SPEAKER), SPEECH, shots, {}, [near, LEFT], item=LISTED), VoiceSettings(), SpeakingSettings())
    assert kept(found) == [(0, 0.2, 3.0)]
    assert "the speaker is out of sight" in left


def test_after_the_first_part_the_place_says_nothing_and_the_mouth_decides() -> None:
    times, dark = mouth(SPEAKER)
    mouths = {0: (times + 60, dark), 1: (times + 60, mouth(CHEWER)[1])}
    spans = [(start + 60, end + 60) for start, end in SPEECH]
    later = part(sound(SPEAKER), spans, [(60, 68), (60, 68)], mouths, [RIGHT, LEFT], item=LISTED, number=1, start=60.0)
    assert kept(voices(later, VoiceSettings(), SpeakingSettings())[0]) == [(0, 60.2, 63.0), (0, 64.0, 67.8)]


def test_sound_without_pictures_is_the_speaker_s_whom_the_source_names() -> None:
    found, left = voices(part(sound(SPEAKER), SPEECH, seen=False), VoiceSettings(), SpeakingSettings())
    assert kept(found) == [(-1, 0.2, 3.0), (-1, 4.0, 7.8)]
    assert not left


def test_lone_and_whole() -> None:
    lone = VoiceSettings(whose="lone")
    found, left = voices(part(sound(SPEAKER), SPEECH, [ALL]), lone, SpeakingSettings())
    assert sum(voice.end - voice.start for voice in found) == pytest.approx(6.6)
    assert {voice.track for voice in found} == {0}
    found, left = voices(part(sound(SPEAKER), SPEECH, [ALL, ALL]), lone, SpeakingSettings())
    assert not found
    assert left == {"several faces": pytest.approx(6.6)}
    whole = VoiceSettings(cut="whole", whose="lone")
    assert kept(voices(part(sound(SPEAKER), SPEECH, [ALL]), whole, SpeakingSettings())[0]) == [(0, 0.0, 8.0)]
    found, left = voices(part(sound(SPEAKER), SPEECH, [(0.0, 3.5), (3.5, 8.0)]), whole, SpeakingSettings())
    assert not found
    assert left == {"several people speak": pytest.approx(8.0)}


def test_clips_are_cut_where_they_are_too_long_and_left_where_too_short() -> None:
    left: dict[str, float] = {}
    run = [Voice(0, 0, 12, 0.8, 0.0), Voice(0, 12, 25, 0.6, 0.1), Voice(1, 25, 25.5, 0.9, 0.0)]
    found = _cut(run, VoiceSettings(), left)
    assert [round(voice.end - voice.start, 3) for voice in found] == [8.333] * 3
    assert found[0].score == pytest.approx(0.7)
    assert left == {"shorter than a clip": 0.5}


def test_short_pauses_do_not_end_a_stretch() -> None:
    assert joined([(0, 1), (1.2, 2), (2.8, 3)], 0.5) == [(0, 2), (2.8, 3)]


spans = st.tuples(st.floats(0, 50), st.floats(0.1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@examples(100)
@given(span=spans, edges=st.lists(st.floats(-5, 80), max_size=8), least=st.floats(0.5, 5))
def test_pieces_cover_a_stretch(span: tuple[float, float], edges: list[float], least: float) -> None:
    pieces = _pieces(*span, sorted(edges), least)
    assert all(end > start for start, end in pieces)
    assert all(a[1] <= b[0] + 1e-9 for a, b in zip(pieces, pieces[1:], strict=False))
    assert all(end - start < 2 * least for start, end in pieces)
    covered = sum(end - start for start, end in pieces)
    assert span[1] - span[0] - (len(edges) + 1) * SLIVER_SECONDS <= covered <= span[1] - span[0] + 1e-6
    assert not any(start + 1e-6 < edge < end - 1e-6 for start, end in pieces for edge in edges)


@examples(100)
@given(span=spans, before=st.floats(0, 3), after=st.floats(0, 3), come=st.floats(0, 3), go=st.floats(0, 3), alone=st.booleans())
def test_a_short_piece_takes_silence_but_not_what_is_out_of_sight(
    span: tuple[float, float], before: float, after: float, come: float, go: float, alone: bool
) -> None:
    silence, sight = (span[0] - before, span[1] + after), (span[0] - come, span[1] + go)
    first, last = _longer(*span, silence, sight, 2.0, alone)
    assert first <= span[0]
    assert last >= span[1]
    assert first >= sight[0] - 1e-6
    assert last <= sight[1] + 1e-6
    if not alone:
        assert first >= silence[0] - 1e-6
        assert last <= silence[1] + 1e-6
    assert last - first <= max(2.0 + 2e-3, span[1] - span[0] + 1e-6)
    if min(come, before) + min(go, after) + span[1] - span[0] > 2.01:
        assert last - first > 2.0


@pytest.mark.parametrize(
    ("key", "value"), [("cut", "half"), ("whose", "all"), ("pause_seconds", -1.0), ("shortest_seconds", 20.0)]
)
def test_settings_are_checked(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"voices.{key}"):
        replace(VoiceSettings(), **{key: value})
