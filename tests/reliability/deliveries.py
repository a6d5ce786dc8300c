"""Deliveries to take in: small photos, no two with the same bytes, and a manifest."""

import csv
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from tests.fakes import CLASSES, photo_bytes

Expected = dict[str, tuple[str, str]]  # SKU → sha256 of the main photo, label


def photo(name: str, comment: bytes = b"") -> bytes:
    """Return a photo that is this name's alone; `comment` is hidden in it."""
    red, green, blue, width, height = sha256(name.encode()).digest()[:5]
    size = (48 + width % 32, 48 + height % 32)
    options = {"comment": comment} if comment else {}
    return photo_bytes((red, green, blue), size, **options)


def deliver(
    folder: Path, numbers: Iterable[int], *, edition: str = "", new_photos: Iterable[int] = ()
) -> Expected:
    """Write one photo for each product, every tenth has a second; return what is delivered.

    Photos whose number is in `new_photos` are those of `edition`, the others always the same.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    new, found = set(new_photos), {}
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "image", "label"])
        for number in numbers:
            sku, label = f"SKU-{number:04}", CLASSES[number % len(CLASSES)]
            names = [f"images/{sku}.jpg", f"images/{sku}-back.jpg"][: 1 + (number % 10 == 0)]
            for name in names:
                data = photo(f"{edition if number in new else ''} {name}")
                (folder / name).write_bytes(data)
                found.setdefault(sku, (sha256(data).hexdigest(), label))
            rows.writerow([sku, "|".join(names), label])
    return found
