"""No film and no person is on two sides."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gan.raw.recording import Clip, Face, Recording
from gan.raw.splits import Splitting, split_films, split_people, without_crossing
from tests.properties import examples


def clip(key: str, digest: str = "") -> Clip:
    return Clip(key, lambda: np.zeros(10, np.int16), 10, digest or key)


def face(key: str, digest: str = "") -> Face:
    return Face(key, lambda: np.zeros((8, 8, 3), np.uint8), digest or key)


def recording(person: str, film: str, clips: int = 2, faces: int = 1) -> Recording:
    keys = [f"{person}/{film}/{number}" for number in range(max(clips, faces))]
    return Recording(person, film, film, [clip(key) for key in keys[:clips]], [face(f"{key}.png") for key in keys[:faces]])


def splits_of(recordings: list[Recording], settings: Splitting, same: list[tuple[str, ...]] | None = None) -> list[Recording]:
    people = split_people(sorted({each.person for each in recordings}), same or [], settings)
    stay, _ = without_crossing(recordings, people)
    split_films(stay, people, settings)
    return stay


@examples(200)
@given(
    films=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True), min_size=1, max_size=20),
    seed=st.integers(0, 5),
)
def test_a_film_and_a_person_stay_whole(films: list[list[str]], seed: int) -> None:
    recordings = [recording(person, f"film{number}") for number, people in enumerate(films) for person in people]
    stay = splits_of(recordings, Splitting(val_speaker=0.2, unseen_speaker=0.3, seed=seed))
    assert stay
    for film in {each.film for each in stay}:
        assert len({each.split for each in stay if each.film == film}) == 1
    for person in {each.person for each in stay}:
        sides = {each.split for each in stay if each.person == person}
        assert len(sides) == 1 or sides <= {"train", "val_speech", "unseen_speech"}


def test_a_film_shared_with_a_held_out_person_is_not_trained_on() -> None:
    people = {"ana": "train", "bo": "unseen_speaker", "cy": "val_speaker"}
    recordings = [
        recording("ana", "f1"),
        recording("bo", "f1"),
        recording("ana", "f2"),
        recording("cy", "f3"),
        recording("bo", "f3"),
    ]
    stay, gone = without_crossing(recordings, people)
    assert [(each.person, each.film) for each in gone] == [("ana", "f1"), ("cy", "f3")]
    assert len(stay) == 3


def test_people_who_may_be_one_are_not_parted() -> None:
    people = [f"p{number}" for number in range(10)]
    for seed in range(20):
        drawn = split_people(people, [("p1", "p2"), ("p2", "p7"), ("p3", "stranger")], Splitting(seed=seed))
        assert drawn["p1"] == drawn["p2"] == drawn["p7"]


def test_equal_pictures_join_their_films() -> None:
    recordings = [recording("ana", f"f{number}") for number in range(6)] + [recording("bo", "g")]
    recordings[1].faces.append(face("x", "same"))
    recordings[4].faces.append(face("y", "same"))
    for seed in range(10):
        settings = Splitting(val_speaker=0, unseen_speaker=0, unseen_speech=0.4, seed=seed)
        split_films(recordings, {"ana": "train", "bo": "train"}, settings)
        assert recordings[1].split == recordings[4].split


def test_loose_pictures_train_first_and_do_not_count_as_speech() -> None:
    recordings = [recording("ana", f"f{number}", faces=0) for number in range(5)]
    recordings += [Recording("ana", "portrait", "", [], [face("portrait")]), recording("bo", "g")]
    split_films(recordings, {"ana": "train", "bo": "train"}, Splitting(val_speaker=0, unseen_speaker=0))
    assert recordings[5].split == "train"
    assert {each.split for each in recordings[:5]} > {"train"}
