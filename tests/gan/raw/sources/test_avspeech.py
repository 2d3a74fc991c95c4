"""AVSpeech: every form of its lists, every habit of naming its files."""

from pathlib import Path

import pytest

from gan.raw.sources.avspeech import AVSpeech
from tests.gan.raw.media import listed, touch, write

ROWS = [("-AAAAaaaa_1", 30.03, 33.3), ("-aaaaaaaa_1", 3.0, 9.5), ("BBBBbbbb222", 100.1, 104.104), ("BBBBbbbb222", 110.0, 114.5)]


def rows(form: str = "{film},{start:g},{end:g},{x},{y}\n") -> str:
    return "".join(
        form.format(number=number, film=film, start=start, end=end, x=0.25, y=0.5)
        for number, (film, start, end) in enumerate(ROWS)
    )


@pytest.mark.parametrize(
    "text",
    [
        rows(),
        "YouTube ID,start,end,X,Y\n" + rows(),
        rows("{number},{film},{start:.6f},{end:.6f},{x:.6f},{y:.6f}\n"),
        ",id,start,end,x,y\n" + rows("{number},{film},{start},{end},{x},{y}\n"),
        "\ufeff" + rows("{film} ;{start};{end};{x};{y} \r\n"),
    ],
)
def test_forms_of_the_list(tmp_path: Path, text: str) -> None:
    touch(tmp_path, *(f"media/{film}.mp4" for film, *_ in ROWS))
    found = listed(AVSpeech(), write(tmp_path / "list.csv", text), "--media", tmp_path / "media")
    assert not found.bad
    assert not found.notes
    assert {(item.film, item.start, item.end, item.centre) for item in found.items} == {
        (film, start, end, (0.25, 0.5)) for film, start, end in ROWS
    }
    assert {item.speaker for item in found.items} == {""}


@pytest.mark.parametrize(
    ("form", "sound"),
    [
        ("{film}_{start:010.6f}-{end:010.6f}.mp4", None),
        ("{film}_{start}_{end}.mp4", None),
        ("{film}/{film}_{start}_{end}_video.mp4", "{film}/{film}_{start}_{end}_audio.mp3"),
        ("deep/{film}_{start:.0f}_{end:.0f}.MKV", None),
    ],
)
def test_cut_files_have_their_own_clock(tmp_path: Path, form: str, sound: str | None) -> None:
    for film, start, end in ROWS:
        touch(tmp_path / "media", *(each.format(film=film, start=start, end=end) for each in (form, sound) if each))
    found = listed(AVSpeech(), write(tmp_path / "list.csv", rows()), "--media", tmp_path / "media")
    assert len(found.items) == 4
    assert not found.notes
    assert {(item.start, item.end, item.centre) for item in found.items} == {(0.0, None, (0.25, 0.5))}
    assert all(item.media.name.startswith(item.film) for item in found.items)
    assert all((item.sound is not None) == bool(sound) for item in found.items)
    assert [item.key for item in found.items] == sorted(f"{film}/{start:.3f}-{end:.3f}" for film, start, end in ROWS)


def test_a_file_of_the_film_s_name_is_its_first_segment_where_said(tmp_path: Path) -> None:
    touch(tmp_path, *(f"media/{film}.mp4" for film, *_ in ROWS))
    found = listed(AVSpeech(), write(tmp_path / "list.csv", rows()), "--media", tmp_path / "media", "--clock", "segment")
    assert [item.key for item in found.items] == [
        "-AAAAaaaa_1/30.030-33.300",
        "-aaaaaaaa_1/3.000-9.500",
        "BBBBbbbb222/100.100-104.104",
    ]
    assert {item.start for item in found.items} == {0.0}
    assert found.notes == ["Segments that were never kept, as one was saved a film: 1 of 4."]


def test_missing_films_are_a_number(tmp_path: Path) -> None:
    touch(tmp_path, f"media/{ROWS[0][0]}.webm", "media/ZZZZzzzz999.mp4", "media/notes.txt")
    more = "".join(f"CCCCcccc{number:03},1,5,.5,.5\n" for number in range(500))
    found = listed(AVSpeech(), write(tmp_path / "list.csv", rows() + more), "--media", tmp_path / "media")
    assert len(found.items) == 1
    assert not found.bad
    assert found.notes[0].startswith("Segments without a file: 503 of 504, of 502 films. Looked for: -aaaaaaaa_1_3")
    assert found.notes[1] == "Films that the list does not name: 1 (ZZZZzzzz999)."
    with pytest.raises(ValueError, match=r"holds no film of .*Looked for: -AAAAaaaa_1_30.03"):
        listed(AVSpeech(), tmp_path / "list.csv", "--media", empty(tmp_path))


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_rows_that_are_wrong_are_listed_by_line(tmp_path: Path) -> None:
    touch(tmp_path, f"media/{ROWS[0][0]}.mp4")
    film = ROWS[0][0]
    wrong = ["9,5,.5,.5", "1,5,1.7,.5", "1,5,nan,.5", "1,inf,.5,.5", "-1,5,.5,.5", "1,5,.5", "a,5,.5,.5"]
    text = rows() + "".join(f"{film},{each}\n" for each in wrong) + "../x,1,5,.5,.5\n" + f"{film},30.03,33.3,.5,.5\n"
    found = listed(AVSpeech(), write(tmp_path / "list.csv", text), "--media", tmp_path / "media")
    assert len(found.items) == 1
    assert [int(place.rpartition(" ")[2]) for place, _ in found.bad] == list(range(5, 14))
    assert found.notes == [
        "Segments without a file: 3 of 5, of 2 films. Looked for: -aaaaaaaa_1_3.000000-9.500000.mp4, "
        "BBBBbbbb222_100.100000-104.104000.mp4, BBBBbbbb222_110.000000-114.500000.mp4."
    ]
    with pytest.raises(ValueError, match=r"no good row.*line 1"):
        listed(AVSpeech(), write(tmp_path / "bad.csv", f"{film},9,5,.5,.5\n"), "--media", tmp_path / "media")
