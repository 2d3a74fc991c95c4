import numpy as np
import pytest

from gan.data.toy.speakers import AUDIBLE, INAUDIBLE, VOICE_ONLY, Speaker, audible_mean, draw_speaker, given_audible


@pytest.mark.parametrize("coupling", [0.0, 0.37, 1.0])
def test_row_gives_back_the_very_same_speaker(coupling):
    for index in range(50):
        speaker = draw_speaker(3, index, coupling)
        row = {"speaker": "toy-0001", "split": "train"} | {name: str(value) for name, value in speaker.to_row().items()}
        assert Speaker.from_row(row) == speaker


def test_bad_rows_are_one_line_errors():
    row = draw_speaker(0, 0).to_row()
    with pytest.raises(ValueError, match="no column jaw"):
        Speaker.from_row({name: value for name, value in row.items() if name != "jaw"})
    with pytest.raises(ValueError, match="age is 'old', not a number"):
        Speaker.from_row(row | {"age": "old"})


def test_coupling_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"coupling: 1\.5 is outside"):
        draw_speaker(0, 0, 1.5)


def test_face_and_voice_agree_at_coupling_one_and_not_at_zero():
    for name in AUDIBLE:
        together = [draw_speaker(0, index, 1.0) for index in range(200)]
        assert all(getattr(speaker, name) == getattr(speaker, f"voice_{name}") for speaker in together)
        apart = [draw_speaker(0, index, 0.0) for index in range(200)]
        equal = np.mean([getattr(speaker, name) == getattr(speaker, f"voice_{name}") for speaker in apart])
        assert equal < 0.65 if name == "sex" else equal == 0


def test_coupling_changes_no_voice():
    voice = [f"voice_{name}" for name in AUDIBLE] + list(VOICE_ONLY)
    for index in range(20):
        speakers = [draw_speaker(1, index, coupling) for coupling in (0.0, 0.5, 1.0)]
        assert len({tuple(getattr(speaker, name) for name in voice) for speaker in speakers}) == 1


def test_given_audible_keeps_the_voice_and_draws_another_face():
    speaker = draw_speaker(0, 5)
    other = given_audible(speaker, np.random.default_rng(0))
    for name in AUDIBLE:
        assert getattr(other, name) == getattr(speaker, name) == getattr(other, f"voice_{name}")
    assert all(getattr(other, name) == getattr(speaker, name) for name in VOICE_ONLY)
    assert other.skin_tone != speaker.skin_tone


def test_given_audible_has_the_distribution_of_the_world():
    rng = np.random.default_rng(0)
    world = [draw_speaker(0, index, 0.6) for index in range(600)]
    redrawn = [given_audible(speaker, rng) for speaker in world]
    for name in AUDIBLE[1:] + INAUDIBLE:
        one, two = (np.array([getattr(speaker, name) for speaker in speakers]) for speakers in (world, redrawn))
        assert abs(one.mean() - two.mean()) < 0.25 * one.std()
        assert one.std() == pytest.approx(two.std(), rel=0.15)


def test_women_have_no_beard_and_age_brings_grey():
    speakers = [draw_speaker(0, index) for index in range(300)]
    assert all(speaker.beard == 0 for speaker in speakers if speaker.sex == "f")
    assert any(speaker.beard > 0 for speaker in speakers if speaker.sex == "m")
    grey = {old: np.mean([s.hair_grey for s in speakers if (s.age > 50) == old]) for old in (False, True)}
    assert grey[True] > grey[False] + 0.3


def test_audible_mean_is_the_mean_of_what_can_be_heard():
    for index in range(4):
        speaker = draw_speaker(0, index, 1.0)
        mean = audible_mean(speaker)
        assert audible_mean(speaker) == mean
        assert all(getattr(mean, name) == getattr(speaker, f"voice_{name}") for name in AUDIBLE)
        assert abs(mean.skin_tone - 0.5) < 0.06
        assert mean.glasses in (0.0, 1.0)


def test_audible_mean_knows_nothing_at_coupling_zero():
    faces = [audible_mean(draw_speaker(0, index, 0.0)) for index in range(3)]
    assert len({(face.sex, face.age, face.jaw, face.skin_tone) for face in faces}) == 1
