"""What is taken for what: label against suggestion, each cell a way into its queue."""

import streamlit as st

from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, charts, viewmodels
from pages._ui.desk import address
from pages._ui.desk.filters import TOPICS

LINES = 20  # pairs that are named beside the table


def show(catalogue: Catalogue) -> None:
    """Show in which ways labels look wrong, the way first in which most are."""
    pairs = cache.cached(catalogue, TOPICS, review.pairs)
    if not pairs:
        st.success("No label looks wrong.", icon=":material/done_all:")
        return
    table, lines = st.columns(2, gap="medium")
    with table:
        st.caption("Rows: the label. Columns: what it looks like. A number leads to its queue.")
        drawn = charts.doubts(*viewmodels.pair_table(pairs), viewmodels.pair_link)
        st.plotly_chart(drawn, config={"displayModeBar": False}, key="review.pairs")
    with lines, st.container(gap="xxsmall"):
        for place, pair in enumerate(pairs[:LINES]):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.button(
                    ":material/grid_view:",
                    key=f"review.pair.sheet.{place}",
                    type="tertiary",
                    help="All of them on one page: tick, leave out, one key.",
                    on_click=address.open_pair,
                    args=(pair.label, pair.suggestion, "sheet"),
                )
                st.button(
                    viewmodels.plain(viewmodels.pair_line(pair)),
                    key=f"review.pair.{place}",
                    type="tertiary",
                    on_click=address.open_pair,
                    args=(pair.label, pair.suggestion),
                )
        if len(pairs) > LINES:
            st.caption(f"And {len(pairs) - LINES} more in the table.")
