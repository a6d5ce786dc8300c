"""What the desk shows, as its address says it: the queue, the filters, the order, the view.

The address is the truth. Most of it belongs to widgets that Streamlit binds to it under the same
names; the queue is chosen with buttons and written here.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from catalog_ai.services.review import QUEUES, SORTS, STATES, Filter, Sort
from pages._ui import state, viewmodels

QUEUE = "review.queue"
CATEGORY, SUGGESTION = "review.category", "review.suggestion"
SEARCH, SORT, LEAST = "review.search", "review.sort", "review.least"
ATTRIBUTE, VALUE = "review.attribute", "review.value"
RUN, REVIEWER, STATE = "review.run", "review.reviewer", "review.state"
VIEW, PAGE, SIZE = "review.view", "review.page", "review.size"

ALL, ANY = viewmodels.ALL, "Any suggestion"
ANY_ATTRIBUTE, ANY_RUN, ANYBODY, ANY_STATE = "Any attribute", "Any run", "Anybody", "Any state"
VIEWS = {
    "single": "One at a time",
    "sheet": "Contact sheet",
    "bulk": "Change many",
    "pairs": "Pairs",
    "progress": "Progress",
    "log": "Log and files",
}
CHANCE_TIMES = "Chance × "
_NOTHING = {
    **{CATEGORY: ALL, SUGGESTION: ANY, SEARCH: "", SORT: SORTS["score"], LEAST: 0},
    **{ATTRIBUTE: ANY_ATTRIBUTE, VALUE: "", RUN: ANY_RUN, REVIEWER: ANYBODY, STATE: ANY_STATE},
}
MORE = (LEAST, ATTRIBUTE, RUN, REVIEWER, STATE)  # filters of the second row


def queue() -> str:
    """Return the queue in the address, by its name in the program."""
    return _queue_named(st.query_params.get(QUEUE, ""))


def choose_queue(name: str) -> None:
    """Put a queue into the address and begin at its first item."""
    if name == "wrong":
        st.query_params.pop(QUEUE, None)
    else:
        st.query_params[QUEUE] = QUEUES[name]
    first_page()


def wanted() -> Filter:
    """Return what the address asks for."""
    attribute = _chosen(ATTRIBUTE)
    least = int(st.session_state.get(LEAST) or 0)
    run = _chosen(RUN)
    state = _chosen(STATE)
    return Filter(
        queue=queue(),
        category=_chosen(CATEGORY),
        suggestion=_chosen(SUGGESTION),
        at_least=least / 100 if least else None,
        attribute=attribute,
        value=st.session_state.get(VALUE, "") if attribute else None,
        run=_number(run),
        reviewer=_chosen(REVIEWER),
        state=next((name for name, said in STATES.items() if said == state), None),
        search=st.session_state.get(SEARCH, "") or "",
    )


def sort(reviewer: str = "") -> Sort:
    """Return the order that the address asks for; second looks that `reviewer` asked for last."""
    words = str(st.session_state.get(SORT) or "")
    if words.startswith(CHANCE_TIMES):
        return Sort("value", words.removeprefix(CHANCE_TIMES))
    by = next((name for name, said in SORTS.items() if said == words), "score")
    return Sort(by, reviewer=(reviewer or None) if queue() == "second_look" else None)


def view() -> str:
    """Return the view in the address, by its name in the program."""
    words = st.session_state.get(VIEW)
    return next((name for name, said in VIEWS.items() if said == words), "single")


def arrive() -> None:
    """Forget what was chosen here before, where a link from elsewhere says what is wanted.

    Streamlit would keep it wherever the link says nothing. Without any word in the address one
    comes back to what one left.
    """
    if st.query_params:
        for key in (*_NOTHING, VIEW, PAGE):
            st.session_state.pop(key, None)


def page() -> int:
    """Return the number of the page; its widget may not have read the address yet."""
    return viewmodels.page_number(str(st.session_state.get(PAGE) or st.query_params.get(PAGE, "")))


def in_use(keys: tuple[str, ...] = tuple(_NOTHING)) -> int:
    """Return how many filters are set."""
    return sum(
        st.session_state.get(key, _NOTHING[key]) not in (_NOTHING[key], None) for key in keys
    )


def clear() -> None:
    """Take all filters away; the queue stays."""
    for key, nothing in _NOTHING.items():
        st.session_state[key] = nothing
    first_page()


def first_page() -> None:
    """Begin at the first item again, after another queue or filter was chosen."""
    st.session_state[PAGE] = 1
    state.set_focus(None)


def attribute_chosen(values: Mapping[str, Sequence[str]]) -> None:
    """Begin with the first of the values of an attribute, once another one was chosen."""
    known = values.get(str(st.session_state.get(ATTRIBUTE)), ())
    st.session_state[VALUE] = next(iter(known), "")
    first_page()


def query() -> str:
    """Return the address as a saved view keeps it: without the page and the item."""
    kept = {key: st.session_state.get(key) for key in (*_NOTHING, VIEW)}
    said = {
        key: str(value) for key, value in kept.items() if value not in (_NOTHING.get(key), None)
    }
    return urlencode({QUEUE: QUEUES[queue()]} | said)


def open_query(saved: str) -> None:
    """Show a saved view."""
    said = dict(parse_qsl(saved))
    clear()
    for key in (*_NOTHING, VIEW):
        if key in said:
            st.session_state[key] = int(said[key]) if key == LEAST else said[key]
    choose_queue(_queue_named(said.get(QUEUE, "")))


def open_pair(label: str, suggestion: str, view: str = "single") -> None:
    """Show what is labelled `label` and looks like `suggestion`."""
    clear()
    st.session_state[CATEGORY], st.session_state[SUGGESTION] = label, suggestion
    st.session_state[VIEW] = VIEWS[view]
    choose_queue("wrong")


def run_choice(number: int, source: str) -> str:
    """Return a run as the list of runs shows it; its number comes first."""
    return f"{number}: {source}"


def _queue_named(words: str) -> str:
    return next((name for name, said in QUEUES.items() if words in (said, name)), "wrong")


def _number(choice: str | None) -> int | None:
    number = (choice or "").split(":")[0]
    return int(number) if number.isdigit() else None


def _chosen(key: str) -> str | None:
    value = st.session_state.get(key)
    return None if value in (None, "", _NOTHING[key]) else str(value)
