"""Who speaks, and where there is speech: gan/media/speaking.py, speech/ and loudness.py against films whose truth is known.

    python -m benchmarks.who_speaks --films 30 --workers 2

prints a row a figure: the bar, the rate, its 95 % interval (Wilson) and how many it is of. Thresholds were chosen on seeds
below 20; the default seed is another. Films are drawn in memory and pass through JPEG in place of a film's coding. Faces are
looked for at every eighth frame and watched at each; the spans are the true turns of 2 s or more.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.channel import Share, Truth, kept_speech
from evaluation.detectors.base import Detector
from evaluation.landmarks import points68_in
from gan.build import build
from gan.data.audio import to_int16
from gan.data.toy.films import RATES, Film, Person, plan
from gan.data.toy.speakers import draw_speaker
from gan.media.loudness import speech_to_pause_db
from gan.media.speaking import Mouth, Signals, SpeakingSettings, decide
from gan.media.speech.base import Speech

WATCHED = ("turns", "chewing", "listener", "turns", "chewing", "still")
HEARD = ("speaker", "music", "music_alone", "music", "pause")
EVERY = 8  # frames from one search for faces to the next
JPEG_QUALITY = 70
LEAST_SECONDS = 2.0
DETECTORS = {
    "energy": {"name": "energy"},
    "WebRTC, SF2F": {"name": "webrtc"},
    "WebRTC, voice2face": {"name": "webrtc", "aggressiveness": 2, "frame_ms": 20, "ring_frames": 2},
    "Silero": {"name": "silero"},
}
# Only the order of two scores counts here, so that nothing is dropped before.
OPEN = SpeakingSettings(score=0, margin=0, change=0)


@dataclass
class Watched:
    """A film after it was watched: for each scene the mouths of its faces, by name, and what watching took."""

    truth: Truth
    waveform: np.ndarray
    mouths: list[dict[str, Signals]]
    missed: int = 0  # faces that no detector's box shows, so many looks
    looks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # processor time: faces, points, mouths


def drawn(seed: int, number: int, kinds: Sequence[str]) -> Film:
    host, guest = (Person(f"{key}{number:03}", draw_speaker(seed, at + number)) for key, at in (("p", 0), ("s", 100_000)))
    return plan(f"p{number:03}/f00", host, guest, kinds, 1000 * seed + number, rate=RATES[number % 2], seconds=(4.4, 5.0))


def watch(seed: int, number: int) -> Watched:
    """Film `number`, its faces found and watched as the pipeline does."""
    torch.set_num_threads(1)
    film = drawn(seed, number, WATCHED)
    truth = Truth(film.truth())
    detector = build(Detector, {"name": "dlib_hog", "upsampling": 0}, "detector")
    seen = Watched(truth, to_int16(film.waveform()), [], seconds=dict.fromkeys(("faces", "points", "mouths"), 0.0))
    mouths: list[dict[str, Mouth]] = [{face["name"]: Mouth() for face in scene["faces"]} for scene in truth.scenes]
    boxes: dict[str, np.ndarray] = {}
    place = -1
    for at, frame in enumerate(film.frames()):
        image, second = _coded(frame), float(truth.times[at])
        if place < 0 or at > truth.scenes[place]["last"]:
            place, boxes = place + 1, {}
        began = time.process_time()
        if (at - truth.scenes[place]["first"]) % EVERY == 0 and truth.scenes[place]["faces"]:
            found = {truth.person_at(second, box): box for box in detector.locate(image)[::-1]}
            found.pop(None, None)
            boxes |= {str(name): box for name, box in found.items()}
            seen.looks += len(mouths[place])
            seen.missed += len(mouths[place]) - len(found)
        seen.seconds["faces"] += time.process_time() - began
        for name, box in boxes.items():
            began = time.process_time()
            points = points68_in(image, box[None])[0]
            seen.seconds["points"] += time.process_time() - began
            began = time.process_time()
            mouths[place][name].add(second, image, points)
            seen.seconds["mouths"] += time.process_time() - began
    seen.mouths = [{name: mouth.signals() for name, mouth in scene.items()} for scene in mouths]
    return seen


def who_speaks(films: Sequence[Watched]) -> list[tuple[str, str, str]]:
    """Rows: what, bar, figure."""
    right, kept = {kind: Share(0, 0) for kind in ("turns", "chewing")}, {kind: Share(0, 0) for kind in ("turns", "chewing")}
    judged = {kind: Share(0, 0) for kind in ("turns", "chewing")}
    lone: dict[bool, list[float]] = {True: [], False: []}
    lone_kept = {True: Share(0, 0), False: Share(0, 0)}
    still, overlaid, unseen = Share(0, 0), Share(0, 0), 0
    for film, other in zip(films, [*films[1:], films[0]], strict=True):
        for scene, mouths in zip(film.truth.scenes, film.mouths, strict=True):
            names, faces = list(mouths), list(mouths.values())
            if scene["kind"] == "still":  # its turns are shorter than 2 s
                still += Share(decide(faces, film.waveform, scene["start"], scene["end"]).speaker is not None, 1)
                continue
            for start, end in _spans(film.truth, scene):
                speaker = next(turn["name"] for turn in film.truth.turns if turn["start"] <= start < turn["end"])
                if scene["kind"] == "listener":
                    lone[False].append(decide(faces, film.waveform, start, end, OPEN).scores[0])
                    lone_kept[False] += Share(decide(faces, film.waveform, start, end).speaker is not None, 1)
                else:
                    kind, true = scene["kind"], names.index(speaker)
                    scores = np.array(decide(faces, film.waveform, start, end, OPEN).scores)
                    if np.isnan(scores).all():
                        unseen += 1
                        right[kind] += Share(0, 1)
                    else:
                        right[kind] += Share(int(np.nanargmax(scores)) == true, 1)
                    decision = decide(faces, film.waveform, start, end)
                    judged[kind] += Share(decision.speaker is not None, 1)
                    if decision.speaker is not None:
                        kept[kind] += Share(decision.speaker == true, 1)
                    lone[True].append(scores[true])
                    lone_kept[True] += Share(decide([faces[true]], film.waveform, start, end).speaker is not None, 1)
            for start, end in _spans(other.truth, scene):
                decision = decide(faces, other.waveform, start, end)
                overlaid += Share(decision.speaker is not None, 1)
    both = kept["turns"] + kept["chewing"]
    positive, negative = (np.nan_to_num(np.array(lone[which]), nan=-1.0) for which in (True, False))
    return [
        ("two faces, listener at rest: right", ">= .90", str(right["turns"])),
        ("two faces, listener chews: right", ">= .90", str(right["chewing"])),
        ("two faces, kept: right", ">= .98", str(both)),
        ("    listener at rest / chews", "", f"{kept['turns']} / {kept['chewing']}"),
        ("two faces: kept", ">= .60", str(judged["turns"] + judged["chewing"])),
        ("two faces, not in sight: segments", "", str(unseen)),
        ("lone face, AUC of speaker against listener", ">= .90", _auc(positive, negative)),
        ("lone speaker: kept", "", str(lone_kept[True])),
        ("lone listener: kept", "", str(lone_kept[False])),
        ("still picture with its voice: kept", "0", str(still)),
        ("sound of another film: kept", "< .05", str(overlaid)),
    ]


def _spans(truth: Truth, scene: dict[str, object]) -> list[tuple[float, float]]:
    """Turns of 2 s or more inside a scene with faces, cut into parts of 2 to 4 s."""
    found = []
    for turn in truth.turns if scene["faces"] else ():
        start, end = max(turn["start"], scene["start"]), min(turn["end"], scene["end"])
        parts = int((end - start) / LEAST_SECONDS)
        found += [(start + (end - start) * part / parts, start + (end - start) * (part + 1) / parts) for part in range(parts)]
    return found


def _auc(positive: np.ndarray, negative: np.ndarray) -> str:
    """With the 95 % interval of Hanley and McNeil (1982)."""
    if not (len(positive) and len(negative)):
        return f"nan of {len(positive)} + {len(negative)}"
    area = float((positive[:, None] > negative).mean() + (positive[:, None] == negative).mean() / 2)
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    m, n = len(positive), len(negative)
    error = np.sqrt((area * (1 - area) + (m - 1) * (first - area**2) + (n - 1) * (second - area**2)) / (m * n))
    return f"{area:.3f} [{area - 1.96 * error:.3f}, {min(1.0, area + 1.96 * error):.3f}] of {m} + {n}"


def speech(seed: int, films: int) -> list[tuple[str, str, str]]:
    """Rows: what, bar, figure. Shares are of seconds, their intervals from the films (mean and 1.96 standard errors)."""
    rows = []
    detectors = {name: build(Speech, section, "speech") for name, section in DETECTORS.items()}
    ratios: dict[str, list[float]] = {"clean": [], "music 10 dB below": [], "music 5 dB below": []}
    shares: dict[str, dict[str, list[float]]] = {name: {} for name in detectors}
    took = dict.fromkeys(detectors, 0.0)
    heard = 0.0
    for number in range(films):
        film = drawn(seed, number, HEARD)
        # All music 5 dB below; where it is alone it stays so.
        film = replace(film, music=tuple(replace(one, below_db=5.0) for one in film.music))
        truth, waveform = Truth(film.truth()), to_int16(film.waveform())
        heard += film.end
        for name, detector in detectors.items():
            began = time.process_time()
            spans = detector.spans(waveform)
            took[name] += time.process_time() - began
            for kind, (called, total) in kept_speech(truth, spans).items():
                if total:
                    shares[name].setdefault(kind, []).append(called / total)
        for name, below in (("clean", None), ("music 10 dB below", 10.0), ("music 5 dB below", 5.0)):
            alone = drawn(seed, number, ("pause", "pause"))
            if below is not None:
                tune = replace(film.music[0], start=0.0, end=alone.end, below_db=below)
                alone = replace(alone, music=(tune,))
            waveform = to_int16(alone.waveform())
            ratio = speech_to_pause_db(waveform, detectors["Silero"].spans(waveform))
            ratios[name] += [] if ratio is None else [ratio]
    bars = {"speech": ">= .95", "speech_under": ">= .95", "pauses": "<= .20", "pauses_under": "<= .20", "music": "<= .02"}
    says = {
        "speech": "speech found",
        "speech_under": "speech found under music 5 dB below",
        "pauses": "pauses kept",
        "pauses_under": "pauses kept under music 5 dB below",
        "music": "music alone kept",
    }
    for name in detectors:
        for kind, what in says.items():
            values = np.array(shares[name][kind])
            error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
            mean = values.mean()
            bar = bars[kind] if name == "Silero" else ""
            rows.append(
                (
                    f"{name}: {what}",
                    bar,
                    f"{mean:.3f} [{max(mean - error, 0):.3f}, {min(mean + error, 1):.3f}] of {len(values)} films",
                )
            )
        rows.append((f"{name}: processor seconds a second", "", f"{took[name] / heard:.5f}"))
    for name, found in ratios.items():
        low, middle, high = np.percentile(found, [5, 50, 95])
        rows.append((f"speech to pause, {name}, dB: 5 / 50 / 95 %", "", f"{low:.1f} / {middle:.1f} / {high:.1f} of {len(found)}"))
    return rows


def _coded(frame: np.ndarray) -> np.ndarray:
    coded = io.BytesIO()
    Image.fromarray(frame).save(coded, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(coded))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.who_speaks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--films", type=int, default=40, help="each with eight turns of two people (default %(default)s)")
    parser.add_argument("--seed", type=int, default=21, help="default %(default)s")
    parser.add_argument("--workers", type=int, default=1, help="default %(default)s")
    options = parser.parse_args(arguments)
    # Spawned, not forked: a fork of a process that runs threads may hang.
    with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn")) as pool:
        made = pool.map(watch, repeat(options.seed), range(options.films))
        films = list(tqdm(made, total=options.films, desc="watching", unit="film", disable=None))
    rows = who_speaks(films) + speech(options.seed, options.films)
    seconds = sum(film.truth.end for film in films)
    shown = sum(film.truth.face_seconds() for film in films)
    looked = sum(film.looks for film in films)
    rows.append(("looks at a face that found none", "", str(Share(sum(film.missed for film in films), looked))))
    cost = {part: sum(film.seconds[part] for film in films) for part in ("faces", "points", "mouths")}
    rows.append(("processor seconds a second of film: finding faces", "", f"{cost['faces'] / seconds:.3f}"))
    rows.append(
        (
            "processor seconds a second of a face: 68 points / mouth",
            "",
            f"{cost['points'] / shown:.3f} / {cost['mouths'] / shown:.3f}",
        )
    )
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for what, bar, figure in rows:
        print(f"{what:{widths[0]}}  {bar:{widths[1]}}  {figure}")


if __name__ == "__main__":
    main()
