"""Keep what an assessment computed, in a file beside the database, for the next one.

The file may be deleted at any time. What it says of a product it says by a mark of the product's
own numbers, so what no longer holds is not used; a file that cannot be read is as good as none.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.look_alikes import LookAlikes
from catalog_ai.curation.remembered import Remembered
from catalog_ai.curation.ridge_fit import Fit
from catalog_ai.curation.rivals import Rivals

KEPT = 2  # files: of the model in use and of the one before, to which one may roll back
_FORM = 1  # raise it when what is computed changes: files of another form are not read
_BUILDING = ".part"  # ends the names of files that are not whole yet
_PARTS: dict[str, Any] = {"fit": Fit, "look_alikes": LookAlikes, "rivals": Rivals}


def recalled(path: Path) -> Remembered:
    """Return what is kept at `path`; nothing where it is missing, damaged or of another form."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if int(arrays.pop("form")) != _FORM:
            return Remembered()
        return Remembered(**{name: _part(name, arrays) for name in _PARTS})
    except Exception:  # a damaged file raises nearly anything, and nothing depends on it
        return Remembered()


def keep(path: Path, remembered: Remembered) -> None:
    """Put `remembered` in place of what is kept at `path`, all of it or nothing.

    Of other models only the latest is left beside it, and nothing of whoever was killed at it.
    Where the disk is full or the folder not ours, the next assessment takes longer, that is all.
    """
    arrays: dict[str, NDArray[Any]] = {"form": np.array(_FORM)}
    for name in _PARTS:
        part = getattr(remembered, name)
        for field, value in vars(part).items() if part is not None else ():
            arrays[f"{name}.{field}"] = value
    building = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=_BUILDING, delete=False) as file:
            building = Path(file.name)
            np.savez(file, allow_pickle=False, **arrays)
        building.replace(path)
        _forget_all_but_the_latest(path.parent)
    except OSError:
        if building is not None:
            building.unlink(missing_ok=True)


def _forget_all_but_the_latest(folder: Path) -> None:
    kept = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in (*kept[KEPT:], *folder.glob(f"*{_BUILDING}")):
        path.unlink(missing_ok=True)


def _part(name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """Return a part, checked to be of one piece; None where it was not kept."""
    kind = _PARTS[name]
    fields = list(kind.__dataclass_fields__)
    if f"{name}.{fields[0]}" not in arrays:
        return None
    values = {field: arrays[f"{name}.{field}"] for field in fields}
    part = kind(**values)
    if not part.is_whole():
        raise ValueError(name)
    return part
