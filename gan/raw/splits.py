"""Recordings -> splits. By person, and inside training people by film: a film with two people is never in two splits.

A film that a training and a held-out person share goes to the held-out side; what the training person says in it is left out. A
film of people of two held-out splits stays with the split that is reported, unseen_speaker. Joining such people instead would
chain many of them into one lump (523 of VoxCeleb's 7,363), while few films cross.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gan.data.prepare.shared_audio import Groups
from gan.data.prepare.splits import check_fractions, split_recordings, split_speakers
from gan.raw.recording import Recording


@dataclass(frozen=True)
class Splitting:
    """Shares that are held out, and the seed that draws them.

    val_speech, unseen_speech: of a training person's clips, in whole films. val_speaker, unseen_speaker: of the people.
    published: "" draws the people; else they are divided as published: voice2face, sf2f or voxceleb (gan/raw/published.py). The
    films of training people are drawn in any case; with val_speech and unseen_speech of 0 all of them train.
    """

    val_speech: float = 0.1
    unseen_speech: float = 0.2
    val_speaker: float = 0.1
    unseen_speaker: float = 0.1
    seed: int = 0
    published: str = ""

    def __post_init__(self) -> None:
        check_fractions(val_speech=self.val_speech, unseen_speech=self.unseen_speech)
        check_fractions(val_speaker=self.val_speaker, unseen_speaker=self.unseen_speaker)


# Of people of several splits in one film, whose it is: the first of these that is there.
OWNERS = ("unseen_speaker", "val_speaker", "train")


def split_people(people: Sequence[str], same: Sequence[Sequence[str]], settings: Splitting) -> dict[str, str]:
    """Person -> train, val_speaker or unseen_speaker. same: people who are, or may be, one; they are never parted."""
    people = sorted(people)
    number = {person: at for at, person in enumerate(people)}
    groups = Groups(len(people))
    for names in same:
        there = [number[name] for name in names if name in number]
        for other in there[1:]:
            groups.join(there[0], other)
    representative = {person: people[groups.find(at)] for person, at in number.items()}
    drawn = split_speakers(sorted(set(representative.values())), settings.val_speaker, settings.unseen_speaker, settings.seed)
    return {person: drawn[representative[person]] for person in people}


def without_crossing(recordings: Sequence[Recording], people: Mapping[str, str]) -> tuple[list[Recording], list[Recording]]:
    """Recordings that stay, and those left out because their film belongs to people of another split. people: split of each."""
    sides: dict[str, set[str]] = {}
    for each in recordings:
        if each.film:
            sides.setdefault(each.film, set()).add(people[each.person])
    owner = {film: next(split for split in OWNERS if split in splits) for film, splits in sides.items()}
    stay = [each for each in recordings if not each.film or people[each.person] == owner[each.film]]
    gone = [each for each in recordings if each.film and people[each.person] != owner[each.film]]
    return stay, gone


def split_films(recordings: Sequence[Recording], people: Mapping[str, str], settings: Splitting) -> None:
    """Give every recording its split. people: split of each.

    Recordings of one film, and those with an equal clip or an equal picture, are one unit. Pictures of no film are shared out
    apart from speech, training first, so that a person's pictures do not count as its speech.
    """
    for each in recordings:
        each.split = people[each.person]
    training = [each for each in recordings if each.split == "train"]
    units = [[training[at] for at in unit] for unit in joined(training).members()]
    for heard in (True, False):
        chosen = [unit for unit in units if any(each.clips for each in unit) == heard]
        sizes = [_size(unit, heard) for unit in chosen]
        for unit, split in zip(
            chosen, split_recordings(sizes, settings.val_speech, settings.unseen_speech, settings.seed), strict=True
        ):
            for each in unit:
                each.split = split
    _give_training_a_face(units)


def joined(recordings: Sequence[Recording]) -> Groups:
    """Recordings of one film, or with equal bytes in them, as one group each."""
    groups = Groups(len(recordings))
    groups.join_equal(each.film or None for each in recordings)
    first: dict[str, int] = {}
    for at, each in enumerate(recordings):
        for digest in {*(clip.digest for clip in each.clips), *(face.digest for face in each.faces)} - {""}:
            groups.join(at, first.setdefault(digest, at))
    return groups


def _size(unit: Sequence[Recording], heard: bool) -> Counter[str]:
    size = Counter[str]()
    for each in unit:
        size[each.person] += len(each.clips if heard else each.faces)
    return +size


def _give_training_a_face(units: Sequence[Sequence[Recording]]) -> None:
    """Where all pictures of a training person lie in held-out units, the smallest of those trains after all."""
    pictured: dict[str, list[Sequence[Recording]]] = {}
    for unit in units:
        for person in {each.person for each in unit if each.faces}:
            pictured.setdefault(person, []).append(unit)
    for _, theirs in sorted(pictured.items()):
        if all(unit[0].split.endswith("_speech") for unit in theirs):
            for each in min(theirs, key=lambda unit: sum(len(one.clips) + len(one.faces) for one in unit)):
                each.split = "train"
