"""A user's own files: folder or CSV in, corpus out; what cannot be used is named, the rest is kept."""

import argparse
import csv
from collections import Counter
from unicodedata import normalize

import numpy as np
import pytest
import soundfile
from PIL import Image

from gan.data import audio
from gan.data.corpus import SPLITS, Corpus
from gan.raw import folder
from gan.raw.folder import prepare_folder, read_square_face
from tests.films import write_film
from tests.sound import write_wav


def add_sound(path, seed, size=1_600):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(-9_000, 9_000, size).astype(np.int16)
    if path.suffix == ".wav":
        write_wav(path, samples)
    elif path.suffix == ".opus":
        soundfile.write(path, samples, 16_000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, samples, 16_000)


def add_picture(path, seed, size=(30, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = np.random.default_rng(seed).integers(0, 255, 3)
    Image.fromarray(np.broadcast_to(colour.astype(np.uint8), (size[1], size[0], 3)).copy()).save(path)


def add_speaker(root, name, sounds=10, pictures=10, seed=0):
    for k in range(sounds):
        add_sound(root / name / f"talk{k}.wav", 1_000 * seed + k)
    for k in range(pictures):
        add_picture(root / name / f"photo{k}.png", 1_000 * seed + k)


def split_counts(index):
    return Counter(SPLITS[s] for s in index["split"])


def write_csv(path, rows, columns=("speaker", "recording", "file")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)


def options(**changes):
    parser = argparse.ArgumentParser()
    folder.add_arguments(parser)
    args = parser.parse_args(["SOURCE"])
    for name, value in changes.items():
        setattr(args, name, value)
    return args


def test_two_speakers_give_speech_splits_and_no_speaker_splits(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, seed=s)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert split_counts(corpus.clips) == {"train": 14, "val_speech": 2, "unseen_speech": 4}
    assert split_counts(corpus.faces) == {"train": 14, "val_speech": 2, "unseen_speech": 4}
    assert set(report.speakers.values()) == {"train"}
    assert report.faceless == []
    corpus.verify()


def test_many_speakers_are_split_too(tmp_path):
    for s in range(10):
        add_speaker(tmp_path / "mine", f"s{s}", sounds=5, pictures=5, seed=s)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out", unseen_speaker=0.2)
    assert Counter(report.speakers.values()) == {"train": 7, "val_speaker": 1, "unseen_speaker": 2}
    corpus = Corpus(tmp_path / "out")
    for index in (corpus.clips, corpus.faces):
        counted = split_counts(index)
        assert (counted["val_speaker"], counted["unseen_speaker"]) == (5, 10)
    for row in corpus.clips:
        assert (corpus.speakers[row["speaker"]]["split"] == "train") == (not SPLITS[row["split"]].endswith("_speaker"))


def test_formats_and_names_in_capitals(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        for k, ending in enumerate(("wav", "flac", "ogg", "mp3", "opus")):
            add_sound(tmp_path / "mine" / name / f"talk{k}.{ending}", 10 * s + k, 16_000)
        for k, ending in enumerate(("jpg", "jpeg", "png", "webp", "bmp", "PNG")):
            add_picture(tmp_path / "mine" / name / f"photo{k}.{ending}", 10 * s + k)
        (tmp_path / "mine" / name / "notes.txt").write_text("passed over")
        (tmp_path / "mine" / name / ".hidden.wav").write_text("passed over")
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert (sum(report.clips.values()), sum(report.faces.values()), report.ignored, report.bad) == (10, 12, 2, [])


def test_recordings_in_subfolders_stay_whole(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        for video in range(6):
            for k in range(3):
                add_sound(tmp_path / "mine" / name / f"video{video}" / f"cut{k}.wav", 100 * s + 10 * video + k)
                add_picture(tmp_path / "mine" / name / f"video{video}" / f"frame{k}.png", 100 * s + 10 * video + k)
    prepare_folder(tmp_path / "mine", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert len(np.unique(corpus.clips["recording"])) == 12
    for recording in range(12):
        clips = corpus.clips[corpus.clips["recording"] == recording]
        faces = corpus.faces[corpus.faces["recording"] == recording]
        assert (len(clips), len(faces)) == (3, 3)
        assert len({*clips["split"].tolist(), *faces["split"].tolist()}) == 1
        assert (corpus.faces[clips["face"]]["recording"] == recording).all()


def test_a_picture_of_the_same_name_is_the_aligned_face(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        for k in range(5):
            add_sound(tmp_path / "mine" / name / f"a{k}.wav", 10 * s + k)
            add_picture(tmp_path / "mine" / name / f"a{k}.png", 10 * s + k)
        add_sound(tmp_path / "mine" / name / "b.wav", 10 * s + 9)
        add_picture(tmp_path / "mine" / name / "loose.png", 10 * s + 9)
    prepare_folder(tmp_path / "mine", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert Counter((corpus.clips["face"] < 0).tolist()) == {False: 10, True: 2}
    for row in corpus.clips[corpus.clips["face"] >= 0]:
        assert corpus.faces[row["face"]]["recording"] == row["recording"]


@pytest.mark.parametrize(("sound", "picture"), [("WAV", "jpg"), ("wav", "Jpg"), ("Flac", "PNG"), ("opus", "BMP")])
def test_endings_of_any_case_are_paired(sound, picture, tmp_path):
    """Else a held-out clip's own picture is of no recording, and trained on."""
    for s, name in enumerate(("ana", "bruno")):
        for k in range(6):
            add_sound(tmp_path / "mine" / name / f"a{k}.{sound.lower()}", 10 * s + k)
            add_picture(tmp_path / "mine" / name / f"a{k}.{picture.lower()}", 10 * s + k)
    for path in [*tmp_path.rglob(f"*.{sound.lower()}"), *tmp_path.rglob(f"*.{picture.lower()}")]:
        path.rename(path.with_suffix(f".{sound if path.suffix[1:] == sound.lower() else picture}"))
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert report.pictured == 12
    assert "12 of 12 sound files have their own picture" in str(report)
    corpus = Corpus(tmp_path / "out")
    assert (corpus.faces[corpus.clips["face"]]["recording"] == corpus.clips["recording"]).all()


def test_names_that_do_not_pair_are_counted(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        for k in range(4):
            add_sound(tmp_path / "mine" / name / f"preprocessed_frame_{k}.wav", 10 * s + k)
            add_picture(tmp_path / "mine" / name / f"cropped_face_frame_{k}.png", 10 * s + k)
    assert "0 of 8 sound files have their own picture" in str(prepare_folder(tmp_path / "mine", tmp_path / "out"))


def test_sound_files_of_one_name_are_one_recording(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        for k in range(4):
            for ending in ("flac", "wav", "png"):
                (add_picture if ending == "png" else add_sound)(tmp_path / "mine" / name / f"a{k}.{ending}", 10 * s + k)
    assert prepare_folder(tmp_path / "mine", tmp_path / "out").pictured == 16
    assert len(Corpus(tmp_path / "out").recordings) == 8


def test_equal_files_join_their_recordings_and_pictures_are_stored_once(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        for video in range(4):
            add_sound(tmp_path / "mine" / name / f"v{video}" / "a.wav", 10 * s + video)
            add_picture(tmp_path / "mine" / name / f"v{video}" / "a.png", 10 * s + (0 if video < 2 else video))
    prepare_folder(tmp_path / "mine", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert (len(np.unique(corpus.clips["recording"])), len(corpus.faces)) == (6, 6)


def test_one_picture_a_speaker_trains_and_the_report_says_so(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, sounds=6, pictures=1, seed=s)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert report.faces == {"train": 2, "val_speech": 0, "unseen_speech": 0}
    assert report.faceless == ["ana", "bruno"]
    assert "No picture outside of train: ana, bruno" in str(report)


def test_training_keeps_a_face_where_the_only_one_lies_in_a_held_out_recording(tmp_path):
    for seed in range(6):
        for s, name in enumerate(("ana", "bruno")):
            for k in range(4):
                add_sound(tmp_path / f"m{seed}" / name / f"v{k}" / "a.wav", 10 * s + k)
            add_picture(tmp_path / f"m{seed}" / name / "v3" / "a.png", s)
        prepare_folder(tmp_path / f"m{seed}", tmp_path / f"out{seed}", seed=seed)
        corpus = Corpus(tmp_path / f"out{seed}")
        assert split_counts(corpus.faces) == {"train": 2}


def test_pictures_are_upright_and_square(tmp_path):
    """A picture whose left half is red, stored lying on its side as cameras do, comes back with red on the left."""
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:, :30, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to view"
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    square = read_square_face(tmp_path / "a.jpg")
    assert square.shape == (40, 40, 3)
    assert square[:, :15, 0].min() > 200
    assert square[:, 25:, 0].max() < 50


def test_transparent_pictures_are_counted(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, 3, 3, s)
        Image.new("RGBA", (64, 64), (255, 0, 255, 0)).save(tmp_path / "mine" / name / "photo0.png")
        Image.new("RGBA", (64, 64), (9, 9, 9, 255)).save(tmp_path / "mine" / name / "photo1.png")
    report = prepare_folder(tmp_path / "mine", tmp_path / "out", face_sizes=(64,))
    assert "2 files: transparent parts, white put behind them." in str(report).splitlines()
    corpus = Corpus(tmp_path / "out")
    assert [255, 255, 255] in corpus.pixels(np.arange(len(corpus.faces)), 64)[:, 0, 0].tolist()


def test_channels_of_opposite_phase_are_not_silence(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, 3, 3, s)
        sound = np.random.default_rng(s).uniform(-0.2, 0.2, 1_600)
        soundfile.write(tmp_path / "mine" / name / "talk0.wav", np.outer(sound, [1, -1]), 16_000)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert "2 files: channels of opposite phase" in str(report)
    corpus = Corpus(tmp_path / "out")
    assert min(np.abs(corpus.waveform(clip)).max() for clip in range(len(corpus.clips))) > 5_000


def test_face_box_and_statements_are_kept(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, 3, 3, s)
    prepare_folder(
        tmp_path / "mine", tmp_path / "out", face_box=(0.2, 0.1, 0.8, 0.9), face_sizes=(32,), licence="ours", consent="signed"
    )
    corpus = Corpus(tmp_path / "out")
    assert (corpus.face_box, corpus.face_sizes) == ((0.2, 0.1, 0.8, 0.9), (32,))
    assert (corpus.info["licence"], corpus.info["consent"]) == ("ours", "signed")


def test_bad_files_lose_nothing_else(tmp_path, capsys):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, seed=s)
    ana = tmp_path / "mine" / "ana"
    (ana / "text.wav").write_text("not sound")
    (ana / "empty.flac").touch()
    (ana / "broken.png").write_bytes((ana / "photo0.png").read_bytes()[:40])
    (tmp_path / "mine" / "carla").mkdir()
    add_picture(tmp_path / "mine" / "carla" / "photo.png", 1)
    assert folder.main(options(source=str(tmp_path / "mine"), out=str(tmp_path / "out"))) == 1
    printed = capsys.readouterr().out
    for wanted in (
        "text.wav: not sound",
        "empty.flac: the file is empty",
        "broken.png: not a readable picture",
        "speaker carla: has no usable sound file",
    ):
        assert wanted in printed
    corpus = Corpus(tmp_path / "out")
    assert (len(corpus.clips), len(corpus.faces), len(corpus.speakers)) == (20, 20, 2)


def test_media_that_nothing_reads_is_counted_by_speaker(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(audio, "find_spec", lambda name: None)  # as without PyAV
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, 3, 3, s)
    for name in ("ana/a.m4a", "phone/a.HEIC", "phone/b.heic", "phone/deep/b.mp4", "ana/notes.txt", "loose.wav", "readme.md"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).touch()
    assert folder.main(options(source=str(tmp_path / "mine"), out=str(tmp_path / "out"))) == 1
    printed = capsys.readouterr().out.splitlines()
    assert "1 other files were passed over (1 .txt)." in printed[0]
    left = [line for line in printed if line.startswith("left out: ")]
    assert [line.partition(": not")[0] for line in left[1:]] == [
        "left out: speaker ana: 1 .m4a",
        "left out: speaker phone: 1 .mp4",
    ]
    assert left[0] == f"left out: {tmp_path / 'mine'}: 1 .wav beside the speakers' folders, so of no speaker."
    assert "; 2 .heic: not read here. Convert" in left[2]
    assert left[1].endswith('without PyAV. Run: pip install "voxface[media]"')
    assert all(ending in left[2] for ending in (".opus", ".webp", 'Run: pip install "voxface[media]"'))
    assert len(Corpus(tmp_path / "out").clips) == 6


def test_the_sound_of_films_is_read_once(tmp_path, capsys):
    pytest.importorskip("av")
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, 3, 3, s)
    tone = 0.3 * np.sin(np.arange(16_000))
    write_film(tmp_path / "mine" / "ana" / "more.m4a", waveform=tone, sound_hz=16_000)
    write_film(tmp_path / "mine" / "ana" / "film.mkv", [np.zeros((32, 32, 3), np.uint8)] * 10, waveform=tone, sound_hz=16_000)
    write_film(tmp_path / "mine" / "ana" / "talk0.mp4", waveform=tone, sound_hz=16_000)  # where talk0.wav is too
    write_film(tmp_path / "mine" / "bruno" / "mute.mp4", [np.zeros((32, 32, 3), np.uint8)] * 10)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert report.bad == [(str(tmp_path / "mine" / "bruno" / "mute.mp4"), "a film without a sound track.")]
    assert report.notes[0].startswith("1 .mp4 passed over")
    assert sum(report.clips.values()) == len(Corpus(tmp_path / "out").clips) == 8


def test_a_csv_s_files_of_no_kind_are_left_out(tmp_path):
    add_speaker(tmp_path, "ana", 3, 3, 0)
    add_speaker(tmp_path, "bruno", 3, 3, 1)
    rows = [
        (name, "", f"{name}/{kind}{k}.{ending}")
        for name in ("ana", "bruno")
        for k in range(3)
        for kind, ending in (("talk", "wav"), ("photo", "png"))
    ]
    write_csv(tmp_path / "list.csv", [*rows, ("ana", "", "ana/notes.txt"), ("ana", "", "ana/talk")])
    report = prepare_folder(tmp_path / "list.csv", tmp_path / "out")
    ((who, reason),) = report.bad
    assert (who, reason.partition(":")[0], report.ignored) == ("speaker ana", "1 .txt, 1 without ending", 0)


def test_a_decompression_bomb_is_left_out(tmp_path, monkeypatch):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, 3, 3, s)
    add_picture(tmp_path / "mine" / "ana" / "huge.png", 1, size=(300, 300))
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 20_000)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert [file for file, _ in report.bad] == [str(tmp_path / "mine" / "ana" / "huge.png")]


def test_csv(tmp_path):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "files", name, 6, 6, s)
    rows = [
        (name, f"day{k}", f"files/{name}/{file.format(k)}", sex, "")
        for name, sex in (("ana", "f"), ("bruno", "m"))
        for k in range(6)
        for file in ("talk{}.wav", "photo{}.png")
    ]
    write_csv(tmp_path / "list.csv", rows, ("speaker", "recording", "file", "sex", "age"))
    report = prepare_folder(tmp_path / "list.csv", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert report.bad == []
    assert [row["sex"] for row in corpus.speakers] == ["f", "m"]
    assert len(np.unique(corpus.clips["recording"])) == 12
    assert (corpus.clips["face"] >= 0).all()


def test_csv_without_recordings(tmp_path):
    add_speaker(tmp_path, "ana", 4, 4, 0)
    add_speaker(tmp_path, "bruno", 4, 4, 1)
    write_csv(
        tmp_path / "list.csv",
        [
            (name, "", f"{name}/{kind}")
            for name in ("ana", "bruno")
            for k in range(4)
            for kind in (f"talk{k}.wav", f"photo{k}.png")
        ],
    )
    prepare_folder(tmp_path / "list.csv", tmp_path / "out")
    corpus = Corpus(tmp_path / "out")
    assert len({*corpus.clips["recording"].tolist(), *corpus.faces["recording"].tolist()}) == 16


def test_a_csv_s_picture_without_recording_is_of_its_sound_s(tmp_path):
    add_speaker(tmp_path, "ana", 4, 0, 0)
    add_speaker(tmp_path, "bruno", 4, 0, 1)
    for name in ("ana", "bruno"):
        for k in range(4):
            add_picture(tmp_path / name / f"talk{k}.JPG", k)
    write_csv(
        tmp_path / "list.csv",
        [
            (name, day, f"{name}/{file}")
            for name in ("ana", "bruno")
            for k in range(4)
            for day, file in ((f"day{k}", f"talk{k}.wav"), ("", f"talk{k}.JPG"))
        ],
    )
    assert prepare_folder(tmp_path / "list.csv", tmp_path / "out").pictured == 8
    assert len(Corpus(tmp_path / "out").recordings) == 8


def test_a_picture_in_another_folder_of_the_recording_is_found_by_name(tmp_path):
    names = [(name, k) for name in ("ana", "bruno") for k in range(3)]
    for name, k in names:
        add_sound(tmp_path / name / "clips" / f"a{k}.wav", k)
        Image.new("RGB", (64, 64), (80 * k, 0, 0)).save(tmp_path / name / f"a{k}.png")
    write_csv(
        tmp_path / "list.csv",
        [(name, "day", file) for name, k in names for file in (f"{name}/clips/a{k}.wav", f"{name}/a{k}.png")],
    )
    assert prepare_folder(tmp_path / "list.csv", tmp_path / "out", face_sizes=(64,)).pictured == 6
    corpus = Corpus(tmp_path / "out")
    assert corpus.pixels(corpus.clips["face"], 64)[:, 0, 0, 0].tolist() == [0, 80, 160, 0, 80, 160]


def test_csv_files_outside_need_leave(tmp_path):
    add_speaker(tmp_path / "in", "ana", 3, 3, 0)
    add_speaker(tmp_path / "in", "bruno", 3, 3, 1)
    add_sound(tmp_path / "secret.wav", 5)
    rows = [
        (name, "", f"{name}/{kind}") for name in ("ana", "bruno") for k in range(3) for kind in (f"talk{k}.wav", f"photo{k}.png")
    ]
    outside = [("ana", "", "../secret.wav"), ("ana", "", str(tmp_path / "secret.wav")), ("ana", "", "link.wav")]
    (tmp_path / "in" / "link.wav").symlink_to(tmp_path / "secret.wav")
    write_csv(tmp_path / "in" / "list.csv", rows + outside)
    report = prepare_folder(tmp_path / "in" / "list.csv", tmp_path / "out")
    assert [reason.split(" lies outside")[0] for _, reason in report.bad] == [file for _, _, file in outside]
    assert sum(report.clips.values()) == 6
    report = prepare_folder(tmp_path / "in" / "list.csv", tmp_path / "out2", allow_outside=True)
    assert (report.bad, sum(report.clips.values())) == ([], 9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("speaker,file\n", "no column recording"),
        ("", "no column speaker"),
        ("speaker,recording,file,split\n", "column split"),
        ("speaker,recording,file\n", "no speaker with both"),
        ("speaker,recording,file\nana,,gone.wav\n", "gone.wav: no such file"),
        ("speaker;recording;file\nana;;a.wav\n", "separated by semicolons, not by commas"),
        ("speaker\trecording\tfile\nana\t\ta.wav\n", "separated by tabs"),
        ("speaker;recording;file;a,b\n", "separated by semicolons"),
    ],
)
def test_csv_mistakes_are_one_line(tmp_path, content, reason):
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(ValueError, match=reason) as caught:
        prepare_folder(tmp_path / "list.csv", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_csv_with_the_separators_of_windows(tmp_path):
    add_speaker(tmp_path / "in" / "files", "ana", 3, 3, 0)
    add_speaker(tmp_path / "in" / "files", "bruno", 3, 3, 1)
    add_sound(tmp_path / "secret.wav", 5)
    add_sound(tmp_path / "in" / "files" / "a\\b.wav", 7)  # a name of Linux
    rows = [
        (name, "", f"files\\{name}\\{kind}")
        for name in ("ana", "bruno")
        for k in range(3)
        for kind in (f"talk{k}.wav", f"photo{k}.png")
    ]
    write_csv(tmp_path / "in" / "list.csv", [*rows, ("ana", "", "..\\secret.wav"), ("ana", "", "files/a\\b.wav")])
    report = prepare_folder(tmp_path / "in" / "list.csv", tmp_path / "out")
    assert [reason.split(" lies outside")[0] for _, reason in report.bad] == ["..\\secret.wav"]
    assert sum(report.clips.values()) == 7


def test_accents_composed_or_not_are_the_same(tmp_path):
    composed, apart = (normalize(form, "Zoë") for form in ("NFC", "NFD"))
    for k in range(4):
        add_sound(tmp_path / "mine" / "ana" / f"{composed}{k}.wav", k)
        add_picture(tmp_path / "mine" / "ana" / f"{apart}{k}.png", k)
        add_sound(tmp_path / "mine" / composed / f"a{k}.wav", 9 + k)
        add_picture(tmp_path / "mine" / apart / f"a{k}.png", 9 + k)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert (set(report.speakers), report.pictured) == ({"ana", composed}, 8)
    for one, other in ((composed, apart), (apart, composed)):
        write_csv(
            tmp_path / "mine" / "list.csv",
            [("ana", "", f"ana/{one}{k}.wav") for k in range(4)]
            + [("ana", "", f"ana/{apart}{k}.png") for k in range(4)]
            + [(one, "", f"{composed}/a{k}.wav") for k in range(4)]
            + [(other, "", f"{apart}/a{k}.png") for k in range(4)],
        )
        report = prepare_folder(tmp_path / "mine" / "list.csv", tmp_path / "out", overwrite=True)
        assert (report.bad, set(report.speakers), report.pictured) == ([], {"ana", composed}, 8)


def test_a_csv_that_is_no_text(tmp_path):
    (tmp_path / "list.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ValueError, match="not a CSV in UTF-8"):
        prepare_folder(tmp_path / "list.csv", tmp_path / "out")


def test_user_mistakes_are_one_line(tmp_path):
    add_speaker(tmp_path / "mine", "ana", 2, 2)
    (tmp_path / "flat").mkdir()
    add_sound(tmp_path / "flat" / "a.wav", 0)
    cases = [
        (tmp_path / "nowhere", {}, "no such folder"),
        (tmp_path / "flat", {}, "<speaker>/<files>"),
        (tmp_path / "mine", {"face_box": (0, 0, 0, 1)}, "face_box"),
        (tmp_path / "mine", {"unseen_speech": 0.9}, "unseen_speech"),
    ]
    for source, changes, reason in cases:
        with pytest.raises(ValueError, match=reason) as caught:
            prepare_folder(source, tmp_path / "out", **changes)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("splits", [("train", "test"), ("Testing", "ana"), ("train-clean-100", "dev")])
def test_splits_are_not_taken_for_speakers(tmp_path, splits):
    for split in splits:
        for s in range(2):
            add_speaker(tmp_path / "mine" / split, f"{split}{s}", 1, 1, s)
    with pytest.raises(ValueError, match=f"{splits[0]}.* splits") as caught:
        prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert str(tmp_path / "mine" / splits[0]) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert prepare_folder(tmp_path / "mine" / splits[0], tmp_path / "out").speakers.keys() == {f"{splits[0]}0", f"{splits[0]}1"}


@pytest.mark.parametrize(
    ("names", "recordings", "said"),
    [
        (("session1", "session2"), ("ana", "bruno"), True),
        (("all",), ("ana", "bruno"), True),  # people, one level down
        (("ana", "bruno"), ("{}1", "{}2"), False),
        (("Val", "Dev", "Tessa"), ("{}1", ""), False),
    ],
)
def test_folders_that_recur_are_said(tmp_path, names, recordings, said):
    for name in names:
        for recording in recordings:
            add_speaker(tmp_path / "mine" / name, recording.format(name), 2, 2, 0)
    report = prepare_folder(tmp_path / "mine", tmp_path / "out")
    assert ("(ana, bruno): they were taken for recordings" in str(report)) == said


def test_the_command_exits_0_and_names_its_output(tmp_path, capsys, monkeypatch):
    for s, name in enumerate(("ana", "bruno")):
        add_speaker(tmp_path / "mine", name, seed=s)
    monkeypatch.chdir(tmp_path)
    assert folder.main(options(source="mine")) == 0
    printed = capsys.readouterr().out
    assert "2 speakers, 20 sound files" in printed
    assert "Wrote corpora/mine" in printed
    with pytest.raises(ValueError, match="--overwrite"):
        folder.main(options(source="mine"))
