"""Who may import whom: encoders, decoders, discriminators, evaluation <- gan, and inside gan from left to right."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEAVES = ("encoders", "decoders", "discriminators", "evaluation")
# Inside gan a module imports only from ranks to its left; files of one rank may import one another.
RANKS = (("config", "build", "distributed", "launchers"),
         ("assets", "data", "frozen_nets", "features", "losses", "checkpoint", "lease", "model"),
         ("inspect", "audit"), ("generate",), ("scoring",),
         ("experiments", "training", "launchers"), ("sweep",), ("demo",), ("__main__",))


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
            assert "base" in rest.split(".")[:2], f"{path}: {name}"       # of the family, or of one inside it, such as the fusers
        if package == "evaluation" and rest.split(".")[0] in ("metrics", "extractors", "detectors", "face_nets"):
            assert rest.split(".")[1:2] == ["base"] or rest.count(".") == 0, f"{path}: {name}"


def rank(module: str) -> int:
    return next(number for number, names in enumerate(RANKS) if module in names)


@pytest.mark.parametrize("path", [p for p in files("gan") if p != ROOT / "gan/__init__.py"],
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_gan_imports_from_its_left(path: Path) -> None:
    own = path.relative_to(ROOT / "gan").parts[0].removesuffix(".py")
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "gan" and len(parts) > 1 and parts[1] != own and (ROOT / "gan" / parts[1]).exists() | (
                ROOT / "gan" / f"{parts[1]}.py").exists():
            assert rank(parts[1]) <= rank(own), f"{path}: {name}"


@pytest.mark.parametrize("path", files("gan/data/toy"), ids=lambda p: p.name)
def test_the_toy_world_is_numpy(path: Path) -> None:
    if path.name != "report.py":        # which measures it with real detectors
        assert not {name for name in imports(path) if name.partition(".")[0] in ("torch", "torchaudio", "dlib")}
