"""The classifier: the shared backbone under a pooled linear head (article, part 1)."""

from torch import Tensor, nn

from catalog_ai.models.backbone import FEATURES, MobileNetBackbone


class MobileNetLikeClassifier(nn.Module):
    """[B, 3, 64, 64] float, -1..1 → [B, num_classes] logits.

    The head adds 64·C + C parameters: 455 at seven classes. `embedder` is the siamese encoder's
    representation, the head's own first two layers, so both heads can share one forward pass.
    """

    def __init__(self, num_classes: int = 7, *, depthwise: bool = True) -> None:
        super().__init__()
        self.backbone = MobileNetBackbone(depthwise=depthwise)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(FEATURES, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 64, 64] float → [B, num_classes] logits."""
        logits: Tensor = self.head(self.backbone(x))
        return logits
