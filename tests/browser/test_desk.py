"""The review desk in a real browser: a hundred decisions by keyboard, two people, links, names."""

import time
from datetime import UTC, datetime

from playwright.sync_api import Page, expect
from sqlalchemy import delete, select, update

from catalog_ai.services import batching, jobs, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import Filter
from db.engine import read, write
from db.schema import Assessment, Claim, Decision, LabelScore, Product, Recheck
from tests.browser.helpers import idle, needs_chromium, note_errors, settled

HOSTILE = "<img src=x onerror=alert(1)><b>x</b> [a](http://b) $y$ `c` *d* {{e}} \u202egnp.exe"
DECISIONS = 100
SEED = {"n": 140, "flagged": 120}
KEYS = "qw1q2wnq3e"  # one in ten is no product photo, one in ten waits for somebody else

pytestmark = needs_chromium


def name(page: Page, who: str) -> None:
    page.get_by_label("Your name").fill(who)
    page.get_by_label("Your name").press("Enter")
    expect(page.locator("button[disabled]", has_text="Keep")).to_have_count(0)
    settled(page, "Review labels")
    page.locator("h1").click()  # keys are for typing while the cursor is in a field


def shown(page: Page) -> str:
    """Return the SKU of the product that is shown large."""
    return page.locator(".facts").get_attribute("data-sku") or ""


def decide(page: Page, key: str) -> str:
    """Press a key and wait for the next product; return the SKU of the one decided about."""
    before = shown(page)
    page.keyboard.press(key)
    expect(page.locator(f".facts:not([data-sku='{before}'])")).to_be_visible()
    return before


def made(catalogue: Catalogue) -> list[Decision]:
    with read(catalogue.engine) as session:
        query = select(Decision).where(Decision.reviewer != "Seed").order_by(Decision.id)
        return list(session.scalars(query))


def test_a_hundred_decisions_by_keyboard_alone(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    errors = note_errors(page)
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    before = len(made(catalogue))
    taken, decided = [], []
    for number in range(DECISIONS):
        start = time.perf_counter()
        decided.append(decide(page, KEYS[number % len(KEYS)]))
        taken.append(time.perf_counter() - start)
    rows = made(catalogue)[before:]
    assert len(rows) == DECISIONS
    assert {row.reviewer for row in rows} == {"Ana"}
    with read(catalogue.engine) as session:
        answers = set(session.scalars(select(Recheck.answer_id)))  # one in fifty came twice
    first = [row for row in rows if row.id not in answers]
    assert len({row.product_id for row in first}) == len(first) >= DECISIONS - 5
    expected = {"q": "keep", "w": "accept", "e": "not_product", "n": "second_look"}
    for number, row in enumerate(rows):
        wanted = expected.get(KEYS[number % len(KEYS)], "relabel")
        # Choosing the label that is there already is keeping it.
        assert (
            row.id in answers or row.action == wanted or (wanted, row.action) == ("relabel", "keep")
        )
    print(f"\nkey to next product: median {1000 * sorted(taken)[DECISIONS // 2]:.0f} ms")
    page.keyboard.press("z")
    expect(page.get_by_text(f"Undone: {decided[-1]}")).to_be_visible()
    assert not errors


def test_who_types_faster_than_pages_come_decides_about_what_is_seen(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    page.evaluate(
        """() => {
          window.typed = [];
          const seen = () => document.querySelector(".facts").dataset.sku;
          document.addEventListener("keydown", (event) => window.typed.push(seen()), true);
        }"""
    )
    before = len(made(catalogue))
    until, number = time.monotonic() + 60, 0
    while len(made(catalogue)) < before + 3 and time.monotonic() < until:
        page.keyboard.press("qn"[number % 2])
        page.wait_for_timeout(25 * (number % 5))
        number += 1
    page.keyboard.down("q")
    for _ in range(10):
        page.keyboard.down("q")  # held: the browser says that it repeats
    page.keyboard.up("q")
    idle(page)
    seen = list(dict.fromkeys(page.evaluate("window.typed")))
    rows = made(catalogue)[before:]
    assert len(rows) >= 3, "presses do not keep the next card from coming"
    with read(catalogue.engine) as session:
        decided = [session.get_one(Product, row.product_id).sku for row in rows]
    assert decided == seen[: len(decided)]
    assert len(seen) - len(decided) <= 1, "each card that was seen is decided, but for the last"


def test_two_people_share_a_queue(
    page: Page, another: Page, dashboard: str, catalogue: Catalogue
) -> None:
    for window, who in ((page, "Ana"), (another, "Ben")):
        window.goto(f"{dashboard}/Review_labels")
        name(window, who)
    assert shown(page) != shown(another), "nobody is given what another has"
    mine, theirs = [], []
    for _ in range(5):
        mine.append(decide(page, "q"))
        theirs.append(decide(another, "q"))
    assert len({*mine, *theirs}) == 10
    assert shown(page) != shown(another)


def test_who_comes_second_is_told_and_keeps_what_was_typed(
    page: Page, another: Page, dashboard: str, catalogue: Catalogue
) -> None:
    item = review.review_queue(catalogue).items[3]
    address = f"{dashboard}/Review_labels?item={item.product_id}"
    page.goto(address)
    name(page, "Ana")
    another.goto(address)
    name(another, "Ben")
    expect(another.get_by_text("Ana is looking at this one now")).to_be_visible()
    another.get_by_placeholder("A note to go with your decision").fill("the hem tells")
    another.get_by_placeholder("A note to go with your decision").press("Tab")
    settled(another, "Review labels")
    decide(page, "q")
    another.locator("h1").click()
    another.keyboard.press("w")
    expect(another.get_by_text(f"Ana kept {item.label} just now")).to_be_visible()
    assert shown(another) == item.sku
    note = another.get_by_placeholder("A note to go with your decision")
    expect(note).to_have_value("the hem tells")
    mine = [row for row in made(catalogue) if row.product_id == item.product_id]
    assert [(row.action, row.reviewer) for row in mine] == [("keep", "Ana")]


def test_a_bulk_change_and_its_undo(page: Page, dashboard: str, catalogue: Catalogue) -> None:
    pair = review.pairs(catalogue)[0]
    wanted = Filter("wrong", category=pair.label, suggestion=pair.suggestion)
    count = review.review_queue(catalogue, wanted).total
    page.goto(
        f"{dashboard}/Review_labels?review.view=Change+many"
        f"&review.category={pair.label}&review.suggestion={pair.suggestion}"
    )
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Enter")
    settled(page, "Review labels")
    page.get_by_role("button", name=f"Accept the suggestions: {count} product").click()
    deadline = time.monotonic() + 20
    while not batching.batches(catalogue) and time.monotonic() < deadline:
        time.sleep(0.2)
    (batch,) = batching.batches(catalogue)
    assert batch.products == count
    assert review.review_queue(catalogue, wanted).total == 0
    expect(page.get_by_role("button", name="Undo Shortcut Z")).to_be_enabled()
    idle(page)
    page.locator("h1").click()
    page.keyboard.press("z")
    expect(page.get_by_text("Undone:").first).to_be_visible()
    assert review.review_queue(catalogue, wanted).total == count


def test_a_deep_link_opens_that_view_with_its_filters(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    item = review.review_queue(catalogue, Filter("all", category="dress")).items[2]
    page.goto(
        f"{dashboard}/Review_labels?review.queue=Everything&review.category=dress"
        f"&review.sort=Newest+first&item={item.product_id}"
    )
    settled(page, "Review labels")
    assert shown(page) == item.sku
    expect(page.get_by_role("combobox", name="Order")).to_have_value("Newest first")
    total = review.review_queue(catalogue, Filter("all", category="dress")).total
    expect(page.get_by_text(f"{total} products here")).to_be_visible()


def test_a_name_full_of_markup_is_only_a_name(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    item = review.review_queue(catalogue).items[0]
    with write(catalogue.engine, touches=("products", "labels", "scores")) as session:
        session.execute(
            update(Product)
            .where(Product.id == item.product_id)
            .values(sku=HOSTILE, title=HOSTILE, attributes={HOSTILE: HOSTILE})
        )
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in (
        f"Review_labels?item={item.product_id}",
        "Review_labels?review.view=Contact+sheet&review.category=" + (item.label or ""),
        "Review_labels?review.view=Change+many",
        "Review_labels?review.view=Log+and+files",
        "Shop_the_look?item=" + str(item.product_id),
        "Nightly_runs",
        "",
    ):
        page.goto(f"{dashboard}/{path}")
        expect(page.locator("h1")).to_be_visible()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.locator("img[src='x'], a[href='http://b']").count() == 0
    assert dialogs == []


def test_keys_do_nothing_while_one_types(page: Page, dashboard: str, catalogue: Catalogue) -> None:
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    before = len(made(catalogue))
    page.get_by_placeholder("A note to go with your decision").click()
    page.keyboard.type("qwen 12 z")
    page.locator("h1").click()
    settled(page, "Review labels")
    assert len(made(catalogue)) == before
    page.keyboard.press("h")
    expect(page.get_by_text("They do nothing while you type.")).to_be_visible()


def test_what_one_looks_at_is_let_go_after_a_while(
    page: Page, another: Page, dashboard: str, catalogue: Catalogue
) -> None:
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    first = shown(page)
    with write(catalogue.engine) as session:  # as five minutes would
        session.execute(update(Claim).values(until=datetime.now(UTC)))
    another.goto(f"{dashboard}/Review_labels")
    name(another, "Ben")
    assert shown(another) == first


def test_an_attribute_is_chosen_with_a_value_that_occurs(page: Page, dashboard: str) -> None:
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Attribute", exact=True).click()
    page.get_by_role("option", name="season").click()
    expect(page.get_by_role("button", name="More filters · 1")).to_be_visible()
    idle(page)
    expect(page.get_by_text("Nothing here matches these filters")).to_have_count(0)
    assert shown(page)
    assert "review.value" not in page.url or "review.value=summer" in page.url


def test_an_open_desk_says_that_labels_have_yet_to_be_judged(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    with write(catalogue.engine, touches=("models", "scores")) as session:
        session.execute(delete(LabelScore))  # as for a model that has just been promoted
        session.execute(delete(Assessment))
    page.keyboard.press("q")
    expect(page.get_by_text("The worker has not looked for wrong labels yet.")).to_be_visible()
    expect(page.get_by_text("Nothing is left here.")).to_have_count(0)


def test_an_open_desk_says_that_something_waits_for_a_worker(
    page: Page, dashboard: str, catalogue: Catalogue
) -> None:
    errors = note_errors(page)
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    expect(page.get_by_text("No worker is running")).to_have_count(0)
    jobs.enqueue(catalogue, "assess")
    decide(page, "q")
    expect(page.get_by_text("No worker is running; 1 job waits.")).to_be_visible()
    decide(page, "q")
    settled(page, "Review labels")
    assert not errors


def test_what_is_stored_for_long_says_so(page: Page, dashboard: str, catalogue: Catalogue) -> None:
    page.goto(f"{dashboard}/Review_labels")
    name(page, "Ana")
    sign = "() => getComputedStyle(document.querySelector('.stApp'), '::after').content"
    idle(page)
    assert "Saving" not in page.evaluate(sign)
    before = shown(page)
    with write(catalogue.engine):  # nobody else can write meanwhile
        page.keyboard.press("q")
        page.wait_for_function(f"() => ({sign})().includes('Saving')")
    expect(page.get_by_text(f"{before} stays")).to_be_visible()
    idle(page)
    assert "Saving" not in page.evaluate(sign)
