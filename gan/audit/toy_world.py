"""Is the toy world good enough? Measured with real detectors, and shown: a table, a sheet of faces, some voices.

The nets judge pictures as those of people; their weights lie inside installed packages, nothing is downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.detectors.base import Detector
from evaluation.extractors.base import Embedder
from gan.build import build
from gan.data.pictures import resize
from gan.data.toy.faces import FACE_BOX, draw_picture, render_face
from gan.data.toy.speakers import AUDIBLE, INAUDIBLE, Speaker, audible_mean, draw_speaker, given_audible
from gan.data.toy.voices import SAMPLE_RATE_HZ, compose, draw_recording, synthesise

VAD_FRAME = 320  # samples, 20 ms
_DEPENDENT = ("hair_grey", "hair_length", "hairline", "beard", "glasses")  # on sex and age, so a voice tells of them


@dataclass(frozen=True)
class Row:
    """One line of the table. bar is None where there is only something to show."""

    check: str
    measured: str
    bar: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        met = "" if self.met is None else "yes" if self.met else "**no**"
        return f"| {self.check} | {self.bar} | {self.measured} | {met} |"


def report(folder: str | Path, seed: int = 0) -> str:
    """Measure the toy world `seed`; writes faces.png, voice-*.wav and report.md to folder. Returns the table, Markdown.

    Takes some minutes on one core. Raises ValueError if webrtcvad is not installed.
    """
    if importlib.util.find_spec("webrtcvad") is None:
        raise ValueError("webrtcvad: not installed, the report needs it. Install voxface[dev] or webrtcvad-wheels.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for step in (_rows_of_detection, _rows_of_embedding, _rows_of_speech, _rows_of_audibility, _rows_of_speed):
        rows += step(seed)
    table = "\n".join(["| check | bar | measured | met |", "|---|---|---|---|", *map(str, rows)]) + "\n"
    face_sheet(seed).save(folder / "faces.png")
    _write_voices(folder, seed)
    (folder / "report.md").write_text(f"# Toy world, seed {seed}\n\n{table}\n![faces](faces.png)\n", encoding="utf-8")
    return table


# Faces


def draw_faces(seed: int, speakers: int, pictures: int, background: str = "white") -> tuple[np.ndarray, np.ndarray]:
    """Faces uint8 (speakers * pictures, 128, 128, 3) of the first speakers of a world, and whose they are (N,)."""
    faces = [
        render_face(draw_speaker(seed, index), draw_picture(_rng(seed, index, number), background))
        for index in range(speakers)
        for number in range(pictures)
    ]
    return np.stack(faces), np.repeat(np.arange(speakers), pictures)


def share_found(detector: str, faces: np.ndarray) -> float:
    """Share of faces uint8 (N, H, W, 3) in which a detector of evaluation/detectors/ finds one."""
    return float(build(Detector, {"name": detector}, "detector")(faces).mean())


def embed(faces: np.ndarray) -> np.ndarray:
    """dlib's 128 numbers for the FACE_BOX of each face, without a detector: (N, 128)."""
    return build(Embedder, {"name": "dlib"}, "extractor")(faces, FACE_BOX)


def nearest_is_same(vectors: np.ndarray, speaker: np.ndarray) -> float:
    """Share of vectors (N, D) whose nearest other vector is of the same speaker (N,)."""
    distance = np.square(vectors[:, None] - vectors[None]).sum(-1)
    np.fill_diagonal(distance, np.inf)
    return float(np.mean(speaker[distance.argmin(1)] == speaker))


def face_sheet(seed: int, speakers: int = 12, size: int = 128) -> Image.Image:
    """Some speakers side by side: three pictures, three faces their voice could have, the mean of those."""
    columns = []
    for index in range(speakers):
        speaker, rng = draw_speaker(seed, index), _rng(seed, index, 0)
        owners = [speaker] * 3 + [given_audible(speaker, rng) for _ in range(3)] + [audible_mean(speaker)]
        columns.append(np.concatenate([render_face(owner, draw_picture(rng), size) for owner in owners]))
    return Image.fromarray(np.concatenate(columns, 1))


def _rows_of_detection(seed: int) -> list[Row]:
    rows = []
    for background in ("white", "textured"):
        faces, _ = draw_faces(seed, 60, 4, background)
        small = np.stack([resize(face, 64) for face in faces])
        for size, pictures in ((64, small), (128, faces)):
            for name, detector in (("dlib HOG", "dlib_hog"), ("MTCNN", "mtcnn")):
                rows.append(
                    _at_least(
                        f"faces found by {name}, {size} px, {background} background ({len(faces)} faces)",
                        share_found(detector, pictures),
                        0.98,
                    )
                )
    return rows


def _rows_of_embedding(seed: int) -> list[Row]:
    rows = []
    for background in ("white", "textured"):
        faces, speaker = draw_faces(seed, 40, 4, background)
        rows.append(
            _at_least(
                f"dlib nearest neighbour is the same of 40 speakers x 4 faces, {background} background",
                nearest_is_same(embed(faces), speaker),
                0.95,
            )
        )
    return rows


# Voices


def draw_clip(seed: int, index: int, number: int, seconds: float = 10.0) -> np.ndarray:
    """Clip of recording `number` of a speaker of the world: int16 (S,)."""
    rng = _rng(seed, index, number)
    return synthesise(draw_speaker(seed, index), draw_recording(rng), seconds, rng)


def called_speech(seed: int, speakers: int, seconds: float = 10.0) -> tuple[float, float]:
    """Share of 20 ms frames WebRTC's detector (aggressiveness 2) calls speech: outside pauses, inside pauses."""
    import webrtcvad

    inside: list[bool] = []
    outside: list[bool] = []
    for index in range(speakers):
        rng = _rng(seed, index, 0)
        draw_recording(rng)
        talks = compose(draw_speaker(seed, index), seconds, rng).speech  # what draw_clip says, from the same stream
        clip, detector = draw_clip(seed, index, 0, seconds), webrtcvad.Vad(2)
        for start in range(0, len(clip) - VAD_FRAME + 1, VAD_FRAME):
            called = detector.is_speech(clip[start : start + VAD_FRAME].tobytes(), SAMPLE_RATE_HZ)
            both = talks[start // 160], talks[start // 160 + 1]
            (outside if all(both) else inside).append(called)
    return float(np.mean(outside)), float(np.mean(inside))


def mel_statistics(clip: np.ndarray, bands: int = 40) -> np.ndarray:
    """Mean and standard deviation of log-mel energies over the louder 70 % of 10 ms frames: (2 * bands,)."""
    frames = np.lib.stride_tricks.sliding_window_view(clip / 32768, 400)[::160] * np.hanning(400)
    energies = np.log(np.square(np.abs(np.fft.rfft(frames, 512))) @ _mel_bank(bands).T + 1e-8)
    loud = energies.mean(1)
    energies = energies[loud >= np.quantile(loud, 0.3)]
    return np.concatenate([energies.mean(0), energies.std(0)])


def recognised(seed: int, speakers: int, recordings: int, seconds: float = 10.0) -> float:
    """Share of clips whose mean MFCC (20, standardised) is nearest its speaker's centroid over other recordings."""
    order = np.arange(40)
    cosines = np.cos(np.pi / 40 * (order + 0.5) * order[:20, None])
    means = np.array(
        [
            [cosines @ mel_statistics(draw_clip(seed, index, number, seconds))[:40] for number in range(recordings)]
            for index in range(speakers)
        ]
    )
    means /= means.reshape(-1, 20).std(0)
    right = []
    for number in range(recordings):
        centroids = np.delete(means, number, 1).mean(1)
        distance = np.square(means[:, None, number] - centroids[None]).sum(-1)
        right.append(distance.argmin(1) == np.arange(speakers))
    return float(np.mean(right))


def explained(features: np.ndarray, values: np.ndarray, train: int) -> tuple[float, np.ndarray]:
    """Ridge regression fitted on the first `train` of (N, D) features. Returns R^2 and predictions of the rest."""
    scaled = (features - features[:train].mean(0)) / features[:train].std(0)
    centre = values[:train].mean()
    gram = scaled[:train].T @ scaled[:train] + np.eye(scaled.shape[1])
    weights = np.linalg.solve(gram, scaled[:train].T @ (values[:train] - centre))
    guess, truth = scaled[train:] @ weights + centre, values[train:]
    return float(1 - np.square(truth - guess).sum() / np.square(truth - centre).sum()), guess


def numbers(speakers: list[Speaker], name: str) -> np.ndarray:
    """An attribute of each speaker as numbers (N,); men are 1."""
    values = [getattr(speaker, name) for speaker in speakers]
    return np.array([float(value == "m") if name == "sex" else value for value in values], float)


def _rows_of_speech(seed: int) -> list[Row]:
    outside, inside = called_speech(seed, 40)
    return [
        _at_least("frames called speech by WebRTC VAD 2, outside pauses (40 speakers x 10 s)", outside, 0.9),
        Row("the same inside pauses (its hangover is longer than many)", _percent(inside)),
        _at_least("speaker from mean MFCC, nearest centroid, 40 speakers, other recording", recognised(seed, 40, 4), 0.8),
    ]


def _rows_of_audibility(seed: int, train: int = 600, test: int = 300) -> list[Row]:
    features = np.stack([mel_statistics(draw_clip(seed, index, 0)) for index in range(train + test)])
    rows = []
    for coupling in (1.0, 0.0):
        speakers = [draw_speaker(seed, index, coupling) for index in range(train + test)]
        linked = coupling > 0
        man = numbers(speakers, "sex")
        correct = float(np.mean((explained(features, man, train)[1] > 0.5) == (man[train:] > 0.5)))
        most = max(np.mean(man[train:]), 1 - np.mean(man[train:]))
        rows.append(
            Row(
                f"sex of the face from the voice, coupling {coupling:g}",
                f"{_percent(correct)}, always the commoner {_percent(most)}",
                ">= 95 %" if linked else "chance",
                bool(correct >= 0.95 if linked else correct < most + 0.08),
            )
        )
        for name in AUDIBLE[1:] + INAUDIBLE:
            share, _ = explained(features, numbers(speakers, name), train)
            audible = linked and name in AUDIBLE
            free = not linked or name not in AUDIBLE + _DEPENDENT
            rows.append(
                Row(
                    f"{name} of the face from the voice, coupling {coupling:g}",
                    f"R^2 {share:.2f}",
                    "R^2 >= 0.5" if audible else "chance: R^2 < 0.05" if free else "",
                    share >= 0.5 if audible else share < 0.05 if free else None,
                )
            )
    return rows


def _write_voices(folder: Path, seed: int, speakers: int = 6) -> None:
    import soundfile

    for index in range(speakers):
        speaker = draw_speaker(seed, index)
        name = f"voice-{index}-{speaker.sex}{speaker.age:.0f}.wav"
        soundfile.write(folder / name, draw_clip(seed, index, 0), SAMPLE_RATE_HZ)


# Speed and bytes


def checksum(seed: int, speakers: int = 4) -> str:
    """SHA-256 of faces on both backgrounds and voices of some speakers."""
    digest = hashlib.sha256()
    for background in ("white", "textured"):
        digest.update(draw_faces(seed, speakers, 2, background)[0].tobytes())
    for index in range(speakers):
        digest.update(draw_clip(seed, index, 0, 3.0).tobytes())
    return digest.hexdigest()


def checksum_without_cpu_features(seed: int, speakers: int = 4) -> tuple[str, list[str]]:
    """checksum() from a fresh Python whose NumPy uses none of the CPU features it could; and those features."""
    features = _cpu_features()
    program = f"from gan.audit import toy_world; print(toy_world.checksum({seed}, {speakers})); print(*toy_world._cpu_features())"
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(features)}
    if not features:
        del environment["NPY_DISABLE_CPU_FEATURES"]
    root = str(Path(__file__).resolve().parents[2])
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=root, check=True, text=True, stdout=subprocess.PIPE
    ).stdout.splitlines()
    assert output[1].strip() == "", f"NumPy still uses {output[1]}"
    return output[0], features


def _cpu_features() -> list[str]:
    """What NumPy may use on this processor beyond what it always needs."""
    core = "numpy._core" if int(np.__version__.split(".")[0]) > 1 else "numpy.core"
    umath = importlib.import_module(f"{core}._multiarray_umath")
    return [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def _rows_of_speed(seed: int) -> list[Row]:
    speakers = [draw_speaker(seed, index) for index in range(20)]
    face = _fastest(lambda number: render_face(speakers[number], draw_picture(_rng(seed, number, 0))))
    voice = _fastest(lambda number: draw_clip(seed, number, 0, 10.0))
    same, features = checksum_without_cpu_features(seed)
    return [
        Row("a 128 px face, one core", f"{face * 1000:.1f} ms", "<= 15 ms", face <= 0.015),
        Row("voices, one core", f"{10 / voice:.0f} x real time", ">= 100 x", 10 / voice >= 100),
        Row(
            f"same bytes without CPU features ({' '.join(features) or 'none here'})",
            "same" if same == checksum(seed) else "differ",
            "same",
            same == checksum(seed),
        ),
    ]


def _fastest(work: Callable[[int], object], repeats: int = 20) -> float:
    """Median seconds of processor time of work(0), work(1), ..."""
    times = []
    for number in range(repeats):
        start = time.process_time()
        work(number)
        times.append(time.process_time() - start)
    return float(np.median(times))


@functools.cache
def _mel_bank(bands: int) -> np.ndarray:
    """Triangular filters (bands, 257) up to 8 kHz, HTK's mel scale."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), bands + 2) / 2595) - 1)
    hz, low, middle, high = np.arange(257) * 31.25, edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle)))


def _rng(seed: int, index: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, index, 1 + number])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _at_least(check: str, share: float, bar: float) -> Row:
    return Row(check, _percent(share), f">= {100 * bar:.0f} %", share >= bar)
