"""What any test may use, from one place: fake photos and models, and a catalogue full of them."""

from tests.drawing import UNKNOWN_LABELS
from tests.fakes import (
    CLASSES,
    DIMENSION,
    fake_model,
    model_meta,
    photo_arrays,
    photo_bytes,
    write_photo,
)
from tests.seeding import Seeded, seed_catalogue

__all__ = [
    "CLASSES",
    "DIMENSION",
    "UNKNOWN_LABELS",
    "Seeded",
    "fake_model",
    "model_meta",
    "photo_arrays",
    "photo_bytes",
    "seed_catalogue",
    "write_photo",
]
