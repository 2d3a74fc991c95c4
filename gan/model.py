"""Encoder and decoder (the generator), and the discriminators that judge it: built from a recipe and checked to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from decoders.base import Decoder
from discriminators.base import Discriminator, Judgement
from encoders.base import Encoder
from encoders.fusers.base import Fuser
from gan.build import build
from gan.config import Config, nearest
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus
from gan.data.dataset import Batch
from gan.data.faces import from_pixel_space, to_uint8
from gan.data.pictures import resize
from gan.features.base import Features, check_hears, frames_of
from gan.losses.base import Loss, Losses

NO_DECODER = "it has no decoder and draws no faces; it trains an encoder, which other runs take over with train.init_from."


class Drawing(NamedTuple):
    """embedding: (B, E). faces: {px: (B, 3, px, px)} in the decoder's pixel space. parts: the decoder's intermediate results."""

    embedding: Tensor
    faces: dict[int, Tensor]
    parts: dict[str, Tensor]


class Source(NamedTuple):
    """What faces are drawn from, as features read it.

    content: waveforms (B, S), mels (B, F, M), or faces (B, 3, H, W) in [0, 1]. number: (B,), how many of its samples or frames
    are an item's own, or a face's row in the corpus, -1 where unknown. Of segments they are (B, N, ...) and (B, N).
    """

    content: Tensor
    number: Tensor

    def to(self, device: torch.device) -> Source:
        return Source(*(tensor.to(device) for tensor in self))


class Generator(nn.Module):
    """Speech -> features -> embedding (of several segments: fused) -> faces. Of a face-to-face system: a face -> ... -> faces.

    decoder: None where an encoder is trained alone. window_samples: length of the segments a fuser joins.
    """

    def __init__(self, features: Features, encoder: Encoder, fuser: Fuser | None, decoder: Decoder | None, window_samples: int):
        super().__init__()
        self.features, self.encoder, self.fuser, self.decoder = features, encoder, fuser, decoder
        self.window_samples = window_samples

    @property
    def reads(self) -> str:
        """`waveform` or `face`: what it draws from."""
        return self.features.reads

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """px of the faces it draws, ascending. Raises ValueError if it draws none."""
        if self.decoder is None:
            raise ValueError(f"decoder: {NO_DECODER}")
        return self.decoder.image_sizes

    def source(self, batch: Batch) -> Source:
        """What features read of a batch."""
        if self.reads == "face":
            return Source(from_pixel_space(batch.face, pixel_space(self.decoder)), batch.face_index)
        return Source(batch.waveform, batch.num_samples)

    def embed(self, source: Source) -> Tensor:
        """(B, E). Segments are embedded each and fused; those of no samples are not there."""
        if source.number.ndim == 1:
            return self._embed(*source)
        assert self.fuser is not None
        valid = source.number > 0
        embedded = self._embed(source.content[valid], source.number[valid])
        segments = torch.zeros(*valid.shape, embedded.shape[1], dtype=embedded.dtype, device=embedded.device)
        return self.fuser(segments.masked_scatter(valid[..., None], embedded), valid)

    def _embed(self, content: Tensor, number: Tensor) -> Tensor:
        with torch.no_grad():
            features, num_frames = self.features(content, number)
        return self.encoder(features, num_frames)

    def forward(self, source: Source, draw: bool = True) -> Drawing:
        """draw: False where only the embedding is looked at."""
        embedding = self.embed(source)
        return (
            Drawing(embedding, *self.decoder.draw(embedding)) if draw and self.decoder is not None else Drawing(embedding, {}, {})
        )

    def fit(self, items: Sequence[np.ndarray]) -> Source:
        """float32 (S,) waveforms of any lengths, or (F, M) mels, or uint8 (H, W, 3) faces -> one batch, as `embed` reads it.

        An encoder of one fixed length gets the middle of what is longer, and silence after what is shorter. A fuser gets windows,
        each half a window after the one before (SF2F's inference), as many as fit.
        """
        if self.reads == "face":
            faces = np.stack([resize(face, self.image_sizes[-1]) for face in items])
            return Source(torch.from_numpy(faces).movedim(-1, 1).float() / 255, torch.full((len(items),), -1))
        if self.fuser is None:
            return self._padded(items)
        length = self.window_samples if items[0].ndim == 1 else frames_of(self.features, self.window_samples)
        windows = [
            [item[start : start + length] for start in range(0, max(len(item) - length, 0) + 1, length // 2)] for item in items
        ]
        waveforms, lengths = self._padded([window for of_item in windows for window in of_item])
        counts = torch.tensor([len(of_item) for of_item in windows])
        there = torch.arange(int(counts.max())) < counts[:, None]
        segments = Source(torch.zeros(*there.shape, *waveforms.shape[1:]), torch.zeros(there.shape, dtype=lengths.dtype))
        segments.content[there], segments.number[there] = waveforms, lengths
        return segments

    def _padded(self, waveforms: Sequence[np.ndarray]) -> Source:
        longest = max(len(w) for w in waveforms)
        if self.encoder.input_frames is not None:
            longest = self.features.samples(self.encoder.input_frames)
            waveforms = [w[max(0, (len(w) - longest) // 2) :][:longest] for w in waveforms]
        batch = np.zeros((len(waveforms), longest, *waveforms[0].shape[1:]), np.float32)
        for row, waveform in zip(batch, waveforms, strict=True):
            row[: len(waveform)] = waveform
        return Source(torch.from_numpy(batch), torch.tensor([len(w) for w in waveforms]))

    @torch.no_grad()
    def draw(self, items: Sequence[np.ndarray], seed: int = 0) -> np.ndarray:
        """Waveforms, float32 (S,) in [-1, 1] at 16 kHz, or mels (F, M), or, face to face, uint8 (H, W, 3) faces -> uint8
        (B, H, W, 3) faces of the largest size.

        Evaluation mode: batch norm on its running statistics. Where the decoder draws noise, seed chooses it.
        """
        size, source = self.image_sizes[-1], self.fit(items).to(self._device)
        with self._evaluating(seed):
            return to_uint8(self(source).faces[size], pixel_space(self.decoder))

    @torch.no_grad()
    def draw_embeddings(self, embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
        """The same of float32 (B, E) that are at hand."""
        assert self.decoder is not None
        with self._evaluating(seed):
            faces = self.decoder(torch.from_numpy(embeddings).to(self._device))
            return to_uint8(faces[self.image_sizes[-1]], pixel_space(self.decoder))

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    @contextmanager
    def _evaluating(self, seed: int) -> Iterator[None]:
        """Evaluation mode, with random numbers of this seed; those of whoever asks go on as if none had been drawn."""
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []), evaluating(self):
            torch.manual_seed(seed)
            yield

    @torch.no_grad()
    def embeddings(self, items: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Waveforms, or faces, as `draw` reads them -> float32 (N, E), in evaluation mode."""
        with evaluating(self):
            return np.concatenate(
                [
                    self.embed(self.fit(items[i : i + batch_size]).to(self._device)).cpu().numpy()
                    for i in range(0, len(items), batch_size)
                ]
            )


def pixel_space(decoder: Decoder | None) -> str:
    """In which faces reach losses and discriminators."""
    return "unit" if decoder is None else decoder.pixel_space


class Model(nn.Module):
    """generator and discriminators of a recipe."""

    def __init__(self, generator: Generator, discriminators: dict[str, Discriminator]):
        super().__init__()
        self.generator = generator
        self.discriminators = nn.ModuleDict(discriminators)

    def judge(self, faces: dict[str, dict[int, Tensor]], embedding: Tensor) -> dict[str, dict[str, Judgement]]:
        """faces["real" | "fake" | "mismatched"][px] -> judged[the same][discriminator].

        All kinds share one pass where items are judged independently; with batch norm each keeps its own statistics.
        """
        judged: dict[str, dict[str, Judgement]] = {which: {} for which in faces}
        for name, discriminator in self.discriminators.items():
            assert isinstance(discriminator, Discriminator)
            batches = [by_size[discriminator.image_size] for by_size in faces.values()]
            if discriminator.items_independent and len(batches) > 1:
                joint = discriminator(torch.cat(batches), embedding.repeat(len(batches), 1))
                parts = [[None] * len(batches) if t is None else t.chunk(len(batches)) for t in joint]
                judgements = [Judgement(*fields) for fields in zip(*parts, strict=True)]
            else:
                judgements = [discriminator(batch, embedding) for batch in batches]
            for which, judgement in zip(faces, judgements, strict=True):
                judged[which][name] = judgement
        return judged

    def resolutions(self, faces: Tensor) -> dict[int, Tensor]:
        """Faces at the largest size -> one batch for each of the decoder's sizes, shrunk by nearest (as SF2F)."""
        return {
            size: faces if size == faces.shape[-1] else F.interpolate(faces, size=(size, size), mode="nearest")
            for size in self.generator.image_sizes
        }

    def part(self, name: str, key: str) -> nn.Module:
        """features, encoder, fuser, decoder, discriminators or discriminators.NAME.

        key: where the name stands, for the message of the ValueError if there is no such part.
        """
        parts = {
            **{n: m for n, m in self.generator.named_children()},
            "discriminators": self.discriminators,
            **{f"discriminators.{n}": m for n, m in self.discriminators.items()},
        }
        if name not in parts:
            raise ValueError(f"{key}: this model has no part {name}. Have: {', '.join(parts)}." + nearest(name, parts))
        return parts[name]


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within, evaluation mode; afterwards every layer is back in its own mode, so that frozen batch norm stays frozen."""
    training = [layer for layer in module.modules() if layer.training]
    module.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def build_model(config: Config, num_identities: int, corpus: Corpus | None = None) -> Model:
    """The model of a recipe, its train.frozen without gradient. corpus: on which a frozen net of its features may be trained;
    None if weights will be loaded.

    Raises ValueError naming the key where parts do not fit.
    """
    features = build(
        Features, config.features, "features", sample_rate_hz=SAMPLE_RATE_HZ, corpus=corpus, num_identities=num_identities
    )
    encoder = build(Encoder, config.encoder, "encoder", num_channels=features.num_channels)
    fuser = build(Fuser, config.fuser, "fuser", embedding_dim=encoder.embedding_dim) if config.fuser else None
    decoder = build(Decoder, config.decoder, "decoder", embedding_dim=encoder.embedding_dim) if config.decoder else None
    if corpus is not None:
        check_hears(features, corpus)
    if features.reads == "face" and (decoder is None or fuser is not None):
        raise ValueError(f"features: {config.features['name']} reads one face, to be drawn again: give a decoder and no fuser.")
    discriminators = {
        name: build(
            Discriminator, section, f"discriminators.{name}", embedding_dim=encoder.embedding_dim, num_identities=num_identities
        )
        for name, section in config.discriminators.items()
    }
    sizes = () if decoder is None else decoder.image_sizes
    for name, discriminator in discriminators.items():
        if discriminator.image_size not in sizes:
            key = next((key for key in config.decoder if key.startswith("image_size")), "image_size")
            drawn = f"decoder.{key} is {' and '.join(map(str, sizes))} px" if sizes else "there is no decoder"
            raise ValueError(f"discriminators.{name}.image_size: {discriminator.image_size} came, but {drawn}. They must agree.")
    _check_reading(config, features, encoder)
    for name, section in config.losses.items():
        for target in section.get("discriminators", []) if isinstance(section, dict) else []:
            if target not in discriminators:
                raise ValueError(
                    f"losses.{name}.discriminators: no discriminator {target}. Have: {', '.join(discriminators) or 'none'}."
                )
    window_samples = round(config.data.clip_seconds[1] * SAMPLE_RATE_HZ)
    model = Model(Generator(features, encoder, fuser, decoder, window_samples), discriminators)
    for part in config.train.init_modules:
        model.part(part, "train.init_modules")
    for part in config.train.frozen:
        model.part(part, "train.frozen").requires_grad_(False)
    return model


def names_people(config: Config, part: str) -> bool:
    """Whether a part of a recipe's model has weights for each identity."""
    with torch.random.fork_rng(devices=[]):
        two, three = (build_model(config, number).part(part, "train.init_modules").state_dict() for number in (2, 3))
    return any(weight.shape != three[name].shape for name, weight in two.items())


@torch.no_grad()
def _check_reading(config: Config, features: Features, encoder: Encoder) -> None:
    """That the encoder can read what the features give of the shortest crop. Raises ValueError naming the keys of both."""
    if features.reads == "face":
        return
    names = f"encoder.name: {config.encoder['name']}", f"features.name: {config.features['name']}"
    crops = [round(seconds * SAMPLE_RATE_HZ) for seconds in config.data.clip_seconds]
    shape, frames = _shape(features, crops[0])
    if len(shape) != encoder.feature_axes:
        raise ValueError(f"{names[0]} reads features of {encoder.feature_axes} axes, {names[1]} gives {len(shape)}.")
    if encoder.bins is not None and shape[3] != encoder.bins:
        raise ValueError(f"encoder.bins: {encoder.bins} came, but features.fft_size gives {shape[3]}. They must agree.")
    if encoder.input_frames is not None:
        if features.samples(encoder.input_frames) != encoder.input_frames:
            raise ValueError(f"{names[0]} reads waveforms, {names[1]} gives a spectrogram. Take features.name=raw.")
        if crops != [encoder.input_frames] * 2:
            needed = encoder.input_frames / SAMPLE_RATE_HZ
            raise ValueError(
                f"data.clip_seconds: {config.data.clip_seconds} came, but encoder.num_samples is "
                f"{encoder.input_frames}: [{needed:g}, {needed:g}]. They must agree."
            )
    elif frames < encoder.min_frames:
        raise ValueError(
            f"data.clip_seconds: the shortest crop, {config.data.clip_seconds[0]:g} s, gives {frames} "
            f"frames; {names[0]} reads {encoder.min_frames} or more."
        )


def _shape(features: Features, samples: int) -> tuple[torch.Size, int]:
    found, frames = features(torch.zeros(1, samples), torch.tensor([samples]))
    return found.shape, int(frames)


def build_losses(config: Config, model: Model, num_identities: int, corpus: Corpus | None) -> Losses:
    """The losses of a recipe. corpus: on which frozen nets may be trained; without it the losses can be counted, not called."""
    generator = model.generator
    losses = Losses(
        {
            name: build(
                Loss,
                section,
                f"losses.{name}",
                embedding_dim=generator.encoder.embedding_dim,
                num_identities=num_identities,
                pixel_space=pixel_space(generator.decoder),
                corpus=corpus,
                decoder=generator.decoder,
                features=generator.features,
            )
            for name, section in config.losses.items()
        }
    )
    for name, loss in losses.items():
        if config.data.flip and "rows" in loss.needs:  # type: ignore[operator]
            raise ValueError(
                f"data.flip: {config.data.flip} came, but losses.{name} ({config.losses[name]['name']}) knows faces "
                "as they are stored. Allowed with it: 0."
            )
        if generator.decoder is None and "fake" in loss.needs:  # type: ignore[operator]
            raise ValueError(f"losses.{name}: looks at drawn faces, but the recipe has no decoder.")
    return losses


def initialise_normal(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions and linear layers, N(1, 0.02) for batch norm's scale, 0 for its shift (DCGAN, Wav2Pix).

    Spectral-normalised layers keep torch's default, as they did in the published code, and so do the other biases; what is
    frozen, such as a face net, keeps what it learned.
    """
    for layer in module.modules():
        if parametrize.is_parametrized(layer) or not all(p.requires_grad for p in layer.parameters(recurse=False)):
            continue
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
