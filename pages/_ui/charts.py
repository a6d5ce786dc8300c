"""Charts: a training's curves and confusion matrix, in which ways labels look wrong, progress."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

_LAYOUT = {
    "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
    "height": 300,
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "#ffffff",
    "legend": {"orientation": "h", "y": -0.2},
}
_GRID = "#eee9df"
_FEW = 6


def curves(
    title: str, epochs: Sequence[dict[str, Any]], lines: dict[str, tuple[str, str]]
) -> go.Figure:
    """Return one line per (key: name, colour) of `lines` over the epochs."""
    drawn = go.Figure()
    for key, (name, colour) in lines.items():
        drawn.add_scatter(
            x=[epoch["epoch"] for epoch in epochs],
            y=[epoch[key] for epoch in epochs],
            name=name,
            mode="lines+markers",
            line={"color": colour},
            marker={"size": 4},
        )
    drawn.update_layout(title=title, xaxis_title="epoch", **_LAYOUT)
    return drawn


def confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> go.Figure:
    """Return the confusion matrix with its counts: rows are the true category."""
    names = [html.escape(name) for name in classes]
    drawn = go.Figure(
        go.Heatmap(
            z=counts,
            customdata=[[[row, name] for name in names] for row in names],
            colorscale="Viridis",
            texttemplate="%{z}",
            showscale=False,
            hovertemplate="%{customdata[0]} taken for %{customdata[1]}: %{z}<extra></extra>",
        )
    )
    layout = _LAYOUT | {"height": 460}
    drawn.update_layout(
        title="Taken for (columns), truly (rows)",
        xaxis=_ticks(classes),
        yaxis={"autorange": "reversed", **_ticks(classes)},
        **layout,
    )
    return drawn


def doubts(
    labels: Sequence[str],
    suggestions: Sequence[str],
    counts: Sequence[Sequence[int]],
    link: Callable[[str, str], str],
) -> go.Figure:
    """Return how many products of each label (rows) look like each category (columns).

    A count leads to the address that `link` gives for its label and suggestion.
    """
    shown = [[count or None for count in row] for row in counts]
    most = max((count for row in counts for count in row), default=1)
    named = [[[html.escape(row), html.escape(name)] for name in suggestions] for row in labels]
    drawn = go.Figure(
        go.Heatmap(
            z=shown,
            customdata=named,
            colorscale="Viridis",
            zmin=0,
            zmax=most,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="labelled %{customdata[0]}, looks like %{customdata[1]}: %{z}"
            "<extra></extra>",
        )
    )
    for row, label in enumerate(labels):
        for column, suggestion in enumerate(suggestions):
            if counts[row][column]:
                address = html.escape(link(label, suggestion), quote=True)
                colour = "#000" if counts[row][column] > 0.6 * most else "#fff"
                number = f"<span style='color:{colour}'>{counts[row][column]:,}</span>"
                drawn.add_annotation(
                    x=column,
                    y=row,
                    text=f"<a href='{address}' target='_self'>{number}</a>",
                    showarrow=False,
                )
    layout = _LAYOUT | {"height": 150 + 30 * len(labels)}
    drawn.update_layout(
        xaxis={"side": "top", "title": "looks like", **_ticks(suggestions)},
        yaxis={"autorange": "reversed", "title": "labelled", **_ticks(labels)},
        **layout,
    )
    return drawn


def by_day(
    title: str, days: Sequence[str], lines: Sequence[tuple[str, str, str, Sequence[int]]]
) -> go.Figure:
    """Return bars for each day, stacked: (name, colour, pattern, counts) from the bottom up."""
    drawn = go.Figure()
    for name, colour, pattern, counts in lines:
        drawn.add_bar(
            x=list(days),
            y=list(counts),
            name=name,
            marker={
                "color": colour,
                "line": {"width": 0},
                "pattern": {
                    **{"shape": pattern, "bgcolor": colour, "fgcolor": "#ffffff"},
                    **{"size": 5, "solidity": 0.2},
                },
            },
            hovertemplate=f"%{{x}}: %{{y:,}} {html.escape(name.lower())}<extra></extra>",
        )
    tallest = max((sum(day) for day in zip(*(line[3] for line in lines), strict=True)), default=0)
    whole = {"dtick": 1} if tallest < _FEW else {}  # or the axis would count 0, 0, 1, 1
    drawn.update_layout(
        title=title,
        barmode="stack",
        bargap=0.25,
        xaxis={"type": "category", "nticks": 8, "tickangle": 0},
        yaxis={"rangemode": "tozero", "tickformat": ",d", "gridcolor": _GRID, **whole},
        **_LAYOUT,
    )
    return drawn


def promises(
    title: str,
    said: Sequence[float],
    true: Sequence[float],
    bands: Sequence[tuple[float, float]],
    words: Sequence[str],
) -> go.Figure:
    """Return how often labels were truly wrong (0..1) over how likely that was said to be.

    `bands` are the bounds between which the true share lies, `words` say what a point stands for.
    """
    drawn = go.Figure()
    drawn.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="as promised",
        line={"color": "#8a8478", "dash": "dash", "width": 1.5},
        hoverinfo="skip",
    )
    drawn.add_scatter(
        x=list(said),
        y=list(true),
        mode="markers",
        name="as people found",
        marker={"size": 9, "color": "#0072b2"},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [most - share for share, (_, most) in zip(true, bands, strict=True)],
            "arrayminus": [share - least for share, (least, _) in zip(true, bands, strict=True)],
            "color": "#7fb3d3",
            "thickness": 1.5,
        },
        text=list(words),
        hovertemplate="%{text}<extra></extra>",
    )
    share = {"range": [-0.02, 1.02], "tickformat": ".0%", "gridcolor": _GRID}
    drawn.update_layout(
        title=title,
        xaxis={"title": "how likely wrong it was said to be", **share},
        yaxis={"title": "truly wrong", **share},
        **_LAYOUT | {"legend": {"orientation": "h", "y": -0.35}},
    )
    return drawn


def _ticks(names: Sequence[str]) -> dict[str, Any]:
    """Return an axis by place, not by name: two names may look alike once they are cut."""
    words = [_word(name) for name in names]
    return {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": words}


def _word(name: str, most: int = 24) -> str:
    """Return a name as Plotly shows it: short, and never as markup."""
    return html.escape(name if len(name) <= most else f"{name[: most - 1]}…")
