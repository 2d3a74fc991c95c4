"""Sound files in, waveforms out; and a one-line reason for every file that is not sound."""

import math

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from gan.data.audio import OPPOSITE, SOUND, read_sound, read_waveform, to_int16
from tests.properties import examples
from tests.sound import write_wav

RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000]


def tone(seconds, rate_hz, frequency_hz=440.0):
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=600))
@examples(40)
def test_16_bit_mono_is_read_exactly(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("exact") / "a.wav"
    write_wav(path, np.array(samples, np.int16))
    assert to_int16(read_waveform(path)).tolist() == samples


@given(
    rate_hz=st.sampled_from([*RATES, 22_051, 12_345, 192_000]),
    num_samples=st.integers(1, 5_000),
    channels=st.integers(1, 3),
    wanted_hz=st.sampled_from([8_000, 16_000]),
)
@examples(40)
def test_length_follows_the_rates(tmp_path_factory, rate_hz, num_samples, channels, wanted_hz):
    path = tmp_path_factory.mktemp("rates") / "a.wav"
    noise = np.random.default_rng(0).uniform(-1, 1, (num_samples, channels))
    soundfile.write(path, noise, rate_hz, subtype="PCM_16")
    waveform = read_waveform(path, wanted_hz)
    assert waveform.dtype == np.float32
    assert waveform.shape == (math.ceil(num_samples * wanted_hz / rate_hz),)
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_resampling_keeps_a_tone(tmp_path, rate_hz):
    soundfile.write(tmp_path / "a.wav", tone(1, rate_hz), rate_hz, subtype="FLOAT")
    middle = slice(1_000, 15_000)  # the filter fades in and out at the ends
    assert np.allclose(read_waveform(tmp_path / "a.wav")[middle], tone(1, 16_000)[middle], atol=2e-3)


def test_what_lies_above_the_new_band_is_removed(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1, 48_000, 15_000), 48_000)
    assert np.abs(read_waveform(tmp_path / "a.wav")[1_000:-1_000]).max() < 0.01


def test_channels_are_averaged(tmp_path):
    left = tone(0.1, 16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], axis=1), 16_000, subtype="FLOAT")
    assert np.allclose(read_waveform(tmp_path / "a.wav"), left / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("gains", "loudest"),
    [
        ((1, -1), 0),
        ((0.9, -1), 1),
        ((1, -0.8), 0),
        ((0, 0.5, 0, -0.5, 0, 0), 1),
        ((1, -1, 1, -1), 0),
    ],
)
@pytest.mark.parametrize("block", [1_000, 1 << 20])
def test_of_channels_that_silence_each_other_one_is_taken(tmp_path, monkeypatch, gains, loudest, block):
    monkeypatch.setattr("gan.data.audio.BLOCK_FRAMES", block)
    sound = tone(0.2, 16_000)
    soundfile.write(tmp_path / "a.wav", sound[:, None] * gains, 16_000, subtype="FLOAT")
    waveform, said = read_sound(tmp_path / "a.wav")
    assert said == OPPOSITE
    assert np.allclose(waveform, gains[loudest] * sound, atol=1e-6)
    assert np.array_equal(waveform, read_waveform(tmp_path / "a.wav"))


def test_other_channels_are_averaged_and_nothing_is_said(tmp_path):
    sound, random = tone(0.2, 16_000), np.random.default_rng(0)
    noise = random.uniform(-0.5, 0.5, (len(sound), 6))
    half = sound + 0.5 * noise[:, 0]
    for channels in (
        np.stack([sound, sound], 1),
        noise,
        noise[:, :2],
        np.stack([sound, 0 * sound], 1),
        np.stack([half, -sound + half], 1),
        np.stack([sound] + 5 * [0 * sound], 1),
        np.stack([-sound, 0.5 * sound], 1),
        np.zeros((100, 2)),
        np.full((100, 2), 0.3),
        np.outer(random.choice([-1, 1], 9_000), [1, -1]) / 32768,
        noise[:1],
    ):
        soundfile.write(tmp_path / "a.wav", channels, 16_000, subtype="FLOAT")
        waveform, said = read_sound(tmp_path / "a.wav")
        assert said == ""
        assert np.allclose(waveform, channels.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("ending", SOUND)
def test_formats(tmp_path, ending):
    sound = tone(1, 16_000)
    opus = {"format": "OGG", "subtype": "OPUS"} if ending == ".opus" else {}
    soundfile.write(tmp_path / f"a{ending}", sound, 16_000, **opus)
    waveform = read_waveform(tmp_path / f"a{ending}")
    assert abs(len(waveform) - 16_000) < 2_500  # mp3 works in whole frames
    spectrum = np.abs(np.fft.rfft(waveform[2_000:14_000]))
    assert abs(np.argmax(spectrum) * 16_000 / 12_000 - 440) < 2


def test_long_files_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.data.audio.BLOCK_FRAMES", 1_000)
    samples = np.random.default_rng(0).integers(-32768, 32767, 4_567, dtype=np.int16)
    write_wav(tmp_path / "a.wav", samples)
    assert np.array_equal(to_int16(read_waveform(tmp_path / "a.wav")), samples)


def test_silence_and_short_sounds_are_sound(tmp_path):
    write_wav(tmp_path / "silence.wav", np.zeros(16_000, np.int16))
    assert not read_waveform(tmp_path / "silence.wav").any()
    write_wav(tmp_path / "short.wav", tone(0.2, 16_000))
    assert read_waveform(tmp_path / "short.wav").shape == (3_200,)


def test_overshoot_is_clipped(tmp_path):
    soundfile.write(tmp_path / "a.wav", 2.5 * tone(0.1, 16_000), 16_000, subtype="FLOAT")
    assert np.abs(read_waveform(tmp_path / "a.wav")).max() == 1


def bad_files(folder):
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("This is not sound.\n" * 50)
    (folder / "text.mp3").write_text("neither")
    (folder / "samples.raw").write_bytes(bytes(100))
    soundfile.write(folder / "none.wav", np.zeros(0), 16_000)
    sound = np.zeros(1_000)
    sound[7] = np.nan
    soundfile.write(folder / "nan.wav", sound, 16_000, subtype="FLOAT")
    sound[7] = np.inf
    soundfile.write(folder / "inf.wav", sound, 16_000, subtype="FLOAT")
    sound[7] = 20_000
    soundfile.write(folder / "unit.wav", sound, 16_000, subtype="FLOAT")
    soundfile.write(folder / "opposite.wav", np.outer(sound, [1, -1]), 16_000, subtype="FLOAT")
    soundfile.write(folder / "rate.wav", np.zeros(10), 10)
    (folder / "folder.wav").mkdir()
    whole = (folder / "unit.wav").read_bytes()
    (folder / "header.wav").write_bytes(whole[:20])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.wav", "no such file"),
        ("empty.wav", "empty"),
        ("text.wav", "not sound"),
        ("text.mp3", "not sound"),
        ("samples.raw", "not sound"),
        ("none.wav", "no samples"),
        ("nan.wav", "NaN"),
        ("inf.wav", "infinite"),
        ("unit.wav", "samples reach 20000"),
        ("opposite.wav", "samples reach 20000"),
        ("rate.wav", "10 Hz"),
        ("folder.wav", "not a file"),
        ("header.wav", "wav"),
    ],
)
def test_bad_files_are_one_line_that_names_file_and_reason(tmp_path, name, reason):
    bad_files(tmp_path)
    with pytest.raises(ValueError, match=reason) as caught:
        read_waveform(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_ends_early_gives_what_it_holds_or_a_reason(tmp_path):
    for ending in ("wav", "flac", "ogg", "mp3"):
        soundfile.write(tmp_path / f"whole.{ending}", tone(1, 16_000), 16_000)
        whole = (tmp_path / f"whole.{ending}").read_bytes()
        for share in (0.05, 0.3, 0.7, 0.95):
            path = tmp_path / f"cut.{ending}"
            path.write_bytes(whole[: int(share * len(whole))])
            try:
                assert 0 < len(read_waveform(path)) < 20_000
            except ValueError as error:
                assert str(path) in str(error)  # noqa: PT017 - either is right, a crash is not


def test_sizes_that_a_pipe_left_open(tmp_path):
    """0xFFFFFFFF is read to the end; 0 is refused by name, unless the file does end there."""
    write_wav(tmp_path / "a.wav", tone(0.1, 16_000))
    whole = (tmp_path / "a.wav").read_bytes()
    for size in (b"\xff" * 4, b"\0" * 4):
        (tmp_path / "a.wav").write_bytes(whole[:4] + size + whole[8:40] + size + whole[44:])
        if size[0]:
            assert len(read_waveform(tmp_path / "a.wav")) == 1_600
        else:
            with pytest.raises(ValueError, match=r"a.wav: .*header .*3200 bytes") as caught:
                read_waveform(tmp_path / "a.wav")
            assert "\n" not in str(caught.value)


def test_to_int16_rounds_and_clips():
    given_samples = np.array([0, 1, -1, 2, -2, 0.5, 1.4 / 32768])
    assert to_int16(given_samples).tolist() == [0, 32767, -32768, 32767, -32768, 16384, 1]
