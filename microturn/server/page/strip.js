// The strip of micro-turns: one bar each, its colour for what happened, its height for what it cost.

import { clockText } from "./captions.js";

const CELL = 12; // px; a second is five cells
const GAP = 2;
const BUDGET_MS = 200;
const LINES_MS = [20, 50, 100, 200];
const MAX_TURNS = 18_000; // an hour
const AXIS = 18; // px below the bars
const SCALE = 46; // px left of the bars

export class Strip {
  constructor({ scroller, detail, follow, numbers }) {
    this.scroller = scroller;
    this.canvas = scroller.querySelector("canvas");
    this.spacer = scroller.querySelector(".strip-width");
    this.detail = detail;
    this.followButton = follow;
    this.numbers = numbers;
    this.restingDetail = detail.textContent;
    this.turns = [];
    this.firstIndex = 0;
    this.chosen = null; // position in `turns`
    this.isFollowing = true;
    this.isDrawn = true;
    follow.onclick = () => this.setFollowing(!this.isFollowing);
    scroller.onscroll = () => (this.isAtEnd() === this.isFollowing ? this.redraw() : this.setFollowing(this.isAtEnd()));
    scroller.onpointermove = (event) => this.choose(this.positionAt(event));
    scroller.onpointerdown = (event) => this.choose(this.positionAt(event));
    scroller.onpointerleave = () => this.choose(null);
    scroller.onkeydown = (event) => this.walk(event);
    new ResizeObserver(() => this.redraw()).observe(scroller);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  reset() {
    this.turns = [];
    this.chosen = null;
    this.numbers.textContent = "";
    this.detail.textContent = this.restingDetail;
    this.setFollowing(true);
  }

  add(turn) {
    this.turns.push(turn);
    if (this.turns.length > MAX_TURNS) this.turns.shift();
    this.scroller.dataset.turns = this.turns.length;
    if (this.turns.length % 5 === 0) this.showNumbers();
    this.redraw();
  }

  setFollowing(isFollowing) {
    this.isFollowing = isFollowing;
    this.followButton.setAttribute("aria-pressed", String(!isFollowing));
    this.followButton.textContent = isFollowing ? "Pause" : "Follow";
    this.redraw();
  }

  isAtEnd() {
    const { scrollLeft, clientWidth, scrollWidth } = this.scroller;
    return scrollWidth - scrollLeft - clientWidth < 2 * CELL;
  }

  positionAt(event) {
    const x = event.clientX - this.scroller.getBoundingClientRect().left + this.scroller.scrollLeft;
    return Math.floor((x - this.startX()) / CELL);
  }

  /** Where the first cell starts: few turns stand at the right edge, where new ones come. */
  startX() {
    return Math.max(0, this.scroller.clientWidth - this.turns.length * CELL);
  }

  choose(position) {
    const turn = this.turns[position];
    this.chosen = turn ? position : null;
    this.detail.textContent = turn ? describe(turn) : this.restingDetail;
    this.redraw();
  }

  walk(event) {
    const last = this.turns.length - 1;
    const from = this.chosen ?? last;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    const position = Math.max(0, Math.min(last, to));
    this.setFollowing(position === last);
    this.choose(position);
    const x = this.startX() + position * CELL;
    const { scrollLeft, clientWidth } = this.scroller;
    if (x < scrollLeft || x + CELL > scrollLeft + clientWidth) this.scroller.scrollLeft = x - clientWidth / 2;
  }

  showNumbers() {
    const costs = this.turns.slice(-1500).map((turn) => turn.compute_ms).sort((a, b) => a - b);
    const at = (share) => costs[Math.min(costs.length - 1, Math.floor(share * costs.length))].toFixed(0);
    this.numbers.textContent = `half within ${at(0.5)} ms, 99 % within ${at(0.99)} ms`;
  }

  redraw() {
    if (!this.isDrawn) return;
    this.isDrawn = false;
    requestAnimationFrame(() => {
      this.isDrawn = true;
      this.draw();
    });
  }

  draw() {
    const { scroller, canvas, turns } = this;
    const width = scroller.clientWidth;
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.style.width = `${width}px`;
    }
    this.spacer.style.width = `${Math.max(width, turns.length * CELL)}px`;
    if (this.isFollowing) scroller.scrollLeft = scroller.scrollWidth;

    const pen = canvas.getContext("2d");
    const colours = this.colours();
    const bottom = height - AXIS;
    const yOf = (ms) => bottom - Math.sqrt(Math.min(1, ms / BUDGET_MS)) * (bottom - 8);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "11px system-ui, sans-serif";
    const from = Math.max(0, Math.floor((scroller.scrollLeft + SCALE - this.startX()) / CELL) - 4);
    const to = Math.min(turns.length, from + Math.ceil(width / CELL) + 1);
    drawLines(pen, { width, yOf, colours });
    pen.save();
    pen.beginPath();
    pen.rect(SCALE, 0, width, height);
    pen.clip();
    for (let i = from; i < to; i++) {
      const x = this.startX() + i * CELL - scroller.scrollLeft;
      drawTurn(pen, turns[i], { x, bottom, yOf, colours });
      if (turns[i].index % 25 === 0) {
        pen.fillStyle = colours.soft;
        pen.fillText(clockText(turns[i].start_ms).replace(/\.0$/, ""), x, height - 4);
      }
      if (i === this.chosen) {
        pen.strokeStyle = colours.ink;
        pen.strokeRect(x + 0.5, 2.5, CELL - GAP - 1, bottom - 2);
      }
    }
    pen.restore();
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["you", "model", "clear", "faint", "line", "soft", "ink"];
    return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
}

function drawLines(pen, { width, yOf, colours }) {
  pen.lineWidth = 1;
  for (const ms of LINES_MS) {
    const y = Math.round(yOf(ms)) + 0.5;
    pen.strokeStyle = colours.line;
    pen.setLineDash(ms === BUDGET_MS ? [] : [2, 4]);
    pen.beginPath();
    pen.moveTo(SCALE, y);
    pen.lineTo(width, y);
    pen.stroke();
    pen.fillStyle = colours.soft;
    pen.fillText(ms === BUDGET_MS ? `${ms} ms` : String(ms), 2, y + 4);
  }
  pen.setLineDash([]);
}

function drawTurn(pen, turn, { x, bottom, yOf, colours }) {
  const top = Math.min(bottom - 4, yOf(turn.compute_ms));
  const wide = CELL - GAP;
  const bar = (left, size, colour) => {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.roundRect(left, top, size, bottom - top, [3, 3, 1, 1]);
    pen.fill();
  };
  if (turn.hear && turn.speaking) {
    bar(x, wide / 2 - 0.5, colours.you);
    bar(x + wide / 2 + 0.5, wide / 2 - 0.5, colours.model);
  } else {
    bar(x, wide, turn.clear ? colours.clear : turn.speaking ? colours.model : turn.hear ? colours.you : colours.faint);
  }
  if (turn.clear) {
    pen.fillStyle = colours.clear;
    pen.beginPath();
    pen.arc(x + wide / 2, top - 6, 3, 0, 2 * Math.PI);
    pen.fill();
  }
}

function describe(turn) {
  const parts = [`${clockText(turn.start_ms)}`];
  if (turn.hear.trim()) parts.push(`heard “${turn.hear.trim()}”`);
  if (turn.clear) parts.push("cut itself off");
  if (turn.say.trim()) parts.push(`said “${turn.say.trim()}”`);
  else if (turn.speaking) parts.push("speaking");
  if (!turn.hear && !turn.speaking && !turn.clear) parts.push("silent");
  const phases = Object.entries(turn.phases_ms).filter(([, ms]) => ms >= 0.05);
  const share = Math.round(turn.budget_share * 100);
  const split = phases.map(([name, ms]) => `${name.replaceAll("_", " ")} ${ms.toFixed(1)}`).join(", ");
  parts.push(`${turn.compute_ms.toFixed(1)} ms, ${share} % of its time${split ? ` (${split})` : ""}`);
  if (turn.late) parts.push("late");
  if (turn.forced) parts.push("input came too late to be answered");
  return parts.join("  ·  ");
}
