"""AVSpeech from a list and downloaded films to a corpus; and other folders whose people are told by their faces, or by a list."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.channel import Truth
from benchmarks.channel import write_film as write_rendered
from gan.data.corpus import Corpus
from gan.data.toy.films import Film, Person, plan
from gan.data.toy.speakers import draw_speaker
from gan.raw.settle import Settled, settle
from gan.raw.splits import Splitting, split_people
from gan.raw.work import Work
from tests.films import write_film
from tests.gan.raw.cases import prepare
from tests.gan.raw.media import write

pytest.importorskip("av")
pytestmark = pytest.mark.slow

SIZE, FACE_PX = (320, 180), (112.0, 125.0)
# Film -> who is seen in it, and with whom.
TWICE, AGAIN, OLDER, NEWER, TWO = "AAAAaaaa_01", "-BBBBbbbb_2", "CCCCcccc_03", "DDDDdddd_04", "EEEEeeee_05"
PEOPLE = {TWICE: 0, AGAIN: 0, OLDER: 1, NEWER: 3, TWO: 4}


def film(name: str, kinds: tuple[str, ...] = ("speaker",)) -> Film:
    host = Person("host", draw_speaker(101, PEOPLE[name]))
    guest = Person("guest", draw_speaker(101, 100_000))
    seed = 100 + sorted(PEOPLE).index(name)
    return plan(name, host, guest, kinds, seed, SIZE, "29.97", FACE_PX, (4.2, 4.6), (5.0, 5.4))


def row(name: str, start: float, end: float, who: str, truth: Truth) -> str:
    """A line of the list: who speaks, and where the face is at the start."""
    (box,) = (face.box for face in truth.faces(start) if face.name == who)
    x, y = (box[0] + box[2]) / 2 / SIZE[0], (box[1] + box[3]) / 2 / SIZE[1]
    return f"{name},{start:.6f},{end:.6f},{x:.6f},{y:.6f}\n"


@dataclass
class Done:
    said: str
    corpus: Corpus
    work: Work
    settled: Settled
    two: Truth


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Films as several people downloaded them: whole; cut, named in three ways, in one with sound apart; and 40 that are gone."""
    folder = tmp_path_factory.mktemp("avspeech")
    media = folder / "media"
    films = {name: film(name, ("turns",) if name == TWO else ("speaker",)) for name in PEOPLE}
    truths = {name: Truth(each.truth()) for name, each in films.items()}
    names = {
        TWICE: f"{TWICE}.mp4",
        AGAIN: f"changil/{AGAIN}_{100:010.6f}-{104:010.6f}.mp4",
        OLDER: f"flat/{OLDER}_30.5_34.5.mp4",
        NEWER: f"new/{NEWER}/{NEWER}_7.000000_11.000000_video.mp4",
        TWO: f"{TWO}.mkv",
    }
    for name, each in films.items():
        path = media / names[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.repeat(each.waveform(), 3)
        apart = name == NEWER
        write_film(path, each.frames(), waveform=None if apart else sound)
        if apart:
            write_film(str(path).replace("_video.mp4", "_audio.mp3"), waveform=sound, sound_codec="libmp3lame")
    end = truths[TWICE].end
    # The listener of the film of two sits still; the list says who is meant, first the one, then the other.
    turns = [turn for turn in truths[TWO].turns if turn["end"] - turn["start"] > 1.5]
    rows = [
        row(TWICE, 0.0, 2.2, "host", truths[TWICE]),
        row(TWICE, 2.2, end - 0.1, "host", truths[TWICE]),
        *(row(TWO, turn["start"] - 0.05, turn["end"] + 0.05, turn["name"], truths[TWO]) for turn in turns),
        *(
            row(name, 0.0, 4.0, "host", truths[name]).replace(",0.000000,4.000000", f",{start:.6f},{stop:.6f}")
            for name, start, stop in ((AGAIN, 100, 104), (OLDER, 30.5, 34.5), (NEWER, 7, 11))
        ),
        *(f"ZZZZzzzz{number:03},1.0,5.0,.5,.5\n" for number in range(40)),
    ]
    path = write(folder / "list.csv", "".join(rows))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = prepare("avspeech", path, "--media", media, "--out", folder / "c", "--work", folder / "w")
    assert code == 0, said.getvalue()
    work = Work.open(folder / "w")
    return Done(said.getvalue(), Corpus(folder / "c"), work, settle(work), truths[TWO])


def test_every_habit_is_found_and_what_is_missing_is_a_number(done: Done) -> None:
    assert {recording["media"] for recording in done.corpus.recordings} == set(PEOPLE)
    assert "Segments without a file: 40 of 47, of 40 films." in done.said
    assert done.said.count("ZZZZzzzz") <= 3


def test_a_person_is_a_film_s_and_the_place_says_who_speaks(done: Done) -> None:
    people = {row["speaker"] for row in done.corpus.speakers}
    assert {name for name in people if not name.startswith(TWO)} == {f"{name}/1" for name in PEOPLE if name != TWO}
    assert people == {speech.person for speech in done.settled.speech}
    who: dict[str, set[str]] = {}
    for speech in done.settled.speech:
        if speech.film == TWO:
            who.setdefault(speech.person, set()).update(done.two.speaking((speech.voice.start + speech.voice.end) / 2))
    assert sorted(who) == [f"{TWO}/1", f"{TWO}/2"]
    assert sorted(map(sorted, who.values())) == [["guest"], ["host"]]


def test_one_person_in_two_films_is_not_parted(done: Done) -> None:
    one, film_of_two = {f"{TWICE}/1", f"{AGAIN}/1"}, {f"{TWO}/1", f"{TWO}/2"}
    assert sorted(map(sorted, done.settled.same)) == sorted(map(sorted, (one, film_of_two)))
    people = [row["speaker"] for row in done.corpus.speakers]
    for seed in range(10):
        drawn = split_people(people, done.settled.same, replace(Splitting(unseen_speaker=0.3), seed=seed))
        assert drawn[f"{TWICE}/1"] == drawn[f"{AGAIN}/1"]
        assert drawn[f"{TWO}/1"] == drawn[f"{TWO}/2"]
        assert len(set(drawn.values())) > 1


# The faces are small and the films short: how surely a mouth is believed is not what is asked here.
EASY = ("--set", "speaking.score=0.3")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three films of two people each with its sound in it, none of whom anybody named."""
    folder = tmp_path_factory.mktemp("rendered")
    for name, kinds in ((TWICE, ("speaker",)), (AGAIN, ("speaker", "turns")), (OLDER, ("speaker",))):
        write_rendered(film(name, kinds), folder / f"{name}.mp4")
    return {path.stem: path for path in folder.glob("*.mp4")}


def test_films_of_people_whom_nobody_named(rendered: dict[str, Path], tmp_path: Path) -> None:
    folder = next(iter(rendered.values())).parent
    assert prepare("videos", folder, "--speaker", "film", "--out", tmp_path / "c", "--work", tmp_path / "w", *EASY) == 0
    people = {row["speaker"] for row in Corpus(tmp_path / "c").speakers}
    assert {f"{TWICE}/1", f"{AGAIN}/1", f"{OLDER}/1"} <= people <= {f"{TWICE}/1", f"{AGAIN}/1", f"{AGAIN}/2", f"{OLDER}/1"}
    assert any({f"{TWICE}/1", f"{AGAIN}/1"} <= set(group) for group in settle(Work.open(tmp_path / "w")).same)


def test_presenters_films_and_their_sound_apart(rendered: dict[str, Path], tmp_path: Path) -> None:
    import av

    write(tmp_path / "list.csv", "Name,Gender,Channel\nAda Ä,f,http://a\nBo,m,http://b\nCy,m,http://c\n")
    for person, names in (("Ada Ä", (TWICE, AGAIN)), ("Bo", (OLDER,))):
        for kind in ("video", "audio"):
            (tmp_path / "media" / person / kind).mkdir(parents=True)
        for number, name in enumerate(names):
            with av.open(str(rendered[name])) as source:
                for stream, ending in ((source.streams.video[0], "mp4"), (source.streams.audio[0], "m4a")):
                    path = tmp_path / "media" / person / stream.type / f"{number} film-{name}.{ending}"
                    with av.open(str(path), "w") as target:
                        copied = target.add_stream_from_template(stream)
                        source.seek(0)
                        for packet in source.demux(stream):
                            if packet.dts is not None:
                                packet.stream = copied
                                target.mux(packet)
    words = ("youtubers-raw", tmp_path / "list.csv", "--media", tmp_path / "media")
    assert prepare(*words, "--out", tmp_path / "c", "--work", tmp_path / "w", *EASY) == 1  # Cy has no folder
    corpus = Corpus(tmp_path / "c")
    assert {row["speaker"] for row in corpus.speakers} == {"Ada Ä", "Bo"}
    assert {row["media"] for row in corpus.recordings} == {TWICE, AGAIN, OLDER}
    assert corpus.clip_facts is not None
    assert (np.abs(corpus.clip_facts["lag_ms"]) < 51).all()
