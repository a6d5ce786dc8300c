"""The article's networks: its shapes, its numbers, and what its blocks compute."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.blocks import InvertedResidualBlock
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder, SiameseNetwork


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def slow_block(block: InvertedResidualBlock, x: Tensor) -> Tensor:
    """The block written out: three convolutions, three norms, two ReLUs, the sum, a ReLU."""

    def norm(layer: nn.Module, values: Tensor) -> Tensor:
        shape = (1, -1, 1, 1)
        scaled = (values - layer.running_mean.view(shape)) / (
            layer.running_var.view(shape) + layer.eps
        ).sqrt()
        return scaled * layer.weight.view(shape) + layer.bias.view(shape)

    wide = torch.relu(norm(block.expand[1], functional.conv2d(x, block.expand[0].weight)))
    kernels = block.depthwise[0].weight
    stride = block.depthwise[0].stride[0]
    filtered = torch.cat(
        [
            functional.conv2d(wide[:, [i]], kernels[[i]], stride=stride, padding=1)
            for i in range(wide.shape[1])
        ],
        1,
    )
    filtered = torch.relu(norm(block.depthwise[1], filtered))
    narrow = norm(block.project[1], functional.conv2d(filtered, block.project[0].weight))
    skip = x
    if block.shortcut is not None:
        projected = functional.conv2d(x, block.shortcut[0].weight, stride=stride)
        skip = norm(block.shortcut[1], projected)
    return torch.relu(narrow + skip)


@pytest.mark.parametrize(("outward", "stride"), [(6, 1), (6, 2), (9, 1), (9, 2)])
def test_a_block_computes_what_the_article_describes(outward: int, stride: int) -> None:
    torch.manual_seed(0)
    block = InvertedResidualBlock(6, outward, stride=stride, expansion_factor=3)
    for layer in block.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
    x = torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(block.eval()(x), slow_block(block, x))


def test_the_shortcut_is_the_input_itself_only_where_the_shape_stays() -> None:
    assert InvertedResidualBlock(8, 8, 1, 3).shortcut is None
    assert InvertedResidualBlock(8, 8, 2, 3).shortcut is not None
    assert InvertedResidualBlock(8, 9, 1, 3).shortcut is not None


def test_the_projection_is_linear_and_the_block_leaves_its_input_alone() -> None:
    block = InvertedResidualBlock(4, 4, 1, 2).eval()
    assert not any(isinstance(layer, nn.ReLU) for layer in block.project)
    x = torch.randn(1, 4, 5, 5)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


def test_the_backbone_has_the_parameters_of_its_listing_and_of_its_statistics() -> None:
    backbone = MobileNetBackbone()
    assert parameters(backbone) == 32_584
    assert [parameters(part) for part in (backbone.stem, *backbone.blocks)] == [
        *(464, 3_024, 5_864, 23_232)
    ]
    assert parameters(MobileNetBackbone(depthwise=False)) == 428_944


@pytest.mark.parametrize("depthwise", [True, False])
def test_the_backbone_maps_64_pixels_to_4(depthwise: bool) -> None:
    features = MobileNetBackbone(depthwise=depthwise)(torch.randn(2, 3, 64, 64))
    assert features.shape == (2, 64, 4, 4)
    assert features.min() >= 0


@pytest.mark.parametrize(("classes", "added"), [(7, 455), (10, 650)])
def test_the_head_adds_few_parameters(classes: int, added: int) -> None:
    classifier = MobileNetLikeClassifier(num_classes=classes)
    assert parameters(classifier) - parameters(classifier.backbone) == added
    assert classifier(torch.randn(1, 3, 64, 64)).shape == (1, classes)


def test_the_encoder_adds_no_parameter_and_trains_the_backbone_it_was_given() -> None:
    classifier = MobileNetLikeClassifier()
    encoder = SiameseEncoder(backbone=classifier.backbone)
    assert parameters(encoder) == 32_584
    assert encoder.backbone is classifier.backbone
    # One photo too: flattening must keep the batch.
    assert encoder.eval()(torch.randn(1, 3, 64, 64)).shape == (1, 64)


def test_the_siamese_network_is_one_encoder_three_times() -> None:
    encoder = SiameseEncoder(MobileNetBackbone())
    network = SiameseNetwork(embedding_network=encoder).eval()
    assert parameters(network) == 32_584
    photos = torch.randn(3, 2, 3, 64, 64)
    embeddings = network(*photos)
    for photo, embedding in zip(photos, embeddings, strict=True):
        assert torch.equal(embedding, encoder(photo))
        assert torch.equal(embedding, network.get_embedding(photo))
