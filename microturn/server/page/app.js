// The page: one button, one session at a time.

import { Audio, MicrophoneError } from "./audio.js";
import { Captions } from "./captions.js";
import { LiveClient, samplesOf } from "./live.js";
import { Strip } from "./strip.js";

const find = (id) => document.getElementById(id);
const talk = find("talk");
const mute = find("mute");
const typed = find("typed");
const captions = new Captions(find("captions"), find("empty"));
const strip = new Strip({ scroller: find("strip"), detail: find("detail"), follow: find("follow"), numbers: find("numbers") });

const STATES = {
  idle: { status: "Ready", label: "Start" },
  connecting: { status: "Connecting", label: "Stop" },
  reconnecting: { status: "Reconnecting", label: "Stop" },
  live: { status: "Listening", label: "Stop" },
  stopped: { status: "Stopped", label: "Start" },
  failed: { status: "Not connected", label: "Start" },
};

const RETRY_AFTER_MS = [0, 500, 1000, 2000, 4000, 8000];

let session = null; // { audio, client, … }: what Start opened

function show(state, problem = "") {
  document.body.dataset.state = state;
  find("status").textContent = STATES[state].status;
  find("talk-label").textContent = STATES[state].label;
  find("problem").textContent = problem;
  find("problem").hidden = !problem;
  const isLive = state === "live";
  mute.disabled = !isLive;
  for (const control of typed.elements) control.disabled = !isLive;
  if (!isLive) {
    setMuted(false);
    showLevel("you", 0);
    showLevel("model", 0);
  }
}

/** A level in [0, 1] of what is heard: decibels between -54 and -6. */
function showLevel(side, rms) {
  const loud = rms > 0 ? Math.max(0, Math.min(1, (20 * Math.log10(rms) + 54) / 48)) : 0;
  const meter = find(`level-${side}`);
  meter.style.setProperty("--loud", loud.toFixed(3));
  meter.setAttribute("aria-valuenow", Math.round(loud * 100));
  talk.style.setProperty(`--loud-${side}`, loud.toFixed(3));
}

function setMuted(isMuted) {
  mute.setAttribute("aria-pressed", String(isMuted));
  mute.textContent = isMuted ? "Unmute" : "Mute";
  if (!session) return;
  if (session.audio) session.audio.muted = isMuted;
  session.client?.send({ type: `session.input_audio.${isMuted ? "mute" : "unmute"}` });
}

async function start() {
  const mine = (session = { audio: null, client: null, timeMs: 0, resumeToken: null, numRetries: 0 });
  show("connecting");
  captions.reset();
  strip.reset();
  try {
    mine.audio = await Audio.open({
      onSound: (pcm) => mine.client?.sendSound(pcm),
      onLevelIn: (level) => mine === session && showLevel("you", level),
      onLevelOut: (level) => mine === session && showLevel("model", level),
      onLost: () => stop("The microphone was disconnected."),
    });
  } catch (error) {
    if (mine !== session) return;
    session = null;
    show("failed", error instanceof MicrophoneError ? error.message : `Sound cannot be started: ${error.message}`);
    return;
  }
  if (mine !== session) return void mine.audio.close(); // stopped while the browser was asking
  connect(mine);
}

function connect(mine) {
  mine.client = new LiveClient(reactions(mine));
  mine.client.connect(new URLSearchParams(location.hash.slice(1)).get("key"), mine.resumeToken);
}

function reactions(mine) {
  return {
    "session.started": () => {
      mine.numRetries = 0;
      show("live");
    },
    "microturn.extensions.enabled": ({ resume_token }) => (mine.resumeToken = resume_token),
    "session.output_audio.delta": ({ delta }) => mine.audio.play(samplesOf(delta)),
    "session.input_transcript.delta": (event) => captions.add("you", event),
    "session.output_transcript.delta": (event) => captions.add("model", event),
    "microturn.turn": (turn) => {
      mine.timeMs = turn.end_ms;
      if (turn.clear) {
        mine.audio.clear();
        captions.cut(turn.end_ms);
      }
      for (const piece of turn.pieces) if (piece.kind === "text") captions.addWhole("note", piece.text, turn.end_ms);
      strip.add(turn);
    },
    error: ({ error }) => {
      if (mine === session && error.code === "session_not_resumable") stop("The conversation was lost. Press Start to begin again.");
    },
    close: async (refusal, isRegular) => {
      if (mine !== session) return;
      if (isRegular) return stop();
      if (mine.resumeToken && mine.numRetries < RETRY_AFTER_MS.length) return reconnect(mine);
      const reason = refusal || (await reasonForLoss(mine.client.isStarted));
      if (mine === session) stop(reason);
    },
  };
}

/** The conversation goes on where it was when the connection is back. */
function reconnect(mine) {
  show("reconnecting");
  mine.audio.clear();
  setTimeout(() => mine === session && connect(mine), RETRY_AFTER_MS[mine.numRetries++]);
}

/** Why a WebSocket failed; browsers do not say, the health check does. */
async function reasonForLoss(wasStarted) {
  try {
    const health = await (await fetch("healthz", { cache: "no-store" })).json();
    if (wasStarted) return "The connection was lost. Press Start to begin again.";
    if (health.key_required) return "This server needs its key. Open the whole address that it printed, with #key= at the end.";
    return "The server did not accept the connection. Its log says why.";
  } catch {
    return "The server cannot be reached. Is microturn serve still running?";
  }
}

function stop(problem = "") {
  const ended = session;
  session = null;
  ended?.client?.close();
  ended?.audio?.close();
  show(problem ? "failed" : "stopped", problem);
}

talk.onclick = () => (session ? stop() : start());
mute.onclick = () => setMuted(mute.getAttribute("aria-pressed") !== "true");
typed.onsubmit = (event) => {
  event.preventDefault();
  const input = find("text");
  const text = input.value.trim();
  if (!text || !session?.client) return;
  session.client.send({ type: "microturn.text", text });
  captions.addWhole("you", text, session.timeMs, "typed");
  input.value = "";
};
addEventListener("pagehide", () => session?.client?.close());
show("idle");
