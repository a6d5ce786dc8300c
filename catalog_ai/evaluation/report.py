"""How good a model is on photos that it has not seen, measured exactly as it will be served."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog_ai.data.sources import Problem, SourceItem, normal_label
from catalog_ai.errors import PhotoError, TrainingDataError
from catalog_ai.evaluation import metrics
from catalog_ai.evaluation.reshot import shoot_again
from catalog_ai.images import Pixels, decode, read_photo
from catalog_ai.inference.embeddings import CatalogModel

_BATCH = 64

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Seen:
    """What a model says of N readable photos and, where asked for, of another shot of each."""

    items: tuple[SourceItem, ...]
    digests: tuple[str, ...]
    probabilities: NDArray[np.float32]  # (N, C)
    vectors: NDArray[np.float32]  # (N, D), unit length
    reshot: NDArray[np.float32]  # (N, D), or (0, D)
    skipped: tuple[Problem, ...]


@dataclass(frozen=True)
class Evaluation:
    """The figures, and what they were made of, for a report with pictures.

    `targets` (N,) number `categories`, the labels of all photos looked at; `known` (N,) tells which
    of the N carry a label that the model knows; `predicted` (N,) is the best of the categories that
    are both known and present, as a number of the model's classes.
    """

    figures: dict[str, Any]
    queries: Seen
    gallery: Seen | None
    categories: tuple[str, ...]
    targets: NDArray[np.int64]
    gallery_targets: NDArray[np.int64]
    known: NDArray[np.bool_]
    predicted: NDArray[np.int64]
    classes: tuple[str, ...]
    found_first: NDArray[np.bool_]

    @property
    def normal_classes(self) -> tuple[str, ...]:
        """The model's classes in the spelling of `categories`."""
        return tuple(normal_label(name) for name in self.classes)


def evaluate_model(
    model: CatalogModel,
    items: Sequence[SourceItem],
    gallery: Sequence[SourceItem] = (),
    *,
    category_in_gallery: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Return how good `model` is on the labelled photos `items`.

    Photos of the same category and re-shots are searched among `items` and `gallery`, without the
    query itself; with `category_in_gallery` false the category among `items` alone. A gallery photo
    with the very bytes of one of `items` is left out. `seed` is the re-shots'. Raises
    `TrainingDataError` where no photo is readable or none is labelled.
    """
    start = time.perf_counter()
    labelled = [item for item in items if item.label is not None]
    tell = progress or (lambda share, message: None)
    whole = max(1, 2 * len(labelled) + len(gallery))  # a photo shot again costs about two
    queries = look_at(
        model, labelled, reshot_seed=seed, progress=lambda n, words: tell(2 * n / whole, words)
    )
    if not queries.items:
        raise TrainingDataError(
            "there is no readable photo with a label: give a folder with one folder per category"
        )
    others = None
    if gallery:
        others = _without(
            look_at(
                *(model, [item for item in gallery if item.label is not None]),
                progress=lambda n, words: tell((2 * len(labelled) + n) / whole, words),
            ),
            set(queries.digests),
        )
    return _measure(model, queries, others, start, category_in_gallery)


def look_at(
    model: CatalogModel,
    items: Sequence[SourceItem],
    *,
    reshot_seed: int | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> Seen:
    """Return what `model` says of each readable photo; re-shots only with a seed for them."""
    kept: list[SourceItem] = []
    digests: list[str] = []
    skipped: list[Problem] = []
    probabilities = [np.empty((0, len(model.classes)), np.float32)]
    vectors, reshot = ([np.empty((0, model.dimension), np.float32)] for _ in range(2))
    for begin in range(0, len(items), _BATCH):
        read = list(_readable(items[begin : begin + _BATCH], skipped))
        photos = [pixels for _, pixels, _ in read]
        outputs = model.predict(photos)
        probabilities.append(outputs.probabilities)
        vectors.append(outputs.vectors)
        if reshot_seed is not None:
            shots = shoot_again(photos, seed=reshot_seed, first=len(kept))
            reshot.append(model.predict(shots).vectors)
        kept += [item for item, _, _ in read]
        digests += [digest for _, _, digest in read]
        if progress is not None:
            done = min(len(items), begin + _BATCH)
            progress(done, f"Looking at photos: {done:,} of {len(items):,}")
    return Seen(
        items=tuple(kept),
        digests=tuple(digests),
        probabilities=np.concatenate(probabilities),
        vectors=np.concatenate(vectors),
        reshot=np.concatenate(reshot),
        skipped=tuple(skipped),
    )


def _readable(
    items: Sequence[SourceItem], skipped: list[Problem]
) -> Iterator[tuple[SourceItem, Pixels, str]]:
    for item in items:
        try:
            data = read_photo(item.path)
            yield item, decode(data), sha256(data).hexdigest()
        except PhotoError as error:
            skipped.append(Problem(item.image, error.code, error.reason))


def _without(seen: Seen, digests: set[str]) -> Seen:
    rows = [row for row, digest in enumerate(seen.digests) if digest not in digests]
    return replace(
        seen,
        items=tuple(seen.items[row] for row in rows),
        digests=tuple(seen.digests[row] for row in rows),
        probabilities=seen.probabilities[rows],
        vectors=seen.vectors[rows],
    )


def _measure(
    model: CatalogModel,
    queries: Seen,
    gallery: Seen | None,
    start: float,
    category_in_gallery: bool,
) -> Evaluation:
    number_of = {normal_label(name): number for number, name in enumerate(model.classes)}
    labels = [normal_label(item.label or "") for item in queries.items]
    theirs = [normal_label(item.label or "") for item in gallery.items] if gallery else []
    categories = tuple(sorted({*labels, *theirs}))
    place = {name: index for index, name in enumerate(categories)}
    targets = np.array([place[label] for label in labels], np.int64)
    gallery_targets = np.array([place[label] for label in theirs], np.int64)
    truth = np.array([number_of.get(label, -1) for label in labels], np.int64)
    known = truth >= 0
    predicted = _best_present(queries.probabilities, truth[known])
    every = queries.vectors if gallery is None else np.vstack([queries.vectors, gallery.vectors])
    first = metrics.found_first(queries.reshot, every, np.arange(len(labels)))
    retrieval = metrics.retrieval_metrics(
        *(queries.vectors, targets),
        *((gallery.vectors, gallery_targets) if gallery and category_in_gallery else (None, None)),
    )
    figures = {
        **_classification(model, queries.probabilities, truth, predicted),
        **_finite(asdict(retrieval)),
        "reshot_recall_at_1": float(first.mean()),
        "parameters": model.statistics.parameters,
        "mult_adds": model.statistics.mult_adds,
        "images": len(labels),
        "gallery_images": len(theirs),
        "unknown_categories": dict(
            Counter(str(queries.items[row].label) for row in np.flatnonzero(~known))
        ),
        "unreadable": len(queries.skipped) + (len(gallery.skipped) if gallery else 0),
        "seconds": round(time.perf_counter() - start, 2),
    }
    return Evaluation(
        *(figures, queries, gallery, categories, targets, gallery_targets, known, predicted),
        *(model.classes, first),
    )


def _best_present(
    probabilities: NDArray[np.float32], present: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (N,) the likeliest of the classes in `present`; -1 where there is none."""
    if not len(present):
        return np.full(len(probabilities), -1, np.int64)
    classes = np.unique(present)
    best: NDArray[np.int64] = classes[probabilities[:, classes].argmax(1)]
    return best


def _classification(
    model: CatalogModel,
    probabilities: NDArray[np.float32],
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
) -> dict[str, Any]:
    """Return what is said of the categories, all of it on photos whose category is known."""
    known = truth >= 0
    if not known.any():
        none = dict.fromkeys(("accuracy", "accuracy_all", "calibration_error"))
        return {**none, "per_class": {}, "confusion": [], "classes": list(model.classes)}
    truth, predicted, probabilities = truth[known], predicted[known], probabilities[known]
    among_all = probabilities.argmax(1)
    confusion = metrics.confusion_matrix(predicted, truth, len(model.classes))
    per_class = metrics.per_class_accuracy(confusion).tolist()
    error = metrics.calibration_error(probabilities.max(1), among_all == truth)
    return {
        "accuracy": metrics.accuracy(predicted, truth),
        "accuracy_all": metrics.accuracy(among_all, truth),
        "calibration_error": error,
        "per_class": _finite(dict(zip(model.classes, per_class, strict=True))),
        "confusion": confusion.tolist(),
        "classes": list(model.classes),
    }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no nan: a figure that does not exist is null."""
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
