"""Shop the look: what the catalogue has that looks like a product, or like a photo."""

import streamlit as st

from catalog_ai.errors import CatalogError, PhotoError
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import review, shop
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, frame, parts, state, viewmodels

TOPICS = ("products", "labels", "scores", "models", "embeddings")


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Shop the look")
    try:
        parts.empty(cache.cached(catalogue, (*TOPICS, "notes", "projections"), catalogues.status))
        query, results = st.columns((1, 3), gap="large")
        with query:
            photo = st.file_uploader(
                "A photo: JPEG, PNG or WebP", type=["jpg", "jpeg", "png", "webp"], key="shop.photo"
            )
            k = st.slider("How many", 4, 48, 12, step=4, key="shop.k", bind="query-params")
            names = (viewmodels.ALL, *cache.cached(catalogue, TOPICS, review.categories))
            chosen = st.selectbox("Category", names, key="shop.category", bind="query-params")
        category = viewmodels.category_of(chosen)
        if photo is not None:
            show_like_photo(catalogue, photo.getvalue(), k, category, query, results)
        else:
            show_like_product(catalogue, k, category, query, results)
    except CatalogError as error:
        frame.stop(error)


def show_like_photo(
    catalogue: Catalogue,
    data: bytes,
    k: int,
    category: str | None,
    query: "st.delta_generator.DeltaGenerator",
    results: "st.delta_generator.DeltaGenerator",
) -> None:
    """Show what looks like an uploaded photo."""
    with results:
        try:
            with st.spinner("Looking …"):
                found = shop.similar_to_photo(
                    catalogue, data, k=k, category=category, index=cache.search_index(catalogue)
                )
        except PhotoError as error:
            words = viewmodels.about_upload(str(error))
            st.error(viewmodels.plain(words), icon=":material/error:")
            return
    with query:
        st.image(found.preview, caption="Your photo", width="stretch")
        st.markdown(
            f"Looks like **{viewmodels.plain(found.label)}**, {viewmodels.share(found.confidence)}"
        )
    with results:
        show_matches(found.matches)


def show_like_product(
    catalogue: Catalogue,
    k: int,
    category: str | None,
    query: "st.delta_generator.DeltaGenerator",
    results: "st.delta_generator.DeltaGenerator",
) -> None:
    """Show what looks like the product in the URL, or products to choose from."""
    chosen = state.focus()
    card = cache.cached(catalogue, TOPICS, shop.product_card, chosen) if chosen else None
    if card is None:
        with results:
            text = st.text_input(
                "Or pick a product: SKU or title", key="shop.text", bind="query-params"
            )
            options = {"category": category, "limit": 32}
            found = cache.cached(catalogue, TOPICS, shop.find_products, text, **options)
            if not found:
                st.info("No product has this in its SKU or title: try fewer letters.")
            parts.cards(found, key="shop.find")
        return
    with query:
        st.html(
            f"<div class='card large'>{viewmodels.photo(card.image)}</div>"
            f"<div class='tile'><b>{viewmodels.escaped(card.label)}</b> "
            f"{viewmodels.escaped(card.title) if card.title else ''}<br>"
            f"{viewmodels.escaped(card.sku)}</div>"
        )
        st.button("Pick another", on_click=state.set_focus, args=(None,), type="tertiary")
    with results:
        index = cache.search_index(catalogue)
        show_matches(
            shop.similar_to_product(catalogue, card.product_id, k=k, category=category, index=index)
        )


def show_matches(matches: tuple[shop.Match, ...]) -> None:
    """Show results, the closest first, with label and distance."""
    if not matches:
        st.info("Nothing of this category is in the catalogue: choose another.")
        return
    distances = {match.card.product_id: match.distance for match in matches}
    parts.cards(
        [match.card for match in matches],
        key="shop.match",
        caption=lambda card: f" · distance {distances[card.product_id]:.2f}",
    )


show()
