"""voxface assets."""

from __future__ import annotations

import argparse

ABOUT = "weight files of others: list, add, verify; nothing is ever downloaded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of `voxface assets`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        "Pretrained weight files: what voxface can use, what is there, and whether it is intact.\n"
        "Nothing is downloaded: get a file from its authors, then add it. Terms: docs/weights.md."
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="name, state, size, licence and use of every weight file")
    listing.add_argument("--long", action="store_true", help="also file name, checksum, and where it is published")
    adding = actions.add_parser("add", help="check a file and copy it to the assets folder")
    adding.add_argument("name", metavar="NAME", help="as voxface assets list names it")
    adding.add_argument("path", metavar="PATH", help="the file you got from its authors")
    actions.add_parser("verify", help="compare the content of every file that is there (exit code 1 if one differs)")


def execute(args: argparse.Namespace) -> int:
    """Do the action. Exit code 1 if `verify` found a file that differs, else 0."""
    from gan import assets
    from gan.files import sha256

    if args.action == "add":
        path = assets.add(args.name, args.path)
        print(f"Added {args.name}: {path}\nSHA-256 {sha256(path)}\nLicence: {assets.asset(args.name).licence}")
        return 0
    if args.action == "verify":
        rows = assets.verify()
        _print_table(rows, ("name", "result", "sha256", "path"))
        return int(any(row["result"] == "differs" for row in rows))
    rows = assets.list_assets()
    if args.long:
        for row in rows:
            print("\n".join([row["name"], *(f"  {key:10}{value}" for key, value in row.items() if key != "name")]))
    else:
        _print_table(rows, ("name", "state", "size", "licence", "purpose"))
    print(f"Added files are kept in {assets.assets_folder()}")
    return 0


def _print_table(rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    for row in [{column: column for column in columns}, *rows]:
        print("  ".join(f"{row[column]:{widths[column]}}" for column in columns).rstrip())
