"""How long the pages of a large catalogue take on the server.

    python -m benchmarks.pages [--products 5000,100000,1000000] [--rounds 20] [--server]
        [--browser] [--json FILE]

Prints, for catalogues as `page_catalogues` draws them, the median and the 95th percentile of

* a rerun of each page, as a click that changes nothing causes it;
* each view of the desk, by somebody who has typed their name: the contact sheet with 32 tiles;
* what looks like a product: twelve in "Shop the look", each time another product's;
* a decision by its button, with everything that the page then draws anew.

`AppTest` runs the page as the server does, in this process; what the browser does is not in it.
The first draw of a page, with empty caches, is printed beside. `--server` does the same on a
PostgreSQL that it starts, set up like that of the tests: it does not wait for the disk. `--browser`
serves the catalogue as well, presses Q in Chromium and waits for the next product: from key to
picture.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sqlalchemy import delete, select

from benchmarks.databases import database, kind_of
from benchmarks.page_catalogues import fill, real
from benchmarks.page_keys import in_browser
from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import review, shop
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.neighbours import load_index
from db.engine import read, write
from db.schema import Claim, Embedding

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
ALIKE = 12  # products in "Shop the look"
_PATIENCE = 20  # seconds for the rounds of one page


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
    found["look-alikes"] = _alike(catalogue, None, rounds)
    found["look-alikes of a category"] = _alike(catalogue, "dress", rounds)
    for view in VIEWS:
        found[f"Review labels: {view}"] = _view(catalogue, view, rounds)
    found["a decision"] = _decide(_opened(catalogue), rounds)
    return found


def _alike(catalogue: Catalogue, category: str | None, rounds: int) -> dict[str, float]:
    """Ask for twelve look-alikes, of each product once: what was asked before is remembered."""
    numbers = iter(np.random.default_rng(1).permutation(_with_a_vector(catalogue)).tolist())
    index = load_index(catalogue)

    def ask() -> None:
        found = shop.similar_to_product(catalogue, next(numbers), category=category, index=index)
        if len(found) != ALIKE:
            raise SystemExit(f"{len(found)} look-alikes: {ALIKE} were to be measured")

    first = _rounds(1, ask)[0]
    return _summary(first, _rounds(rounds, ask))


def _with_a_vector(catalogue: Catalogue) -> list[int]:
    with read(catalogue.engine) as session:
        return list(session.scalars(select(Embedding.product_id).limit(1_000)))


def _filled(home: Path, count: int) -> Catalogue:
    """Return a catalogue of `count` products in `home`."""
    os.environ["CATALOG_HOME"] = str(home)
    catalogue = real(home)
    start = perf_counter()
    fill(catalogue, count)
    taken = perf_counter() - start
    where = kind_of(catalogue)
    print(f"\n{count:,} products on {where}, filled in {taken:.0f} s", file=sys.stderr)
    return catalogue


def _show(count: int, figures: dict[str, dict[str, float]]) -> None:
    goal = GOAL.get(count, 150)
    goals = f"goal: p95 ≤ {goal}; {KEY} ≤ {KEY_GOAL}"
    print(f"\n{count:,} products, milliseconds on the server ({goals})")
    print(f"{'':32}{'p50':>8}{'p95':>8}{'first draw':>12}")
    for name, taken in figures.items():
        late = "" if taken["p95"] <= (KEY_GOAL if name == KEY else goal) else "  over the goal"
        numbers = f"{taken['p50']:>8.0f}{taken['p95']:>8.0f}{taken['first']:>12.0f}"
        print(f"{name:32}{numbers}{late}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--products", help="default: 5000,100000 and without --server 1000000 as well"
    )
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--server", action="store_true", help="on a PostgreSQL of its own")
    parser.add_argument("--browser", action="store_true", help="from a key to the next product too")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)  # AppTest's, of running without a browser
    os.chdir(PROJECT_ROOT)  # pages read .streamlit/config.toml there
    products = options.products or ("5000,100000" if options.server else "5000,100000,1000000")
    figures = {}
    for count in map(int, products.split(",")):
        with tempfile.TemporaryDirectory() as home, database(options.server):
            catalogue = _filled(Path(home), count)
            figures[count] = measure(catalogue, options.rounds)
            if options.browser:
                first, *taken = in_browser(options.rounds)
                figures[count][KEY] = _summary(first, taken)
            catalogue.engine.dispose()
        _show(count, figures[count])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
