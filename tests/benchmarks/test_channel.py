import importlib.util
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate, resample_poly

from benchmarks import channel
from benchmarks.channel import Share, Truth
from gan.data.toy.films import Film, Person, dubbed, plan
from gan.data.toy.speakers import draw_speaker

HOST, GUEST = Person("p000", draw_speaker(1, 0)), Person("s000", draw_speaker(1, 1))
needs_av = pytest.mark.skipif(not importlib.util.find_spec("av"), reason="PyAV is not installed")


def film(*kinds: str, rate: str = "29.97") -> Film:
    return plan("p000/f00", HOST, GUEST, kinds, 4, (96, 54), rate, (30.0, 40.0), (1.5, 2.5))


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(json.loads(json.dumps(film("speaker", "chewing", "still", "voice_over", "listener", "music_alone").truth())))


def scene(truth: Truth, kind: str) -> dict:
    return next(one for one in truth.scenes if one["kind"] == kind)


@needs_av
@pytest.mark.slow
@pytest.mark.parametrize("rate", ["29.97", "variable"])
def test_frames_and_sound_are_read_at_the_time_they_were_planned(rate: str, tmp_path: Path) -> None:
    import av

    made = film("speaker", rate=rate)
    path = tmp_path / "p000" / "f00.mp4"
    channel.write_film(made, path)
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        times = [Fraction(frame.pts) * frame.time_base for frame in container.decode(video=0)]
    assert times == [Fraction(tick, 90_000) for tick in made.ticks.tolist()]
    with av.open(str(path)) as container:
        parts = list(container.decode(audio=0))
    assert parts[0].pts == 0
    sound, true = np.concatenate([part.to_ndarray()[0] for part in parts]), resample_poly(made.waveform(), 3, 1)
    assert 0 <= len(sound) - len(true) < 2048
    assert np.argmax(correlate(sound, true, method="fft")) == len(true) - 1
    assert Truth.read(path).times == pytest.approx(made.times, abs=1e-6)


@needs_av
@pytest.mark.slow
def test_a_tiny_channel(tmp_path: Path) -> None:
    paths = channel.tiny_channel(tmp_path, seed=1)
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        f"p00{one}/f0{film}.mp4" for one in range(3) for film in range(2)
    ]
    truths = [Truth.read(path) for path in paths]
    assert [truth.rate for truth in truths] == ["29.97", "variable"] * 3
    assert all(6 <= truth.end <= 8 and truth.size == (320, 180) for truth in truths)
    assert all(face["size"] >= 90 for truth in truths for one in truth.scenes for face in one["faces"])


@needs_av
@pytest.mark.slow
def test_the_command_writes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channel.main([str(tmp_path), "--set", "lone_faces", "--people", "1", "--films", "1", "--size", "64", "36"])
    assert "1 films" in capsys.readouterr().out
    assert {scene["kind"] for scene in Truth.read(tmp_path / "p000" / "f00.mp4").scenes} == {"speaker", "listener"}


@pytest.mark.slow
@pytest.mark.parametrize("name", channel.SETS)
def test_sets_are_of_as_many_films_as_asked_and_follow_the_seed(name: str) -> None:
    films = list(channel.SETS[name](3, 2, 2, (96, 54)))
    assert [one.name for one in films] == ["p000/f00", "p000/f01", "p001/f00", "p001/f01"]
    again = list(channel.SETS[name](3, 2, 2, (96, 54)))
    assert films[1].truth() == again[1].truth() != next(iter(channel.SETS[name](4, 2, 2, (96, 54)))).truth()
    if name == "overlaid":
        assert [one.sound_from for one in films] == ["p001/f00", "p001/f01", "p000/f00", "p000/f01"]


@pytest.mark.slow
def test_twelve_segments_a_film_of_lone_faces() -> None:
    made = Truth(next(channel.lone_faces(3, 1, 1, (96, 54))).truth())
    segments = made.segments(1)
    assert [one.speaker for one in segments] == (["p000"] * 2 + [None] * 2) * 3


@pytest.mark.slow
def test_twelve_segments_a_film_of_two_faces() -> None:
    made = Truth(next(channel.two_faces(3, 1, 1, (96, 54))).truth())
    segments = made.segments(2)
    assert len(segments) == 12
    assert sum(one.kind == "chewing" for one in segments) == 6
    assert all(one.speaker in one.shown and one.end - one.start >= 2 for one in segments)


def test_looks_are_of_the_size_and_turn_asked_for() -> None:
    seen = list(channel.looks(3, 2, 33.0, 0.4, (96, 54)))
    for image, box in seen:
        assert image.shape == (54, 96, 3)
        assert box[2] - box[0] == pytest.approx(33, abs=1)
    assert not np.array_equal(seen[0][0], seen[1][0])


def test_persons_are_told_by_their_boxes(truth: Truth) -> None:
    one = scene(truth, "chewing")
    seconds = (one["start"] + one["end"]) / 2
    left, right = truth.faces(seconds)
    assert truth.person_at(seconds, left.box) == left.name != right.name == truth.person_at(seconds, right.box)
    tight = right.box + np.array([8, 8, -8, -6])
    assert truth.person_at(seconds, tight) == right.name
    assert truth.person_at(seconds, (0, 0, 5, 5)) is None
    assert truth.person_at(seconds, (0, 0, 96, 54)) is None
    assert truth.person_at(scene(truth, "voice_over")["start"] + 0.5, left.box) is None


def test_who_speaks_and_who_is_seen_to(truth: Truth) -> None:
    by_kind = {}
    for one in truth.scenes:
        turns = [turn for turn in truth.turns if one["start"] <= turn["start"] < one["end"]]
        middle = (turns[0]["start"] + turns[0]["end"]) / 2 if turns else one["start"] + 0.5
        by_kind[one["kind"]] = (truth.speaking(middle), truth.seen_speaking(middle))
    assert by_kind["speaker"] == ({"p000"}, {"p000"})
    assert by_kind["still"] == by_kind["voice_over"] == ({"p000"}, set())
    assert by_kind["music_alone"] == (set(), set())
    assert len(by_kind["listener"][0]) == 1
    assert not by_kind["listener"][1]
    assert len(by_kind["chewing"][0]) == 1
    assert by_kind["chewing"][0] == by_kind["chewing"][1]


def test_a_film_with_the_sound_of_another_has_no_speaker() -> None:
    made = Truth(dubbed(film("speaker"), film("speaker", "speaker")).truth())
    assert made.turns
    assert not any(made.seen_speaking(seconds) for seconds in made.times)
    assert all(segment.speaker is None for segment in made.segments(1, seconds=0.3))


def test_a_frame_is_seen_until_the_next(truth: Truth) -> None:
    assert [truth.frame(float(seconds)) for seconds in truth.times[:5]] == [0, 1, 2, 3, 4]
    assert truth.frame(float(truth.times[4]) - 1e-3) == 3
    assert (truth.frame(-1.0), truth.frame(1e9)) == (0, len(truth.times) - 1)
    for cut, one in zip(truth.cuts, truth.scenes[1:], strict=True):
        assert truth.scene(cut) is one
        assert truth.scene(cut - 1e-3) is not one


def test_faces_found_missed_and_false(truth: Truth) -> None:
    at = scene(truth, "chewing")["start"] + 1
    left, right = truth.faces(at)
    found, false = channel.found_faces(truth, [(at, np.array([left.box])), (at, np.array([left.box, right.box, [0, 0, 4, 4]]))])
    assert (found, false) == (Share(3, 4), Share(1, 2))
    only, _ = channel.found_faces(truth, [(at, np.array([left.box]))], good=lambda face: face.name == right.name)
    assert only == Share(0, 1)


def test_cuts_found_missed_and_false(truth: Truth) -> None:
    assert channel.found_cuts(truth, truth.cuts) == (Share(5, 5), 0)
    assert channel.found_cuts(truth, [*truth.cuts[1:], truth.cuts[0] + 0.034]) == (Share(4, 5), 1)


def test_a_track_over_a_cut_shows_two_people(truth: Truth) -> None:
    one = scene(truth, "chewing")
    left, right = truth.faces(one["start"] + 1)
    seconds = [one["start"] + 0.5, one["start"] + 1.0]
    assert channel.people_in(truth, seconds, [left.box, left.box]) == {left.name}
    assert channel.people_in(truth, seconds, [left.box, right.box]) == {left.name, right.name}
    assert truth.face_seconds() == pytest.approx(
        sum(len(some["faces"]) * (some["end"] - some["start"]) for some in truth.scenes if some["kind"] != "voice_over")
    )


def test_speech_kept_and_music_called_speech() -> None:
    made = Truth(next(channel.under_music(0, 1, 1, (96, 54))).truth())
    perfect = channel.kept_speech(made, made.speech)
    assert {kind for kind, (kept, _) in perfect.items() if kept} == {"speech", "speech_under"}
    assert all(perfect[kind][0] == perfect[kind][1] for kind in ("speech", "speech_under"))
    everything = channel.kept_speech(made, [(0, made.end)])
    assert all(kept == total > 0.4 for kept, total in everything.values())
    assert sum(total for _, total in everything.values()) == pytest.approx(made.end, abs=0.02)
    assert everything["music"][1] == pytest.approx(made.scenes[0]["end"], abs=0.02)
    assert everything["pauses_under"][1] > 2
    assert all(kept == 0 for kept, _ in channel.kept_speech(made, []).values())


def test_a_share_and_its_interval() -> None:
    low, high = Share(95, 100).interval
    assert (low, high) == (pytest.approx(0.888, abs=1e-3), pytest.approx(0.978, abs=1e-3))
    assert str(Share(1, 2) + Share(1, 2)) == "0.500 [0.150, 0.850] of 4"
    assert Share(0, 0).interval == (0.0, 1.0)
