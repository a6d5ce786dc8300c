"""The backbone that the classifier and the siamese encoder share (article, part 1)."""

from typing import Self

from torch import Tensor, nn

from catalog_ai.errors import UsageError
from catalog_ai.models.blocks import InvertedResidualBlock

FEATURES = 64


class Backbone(nn.Module):
    """[B, 3, S, S] float → [B, features + style, H, W] float: the network under the heads.

    The `features` tell categories apart. The `style` numbers behind them, where a backbone has any,
    describe colour and texture, for the vector alone.
    """

    features: int
    style: int = 0

    def stages(self) -> list[list[nn.Module]]:
        """Return the modules with weights, by stage, in the order in which the stages run."""
        raise NotImplementedError

    def freeze(self, count: int) -> None:
        """Keep the first `count` stages as they are: weights and running statistics alike.

        Nothing is computed backwards through them, which is where a fine-tuning's time goes.
        Raises `UsageError` where there are not that many.
        """
        stages = self.stages()
        if not 0 <= count <= len(stages):
            raise UsageError(
                f"{count} stages cannot be frozen: this backbone has {len(stages)}, choose 0 to "
                f"{len(stages)}"
            )
        self._frozen = [module for stage in stages[:count] for module in stage]
        for module in self._frozen:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As for any module, except that frozen stages stay in evaluation mode."""
        super().train(mode)
        for module in getattr(self, "_frozen", ()):
            module.eval()
        return self


class MobileNetBackbone(Backbone):
    """Stem 3→16, blocks 16→24 (t=3), 24→32 (t=3), 32→64 (t=6), each with stride 2.

    [B, 3, 64, 64] → [B, 64, 4, 4]; other multiples of 16 work as well. It has 32,584 parameters:
    464 + 3,024 + 5,864 + 23,232. The article prints 428,944, and 0.53 G mult-adds for a batch of
    32: that is this network with a full 3×3 convolution in place of the depthwise one its own
    listing shows, so `depthwise=False` has exactly the article's 428,944.
    """

    features = FEATURES

    def __init__(self, *, depthwise: bool = True, squeeze_excitation: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        )
        shapes = ((16, 24, 3), (24, 32, 3), (32, FEATURES, 6))
        self.blocks = nn.Sequential(
            *(
                InvertedResidualBlock(
                    *(inward, outward, 2, expansion),
                    depthwise=depthwise,
                    squeeze_excitation=squeeze_excitation,
                )
                for inward, outward, expansion in shapes
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] float, -1..1 → [B, 64, H/16, W/16] float, ≥ 0."""
        features: Tensor = self.blocks(self.stem(x))
        return features

    def stages(self) -> list[list[nn.Module]]:
        """Return the stem and the three blocks."""
        return [[self.stem], *([block] for block in self.blocks)]
