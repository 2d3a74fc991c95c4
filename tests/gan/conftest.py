from pathlib import Path

import pytest

from gan.data.corpus import Corpus
from gan.recipes import load
from gan.training.start import train
from tests.conftest import Once
from tests.gan.training.test_step import SMALL

# Long enough that batch norm's running statistics let the voice through to the face.
TRAINED = {"wav2pix-64": [*SMALL["wav2pix-64"], "train.initialisation=default", "train.ema_decay=0.8"],
           "sf2f-64": SMALL["sf2f-64"]}
QUICK = ["data.corpus=toy:tiny", "train.batch_size=8", "train.steps=30", "train.save_every=20", "train.device=cpu",
         "optimizer.generator.learning_rate=0.005", "logging.num_images=2", "logging.embeddings=0"]


@pytest.fixture(scope="session")
def runs(tiny: Corpus, once: Once) -> dict[str, Path]:
    """One tiny trained run of each family, with checkpoints at steps 20 and 30. Read-only: a test that changes one copies it."""
    def make(folder: Path) -> None:
        for recipe, small in TRAINED.items():
            train(load(recipe, [*small, *QUICK]), recipe, folder)

    folder = once("runs", make)
    return {recipe: next(folder.glob(f"{recipe}-*")) for recipe in TRAINED}
