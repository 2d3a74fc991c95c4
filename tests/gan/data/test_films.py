"""Films and packed sound: time by pts, hostile files refused in one line, damage that costs itself alone."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from gan.data import films
from gan.data.audio import OPPOSITE, read_sound, read_waveform
from gan.data.films import Film
from gan.data.resampling import resample
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


def remux(source, target, change):
    """Packet by packet. change: packet -> packet, bytes (what it is to hold instead) or None (left out)."""
    import av

    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream, opaque=True) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is None:
                continue
            changed = change(packet)
            if changed is None:
                continue
            if isinstance(changed, bytes):
                changed = av.Packet(changed)
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
                changed.duration = packet.duration
            changed.stream = streams[packet.stream.index]
            new.mux(changed)


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(25), Fraction(60)])
def test_other_rates(tmp_path, rate):
    write_film(tmp_path / "a.mkv", flash(rate=float(rate)), rate=rate, waveform=click())
    first = float(np.ceil(rate) / rate)  # of the flash
    with Film(tmp_path / "a.mkv") as film:
        assert abs(out_of_step(film) - (1.001 - first)) <= 0.001  # out_of_step knows 29.97 only


def test_avi_with_mp3_is_named(tmp_path):
    write_film(tmp_path / "a.avi", flash(), waveform=click())
    with Film(tmp_path / "a.avi") as film:
        assert abs(out_of_step(film)) <= 0.030
        assert any("MP3" in note for note in film.notes)


def test_cut_by_packet_copy(tmp_path):
    """What begins between two key frames: sound from there on, pictures from the next key frame or broken ones before it."""
    write_film(tmp_path / "whole.mp4", flash(), waveform=click())
    remux(tmp_path / "whole.mp4", tmp_path / "a.mp4", lambda packet: packet if packet.dts * packet.time_base >= 0.5 else None)
    with Film(tmp_path / "a.mp4") as film:
        assert abs(out_of_step(film)) <= 0.020


def test_an_mpeg_clock_that_goes_round(tmp_path):
    def late(packet):
        ahead = round((2**33 / 90_000 - 0.5) / packet.time_base)
        packet.pts, packet.dts = packet.pts + ahead, packet.dts + ahead
        return packet

    write_film(tmp_path / "whole.ts", flash(), waveform=click())
    remux(tmp_path / "whole.ts", tmp_path / "a.ts", late)
    with Film(tmp_path / "a.ts") as film:
        seen = [frame.seconds for frame in film.frames()]
        assert np.allclose(np.diff(seen), 1001 / 30_000, atol=1e-4)
        assert abs(out_of_step(film)) <= 0.001
        part = [frame.seconds for frame in film.frames(seen[40], seen[50])]
        assert part == seen[40:50]
        sound = film.sound(seen[30], seen[45])
        assert abs(sound.start - seen[30]) < 1e-3


def test_a_film_of_one_picture(tmp_path):
    write_film(tmp_path / "a.mp4", flash(0.04, rate=25), rate=25, waveform=click()[: 48 * 40])
    with Film(tmp_path / "a.mp4") as film:
        assert len(list(film.frames())) == 1
        assert 0.03 < len(film.sound().waveform) / 16_000 < 0.09
        assert 0.03 < film.reached - film.start < 0.09


def test_a_length_that_the_bytes_cannot_hold(tmp_path):
    write_film(tmp_path / "a.mp4", flash(times=[0, 3600]), times=[0, 3600])
    with pytest.raises(ValueError, match=r"states a length of 3[56].. s"):
        Film(tmp_path / "a.mp4")


def test_a_picture_too_large(tmp_path, monkeypatch):
    write_film(tmp_path / "a.mp4", flash(0.2))
    monkeypatch.setattr(films, "MOST_PIXELS", 64 * 96 - 1)
    with pytest.raises(ValueError, match="pictures of 96x64 px"):
        Film(tmp_path / "a.mp4")


def test_pictures_of_unknown_size_are_left_out(tmp_path, monkeypatch):
    """As PyAV leaves them where only decoding would tell that they are too large."""
    write_film(tmp_path / "a.mkv", flash(0.2), video_codec="mpeg4", waveform=click())
    write_film(tmp_path / "b.mkv", flash(0.2), video_codec="mpeg4")
    monkeypatch.setattr(films, "MOST_PIXELS", 64 * 96 - 1)
    with Film(tmp_path / "a.mkv") as film:
        assert not film.has_pictures
        assert film.notes == ["pictures of unknown size, or larger than 7680x4320 px: left out"]
        assert len(film.sound().waveform) > 30_000
    with pytest.raises(ValueError, match=r"neither moving pictures nor sound.*larger than"):
        Film(tmp_path / "b.mkv")


def test_without_pyav(tmp_path, monkeypatch):
    write_film(tmp_path / "a.m4a", waveform=click())
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=re.escape('needs PyAV, which is not installed. Run: pip install "voxface[media]"')):
        read_sound(tmp_path / "a.m4a")


def test_a_cover_picture_is_no_film(tmp_path):
    import av

    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        heard = out.add_stream("aac", rate=16_000, layout="mono")
        frame = av.VideoFrame.from_ndarray(flash(0.04)[0], format="rgb24")
        frame.pts = 0
        for packet in cover.encode(frame) + cover.encode(None):
            out.mux(packet)
        sound = av.AudioFrame.from_ndarray(click(16_000)[None].astype(np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 16_000, 0
        for packet in heard.encode(sound) + heard.encode(None):
            out.mux(packet)
    with Film(tmp_path / "a.m4a") as film:
        assert film.has_sound
        assert not film.has_pictures
        assert film.size is None
        assert list(film.frames()) == []


def test_several_tracks(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        streams = [out.add_stream("flac", rate=16_000, layout="mono") for _ in range(2)]
        streams[0].disposition = 0
        streams[1].disposition = av.stream.Disposition.default.value
        for stream, level in zip(streams, (0.1, 0.5), strict=True):
            frame = av.AudioFrame.from_ndarray(np.full((1, 8_000), level * 32767, np.int16), format="s16p", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            for packet in stream.encode(frame) + stream.encode(None):
                out.mux(packet)
    with Film(tmp_path / "a.mkv") as film:
        sound = film.sound()
    assert sound.notes == ["2 tracks of sound: number 2 was taken, the default"]
    assert abs(sound.waveform[4_000] - 0.5) < 0.01


def test_sound_goes_on_after_a_hole(tmp_path):
    """A packet that cannot be decoded and one that was left out are both holes; pictures and later sound keep their time."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000)
    write_film(tmp_path / "whole.mp4", flash(), waveform=tone, sound_codec="flac")

    def damage(packet):
        if packet.stream.type != "audio" or not 0.5 < packet.pts * packet.time_base < 1.0:
            return packet
        return bytes(packet.size) if packet.pts * packet.time_base < 0.75 else None

    remux(tmp_path / "whole.mp4", tmp_path / "a.mkv", damage)
    with Film(tmp_path / "whole.mp4") as film:
        whole = film.sound()
    with Film(tmp_path / "a.mkv") as film:
        sound = film.sound()
        assert len(list(film.frames())) == 59
    ((start, end),) = sound.holes
    assert 0.4 < start < 0.6
    assert 0.9 < end < 1.1
    assert len(sound.waveform) == len(whole.waveform)
    assert abs(sound.waveform[round(start * 16_000) + 200 : round(end * 16_000) - 200]).max() < 0.01
    assert np.allclose(sound.waveform[18_000:], whole.waveform[18_000:], atol=0.01)


def test_a_leaping_clock_fills_no_memory(tmp_path):
    def leap(packet):
        if packet.pts * packet.time_base > 1:
            packet.pts, packet.dts = packet.pts + round(7_000 / packet.time_base), packet.dts + round(7_000 / packet.time_base)
        return packet

    write_film(tmp_path / "whole.mkv", waveform=np.random.default_rng(0).normal(size=96_000) * 0.1, sound_codec="flac")
    remux(tmp_path / "whole.mkv", tmp_path / "a.mkv", leap)
    with Film(tmp_path / "a.mkv") as film:
        sound = film.sound()
    assert 0.9 < len(sound.waveform) / 16_000 < 1.2
    assert sound.holes == []
    assert sound.notes == [films.LEAPS]


def test_too_much_sound_at_once_is_refused(tmp_path, monkeypatch):
    write_film(tmp_path / "a.m4a", waveform=click())
    monkeypatch.setattr(films, "MOST_SECONDS_AT_ONCE", 1)
    with Film(tmp_path / "a.m4a") as film:
        assert len(film.sound(0.5, 1.25).waveform) == 12_000
        with pytest.raises(ValueError, match="at once"):
            film.sound()
        with pytest.raises(ValueError, match="at once"):
            film.sound(0.1)


def test_opposite_channels_of_a_part(tmp_path, monkeypatch):
    """Each portion is mixed by itself, and joins the next without a seam."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(88_200) / 44_100)
    write_film(tmp_path / "a.mka", waveform=np.outer(tone, [1, -0.9]), sound_hz=44_100, sound_codec="flac")
    monkeypatch.setattr(films, "MIXED_SECONDS", 0.5)
    with Film(tmp_path / "a.mka") as film:
        sound, part = film.sound(), film.sound(0.7, 0.9)
    assert sound.notes == part.notes == [OPPOSITE]
    assert np.allclose(sound.waveform, resample(tone, 44_100), atol=0.01)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le"])
def test_small_is_the_picture_made_small(tmp_path, pixels):
    y, x = np.mgrid[:270, :480]
    picture = np.clip(127 + 100 * np.sin(x / 40) * np.cos(y / 30), 0, 255).astype(np.uint8)
    write_film(tmp_path / "a.mkv", [np.stack([picture] * 3, axis=2)] * 2, pixels=pixels)
    with Film(tmp_path / "a.mkv") as film:
        frame = next(film.frames())
    wanted = picture.reshape(45, 6, 80, 6).mean((1, 3))
    assert np.abs(frame.small() - wanted).mean() < 2.5
    assert frame.rgb(90).shape == (90, 160, 3)
    assert frame.rgb(270).shape == frame.rgb(400).shape == (270, 480, 3)


def test_a_clock_that_starts_late(tmp_path):
    times = [5 + i / 30 for i in range(30)]
    write_film(tmp_path / "a.mkv", flash(1), times=times, waveform=click()[:48_000], sound_start=5)
    with Film(tmp_path / "a.mkv") as film:
        assert abs(film.start - 5) < 0.05
        assert film.reached == film.start
        assert len(list(film.frames(5.5, 5.75))) == 8
        assert abs(film.sound(5.5, 5.75).start - 5.5) < 0.01
        assert 5.74 < film.reached < 5.8
        assert film.seconds is None  # 1 or 6: programs differ


def test_pixels_that_are_not_square(tmp_path):
    write_film(tmp_path / "a.mp4", flash(0.2), pixel_shape=Fraction(4, 3))
    with Film(tmp_path / "a.mp4") as film:
        assert film.size == (128, 64)
        frame = next(film.frames())
    assert frame.rgb().shape == (64, 128, 3)
    assert frame.rgb(32).shape == (32, 64, 3)


def test_reading_goes_on_where_a_further_track_begins(tmp_path):
    """PyAV raises IndexError there, once."""
    import av

    write_film(tmp_path / "a.mkv", flash(0.5), keys=1)
    with av.open(str(tmp_path / "a.mkv")) as container:
        packets = enumerate(container.demux(container.streams.video[0]))

        def demux(stream):
            for number, packet in packets:
                if number == 5:
                    raise IndexError("list index out of range")
                yield packet

        found = list(films._frames(SimpleNamespace(demux=demux), container.streams.video[0]))
    assert len(found) == 13  # of 14; the packet that came then is lost
