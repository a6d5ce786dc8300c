"""The inverted residual block (article, part 1; Sandler et al. 2018, MobileNetV2, section 3.3)."""

from torch import Tensor, nn
from torch.nn import functional


class InvertedResidualBlock(nn.Module):
    """Expand with 1×1, filter with 3×3 per channel, project linearly with 1×1, add the shortcut.

    [B, in_channels, H, W] → [B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉]. Batch norm follows each
    convolution, ReLU the first two. The shortcut is the input itself where the shape stays, else a
    strided 1×1 convolution with batch norm. The article also applies ReLU to the sum, where
    MobileNetV2 leaves it linear; we follow the article.

    `depthwise=False` makes the 3×3 a full convolution, which is what the article's printed
    parameter count belongs to (see `MobileNetBackbone`). `squeeze_excitation` weighs the hidden
    channels before the projection, one of the article's next steps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        expansion_factor: int,
        *,
        depthwise: bool = True,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion_factor
        self.expand = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        groups = hidden if depthwise else 1
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.excite = SqueezeExcitation(hidden) if squeeze_excitation else nn.Identity()
        self.project = nn.Sequential(
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        same_shape = stride == 1 and in_channels == out_channels
        self.shortcut = (
            None
            if same_shape
            else nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] float → [B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉], ≥ 0."""
        skip = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.project(self.excite(self.depthwise(self.expand(x)))) + skip)


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate that all channels' means decide (Hu et al. 2018, section 3).

    [B, channels, H, W] → the same shape; adds 2·channels²/reduction weights and their biases.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] float → the same shape, each channel times 0..1."""
        scaled: Tensor = x * self.gate(x)
        return scaled
