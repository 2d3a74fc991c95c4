"""Runs that start from another run's parts, and parts that stay as they are."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from gan import checkpoint
from gan.data.corpus import Corpus
from gan.model import build_model
from gan.recipes import load
from gan.run import load as load_run
from gan.training.loop import Trainer
from gan.training.start import stage_of, train, train_at

QUICK = ["data.corpus=toy:tiny", "train.device=cpu", "logging.num_images=2", "logging.embeddings=0"]


def run_of(recipe: str, folder: Path, *overrides: str) -> Path:
    return train(load(recipe, [*QUICK, *overrides]), recipe, folder)


@pytest.fixture(scope="module")
def folder(tiny: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stage-1 run of sf2f-64-tiny lies after the fuser's."""
    runs = tmp_path_factory.mktemp("runs")
    run_of("sf2f-64-fuser-tiny", runs)
    return runs


def only(folder: Path, recipe: str) -> Path:
    (run,) = folder.glob(f"{recipe}-????????")
    return run


@pytest.mark.slow
def test_a_stage_named_by_recipe_is_trained_first_and_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_1 = only(folder, "sf2f-64-tiny")
    assert run_of("sf2f-64-fuser-tiny", folder) == only(folder, "sf2f-64-fuser-tiny")
    assert "Already at step" in capsys.readouterr().out
    assert only(folder, "sf2f-64-tiny") == stage_1


@pytest.mark.slow
def test_a_stage_may_be_a_recipe_of_ones_own(folder: Path, tiny: Corpus, tmp_path: Path) -> None:
    """The same stage under another name gives the same run after it; train_at puts either where it is told to."""
    own = tmp_path / "mine.yaml"
    own.write_text("base: sf2f-64-tiny\ntrain: {keep_last: 3}\n")
    run = run_of("sf2f-64-fuser-tiny", tmp_path, f"train.init_from={own}")
    assert run.name == only(folder, "sf2f-64-fuser-tiny").name
    assert only(tmp_path, "mine").name.removeprefix("mine-") == only(folder, "sf2f-64-tiny").name.removeprefix("sf2f-64-tiny-")
    config = load("sf2f-64-fuser-tiny", [*QUICK, f"train.init_from={own}"])
    stage = stage_of(config)
    assert stage is not None
    assert (stage.data.corpus, stage.train.keep_last) == ("toy:tiny", 3)
    first = train_at(stage, tmp_path / "cell" / "stage")
    assert checkpoint.of_run(first).weights_checksum == checkpoint.of_run(only(folder, "sf2f-64-tiny")).weights_checksum
    at = train_at(config, tmp_path / "cell" / "run", checkpoint.of_run(first))
    assert at == tmp_path / "cell" / "run"
    assert checkpoint.of_run(at).weights_checksum == checkpoint.of_run(run).weights_checksum
    assert stage_of(load("sf2f-64-fuser-tiny", [f"train.init_from={first}"])) is None
    assert stage_of(load("sf2f-64-tiny")) is None


def test_a_recipe_that_starts_from_itself_is_refused(tmp_path: Path) -> None:
    for name, before in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(
            f"base: sf2f-64-tiny\ntrain: {{init_from: {tmp_path / before}.yaml, init_modules: [encoder]}}\n"
        )
    with pytest.raises(ValueError, match=r"train\.init_from: .*b\.yaml .*itself"):
        train(load(tmp_path / "a.yaml", QUICK), "a", tmp_path)


def test_stage_2_starts_from_stage_1_and_moves_nothing_of_its_generator(folder: Path) -> None:
    """Weights and batch norm statistics of the frozen encoder and decoder are stage 1's to the bit; the fuser and the
    discriminators, which stage 2 trains, are not what they were."""
    before = checkpoint.of_run(only(folder, "sf2f-64-tiny")).weights
    after = checkpoint.of_run(only(folder, "sf2f-64-fuser-tiny")).weights
    generator = [name for name in before if name.startswith(("model.generator.encoder.", "model.generator.decoder."))]
    assert any(name.endswith("running_mean") for name in generator)
    assert all(torch.equal(before[name], after[name]) for name in generator)
    moved = [name for name in after if name.startswith(("model.generator.fuser.", "model.discriminators."))]
    fresh = {f"model.{k}": v for k, v in _fresh("sf2f-64-fuser-tiny").items()}
    for name in moved:
        if not name.endswith("num_batches_tracked"):
            assert not torch.equal(before[name] if name in before else fresh[name], after[name]), name


def _fresh(recipe: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_model(load(recipe), 12).state_dict()


def test_frozen_batch_norm_stays_in_evaluation_mode_while_pictures_are_drawn(folder: Path, tiny: Corpus, tmp_path: Path) -> None:
    config = load("sf2f-64-fuser-tiny", QUICK)
    trainer = Trainer(config, tiny, tmp_path, torch.device("cpu"), checkpoint.of_run(only(folder, "sf2f-64-tiny")))
    trainer.training_mode()
    trainer.model.generator.draw([tiny.waveform(0) / 32768])
    generator = trainer.model.generator
    assert not any(layer.training for part in (generator.encoder, generator.decoder) for layer in part.modules())
    assert generator.fuser is not None
    assert generator.fuser.training
    trained = {id(p) for group in trainer.optimizers.generator.param_groups for p in group["params"]}
    assert trained == {id(p) for p in generator.fuser.parameters()}


@pytest.mark.slow
def test_the_hash_knows_the_weights_a_run_starts_from(folder: Path, tmp_path: Path) -> None:
    stage_1 = only(folder, "sf2f-64-tiny")
    fuser = only(folder, "sf2f-64-fuser-tiny")
    by_path = run_of("sf2f-64-fuser-tiny", tmp_path, f"train.init_from={stage_1}")
    assert by_path.name == fuser.name  # the same start, however it is named
    other = run_of("sf2f-64-tiny", tmp_path, "train.seed=5")
    assert run_of("sf2f-64-fuser-tiny", tmp_path, f"train.init_from={other}").name != fuser.name


@pytest.mark.slow
def test_fine_tuning_takes_the_moving_average_where_there_is_one(tiny: Corpus, tmp_path: Path) -> None:
    first = run_of("sf2f-64-tiny", tmp_path, "train.ema_decay=0.5")
    config = load(
        "sf2f-64-tiny", [*QUICK, "train.ema_decay=0.5", f"train.init_from={first}", "train.init_modules=[encoder,decoder]"]
    )
    trainer = Trainer(config, tiny, tmp_path, torch.device("cpu"), checkpoint.of_run(first))
    trainer._start()
    average, own = load_run(first, "cpu").generator.state_dict(), trainer.model.generator.state_dict()
    assert all(torch.equal(average[name], own[name]) for name in own)
    assert trainer.average is not None
    assert all(torch.equal(average[name], value) for name, value in trainer.average.generator.state_dict().items())


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["train.init_from=sf2f-64-tni"], "train.init_from: sf2f-64-tni .*sf2f-64-tiny"),
        (["train.init_modules=[encoder,decodr]"], "train.init_modules: .*decodr.*decoder"),
        (["train.frozen=[encoder,heads]"], "train.frozen: this model has no part heads"),
        (["train.frozen=[encoder,fuser,decoder]"], "leaves nothing to train"),
        (["train.init_from=null"], "both or neither"),
        (["fuser=null"], "fuser: none came with data.segments 3"),
        (["data.segments=1"], "fuser: attention_v1 .*data.segments 1"),
        (["train.init_from=."], r"train\.init_from: \.: not a run"),
        (["decoder.width=64"], r"train.init_modules: decoder of .*size mismatch"),
        (["train.init_modules=[encoder,decoder,fuser]"], "has no fuser"),
    ],
)
def test_what_cannot_be_is_one_line(overrides: list[str], said: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        run_of("sf2f-64-fuser-tiny", folder, f"train.init_from={only(folder, 'sf2f-64-tiny')}", *overrides)
    assert "\n" not in str(caught.value)


EMBEDDING = "losses.speaker={name: embedding_identity, weight: 1.0}"


@pytest.mark.parametrize(
    ("recipe", "overrides", "said"),
    [
        ("voice2face-speaker-tiny", ["losses.pixel={name: l1, weight: 1.0}"], r"losses\.pixel: .*no decoder"),
        ("voice2face-speaker-tiny", ["train.validate_every=1"], r"train\.validate_every: 1 .*no faces"),
        ("voice2face-speaker-tiny", ["losses.speaker=null"], "losses: none came"),
        ("voice2face-tiny", ["losses.adversarial=null", "losses.identity=null", EMBEDDING], "discriminators: face .*no loss"),
        ("sf2f-64-tiny", ["losses.points={name: landmarks, weight: 1.0}"], r"losses\.points: .*Upsample .*decoder cole"),
        ("speech2face-paper-tiny", ["train.frozen=[]"], r"losses\.decoder: the decoder must be frozen"),
        ("cole-tiny", ["decoder=null", "losses=null", EMBEDDING], "features: face_net .*decoder"),
        ("cole-tiny", ["fuser={name: mean}", "data.segments=2"], "features: face_net reads one face.*no fuser"),
        *(
            (recipe, ["train.batch_size=1"], r"train\.batch_size: 1 .*batch norm.* 2 or more")
            for recipe in ("sf2f-64-tiny", "wav2pix-64-tiny", "cole-released-tiny")
        ),
    ],
)
def test_what_does_not_fit_is_said_before_training(recipe: str, overrides: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        run_of(recipe, tmp_path, *overrides)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("roldan-tiny", []),
        ("voice2face-speaker-tiny", []),  # their batch norm sees maps
        ("sf2f-64-tiny", ["train.freeze_norm_from=0", "optimizer.decay_from=null", "losses.perceptual=null"]),
    ],
)
def test_a_batch_of_one_trains_where_batch_norm_can(recipe: str, overrides: list[str], tmp_path: Path) -> None:
    assert checkpoint.of_run(run_of(recipe, tmp_path, "train.batch_size=1", "train.steps=2", *overrides)).step == 2


def test_frozen_discriminators_judge_and_do_not_learn(tiny: Corpus, tmp_path: Path) -> None:
    for frozen, moved in (("[discriminators]", set()), ("[discriminators.image]", {"identity"})):
        config = load("sf2f-64-tiny", [*QUICK, "losses.perceptual=null", f"train.frozen={frozen}"])
        trainer = Trainer(config, tiny, tmp_path, torch.device("cpu"))
        discriminators = trainer.model.discriminators
        before = {name: value.clone() for name, value in discriminators.state_dict().items()}
        trainer.training_mode()
        logs = trainer.one_step(trainer.batches[0], measure=True)
        assert logs["loss/g"].isfinite()
        assert ("loss/d" in logs) is bool(moved)
        assert {
            name.partition(".")[0] for name, value in discriminators.state_dict().items() if not torch.equal(before[name], value)
        } == moved


def test_a_half_that_reaches_nothing_trained_is_named(tiny: Corpus, tmp_path: Path) -> None:
    config = load(
        "voice2face-tiny",
        [
            *QUICK,
            "train.init_from=null",
            "train.init_modules=[]",
            "train.frozen=[]",
            "losses.adversarial=null",
            "losses.identity=null",
            "discriminators.face=null",
            "losses.pixel={name: l1, weight: 1.0}",
        ],
    )
    trainer = Trainer(config, tiny, tmp_path, torch.device("cpu"))
    trainer.model.requires_grad_(False)
    with pytest.raises(ValueError, match=r"losses: .*generator.*train"):
        trainer.one_step(trainer.batches[0], measure=False)


def test_mixtures_of_faces_in_bfloat16(tiny: Corpus, tmp_path: Path) -> None:
    config = load(
        "sf2f-64-tiny",
        [
            *QUICK,
            "losses.perceptual=null",
            "train.precision=bfloat16",
            "losses.penalty={name: gradient_penalty, discriminators: [image]}",
        ],
    )
    trainer = Trainer(config, tiny, tmp_path, torch.device("cpu"))
    assert trainer.one_step(trainer.batches[0], measure=False)["loss/d/penalty"].isfinite()


@pytest.mark.slow
def test_a_run_remembers_what_its_stages_were_trained_against_and_on(tiny: Corpus, tmp_path: Path) -> None:
    def run(name: str, network: str, initial: checkpoint.Checkpoint | None) -> checkpoint.Checkpoint:
        config = load("sf2f-64-tiny", [*QUICK, f"data.corpus=corpora/{name}"])
        trainer = Trainer(config, tiny, tmp_path / name, torch.device("cpu"), initial)
        config.losses["perceptual"]["network"] = network
        trainer.save()
        return checkpoint.of_run(tmp_path / name)

    first = run("first", "facenet", None)
    last = run("last", "corpus", run("second", "corpus", first))
    assert first.info["inherited_networks"] == []
    assert last.info["inherited_networks"] == ["corpus", "facenet"]
    loaded = load_run(tmp_path / "last", "cpu")
    assert loaded.inherited_networks == ["corpus", "facenet"]
    assert loaded.corpora == [
        {"name": tiny.name, "checksum": tiny.checksum, "path": f"corpora/{name}"} for name in ("last", "second", "first")
    ]


def test_a_fuser_run_hears_every_window(folder: Path, tiny: Corpus) -> None:
    generator = load_run(only(folder, "sf2f-64-fuser-tiny"), "cpu").generator
    speech = tiny.waveform(0)[:32_000] / 32768
    window = generator.window_samples
    segments, lengths = generator.fit([speech, speech[:100]])
    assert window == 6400
    assert segments.shape == (2, 9, window)  # (32,000 - 6,400) / 3,200 + 1 windows, each half a window on
    assert lengths[0].tolist() == [window] * 9
    assert lengths[1].tolist() == [100] + [0] * 8  # too short for a window: whole
    assert torch.equal(segments[0, 3], torch.from_numpy(speech[9600:16_000].astype("float32")))
    alone = generator.embeddings([speech[:100]])
    assert torch.allclose(torch.from_numpy(generator.embeddings([speech, speech[:100]])[1:]), torch.from_numpy(alone), atol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "overrides", "said"),
    [
        ("speech2face-tiny", ["decoder.trunk=[9]"], r"decoder\.trunk: \[9\] came, \[8\] there"),
        ("voice2face-tiny", ["encoder.embedding_dim=6"], r"encoder\.embedding_dim: 6 came, 8 there"),
        ("speech2face-tiny", ["encoder.bins=129"], r"encoder\.bins: 129 .*features\.fft_size .*65"),
        ("speech2face-tiny", ["features.fft_size=1024"], r"encoder\.bins: 65 .*features\.fft_size .*513"),
        ("speech2face-tiny", ["features={name: log_mel}"], r"encoder\.name: spectrogram2d .* features\.name: log_mel"),
        ("wav2pix-64-tiny", ["features={name: log_mel}"], r"encoder\.name: segan .* features\.name: log_mel"),
        ("wav2pix-64-tiny", ["data.clip_seconds=[1.0, 1.0]"], r"data\.clip_seconds: .* encoder\.num_samples is 4000"),
        (
            "wav2pix-64-tiny",
            ["decoder.image_size=128"],
            r"discriminators\.conditional\.image_size: 64 .* decoder\.image_size is 128",
        ),
        ("sf2f-128-tiny", ["decoder.image_sizes=[64]"], r"image_size: 128 .*decoder\.image_sizes .*64"),
        ("sf2f-64-tiny", ["data.flip=0.5"], r"data\.flip: 0\.5 .*losses\.perceptual"),
    ],
)
def test_a_wrong_pairing_is_refused_before_anything_is_trained(
    recipe: str, overrides: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        run_of(recipe, tmp_path, *overrides)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_corpus_of_another_sample_rate_is_refused(tiny: Corpus, tmp_path: Path) -> None:
    shutil.copytree(tiny.path, tmp_path / "slow")
    about = json.loads((tmp_path / "slow" / "corpus.json").read_text())
    (tmp_path / "slow" / "corpus.json").write_text(json.dumps(about | {"sample_rate_hz": 8000}))
    with pytest.raises(ValueError, match=r"sample_rate_hz .*8000.*16000"):
        run_of("sf2f-64-tiny", tmp_path, f"data.corpus={tmp_path / 'slow'}")
