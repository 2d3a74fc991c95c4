from gan.config import Evaluation

SETTINGS = Evaluation(runs=3, batch_size=10, seconds=[0.5], metrics={"l1": {"name": "pixels"}})
FIELDS = {
    "system",
    "recipe",
    "control",
    "run",
    "step",
    "weights",
    "training_seed",
    "trained_against",
    "corpus",
    "corpus_checksum",
    "split",
    "results_version",
    "protocol",
    "metric",
    "value",
    "interval",
    "chance",
    "upper",
    "extractor",
    "note",
    "higher_is_better",
}
