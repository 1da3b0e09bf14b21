// The lanes, one drawing function each. `draw` gets a context whose origin is the lane's top left corner.

const outlines = { user: bytesOf(data.userOutline), reply: bytesOf(data.replyOutline) };
const thumbnails = data.thumbnails.map(([ms, address]) => [ms, Object.assign(new Image(), { src: address })]);
const typedTexts = [];
const wroteTexts = [];
for (const turn of turns) {
  if (!turn) continue;
  for (const [role, text] of turn.events) typedTexts.push([turn.index * TURN_MS, turn.index, text, role]);
  for (const [, text] of turn.pieces) wroteTexts.push([turn.index * TURN_MS, turn.index, text]);
}
const clears = turns.filter((turn) => turn && turn.clear).map((turn) => [(turn.index + 1) * TURN_MS]);
const hasCosts = turns.some((turn) => turn && turn.costs);
const BUDGET_SHARE = 0.8; // of the compute lane's height, so that what exceeds the budget still shows

/** The loudest 0.2 % aside, the tallest bar fills its lane: a quiet recording can be read too. */
function gainOf(outline) {
  const counts = new Uint32Array(256);
  for (const value of outline) counts[value]++;
  let rest = outline.length * 0.002;
  for (let value = 255; value > 0; value--) if ((rest -= counts[value]) < 0) return Math.min(255 / value, 3);
  return 1;
}
const gains = { user: gainOf(outlines.user), reply: gainOf(outlines.reply) };

function drawWave(context, height, side, color) {
  const outline = outlines[side];
  const msPerStep = data.outlineStepMs;
  const pitch = 3;
  const msPerBar = pitch / view.pxPerMs;
  // Bars stand on multiples of their own length in media time, so that they do not flicker while the view moves.
  const first = Math.max(0, Math.floor(view.startMs / msPerBar));
  const last = Math.ceil(Math.min(view.endMs, outline.length * msPerStep) / msPerBar);
  const middle = height / 2;
  const [bars, quiet] = [new Path2D(), new Path2D()];
  for (let bar = first; bar < last; bar++) {
    const from = Math.floor((bar * msPerBar) / msPerStep);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * msPerBar) / msPerStep));
    let peak = 0;
    for (let step = from; step < to && step < outline.length; step++) peak = Math.max(peak, outline[step]);
    const half = Math.min(1, (peak * gains[side]) / 255) ** 1.6 * (middle - 3);
    const x = view.x(bar * msPerBar);
    if (half < 0.8) quiet.rect(x, middle - 0.5, 2, 1);
    else bars.roundRect(x, middle - half, 2, 2 * half, 1);
  }
  context.fillStyle = color("--faint");
  context.fill(quiet);
  context.fillStyle = color(side === "user" ? "--you" : "--model");
  context.fill(bars);
}

/** Words without a pause of a second between them, as [first, past the last, start in ms, end in ms]. */
function runsOf(words) {
  const runs = [];
  words.forEach(([ms], place) => {
    const last = runs[runs.length - 1];
    if (last && ms - words[place - 1][0] < 1000) [last[1], last[3]] = [place + 1, ms + TURN_MS];
    else runs.push([place, place + 1, ms, ms + TURN_MS]);
  });
  return runs.map(([first, end, startMs, endMs]) => [startMs, endMs, words.slice(first, end)]);
}
const runs = { heard: runsOf(data.heard), said: runsOf(data.said) };

/** Whether a list's entries in view stand too close together for text. */
function isDense(list) {
  const [first, end] = [firstFrom(list, view.startMs), firstFrom(list, view.endMs)];
  return end - first > 3 && ((list[end - 1][0] - list[first][0]) * view.pxPerMs) / (end - first) < 44;
}

/** From afar: no text, only when there was any. */
function drawMarks(context, height, list, color, tone, endOf) {
  context.fillStyle = color(tone);
  context.globalAlpha = 0.55;
  for (let place = Math.max(0, firstFrom(list, view.startMs) - 4); place < list.length; place++) {
    const left = view.x(list[place][0]);
    if (left > view.width) break;
    context.fillRect(left, height / 2 - 6, Math.max(1.5, view.x(endOf(list[place])) - left - 0.5), 12);
  }
  context.globalAlpha = 1;
}

/** Words where they were heard or sounded. Where they would touch, their run becomes one box, in the row that is free. */
function drawWords(context, height, speech, color, tone) {
  const list = runs[speech];
  if (isDense(list)) return drawMarks(context, height, list, color, tone, (run) => run[1]);
  context.textBaseline = "middle";
  const rowHeight = height / 2;
  const free = [-Infinity, -Infinity];
  for (let place = Math.max(0, firstFrom(list, view.startMs) - 4); place < list.length; place++) {
    const [startMs, endMs, words] = list[place];
    if (startMs > view.endMs) break;
    const row = free[0] <= view.x(startMs) ? 0 : 1;
    const limit = place + 2 < list.length ? view.x(list[place + 2][0]) - 5 : Infinity;
    context.save();
    context.translate(0, row * rowHeight);
    free[row] = fits(context, words, limit)
      ? drawSingly(context, words, rowHeight / 2 + 0.5, color, tone)
      : drawBox(context, view.x(startMs), view.x(endMs), limit, rowHeight, words.map((word) => word[2]).join(" "), color, tone);
    context.restore();
  }
}

/** Whether each word has room up to the next, and the last one up to a limit. */
function fits(context, words, limit) {
  return words.every(([ms, , text], at) => {
    const end = at + 1 < words.length ? view.x(words[at + 1][0]) : limit;
    return view.x(ms) + context.measureText(text).width + 4 <= end;
  });
}

function drawSingly(context, words, middle, color, tone) {
  let end = 0;
  for (const [ms, , text, isWithdrawn] of words) {
    const [x, wide] = [view.x(ms), context.measureText(text).width];
    context.fillStyle = color(isWithdrawn ? "--soft" : tone);
    context.fillText(text, x + 1, middle);
    if (isWithdrawn) context.fillRect(x, middle, wide + 2, 1);
    end = x + wide + 8;
  }
  return end;
}

/** Text in a tinted box over its stretch of time; what does not fit ends in an ellipsis or runs on where there is room. */
function drawBox(context, left, right, limit, height, text, color, tone) {
  const whole = context.measureText(text).width + 14;
  const edge = view.x(durationMs) + 6; // the page ends there
  const width = Math.max(2, right - left, Math.min(whole, Math.min(limit, edge) - left));
  const end = left + width + 4;
  if (left > view.width || end < 0) return end;
  const isSmall = width < 26;
  context.fillStyle = color(isSmall ? tone : tone + "-wash");
  context.globalAlpha = isSmall ? 0.5 : 1;
  context.beginPath();
  context.roundRect(left, 2, width, height - 4, Math.min(7, width / 2));
  context.fill();
  context.globalAlpha = 1;
  if (isSmall) return end;
  // The text of a box that starts left of the view is kept in sight.
  const textLeft = clamp(left, 0, left + width - 26) + 7;
  context.fillStyle = color(tone);
  context.fillText(shortened(context, text, left + width - textLeft - 7), textLeft, height / 2 + 0.5);
  return end;
}

function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(text.slice(0, middle).trimEnd() + "…").width <= room) low = middle;
    else high = middle - 1;
  }
  return low ? text.slice(0, low).trimEnd() + "…" : "";
}

function drawTexts(context, height, texts, color, tone) {
  if (isDense(texts)) return drawMarks(context, height, texts, color, tone, (text) => text[0] + TURN_MS);
  context.textBaseline = "middle";
  for (let place = Math.max(0, firstFrom(texts, view.startMs) - 8); place < texts.length; place++) {
    const [ms, , text] = texts[place];
    if (ms > view.endMs) break;
    const next = place + 1 < texts.length ? view.x(texts[place + 1][0]) - 4 : Infinity;
    const left = view.x(ms);
    drawBox(context, left, Math.min(next, left + view.turnPx()), Math.min(next, left + 420), height, text, color, tone);
  }
}

function drawThumbnails(context, height) {
  const tall = height - 10;
  let free = -Infinity;
  const widest = thumbnails.length ? (tall * 16) / 9 : 0;
  for (let place = Math.max(0, firstFrom(thumbnails, view.startMs - widest / view.pxPerMs)); place < thumbnails.length; place++) {
    const [ms, image] = thumbnails[place];
    const x = view.x(ms);
    if (x > view.width) break;
    if (x < free || !image.complete || !image.naturalWidth) continue;
    const wide = (tall * image.naturalWidth) / image.naturalHeight;
    context.save();
    context.beginPath();
    context.roundRect(x, 5, wide, tall, 5);
    context.clip();
    context.drawImage(image, x, 5, wide, tall);
    context.restore();
    free = x + wide + 3;
  }
}

function drawCosts(context, height, color) {
  const budget = height * BUDGET_SHARE - 2;
  const perMs = budget / TURN_MS;
  const step = Math.max(1, Math.ceil(3 / view.turnPx()));
  const first = Math.max(0, Math.floor(view.startMs / TURN_MS / step) * step);
  const wide = view.turnPx() * step;
  const gap = wide > 8 ? 2 : 1;
  for (let index = first; index <= lastTurn && index * TURN_MS < view.endMs; index += step) {
    let turn = null;
    for (let near = index; near < index + step && near <= lastTurn; near++) {
      if (turns[near] && turns[near].costs && (!turn || turns[near].cost > turn.cost)) turn = turns[near];
    }
    if (!turn) continue;
    let bottom = height - 2;
    turn.costs.forEach((cost, phase) => {
      const tall = Math.min(cost * perMs, bottom);
      context.fillStyle = color(turn.cost > TURN_MS ? "--clear" : `--cost-${(phase % 5) + 1}`);
      context.fillRect(view.x(index * TURN_MS) + gap / 2, bottom - tall, Math.max(1, wide - gap), tall);
      bottom -= tall;
    });
  }
  context.strokeStyle = color("--faint");
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(0, Math.round(height - 2 - budget) + 0.5);
  context.lineTo(view.width, Math.round(height - 2 - budget) + 0.5);
  context.stroke();
  context.setLineDash([]);
}

function drawMissing(context, height, color) {
  context.fillStyle = color("--clear");
  context.globalAlpha = 0.13;
  const first = Math.max(0, Math.floor(view.startMs / TURN_MS));
  for (let index = first; index <= lastTurn && index * TURN_MS < view.endMs; index++) {
    if (turns[index] && turns[index].missing) context.fillRect(view.x(index * TURN_MS), 2, view.turnPx(), height - 4);
  }
  context.globalAlpha = 1;
}

function drawClears(context, height, color, text = "") {
  const isFar = isDense(clears);
  context.fillStyle = color("--clear");
  context.globalAlpha = isFar ? 0.6 : 1;
  context.textBaseline = "top";
  for (let place = Math.max(0, firstFrom(clears, view.startMs) - 1); place < clears.length; place++) {
    const x = view.x(clears[place][0]);
    if (x > view.width) break;
    context.fillRect(x - 0.75, 0, isFar ? 1 : 1.5, height);
    if (!isFar) context.fillText(text, x + 5, 4);
  }
  context.globalAlpha = 1;
}

/** `isOutput`: what is drawn here sounds or shows a micro-turn later than its input. */
const lanes = [
  { name: "You", hint: "as heard", height: 80, draw: (c, h, color) => { drawMissing(c, h, color); drawWave(c, h, "user", color); } },
  { name: "", hint: "words heard", height: 54, draw: (c, h, color) => drawWords(c, h, "heard", color, "--you") },
  { name: "Seen", hint: "camera, screen", height: 72, isShown: thumbnails.length, draw: drawThumbnails },
  { name: "Typed", hint: "text events", height: 32, isShown: typedTexts.length, draw: (c, h, color) => drawTexts(c, h, typedTexts, color, "--typed") },
  { name: "Wrote", hint: "not spoken", height: 32, isShown: wroteTexts.length, draw: (c, h, color) => drawTexts(c, h, wroteTexts, color, "--wrote") },
  { name: "Model", hint: "as it sounded", height: 80, isOutput: true, isFirst: true, draw: (c, h, color) => { drawWave(c, h, "reply", color); drawClears(c, h, color, "cleared"); } },
  { name: "", hint: "words said", height: 54, isOutput: true, draw: (c, h, color) => { drawClears(c, h, color); drawWords(c, h, "said", color, "--model"); } },
  { name: "Compute", hint: `of ${TURN_MS} ms a turn`, height: 78, isShown: hasCosts, isFirst: true, draw: drawCosts },
].filter((lane) => lane.isShown === undefined || lane.isShown);
