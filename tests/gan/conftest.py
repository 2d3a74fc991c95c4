from pathlib import Path

import pytest

from gan.data.corpus import Corpus
from gan.recipes import load
from gan.training.start import train
from tests.conftest import Once
from tests.recipes import QUICK, TRAINED


@pytest.fixture(scope="session")
def runs(tiny: Corpus, once: Once) -> dict[str, Path]:
    """One tiny trained run of each family, with checkpoints at steps 20 and 30. Read-only: a test that changes one copies it."""

    def make(folder: Path) -> None:
        for recipe, small in TRAINED.items():
            train(load(recipe, [*small, *QUICK]), recipe, folder)

    folder = once("runs", make)
    return {recipe: next(folder.glob(f"{recipe}-*")) for recipe in TRAINED}
