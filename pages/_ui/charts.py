"""Charts of a training: curves per epoch and the confusion matrix."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

_LAYOUT = {
    "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
    "height": 300,
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "#ffffff",
    "legend": {"orientation": "h", "y": -0.2},
}


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
    drawn = go.Figure(
        go.Heatmap(
            z=counts,
            x=list(classes),
            y=list(classes),
            colorscale="Viridis",
            texttemplate="%{z}",
            showscale=False,
            hovertemplate="%{y} taken for %{x}: %{z}<extra></extra>",
        )
    )
    layout = _LAYOUT | {"height": 460}
    drawn.update_layout(
        title="Taken for (columns), truly (rows)", yaxis={"autorange": "reversed"}, **layout
    )
    return drawn
