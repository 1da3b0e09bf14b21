// The server that this page came from: its address, its key, and what it says about itself.

import { sentence } from "./session/session";
import type { Server, TransportKind } from "./session/transport";

export interface Health {
  key_required: boolean;
  /** Absent on a server that has the WebSocket alone. */
  transports?: TransportKind[];
  /** Whether conversations are kept. */
  recording?: boolean;
  /** Whether pictures mean anything to the model. */
  sees?: boolean;
}

/** Why no other conversation is taken: what `/readyz` tells, or an error from something in front of the server. */
interface Refusal {
  reason?: string;
  error?: { message?: unknown };
}

const ANSWER_WITHIN_MS = 4000;
const UNAVAILABLE = 503;
/** By the reason that `/readyz` gives. */
const REFUSED = new Map([
  ["full", "The server is full. Try again when another conversation has ended."],
  ["overloaded", "The server is overloaded and takes no new conversation. Try again in a moment."],
  ["stopping", "The server is shutting down. Try again when it is back."],
  ["not_answering", "The model behind the server does not answer. Try again in a moment."],
]);

/** The key stands after the '#', which browsers do not send. */
export function server(): Server {
  const base = new URL(document.baseURI);
  base.hash = "";
  return { base: base.href, key: new URLSearchParams(location.hash.slice(1)).get("key") };
}

export async function health(): Promise<Health | null> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    return (await (await fetch("healthz", { cache: "no-store", signal })).json()) as Health;
  } catch {
    return null;
  }
}

export const KEY_MISSING = "This server needs its key. Open the whole address that it printed, with #key= at the end.";

/** Whether no conversation can come about, because the address came without its key. */
export function lacksKey(found: Health): boolean {
  return found.key_required && !server().key;
}

/** Why another conversation would be refused now; empty where none would be. */
async function reasonForRefusal(): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const answer = await fetch("readyz", { cache: "no-store", signal }).catch(() => null);
  if (answer?.status !== UNAVAILABLE) return "";
  const told = (await answer.json().catch(() => null)) as Refusal | null;
  const message = told?.error?.message;
  const words = REFUSED.get(told?.reason ?? "") ?? (typeof message === "string" ? sentence(message) : "");
  return words || `The server takes no conversation now (${UNAVAILABLE}). Try again in a moment.`;
}

/** Why a connection failed: a browser does not say, the health check does. */
export async function reasonForLoss(wasStarted: boolean): Promise<string> {
  const found = await health();
  if (!found) {
    return navigator.onLine
      ? "The server cannot be reached. Is microturn serve still running?"
      : "This device is offline. Connect it to a network, then press Start.";
  }
  if (wasStarted) return "The connection was lost. Press Start to begin again.";
  if (lacksKey(found)) return KEY_MISSING;
  const refusal = await reasonForRefusal();
  if (refusal) return refusal;
  if (found.key_required)
    return "The server did not accept this key. Open the whole address that it printed, with #key= at the end.";
  return "The server did not accept the connection. Its log says why.";
}
