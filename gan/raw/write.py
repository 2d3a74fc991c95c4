"""Recordings with their splits -> corpus, and what the command says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.progress import Progress
from gan.data.corpus import SAMPLE_RATE_HZ, SPLITS
from gan.data.writer import CorpusWriter
from gan.raw.recording import Recording

SHOWN = 10  # reasons' examples, and things that are left out, in the report; left_out.csv has all


def write(
    writer: CorpusWriter,
    recordings: Sequence[Recording],
    people: Mapping[str, str],
    attributes: Mapping[str, Mapping[str, str]],
) -> None:
    """Store everything; equal pictures of a recording once. people: split of each, in the order of their numbers."""
    numbers = {name: writer.add_speaker(name, split, **attributes.get(name, {})) for name, split in people.items()}
    total = sum(len(each.clips) + len(each.faces) for each in recordings)
    with Progress(total=total, desc="Writing", unit="item") as progress:
        for each in recordings:
            recording = writer.add_recording(numbers[each.person], each.name, each.split, media=each.film)
            stored: dict[str, int] = {}
            rows = []
            for face in each.faces:
                if face.digest not in stored:
                    stored[face.digest] = writer.add_face(recording, face.load(), face.facts)
                rows.append(stored[face.digest])
                progress.update()
            for clip in each.clips:
                writer.add_clip(recording, clip.load(), None if clip.face is None else rows[clip.face], clip.facts)
                progress.update()


@dataclass(frozen=True)
class Report:
    """What was stored, and what was not. str(report) is what the command prints.

    left_out: (what, kind, reason) of everything that came and is not in the corpus. notes: what else there is to say.
    """

    people: Mapping[str, str]  # person -> split
    clips: Mapping[str, int]  # split -> clips
    faces: Mapping[str, int]
    films: Mapping[str, int]
    seconds: float
    faceless: Sequence[str]  # training people with held-out speech and no held-out picture
    notes: Sequence[str] = ()
    left_out: Sequence[tuple[str, str, str]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Is anything missing for a fault of its own: a file that cannot be read, a row of a table, a person without a face?"""
        return any(not kind.startswith(("face ", "film of", "person of")) for _, kind, _ in self.left_out)

    def __str__(self) -> str:
        lines = [
            f"{len(self.people)} people, {sum(self.films.values())} films, {sum(self.clips.values())} clips "
            f"({self.seconds / 60:.1f} minutes), {sum(self.faces.values())} faces.",
            f"{'split':16}  people   films   clips   faces",
        ]
        for split in (split for split in SPLITS if split in self.clips or split in self.faces):
            owner = split if split.endswith("speaker") else "train"
            count = sum(each == owner for each in self.people.values())
            lines.append(
                f"{split:16}{count:8}{self.films.get(split, 0):8}{self.clips.get(split, 0):8}{self.faces.get(split, 0):8}"
            )
        if self.faceless:
            lines.append(
                f"No picture outside of train: {_some(self.faceless)}. Their held-out speech cannot be compared with a held-out "
                "picture; give them more pictures, or films."
            )
        lines += self.notes
        kinds = Counter(kind for _, kind, _ in self.left_out)
        for kind, count in kinds.most_common():
            things = [(what, reason) for what, other, reason in self.left_out if other == kind]
            lines.append(f"left out, {kind}: {count}")
            lines += [f"    {what}: {reason}" for what, reason in things[:3]]
            if count > 3:
                lines.append(f"    ... and {count - 3} more")
        return "\n".join(lines)


def report(
    recordings: Iterable[Recording],
    people: Mapping[str, str],
    notes: Sequence[str] = (),
    left_out: Sequence[tuple[str, str, str]] = (),
) -> Report:
    """Count what write stores."""
    clips, faces, films = Counter[str](), Counter[str](), dict[str, set[str]]()
    samples, heard, seen = 0, set[str](), set[str]()
    for each in recordings:
        clips[each.split] += len(each.clips)
        faces[each.split] += len({face.digest for face in each.faces})
        samples += sum(clip.samples for clip in each.clips)
        if each.film:
            films.setdefault(each.split, set()).add(each.film)
        if each.split == "unseen_speech":
            heard |= {each.person} if each.clips else set()
            seen |= {each.person} if each.faces else set()
    counted = {split: len(names) for split, names in films.items()}
    return Report(people, clips, faces, counted, samples / SAMPLE_RATE_HZ, sorted(heard - seen), notes, left_out)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
