"""What the page Categories says. Plain functions, no streamlit."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from catalog_ai.services.categories import CategoryView, FewView
from catalog_ai.services.overlaps import BorderProduct, OverlapView
from catalog_ai.services.renaming import Preview, RenamingRow
from catalog_ai.services.review import QUEUES
from pages._ui.viewmodels import ago, count, escaped, photo

SORTS = {
    "name": "By name",
    "products": "Most products",
    "wrong": "Most that look wrong",
}
_WAITING = {
    "open": "not decided yet",
    "second_look": "for a second look",
    "not_product": "marked as no product photo",
}
CSS = """
<style>
.category { display: flex; gap: .1rem .8rem; align-items: baseline; flex-wrap: wrap;
  overflow-wrap: anywhere; }
.category b { font-weight: 600; }
.previews { display: grid; grid-template-columns: repeat(8, minmax(0, 112px)); gap: .5rem; }
.previews .photo { height: 112px; }
.border { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: .6rem; }
.border .photo { height: 128px; }
@media (max-width: 1100px) { .border, .previews { grid-template-columns: repeat(4, 1fr); } }
</style>
"""


def ordered(rows: Iterable[CategoryView], by: str, text: str = "") -> list[CategoryView]:
    """Return the categories whose name contains `text`, in one of the orders of `SORTS`."""
    found = [row for row in rows if text.strip().casefold() in row.name.casefold()]
    if by == "products":
        return sorted(found, key=lambda row: -row.products)
    if by == "wrong":
        return sorted(found, key=lambda row: (-row.looks_wrong, -row.products))
    return found


def line(row: CategoryView) -> str:
    """Return a category with its counts, as HTML."""
    facts = [count(row.products, "product")]
    if row.confirmed:
        facts.append(f"{row.confirmed:,} confirmed")
    if row.added_by:
        facts.append(f"named by {row.added_by}")
    return (
        f"<div class='category'><b dir='auto'>{escaped(row.name)}</b>"
        f"<span class='muted'>{escaped(' · '.join(facts))}</span></div>"
    )


def wrong_words(row: CategoryView) -> str:
    """Return "12 look wrong"."""
    return f"{row.looks_wrong:,} {'looks' if row.looks_wrong == 1 else 'look'} wrong"


def wrong_query(name: str) -> dict[str, str]:
    """Return the address of what looks wrong in a category."""
    return {"review.queue": QUEUES["wrong"], "review.category": name}


def pair_query(label: str, like: str) -> dict[str, str]:
    """Return the address of all products of one category that look like another."""
    return {
        "review.queue": QUEUES["all"],
        "review.category": label,
        "review.suggestion": like,
    }


def few_line(few: FewView) -> str:
    """Return a label that is no category yet, as HTML."""
    return (
        f"<div class='category'><b dir='auto'>{escaped(few.label)}</b>"
        f"<span class='muted'>{count(few.products, 'product')}</span></div>"
    )


def states(preview: Preview) -> str:
    """Return what becomes of reviews: "6 confirmed by people stay confirmed"."""
    parts = []
    if preview.confirmed:
        stay = "stays" if preview.confirmed == 1 else "stay"
        parts.append(f"{preview.confirmed:,} confirmed by people {stay} confirmed")
    for state, words in _WAITING.items():
        if preview.by_state.get(state):
            parts.append(f"{preview.by_state[state]:,} {words}")
    return " · ".join(parts)


def previews(preview: Preview) -> str:
    """Return a few of the products that would change, as HTML."""
    return f"<div class='previews'>{''.join(photo(path) for path in preview.examples)}</div>"


def button(preview: Preview) -> str:
    """Return the words of the button that does it."""
    verb = "Merge" if preview.joins or len(preview.sources) > 1 else "Rename"
    return f"{verb} {count(preview.products, 'product')}" if preview.products else verb


def overlap_line(pair: OverlapView) -> str:
    """Return "1 in 6 of these 214 products could as well be the other one."."""
    among = max(2, round(1 / pair.share)) if pair.share else 0
    if not among:
        return f"None of these {count(pair.products, 'product')} could be the other one."
    return (
        f"1 in {among} of these {count(pair.products, 'product')} could as well be the other one."
    )


def border(pair: OverlapView) -> str:
    """Return the products between two categories, as HTML: each with how likely it is either."""
    return f"<div class='border'>{''.join(_between(pair, item) for item in pair.border)}</div>"


def _between(pair: OverlapView, item: BorderProduct) -> str:
    chances = sorted(((pair.one, item.one), (pair.other, item.other)), key=lambda found: -found[1])
    words = ", ".join(f"<bdi>{escaped(name)}</bdi> {share:.0%}" for name, share in chances)
    return (
        f"<div>{photo(item.thumbnail)}<div class='tile'><div>{words}</div>"
        f"<div class='muted clip'>{escaped(item.sku)}, now <bdi>{escaped(item.label)}</bdi></div>"
        "</div></div>"
    )


def renaming_line(row: RenamingRow, now: datetime) -> str:
    """Return who renamed what and when."""
    undone = " (undone)" if row.undone else ""
    return f"{row.words}{undone} · {row.reviewer}, {ago(row.made_at, now)}"


def others(names: Sequence[str], name: str) -> list[str]:
    """Return the categories that one may be merged into."""
    return [other for other in names if other != name]
