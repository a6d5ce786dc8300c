"""The backbone that the classifier and the siamese encoder share (article, part 1)."""

from torch import Tensor, nn

from catalog_ai.models.blocks import InvertedResidualBlock

FEATURES = 64


class MobileNetBackbone(nn.Module):
    """Stem 3→16, blocks 16→24 (t=3), 24→32 (t=3), 32→64 (t=6), each with stride 2.

    [B, 3, 64, 64] → [B, 64, 4, 4]; other multiples of 16 work as well. It has 32,584 parameters:
    464 + 3,024 + 5,864 + 23,232. The article prints 428,944, and 0.53 G mult-adds for a batch of
    32: that is this network with a full 3×3 convolution in place of the depthwise one its own
    listing shows, so `depthwise=False` has exactly the article's 428,944.
    """

    def __init__(self, *, depthwise: bool = True) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        )
        shapes = ((16, 24, 3), (24, 32, 3), (32, FEATURES, 6))
        self.blocks = nn.Sequential(
            *(
                InvertedResidualBlock(inward, outward, 2, expansion, depthwise=depthwise)
                for inward, outward, expansion in shapes
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] float, -1..1 → [B, 64, H/16, W/16] float, ≥ 0."""
        features: Tensor = self.blocks(self.stem(x))
        return features
