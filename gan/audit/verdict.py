"""What an audit concluded, kept in the cache by the corpus's checksum: so `evaluate` can warn of a corpus that leaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gan.audit.base import Finding
from gan.data.corpus import Corpus
from gan.files import cache_folder, write_atomically

# A new number where a check finds more, or less: what was concluded before no longer counts.
AUDIT_VERSION = 1


def verdict(findings: Sequence[Finding]) -> str:
    """One line: SOUND, LEAKS (scores on held-out splits mean nothing) or FLAWED, and why."""
    failed = [finding for finding in findings if finding.failed]
    skipped = [finding.check for finding in findings if finding.skipped]
    beside = f" Not checked: {', '.join(skipped)}." if skipped else ""
    if not failed:
        few = sum(finding.num_offending for finding in findings)
        return "SOUND: no leak between splits" + (f", {few} flaws within what is tolerated." if few else ", no flaw.") + beside
    word = "LEAKS" if any(finding.leak for finding in failed) else "FLAWED"
    return (
        f"{word}: "
        + ", ".join(
            f"{finding.check} {finding.num_offending} of {finding.checked} {finding.things}"
            for finding in sorted(failed, key=lambda finding: not finding.leak)
        )
        + "."
        + beside
    )


def verdict_of(corpus: Corpus) -> str | None:
    """The verdict of the last audit of a corpus with this content; None if this version has not audited it.

    It starts with SOUND, LEAKS or FLAWED.
    """
    kept = _kept(corpus)
    return kept[0] if kept else None


def keep(corpus: Corpus, findings: Sequence[Finding]) -> None:
    """Remember the verdict, unless an audit with more checks is remembered already: what it says is still true."""
    checks = [finding.check for finding in findings if not finding.skipped]
    before = _kept(corpus)
    if before and set(checks) < before[1]:
        return
    path = _path(corpus)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(
        path,
        json.dumps(
            {
                "verdict": verdict(findings),
                "corpus": corpus.name,
                "checksum": corpus.checksum,
                "audit_version": AUDIT_VERSION,
                "checks": checks,
                "offending": {finding.check: finding.num_offending for finding in findings},
            },
            indent=1,
        ).encode(),
    )


def _kept(corpus: Corpus) -> tuple[str, set[str]] | None:
    try:
        content = json.loads(_path(corpus).read_text(encoding="utf-8"))
        return str(content["verdict"]), set(content["checks"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(corpus: Corpus) -> Path:
    return cache_folder() / "audits" / f"{corpus.checksum}-{AUDIT_VERSION}.json"
