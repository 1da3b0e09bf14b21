// A chart of one row of numbers, as SVG: bars or a line, the axis through zero, labels where there is room.

import type { ChartCard } from "../protocol";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 160;
const EDGE = { top: 18, right: 8, bottom: 26, left: 8 };
const LABEL_WIDTH = 46; // what a label of usual length takes

/** Where everything of a chart lies, in its own units. */
export interface ChartPlan {
  zeroY: number;
  /** Middle of each value's column, top and bottom of its bar. */
  columns: { x: number; top: number; bottom: number; y: number }[];
  barWidth: number;
  /** Every how many columns have room for a label. */
  labelEvery: number;
}

export function planChart(values: number[]): ChartPlan {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const span = high - low || 1;
  const inner = { width: WIDTH - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  // Divided before they are subtracted: the largest numbers that there are still have a place.
  const place = (value: number): number => EDGE.top + inner.height * (high / span - value / span);
  const step = inner.width / values.length;
  const columns = values.map((value, i) => {
    const [y, zero] = [place(value), place(0)];
    return { x: EDGE.left + step * (i + 0.5), y, top: Math.min(y, zero), bottom: Math.max(y, zero) };
  });
  return {
    zeroY: place(0),
    columns,
    barWidth: Math.min(48, step * 0.68),
    labelEvery: Math.ceil(LABEL_WIDTH / step),
  };
}

export function drawChart(card: ChartCard): SVGSVGElement {
  const plan = planChart(card.values);
  const unit = card.unit ? ` ${card.unit}` : "";
  const told = card.labels.map((label, i) => `${label}: ${card.values[i]}${unit}`);
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "plot" });
  svg.setAttribute("aria-label", `${card.title ?? ""} ${told.join(", ")}`.trim());
  svg.append(shape("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: plan.zeroY, y2: plan.zeroY, class: "axis" }));
  if (card.style === "line") {
    svg.append(shape("polyline", { points: plan.columns.map(({ x, y }) => `${x},${y}`).join(" "), class: "curve" }));
  }
  plan.columns.forEach(({ x, y, top, bottom }, i) => {
    const mark =
      card.style === "line"
        ? shape("circle", { cx: x, cy: y, r: 3.5, class: "bar" })
        : shape("rect", {
            x: x - plan.barWidth / 2,
            y: top,
            width: plan.barWidth,
            height: Math.max(1, bottom - top),
            rx: 3,
            class: "bar",
          });
    const title = shape("title", {});
    title.textContent = told[i] ?? "";
    mark.append(title);
    svg.append(mark);
    if (i % plan.labelEvery) return;
    svg.append(words(x, HEIGHT - 8, card.labels[i] ?? "", "label"));
    svg.append(words(x, top - 5, String(card.values[i]), "value"));
  });
  return svg;
}

function words(x: number, y: number, text: string, name: string): SVGElement {
  const element = shape("text", { x, y, class: name, "text-anchor": "middle" });
  element.textContent = text.length > 10 ? `${text.slice(0, 9)}…` : text;
  return element;
}

function shape<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
