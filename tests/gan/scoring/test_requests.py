import numpy as np
import pytest

from gan.data.corpus import INT16_SCALE, SPLITS, Corpus
from gan.scoring.requests import few_of_each, make_requests


@pytest.mark.parametrize("split", SPLITS)
def test_every_speaker_of_the_split_is_asked_once_a_run(split: str, tiny: Corpus) -> None:
    asked = make_requests(tiny, split, 0.5, 3, 0)
    here = np.unique(tiny.clips["speaker"][tiny.in_split(tiny.clips, split)])
    assert len(here) == (4 if split.endswith("speaker") else 12)
    assert np.array_equal(asked.speaker, np.tile(here, 3))
    assert np.array_equal(asked.run, np.repeat([0, 1, 2], len(here)))
    assert (tiny.clips["split"][asked.clip] == SPLITS.index(split)).all()
    assert (tiny.clips["speaker"][asked.clip] == asked.speaker).all()
    assert np.array_equal(asked.target, tiny.clips["face"][asked.clip])  # the aligned face


def test_crops_are_of_their_clip_and_of_the_asked_length(tiny: Corpus) -> None:
    asked = make_requests(tiny, "unseen_speech", 0.5, 3, 0)
    starts = []
    for clip, waveform in zip(asked.clip, asked.waveforms, strict=True):
        assert waveform.dtype == np.float32
        assert waveform.shape == (8_000,)
        at = tiny.waveform(clip).tobytes().find((waveform / INT16_SCALE).astype(np.int16).tobytes())
        assert at >= 0
        starts.append(at)
    assert len(set(starts)) > len(starts) / 2  # anywhere in the clip
    assert len({(c, s) for c, s in zip(asked.clip, starts, strict=True)}) == len(starts)
    assert len(np.unique(asked.clip)) > 12  # another clip in another run


def test_a_clip_that_is_too_short_is_taken_whole(tiny: Corpus) -> None:
    asked = make_requests(tiny, "train", 100.0, 1, 0)
    assert all(len(w) == tiny.clips["length"][clip] for w, clip in zip(asked.waveforms, asked.clip, strict=True))


def test_requests_come_from_the_seed(tiny: Corpus) -> None:
    first, again, other = (make_requests(tiny, "unseen_speech", 0.5, 3, seed) for seed in (0, 0, 1))
    for name in ("speaker", "clip", "run", "target"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert all(np.array_equal(a, b) for a, b in zip(first.waveforms, again.waveforms, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.waveforms, other.waveforms, strict=True))
    fewer = make_requests(tiny, "unseen_speech", 0.5, 2, 0)
    assert np.array_equal(fewer.clip, first.clip[:24])  # more runs only add to them


def test_without_aligned_faces_any_of_the_speaker_and_split_is_right(two_speakers: Corpus) -> None:
    asked = make_requests(two_speakers, "unseen_speech", 0.25, 8, 0)
    assert (two_speakers.faces["speaker"][asked.target] == asked.speaker).all()
    assert (two_speakers.faces["split"][asked.target] == SPLITS.index("unseen_speech")).all()
    assert len(np.unique(asked.target)) > 2


def test_few_of_each() -> None:
    speaker = np.array([3, 1, 3, 3, 1, 7, 3, 3])
    assert np.array_equal(few_of_each(speaker, None, 0), np.arange(8))
    kept = [few_of_each(speaker, count, 0) for count in (1, 2, 4, 9)]
    assert [np.bincount(speaker[rows])[[1, 3, 7]].tolist() for rows in kept] == [[1, 1, 1], [2, 2, 1], [2, 4, 1], [2, 5, 1]]
    assert all((np.diff(rows) > 0).all() for rows in kept)
    assert all(set(fewer) < set(more) for fewer, more in zip(kept[:-1], kept[1:], strict=True))
    assert len(few_of_each(speaker[:0], 2, 0)) == 0


def test_few_of_each_hang_on_the_seed_and_not_on_who_else_is_there() -> None:
    speaker = np.repeat([1, 2, 3], 30)
    kept = few_of_each(speaker, 4, 0)
    assert np.array_equal(few_of_each(speaker[30:], 4, 0) + 30, kept[4:])
    assert not np.array_equal(kept[:4], kept[4:8] - 30)
    assert not np.array_equal(few_of_each(speaker, 4, 1), kept)
