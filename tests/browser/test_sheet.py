"""The contact sheet in a real browser: ticked by click and key, faster than the server answers."""

from playwright.sync_api import Page, expect
from sqlalchemy import func, select, update

from catalog_ai.services import batching, deciding
from catalog_ai.services.catalogue import Catalogue
from db.engine import read, write
from db.schema import Decision, LabelScore, Product
from tests.browser.helpers import idle, needs_chromium, note_errors, settled

HOSTILE = "<img src=x onerror=alert(1)> **b**"
pytestmark = needs_chromium


def wrong_dresses(catalogue: Catalogue) -> None:
    """Label the six that look wrong dress, with skirt suggested, and give them odd names."""
    with write(catalogue.engine, touches=("labels", "scores")) as session:
        wrong = [number + 1 for number in range(6)]
        product = update(Product).where(Product.id.in_(wrong))
        session.execute(product.values(label_current="dress", title=HOSTILE))
        score = update(LabelScore).where(LabelScore.product_id.in_(wrong))
        session.execute(score.values(label="dress", suggestion="skirt"))
        session.execute(update(Product).where(Product.id == 1).values(sku=HOSTILE))


def pressed(page: Page) -> list[int]:
    """Return the places of the tiles that are ticked."""
    tiles = page.locator("button.tile")
    return [
        place
        for place in range(tiles.count())
        if tiles.nth(place).get_attribute("aria-pressed") == "true"
    ]


def test_a_sheet_is_worked_off_with_keys(page: Page, dashboard: str, catalogue: Catalogue) -> None:
    wrong_dresses(catalogue)
    errors = note_errors(page)
    page.goto(f"{dashboard}/Review_labels?review.view=Contact+sheet&review.category=dress")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Enter")
    expect(page.locator("button.tile")).to_have_count(6)
    expect(page.get_by_role("button", name="All 6 are right")).to_be_enabled()
    expect(page.locator("button.tile img")).to_have_count(6)
    assert HOSTILE in page.locator("button.tile").first.inner_text(), "a name is text, never HTML"

    page.locator("h1").click()
    page.keyboard.press("a")
    assert pressed(page) == [0, 1, 2, 3, 4, 5]
    page.keyboard.press("a")
    assert pressed(page) == []
    for key in ("x", "ArrowRight", "ArrowRight", " ", "ArrowLeft"):
        page.keyboard.press(key)
    assert pressed(page) == [0, 2]
    page.locator("button.tile").nth(2).click()
    page.locator("button.tile").nth(4).click()
    assert pressed(page) == [0, 4]
    expect(page.get_by_role("button", name="2 → skirt, the other 4 are right")).to_be_enabled()
    settled(page, "Review labels")

    # The last tick and the key that decides come at once: the server knows of both.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("w")
    expect(page.get_by_text("6 products of dress: 3 kept, 3 → skirt.")).to_be_visible()
    expect(page.get_by_text("Nothing is left here")).to_be_visible()
    made = [view for view in deciding.decisions(catalogue) if view.reviewer == "Ana"]
    changed = sorted(view.product_id for view in made if view.label_after == "skirt")
    assert changed == [1, 5, 6]

    settled(page, "Review labels")
    page.keyboard.press("z")
    expect(page.get_by_text("Undone: 6 products of dress")).to_be_visible()
    expect(page.locator("button.tile")).to_have_count(6)
    assert batching.batches(catalogue)[0].kind == "undo"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep dress")).to_be_visible()
    assert not errors


def test_a_key_that_is_held_and_a_double_click_are_about_one_sheet(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    with write(catalogue.engine, touches=("labels", "products")) as session:
        session.execute(update(Product).values(label_current="dress", review_state="open"))
    before = decisions(catalogue)
    page.goto(
        f"{dashboard}/Review_labels?review.queue=Everything&review.view=Contact+sheet"
        "&review.category=dress"
    )
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Enter")
    expect(page.locator("button.tile")).to_have_count(32)
    expect(page.get_by_role("button", name="All 32 are right")).to_be_enabled()
    settled(page, "Review labels")
    page.locator("h1").click()
    for _ in range(30):
        page.keyboard.down("w")  # from the second on the browser says that it repeats
        page.wait_for_timeout(30)
    page.keyboard.up("w")
    expect(page.get_by_role("button", name="All 8 are right")).to_be_enabled()
    idle(page)
    assert decisions(catalogue) == before + 32, "the second sheet was not seen"
    page.get_by_role("button", name="All 8 are right").dblclick()
    expect(page.get_by_text("8 products of dress: 8 kept")).to_be_visible()
    idle(page)
    assert decisions(catalogue) == before + 40


def decisions(catalogue: Catalogue) -> int:
    with read(catalogue.engine) as session:
        return session.scalar(select(func.count(Decision.id))) or 0
