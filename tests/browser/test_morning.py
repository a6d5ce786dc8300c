"""The dashboard in a real browser: every page, a decision and its undo, an upload, no error."""

from playwright.sync_api import Page, expect

from catalog_ai.services import deciding, review
from catalog_ai.services.catalogue import Catalogue
from tests.browser.helpers import needs_chromium, note_errors, settled
from tests.helpers import photo_bytes

SEED = {"n": 40, "weights": True}
PAGES = {
    "": "Today",
    "Review_labels": "Review labels",
    "Shop_the_look": "Shop the look",
    "Embedding_map": "Embedding map",
    "Models": "Models",
    "Nightly_runs": "Nightly runs",
    "Categories": "Categories",
}
DECISIONS = ("Keep ", "Not a product photo Shortcut E", "Second look Shortcut N")

pytestmark = needs_chromium


def test_a_morning_with_the_dashboard(page: Page, dashboard: str, catalogue: Catalogue) -> None:
    errors = note_errors(page)
    for path, title in PAGES.items():
        page.goto(f"{dashboard}/{path}")
        settled(page, title)

    item = review.review_queue(catalogue).items[0]
    page.goto(f"{dashboard}/Review_labels")
    settled(page, "Review labels")
    keep = page.get_by_role("button", name="Keep").last
    expect(keep).to_be_disabled()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Enter")
    expect(page.locator("button[disabled]", has_text="Keep")).to_have_count(0)
    page.keyboard.press("Tab")  # keys are for typing while the cursor is in a field
    page.locator("h1").click()
    page.keyboard.press("w")
    expect(page.get_by_text(f"{item.sku} is now {item.suggestion}")).to_be_visible()
    made = deciding.decisions(catalogue)[0]
    assert (made.product_id, made.action, made.reviewer) == (item.product_id, "accept", "Ana")

    expect(page.get_by_role("button", name="Undo Shortcut Z")).to_be_enabled()
    settled(page, "Review labels")
    page.keyboard.press("z")
    expect(page.get_by_text(f"Undone: {item.sku}")).to_be_visible()
    assert deciding.decisions(catalogue)[0].action == "undo"
    assert review.review_queue(catalogue).items[0].product_id == item.product_id

    page.get_by_role("link", name="Shop the look").click()
    settled(page, "Shop the look")
    page.locator("input[type=file]").set_input_files(
        {"name": "look.jpg", "mimeType": "image/jpeg", "buffer": photo_bytes("#3b5b8c")}
    )
    expect(page.get_by_text("Looks like")).to_be_visible(timeout=40_000)
    expect(page.get_by_text("distance").first).to_be_visible()
    settled(page, "Shop the look")

    page.goto(f"{dashboard}/Review_labels")
    expect(page.get_by_label("Your name")).to_have_value("Ana")
    assert not errors


def test_a_card_fits_and_each_page_of_a_queue_has_its_number(page: Page, dashboard: str) -> None:
    page.goto(f"{dashboard}/Review_labels?review.queue=Everything")
    settled(page, "Review labels")
    pages = page.get_by_test_id("stPagination")
    for number in ("1", "2", "3"):
        expect(pages.get_by_text(number, exact=True)).to_be_visible()
    decisions = [page.get_by_role("button", name=name) for name in DECISIONS]
    for button in decisions:
        expect(button).to_be_visible()
    heights = {(button.bounding_box() or {})["y"] for button in decisions}
    assert len(heights) == 1, "all in one row at 1280 pixels"
