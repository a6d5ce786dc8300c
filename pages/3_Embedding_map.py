"""Embedding map: the whole catalogue at once, look-alikes beside each other."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import catalogue as catalogues
from pages._ui import cache, frame, map_parts, parts, viewmodels


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Embedding map")
    try:
        parts.empty(cache.cached(catalogue, map_parts.STATUS_TOPICS, catalogues.status))
        with st.spinner("Reading the map. After a new one this takes a few seconds."):
            view = cache.large(catalogue, map_parts.TOPICS, map_parts.view)
        if view is None:
            parts.not_ready(catalogue, "project", "The map has not been drawn yet.", "Draw the map")
            return
        by, wanted, number = map_parts.choices(view)
        with st.spinner("Drawing the map"):
            drawn = cache.large(catalogue, map_parts.TOPICS, map_parts.drawing, by, wanted, number)
        if drawn is None:  # another model was made the active one this moment
            st.rerun()
        map_parts.show_age(catalogue, view, by, wanted, drawn.sample)
        chart, panel = st.columns((3, 1), gap="medium")
        with chart:
            event = st.plotly_chart(
                drawn.figure,
                on_select="rerun",
                key="map.chart",
                config={"displaylogo": False, "scrollZoom": True},
            )
        map_parts.show_selection(catalogue, viewmodels.selected_ids(event), panel)
    except CatalogError as error:
        frame.stop(error)


show()
