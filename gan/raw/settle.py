"""What was read -> people, clips and pictures: who is who, who speaks, which pictures are good, what is left out and why."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gan.data.corpus import SAMPLE_RATE_HZ
from gan.media.copies import choose, thumbnail
from gan.media.loudness import speech_to_pause_db
from gan.media.measures import FaceFilter, Measures, quality
from gan.pages.answers import read_answers
from gan.raw.item import Listing
from gan.raw.parts import MEASURES, Part
from gan.raw.people import Sight, alike, in_film, nearness, strangers
from gan.raw.profile import Profile
from gan.raw.store import Shard
from gan.raw.voices import Voice, voices
from gan.raw.work import Work, ended

AROUND_SECONDS = 2.0  # in which a clip's pauses are looked for
REFUSED = {"drop": "dropped by a reviewer", "wrong": "another person, says a reviewer"}


@dataclass
class Picture:
    """A picture that may be kept. reason: why it is not; "" if it is."""

    key: str
    person: str
    film: str
    part: Part
    row: int
    track: int
    quality: float
    reason: str = ""

    @property
    def seconds(self) -> float:
        return float(self.face["seconds"]) if self.film else float("nan")

    @property
    def face(self) -> np.void:
        return np.void(self.part.array("faces")[self.row])

    def pixels(self) -> np.ndarray:
        """uint8 (size, size, 3)."""
        return self.part.picture(self.face)


@dataclass(frozen=True)
class Speech:
    """A clip that may be kept. track: counted over the whole work, -1 for none."""

    key: str
    person: str
    film: str
    part: Part
    voice: Voice
    track: int

    def samples(self) -> np.ndarray:
        """int16 (S,), a copy of what the work folder holds."""
        first, last = (round((at - self.part.row["heard"]) * SAMPLE_RATE_HZ) for at in (self.voice.start, self.voice.end))
        return np.array(self.part.array("waveform")[max(0, first) : last])


@dataclass
class Settled:
    """pictures, speech: all that may be kept, in the order of the listing. same: people whom no split may part.

    left_out: (what, kind, reason). notes: lines for the report.
    """

    pictures: list[Picture]
    speech: list[Speech]
    same: list[tuple[str, ...]]
    left_out: list[tuple[str, str, str]]
    notes: list[str] = field(default_factory=list)


def read_parts(work: Work, listing: Listing, left_out: list[tuple[str, str, str]], notes: list[str]) -> list[Part]:
    """Every part of every item that was read, in the order of the listing. Failed items go to left_out.

    Raises ValueError if an item has not been read yet.
    """
    found: dict[str, list[Part]] = {}
    unread, said = 0, Counter[str]()
    items = {item.key: item for item in listing.items}
    for number, those in sorted(work.by_shard(listing.items).items()):
        shard = Shard(work.shard(number))
        rows = list(shard.rows())
        over = ended(rows)
        wanted = {item.key for item in those}
        for row in rows:
            if row["item"] in wanted and "part" in row:
                parts = found.setdefault(row["item"], [])
                del parts[row["part"] :]  # of an earlier try
                parts.append(Part(items[row["item"]], row, shard))
        for item in those:
            row = over.get(item.key, {"unread": True})
            if "failed" in row:
                found.pop(item.key, None)
                left_out.append((str(item.media), f"{row['stage']}: {row['kind']}", row["failed"]))
            said.update(row.get("notes", ()))
            unread += "unread" in row
    if unread:
        raise ValueError(f"{work.path}: {unread} of {len(listing.items)} items are not read yet. Prepare again with --work.")
    notes += [f"{count} files: {note}." for note, count in sorted(said.items())]
    return [part for item in listing.items for part in found.get(item.key, ())]


@dataclass
class _Track:
    """A track with faces: where it is, and whose."""

    part: Part
    number: int
    rows: np.ndarray  # of its faces in the part
    person: str = ""


def settle(work: Work) -> Settled:
    """Decide. Only the work folder is read; the same work and answers give the same. Raises ValueError as read_parts does."""
    profile, listing = work.profile, work.listing()
    left_out = [(what, "not listed", reason) for what, reason in listing.bad]
    notes = list(listing.notes)
    parts = read_parts(work, listing, left_out, notes)
    tracks = [
        _Track(part, int(number), np.flatnonzero(part.array("faces")["track"] == number))
        for part in parts
        for number in np.unique(part.array("faces")["track"])
    ]
    same = [*listing.same, *_name(tracks, profile, left_out)]
    whose = {(id(track.part), track.number): track.person for track in tracks}
    counted = {key: at for at, key in enumerate(whose)}
    answers = read_answers(work.answers)
    wrong = {
        (id(track.part), track.number)
        for track in tracks
        if any(answers.get(_key(track, row)) == "wrong" for row in track.rows.tolist())
    }
    speech, speaking, silent = list[Speech](), set[tuple[int, int]](), dict[str, float]()
    for part in parts:
        if "speech" not in part.row:
            continue
        found, unused = _heard(part, profile)
        for reason, seconds in unused.items():
            silent[reason] = silent.get(reason, 0) + seconds
        for voice in found:
            place = (id(part), voice.track)
            person = part.item.speaker if voice.track < 0 else whose.get(place, "")
            if not person:
                silent["of nobody who is known"] = silent.get("of nobody who is known", 0) + voice.end - voice.start
                continue
            if place in wrong:  # a track is one person's
                silent[REFUSED["wrong"]] = silent.get(REFUSED["wrong"], 0) + voice.end - voice.start
                continue
            speaking.add(place)
            key = f"{part.item.key}@{voice.start:.3f}"
            speech.append(Speech(key, person, part.item.film, part, voice, counted.get(place, -1)))
    notes += [f"speech left out, {reason}: {seconds / 60:.1f} minutes." for reason, seconds in sorted(silent.items())]
    pictures = [
        picture for track in tracks if track.person for picture in _pictures(track, counted[id(track.part), track.number])
    ]
    _judge(pictures, speaking, wrong, profile, answers)
    left_out += [(picture.key, f"face {picture.reason}", "") for picture in pictures if picture.reason]
    return Settled(pictures, speech, same, left_out, notes)


def _heard(part: Part, profile: Profile) -> tuple[list[Voice], Mapping[str, float]]:
    """The voices of a part whose sound is good enough round them, and the seconds left out."""
    found, left = voices(part, profile.voices, profile.speaking)
    good = [voice for voice in found if not _is_noisy(part, voice, profile.loudness.least_speech_to_pause_db)]
    if noisy := sum(voice.end - voice.start for voice in found if voice not in good):
        left["over music or noise"] = noisy
    return good, left


def around(part: Part, voice: Voice) -> float | None:
    """Level of speech over that of pauses in dB, in a clip and a little round it; where it has no pause, of the whole part."""
    heard, waveform = part.row["heard"], part.array("waveform")
    first = max(0, round((voice.start - AROUND_SECONDS - heard) * SAMPLE_RATE_HZ))
    last = round((voice.end + AROUND_SECONDS - heard) * SAMPLE_RATE_HZ)
    begin = heard + first / SAMPLE_RATE_HZ
    spans = [(max(0.0, start - begin), end - begin) for start, end in part.row["speech"] if end > begin]
    here = speech_to_pause_db(waveform[first:last], spans)
    return part.row["speech_to_pause_db"] if here is None else here


def _is_noisy(part: Part, voice: Voice, least: float) -> bool:
    ratio = around(part, voice)
    return ratio is not None and ratio < least


def _name(tracks: Sequence[_Track], profile: Profile, left_out: list[tuple[str, str, str]]) -> list[tuple[str, ...]]:
    """Give each track its person, "" for a stranger. Returns people whom no split may part: who may be one, or share a film.

    A face that is turned away or dark may look like a person of its own; with its film it stays on its person's side.
    """
    if not tracks:
        return []
    sights = [
        Sight(
            track.part.item.film,
            track.part.item.speaker,
            float(track.part.array("faces")["seconds"][track.rows].min()),
            float(track.part.array("faces")["seconds"][track.rows].max()),
            np.asarray(track.part.array("faces")["embedding"][track.rows]),
            track.part.item.key,
        )
        for track in tracks
    ]
    strange = strangers(sights) if profile.people.strangers else np.zeros(len(sights), bool)
    for track, out in zip(tracks, strange, strict=True):
        track.person = "" if out else track.part.item.speaker
        if out:
            left_out.append((f"{track.part.key} track {track.number}", "face of a stranger", "unlike the person's other faces"))
    nameless: dict[str, list[int]] = {}
    for at, sight in enumerate(sights):
        if not sight.name:
            nameless.setdefault(sight.film, []).append(at)
    if not nameless:
        return []
    near, near_across = nearness([sight for sight in sights if not sight.name])
    means: dict[str, list[np.ndarray]] = {}
    for film, those in nameless.items():
        for at, number in zip(those, in_film([sights[at] for at in those], near), strict=True):
            tracks[at].person = f"{film}/{number + 1}"
            means.setdefault(tracks[at].person, []).append(sights[at].mean)
    people = list(means)
    vectors = np.stack([np.mean(means[person], axis=0) for person in people])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    films: dict[str, list[str]] = {}
    for person in people:
        films.setdefault(person.rpartition("/")[0], []).append(person)
    beside = [tuple(those) for those in films.values() if len(those) > 1]
    return [*beside, *(tuple(people[at] for at in group) for group in alike(vectors.astype(np.float32), near_across))]


def _key(track: _Track, row: int) -> str:
    """What a picture is known by, in answers too: when and where in its film, whatever the settings that found it."""
    face = track.part.array("faces")[row]
    x, y = (round(float(face["box"][side] + face["box"][side + 2]) / 2) for side in (0, 1))
    return f"{track.part.item.key}@{face['seconds']:.3f} {x},{y}"


def _pictures(track: _Track, number: int) -> Iterator[Picture]:
    faces = track.part.array("faces")
    for row in track.rows.tolist():
        good = quality(Measures(*(float(faces[name][row]) for name in MEASURES)))
        yield Picture(_key(track, row), track.person, track.part.item.film, track.part, row, number, good)


def _judge(
    pictures: list[Picture],
    speaking: set[tuple[int, int]],
    wrong: set[tuple[int, int]],
    profile: Profile,
    answers: Mapping[str, str],
) -> None:
    """Say of each picture why it is left out, if it is. speaking, wrong: tracks that speak, and of another person."""
    settings, sieve = profile.people, FaceFilter(profile.faces)
    for picture in pictures:
        place = (id(picture.part), int(picture.face["track"]))
        if picture.key in answers and answers[picture.key] in REFUSED:
            picture.reason = REFUSED[answers[picture.key]]
        elif answers.get(picture.key) == "keep":
            picture.reason = ""
        elif place in wrong:
            picture.reason = REFUSED["wrong"]
        elif settings.only_speaking and picture.film and place not in speaking:
            picture.reason = "not seen to speak"
        else:
            picture.reason = sieve.reason(Measures(*(float(picture.face[name]) for name in MEASURES)))
    for by, most in (("film", settings.most_a_film), ("person", settings.most_a_person)):
        groups: dict[tuple[str, str], list[Picture]] = {}
        for picture in pictures:
            if not picture.reason:
                groups.setdefault((picture.person, picture.film if by == "film" else ""), []).append(picture)
        for (_, film), group in groups.items():
            limit = most if film or by == "person" else 0
            chosen = _best(group, limit, settings.least_difference if by == "film" else 0.0)
            for at, picture in enumerate(group):
                if at not in chosen and answers.get(picture.key) != "keep":
                    picture.reason = "nearly a copy, or beyond the number wanted"


def _best(group: Sequence[Picture], most: int, least_difference: float) -> set[int]:
    thumbnails = [thumbnail(picture.pixels()) for picture in group] if least_difference else [np.zeros(1)] * len(group)
    seconds = [picture.seconds if least_difference else float("nan") for picture in group]
    return set(choose(thumbnails, [picture.quality for picture in group], seconds, most or None, least_difference))


def digest(content: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(content).tobytes()).hexdigest()
