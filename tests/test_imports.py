"""Who may import whom: encoders, decoders, discriminators, evaluation <- gan, and inside gan from left to right."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEAVES = ("encoders", "decoders", "discriminators", "evaluation")
# Inside gan a module imports only from floors at or before its own. A name stands for a module, or for a package but for those
# of its modules that have a floor of their own.
FLOORS = (
    "config recipes build files signals distributed lease launchers assets",
    "data checkpoint",
    "media",
    "frozen_nets",
    "features losses",
    "model",
    "run training.step inspect sheets audit pages",
    "raw",
    "generate scoring experiments",
    "training",
    "sweep",
    "demo commands",
    "__main__",
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names.split()}


def imports(path: Path, inside_functions: bool = True) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if inside_functions else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def files(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", files(*LEAVES), ids=lambda p: str(p.relative_to(ROOT)))
def test_leaves_import_only_themselves(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    ours = {name.partition(".")[0] for name in imports(path)} & {"gan", "tests", *LEAVES}
    assert ours <= {own}


@pytest.mark.parametrize("path", files("gan"), ids=lambda p: str(p.relative_to(ROOT)))
def test_gan_reaches_components_through_build(path: Path) -> None:
    """Outside gan/build.py, gan imports the families' contracts (base) and evaluation's functions, never a component by name."""
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package in ("encoders", "decoders", "discriminators"):
            assert "base" in rest.split(".")[:2], f"{path}: {name}"  # of the family, or of one inside it, such as the fusers
        if package == "evaluation" and rest.split(".")[0] in ("metrics", "extractors", "detectors", "face_nets"):
            assert rest.split(".")[1:2] == ["base"] or rest.count(".") == 0, f"{path}: {name}"


def modules(*packages: str) -> dict[str, Path]:
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files(*packages)}
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


def arrows(known: dict[str, Path]) -> dict[str, set[str]]:
    """Each module, and the others it imports, inside functions too; a package stands for its __init__."""
    return {name: {there for there in imports(path) if there in known} - {name} for name, path in known.items()}


# Without gan itself, which opens the door to gan.run and is imported wherever it says `from gan import ...`.
GAN = arrows({name: path for name, path in modules("gan").items() if name != "gan"})


def floor(module: str) -> int:
    """Of gan.training.step the one of `training.step`, where it has one, else that of `training`."""
    parts = module.split(".")[1:]
    return next(FLOOR_OF[name] for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in FLOOR_OF)


def test_every_floor_is_there_and_none_is_named_twice() -> None:
    assert len(FLOOR_OF) == sum(len(names.split()) for names in FLOORS)
    assert {f"gan.{name}" for name in FLOOR_OF} <= GAN.keys()


@pytest.mark.parametrize("module", GAN)
def test_gan_imports_from_its_left(module: str) -> None:
    assert not {there for there in GAN[module] if floor(there) > floor(module)}


def between_folders(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same between the files and folders that stand at the first level of a package."""

    def first(module: str) -> str:
        return ".".join(module.split(".")[:2])

    return {
        here: {first(there) for module in graph if first(module) == here for there in graph[module]} - {here}
        for here in map(first, graph)
    }


EVALUATION = arrows(modules("evaluation"))


@pytest.mark.parametrize(
    "graph",
    [GAN, between_folders(GAN), EVALUATION, between_folders(EVALUATION), arrows(modules(*LEAVES[:3]))],
    ids=["gan", "in gan", "evaluation", "in evaluation", "leaves"],
)
def test_no_imports_go_in_circles(graph: dict[str, set[str]]) -> None:
    left = dict(graph)
    while free := [module for module, there in left.items() if not there & left.keys()]:
        for module in free:
            del left[module]
    assert not left, f"in a circle, or before one: {', '.join(left)}"


@pytest.mark.parametrize("path", files("gan/data/toy"), ids=lambda p: p.name)
def test_the_toy_world_is_numpy(path: Path) -> None:
    assert not {name for name in imports(path) if name.partition(".")[0] in ("torch", "torchaudio", "dlib")}
