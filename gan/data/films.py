"""The one door to PyAV: films, and sound files that libsndfile does not read.

A time is pts x time_base of each frame, on the film's own clock, which may start below or above 0. A frame number is never
a time. Damaged packets are passed over: pictures go on after them, sound has a hole of zeros there. One thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.data.resampling import resample

FILMS = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv")
PACKED_SOUND = (".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".m4a", ".m4b", ".mka", ".mp2", ".oga", ".w64", ".wma", ".wv")
# No demuxer that opens other files (concat, hls, dash, image2, sdp).
FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,mp3,aac,ogg,wav,flac,caf,aiff,au,amr,w64,wv"
MOST_PIXELS = 7680 * 4320
MOST_SECONDS = 48 * 3600
LEAST_BYTES_PER_SECOND = 10  # the thriftiest speech codecs write some 500
WRAP_BITS = 33  # MPEG's clock goes round after 26.5 hours
WRAPPING = ("mpegts", "mpeg")
WARM_UP_SECONDS = 0.3  # AAC and Opus need what was before, after a jump
MOST_FAILURES = 1_000  # errors of the container in a row
SMALL = (45, 80)
KINDS = (
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "a PDF"),
)


class Frame:
    """One picture. seconds: its time on the film's clock."""

    def __init__(self, frame: Any, seconds: float) -> None:
        self._frame, self.seconds = frame, seconds
        self._turns = round((getattr(frame, "rotation", 0) or 0) / 90) % 4  # quarter turns against the clock

    def rgb(self, most_height: int | None = None) -> np.ndarray:
        """uint8 (H, W, 3), upright. Taller pictures than most_height are made smaller, their shape kept."""
        width, height = self._frame.width, self._frame.height
        tall = height if self._turns % 2 == 0 else width
        if most_height is None or tall <= most_height:
            image = self._frame.to_ndarray(format="rgb24")
        else:
            size = dict(width=round(width * most_height / tall), height=round(height * most_height / tall))
            image = self._frame.reformat(**size, format="rgb24", interpolation="AREA").to_ndarray()
        return np.ascontiguousarray(np.rot90(image, self._turns))

    def small(self) -> np.ndarray:
        """uint8 (45, 80), grey, upright."""
        height, width = SMALL if self._turns % 2 == 0 else SMALL[::-1]
        image = self._frame.reformat(width=width, height=height, format="gray", interpolation="AREA").to_ndarray()
        return np.ascontiguousarray(np.rot90(image, self._turns))


class Sound:
    """waveform: float32 (S,) in [-1, 1], 16 kHz; sample i is at start + i / 16000 s. holes: (start, end) of zeros."""

    def __init__(self, waveform: np.ndarray, start: float, holes: list[tuple[float, float]], notes: list[str]) -> None:
        self.waveform, self.start, self.holes, self.notes = waveform, start, holes, notes


class Film:
    """A film or a sound file. Raises ValueError, one line, if it cannot be opened safely.

    seconds: stated length or None. start: the earliest time on its clock, 0 if unknown. reached: the time on its clock up to which
    pictures or sound were decoded so far; after reading to the end it tells how much came.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        self._spare: Any = self._open()
        container = self._spare
        self._pictures = self._track(container, "video", "pictures")
        self._sound = self._track(container, "audio", "sound")
        self.has_pictures, self.has_sound = self._pictures is not None, self._sound is not None
        self.seconds = container.duration / 1e6 if container.duration and container.duration > 0 else None
        self.start = self.reached = (container.start_time or 0) / 1e6
        self._wraps = container.format.name in WRAPPING
        try:
            self._check(container)
        except ValueError:
            self.close()
            raise
        if container.format.name == "avi" and self.has_sound and "mp3" in container.streams[self._sound].codec_context.name:
            self.notes.append("AVI with MP3: its sound may lie some 25 ms late")
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, upright; None without pictures. The first picture is decoded for it."""
        if self.has_pictures and self._size is None:
            first = next(self.frames(), None)
            if first is not None:
                width, height = first._frame.width, first._frame.height
                self._size = (height, width) if first._turns % 2 else (width, height)
        return self._size

    def frames(self, start: float | None = None, end: float | None = None) -> Iterator[Frame]:
        """Every picture with start <= seconds < end, in order of time. Jumps to the key frame before start."""
        if self._pictures is None:
            return
        for frame, seconds in self._decoded(self._pictures, start):
            if end is not None and seconds >= end:
                return
            length = float((getattr(frame, "duration", 0) or 0) * frame.time_base)
            self.reached = max(self.reached, seconds + length)
            if start is None or seconds >= start:
                yield Frame(frame, seconds)

    def sound(self, start: float | None = None, end: float | None = None) -> Sound:
        """What is heard from start to end, channels averaged. Empty if there is nothing."""
        waveform, rate_hz, _, first, holes = self.coded_sound(start, end)
        return Sound(np.clip(resample(waveform, rate_hz), -1, 1), first, holes, list(self.notes))

    def coded_sound(
        self, start: float | None = None, end: float | None = None, channel: int | None = None
    ) -> tuple[np.ndarray, int, np.ndarray, float, list[tuple[float, float]]]:
        """As sound, at the file's rate: float32 (S,), rate, (2, channels) sums of samples and of squares, start, holes.

        channel: that one instead of the mean of all.
        """
        sums = np.zeros((2, 1))
        blocks: list[np.ndarray] = []
        holes: list[tuple[float, float]] = []
        rate_hz, first, count = SAMPLE_RATE_HZ, 0.0, 0
        if self._sound is not None:
            for frame, seconds in self._decoded(self._sound, None if start is None else start - WARM_UP_SECONDS):
                channels, here = _channels(frame), seconds
                with np.errstate(invalid="ignore", over="ignore"):  # what is infinite is refused later
                    more = np.stack([channels.sum(axis=1, dtype=np.float64), np.square(channels, dtype=np.float64).sum(axis=1)])
                sums = sums + more if sums.shape in (more.shape, (2, 1)) else sums
                block = channels.mean(axis=0, dtype=np.float32) if channel is None else channels[min(channel, len(channels) - 1)]
                if start is not None and here < start:
                    cut = min(len(block), round((start - here) * frame.sample_rate))
                    block, here = block[cut:], here + cut / frame.sample_rate
                if end is not None and here >= end:
                    break
                if end is not None:
                    block = block[: max(0, round((end - here) * frame.sample_rate))]
                if not len(block):
                    continue
                if not blocks:
                    rate_hz, first = frame.sample_rate, here
                elif frame.sample_rate != rate_hz:
                    block = resample(block, frame.sample_rate, rate_hz)
                gap = here - (first + count / rate_hz)
                # Containers round times to 1 ms; a lost packet is a whole coded frame.
                allowed = max(0.002, min(0.5 * frame.samples / rate_hz, 0.02))
                if gap > allowed and (self.seconds is None or here < self.start + 1.1 * self.seconds + 10):
                    zeros = round(gap * rate_hz)
                    holes.append((here - gap, here))
                    blocks.append(np.zeros(zeros, np.float32))
                    count += zeros
                elif gap < -allowed:
                    block = block[round(-gap * rate_hz) :]
                blocks.append(block)
                count += len(block)
                self.reached = max(self.reached, first + count / rate_hz)
        waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        return waveform, rate_hz, sums, first, holes

    def _open(self) -> Any:
        try:
            import av
        except ImportError:
            raise ValueError(f'{self.path}: needs PyAV, which is not installed. Run: pip install "voxface[media]"') from None
        if not self.path.is_file():
            raise ValueError(f"{self.path}: {'not a file' if self.path.exists() else 'no such file'}.")
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "max_pixels": str(MOST_PIXELS)}
        try:
            # file: a name such as concat:a|b stays a name.
            return av.open(f"file:{os.path.abspath(self.path)}", options=options, metadata_errors="replace")
        except PermissionError:
            raise ValueError(f"{self.path}: may not be read (permission denied).") from None
        except (av.error.FFmpegError, OSError, ValueError):
            raise ValueError(f"{self.path}: not a film or sound that can be read; it is {_really(self.path)}.") from None

    def _track(self, container: Any, kind: str, word: str) -> int | None:
        """Index of the default track, or else of the first; cover pictures are none."""
        from av.stream import Disposition

        tracks = [
            stream
            for stream in getattr(container.streams, kind)
            if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
        ]
        if not tracks:
            return None
        chosen = next((stream for stream in tracks if stream.disposition & Disposition.default), tracks[0])
        if len(tracks) > 1:
            self.notes.append(f"{len(tracks)} tracks of {word}: number {tracks.index(chosen) + 1} was taken, the default")
        return int(chosen.index)

    def _check(self, container: Any) -> None:
        if not self.has_pictures and not self.has_sound:
            raise ValueError(f"{self.path}: holds neither moving pictures nor sound that can be decoded.")
        if self._pictures is not None:
            coded = container.streams[self._pictures].codec_context
            if coded.width * coded.height > MOST_PIXELS:
                raise ValueError(f"{self.path}: pictures of {coded.width}x{coded.height} px; read are at most 7680x4320.")
        size = self.path.stat().st_size
        if self.seconds and (self.seconds > MOST_SECONDS or size < LEAST_BYTES_PER_SECOND * self.seconds):
            raise ValueError(f"{self.path}: states a length of {self.seconds:.0f} s, which its {size} bytes cannot hold.")

    def _decoded(self, index: int, start: float | None) -> Iterator[tuple[Any, float]]:
        """Frames of a track with their times, from at or before start."""
        import av

        for back in (0.0, 5.0, 30.0, None) if start is not None else (None,):
            container, self._spare = self._spare or self._open(), None
            try:
                stream = container.streams[index]
                stream.thread_type, stream.codec_context.thread_count = "NONE", 1
                stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
                if start is not None and back is not None:
                    try:
                        container.seek(int((start - back) / stream.time_base), stream=stream, backward=True)
                    except av.error.FFmpegError:
                        continue
                last = self.start if start is None or back is None else start
                wrap = float(2**WRAP_BITS * stream.time_base) if self._wraps else 0.0
                begun = False
                for frame in _frames(container, stream):
                    if frame.pts is None:
                        continue
                    seconds = float(frame.pts * frame.time_base)
                    if wrap:
                        seconds += wrap * round((last - seconds) / wrap)
                        last = seconds
                    if not begun and start is not None and back is not None and seconds > start:
                        break  # the jump went too far: try from earlier
                    begun = True
                    yield frame, seconds
                if begun:
                    return
            finally:
                container.close()


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Decodes packet by packet, so that a damaged one costs itself alone."""
    import av

    failures = 0
    while failures < MOST_FAILURES:
        try:
            for packet in container.demux(stream):
                try:
                    decoded = stream.codec_context.decode(packet)
                except av.error.EOFError:
                    return
                except av.error.FFmpegError:
                    continue
                yield from decoded
                failures = 0
            return
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            failures += 1


def _channels(frame: Any) -> np.ndarray:
    """float32 (channels, S), whole numbers scaled to [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype.kind == "u":
        return np.asarray((samples.astype(np.float32) - 128) / 128, np.float32)
    scale = 1.0 if samples.dtype.kind == "f" else -float(np.iinfo(samples.dtype).min)
    return np.asarray(samples / scale, np.float32)


def _really(path: Path) -> str:
    """What a file is, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head:
        return "empty (0 bytes)"
    for start, kind in KINDS:
        if head.startswith(start):
            return kind
    if head[4:8] == b"ftyp":
        return "an mp4 without its index, as one that was cut off: fetch it again"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<html", b"<!doctype")):
        return "a web page"
    if text.startswith((b"ffconcat", b"#extm3u", b"v=0")):
        return "a list of other files"
    try:
        head.decode()
    except UnicodeDecodeError:
        return "of an unknown kind, or damaged"
    return "of an unknown kind, or damaged" if b"\0" in head else "text"
