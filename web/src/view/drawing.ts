// Draws the visible stretch of the timeline.

import type { TurnEvent } from "../protocol";
import { clockText } from "./elements";
import { AXIS, BUDGET_MS, barShare, CELL, isActing, type Lane, placeWords, thoughtOf } from "./lanes";

/** A micro-turn, and what the page itself knows of it. */
export interface Column {
  turn: TurnEvent;
  numFrames: number;
  thumbnail: HTMLCanvasElement | null;
}

export interface Scene {
  columns: Column[];
  lanes: Lane[];
  /** Where the first column starts, in px of the canvas; negative when it has scrolled out. */
  originX: number;
  width: number;
  height: number;
  chosen: number | null;
}

const LINES_MS = [50, 200];
const TURNS_PER_S = 5;
const LOOK_BACK = 24; // columns left of the view whose words may reach into it
const COLOURS = [
  "you",
  "you-wash",
  "model",
  "model-wash",
  "see",
  "see-wash",
  "think",
  "think-wash",
  "clear",
  "faint",
  "line",
  "soft",
  "ink",
] as const;
type Palette = Record<(typeof COLOURS)[number], string>;

export function drawTimeline(pen: CanvasRenderingContext2D, scene: Scene): void {
  const palette = readPalette();
  const first = Math.max(0, Math.floor(-scene.originX / CELL));
  const last = Math.min(scene.columns.length, Math.ceil((scene.width - scene.originX) / CELL));
  pen.clearRect(0, 0, scene.width, scene.height);
  pen.font = "500 12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  pen.textBaseline = "middle";
  drawGrid(pen, scene, palette);
  for (let i = first; i < last; i++) drawColumn(pen, scene, i, palette);
  drawPictures(pen, scene, Math.max(0, first - LOOK_BACK), last);
  drawWords(pen, scene, Math.max(0, first - LOOK_BACK), last, palette);
  drawChosen(pen, scene, palette);
}

const xOf = (scene: Scene, position: number): number => scene.originX + position * CELL;

function drawGrid(pen: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  pen.lineWidth = 1;
  pen.strokeStyle = palette.line;
  for (const lane of scene.lanes) {
    const heights = lane.name === "took" ? LINES_MS.map(barShare) : [0];
    for (const share of heights) {
      const y = Math.round(lane.top + lane.height * (1 - share)) + 0.5;
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(scene.width, y);
      pen.stroke();
    }
    if (lane.name !== "took") continue;
    pen.fillStyle = palette.soft;
    pen.fillText(`${BUDGET_MS} ms`, 2, lane.top + 9);
  }
}

function drawColumn(pen: CanvasRenderingContext2D, scene: Scene, position: number, palette: Palette): void {
  const column = scene.columns[position];
  if (!column) return;
  const x = xOf(scene, position);
  const { turn } = column;
  for (const lane of scene.lanes) {
    if (lane.name === "hears" && turn.hear) fillBand(pen, x, lane, palette["you-wash"]);
    else if (lane.name === "says" && turn.speaking) fillBand(pen, x, lane, palette["model-wash"]);
    else if (lane.name === "thinks" && turn.pieces.length) {
      fillBand(pen, x, lane, isActing(turn) ? palette["think-wash"] : palette.line);
    } else if (lane.name === "sees" && column.numFrames) fillBand(pen, x, lane, palette["see-wash"]);
    else if (lane.name === "took") drawCost(pen, x, lane, turn, palette);
    if (lane.name === "says" && turn.clear) drawCut(pen, x, lane, palette);
  }
  if (turn.index % TURNS_PER_S === 0) {
    const isLabelled = turn.index % (2 * TURNS_PER_S) === 0;
    pen.fillStyle = palette.soft;
    pen.fillRect(Math.round(x), scene.height - AXIS, 1, isLabelled ? 6 : 3);
    if (isLabelled) pen.fillText(clockText(turn.start_ms).replace(/\.0$/, ""), x + 4, scene.height - 8);
  }
}

/** A full cell: neighbours join into one band. */
function fillBand(pen: CanvasRenderingContext2D, x: number, lane: Lane, colour: string): void {
  pen.fillStyle = colour;
  pen.fillRect(Math.round(x), lane.top, Math.round(x + CELL) - Math.round(x), lane.height);
}

function drawCost(pen: CanvasRenderingContext2D, x: number, lane: Lane, turn: TurnEvent, palette: Palette): void {
  const height = Math.max(3, lane.height * barShare(turn.compute_ms));
  const isOver = turn.late || turn.compute_ms > BUDGET_MS;
  pen.fillStyle = isOver ? palette.clear : turn.speaking ? palette.model : turn.hear ? palette.you : palette.faint;
  pen.beginPath();
  pen.roundRect(x + 2, lane.top + lane.height - height, CELL - 4, height, [3, 3, 0, 0]);
  pen.fill();
  const y = lane.top + lane.height * (1 - barShare(turn.latency_ms));
  pen.fillStyle = palette.ink;
  if (turn.latency_ms > turn.compute_ms + 1) pen.fillRect(x + 2, Math.round(y), CELL - 4, 1.5);
}

function drawCut(pen: CanvasRenderingContext2D, x: number, lane: Lane, palette: Palette): void {
  pen.fillStyle = palette.clear;
  pen.fillRect(Math.round(x), lane.top, 3, lane.height);
}

function drawPictures(pen: CanvasRenderingContext2D, scene: Scene, first: number, last: number): void {
  const lane = scene.lanes.find(({ name }) => name === "sees");
  if (!lane) return;
  for (let i = first; i < last; i++) {
    const thumbnail = scene.columns[i]?.thumbnail;
    if (thumbnail) pen.drawImage(thumbnail, xOf(scene, i), lane.top + 1, thumbnail.width / 2, thumbnail.height / 2);
  }
}

function drawWords(pen: CanvasRenderingContext2D, scene: Scene, first: number, last: number, palette: Palette): void {
  const styles: [Lane["name"], (turn: TurnEvent) => string, string][] = [
    ["hears", (turn) => turn.hear.trim(), palette.you],
    ["says", (turn) => turn.say.trim(), palette.model],
    ["thinks", (turn) => thoughtOf(turn).trim(), palette.think],
  ];
  for (const [name, textOf, colour] of styles) {
    const lane = scene.lanes.find((each) => each.name === name);
    if (!lane) continue;
    const words = scene.columns.slice(first, last).flatMap(({ turn }, i) => {
      const text = textOf(turn);
      return text ? [{ text, x: xOf(scene, first + i) + 4 }] : [];
    });
    pen.fillStyle = colour;
    for (const { text, x } of placeWords(words, (word) => pen.measureText(word).width)) {
      pen.fillText(text, x, lane.top + lane.height / 2 + 0.5);
    }
  }
}

function drawChosen(pen: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  if (scene.chosen === null) return;
  pen.strokeStyle = palette.ink;
  pen.strokeRect(Math.round(xOf(scene, scene.chosen)) + 0.5, 0.5, CELL - 1, scene.height - AXIS - 2);
}

function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Palette;
}
