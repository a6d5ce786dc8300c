"""From files to what a product needs of its photos; runs in worker processes, knows no database.

Everything that touches a delivered byte happens here: reading, hashing, decoding, and writing the
stored copy and the thumbnail. A process of a crew asks the model as well, in one thread, so that
only its answers cross to the ingest. Neither torch nor SQLAlchemy is imported.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from catalog_ai.config import Settings
from catalog_ai.errors import PhotoError
from catalog_ai.images import Photo, Pixels, decode_photo, read_photo
from catalog_ai.inference.onnx import ExportedModel
from catalog_ai.inference.predicting import Answer, Outputs, Predictor
from catalog_ai.services.interim import Found, Interim
from catalog_ai.services.photos import is_there, store_photo


@dataclass(frozen=True, slots=True)
class Order:
    """One product's photos as delivered, the main one first.

    `done` is the sha256 of a main photo for which nothing has to be computed, "" where there is
    none; `kept` is sha256 → stored copy, relative to `CATALOG_HOME`, of what the catalogue names
    for the product. A copy that is gone or empty is stored anew.
    """

    paths: tuple[str, ...]
    done: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo by its sha256; `place` counts a product's photos, the main one is 0.

    The paths, relative to `CATALOG_HOME`, are "" where the catalogue has them.
    """

    place: int
    digest: str
    stored: str = ""
    small: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that cannot be used, by its place.

    `digest` is "" where not even its bytes could be read.
    """

    place: int
    code: str
    reason: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of one order.

    `photos` are those that can be used, in their order; without any, there are only `refused`.
    `square` is (S, S, 3) uint8 of the first, for a model that is asked elsewhere; `answer` is the
    model's where it was asked already. Both are None where nothing has to be computed.
    """

    photos: tuple[StoredPhoto, ...]
    square: Pixels | None = None
    refused: tuple[Refusal, ...] = ()
    answer: Answer | None = None


class Model(Protocol):
    """What is asked about photos."""

    def predict(self, photos: Sequence[Pixels]) -> Outputs:
        """Return what it says of at least one."""


@dataclass(frozen=True)
class Preparer:
    """How photos are prepared: for a network that looks at `size` × `size` pixels.

    Bytes whose sha256 is in `refused` (→ code and reason) are not decoded again. Without `keeps`
    nothing is written. `model` is asked about each photo; without one the pixels are returned.
    What is found is kept in `interim`, and what is there is not computed.
    """

    settings: Settings
    root: Path
    size: int
    refused: dict[str, tuple[str, str]]
    keeps: bool = True
    model: ExportedModel | None = None
    interim: Interim | None = None

    def __call__(self, orders: Sequence[Order], number: int | None = None) -> list[Prepared]:
        """Return what became of each order; with the chunk's `number` in the run, keep it.

        Without any, only load the model. Raises `CheckpointError` where the model is damaged.
        """
        predictor = None if self.model is None else _loaded(self.model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damaged metadata: nothing to act on
            found = [self._product(order) for order in orders]
        if predictor is None:
            return found
        found = answered(predictor, found)
        if self.interim is not None and number is not None:
            keep(self.interim, number, found)
        return found

    def _product(self, order: Order) -> Prepared:
        photos: list[StoredPhoto] = []
        refused: list[Refusal] = []
        square: Pixels | None = None
        answer: Answer | None = None
        for place, path in enumerate(order.paths):
            digest = ""
            try:
                data = read_photo(Path(path), below=self.root)
                digest = sha256(data).hexdigest()
                asks, before = not photos and digest != order.done, order.kept.get(digest, "")
                if not asks and before and is_there(self.settings.home / before):
                    photos.append(StoredPhoto(place, digest))
                    continue
                left = self._left(digest, is_main=not photos)
                if left is not None:
                    answer = answer if photos else left.answer
                    photos.append(StoredPhoto(place, digest, left.stored, left.small))
                    continue
                photo = self._decoded(data, digest)
                if asks:
                    square = photo.square(self.size)
                photos.append(self._stored(place, digest, photo, before))
            except PhotoError as error:
                refused.append(Refusal(place, error.code, error.reason, digest))
        return Prepared(tuple(photos), square, tuple(refused), answer)

    def _left(self, digest: str, *, is_main: bool) -> Found | None:
        """Return what an earlier run computed of a photo, where that is all that is needed."""
        found = self.interim.left.get(digest) if self.interim else None
        if found is None or (is_main and found.answer is None):
            return None
        home = self.settings.home
        there = is_there(home / found.stored) and is_there(home / found.small)
        return found if there else None

    def _decoded(self, data: bytes, digest: str) -> Photo:
        if digest in self.refused:
            raise PhotoError(*self.refused[digest])
        return decode_photo(data)

    def _stored(self, place: int, digest: str, photo: Photo, before: str) -> StoredPhoto:
        if not self.keeps:
            return StoredPhoto(place, digest)
        return StoredPhoto(place, digest, *store_photo(self.settings, digest, photo, before))


@cache
def _loaded(model: ExportedModel) -> Predictor:
    return model.load()


def answered(model: Model, found: Sequence[Prepared]) -> list[Prepared]:
    """Put the model's answer in the place of the pixels that it has not been asked about."""
    squares = [one.square for one in found if one.square is not None]
    if not squares:
        return list(found)
    answers = iter(model.predict(squares).answers())
    return [
        one if one.square is None else replace(one, square=None, answer=next(answers))
        for one in found
    ]


def keep(interim: Interim, number: int, found: Sequence[Prepared]) -> None:
    """Keep what became of a run's `number`th chunk, or group, until it is written."""
    interim.keep(
        number,
        [
            Found(photo.digest, photo.stored, photo.small, None if place else one.answer)
            for one in found
            for place, photo in enumerate(one.photos)
            if photo.stored
        ],
    )
