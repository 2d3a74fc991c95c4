from dataclasses import replace

import numpy as np
import pytest

from gan.audit.toy_world import mel_statistics
from gan.data.toy.speakers import draw_speaker
from gan.data.toy.voices import SAMPLE_RATE_HZ, compose, draw_recording, synthesise


def clip(speaker, number, seconds=3.0):
    rng = np.random.default_rng([2, number])
    return synthesise(speaker, draw_recording(rng), seconds, rng)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.345])
def test_a_clip_has_the_length_asked_and_room_to_spare(seconds):
    waveform = clip(draw_speaker(0, 0), 0, seconds)
    assert waveform.dtype == np.int16
    assert waveform.shape == (round(seconds * SAMPLE_RATE_HZ),)
    assert 1000 < np.abs(waveform.astype(int)).max() < 32768


def test_same_seed_same_bytes_and_other_words_each_clip():
    speaker = draw_speaker(0, 1)
    assert np.array_equal(clip(speaker, 0), clip(speaker, 0))
    assert np.mean(clip(speaker, 0) == clip(speaker, 1)) < 0.1


def test_nothing_clips():
    for index in range(8):
        waveform = np.abs(clip(draw_speaker(4, index), index).astype(int))
        assert np.mean(waveform >= 32767) < 1e-4


def test_a_clip_has_speech_and_pauses():
    utterance = compose(draw_speaker(0, 0), 10.0, np.random.default_rng(0))
    assert len(utterance.speech) == len(utterance.pitch) == len(utterance.formants) == 1000
    assert 0.7 < utterance.speech.mean() < 0.98
    assert (utterance.voicing[~utterance.speech] < 0.5).all()


def test_women_speak_higher_and_large_heads_resonate_lower():
    plain = replace(draw_speaker(0, 0), voice_sex="m", voice_head_size=0.0, pitch=0.0)
    same_words = [
        compose(speaker, 4.0, np.random.default_rng(0))
        for speaker in (plain, replace(plain, voice_sex="f"), replace(plain, voice_head_size=1.0))
    ]
    man, woman, large = same_words
    assert woman.pitch.mean() > 1.4 * man.pitch.mean()
    assert (large.formants < man.formants).all()


@pytest.mark.parametrize(
    "change",
    [
        {"voice_sex": "m"},
        {"voice_age": 75.0},
        {"voice_head_size": 1.0},
        {"voice_head_length": 1.0},
        {"voice_jaw": 1.0},
        {"voice_nose_width": 1.0},
        {"voice_mouth_width": 1.0},
        {"pitch": 1.0},
        {"breathiness": 1.0},
    ],
)
def test_every_attribute_of_the_voice_is_heard(change):
    plain = replace(
        draw_speaker(0, 0),
        voice_sex="f",
        voice_age=25.0,
        voice_head_size=-1.0,
        voice_head_length=-1.0,
        voice_jaw=-1.0,
        voice_nose_width=-1.0,
        voice_mouth_width=-1.0,
        pitch=-1.0,
        breathiness=-1.0,
    )
    before, after = (
        np.stack([mel_statistics(clip(speaker, number)) for number in range(4)]) for speaker in (plain, replace(plain, **change))
    )
    # In some band the change stands out from what other words and recordings do.
    assert (np.abs(before.mean(0) - after.mean(0)) / (before.std(0) + after.std(0))).max() > 1


def test_face_values_are_not_heard():
    speaker = draw_speaker(0, 0)
    other = replace(speaker, sex="m", age=70.0, jaw=1.0, skin_tone=1.0, beard=1.0, coupling=0.0)
    assert np.array_equal(clip(speaker, 0), clip(other, 0))
