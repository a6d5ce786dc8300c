"""Categories: which there are, adding one, and what a given-up name now means.

A category is what the active model knows, what people added, and what enough products of the feed
carry, minus the names that were given up (`renaming`). So a merchant's own categories are judged
and suggested like any other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from catalog_ai.data.sources import NO_LABEL_WORDS, normal_label
from catalog_ai.errors import UsageError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.commands import categories as commands
from db.engine import read, write
from db.queries import categories as queries
from db.queries import models
from db.queries.categories import CategoryRow, LabelCount
from db.queries.models import ModelRow

ENOUGH = 20  # products: a label that so many of the feed carry is a category
MAX_NAME = 255
MAX_REVIEWER = 120
_FEW_SHOWN = 30
_MANY_SHOWN = 200  # labels in a list to choose from


@dataclass(frozen=True)
class Names:
    """The categories, the model's own first; `aliases` maps `normal_label` of what was given up."""

    names: tuple[str, ...]
    aliases: Mapping[str, str]

    def of(self, label: str | None) -> str | None:
        """Return the category that a label means, None where it means none."""
        normal = normal_label(label or "")
        wanted = normal_label(self.aliases.get(normal, normal))
        return next((name for name in self.names if normal_label(name) == wanted), None)


@dataclass(frozen=True)
class CategoryView:
    """One category as pages show it; `added_by` is who added it, "" for nobody."""

    name: str
    products: int
    confirmed: int
    looks_wrong: int
    added_by: str
    in_model: bool


@dataclass(frozen=True)
class FewView:
    """A label that few products carry and that is no category; `like` is what they look like."""

    label: str
    products: int
    like: str | None


@dataclass(frozen=True)
class Overview:
    """All categories by name, and what might become one, the commonest first."""

    categories: tuple[CategoryView, ...]
    few: tuple[FewView, ...]


def categories(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the categories to choose from, by name.

    Where the model knows none of its own, whatever the feed says is one.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        found = known(session, models.active(session)).names
    return tuple(sorted(found, key=str.casefold))


def overview(catalogue: Catalogue) -> Overview:
    """Return the categories with their counts, and the labels that are none yet."""
    with in_plain_words(), read(catalogue.engine) as session:
        model, rows = models.active(session), queries.all_rows(session)
        counts = queries.label_counts(session)
        names = named(model, rows, counts)
        wrong = queries.wrong_counts(session, model.id) if model else {}
        few = _few(names, counts)
        like = queries.suggested(session, model.id, list(few)) if model else {}
    return Overview(
        tuple(_views(names, model, rows, counts, wrong)),
        tuple(
            FewView(label, products, _like(names, label, like.get(label, {})))
            for label, products in few.items()
        ),
    )


def not_yet(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the commonest labels that products carry and that are no category, by name."""
    with in_plain_words(), read(catalogue.engine) as session:
        model, rows = models.active(session), queries.all_rows(session)
        counts = queries.label_marks(session, 2 * ENOUGH)
    there = {normal_label(name) for name in named(model, rows, counts).names}
    others: Counter[str] = Counter()
    for count in counts:
        if normal_label(count.label) not in there:
            others[count.label] += count.products
    ordered = sorted(others, key=lambda label: (-others[label], label))
    return tuple(sorted(ordered[:_MANY_SHOWN], key=str.casefold))


def add(catalogue: Catalogue, name: str, *, reviewer: str) -> str:
    """Add a category and return a sentence; a second time changes nothing.

    Raises `UsageError` for a name that is none, is taken, or was given up.
    """
    reviewer, name = reviewer_name(reviewer), category_name(name)
    normal = normal_label(name)
    with in_plain_words(), write(catalogue.engine, touches=("labels", "scores")) as session:
        rows = {row.normal_name: row for row in queries.all_rows(session)}
        names = known(session, models.active(session))
        if normal in names.aliases:
            raise UsageError(
                f"“{name}” was given up for “{names.aliases[normal]}”: undo that to have it back"
            )
        if normal not in rows:
            there = names.of(name)
            if there is not None:
                raise UsageError(f"there is a category “{there}” already: choose another name")
            commands.put(session, name, normal, None, reviewer, datetime.now(UTC))
            commands.make_known(session, spelled(session, [normal]))
    jobs.enqueue(catalogue, "assess")
    return f"{name} is a category now."


def remove(catalogue: Catalogue, name: str, *, reviewer: str) -> str:
    """Take back a category that somebody added, and return a sentence.

    Raises `UsageError` where products carry it, the model knows it, or nobody added it.
    """
    reviewer_name(reviewer)
    normal = normal_label(name)
    with in_plain_words(), write(catalogue.engine, touches=("labels", "scores")) as session:
        model = models.active(session)
        rows = {row.normal_name: row for row in queries.all_rows(session)}
        if normal not in rows or rows[normal].renamed_to is not None:
            raise UsageError(f"nobody added “{name}”: reload the page")
        if model is not None and normal in map(normal_label, model.classes):
            raise UsageError(f"the model knows “{name}”: rename it or merge it into another")
        if normal in map(normal_label, aliases(session).values()):
            raise UsageError(f"other names mean “{name}” by now: undo that renaming instead")
        products = queries.carrying(session, spelled(session, [normal]))
        if products:
            raise UsageError(f"“{name}” has {products:,} products: merge it into another category")
        commands.forget(session, [normal])
    jobs.enqueue(catalogue, "assess")
    return f"{name} is no category any more."


# --- for other services, in their transactions --------------------------------------------------


def known(session: Session, model: ModelRow | None, *, without_model: int = 1) -> Names:
    """Return the categories under a model; where it knows none, labels of `without_model` products
    are enough.
    """
    most = 2 * max(ENOUGH, without_model)
    counts, rows = queries.label_marks(session, most), queries.all_rows(session)
    return named(model, rows, counts, without_model=without_model)


def aliases(session: Session) -> dict[str, str]:
    """Return `normal_label` of each name that was given up → the name that is in its place."""
    return _aliases(queries.all_rows(session))


def spelled(session: Session, normal_names: Iterable[str]) -> list[str]:
    """Return the labels that products carry and that are spellings of these names."""
    wanted = set(normal_names)
    return [label for label in queries.spellings(session) if normal_label(label) in wanted]


def named(
    model: ModelRow | None,
    rows: Sequence[CategoryRow],
    counts: Sequence[LabelCount],
    *,
    without_model: int = 1,
) -> Names:
    """Return the categories: the model's in its order, then the others by name.

    A label that somebody chose for a product is a category as well: it was one at that time.
    """
    classes = model.classes if model else ()
    enough = ENOUGH if classes else without_model
    given_up = _aliases(rows)
    written = {row.normal_name: row.name for row in rows if row.renamed_to is None}
    others = {*written.values(), *_of_the_feed(counts, enough)}
    found: dict[str, str] = {}
    for label in (*classes, *sorted(others, key=lambda name: (name.casefold(), name))):
        name = given_up.get(normal_label(label), label)
        normal = normal_label(name)
        if normal not in NO_LABEL_WORDS:
            found.setdefault(normal, written.get(normal, name))
    return Names(tuple(found.values()), given_up)


def reviewer_name(reviewer: str) -> str:
    """Return a person's name as it is stored. Raises `UsageError`."""
    name = " ".join(reviewer.split())
    if not name:
        raise UsageError("type your name first: each change is stored with who made it")
    if len(name) > MAX_REVIEWER:
        raise UsageError(f"your name has {len(name)} letters: shorten it to {MAX_REVIEWER} at most")
    return name


def category_name(name: str) -> str:
    """Return a category's name as it is stored. Raises `UsageError`."""
    name = " ".join(name.split())
    if not name:
        raise UsageError("type a name first")
    if normal_label(name) in NO_LABEL_WORDS:
        raise UsageError(f"“{name}” says that there is no category: choose another name")
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"“{name[:40]}” cannot be a name: {MAX_NAME} plain letters at most")
    return name


def _aliases(rows: Iterable[CategoryRow]) -> dict[str, str]:
    """Follow what was renamed more than once to its end."""
    ways = {row.normal_name: row.renamed_to for row in rows if row.renamed_to is not None}
    ends = {}
    for start in ways:
        end, seen = ways[start], {start}
        while normal_label(end) in ways and normal_label(end) not in seen:
            seen.add(normal_label(end))
            end = ways[normal_label(end)]
        ends[start] = end
    return ends


def _of_the_feed(counts: Iterable[LabelCount], enough: int) -> Iterable[str]:
    """Return what enough products carry or somebody chose, in its commonest spelling."""
    spellings: dict[str, Counter[str]] = {}
    chosen = set()
    for count in counts:
        normal = normal_label(count.label)
        spellings.setdefault(normal, Counter())[" ".join(count.label.split())] += count.products
        if count.state == "changed" and count.products:
            chosen.add(normal)
    for normal, found in spellings.items():
        if found.total() >= enough or normal in chosen:
            yield min(found, key=lambda name: (-found[name], name))


def _views(
    names: Names,
    model: ModelRow | None,
    rows: Sequence[CategoryRow],
    counts: Sequence[LabelCount],
    wrong: Mapping[str, int],
) -> Iterable[CategoryView]:
    products, confirmed, doubted = Counter[str](), Counter[str](), Counter[str]()
    for count in counts:
        products[normal_label(count.label)] += count.products
        if count.state in {"kept", "changed"}:
            confirmed[normal_label(count.label)] += count.products
    for label, number in wrong.items():
        doubted[normal_label(label)] += number
    by = {row.normal_name: row.created_by for row in rows if row.renamed_to is None}
    taught = set(map(normal_label, model.classes)) if model else set()
    for name in sorted(names.names, key=str.casefold):
        normal = normal_label(name)
        numbers = products[normal], confirmed[normal], doubted[normal]
        yield CategoryView(name, *numbers, by.get(normal, ""), normal in taught)


def _few(names: Names, counts: Sequence[LabelCount]) -> dict[str, int]:
    """Return labels that are no category → how many products carry them, the commonest first."""
    there = {normal_label(name) for name in names.names} | NO_LABEL_WORDS
    found: Counter[str] = Counter()
    for count in counts:
        if normal_label(count.label) not in there:
            found[count.label] += count.products
    ordered = sorted((-number, label) for label, number in found.items() if number)
    return {label: -number for number, label in ordered[:_FEW_SHOWN]}


def _like(names: Names, label: str, suggestions: Mapping[str, int]) -> str | None:
    """Return the category in whose favour a label was given up, or that its products look like."""
    if normal_label(label) in names.aliases:
        return names.of(label)
    ranked = sorted(suggestions, key=lambda name: (-suggestions[name], name))
    return next((found for name in ranked if (found := names.of(name)) is not None), None)
