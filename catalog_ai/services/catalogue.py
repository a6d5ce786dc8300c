"""One opened catalogue: its settings and its database. Every service takes it first."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Engine

from catalog_ai.config import Settings, settings
from catalog_ai.errors import DatabaseError, NewerSchemaError
from db import engine as database
from db.errors import SchemaTooNewError, StorageError
from db.queries import models, notes, products, projections, scores
from db.queries import revisions as revision_queries
from db.upgrade import upgrade


@dataclass(frozen=True)
class Catalogue:
    """Where one catalogue lives and how to reach its database."""

    settings: Settings
    engine: Engine


@dataclass(frozen=True)
class CatalogueStatus:
    """What a page needs to know before it can show anything; scores and map of the active model."""

    products: int
    has_model: bool
    has_scores: bool
    has_map: bool
    notes: dict[str, str]


def open_catalogue(chosen: Settings | None = None) -> Catalogue:
    """Open the catalogue of `chosen` (default: the settings in force), its schema up to date.

    The first opening in a process makes the folders and upgrades the schema, under a lock and after
    a backup. Raises `DatabaseError`, and `NewerSchemaError` for a database of a later version.
    """
    return _open(settings() if chosen is None else chosen)


@lru_cache(maxsize=64)
def _open(chosen: Settings) -> Catalogue:
    with in_plain_words():
        try:
            for folder in (chosen.home, chosen.models, chosen.images, chosen.thumbnails):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"the folder {chosen.home} cannot be made: {error.strerror}; set CATALOG_HOME to "
                "a folder that is yours"
            ) from error
        engine = database.create(chosen.database_url)
        upgrade(engine, chosen.backups, chosen.locks)
    return Catalogue(chosen, engine)


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Hand errors of the database on as errors of the catalogue, with the same sentence."""
    try:
        yield
    except SchemaTooNewError as error:
        raise NewerSchemaError(str(error)) from error
    except StorageError as error:
        raise DatabaseError(str(error)) from error


def revision(catalogue: Catalogue, *topics: str) -> tuple[int, ...]:
    """Return the counters of `topics`, for cache keys: they rise with every change."""
    counters = revisions(catalogue)
    return tuple(counters.get(topic, 0) for topic in topics)


def revisions(catalogue: Catalogue) -> dict[str, int]:
    """Return topic → counter of all that ever changed."""
    with in_plain_words(), database.read(catalogue.engine) as session:
        return revision_queries.revisions(session)


def status(catalogue: Catalogue) -> CatalogueStatus:
    """Return what there is to show."""
    with in_plain_words(), database.read(catalogue.engine) as session:
        active = models.active(session)
        return CatalogueStatus(
            products=products.count(session),
            has_model=active is not None,
            has_scores=active is not None and scores.is_assessed(session, active.id),
            has_map=active is not None and projections.is_drawn(session, active.id),
            notes=notes.all_notes(session),
        )
