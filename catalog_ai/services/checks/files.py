"""The photos on disk beside what the database names: missing, left over, half-written, damaged."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from catalog_ai.errors import PhotoError
from catalog_ai.images import decode, read_photo
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checks.finding import Finding, Tally, note, ok, problem
from catalog_ai.services.photos import checksum_of, is_there, named_after
from db.engine import read
from db.queries import health
from db.queries.health import PhotoNames

HOUR = 3600.0  # seconds; what is younger may belong to a run at work
_PAGE = 1000
UNREAD = ("unreadable", "still_copying")  # says nothing of what the file holds
_LISTED = 10_000  # damaged files that are named one by one


def stored_copies(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether the stored copy of every photo is there, and not empty."""
    count, gone = _missing(catalogue, lambda photo: photo.stored_image)
    if gone.count:
        return problem(
            f"{gone.count:,} of {count:,} stored photos are missing or empty",
            "deliver these photos again: what is lacking is stored anew; or bring them back from a "
            "backup made with --photos: python -m catalog_ai.doctor --repair --from FOLDER",
            gone.examples,
        )
    return ok(f"{count:,} stored photos are there")


def thumbnails(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether every thumbnail is there, and not empty."""
    count, gone = _missing(catalogue, lambda photo: photo.thumbnail)
    if gone.count:
        return note(
            f"{gone.count:,} of {count:,} thumbnails are missing or empty",
            "nothing to do: each is drawn again when it is shown",
            gone.examples,
        )
    return ok(f"{count:,} thumbnails are there")


def orphans(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether images/ holds photos that no product, further photo or decision names."""
    home, count, left = catalogue.settings.home, 0, Tally()
    for prefix, files in _groups(catalogue.settings.images):
        with read(catalogue.engine) as session:
            named, seen = health.images_under(session, prefix)
        for file in files:
            count += 1
            name = file.relative_to(home).as_posix()
            if name not in named and named_after(file)[0] not in seen and _is_old(file):
                left.add(name)
    if left.count:
        return note(
            f"{left.count:,} of {count:,} files in images/ belong to no product",
            "they are photos that were replaced by others: delete them if the space is needed",
            left.examples,
        )
    return ok(f"{count:,} files in images/, each named by the database")


def half_written(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether files were left half-written by something that was killed."""
    settings = catalogue.settings
    left = [
        path.relative_to(settings.home).as_posix()
        for top in (settings.images, settings.thumbnails, settings.models, settings.backups)
        for path in sorted([*top.glob(".*"), *top.glob("*/.*")])
        if _is_old(path)
    ]
    if left:
        return note(
            f"{len(left):,} files were left half-written more than an hour ago",
            "delete them: nothing reads them",
            left,
        )
    return ok("no file was left half-written")


def decodable(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether every file in images/ is what was stored and decodes whole, and none is there twice.

    Names of earlier versions have no checksum: these are only decoded.
    """
    broken, twice, unread = Tally(), Tally(), Tally()
    damaged: list[str] = []
    count, met = 0, set()
    for _, files in _groups(catalogue.settings.images):
        for file in files:
            count += 1
            name = file.relative_to(catalogue.settings.home).as_posix()
            try:
                data = whole_copy(file)
            except PhotoError as error:
                if error.code in UNREAD:
                    unread.add(f"{name}: {error.reason}")
                    continue
                broken.add(f"{name}: {error.reason}")
                damaged += [name] if len(damaged) < _LISTED else []
                continue
            content = hashlib.sha256(data).digest()[:8]
            if content in met:
                twice.add(name)
            met.add(content)
    if broken.count:
        return problem(
            f"{broken.count:,} of {count:,} files in images/ are damaged",
            "python -m catalog_ai.doctor --repair moves them aside and brings back what a backup "
            "made with --photos has (--from FOLDER); then deliver the photos of the others again",
            broken.examples,
            files=damaged,
        )
    if unread.count:
        return problem(
            f"{unread.count:,} of {count:,} files in images/ could not be read",
            "delete nothing: see to the disk and to who may read it, then look again",
            unread.examples,
        )
    if twice.count:
        return note(
            f"{count:,} files in images/ are whole, {twice.count:,} are the same as another",
            "nothing to do: photos that differed in their metadata only are kept once each",
            twice.examples,
        )
    return ok(f"{count:,} files in images/ are whole, no two are the same")


def whole_copy(file: Path) -> bytes:
    """Return a stored copy's bytes.

    Raises `PhotoError` where they are not those it is named by or do not decode, and with a code of
    `UNREAD` where they cannot be read.
    """
    data, checksum = read_photo(file), named_after(file)[1]
    if checksum and checksum != checksum_of(data):
        raise PhotoError("damaged", "it is not what was stored")
    decode(data)
    return data


def missing_copies(catalogue: Catalogue) -> Iterator[str]:
    """Yield the stored copies that a photo has and that are not there, or empty."""
    for photo in _photos(catalogue):
        if not is_there(catalogue.settings.home / photo.stored_image):
            yield photo.stored_image


def _missing(catalogue: Catalogue, name: Callable[[PhotoNames], str]) -> tuple[int, Tally]:
    """Return how many photos are named, and the files among them that are not there."""
    count, gone = 0, Tally()
    for photo in _photos(catalogue):
        count += 1
        if not is_there(catalogue.settings.home / name(photo)):
            gone.add(name(photo))
    return count, gone


def _photos(catalogue: Catalogue) -> Iterator[PhotoNames]:
    """Yield every photo that the database names; no transaction is open meanwhile."""
    with read(catalogue.engine) as session:
        further = health.has_further_photos(session)
    for query in (health.main_photos, health.further_photos)[: 1 + further]:
        last: PhotoNames | None = None
        while True:
            with read(catalogue.engine) as session:
                page = query(session, after=last, limit=_PAGE)
            if not page:
                break
            yield from page
            last = page[-1]


def _groups(images: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield the files in images/, with what their photos' sha256 begins with; no half-written ones.

    A folder is named by the first two characters of its photos. A file beside the folders does not
    belong there, and comes alone.
    """
    for path in sorted(images.glob("*")):
        if path.is_dir():
            yield path.name, sorted(file for file in path.glob("*") if file.name[0] != ".")
        elif path.name[0] != ".":
            yield named_after(path)[0], [path]


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > HOUR
    except FileNotFoundError:
        return False  # it was renamed or removed in between
