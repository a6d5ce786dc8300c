"""Tables. Times are UTC; order is by id, never by clock; vectors are "<f4" blobs to the program.

A product has two labels. `label_given` is what the feed delivers, as it came; `label_current` is
what the catalogue holds, in the catalogue's spelling. They differ once a person has decided.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.vectors import Vector

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

DIMENSION = 64  # numbers in a vector; PostgreSQL's column holds no other
REVIEW_STATES = ("open", "kept", "changed", "not_product", "second_look")
ACTIONS = ("keep", "accept", "relabel", "not_product", "second_look", "undo")
RUN_STATES = ("running", "done", "stopped", "failed")
OUTCOMES = ("added", "updated", "retired", "quarantined", "missing", "unlisted")
SETTLED = ("open", "retried", "dismissed")
BATCH_KINDS = ("sheet", "bulk", "rename", "undo")
VERDICTS = ("new", "old", "neither")
JOB_STATES = ("queued", "running", "done", "failed", "lost", "cancelled")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: store UTC times only")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        stored: datetime = value
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """A check that `column` holds one of `values`, named after the column."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Base(DeclarativeBase):
    """Declarative base with named constraints, which Alembic needs to alter SQLite tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        bytes: LargeBinary,
    }


class Product(Base):
    """One product of the catalogue; `version` rises with every change of label or state.

    The photo named here is its main one. `retired_run_id` is the run whose feed no longer had it:
    such a product is hidden, never deleted.
    """

    __tablename__ = "products"
    __table_args__ = (
        one_of("review_state", REVIEW_STATES),
        Index("ix_products_label_state", "label_current", "review_state"),
        # Nearly all are in the feed: an index of those would only lead the planner astray.
        Index(
            "ix_products_retired_run_id",
            "retired_run_id",
            sqlite_where=text("retired_run_id IS NOT NULL"),
            postgresql_where=text("retired_run_id IS NOT NULL"),
        ),
        # Few are decided of a million: counting them must not read the others.
        Index(
            "ix_products_decided",
            *("review_state", "retired_run_id"),
            sqlite_where=text("review_state <> 'open'"),
            postgresql_where=text("review_state <> 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(255), unique=True)
    title: Mapped[str] = mapped_column(Text, default="")
    label_given: Mapped[str | None] = mapped_column(String(255))
    label_current: Mapped[str | None] = mapped_column(String(255))
    image_path: Mapped[str] = mapped_column(Text)  # as delivered, relative to the source
    image_sha256: Mapped[str] = mapped_column(String(64), index=True)  # of the delivered bytes
    stored_image: Mapped[str] = mapped_column(Text)  # relative to CATALOG_HOME
    thumbnail: Mapped[str] = mapped_column(Text)  # relative to CATALOG_HOME
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    review_state: Mapped[str] = mapped_column(String(16), default="open")
    version: Mapped[int] = mapped_column(default=1)
    added_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"), index=True)
    changed_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"), index=True)
    retired_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ProductPhoto(Base):
    """A further photo of a product, beside its main one; `position` is 1 for the first of them."""

    __tablename__ = "product_photos"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    image_path: Mapped[str] = mapped_column(Text)  # as delivered, relative to the source
    image_sha256: Mapped[str] = mapped_column(String(64))  # of the delivered bytes
    stored_image: Mapped[str] = mapped_column(Text)  # relative to CATALOG_HOME
    thumbnail: Mapped[str] = mapped_column(Text)  # relative to CATALOG_HOME


class RefusedPhoto(Base):
    """Bytes that the decoder refused; the same bytes are not tried again by the same decoder."""

    __tablename__ = "refused_photos"

    image_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    decoder_version: Mapped[int]
    code: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class ModelVersion(Base):
    """A trained model; its weights are files, its birth certificate (`meta`) is copied here."""

    __tablename__ = "model_versions"
    __table_args__ = (
        Index(
            "uq_model_versions_active",
            "is_active",
            unique=True,
            sqlite_where=text("is_active"),
            postgresql_where=text("is_active"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(64), unique=True)
    recipe: Mapped[str] = mapped_column(String(64))
    classes: Mapped[list[str]] = mapped_column(JSON)
    dimension: Mapped[int]
    meta: Mapped[dict[str, Any]]
    is_active: Mapped[bool] = mapped_column(default=False)
    is_discarded: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]


class Prediction(Base):
    """What one model version says of one photo; `probabilities` follow the model's classes."""

    __tablename__ = "predictions"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    image_sha256: Mapped[str] = mapped_column(String(64))
    probabilities: Mapped[bytes]  # "<f4", one per class of the model
    top_label: Mapped[str] = mapped_column(String(255))
    confidence: Mapped[float]
    trained_on: Mapped[bool] = mapped_column(default=False)  # the model saw this photo and label


class Embedding(Base):
    """The vector of one photo under one model version; never compared across versions."""

    __tablename__ = "embeddings"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    image_sha256: Mapped[str] = mapped_column(String(64))
    preprocessing_version: Mapped[int] = mapped_column(default=1, server_default="1")
    dimension: Mapped[int]
    # PostgreSQL's index of them (`ix_embeddings_vector`) exists in migration 0006 only: SQLite has
    # none, and Alembic would find it missing there.
    vector: Mapped[bytes] = mapped_column(Vector(DIMENSION))  # "<f4", `dimension` numbers


class Features(Base):
    """What a vector is made of: many numbers, to learn from; rebuilt from the stored photo."""

    __tablename__ = "features"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    image_sha256: Mapped[str] = mapped_column(String(64))
    numbers: Mapped[bytes]  # "<f2"


class Assessment(Base):
    """One pass over all labels; holds the category list that its probabilities follow."""

    __tablename__ = "assessments"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), index=True)
    classes: Mapped[list[str]] = mapped_column(JSON)
    products: Mapped[int]
    flagged: Mapped[int]
    created_at: Mapped[datetime]


class LabelScore(Base):
    """How likely one product's label is wrong, from out-of-fold evidence only.

    `probabilities` come from classifiers that never saw this product's label. `score` is 0..1,
    higher = more likely wrong, null where there is no label to judge. `label` is the label that
    was judged: a score whose label is no longer the product's is stale and not shown.
    """

    __tablename__ = "label_scores"
    __table_args__ = (
        Index("ix_label_scores_queue", "model_version_id", "looks_wrong", "state", "score"),
        Index(
            "ix_label_scores_pairs",
            *("model_version_id", "state", "label", "suggestion", "score"),
            sqlite_where=text("looks_wrong"),
            postgresql_where=text("looks_wrong"),
        ),
        Index(
            "ix_label_scores_odd",
            *("model_version_id", "state", "oddity"),
            sqlite_where=text("looks_odd"),
            postgresql_where=text("looks_odd"),
        ),
        Index(
            "ix_label_scores_unknown",
            *("model_version_id", "state", "label"),
            sqlite_where=text("NOT known_label"),
            postgresql_where=text("NOT known_label"),
        ),
        Index(
            "ix_label_scores_twins",
            "model_version_id",
            "twin_id",
            sqlite_where=text("twin_id IS NOT NULL"),
            postgresql_where=text("twin_id IS NOT NULL"),
        ),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"))
    image_sha256: Mapped[str] = mapped_column(String(64))
    label: Mapped[str | None] = mapped_column(String(255))
    known_label: Mapped[bool]  # the label is a category that the assessment knows
    probabilities: Mapped[bytes]  # "<f4", one per class of the assessment, out of fold
    suggestion: Mapped[str] = mapped_column(String(255))
    confidence: Mapped[float]  # out-of-fold probability of the suggestion
    score: Mapped[float | None]
    looks_wrong: Mapped[bool]
    neighbours: Mapped[list[int]] = mapped_column(JSON)  # product ids, the closest first
    agreement: Mapped[float | None]  # share of the neighbours that carry `label`, 0..1
    # The closest product that is all but the same photo and carries another label.
    twin_id: Mapped[int | None]
    oddity: Mapped[float | None]  # 0..1, higher = less like a product photo
    looks_odd: Mapped[bool] = mapped_column(default=False, server_default=false())
    # The product's `review_state`, null where the score is about another label or photo than it has
    # now, or the product is retired. Triggers of migration 0005 keep it; nothing else writes it.
    state: Mapped[str | None] = mapped_column(String(16))


class Batch(Base):
    """Many decisions that were made as one, and are undone as one (by a batch that names it).

    `parameters` say what it was made from: the filter of a bulk change, the names of a renaming.
    """

    __tablename__ = "batches"
    __table_args__ = (one_of("kind", BATCH_KINDS),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(Text)  # "38 products: Top → T-shirt"
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    products: Mapped[int]
    reviewer: Mapped[str] = mapped_column(String(120))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"), unique=True)
    request_key: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime]


class Decision(Base):
    """What a person decided; append-only (triggers refuse UPDATE and DELETE), undo is a new row."""

    __tablename__ = "decisions"
    __table_args__ = (one_of("action", ACTIONS), Index("ix_decisions_decided_at", "decided_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    action: Mapped[str] = mapped_column(String(16))
    label_given: Mapped[str | None] = mapped_column(String(255))  # the feed's, at that moment
    label_before: Mapped[str | None] = mapped_column(String(255))
    label_after: Mapped[str | None] = mapped_column(String(255))
    state_before: Mapped[str] = mapped_column(String(16))
    state_after: Mapped[str] = mapped_column(String(16))
    suggestion: Mapped[str | None] = mapped_column(String(255))
    score: Mapped[float | None]
    image_sha256: Mapped[str] = mapped_column(String(64))  # the photo that was seen
    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    reviewer: Mapped[str] = mapped_column(String(120), index=True)
    note: Mapped[str] = mapped_column(Text, default="")
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"), unique=True)
    request_key: Mapped[str] = mapped_column(String(64), unique=True)  # made when the card is drawn
    decided_at: Mapped[datetime]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"), index=True)


class Recheck(Base):
    """A decision that is shown once more, unsaid; `answer_id` is what somebody then decided."""

    __tablename__ = "rechecks"

    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id"), primary_key=True)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"), unique=True)
    agrees: Mapped[bool | None]
    answered_at: Mapped[datetime | None]


class Claim(Base):
    """A product that somebody is looking at, so that nobody else is given it until `until`."""

    __tablename__ = "claims"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))  # a browser session
    reviewer: Mapped[str] = mapped_column(String(120))
    until: Mapped[datetime] = mapped_column(index=True)


class SavedView(Base):
    """A view of the desk under a name: the query of its address."""

    __tablename__ = "saved_views"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    query: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


class Category(Base):
    """A category that people added, or a name that they gave up for another (`renamed_to`).

    `normal_name` is the name as `normal_label` writes it: two spellings are one category.
    """

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    normal_name: Mapped[str] = mapped_column(String(255), unique=True)
    renamed_to: Mapped[str | None] = mapped_column(String(255))
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]


class Overlap(Base):
    """How much two categories run into each other, as an assessment saw it.

    `share` is 0..1: how likely, on average, a product of the two is said to be of the other one.
    `border` are products between them, the most undecided first.
    """

    __tablename__ = "overlaps"

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"), primary_key=True)
    one: Mapped[str] = mapped_column(String(255), primary_key=True)
    other: Mapped[str] = mapped_column(String(255), primary_key=True)
    share: Mapped[float]
    products: Mapped[int]
    border: Mapped[list[int]] = mapped_column(JSON)  # product ids


class Difference(Base):
    """A product that a model on trial would put elsewhere than the model it was compared with.

    `draw` is a number of chance, the same every time: the lowest are the sample to judge.
    """

    __tablename__ = "differences"
    __table_args__ = (
        Index("ix_differences_draw", "model_version_id", "draw"),
        Index("ix_differences_pair", "model_version_id", "old_label", "new_label"),
    )

    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    image_sha256: Mapped[str] = mapped_column(String(64))  # the photo that both looked at
    old_label: Mapped[str] = mapped_column(String(255))
    new_label: Mapped[str] = mapped_column(String(255))
    old_confidence: Mapped[float]
    new_confidence: Mapped[float]
    draw: Mapped[int]


class Verdict(Base):
    """What a person says of a product that two models see differently."""

    __tablename__ = "verdicts"
    __table_args__ = (one_of("verdict", VERDICTS),)

    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16))
    reviewer: Mapped[str] = mapped_column(String(120))
    given_at: Mapped[datetime]


class Export(Base):
    """A file that was handed out: what, how many rows, up to which decision."""

    __tablename__ = "exports"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    format: Mapped[str] = mapped_column(String(16))
    file_name: Mapped[str] = mapped_column(Text)
    rows: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    last_decision_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"))
    # Of a file of changes: those after this decision, up to the last one.
    after_decision_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime]


class Run(Base):
    """One ingest; counts are final once `state` is no longer running.

    `page` is the file that the run's page was asked to be written to; the worker writes it again
    once labels have been looked at. `options` are what a later try needs to read the same delivery.
    """

    __tablename__ = "runs"
    __table_args__ = (one_of("state", RUN_STATES),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    state: Mapped[str] = mapped_column(String(16), default="running")
    seen: Mapped[int] = mapped_column(default=0)
    added: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int] = mapped_column(default=0)
    missing: Mapped[int] = mapped_column(default=0)
    unlisted: Mapped[int] = mapped_column(default=0)
    second_look: Mapped[int] = mapped_column(default=0)
    retired: Mapped[int] = mapped_column(default=0, server_default="0")
    seconds: Mapped[float] = mapped_column(default=0.0)
    images_per_second: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(Text, default="")
    page: Mapped[str] = mapped_column(Text, default="", server_default="")
    options: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RunItem(Base):
    """One photo or row that a run changed or could not use; unchanged ones leave no row.

    `label_before` and `label_after` are the catalogue's label where the run moved it. `settled`
    says what a person did about something that could not be used; `thumbnail` shows it where
    there is anything to show.
    """

    __tablename__ = "run_items"
    __table_args__ = (
        one_of("outcome", OUTCOMES),
        one_of("settled", SETTLED),
        Index("ix_run_items_run_outcome", "run_id", "outcome"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"), index=True)
    sku: Mapped[str] = mapped_column(String(255))
    image: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    label_before: Mapped[str | None] = mapped_column(String(255))
    label_after: Mapped[str | None] = mapped_column(String(255))
    thumbnail: Mapped[str] = mapped_column(Text, default="", server_default="")
    settled: Mapped[str] = mapped_column(String(16), default="open", server_default="open")


class Job(Base):
    """Long work for `python -m catalog_ai.worker`; a silent heartbeat makes it lost."""

    __tablename__ = "jobs"
    __table_args__ = (one_of("state", JOB_STATES),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(16), default="queued", index=True)
    progress: Mapped[float] = mapped_column(default=0.0)  # 0..1
    message: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    requested_by: Mapped[str] = mapped_column(String(120), default="")
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("workers.id"))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Worker(Base):
    """A worker process and the last sign of life from it."""

    __tablename__ = "workers"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]


class Projection(Base):
    """One computed map of the catalogue."""

    __tablename__ = "projections"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"), index=True)
    method: Mapped[str] = mapped_column(String(32))
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    products: Mapped[int]
    created_at: Mapped[datetime]


class ProjectionPoint(Base):
    """Where one product lies on one map."""

    __tablename__ = "projection_points"

    projection_id: Mapped[int] = mapped_column(ForeignKey("projections.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    x: Mapped[float]
    y: Mapped[float]


class Revision(Base):
    """A counter per topic, raised by the transaction that changes it; part of every cache key."""

    __tablename__ = "revisions"

    topic: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Note(Base):
    """A sentence about the catalogue as a whole that pages show, by name (for instance `model`)."""

    __tablename__ = "notes"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
