"""Frozen face nets that a recipe trains against, and what is known of the corpus's real faces: made once a face, then kept.

Two kinds of net. What compares pictures (perceptual, rendering_identity): `facenet`, whose weights the user adds, or `corpus`, a
small residual net. What a voice encoder regresses to (speech2face, cole): `vggface`, whose weights the user adds, or `corpus`, a
VGG-style net. A `corpus` net is trained once on the corpus's training faces and cached. `auto` is the published one if its
weights were added, else `corpus`; before the first step a run's config is told which it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from evaluation.face_nets.base import FaceNet, VectorNet
from evaluation.landmarks import landmarks68
from evaluation.trained.face_net import trained_face_net
from gan import assets
from gan.build import build, find
from gan.config import Config
from gan.data.corpus import Corpus
from gan.data.faces import to_pixel_space

T = TypeVar("T")
# auto, the published net, the corpus's own: what a `network` key may say, by what the net is for.
PICTURE_NETWORKS = ("auto", "facenet", "corpus")
VECTOR_NETWORKS = ("auto", "vggface", "corpus")
ASSETS = {"facenet": "facenet-vggface2", "vggface": "vgg-face"}
VGG_FACE_DIM = 4096
# Not 0: the nets that judge are trained from other seeds.
SEED = 9173
# Pictures described together. Always so many, repeated if need be: a face's numbers would else depend, in their last bits, on
# which others came with it, and a resumed run would differ from an undisturbed one.
CHUNK = 8
KEPT_BYTES = 2 << 30
LANDMARK_BLOCK = 4096

# Several losses and the features of one run share a net and its results.
_shared: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()


def settle_network(network: str, allowed: tuple[str, ...]) -> str:
    """What a `network` key stands for. Raises ValueError if it is none of those allowed."""
    if network not in allowed:
        raise ValueError(f"network {network} came, {', '.join(allowed)} are allowed.")
    if network != "auto":
        return network
    try:
        assets.find(ASSETS[allowed[1]])
    except ValueError:
        return "corpus"
    return allowed[1]


def networks(config: Config) -> set[str]:
    """The frozen nets a settled config's features and losses name."""
    return {section["network"] for section in (config.features, *config.losses.values()) if "network" in section}


def picture_net(network: str, corpus: Corpus) -> FaceNet:
    """A frozen net for comparing pictures: `auto`, `facenet` or `corpus`.

    Raises ValueError, saying how to get them, if the weights it needs were not added.
    """
    network = settle_network(network, PICTURE_NETWORKS)

    def make() -> FaceNet:
        if network == "facenet":
            section = {"name": "inception", "weights": str(assets.find(ASSETS[network])), "face_box": list(corpus.face_box)}
            return build(FaceNet, section, "network").eval().requires_grad_(False)
        return _trained("residual", corpus)

    return _share(("picture", network, corpus.checksum), make)


def vector_net(network: str, corpus: Corpus | None, dimension: int) -> VectorNet:
    """A frozen net whose penultimate layer, of `dimension` numbers, describes a face: `auto`, `vggface` or `corpus`.

    corpus: on whose faces `corpus` is trained; `vggface` does without. Raises ValueError for a dimension VGG-Face does not have
    and, saying how to get them, if the weights it needs were not added.
    """
    network = settle_network(network, VECTOR_NETWORKS)
    check_dimension(network, dimension, "dimension")

    def make() -> FaceNet:
        if network == "vggface":
            section = {"name": "vgg_face", "weights": str(assets.find(ASSETS[network]))}
            return build(FaceNet, section, "network").eval().requires_grad_(False)
        assert corpus is not None
        return _trained("vgg", corpus, dense_dim=dimension)

    owner = None if network == "vggface" or corpus is None else corpus.checksum
    return _share(("vector", network, owner, dimension), make)


def empty_vector_net(dimension: int) -> VectorNet:
    """The net that vector_net(`corpus`) gives, untrained and without its last layer: to load a checkpoint's weights into."""
    net: Any = build(FaceNet, {"name": "vgg", "dense_dim": dimension}, "network", num_identities=1)
    net.classify = torch.nn.Identity()
    return net.eval().requires_grad_(False)


def check_dimension(network: str, dimension: int, key: str) -> None:
    """Raises ValueError, naming the key that sets the dimension, if the network has another."""
    if network == "vggface" and dimension != VGG_FACE_DIM:
        raise ValueError(
            f"network vggface gives {VGG_FACE_DIM} numbers a face, {key} is {dimension}. "
            f"Set {key} to {VGG_FACE_DIM}, or network to corpus."
        )


def describe(net: VectorNet, images: Tensor, relu: bool) -> Tensor:
    """Pictures in [0, 1] -> (B, D) float32: the penultimate layer, after its ReLU or before."""
    with torch.autocast(images.device.type, enabled=False):
        vector = net.vector(images.float())
        return F.relu(vector) if relu else vector


class OfFaces:
    """Something known of the corpus's faces, made once each and kept up to max_bytes.

    make: CHUNK rows of the corpus, device -> (CHUNK, ...), which has no gradient.
    """

    def __init__(self, make: Callable[[list[int], torch.device], Tensor], max_bytes: int = KEPT_BYTES):
        self.make, self.max_bytes = make, max_bytes
        self._kept: dict[int, Tensor] = {}
        self._bytes = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> OfFaces:
        return self  # a moving average of a model needs no second store

    @torch.no_grad()
    def __call__(self, rows: Tensor, device: torch.device) -> Tensor:
        """rows: (B,) int64, in the corpus. Returns (B, ...) on the device."""
        wanted: list[int] = rows.tolist()
        missing = sorted({row for row in wanted if row not in self._kept})
        made: dict[int, Tensor] = {}
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            results = self.make(chunk + chunk[-1:] * (CHUNK - len(chunk)), device)
            made |= {row: result.clone() for row, result in zip(chunk, results, strict=False)}
        for row, result in made.items():
            if self._bytes + result.nbytes <= self.max_bytes:
                self._kept[row] = result
                self._bytes += result.nbytes
        return torch.stack([(made[row] if row in made else self._kept[row]).to(device) for row in wanted])


def vectors(network: str, corpus: Corpus, dimension: int, relu: bool) -> OfFaces:
    """The vectors (B, dimension) that vector_net gives the corpus's faces, in the smallest pictures that fill its input."""
    network = settle_network(network, VECTOR_NETWORKS)
    net = vector_net(network, corpus, dimension)
    size = min((px for px in corpus.face_sizes if px >= net.input_size), default=max(corpus.face_sizes))

    def make(rows: list[int], device: torch.device) -> Tensor:
        return describe(net.to(device), _pictures(corpus, rows, size).to(device), relu)

    return _share(("vectors", network, corpus.checksum, dimension, relu), lambda: OfFaces(make))


def identities(network: str, corpus: Corpus, size: int) -> OfFaces:
    """The deepest features (B, D) by picture_net of the corpus's faces, stored at `size` px."""
    network = settle_network(network, PICTURE_NETWORKS)
    net = picture_net(network, corpus)

    def make(rows: list[int], device: torch.device) -> Tensor:
        with torch.autocast(device.type, enabled=False):
            return net.to(device).features(_pictures(corpus, rows, size).to(device))[-1].flatten(1)

    return _share(("identities", network, corpus.checksum, size), lambda: OfFaces(make))


def landmarks(corpus: Corpus) -> OfFaces:
    """The 68 landmarks (B, 68, 2), x and y as fractions of the picture, of the corpus's training faces."""
    rows_of_table, table = corpus.in_split(corpus.faces, "train"), list[np.ndarray]()

    def make(rows: list[int], device: torch.device) -> Tensor:
        if not table:
            table.append(training_landmarks(corpus))
        assert np.isin(rows, rows_of_table).all(), "landmarks are known of training faces only"
        return torch.from_numpy(table[0][np.searchsorted(rows_of_table, rows)]).to(device)

    return _share(("landmarks", corpus.checksum), lambda: OfFaces(make))


def training_landmarks(corpus: Corpus) -> np.ndarray:
    """float32 (N, 68, 2): x and y, as fractions of the picture, of the 68 landmarks of every training face, found in the corpus's
    largest pictures. Cached on disk, in blocks, so that a large corpus need not fit into memory.
    """
    faces = corpus.in_split(corpus.faces, "train")
    blocks = [
        landmarks68(corpus.pixels(faces[start : start + LANDMARK_BLOCK], max(corpus.face_sizes)), corpus.face_box)
        for start in range(0, len(faces), LANDMARK_BLOCK)
    ]
    return np.concatenate(blocks).astype(np.float32)


def _trained(name: str, corpus: Corpus, **arguments: Any) -> FaceNet:
    faces = corpus.in_split(corpus.faces, "train")
    return trained_face_net(
        find(FaceNet, name, "network"),
        corpus.pixels(faces, min(corpus.face_sizes)),
        corpus.faces["speaker"][faces],
        SEED,
        **arguments,
    )[0]


def _pictures(corpus: Corpus, rows: list[int], size: int) -> Tensor:
    """(B, 3, size, size) in [0, 1]."""
    return (to_pixel_space(torch.from_numpy(corpus.pixels(rows, size)), "unit") + 1) / 2


def _share(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """The object of that key, made if nobody holds it any more."""
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = make()
    return found
