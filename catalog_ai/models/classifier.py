"""The classifier: the shared backbone under a pooled linear head (article, part 1)."""

import torch
from torch import Tensor, nn

from catalog_ai.models.backbone import Backbone, MobileNetBackbone


class MobileNetLikeClassifier(nn.Module):
    """[B, 3, 64, 64] float, -1..1 → [B, num_classes] logits.

    The head adds 64·C + C parameters: 455 at seven classes. `embedder` is the siamese encoder's
    representation, the head's own first two layers, so both heads can share one forward pass.
    `backbone` replaces the article's by another of the registry's.
    """

    def __init__(
        self, num_classes: int = 7, *, depthwise: bool = True, backbone: Backbone | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone or MobileNetBackbone(depthwise=depthwise)
        features = self.backbone.features
        top = nn.Linear(features, num_classes) if num_classes else _NoCategories()
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
        if self.backbone.style:
            self.head.append(_First(features))
        self.head.append(top)

    @property
    def top(self) -> nn.Linear:
        """The linear layer: features in, logits out."""
        layer = self.head[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def embedder(self) -> nn.Module:
        """[B, F, H, W] → [B, F], the siamese encoder's representation, style included."""
        return self.head[:2]

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 64, 64] float → [B, num_classes] logits."""
        logits: Tensor = self.head(self.backbone(x))
        return logits


class _First(nn.Module):
    """[B, F] → [B, count]: the features without the style behind them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, features: Tensor) -> Tensor:
        return features[:, : self.count]


class _NoCategories(nn.Module):
    """The head of a model that was taught none: [B, features] → [B, 0]."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.empty_like(features[:, :0])
