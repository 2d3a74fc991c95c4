import math

import torch

from encoders.fusers.base import AttentionLayer, mean_of_valid


def test_a_row_alone_attends_to_itself() -> None:
    layer, rows = AttentionLayer(3, 4), torch.randn(1, 2, 3)
    out = layer(rows, torch.tensor([[True, False]]))
    expected = torch.cat([rows[0, 0], layer.query.weight @ rows[0, 0]]) @ layer.out.weight.T
    assert torch.allclose(out[0, 0], expected, atol=1e-6)


def test_tanh_is_on_the_output() -> None:
    plain, bent, rows, valid = AttentionLayer(3, 4), AttentionLayer(3, 4, tanh=True), torch.randn(2, 5, 3), torch.ones(2, 5) > 0
    bent.load_state_dict(plain.state_dict())
    assert torch.equal(bent(rows, valid), plain(rows, valid).tanh())


def test_scores_are_not_scaled() -> None:
    layer = AttentionLayer(4, 4)
    with torch.no_grad():
        layer.query.weight.copy_(torch.eye(4) * math.log(9))
        layer.out.weight.copy_(torch.eye(4, 8))
    rows = torch.eye(4)[None, :2]  # scores (log 9, 0): 9 to 1, were they scaled by the root of the width it would be 3 to 1
    assert torch.allclose(layer(rows, torch.ones(1, 2) > 0)[0, 0], torch.tensor([0.9, 0.1, 0.0, 0.0]))


def test_mean_of_valid() -> None:
    rows = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [math.nan, 9.0]]])
    assert mean_of_valid(rows, torch.tensor([[True, True, False]])).tolist() == [[2.0, 3.0]]
