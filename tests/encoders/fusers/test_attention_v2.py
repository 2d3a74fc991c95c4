import torch

from encoders.fusers.attention_v2 import AttentionV2


def test_published_tensors() -> None:
    with torch.device("meta"):
        fuser = AttentionV2(512)
    assert [tuple(p.shape) for p in fuser.parameters()] == [(512, 512), (512, 1024)] * 2
    assert sum(p.numel() for p in fuser.parameters()) == 1_572_864


def test_one_segment_by_hand() -> None:
    """Alone it attends to itself: tanh of Wo (e; Wq e), the same through the second layer without tanh, made a unit vector."""
    fuser, e = AttentionV2(3), torch.randn(3)
    first, second = fuser.first, fuser.second
    row = (first.out.weight @ torch.cat([e, first.query.weight @ e])).tanh()
    out = second.out.weight @ torch.cat([row, second.query.weight @ row])
    assert torch.allclose(fuser(e[None, None], torch.tensor([[True]]))[0], out / out.norm(), atol=1e-6)
