"""Try a new model first: which products would change category, and what people say of a sample.

What is found is stored: `compare` looks at all products once, in the worker. Figures are of photos
that are held out (`data.held_out`), with the labels that the catalogue holds. Those that look wrong
count as well: they are where the active model disagrees with the label, so that without them it
would be spared its own mistakes and the new one would not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from catalog_ai.data.held_out import is_held_out
from catalog_ai.data.labels import normal_label
from catalog_ai.errors import UnknownVersionError, UsageError
from catalog_ai.evaluation.side_by_side import Answers, Tally
from catalog_ai.evaluation.side_by_side import interval as interval
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.classifying import model_row
from catalog_ai.services.ingest import embed_missing
from catalog_ai.services.jobs import Progress
from catalog_ai.services.models import activate
from catalog_ai.services.photos import ensure_thumbnail
from db.commands import models as model_commands
from db.commands import verdicts as commands
from db.engine import read, write
from db.queries import comparing as queries
from db.queries import models
from db.schema import VERDICTS

PAGE_SIZE = 24
SAMPLE = 40  # products to judge
COMPARISON = "comparison"  # in a birth certificate
_EMBEDDED = 0.9
_GROUPS = ("everything", "unseen", "undoubted", "confirmed", "confirmed_unseen")
_TOUCHES = ("trials",)


@dataclass(frozen=True)
class CategoryTally:
    """One category's held-out photos, as both models see them."""

    category: str
    tally: Tally


@dataclass(frozen=True)
class Figures:
    """Both models on held-out photos.

    `unseen` are those that neither has ever learnt from, `undoubted` those whose label does not
    look wrong, `confirmed` those that somebody decided about.
    """

    everything: Tally
    unseen: Tally
    undoubted: Tally
    confirmed: Tally
    confirmed_unseen: Tally
    by_category: tuple[CategoryTally, ...]  # of `fair`

    @property
    def seen(self) -> int:
        """On how many photos the active model's figure is too good, having learnt from them."""
        return self.everything.photos - self.unseen.photos

    @property
    def fair(self) -> Tally:
        """The photos that neither has learnt from; all, where there are none of these."""
        return self.unseen if self.unseen.photos else self.everything


@dataclass(frozen=True)
class Judged:
    """What people said of products that would change category."""

    new: int
    old: int
    neither: int

    @property
    def total(self) -> int:
        """How many products were judged."""
        return self.new + self.old + self.neither


@dataclass(frozen=True)
class TrialPair:
    """How many products would go from one category to another."""

    old: str
    new: str
    products: int


@dataclass(frozen=True)
class Trial:
    """A version beside the active one: what would change, and how good both are."""

    version: str
    base: str
    compared_at: datetime
    corrections: int | None
    products: int
    changed: int
    pairs: tuple[TrialPair, ...]
    figures: Figures
    judged: Judged


@dataclass(frozen=True)
class Change:
    """A product that would go elsewhere; `verdict` is "" before anybody judged it."""

    product_id: int
    sku: str
    title: str
    label: str | None
    thumbnail: Path
    image: Path
    old_label: str
    new_label: str
    old_confidence: float
    new_confidence: float
    verdict: str
    reviewer: str


@dataclass(frozen=True)
class ChangePage:
    """A part of the products that would go elsewhere, and how many there are in all."""

    items: tuple[Change, ...]
    total: int
    page: int
    pages: int


def compare(
    catalogue: Catalogue,
    version: str,
    *,
    base: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Look at all products with `version`, and store where it differs from the active model.

    `base` is what it is compared with, by default the active version. Returns how many products
    there are and how many would change category. Raises `UnknownVersionError`, `CheckpointError`.
    """
    tell = progress or (lambda share, message: None)
    embed_missing(catalogue, version, progress=lambda share, words: tell(_EMBEDDED * share, words))
    old, new = model_row(catalogue, base), model_row(catalogue, version)
    if old.id == new.id:
        raise UsageError(f"{version!r} is the active model: there is nothing to compare it with")
    with in_plain_words(), write(catalogue.engine, touches=_TOUCHES) as session:
        commands.clear_differences(session, new.id)
    found = _Found(new)
    for rows in _opinions(catalogue, old.id, new.id):
        tell(_EMBEDDED, f"Comparing, {found.products:,} products so far")
        differing = [_difference(version, row) for row in rows if row.old_label != row.new_label]
        found.add(rows)
        with in_plain_words(), write(catalogue.engine) as session:
            commands.add_differences(session, new.id, differing)
    _conclude(catalogue, old, new, found)
    return {"version": version, "products": found.products, "changed": found.changed}


def open_trial(catalogue: Catalogue) -> Trial | None:
    """Return the newest version that was compared with the active one and is still to be decided.

    None where there is none: nothing was trained, or all was promoted or discarded.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        active = models.active(session)
        rows = models.all_versions(session)
    for row in rows:
        compared = row.meta.get(COMPARISON)
        idle = not (row.is_active or row.is_discarded)
        if compared and idle and active and compared["base"] == active.version:
            return trial(catalogue, row.version)
    return None


def trial(catalogue: Catalogue, version: str) -> Trial:
    """Return what comparing `version` found, and what people said so far.

    Raises `UnknownVersionError`, and `UsageError` for a version that was not compared.
    """
    row = _row(catalogue, version)
    meta = row.meta.get(COMPARISON)
    if not meta:
        raise UsageError(f"the model {version!r} was not compared yet: ask for that first")
    with in_plain_words(), read(catalogue.engine) as session:
        pairs = queries.difference_pairs(session, row.id)
        verdicts = queries.verdict_counts(session, row.id)
    return Trial(
        version=row.version,
        base=meta["base"],
        compared_at=datetime.fromisoformat(meta["compared_at"]),
        corrections=row.meta.get("corrections"),
        products=meta["products"],
        changed=sum(count for _, _, count in pairs),
        pairs=tuple(TrialPair(*pair) for pair in pairs),
        figures=_figures(meta),
        judged=Judged(**{name: verdicts.get(name, 0) for name in VERDICTS}),
    )


def changes(
    catalogue: Catalogue, version: str, *, pair: tuple[str, str] | None = None, page: int = 1
) -> ChangePage:
    """Return a page of the products that `version` would put elsewhere, the surest first.

    `pair` is (old category, new one), None for all. A page beyond the last is the last.
    """
    row = _row(catalogue, version)
    with in_plain_words(), read(catalogue.engine) as session:
        total = queries.difference_count(session, row.id, pair)
        pages = max(1, -(-total // PAGE_SIZE))
        page = min(max(1, page), pages)
        found = queries.differences(
            session, row.id, pair=pair, offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE
        )
    return ChangePage(_changes(catalogue, found), total, page, pages)


def to_judge(catalogue: Catalogue, version: str) -> tuple[Change, ...]:
    """Return the sample of products to judge, by chance and the same for everybody."""
    row = _row(catalogue, version)
    with in_plain_words(), read(catalogue.engine) as session:
        found = queries.sample(session, row.id, SAMPLE)
    return _changes(catalogue, found)


def judge(
    catalogue: Catalogue, version: str, product_id: int, verdict: str, *, reviewer: str
) -> None:
    """Store whether the new model is right about a product, the old one, or neither.

    A later word takes the place of an earlier one. Raises `UsageError`.
    """
    if verdict not in VERDICTS:
        raise UsageError(f"{verdict!r} is no verdict: choose from {', '.join(VERDICTS)}")
    if not reviewer.strip():
        raise UsageError("type your name on the left first: it is stored with what you say")
    row = _row(catalogue, version)
    with in_plain_words(), write(catalogue.engine, touches=_TOUCHES) as session:
        if not queries.differs(session, row.id, product_id):
            raise UsageError("both models agree about this product now: go on to the next")
        commands.give_verdict(
            session, row.id, product_id, verdict, reviewer.strip(), datetime.now(UTC)
        )


def take_back(catalogue: Catalogue, version: str, product_id: int) -> None:
    """Forget what was said of a product."""
    row = _row(catalogue, version)
    with in_plain_words(), write(catalogue.engine, touches=_TOUCHES) as session:
        commands.take_verdict_back(session, row.id, product_id)


def promote(catalogue: Catalogue, version: str, *, reviewer: str) -> None:
    """Use the model on trial from now on, in one transaction; the one before stays.

    Going back is the same with an earlier version. Raises `UnknownVersionError`, also where it
    was discarded meanwhile.
    """
    activate(catalogue, version, requested_by=reviewer)


class _Found:
    """What a comparison gathers while it goes through all products."""

    def __init__(self, new: models.ModelRow) -> None:
        self.products = 0
        self.changed = 0
        self.answers: dict[str, list[Answers]] = defaultdict(list)
        self._known = {normal_label(name) for name in new.classes}

    def add(self, rows: Sequence[queries.OpinionRow]) -> None:
        self.products += len(rows)
        self.changed += sum(row.old_label != row.new_label for row in rows)
        for row in rows:
            truth = normal_label(row.label or "")
            usable = row.review_state not in {"not_product", "second_look"}
            if usable and truth in self._known and is_held_out(row.image_sha256):
                said = Answers(truth, normal_label(row.old_label), normal_label(row.new_label))
                self._sort(row, said)

    def _sort(self, row: queries.OpinionRow, said: Answers) -> None:
        groups = ["everything"]
        unseen = not (row.old_trained or row.new_trained)
        if unseen:
            groups.append("unseen")
        if not row.doubted:
            groups.append("undoubted")
        if row.review_state in {"kept", "changed"}:
            groups += ["confirmed", "confirmed_unseen"] if unseen else ["confirmed"]
        for group in groups:
            self.answers[group].append(said)

    def to_meta(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the figures as JSON values; `names` are the new model's categories."""
        fair = self.answers["unseen"] or self.answers["everything"]
        of_category = {
            name: Tally.of(one for one in fair if one.truth == normal_label(name)) for name in names
        }
        return {
            "products": self.products,
            "changed": self.changed,
            **{group: Tally.of(self.answers[group]).to_meta() for group in _GROUPS},
            "by_category": [
                {"category": name, **tally.to_meta()}
                for name, tally in of_category.items()
                if tally.photos
            ],
        }


def _opinions(catalogue: Catalogue, old_id: int, new_id: int) -> Any:
    last = 0
    while True:
        with in_plain_words(), read(catalogue.engine) as session:
            rows = queries.opinions(session, old_id, new_id, after_id=last)
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _difference(version: str, row: queries.OpinionRow) -> dict[str, Any]:
    drawn = sha256(f"{version} {row.id}".encode()).digest()
    return {
        "product_id": row.id,
        "image_sha256": row.image_sha256,
        "old_label": row.old_label,
        "new_label": row.new_label,
        "old_confidence": row.old_confidence,
        "new_confidence": row.new_confidence,
        "draw": int.from_bytes(drawn[:4], "big") >> 1,  # a column holds 31 bits
    }


def _conclude(
    catalogue: Catalogue, old: models.ModelRow, new: models.ModelRow, found: _Found
) -> None:
    from catalog_ai.model_folder import amend_meta

    compared = {
        "base": old.version,
        "compared_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **found.to_meta(new.classes),
    }
    amend_meta(catalogue.settings.models / new.version, **{COMPARISON: compared})
    with in_plain_words(), write(catalogue.engine, touches=("models", *_TOUCHES)) as session:
        model_commands.set_meta(session, new.id, new.meta | {COMPARISON: compared})


def _figures(meta: dict[str, Any]) -> Figures:
    return Figures(
        **{group: Tally.from_meta(meta[group]) for group in _GROUPS},
        by_category=tuple(
            CategoryTally(one["category"], Tally.from_meta(one)) for one in meta["by_category"]
        ),
    )


def _row(catalogue: Catalogue, version: str) -> models.ModelRow:
    with in_plain_words(), read(catalogue.engine) as session:
        row = models.by_version(session, version)
    if row is None:
        raise UnknownVersionError(f"there is no model {version!r}: the page Models lists them")
    return row


def _changes(catalogue: Catalogue, rows: Sequence[queries.DifferenceRow]) -> tuple[Change, ...]:
    settings = catalogue.settings
    return tuple(
        Change(
            *(row.product_id, row.sku, row.title, row.label),
            thumbnail=ensure_thumbnail(settings, row.stored_image, row.thumbnail),
            image=settings.home / row.stored_image,
            old_label=row.old_label,
            new_label=row.new_label,
            old_confidence=row.old_confidence,
            new_confidence=row.new_confidence,
            verdict=row.verdict,
            reviewer=row.reviewer,
        )
        for row in rows
    )
