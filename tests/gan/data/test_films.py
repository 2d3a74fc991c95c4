"""Films and packed sound: time by pts, hostile files refused in one line, damage that costs itself alone."""

from __future__ import annotations

import numpy as np
import pytest

from gan.data.audio import OPPOSITE, read_sound, read_waveform
from gan.data.films import Film
from tests.films import write_film
from tests.sound import write_wav

pytest.importorskip("av")


def flash(seconds: float = 2.0, rate: float = 30_000 / 1001, times=None):
    times = [i / rate for i in range(int(seconds * rate))] if times is None else times
    return [np.full((64, 96, 3), 230 if time >= 1 else 20, np.uint8) for time in times]


def click(rate_hz: int = 48_000) -> np.ndarray:
    waveform = np.zeros(2 * rate_hz)
    waveform[rate_hz : rate_hz + 480] = 0.8 * np.sin(2 * np.pi * 2_000 * np.arange(480) / rate_hz)
    return waveform


def out_of_step(film: Film) -> float:
    """By how many seconds the click comes late; the flash is at 1.001 s, the click at 1."""
    seen = next(frame.seconds for frame in film.frames() if frame.small().mean() > 100)
    sound = film.sound()
    return sound.start + int(np.argmax(np.abs(sound.waveform) > 0.15)) / 16_000 - (seen - 0.001)


@pytest.mark.parametrize(("ending", "bar"), [("mp4", 0.001), ("mkv", 0.001), ("webm", 0.001), ("ts", 0.001), ("mov", 0.001)])
def test_sound_lies_on_the_picture(tmp_path, ending, bar):
    write_film(tmp_path / f"a.{ending}", flash(), waveform=click())
    with Film(tmp_path / f"a.{ending}") as film:
        assert film.size == (96, 64)
        assert abs(out_of_step(film)) <= bar


def test_variable_rate_and_windows(tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.08, 40))
    times -= times[0]  # an mp4 rounds a later start to 1 ms
    write_film(tmp_path / "a.mp4", flash(times=times), times=list(times), waveform=click())
    with Film(tmp_path / "a.mp4") as film:
        seen = [frame.seconds for frame in film.frames()]
        assert np.allclose(seen, times, atol=1e-4)
        assert [frame.seconds for frame in film.frames(0.7, 1.3)] == [time for time in seen if 0.7 <= time < 1.3]
        part = film.sound(0.5, 1.5)
        assert abs(part.start - 0.5) < 1e-3
        assert abs(len(part.waveform) - 16_000) <= 16
        assert film.frames().__next__().rgb().shape == (64, 96, 3)


def test_m4a_is_the_wav_it_came_from(tmp_path):
    voice = np.convolve(np.random.default_rng(0).normal(size=16_000), np.ones(8) / 8, "same") * 0.3
    write_film(tmp_path / "a.m4a", waveform=voice, sound_hz=16_000)
    write_wav(tmp_path / "a.wav", np.clip(voice, -1, 1))
    packed, plain = read_waveform(tmp_path / "a.m4a"), read_waveform(tmp_path / "a.wav")
    assert abs(len(packed) - len(plain)) <= 1024
    least = min(len(packed), len(plain))
    found = np.fft.irfft(np.fft.rfft(packed[:least]) * np.conj(np.fft.rfft(plain[:least])))
    assert int(np.argmax(found)) == 0


def test_opposite_channels_of_packed_sound(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    write_film(tmp_path / "a.mka", waveform=np.outer(tone, [1, -1]), sound_hz=16_000, sound_codec="flac")
    waveform, said = read_sound(tmp_path / "a.mka")
    assert said == OPPOSITE
    assert np.abs(waveform).max() > 0.4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"ffconcat version 1.0\nfile 'other.mp4'\n", "a list of other files"),
        (b"#EXTM3U\nother.mp4\n", "a list of other files"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", "a list of other files"),
        (b"\xff\xd8\xff\xe0" + bytes(500), "a picture"),
        (b"Notes.\n" * 40, "text"),
        (np.random.default_rng(0).bytes(5_000), "unknown"),
    ],
)
def test_what_is_no_film_is_refused_in_one_line(tmp_path, content, said):
    write_film(tmp_path / "other.mp4", flash(0.2))
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        Film(tmp_path / "a.mp4")
    assert str(caught.value).startswith(f"{tmp_path / 'a.mp4'}: ")
    assert "\n" not in str(caught.value)


def test_cut_in_half(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 96, 3), np.uint8)
    for ending in ("mp4", "mkv"):
        write_film(tmp_path / f"whole.{ending}", noise, waveform=click())
        whole = (tmp_path / f"whole.{ending}").read_bytes()
        (tmp_path / f"a.{ending}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut off"):
        Film(tmp_path / "a.mp4")
    with Film(tmp_path / "a.mkv") as film:
        assert 5 < len(list(film.frames())) < 45
        assert film.seconds is not None
        assert film.reached < film.start + 0.8 * film.seconds


def test_flipped_bytes_cost_themselves_alone(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 64, 96, 3), np.uint8)
    write_film(tmp_path / "a.mkv", noise, waveform=np.random.default_rng(1).normal(size=96_000) * 0.1)
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    for place in range(len(content) // 4, len(content) - 4_000, len(content) // 10):
        content[place : place + 300] = bytes(300)
    (tmp_path / "a.mkv").write_bytes(content)
    with Film(tmp_path / "a.mkv") as film:
        seen = [frame.seconds for frame in film.frames()]
        assert seen == sorted(seen)
        assert seen[-1] > 1.8
        assert film.sound().start < 0.01
        assert film.reached > 1.8


def test_a_turned_film_is_upright(tmp_path):
    left = np.zeros((64, 96, 3), np.uint8)
    left[:, :48] = 255
    write_film(tmp_path / "a.mp4", [left] * 10)
    content = (tmp_path / "a.mp4").read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    straight = one + bytes(12) + one + bytes(12) + (1 << 30).to_bytes(4, "big")
    turned = bytes(4) + one + bytes(4) + (-(1 << 16)).to_bytes(4, "big", signed=True) + bytes(16) + straight[-4:]
    last = content.rindex(straight)  # the track's matrix; the film's comes first
    (tmp_path / "a.mp4").write_bytes(content[:last] + turned + content[last + 36 :])
    with Film(tmp_path / "a.mp4") as film:
        assert film.size == (64, 96)
        frame = next(film.frames())
        assert frame.rgb().shape == (96, 64, 3)
        assert frame.small().shape == (45, 80)
        assert frame.rgb()[:40].mean() > 200  # a quarter turn with the clock: left comes to the top
        assert frame.small()[:20].mean() > 200


def test_a_leading_dash_and_accents_in_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "-é.mp4", flash(0.2))
    with Film("-é.mp4") as film:
        assert len(list(film.frames())) == 5
        assert not film.has_sound


def test_a_transport_stream_whose_sound_starts_below_zero(tmp_path):
    """AAC's first 1,024 samples lie before 0, where MPEG's clock wraps to 2^33."""
    write_film(tmp_path / "a.ts", flash(), waveform=click(), container={"max_delay": "0", "avoid_negative_ts": "disabled"})
    with Film(tmp_path / "a.ts") as film:
        assert abs(film.sound().start + 1024 / 48_000) < 1e-4
        assert next(film.frames()).seconds == 0
        assert abs(out_of_step(film)) <= 0.001
