// All that a micro-turn holds, in words.

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function pictureNear(ms) {
  const place = firstFrom(thumbnails, ms + TURN_MS) - 1;
  return place >= 0 && ms - thumbnails[place][0] < 2 * TURN_MS ? thumbnails[place][1].src : null;
}

const SENDERS = { user: "you typed", system: "system", tool: "background" };

/** Fill a card with a micro-turn's contents. */
function describe(card, turn) {
  const startMs = turn.index * TURN_MS;
  const list = element("dl");
  const row = (name, className, ...content) => list.append(element("dt", "", name), element("dd", className, ...content));
  row("In", turn.level > -60 ? "" : "quiet", turn.level > -100 ? `${turn.level} dB` : "silence", turn.missing ? `, ${Math.round((turn.missing / 3200) * 100)} % lost` : "");
  const picture = turn.frames ? pictureNear(startMs) : null;
  if (turn.frames) row("Seen", "", picture ? Object.assign(new Image(), { src: picture, alt: "what the camera saw" }) : `${turn.frames} frames`);
  for (const [role, text] of turn.events) row("Typed", "typed", `${SENDERS[role]}: ${text}`);
  if (turn.hear) row("Heard", "you", turn.hear.trim());
  for (const [kind, text] of turn.pieces) row("Wrote", "wrote", kind === "act" ? `to background: ${text}` : text);
  if (turn.clear) row("Cleared", "clear", "dropped what had not sounded yet");
  if (turn.say) row("Said", "model", turn.say.trim());
  if (turn.speaking) row("Sounds", "", `${(soundsAtMs(turn.index) / 1000).toFixed(1)}–${((soundsAtMs(turn.index) + TURN_MS) / 1000).toFixed(1)} s`);
  if (!(turn.hear || turn.pieces.length || turn.clear || turn.say || turn.speaking)) row("Out", "quiet", "listening");
  const when = `${(startMs / 1000).toFixed(1)}–${((startMs + TURN_MS) / 1000).toFixed(1)} s`;
  const parts = [element("div", "when", element("b", "", when), `micro-turn ${turn.index}`), list];
  if (turn.costs) parts.push(...costs(turn));
  card.replaceChildren(...parts);
}

function costs(turn) {
  const bar = element("div", "costs");
  const legend = element("div", "legend");
  const total = element("span", turn.cost > TURN_MS ? "over" : "", `${turn.cost.toFixed(1)} of ${TURN_MS} ms`);
  legend.append(total);
  turn.costs.forEach((cost, phase) => {
    if (!cost) return;
    const swatch = element("i");
    swatch.style.background = `var(--cost-${(phase % 5) + 1})`;
    const slice = element("i");
    slice.style.cssText = `background: var(--cost-${(phase % 5) + 1}); width: ${Math.min(100, (cost / TURN_MS) * 100)}%`;
    bar.append(slice);
    legend.append(element("span", "", swatch, `${data.phases[phase]} ${cost.toFixed(1)}`));
  });
  return [bar, legend];
}

/** One sentence for a screen reader. */
function spokenText(turn) {
  const parts = [`Micro-turn ${turn.index}, ${(turn.index * TURN_MS / 1000).toFixed(1)} seconds`];
  if (turn.hear) parts.push(`heard: ${turn.hear.trim()}`);
  for (const [, text] of turn.events) parts.push(`typed: ${text}`);
  for (const [, text] of turn.pieces) parts.push(`wrote: ${text}`);
  if (turn.clear) parts.push("cleared its speech");
  if (turn.say) parts.push(`said: ${turn.say.trim()}`);
  if (turn.speaking) parts.push("speaking");
  if (turn.cost !== null) parts.push(`${Math.round(turn.cost)} milliseconds of compute`);
  return parts.join("; ");
}
