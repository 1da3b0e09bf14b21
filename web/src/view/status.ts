// The small signs around the conversation: phase, problem, levels, quality of the connection, recording.

import type { Grade, Quality } from "../session/quality";
import { type Phase, sentence } from "../session/session";
import type { TransportKind } from "../session/transport";
import { find } from "./elements";

const PHASES: Record<Phase, { status: string; label: string }> = {
  idle: { status: "Ready", label: "Start" },
  connecting: { status: "Connecting", label: "Stop" },
  reconnecting: { status: "Reconnecting", label: "Stop" },
  live: { status: "Listening", label: "Stop" },
  stopped: { status: "Stopped", label: "Start" },
  failed: { status: "Not connected", label: "Start" },
};
const GRADES: Record<Grade, string> = { good: "Good connection", fair: "Fair connection", poor: "Poor connection" };
const QUIET_DB = -54;
const LOUD_DB = -6;

const BEFORE = "Press Start, allow the microphone, and say “count to ten”. Or type something, or click a thing to try.";
/** What stands where nothing has been said yet. */
const EMPTY: Record<Phase, string> = {
  idle: BEFORE,
  connecting: "One moment. The browser may ask for the microphone.",
  reconnecting: "",
  live: "Say something. Both sides appear here as they are spoken.",
  stopped: BEFORE,
  failed: "",
};

export function showPhase(phase: Phase, isMuted: boolean): void {
  document.body.dataset.state = phase;
  const status = phase === "live" && isMuted ? "Muted" : PHASES[phase].status;
  if (find("status").textContent !== status) find("status").textContent = status;
  find("talk-label").textContent = PHASES[phase].label;
  find("empty").textContent = EMPTY[phase];
}

/** Why there is no conversation. */
export function showProblem(problem: string, canGoWithout = false): void {
  find("problem-text").textContent = problem;
  find("without").hidden = !canGoWithout;
  find("problem").hidden = !problem;
}

export function showMuted(isMuted: boolean, hasKey: boolean): void {
  const label = isMuted ? "Unmute" : "Mute";
  const mute = find("mute");
  mute.dataset.on = String(isMuted);
  mute.title = hasKey ? `${label} (M)` : label;
  if (hasKey) mute.setAttribute("aria-keyshortcuts", "m");
  else mute.removeAttribute("aria-keyshortcuts");
  find("mute-label").textContent = label;
  document.body.dataset.muted = String(isMuted);
}

/** What holds for a while, the most pressing first. */
const CONDITIONS = {
  lost: "The connection was lost. The conversation goes on when it is back.",
  held: "The sound was interrupted. Tap the page to go on.",
  busy: "The server is busy: the voice may be rougher, and answers may come late.",
};
export type Condition = keyof typeof CONDITIONS;
const NOTICE_MS = 20_000;
const standing = new Set<string>();
let passing = "";
let noticeTimer: ReturnType<typeof setTimeout> | undefined;

/** Something that went wrong beside the conversation, which goes on. It leaves by itself. */
export function showNotice(notice: string): void {
  clearTimeout(noticeTimer);
  passing = sentence(notice);
  if (notice) noticeTimer = setTimeout(() => showNotice(""), NOTICE_MS);
  drawNotice();
}

/** Stands as long as it is so, under what passes. */
export function showCondition(condition: Condition, isSo: boolean): void {
  if (isSo) standing.add(condition);
  else standing.delete(condition);
  drawNotice();
}

/** The user has read it. */
export function dismissNotices(): void {
  standing.clear();
  showNotice("");
}

function drawNotice(): void {
  const [, held = ""] = Object.entries(CONDITIONS).find(([name]) => standing.has(name)) ?? [];
  const text = passing || held;
  const notice = find("notice");
  if (notice.textContent !== text) notice.textContent = text; // nothing is read out twice
  notice.hidden = !text;
}

export function showLevel(side: "you" | "model", rms: number): void {
  const db = rms > 0 ? 20 * Math.log10(rms) : QUIET_DB;
  const loud = Math.max(0, Math.min(1, (db - QUIET_DB) / (LOUD_DB - QUIET_DB)));
  const meter = find(`level-${side}`);
  meter.style.setProperty("--loud", loud.toFixed(3));
  meter.setAttribute("aria-valuenow", String(Math.round(loud * 100)));
  find("talk").style.setProperty(`--loud-${side}`, loud.toFixed(3));
}

export function showQuality(quality: Quality | null, kind: TransportKind | null): void {
  const sign = find("quality");
  sign.hidden = !quality;
  if (!quality) return;
  sign.dataset.grade = quality.grade;
  const name = kind === "webrtc" ? "WebRTC" : "WebSocket";
  const trip = quality.roundTripMs === null ? "" : `${Math.max(1, Math.round(quality.roundTripMs))} ms`;
  find("quality-text").textContent = quality.grade === "good" && trip ? trip : GRADES[quality.grade];
  const loss = quality.loss ? `, ${(quality.loss * 100).toFixed(1)} % lost` : "";
  sign.title = `${GRADES[quality.grade]} over ${name}: round trip ${trip || "unknown"}${loss}, micro-turns up to ${Math.round(quality.unevennessMs)} ms late`;
  sign.setAttribute("aria-label", sign.title);
}

export function showRecording(isRecorded: boolean): void {
  find("recording").hidden = !isRecorded;
}
