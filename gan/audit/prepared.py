"""What the preparation of a corpus from films knew of it, for a person to read: tables, and a sheet of kept faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from gan.audit.base import plain
from gan.data.corpus import NO_TRACK, Corpus
from gan.sheets import CELL, draw_album

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
RATIOS_DB = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0)  # speech over pauses: below some 10, something plays under the speech
SHOWN = 20
# Measures by which the sheet shows faces, and whether the worst are the largest.
WORST = {"pupil_distance_px": False, "asymmetry": True, "sharpness": False, "mouth_open": True}


def tables(corpus: Corpus) -> list[str]:
    """Lines of Markdown; none for a corpus of whose making nothing is known."""
    parts = [_films(corpus), _ratios(corpus), _quantiles("clips", corpus.clip_facts), _quantiles("faces", corpus.face_facts)]
    parts += [_tracks(corpus), _dropped(corpus)]
    lines = [line for part in parts if part for line in ("", *part)]
    return ["## What the preparation knew", *lines] if lines else []


def draw_kept(corpus: Corpus) -> Image.Image | None:
    """Best and worst of the faces that were kept, and those at the bad end of single measures; None where nothing is known."""
    facts = corpus.face_facts
    if facts is None or not len(facts):
        return None
    size = min((px for px in corpus.face_sizes if px >= CELL), default=max(corpus.face_sizes))
    quality = "quality" if np.isfinite(facts["quality"]).any() else "sharpness"
    sections = []
    for heading, name, largest in (
        (f"kept: best by {quality}", quality, True),
        (f"kept: worst by {quality}", quality, False),
        *((f"kept: {'largest' if high else 'smallest'} {name}", name, high) for name, high in WORST.items() if name != quality),
    ):
        known = np.flatnonzero(np.isfinite(facts[name]))
        order = np.argsort(facts[name][known] * (-1 if largest else 1), kind="stable")
        if faces := known[order][:SHOWN].tolist():
            sections.append((f"{heading} ({len(faces)} of {len(known)})", [_shown(corpus, face, name, size) for face in faces]))
    return draw_album(sections) if sections else None


def _shown(corpus: Corpus, face: int, measure: str, size: int) -> tuple[np.ndarray, Sequence[str]]:
    assert corpus.face_facts is not None
    value = corpus.face_facts[measure][face]
    return corpus.pixels([face], size), (f"face {face}, {value:.3g}", corpus.speakers[corpus.faces["speaker"][face]]["speaker"])


def _films(corpus: Corpus) -> list[str]:
    people: dict[str, set[str]] = {}
    for row in corpus.recordings:
        if row.get("media"):
            people.setdefault(row["media"], set()).add(row["speaker"])
    if not people:
        return []
    counts = np.bincount([len(names) for names in people.values()])
    rows = [f"| {count} | {films} |" for count, films in enumerate(counts.tolist()) if films]
    return [f"{len(people)} films:", "", "| people of a film | films |", "|---:|---:|", *rows]


def _ratios(corpus: Corpus) -> list[str]:
    if corpus.clip_facts is None:
        return []
    ratios = corpus.clip_facts["speech_to_pause_db"]
    known = ratios[np.isfinite(ratios)]
    if not len(known):
        return []
    counts = np.bincount(np.searchsorted(RATIOS_DB, known, side="right"), minlength=len(RATIOS_DB) + 1).tolist()
    names = [f"under {RATIOS_DB[0]:g}", *(f"{a:g} to {b:g}" for a, b in zip(RATIOS_DB, RATIOS_DB[1:], strict=False))]
    rows = [f"| {name} | {count} |" for name, count in zip([*names, f"{RATIOS_DB[-1]:g} and more"], counts, strict=True)]
    return ["| speech over pauses, dB | clips |", "|---|---:|", *rows, f"| no pause, or not known | {len(ratios) - len(known)} |"]


def _quantiles(things: str, facts: np.ndarray | None) -> list[str]:
    """Of every measure that is known of some; times are none."""
    if facts is None:
        return []
    rows = []
    for name in facts.dtype.names or ():
        known = facts[name][np.isfinite(facts[name])]
        if name not in ("seconds", "start_s", "end_s", "track") and len(known):
            values = " | ".join(f"{value:.4g}" for value in np.quantile(known, QUANTILES))
            rows.append(f"| {name} | {len(known)} | {values} |")
    heads = ["least", *(f"{share:.0%}" for share in QUANTILES[1:-1]), "most"]
    return [f"| of {things} | known | {' | '.join(heads)} |", "|---|" + "---:|" * (1 + len(heads)), *rows] if rows else []


def _tracks(corpus: Corpus) -> list[str]:
    """Tracks are counted within a film; a recording stands for it here, as it lies in one film."""
    lines = []
    for things, facts, index in (("faces", corpus.face_facts, corpus.faces), ("clips", corpus.clip_facts, corpus.clips)):
        if facts is None:
            continue
        known = facts["track"] != NO_TRACK
        tracks = {
            (corpus.recordings[recording].get("media") or recording, track)
            for recording, track in zip(index["recording"][known].tolist(), facts["track"][known].tolist(), strict=True)
        }
        if tracks:
            lines.append(f"- {known.sum()} of {len(known)} {things} are of {len(tracks)} tracks.")
    return lines


def _dropped(corpus: Corpus) -> list[str]:
    dropped = corpus.info.get("extra", {}).get("dropped", {})
    rows = [
        f"| {plain(reason)} | {count} |" for reason, count in sorted(dropped.items(), key=lambda entry: (-entry[1], entry[0]))
    ]
    return ["| left out, because | count |", "|---|---:|", *rows] if rows else []
