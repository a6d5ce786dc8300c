"""What the page Embedding map draws and remembers: which part of the map, and what was picked."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from catalog_ai.services import jobs, map_sample, shop
from catalog_ai.services import map as maps
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.map import Labels, MapView, Places
from catalog_ai.services.map_sample import Sample, Wanted
from catalog_ai.services.run_cards import NO_LABEL
from pages._ui import cache, map_views, parts, viewmodels

STATUS_TOPICS = ("products", "scores", "models", "projections", "notes")
TOPICS = ("products", "labels", "scores", "models", "projections")
COLOUR, CATEGORY, WRONG = "map.colour", "map.category", "map.wrong"
SAMPLE = "map.sample"  # query parameter
SHOWN = 48


@dataclass(frozen=True)
class Drawing:
    """A part of the map, ready to be shown."""

    figure: go.Figure
    sample: Sample


def view(catalogue: Catalogue) -> MapView | None:
    """Return the map under the labels of now; after a decision only that is read anew."""
    places, labels = _kept(catalogue)
    return None if places is None else maps.map_view(catalogue, places, labels)


def drawing(catalogue: Catalogue, by: str, wanted: Wanted, number: int) -> Drawing | None:
    """Return the map as it is to be shown, None where there is none."""
    _kept(catalogue)  # or they would be the first to be forgotten, and take the longest to read
    shown = cache.large(catalogue, TOPICS, view)
    if shown is None:
        return None
    if by == "Looks wrong":
        coloured = map_views.by_doubt(shown)
    elif by == "Suggestion":
        known = cache.large(catalogue, ("scores", "models"), maps.load_suggestions)
        coloured = map_views.groups(*maps.suggestions(catalogue, shown, known))
    else:
        coloured = map_views.groups(shown.labels, shown.names)
    sample = map_sample.sample(shown, wanted, number, map_sample.LIVE)
    rows = np.concatenate(map_sample.part(shown, wanted))
    sizes = np.bincount(coloured.codes[rows], minlength=len(coloured.names))
    skus = cache.large(catalogue, ("products",), maps.Skus).of(shown.product_ids[sample.rows])
    picture = map_views.shade(shown, coloured) if is_large(shown) else ""
    return Drawing(map_views.figure(shown, coloured, sizes, sample, skus, picture), sample)


def is_large(shown: MapView) -> bool:
    """Return whether a map has more products than can be clicked at once."""
    return len(shown.product_ids) > map_sample.LIVE


def choices(shown: MapView) -> tuple[str, Wanted, int]:
    """Draw what can be chosen; return the colouring, the part of the map and which sample of it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.segmented_control(
            "Colour by",
            map_views.COLOURINGS,
            default="Label",
            required=True,
            key=COLOUR,
            bind="query-params",
        )
        names = map_views.categories(shown)
        category = st.selectbox(
            "Show",
            (viewmodels.ALL, *names),
            key=CATEGORY,
            bind="query-params",
            on_change=first_sample,
            width=220,
        )
        only_wrong = st.toggle(
            "Only what looks wrong", key=WRONG, bind="query-params", on_change=first_sample
        )
    chosen = viewmodels.category_of(category or viewmodels.ALL)
    return (
        by or "Label",
        Wanted("" if chosen == NO_LABEL else chosen, only_wrong),
        viewmodels.page_number(st.query_params.get(SAMPLE, "")),
    )


def first_sample() -> None:
    """Begin at the first sample again, after another part of the map was chosen."""
    st.query_params.pop(SAMPLE, None)


def show_sample(number: int) -> None:
    """Put a sample into the address."""
    st.query_params[SAMPLE] = str(number)


def show_age(catalogue: Catalogue, shown: MapView, by: str, wanted: Wanted, sample: Sample) -> None:
    """Say when the map was drawn, whether products came after it, and what of it can be clicked."""
    text = map_views.age_line(shown, viewmodels.ago(shown.created_at, parts.now()))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{text}. {map_views.hint(by)}")
        if shown.not_drawn > 0:
            st.caption(f"{viewmodels.count(shown.not_drawn, 'product')} not on it yet.")
            st.button("Draw again", on_click=jobs.enqueue, args=(catalogue, "project"))
    said = map_views.sample_line(sample, wanted, shaded=is_large(shown))
    if said:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(viewmodels.plain(said), width="stretch")
            if sample.count > 1:
                following = sample.number % sample.count + 1
                st.button("Show others", type="tertiary", on_click=show_sample, args=(following,))
            if sample.number > 1:
                st.button("Back to the first", type="tertiary", on_click=first_sample)


def show_selection(
    catalogue: Catalogue, ids: list[int], panel: "st.delta_generator.DeltaGenerator"
) -> None:
    """Show one product in the panel, several below as a grid."""
    if not ids:
        with panel:
            st.caption("Nothing is selected.")
        return
    found = cache.cached(catalogue, TOPICS, shop.product_cards, ids[:SHOWN])
    if not found:
        return
    with panel:
        first = found[0]
        st.html(
            f"<div class='card large'>{viewmodels.photo(first.image)}</div><div class='tile'>"
            f"<b>{viewmodels.escaped(first.label)}</b><br>"
            f"{viewmodels.escaped(first.title or first.sku)}</div>"
        )
        parts.product_link(first.product_id, parts.REVIEW)
    if len(ids) > 1:
        more = f", the first {SHOWN} shown" if len(ids) > SHOWN else ""
        st.subheader(f"{viewmodels.count(len(ids), 'product')}{more}")
        parts.cards(found, key="map.selected", link=parts.REVIEW)


def _kept(catalogue: Catalogue) -> tuple[Places | None, Labels | None]:
    places = cache.large(catalogue, ("projections", "models"), maps.load_places)
    if places is None:
        return None, None
    return places, cache.large(catalogue, ("products", "scores", "models"), maps.load_labels)
