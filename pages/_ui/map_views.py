"""What the map says and how it is coloured. Plain functions, no streamlit."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from catalog_ai.services.map import MapView
from catalog_ai.services.map_sample import Sample, Wanted
from catalog_ai.services.run_cards import NO_LABEL
from pages._ui import map_picture, viewmodels
from pages._ui.viewmodels import COLOURS, OTHER_COLOUR, WRONG_COLOURS

COLOURINGS = ("Label", "Suggestion", "Looks wrong")
NAMED = 30  # groups of their own in the legend; all beyond are one
_LONGEST = 24
_CROWDED = 5_000  # points; then each is smaller
_INK, _RING = "#2b2622", 0.8  # pixels of it around what looks wrong


@dataclass(frozen=True)
class Groups:
    """The groups of a colouring, the largest first: `codes` (N,) are places in the others.

    `tells_wrong` is whether they are what looks wrong and what does not.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    tells_wrong: bool = False


def groups(codes: NDArray[np.int32], names: Sequence[str]) -> Groups:
    """Return groups of all products, each with a colour while there are any, the rest grey."""
    sizes = np.bincount(codes, minlength=len(names))
    order = sorted(range(len(names)), key=lambda code: (-sizes[code], names[code]))
    order = [code for code in order if sizes[code]]
    named = order if len(order) <= NAMED + 1 else order[:NAMED]
    rank = np.full(max(1, len(names)), len(named), np.int32)
    rank[named] = np.arange(len(named))
    said = [names[code] or NO_LABEL for code in named]
    if len(named) < len(order):
        said.append(f"{len(order) - len(named):,} others")
    colours = [
        WRONG_COLOURS.get(name) or (COLOURS[place] if place < len(COLOURS) else OTHER_COLOUR)
        for place, name in enumerate(said)
    ]
    return Groups(rank[codes], tuple(said), tuple(colours))


def by_doubt(view: MapView) -> Groups:
    """Return what looks wrong apart from what does not."""
    codes = np.zeros(len(view.product_ids), np.int32)
    codes[view.suspects] = 1
    return replace(groups(codes, ("Looks right", "Looks wrong")), tells_wrong=True)


def shade(view: MapView, coloured: Groups) -> str:
    """Return the address of a picture of all products."""
    tones = tuple(dict.fromkeys(coloured.colours))
    tone = np.array([tones.index(colour) for colour in coloured.colours], np.int32)
    within = map_picture.bounds(view.x, view.y)
    png = map_picture.shading(view.x, view.y, tone[coloured.codes], tones, within)
    return map_picture.address(png)


def figure(
    view: MapView,
    coloured: Groups,
    sizes: NDArray[np.int64],
    sample: Sample,
    skus: Sequence[str],
    picture: str = "",
) -> go.Figure:
    """Return the map: the sample's points over the picture; each carries its product's id.

    `sizes` are how many products each group has in the part that is shown, drawn or not; `skus`
    follow the sample.
    """
    drawn = go.Figure()
    group, words = coloured.codes[sample.rows], np.array([html.escape(sku) for sku in skus], str)
    ringed = np.arange(len(group)) >= len(group) - (0 if coloured.tells_wrong else sample.suspects)
    shown = [code for code in range(len(coloured.names)) if sizes[code]]
    parts = [(code, (group == code) & ~ringed, 0.0) for code in shown]
    # Above all others, and points of their own: Plotly would draw a ring in the legend.
    parts += [(code, (group == code) & ringed, _RING) for code in np.unique(group[ringed]).tolist()]
    for code, mine, ring in parts:
        rows, name = sample.rows[mine], _short(coloured.names[code])
        drawn.add_scattergl(
            # A group without a point would be left out of the legend.
            x=view.x[rows] if len(rows) else [None],
            y=view.y[rows] if len(rows) else [None],
            name=f"{name} ({sizes[code]:,})",
            legendgroup=str(code),
            showlegend=not ring,
            mode="markers",
            marker={
                "size": 7 if len(group) < _CROWDED else 4,
                **{"color": coloured.colours[code], "opacity": 0.8},
                "line": {"color": _INK, "width": ring},
            },
            customdata=view.product_ids[rows].astype(np.int32),
            text=words[mine],  # as an array: Plotly looks at each word of a list
            meta=name,
            hovertemplate="%{text}<br>%{meta}<extra></extra>",
        )
    drawn.update_layout(**_layout(map_picture.bounds(view.x, view.y), picture))
    return drawn


def sample_line(sample: Sample, wanted: Wanted, *, shaded: bool) -> str:
    """Return which products of a part of the map can be clicked, empty where all of a small map.

    `shaded` is whether the map is a large one, whose shading shows what cannot be clicked.
    """
    within = "" if wanted.category is None else f" in {wanted.category or NO_LABEL}"
    what = f"products that look wrong{within}" if wanted.only_wrong else f"products{within}"
    shading = "The shading shows all."
    if not sample.products:
        return f"There are no {what}."
    if sample.count == 1:
        return f"All {sample.products:,} {what} can be clicked. {shading}" if shaded else ""
    said = f"{len(sample.rows):,} of {sample.products:,} {what} can be clicked"
    if sample.number > 1:
        return f"{said}, sample {sample.number:,} of {sample.count:,}. {shading}"
    return f"{said}: {_first_sample(sample, wanted)}. {shading}"


def _first_sample(sample: Sample, wanted: Wanted) -> str:
    if wanted.only_wrong:
        return "the most suspicious"
    if not sample.wrong:
        return "a fair sample"
    first = "everything that looks wrong"
    if sample.suspects < sample.wrong:
        first = f"the {sample.suspects:,} most suspicious of {sample.wrong:,}"
    return f"{first}, and a sample of the others"


def hint(by: str) -> str:
    """Return what one can do with the map, and what its rings mean where it has any."""
    said = "Click a point for its photo; the lasso above the map takes several."
    return said if by == "Looks wrong" else f"{said} A dark ring marks what looks wrong."


def age_line(view: MapView, said: str) -> str:
    """Return how many products the map shows, and how old it is."""
    return f"{viewmodels.count(len(view.product_ids), 'product')}, drawn {said}"


def _short(name: str) -> str:
    """Return a name as Plotly shows it: short, and never as markup."""
    return html.escape(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")


def _layout(within: map_picture.Bounds, picture: str) -> dict[str, Any]:
    axis = {"visible": False, "autorange": False}
    image = {
        **{"source": picture, "xref": "x", "yref": "y", "sizing": "stretch", "layer": "below"},
        **{"x": within.left, "y": within.top},
        **{"sizex": within.right - within.left, "sizey": within.top - within.bottom},
    }
    return {
        "height": 620,
        "margin": {"l": 0, "r": 0, "t": 32, "b": 0},
        "xaxis": axis | {"range": [within.left, within.right]},
        "yaxis": axis | {"range": [within.bottom, within.top], "scaleanchor": "x"},
        "images": [image] if picture else [],
        "showlegend": True,  # of a single category too: it says how many there are
        "legend": {"itemsizing": "constant", "tracegroupgap": 0},
        "dragmode": "pan",  # under a lasso Streamlit ignores clicks
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8a8478", "activecolor": "#2f6f62"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "#ffffff",
    }


def categories(view: MapView) -> list[str]:
    """Return the labels of the products on a map, by name; those without one last."""
    carried = np.bincount(view.labels, minlength=len(view.names))
    names = [name for name, count in zip(view.names, carried, strict=True) if count]
    return sorted(filter(None, names)) + ([NO_LABEL] if "" in names else [])
