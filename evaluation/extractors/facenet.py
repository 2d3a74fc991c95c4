"""FaceNet's 512-d embedding, with weights that the user adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from evaluation.cache import file_checksum
from evaluation.extractors.base import Embedder
from evaluation.face_nets.inception import SIZE, InceptionResnet
from evaluation.faces import FaceBox


class FacenetEmbedder(Embedder):
    """FaceNet's 512-d embedding of the face box, of unit length, seen as SF2F sees it.

    weights: path of the weight file. device: where the net runs, as torch names it.
    Raises ValueError, naming the file and the command that adds it, if it is missing or is something else.
    """

    name = "facenet"
    dim = 512
    batch_size = 32

    def __init__(self, weights: str, device: str = "cpu"):
        self.device = torch.device(device)
        self.net = InceptionResnet(weights).to(self.device)
        checksum = file_checksum(Path(weights))
        self.label = f"FaceNet 512-d, face box at {SIZE} px, no detector, weights {checksum[:12]}"

    @torch.no_grad()
    def embed(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        self.net.face_box = face_box
        planar = torch.from_numpy(images).to(self.device).movedim(-1, 1).float() / 255
        return self.net.features(planar)[-1].cpu().numpy()
