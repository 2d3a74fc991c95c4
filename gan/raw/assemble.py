"""What was settled -> splits -> corpus. Whole or not at all; the same work gives the same corpus, however it was read."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan.data.pictures import png
from gan.data.writer import CorpusWriter
from gan.files import write_atomically
from gan.media.alignment import face_box
from gan.media.loudness import level_db
from gan.raw.parts import MEASURES
from gan.raw.published import divide
from gan.raw.recording import Clip, Face, Recording
from gan.raw.settle import Picture, Settled, Speech, around, digest, settle
from gan.raw.splits import split_films, split_people, without_crossing
from gan.raw.work import Work
from gan.raw.write import Report, report, write
from gan.sheets import draw_album

FEWEST_PEOPLE = 2
SHOWN = 12  # dropped faces of each reason, on the sheet
MARK = "Faces that a preparation left out, by reason, for its keepers to look through."


def assemble(work: Work, target: Path) -> Report:
    """Write the corpus `target` from a work folder in which everything is read.

    Raises ValueError if something is not read, or if fewer than two people are left.
    """
    profile, listing = work.profile, work.listing()
    settled = settle(work)
    left_out = list(settled.left_out)
    recordings = _of_whole_people(_recordings(settled), left_out)
    names = _at_least_two(work, recordings, left_out)
    notes = list(settled.notes)
    if profile.splits.published:
        division = divide(profile.splits.published, listing, names, settled.same)
        people = dict(division.splits)
        left_out += division.left_out
        notes.append(str(division.shared))
        recordings = [each for each in recordings if each.person in people]
    else:
        people = split_people(names, settled.same, profile.splits)
    stay, gone = without_crossing(recordings, people)
    left_out += [
        (f"{each.person} in {each.film}", "film of two splits", "its film belongs to people of another split") for each in gone
    ]
    recordings = _of_whole_people(stay, left_out)
    people = {person: people[person] for person in _at_least_two(work, recordings, left_out)}
    split_films(recordings, people, profile.splits)
    about = dict(work.about["corpus"])
    dropped = dict(Counter(kind for _, kind, _ in left_out))
    with CorpusWriter(
        target,
        name=about["name"],
        source=about["source"],
        licence=about["licence"],
        consent=about["consent"],
        face_sizes=tuple(about["face_sizes"]),
        face_box=face_box(profile.crop),
        extra={"prepared_by": work.about["source"], "profile": profile.to_dict(), "dropped": dropped},
        resume=_key(recordings, people),
    ) as writer:
        write(writer, recordings, people, _attributes(listing.people))
        if (sheet := _sheet(settled)) is not None:
            writer.add_file("dropped_faces.png", sheet)
        _write_left_out(work, left_out)  # before the corpus is there: a kill after that is not gone on from
    return report(recordings, people, notes, left_out)


def _key(recordings: Sequence[Recording], people: Mapping[str, str]) -> str:
    """Stands for all that the arrays of a corpus hold: with the same, a writer that was killed is gone on with."""
    content = [
        (each.person, each.name, each.split, [face.digest for face in each.faces], [clip.digest for clip in each.clips])
        for each in recordings
    ]
    return hashlib.sha256(repr([list(people.items()), content]).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _attributes(people: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """What goes into speakers.csv of each person: no real name, no other id, no row of a table."""
    hidden = ("full_name", "also", "row", "table")
    return {person: {name: value for name, value in facts.items() if name not in hidden} for person, facts in people.items()}


def _recordings(settled: Settled) -> list[Recording]:
    """A recording for each person and film, and one for each picture of no film."""
    made: dict[tuple[str, str], Recording] = {}
    tracks: dict[tuple[str, str], list[tuple[int, float]]] = {}  # of each recording's faces: track and second
    for picture in (picture for picture in settled.pictures if not picture.reason):
        where = (picture.person, picture.film or f"picture {picture.key}")
        recording = made.setdefault(where, Recording(picture.person, picture.film or picture.key, picture.film))
        recording.faces.append(_face(picture))
        tracks.setdefault(where, []).append((picture.track, picture.seconds))
    for speech in settled.speech:
        where = (speech.person, speech.film or f"sound {speech.key}")
        recording = made.setdefault(where, Recording(speech.person, speech.film or speech.key, speech.film))
        recording.clips.append(_clip(speech, tracks.get(where, ())))
    return [made[where] for where in sorted(made)]


def _face(picture: Picture) -> Face:
    face = picture.face
    facts = {name: float(face[name]) for name in (*MEASURES, "score")} | {"quality": picture.quality}
    if picture.film:
        facts |= {"seconds": float(face["seconds"]), "track": picture.track}
    return Face(picture.key, picture.pixels, digest(picture.pixels()), facts)


def _clip(speech: Speech, faces: Sequence[tuple[int, float]]) -> Clip:
    """faces: track and second of each face of its recording."""
    samples, voice, row = speech.samples(), speech.voice, speech.part.row
    heard = sum(max(0.0, min(end, voice.end) - max(start, voice.start)) for start, end in row["speech"])
    facts: dict[str, Any] = dict(
        start_s=voice.start,
        end_s=voice.end,
        speech_share=heard / (voice.end - voice.start),
        level_db=float(np.median(level_db(samples))),
        speaking_score=voice.score,
        lag_ms=1000 * voice.lag_seconds,
        track=speech.track,
    )
    if (ratio := around(speech.part, voice)) is not None:
        facts["speech_to_pause_db"] = ratio
    middle = (voice.start + voice.end) / 2
    seen = [
        (abs(second - middle), at)
        for at, (track, second) in enumerate(faces)
        if track == speech.track >= 0 and voice.start <= second <= voice.end
    ]
    return Clip(speech.key, speech.samples, len(samples), digest(samples), min(seen)[1] if seen else None, facts)


def _of_whole_people(recordings: Sequence[Recording], left_out: list[tuple[str, str, str]]) -> list[Recording]:
    """Those of people with a voice and a face."""
    has: dict[str, set[str]] = {}
    for each in recordings:
        has.setdefault(each.person, set()).update(["voice"] * bool(each.clips) + ["face"] * bool(each.faces))
    for person, kinds in sorted(has.items()):
        if len(kinds) < 2:
            lacking = "voice" if "face" in kinds else "face"
            left_out.append((person, f"person without a {lacking}", f"nothing that was kept has their {lacking}"))
    return [each for each in recordings if len(has[each.person]) == 2]


def _at_least_two(work: Work, recordings: Sequence[Recording], left_out: Sequence[tuple[str, str, str]]) -> list[str]:
    """The people of these recordings, in order. Raises ValueError, saying what became of the others, if they are too few."""
    names = sorted({each.person for each in recordings})
    if len(names) < FEWEST_PEOPLE:
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(kind for _, kind, _ in left_out).most_common(4))
        raise ValueError(
            f"{work.path}: {len(names)} people with both a voice and a face are left; at least {FEWEST_PEOPLE} are needed. "
            f"Left out: {kinds or 'nothing'}. See {_write_left_out(work, left_out)}."
        )
    return names


def _write_left_out(work: Work, left_out: Sequence[tuple[str, str, str]]) -> Path:
    """A row for all that came and is not in the corpus."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["what", "kind", "reason"])
    table.writerows(left_out)
    path = work.path / "left_out.csv"
    write_atomically(path, text.getvalue().encode("utf-8", "surrogateescape"))
    return path


def _sheet(settled: Settled) -> bytes | None:
    """Faces that were left out, by reason, best first; None where there are none."""
    reasons: dict[str, list[Picture]] = {}
    for picture in settled.pictures:
        if picture.reason:
            reasons.setdefault(picture.reason, []).append(picture)
    sections = []
    for reason, those in sorted(reasons.items()):
        shown = sorted(those, key=lambda picture: -picture.quality)[:: max(1, len(those) // SHOWN)][:SHOWN]
        sections.append(
            (f"{reason} ({len(those)})", [(picture.pixels()[None], (picture.person, picture.key)) for picture in shown])
        )
    return png(draw_album(sections), MARK) if sections else None
