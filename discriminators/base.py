"""The contract of a discriminator: a face, and the voice it should belong to -> a judgement."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Judgement(NamedTuple):
    """What a discriminator says of B faces; None where it has no such output.

    realness: (B,) or (B, 1, h, w) scores, higher is more real, before any sigmoid. identity_logits: (B, K).
    features: (B, C, h, w), the activation that feature matching compares.
    """

    realness: Tensor | None = None
    identity_logits: Tensor | None = None
    features: Tensor | None = None


class Discriminator(nn.Module, ABC):
    """image_size: px of the faces it reads. Its constructor may ask for embedding_dim and num_identities.

    items_independent: an item's judgement does not depend on the rest of its batch, so real and fake may share one pass.
    """

    image_size: int
    items_independent: bool = False

    @abstractmethod
    def forward(self, face: Tensor, embedding: Tensor) -> Judgement:
        """face: (B, 3, image_size, image_size) in the decoder's pixel space; embedding: (B, E)."""


class PatchStack(nn.Sequential):
    """SF2F's convolutions: kernel 4, stride 2, no padding, bias; batch norm and LeakyReLU 0.1 before each but the first.

    64 px: width, 2 width, 4 width channels; 128 px one more; a 6x6 map at both sizes. num_features: channels of that map.
    """

    def __init__(self, image_size: int, width: int):
        depths = {64: 3, 128: 4}
        if image_size not in depths:
            raise ValueError(f"image_size {image_size} came, 64 or 128 px are allowed.")
        channels = [3, *(width << level for level in range(depths[image_size]))]
        layers: list[nn.Module] = []
        for a, b in zip(channels, channels[1:], strict=False):
            if layers:
                layers += [nn.BatchNorm2d(a), nn.LeakyReLU(0.1)]
            layers.append(nn.Conv2d(a, b, 4, stride=2))
        super().__init__(*layers)
        self.num_features = channels[-1]


class PlainStack(nn.Sequential):
    """voice2face's convolutions, with bias, LeakyReLU 0.2 between, no norm: kernel 1 to `width` channels; then kernel 4, stride 2
    and padding 1, halving the picture and doubling the channels until it measures map_size px; then kernel 4 without padding.

    num_features: channels of the map that comes out, map_size - 3 px wide and high.
    """

    def __init__(self, image_size: int, width: int, map_size: int, num_features: int):
        levels = (image_size // map_size).bit_length() - 1
        if image_size != map_size << levels or levels < 1:
            raise ValueError(f"image_size {image_size} came, a power of two from {2 * map_size} px is allowed.")
        channels = [width << level for level in range(levels + 1)]
        layers: list[nn.Module] = [nn.Conv2d(3, width, 1)]
        for a, b in zip(channels, channels[1:], strict=False):
            layers += [nn.LeakyReLU(0.2), nn.Conv2d(a, b, 4, stride=2, padding=1)]
        super().__init__(*layers, nn.LeakyReLU(0.2), nn.Conv2d(channels[-1], num_features, 4))
        self.num_features = num_features


def tile(embedding: Tensor, features: Tensor) -> Tensor:
    """The embedding (B, E) beside every place of a map: (B, C, h, w) -> (B, C + E, h, w)."""
    return torch.cat([features, embedding[:, :, None, None].expand(-1, -1, *features.shape[2:])], dim=1)
