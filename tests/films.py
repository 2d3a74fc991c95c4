"""Films for tests: pictures and sound, each with its time, written in the usual containers with PyAV.

write_film(path, pictures, rate=30, waveform=sound)          .mp4, .mkv, .webm, .ts, .avi, ...: codecs by the ending
write_film(path, pictures, times=[0, 0.05, 0.2, ...])         variable rate
write_film(path, waveform=sound, sound_hz=16_000)             sound alone: .m4a, .mka, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

# Ending -> codecs of the pictures and of the sound, where they are not H.264 and AAC.
CODECS = {".webm": ("libvpx-vp9", "libopus"), ".avi": ("mpeg4", "libmp3lame"), ".mka": ("", "libopus")}
TICKS_HZ = 90_000  # pictures' times are rounded to these; 29.97 and 23.976 come out whole
OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "18"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
}


def write_film(
    path: str | Path,
    pictures: Iterable[np.ndarray] = (),
    *,
    rate: Fraction | int = Fraction(30_000, 1001),
    times: Sequence[float] | None = None,
    waveform: np.ndarray | None = None,
    sound_hz: int = 48_000,
    sound_start: float = 0.0,
    video_codec: str | None = None,
    sound_codec: str | None = None,
    keys: int = 12,
    bit_rate: int = 128_000,
    pixels: str = "yuv420p",
    pixel_shape: Fraction | None = None,
    container: dict[str, str] | None = None,
) -> None:
    """Write pictures and sound, each packet in order of time.

    pictures: uint8 (H, W, 3) each, RGB, of one size (even numbers); they may come from a generator.
    rate: pictures a second. times: of each picture in seconds, instead of rate.
    waveform: float (S,) or (S, channels) in [-1, 1] at sound_hz, whose first sample is at sound_start.
    keys: pictures from one key frame to the next.
    pixel_shape: width of a pixel by its height. container: its options, such as {"movflags": "faststart"}.
    """
    import av

    default_video, default_sound = CODECS.get(Path(path).suffix.lower(), ("libx264", "aac"))
    packets = []
    with av.open(str(path), "w", options=container or {}) as film:
        pictures = iter(pictures)
        first = next(pictures, None)
        if first is not None:
            codec = video_codec or default_video
            seen = film.add_stream(codec, rate=Fraction(rate).limit_denominator(1001), options=OPTIONS.get(codec, {}))
            seen.height, seen.width = first.shape[:2]
            seen.pix_fmt, seen.gop_size = pixels, keys
            if pixel_shape is not None:
                seen.codec_context.sample_aspect_ratio = pixel_shape
            # AVI and MPEG-4 part 2 count frames, and have no finer clock.
            ticks = 1 / Fraction(rate) if times is None else Fraction(1, TICKS_HZ)
            seen.codec_context.time_base = ticks
        if waveform is not None:
            channels = np.atleast_2d(np.asarray(waveform, np.float32).T)
            heard = film.add_stream(sound_codec or default_sound, rate=sound_hz, layout=_layout(len(channels)))
            if "pcm" not in heard.codec_context.name:
                heard.bit_rate = bit_rate
            packets += _sound_packets(heard, channels, sound_hz, sound_start)
        if first is not None:
            for number, picture in enumerate([first]):
                packets += seen.encode(_frame(picture, number, times, ticks))
            for number, picture in enumerate(pictures, 1):
                packets += seen.encode(_frame(picture, number, times, ticks))
            packets += seen.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            film.mux(packet)


def _layout(channels: int) -> str:
    return {1: "mono", 2: "stereo", 6: "5.1"}[channels]


def _frame(picture: np.ndarray, number: int, times: Sequence[float] | None, ticks: Fraction):
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame.pts = number if times is None else round(times[number] / ticks)
    frame.time_base = ticks
    return frame


def _sound_packets(stream, channels: np.ndarray, rate_hz: int, start: float) -> list:
    """PyAV cuts what it is given into frames of the codec's length, and turns it into the codec's kind of number."""
    import av

    packets = []
    for begin in range(0, channels.shape[1], 1024):
        block = np.ascontiguousarray(channels[:, begin : begin + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=_layout(len(channels)))
        frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        frame.pts = round(start * rate_hz) + begin
        packets += stream.encode(frame)
    return packets + stream.encode(None)
