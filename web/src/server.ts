// The server that this page came from: its address, its key, and what it says about itself.

import type { Server, TransportKind } from "./session/transport";

interface Health {
  key_required: boolean;
  /** Absent on a server that has the WebSocket alone. */
  transports?: TransportKind[];
  /** Whether conversations are kept. */
  recording?: boolean;
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

/** Why a connection failed: a browser does not say, the health check does. */
export async function reasonForLoss(wasStarted: boolean): Promise<string> {
  const found = await health();
  if (!found) {
    return navigator.onLine
      ? "The server cannot be reached. Is microturn serve still running?"
      : "This device is offline. Connect it to a network, then press Start.";
  }
  if (wasStarted) return "The connection was lost. Press Start to begin again.";
  if (found.key_required && !server().key)
    return "This server needs its key. Open the whole address that it printed, with #key= at the end.";
  if (found.key_required)
    return "The server did not accept the connection: the key may be wrong, or the server is full. Its log says which.";
  return "The server did not accept the connection. Its log says why.";
}
