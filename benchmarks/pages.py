"""How long the pages of a large catalogue take on the server.

    python -m benchmarks.pages [--products 5000,100000,1000000] [--rounds 20] [--browser]
        [--json FILE]

Real photos are taken in (from `CATALOG_TEST_PHOTOS`, else the generated sample), then repeated:
each product drawn around a real one has its photo and thumbnail, a vector beside its vector, and
label, prediction and score of its like; three in a hundred look wrong, five in a hundred are
decided. Prints the median and the 95th percentile of

* a rerun of each page, as a click that changes nothing causes it;
* each view of the desk, by somebody who has typed their name: the contact sheet with 32 tiles;
* a decision by its button, with everything that the page then draws anew.

`AppTest` runs the page as the server does, in this process; what the browser does is not in it.
The first draw of a page, with empty caches, is printed beside. `--browser` serves the catalogue as
well, presses Q in Chromium and waits for the next product: from key to picture.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from catalog_ai.config import PROJECT_ROOT, settings
from catalog_ai.data.sample import write_sample
from catalog_ai.services import assessing, review
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.ingest import ingest
from catalog_ai.services.shipped import ensure_model
from db.engine import write
from db.schema import (
    Claim,
    Decision,
    Embedding,
    LabelScore,
    Prediction,
    Product,
    Projection,
    ProjectionPoint,
)

GOAL = {5_000: 150, 100_000: 150, 1_000_000: 300}  # milliseconds, 95th percentile
KEY, KEY_GOAL = "from key to next product", 300  # milliseconds, in the browser
PAGES = {
    "Today": None,
    "Shop the look": "pages/2_Shop_the_look.py",
    "Embedding map": "pages/3_Embedding_map.py",
    "Models": "pages/4_Models.py",
    "Nightly runs": "pages/5_Nightly_runs.py",
    "Categories": "pages/6_Categories.py",
}
DESK = "pages/1_Review_labels.py"
VIEWS = ("One at a time", "Contact sheet", "Change many", "Pairs", "Progress", "Log and files")
TILES = 32  # on a contact sheet
PHOTOS = 400  # that are taken in; all others are drawn around them
WRONG, DECIDED = 0.03, 0.05
_AT_ONCE = 10_000
_PATIENCE = 20  # seconds for the rounds of one page


def fill(catalogue: Catalogue, count: int) -> None:
    """Draw products around those that the catalogue holds, up to `count`."""
    rng = np.random.default_rng(0)
    with write(catalogue.engine, touches=("products", "labels", "scores", "embeddings")) as session:
        real = _real(session)
        first = max(product.id for product, *_ in real) + 1
        made = np.arange(first, first + max(0, count - len(real)))
        projection = _map(session, real[0][1].model_version_id, count)
        for start in range(0, len(made), _AT_ONCE):
            ids = made[start : start + _AT_ONCE]
            like = [real[row] for row in rng.integers(len(real), size=len(ids))]
            wrong = rng.random(len(ids)) < WRONG
            decided = ~wrong & (rng.random(len(ids)) < DECIDED)
            score = np.where(wrong, rng.uniform(0.25, 1, len(ids)), rng.uniform(0, 0.2, len(ids)))
            near = rng.integers(1, first, size=(len(ids), 15))
            numbers = ids.tolist()
            rows = list(zip(numbers, like, strict=True))
            session.execute(insert(Product), list(_products(rows, wrong, decided)))
            session.execute(insert(Embedding), list(_vectors(rows, rng)))
            session.execute(insert(Prediction), list(_predictions(rows)))
            session.execute(insert(LabelScore), list(_scores(rows, wrong, score, near)))
            kept = [row for row, done in zip(rows, decided, strict=True) if done]
            session.execute(insert(Decision), list(_decisions(kept)))
            places = rng.normal(size=(len(ids), 2)).tolist()
            points = [
                {"projection_id": projection, "product_id": number, "x": x, "y": y}
                for number, (x, y) in zip(numbers, places, strict=True)
            ]
            session.execute(insert(ProjectionPoint), points)


Real = tuple[Product, LabelScore, Prediction, Embedding]


def _real(session: Session) -> list[Real]:
    query = (
        select(Product, LabelScore, Prediction, Embedding)
        .join(LabelScore, LabelScore.product_id == Product.id)
        .join(Prediction, Prediction.product_id == Product.id)
        .join(Embedding, Embedding.product_id == Product.id)
        .where(Product.label_current.is_not(None), LabelScore.known_label)
    )
    return [tuple(found) for found in session.execute(query)]


def _map(session: Session, model_version_id: int, count: int) -> int:
    drawn = Projection(
        model_version_id=model_version_id, method="umap", parameters={}, products=count,
        created_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(drawn)
    session.flush()
    return drawn.id


Rows = list[tuple[int, Real]]


def _products(
    rows: Rows, wrong: NDArray[np.bool_], decided: NDArray[np.bool_]
) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for (number, (product, score, *_)), odd, done in zip(rows, wrong, decided, strict=True):
        label = _other(score) if odd else product.label_current
        yield {
            "id": number, "sku": f"SKU-{number:08}", "title": f"No. {number} {product.title}",
            "label_given": label, "label_current": label, "image_path": product.image_path,
            "image_sha256": product.image_sha256, "stored_image": product.stored_image,
            "thumbnail": product.thumbnail, "review_state": "kept" if done else "open",
            "attributes": {"brand": f"Brand {number % 40}", "price": f"{number % 200}.90"},
            "added_run_id": product.added_run_id, "changed_run_id": product.changed_run_id,
            "created_at": now, "updated_at": now,
        }  # fmt: skip


def _other(score: LabelScore) -> str:
    """Return a category that the suggestion is not."""
    return "dress" if score.suggestion != "dress" else "skirt"


def _keys(number: int, product: Product, model_version_id: int) -> dict[str, Any]:
    return {
        "product_id": number,
        "model_version_id": model_version_id,
        "image_sha256": product.image_sha256,
    }


def _vectors(rows: Rows, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    vectors = np.stack([np.frombuffer(embedding.vector, "<f4") for _, (*_, embedding) in rows])
    vectors = vectors + 0.05 * rng.standard_normal(vectors.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")
    for (number, (product, *_, embedding)), vector in zip(rows, vectors, strict=True):
        yield _keys(number, product, embedding.model_version_id) | {
            "dimension": embedding.dimension,
            "vector": vector.tobytes(),
        }


def _predictions(rows: Rows) -> Iterator[dict[str, Any]]:
    for number, (product, _, said, _) in rows:
        yield _keys(number, product, said.model_version_id) | {
            "probabilities": said.probabilities,
            "top_label": said.top_label,
            "confidence": said.confidence,
            "trained_on": False,
        }


def _scores(
    rows: Rows, wrong: NDArray[np.bool_], score: NDArray[np.float64], near: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    for (number, (product, like, *_)), odd, chance, around in zip(
        rows, wrong.tolist(), score.tolist(), near.tolist(), strict=True
    ):
        yield _keys(number, product, like.model_version_id) | {
            "assessment_id": like.assessment_id,
            "label": _other(like) if odd else product.label_current,
            "known_label": True, "probabilities": like.probabilities,
            "suggestion": like.suggestion, "confidence": like.confidence, "score": chance,
            "looks_wrong": odd, "neighbours": around, "agreement": like.agreement,
        }  # fmt: skip


def _decisions(rows: Rows) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for number, (product, score, *_) in rows:
        yield {
            "product_id": number, "action": "keep", "label_given": product.label_current,
            "label_before": product.label_current, "label_after": product.label_current,
            "state_before": "open", "state_after": "kept", "suggestion": score.suggestion,
            "score": score.score, "image_sha256": product.image_sha256,
            "model_version_id": score.model_version_id, "reviewer": ("Ana", "Ben")[number % 2],
            "note": "", "request_key": f"made-{number}",
            "decided_at": now - timedelta(minutes=number % 40_000),
        }  # fmt: skip


def photos(home: Path) -> Path:
    """Return a folder with photos in category folders."""
    given = os.environ.get("CATALOG_TEST_PHOTOS")
    if given:
        return Path(given) / "clothing-dataset-small" / "validation"
    return write_sample(home / "sample", count=PHOTOS)


def _rounds(count: int, run: Callable[[], Any]) -> list[float]:
    """Return milliseconds, one for each round; fewer where they take longer than `_PATIENCE`."""
    taken: list[float] = []
    while len(taken) < count and sum(taken) < 1000 * _PATIENCE:
        start = perf_counter()
        run()
        taken.append(1000 * (perf_counter() - start))
    return taken


def _drawn(app: Any, path: str | None, query: dict[str, str], rounds: int) -> dict[str, float]:
    if path is not None:
        app.switch_page(path)
    for name, value in query.items():
        app.query_params[name] = value
    first = _rounds(1, app.run)[0]
    if app.exception:
        raise SystemExit(f"{path}: {app.exception[0].value}")
    return _summary(first, _rounds(rounds, app.run))


def _summary(first: float, taken: list[float]) -> dict[str, float]:
    median, late = np.percentile(taken, (50, 95))
    return {"p50": float(median), "p95": float(late), "first": first}


def _opened(catalogue: Catalogue) -> Any:
    """Return a browser of its own for Ana, whom nobody else keeps from a product."""
    from streamlit.testing.v1 import AppTest

    with write(catalogue.engine) as session:
        session.execute(delete(Claim))
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=600)
    app.session_state["frame.reviewer"] = "Ana"
    return app.run()


def _view(catalogue: Catalogue, view: str, rounds: int) -> dict[str, float]:
    """Draw a view of the desk, in a browser of its own: the address chooses only at first."""
    query = {"review.view": view}
    if view == "Contact sheet":
        query["review.category"] = next(iter(review.progress(catalogue).by_category))
    app = _opened(catalogue)
    found = _drawn(app, DESK, query, rounds)
    shown = app.session_state["review.view"]
    if shown != view:
        raise SystemExit(f"{view!r} was to be measured, but {shown!r} is shown")
    if view == "Contact sheet" and _tiles(app) != TILES:
        raise SystemExit(f"{_tiles(app)} tiles on the contact sheet: {TILES} were to be measured")
    if view == "Change many" and not _has(app, "review.bulk.decide"):
        raise SystemExit("the change of many was to be measured with its preview: there is none")
    return found


def _tiles(app: Any) -> int:
    """Return how many tiles are shown, each with its picture."""
    shown = (json.loads(part.proto.json) for part in app.get("bidi_component") if part.proto.json)
    return sum(len(data.get("tiles", ())) for data in shown)


def _has(app: Any, key: str) -> bool:
    return any(button.key == key for button in app.button)


def _decide(app: Any, rounds: int) -> dict[str, float]:
    """Press Keep again and again, as somebody does who works off the queue."""
    app.switch_page(DESK).run()

    def press() -> None:
        next(button for button in app.button if button.label.startswith("Keep")).click().run()

    first = _rounds(1, press)[0]
    return _summary(first, _rounds(rounds, press))


def measure(catalogue: Catalogue, rounds: int) -> dict[str, dict[str, float]]:
    """Return page or view → milliseconds: median, 95th percentile, first draw."""
    from streamlit.runtime.scriptrunner.script_cache import ScriptCache
    from streamlit.testing.v1 import AppTest, app_test, local_script_runner

    from pages._ui import frame

    # As on the server: a page's code is read once, and a cookie is a word, not a mock.
    code = ScriptCache()
    local_script_runner.ScriptCache = app_test.ScriptCache = lambda: code
    frame.remembered_name = lambda: ""
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=600)
    app.run()
    found = {name: _drawn(app, path, {}, rounds) for name, path in PAGES.items()}
    for view in VIEWS:
        found[f"Review labels: {view}"] = _view(catalogue, view, rounds)
    found["a decision"] = _decide(_opened(catalogue), rounds)
    return found


# From the key to the frame that shows another product, by the browser's own clock.
_WATCH = """() => {
  window.taken = [];
  const shown = () => document.querySelector(".facts")?.dataset.sku;
  let pressed = null, before = null;
  const note = () => { pressed = performance.now(); before = shown(); };
  document.addEventListener("keydown", note, true);
  new MutationObserver(() => {
    const now = shown();
    if (pressed === null || !now || now === before) return;
    const from = pressed;
    pressed = null;
    requestAnimationFrame(() => window.taken.push(performance.now() - from));
  }).observe(document.body, { childList: true, subtree: true, attributes: true });
}"""


def in_browser(rounds: int) -> dict[str, float]:
    """Return milliseconds from pressing Q until the next product is shown, in Chromium."""
    from playwright.sync_api import expect, sync_playwright

    from tests.browser.helpers import CHROMIUM, FLAGS, served

    with served() as address, sync_playwright() as playwright, tempfile.TemporaryDirectory() as own:
        context = playwright.chromium.launch_persistent_context(
            own, executable_path=CHROMIUM, args=list(FLAGS), viewport={"width": 1280, "height": 900}
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        page.goto(f"{address}/Review_labels")
        page.get_by_label("Your name").fill("Ana")
        page.get_by_label("Your name").press("Enter")
        expect(page.locator("button[disabled]", has_text="Keep")).to_have_count(0)
        page.wait_for_timeout(2_000)
        page.locator("h1").click()

        page.evaluate(_WATCH)
        taken: list[float] = []
        while len(taken) < rounds + 1:
            page.wait_for_timeout(700)  # nobody presses before they have looked
            page.keyboard.press("q")
            page.wait_for_function("count => window.taken.length > count", arg=len(taken))
            taken = page.evaluate("window.taken")
        found = _summary(taken[0], taken[1:])
        context.close()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", default="5000,100000,1000000", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--browser", action="store_true", help="from a key to the next product too")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)  # AppTest's, of running without a browser
    os.chdir(PROJECT_ROOT)  # pages read .streamlit/config.toml there
    figures = {}
    for count in map(int, options.products.split(",")):
        with tempfile.TemporaryDirectory() as home:
            os.environ["CATALOG_HOME"] = home
            catalogue = open_catalogue(settings(home=Path(home)))
            ensure_model(catalogue, "small")
            ingest(catalogue, photos(Path(home)), model="small")
            assessing.assess(catalogue)
            start = perf_counter()
            fill(catalogue, count)
            print(
                f"\n{count:,} products, filled in {perf_counter() - start:.0f} s", file=sys.stderr
            )
            figures[count] = measure(catalogue, options.rounds)
            if options.browser:
                figures[count][KEY] = in_browser(options.rounds)
            catalogue.engine.dispose()
        goal = GOAL.get(count, 150)
        goals = f"goal: p95 ≤ {goal}; {KEY} ≤ {KEY_GOAL}"
        print(f"\n{count:,} products, milliseconds on the server ({goals})")
        print(f"{'':32}{'p50':>8}{'p95':>8}{'first draw':>12}")
        for name, taken in figures[count].items():
            late = "" if taken["p95"] <= (KEY_GOAL if name == KEY else goal) else "  over the goal"
            numbers = f"{taken['p50']:>8.0f}{taken['p95']:>8.0f}{taken['first']:>12.0f}"
            print(f"{name:32}{numbers}{late}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
