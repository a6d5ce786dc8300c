// Says "Saving…" from the press of a button that stores something until the page is at rest again.
// A sheet of style.py shows it, and only where that takes longer than one notices.

const SOON = 2000; // milliseconds in which the page begins to work after a press
const marks = new WeakMap();

export default function ({ data }) {
  const app = document.querySelector("[data-testid='stApp']");
  marks.get(app)?.();

  const isAtRest = () => app.dataset.testScriptState === "notRunning";
  let hasBegun = false; // what the press asked for: the page may end with something else first

  function clear() {
    if (isAtRest()) delete app.dataset.saving;
  }

  function onClick(event) {
    const button = event.target instanceof Element && event.target.closest("button");
    const names = button ? [...(button.closest("[class*='st-key-']")?.classList ?? [])] : [];
    const stores = names.some((name) => data.keys.some((key) => name.startsWith(`st-key-${key}`)));
    if (!stores || button.disabled) return;
    app.dataset.saving = "";
    hasBegun = false;
    setTimeout(clear, SOON);
  }

  const atRest = new MutationObserver(() => {
    if (!isAtRest()) hasBegun = true;
    else if (hasBegun) clear();
  });
  atRest.observe(app, { attributeFilter: ["data-test-script-state"] });
  document.addEventListener("click", onClick, true);
  const close = () => {
    atRest.disconnect();
    document.removeEventListener("click", onClick, true);
    marks.delete(app);
  };
  marks.set(app, close);
  return close;
}
