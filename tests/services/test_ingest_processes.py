"""An ingest whose processes ask the model: the same answers, and the same sentences."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.errors import CheckpointError, ProcessesError
from catalog_ai.inference.onnx import onnx_path
from catalog_ai.model_folder import WEIGHTS
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier, model_row
from catalog_ai.services.crew import Crew
from catalog_ai.services.ingest import embed_missing, ingest
from catalog_ai.services.preparing import Order, Prepared
from db.engine import read, write
from db.schema import Embedding, Prediction, Product
from tests.helpers import write_photo

pytestmark = pytest.mark.sqlite("the processes know no database")


@pytest.fixture
def with_onnx(shop: Catalogue) -> Catalogue:
    """The shop with two processes that ask ONNX Runtime, as it is used on a machine without GPU."""
    return Catalogue(replace(shop.settings, workers=2, runtime="onnx"), shop.engine)


def test_processes_give_the_answers_that_this_one_gives(
    shop: Catalogue, with_onnx: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = {name: f"#{number:02x}40a0" for number, name in enumerate("abcdefghijk")}
    for name, colour in colours.items():
        write_photo(tmp_path / "in" / f"{name}.jpg", colour)
    monkeypatch.setattr(Classifier, "load", None)  # the model is not loaded here at all
    report = ingest(with_onnx, tmp_path / "in")
    assert (report.added, report.computed) == (11, 11)
    monkeypatch.undo()
    there = answers(shop)
    with write(shop.engine) as session:
        session.execute(delete(Embedding))
        session.execute(delete(Prediction))
    assert embed_missing(shop, model_row(shop, None).version) == 11
    for sku, (probabilities, vector, label) in answers(shop).items():
        np.testing.assert_allclose(there[sku][0], probabilities, atol=1e-4)
        np.testing.assert_allclose(there[sku][1], vector, atol=1e-4)
        assert there[sku][2] == label


def test_a_model_file_that_is_damaged_is_said_by_the_processes_too(
    shop: Catalogue, with_onnx: Catalogue, tmp_path: Path
) -> None:
    folder = shop.settings.models / model_row(shop, None).version
    file = onnx_path(folder, folder / WEIGHTS)
    file.write_bytes(b"no model")
    write_photo(tmp_path / "in" / "a.jpg")
    with pytest.raises(CheckpointError, match="delete that file, it is written again"):
        ingest(with_onnx, tmp_path / "in")
    file.unlink()
    assert ingest(with_onnx, tmp_path / "in").added == 1
    assert file.exists()


def answers(catalogue: Catalogue) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Return SKU → probabilities, vector and likeliest category, as they are stored."""
    query = (
        select(Product.sku, Prediction.probabilities, Embedding.vector, Prediction.top_label)
        .join(Prediction, Prediction.product_id == Product.id)
        .join(Embedding, Embedding.product_id == Product.id)
    )
    with read(catalogue.engine) as session:
        rows = session.execute(query).all()
    return {
        row.sku: (
            np.frombuffer(row.probabilities, "<f4"),
            np.frombuffer(row.vector, "<f4"),
            row.top_label,
        )
        for row in rows
    }


def test_what_the_processes_import_is_light() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, catalog_ai.services.preparing\n"
            "print([name for name in ('torch', 'sqlalchemy', 'pysqlite3') if name in sys.modules])",
        ],
        **{"cwd": PROJECT_ROOT, "capture_output": True, "text": True, "check": True, "timeout": 60},
    )
    assert done.stdout.strip() == "[]"


def ends(orders: Sequence[Order], _number: int | None) -> list[Prepared]:
    """End the process that calls it, as the kernel does where memory runs out."""
    os._exit(9)


def test_processes_that_end_at_once_are_no_fault_of_the_photos() -> None:
    crew = Crew(1, ends)  # type: ignore[arg-type]
    with crew, pytest.raises(ProcessesError, match="set CATALOG_WORKERS=0"):
        crew.start()
