import torch

from encoders.fusers.attention_v3 import AttentionV3


def test_published_tensors() -> None:
    with torch.device("meta"):
        fuser = AttentionV3(512)
    assert [tuple(p.shape) for p in fuser.parameters()] == [(512, 512), (512, 1024), (1024, 1024), (512, 2048)]
    assert sum(p.numel() for p in fuser.parameters()) == 2_883_584


def test_one_segment_by_hand() -> None:
    """Alone it attends to itself: tanh of Wo (e; Wq e), made a unit row, before the embedding, through the second layer."""
    fuser, e = AttentionV3(3), torch.randn(3)
    first, second = fuser.first, fuser.second
    row = (first.out.weight @ torch.cat([e, first.query.weight @ e])).tanh()
    joined = torch.cat([row / row.norm(), e])
    out = second.out.weight @ torch.cat([joined, second.query.weight @ joined])
    assert torch.allclose(fuser(e[None, None], torch.tensor([[True]]))[0], out / out.norm(), atol=1e-6)
