import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from catalog_ai.curation.remembered import Remembered
from catalog_ai.services.assessing import assess, remembered_at
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.remembering import keep, recalled
from db.engine import read
from db.schema import LabelScore, ModelVersion
from tests.helpers import Seeded, seed_catalogue


@pytest.fixture
def wide(catalogue: Catalogue) -> Seeded:
    return seed_catalogue(catalogue, n=140, flagged=6)


def kept_at(catalogue: Catalogue) -> Path:
    with read(catalogue.engine) as session:
        version = session.scalars(select(ModelVersion.version)).one()
    return remembered_at(catalogue, version)


def scores(catalogue: Catalogue) -> dict[int, tuple[object, ...]]:
    with read(catalogue.engine) as session:
        rows = session.scalars(select(LabelScore))
        return {row.product_id: (row.score, row.suggestion, row.neighbours) for row in rows}


def test_what_is_kept_comes_back_as_it_was(catalogue: Catalogue, wide: Seeded) -> None:
    assess(catalogue)
    path = kept_at(catalogue)
    first = recalled(path)
    keep(path.with_name("copy.npz"), first)
    second = recalled(path.with_name("copy.npz"))
    for name in ("fit", "look_alikes", "rivals"):
        one, other = vars(getattr(first, name)), vars(getattr(second, name))
        assert all((one[field] == other[field]).all() for field in one) and len(one) > 1
    assert first.fit is not None and len(first.fit.known) == len(first.fit.leverage) > 100


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = len(data) // 3
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped, lambda data: b"", lambda data: b"PK nothing"])
def test_a_damaged_file_is_as_good_as_none(
    catalogue: Catalogue, wide: Seeded, damage: Callable[[bytes], bytes]
) -> None:
    assess(catalogue)
    before, path = scores(catalogue), kept_at(catalogue)
    path.write_bytes(damage(path.read_bytes()))
    assert recalled(path) == Remembered()
    assess(catalogue)
    assert scores(catalogue) == before
    assert recalled(path).fit is not None


def test_another_form_or_parts_that_do_not_belong_together_are_not_read(
    catalogue: Catalogue, wide: Seeded
) -> None:
    assess(catalogue)
    path = kept_at(catalogue)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for changed in (
        {"form": np.array(0)},
        {"fit.leverage": arrays["fit.leverage"][1:]},
        {"fit.gram": arrays["fit.gram"] * np.nan},
        {"look_alikes.rows": arrays["look_alikes.rows"] + 1_000},
        {"rivals.rows": arrays["rivals.rows"].astype(np.float64)},
    ):
        np.savez(path, allow_pickle=False, **arrays | changed)
        assert recalled(path) == Remembered(), changed.keys()


def test_a_folder_that_takes_no_file_is_no_error(catalogue: Catalogue, wide: Seeded) -> None:
    catalogue.settings.remembered.write_text("in the way")
    assert assess(catalogue).products == 140
    assert recalled(kept_at(catalogue)) == Remembered()
    assert list(catalogue.settings.home.glob("*.part")) == []


def test_only_the_latest_models_are_remembered(tmp_path: Path) -> None:
    (tmp_path / "killed.part").write_bytes(b"half")
    for number, version in enumerate(("first", "second", "third")):
        keep(tmp_path / f"{version}.npz", Remembered())
        os.utime(tmp_path / f"{version}.npz", (number, number))
    keep(tmp_path / "second.npz", Remembered())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["second.npz", "third.npz"]
