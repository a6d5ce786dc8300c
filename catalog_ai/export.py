"""`python -m catalog_ai.export KIND --out FILE`: the same files as the dashboard offers.

`changes` is what people changed since the last file of changes, for import into other systems.
`model --onnx FILE` writes a model as ONNX, compared with torch first.
Exit codes: 0 written, 2 a flag is wrong, 65 there is nothing to export yet or nothing has changed,
74 the database cannot be used.
"""

import argparse
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from catalog_ai import cli
from catalog_ai.errors import UsageError
from catalog_ai.services import changes
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.evaluating import export_onnx
from catalog_ai.services.exporting import FORMATS, KINDS, export
from catalog_ai.services.photos import write_whole


def main(arguments: list[str] | None = None) -> int:
    """Export as the flags say."""
    parser = cli.parser("export", __doc__)
    parser.add_argument("kind", choices=(changes.KIND, *KINDS, "model"), help="what to export")
    parser.add_argument("--format", choices=FORMATS, help="default: as FILE ends, else csv")
    parser.add_argument("--out", metavar="FILE", help="where to write a list")
    parser.add_argument(
        "--again", metavar="N", type=int, help="with changes: the file of that number once more"
    )
    parser.add_argument("--by", metavar="NAME", help="who asks for it; default: the system's user")
    parser.add_argument("--onnx", metavar="FILE", help="where to write a model")
    parser.add_argument("--model", metavar="VERSION", help="which; default: the active model")
    options = parser.parse_args(arguments)
    if options.kind == "model":
        return _export_model(options)
    if options.out is None:
        raise UsageError(f"where to? python -m catalog_ai.export {options.kind} --out FILE")
    _check_place(options.out)
    if options.again is not None and options.kind != changes.KIND:
        raise UsageError("--again goes with changes: all others are made anew each time")
    catalogue = open_catalogue(cli.settings_of(options))
    if options.again is not None:
        return _export_again(catalogue, options)
    if options.kind == changes.KIND:
        return _export_changes(catalogue, options)
    file = export(catalogue, options.kind, _format(options), created_by=_who(options))
    with _in_words(options.out):
        write_whole(Path(options.out), file.data)
    print(f"{file.rows:,} rows written to {options.out}")
    return 0


def _check_place(out: str) -> None:
    """Refuse what is no file: the new one takes the place of what is there, once it is whole."""
    path = Path(out)
    other = path.exists() and not path.is_file() and not path.is_dir()
    if out == "-" or other or path.is_relative_to("/dev"):
        raise UsageError(f"{out} is no place for a file: name one with --out, then read that")


def _format(options: argparse.Namespace) -> str:
    """Return the format that a flag names, else that of the file's ending, else CSV."""
    ending = Path(options.out).suffix.removeprefix(".").lower()
    return str(options.format or (ending if ending in FORMATS else "csv"))


def _export_changes(catalogue: Catalogue, options: argparse.Namespace) -> int:
    """Write the file beside its place, record it, then put it there.

    Recorded first, a full disk would lose it: the next file begins behind it.
    """
    out = Path(options.out)
    beside = out.with_name(f".{out.name}-{token_hex(4)}")
    try:
        with _in_words(options.out):
            if out.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            file = changes.make(
                catalogue,
                _format(options),
                created_by=_who(options),
                keep=lambda made: write_whole(beside, made.data),
            )
        _put(beside, out, file.number)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    print(f"{file.rows:,} rows written to {out}; it is change file {file.number}")
    return 0


def _put(beside: Path, out: Path, number: int) -> None:
    try:
        beside.replace(out)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}; the file is on record, so get it with "
            f"python -m catalog_ai.export changes --again {number} --out FILE"
        ) from error


def _export_again(catalogue: Catalogue, options: argparse.Namespace) -> int:
    file = changes.again(catalogue, options.again)
    if options.format is not None and not file.file_name.endswith(f".{options.format}"):
        raise UsageError(
            f"change file {file.number} is {file.file_name}: leave --format out to get it again"
        )
    with _in_words(options.out):
        write_whole(Path(options.out), file.data)
    if file.warning:
        print(f"warning: {file.warning}", file=sys.stderr)
    print(f"{file.rows:,} rows written to {options.out}; it is change file {file.number}")
    return 0


def _who(options: argparse.Namespace) -> str:
    """Return who asks: named by a flag, else as the system calls them, where it does."""
    if options.by is not None:
        return str(options.by)
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""


@contextmanager
def _in_words(out: str) -> Iterator[None]:
    """Say in one sentence why `out` cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}; name another file with --out"
        ) from error


def _export_model(options: argparse.Namespace) -> int:
    if options.onnx is None:
        raise UsageError("where to? python -m catalog_ai.export model --onnx FILE")
    catalogue = open_catalogue(cli.settings_of(options))
    try:
        version = export_onnx(catalogue, Path(options.onnx), model=options.model)
    except OSError as error:
        raise UsageError(
            f"{options.onnx} cannot be written: {error.strerror}; name another file with --onnx"
        ) from error
    print(f"{version} written to {options.onnx}; its answers agree with torch's")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
