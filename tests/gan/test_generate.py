import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor

import gan
from decoders.deconv import Deconv
from gan import checkpoint
from gan.checkpoint import part
from gan.data import audio
from gan.data.audio import to_int16
from gan.data.corpus import INT16_SCALE, Corpus
from gan.data.faces import to_uint8
from gan.data.pictures import MARK, read_face
from gan.data.resampling import resample
from gan.generate import generate_files
from gan.model import Generator, Source
from gan.recipes import load as load_config
from gan.run import Run
from gan.training.start import train
from tests.films import write_film
from tests.recipes import QUICK, TRAINED
from tests.sound import write_wav

FAMILIES = sorted(TRAINED)


@pytest.fixture(params=FAMILIES)
def run(request: pytest.FixtureRequest, runs: dict[str, Path]) -> Run:
    return gan.load(runs[request.param], device="cpu")


@pytest.fixture(scope="session")
def voices(tiny: Corpus) -> np.ndarray:
    """float32 (4, 16000): one second of each of four speakers."""
    clips = [int(np.flatnonzero(tiny.clips["speaker"] == speaker)[0]) for speaker in range(4)]
    return np.stack([tiny.waveform(clip)[:16_000] for clip in clips]).astype(np.float32) / 32768


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two pictures, in pixel values."""
    return float(np.abs(a.astype(float) - b).mean())


# -- gan.load(run).generate(waveform) ---------------------------------------------------------------------------------


def test_one_voice_a_batch_and_tensors(run: Run, voices: np.ndarray) -> None:
    one, four = run.generate(voices[0]), run.generate(voices)
    assert one.dtype == four.dtype == np.uint8
    assert one.shape == (64, 64, 3)
    assert four.shape == (4, 64, 64, 3)
    assert run.face_size == 64
    assert np.array_equal(run.generate(torch.from_numpy(voices[0])), one)
    assert np.array_equal(run.generate(voices[0].astype(np.float64)), one)
    assert np.array_equal(run.generate(torch.from_numpy(voices).requires_grad_()), four)
    assert np.array_equal(run.draw(list(voices), batch_size=4), four)


def test_the_voice_decides_the_face(run: Run, voices: np.ndarray) -> None:
    a, b = run.generate(voices[0]), run.generate(voices[1])
    assert np.array_equal(a, run.generate(voices[0]))
    assert apart(a, b) > 0.05


@pytest.mark.parametrize(
    ("waveform", "said"),
    [
        (np.zeros(0, np.float32), "shape (0,)"),
        (np.zeros((2, 0), np.float32), "shape (2, 0)"),
        (np.zeros((2, 3, 4), np.float32), "shape (2, 3, 4)"),
        (np.zeros((32_000, 2), np.float32), "32000 voices of 2 samples. If these are channels, give their mean"),
        (torch.zeros(16_000, 1), "shape (16000, 1)"),
        (np.float32(0.5), "shape ()"),
        (np.zeros(100, np.int16), "int16 came"),
        (torch.zeros(100, dtype=torch.int16), "divide int16 by 32768"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([0.0, -np.inf]), "NaN or infinite"),
        (np.array([0.0, -20_000.0]), "samples reach 20000"),
    ],
)
def test_what_is_not_a_waveform(waveform: np.ndarray | Tensor, said: str, run: Run) -> None:
    with pytest.raises(ValueError) as error:
        run.generate(waveform)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_and_any_rate(run: Run, voices: np.ndarray, tmp_path: Path) -> None:
    """The file, its samples at its own rate, and the command draw the same face."""
    high = resample(voices[:2], 16_000, 44_100)
    soundfile.write(tmp_path / "a.wav", high[0], 44_100, subtype="FLOAT")
    drawn = run.generate(tmp_path / "a.wav")
    assert np.array_equal(run.generate(str(tmp_path / "a.wav")), drawn)
    assert np.array_equal(run.generate(high[0], sample_rate=44_100), drawn)
    assert np.array_equal(run.generate(torch.from_numpy(high), sample_rate=44_100).shape, (2, 64, 64, 3))
    assert not np.array_equal(run.generate(high[0]), drawn)
    generate_files(run, [tmp_path / "a.wav"], tmp_path / "out")
    assert np.array_equal(read_face(tmp_path / "out" / "a.png"), drawn)
    with pytest.raises(ValueError, match=r"gone\.wav: no such file"):
        run.generate("gone.wav")


@pytest.mark.parametrize("rate", [0, -16_000, 44_100.5, 10**7])
def test_an_impossible_rate(rate: float, run: Run, voices: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"sample_rate: .*1000 to 768000"):
        run.generate(voices[0], sample_rate=rate)


@pytest.mark.parametrize("samples", [1, 2, 159, 401, 3_200, 100_000])
def test_any_length_gives_a_face(samples: int, run: Run) -> None:
    sound = np.random.default_rng(samples).normal(0, 0.1, samples)
    assert run.generate(sound).shape == run.generate(np.zeros(samples)).shape == (64, 64, 3)


@pytest.mark.slow
def test_load_says_where_the_run_comes_from(runs: dict[str, Path], tiny: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs["sf2f-64"]
    run = gan.load(path)
    assert (run.path.name, run.step, run.num_identities) == (path.name, 30, 12)
    assert run.corpus == {"name": "toy-tiny", "checksum": tiny.checksum}
    older = gan.load(path / "checkpoints" / "step-00000020")
    assert (older.path, older.step) == (run.path, 20)
    assert older.weights_checksum != run.weights_checksum
    monkeypatch.chdir(path)
    assert gan.load(".").path.name == path.name  # the name in every table
    monkeypatch.chdir(path / "checkpoints")
    assert gan.load("step-00000020").path.name == path.name


def test_the_moving_average_draws(runs: dict[str, Path], voices: np.ndarray) -> None:
    saved = checkpoint.load_latest(runs["wav2pix-64"] / "checkpoints")
    assert saved is not None
    run = gan.load(runs["wav2pix-64"])
    average, last = part(saved.weights, "ema.module"), part(saved.weights, "model.generator")
    drawing = run.generator.state_dict()
    assert all(torch.equal(drawing[name], weight) for name, weight in average.items())
    assert not all(torch.equal(last[name], weight) for name, weight in average.items())
    run.generator.load_state_dict(last)
    assert apart(run.generate(voices[0]), gan.load(runs["wav2pix-64"]).generate(voices[0])) > 0.05


def test_a_run_without_moving_average_draws_with_its_last_weights(runs: dict[str, Path]) -> None:
    saved = checkpoint.load_latest(runs["sf2f-64"] / "checkpoints")
    assert saved is not None
    assert not part(saved.weights, "ema.module")
    last = part(saved.weights, "model.generator")
    assert all(torch.equal(weight, last[name]) for name, weight in gan.load(runs["sf2f-64"]).generator.state_dict().items())


@pytest.mark.parametrize("damage", ["cut", "altered", "missing"])
def test_a_damaged_newest_checkpoint_falls_back(damage: str, runs: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(runs["sf2f-64"], copy)
    weights = copy / "checkpoints" / "step-00000030" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    if damage == "cut":
        weights.write_bytes(content[:1000])
    elif damage == "altered":
        content[-1] ^= 1
        weights.write_bytes(content)
    else:
        weights.unlink()
    with pytest.warns(UserWarning, match="step-00000030: damaged checkpoint"):
        assert gan.load(copy).step == 20
    with pytest.raises(ValueError, match="step-00000030: damaged checkpoint"):
        gan.load(copy / "checkpoints" / "step-00000030")
    shutil.rmtree(copy / "checkpoints" / "step-00000020")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="no sound checkpoint"):
        gan.load(copy)


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_what_is_not_a_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="not a run"):
        gan.load(name)


class Foreign(Deconv):
    """A class from outside voxface's packages."""


@pytest.mark.slow
def test_foreign_code_in_a_saved_config_needs_leave(tiny: Corpus, tmp_path: Path, voices: np.ndarray) -> None:
    foreign = f"decoder={{name: {__name__}.Foreign, width: 4}}"
    path = train(load_config("wav2pix-64", [*TRAINED["wav2pix-64"], *QUICK, foreign, "train.steps=1"]), "foreign", tmp_path)
    with pytest.raises(ValueError) as error:
        gan.load(path)
    assert "--allow-code tests" in str(error.value)
    assert "decoder.name: tests.gan.test_generate.Foreign" in str(error.value)
    assert "\n" not in str(error.value)
    run = gan.load(path, allow_code=["tests"])
    assert isinstance(run.generator.decoder, Foreign)
    assert run.generate(voices[0]).shape == (64, 64, 3)


def test_weights_that_do_not_fit_are_one_line(runs: dict[str, Path], tmp_path: Path) -> None:
    """A component's code was changed after the training."""
    copy = tmp_path / "run"
    shutil.copytree(runs["sf2f-64"], copy)
    for file in copy.rglob("checkpoint.json"):
        info = json.loads(file.read_text())
        info["config"]["encoder"]["channels"] = [8, 8]
        file.write_text(json.dumps(info))
    with pytest.raises(ValueError, match="fit") as error:
        gan.load(copy)
    assert "\n" not in str(error.value)


# -- noise and evaluation mode ----------------------------------------------------------------------------------------


def test_dropout_is_the_noise_and_the_seed_chooses_it(runs: dict[str, Path], voices: np.ndarray) -> None:
    run = gan.load(runs["wav2pix-64"])
    state = torch.random.get_rng_state()
    first = run.generate(voices[0], seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(first, run.generate(voices[0], seed=1))
    assert np.array_equal(first, gan.load(runs["wav2pix-64"]).generate(voices[0], seed=1))
    assert apart(first, run.generate(voices[0], seed=2)) > 1


def test_a_decoder_without_noise_ignores_the_seed(runs: dict[str, Path], voices: np.ndarray) -> None:
    run = gan.load(runs["sf2f-64"])
    assert np.array_equal(run.generate(voices[0], seed=1), run.generate(voices[0], seed=2))


def without_dropout(run: Run) -> Run:
    if isinstance(run.generator.decoder, Deconv):
        run.generator.decoder.noise.probability = 0.0
    return run


def test_drawing_changes_nothing_in_the_model(run: Run, voices: np.ndarray) -> None:
    """Batch norm's running statistics and spectral norm's vectors stay as they were trained."""
    before = {name: value.clone() for name, value in run.generator.state_dict().items()}
    run.generator.train()  # as if drawn in the middle of training
    run.generate(voices)
    run.generate(voices[0])
    assert run.generator.training
    after = run.generator.state_dict()
    assert any("running_mean" in name for name in before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_voice_gives_the_same_face_alone_and_in_a_batch(run: Run, voices: np.ndarray) -> None:
    run = without_dropout(run)
    together = run.generate(voices)
    for voice, face in zip(voices, together, strict=True):
        assert np.abs(run.generate(voice).astype(int) - face).max() <= 1  # one step of rounding


def test_voices_of_different_lengths_do_not_change_each_other(run: Run, voices: np.ndarray) -> None:
    run = without_dropout(run)
    mixed = [voices[0], voices[1][:3_000], voices[2][:9_000]]
    together = run.draw(mixed, batch_size=3)
    for voice, face in zip(mixed, together, strict=True):
        assert np.abs(run.generate(voice).astype(int) - face).max() <= 1


def test_the_face_is_the_generators_own(run: Run, voices: np.ndarray) -> None:
    """Load, fit, forward in evaluation mode, written out."""
    run = without_dropout(run)
    generator: Generator = run.generator
    size = generator.encoder.input_frames or 16_000
    start = (16_000 - size) // 2  # the middle, where the length is fixed
    with torch.no_grad():
        faces = generator(Source(torch.from_numpy(voices[:1, start : start + size]), torch.tensor([size]))).faces
    assert np.array_equal(run.generate(voices[0]), to_uint8(faces[64], generator.decoder.pixel_space)[0])


# -- files ------------------------------------------------------------------------------------------------------------


def sounds(folder: Path, voices: np.ndarray) -> tuple[set[str], dict[str, str]]:
    """Good and bad files below folder; returns the pictures expected, and {bad file: a word of its reason}."""
    (folder / "deep" / "er").mkdir(parents=True)
    write_wav(folder / "plain.wav", voices[0])
    soundfile.write(folder / "stereo.wav", np.repeat(voices[1][:, None], 2, axis=1), 48_000)
    write_wav(folder / "short.wav", voices[2][:3_200])
    write_wav(folder / "one_sample.wav", voices[2][:1])
    write_wav(folder / "silence.wav", np.zeros(16_000, np.float32))
    write_wav(folder / "same.wav", voices[0])
    soundfile.write(folder / "same.flac", voices[1], 16_000)
    write_wav(folder / "deep" / "plain.WAV", voices[1])
    write_wav(folder / "deep" / "er" / "Zoë ß 1.2.wav", voices[3])
    (folder / "empty.wav").touch()
    write_wav(folder / "no_samples.wav", np.zeros(0, np.float32))
    (folder / "text.wav").write_text("Not a sound at all.\n" * 100)
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    (folder / "a_folder.wav").mkdir()
    soundfile.write(folder / "nan.wav", np.array([0.0, np.nan, 0.1]), 16_000, subtype="FLOAT")
    (folder / "notes.txt").write_text("passed over")
    return (
        {
            "plain.png",
            "stereo.png",
            "short.png",
            "one_sample.png",
            "silence.png",
            "same.wav.png",
            "same.flac.png",
            "deep/plain.png",
            "deep/er/Zoë ß 1.2.png",
        },
        {
            "gone.wav": "no such file",
            "empty.wav": "empty",
            "no_samples.wav": "no samples",
            "text.wav": "not sound",
            "nan.wav": "NaN",
        },
    )


def test_a_folder_run_goes_on_past_bad_files(
    run: Run, voices: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = sounds(tmp_path / "in", voices)
    written, failed = generate_files(run, [tmp_path / "in"], tmp_path / "out")
    assert {path.relative_to(tmp_path / "out").as_posix() for path in written} == good
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()} == good
    assert len(failed) == len(bad)
    for name, reason in bad.items():
        line = next(line for line in failed if line.startswith(str(tmp_path / "in" / name)))
        assert reason in line
        assert "\n" not in line
    assert read_face(tmp_path / "out" / "stereo.png").shape == (64, 64, 3)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(str(tmp_path))]
    assert said == [
        f"{tmp_path / 'in' / name}: silent, or too short to hear; the face is drawn all the same."
        for name in ("one_sample.wav", "silence.wav")
    ]


def test_channels_of_opposite_phase_are_said_and_heard(
    runs: dict[str, Path], voices: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = gan.load(runs["sf2f-64"])
    soundfile.write(tmp_path / "a.wav", np.outer(voices[0], [1, -1]), 16_000, subtype="FLOAT")
    (written,), _ = generate_files(run, [tmp_path / "a.wav"], tmp_path / "out")
    assert np.array_equal(read_face(written), run.generate(voices[0]))
    assert f"{tmp_path / 'a.wav'}: channels of opposite phase" in capsys.readouterr().err


@pytest.fixture
def painter() -> Run:
    """A run that draws a face from a face: the same."""
    run = Run.__new__(Run)
    run.path = Path("painter")
    run.generator = SimpleNamespace(reads="face", decoder=True, draw=lambda faces, seed: faces)  # type: ignore[assignment]
    return run


def test_a_transparent_picture_is_said(painter: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 255, 0)).save(tmp_path / "a.PNG")
    (written,), failed = generate_files(painter, [tmp_path], tmp_path / "out")
    assert not failed
    assert read_face(written).min() == 255
    assert f"{tmp_path / 'a.PNG'}: transparent parts, white put behind them.\n" in capsys.readouterr().err


def test_media_that_nothing_reads_is_listed(painter: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "find_spec", lambda name: None)  # as without PyAV
    for name in ("deep/b.HEIC", "deep/._a.png", "c.tiff", "talk.m4a", "talk.MP4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    written, failed = generate_files(painter, [tmp_path], tmp_path / "out")
    assert len(written) == 1
    assert [line.partition(": not")[0] for line in failed] == [f"{tmp_path}: 1 .heic, 1 .tiff"]
    painter.generator.reads = "waveform"
    written, failed = generate_files(painter, [tmp_path], tmp_path / "out")
    assert failed[0] == f'{tmp_path}: 1 .m4a, 1 .mp4: not read here without PyAV. Run: pip install "voxface[media]"'


def test_a_face_for_the_sound_of_a_film(runs: dict[str, Path], voices: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("av")
    run = gan.load(runs["sf2f-64"])
    write_film(tmp_path / "a.mkv", waveform=voices[0], sound_hz=16_000, sound_codec="flac")
    (written,), failed = generate_files(run, [tmp_path], tmp_path / "out")
    assert not failed
    assert np.array_equal(read_face(written), run.generate(to_int16(voices[0]).astype(np.float32) * INT16_SCALE))


def test_sources_of_one_name_do_not_overwrite_each_other(runs: dict[str, Path], voices: np.ndarray, tmp_path: Path) -> None:
    run = gan.load(runs["sf2f-64"])
    for number, folder in enumerate("abc"):
        (tmp_path / folder).mkdir()
        write_wav(tmp_path / folder / "hello.wav", voices[number])
    write_wav(tmp_path / "c" / "hello.wav.wav", voices[3])
    sources = [tmp_path / "a" / "hello.wav", tmp_path / "b" / "hello.wav", tmp_path / "c"]
    written, failed = generate_files(run, sources, tmp_path / "out")
    assert not failed
    assert len(set(written)) == 4
    drawn = {read_face(path).tobytes() for path in written}
    assert drawn == {run.generate(read).tobytes() for read in _read([*sources[:2], *sorted(sources[2].iterdir())])}


def _read(paths: list[Path]) -> list[np.ndarray]:
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


def test_missing_files_and_empty_folders_are_named(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    written, failed = generate_files(gan.load(runs["sf2f-64"]), [tmp_path / "empty", tmp_path / "gone.wav"], tmp_path / "out")
    assert not written
    assert "no sound files" in failed[0]
    assert failed[1].endswith("gone.wav: no such file.")


def test_the_same_picture_whatever_else_is_drawn(runs: dict[str, Path], voices: np.ndarray, tmp_path: Path) -> None:
    """Seed and file decide the face, not the company; another seed, another face."""
    run = gan.load(runs["wav2pix-64"])
    for number in range(2):
        write_wav(tmp_path / f"{number}.wav", voices[number])
    generate_files(run, [tmp_path / "1.wav"], tmp_path / "alone", seed=5)
    generate_files(run, [tmp_path / "0.wav", tmp_path / "1.wav"], tmp_path / "both", seed=5)
    generate_files(run, [tmp_path / "1.wav"], tmp_path / "other", seed=6)
    alone, both, other = (read_face(tmp_path / folder / "1.png") for folder in ("alone", "both", "other"))
    assert np.array_equal(alone, both)
    assert apart(alone, other) > 1


def test_pictures_say_that_they_are_generated(runs: dict[str, Path], voices: np.ndarray, tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voices[0])
    (picture,), _ = generate_files(gan.load(runs["sf2f-64"]), [tmp_path / "a.wav"], tmp_path / "out")
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.text == {"Software": "voxface", "Description": MARK}  # type: ignore[attr-defined]
