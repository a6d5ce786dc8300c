"""The sign "Saving…", while what a button stores takes its time."""

import re
from pathlib import Path

import streamlit as st

_SIGN = st.components.v2.component(
    "saving_sign", js=(Path(__file__).parent / "saving.js").read_text(encoding="utf-8")
)


def sign(*keys: str) -> None:
    """Show the sign for buttons whose keys begin so: draw it once on the page.

    It goes as soon as the page is at rest.
    """
    classes = [re.sub(r"[^a-zA-Z0-9_-]", "-", key) for key in keys]  # as Streamlit names them
    _SIGN(key="saving.sign", data={"keys": classes}, height=0)
