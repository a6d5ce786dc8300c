"""Read what a check of the catalogue needs; columns one by one, so that an older schema does too.

Rows that grow to millions are counted in SQL or paged by key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, inspect, or_, select, text, tuple_, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.schema import (
    Decision,
    Embedding,
    Job,
    ModelVersion,
    Prediction,
    Product,
    ProductPhoto,
    Run,
    Worker,
)

EXAMPLES = 5


@dataclass(frozen=True)
class Misfits:
    """How many rows do not fit, and the first few of them in words."""

    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class PhotoNames:
    """The files of one photo, relative to `CATALOG_HOME`; position 0 is a product's main photo."""

    product_id: int
    position: int
    stored_image: str
    thumbnail: str


@dataclass(frozen=True)
class VectorRange:
    """How many vectors a model version has, and between which products."""

    model_version_id: int
    version: str
    dimension: int
    count: int
    first_id: int
    last_id: int


@dataclass(frozen=True)
class WorkFacts:
    """Jobs and the newest worker; lists of jobs are (id, kind).

    `abandoned` are marked running while their worker is gone, `lost` were given up and never asked
    for again. `silent` says that the newest worker ended without signing off.
    """

    abandoned: list[tuple[int, str]]
    lost: list[tuple[int, str]]
    queued: int
    working: bool
    silent: bool


def sqlite_version(session: Session) -> str:
    """Return the version of SQLite that is at work."""
    return str(session.scalar(text("SELECT sqlite_version()")))


def journal_mode(session: Session) -> str:
    """Return SQLite's journal mode: `wal` or `delete` (the rollback journal)."""
    return str(session.scalar(text("PRAGMA journal_mode")))


def integrity(session: Session, *, full: bool) -> list[str]:
    """Return what SQLite finds damaged, at most 100 lines; `full` compares the indexes as well."""
    pragma = "integrity_check" if full else "quick_check"
    lines = session.scalars(text(f"PRAGMA {pragma}")).all()
    return [] if lines == ["ok"] else [str(line) for line in lines]


def broken_references(session: Session) -> Misfits:
    """Return rows that refer to others which are not there."""
    count = 0
    examples: list[str] = []
    for table, row, parent, _ in session.execute(text("PRAGMA foreign_key_check")):
        count += 1
        if len(examples) < EXAMPLES:
            examples.append(f"row {row} of {table} has no {parent}")
    return Misfits(count, tuple(examples))


def has_further_photos(session: Session) -> bool:
    """Return whether the schema has further photos of a product yet."""
    return inspect(session.connection()).has_table(ProductPhoto.__tablename__)


def main_photos(session: Session, *, after: PhotoNames | None, limit: int) -> list[PhotoNames]:
    """Return a page of products' main photos, by product, behind `after`."""
    query = (
        select(Product.id, Product.stored_image, Product.thumbnail)
        .where(Product.id > (after.product_id if after else 0))
        .order_by(Product.id)
        .limit(limit)
    )
    return [PhotoNames(found.id, 0, *found[1:]) for found in session.execute(query)]


def further_photos(session: Session, *, after: PhotoNames | None, limit: int) -> list[PhotoNames]:
    """Return a page of further photos, by product and position, behind `after`."""
    key = tuple_(ProductPhoto.product_id, ProductPhoto.position)
    query = (
        select(
            *(ProductPhoto.product_id, ProductPhoto.position),
            *(ProductPhoto.stored_image, ProductPhoto.thumbnail),
        )
        .where(key > ((after.product_id, after.position) if after else (0, 0)))
        .order_by(ProductPhoto.product_id, ProductPhoto.position)
        .limit(limit)
    )
    return [PhotoNames(*found) for found in session.execute(query)]


def stored_images(session: Session) -> Iterator[str]:
    """Yield every stored photo's name once, sorted; for a copy, which nobody waits to write to."""
    named: list[Select[tuple[str]]] = [select(Product.stored_image)]
    if has_further_photos(session):
        named.append(select(ProductPhoto.stored_image))
    rows = session.execute(union(*named).order_by("stored_image").execution_options(yield_per=1000))
    for (name,) in rows:
        yield str(name)


def images_under(session: Session, prefix: str) -> tuple[set[str], set[str]]:
    """Return what names photos whose sha256 begins with `prefix`.

    First the stored copies of products and further photos, then the sha256 of photos that somebody
    saw when deciding: these stay, although the product may have another photo by now.
    """
    columns = [(Product.stored_image, Product.image_sha256)]
    if has_further_photos(session):
        columns.append((ProductPhoto.stored_image, ProductPhoto.image_sha256))
    names = {
        name
        for stored, sha256 in columns
        for name in session.scalars(select(stored).where(*_begins(sha256, prefix)))
    }
    seen = session.scalars(
        select(Decision.image_sha256).where(*_begins(Decision.image_sha256, prefix))
    )
    return names, set(seen)


def vector_ranges(session: Session) -> list[VectorRange]:
    """Return each model version's vectors as counts and bounds."""
    query = (
        select(
            *(ModelVersion.id, ModelVersion.version, ModelVersion.dimension, func.count()),
            *(func.min(Embedding.product_id), func.max(Embedding.product_id)),
        )
        .join(Embedding, Embedding.model_version_id == ModelVersion.id)
        .group_by(ModelVersion.id)
        .order_by(ModelVersion.id)
    )
    return [VectorRange(*found) for found in session.execute(query)]


def misshapen_vectors(session: Session) -> Misfits:
    """Return vectors whose dimension or bytes are not what their model version says, of all."""
    wrong = Embedding.dimension != ModelVersion.dimension
    if session.get_bind().dialect.name == "sqlite":  # PostgreSQL's column has one length only
        wrong = or_(wrong, func.length(Embedding.vector) != 4 * ModelVersion.dimension)
    query = (
        select(Embedding.product_id, ModelVersion.version)
        .join(ModelVersion, ModelVersion.id == Embedding.model_version_id)
        .where(wrong)
    )
    return _misfits(session, query, Embedding.product_id)


def misshapen_predictions(session: Session, model_version_id: int, classes: int) -> Misfits:
    """Return predictions of a version that do not hold one probability per class, of all."""
    query = (
        select(Prediction.product_id, ModelVersion.version)
        .join(ModelVersion, ModelVersion.id == Prediction.model_version_id)
        .where(
            Prediction.model_version_id == model_version_id,
            func.length(Prediction.probabilities) != 4 * classes,
        )
    )
    return _misfits(session, query, Prediction.product_id)


def vectors_after(
    session: Session, model_version_id: int, product_id: int, limit: int
) -> list[tuple[int, bytes]]:
    """Return (product id, blob) of the next vectors behind `product_id`."""
    query = (
        select(Embedding.product_id, Embedding.vector)
        .where(Embedding.model_version_id == model_version_id, Embedding.product_id > product_id)
        .order_by(Embedding.product_id)
        .limit(limit)
    )
    return [(found.product_id, found.vector) for found in session.execute(query)]


def running_runs(session: Session) -> list[int]:
    """Return the runs that are marked running."""
    return list(session.scalars(select(Run.id).where(Run.state == "running").order_by(Run.id)))


def work(session: Session, silent_since: datetime) -> WorkFacts:
    """Return how jobs and workers stand; a worker not heard of since then counts as gone."""
    at_work = (Worker.heartbeat_at >= silent_since) & Worker.stopped_at.is_(None)
    alive = set(session.scalars(select(Worker.id).where(at_work)))
    newest = session.execute(
        select(Worker.id, Worker.stopped_at).order_by(Worker.id.desc()).limit(1)
    ).first()
    running = session.execute(
        select(Job.id, Job.kind, Job.worker_id).where(Job.state == "running").order_by(Job.id)
    )
    waiting = select(func.count()).select_from(Job).where(Job.state == "queued")
    return WorkFacts(
        abandoned=[(job.id, job.kind) for job in running if job.worker_id not in alive],
        lost=_lost(session),
        queued=session.scalar(waiting) or 0,
        working=bool(alive),
        silent=newest is not None and newest.stopped_at is None and newest.id not in alive,
    )


def _lost(session: Session) -> list[tuple[int, str]]:
    """Return the newest job of each kind where it was given up and never asked for again."""
    newest = select(func.max(Job.id)).where(Job.state != "cancelled").group_by(Job.kind)
    query = select(Job.id, Job.kind).where(Job.id.in_(newest), Job.state == "lost")
    return [(found.id, found.kind) for found in session.execute(query.order_by(Job.id))]


def _misfits(
    session: Session, query: Select[int, str], order: InstrumentedAttribute[int]
) -> Misfits:
    count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if not count:
        return Misfits(0, ())
    first = session.execute(query.order_by(order).limit(EXAMPLES))
    return Misfits(count, tuple(f"product {product} under {version}" for product, version in first))


def _begins(column: InstrumentedAttribute[str], prefix: str) -> tuple[ColumnElement[bool], ...]:
    """Return conditions that an index can serve: LIKE, blind to case, cannot use ours.

    After 9 comes a: what lies between them has another place in some languages that a server may
    sort by, digits and letters have not.
    """
    following = {"9": "a"}.get(prefix[-1], chr(ord(prefix[-1]) + 1))
    return column >= prefix, column < prefix[:-1] + following
