from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gan
import gan.scoring.systems
from gan.data.corpus import SPLITS, Corpus
from gan.data.toy.speakers import AUDIBLE, INAUDIBLE, Speaker
from gan.data.writer import CorpusWriter
from gan.scoring.requests import Requests, make_requests
from gan.scoring.systems import (
    CONTROLS,
    AttributeOracle,
    Drawn,
    Noise,
    OracleIdentity,
    OracleVoice,
    Prior,
    Shuffled,
    System,
    make_systems,
    possible,
)
from tests.gan.scoring.cases import SETTINGS

Speakers = dict[str, tuple[str, dict[str, str]]]  # name -> split, attributes


@pytest.fixture
def corpus_of(tmp_path: Path) -> Callable[[Speakers], Corpus]:
    """A corpus of such speakers: the pictures of speaker n are all n, so that it is seen whose face was given."""

    def make(speakers: Speakers) -> Corpus:
        with CorpusWriter(
            tmp_path / "made", name="made", source="none", licence="none", consent="none", face_sizes=(64,)
        ) as writer:
            for number, (name, (home, attributes)) in enumerate(speakers.items()):
                speaker = writer.add_speaker(name, home, **attributes)
                for split in ("train", "unseen_speech") if home == "train" else (home,):
                    recording = writer.add_recording(speaker, f"{name} {split}", split)
                    for _ in range(2):
                        writer.add_clip(recording, np.arange(8_000, dtype=np.int16))
                        writer.add_face(recording, np.full((64, 64, 3), number, np.uint8))
        return Corpus(tmp_path / "made")

    return make


def given(corpus: Corpus, split: str = "unseen_speech", runs: int = 20) -> dict[int, set[int]]:
    """Speaker -> the speakers whose faces attribute-oracle gave for them."""
    asked = make_requests(corpus, split, 0.3, runs, 0)
    faces = AttributeOracle().draw(asked, corpus, 64, SETTINGS)
    assert (faces == faces[:, :1, :1, :1]).all()
    return {int(speaker): set(faces[asked.speaker == speaker, 0, 0, 0].tolist()) for speaker in np.unique(asked.speaker)}


# -- noise ------------------------------------------------------------------------------------------------------------


def test_noise_is_uniform_and_comes_from_the_seed(asked: Requests, tiny: Corpus) -> None:
    faces = Noise().draw(asked, tiny, 64, SETTINGS)
    assert faces.shape == (36, 64, 64, 3)
    assert faces.dtype == np.uint8
    counts = np.bincount(faces.ravel(), minlength=256) / faces.size * 256
    assert counts.min() > 0.9
    assert counts.max() < 1.1
    assert len({face.tobytes() for face in faces}) == 36
    assert np.array_equal(faces, Noise().draw(asked, tiny, 64, SETTINGS))
    assert not np.array_equal(faces, Noise().draw(asked, tiny, 64, replace(SETTINGS, seed=1)))


# -- attribute-oracle -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["unseen_speech", "unseen_speaker"])
def test_attribute_oracle_gives_training_faces_of_others_of_the_same_sex(split: str, tiny: Corpus) -> None:
    asked = make_requests(tiny, split, 0.3, 3, 0)
    faces = AttributeOracle().draw(asked, tiny, 64, SETTINGS)
    training = tiny.in_split(tiny.faces, "train")
    owner = {
        face.tobytes(): int(speaker)
        for face, speaker in zip(tiny.pixels(training, 64), tiny.faces["speaker"][training], strict=True)
    }
    for speaker, face in zip(asked.speaker.tolist(), faces, strict=True):
        whose = owner[face.tobytes()]
        assert whose != speaker
        assert tiny.speakers[whose]["sex"] == tiny.speakers[speaker]["sex"]
    assert np.array_equal(faces, AttributeOracle().draw(asked, tiny, 64, SETTINGS))


def test_attribute_oracle_gives_the_nearest_ages(corpus_of: Callable[[Speakers], Corpus]) -> None:
    ages = [20, 21, 30, 34, 50, 58]  # of a sex, so few that the nearest tenth is one
    corpus = corpus_of({f"{sex}{age}": ("train", {"sex": sex, "age": str(age)}) for sex in "fm" for age in ages})
    nearest = [1, 0, 3, 2, 5, 4]
    assert given(corpus) == {number: {nearest[number % 6] + 6 * (number // 6)} for number in range(12)}


def test_attribute_oracle_takes_a_tenth_of_many(corpus_of: Callable[[Speakers], Corpus]) -> None:
    corpus = corpus_of({f"a{age}": ("train", {"sex": "f", "age": str(age)}) for age in range(20, 41)})
    assert given(corpus)[0] == {1, 2}
    assert given(corpus)[10] == {9, 11}


def test_attribute_oracle_without_ages_takes_anybody_of_the_sex(corpus_of: Callable[[Speakers], Corpus]) -> None:
    corpus = corpus_of(
        {name: ("train", {"sex": name[0]}) for name in ("f0", "f1", "m0", "f2", "m1")} | {"f3": ("unseen_speaker", {"sex": "f"})}
    )
    assert given(corpus) == {0: {1, 3}, 1: {0, 3}, 2: {4}, 3: {0, 1}, 4: {2}}
    assert given(corpus, "unseen_speaker") == {5: {0, 1, 3}}


@pytest.mark.parametrize(
    ("speakers", "said"),
    [
        ({"ana": ("train", {}), "bruno": ("train", {})}, "made does not say every speaker's sex"),
        ({"ana": ("train", {"sex": "f"}), "bruno": ("train", {"sex": ""})}, "made does not say every speaker's sex"),
        (
            {"ana": ("train", {"sex": "f"}), "eva": ("train", {"sex": "f"}), "bruno": ("train", {"sex": "m"})},
            "made .*bruno.* sex m",
        ),
    ],
)
def test_attribute_oracle_needs_another_of_the_same_sex(
    speakers: Speakers, said: str, corpus_of: Callable[[Speakers], Corpus]
) -> None:
    corpus = corpus_of(speakers)
    assert possible(corpus, runs=False) == ["noise", "prior"]  # so that nobody who did not ask for it is stopped by it
    with pytest.raises(ValueError, match=f"^attribute-oracle: {said}\\.$"):
        make_systems(None, ["attribute-oracle"], corpus)


def test_the_controls_a_corpus_can_have(tiny: Corpus) -> None:
    assert possible(tiny, runs=True) == ["noise", "prior", "shuffled", "attribute-oracle", "oracle-voice", "oracle-identity"]
    assert possible(tiny, runs=False) == ["noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity"]


# -- drawn once, and again --------------------------------------------------------------------------------------------


class Counting:
    """Stands in for a generator with noise: a face's first pixel is its number, its second the noise's seed."""

    image_sizes, reads = (8,), "waveform"

    def __init__(self) -> None:
        self.calls = 0

    def draw(self, waveforms: list[np.ndarray], seed: int = 0) -> np.ndarray:
        self.calls += 1
        faces = np.zeros((len(waveforms), 8, 8, 3), np.uint8)
        faces[:, 0, 0] = np.arange(len(waveforms))[:, None]
        faces[:, 0, 1] = seed % 251
        return faces


def test_shuffled_draws_nothing_anew(asked: Requests, tiny: Corpus) -> None:
    generator = Counting()
    drawn = Drawn(generator)  # type: ignore[arg-type]
    faces = drawn.draw(asked, tiny, 8, SETTINGS)
    assert generator.calls == 4  # batches of 10 of 36
    shuffled = Shuffled(drawn).draw(asked, tiny, 8, SETTINGS)
    assert generator.calls == 4
    assert sorted(face.tobytes() for face in shuffled) == sorted(face.tobytes() for face in faces)
    drawn.draw(asked, tiny, 8, SETTINGS)
    assert generator.calls == 4
    other = make_requests(tiny, "unseen_speech", 0.2, 3, 0)  # asked something else, it draws
    drawn.draw(other, tiny, 8, SETTINGS)
    assert generator.calls == 8
    drawn.draw(other, tiny, 4, SETTINGS)
    assert generator.calls == 12


def test_shuffled_again_hands_the_faces_to_the_same_others(asked: Requests, tiny: Corpus) -> None:
    drawn = Drawn(Counting())  # type: ignore[arg-type]
    first, again = Shuffled(drawn).draw(asked, tiny, 8, SETTINGS), Shuffled(drawn).again(asked, tiny, 8, SETTINGS)
    assert np.array_equal(first[:, 0, 0], again[:, 0, 0])
    assert (first[:, 0, 1] != again[:, 0, 1]).all()
    assert np.array_equal(first, Shuffled(drawn).draw(asked, tiny, 8, SETTINGS))  # again is not remembered as the first


@pytest.mark.parametrize(("recipe", "noisy"), [("wav2pix-64", True), ("sf2f-64", False)])
def test_again_differs_where_the_decoder_has_noise(
    recipe: str, noisy: bool, runs: dict[str, Path], asked: Requests, tiny: Corpus
) -> None:
    drawn = Drawn(gan.load(runs[recipe]).generator)
    first, again = drawn.draw(asked, tiny, 64, SETTINGS), drawn.again(asked, tiny, 64, SETTINGS)
    assert [not np.array_equal(a, b) for a, b in zip(first, again, strict=True)] == [noisy] * 36
    assert np.array_equal(again, drawn.again(asked, tiny, 64, SETTINGS))
    assert np.array_equal(first, drawn.draw(asked, tiny, 64, SETTINGS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "noisy"),
    [(Noise(), True), (Prior(), False), (AttributeOracle(), True), (OracleVoice(), True), (OracleIdentity(), True)],
)
def test_controls_drawn_again(system: System, noisy: bool, asked: Requests, tiny: Corpus) -> None:
    first, again = system.draw(asked, tiny, 64, SETTINGS), system.again(asked, tiny, 64, SETTINGS)
    assert np.array_equal(first, again) is not noisy


# -- the faces that drawn ones are held against -----------------------------------------------------------------------


class Numbered:
    """Stands in for a generator: the face of the n-th request is all n, so that it is seen where a face went."""

    image_sizes, reads = (8,), "waveform"

    def draw(self, waveforms: list[np.ndarray], seed: int = 0) -> np.ndarray:
        numbers = np.arange(seed, seed + len(waveforms), dtype=np.uint8)
        return np.broadcast_to(numbers[:, None, None, None], (len(waveforms), 8, 8, 3)).copy()


def test_a_generator_is_given_the_waveforms_in_order(asked: Requests, tiny: Corpus) -> None:
    heard: list[np.ndarray] = []

    class Listening(Numbered):
        def draw(self, waveforms: list[np.ndarray], seed: int = 0) -> np.ndarray:
            heard.extend(waveforms)
            return super().draw(waveforms, seed)

    faces = Drawn(Listening()).draw(asked, tiny, 8, replace(SETTINGS, batch_size=5))  # type: ignore[arg-type]
    assert np.array_equal(faces[:, 0, 0, 0], np.arange(36))
    assert all(a is b for a, b in zip(heard, asked.waveforms, strict=True))
    assert Drawn(Numbered()).draw(asked, tiny, 4, SETTINGS).shape == (36, 4, 4, 3)  # type: ignore[arg-type]


def test_shuffled_hands_every_face_to_another_speaker_of_the_same_run(asked: Requests, tiny: Corpus) -> None:
    system = Shuffled(Drawn(Numbered(), "m"))  # type: ignore[arg-type]
    whose = system.draw(asked, tiny, 8, SETTINGS)[:, 0, 0, 0].astype(int)
    assert system.name == "shuffled m"
    assert sorted(whose) == list(range(36))
    assert (asked.speaker[whose] != asked.speaker).all()
    assert (asked.run[whose] == asked.run).all()
    orders = {tuple(asked.speaker[whose][asked.run == run]) for run in range(3)}
    assert len(orders) == 3  # another order in every run
    assert np.array_equal(whose, system.draw(asked, tiny, 8, SETTINGS)[:, 0, 0, 0])


def test_prior_is_the_mean_training_face(asked: Requests, tiny: Corpus) -> None:
    faces = Prior().draw(asked, tiny, 64, SETTINGS)
    training = np.flatnonzero(tiny.faces["split"] == SPLITS.index("train"))
    mean = np.stack([tiny.pixels([face], 64)[0] for face in training]).astype(float).mean(axis=0)
    assert faces.shape == (36, 64, 64, 3)
    assert (faces == faces[0]).all()
    assert np.abs(faces[0] - mean).max() <= 0.5


@pytest.mark.parametrize("system", [OracleIdentity(), OracleVoice()])
def test_oracles_know_what_they_should(
    system: OracleIdentity, asked: Requests, tiny: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Speaker] = []

    def render(speaker: Speaker, picture: object, size: int) -> np.ndarray:
        rendered.append(speaker)
        return np.zeros((size, size, 3), np.uint8)

    monkeypatch.setattr(gan.scoring.systems, "render_face", render)
    assert system.draw(asked, tiny, 64, SETTINGS).shape == (36, 64, 64, 3)
    true = [Speaker.from_row(tiny.speakers[speaker]) for speaker in asked.speaker]
    if isinstance(system, OracleVoice):
        for speaker, drawn in zip(true, rendered, strict=True):
            assert all(getattr(drawn, name) == getattr(speaker, name) for name in AUDIBLE)  # coupling 1
        assert all(a.skin_tone != b.skin_tone for a, b in zip(true, rendered, strict=True))
        assert len({tuple(getattr(s, name) for name in INAUDIBLE) for s in rendered}) == 36  # drawn anew each time
    else:
        assert rendered == true


def test_oracle_identity_draws_fresh_pictures_of_the_right_person(asked: Requests, tiny: Corpus) -> None:
    first = replace(asked, speaker=asked.speaker[[0, 12]], run=asked.run[[0, 12]])  # one speaker, two runs
    a, b = OracleIdentity().draw(first, tiny, 64, SETTINGS)
    assert not np.array_equal(a, b)
    again = OracleIdentity().draw(first, tiny, 64, SETTINGS)
    assert np.array_equal(again, [a, b])
    stored = tiny.pixels(tiny.in_split(tiny.faces, "train"), 64)
    assert (np.abs(stored.astype(int) - a).mean(axis=(1, 2, 3)) > 0).all()  # no copy of a stored one


def test_controls_by_name(tiny: Corpus, two_speakers: Corpus, runs: dict[str, Path]) -> None:
    run = gan.load(runs["sf2f-64"])
    assert [system.name for system in make_systems(run, CONTROLS, tiny)] == [
        run.path.name,
        "noise",
        "prior",
        f"shuffled {run.path.name}",
        "attribute-oracle",
        "oracle-voice",
        "oracle-identity",
    ]
    for name in ("oracle-voice", "oracle-identity"):
        with pytest.raises(ValueError, match=f"{name}: only the toy world .*two"):
            make_systems(None, [name], two_speakers)
    with pytest.raises(ValueError, match="shuffled: name a run too"):
        make_systems(None, ["shuffled"], tiny)
    with pytest.raises(ValueError, match="oracle: no such system"):
        make_systems(None, ["oracle"], tiny)
