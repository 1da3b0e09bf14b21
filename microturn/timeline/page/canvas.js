// The canvas that holds the lanes, the overview above it, and how both are moved.

const AXIS_PX = 28;
const scroller = byId("scroller");
const canvas = byId("canvas");
const overview = byId("overview");
let colors = {};
const color = (name) => (colors[name] ||= getComputedStyle(document.documentElement).getPropertyValue(name).trim());

let lanesHeight = AXIS_PX;
for (const lane of lanes) {
  lane.top = lanesHeight + (lane.isFirst ? 8 : 0);
  lanesHeight = lane.top + lane.height;
  const label = document.createElement("div");
  // A lane of words has two rows, and its label stands beside the first.
  Object.assign(label.style, { top: `${lane.top}px`, height: `${lane.name ? lane.height : lane.height / 2}px` });
  label.append(Object.assign(document.createElement("b"), { textContent: lane.name }));
  label.append(Object.assign(document.createElement("small"), { textContent: lane.hint }));
  byId("labels").append(label);
}
lanesHeight += 8;

/** What the pointer, the keys and the player point at. */
const state = { selected: -1, hovered: -1, cursorMs: 0, follows: true };

let isDrawn = true;
function redraw() {
  if (!isDrawn) return;
  isDrawn = false;
  requestAnimationFrame(() => { isDrawn = true; draw(); drawOverview(); });
}

function prepared(target, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (target.width !== Math.round(width * ratio) || target.height !== Math.round(height * ratio)) {
    target.width = Math.round(width * ratio);
    target.height = Math.round(height * ratio);
  }
  const context = target.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function draw() {
  const context = prepared(canvas, view.width, lanesHeight);
  context.font = `13px ${color("--sans")}`;
  drawGrid(context);
  for (const index of new Set([state.selected, state.hovered])) if (turns[index]) drawLit(context, index);
  for (const lane of lanes) {
    context.save();
    context.beginPath();
    context.rect(0, lane.top, view.width, lane.height);
    context.clip();
    context.translate(0, lane.top);
    lane.draw(context, lane.height, color);
    context.restore();
  }
  drawAxis(context);
  const x = view.x(state.cursorMs);
  context.fillStyle = color("--ink");
  context.fillRect(x - 0.75, AXIS_PX - 5, 1.5, lanesHeight);
  context.beginPath();
  context.arc(x, AXIS_PX - 6, 4, 0, 2 * Math.PI);
  context.fill();
}

/** Steps of the axis: the smallest whose labels keep clear of each other. */
function axisStepMs() {
  const steps = [200, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000];
  return steps.find((step) => step * view.pxPerMs >= (step < 1000 ? 64 : 76)) || steps.at(-1);
}

function drawGrid(context) {
  context.fillStyle = color("--grid");
  const bottom = lanesHeight - AXIS_PX;
  if (view.turnPx() >= 14) {
    for (let ms = Math.ceil(view.startMs / TURN_MS) * TURN_MS; ms <= view.endMs; ms += TURN_MS) context.fillRect(Math.round(view.x(ms)), AXIS_PX, 1, bottom);
  } else {
    const step = axisStepMs();
    for (let ms = Math.ceil(view.startMs / step) * step; ms <= view.endMs; ms += step) context.fillRect(Math.round(view.x(ms)), AXIS_PX, 1, bottom);
  }
  context.fillStyle = color("--line");
  for (const lane of lanes) if (lane.isFirst) context.fillRect(0, lane.top - 4, view.width, 1);
  context.fillRect(0, AXIS_PX - 1, view.width, 1);
}

function drawAxis(context) {
  const step = axisStepMs();
  context.font = `11.5px ${color("--sans")}`;
  context.textBaseline = "middle";
  for (let ms = Math.floor(view.startMs / step) * step; ms <= view.endMs; ms += step) {
    if (ms > durationMs) break;
    const isWhole = ms % 1000 === 0;
    context.fillStyle = color(isWhole ? "--soft" : "--faint");
    context.fillRect(Math.round(view.x(ms)), AXIS_PX - 7, 1, 6);
    context.fillText(clockText(ms, step < 1000 ? 1 : 0), view.x(ms) + 5, AXIS_PX / 2 - 1);
  }
}

/** A micro-turn: its column where things come in, the later stretch where its answer goes out, and the way between. */
function drawLit(context, index) {
  const inputLanes = lanes.filter((lane) => !lane.isOutput && lane.name !== "Compute");
  const outputLanes = lanes.filter((lane) => lane.isOutput);
  const inputBottom = Math.max(...inputLanes.map((lane) => lane.top + lane.height));
  const outputTop = outputLanes[0].top - 1;
  const outputBottom = Math.max(...outputLanes.map((lane) => lane.top + lane.height));
  const [left, wide] = [view.x(index * TURN_MS), Math.max(2, view.turnPx())];
  const out = view.x(soundsAtMs(index));
  context.fillStyle = color("--lit");
  context.beginPath();
  context.moveTo(left, AXIS_PX);
  context.lineTo(left + wide, AXIS_PX);
  context.lineTo(left + wide, inputBottom);
  if (turns[index].speaking) {
    context.lineTo(out + wide, outputTop);
    context.lineTo(out + wide, outputBottom);
    context.lineTo(out, outputBottom);
    context.lineTo(out, outputTop);
  }
  context.lineTo(left, inputBottom);
  context.fill();
  const costs = lanes.find((lane) => lane.name === "Compute");
  if (costs) context.fillRect(left, costs.top, wide, costs.height);
}

function drawOverview() {
  const [width, height] = [overview.clientWidth, overview.clientHeight];
  const context = prepared(overview, width, height);
  context.fillStyle = color("--grid");
  context.beginPath();
  context.roundRect(0, 0, width, height, 8);
  context.fill();
  const middle = height / 2;
  for (const [side, direction] of [["user", -1], ["reply", 1]]) {
    const outline = outlines[side];
    const steps = durationMs / data.outlineStepMs / (width / 2);
    context.fillStyle = color(side === "user" ? "--you" : "--model");
    for (let bar = 0; bar < width / 2; bar++) {
      let peak = 0;
      for (let step = Math.floor(bar * steps); step < (bar + 1) * steps && step < outline.length; step++) peak = Math.max(peak, outline[step]);
      const tall = Math.min(1, (peak * gains[side]) / 255) ** 1.6 * (middle - 4);
      if (tall > 0.6) context.fillRect(bar * 2, direction < 0 ? middle - tall : middle + 1, 1.2, tall);
    }
  }
  const scale = width / durationMs;
  if (view.pxPerMs > view.minScale * 1.01) {
    const [left, wide] = [view.startMs * scale, Math.max(8, (view.width / view.pxPerMs) * scale)];
    context.fillStyle = color("--panel");
    context.globalAlpha = 0.62;
    context.fillRect(0, 0, left, height);
    context.fillRect(left + wide, 0, width, height);
    context.globalAlpha = 1;
    context.strokeStyle = color("--model");
    context.lineWidth = 1.5;
    context.beginPath();
    context.roundRect(left + 0.75, 0.75, wide - 1.5, height - 1.5, 7);
    context.stroke();
  }
  context.fillStyle = color("--ink");
  context.fillRect(state.cursorMs * scale - 0.75, 0, 1.5, height);
}

// Moving

function layOut() {
  view.width = scroller.clientWidth;
  Object.assign(canvas.style, { width: `${view.width}px`, height: `${lanesHeight}px` });
  byId("labels").style.height = `${lanesHeight}px`;
  zoomTo(view.pxPerMs, 0);
}

/** Change the scale and keep the time at a place of the view where it is. */
function zoomTo(pxPerMs, anchorX) {
  const anchorMs = view.ms(anchorX);
  view.pxPerMs = clamp(pxPerMs, view.minScale, view.maxScale);
  byId("spacer").style.width = `${Math.max(view.width, durationMs * view.pxPerMs + 8)}px`;
  showFrom(anchorMs - anchorX / view.pxPerMs);
  byId("zoom").value = Math.log(view.pxPerMs / view.minScale) / Math.log(view.maxScale / view.minScale || 2) || 0;
  redraw();
}

function zoomBy(factor, x = clamp(view.x(state.cursorMs), 0, view.width)) {
  zoomTo(view.pxPerMs * factor, x);
}

function showFrom(ms) {
  scroller.scrollLeft = ms * view.pxPerMs;
  view.startMs = scroller.scrollLeft / view.pxPerMs;
  redraw();
}

function bringIntoView(ms) {
  const margin = view.width * 0.08;
  if (view.x(ms) < margin || view.x(ms) > view.width - margin) showFrom(ms - (view.width * 0.2) / view.pxPerMs);
}

scroller.addEventListener("scroll", () => { view.startMs = scroller.scrollLeft / view.pxPerMs; redraw(); });
scroller.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoomTo(view.pxPerMs * Math.exp(-event.deltaY * 0.0045), event.clientX - scroller.getBoundingClientRect().left);
}, { passive: false });

overview.addEventListener("pointerdown", (event) => {
  const move = (moved) => {
    const box = overview.getBoundingClientRect();
    const ms = clamp((moved.clientX - box.left) / box.width, 0, 1) * durationMs;
    if (view.pxPerMs > view.minScale * 1.01) showFrom(ms - view.width / view.pxPerMs / 2);
    else seek(ms);
  };
  overview.setPointerCapture(event.pointerId);
  overview.onpointermove = move;
  overview.onpointerup = overview.onpointercancel = () => { overview.onpointermove = null; };
  move(event);
});
