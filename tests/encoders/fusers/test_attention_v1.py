import math

import torch

from encoders.fusers.attention_v1 import AttentionV1


def test_published_tensors() -> None:
    with torch.device("meta"):
        fuser = AttentionV1(512)
    assert [tuple(p.shape) for p in fuser.parameters()] == [(512, 512), (512, 1024)]
    assert sum(p.numel() for p in fuser.parameters()) == 786_432


def test_two_segments_by_hand() -> None:
    """Wq sends (0, 1) to (log 3, 0) and (1, 0) to 0, so the scores are (0, 0) and (log 3, 0): shares 1/2, 1/2 and 3/4, 1/4.

    Wo reads (attended 1, attended 2 + query 1): rows (1/2, 1/2) and (3/4, 1/4 + log 3).
    """
    fuser = AttentionV1(2)
    with torch.no_grad():
        fuser.layer.query.weight.copy_(torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]))
        fuser.layer.out.weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 0]]))
    x, y = 5 / 8, 3 / 8 + math.log(3) / 2
    expected = torch.tensor([[x, y]]) / math.hypot(x, y)
    assert torch.allclose(fuser(torch.eye(2)[None], torch.tensor([[True, True]])), expected, atol=1e-6)
