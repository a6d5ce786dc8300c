"""Models: vectors of two are never compared, and weights from a stranger run no code."""

import gzip
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog_ai.checkpoint import load_checkpoint
from catalog_ai.errors import CheckpointError
from catalog_ai.model_folder import WEIGHTS
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import Wishes, ingest
from catalog_ai.services.neighbours import load_index, search
from catalog_ai.services.training import register
from db.engine import read
from db.queries import embeddings, models
from tests.fakes import fake_model
from tests.reliability.deliveries import deliver
from tests.reliability.scale import sized


def test_vectors_of_two_models_are_never_compared(
    catalogue: Catalogue, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """All photos were seen by one model, every second by the one that is active now as well."""
    count = sized(200, 12)
    deliver(tmp_path / "in", range(count))
    for version, wishes in (("one", Wishes()), ("two", Wishes(limit=count // 2))):
        register(catalogue, fake_model(catalogue.settings.models, version), activate=True)
        ingest(catalogue, tmp_path / "in", wishes=wishes)
    with read(catalogue.engine) as session:
        ids = {row.version: row.id for row in models.all_versions(session)}
        tables = {name: embeddings.vectors(session, number) for name, number in ids.items()}
    assert len(tables["one"].product_ids) == count
    of_two = dict(zip(tables["two"].product_ids.tolist(), tables["two"].vectors, strict=True))
    index = load_index(catalogue)
    assert index is not None
    compared = across = 0
    for vector in tables["one"].vectors:  # asked with another model's, as a page drawn before would
        for product, distance in search(catalogue, index, vector, count):
            compared += 1
            seen = of_two.get(product)
            across += seen is None or not np.isclose(
                distance, np.linalg.norm(seen - vector), 0, 1e-5
            )
    assert (compared, across) == (count * (count // 2), 0)
    figure(
        f"{count} products with vectors of one model, {count // 2} of another: of {compared:,} "
        f"distances {across} to a vector of the other version"
    )


class Running:
    """Makes the file `mark` where somebody unpickles it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def hostile(mark: Path) -> dict[str, bytes]:
    """Return files that a stranger might send for weights, by what they are."""
    code = pickle.dumps(Running(mark))
    with zipfile.ZipFile(mark.with_name("torch.zip"), "w") as archive:
        archive.writestr("archive/data.pkl", code)
        archive.writestr("archive/version", "3\n")
    beyond = b'{"x":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
    return {
        "a pickle": code,
        "torch's archive with a pickle": mark.with_name("torch.zip").read_bytes(),
        "a compressed pickle": gzip.compress(code),
        "a header without end": struct.pack("<Q", 2**63) + b"{}",
        "tensors beyond the file": struct.pack("<Q", len(beyond)) + beyond + bytes(8),
    }


def test_weights_from_a_stranger_are_refused_and_run_nothing(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    mark = tmp_path / "ran"
    pickle.loads(pickle.dumps(Running(mark)))
    assert mark.exists()  # so it would show
    mark.unlink()
    folder = fake_model(tmp_path, "theirs")
    files = hostile(mark)
    for name, data in files.items():
        (folder / WEIGHTS).write_bytes(data)
        with pytest.raises(CheckpointError, match="missing or damaged"):
            load_checkpoint(folder)
        assert not mark.exists(), name
    figure(f"{len(files)} hostile files of weights: each refused in a sentence, 0 ran")
