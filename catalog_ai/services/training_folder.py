"""Where each photo would lie in a training folder: one folder per category, one file per product.

The names are safe on Linux, macOS and Windows, and no two are the same where capitals do not count.
"""

import re
import unicodedata
from pathlib import PurePosixPath

from catalog_ai.data.sources import NO_LABEL_WORDS, normal_label

LEFT_OUT = ("not_product", "second_look")  # states of review whose labels teach nothing

_INVISIBLE = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
_UNSAFE = re.compile(rf'[/\\:;*?"<>|{_INVISIBLE}]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # Windows opens those
# Hidden files, flags of commands, and what a spreadsheet runs as a formula.
_ODD_STARTS = (".", "~", "=", "+", "-", "@", "＝", "＋", "－", "＠")
_LONGEST = 120  # bytes; file systems take 255


class Places:
    """Paths given so far, so that none is given twice."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}  # label as it is compared → its folder
        self._taken: set[str] = set()

    def of(self, label: str, sku: str, stored_image: str) -> str | None:
        """Return `t-shirt/AB-001.jpg`; None for a label that says "no label"."""
        known = normal_label(label)
        if known in NO_LABEL_WORDS:
            return None
        if known not in self._folders:
            self._folders[known] = self._free("", safe_name(label), "")
        return self._free(
            f"{self._folders[known]}/", safe_name(sku), PurePosixPath(stored_image).suffix
        )

    def _free(self, folder: str, name: str, ending: str) -> str:
        number, path = 1, f"{folder}{name}{ending}"
        while path.casefold() in self._taken:
            number += 1
            path = f"{folder}{name}~{number}{ending}"
        self._taken.add(path.casefold())
        return path


def safe_name(text: str) -> str:
    """Return `text` as a name that every file system takes and that stays in its folder."""
    name = unicodedata.normalize("NFC", " ".join(_UNSAFE.sub("_", text).split()))
    name = name.encode()[:_LONGEST].decode(errors="ignore").rstrip(". ")
    if name.startswith(_ODD_STARTS) or not name or _DEVICES.match(name):
        name = f"_{name}"
    return name
