// One word for the connection, from what can be measured of it.

import type { LinkFigures } from "./transport";

export type Grade = "good" | "fair" | "poor";

export interface Quality extends LinkFigures {
  grade: Grade;
  /** How unevenly micro-turns arrive: the largest gap among recent ones, beyond the 200 ms that are due. */
  unevennessMs: number;
}

const FAIR = { roundTripMs: 150, loss: 0.02, unevennessMs: 150 };
const POOR = { roundTripMs: 400, loss: 0.08, unevennessMs: 600 };
const TURN_MS = 200;
const NUM_RECENT = 25;

/** Watches when micro-turns arrive. */
export class ArrivalWatch {
  private gapsMs: number[] = [];
  private lastMs: number | null = null;

  note(nowMs: number): void {
    if (this.lastMs !== null) this.gapsMs = [...this.gapsMs, nowMs - this.lastMs].slice(-NUM_RECENT);
    this.lastMs = nowMs;
  }

  /** Forgets the past, as after a reconnection: its gap is known and over. */
  reset(): void {
    this.gapsMs = [];
    this.lastMs = null;
  }

  unevennessMs(nowMs: number): number {
    const sinceLast = this.lastMs === null ? 0 : nowMs - this.lastMs;
    return Math.max(0, sinceLast - TURN_MS, ...this.gapsMs.map((gap) => gap - TURN_MS));
  }
}

export function grade(figures: LinkFigures, unevennessMs: number): Quality {
  const worse = (limit: typeof FAIR) =>
    (figures.roundTripMs ?? 0) > limit.roundTripMs ||
    (figures.loss ?? 0) > limit.loss ||
    unevennessMs > limit.unevennessMs;
  return { ...figures, unevennessMs, grade: worse(POOR) ? "poor" : worse(FAIR) ? "fair" : "good" };
}
