"""Architectures by name, frozen stages, pretrained weights, and what makes the vector."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from catalog_ai.errors import UsageError, WeightsError
from catalog_ai.models import pretrained
from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.blocks import InvertedResidualBlock, SqueezeExcitation
from catalog_ai.models.embedding import FixedProjection, SplitEmbedding
from catalog_ai.models.registry import Architecture, build, build_backbone
from catalog_ai.models.siamese import TwoHeads

LITE = "tf_efficientnet_lite0"


def test_an_architecture_comes_back_from_its_certificate() -> None:
    for chosen in (Architecture(), Architecture(backbone=LITE, style=True, embedding="split")):
        written = json.loads(json.dumps(chosen.to_meta()))
        assert Architecture.from_meta(written) == chosen
    with pytest.raises(ValueError, match="twisted"):
        Architecture.from_meta(Architecture().to_meta() | {"embedding": "twisted"})


@pytest.mark.parametrize(
    ("architecture", "classes", "side"),
    [
        (Architecture(), 7, 64),
        (Architecture(squeeze_excitation=True), 7, 64),
        (Architecture(depthwise=False), 7, 64),
        (Architecture(shared_backbone=False), 3, 64),
        (Architecture(backbone=LITE, embedding="split"), 10, 64),
        (Architecture(backbone=LITE, style=True, embedding="split"), 10, 64),
        (Architecture(backbone=LITE, embedding="fixed"), 0, 64),
    ],
)
def test_both_heads_answer_in_one_pass(architecture: Architecture, classes: int, side: int) -> None:
    torch.manual_seed(0)
    classifier, encoder = build(architecture, classes)
    if architecture.embedding == "fixed":
        nn.init.normal_(encoder.representation[-1].projection)
    network = TwoHeads(classifier, encoder).eval()
    passes = []
    for backbone in {classifier.backbone, encoder.backbone}:
        backbone.register_forward_hook(lambda *_: passes.append(1))
    with torch.inference_mode():
        photos = torch.randn(3, 3, side, side)
        logits, vectors, features = network(photos)
    assert (logits.shape, vectors.shape) == ((3, classes), (3, 64))
    with torch.inference_mode():
        maps = encoder.backbone(photos)
    torch.testing.assert_close(features, maps.mean((2, 3)))
    assert features.shape == (3, encoder.backbone.features + encoder.backbone.style)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert len(passes) - 1 == (1 if architecture.shared_backbone else 2)


def test_squeeze_excitation_scales_channels_by_a_gate_of_their_means() -> None:
    torch.manual_seed(0)
    layer, x = SqueezeExcitation(8), torch.randn(2, 8, 5, 5)
    _, shrink, _, widen, _ = layer.gate
    for photo, scaled in zip(x, layer(x), strict=True):
        means = photo.mean((1, 2))
        hidden = (shrink.weight[:, :, 0, 0] @ means + shrink.bias).relu()
        gate = torch.sigmoid(widen.weight[:, :, 0, 0] @ hidden + widen.bias)
        for channel in range(8):
            torch.testing.assert_close(scaled[channel], photo[channel] * gate[channel])


def test_without_squeeze_excitation_a_block_is_the_articles() -> None:
    plain = InvertedResidualBlock(16, 24, 2, 3)
    extra = InvertedResidualBlock(16, 24, 2, 3, squeeze_excitation=True)
    count = [sum(p.numel() for p in block.parameters()) for block in (plain, extra)]
    assert count == [3_024, 3_024 + 48 * 12 + 12 + 12 * 48 + 48]


@pytest.mark.parametrize("name", ["mobilenet", LITE])
def test_frozen_stages_keep_weights_and_statistics(name: str) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(Architecture(backbone=name))
    backbone.freeze(2)
    frozen = [module for stage in backbone.stages()[:2] for module in stage]
    before = [value.clone() for module in frozen for value in module.state_dict().values()]
    free = backbone.stages()[2][0]
    assert not any(weight.requires_grad for module in frozen for weight in module.parameters())
    assert all(weight.requires_grad for weight in free.parameters())
    backbone.train()
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    backbone(torch.randn(4, 3, 64, 64)).square().mean().backward()
    optimizer.step()
    after = [value for module in frozen for value in module.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert not any(module.training for module in frozen)
    assert backbone.training


@pytest.mark.parametrize("count", [-1, 5])
def test_more_stages_than_there_are_cannot_be_frozen(count: int) -> None:
    with pytest.raises(UsageError, match="choose 0 to 4"):
        MobileNetBackbone().freeze(count)


def test_a_backbone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="no backbone 'resnet-of-mine': it is mobilenet"):
        build_backbone(Architecture(backbone="resnet-of-mine"))
    with pytest.raises(UsageError, match="options of mobilenet alone"):
        build_backbone(Architecture(backbone=LITE, squeeze_excitation=True))


@pytest.mark.parametrize("name", [LITE, "resnet18", "vit_tiny_patch16_224"])
def test_style_is_mean_and_deviation_of_the_last_four_stages(name: str) -> None:
    torch.manual_seed(0)
    plain = build_backbone(Architecture(backbone=name)).eval()
    styled = build_backbone(Architecture(backbone=name, style=True)).eval()
    styled.load_state_dict(plain.state_dict())
    photos = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        found, features = styled(photos)[:, :, 0, 0], plain(photos)[:, :, 0, 0]
        maps = styled.net.forward_intermediates(photos, intermediates_only=True)[-4:]
    torch.testing.assert_close(found[:, : styled.features], features)
    expected = [
        number
        for stage in maps
        for number in (stage.mean((2, 3)), stage.flatten(2).std(2, correction=0))
    ]
    style = torch.cat(expected, 1)
    assert style.shape == (2, styled.style)
    torch.testing.assert_close(found[:, styled.features :], style, atol=4e-3, rtol=1e-3)


def test_a_silent_channel_has_a_style_with_finite_gradients() -> None:
    backbone = build_backbone(Architecture(backbone="resnet18", style=True))
    photos = torch.zeros(2, 3, 64, 64, requires_grad=True)
    backbone.eval()(photos).sum().backward()
    assert photos.grad is not None
    assert photos.grad.isfinite().all()


def test_a_classifier_never_sees_the_style() -> None:
    classifier, encoder = build(Architecture("resnet18", style=True, embedding="split"), 3)
    assert classifier.top.in_features == classifier.backbone.features
    assert encoder.representation[-1].identity.in_features == classifier.backbone.style


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_any_architecture_of_timm_fits_under_the_heads(name: str) -> None:
    backbone = build_backbone(Architecture(backbone=name))
    features = backbone.eval()(torch.zeros(2, 3, 224, 224))
    assert features.shape == (2, backbone.features, 1, 1)
    assert len(backbone.stages()) > 3


# --- pretrained weights --------------------------------------------------------------------------


def test_the_packages_weights_are_timms_value_by_value() -> None:
    backbone = pretrained.pretrained_backbone(LITE)
    weights = pretrained.pretrained_weights(LITE)
    own = backbone.net.state_dict()
    assert set(weights) - set(own) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(own[name], weights[name]) for name in own)
    preprocessing = pretrained.preprocessing_of(LITE, 160)
    assert (preprocessing.size, preprocessing.mean, preprocessing.std) == (
        *(160, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    )


def test_each_tensor_of_the_package_is_of_the_kind_that_timm_puts_there() -> None:
    """Shapes repeat, so tensors in another order might load as well."""
    theirs = pretrained._from_package(pretrained.PACKAGED[LITE])
    kinds = ("bn", "weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    for their, ours in zip(theirs, pretrained.pretrained_weights(LITE), strict=True):
        assert [kind in their for kind in kinds] == [kind in ours for kind in kinds], (their, ours)
        depthwise = "depthwise" in their
        assert depthwise == ("conv_dw" in ours), (their, ours)


def test_weights_that_no_package_carries_need_a_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no installed package carries weights for 'resnet18'"):
        pretrained.pretrained_backbone("resnet18")
    with pytest.raises(WeightsError, match="no readable safetensors"):
        pretrained.pretrained_backbone("resnet18", tmp_path / "none.safetensors")
    torch.manual_seed(1)
    given = build_backbone(Architecture(backbone="resnet18")).net.state_dict()
    save_file(given, tmp_path / "weights.safetensors")
    loaded = pretrained.pretrained_backbone("resnet18", tmp_path / "weights.safetensors")
    assert all(torch.equal(value, given[name]) for name, value in loaded.net.state_dict().items())
    with pytest.raises(WeightsError, match="another architecture than 'resnet34'"):
        pretrained.pretrained_backbone("resnet34", tmp_path / "weights.safetensors")


def test_a_pickle_is_no_file_of_weights(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="no readable safetensors"):
        pretrained.pretrained_backbone("resnet18", tmp_path / "weights.pth")


def test_a_package_that_was_tampered_with_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known = pretrained.PACKAGED[LITE]
    other = pretrained.PackagedWeights(known.package, known.file, "0" * 64)
    monkeypatch.setitem(pretrained.PACKAGED, LITE, other)
    with pytest.raises(WeightsError, match="not those that this program knows"):
        pretrained.pretrained_weights(LITE)


# --- what makes the vector -----------------------------------------------------------------------


def test_the_two_parts_weigh_what_they_should() -> None:
    torch.manual_seed(0)
    embedding, features = SplitEmbedding(32, 10, category_share=0.7).eval(), torch.randn(5, 32)
    vectors = embedding(features)
    assert vectors.shape == (5, 64)
    torch.testing.assert_close(vectors[:, :10].square().sum(1), torch.full((5,), 0.7))
    torch.testing.assert_close(vectors[:, 10:].square().sum(1), torch.full((5,), 0.3))
    shares = embedding.category(features).softmax(1)
    torch.testing.assert_close(vectors[:, :10].square() / 0.7, shares)


def test_a_distance_is_both_parts_distances_weighed() -> None:
    torch.manual_seed(0)
    embedding = SplitEmbedding(20, 4, category_share=0.6, style=12).eval()
    embedding.scale.running_mean = torch.randn(12)
    pooled = torch.randn(2, 32)
    features, style = pooled[:, :20], pooled[:, 20:]
    one, two = embedding(pooled)
    first, second = embedding.category(features).softmax(1).sqrt()
    scaled = (style - embedding.scale.running_mean) / (1 + embedding.scale.eps) ** 0.5
    garment, other = functional.normalize(embedding.identity(scaled), dim=1)
    expected = 0.6 * (first - second).square().sum() + 0.4 * (garment - other).square().sum()
    torch.testing.assert_close((one - two).square().sum(), expected)


def test_whitened_shots_of_one_garment_differ_alike_in_every_direction() -> None:
    torch.manual_seed(0)
    embedding = SplitEmbedding(20, 4, category_share=0.6, style=12).eval()
    photos = torch.randn(400, 32)
    shots = photos + 0.1 * torch.randn(400, 32) @ torch.randn(32, 32)
    before = embedding.category.weight.clone()
    embedding.whiten(photos, shots)
    first, second = (embedding.identity(embedding.scale(x[:, 20:])) for x in (photos, shots))
    differences = first - second
    within = differences.T @ differences / (2 * len(photos))
    # 12 numbers of style span 12 directions of the 60, in which the covariance is now the unit.
    values = torch.linalg.eigvalsh(within)[-12:]
    torch.testing.assert_close(values, torch.ones(12), atol=0.05, rtol=0)
    torch.testing.assert_close(first.mean(0), torch.zeros(60), atol=1e-3, rtol=0)
    assert torch.equal(embedding.category.weight, before)


def test_many_categories_share_sixteen_numbers() -> None:
    embedding = SplitEmbedding(32, 40, category_share=0.5)
    assert embedding.identity.out_features == 48
    assert embedding.directions.shape == (40, 16)
    torch.testing.assert_close(embedding.directions.norm(dim=1), torch.ones(40))
    vectors = embedding(torch.randn(3, 32))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_a_fixed_projection_centres_then_projects() -> None:
    projection = FixedProjection(6, 2)
    projection.centre.fill_(1.0)
    projection.projection.copy_(torch.arange(12.0).view(2, 6))
    assert projection(torch.full((1, 6), 2.0)).tolist() == [[15.0, 51.0]]
    assert not list(projection.parameters())


def test_imagenets_projection_is_orthogonal_and_the_same_every_time() -> None:
    centre, directions = pretrained.imagenet_projection(LITE, 64)
    assert centre.shape == (1280,)
    assert 0 <= centre.min() <= centre.max() <= 6
    torch.testing.assert_close(directions @ directions.T, torch.eye(64), atol=1e-5, rtol=0)
    again = pretrained.imagenet_projection(LITE, 64)
    assert torch.equal(centre, again[0])
    assert torch.equal(directions, again[1])
