"""People under two names: joined where films and names say so, listed where only films do."""

from gan.raw.twins import doubles, joined

FILMS = [f"film{number}" for number in range(20)]


def test_shared_films_and_like_names() -> None:
    films = {"a": FILMS[:10], "b": FILMS[4:14], "c": FILMS[:10], "d": FILMS[9:], "e": FILMS[:3]}
    names = {"a": "Catie_Marl", "b": "Caty_Marl", "c": "Bo_Tarn", "d": "Catie_Orr", "e": "Catie_Marl"}
    found = doubles(films, names)
    sure = {(each.first, each.second) for each in found if each.sure}
    assert sure == {("a", "b"), ("a", "e")}  # e by its name, and a film
    # b and d share five films and no name; a and c all of them.
    assert not [each for each in found if "c" in (each.first, each.second)]
    assert joined(found) == {"a": "a", "b": "a", "e": "a"}


def test_twins_and_equal_names_without_a_film_are_to_be_decided() -> None:
    films = {"a": FILMS[:8], "b": FILMS[:8], "c": FILMS[:1], "d": FILMS[1:2]}
    names = {"a": "Anders_Holtvoss", "b": "Tyrell_Holtvoss", "c": "Mira_Quill", "d": "Míra Quill"}
    assert [(each.first, each.second, each.shared, each.sure) for each in doubles(films, names)] == [
        ("a", "b", 8, False),
        ("c", "d", 0, False),
    ]


def test_few_of_many_films_are_no_sign() -> None:
    many = [f"other{number}" for number in range(40)]
    films = {"a": FILMS[:4] + many[:20], "b": FILMS[:4] + many[20:]}
    assert not doubles(films, {"a": "Rick_Vale", "b": "Ricky_Vale"})
