"""Leave one out by formula beside the slow twin: leave it out, fit again, ask."""

import numpy as np
import pytest

from catalog_ai.curation import kernel_ridge
from catalog_ai.curation.kernel_ridge import LeaveOneOut


def drawn(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return random.normal(size=(count, 6)).astype(np.float32), np.eye(3)[
        random.integers(3, size=count)
    ]


def slowly(
    units: np.ndarray, targets: np.ndarray, taught: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Fit kernel ridge regression to `taught` rows and return what it says of `asked` ones."""
    centre = targets.mean(0)
    kernel = np.exp(-0.5 * ((units[:, None] - units[None]) ** 2).sum(-1))
    ridge = 0.3 * np.eye(len(taught))
    weights = np.linalg.solve(kernel[np.ix_(taught, taught)] + ridge, targets[taught] - centre)
    return kernel[np.ix_(asked, taught)] @ weights + centre


def standardized(features: np.ndarray, known: np.ndarray) -> np.ndarray:
    scaled = (features - features[known].mean(0)) / features[known].std(0)
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def test_each_item_is_judged_as_if_it_had_never_been_seen() -> None:
    features, targets = drawn()
    everyone = np.arange(len(features))
    units = standardized(features, everyone)
    said = LeaveOneOut(features, np.ones(len(features), np.bool_), everyone)(targets)
    for row in everyone:
        expected = slowly(units, targets, np.delete(everyone, row), np.array([row]))
        np.testing.assert_allclose(said[row], expected[0], atol=1e-4)


def test_copies_are_left_out_together() -> None:
    features, targets = drawn()
    features[[5, 6]] = features[4]
    groups = np.arange(len(features))
    groups[[5, 6]] = 4
    everyone = np.arange(len(features))
    units = standardized(features, everyone)
    said = LeaveOneOut(features, np.ones(len(features), np.bool_), groups)(targets)
    rest = np.delete(everyone, [4, 5, 6])
    expected = slowly(units, targets, rest, np.array([4]))[0]
    for row in (4, 5, 6):
        np.testing.assert_allclose(said[row], expected, atol=1e-4)


def test_items_whose_label_is_unknown_teach_nothing_and_are_judged_by_all_others() -> None:
    features, targets = drawn()
    known = np.ones(len(features), np.bool_)
    known[:7] = False
    units = standardized(features, known)
    said = LeaveOneOut(features, known, np.arange(len(features)))(targets[known])
    taught = np.flatnonzero(known)
    centre_kept = np.zeros_like(targets)
    centre_kept[taught] = targets[taught]
    kernel = np.exp(-0.5 * ((units[:, None] - units[None]) ** 2).sum(-1))
    centre = targets[taught].mean(0)
    weights = np.linalg.solve(
        kernel[np.ix_(taught, taught)] + 0.3 * np.eye(len(taught)), targets[taught] - centre
    )
    expected = kernel[np.ix_(np.arange(7), taught)] @ weights + centre
    np.testing.assert_allclose(said[:7], expected, atol=1e-4)


def test_a_part_of_the_items_spans_nearly_the_same() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 3)).astype(np.float32)
    targets = np.eye(2)[(features[:, 0] > 0).astype(int)]
    everyone = np.ones(300, np.bool_)
    whole = LeaveOneOut(features, everyone, np.arange(300))(targets)
    part = LeaveOneOut(features, everyone, np.arange(300), exact=60)(targets)
    assert np.abs(whole - part).mean() < 0.03
    assert (whole.argmax(1) == part.argmax(1)).mean() > 0.97


def test_rows_beyond_one_block_are_judged_as_those_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, targets = drawn()
    everyone = np.ones(len(features), np.bool_)
    whole = LeaveOneOut(features, everyone, np.arange(len(features)))(targets)
    monkeypatch.setattr(kernel_ridge, "_AT_ONCE", 7)
    parts = LeaveOneOut(features, everyone, np.arange(len(features)))(targets)
    np.testing.assert_allclose(parts, whole, atol=1e-9)


def test_features_without_any_difference_are_no_error() -> None:
    features = np.ones((12, 4), np.float32)
    said = LeaveOneOut(features, np.ones(12, np.bool_), np.arange(12))(np.eye(2)[np.arange(12) % 2])
    assert np.isfinite(said).all()
