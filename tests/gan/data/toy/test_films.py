import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.data.toy.films import RATES, SCENES, TICK, TWO_FACES, Film, Person, channel, dubbed, plan
from gan.data.toy.speakers import draw_speaker
from tests.properties import examples

HOST, GUEST = Person("p000", draw_speaker(1, 0)), Person("s000", draw_speaker(1, 1))
SMALL = (96, 54)


def film(*kinds: str, seed: int = 0, rate: str = "29.97", size: tuple[int, int] = SMALL) -> Film:
    return plan("p000/f00", HOST, GUEST, kinds, seed, size, rate, (30.0, 40.0))


def level_db(waveform: np.ndarray, start: float, end: float) -> float:
    part = waveform[round(start * SAMPLE_RATE_HZ) : round(end * SAMPLE_RATE_HZ)]
    return 10 * float(np.log10(np.mean(np.square(part, dtype=float)) + 1e-12))


@given(
    kinds=st.lists(st.sampled_from(list(SCENES)), min_size=1, max_size=5), rate=st.sampled_from(RATES), seed=st.integers(0, 10**6)
)
@examples(10)
def test_scenes_follow_one_another_and_every_frame_is_in_one(kinds: list[str], rate: str, seed: int) -> None:
    made = film(*kinds, rate=rate, seed=seed)
    truth = made.truth()
    assert [scene["kind"] for scene in truth["scenes"]] == kinds
    assert [scene["start"] for scene in truth["scenes"]] == [0, *(scene["end"] for scene in truth["scenes"][:-1])]
    numbers = [number for scene in truth["scenes"] for number in range(scene["first"], scene["last"] + 1)]
    assert numbers == list(range(len(made.times)))
    assert made.ticks[0] == 0
    assert (np.diff(made.ticks) > 0).all()
    assert made.times[-1] < made.end
    assert len(made.waveform()) == round(made.end * SAMPLE_RATE_HZ)
    width, height = made.size
    for scene in truth["scenes"]:
        assert len(scene["faces"]) == (
            2 if scene["kind"] in TWO_FACES else 0 if scene["kind"] in ("voice_over", "music_alone") else 1
        )
        for face in scene["faces"]:
            boxes, points = np.array(face["boxes"]), np.array(face["points"])
            assert len(boxes) == len(points) == len(face["mouth_open"]) == scene["last"] - scene["first"] + 1
            assert (boxes >= -2).all()
            assert (boxes[:, 2] <= width + 2).all()
            assert (boxes[:, 3] <= height + 2).all()
            assert (points >= boxes[:, None, :2]).all()
            assert (points <= boxes[:, None, 2:]).all()
    for one in truth["turns"]:
        assert any(scene["start"] < one["start"] < one["end"] < scene["end"] for scene in truth["scenes"])
    assert all(a["end"] <= b["start"] for a, b in itertools.pairwise(truth["speech"]))
    json.dumps(truth)


def test_equal_seeds_make_equal_films() -> None:
    first, second = film("speaker", seed=3), film("speaker", seed=3)
    assert first.truth() == second.truth() != film("speaker", seed=4).truth()
    assert np.array_equal(first.waveform(), second.waveform())
    for one, other in itertools.islice(zip(first.frames(), second.frames(), strict=True), 5):
        assert one.shape == (54, 96, 3)
        assert one.dtype == np.uint8
        assert np.array_equal(one, other)


def test_29_97_and_variable_rate() -> None:
    assert set(np.diff(film("speaker").ticks)) == {TICK * 1001 // 30000}
    steps = np.diff(film("speaker", rate="variable").times)
    assert len(set(steps)) > 20
    assert steps.min() >= 1 / 60
    assert steps.max() <= 0.1 + 1e-9
    with pytest.raises(ValueError, match=r"rate: 25 is unknown. Have: 29.97, variable."):
        film("speaker", rate="25")


@pytest.mark.slow
def test_frames_change_most_at_the_cuts() -> None:
    made = film("speaker", "turns", "voice_over", "dark")
    frames = np.stack([frame[::2, ::2].mean(2) for frame in made.frames()])
    assert len(frames) == len(made.times)
    change = np.abs(np.diff(frames, axis=0)).mean((1, 2))
    cuts = [int(np.searchsorted(made.times, cut - 1e-5)) for cut in made.truth()["cuts"]]
    assert {int(number) + 1 for number in np.argsort(change)[-3:]} == set(cuts)


def mouths(made: Film, scene: int = 0) -> dict[str, np.ndarray]:
    return {face["name"]: np.array(face["mouth_open"]) for face in made.truth()["scenes"][scene]["faces"]}


def loudness(made: Film) -> np.ndarray:
    waveform = made.waveform()
    return np.array([level_db(waveform, max(time - 0.03, 0), time + 0.03) for time in made.times])


@pytest.mark.parametrize("kind", ["speaker", "music", "turned", "stranger", "pause"])
def test_the_mouth_of_who_talks_follows_the_voice(kind: str) -> None:
    made = film(kind)
    (mouth,) = mouths(made).values()
    assert np.corrcoef(mouth, loudness(made))[0, 1] > 0.4
    assert 0.5 < mouth.max() <= 0.92


@pytest.mark.slow
def test_listeners_and_photographs_have_still_mouths_and_those_who_chew_do_not() -> None:
    for kind in ("listener", "still"):
        (mouth,) = mouths(film(kind)).values()
        assert (mouth == 0).all()
        assert film(kind).heard
    turns, chewing = film("turns", seed=5), film("chewing", seed=5)
    for made, chews in ((turns, False), (chewing, True)):
        seen = mouths(made)
        for turn in made.heard:
            during = (made.times > turn.start + 0.1) & (made.times < turn.end - 0.1)
            for name, mouth in seen.items():
                if name != turn.person.name:
                    assert (mouth[during].std() > 0.05) == chews
                else:
                    assert mouth[during].std() > 0.05


def test_a_photograph_stays_as_it_is_and_a_picture_without_a_face_moves() -> None:
    frames = list(itertools.islice(film("still").frames(), 10))
    assert all(np.array_equal(frames[0], frame) for frame in frames)
    frames = list(itertools.islice(film("voice_over").frames(), 10))
    assert not np.array_equal(frames[0], frames[-1])


def test_who_is_heard_by_kind() -> None:
    def heard(kind: str, seed: int = 0) -> set[str]:
        return {turn.person.name for turn in film(kind, seed=seed).heard}

    assert heard("speaker") == heard("voice_over") == heard("still") == {"p000"}
    assert heard("stranger") == {"s000"}
    assert heard("music_alone") == set()
    for kind in TWO_FACES:
        assert heard(kind) == {"p000", "s000"}
    for seed in range(6):
        made = film("listener", seed=seed)
        assert not {turn.person for turn in made.heard} & {face.person for face in made.scenes[0].faces}


def test_two_people_talk_for_two_seconds_each() -> None:
    for seed in range(10):
        assert all(turn.end - turn.start >= 2.0 for turn in film("turns", seed=seed).heard)


def test_rests_last_half_a_second_and_are_silent() -> None:
    made = film("pause")
    waveform = made.waveform()
    first, second = made.heard
    assert second.start - first.end >= 1.0
    assert level_db(waveform, first.end + 0.05, second.start - 0.05) < level_db(waveform, first.start, first.end) - 25
    phrases = made.truth()["speech"]
    assert all(turn.start <= one["start"] < one["end"] <= turn.end for turn in made.heard[:1] for one in phrases[:1])


def test_music_lies_below_the_voice_by_what_the_truth_says() -> None:
    for seed in range(4):
        made = film("music", "music_alone", seed=seed)
        waveform = made.waveform()
        for scene, one in zip(made.scenes, made.music, strict=True):
            assert (one.start, one.end) == (scene.start, scene.end)
            if scene.kind == "music_alone":
                expected = made.recording.level_db - one.below_db
                assert level_db(waveform, one.start, one.end) == pytest.approx(expected, abs=1.0)


def test_a_dubbed_film_keeps_its_pictures_and_has_the_other_sound() -> None:
    pictures, sound = film("speaker", seed=1), replace(film("speaker", "music", seed=2), name="p001/f00")
    made = dubbed(pictures, sound)
    assert made.sound_from == "p001/f00"
    assert made.truth()["scenes"] == pictures.truth()["scenes"]
    assert len(made.waveform()) == len(pictures.waveform())
    assert {turn.seed for turn in made.heard} <= {turn.seed for turn in sound.heard}
    assert all(turn.end <= made.end for turn in made.heard)


@pytest.mark.slow
def test_a_channel_holds_all_kinds_and_opens_on_its_hosts() -> None:
    films = list(channel(seed=2, people=2, films=4, size=SMALL))
    assert [made.name for made in films] == [f"p00{person}/f0{number}" for person in range(2) for number in range(4)]
    assert {made.rate for made in films} == set(RATES)
    assert all(made.scenes[0].kind == "speaker" and len(made.scenes) == 6 for made in films)
    assert {scene.kind for made in films[:4] for scene in made.scenes} == set(SCENES)
    assert films[0].truth() == next(channel(seed=2, people=1, films=1, size=SMALL)).truth()
