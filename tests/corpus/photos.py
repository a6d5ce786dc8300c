"""The corpus: photo files of every unpleasant kind, made by code, each with its right verdict.

`python -m tests.corpus.photos FOLDER` writes them as a feed would deliver them.
"""

import sys
from functools import cache
from pathlib import Path

from tests.corpus.accepted import accepted
from tests.corpus.refused import refused
from tests.corpus.specimen import Specimen

__all__ = ["Specimen", "corpus", "write_corpus"]


@cache
def corpus() -> tuple[Specimen, ...]:
    """Return all specimens; their names are file names, and no two are the same."""
    return (*refused(), *accepted())


def write_corpus(folder: Path) -> dict[Path, str]:
    """Write every specimen to `folder`; return each file's path with its verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    for specimen in corpus():
        (folder / specimen.name).write_bytes(specimen.data)
    return {folder / specimen.name: specimen.verdict for specimen in corpus()}


if __name__ == "__main__":
    written = write_corpus(Path(sys.argv[1]))
    print(f"{len(written)} files, {sum(verdict == 'ok' for verdict in written.values())} ok")
