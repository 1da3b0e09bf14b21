// What the background model is doing: one quiet entry for every job, the newest first, with its answer.

import type { JobEvent, JobStep } from "../protocol";
import { drawCard, type Tick } from "./cards";
import { find, make } from "./elements";
import { type Leaf, readMarkdown, regrow } from "./markdown";

/** Says whether the word went out. */
export type Decide = (job: number, isAllowed: boolean) => boolean;

const STATES: Record<JobEvent["state"], string> = {
  waiting: "waiting",
  running: "working",
  asking: "needs your word",
  done: "done",
  failed: "failed",
  cancelled: "not wanted any more",
};
const OVER = new Set<JobEvent["state"]>(["done", "failed", "cancelled"]);
const MAX_ENTRIES = 50;
const TICK_EVERY_MS = 250;

export class Jobs {
  private readonly section = find("jobs");
  private readonly list = find("job-list");
  private readonly entries = new Map<number, Entry>();
  private ticks = new Set<Tick>();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly decide: Decide) {}

  reset(): void {
    this.section.hidden = true;
    this.list.replaceChildren();
    this.entries.clear();
    this.ticks.clear();
  }

  show(event: JobEvent): void {
    let entry = this.entries.get(event.job);
    if (!entry?.isFor(event)) {
      entry = new Entry(this.decide, (tick) => this.watch(tick));
      this.entries.set(event.job, entry);
      this.list.prepend(entry.element);
      while (this.list.children.length > MAX_ENTRIES) this.list.lastElementChild?.remove();
      this.section.hidden = false;
    }
    entry.update(event);
  }

  /** The conversation is over: what still ran has stopped with it. */
  stop(): void {
    for (const entry of this.entries.values()) entry.stop();
  }

  private watch(tick: Tick): void {
    this.ticks.add(tick);
    this.timer ??= setInterval(() => {
      const nowMs = performance.now();
      for (const each of this.ticks) if (!each(nowMs)) this.ticks.delete(each);
      if (this.ticks.size) return;
      clearInterval(this.timer);
      this.timer = undefined;
    }, TICK_EVERY_MS);
  }
}

class Entry {
  readonly element = make("li", "job");
  private readonly details = make("details");
  private readonly question = make("span", "job-question");
  private readonly state = make("span", "job-state");
  private readonly meta = make("span", "job-meta");
  private readonly ask = make("div", "job-ask");
  private readonly answer = make("div", "job-answer");
  private readonly cards = make("div", "job-cards");
  private readonly steps = make("ul", "job-steps");
  private event: JobEvent | null = null;
  private beganMs = 0;
  private shownAnswer: Leaf[] = [];
  private shownCards = "";
  private isWatched = false;

  constructor(
    private readonly decide: Decide,
    private readonly onTick: (tick: Tick) => void,
  ) {
    const summary = make("summary");
    this.state.setAttribute("aria-live", "polite"); // as a role, "status" would leave it out of the summary's name
    summary.append(make("span", "job-dot"), this.question, this.state, this.meta);
    this.details.append(summary, this.answer, this.cards, this.steps);
    this.element.append(this.details, this.ask); // the question to the user is seen even where the rest is folded
    this.ask.hidden = true;
  }

  /** A number that is given to another question begins another entry; a correction goes on with its own. */
  isFor(event: JobEvent): boolean {
    if (!this.event || !OVER.has(this.event.state)) return true;
    return event.question === this.event.question || event.question.startsWith(`${this.event.question}; correction: `);
  }

  update(event: JobEvent): void {
    const before = this.event;
    this.event = event;
    this.beganMs = performance.now() - event.elapsed_ms;
    this.element.dataset.state = event.state;
    set(this.question, event.question.replaceAll("; correction: ", " → "));
    set(this.state, STATES[event.state]);
    this.showAnswer(event, before);
    this.showCards(event);
    this.steps.replaceChildren(...event.steps.map(stepLine));
    if (event.asks_for !== (before?.asks_for ?? "")) this.showAsk(event);
    const hasNews = (wordsOf(event) && !wordsOf(before)) || event.cards.length > (before?.cards.length ?? 0);
    if (hasNews) this.details.open = true;
    this.showMeta(performance.now());
    if (OVER.has(event.state) || this.isWatched) return;
    this.isWatched = true;
    this.onTick((nowMs) => this.showMeta(nowMs));
  }

  stop(): void {
    if (!this.event || OVER.has(this.event.state)) return;
    const elapsed_ms = Math.round(performance.now() - this.beganMs);
    this.update({ ...this.event, state: "cancelled", partial: "", asks_for: "", elapsed_ms });
  }

  /** The answer as it is written, and then whole. It is not read out as it grows: that it is done is said, once. */
  private showAnswer(event: JobEvent, before: JobEvent | null): void {
    const isBusy = !OVER.has(event.state) && event.partial !== "";
    if (isBusy) this.answer.setAttribute("aria-busy", "true");
    else this.answer.removeAttribute("aria-busy");
    const words = wordsOf(event);
    if (words === wordsOf(before)) return;
    const leaves = readMarkdown(words);
    regrow(this.answer, this.shownAnswer, leaves);
    this.shownAnswer = leaves;
  }

  /** Cards stay as they are while they are the same: a ticked line stays ticked, a timer goes on. */
  private showCards(event: JobEvent): void {
    const key = JSON.stringify(event.cards.map(({ body }) => body));
    if (key === this.shownCards) return;
    this.shownCards = key;
    this.cards.replaceChildren(...event.cards.map((card) => drawCard(card, this.onTick)));
  }

  private showAsk({ job, asks_for, asks_with }: JobEvent): void {
    this.ask.hidden = !asks_for;
    this.ask.replaceChildren();
    if (!asks_for) return;
    const words = make("p", "", "May I use ");
    words.append(make("b", "", asks_for.replaceAll("_", " ")), "?");
    this.ask.setAttribute("role", "group");
    this.ask.setAttribute("aria-label", `May I use ${asks_for.replaceAll("_", " ")}?`);
    this.ask.append(words);
    if (asks_with) this.ask.append(make("code", "", asks_with));
    for (const [text, isAllowed] of [
      ["Allow in this conversation", true],
      ["Not now", false],
    ] as const) {
      const button = make("button", "quiet small", text);
      button.type = "button";
      button.onclick = () => {
        if (!this.decide(job, isAllowed)) return; // no connection: asked again when it is back
        for (const each of this.ask.querySelectorAll("button")) each.disabled = true;
      };
      this.ask.append(button);
    }
  }

  private showMeta(nowMs: number): boolean {
    const { event } = this;
    if (!event) return false;
    const isOver = OVER.has(event.state);
    const parts = [spanText(isOver ? event.elapsed_ms : nowMs - this.beganMs)];
    if (event.num_attempts > 1) parts.push(`${event.num_attempts} tries`);
    if (event.num_tokens) parts.push(`${event.num_tokens.toLocaleString("en")} tokens`);
    if (event.cost_usd !== undefined) parts.push(costText(event.cost_usd));
    set(this.meta, parts.join(" · "));
    this.isWatched = !isOver;
    return this.isWatched;
  }
}

/** What there is of its answer. */
function wordsOf(event: JobEvent | null): string {
  return event ? event.text || event.partial : "";
}

function stepLine({ tool, outcome, duration_ms }: JobStep): HTMLElement {
  const line = make("li", outcome === "ok" ? "" : "went-wrong");
  line.append(make("b", "", tool.replaceAll("_", " ")), ` ${outcome} `, make("small", "", spanText(duration_ms)));
  return line;
}

function set(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text; // nothing is read out twice
}

/** What it cost, to the digits that tell something. */
export function costText(usd: number): string {
  return usd > 0 && usd < 0.0001 ? "under $0.0001" : `$${usd.toFixed(usd < 1 ? 4 : 2)}`;
}

/** A span of time at a glance. */
export function spanText(spanMs: number): string {
  if (spanMs < 950) return `${Math.max(0, Math.round(spanMs))} ms`;
  const seconds = Math.round(spanMs / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
