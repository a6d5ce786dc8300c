"""Which delivered photo a row means, and why some are never even looked for."""

import re
from urllib.parse import unquote

from catalog_ai.data.delivery.problems import composed
from catalog_ai.data.delivery.walk import Listing, stem

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FOLDER = "images/"
_MAX_NAME = 4096  # characters; no path on disk is longer


class Delivered:
    """The photos of a delivery under the names that rows may call them by.

    From the root or from `images/`, with or without their ending. A name is only ever looked up
    here, never on disk.
    """

    def __init__(self, listing: Listing) -> None:
        self._names = {composed(name): name for name in reversed(listing.photos)}
        self._stems = {composed(stem(name)): name for name in reversed(listing.photos)}
        self._refused = {composed(name): code for name, code in listing.refused.items()}

    def find(self, image: str) -> str | None:
        """Return the delivered photo that `image` names, None for anything else."""
        key = _key(image)
        for known in (self._names, self._stems):
            found = known.get(key) or known.get(_FOLDER + key)
            if found:
                return found
        return None

    def why_unsafe(self, image: str) -> str:
        """Return why `image`, which is no delivered photo, must not be opened; "" if it may.

        What was delivered and refused is listed already: only rows that lead through a link, or
        to a pipe, say so themselves.
        """
        return _leads_outside(image) or self._leads_through(_key(image))

    def is_refused(self, image: str) -> bool:
        """Whether `image` was delivered, but is nothing that is taken: it is listed already."""
        key = _key(image)
        return key in self._refused or _FOLDER + key in self._refused

    def _leads_through(self, key: str) -> str:
        if len(key) > _MAX_NAME:
            return ""
        for name in (key, _FOLDER + key):
            if self._refused.get(name) == "not_a_file":
                return "it names a pipe, socket or device, which is never opened"
            while "/" in name:
                name = name.rpartition("/")[0]
                if self._refused.get(name) == "unsafe_path":
                    return f"{name!r} is a link, and links are not followed"
        return ""


def has_scheme(image: str) -> bool:
    """Whether a cell begins like a URL or a drive: `https:`, `data:`, `C:`."""
    return bool(_SCHEME.match(image))


def _leads_outside(image: str) -> str:
    plain = unquote(image)
    if "://" in plain or plain.lower().startswith("data:"):
        return "it is a URL, and nothing is fetched: deliver the photo beside the manifest"
    parts = re.split(r"[/\\]", plain)
    if plain.startswith(("/", "~")) or ".." in parts or "\\" in plain or _SCHEME.match(plain):
        return "only photos below the delivered folder are read: name it relative to the manifest"
    return ""


def _key(image: str) -> str:
    """Return `image` without "./" and doubled slashes; absolute paths and URLs stay what they are.

    No photo on disk is called like one of these, so that they are never found.
    """
    image = image.strip()
    has_dots = "//" in image or "/." in image or image.startswith("./") or image.endswith("/")
    if has_dots and not image.startswith("/") and "://" not in image:
        image = "/".join(part for part in image.split("/") if part not in {"", "."})
    return composed(image)
