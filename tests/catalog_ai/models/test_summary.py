"""The summary prints the article's "Model Statistics", and counts as a loop would."""

import torch

from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.models.summary import summarize


def test_the_articles_statistics() -> None:
    """428,944 parameters, [32, 3, 64, 64] → [32, 64, 4, 4], 0.53 G mult-adds (article)."""
    statistics = summarize(MobileNetBackbone(depthwise=False))
    assert statistics.parameters == 428_944
    assert statistics.input_shape == (32, 3, 64, 64)
    assert statistics.output_shape == (32, 64, 4, 4)
    assert round(statistics.mult_adds / 1e9, 2) == 0.53
    printed = str(statistics)
    for line in ("Total parameters: 428,944", "Output: [32, 64, 4, 4]", "Mult-adds: 0.53 G"):
        assert line in printed


def test_the_heads() -> None:
    classifier = MobileNetLikeClassifier(7)
    assert summarize(classifier).parameters == 32_584 + 455
    assert summarize(classifier).output_shape == (32, 7)
    encoder = summarize(SiameseEncoder(classifier.backbone))
    assert (encoder.parameters, encoder.output_shape) == (32_584, (32, 64))


def test_mult_adds_count_each_product_of_each_convolution() -> None:
    """By hand for one photo: outputs × the inputs that each one sums over."""
    side = {"stem": 32, "0": 16, "1": 8, "2": 4}
    expected = side["stem"] ** 2 * 16 * 3 * 9
    for name, before, inward, outward, hidden in (
        ("0", 32, 16, 24, 48),
        ("1", 16, 24, 32, 72),
        ("2", 8, 32, 64, 192),
    ):
        after = side[name] ** 2
        expected += before**2 * hidden * inward  # expand
        expected += after * hidden * 9  # depthwise
        expected += after * outward * hidden  # project
        expected += after * outward * inward  # shortcut
    assert summarize(MobileNetBackbone(), (1, 3, 64, 64)).mult_adds == expected


def test_rows_follow_the_network_and_the_network_stays_as_it_was() -> None:
    model = MobileNetLikeClassifier().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    statistics = summarize(model)
    assert statistics.layers[0].name == "backbone.stem.0"
    assert statistics.layers[0].output_shape == (32, 16, 32, 32)
    assert statistics.layers[-1].name == "head.2"
    assert model.training
    assert not any(layer._forward_hooks for layer in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
