// Live captions of both sides: deltas are joined into utterances, each with the time at which it began.

const NEW_UTTERANCE_MS = 1200; // silence after which words begin a new line
const MAX_LINES = 400;

export class Captions {
  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
    this.open = {}; // the utterance that each side is in
  }

  reset() {
    this.list.replaceChildren();
    this.open = {};
    this.empty.hidden = false;
  }

  add(side, { delta, start_ms, end_ms }) {
    let line = this.open[side];
    if (!line || start_ms - line.endMs > NEW_UTTERANCE_MS) {
      line = this.open[side] = { text: this.line(side, start_ms) };
      delta = delta.trimStart();
    }
    line.text.data += delta;
    line.endMs = end_ms;
    this.follow();
  }

  /** A whole line at once: typed by the user, or written by the model. */
  addWhole(side, text, timeMs, mark) {
    const node = this.line(side, timeMs);
    node.data = text;
    if (mark) node.parentElement.append(badge("mark-typed", mark));
    this.follow();
  }

  /** The model was cut off: its line ends here. */
  cut(timeMs) {
    const line = this.open.model;
    if (line && timeMs - line.endMs < NEW_UTTERANCE_MS) line.text.parentElement.append(badge("mark-cut", "cut off"));
    delete this.open.model;
  }

  line(side, timeMs) {
    this.empty.hidden = true;
    const item = document.createElement("li");
    item.className = `caption ${side}`;
    const who = document.createElement("span");
    who.className = "sr";
    who.textContent = side === "you" ? "You: " : "Model: ";
    const time = document.createElement("time");
    time.textContent = clockText(timeMs);
    const text = document.createTextNode("");
    item.append(who, time, text);
    this.list.append(item);
    while (this.list.children.length > MAX_LINES) this.list.firstElementChild.remove();
    return text;
  }

  follow() {
    const { list } = this;
    if (list.scrollHeight - list.scrollTop - list.clientHeight < 160) list.scrollTop = list.scrollHeight;
  }
}

function badge(name, text) {
  const mark = document.createElement("span");
  mark.className = name;
  mark.textContent = text;
  return mark;
}

/** Media time as minutes and seconds. */
export function clockText(timeMs) {
  const seconds = Math.max(0, timeMs) / 1000;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}
