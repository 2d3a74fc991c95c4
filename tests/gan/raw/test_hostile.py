"""The inputs that a disk of downloaded films holds, through the whole preparation: each costs itself alone, and is listed.

Wrong names are tried in sources/, wrong tables in test_tables.py and sources/, wrong pickles in test_mels.py, kills elsewhere.
"""

from __future__ import annotations

import contextlib
import csv
import io
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.channel import Truth
from benchmarks.channel import write_film as write_rendered
from gan.data.corpus import Corpus
from gan.data.toy.films import Film, Person, dubbed, plan
from gan.data.toy.speakers import draw_speaker
from gan.raw.settle import read_parts
from gan.raw.work import Work
from tests.films import write_film
from tests.gan.raw.cases import prepare

pytest.importorskip("av")
pytestmark = pytest.mark.slow

SEED, SIZE, FACE_PX = 101, (320, 180), (112.0, 125.0)
HOSTS = {"ana": 0, "bo": 1, "cy": 3}
DECOMPOSED = unicodedata.normalize("NFD", "-é")


def person(name: str, number: int) -> Person:
    return Person(name, draw_speaker(SEED, number))


def planned(host: str, kinds: tuple[str, ...], seed: int, rate: str = "29.97") -> Film:
    guest = person("guest", 100_000)
    return plan(host, person(host, HOSTS[host]), guest, kinds, seed, SIZE, rate, FACE_PX, (4.0, 4.5), (5.0, 5.5))


def write_good(root: Path) -> dict[str, Truth]:
    """Three people in films that are hard but right. What is true of each film, by <speaker>/<film>."""
    true = {}
    ana, bo = (
        planned("ana", ("speaker", "turns", "music", "still"), 1010),
        planned("bo", ("speaker", "speaker"), 1021, "variable"),
    )
    laid_over = dubbed(planned("bo", ("speaker",), 1022), planned("ana", ("speaker",), 1011))
    for name, film in (("ana/all.mp4", ana), (f"bo/{DECOMPOSED}.mp4", bo), ("bo/dubbed.mp4", laid_over)):
        write_rendered(film, root / name)
        (root / name).with_suffix(".json").unlink()
        true[name] = Truth(film.truth())
    cy = planned("cy", ("speaker", "speaker"), 1030)
    frames, sound = list(cy.frames()), np.repeat(cy.waveform(), 3)
    folder = root / "cy"
    folder.mkdir()
    write_film(folder / "turned.mp4", (np.rot90(frame) for frame in frames), waveform=sound)
    turn(folder / "turned.mp4")
    below_zero = {"max_delay": "0", "avoid_negative_ts": "disabled"}
    write_film(folder / "wrapped.ts", frames, waveform=sound, container=below_zero)
    write_film(root.parent / "whole.mp4", frames, waveform=sound)
    cut_packets(root.parent / "whole.mp4", folder / "cut.mp4", 1.2)
    for name in ("turned.mp4", "wrapped.ts"):
        true[f"cy/{name}"] = Truth(cy.truth())
    return true


def turn(path: Path) -> None:
    """Have an mp4 say that its pictures are to be turned by a quarter with the clock, as telephones do."""
    content = path.read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    straight = one + bytes(12) + one + bytes(12) + (1 << 30).to_bytes(4, "big")
    turned = bytes(4) + one + bytes(4) + (-(1 << 16)).to_bytes(4, "big", signed=True) + bytes(16) + straight[-4:]
    first = content.index(straight, content.index(straight) + 1)  # the film's own comes first, then that of the pictures
    path.write_bytes(content[:first] + turned + content[first + 36 :])


def cut_packets(whole: Path, path: Path, start: float) -> None:
    """What a downloader cuts without decoding: it begins at the key frame before, its sound where it was asked to."""
    import av

    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        source.seek(int(start * 1e6))
        for packet in source.demux():
            if packet.dts is not None and (packet.stream.type == "video" or packet.pts * packet.time_base >= start):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def noise(seed: int, frames: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (frames, 64, 96, 3), np.uint8)


def void(size: int) -> bytes:
    """An element of Matroska that says nothing."""
    return b"\xec" + (0x0100_0000_0000_0000 | size).to_bytes(8, "big") + bytes(size)


def stating(content: bytes, seconds: float) -> bytes:
    """A film of Matroska that says that it lasts so long."""
    mark = b"\x44\x89\x88"
    at = content.index(mark) + len(mark)
    return content[:at] + struct.pack(">d", 1000 * seconds) + content[at + 8 :]


def write_with_cover(path: Path, sound: np.ndarray) -> None:
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as film:
        cover, voice = film.add_stream("mjpeg"), film.add_stream("aac", rate=16_000, layout="mono")
        cover.width = cover.height = 64
        cover.pix_fmt, cover.disposition = "yuvj420p", Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        picture.pts = 0
        film.mux([*cover.encode(picture), *cover.encode(None)])
        heard = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], format="fltp", layout="mono")
        heard.sample_rate, heard.pts = 16_000, 0
        film.mux([*voice.encode(heard), *voice.encode(None)])


def write_bad(root: Path) -> None:
    """Everything that is wrong, among ana's films."""
    folder, sound = root / "ana", np.random.default_rng(0).normal(size=80_000) * 0.1
    for ending in ("mp4", "mkv"):
        write_film(folder / f"half.{ending}", noise(1), waveform=sound)
        whole = (folder / f"half.{ending}").read_bytes()
        (folder / f"half.{ending}").write_bytes(whole[: len(whole) // 2])
    write_film(folder / "flipped.mkv", noise(2), waveform=sound)
    content = bytearray((folder / "flipped.mkv").read_bytes())
    for place in range(len(content) // 4, len(content) - 4_000, len(content) // 10):
        content[place : place + 300] = bytes(300)
    (folder / "flipped.mkv").write_bytes(content)
    outside = root.parent / "whole.mp4"
    texts = {
        "empty.mp4": b"",
        "page.mp4": b"<!DOCTYPE html><html><title>404</title></html>",
        "random.mp4": np.random.default_rng(3).bytes(5_000),
        "script.mp4": f"ffconcat version 1.0\nfile '{outside}'\n".encode(),
        "playlist.mp4": f"#EXTM3U\n#EXTINF:8,\n{outside}\n".encode(),
        "session.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        "picture.mp4": b"\xff\xd8\xff\xe0" + bytes(500),
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    write_film(folder / "huge.mp4", [np.zeros((4400, 8192, 3), np.uint8)], waveform=sound)
    write_film(folder / "hours.mkv", noise(4, 2), times=[0, 13 * 3600], waveform=sound)
    (folder / "hours.mkv").write_bytes((folder / "hours.mkv").read_bytes() + void(600_000))
    write_film(folder / "instant.mp4", noise(5, 1), waveform=sound[:1920])
    write_film(folder / "states_an_hour.mkv", noise(6, 2), waveform=sound[:9600])
    stated = stating((folder / "states_an_hour.mkv").read_bytes(), 3600)
    (folder / "states_an_hour.mkv").write_bytes(stated)
    (folder / "states_an_hour_padded.mkv").write_bytes(stated + void(50_000))
    write_film(folder / "silent.mp4", noise(7))
    voice = planned("ana", ("speaker",), 1012).waveform()
    write_film(folder / "heard.mp4", waveform=voice, sound_hz=16_000)
    write_with_cover(folder / "cover.mp4", voice)
    (folder / "line\nbreak.mp4").touch()
    (folder / "link.mp4").symlink_to(outside)
    with open(bytes(folder) + b"/\xff.mp4", "wb"):
        pass


@dataclass
class Prepared:
    """code: the command's. said: what it printed. left_out: kind and reason by the name of the file."""

    code: int
    said: str
    corpus: Corpus
    work: Work
    left_out: dict[str, tuple[str, str]]


def prepared(root: Path, out: Path, work: Path) -> Prepared:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = prepare("videos", root, "--out", out, "--work", work)
    with open(work / "left_out.csv", encoding="utf-8", errors="surrogateescape") as file:
        rows = {Path(row["what"]).name: (row["kind"], row["reason"]) for row in csv.DictReader(file)}
    return Prepared(code, said.getvalue(), Corpus(out), Work.open(work), rows)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prepared, Prepared, dict[str, Truth]]]:
    """The good films alone; then, in the same folder of work, with all bad files among them; and what is true of the good."""
    folder = tmp_path_factory.mktemp("hostile")
    true = write_good(folder / "films")
    good = prepared(folder / "films", folder / "good", folder / "work")
    write_bad(folder / "films")
    return good, prepared(folder / "films", folder / "all", folder / "work"), true


@pytest.fixture(scope="module")
def with_bad(both: tuple[Prepared, Prepared, dict[str, Truth]]) -> Prepared:
    return both[1]


def content(corpus: Corpus, media: set[str]) -> set[tuple[str, str, bytes]]:
    """Person, film and bytes of all clips and faces of these films."""
    found = set()
    for things, bytes_of in ((corpus.clips, lambda at: corpus.waveform(at).tobytes()), (corpus.faces, None)):
        for at, thing in enumerate(things):
            recording = corpus.recordings[thing["recording"]]
            if recording["media"] in media:
                owner = corpus.speakers[int(thing["speaker"])]["speaker"]
                found.add((owner, recording["media"], bytes_of(at) if bytes_of else corpus.pixels([at], 64).tobytes()))
    return found


def test_the_good_are_as_without_the_bad(both: tuple[Prepared, Prepared, dict[str, Truth]]) -> None:
    good, everything, _true = both
    assert good.code == 0, good.said
    assert everything.code == 1
    assert {row["speaker"] for row in everything.corpus.speakers} == set(HOSTS)
    films = {row["media"] for row in good.corpus.recordings}
    assert content(good.corpus, films) == content(everything.corpus, films)
    everything.corpus.verify()


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("empty.mp4", "open: cannot be read", "empty (0 bytes)"),  # 1
        ("page.mp4", "open: cannot be read", "a web page"),  # 2
        ("random.mp4", "open: cannot be read", "of an unknown kind"),  # 3
        ("half.mp4", "open: cannot be read", "cut off"),  # 4
        ("half.mkv", "read: cut short", "of it came"),  # 5
        ("script.mp4", "open: cannot be read", "a list of other files"),  # 7
        ("playlist.mp4", "open: cannot be read", "a list of other files"),
        ("session.mp4", "open: cannot be read", "a list of other files"),
        ("picture.mp4", "open: cannot be read", "a picture"),
        ("huge.mp4", "open: cannot be read", "8192x4400 px"),  # 8
        ("hours.mkv", "open: too long", "13.0 h; limits.hours is 12"),  # 9
        ("states_an_hour.mkv", "open: cannot be read", "states a length of 3600 s"),  # 11
        ("states_an_hour_padded.mkv", "read: cut short", "says that it lasts 3600.0 s"),
        ("silent.mp4", "sound: no sound track", "has no sound track"),  # 12
        ("line\\nbreak.mp4", "not listed", "line break"),  # 17
        ("link.mp4", "not listed", "--allow-outside"),
        ("\\udcff.mp4", "not listed", ""),
    ],
)
def test_what_cannot_be_used_is_listed(with_bad: Prepared, name: str, kind: str, reason: str) -> None:
    assert with_bad.left_out[name][0] == kind
    assert reason in with_bad.left_out[name][1]
    assert "\n" not in with_bad.left_out[name][1]
    assert not any(Path(row["source"]).name.startswith(f"{name}@") for row in with_bad.corpus.recordings)


def rows_of(done: Prepared, name: str) -> list[dict]:
    listing = done.work.listing()
    return [part.row for part in read_parts(done.work, listing, [], []) if part.item.media.name == name]


def test_6_flipped_bytes_cost_themselves(with_bad: Prepared) -> None:
    (row,) = rows_of(with_bad, "flipped.mkv")
    assert row["frames"] > 30
    assert row["end"] > 1.6
    assert not any(start < b and end > a for start, end in row["holes"] for a, b in row["speech"])


def test_10_a_film_of_one_picture(with_bad: Prepared) -> None:
    (row,) = rows_of(with_bad, "instant.mp4")
    assert row["frames"] == 1
    assert "instant.mp4" not in with_bad.left_out


@pytest.mark.parametrize("name", ["heard", "cover"])
def test_13_14_sound_without_moving_pictures_is_a_voice(with_bad: Prepared, name: str) -> None:
    assert any(row["media"] == f"ana/{name}" for row in with_bad.corpus.recordings)
    if name == "cover":
        assert "is a cover, and no moving pictures" in with_bad.said


def test_15_clocks_and_turned_pictures(both: tuple[Prepared, Prepared, dict[str, Truth]]) -> None:
    """A face is kept only where it goes with the sound to within 50 ms: so speech of all of them shows that clocks are right."""
    corpus = both[0].corpus
    assert corpus.clip_facts is not None
    seconds: dict[str, float] = {}
    for clip, facts in zip(corpus.clips, corpus.clip_facts, strict=True):
        media = corpus.recordings[clip["recording"]]["media"]
        seconds[media] = seconds.get(media, 0) + float(facts["end_s"] - facts["start_s"])
        assert abs(facts["lag_ms"]) < 51
    for film in ("cy/turned", "cy/wrapped", "cy/cut", "bo/-é"):
        assert seconds[film] > 2.5, (film, seconds)


def test_16_no_wrong_pair_is_kept(both: tuple[Prepared, Prepared, dict[str, Truth]]) -> None:
    """By turns, under music, dubbed, a still with a voice: who is kept is seen to speak for nearly all of the clip."""
    good, _, true = both
    facts = good.corpus.clip_facts
    assert facts is not None
    by_film = {unicodedata.normalize("NFC", name.rpartition(".")[0]): truth for name, truth in true.items()}
    kinds = set()
    for clip, fact in zip(good.corpus.clips, facts, strict=True):
        recording = good.corpus.recordings[clip["recording"]]
        if recording["media"] not in by_film:
            continue
        truth = by_film[recording["media"]]
        at = np.arange(fact["start_s"], fact["end_s"], 0.05)
        host = recording["media"].partition("/")[0]
        share = np.mean([host in truth.seen_speaking(second) or not truth.speaking(second) for second in at])
        assert share > 0.9, (recording, fact)
        kinds.add(truth.scene((fact["start_s"] + fact["end_s"]) / 2)["kind"])
    assert "still" not in kinds
    assert "speaker" in kinds
    assert "bo/dubbed" not in {row["media"] for row in good.corpus.recordings}
