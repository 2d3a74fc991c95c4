"""The one door to PyAV: films, and sound files that libsndfile does not read.

A time is pts x time_base of each frame, on the film's own clock, which may start below or above 0. A frame number is never
a time. Damaged packets are passed over: pictures go on after them, sound has a hole of zeros there. One thread.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan.data.channels import OPPOSITE, loudest_of_opposite, sums_of
from gan.data.resampling import Resampler, resample

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
MOST_SECONDS_AT_ONCE = 2 * 3600  # of sound; 0.5 GB at 16 kHz
MOST_SECONDS_OF_HOLE = 600  # what lies further ahead has a damaged time
HOLE_SECONDS = 10  # a block of a hole
MIXED_SECONDS = 60
LEAPS = "its clock leaps ahead by more than 10 minutes; sound after that was left out"
SMALL = (45, 80)
POINTS = 4
PLANAR = ("yuv4", "yuvj4", "nv12", "nv21")  # brightness in a plane of its own
FULL_RANGE = 2  # brightness from 0 to 255, not from 16 to 235
KINDS = (
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "a PDF"),
)


class Frame:
    """One picture. seconds: its time on the film's clock. pixel: how wide a pixel is in the file, of its height."""

    def __init__(self, frame: Any, seconds: float, pixel: float = 1.0) -> None:
        self._frame, self.seconds = frame, seconds
        self._shown = max(1, round(frame.width * pixel)), frame.height  # with square pixels, not yet turned
        self._turns = round((getattr(frame, "rotation", 0) or 0) / 90) % 4  # quarter turns against the clock

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in square pixels, upright."""
        return self._shown[::-1] if self._turns % 2 else self._shown

    def rgb(self, most_height: int | None = None) -> np.ndarray:
        """uint8 (H, W, 3), upright; a taller picture than most_height is made that small, and as much narrower."""
        width, height = self.size
        if most_height is not None and height > most_height:
            width, height = max(1, round(width * most_height / height)), most_height
        if self._turns % 2:
            width, height = height, width
        wanted: dict[str, Any] = {}
        if (width, height) != (self._frame.width, self._frame.height):
            wanted = dict(width=width, height=height, interpolation="AREA")
        return np.ascontiguousarray(np.rot90(self._frame.to_ndarray(format="rgb24", **wanted), self._turns))

    def small(self) -> np.ndarray:
        """uint8 (45, 80), grey, upright: means of POINTS x POINTS points each, which cost an eighth of means of all."""
        height, width = SMALL if self._turns % 2 == 0 else SMALL[::-1]
        kind = self._frame.format
        if kind.name.startswith(PLANAR) and kind.components[0].bits == 8:
            plane = self._frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            rows, columns = _points(self._frame.height, height), _points(self._frame.width, width)
            sums = luma[rows].reshape(height, POINTS, -1).sum(axis=1, dtype=np.uint16)[:, columns]
            grey = sums.reshape(height, width, POINTS).sum(axis=2, dtype=np.uint16) / POINTS**2
            if not kind.name.startswith("yuvj") and self._frame.color_range != FULL_RANGE:
                grey = np.clip((grey - 16) * (255 / 219), 0, 255)
            image = grey.astype(np.uint8)
        else:
            image = self._frame.reformat(width=width, height=height, format="gray", interpolation="AREA").to_ndarray()
        return np.ascontiguousarray(np.rot90(image, self._turns))


@dataclass(frozen=True)
class Block:
    """Sound as it is in the file: float32 (channels, S) in [-1, 1]. seconds: of its first sample. hole: zeros, no data came."""

    seconds: float
    rate_hz: int
    channels: np.ndarray
    hole: bool = False


@dataclass(frozen=True)
class Sound:
    """waveform: float32 (S,) in [-1, 1], 16 kHz; sample i is at start + i / 16000 s. holes: (start, end) of zeros."""

    waveform: np.ndarray
    start: float
    holes: list[tuple[float, float]]
    notes: list[str]


class Film:
    """A film or a sound file. Raises ValueError, one line, if it cannot be opened safely.

    seconds: stated length or None. start: the earliest time on its clock, 0 if unknown. reached: the time on its clock up to
    which pictures or sound were decoded so far; after reading to the end it tells how much came.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        self._spare: Any = self._open()
        container = self._spare
        self._pictures = self._track(container, "video", "pictures")
        self._sound = self._track(container, "audio", "sound")
        if self._pictures is not None and not container.streams[self._pictures].codec_context.width:
            self._pictures = None
            self.notes.append("pictures of unknown size, or larger than 7680x4320 px: left out")
        elif container.streams.video and self._pictures is None and self._sound is not None:
            self.notes.append("its picture is a cover, and no moving pictures are there; its sound was taken")
        self.has_pictures, self.has_sound = self._pictures is not None, self._sound is not None
        self.start = self.reached = (container.start_time or 0) / 1e6
        self.seconds = container.duration / 1e6 if container.duration and container.duration > 0 else None
        if "matroska" in container.format.name and self.start > 1:
            self.seconds = None  # some programs write the length there, others the time of the end
        self._wraps = container.format.name in WRAPPING
        try:
            self._check(container)
        except ValueError:
            self.close()
            raise
        if container.format.name == "avi" and self.has_sound and "mp3" in container.streams[self._sound].codec_context.name:
            self.notes.append("AVI with MP3: its sound may lie some 25 ms late")
        self._size: tuple[int, int] | None = None
        shape = container.streams[self._pictures].sample_aspect_ratio if self._pictures is not None else None
        self._pixel = float(shape) if shape and 0.1 < shape < 10 else 1.0

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
            self._size = None if first is None else first.size
        return self._size

    def frames(self, start: float | None = None, end: float | None = None) -> Iterator[Frame]:
        """Every picture with start <= seconds < end, in order of time. Jumps to the key frame before start."""
        if self._pictures is None:
            return
        last = -math.inf
        for frame, seconds in self._decoded(self._pictures, start):
            if end is not None and seconds >= end:
                return
            if seconds <= last:  # damaged
                continue
            last = seconds
            length = float((getattr(frame, "duration", 0) or 0) * frame.time_base)
            self.reached = max(self.reached, seconds + length)
            if start is None or seconds >= start:
                yield Frame(frame, seconds, self._pixel)

    def sound(self, start: float | None = None, end: float | None = None) -> Sound:
        """What is heard from start to end, channels averaged; of those that silence each other the loudest. May be empty.

        Raises ValueError if that is more than MOST_SECONDS_AT_ONCE.
        """
        mixer, first, holes = _Mixer(), None, list[tuple[float, float]]()
        for block in self.blocks(start, end):
            first = block.seconds if first is None else first
            if block.hole:
                length = block.channels.shape[1] / block.rate_hz
                begin = holes.pop()[0] if holes and holes[-1][1] == block.seconds else block.seconds
                holes.append((begin, block.seconds + length))
            mixer.add(block)
        waveform = mixer.finish()
        for note in mixer.notes:
            self._note(note)
        return Sound(np.clip(waveform, -1, 1, out=waveform), first or 0.0, holes, list(self.notes))

    def blocks(self, start: float | None = None, end: float | None = None) -> Iterator[Block]:
        """Sound as it is in the file, from start to end, without a gap: each block begins where the one before it ends.

        Raises ValueError if that is more than MOST_SECONDS_AT_ONCE.
        """
        if self._sound is None:
            return
        if start is None and end is None and self.seconds is not None:
            self._check_at_once(self.seconds)
        rate_hz, first, count = 0, 0.0, 0  # of what was given
        for frame, here in self._decoded(self._sound, None if start is None else start - WARM_UP_SECONDS):
            channels, rate = _channels(frame), frame.sample_rate
            if start is not None and here < start:
                cut = min(channels.shape[1], round((start - here) * rate))
                channels, here = channels[:, cut:], here + cut / rate
            if end is not None and here >= end:
                break
            if end is not None:
                channels = channels[:, : max(0, round((end - here) * rate))]
            if not channels.shape[1]:
                continue
            if not count:
                rate_hz, first = rate, here
            elif rate != rate_hz:
                channels = resample(channels, rate, rate_hz)
            gap = here - (first + count / rate_hz)
            if gap > MOST_SECONDS_OF_HOLE:
                self._note(LEAPS)
                continue
            # Containers round times to 1 ms; a lost packet is a whole coded frame.
            allowed = max(0.002, min(0.5 * frame.samples / rate, 0.02))
            if gap > allowed:
                for size in _portions(round(gap * rate_hz), HOLE_SECONDS * rate_hz):
                    zeros = np.zeros((len(channels), size), np.float32)
                    yield Block(first + count / rate_hz, rate_hz, zeros, hole=True)
                    count += size
            elif gap < -allowed:
                channels = channels[:, round(-gap * rate_hz) :]
            if channels.shape[1]:
                yield Block(first + count / rate_hz, rate_hz, channels)
                count += channels.shape[1]
                self.reached = max(self.reached, first + count / rate_hz)
                self._check_at_once(count / rate_hz)

    def _check_at_once(self, seconds: float) -> None:
        if seconds > MOST_SECONDS_AT_ONCE:
            raise ValueError(
                f"{self.path}: holds more than {MOST_SECONDS_AT_ONCE / 3600:g} h of sound, which is all that is read at once. "
                "Cut it into shorter files."
            )

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

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
        defaults = [stream for stream in tracks if stream.disposition & Disposition.default]
        chosen = (defaults or tracks)[0]
        if len(tracks) > 1:
            why = "the default" if defaults else "the first, as none is the default"
            self.notes.append(f"{len(tracks)} tracks of {word}: number {tracks.index(chosen) + 1} was taken, {why}")
        return int(chosen.index)

    def _check(self, container: Any) -> None:
        if not self.has_pictures and not self.has_sound:
            why = f" ({'; '.join(self.notes)})" if self.notes else ""
            raise ValueError(f"{self.path}: holds neither moving pictures nor sound that can be decoded{why}.")
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


class _Mixer:
    """Blocks -> one channel at 16 kHz. A minute or less is mixed at a time, by itself, so that long sound needs little memory."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._held: list[Block] = []
        self._resampler: Resampler | None = None
        self._mixed: list[np.ndarray] = []

    def add(self, block: Block) -> None:
        if self._held:
            first = self._held[0]
            same = len(first.channels) == len(block.channels)
            if not same or block.seconds - first.seconds >= MIXED_SECONDS:
                self._mix()
        self._held.append(block)

    def finish(self) -> np.ndarray:
        """float32 (S,)"""
        self._mix(last=True)
        return np.concatenate(self._mixed) if self._mixed else np.zeros(0, np.float32)

    def _mix(self, last: bool = False) -> None:
        if not self._held:
            return
        channels = np.concatenate([block.channels for block in self._held], axis=1)
        if not np.isfinite(channels).all():
            channels = np.where(np.isfinite(channels), channels, 0)
            self.notes.append("samples that are NaN or infinite; zeros were put there")
        mean = channels.mean(axis=0, dtype=np.float32)
        loudest = loudest_of_opposite(mean, sums_of(channels))
        if loudest is not None:
            mean = channels[loudest]
            self.notes.append(OPPOSITE)
        if self._resampler is None:
            self._resampler = Resampler(self._held[0].rate_hz)
        self._mixed.append(self._resampler(mean, last))
        self._held = []


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
        except (av.error.FFmpegError, IndexError):  # IndexError: PyAV, where a further track begins in the middle
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


def _points(size: int, cells: int) -> np.ndarray:
    """Where POINTS points of each cell lie among `size` pixels, evenly: whole numbers (cells * POINTS,)."""
    return (2 * np.arange(cells * POINTS) + 1) * size // (2 * cells * POINTS)


def _portions(size: int, most: int) -> Iterator[int]:
    """12, 5 -> 5, 5, 2"""
    for begin in range(0, size, most):
        yield min(most, size - begin)


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
