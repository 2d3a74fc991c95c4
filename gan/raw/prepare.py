"""voxface prepare SOURCE, for raw media: list, read, then people, splits and corpus. Given again, it goes on where it stopped."""

from __future__ import annotations

import argparse
import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.detectors.base import Detector
from gan.build import build, find, names
from gan.data.audio import SOUND
from gan.data.media import ends
from gan.data.pictures import PICTURES
from gan.data.prepare import new_corpus_path
from gan.media.background import Person
from gan.media.speech.base import Speech
from gan.raw.assemble import assemble
from gan.raw.item import Listing
from gan.raw.profile import Profile, load_profile, profile_names
from gan.raw.published import published
from gan.raw.purge import purge
from gan.raw.removed import removed_from
from gan.raw.run import held, read_all
from gan.raw.sources.base import Source
from gan.raw.work import Work
from gan.recipes import read_yaml


def source_names() -> list[str]:
    """As the command has them: the files of gan/raw/sources."""
    return [name.replace("_", "-") for name in names(Source)]


def source_of(name: str) -> Source:
    """The source of a command's name."""
    return find(Source, name.replace("-", "_"), "source")()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that all sources of raw media share."""
    parser.add_argument("--licence", required=True, help="the terms of this data, kept in the corpus")
    parser.add_argument("--consent", required=True, help="what these people agreed to, kept in the corpus")
    parser.add_argument("--out", metavar="PATH", help="the corpus folder to write (default: corpora/<source name>)")
    parser.add_argument("--overwrite", action="store_true", help="replace the corpus that is there already")
    parser.add_argument("--work", metavar="DIR", help="the folder of work, for going on after a stop (default: <out>.work)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that read media (default: 1)")
    parser.add_argument("--launcher", metavar="FILE", help="a YAML of how jobs are started, such as {name: slurm, parallel: 64}")
    parser.add_argument(
        "--profile",
        default="plain",
        metavar="NAME",
        help=f"every threshold: {', '.join(profile_names())}, or a YAML file (default: plain)",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="keys of the profile, such as looks.per_second=2",
    )
    parser.add_argument("--removed", metavar="FILE", help="people, films or recordings that must not be used, one a line")
    parser.add_argument(
        "--face-sizes", nargs="+", type=int, default=[64, 128], metavar="PX", help="sizes of stored faces (default: 64 128)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be read, and read nothing")
    parser.add_argument("--retry", action="store_true", help="try those again that failed before")


def main(args: argparse.Namespace) -> int:
    """Prepare, print the report. Exit code 1 if anything that should be in the corpus cannot be, else 0."""
    source = source_of(args.source)
    profile = load_profile(args.profile, args.overrides)
    out = Path(args.out) if args.out else Path("corpora") / source.default_name(args)
    folder = Path(args.work) if args.work else out.with_name(f"{out.name}.work")
    launcher = _launcher(args)
    listing = source.list(args)
    everything, removal = listing, list[str]()
    if args.removed:
        listing = removed_from(listing, args.removed)
        # Said, and kept nowhere: a removal list is itself about people.
        removal = [note for note in listing.notes if note not in everything.notes]
        listing = replace(listing, notes=[note for note in listing.notes if note not in removal])
    if not listing.items:
        first = f" First: {listing.bad[0][0]}: {listing.bad[0][1]}" if listing.bad else ""
        raise ValueError(f"{args.source}: nothing to read was found.{first}")
    if args.dry_run:
        print("\n".join([overview(listing), *removal]))
        return 1 if listing.bad else 0
    _check(profile, listing)
    about = dict(
        name=out.name, source=source.about_corpus(args), licence=args.licence, consent=args.consent, face_sizes=args.face_sizes
    )
    with new_corpus_path(out, args.overwrite, resume=True) as target, held(folder):
        if args.removed:
            purge(folder, args.removed, everything)
        work = Work.make(folder, args.source, listing, profile, about)
        read_all(work, launcher, args.retry)
        report = assemble(work, target)
    print("\n".join([str(report), *removal]))
    print(f"All that was left out: {folder / 'left_out.csv'}")
    print(f"Wrote {out}")
    return 1 if report.failed else 0


def _check(profile: Profile, listing: Listing) -> None:
    """Raises ValueError, before anything is read, if what reads it is not installed, or the source has no such division."""
    if profile.splits.published:
        published(profile.splits.published, listing)
    build(Speech, profile.speech, "speech", settings=profile.spans)
    build(Detector, profile.looks.detector, "looks.detector")
    if profile.crop.white:
        Person()
    packed = [item.media for item in listing.items if not ends(item.media, (*SOUND, *PICTURES))]
    if packed and importlib.util.find_spec("av") is None:
        raise ValueError(
            f'{packed[0]} and {len(packed) - 1} more: need PyAV, which is not installed. Run: pip install "voxface[media]"'
        )


def overview(listing: Listing) -> str:
    """What a listing holds, in words."""
    films, people = ({getattr(item, name) for item in listing.items} - {""} for name in ("film", "speaker"))
    endings = Counter(item.media.suffix.lower() for item in listing.items)
    kinds = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(6))
    lines = [f"{len(listing.items)} items ({kinds}) of {len(films)} films and {len(people)} named people.", *listing.notes]
    lines += [f"may be one: {', '.join(names)}" for names in listing.same]
    lines += [f"not listed: {what}: {reason}" for what, reason in listing.bad]
    return "\n".join(lines)


def _launcher(args: argparse.Namespace) -> dict[str, Any]:
    """The section of a launcher: that of --launcher, else processes of this machine."""
    if args.launcher is None:
        return {"name": "local", "parallel": args.workers, "threads": 1}
    path = Path(args.launcher)
    if not path.is_file():
        raise ValueError(f"--launcher: no such file {path}.")
    section = read_yaml(path.read_text(encoding="utf-8"), args.launcher)
    if not isinstance(section, dict):
        raise ValueError(f"{path}: a launcher is a mapping such as {{name: slurm, parallel: 64}}.")
    return section
