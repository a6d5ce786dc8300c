"""The page Embedding map, of small and of large catalogues."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from catalog_ai.services import deciding, map_sample, review
from catalog_ai.services.catalogue import Catalogue
from db.engine import write
from db.schema import Product, ProjectionPoint
from pages._ui import map_parts
from tests.helpers import Seeded
from tests.pages.test_pages import HOSTILE, opened, press, words

pytestmark = pytest.mark.usefixtures("as_served")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let eight points be as many as a browser takes."""
    monkeypatch.setattr(map_sample, "LIVE", 8)


def chart(app: AppTest) -> dict[str, Any]:
    """Return the figure that the browser gets."""
    found: dict[str, Any] = json.loads(app.get("plotly_chart")[0].proto.spec)
    return found


def legend(app: AppTest) -> dict[str, int]:
    """Return group → how many products the legend says it has."""
    names = [trace["name"].rpartition(" (") for trace in chart(app)["data"]]
    return {name: int(count.rstrip(")").replace(",", "")) for name, _, count in names}


def points(app: AppTest) -> int:
    return sum(len(trace["text"]) for trace in chart(app)["data"])


def test_a_small_map_is_shown_whole_and_says_nothing_of_samples(seeded: Seeded) -> None:
    app = opened("Embedding map")
    assert not app.exception
    assert points(app) == sum(legend(app).values()) == 24
    assert not chart(app)["layout"].get("images")
    assert "can be clicked" not in words(app)
    assert "Show others" not in [button.label for button in app.button]


@pytest.mark.usefixtures("large")
def test_a_large_map_counts_all_shades_all_and_lets_some_be_clicked(seeded: Seeded) -> None:
    app = opened("Embedding map")
    assert not app.exception
    assert sum(legend(app).values()) == 24
    assert points(app) == 8
    assert chart(app)["layout"]["images"][0]["source"].startswith("data:image/png")
    said = words(app).replace("\\", "")
    assert "8 of 24 products can be clicked: the 4 most suspicious of 6" in said
    assert "The shading shows all." in said


@pytest.mark.usefixtures("large")
def test_the_next_sample_is_in_the_address(seeded: Seeded) -> None:
    app = press(opened("Embedding map"), "Show others")
    assert app.query_params["map.sample"] == "2"
    assert "sample 2 of 3" in words(app).replace("\\", "")
    assert "sample 3 of 3" in words(opened("Embedding map", **{"map.sample": "3"})).replace(
        "\\", ""
    )
    press(app, "Back to the first")
    assert "map.sample" not in app.query_params


def test_a_link_opens_a_category(catalogue: Catalogue, seeded: Seeded) -> None:
    label = review.categories(catalogue)[0]
    app = opened("Embedding map", **{"map.category": label})
    assert set(legend(app)) == {label}
    app.selectbox(key=map_parts.CATEGORY).set_value("All categories").run()
    assert sum(legend(app).values()) == 24


def test_a_link_opens_what_looks_wrong(seeded: Seeded) -> None:
    query = {"map.wrong": "true", "map.colour": "Looks wrong"}
    app = opened("Embedding map", **query)
    assert legend(app) == {"Looks wrong": 6}
    assert "dark ring" not in words(app)
    assert "dark ring" in words(opened("Embedding map"))


@pytest.mark.parametrize(
    "query",
    [{"map.category": "gone"}, *({"map.sample": said} for said in ("x", "-1", "7", "9" * 5_000))],
    ids=["category", "word", "negative", "beyond", "endless"],
)
def test_a_link_that_no_longer_holds_opens_the_whole_map(
    query: dict[str, str], seeded: Seeded
) -> None:
    app = opened("Embedding map", **query)
    assert not app.exception
    assert sum(legend(app).values()) == 24


def test_a_map_of_nothing_is_empty_not_broken(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("projections",)) as session:
        session.query(ProjectionPoint).delete()
    app = opened("Embedding map")
    assert not app.exception
    assert points(app) == 0
    assert "24 products not on it yet" in words(app)


def test_a_decision_shows_on_the_next_draw(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened("Embedding map", **{"map.colour": "Looks wrong"})
    assert legend(app) == {"Looks right": 18, "Looks wrong": 6}
    item = review.review_queue(catalogue).items[0]
    deciding.decide(
        catalogue,
        item.product_id,
        "keep",
        reviewer="Ana",
        request_key="seen",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    assert legend(app.run()) == {"Looks right": 19, "Looks wrong": 5}


def test_products_that_came_later_are_counted(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("projections",)) as session:
        session.query(ProjectionPoint).filter(
            ProjectionPoint.product_id == seeded.product_ids[0]
        ).delete()
    app = opened("Embedding map")
    assert "1 product not on it yet" in words(app).replace("\\", "")
    press(app, "Draw again")
    assert not app.exception


def test_hostile_names_reach_no_markup(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("products",)) as session:
        for product in session.query(Product):
            product.sku, product.label_current = f"{HOSTILE}{product.id}", HOSTILE
    app = opened("Embedding map", **{"map.category": HOSTILE})
    assert not app.exception
    drawn = chart(app)["data"]
    assert not any("<" in f"{trace['name']}{trace['meta']}{trace['text']}" for trace in drawn)
    assert HOSTILE not in words(app)
