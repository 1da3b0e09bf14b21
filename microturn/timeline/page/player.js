// The sound of the conversation, and the cursor that goes with it.

const audio = new Audio();
const encoded = byId("sound").textContent;
if (encoded) audio.src = URL.createObjectURL(new Blob([bytesOf(encoded)], { type: data.mediaType }));
else byId("play").hidden = true;
byId("sound").remove();

function select(index) {
  state.selected = clamp(index, firstTurn, Math.max(firstTurn, lastTurn));
  const turn = turns[state.selected];
  if (turn) {
    describe(byId("selected"), turn);
    scroller.setAttribute("aria-valuenow", turn.index);
    scroller.setAttribute("aria-valuetext", spokenText(turn));
  }
  redraw();
}

/** Put the cursor at a time, and the sound with it. */
function seek(ms, index = Math.floor(ms / TURN_MS)) {
  state.cursorMs = clamp(ms, 0, durationMs);
  if (encoded) audio.currentTime = state.cursorMs / 1000;
  showPosition();
  select(index);
}

const entries = [...byId("transcript").children].map((item) => [Number(item.firstElementChild.dataset.ms), item]);
let now = null;

function showPosition() {
  byId("clock").replaceChildren(clockText(state.cursorMs), element("small", "", ` / ${clockText(durationMs)}`));
  const entry = entries[firstFrom(entries, state.cursorMs + 1) - 1];
  if (entry && entry[1] !== now) {
    if (now) now.classList.remove("is-now");
    now = entry[1];
    now.classList.add("is-now");
    const list = byId("transcript");
    if (list.scrollHeight > list.clientHeight) list.scrollTop = now.offsetTop - list.offsetTop - list.clientHeight / 2;
  }
}

function step() {
  if (audio.paused) return;
  state.cursorMs = audio.currentTime * 1000;
  const index = Math.floor(state.cursorMs / TURN_MS);
  if (index !== state.selected && turns[index]) select(index);
  if (state.follows) bringIntoView(state.cursorMs);
  showPosition();
  redraw();
  requestAnimationFrame(step);
}

function togglePlay() {
  if (!encoded) return;
  if (!audio.paused) return void audio.pause();
  if (state.cursorMs >= durationMs - 50) seek(0);
  state.follows = true;
  audio.play();
}

for (const kind of ["play", "pause", "ended"]) {
  audio.addEventListener(kind, () => {
    byId("play").classList.toggle("is-playing", !audio.paused);
    byId("play").setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    if (!audio.paused) step();
  });
}
byId("play").addEventListener("click", togglePlay);
byId("transcript").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  seek(Number(button.dataset.ms));
  bringIntoView(state.cursorMs);
});
