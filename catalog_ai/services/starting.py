"""Fill an empty catalogue, so that a first start shows something worth seeing.

Without photos of one's own the catalogue is the generated sample, in a home of its own
(`var/sample`): trying it never stands in the way of `var/catalog`.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from catalog_ai.config import PROJECT_ROOT, settings
from catalog_ai.data.sample import write_sample
from catalog_ai.data.sources import Source, read_source, usable_classes
from catalog_ai.services.catalogue import Catalogue, in_plain_words, open_catalogue, status
from catalog_ai.services.ingest import ingest
from catalog_ai.services.training import register, train_version
from db.commands.notes import set_note
from db.engine import read, write
from db.queries import models

SAMPLE_HOME = PROJECT_ROOT / "var" / "sample"
OWN_HOME = PROJECT_ROOT / "var" / "catalog"
FILLED = "filled"  # note: which photos the catalogue was filled with
MODEL = "model"  # note: where the model came from, where it did not learn from these photos
_BORROWED = "sample-borrowed"

Progress = Callable[[float, str], None]
Step = Callable[[str], Progress]


def home_for(photos: Path | None) -> Path:
    """Return the home of one's own photos, or that of the sample."""
    return SAMPLE_HOME if photos is None else OWN_HOME


def is_filled(catalogue: Catalogue, photos: Path | None) -> bool:
    """Whether `fill` has finished for these photos before."""
    return status(catalogue).notes.get(FILLED) == _mark(photos)


def fill(catalogue: Catalogue, photos: Path | None, step: Step) -> None:
    """Train where needed and ingest `photos`, or the sample; a second call does nothing.

    `step` is called with the title of each part and returns what to tell its progress. An
    interrupted fill is carried on by the next. Raises what training and ingest raise.
    """
    if is_filled(catalogue, photos):
        return
    folder = _sample(catalogue.settings.home, step) if photos is None else photos
    source = read_source(folder)
    if not status(catalogue).has_model:
        if len(_learnable(source)) >= 2:
            train_version(catalogue, data=folder, progress=step("Training a model"))
        else:
            _borrow_model(catalogue, step)
    ingest(catalogue, folder, progress=step("Taking in the photos"))
    _note(catalogue, FILLED, _mark(photos))


def _learnable(source: Source) -> list[str]:
    return usable_classes(item.label for item in source.items)


def _sample(home: Path, step: Step) -> Path:
    folder = home / "sample"
    photos = folder / "photos"
    if photos.is_dir():
        return photos
    progress = step("Drawing the sample catalogue")
    drawn: Path = write_sample(folder)
    progress(1.0, "")
    return drawn


def _borrow_model(catalogue: Catalogue, step: Step) -> None:
    """Give the catalogue a model that learnt elsewhere, and say so where people will read it."""
    if catalogue.settings.home != SAMPLE_HOME and (SAMPLE_HOME / "catalog.db").is_file():
        other = open_catalogue(settings(home=SAMPLE_HOME))
        with in_plain_words(), read(other.engine) as session:
            model = models.active(session)
        if model is not None:
            folder = catalogue.settings.models / model.version
            if not folder.exists():
                shutil.copytree(other.settings.models / model.version, folder)
            register(catalogue, folder, activate=True)
            return _say_borrowed(catalogue)
    sample = _sample(catalogue.settings.home, step)
    train_version(
        catalogue, data=sample, version=_BORROWED, progress=step("Training a model on the sample")
    )
    _say_borrowed(catalogue)


def _say_borrowed(catalogue: Catalogue) -> None:
    _note(
        catalogue,
        MODEL,
        "These photos carry no labels to learn from, so a model that learnt from the sample "
        "catalogue classifies them. Label some products, then train a model of your own on the "
        "page Models.",
    )


def _note(catalogue: Catalogue, name: str, text: str) -> None:
    with in_plain_words(), write(catalogue.engine, touches=("notes",)) as session:
        set_note(session, name, text, datetime.now(UTC))


def _mark(photos: Path | None) -> str:
    return "sample" if photos is None else str(photos.expanduser().resolve())
