from collections import Counter
from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.data.corpus import INT16_SCALE, SAMPLE_RATE_HZ, Corpus
from gan.data.dataset import Batch, Batches, _Permutations, identity_labels, loader
from gan.data.faces import to_pixel_space
from gan.data.writer import CorpusWriter
from tests.properties import examples


def batches(corpus: Corpus, **changes) -> Batches:
    settings = dict(
        pairing="identity", clip_seconds=(0.2, 0.5), batch_size=8, seed=3, face_size=64, pixel_space="unit", mismatched=True
    )
    return Batches(corpus, **(settings | changes))


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.slow
@examples(50)
@given(size=st.integers(1, 9), start=st.integers(0, 60), count=st.integers(1, 40))
def test_permutations_are_addressable_anywhere(size: int, start: int, count: int) -> None:
    whole = _Permutations(size, 5, 1).take(0, 100)
    assert np.array_equal(_Permutations(size, 5, 1).take(start, count), whole[start : start + count])
    for epoch in range(100 // size):
        assert sorted(whole[epoch * size : (epoch + 1) * size]) == list(range(size))


@pytest.mark.parametrize("pairing", ["aligned", "identity", "independent"])
def test_batches_depend_on_seed_and_step_alone(pairing: str, tiny: Corpus) -> None:
    one, other = batches(tiny, pairing=pairing), batches(tiny, pairing=pairing)
    later = other[7]  # without having drawn the earlier ones
    assert equal([one[step] for step in range(8)][7], later)
    assert not torch.equal(one[0].waveform[:, :100], one[1].waveform[:, :100])
    assert not torch.equal(batches(tiny, pairing=pairing, seed=4)[7].face, later.face)


@pytest.mark.parametrize("changes", [{"pairing": "aligned"}, {"flip": 0.5}, {"pairing": "independent"}, {"segments": 4}])
@pytest.mark.parametrize("count", [2, 4])
def test_shares_make_up_the_batch(changes: dict, count: int, tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more of the corpus is read than one's own share."""
    whole = batches(tiny, **changes)[5]
    shares = [batches(tiny, share=(which, count), **changes) for which in range(count)]
    parts = [share[5] for share in shares]
    assert equal(whole, [torch.cat(fields) for fields in zip(*parts, strict=True)])
    read, waveform = [], Corpus.waveform
    monkeypatch.setattr(Corpus, "waveform", lambda corpus, clip: read.append(clip) or waveform(corpus, clip))
    shares[0][6]
    assert len(read) <= 8 // count * changes.get("segments", 1)


@pytest.mark.slow
@pytest.mark.parametrize("segments", [1, 4])
def test_worker_processes_change_nothing(segments: int, tiny: Corpus) -> None:
    source = batches(tiny, segments=segments)
    alone = [source[step] for step in range(2, 6)]
    for batch, again in zip(loader(source, 2, 6, workers=2), alone, strict=True):
        assert equal(batch, again)


@pytest.mark.parametrize("pairing", ["aligned", "identity", "independent"])
def test_pairs_belong_together(pairing: str, tiny: Corpus) -> None:
    batch = batches(tiny, pairing=pairing, batch_size=64)[0]
    labels = identity_labels(tiny)
    of_face = labels[tiny.faces["speaker"][batch.face_index.numpy()]]
    assert np.array_equal(of_face, batch.face_identity.numpy())
    assert (tiny.faces["split"][batch.face_index.numpy()] == 0).all()
    if pairing == "independent":
        assert (batch.voice_identity != batch.face_identity).any()
    else:
        assert torch.equal(batch.voice_identity, batch.face_identity)
    shown = to_pixel_space(torch.from_numpy(tiny.pixels(batch.face_index.numpy(), 64)), "unit")
    assert torch.equal(batch.face, shown)


def test_aligned_faces_are_the_clips_own(tiny: Corpus) -> None:
    """The crop is found in the one clip that names the face."""
    batch = batches(tiny, pairing="aligned", batch_size=6)[0]
    train = tiny.in_split(tiny.clips, "train")
    for waveform, face in zip(batch.waveform.numpy(), batch.face_index.numpy(), strict=True):
        clip = train[tiny.clips["face"][train] == face]
        assert len(clip) == 1
        whole = tiny.waveform(clip[0]) * INT16_SCALE
        windows = np.lib.stride_tricks.sliding_window_view(whole, 400)
        assert (windows == waveform[:400]).all(axis=1).any()


def test_mismatched_faces_are_of_other_speakers(tiny: Corpus) -> None:
    source = batches(tiny, batch_size=48)
    faces = tiny.in_split(tiny.faces, "train")
    shown = {
        to_pixel_space(torch.from_numpy(tiny.pixels([f], 64)), "unit").numpy().tobytes(): tiny.faces["speaker"][f] for f in faces
    }
    labels = identity_labels(tiny)
    for step in range(3):
        batch = source[step]
        of_mismatched = [labels[shown[face.numpy().tobytes()]] for face in batch.mismatched_face]
        assert (np.array(of_mismatched) != batch.face_identity.numpy()).all()


def test_identities_are_seen_equally_often_at_any_batch_size(tiny: Corpus) -> None:
    drawn = torch.cat([batches(tiny, batch_size=31)[step].voice_identity for step in range(12)])
    counts = torch.bincount(drawn, minlength=12)
    assert counts.min() == counts.max() == 31


def test_one_length_a_batch_within_bounds(tiny: Corpus) -> None:
    lengths = {batches(tiny)[step].waveform.shape[1] for step in range(20)}
    assert len(lengths) > 10
    assert min(lengths) >= 3200
    assert max(lengths) <= 8000


def test_short_clips_are_padded_and_say_so(tiny: Corpus) -> None:
    longest = int(tiny.clips["length"].max())
    batch = batches(tiny, clip_seconds=(10.0, 10.0))[0]
    assert batch.waveform.shape[1] == 160_000
    assert (batch.num_samples == longest).all()
    assert batch.waveform[:, longest:].abs().max() == 0
    assert batch.waveform[:, :longest].abs().max() > 0


# -- segments ---------------------------------------------------------------------------------------------------------

# Clip lengths of each speaker of the counting corpus, in samples.
COUNTING = [(40, 31, 12), (9,), (5, 7, 5), (40,), (10, 10)]
SEGMENTS = 6


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """No two of its samples are equal, so that a window says where it was cut."""
    path, sample = tmp_path_factory.mktemp("counting") / "corpus", 1
    with CorpusWriter(
        path, name="counting", source="a test", licence="CC0-1.0", consent="none needed", face_sizes=(8,)
    ) as writer:
        for number, lengths in enumerate(COUNTING):
            recording = writer.add_recording(writer.add_speaker(f"s{number}", "train"), f"r{number}", "train")
            writer.add_face(recording, np.full((8, 8, 3), number, np.uint8))
            for length in lengths:
                writer.add_clip(recording, np.arange(sample, sample + length, dtype=np.int16))
                sample += length
    return Corpus(path)


def segmented(corpus: Corpus, window: int, segments: int = SEGMENTS, **changes) -> Batches:
    seconds = window / SAMPLE_RATE_HZ
    return batches(corpus, clip_seconds=(seconds, seconds), segments=segments, batch_size=len(COUNTING), face_size=8, **changes)


def cuts(batch: Batch, corpus: Corpus) -> list[list[tuple[int, int, int]]]:
    """Clip, start and length of each window of each item; absent segments come last and are silent."""
    whole = {int(sample): (clip, at) for clip in range(len(corpus.clips)) for at, sample in enumerate(corpus.waveform(clip))}
    found: list[list[tuple[int, int, int]]] = []
    for waveforms, lengths in zip(batch.waveform.numpy(), batch.num_samples.tolist(), strict=True):
        present = sum(length > 0 for length in lengths)
        assert all(lengths[:present])
        found.append([])
        for waveform, length in zip(waveforms, lengths, strict=True):
            samples = np.round(waveform / INT16_SCALE).astype(int)
            assert not samples[length:].any()
            if length:
                clip, start = whole[samples[0]]
                assert np.array_equal(samples[:length], corpus.waveform(clip)[start : start + length])
                found[-1].append((clip, start, length))
    return found


@examples(60)
@given(window=st.integers(1, 45), segments=st.integers(2, 30), seed=st.integers(0, 99), step=st.integers(0, 99))
def test_segments_are_cut_one_after_another(window: int, segments: int, seed: int, step: int, counting: Corpus) -> None:
    """Each clip once, from a random start to its end, until there are enough; who has none long enough gives one whole."""
    batch = segmented(counting, window, segments, seed=seed)[step]
    assert batch.waveform.shape == (len(COUNTING), segments, window)
    assert batch.num_samples.shape == (len(COUNTING), segments)
    assert sorted(batch.voice_identity.tolist()) == list(range(len(COUNTING)))
    for speaker, item in zip(batch.voice_identity.tolist(), cuts(batch, counting), strict=True):
        lengths = dict(zip(np.flatnonzero(counting.clips["speaker"] == speaker).tolist(), COUNTING[speaker], strict=True))
        assert 1 <= len(item) <= segments
        if max(COUNTING[speaker]) < window:
            ((clip, start, length),) = item
            assert (start, length) == (0, lengths[clip])
            continue
        assert all(length == window for *_, length in item)
        runs = [(clip, [start for _, start, _ in run]) for clip, run in groupby(item, key=lambda cut: cut[0])]
        assert len({clip for clip, _ in runs}) == len(runs)
        for number, (clip, starts) in enumerate(runs):
            assert starts == list(range(starts[0], starts[-1] + 1, window))
            assert starts[0] < max(lengths[clip] - window, 1)
            if number < len(runs) - 1 or len(item) < segments:
                assert starts[-1] + 2 * window > lengths[clip]
        if len(item) < segments:
            assert {clip for clip, _ in runs} == {clip for clip, length in lengths.items() if length >= window}


def test_segments_of_a_clip_as_long_as_a_window_and_of_shorter_ones(counting: Corpus) -> None:
    batch = segmented(counting, 9)[0]
    by_speaker = dict(zip(batch.voice_identity.tolist(), cuts(batch, counting), strict=True))
    assert by_speaker[1] == [(3, 0, 9)]
    ((clip, start, length),) = by_speaker[2]
    assert (start, length) == (0, len(counting.waveform(clip)))
    assert sorted(by_speaker[4]) == [(8, 0, 9), (9, 0, 9)]
    of_four = batch.num_samples[batch.voice_identity == 4]
    assert of_four.tolist() == [[9, 9, 0, 0, 0, 0]]


def test_segments_start_anywhere_in_clips_of_any_order(counting: Corpus) -> None:
    """Uniform over the 40 - 10 starts the published code draws from, and over the order of clips."""
    source, starts, first = segmented(counting, 10), Counter[int](), Counter[int]()
    for step in range(900):
        batch = source._windows(np.array([3, 0]), 10, np.random.default_rng(step))
        alone, several = cuts(Batch(*map(torch.from_numpy, batch), *[torch.empty(0)] * 5), counting)
        starts[alone[0][1]] += 1
        first[several[0][0]] += 1
    assert set(starts) == set(range(30))
    assert 10 < min(starts.values()) < max(starts.values()) < 60  # 30 expected, standard deviation 5.4
    assert set(first) == {0, 1, 2}
    assert max(first.values()) - min(first.values()) < 100  # 300 expected, standard deviation 14


def test_segments_depend_on_seed_and_step_alone(counting: Corpus) -> None:
    one, other = segmented(counting, 4), segmented(counting, 4)
    assert equal([one[step] for step in range(6)][5], other[5])
    assert not torch.equal(one[5].waveform, one[4].waveform)
    assert not torch.equal(one[5].waveform, segmented(counting, 4, seed=4)[5].waveform)


def test_segments_of_the_toy_world(tiny: Corpus) -> None:
    """One length a batch, cut from one speaker's recordings, who is the one that is named and seen."""
    batch = batches(tiny, segments=3)[0]
    assert batch.waveform.shape[:2] == batch.num_samples.shape == (8, 3)
    assert (batch.num_samples == batch.waveform.shape[2]).all()
    labels = identity_labels(tiny)
    for waveforms, identity in zip(batch.waveform.numpy(), batch.voice_identity.tolist(), strict=True):
        own = [
            (tiny.waveform(clip) * INT16_SCALE).tobytes()
            for clip in tiny.in_split(tiny.clips, "train")
            if labels[tiny.clips["speaker"][clip]] == identity
        ]
        for window in waveforms:
            assert any(window.tobytes() in whole for whole in own)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(split="val_speech", face_size=33), "33 px are not stored"),
        (dict(pairing="aligned", segments=2), "data.segments"),
    ],
)
def test_what_the_corpus_cannot_give_is_an_error(changes: dict, said: str, tiny: Corpus) -> None:
    with pytest.raises(ValueError, match=said):
        batches(tiny, **changes)[0]
