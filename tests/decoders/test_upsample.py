import pytest

from decoders.upsample import Upsample


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(dict(image_sizes=[60]), "powers of two"), (dict(image_sizes=[64, 64]), "different"), (dict(width=24), "multiple of 16")],
)
def test_mistakes(arguments: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Upsample(6, **arguments)
