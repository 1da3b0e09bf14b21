// The server that this page came from: its address, its key, and what it says about itself.

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

const ANSWER_WITHIN_MS = 4000;

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

async function isFull(): Promise<boolean> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const answer = await fetch("readyz", { cache: "no-store", signal }).catch(() => null);
  return answer?.status === 503;
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
  if (await isFull()) return "The server is full. Try again when another conversation has ended.";
  if (found.key_required)
    return "The server did not accept this key. Open the whole address that it printed, with #key= at the end.";
  return "The server did not accept the connection. Its log says why.";
}
