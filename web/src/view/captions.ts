// Live captions of both sides: deltas are joined into utterances, each with the time at which it began.

import { clockText, find, make } from "./elements";

export type Side = "you" | "model";

interface Delta {
  delta: string;
  start_ms: number;
  end_ms: number;
}

interface Line {
  text: Text;
  endMs: number;
}

const NEW_UTTERANCE_MS = 1200; // silence after which words begin a new line
const MAX_LINES = 400;
const NEAR_END_PX = 24;

export class Captions {
  private readonly list = find("captions");
  private readonly empty = find("empty");
  /** Read out by screen readers. What is spoken is heard already, and read out it would talk into the conversation. */
  private readonly written = find("written");
  private open: Partial<Record<Side, Line>> = {}; // the utterance that each side is in
  private note: Text | null = null; // a written text that goes on in the next turn
  private isFollowing = true; // until the reader scrolls back

  constructor() {
    const { list } = this;
    let lastTop = 0;
    list.onscroll = () => {
      const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
      this.isFollowing = isAtEnd || (this.isFollowing && list.scrollTop >= lastTop);
      lastTop = list.scrollTop;
    };
    new ResizeObserver(() => this.follow()).observe(list); // a message above, or a keyboard below, takes room
  }

  reset(): void {
    this.isFollowing = true;
    this.written.textContent = "";
    this.list.replaceChildren();
    this.open = {};
    this.note = null;
    this.empty.hidden = false;
  }

  add(side: Side, { delta, start_ms, end_ms }: Delta): void {
    let line = this.open[side];
    if (!line || start_ms - line.endMs > NEW_UTTERANCE_MS) {
      line = { text: this.line(side, start_ms), endMs: end_ms };
      this.open[side] = line;
      delta = delta.trimStart();
    }
    line.text.data += delta;
    line.endMs = end_ms;
    this.follow();
  }

  addTyped(text: string, timeMs: number): void {
    const node = this.line("you", timeMs);
    node.data = text;
    node.parentElement?.append(" ", make("span", "mark-typed", "typed"));
    this.isFollowing = true;
    this.follow();
  }

  /** Text that the model writes; it may come in several parts. */
  addWritten(text: string, isEnd: boolean, timeMs: number): void {
    this.note ??= this.line("note", timeMs);
    this.note.data += text;
    if (isEnd) {
      this.written.textContent = `The model writes: ${this.note.data}`;
      this.note = null;
    }
    this.follow();
  }

  /** The model was cut off: its line ends here. */
  cut(timeMs: number): void {
    const line = this.open.model;
    if (line && timeMs - line.endMs < NEW_UTTERANCE_MS) {
      line.text.parentElement?.append(" ", make("span", "mark-cut", "cut off"));
      this.follow();
    }
    delete this.open.model;
  }

  private line(kind: Side | "note", timeMs: number): Text {
    this.empty.hidden = true;
    const item = make("li", `caption ${kind}`);
    const text = document.createTextNode("");
    const who = make("span", "sr", { you: "You: ", model: "Model: ", note: "Model writes: " }[kind]);
    item.append(who, make("time", "", clockText(timeMs)), " ", text);
    this.list.append(item);
    while (this.list.children.length > MAX_LINES) this.list.firstElementChild?.remove();
    return text;
  }

  private follow(): void {
    if (this.isFollowing) this.list.scrollTop = this.list.scrollHeight;
  }
}
