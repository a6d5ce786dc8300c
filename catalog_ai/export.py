"""`python -m catalog_ai.export queue|decisions|products --out FILE`: the same lists as the pages.

`python -m catalog_ai.export model --onnx FILE` writes a model as ONNX, compared with torch first.
Exit codes: 0 written, 2 a flag is wrong, 65 there is nothing to export yet, 74 the database cannot
be used.
"""

import argparse
import sys
from pathlib import Path

from catalog_ai import cli
from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.evaluating import export_onnx
from catalog_ai.services.exporting import FORMATS, KINDS, export
from catalog_ai.services.photos import write_whole


def main(arguments: list[str] | None = None) -> int:
    """Export as the flags say."""
    parser = cli.parser("export", __doc__)
    parser.add_argument("kind", choices=(*KINDS, "model"), help="what to export")
    parser.add_argument("--format", choices=FORMATS, default="csv", help="default: %(default)s")
    parser.add_argument("--out", metavar="FILE", help="where to write a list")
    parser.add_argument("--onnx", metavar="FILE", help="where to write a model")
    parser.add_argument("--model", metavar="VERSION", help="which; default: the active model")
    options = parser.parse_args(arguments)
    if options.kind == "model":
        return _export_model(options)
    if options.out is None:
        raise UsageError(f"where to? python -m catalog_ai.export {options.kind} --out FILE")
    file = export(open_catalogue(cli.settings_of(options)), options.kind, options.format)
    try:
        write_whole(Path(options.out), file.data)
    except OSError as error:
        raise UsageError(
            f"{options.out} cannot be written: {error.strerror}; name another file with --out"
        ) from error
    print(f"{file.rows:,} rows written to {options.out}")
    return 0


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
