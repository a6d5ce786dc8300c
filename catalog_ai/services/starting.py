"""Fill an empty catalogue, so that a first start shows something worth seeing.

Without photos of one's own the catalogue is the generated sample, in a home of its own
(`var/sample`): trying it never stands in the way of `var/catalog`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.data.sample import write_sample
from catalog_ai.services.catalogue import Catalogue, in_plain_words, status
from catalog_ai.services.ingest import ingest
from catalog_ai.services.training import train_version
from db.commands.notes import set_note
from db.engine import write

SAMPLE_HOME = PROJECT_ROOT / "var" / "sample"
OWN_HOME = PROJECT_ROOT / "var" / "catalog"
FILLED = "filled"  # note: which photos the catalogue was filled with

Progress = Callable[[float, str], None]
Step = Callable[[str], Progress]


def home_for(photos: Path | None) -> Path:
    """Return the home of one's own photos, or that of the sample."""
    return SAMPLE_HOME if photos is None else OWN_HOME


def is_filled(catalogue: Catalogue, photos: Path | None) -> bool:
    """Whether `fill` has finished for these photos before."""
    return status(catalogue).notes.get(FILLED) == _mark(photos)


def fill(catalogue: Catalogue, photos: Path | None, step: Step) -> None:
    """Take in `photos`, or the sample, under the model there is; a second call does nothing.

    A catalogue without a model gets the one that comes with the package; the sample, which is drawn
    and not photographed, trains one of its own. `step` is called with the title of each part and
    returns what to tell its progress. An interrupted fill is carried on by the next. Raises what
    training and ingest raise.
    """
    if is_filled(catalogue, photos):
        return
    folder = _sample(catalogue.settings.home, step) if photos is None else photos
    if photos is None and not status(catalogue).has_model:
        train_version(catalogue, data=folder, progress=step("Training a model"))
    ingest(catalogue, folder, progress=step("Taking in the photos"))
    _note(catalogue, FILLED, _mark(photos))


def _sample(home: Path, step: Step) -> Path:
    folder = home / "sample"
    photos = folder / "photos"
    if photos.is_dir():
        return photos
    progress = step("Drawing the sample catalogue")
    drawn: Path = write_sample(folder)
    progress(1.0, "")
    return drawn


def _note(catalogue: Catalogue, name: str, text: str) -> None:
    with in_plain_words(), write(catalogue.engine, touches=("notes",)) as session:
        set_note(session, name, text, datetime.now(UTC))


def _mark(photos: Path | None) -> str:
    return "sample" if photos is None else str(photos.expanduser().resolve())
