"""A dry run: it writes nothing at all, and its figures are those of the run that follows."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from catalog_ai import shipped
from catalog_ai.errors import CheckpointError, UnknownVersionError
from catalog_ai.ingest import last_line
from catalog_ai.services import models
from catalog_ai.services.catalogue import Catalogue, status
from catalog_ai.services.ingest import IngestReport, Wishes, ingest
from catalog_ai.services.locking import one_at_a_time
from catalog_ai.services.training import register
from db.engine import read
from db.schema import Base
from tests.helpers import fake_model, write_photo
from tests.services.test_ingest import decide, deliver

DRY = Wishes(dry_run=True)


@pytest.fixture(autouse=True)
def _small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins of the shipped models that load in no time."""
    for name in (shipped.DEFAULT, shipped.SMALL):
        fake_model(tmp_path / "weights", name)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "weights")


def everything(catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, bytes | None]]:
    """Return all rows by table, and every byte below the home by path; a folder has None.

    Read last and with nothing open: closing a file that SQLite has open would drop its locks.
    """
    with read(catalogue.engine) as session:
        rows = {
            name: sorted(map(repr, session.execute(select(table)).all()))
            for name, table in Base.metadata.tables.items()
        }
    catalogue.engine.dispose()
    files = {
        str(path.relative_to(catalogue.settings.home)): (
            path.read_bytes() if path.is_file() else None
        )
        for path in sorted(catalogue.settings.home.rglob("*"))
    }
    return rows, files


def figures(report: IngestReport) -> dict[str, Any]:
    """Return what a dry run and the real one must agree on."""
    own = ("run_id", "seconds", "loading_seconds", "images_per_second")
    return {name: value for name, value in asdict(report).items() if name not in own}


def active(catalogue: Catalogue) -> str | None:
    found = models.active_model(catalogue)
    return found.version if found else None


@pytest.mark.parametrize("model", [None, "default", "small"])
def test_an_empty_catalogue_stays_as_opening_it_made_it(
    catalogue: Catalogue, tmp_path: Path, model: str | None
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "cape"})
    (folder / "images" / "b.jpg").write_bytes(b"no photo")
    status(catalogue)
    before = everything(catalogue)
    dry = ingest(catalogue, folder, model=model, wishes=DRY)
    assert everything(catalogue) == before
    assert not status(catalogue).has_model
    assert (dry.model, dry.added, dry.computed) == (model or "default", 1, 1)
    assert figures(ingest(catalogue, folder, model=model)) == figures(dry)


def test_the_model_that_a_later_ingest_names_is_the_one_in_use(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    ingest(catalogue, folder, wishes=DRY)
    assert ingest(catalogue, folder, model="small").added == 1
    assert active(catalogue) == "small"


def test_a_shipped_model_that_was_put_there_before_is_read_as_it_stands(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    fake_model(catalogue.settings.models, "default", classes=("cape",))
    dry = ingest(catalogue, deliver(tmp_path / "in", {"a": "hat"}), wishes=DRY)
    assert dry.unknown_labels == {"hat": 1}


def test_a_model_that_is_not_there_is_refused_in_the_same_words(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    with pytest.raises(UnknownVersionError, match="there is no model 'huge'"):
        ingest(catalogue, folder, model="huge", wishes=DRY)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="lacks the shipped model 'default'"):
        ingest(catalogue, folder, wishes=DRY)


def test_a_catalogue_at_work_is_left_as_it_is_and_the_figures_hold(
    shop: Catalogue, tmp_path: Path
) -> None:
    labels = dict.fromkeys("abcde", "hat")
    folder = deliver(tmp_path / "in", labels)
    ingest(shop, folder)
    decide(shop, "b", "keep")
    deliver(folder, labels | {"a": "shoes", "b": "shoes", "f": "hat", "g": "cape"})
    write_photo(folder / "images" / "c.jpg", "#3b5b8c")
    write_photo(folder / "images" / "g.jpg", "#3b5b8c")
    (folder / "images" / "d.jpg").write_bytes(b"no photo")
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("e,hat\n", ""))
    before = everything(shop)
    wishes = Wishes(dry_run=True, retire_missing="few")
    dry = ingest(shop, folder, wishes=wishes)
    assert everything(shop) == before
    assert (dry.added, dry.updated, dry.second_look, dry.retired) == (2, 3, 1, 1)
    assert (dry.computed, dry.looked_again, len(dry.quarantined)) == (3, 0, 1)
    assert "looked at again" not in last_line(dry)
    assert figures(ingest(shop, folder, wishes=Wishes(retire_missing="few"))) == figures(dry)


@pytest.mark.parametrize("named", [None, "small"])
def test_what_another_model_would_look_at_again_is_counted(
    shop: Catalogue, tmp_path: Path, named: str | None
) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcd", "hat"))
    ingest(shop, folder)
    if named is None:
        register(shop, fake_model(shop.settings.models, "two"), activate=True)
    write_photo(folder / "images" / "a.jpg", "#3b5b8c")  # changed: it is looked at, not again
    before = everything(shop)
    dry = ingest(shop, folder, model=named, wishes=DRY)
    assert everything(shop) == before
    assert (dry.updated, dry.unchanged, dry.computed, dry.looked_again) == (1, 3, 4, 3)
    assert last_line(dry).endswith(f"; 3 would be looked at again by {named or 'two'}")
    done = ingest(shop, folder, model=named)
    assert figures(done) == figures(dry)
    assert last_line(done).endswith(f"; 3 looked at again by {named or 'two'}")
    again = ingest(shop, folder, model=named, wishes=DRY)
    assert (again.computed, again.looked_again) == (0, 0)


def test_a_dry_run_stands_in_no_ingests_way(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    with one_at_a_time(shop, "ingest", "busy"):
        assert ingest(shop, folder, wishes=DRY).added == 1
