"""Embedding map: the whole catalogue at once, look-alikes beside each other."""

import plotly.graph_objects as go
import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import jobs, shop
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.map import MapView, map_view
from pages._ui import cache, frame, parts, viewmodels

TOPICS = ("products", "labels", "scores", "models", "projections")
SHOWN = 48


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Embedding map")
    try:
        parts.empty(cache.cached(catalogue, (*TOPICS, "notes"), catalogues.status))
        view = cache.cached(catalogue, TOPICS, map_view)
        if view is None:
            parts.not_ready(catalogue, "project", "The map has not been drawn yet.", "Draw the map")
            return
        by = st.segmented_control(
            "Colour by",
            ["Label", "Suggestion", "Looks wrong"],
            default="Label",
            required=True,
            key="map.colour",
            bind="query-params",
        )
        show_age(catalogue, view)
        chart, panel = st.columns((3, 1), gap="medium")
        with chart:
            event = st.plotly_chart(
                figure(view, by or "Label"),
                on_select="rerun",
                key="map.chart",
                config={"displaylogo": False, "scrollZoom": True},
            )
        show_selection(catalogue, viewmodels.selected_ids(event), panel)
    except CatalogError as error:
        frame.stop(error)


def figure(view: MapView, by: str) -> go.Figure:
    """Return the scatter plot; each point carries its product's id."""
    drawn = go.Figure()
    for name, colour, rows in viewmodels.map_colours(view, by):
        drawn.add_scattergl(
            x=view.x[rows],
            y=view.y[rows],
            name=f"{name} ({len(rows):,})",
            mode="markers",
            marker={"size": 7, "color": colour, "opacity": 0.8},
            customdata=[[int(view.product_ids[row])] for row in rows],
            text=[f"{view.skus[row]}<br>{view.labels[row] or 'no label'}" for row in rows],
            hovertemplate="%{text}<extra></extra>",
        )
    drawn.update_layout(
        height=620,
        margin={"l": 0, "r": 0, "t": 32, "b": 0},
        xaxis={"visible": False},
        yaxis={"visible": False, "scaleanchor": "x"},
        legend={"itemsizing": "constant"},
        dragmode="pan",  # under a lasso Streamlit ignores clicks
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#8a8478", "activecolor": "#2f6f62"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="#ffffff",
    )
    return drawn


def show_age(catalogue: Catalogue, view: MapView) -> None:
    """Say when the map was drawn and whether products came after it."""
    later = view.products_now - len(view.skus)
    text = f"{len(view.skus):,} products, drawn {viewmodels.ago(view.created_at, parts.now())}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{text}. Click a point for its photo; the lasso above the map takes several.")
        if later > 0:
            st.caption(f"{viewmodels.count(later, 'product')} not on it yet.")
            st.button("Draw again", on_click=jobs.enqueue, args=(catalogue, "project"))


def show_selection(
    catalogue: Catalogue, ids: list[int], panel: "st.delta_generator.DeltaGenerator"
) -> None:
    """Show one product in the panel, several below as a grid."""
    if not ids:
        with panel:
            st.caption("Nothing is selected.")
        return
    found = cache.cached(catalogue, TOPICS, shop.product_cards, ids[:SHOWN])
    with panel:
        first = found[0]
        st.html(
            f"<div class='card large'>{viewmodels.photo(first.image)}</div><div class='tile'>"
            f"<b>{viewmodels.escaped(first.label)}</b><br>"
            f"{viewmodels.escaped(first.title or first.sku)}</div>"
        )
        st.page_link(
            "pages/1_Review_labels.py",
            label="Review its label",
            icon=":material/fact_check:",
            query_params={"item": str(first.product_id)},
        )
    if len(ids) > 1:
        more = f", the first {SHOWN} shown" if len(ids) > SHOWN else ""
        st.subheader(f"{viewmodels.count(len(ids), 'product')}{more}")
        parts.cards(found, key="map.selected")


show()
