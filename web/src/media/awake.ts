// A screen that goes dark in the middle of a conversation takes the microphone along on most phones: it stays on.

let lock: Promise<WakeLockSentinel | null> | null = null;

/** Asks for a screen that stays on, or lets it go. The system takes it away from a hidden page: ask again when it is back. */
export function keepAwake(isWanted: boolean): void {
  const before = lock;
  lock = isWanted ? (navigator.wakeLock?.request("screen").catch(() => null) ?? null) : null;
  void before?.then((held) => held?.release());
}
