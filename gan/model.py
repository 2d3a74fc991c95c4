"""Encoder and decoder (the generator), and the discriminators that judge it: built from a recipe and checked to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from decoders.base import Decoder
from discriminators.base import Discriminator, Judgement
from encoders.base import Encoder
from gan.build import build
from gan.config import Config
from gan.data.corpus import SAMPLE_RATE_HZ, Corpus
from gan.data.faces import to_uint8
from gan.features.base import Features
from gan.losses.base import Loss, Losses


class Generator(nn.Module):
    """Speech -> features -> embedding -> faces."""

    def __init__(self, features: Features, encoder: Encoder, decoder: Decoder):
        super().__init__()
        self.features, self.encoder, self.decoder = features, encoder, decoder

    def embed(self, waveform: Tensor, num_samples: Tensor) -> Tensor:
        """(B, S), (B,) -> (B, E). With segments, (B, N, S), (B, N): the mean of a speaker's N embeddings."""
        with torch.no_grad():
            features, num_frames = self.features(waveform.flatten(0, -2), num_samples.flatten())
        embedding = self.encoder(features, num_frames)
        return embedding if waveform.ndim == 2 else embedding.unflatten(0, waveform.shape[:2]).mean(1)

    def forward(self, waveform: Tensor, num_samples: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Returns the embedding (B, E) and {px: faces (B, 3, px, px)} in the decoder's pixel space."""
        embedding = self.embed(waveform, num_samples)
        return embedding, self.decoder(embedding)

    def fit(self, waveforms: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        """float32 (S,) waveforms of any lengths -> one padded batch and the lengths.

        An encoder of one fixed length gets the middle of what is longer, and silence after what is shorter.
        """
        longest = max(len(w) for w in waveforms)
        if self.encoder.input_frames is not None:
            longest = self.features.samples(self.encoder.input_frames)
            waveforms = [w[max(0, (len(w) - longest) // 2):][:longest] for w in waveforms]
        batch = np.zeros((len(waveforms), longest), np.float32)
        for row, waveform in zip(batch, waveforms, strict=True):
            row[:len(waveform)] = waveform
        return torch.from_numpy(batch), torch.tensor([len(w) for w in waveforms])

    @torch.no_grad()
    def draw(self, waveforms: Sequence[np.ndarray], seed: int = 0) -> np.ndarray:
        """float32 (S,) waveforms in [-1, 1] at 16 kHz -> uint8 (B, H, W, 3) faces of the largest size.

        Evaluation mode: batch norm on its running statistics. Where the decoder draws noise, seed chooses it.
        """
        device = next(self.parameters()).device
        waveform, num_samples = (t.to(device) for t in self.fit(waveforms))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            with evaluating(self):
                _, faces = self(waveform, num_samples)
        return to_uint8(faces[max(faces)], self.decoder.pixel_space)


    @torch.no_grad()
    def embeddings(self, waveforms: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """float32 (S,) waveforms -> float32 (N, E), in evaluation mode."""
        device = next(self.parameters()).device
        with evaluating(self):
            return np.concatenate([self.embed(*(t.to(device) for t in self.fit(waveforms[i:i + batch_size]))).cpu().numpy()
                                   for i in range(0, len(waveforms), batch_size)])


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
        return {size: faces if size == faces.shape[-1] else F.interpolate(faces, size=(size, size), mode="nearest")
                for size in self.generator.decoder.image_sizes}


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


def build_model(config: Config, num_identities: int) -> Model:
    """The model of a recipe. Raises ValueError naming the key where parts do not fit."""
    features = build(Features, config.features, "features", sample_rate_hz=SAMPLE_RATE_HZ)
    encoder = build(Encoder, config.encoder, "encoder", num_channels=features.num_channels)
    decoder = build(Decoder, config.decoder, "decoder", embedding_dim=encoder.embedding_dim)
    discriminators = {
        name: build(Discriminator, section, f"discriminators.{name}", embedding_dim=encoder.embedding_dim,
                    num_identities=num_identities)
        for name, section in config.discriminators.items()}
    for name, discriminator in discriminators.items():
        if discriminator.image_size not in decoder.image_sizes:
            raise ValueError(f"discriminators.{name}.image_size: {discriminator.image_size} came, the decoder draws "
                             f"{' and '.join(map(str, decoder.image_sizes))} px.")
    if encoder.input_frames is not None:
        needed = features.samples(encoder.input_frames)
        crops = [round(seconds * SAMPLE_RATE_HZ) for seconds in config.data.clip_seconds]
        if crops != [needed, needed]:
            raise ValueError(f"data.clip_seconds: {config.data.clip_seconds} came, encoder {config.encoder['name']} reads "
                             f"{needed} samples: [{needed / SAMPLE_RATE_HZ:g}, {needed / SAMPLE_RATE_HZ:g}].")
    for name, section in config.losses.items():
        for target in section.get("discriminators", []) if isinstance(section, dict) else []:
            if target not in discriminators:
                raise ValueError(f"losses.{name}.discriminators: no discriminator {target}. "
                                 f"Have: {', '.join(discriminators) or 'none'}.")
    return Model(Generator(features, encoder, decoder), discriminators)


def build_losses(config: Config, model: Model, num_identities: int, corpus: Corpus | None) -> Losses:
    """The losses of a recipe. corpus: on which frozen nets may be trained; without it the losses can be counted, not called."""
    return Losses({name: build(
        Loss, section, f"losses.{name}", embedding_dim=model.generator.encoder.embedding_dim,
        num_identities=num_identities, pixel_space=model.generator.decoder.pixel_space, corpus=corpus)
        for name, section in config.losses.items()})


def initialise_normal(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions and linear layers, N(1, 0.02) for batch norm's scale, 0 for its shift (DCGAN, Wav2Pix).

    Spectral-normalised layers keep torch's default, as they did in the published code, and so do the other biases.
    """
    for layer in module.modules():
        if parametrize.is_parametrized(layer):
            continue
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
