"""From key to picture: Q is pressed in Chromium, on the catalogue of the settings."""

import tempfile

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


def in_browser(rounds: int) -> list[float]:
    """Return milliseconds from pressing Q until the next product is shown; the first is extra."""
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
        context.close()
    return taken
