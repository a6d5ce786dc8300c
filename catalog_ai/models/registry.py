"""From a name to a network: every architecture that a model's birth certificate can name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from catalog_ai.errors import UsageError
from catalog_ai.models.backbone import Backbone, MobileNetBackbone
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.embedding import DIMENSION, FixedProjection, SplitEmbedding
from catalog_ai.models.siamese import SiameseEncoder

MOBILENET = "mobilenet"
EMBEDDINGS = ("pooled", "split", "fixed")


@dataclass(frozen=True)
class Architecture:
    """What `build` needs to know, recorded in `meta.json` under `architecture`.

    `backbone` is `mobilenet`, the article's, or any of timm's names. `embedding` says what makes
    the vector of the pooled features: nothing (`pooled`), `SplitEmbedding` or `FixedProjection`.
    `style` adds statistics of timm's stages to the features (`pretrained.TimmBackbone`).
    With `shared_backbone` a single forward pass serves both heads.
    """

    backbone: str = MOBILENET
    depthwise: bool = True
    squeeze_excitation: bool = False
    style: bool = False
    embedding: str = "pooled"
    category_share: float = 0.5
    dimension: int = DIMENSION
    shared_backbone: bool = True

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Architecture":
        """Return what `to_meta` recorded. Raises `KeyError`, `TypeError`, `ValueError`."""
        found = cls(
            backbone=str(meta["backbone"]),
            depthwise=bool(meta["depthwise"]),
            squeeze_excitation=bool(meta.get("squeeze_excitation", False)),
            style=bool(meta.get("style", False)),
            embedding=str(meta.get("embedding", "pooled")),
            category_share=float(meta.get("category_share", 0.5)),
            dimension=int(meta["dimension"]),
            shared_backbone=bool(meta["shared_backbone"]),
        )
        if found.embedding not in EMBEDDINGS:
            raise ValueError(found.embedding)
        return found

    def to_meta(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def build(
    architecture: Architecture, classes: int
) -> tuple[MobileNetLikeClassifier, SiameseEncoder]:
    """Return an untrained (classifier, encoder) of `classes` categories. Raises `UsageError`."""
    backbone = build_backbone(architecture)
    classifier = MobileNetLikeClassifier(classes, backbone=backbone)
    below = backbone if architecture.shared_backbone else build_backbone(architecture)
    return classifier, SiameseEncoder(below, build_embedding(architecture, backbone, classes))


def build_backbone(architecture: Architecture) -> Backbone:
    """Return the untrained backbone. Raises `UsageError` for a name that nobody knows."""
    if architecture.backbone == MOBILENET:
        return MobileNetBackbone(
            depthwise=architecture.depthwise, squeeze_excitation=architecture.squeeze_excitation
        )
    if architecture.squeeze_excitation or not architecture.depthwise:
        raise UsageError(
            f"squeeze-and-excitation and full convolutions are options of {MOBILENET} alone: "
            f"{architecture.backbone!r} is what it is"
        )
    from catalog_ai.models.pretrained import TimmBackbone

    return TimmBackbone(architecture.backbone, style=architecture.style)


def build_embedding(
    architecture: Architecture, backbone: Backbone, classes: int
) -> nn.Module | None:
    """Return what makes the vector of pooled features; None where these are the vector."""
    if architecture.embedding == "split":
        return SplitEmbedding(
            *(backbone.features, classes),
            category_share=architecture.category_share,
            style=backbone.style,
        )
    if architecture.embedding == "fixed":
        return FixedProjection(backbone.features, architecture.dimension)
    return None
