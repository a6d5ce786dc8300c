"""The photos that benchmarks measure on: the article's seven categories, split as they come."""

import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from catalog_ai.data.sources import Source, SourceItem, normal_label, read_source
from catalog_ai.images import Pixels
from catalog_ai.inference.predicting import Outputs

CLASSES = ("dress", "hat", "longsleeve", "pants", "shoes", "shorts", "t-shirt")
_AT_ONCE = 64


def parser(name: str, description: str | None) -> ArgumentParser:
    """Return a parser for `python -m benchmarks.NAME` with the flags that all of them have."""
    made = ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    made.add_argument("--data", help="folder with train/ and validation/")
    made.add_argument("--json", help="write all figures here")
    return made


def read(data: str | None) -> Source:
    """Return the photos of the folder `data`, by default those of `CATALOG_TEST_PHOTOS`."""
    return _read(data, "clothing-dataset-small")


def feed(data: str | None) -> Source:
    """Return the delivery in the folder `data`, by default the feed of `CATALOG_TEST_PHOTOS`."""
    return _read(data, "nightly-feed")


def _read(data: str | None, name: str) -> Source:
    given = os.environ.get("CATALOG_TEST_PHOTOS")
    folder = data or (given and str(Path(given) / name))
    if not folder:
        sys.exit("no photos: give --data FOLDER, or set CATALOG_TEST_PHOTOS")
    return read_source(Path(folder))


def seven(source: Source) -> tuple[list[SourceItem], list[SourceItem]]:
    """Return the (training, validation) photos of the seven categories."""
    items = [item for item in source.items if normal_label(item.label or "") in CLASSES]
    return (
        [item for item in items if item.split == "train"],
        [item for item in items if item.split == "validation"],
    )


def look(model: str, pictures: Iterator[Pixels]) -> Outputs:
    """Return what a shipped model makes of pictures, however many: few lie in memory at once."""
    from catalog_ai import shipped
    from catalog_ai.inference.embeddings import CatalogModel

    with tempfile.TemporaryDirectory() as folder:
        loaded = CatalogModel.load(shipped.install(model, Path(folder)), runtime="onnx")
        parts = []
        while batch := list(islice(pictures, _AT_ONCE)):
            parts.append(loaded.predict(batch))
    return Outputs(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.features for part in parts]),
    )
