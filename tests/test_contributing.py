"""What a contributor is told is true: the YAML files are valid, the make targets and the paths named exist."""

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW, HOOKS = ".github/workflows/test.yml", ".pre-commit-config.yaml"
FORMS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def parsed(name: str) -> Any:
    return yaml.safe_load(text(name))


def map_of_the_tree() -> list[str]:
    """The indented lines of the README's section."""
    section = text("README.md").partition("## Where things are\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", WORKFLOW, HOOKS])
def test_make_targets_exist(name: str) -> None:
    named = set(re.findall(r"(?:^ {4}|`|run: |entry: )make ([a-z][a-z-]*)", text(name), re.MULTILINE))
    targets = set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))
    assert named
    assert named <= targets


def test_paths_of_the_readme_exist() -> None:
    words = [word.strip(",;") for line in map_of_the_tree() for word in line.split()]
    named = {word for word in words if re.fullmatch(r"[\w/]+(/|\.py)", word)}
    assert len(named) > 30
    assert not {word for word in named if not any((ROOT / home / word).exists() for home in ("", "gan", "evaluation"))}


def test_the_tour_names_files() -> None:
    tour = [line.split()[0] for line in map_of_the_tree()][:10]
    assert all((ROOT / name).is_file() for name in tour), tour


def test_paths_of_contributing_exist() -> None:
    page = text("CONTRIBUTING.md")
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page)}
    named = links | set(re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.py)`", page)) - {"test_all.py", "__init__.py"}
    assert {"gan/config.py", "tests/test_imports.py", "docs/add_a_component.md"} <= named
    assert not {name for name in named if not (ROOT / name).exists()}
    names = re.findall(r"`([A-Z]+_[A-Z]+)` in `([\w/.]+)`", page)
    assert names
    assert all(re.search(rf"^{name} = ", text(path), re.MULTILINE) for name, path in names)


def test_the_workflow_runs_the_two_commands() -> None:
    jobs = parsed(WORKFLOW)["jobs"].values()
    assert [step["run"] for job in jobs for step in job["steps"] if "run" in step] == ["make test", "make test-floor"]
    pythons = [step["with"] for job in jobs for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert [python["python-version"] for python in pythons] == ["3.11", "3.11"]
    assert all((ROOT / name).is_file() for python in pythons for name in python["cache-dependency-path"].split())


def test_the_hooks_run_from_this_checkout() -> None:
    hooks = [hook for repo in parsed(HOOKS)["repos"] for hook in repo["hooks"]]
    assert all(hook["language"] == "system" and hook["entry"].startswith("make ") for hook in hooks)
    assert all(re.compile(hook["files"]) for hook in hooks)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_one_that_github_shows(name: str) -> None:
    form = parsed(name)
    if name.endswith("/config.yml"):
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    assert {part["type"] for part in form["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert "no face and no voice" in form["body"][0]["attributes"]["value"]
    asked = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(asked) == len(set(asked))


def test_the_citation_is_of_this_version() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    citation = parsed("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == settings["metadata"]["version"]
    assert citation["license"] == settings["metadata"]["license"]
