"""The one decoder: a photo is the same whichever way a camera held or stored it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog_ai import shipped
from catalog_ai.data.sample import draw_product, plan
from catalog_ai.images import decode
from catalog_ai.inference.embeddings import CatalogModel
from tests.corpus.accepted import accepted
from tests.corpus.making import encoded, exif, turned
from tests.reliability.scale import sized, some_of

ORIENTATIONS = range(1, 9)
KINDS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 90}, "PNG": {}, "WEBP": {}}
LEAST = 0.999  # cosine to the upright photo, stored the same way: JPEG changes pixels besides


@pytest.mark.parametrize("name", some_of([shipped.SMALL, shipped.DEFAULT], 0))
def test_a_photo_has_one_vector_whichever_way_the_camera_was_held(
    name: str, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    model = CatalogModel.load(shipped.install(name, tmp_path), runtime="torch")
    products = plan(100, seed=0)[:: sized(25, 100)]
    worst = 1.0
    for product in products:
        upright = np.asarray(draw_product(product, seed=0).convert("RGB"))
        for kind, options in KINDS.items():
            photos = [
                decode(encoded(turned(place, upright), kind, exif=exif(place), **options))
                for place in ORIENTATIONS
            ]
            vectors = model.predict(photos).vectors
            assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
            worst = min(worst, float((vectors @ vectors[0]).min()))
    assert worst >= LEAST
    figure(
        f"{len(ORIENTATIONS)} EXIF orientations of {len(products)} photos as "
        f"{', '.join(KINDS)}, {name}: cosine to the upright one at least {worst:.4f}"
    )


def test_16_bits_are_scaled_not_clipped(figure: Callable[[str], None]) -> None:
    deep = [one for one in accepted() if "16_bits" in one.name and one.picture is not None]
    errors = {
        one.name: float(np.abs(decode(one.data) - one.picture.astype(float)).mean())
        for one in deep
        if one.picture is not None
    }
    assert len(errors) >= 4
    assert max(errors.values()) <= 1
    figure(
        f"{len(errors)} PNGs of 16 bits, grey, colour and transparent: mean error at most "
        f"{max(errors.values()):.2f} grey levels"
    )
