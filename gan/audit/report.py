"""voxface audit: every check on one corpus, then the report, the list of offending items and a sheet of suspicious faces."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gan.audit import balance, label_noise, prepared, shared_audio, shared_faces, shared_recordings, speech, undetected
from gan.audit.base import Finding, Item, Names, plain
from gan.audit.verdict import AUDIT_VERSION, keep, verdict
from gan.data.corpora import open_corpus
from gan.data.corpus import NO_SOUND, Corpus
from gan.data.pictures import png
from gan.files import write_atomically
from gan.sheets import CELL, draw_album

# Checks that put every face through a net: what --quick leaves out.
SLOW = {"no_face": undetected.check, "label_noise": label_noise.check}
# Checks that listen: what a corpus of mels cannot be asked.
HEARING = {shared_audio.check: ("shared_audio",), speech.check: ("silent", "clipped", "speechless")}
WORST = 5  # items of a check in the report; items.csv has all
REPORT, ITEMS, SHEET, KEPT = "report.md", "items.csv", "suspicious_faces.png", "kept_faces.png"
# A sheet that a preparation from films may leave beside the arrays of a corpus: what it dropped, by reason. It is shown as it is.
DROPPED = "dropped_faces.png"
COLUMNS = ("check", "split", "speaker", "recording", "clip", "face", "other", "value", "unit")


def examine(corpus: Corpus, quick: bool = False) -> list[Finding]:
    """Every check, leaks first. quick: without the detectors and the embedder, which take some 10 ms a face."""
    deaf = NO_SOUND.partition(".")[0] if corpus.mels else ""
    steps: list[Callable[[Corpus], Finding | tuple[Finding, ...]]] = [
        shared_recordings.check,
        shared_audio.check,
        shared_faces.check,
        balance.check,
        speech.check,
    ]
    findings: list[Finding] = []
    for step in steps:
        if deaf and step in HEARING:
            findings += [Finding(name, "", leak=False, things="clips", unit="", skipped=deaf) for name in HEARING[step]]
            continue
        found = step(corpus)
        findings += [found] if isinstance(found, Finding) else found
    for name, check in SLOW.items():
        findings.append(Finding(name, "", leak=False, things="faces", unit="", skipped="--quick") if quick else check(corpus))
    return findings


def audit(name: str, out: Path | None = None, quick: bool = False) -> int:
    """Check a corpus (a folder, or toy:SIZE), print the report, write it, its items and a sheet, and remember the verdict.

    out: the folder they go to; default audit-<name> here. Returns the exit code: 0 if the corpus is sound, else 1.
    Raises ValueError if there is no such corpus.
    """
    corpus = open_corpus(name)
    out = out or Path(f"audit-{name.replace(':', '-') if name.startswith('toy:') else Path(name).resolve().name}")
    out.mkdir(parents=True, exist_ok=True)
    findings = examine(corpus, quick)
    keep(corpus, findings)
    pictures: dict[str, bytes | None] = {}
    for title, sheet in ((KEPT, prepared.draw_kept(corpus)), (SHEET, draw_sheet(corpus, findings))):
        pictures[title] = None if sheet is None else png(sheet, MARK)
    dropped = corpus.path / DROPPED
    pictures[DROPPED] = dropped.read_bytes() if dropped.is_file() else None
    report = markdown(corpus, findings, [title for title, content in pictures.items() if content and title != SHEET])
    for title, content in (pictures | {REPORT: report.encode(), ITEMS: items_csv(findings)}).items():
        if content is None:
            (out / title).unlink(missing_ok=True)  # an earlier audit's
        else:
            write_atomically(out / title, content)
    written = [out / title for title in (REPORT, ITEMS, KEPT, DROPPED, SHEET) if (out / title).is_file()]
    print(report)
    print(*written, sep="\n")
    return int(any(finding.failed for finding in findings))


def markdown(corpus: Corpus, findings: Sequence[Finding], sheets: Sequence[str] = ()) -> str:
    """The verdict, a table of the checks, what each found, and what the preparation knew.

    sheets: pictures of what was kept and dropped, beside the report, to be looked at first.
    """
    names = Names(corpus)
    lines = [
        f"**{verdict(findings)}**",
        "",
        f"Corpus {plain(corpus.name)}, checksum {corpus.checksum[:12]}: {len(corpus.speakers)} speakers, "
        f"{len(corpus.clips)} clips, {len(corpus.faces)} faces. Audit version {AUDIT_VERSION}.",
        *(["", f"Look first at {' and '.join(sheets)}, beside this report."] if sheets else []),
        "",
        "| check | result | found | of |",
        "|---|---|---:|---:|",
    ]
    for finding in findings:
        result = (
            "skipped"
            if finding.skipped
            else ("**leaks**" if finding.leak else "**flawed**")
            if finding.failed
            else "tolerated"
            if finding.items
            else "sound"
        )
        count = "" if finding.skipped else str(finding.num_offending)
        lines.append(f"| {finding.check} | {result} | {count} | {'' if finding.skipped else finding.checked} {finding.things} |")
    for finding in findings:
        if not finding.items and not finding.notes:
            continue
        lines += ["", f"## {finding.check}: {finding.question}", ""]
        lines += [f"- {plain(note)}" for note in finding.notes]
        if finding.items:
            rest = f", the worst of {len(finding.items)}" if len(finding.items) > WORST else ""
            lines += [*([""] if finding.notes else []), f"Value in {finding.unit}{rest}:", ""]
        for item in finding.items[:WORST]:
            other = f": {item.other}" if item.other else ""
            lines.append(f"- {item.value:.4g}, {plain(names.told(item))}{plain(other)}")
    if known := prepared.tables(corpus):
        lines += ["", *known]
    return "\n".join(lines) + "\n"


def items_csv(findings: Sequence[Finding]) -> bytes:
    """Every item of every check, a row each."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for finding in findings:
        for item in finding.items:
            row = {name: getattr(item, name) for name in COLUMNS if hasattr(item, name)}
            table.writerow(row | {"check": finding.check, "unit": finding.unit, "value": f"{item.value:.6g}"})
    return text.getvalue().encode()


# -- the sheet --------------------------------------------------------------------------------------------------------

SHOWN = 20
MARK = "Real faces of a corpus, for its keepers to look through."
CAPTIONS = {
    "shared_face": "pictures in two splits",
    "face_of_two": "one picture, two names",
    "no_face": "no detector finds a face",
    "label_noise": "far from the speaker's other faces, one of which is beside it",
}


def draw_sheet(corpus: Corpus, findings: Sequence[Finding]) -> Image.Image | None:
    """The worst faces of each check on faces, each beside what it is compared with; None where there are none."""
    sections = []
    for finding in findings:
        if finding.check in CAPTIONS and finding.items:
            items = finding.items[:SHOWN]
            shown = "" if len(items) == len(finding.items) else f", the worst {len(items)}"
            sections.append(
                (
                    f"{finding.check}: {CAPTIONS[finding.check]} ({len(finding.items)} of {finding.checked}{shown})",
                    [
                        (
                            corpus.pixels(_beside(corpus, finding, item), _size(corpus)),
                            (f"face {item.face}, {item.value:.3g}, {item.split}", item.speaker),
                        )
                        for item in items
                    ],
                )
            )
    return draw_album(sections) if sections else None


def _size(corpus: Corpus) -> int:
    """px of the pictures that are shown."""
    return min((px for px in corpus.face_sizes if px >= CELL), default=max(corpus.face_sizes))


def _beside(corpus: Corpus, finding: Finding, item: Item) -> list[int]:
    """Faces to show: the suspicious one, and what it is compared with."""
    assert item.face is not None
    if item.other_face is not None:
        return [item.face, item.other_face]
    suspicious = {other.face for other in finding.items}
    same = np.flatnonzero(corpus.faces["speaker"] == corpus.faces["speaker"][item.face])
    trusted = [int(face) for face in same if face not in suspicious]
    return [item.face, *trusted[:1]] if finding.check == "label_noise" else [item.face]
