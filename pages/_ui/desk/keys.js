// One key decides about one card: the one that is seen. It presses that card's own button, as soon
// as it is there; a button of the card before may still be on the page. Pressed again before the
// next card is seen, it does nothing: on the server each press starts the page anew, so who types
// fast would wait ever longer. Nor does a key that is held down, it would decide unseen.

const BUTTONS = { q: "keep", w: "accept", e: "not_product", n: "second_look" };
Object.assign(BUTTONS, { arrowleft: "Left", arrowright: "Right" });
for (let number = 1; number <= 9; number += 1) BUTTONS[number] = String(number);
const GRACE = 500; // milliseconds in which the page says that it is at work
const PATIENCE = 2000; // milliseconds for the buttons of a card to follow it
const BUFFERED = 150; // and once the page is at rest: it says so before the last of it is drawn
let spent = null; // the card that was decided about last
let since = 0; // when

const seen = () => document.querySelector("[data-card]")?.dataset.card;
const button = (name, card) => document.querySelector(`.st-key-review-${name}-${card} button`);

const isTyping = (target) =>
  target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);

const isDrawing = () =>
  document.querySelector("[data-testid='stApp']")?.dataset.testScriptState !== "notRunning";

const waits = () => isDrawing() || performance.now() - since < GRACE;

function onKey(event) {
  const name = BUTTONS[event.key.toLowerCase()];
  const withOthers = event.ctrlKey || event.metaKey || event.altKey;
  const card = seen();
  const isOurs = card || event.repeat; // on a sheet as well: held down, W would go on to the next
  if (!name || !isOurs || withOthers || isTyping(event.target)) return;
  event.preventDefault();
  event.stopPropagation(); // the buttons' own shortcuts do not ask what is seen
  if (event.repeat || (spent === card && waits())) return;
  since = performance.now();
  press(name, card);
}

function press(name, card) {
  const found = button(name, card);
  const patience = isDrawing() ? PATIENCE : BUFFERED;
  const isComing = seen() === card && performance.now() - since < patience;
  spent = found || isComing ? card : null; // no second key meanwhile
  if (found) found.click();
  else if (isComing) requestAnimationFrame(() => press(name, card));
}

export default function () {
  document.addEventListener("keydown", onKey, true);
  return () => document.removeEventListener("keydown", onKey, true);
}
