import pytest
import torch

from decoders.deconv import Deconv


def test_dropout_is_the_noise_in_evaluation_too() -> None:
    decoder = Deconv(6, image_size=16, width=4).eval()
    embedding = torch.ones(1, 6)
    assert not torch.equal(decoder(embedding)[16], decoder(embedding)[16])
    still = Deconv(6, image_size=16, width=4, dropout=0.0).eval()
    assert torch.equal(still(embedding)[16], still(embedding)[16])


def test_sigma_is_of_the_published_matrix_view() -> None:
    """Input channels x rest: after many iterations the layer's largest singular value in that view is 1."""
    torch.manual_seed(0)
    decoder = Deconv(6, image_size=16, width=4)
    for _ in range(200):
        decoder(torch.ones(2, 6))
    for layer in decoder.eval().layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("arguments", "said"), [(dict(image_size=60), "power of two"), (dict(dropout=1.0), "dropout 1.0")])
def test_mistakes(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Deconv(6, **arguments)
