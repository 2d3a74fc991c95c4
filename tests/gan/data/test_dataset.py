import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.corpus import Corpus
from gan.data.dataset import INT16_SCALE, Batches, _Permutations, identity_labels, loader
from gan.data.faces import to_pixel_space


def batches(corpus: Corpus, **changes) -> Batches:
    settings = dict(pairing="identity", clip_seconds=(0.2, 0.5), batch_size=8, seed=3, face_size=64, pixel_space="unit",
                    mismatched=True)
    return Batches(corpus, **(settings | changes))


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 9), start=st.integers(0, 60), count=st.integers(1, 40))
def test_permutations_are_addressable_anywhere(size: int, start: int, count: int) -> None:
    whole = _Permutations(size, 5, 1).take(0, 100)
    assert np.array_equal(_Permutations(size, 5, 1).take(start, count), whole[start:start + count])
    for epoch in range(100 // size):
        assert sorted(whole[epoch * size:(epoch + 1) * size]) == list(range(size))


@pytest.mark.parametrize("pairing", ["aligned", "identity", "independent"])
def test_batches_depend_on_seed_and_step_alone(pairing: str, tiny: Corpus) -> None:
    one, other = batches(tiny, pairing=pairing), batches(tiny, pairing=pairing)
    later = other[7]                                    # without having drawn the earlier ones
    assert equal([one[step] for step in range(8)][7], later)
    assert not torch.equal(one[0].waveform[:, :100], one[1].waveform[:, :100])
    assert not torch.equal(batches(tiny, pairing=pairing, seed=4)[7].face, later.face)


def test_worker_processes_change_nothing(tiny: Corpus) -> None:
    source = batches(tiny)
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
    shown = {to_pixel_space(torch.from_numpy(tiny.pixels([f], 64)), "unit").numpy().tobytes(): tiny.faces["speaker"][f]
             for f in faces}
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


def test_segments_of_one_speaker(tiny: Corpus) -> None:
    batch = batches(tiny, segments=3)[0]
    assert batch.waveform.shape[:2] == (8, 3)
    assert batch.num_samples.shape == (8, 3)


@pytest.mark.parametrize(("changes", "said"), [
    (dict(split="val_speech", face_size=33), "33 px are not stored"),
    (dict(pairing="aligned", segments=2), "data.segments"),
])
def test_what_the_corpus_cannot_give_is_an_error(changes: dict, said: str, tiny: Corpus) -> None:
    with pytest.raises(ValueError, match=said):
        batches(tiny, **changes)[0]
