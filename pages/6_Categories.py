"""Categories: which there are, renaming and merging them, and pairs that run into each other."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import categories, overlaps, renaming
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.categories import CategoryView, FewView
from catalog_ai.services.overlaps import OverlapView
from pages._ui import cache, category_parts, category_views, frame, parts, saving, viewmodels

TOPICS = category_parts.TOPICS
PER_PAGE = 30
MANY = 12  # categories: from so many on, they can be searched and sorted
PAIRS = 10
STORING = (  # keys of the buttons that do
    *("categories.do", "categories.merge", "categories.few"),
    *("categories.undo", "categories.past"),
)


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Categories")
    try:
        status = cache.cached(catalogue, (*TOPICS, "notes", "projections"), catalogues.status)
        parts.empty(status)
        st.html(category_views.CSS)
        found = cache.cached(catalogue, TOPICS, categories.overview)
        category_parts.show_messages(catalogue)
        show_list(catalogue, found.categories)
        show_few(catalogue, found.few)
        show_overlaps(catalogue, has_scores=status.has_scores)
        show_past(catalogue)
        saving.sign(*STORING)
    except CatalogError as error:
        frame.stop(error)


def show_list(catalogue: Catalogue, found: tuple[CategoryView, ...]) -> None:
    """List the categories with their counts; one of them may be open."""
    rows = list(found)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(found) >= MANY:
            text = st.text_input(
                "Find",
                placeholder="Find a category",
                key="categories.find",
                label_visibility="collapsed",
                width=240,
            )
            by = st.segmented_control(
                "Order",
                list(category_views.SORTS),
                default="name",
                required=True,
                format_func=lambda name: category_views.SORTS.get(name, name),
                key="categories.sort",
                label_visibility="collapsed",
            )
            rows = category_views.ordered(found, str(by), text)
        st.text_input(
            "Add a category",
            placeholder="Add a category",
            max_chars=categories.MAX_NAME,
            key=category_parts.ADDED,
            label_visibility="collapsed",
            disabled=not frame.reviewer(),
            help=None if frame.reviewer() else "Type your name in the sidebar first.",
            on_change=category_parts.add_typed,
            args=(catalogue,),
            width=240,
        )
    if not rows:
        st.caption("No category is called so." if found else "There are no categories yet.")
    pages = -(-len(rows) // PER_PAGE)
    number = st.pagination(pages, key="categories.page") if pages > 1 else 1
    names = [row.name for row in found]
    with st.container(gap=None):
        for row in rows[(number - 1) * PER_PAGE : number * PER_PAGE]:
            show_row(catalogue, row, names)


def show_row(catalogue: Catalogue, row: CategoryView, names: list[str]) -> None:
    """Draw one category: how many, how many look wrong, and what can be done with it."""
    is_open = category_parts.opened() == row.name
    words, wrong, change = st.columns((5, 2, 2), vertical_alignment="center", gap="small")
    words.html(category_views.line(row))
    if row.looks_wrong:
        wrong.page_link(
            "pages/1_Review_labels.py",
            label=category_views.wrong_words(row),
            query_params=category_views.wrong_query(row.name),
        )
    change.button(
        "Close" if is_open else "Rename or merge",
        key=f"categories.open.{row.name}",
        type="tertiary",
        on_click=category_parts.open_row,
        args=("" if is_open else row.name,),
    )
    if is_open:
        with st.container(border=True):
            show_change(catalogue, row, names)


def show_change(catalogue: Catalogue, row: CategoryView, names: list[str]) -> None:
    """Let one category be renamed, merged into another, or removed."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        new = st.text_input(
            "New name", key=f"categories.new.{row.name}", max_chars=categories.MAX_NAME, width=300
        )
        into = st.selectbox(
            "or merge it into",
            category_views.others(names, row.name),
            index=None,
            placeholder="Choose a category",
            key=f"categories.into.{row.name}",
            width=300,
        )
        if row.added_by and not row.products and not row.in_model:
            st.button(
                "Remove",
                key=f"categories.remove.{row.name}",
                icon=":material/delete:",
                type="tertiary",
                disabled=not frame.reviewer(),
                on_click=category_parts.remove,
                args=(catalogue, row.name),
            )
    to = new.strip() or into or ""
    if to:
        category_parts.show_renaming(catalogue, [row.name], to, "categories.do")


def show_few(catalogue: Catalogue, found: tuple[FewView, ...]) -> None:
    """Offer to make categories of labels that few products carry, or to merge them."""
    if not found:
        return
    st.space("small")
    st.subheader("Not categories yet")
    st.caption(
        f"Labels of the feed that fewer than {categories.ENOUGH} products carry. "
        "They are suggested for no other product."
    )
    for few in found:
        words, add, merge = st.columns((4, 2, 3), vertical_alignment="center", gap="small")
        words.html(category_views.few_line(few))
        add.button(
            "Add as a category",
            key=f"categories.make.{few.label}",
            type="tertiary",
            disabled=not frame.reviewer(),
            on_click=category_parts.add,
            args=(catalogue, few.label),
        )
        if few.like is not None:
            with merge:
                category_parts.merge_button(catalogue, few.label, few.like)


def show_overlaps(catalogue: Catalogue, *, has_scores: bool) -> None:
    """Show pairs of categories that run into each other, with products between them."""
    st.space("small")
    st.subheader("Categories that run into each other")
    if not has_scores:
        st.caption("The worker has not compared the labels with their photos yet.")
        return
    pairs = cache.cached(catalogue, TOPICS, overlaps.overlaps)
    if not pairs:
        st.caption("None: each category is told apart from the others.")
    for place, pair in enumerate(pairs[:PAIRS]):
        show_pair(catalogue, pair, place)


def show_pair(catalogue: Catalogue, pair: OverlapView, place: int) -> None:
    """Draw one pair: how much of it is undecided, the products, and what can be done."""
    both = (pair.one, pair.other)
    is_open = category_parts.opened_pair() == both
    with st.container(border=True):
        st.markdown(f"**{viewmodels.plain(pair.one)}** and **{viewmodels.plain(pair.other)}**")
        st.caption(category_views.overlap_line(pair))
        if pair.border:
            st.html(category_views.border(pair))
        with st.container(horizontal=True, vertical_alignment="center"):
            for label, like in (both, both[::-1]):
                st.page_link(
                    "pages/1_Review_labels.py",
                    label=viewmodels.plain(f"Look at {label} that looks like {like}"),
                    query_params=category_views.pair_query(label, like),
                    width="content",
                )
            st.button(
                "Close" if is_open else "Merge them",
                key=f"categories.pair.{place}",
                type="tertiary",
                on_click=category_parts.open_pair,
                args=(None if is_open else both,),
            )
        if is_open:
            to = st.radio(
                "Which name stays?",
                both[::-1],
                format_func=viewmodels.plain,
                horizontal=True,
                key=f"categories.stays.{place}",
            )
            sources = [name for name in both if name != to]
            category_parts.show_renaming(catalogue, sources, str(to), "categories.merge")


def show_past(catalogue: Catalogue) -> None:
    """List what was renamed and merged, each with its undo."""
    past = cache.cached(catalogue, TOPICS, renaming.renamings)
    if not past:
        return
    with st.expander("Renamed and merged", icon=":material/history:"):
        now = parts.now()
        for row in past:
            with st.container(horizontal=True, vertical_alignment="center"):
                line = category_views.renaming_line(row, now)
                st.markdown(viewmodels.plain(line), width="content")
                if not row.undone:
                    key = f"categories.past.{row.batch_id}"
                    category_parts.undo_button(catalogue, row.batch_id, key)


show()
