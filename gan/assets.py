"""The weight files of others that voxface can use: which they are, where they are, and whether they are intact.

Nothing is ever downloaded. Some files come inside packages that voxface installs. The others a user gets from their
authors, accepting their terms there, and gives to `voxface assets add NAME PATH`. docs/weights.md tells the terms.
Files are kept in VOXFACE_ASSETS, else VOXFACE_CACHE/assets, else ~/.cache/voxface/assets.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evaluation.progress import Progress
from gan.config import nearest
from gan.files import cache_folder, sha256

BLOCK_BYTES = 1 << 22
# What the same authors publish beside the file that is read, or before it was converted.
OTHER_FORMATS = {
    ".t7": "torch7",
    ".caffemodel": "Caffe",
    ".prototxt": "Caffe",
    ".mat": "MatConvNet",
    ".h5": "Keras",
    ".onnx": "ONNX",
    ".zip": "zip",
    ".tar": "tar",
    ".gz": "gzip",
}


@dataclass(frozen=True)
class Asset:
    """A weight file. sha256 is None where the authors' file is not known here for certain: `add` then records it.

    package: the installed package that carries the file; None if a user must add it. face_net: which of evaluation/face_nets
    reads it, and so tells another file from it, where no checksum does.
    """

    name: str
    file: str
    size: int | None  # bytes; None if not known for certain
    sha256: str | None
    licence: str
    publisher: str
    purpose: str
    package: str | None = None
    face_net: str | None = None

    @property
    def is_pickle(self) -> bool:
        """torch.save's format, which can run code when it is loaded carelessly."""
        return self.file.endswith((".pt", ".pth"))


# The checksums of packaged files are of the installed packages (face_recognition_models 0.3.0, facenet-pytorch 2.5.3).
# Those of facenet-vggface2, fid-inception and mediapipe-face-landmarker are the ones by which several independent
# public projects pin the authors' files; fid-inception's also begins as its file name says. None such was found for
# vgg-face.
ASSETS: tuple[Asset, ...] = (
    Asset(
        "facenet-vggface2",
        "20180402-114759-vggface2.pt",
        111_898_327,
        "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        "MIT; trained on VGGFace2 (non-commercial research)",
        "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/20180402-114759-vggface2.pt",
        "perceptual loss; face embedder (similarity, recall)",
    ),
    Asset(
        "fid-inception",
        "pt_inception-2015-12-05-6726825d.pth",
        95_628_359,
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "Apache-2.0; trained on ImageNet (non-commercial research)",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "FID",
    ),
    Asset(
        "vgg-face",
        "vgg_face_dag.pth",
        None,
        None,
        "non-commercial research, by the Visual Geometry Group, Oxford",
        "https://www.robots.ox.ac.uk/~albanie/pytorch-models.html (about 580 MB)",
        "speech2face's and cole's face features (fc7); fine-tuned VGG accuracy",
        face_net="vgg_face",
    ),
    Asset(
        "vggface2-resnet50",
        "resnet50_ft_weight.pkl",
        None,
        None,
        "no licence stated for the file; trained on VGGFace2 (non-commercial research)",
        "https://github.com/cydonia999/VGGFace2-pytorch (a link in its README; about 165 MB)",
        "VGGFace Score",
        face_net="resnet50",
    ),
    Asset(
        "mediapipe-face-landmarker",
        "face_landmarker.task",
        3_758_596,
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        "Apache-2.0",
        "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
        "landmark detection ratio",
    ),
    Asset(
        "dlib-face-resnet",
        "models/dlib_face_recognition_resnet_model_v1.dat",
        22_466_066,
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "CC0-1.0; trained on FaceScrub, VGG-Face and scraped images",
        "https://github.com/davisking/dlib-models",
        "face embedder (similarity, recall, Frechet distance)",
        package="face_recognition_models",
    ),
    Asset(
        "dlib-landmarks-68",
        "models/shape_predictor_68_face_landmarks.dat",
        99_693_937,
        "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        "trained on iBUG 300-W: non-commercial use only",
        "https://github.com/davisking/dlib-models",
        "face alignment; landmark detection ratio",
        package="face_recognition_models",
    ),
    Asset(
        "dlib-cnn-detector",
        "models/mmod_human_face_detector.dat",
        729_940,
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        "CC0-1.0",
        "https://github.com/davisking/dlib-models",
        "landmark detection ratio (dlib CNN)",
        package="face_recognition_models",
    ),
    Asset(
        "mtcnn-pnet",
        "data/pnet.pt",
        28_570,
        "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
        "MIT; trained on WIDER FACE and CelebA (non-commercial research)",
        "https://github.com/timesler/facenet-pytorch",
        "landmark detection ratio (MTCNN)",
        package="facenet_pytorch",
    ),
    Asset(
        "mtcnn-rnet",
        "data/rnet.pt",
        403_147,
        "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
        "MIT; trained on WIDER FACE and CelebA (non-commercial research)",
        "https://github.com/timesler/facenet-pytorch",
        "landmark detection ratio (MTCNN)",
        package="facenet_pytorch",
    ),
    Asset(
        "mtcnn-onet",
        "data/onet.pt",
        1_559_269,
        "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        "MIT; trained on WIDER FACE and CelebA (non-commercial research)",
        "https://github.com/timesler/facenet-pytorch",
        "landmark detection ratio (MTCNN)",
        package="facenet_pytorch",
    ),
)


def assets_folder() -> Path:
    """Where added files are kept."""
    if folder := os.environ.get("VOXFACE_ASSETS"):
        return Path(folder)
    return cache_folder() / "assets"


def asset(name: str) -> Asset:
    """The asset of that name. Raises ValueError naming those there are."""
    for known in ASSETS:
        if known.name == name:
            return known
    names = [known.name for known in ASSETS]
    raise ValueError(f"assets: none is named {name}.{nearest(name, names)} Have: {', '.join(names)}.")


def find(name: str) -> Path:
    """The path of a weight file that is there.

    Raises ValueError, one line, if it is not: what it is, its checksum and licence, where its authors publish it, and
    the command that adds it. The size is compared; `verify` compares the content.
    """
    wanted = asset(name)
    path = _path(wanted)
    if path is None or not path.is_file():
        raise ValueError(_how_to_get(wanted))
    expected = wanted.size if wanted.size is not None else _recorded(wanted)[1]
    if expected is not None and path.stat().st_size != expected:
        raise ValueError(
            f"{path}: {path.stat().st_size} bytes, but {name} has {expected}: cut short or another file. "
            f"{'Install ' + wanted.package + ' again.' if wanted.package else _command(wanted)}"
        )
    return path


def add(name: str, path: str | Path) -> Path:
    """Check a weight file and copy it to the assets folder, whole or not at all; returns where it lies now.

    Raises ValueError if the name is unknown or packaged, the size or checksum is not the known one, the file is a pickle
    that holds anything but plain weights, or they are another net's; a file that is there then stays. Where no checksum
    is known, the file's own is recorded for later.
    """
    wanted = asset(name)
    path = Path(path)
    if wanted.package:
        raise ValueError(f"assets: {name} comes with the package {wanted.package}; there is nothing to add.")
    if not path.is_file():
        raise ValueError(f"{path}: no such file.")
    if (other := OTHER_FORMATS.get(path.suffix.lower())) is not None:
        raise ValueError(
            f"{path}: a file of {other}'s format, which is not read. Wanted is {wanted.file}, which its authors "
            f"publish at {wanted.publisher}"
        )
    size = path.stat().st_size
    if _is_web_page(path):
        raise ValueError(
            f"{path}: a web page, not {wanted.file}. Open it in a browser: it says why the file was not sent. "
            f"Its authors publish it at {wanted.publisher}"
        )
    if size != (wanted.size or size) or size == 0:
        raise ValueError(
            f"{path}: {size} bytes, but {name} ({wanted.file}) has {wanted.size or 'more'}. "
            f"Its authors publish it at {wanted.publisher}"
        )
    folder = assets_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / wanted.file
    # The copy is what is checked, so that nothing can change between the check and the copying.
    temporary = folder / f".{os.getpid()}.{wanted.file}"  # its ending says how it is read
    try:
        digest = _copy(path, temporary)
        if digest != (wanted.sha256 or digest):
            raise ValueError(
                f"{path}: SHA-256 {digest}, but {name} has {wanted.sha256}. It is damaged or another "
                f"file. Its authors publish it at {wanted.publisher}"
            )
        _check_content(wanted, path, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    if wanted.sha256 is None:
        _record_path(wanted).write_text(f"{digest} {size} {wanted.file}\n", encoding="utf-8")
    return target


def list_assets() -> list[dict[str, str]]:
    """A row each: name, state (present, packaged, missing), file, size, sha256, licence, publisher, purpose."""
    rows = []
    for each in ASSETS:
        path = _path(each)
        there = path is not None and path.is_file()
        size = path.stat().st_size if there and path is not None else each.size
        rows.append(
            {
                "name": each.name,
                "state": ("packaged" if each.package else "present") if there else "missing",
                "file": Path(each.file).name,
                "size": _readable_size(size),
                "sha256": each.sha256 or _recorded(each)[0] or "recorded when added",
                "licence": each.licence,
                "publisher": each.publisher,
                "purpose": each.purpose,
            }
        )
    return rows


def verify() -> list[dict[str, str]]:
    """A row for each asset, its content compared and read as at its use: name, result (ok, missing, differs), sha256 found,
    path."""
    rows = []
    for each in Progress(ASSETS, "Verifying", unit="file", leave=False):
        path = _path(each)
        if path is None or not path.is_file():
            rows.append({"name": each.name, "result": "missing", "sha256": "", "path": str(path or "")})
            continue
        digest = sha256(path)
        expected = each.sha256 or _recorded(each)[0]
        try:
            _check_content(each, path, path)
            result = "differs" if digest != (expected or digest) else "ok" if expected else "ok, never recorded"
        except ValueError:
            result = "differs"
        rows.append({"name": each.name, "result": result, "sha256": digest, "path": str(path)})
    return rows


def _path(wanted: Asset) -> Path | None:
    """Where the file would lie; None if its package is not installed. The package is located, not imported."""
    if wanted.package is None:
        return assets_folder() / wanted.file
    spec = find_spec(wanted.package)
    return Path(spec.origin).parent / wanted.file if spec and spec.origin else None


def _how_to_get(wanted: Asset) -> str:
    if wanted.package:
        return f"{wanted.name}: {wanted.file} is missing; it comes with the package {wanted.package}. pip install it."
    checksum = f"SHA-256 {wanted.sha256}" if wanted.sha256 else "SHA-256 not known here, recorded when it is added"
    return (
        f"{wanted.name}: {wanted.file} is not in {assets_folder()} ({checksum}; licence: {wanted.licence}). "
        f"Get it from its authors, {wanted.publisher}, then: {_command(wanted)}"
    )


def _command(wanted: Asset) -> str:
    return f"voxface assets add {wanted.name} PATH"


def _record_path(wanted: Asset) -> Path:
    return assets_folder() / f"{wanted.file}.sha256"


def _recorded(wanted: Asset) -> tuple[str | None, int | None]:
    """SHA-256 and size as recorded when the file was added."""
    try:
        digest, size, _ = _record_path(wanted).read_text(encoding="utf-8").split(maxsplit=2)
        return digest, int(size)
    except (OSError, ValueError):
        return None, None


def _copy(source: Path, target: Path) -> str:
    """Copy and flush to the disk; returns the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with (
        open(source, "rb") as reading,
        open(target, "wb") as writing,
        Progress(total=source.stat().st_size, desc="Copying", unit="B", unit_scale=True) as progress,
    ):
        while block := reading.read(BLOCK_BYTES):
            digest.update(block)
            writing.write(block)
            progress.update(len(block))
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def _check_content(wanted: Asset, named: Path, path: Path) -> None:
    """Raises ValueError, calling the file at `path` `named`, unless what reads it at its use reads it."""
    if wanted.sha256 is None and wanted.face_net is not None:
        from evaluation.face_nets.base import FaceNet  # here, because listing assets should not wait for torch
        from gan.build import build

        try:
            build(FaceNet, {"name": wanted.face_net, "weights": str(path)}, wanted.name)
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"{wanted.name}: ").replace(str(path), str(named))) from None
    elif wanted.is_pickle and wanted.package is None:
        _check_plain_weights(named, path)


def _is_web_page(path: Path) -> bool:
    """What a browser, or curl, saves where a site asks for a click or a login first."""
    with open(path, "rb") as file:
        return file.read(1024).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _check_plain_weights(named: Path, path: Path) -> None:
    """Raises ValueError unless torch loads the file at `path` with weights_only=True and finds named tensors in it."""
    import torch  # here, because listing assets should not wait for torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # any failure to load, of whatever kind, means the same: not a plain weight file
        raise ValueError(
            f"{named}: torch.load does not read it with weights_only=True, so it is not a weight file, or "
            "holds code besides. It was not added."
        ) from None
    if not isinstance(content, dict) or not any(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"{named}: holds no named tensors, so it is not a weight file. It was not added.")


def _readable_size(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
