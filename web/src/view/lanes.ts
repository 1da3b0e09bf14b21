// Where things stand on the timeline: a column per micro-turn, a lane per activity. No drawing in here.

import type { TurnEvent } from "../protocol";

export const CELL = 16; // px; a second is five cells
export const BUDGET_MS = 200;

export interface Lane {
  name: "hears" | "sees" | "says" | "thinks" | "took";
  label: string;
  top: number;
  height: number;
}

const HEIGHTS: [Lane["name"], string, number][] = [
  ["hears", "hears", 28],
  ["sees", "sees", 36],
  ["says", "says", 28],
  ["thinks", "thinks", 28],
  ["took", "took", 68],
];
const GAP = 6;
export const AXIS = 20;

/** Lanes from the top; the model's sight has one only while there is something to see. */
export function layOut(hasSight: boolean): { lanes: Lane[]; height: number } {
  let top = 2;
  const lanes = HEIGHTS.filter(([name]) => hasSight || name !== "sees").map(([name, label, height]) => {
    const lane = { name, label, top, height };
    top += height + GAP;
    return lane;
  });
  return { lanes, height: top + AXIS };
}

/** Height of a bar as a share of its lane. The root shows 20 ms and 200 ms alike. */
export function barShare(ms: number): number {
  return Math.sqrt(Math.min(1, Math.max(0, ms) / BUDGET_MS));
}

export interface PlacedText {
  text: string;
  x: number;
}

/** Words of a lane, each where its turn starts, or after the word before it where that is longer than its time. */
export function placeWords(
  words: { text: string; x: number }[],
  widthOf: (text: string) => number,
  spacing = 4,
): PlacedText[] {
  let free = Number.NEGATIVE_INFINITY;
  return words.map(({ text, x }) => {
    const placed = { text, x: Math.max(x, free) };
    free = placed.x + widthOf(text) + spacing;
    return placed;
  });
}

export const isActing = (turn: TurnEvent): boolean => turn.pieces.some((piece) => piece.kind === "act");
export const thoughtOf = (turn: TurnEvent): string => turn.pieces.map((piece) => piece.text).join(" ");

/** One micro-turn in words, for the line below and for screen readers. */
export function describe(turn: TurnEvent, numFrames: number): string {
  const parts: string[] = [];
  if (turn.hear.trim()) parts.push(`heard “${turn.hear.trim()}”`);
  if (numFrames) parts.push(numFrames === 1 ? "saw a frame" : `saw ${numFrames} frames`);
  if (turn.clear) parts.push("cut itself off");
  if (turn.say.trim()) parts.push(`said “${turn.say.trim()}”`);
  else if (turn.speaking) parts.push("speaking");
  for (const piece of turn.pieces)
    parts.push(`${piece.kind === "act" ? "asked the background" : "wrote"} “${piece.text.trim()}”`);
  if (!parts.length) parts.push("silent");
  const phases = Object.entries(turn.phases_ms).filter(([, ms]) => ms >= 0.05);
  const split = phases.map(([name, ms]) => `${name.replaceAll("_", " ")} ${ms.toFixed(1)}`).join(", ");
  const share = Math.round(turn.budget_share * 100);
  parts.push(`${turn.compute_ms.toFixed(1)} ms, ${share} % of its time${split ? ` (${split})` : ""}`);
  parts.push(`answered after ${turn.latency_ms.toFixed(0)} ms`);
  if (turn.late) parts.push("late");
  if (turn.forced) parts.push("input came too late to be answered");
  if (turn.overload_rung) parts.push(`busy server, step ${turn.overload_rung}`);
  return parts.join("  ·  ");
}

/** Half of the turns, and all but one in a hundred, took no longer than this. */
export function percentiles(costsMs: number[]): { half: number; most: number } {
  const sorted = [...costsMs].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { half: at(0.5), most: at(0.99) };
}
