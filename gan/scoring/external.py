"""Anybody's drawn faces, in folders, against real ones in folders: scored as our own are, without a corpus or a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import numpy as np

from evaluation.progress import Progress
from evaluation.trial import Trial
from gan.config import Evaluation
from gan.data.dataset import rng
from gan.data.media import UNREAD_PICTURES, below, unread
from gan.data.pictures import PICTURES, read_picture, resize
from gan.recipes import load, load_protocol, with_overrides
from gan.scoring.evaluate import build_metrics, said, score
from gan.scoring.requests import few_of_each
from gan.scoring.rows import Evaluated, append, with_scores

STREAM_TARGETS = 120
Pictures = dict[str, list[Path]]


def evaluate_folders(
    faces: Path,
    reference: Path,
    *,
    training: Path | None,
    face_box: Sequence[float],
    protocol: str | None,
    overrides: Sequence[str],
    out: Path,
) -> list[str]:
    """Append the rows of faces/<speaker>/* against reference/<speaker>/* to out/results.jsonl; the system has the folder's name.

    Returns a line for each picture left out. Raises ValueError if nothing can be compared.
    """
    config = with_overrides(
        replace(load("base.yaml"), evaluation=load_protocol(protocol)) if protocol else load("base.yaml"), overrides
    )
    settings = config.evaluation
    trial, bad = trial_of_folders(faces, reference, training, face_box, settings)
    evaluated = Evaluated(score(build_metrics(settings), trial), trial)
    content = hashlib.sha256(trial.gallery.tobytes() + trial.gallery_speaker.tobytes()).hexdigest()
    name = faces.resolve().name
    append(
        out,
        with_scores(
            evaluated,
            settings,
            None,
            dict(
                system=name,
                recipe=name,
                control=False,
                run=None,
                step=None,
                weights=None,
                training_seed=None,
                trained_against=[],
                corpus=reference.resolve().name,
                corpus_checksum=content,
                split=trial.split,
            ),
        ),
        evaluated,
    )
    print(f"{faces}: {said(evaluated.scores)}", flush=True)
    return bad if any(not score.skipped for score in evaluated.scores) else [*bad, f"{faces}: all of it, nothing was scored."]


def trial_of_folders(
    faces: Path, reference: Path, training: Path | None, face_box: Sequence[float], settings: Evaluation
) -> tuple[Trial, list[str]]:
    """FOLDER/<speaker>/*.png of drawn, of real and, for metrics that train a judge, of further real faces -> a trial.

    A drawn face's target is one of its speaker's reference faces, chosen by settings.seed; its n-th picture of a speaker counts
    as run n. Compared at settings.face_size, by default the smallest side of a drawn face.
    Returns also a line for each picture or folder left out. Raises ValueError if nothing is left to compare.
    """
    drawn, real = _by_speaker(faces), _by_speaker(reference)
    further = _by_speaker(training) if training is not None else {}
    speakers = sorted(drawn.keys() & real.keys())
    if not speakers:
        raise ValueError(
            f"{faces}: no folder in it has the name of a folder in {reference}. Both hold one folder a speaker: "
            f"{', '.join(sorted(drawn)[:3])} came, {', '.join(sorted(real)[:3])} there."
        )
    bad = [
        f"{folder}: {unread(left, PICTURES)}"
        for folder in (faces, reference, training)
        if folder is not None and (left := below(folder, UNREAD_PICTURES))
    ]
    bad += [f"{faces / name}: no folder {name} in {reference}; left out." for name in sorted(drawn.keys() - real.keys())]
    number = {name: at for at, name in enumerate(sorted(real.keys() | further.keys()))}
    gallery, gallery_owner = _read(real, number, bad)
    owned = {name: np.flatnonzero(gallery_owner == number[name]) for name in speakers}
    bad += [
        f"{faces / name}: no picture in {reference / name} could be read; left out." for name in speakers if not len(owned[name])
    ]
    generated, owner = _read({name: drawn[name] for name in speakers if len(owned[name])}, number, bad)
    if not generated:
        raise ValueError(f"{faces}: nothing in it can be compared. {bad[-1]}")
    size = settings.face_size or min(min(face.shape[:2]) for face in generated)
    extra, extra_owner = _read(further, number, bad)
    random = rng(settings.seed, STREAM_TARGETS, 0)
    of = {number[name]: rows for name, rows in owned.items()}
    shown = _stack(gallery, size)
    run = np.array([(owner[:at] == speaker).sum() for at, speaker in enumerate(owner)])
    # By place among the reference folders, so that further training faces change nothing.
    kept = few_of_each(np.unique(gallery_owner, return_inverse=True)[1], settings.faces_per_speaker, settings.seed)
    return Trial(
        generated=_stack(generated, size),
        speaker=owner,
        clip=np.arange(len(owner)),
        run=run,
        target=shown[[random.choice(of[speaker]) for speaker in owner]],
        gallery=shown[kept],
        gallery_speaker=gallery_owner[kept],
        training=_stack(extra, size),
        training_speaker=extra_owner,
        split="external",
        face_box=(face_box[0], face_box[1], face_box[2], face_box[3]),
        seed=settings.seed,
    ), bad


def _by_speaker(folder: Path) -> Pictures:
    if not folder.is_dir():
        raise ValueError(f"{folder}: not a folder. It holds one folder a speaker, with pictures in it.")
    found = {normalize("NFC", path.name): below(path, PICTURES) for path in sorted(folder.iterdir()) if path.is_dir()}
    if not any(found.values()):
        raise ValueError(
            f"{folder}: no pictures in folders below it. Expected: {folder}/<speaker>/<any name>.png ({', '.join(PICTURES)})."
        )
    return {name: files for name, files in found.items() if files}


def _read(pictures: Pictures, number: dict[str, int], bad: list[str]) -> tuple[list[np.ndarray], np.ndarray]:
    faces, owner = [], []
    paths = [(name, path) for name, files in pictures.items() for path in files]
    for name, path in Progress(paths, desc="read", unit="face", leave=False):
        try:
            face, note = read_picture(path)
            if note:
                Progress.write(f"{path}: {note}.")
            faces.append(face)
            owner.append(number[name])
        except ValueError as error:
            bad.append(str(error))
    return faces, np.array(owner, dtype=np.int64)


def _stack(faces: list[np.ndarray], size: int) -> np.ndarray:
    return np.stack([resize(face, size) for face in faces]) if faces else np.zeros((0, size, size, 3), np.uint8)
