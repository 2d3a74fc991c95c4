"""The Inception net of FID, 2048-d, with weights that the user adds.

The architecture is pytorch-fid's (M. Seitzer, Apache-2.0): torchvision's Inception v3, patched to equal the graph of 2015 that
TensorFlow's FID was defined with (Heusel et al. 2017). pytorch-fid's own constructor downloads its weights; here they are read.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from evaluation.cache import file_checksum
from evaluation.extractors.base import Classifier
from evaluation.face_nets.base import read_weights
from evaluation.faces import FaceBox

FILE = "pt_inception-2015-12-05-6726825d.pth"
PUBLISHED = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # sha256 of that file
SIZE = 299
WHOLE: FaceBox = (0.0, 0.0, 1.0, 1.0)


class InceptionV3(Classifier):
    """FID's 2048 features of the whole picture, resized to 299 px, and the 1008 class logits that follow from them.

    weights: path of pytorch-fid's weight file. device: where the net runs, as torch names it.
    is_fids: whether the weights are the published ones; only on them is a Frechet distance FID.
    The face box is not used: FID sees whole pictures. Resizing is bilinear without antialiasing, as in pytorch-fid.
    Raises ValueError, naming the file and the command that adds it, if it is missing or is something else.
    """

    name = "inception"
    dim = 2048
    classes = 1008
    batch_size = 32

    def __init__(self, weights: str, device: str = "cpu"):
        path = Path(weights)
        self.device = torch.device(device)
        self.net = _read(path).to(self.device)
        # TensorFlow's inception score leaves the bias of the last layer out, and so does torch-fidelity.
        self._classes = cast(nn.Linear, self.net.fc).weight.numpy(force=True).astype(np.float64)
        self.net.fc = nn.Identity()
        checksum = file_checksum(path)
        self.is_fids = checksum == PUBLISHED
        self.label = f"pytorch-fid Inception 2048-d, whole picture at {SIZE} px, no detector, weights {checksum[:12]}"

    def __call__(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        return super().__call__(images, WHOLE)  # so that the cache is shared between face boxes

    @torch.no_grad()
    def embed(self, images: np.ndarray, face_box: FaceBox) -> np.ndarray:
        planar = torch.from_numpy(images).to(self.device).movedim(-1, 1).float() / 255
        resized = F.interpolate(planar, (SIZE, SIZE), mode="bilinear", align_corners=False)
        return self.net(2 * resized - 1).cpu().numpy()

    def logits(self, features: np.ndarray) -> np.ndarray:
        return features.astype(np.float64) @ self._classes.T


def _read(path: Path) -> nn.Module:
    """pytorch_fid.inception.fid_inception_v3, but for where its weights come from."""
    # Imported here, as they take a second and most evaluations do without FID.
    from pytorch_fid import inception as parts
    from torchvision.models import inception_v3

    state = read_weights(path, partial(_error, path))
    with torch.device("meta"):
        net = inception_v3(weights=None, num_classes=InceptionV3.classes, aux_logits=False, init_weights=False)
        net.Mixed_5b = parts.FIDInceptionA(192, pool_features=32)
        net.Mixed_5c = parts.FIDInceptionA(256, pool_features=64)
        net.Mixed_5d = parts.FIDInceptionA(288, pool_features=64)
        net.Mixed_6b = parts.FIDInceptionC(768, channels_7x7=128)
        net.Mixed_6c = parts.FIDInceptionC(768, channels_7x7=160)
        net.Mixed_6d = parts.FIDInceptionC(768, channels_7x7=160)
        net.Mixed_6e = parts.FIDInceptionC(768, channels_7x7=192)
        net.Mixed_7b = parts.FIDInceptionE_1(1280)
        net.Mixed_7c = parts.FIDInceptionE_2(2048)
    # Older files lack the batch norms' counters, which nothing here reads.
    counters = {name: torch.tensor(0) for name in net.state_dict() if name.endswith("num_batches_tracked")}
    try:
        net.load_state_dict(counters | state, assign=True)
    except (RuntimeError, TypeError):
        raise _error(path, "is not pytorch-fid's weight file of Inception") from None
    return net.requires_grad_(False).eval()


def _error(path: Path, what: str) -> ValueError:
    return ValueError(
        f"{path}: {what}. Get {FILE} from the releases of pytorch-fid (mseitzer) and run: voxface assets add fid-inception FILE"
    )
