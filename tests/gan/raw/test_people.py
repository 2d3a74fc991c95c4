"""Planted people: unit vectors about a middle each, at the distances of rendered and of real faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gan.raw.people import PeopleSettings, Sight, alike, in_film, nearness, strangers
from tests.properties import examples

# Median distance of two faces of one person, and of two people: rendered ones, and photographs.
WORLDS = {"toy": (0.22, 0.48), "real": (0.37, 0.78)}


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class World:
    """Draws people about one middle, and sights of them: a face differs by its track's light, and by itself."""

    def __init__(self, kind: str, seed: int = 0) -> None:
        self._same, self._other = (distance / np.sqrt(2) for distance in WORLDS[kind])
        self._rng = np.random.default_rng(seed)
        self._middle = unit(self._rng.normal(size=128))

    def person(self) -> np.ndarray:
        own = self._rng.normal(size=128)
        own -= own @ self._middle * self._middle
        return np.asarray(np.sqrt(1 - self._other**2) * self._middle + self._other * unit(own))

    def sight(self, person: np.ndarray, film: str, start: float, name: str = "", faces: int = 6) -> Sight:
        spread = self._same * np.sqrt(0.5)
        track = person + spread * unit(self._rng.normal(size=128))
        seen = unit(track + spread * unit(self._rng.normal(size=(faces, 128))))
        return Sight(film, name, start, start + 3, seen)

    def films(
        self, people: int, films: int, tracks: int, guests: float, beside: bool = True, named: bool = False
    ) -> tuple[list[Sight], list[str]]:
        """Sights of hosts, each in own films with another guest each, and who is seen in each. guests: a track of the host."""
        sights, who = [], []
        for number in range(people):
            host = self.person()
            for film in range(films):
                guest, place, name = self.person(), f"{number}/{film}", f"p{number}" if named else ""
                for track in range(tracks):
                    sights.append(self.sight(host, place, 8 * track, name))
                    who.append(f"p{number}")
                    if (track + film) % 10 < 10 * guests:
                        sights.append(self.sight(guest, place, 8 * track + (0 if beside else 4), name))
                        who.append(f"guest of {place}")
        return sights, who


SHAPES = [
    (2, 1, 3, 0),
    (2, 1, 1, 0),
    (1, 1, 1, 1),
    (2, 3, 4, 0),
    (3, 2, 1, 1),
    (1, 6, 3, 0),
    (1, 4, 3, 1),
    (20, 4, 3, 0.3),
    (60, 1, 1, 0),
]


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize(("people", "films", "tracks", "guests"), SHAPES)
def test_people_of_no_name_are_found_in_films_and_between_them(
    kind: str, people: int, films: int, tracks: int, guests: float
) -> None:
    sights, who = World(kind).films(people, films, tracks, guests)
    near, between = nearness(sights)
    assert between <= near
    found: dict[tuple[str, int], list[int]] = {}
    for film in dict.fromkeys(sight.film for sight in sights):
        rows = [row for row, sight in enumerate(sights) if sight.film == film]
        for row, number in zip(rows, in_film([sights[row] for row in rows], near).tolist(), strict=True):
            found.setdefault((film, number), []).append(row)
    assert len(found) == len({(sight.film, name) for sight, name in zip(sights, who, strict=True)})
    assert all(len({who[row] for row in rows}) == 1 for rows in found.values())
    means = unit(np.stack([np.mean([sights[row].mean for row in rows], axis=0) for rows in found.values()]))
    names = [who[rows[0]] for rows in found.values()]
    groups = {tuple(sorted(group)) for group in alike(means.astype(np.float32), between)}
    wanted = {tuple(at for at, other in enumerate(names) if other == name) for name in names}
    assert groups == {group for group in wanted if len(group) > 1}


@pytest.mark.parametrize("kind", WORLDS)
def test_one_sight_of_each_joins_nobody(kind: str) -> None:
    world = World(kind)
    sights = [world.sight(world.person(), f"f{number}", 0) for number in range(40)]
    _, between = nearness(sights)
    assert not alike(np.stack([sight.mean for sight in sights]).astype(np.float32), between)


@pytest.mark.slow
def test_the_more_people_the_nearer_they_must_be() -> None:
    world = World("real")
    few = [world.sight(world.person(), f"f{number}", 0, faces=2) for number in range(30)]
    many = few + [world.sight(world.person(), f"g{number}", 0, faces=2) for number in range(3000)]
    assert nearness(many)[1] < nearness(few)[1]


def test_all_alike_are_one_person() -> None:
    same = unit(np.ones((4, 128)))
    sights = [Sight(f"f{number}", "", 0, 1, same) for number in range(5)]
    near, between = nearness(sights)
    assert in_film(sights, near).tolist() == [0] * 5
    assert alike(np.stack([sight.mean for sight in sights]).astype(np.float32), between) == [[0, 1, 2, 3, 4]]


def test_who_is_seen_at_once_is_two_people() -> None:
    """A portrait on the wall behind its person, or a twin."""
    face = unit(np.ones((4, 8)))
    sights = [Sight("f", "", 0, 3, face), Sight("f", "", 1, 2, face), Sight("f", "", 5, 6, face)]
    found = in_film(sights, 0.5).tolist()
    assert found[0] == 0
    assert found[1] == 1
    cut = [Sight("f", "", 0, 3, face, "segment 1"), Sight("f", "", 1, 2, face, "segment 2")]  # each with a clock of its own
    assert in_film(cut, 0.1).tolist() == [0, 0]


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize(("people", "guests"), [(2, 1), (6, 1), (6, 0.3), (6, 0)])
def test_guests_of_named_hosts_are_strangers(kind: str, beside: bool, people: int, guests: float) -> None:
    """Another guest in every film, as often in sight as the host."""
    sights, who = World(kind).films(people, 3, 3, guests, beside, named=True)
    found = strangers(sights)
    assert found.tolist() == [name.startswith("guest") for name in who]


def test_of_two_sights_nobody_knows_who_is_the_stranger() -> None:
    world = World("real")
    sights = [world.sight(world.person(), "f", 8 * number, "Ada") for number in range(2)]
    assert not strangers(sights).any()
    assert not strangers([Sight(each.film, "", each.start, each.end, each.faces) for each in sights]).any()
    assert not strangers([]).any()


def numbers() -> st.SearchStrategy[list[Sight]]:
    faces = st.integers(1, 5).flatmap(lambda count: arrays(np.float32, (count, 4), elements=st.floats(-2, 2, width=32)))
    names = st.sampled_from(["", "a", "b"])
    sight = st.builds(Sight, st.sampled_from(["", "f", "g"]), names, st.floats(0, 5), st.floats(5, 9), faces)
    return st.lists(sight, max_size=12)


@pytest.mark.slow
@examples(60)
@given(sights=numbers())
def test_any_numbers_give_an_answer(sights: list[Sight]) -> None:
    assert strangers(sights).shape == (len(sights),)
    near, between = nearness(sights)
    assert np.isfinite([near, between]).all()
    groups = in_film(sights, near)
    assert sorted(set(groups.tolist())) == list(range(len(set(groups.tolist()))))
    if sights:
        group = alike(np.stack([sight.mean for sight in sights]).astype(np.float32), between)
        assert len({row for rows in group for row in rows}) == sum(map(len, group))


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"people\.most_a_film: -1 came"):
        PeopleSettings(most_a_film=-1)
