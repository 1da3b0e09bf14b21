// Data, and the way between media time and pixels.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const TURN_MS = data.turnMs;

/** Micro-turns by index; a hole where none is known. */
const turns = [];
for (const [index, level, costs, frames, held] of data.turns) {
  const cost = costs ? costs.reduce((sum, part) => sum + part, 0) : null;
  turns[index] = { index, level, costs, cost, frames, hear: "", say: "", events: [], pieces: [], ...held };
}
const firstTurn = data.turns.length ? data.turns[0][0] : 0;
const lastTurn = turns.length - 1;
const durationMs = Math.max(data.durationMs, TURN_MS);

/** When the answer to a micro-turn sounds. */
const soundsAtMs = (index) => (index + 1) * TURN_MS + data.playoutMs;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Megabytes of sound come this way, so no function is called for each byte. */
function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

function clockText(ms, digits = 1) {
  const minutes = Math.floor(ms / 60000);
  const seconds = (ms % 60000) / 1000;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  const tail = seconds.toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(rest).padStart(2, "0")}:${tail}` : `${rest}:${tail}`;
}

/** The stretch of time in view, and its scale. The page scrolls one wide box; the canvas stays and is drawn anew. */
const view = {
  width: 800,
  startMs: 0,
  pxPerMs: 0.1,
  get endMs() { return this.startMs + this.width / this.pxPerMs; },
  get minScale() { return Math.max(this.width - 8, 50) / durationMs; },
  get maxScale() { return Math.max(this.minScale, 1.2); },
  x(ms) { return (ms - this.startMs) * this.pxPerMs; },
  ms(x) { return this.startMs + x / this.pxPerMs; },
  turnPx() { return TURN_MS * this.pxPerMs; },
};

/** The first place in a list, sorted by its entries' first value, that is not before a time. */
function firstFrom(list, ms) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle][0] < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
