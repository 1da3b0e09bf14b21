// Cards of answers: a timer that counts down, a checklist, a chart. The server has checked their form; everything in
// them is put in as text.

import type { ChecklistCard, JobCard, TimerCard } from "../protocol";
import { drawChart } from "./chart";
import { make } from "./elements";

/** What has to be looked at every second; says whether it wants to be looked at again. */
export type Tick = (nowMs: number) => boolean;

/** Draws a card; what moves in it is handed to `onTick`. */
export function drawCard({ age_ms, body }: JobCard, onTick: (tick: Tick) => void): HTMLElement {
  const figure = make("figure", `answer-card ${body.type}`);
  if (body.title) figure.append(make("figcaption", "", body.title));
  switch (body.type) {
    case "timer":
      drawTimer(figure, body, age_ms, onTick);
      break;
    case "checklist":
      drawChecklist(figure, body);
      break;
    case "chart":
      figure.append(drawChart(body));
      break;
  }
  return figure;
}

function drawTimer(figure: HTMLElement, card: TimerCard, ageMs: number, onTick: (tick: Tick) => void): void {
  const endMs = performance.now() - ageMs + card.seconds * 1000;
  const left = make("p", "timer-left");
  left.setAttribute("role", "timer");
  const bar = make("div", "timer-bar");
  bar.append(make("b"));
  figure.append(left, bar);
  const tick = (nowMs: number): boolean => {
    const leftMs = Math.max(0, endMs - nowMs);
    const text = leftMs ? countdownText(leftMs) : "Time is up";
    if (left.textContent !== text) left.textContent = text;
    bar.style.setProperty("--left", (leftMs / (card.seconds * 1000)).toFixed(4));
    figure.dataset.over = String(!leftMs);
    return leftMs > 0;
  };
  if (tick(performance.now())) onTick(tick);
}

/** The ticks are the user's own; they live as long as the card. */
function drawChecklist(figure: HTMLElement, card: ChecklistCard): void {
  const list = make("ul");
  for (const item of card.items) {
    const label = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.checked = item.done ?? false;
    label.append(box, make("span", "", item.text));
    const line = make("li");
    line.append(label);
    list.append(line);
  }
  figure.append(list);
}

/** Hours, minutes and seconds, rounded up: zero is shown when it is zero. */
export function countdownText(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}
