from pathlib import Path

import numpy as np
import pytest

from gan.data.corpus import Corpus
from gan.data.prepare import toy
from gan.experiments.unseen_voices import CROPS, UnseenVoices, _agreement, _spread
from tests.gan.experiments.conftest import Painter, paint, study


@pytest.mark.slow
def test_seen_and_unseen_people_in_equal_numbers(painter: Painter, tiny: Corpus) -> None:
    found = UnseenVoices()(study(painter, tiny))
    assert [(row["voices"], row["speakers"], row["faces"]) for row in found.rows] == [("seen", 4, 20), ("unseen", 4, 20)]
    assert all(row["chance_1"] == 0.25 for row in found.rows)
    assert all(np.isnan(row["chance_5"]) for row in found.rows)  # a gallery of four always holds it
    split = {speaker["speaker"]: speaker["split"] for speaker in tiny.speakers}
    for caption, row in found.pictures:
        group, _, name = caption.partition(": ")
        assert split[name] == {"seen": "train", "unseen": "unseen_speaker"}[group]
        assert len(row) == 1 + CROPS
    assert np.array_equal(found.pictures[0][1][1], paint(painter.drawn[0][0]))
    for row in found.rows:
        assert row["advantage"].value == pytest.approx(row["similarity"].value - row["to_others"].value)


def test_crops_are_held_out_speech_spread_over_the_voice(painter: Painter, tiny: Corpus) -> None:
    own = study(painter, tiny)
    UnseenVoices()(own)
    held_out = np.concatenate([clip for voice in own.voices("unseen_speech") for clip in voice.clips])
    for crop in painter.drawn[0][:CROPS]:
        assert len(crop) == 8000
        assert crop[:50].tobytes() in held_out.tobytes()
    assert len({crop.tobytes() for crop in painter.drawn[0][:CROPS]}) == CROPS
    assert _spread([np.array([n]) for n in range(10)]) == [[0], [2], [4], [6], [8]]
    assert _spread([np.array([n]) for n in range(2)]) == [[0], [0], [0], [1], [1]]


def test_a_corpus_the_run_was_not_trained_on(painter: Painter, tiny: Corpus) -> None:
    painter.corpus = {"name": "gone", "checksum": "0"}
    with pytest.raises(ValueError, match="corpus that painter was trained on"):
        UnseenVoices()(study(painter, tiny))


@pytest.mark.slow
def test_people_of_another_corpus_whom_the_own_one_trains_on_are_told(painter: Painter, tiny: Corpus, tmp_path: Path) -> None:
    toy.prepare_toy(tmp_path / "other", "tiny", background="textured")  # the same people
    found = UnseenVoices()(study(painter, Corpus(tmp_path / "other"), split="unseen_speech"))
    assert found.notes[0] == "LEAKS, going by names: 12 of 12 people of toy-tiny-textured, unseen_speech, were trained on."
    assert not any("LEAKS" in note for note in UnseenVoices()(study(painter, Corpus(tmp_path / "other"))).notes)


def test_agreement_by_hand() -> None:
    random = np.random.default_rng(0)
    units = random.normal(size=(3, 4, 5))
    units /= np.linalg.norm(units, axis=2, keepdims=True)
    within, between = _agreement(units)
    for own in range(3):
        assert within[own] == pytest.approx(
            np.mean([units[own, i] @ units[own, j] for i in range(4) for j in range(4) if i != j])
        )
        assert between[own] == pytest.approx(
            np.mean([units[own, i] @ units[other, j] for other in range(3) if other != own for i in range(4) for j in range(4)])
        )
    assert np.isnan(_agreement(units[:1])[1]).all()
