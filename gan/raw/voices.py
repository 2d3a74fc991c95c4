"""Who says what, and how it is cut into clips: spans of speech x tracks of faces -> stretches of one track's speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan.media.speaking import Signals, SpeakingSettings, decide
from gan.raw.parts import Part

CUTS, WHOSE = ("stretches", "whole"), ("mouth", "lone")
EDGE_SECONDS = 0.25  # by which a face may come late or go early and still be in sight throughout
SLIVER_SECONDS = 0.1  # between a shot's end and the next one's, or of a face at its edge: too short to be anybody's
NOTHING = Signals(np.zeros(0), np.zeros(0, np.float32))
COMES_SECONDS = 1.0  # after which a face was not there as the item began
CENTRE_REACH = 1.0  # how far from a face's middle the place that a list names may lie, in box sides


@dataclass(frozen=True)
class VoiceSettings:
    """cut: "stretches" of speech without a long pause, each a clip; or the "whole" part, pauses too.
    whose: where no list says who of a film speaks, the face whose "mouth" goes with the sound; or a "lone" face, unseen.
    pause_seconds: a longer pause ends a stretch. shortest_seconds: of a clip; less is left out. longest_seconds: more is cut.

    Raises ValueError for an impossible value.
    """

    cut: str = "stretches"
    whose: str = "mouth"
    pause_seconds: float = 0.5
    shortest_seconds: float = 1.0
    longest_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, allowed in (("cut", CUTS), ("whose", WHOSE)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"voices.{name}: {getattr(self, name)} came. Allowed: {', '.join(allowed)}.")
        if not self.pause_seconds >= 0:
            raise ValueError(f"voices.pause_seconds: {self.pause_seconds} came. Allowed: 0 or more.")
        if not 0.1 <= self.shortest_seconds <= self.longest_seconds:
            raise ValueError(
                f"voices.shortest_seconds, longest_seconds: {self.shortest_seconds}, {self.longest_seconds} came. "
                "Allowed: 0.1 or more, in this order."
            )


@dataclass(frozen=True)
class Voice:
    """A stretch of one track's speech. track: its number in the part; -1 where nothing is seen, and the source says who speaks.

    start, end: seconds on the film's clock. score, lag_seconds: of mouth against sound, nan where nobody looked.
    """

    track: int
    start: float
    end: float
    score: float = float("nan")
    lag_seconds: float = float("nan")


def voices(part: Part, settings: VoiceSettings, speaking: SpeakingSettings) -> tuple[list[Voice], dict[str, float]]:
    """What is said in a part and by whom; and the seconds of speech that are left out, by reason."""
    heard = part.row["heard"]
    ends = heard + len(part.array("waveform")) / 16_000
    whole = settings.cut == "whole"
    spans = [(heard, ends)] if whole and ends > heard else joined(part.row["speech"], settings.pause_seconds)
    left = dict[str, float]()
    if not part.row.get("frames"):
        return _cut([Voice(-1, start, end) for start, end in spans], settings, left), left
    tracks = part.array("tracks")
    if part.item.centre is not None and not part.row["part"]:  # a list says where the speaker is as the item begins
        track = _at(part, tracks)
        if track is None:
            left["no face at the speaker's place"] = _length(spans)
            return [], left
        row = tracks[track]
        inside = [(max(start, row["start"] - 0.5), min(end, row["end"] + 0.5)) for start, end in spans]
        found = [Voice(track, *(span if whole else kept)) for span, kept in zip(spans, inside, strict=True) if kept[1] > kept[0]]
        if (lost := _length(spans) - sum(voice.end - voice.start for voice in found)) > 1e-6:
            left["the speaker is out of sight"] = lost
        return _cut(found, settings, left), left
    if whole:
        return _cut(_of_all(part, tracks, spans, settings, speaking, left), settings, left), left
    return _cut(_by_window(part, tracks, spans, settings, speaking, left), settings, left), left


def joined(spans: Sequence[Sequence[float]], pause: float) -> list[tuple[float, float]]:
    """Spans with pauses between them shorter than `pause`, as one each."""
    stretches: list[tuple[float, float]] = []
    for start, end in spans:
        if stretches and start - stretches[-1][1] < pause:
            stretches[-1] = stretches[-1][0], end
        else:
            stretches.append((start, end))
    return stretches


def _of_all(
    part: Part,
    tracks: np.ndarray,
    spans: list[tuple[float, float]],
    settings: VoiceSettings,
    speaking: SpeakingSettings,
    left: dict[str, float],
) -> list[Voice]:
    """The whole part, if one track alone is found to speak in it."""
    speech = joined(part.row["speech"], settings.pause_seconds)
    found = _by_window(part, tracks, speech, settings, speaking, left)
    said = {
        track: sum(each.end - each.start for each in found if each.track == track) for track in {each.track for each in found}
    }
    if len(said) != 1:
        left["several people speak" if said else "nobody is seen to speak"] = _length(spans)
        return []
    (track,) = said
    best = max(found, key=lambda each: each.end - each.start)
    return [Voice(track, start, end, best.score, best.lag_seconds) for start, end in spans]


def _by_window(
    part: Part,
    tracks: np.ndarray,
    stretches: list[tuple[float, float]],
    settings: VoiceSettings,
    speaking: SpeakingSettings,
    left: dict[str, float],
) -> list[Voice]:
    """Stretches are judged in pieces in which the same faces are seen, of two seconds or a little more."""
    mouths, waveform, heard = part.array("mouths"), part.array("waveform"), part.row["heard"]
    signals = {
        int(track): Signals(rows["seconds"].astype(np.float64), rows["darkness"].astype(np.float32))
        for track in np.unique(mouths["track"])
        for rows in [mouths[mouths["track"] == track]]
    }
    visible = {int(row["track"]): (float(row["start"]), float(row["end"])) for row in tracks}
    edges = sorted({edge for span in visible.values() for edge in span})
    found: list[Voice] = []
    trusted: dict[int, Voice] = {}  # of a lone face, the last look at its mouth
    later: list[tuple[int, float, float]] = []

    def leave(reason: str, seconds: float) -> None:
        left[reason] = left.get(reason, 0.0) + seconds

    for number, (start, end) in enumerate(stretches):
        silence = (
            stretches[number - 1][1] if number else -np.inf,
            stretches[number + 1][0] if number + 1 < len(stretches) else np.inf,
        )
        for first, last in _pieces(start, end, edges, speaking.least_seconds):
            seen = [track for track, (come, go) in visible.items() if come <= first + EDGE_SECONDS and go >= last - EDGE_SECONDS]
            if not seen:
                leave("nobody is in sight", last - first)
            elif settings.whose == "lone":
                if len(seen) == 1:
                    found.append(Voice(seen[0], first, last))
                else:
                    leave("several faces", last - first)
            else:
                sight = max(visible[track][0] for track in seen), min(visible[track][1] for track in seen)
                judged = _longer(first, last, silence, sight, speaking.least_seconds, alone=len(seen) == 1)
                faces = [signals.get(track, NOTHING) for track in seen]
                told = decide(faces, waveform, *judged, speaking, heard)
                if told.speaker is not None:
                    track = seen[told.speaker]
                    voice = Voice(track, first, last, told.scores[told.speaker], told.lag_seconds)
                    found.append(voice)
                    if len(seen) == 1:
                        trusted[track] = voice
                elif told.reason == "unseen" and len(seen) == 1:
                    later.append((seen[0], first, last))
                else:
                    leave(told.reason, last - first)
                    if len(seen) == 1 and told.reason != "short":
                        trusted.pop(seen[0], None)
    for track, first, last in later:  # a lone face was looked at now and then: what it did then holds
        if track in trusted:
            known = trusted[track]
            found.append(Voice(track, first, last, known.score, known.lag_seconds))
        else:
            leave("not looked at", last - first)
    return sorted(found, key=lambda each: each.start)


def _pieces(start: float, end: float, edges: Sequence[float], least: float) -> list[tuple[float, float]]:
    """A stretch cut where a face comes or goes, and into equal pieces of `least` seconds or a little more."""
    inner = [start, *(edge for edge in edges if start < edge < end), end]
    pieces = []
    for first, last in zip(inner, inner[1:], strict=False):
        if last - first < SLIVER_SECONDS:
            continue
        number = max(1, int((last - first) / least))
        bounds = np.linspace(first, last, number + 1).tolist()
        pieces += list(zip(bounds, bounds[1:], strict=False))
    return pieces


def _longer(
    first: float, last: float, silence: tuple[float, float], sight: tuple[float, float], least: float, alone: bool
) -> tuple[float, float]:
    """A short piece with some of the silence round it, in which a speaker's mouth rests; of a lone face with speech round it too.

    silence: where the stretches before and after end and begin. sight: within which the faces are seen.
    """
    for low, high in ((max(silence[0], sight[0]), min(silence[1], sight[1])), sight if alone else (first, last)):
        lacking = least + 1e-3 - (last - first)
        if lacking > 0:
            before = min(max(0.0, first - low), max(lacking / 2, lacking - max(0.0, high - last)))
            first -= before
            last += min(max(0.0, high - last), max(0.0, lacking - before))
    return first, last


def _cut(found: Sequence[Voice], settings: VoiceSettings, left: dict[str, float]) -> list[Voice]:
    """Pieces of one track that follow one another become one, which is cut again where it is too long."""
    runs: list[list[Voice]] = []
    for voice in found:
        if runs and runs[-1][-1].track == voice.track and voice.start - runs[-1][-1].end < 1e-6:
            runs[-1].append(voice)
        else:
            runs.append([voice])
    cut = []
    for run in runs:
        start, end = run[0].start, run[-1].end
        number = max(1, -int(-(end - start) // settings.longest_seconds))
        if (end - start) / number < settings.shortest_seconds:
            left["shorter than a clip"] = left.get("shorter than a clip", 0) + end - start
            continue
        bounds = np.linspace(start, end, number + 1).tolist()
        score = float(np.mean([each.score for each in run]))
        lag = float(np.mean([each.lag_seconds for each in run]))
        cut += [Voice(run[0].track, first, last, score, lag) for first, last in zip(bounds, bounds[1:], strict=False)]
    return cut


def _at(part: Part, tracks: np.ndarray) -> int | None:
    """Of the tracks that are there from the beginning, the one whose first box is nearest to the place that the list names."""
    assert part.item.centre is not None
    width, height = part.row["picture"]
    begins = max(part.row["start"], part.row["heard"])
    place = np.array(part.item.centre) * (width, height)
    near = [
        (float(np.abs((row["box"][:2] + row["box"][2:]) / 2 - place).max() / (row["box"][2] - row["box"][0])), int(row["track"]))
        for row in tracks
        if row["start"] <= begins + COMES_SECONDS
    ]
    distance, track = min(near, default=(np.inf, -1))
    return track if distance <= CENTRE_REACH else None


def _length(spans: Sequence[tuple[float, float]]) -> float:
    return sum(end - start for start, end in spans)
