from pathlib import Path

import pytest

from gan.audit.base import Finding, Item
from gan.audit.verdict import keep, verdict_of
from gan.data.corpus import Corpus


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOXFACE_CACHE", str(tmp_path))
    return tmp_path


def finding(check: str, items: int = 0, skipped: str = "") -> Finding:
    return Finding(
        check,
        "?",
        leak=True,
        things="clips",
        unit="s",
        checked=9,
        skipped=skipped,
        items=[Item("train", f"s{number}", 1.0) for number in range(items)],
    )


def test_nothing_is_known_before_an_audit(tiny: Corpus) -> None:
    assert verdict_of(tiny) is None


def test_the_last_audit_counts(tiny: Corpus) -> None:
    keep(tiny, [finding("a", 2)])
    assert verdict_of(tiny) == "LEAKS: a 2 of 9 clips."
    keep(tiny, [finding("a")])
    assert verdict_of(tiny) == "SOUND: no leak between splits, no flaw."


def test_a_quick_one_does_not_replace_a_whole_one(tiny: Corpus) -> None:
    quick, whole = [finding("a"), finding("b", skipped="--quick")], [finding("a"), finding("b", 1)]
    keep(tiny, quick)
    assert verdict_of(tiny) == "SOUND: no leak between splits, no flaw. Not checked: b."
    keep(tiny, whole)
    keep(tiny, quick)
    assert verdict_of(tiny) == "LEAKS: b 1 of 9 clips."


def test_a_damaged_file_is_no_verdict(tiny: Corpus, cache: Path) -> None:
    keep(tiny, [finding("a")])
    (file,) = (cache / "audits").iterdir()
    file.write_text("[]")
    assert verdict_of(tiny) is None
    keep(tiny, [finding("a")])
    assert verdict_of(tiny)
