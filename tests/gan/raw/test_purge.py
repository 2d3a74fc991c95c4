"""A removal list that comes when the work is done already: nothing of who is on it is left in the folder of work."""

import json
from pathlib import Path

import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.pages.answers import Answers, read_answers
from gan.raw.item import Item, Listing
from gan.raw.profile import Profile
from gan.raw.purge import purge
from gan.raw.store import Shard, Writer, forget
from gan.raw.work import Work, alone_at, lease_of
from tests.gan.raw.cases import prepare, write_voxceleb
from tests.gan.raw.media import write

pytestmark = pytest.mark.usefixtures("one_shard")

PEOPLE = {"id1": {"full_name": "Zoe_Ambrun"}, "id2": {"full_name": "Otto_Quill"}}


def secret(item: str) -> np.ndarray:
    return np.frombuffer(f"what {item} said".encode() * 3, np.uint8)


def listing() -> Listing:
    items = [Item(f"{who}/film-{who}/{at}", Path(f"{who}-{at}.wav"), f"film-{who}", who) for who in PEOPLE for at in range(2)]
    return Listing([*items, Item("talk/1.mp4", Path("1.mp4"), "talk"), Item("chat/1.mp4", Path("2.mp4"), "chat")], PEOPLE)


def work(folder: Path) -> Work:
    made = Work.make(folder, "voxceleb", listing(), Profile(), {"name": "c"})
    for item in listing().items:
        shard = made.shard(made.shard_of(item))
        shard.parent.mkdir(parents=True, exist_ok=True)
        with Writer(shard) as writer:
            writer.append({"item": item.key, "part": 0}, {"waveform": secret(item.key)})
            writer.append({"item": item.key, "parts": 1, "seconds": 1.0})
    return made


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_rows_arrays_and_answers_of_who_is_removed_go_and_others_stay(tmp_path: Path) -> None:
    made = work(tmp_path / "w")
    answers = Answers(made.answers, "anna")
    for item in listing().items:
        name = item.speaker or f"{item.film}/1"
        answers.add(name, {f"{item.key}/0/0": "drop", f"{item.key}#1/0/3": "keep"}, done=True)
    (made.path / "left_out.csv").write_text("what,kind,reason\nid1/film-id1/0/0/0,face small,\n")
    write(made.path / ".items.jsonl.77.tmp", "id1")
    removed = write(tmp_path / "removed.txt", "Zoe Ambrun\ntalk/1\n")
    purge(made.path, removed, listing())
    # work.json and the like are written by Work.make, which comes next
    for path in [*made.path.glob("shards/*/*"), *made.answers.iterdir()]:
        content = path.read_bytes()
        assert b"id1" not in content
        assert b"talk" not in content
    assert not (made.path / "left_out.csv").exists()
    assert not list(made.path.rglob("*.tmp"))
    stay = {"id2/film-id2/0", "id2/film-id2/1", "chat/1.mp4"}
    rows = {
        row["item"]: (Shard(path.with_suffix("")), row)
        for path in made.path.rglob("0*.jsonl")
        for row in Shard(path.with_suffix("")).rows()
        if "part" in row
    }
    assert rows.keys() == stay
    for item, (shard, row) in rows.items():
        assert shard.array(row, "waveform").tobytes() == secret(item).tobytes()
    assert read_answers(made.answers).keys() == {f"{item}{end}" for item in stay for end in ("/0/0", "#1/0/3")}
    assert Answers(made.answers, "anna").done == {"id2", "chat/1"}

    before = everything(made.path)
    purge(made.path, removed, listing())
    assert everything(made.path) == before


def test_a_purge_that_was_killed_in_its_middle_is_made_good(tmp_path: Path) -> None:
    shard = tmp_path / "00000"
    with Writer(shard) as writer:
        for item in ("a", "b", "c"):
            writer.append({"item": item, "part": 0}, {"waveform": secret(item)})
    whole = shard.with_suffix(".bin").read_bytes()
    assert forget(Shard(shard), {"a", "c"}) == 2
    shard.with_suffix(".bin").write_bytes(whole)  # as if the kill came after the journal
    assert forget(Shard(shard), {"a", "c"}) == 0
    content = shard.with_suffix(".bin").read_bytes()
    assert content == bytes(len(secret("a"))) + secret("b").tobytes()
    with Writer(shard) as writer:
        writer.append({"item": "d", "part": 0}, {"waveform": secret("d")})
    assert [(row["item"], Shard(shard).array(row, "waveform").tobytes()) for row in Shard(shard).rows()] == [
        (item, secret(item).tobytes()) for item in ("b", "d")
    ]


def test_what_a_listing_lacks_for_another_reason_stays_and_nothing_is_no_folder_of_work(tmp_path: Path) -> None:
    made = work(tmp_path / "w")
    rest = Listing(listing().items[2:], {"id2": PEOPLE["id2"]})
    purge(made.path, write(tmp_path / "removed.txt", "nobody\n"), rest)
    assert b"what id1/film-id1/0 said" in everything(made.path)
    purge(made.path, write(tmp_path / "removed.txt", "id1\n"), rest)  # whom only the work knows
    assert b"what id1/film-id1/0 said" not in everything(made.path)
    purge(tmp_path / "none", tmp_path / "removed.txt", rest)


def test_a_job_that_is_at_work_still_is_waited_for(tmp_path: Path) -> None:
    made = work(tmp_path / "w")
    shard = made.shard(0)
    with alone_at(shard):
        assert lease_of(shard).exists()
        with pytest.raises(ValueError, match="is at it still"):
            purge(made.path, write(tmp_path / "removed.txt", "id1\n"), listing())
    purge(made.path, tmp_path / "removed.txt", listing())


@pytest.mark.slow
def test_a_person_who_is_on_the_list_of_a_later_preparation_is_in_none_of_its_files(tmp_path: Path) -> None:
    words = write_voxceleb(tmp_path / "vox", films=2, utterances=1)
    (tmp_path / "vox" / "wav" / "id10002" / "film10-abcde" / "00009.wav").write_bytes(b"RIFF, but no more")
    loose = ["--set", "faces.most_asymmetry=1", "faces.least_sharpness=-9", "people.least_difference=0", "people.strangers=false"]
    out = tmp_path / "corpus"
    assert prepare(*words, "--out", out, *loose) == 1
    assert b"id10002" in everything(tmp_path / "corpus.work")
    removed = write(tmp_path / "removed.txt", "Bo Bibi\nUnheard Of\n")
    assert prepare(*words, "--out", out, "--overwrite", "--removed", removed, *loose) == 0
    for folder in (out, tmp_path / "corpus.work"):
        content = everything(folder)
        for name in (b"id10002", b"Bo_Bibi", b"Bo Bibi", b"film10", b"Unheard"):
            assert name not in content
    assert {row["speaker"] for row in Corpus(out).speakers} == {"id10001", "id10003", "id10004"}
    assert json.loads((tmp_path / "corpus.work" / "people.json").read_text())["bad"] == []
