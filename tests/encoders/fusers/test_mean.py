import torch

from encoders.fusers.mean import Mean


def test_not_normalised_again() -> None:
    embeddings = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert Mean(2)(embeddings, torch.tensor([[True, True]])).tolist() == [[0.5, 0.5]]
    assert not list(Mean(2).parameters())
