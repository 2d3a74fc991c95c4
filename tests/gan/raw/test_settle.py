"""What is decided from parts that are stored: which pictures and voices stay, and what people's answers change."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.pages.answers import Answers
from gan.raw.item import Item, Listing
from gan.raw.parts import FACE, MOUTH, TRACK
from gan.raw.people import PeopleSettings
from gan.raw.profile import Profile
from gan.raw.settle import Settled, settle
from gan.raw.splits import Splitting, split_people
from gan.raw.store import Writer
from gan.raw.work import Work
from tests.gan.media.test_speaking import face, openings, sound

pytestmark = pytest.mark.usefixtures("one_shard")

SECONDS = 8.0
SPEECH = [[0.2, 3.0], [4.0, 7.8]]
SPEAKER = openings(1, SECONDS)
SPEAKER[[not any(start <= at / 100 < end for start, end in SPEECH) for at in range(len(SPEAKER))]] = 0
HISS = np.random.default_rng(0).normal(size=round(SECONDS * 16_000))
HEARD = np.rint(sound(SPEAKER) + 5 * HISS).astype(np.int16)
GOOD = dict(pupil_distance_px=60, asymmetry=0.02, pitch=0.355, sharpness=1.0, level=120, contrast=50)


def picture(seed: int) -> bytes:
    small = np.random.default_rng(seed).integers(60, 190, (8, 8, 3))
    content = io.BytesIO()
    Image.fromarray(np.kron(small, np.ones((8, 8, 1))).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


def faces(track: int, person: int, seeds: Sequence[int], **measures: float) -> tuple[np.ndarray, list[bytes]]:
    """A picture each 1.2 s; those of one seed look alike, the first is the best."""
    table, content = np.zeros(len(seeds), FACE), [picture(seed) for seed in seeds]
    for name, value in (GOOD | measures).items():
        table[name] = value
    table["track"], table["seconds"] = track, 0.5 + 1.2 * np.arange(len(seeds))
    table["embedding"][:, person] = 1
    table["asymmetry"] += 0.001 * np.arange(len(seeds))
    return table, content


class Films:
    """Writes a folder of work, film by film."""

    def __init__(self, folder: Path, **sections: object) -> None:
        self._folder, self._profile = folder, Profile(**sections)  # type: ignore[arg-type]
        self._items: list[Item] = []
        self._rows: list[tuple[dict, dict]] = []

    def add(
        self, speaker: str, film: str, *seen: tuple[np.ndarray, list[bytes]], speaks: int | None = 0, ratio: float | None = None
    ) -> None:
        """seen: faces of each track, all of which are in sight throughout. speaks: the track whose mouth goes with the sound."""
        item = Item(f"{speaker}/{film}.mp4", Path(f"{speaker}/{film}.mp4"), f"{speaker}/{film}", speaker)
        tracks = np.zeros(len(seen), TRACK)
        tracks["track"], tracks["end"], tracks["looks"] = np.arange(len(seen)), SECONDS, 30
        mouths = []
        for number in range(len(seen)):
            signals = face(SPEAKER if number == speaks else np.zeros_like(SPEAKER))
            mouths.append(
                np.rec.fromarrays([np.full(len(signals.seconds), number), signals.seconds, signals.darkness], dtype=MOUTH)
            )
        content = [blob for _, blobs in seen for blob in blobs]
        table = np.concatenate([rows for rows, _ in seen]) if seen else np.zeros(0, FACE)
        table["length"] = [len(blob) for blob in content]
        table["png"] = np.cumsum([0, *table["length"]])[:-1]
        arrays = dict(waveform=HEARD, tracks=tracks, faces=table, png=np.frombuffer(b"".join(content), np.uint8))
        arrays["mouths"] = np.concatenate(mouths) if mouths else np.zeros(0, MOUTH)
        row = dict(item=item.key, size=[1], part=0, start=0.0, end=SECONDS, heard=0.0, speech=SPEECH)
        row |= dict(speech_to_pause_db=ratio, frames=240, picture=[640, 360])
        self._items.append(item)
        self._rows += [(row, arrays), (dict(item=item.key, size=[1], parts=1, seconds=SECONDS, notes=["two tracks"]), {})]

    def add_failed(self, speaker: str, film: str) -> None:
        item = Item(f"{speaker}/{film}.mp4", Path(f"{speaker}/{film}.mp4"), f"{speaker}/{film}", speaker)
        self._items.append(item)
        self._rows.append((dict(item=item.key, size=[1], failed="is a web page", kind="cannot be read", stage="open"), {}))

    def work(self, unread: int = 0) -> Work:
        work = Work.make(self._folder, "videos", Listing(self._items), self._profile, {})
        work.shard(0).parent.mkdir(parents=True)
        with Writer(work.shard(0)) as writer:
            for row, arrays in self._rows[: len(self._rows) - unread]:
                writer.append(row, arrays)
        return work


def reasons(settled: Settled, film: str) -> list[str]:
    return [each.reason for each in settled.pictures if each.film == film]


def two(folder: Path, **sections: object) -> Films:
    films = Films(folder / "w", **sections)
    for number, name in enumerate(("ada", "bo")):
        films.add(name, "one", faces(0, number, [10 * number, 10 * number + 1, 10 * number + 1]))
    return films


COPY = "nearly a copy, or beyond the number wanted"


def test_who_is_seen_to_speak_stays(tmp_path: Path) -> None:
    films = two(tmp_path)
    films.add("ada", "two", faces(0, 0, [3]), faces(1, 5, [4]), speaks=0)
    films.add("bo", "still", faces(0, 1, [5]), speaks=None)
    settled = settle(films.work())
    assert [(each.person, each.film) for each in settled.speech] == [
        (person, film) for person, film in (("ada", "ada/one"), ("bo", "bo/one"), ("ada", "ada/two")) for _ in SPEECH
    ]
    assert reasons(settled, "ada/one") == ["", "", COPY]
    assert reasons(settled, "ada/two") == ["", "not seen to speak"]
    assert reasons(settled, "bo/still") == ["not seen to speak"]
    assert "speech left out, still: 0.1 minutes." in settled.notes
    assert "4 files: two tracks." in settled.notes
    assert len(settled.speech[0].samples()) == pytest.approx(2.8 * 16_000, abs=1)


def test_faces_of_who_is_silent_stay_where_that_is_asked(tmp_path: Path) -> None:
    films = Films(tmp_path / "w", people=PeopleSettings(only_speaking=False))
    films.add("ada", "one", faces(0, 0, [0]), speaks=None)
    settled = settle(films.work())
    assert reasons(settled, "ada/one") == [""]
    assert not settled.speech


def test_filters_and_numbers(tmp_path: Path) -> None:
    films = two(tmp_path, people=PeopleSettings(most_a_film=2, most_a_person=3))
    films.add("ada", "small", faces(0, 0, [3], pupil_distance_px=12))
    films.add("ada", "many", faces(0, 0, [4, 5, 6, 7], asymmetry=0.01))
    settled = settle(films.work())
    assert reasons(settled, "ada/small") == ["small"]
    assert reasons(settled, "ada/many") == ["", "", COPY, COPY]
    assert reasons(settled, "ada/one") == ["", COPY, COPY]  # 3 of a person, the best of all films
    assert Counter(kind for _, kind, _ in settled.left_out) == {f"face {COPY}": 5, "face small": 1}


def test_answers_of_people_count_more_than_rules(tmp_path: Path) -> None:
    films = two(tmp_path)
    films.add("ada", "small", faces(0, 0, [3, 4], pupil_distance_px=12))
    films.add("ada", "guest", faces(0, 0, [5, 6]))
    work = films.work()
    pictures = settle(work).pictures
    one, small, guest = ([each.key for each in pictures if each.film == f"ada/{film}"] for film in ("one", "small", "guest"))
    assert len({*one, *small, *guest}) == 7
    answers = Answers(work.answers, "eva")
    answers.add("ada", {one[0]: "drop", one[2]: "keep", small[0]: "keep"})
    answers.add("ada", {guest[0]: "wrong"}, done=True)
    settled = settle(work)
    assert reasons(settled, "ada/one")[::2] == ["dropped by a reviewer", ""]
    assert reasons(settled, "ada/small") == ["", "small"]
    # A track is one person: with one wrong picture, its others and its voice are wrong too.
    assert reasons(settled, "ada/guest") == ["another person, says a reviewer"] * 2
    assert not any(each.film == "ada/guest" for each in settled.speech)
    assert any("says a reviewer: 0.1 minutes" in note for note in settled.notes)
    answers.undo()
    assert reasons(settle(work), "ada/guest") == ["", ""]


def test_speech_over_music_is_left_out(tmp_path: Path) -> None:
    films = two(tmp_path)
    work = films.work()
    least = work.profile.loudness.least_speech_to_pause_db
    assert least > 0
    over = Films(tmp_path / "v")
    tune = 3000 * np.sin(2 * np.pi * 700 / 16_000 * np.arange(round(SECONDS * 16_000)))
    over.add("ada", "one", faces(0, 0, [0]))
    over._rows[0][1]["waveform"] = np.clip(HEARD + tune, -32768, 32767).astype(np.int16)
    settled = settle(over.work())
    assert not settled.speech
    assert any("over music or noise" in note for note in settled.notes)
    assert len(settle(work).speech) == 4


def test_a_stranger_s_track_is_nobody_s(tmp_path: Path) -> None:
    films = two(tmp_path)
    for film in ("two", "three"):
        films.add("ada", film, faces(0, 0, [3]))
    films.add("ada", "guest", faces(0, 7, [8]))
    settled = settle(films.work())
    assert not reasons(settled, "ada/guest")
    assert ("ada/guest.mp4 track 0", "face of a stranger", "unlike the person's other faces") in settled.left_out
    assert not any(each.film == "ada/guest" for each in settled.speech)
    assert any("of nobody who is known" in note for note in settled.notes)


def test_failed_items_are_listed_and_unread_ones_refused(tmp_path: Path) -> None:
    films = two(tmp_path)
    films.add_failed("ada", "page")
    settled = settle(films.work())
    assert settled.left_out[0] == ("ada/page.mp4", "open: cannot be read", "is a web page")
    cut = two(tmp_path / "cut")
    with pytest.raises(ValueError, match="1 of 2 items are not read yet"):
        settle(cut.work(unread=1))


def test_people_of_no_name_are_numbered_by_film_and_never_parted_from_it(tmp_path: Path) -> None:
    """In the first film the host is seen turned away too, and looks like nobody; the second is the same host's."""
    films = Films(tmp_path / "w")
    films.add("", "first", faces(0, 0, [0, 1]), faces(1, 7, [2]), speaks=0)
    films.add("", "second", faces(0, 0, [3, 4]))
    films.add("", "third", faces(0, 1, [5, 6]))
    settled = settle(films.work())
    assert {each.person for each in settled.speech} == {"/first/1", "/second/1", "/third/1"}
    assert sorted(map(sorted, settled.same)) == [["/first/1", "/first/2"], ["/first/1", "/second/1"]]
    people = [f"/{film}/1" for film in ("first", "second", "third")]
    for seed in range(5):
        drawn = split_people(people, settled.same, Splitting(val_speaker=0, unseen_speaker=0.5, seed=seed))
        assert drawn["/first/1"] == drawn["/second/1"]
