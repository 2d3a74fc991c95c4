from pathlib import Path

import pytest

from gan import demo, recipes
from gan.data.corpus import Corpus
from gan.data.pictures import read_face

BRIEF = [
    "data.corpus=toy:tiny",
    "train.steps=2",
    "train.batch_size=4",
    "train.device=cpu",
    "losses.perceptual=null",
    "evaluation.runs=1",
    "evaluation.metrics={similarity: null, recall: null, frechet: null, landmarks_mtcnn: null}",
    "evaluation.metrics.identity_accuracy.steps=5",
    "logging.num_images=2",
    "logging.embeddings=0",
]


@pytest.mark.slow
def test_demo_leaves_a_picture_and_a_table_and_runs_again(
    tiny: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "load", lambda name: recipes.load(name, BRIEF))
    for _ in range(2):
        demo.main(tmp_path / "demo")
        table = (tmp_path / "demo" / "table.md").read_text(encoding="utf-8")
        for system in ("demo-", "shuffled demo-", "noise", "prior", "attribute-oracle", "oracle-voice", "oracle-identity"):
            assert table.count(f"\n| {system}") >= 1, system
        assert "Paired differences" in table
        assert "identity_accuracy" in table
    assert table in capsys.readouterr().out
    # Two rows of pairs, four columns: eight speakers, twice enlarged.
    height, width, _ = read_face(tmp_path / "demo" / "faces.png").shape
    assert width > 2 * 4 * 64
    assert height > 2 * 4 * 64
