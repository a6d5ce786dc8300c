"""Re-shots, calibration, an evaluation's figures, and the page made of it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from catalog_ai.checkpoint import load_checkpoint
from catalog_ai.data.sources import Source, read_source
from catalog_ai.errors import TrainingDataError
from catalog_ai.evaluation import metrics
from catalog_ai.evaluation.document import write_report
from catalog_ai.evaluation.report import Evaluation, evaluate_model
from catalog_ai.evaluation.reshot import shoot_again
from catalog_ai.images import decode
from catalog_ai.inference.embeddings import CatalogModel
from tests.helpers import fake_model, write_photo


def pictures(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (50 + n, 40, 3), dtype=np.uint8) for n in range(count)]


# --- re-shots ------------------------------------------------------------------------------------


def test_a_reshot_depends_on_the_seed_and_its_own_number_alone() -> None:
    photos = pictures(3)
    whole = shoot_again(photos, seed=7)
    assert [shot.shape for shot in whole] == [(240, 240, 3)] * 3
    torch.rand(3)
    (second,) = shoot_again(photos[1:2], seed=7, first=1)
    assert (second == whole[1]).all()
    assert (shoot_again(photos, seed=8)[1] != whole[1]).any()


def test_reshots_leave_torchs_generator_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    shoot_again(pictures(2))
    assert torch.equal(torch.rand(2), expected)


def test_a_reshot_is_another_picture_of_the_same_thing() -> None:
    photo = np.full((80, 60, 3), 250, np.uint8)
    photo[20:60, 15:45] = (140, 30, 30)
    (shot,) = shoot_again([photo])
    assert (shot != np.asarray(Image.fromarray(photo).resize((240, 240)))).mean() > 0.3
    red = shot[100:140, 100:140].reshape(-1, 3).mean(0)
    assert red[0] > 1.5 * red[1]


# --- metrics -------------------------------------------------------------------------------------


def test_found_first_means_that_nothing_is_nearer() -> None:
    gallery = np.array([[0, 0], [1, 0], [1, 0], [5, 5]], np.float32)
    queries = np.array([[0.1, 0], [0.9, 0], [0.9, 0], [1, 0.2]], np.float32)
    found = metrics.found_first(queries, gallery, np.array([0, 1, 2, 3]))
    assert found.tolist() == [True, True, True, False]  # a copy of the original is not nearer


def test_many_reshots_are_worked_off_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    gallery = random.normal(size=(23, 5)).astype(np.float32)
    queries = gallery + random.normal(size=gallery.shape).astype(np.float32)
    whole = metrics.found_first(queries, gallery, np.arange(23))
    monkeypatch.setattr(metrics, "_ROWS_AT_ONCE", 4)
    assert (metrics.found_first(queries, gallery, np.arange(23)) == whole).all()
    assert 0 < whole.sum() < 23


def test_the_calibration_error_is_what_the_loop_says() -> None:
    random = np.random.default_rng(1)
    sure = random.uniform(0.2, 1, 200).astype(np.float32)
    right = random.uniform(size=200) < sure**2
    error = 0.0
    for number in range(15):
        inside = [i for i in range(200) if number / 15 < sure[i] <= (number + 1) / 15]
        if inside:
            gap = np.mean(right[inside]) - np.mean(sure[inside].astype(float))
            error += len(inside) / 200 * abs(gap)
    assert metrics.calibration_error(sure, right) == pytest.approx(error)
    assert metrics.calibration_error(np.ones(4, np.float32), np.ones(4, bool)) == 0
    assert np.isnan(metrics.calibration_error(np.empty(0, np.float32), np.empty(0, bool)))


def test_a_gallery_is_searched_besides_and_asks_nothing() -> None:
    random = np.random.default_rng(2)
    vectors = random.normal(size=(9, 4)).astype(np.float32)
    targets = random.integers(3, size=9)
    found = metrics.retrieval_metrics(vectors[:5], targets[:5], vectors[5:], targets[5:])
    first = []
    for query in range(5):
        far = [(np.linalg.norm(vectors[query] - vectors[i]), i) for i in range(9) if i != query]
        if any(targets[i] == targets[query] for _, i in far):
            first.append(targets[min(far)[1]] == targets[query])
    assert found.top1 == pytest.approx(np.mean(first))


# --- an evaluation -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for label, colour in (("Dress", "#c03030"), ("hat", "#3030c0"), ("<b>cape", "#30c030")):
        for number in range(4):
            write_photo(root / label / f"{number}.jpg", colour, (60 + number, 80))
    (root / "hat" / "broken.jpg").write_bytes(b"no photo")
    return root


@pytest.fixture(scope="module")
def source(folder: Path) -> Source:
    return read_source(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CatalogModel:
    folder = fake_model(tmp_path_factory.mktemp("models"), "m", ["dress", "hat", "shoes"])
    return CatalogModel(load_checkpoint(folder))


@pytest.fixture(scope="module")
def evaluated(model: CatalogModel, source: Source) -> Evaluation:
    return evaluate_model(model, source.items)


def test_the_figures_are_complete_and_json(evaluated: Evaluation) -> None:
    figures = json.loads(json.dumps(evaluated.figures))
    assert set(figures) >= {
        *("accuracy", "accuracy_all", "per_class", "confusion", "top1", "top5", "map_at_r"),
        *("same_class_distance", "different_class_distance", "reshot_recall_at_1"),
        *("calibration_error", "parameters", "mult_adds", "images", "seconds"),
    }
    assert (figures["images"], figures["unreadable"], figures["gallery_images"]) == (12, 1, 0)
    assert figures["unknown_categories"] == {"<b>cape": 4}
    assert figures["parameters"] == 32_584 + 64 * 3 + 3


def test_accuracy_is_the_best_of_the_categories_that_are_present(
    model: CatalogModel, source: Source, evaluated: Evaluation
) -> None:
    known = [item for item in source.items if item.label in {"Dress", "hat"}]
    photos = [decode(item.path.read_bytes()) for item in known if item.path.stem != "broken"]
    names = [str(item.label).lower() for item in known if item.path.stem != "broken"]
    shares = model.predict(photos).probabilities
    among_two = [("dress", "hat")[int(row[:2].argmax())] for row in shares]
    among_all = [("dress", "hat", "shoes")[int(row.argmax())] for row in shares]
    right = [one == name for one, name in zip(among_two, names, strict=True)]
    assert evaluated.figures["accuracy"] == np.mean(right)
    right = [one == name for one, name in zip(among_all, names, strict=True)]
    assert evaluated.figures["accuracy_all"] == np.mean(right)
    assert np.sum(evaluated.figures["confusion"]) == 8
    assert evaluated.figures["per_class"]["shoes"] is None


def test_retrieval_knows_categories_that_the_model_does_not(evaluated: Evaluation) -> None:
    vectors, targets = evaluated.queries.vectors, evaluated.targets
    assert set(targets.tolist()) == {0, 1, 2}
    assert evaluated.figures["top1"] == metrics.retrieval_metrics(vectors, targets).top1


def test_a_gallery_is_searched_but_never_for_the_query_itself(
    model: CatalogModel, source: Source, tmp_path: Path
) -> None:
    for number in range(3):
        write_photo(tmp_path / "hat" / f"{number}.png", "#803080", (70, 90 + number))
    more = read_source(tmp_path).items
    found = evaluate_model(model, source.items, more)
    assert found.figures["gallery_images"] == 3
    same = evaluate_model(model, source.items, [*more, *source.items])
    assert same.figures["gallery_images"] == 3  # photos of the folder itself are left out
    alone = evaluate_model(model, source.items, more, category_in_gallery=False)
    assert alone.figures["top1"] == evaluate_model(model, source.items).figures["top1"]


def test_a_model_without_categories_is_measured_by_its_vectors(
    source: Source, tmp_path: Path
) -> None:
    bare = CatalogModel(load_checkpoint(fake_model(tmp_path, "bare", [])))
    figures = evaluate_model(bare, source.items).figures
    assert figures["accuracy"] is figures["accuracy_all"] is figures["calibration_error"] is None
    assert figures["per_class"] == {}
    assert sum(figures["unknown_categories"].values()) == 12
    assert 0 <= figures["reshot_recall_at_1"] <= 1


def test_photos_without_labels_cannot_be_measured(model: CatalogModel, tmp_path: Path) -> None:
    write_photo(tmp_path / "one.jpg")
    with pytest.raises(TrainingDataError, match="no readable photo with a label"):
        evaluate_model(model, read_source(tmp_path).items)


# --- the page ------------------------------------------------------------------------------------


def figures_of(evaluated: Evaluation) -> dict[str, object]:
    return {"model": "m <script>", "data": "photos", **evaluated.figures}


def test_the_page_is_one_file_with_its_pictures_and_nothing_unescaped(
    evaluated: Evaluation, tmp_path: Path
) -> None:
    write_report(evaluated, figures_of(evaluated), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert "<script>" not in text
    assert "<b>cape" not in text
    assert "&lt;b&gt;cape" in text
    assert text.count("data:image/jpeg;base64,") > 20
    for words in ("Which category", "What looks like it", "Same garment, shot again"):
        assert words in text


def test_markdown_keeps_its_pictures_beside_it(evaluated: Evaluation, tmp_path: Path) -> None:
    write_report(evaluated, figures_of(evaluated), tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    named = set(re.findall(r"report_pictures/\d{3}\.jpg", text))
    assert named
    assert all((tmp_path / name).is_file() for name in named)
    assert "\\<b\\>cape" in text


def test_a_model_without_categories_has_a_page_as_well(source: Source, tmp_path: Path) -> None:
    bare = CatalogModel(load_checkpoint(fake_model(tmp_path, "bare", [])))
    found = evaluate_model(bare, source.items)
    write_report(found, figures_of(found), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Which category" not in text
    assert "What looks like it" in text
