"""VoxCeleb as it lies about: every form of its tables and trees joins alike."""

import unicodedata
from pathlib import Path

import pytest

from gan.raw.item import Item, Listing
from gan.raw.published import by_part, by_person, by_row, crossing, published, read_films
from gan.raw.sources.voxceleb import VoxCeleb, read_people
from tests.gan.raw.media import listed, touch, write

# Invented, with every trap: marks, a comma, a dot at the end, an apostrophe, a sign.
PEOPLE = [
    ("id00101", "Zoë_Ambrún", "n000102", "f", "dev"),
    ("id00102", "Otto_Quill,_Jr.", "n000101", "m", "dev"),
    ("id00103", "Nell_O\N{RIGHT SINGLE QUOTATION MARK}Farrow", "n000500", "f", "test"),
    ("id00104", "B!rd", "n000007", "m", "dev"),
]
FILMS = ["AAAAaaaa-_1", "-BBBbbbb222", "CCCCcccc333", "aaaaaaaa-_1"]


def tables(folder: Path) -> dict[str, list[str]]:
    """The same people in each form that names them."""

    def quoted(name: str) -> str:
        return f'"{name}"' if "," in name else name

    rows = [[name, speaker, number, sex, part] for speaker, name, number, sex, part in PEOPLE]
    named = "Name \tVoxCeleb2 ID \tVGGFace2 ID \tGender \tSet \n" + "".join(" \t".join(row) + " \n" for row in rows)
    full = "Class_ID,Name,Sample_Num,Flag,Gender_x,VoxCeleb2ID,VGGFace2ID,Gender_y,Set\n" + "".join(
        f"{number},{quoted(name)},99,1,{sex},{speaker},{number},{sex},{part}\n" for name, speaker, number, sex, part in rows
    )
    vox1 = "\ufeffVoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n" + "".join(
        f"{speaker}\t{name}\t{sex}\tNorway\t{part}\n" for name, speaker, _, sex, part in rows
    )
    official = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \n" + "".join(
        f"{speaker} ,{number} ,{sex} ,{part} \n" for _, speaker, number, sex, part in rows
    )
    identities = "Class_ID, Name, Sample_Num, Flag, Gender\n" + "".join(
        f'{number}, "{name}", 99, 1, {sex}\n' for name, _, number, sex, _ in rows
    )
    return {
        "named": [write(folder / "vox2_meta.csv", named)],
        "full": [write(folder / "full_vox2_meta.csv", full)],
        "vox1": [write(folder / "vox1_meta.csv", vox1)],
        "official": [write(folder / "official.csv", official)],
        "identities": [write(folder / "official.csv", official), write(folder / "identity_meta.csv", identities)],
    }


def utterances(root: Path, prefix: str = "wav", kind: str = "wav") -> None:
    for at, (speaker, *_) in enumerate(PEOPLE):
        touch(root, *(f"{prefix}/{speaker}/{FILMS[at]}/0000{number}.{kind}" for number in range(2)))


def faces_by_name(root: Path) -> None:
    """Folders as other systems write them: decomposed, without comma or dot."""
    names = [unicodedata.normalize("NFD", "Zoë_Ambrún"), "Otto_Quill_Jr", "Nell_O'Farrow", "B!rd"]
    touch(root, *(f"vox2/masked_faces/{name}/0.jpg" for name in names), *(f"vox2/origin_faces/{name}/1.JPG" for name in names))


@pytest.mark.parametrize("form", ["named", "full", "vox1", "identities"])
def test_every_form_of_the_tables_joins_names_alike(tmp_path: Path, form: str) -> None:
    utterances(tmp_path / "vox")
    faces_by_name(tmp_path / "faces")
    found = listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", *tables(tmp_path)[form])
    assert not found.bad
    assert list(found.people) == [speaker for speaker, *_ in PEOPLE]
    assert [facts["full_name"] for facts in found.people.values()] == [name for _, name, *_ in PEOPLE]
    assert [facts["sex"] for facts in found.people.values()] == ["f", "m", "f", "m"]
    assert not any("ationality" in key for facts in found.people.values() for key in facts)
    heard = [item for item in found.items if item.film]
    seen = [item for item in found.items if not item.film]
    assert [item.key for item in heard] == sorted(
        f"{who[0]}/{film}/0000{n}" for who, film in zip(PEOPLE, FILMS, strict=True) for n in (0, 1)
    )
    assert {item.film for item in heard} == set(FILMS)
    assert [item.part for item in heard] == ["dev"] * 4 + ["test"] * 2 + ["dev"] * 2
    assert len(seen) == 4
    assert all("masked_faces" in str(item.media) for item in seen)


@pytest.mark.parametrize("form", ["named", "full", "official"])
def test_faces_by_number_are_joined_by_the_column_only(tmp_path: Path, form: str) -> None:
    utterances(tmp_path / "vox")
    touch(tmp_path / "faces", "train/n000101/0001_01.jpg", "train/n000102/0001_01.jpg")
    found = listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", *tables(tmp_path)[form])
    pictures = {item.speaker: item.media.parent.name for item in found.items if not item.film}
    assert pictures == {"id00101": "n000102", "id00102": "n000101"}  # never id00101 = n000101
    assert {who for who, reason in found.bad if "no face" in reason} == {"id00103", "id00104"}


@pytest.mark.parametrize("prefix", ["wav", "dev/aac", "aac", "voxceleb2", "raw_wav/vox2/dev", "mp4"])
def test_trees(tmp_path: Path, prefix: str) -> None:
    utterances(tmp_path / "vox", prefix, {"aac": "m4a", "mp4": "mp4"}.get(prefix.rpartition("/")[2], "wav"))
    faces_by_name(tmp_path / "faces")
    found = listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", *tables(tmp_path)["named"])
    assert sum(bool(item.film) for item in found.items) == 8


def test_an_utterance_is_one_item_whatever_forms_it_has(tmp_path: Path) -> None:
    for prefix, kind in (("aac", "m4a"), ("aac", "wav"), ("mp4", "mp4")):
        utterances(tmp_path / "vox" / "dev", prefix, kind)
    found = listed(VoxCeleb(), tmp_path / "vox", "--meta", *tables(tmp_path)["official"])  # films show faces: none are needed
    assert len(found.items) == 8
    assert {(item.media.suffix, item.sound.suffix if item.sound else "") for item in found.items} == {(".mp4", ".wav")}


def test_what_is_refused_at_once(tmp_path: Path) -> None:
    forms = tables(tmp_path)
    utterances(tmp_path / "vox")
    faces_by_name(tmp_path / "faces")
    with pytest.raises(ValueError, match=r"needs full_vox2_meta.csv"):
        listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", *forms["official"])
    with pytest.raises(ValueError, match="Add --faces"):
        listed(VoxCeleb(), tmp_path / "vox", "--meta", *forms["named"])
    with pytest.raises(ValueError, match=r"has no column VoxCeleb1 ID or VoxCeleb2 ID. Found: Name, Other"):
        listed(VoxCeleb(), tmp_path / "vox", "--meta", write(tmp_path / "t.csv", "Name,Other\na,b\n"))
    touch(tmp_path / "mels", "vox1/id00101/id00101_AAAAaaaa-_1_00001.pickle")
    with pytest.raises(ValueError, match="holds stored features"):
        listed(VoxCeleb(), tmp_path / "mels", "--meta", *forms["named"])
    touch(tmp_path / "else", "a/b.wav")
    with pytest.raises(ValueError, match="no file is laid out as"):
        listed(VoxCeleb(), tmp_path / "else", "--meta", *forms["named"])
    touch(tmp_path / "strange", "Nobody_Known/0.jpg")
    with pytest.raises(ValueError, match=r"belongs to a person of the tables. There: Nobody_Known"):
        listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "strange", "--meta", *forms["named"])


def test_rows_that_are_wrong_cost_only_themselves(tmp_path: Path) -> None:
    utterances(tmp_path / "vox")
    touch(tmp_path / "vox", f"wav/id00999/{FILMS[0]}/00001.wav", "wav/../../outside/x.wav")
    faces_by_name(tmp_path / "faces")
    table = tables(tmp_path)["named"][0]
    with open(table, "a", encoding="utf-8") as file:
        file.write("Ada_Tarn \t../x \tn1 \tf \tdev \nAda_Tarn \tid00101 \tn1 \tf \tdev \n \tid00105 \tn1 \tf \tdev \nshort\n")
        file.write("Eve_Marl \tid00106 \tn000106 \tf \tdev \n")
    other = write(tmp_path / "other.csv", "VoxCeleb1 ID\tVGGFace1 ID\tGender\nid00101\tAda_Tarn\tf\nid10300\tIda_Orr\tf\n")
    found = listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", table, other)
    assert len(found.items) == 12
    reasons = {place.rpartition("/")[2]: reason for place, reason in found.bad}
    assert set(reasons) == {f"vox2_meta.csv, line {n}" for n in (6, 7, 8, 9)} | {"other.csv, line 2", "id00999"}
    assert "no row in the tables" in reasons["id00999"]
    assert any("without a folder of sound: 2 (id00106, id10300)" in note for note in found.notes)


def test_people_under_two_ids_are_one_or_to_be_decided(tmp_path: Path) -> None:
    rows = [("id10001", "Catie_Marl"), ("id00201", "Caty_Marl"), ("id00301", "Anders_Holtvoss"), ("id00302", "Tyrell_Holtvoss")]
    table = write(tmp_path / "t.csv", "VoxCeleb2 ID,Name,Set\n" + "".join(f"{speaker},{name},dev\n" for speaker, name in rows))
    for speaker, name in rows:
        pair = "shared" if name.endswith("Marl") else "twins__"
        touch(tmp_path, *(f"vox/wav/{speaker}/{pair}{film:04}/1.wav" for film in range(5)), f"faces/{name}/0.png")
    found = listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", table)
    assert {item.speaker for item in found.items} == {"id00201", "id00301", "id00302"}
    assert found.people["id00201"]["also"] == "id10001; Catie_Marl"
    assert found.same == [("id00301", "id00302")]
    assert any(note.startswith("One person: id00201 Caty_Marl and id10001") for note in found.notes)
    assert any(note.startswith("One person, or two") for note in found.notes)


def test_published_divisions(tmp_path: Path) -> None:
    utterances(tmp_path / "vox")
    touch(tmp_path / "vox", f"wav/id00103/{FILMS[0]}/00009.wav")
    faces_by_name(tmp_path / "faces")
    found = listed(VoxCeleb(), tmp_path / "vox", "--faces", tmp_path / "faces", "--meta", *tables(tmp_path)["named"])
    assert published("voice2face", found) == dict.fromkeys(["id00101", "id00102", "id00103"], "train") | {
        "id00104": "unseen_speaker"
    }
    assert set(published("sf2f", found).values()) == {"train"}
    official = published("voxceleb", found)
    assert [speaker for speaker, split in official.items() if split != "train"] == ["id00103"]
    crossed = crossing(found.items, by_person(official), [("id00101", "id00103"), ("id00101", "id00102")])
    assert crossed.films == [FILMS[0]]
    assert crossed.of == 4
    assert crossed.people == [("id00101", "id00103")]
    with pytest.raises(ValueError, match="Allowed: voice2face"):
        published("other", found)
    films = read_films(write(tmp_path / "iden.txt", f"1 id00101/{FILMS[0]}/00001.wav\n3 id00101/{FILMS[1]}/00001.wav\n"))
    assert films == {("id00101", FILMS[0]): "train", ("id00101", FILMS[1]): "unseen_speech"}
    with pytest.raises(ValueError, match="line 1: not 1, 2 or 3"):
        read_films(write(tmp_path / "iden.txt", "9 id00101/x\n"))


def test_a_row_of_a_table_keeps_its_number_where_others_are_wrong(tmp_path: Path) -> None:
    rows = [f"id{number:05},Ada_{number},dev" for number in range(20)]
    rows[3] = "broken"
    people = read_people([write(tmp_path / "t.csv", "VoxCeleb2 ID,Name,Set\n" + "\n".join(rows))], [])
    splits = {speaker: by_row(person.row) for speaker, person in people.items()}
    assert [speaker for speaker, split in splits.items() if split == "unseen_speaker"] == ["id00008", "id00018"]
    assert [speaker for speaker, split in splits.items() if split == "val_speaker"] == ["id00009", "id00019"]


def test_a_person_of_two_ids_in_both_official_parts_is_held_out_and_counted() -> None:
    items = [Item("a/f/1", Path("a"), "f", "a", part="dev"), Item("b/g/1", Path("b"), "g", "a", part="test")]
    listing = Listing(items, {"a": {}})
    assert published("voxceleb", listing) == {"a": "unseen_speaker"}
    crossed = crossing(items, by_part, [])
    assert crossed.people == [("a",)]
    assert "shares 0 of 2 films (0.0%) across its parts, and 1 people" in str(crossed)
