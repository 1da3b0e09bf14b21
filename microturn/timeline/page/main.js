// Pointer, keys, theme, and the first picture.

const hoverCard = byId("hover");

function turnAt(event) {
  const x = event.clientX - scroller.getBoundingClientRect().left;
  return Math.floor(view.ms(x) / TURN_MS);
}

function showHover(event) {
  const turn = turns[turnAt(event)];
  state.hovered = turn ? turn.index : -1;
  hoverCard.hidden = !turn || event.pointerType === "touch";
  redraw();
  if (hoverCard.hidden) return;
  describe(hoverCard, turn);
  const frame = hoverCard.parentElement.getBoundingClientRect();
  const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
  const left = x + 22 + hoverCard.offsetWidth < frame.width ? x + 22 : x - 22 - hoverCard.offsetWidth;
  const lowest = Math.max(frame.height, window.innerHeight - frame.top) - hoverCard.offsetHeight - 8;
  hoverCard.style.transform = `translate(${Math.round(left)}px, ${Math.round(clamp(y - 30, 8, Math.max(8, lowest)))}px)`;
}

function hideHover() {
  state.hovered = -1;
  hoverCard.hidden = true;
  redraw();
}

const pointers = new Map();
let drag = null;

scroller.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, event.clientX);
  drag = { x: event.clientX, scrollLeft: scroller.scrollLeft, hasMoved: false };
});
scroller.addEventListener("pointermove", (event) => {
  if (pointers.size === 2 && pointers.has(event.pointerId)) return pinch(event);
  if (!drag || event.pointerType === "touch") return showHover(event);
  if (Math.abs(event.clientX - drag.x) > 4 && !drag.hasMoved) {
    drag.hasMoved = true;
    state.follows = false;
    scroller.setPointerCapture(event.pointerId);
    scroller.classList.add("is-dragged");
    hideHover();
  }
  if (drag.hasMoved) scroller.scrollLeft = drag.scrollLeft + drag.x - event.clientX;
});
scroller.addEventListener("pointerup", (event) => {
  const box = scroller.getBoundingClientRect();
  if (drag && !drag.hasMoved && pointers.size < 2 && event.clientY < box.top + lanesHeight) seek(view.ms(event.clientX - box.left));
  release(event);
});
scroller.addEventListener("pointercancel", release);
scroller.addEventListener("pointerleave", hideHover);

function release(event) {
  pointers.delete(event.pointerId);
  drag = null;
  scroller.classList.remove("is-dragged");
}

function pinch(event) {
  const apart = () => { const [first, second] = [...pointers.values()]; return Math.max(20, Math.abs(first - second)); };
  const before = apart();
  pointers.set(event.pointerId, event.clientX);
  const [first, second] = [...pointers.values()];
  zoomTo((view.pxPerMs * apart()) / before, (first + second) / 2 - scroller.getBoundingClientRect().left);
}

function goTo(index) {
  const inside = clamp(index, firstTurn, Math.max(firstTurn, lastTurn));
  seek(inside * TURN_MS, inside);
  bringIntoView(state.cursorMs);
}

const KEYS = {
  ArrowLeft: (event) => goTo(state.selected - (event.shiftKey ? 25 : 1)),
  ArrowRight: (event) => goTo(state.selected + (event.shiftKey ? 25 : 1)),
  PageUp: () => goTo(state.selected - 25),
  PageDown: () => goTo(state.selected + 25),
  Home: () => goTo(firstTurn),
  End: () => goTo(lastTurn),
  "+": () => zoomBy(1.5),
  "=": () => zoomBy(1.5),
  "-": () => zoomBy(1 / 1.5),
  0: () => zoomTo(view.minScale, 0),
  " ": () => togglePlay(),
};
document.addEventListener("keydown", (event) => {
  const isElsewhere = event.target.closest("button, input, #transcript");
  const isOurs = KEYS[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!isOurs || (isElsewhere && !"+=-0".includes(event.key))) return;
  event.preventDefault();
  hideHover(); // the pointer rests, and what is under it moves
  KEYS[event.key](event);
});

byId("in").addEventListener("click", () => zoomBy(1.5));
byId("out").addEventListener("click", () => zoomBy(1 / 1.5));
byId("fit").addEventListener("click", () => zoomTo(view.minScale, 0));
byId("zoom").addEventListener("input", (event) => {
  zoomTo(view.minScale * (view.maxScale / view.minScale) ** Number(event.target.value), clamp(view.x(state.cursorMs), 0, view.width));
});

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  colors = {};
  redraw();
}
setTheme(prefersDark.matches ? "dark" : "light");
prefersDark.addEventListener("change", () => setTheme(prefersDark.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

function figures() {
  const spent = turns.filter((turn) => turn && turn.cost !== null).map((turn) => turn.cost).sort((low, high) => low - high);
  const share = (part) => spent[Math.min(spent.length - 1, Math.floor(part * spent.length))];
  const add = (name, value, unit = "", className = "") => {
    byId("figures").append(element("div", "", element("dt", "", name), element("dd", className, value, element("small", "", unit))));
  };
  add("Duration", clockText(durationMs, 0), durationMs < 3600000 ? " min" : " h");
  add("Micro-turns", data.turns.length.toLocaleString("en"));
  if (!spent.length) return;
  add("Median compute", share(0.5).toFixed(0), " ms");
  add("99th percentile", share(0.99).toFixed(0), " ms", share(0.99) > TURN_MS ? "bad" : "");
  const over = spent.filter((cost) => cost > TURN_MS).length;
  add(`Over ${TURN_MS} ms`, over.toLocaleString("en"), "", over ? "bad" : "");
}

scroller.setAttribute("aria-valuemin", firstTurn);
scroller.setAttribute("aria-valuemax", Math.max(firstTurn, lastTurn));
figures();
for (const [, image] of thumbnails) image.addEventListener("load", redraw);
new ResizeObserver(() => layOut()).observe(scroller);
layOut();
// All of a short session; of a longer one as much of its beginning as can be read, and the overview shows the rest.
zoomTo(Math.max(view.minScale, 0.022), 0);
seek(0, firstTurn);
