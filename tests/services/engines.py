"""A delivery for two engines, and whether both stored the same."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select

from catalog_ai.services.catalogue import Catalogue
from db import schema
from db.engine import read

_FRACTIONS = ("vector", "probabilities", "confidence")


def deliver(folder: Path, count: int, size: tuple[int, int] = (60, 80)) -> Path:
    """Write a delivery of distinct photos: one of five and a comment; the fourth is none."""
    random = np.random.default_rng(0)
    kinds = []
    for _ in range(5):
        pattern = Image.fromarray(random.integers(0, 255, (9, 7, 3), dtype=np.uint8))
        file = io.BytesIO()
        pattern.resize(size).save(file, "JPEG")
        kinds.append(file.getvalue())
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = ["sku,image,label"]
    for number in range(count):
        data, note = kinds[number % 5], f"{number:06d}".encode()
        comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        (folder / f"images/{number}.jpg").write_bytes(data[:2] + comment + data[2:])
        rows.append(f"S{number},{number}.jpg,{('hat', 'shoes', 'Polo')[number % 3]}")
    (folder / "images/3.jpg").write_bytes(b"no photo")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def assert_same(one: Catalogue, other: Catalogue) -> None:
    """Compare what ingests stored, ids included, but for times and the last bits of fractions."""
    for table in (schema.Product, schema.ProductPhoto, schema.RefusedPhoto, schema.RunItem):
        columns = [c for c in table.__table__.columns if not c.name.endswith("_at")]
        assert _rows(one, *columns) == _rows(other, *columns)
    for table in (schema.Prediction, schema.Embedding):
        columns = [c for c in table.__table__.columns if c.name not in _FRACTIONS]
        assert _rows(one, *columns) == _rows(other, *columns)
    np.testing.assert_allclose(vectors(one), vectors(other), atol=1e-5)
    np.testing.assert_allclose(probabilities(one), probabilities(other), atol=1e-5)


def vectors(shop: Catalogue) -> NDArray[np.float32]:
    """Return what is stored of the model's vectors, (N, D), by product."""
    return _numbers(_rows(shop, schema.Embedding.product_id, schema.Embedding.vector))


def probabilities(shop: Catalogue) -> NDArray[np.float32]:
    """Return what is stored of the model's probabilities, (N, C), by product."""
    return _numbers(_rows(shop, schema.Prediction.product_id, schema.Prediction.probabilities))


def _numbers(stored: list[Any]) -> NDArray[np.float32]:
    return np.array([np.frombuffer(blob, "<f4") for _, blob in stored])


def _rows(shop: Catalogue, *columns: Any) -> list[Any]:
    """Return these columns of a table, ordered by the first two."""
    with read(shop.engine) as session:
        return list(map(tuple, session.execute(select(*columns).order_by(*columns[:2]))))
