// A contact sheet: tiles that are ticked with a click or a key, at once, without asking the server.
// Or a strip, where a click brings a tile up (`data.looking`): nothing is ticked, keys are others'.
// Texts come from the catalogue: they go into the page as text, never as HTML.

const sheets = new WeakMap();

export default function (component) {
  const { parentElement: root, data, setStateValue, setTriggerValue } = component;
  let sheet = sheets.get(root);
  if (!sheet || sheet.name !== data.name) {
    sheet?.close();
    sheet = data.looking ? drawStrip(root, data) : draw(root, data);
    sheets.set(root, sheet);
  }
  sheet.say = (ids) => setStateValue("ticked", ids);
  sheet.look = (id) => setTriggerValue("look", id);
  root.querySelector(".tiles").style.setProperty("--size", `${data.size}px`);
  return () => {
    sheet.close();
    sheets.delete(root);
  };
}

function drawStrip(root, data) {
  const sheet = { name: data.name, close() {} };
  const tiles = data.tiles.map((one) => {
    const node = tile(one, () => sheet.look(one.id));
    node.classList.toggle("here", one.id === data.shown);
    return node;
  });
  root.querySelector(".tiles").replaceChildren(...tiles);
  root.querySelector(".hint").hidden = true;
  return sheet;
}

function draw(root, data) {
  const sheet = { name: data.name, ticked: new Set(data.ticked), here: 0 };
  const hint = root.querySelector(".hint");
  const box = root.querySelector(".tiles");
  const tiles = data.tiles.map((one, place) => tile(one, () => tick(place)));
  box.replaceChildren(...tiles);
  hint.querySelector("span").textContent = data.hint;
  hint.querySelector("button").onclick = tickAll;

  function show() {
    tiles.forEach((node, place) => {
      node.setAttribute("aria-pressed", String(sheet.ticked.has(data.tiles[place].id)));
      node.classList.toggle("here", place === sheet.here);
      node.tabIndex = place === sheet.here ? 0 : -1;
    });
  }

  function tick(place) {
    const id = data.tiles[place].id;
    sheet.here = place;
    if (!sheet.ticked.delete(id)) sheet.ticked.add(id);
    tell();
  }

  function tickAll() {
    const all = data.tiles.map((one) => one.id);
    sheet.ticked = new Set(sheet.ticked.size === all.length ? [] : all);
    tell();
  }

  function tell() {
    show();
    sheet.say([...sheet.ticked]);
  }

  function go(place) {
    if (place < 0 || place >= tiles.length) return;
    sheet.here = place;
    show();
    tiles[place].focus({ preventScroll: true });
    tiles[place].scrollIntoView({ block: "nearest" });
  }

  // The tile of the next or the last row that is closest to straight below or above.
  function beside(step) {
    const from = tiles[sheet.here];
    const other = tiles.filter((node) => (node.offsetTop - from.offsetTop) * step > 0);
    const row = other.at(step > 0 ? 0 : -1)?.offsetTop;
    const distance = (node) => Math.abs(node.offsetLeft - from.offsetLeft);
    const found = other.filter((node) => node.offsetTop === row);
    found.sort((one, two) => distance(one) - distance(two));
    return found.length ? tiles.indexOf(found[0]) : sheet.here;
  }

  const keys = {
    ArrowRight: () => go(sheet.here + 1),
    ArrowLeft: () => go(sheet.here - 1),
    ArrowDown: () => go(beside(1)),
    ArrowUp: () => go(beside(-1)),
    x: () => tick(sheet.here),
    " ": () => tick(sheet.here),
    a: tickAll,
    Enter: () => sheet.look(data.tiles[sheet.here].id),
    w: decide,
  };

  // Pressed here and not by the button's own shortcut: a key that is held down must not go on to
  // the next sheet, which nobody has seen.
  function decide() {
    document.querySelector("[class*='st-key-review-sheet-decide'] button")?.click();
  }

  function onKey(event) {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const from = event.composedPath()[0];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || busy(from, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (act !== decide || !event.repeat) act();
  }

  // Whoever types, moves a slider or stands on another button means that, not the sheet.
  function busy(node, key) {
    if (box.contains(node)) return false;
    const field = "input, textarea, select, [contenteditable=true], [role=slider], [role=dialog] *";
    if (node instanceof Element && node.closest(field)) return true;
    return (key === " " || key === "Enter") && node instanceof Element && node.closest("button, a");
  }

  document.addEventListener("keydown", onKey, true);
  sheet.close = () => document.removeEventListener("keydown", onKey, true);
  show();
  return sheet;
}

function tile(one, onClick) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "tile";
  node.title = one.title;
  node.append(
    photo(one.photo),
    words("value", one.value),
    words("sign", one.sign),
    words(one.changes ? "words label change" : "words label", one.change),
    words("words", one.name),
  );
  node.onclick = onClick;
  return node;
}

function photo(source) {
  const node = document.createElement(source ? "img" : "span");
  node.className = "photo";
  if (source) {
    node.src = source;
    node.alt = "";
  } else {
    node.setAttribute("aria-label", "photo missing");
  }
  return node;
}

function words(kind, text) {
  const node = document.createElement("span");
  node.className = kind;
  node.dir = "auto";
  node.textContent = text;
  node.hidden = !text;
  return node;
}
