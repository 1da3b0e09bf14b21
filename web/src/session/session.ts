// One conversation, over as many connections as it takes: tries the better transport first and the other when it
// fails, comes back with the resume token when a connection is lost, and says in words what could not be helped.

import type { ClientEvent, EagernessUpdateEvent, ServerEvent, SessionClosedEvent, ToolRule } from "../protocol";
import { ArrivalWatch, grade, type Quality } from "./quality";
import type { Closing, Opening, Reactions, Transport, TransportKind } from "./transport";

export type Phase = "idle" | "connecting" | "live" | "reconnecting" | "stopped" | "failed";

export type Eagerness = EagernessUpdateEvent["eagerness"];

export interface SessionView {
  onPhase(phase: Phase, problem: string): void;
  onEvent(event: ServerEvent): void;
  onQuality(quality: Quality | null): void;
}

export interface SessionOptions {
  /** In the order in which they are tried. */
  kinds: TransportKind[];
  connect(kind: TransportKind, reactions: Reactions): Transport;
  /** Why no connection came about; browsers do not say, the server's health does. */
  explain(wasStarted: boolean): Promise<string>;
  /** What the user has chosen about tools so far: a server that goes on with the session may not know of it. */
  tools(): ToolRule[];
  /** How readily the model is to begin to speak. */
  eagerness(): Eagerness;
  view: SessionView;
}

/** Longer than a server takes to see that a connection is dead, and keeps the conversation of one who is away. */
export const RETRY_AFTER_MS = [0, 500, 1000, 2000, 4000, ...Array<number>(11).fill(8000)];
const SILENT_FOR_MS = 8000; // so long without a micro-turn, and a connection that looks open is dead
const MEASURE_EVERY_MS = 3000;
const CLOSE_WITHIN_MS = 1500;
const OVER_THERE = "The conversation was ended on the server's side. Press Start to begin another.";
/** Said where the user did not end it. */
const ENDED: Partial<Record<SessionClosedEvent["reason"], string>> = {
  expired: "The conversation reached the longest time that the server allows. Press Start to begin another.",
  close_requested: OVER_THERE,
  remote_hangup: OVER_THERE,
};

export class Session {
  private phase: Phase = "idle";
  private transport: Transport | null = null;
  private resumeToken: string | null = null;
  private kinds: TransportKind[];
  private numRetries = 0;
  private wasStarted = false;
  private isMuted = false; // the microphone
  private numPhrases = 0; // recorded ones, being said beside the microphone
  private isInputMuted = false; // as the server was told
  /** No sound goes out, because the system holds it: no micro-turns are no sign of a dead connection. */
  isHeld = false;
  private turnAtMs: number | null = null; // when the last one came over this connection
  private firstReason = ""; // why the better transport failed
  private lastWords = ""; // why the server ended the conversation
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private measureTimer: ReturnType<typeof setInterval> | undefined;
  private readonly arrivals = new ArrivalWatch();

  constructor(private readonly options: SessionOptions) {
    this.kinds = [...options.kinds];
  }

  get kind(): TransportKind | null {
    return this.transport?.kind ?? null;
  }

  start(): void {
    this.enter("connecting");
    this.connect({ kind: "start" });
    this.measureTimer = setInterval(() => void this.measure(), MEASURE_EVERY_MS);
  }

  send(event: ClientEvent): void {
    this.transport?.send(event);
  }

  /** While a recorded phrase is said, the server listens all the same; to shut the microphone is the sound desk's. */
  setMuted(isMuted: boolean): void {
    this.isMuted = isMuted;
    this.tellMuted();
  }

  /** Lets the server hear a recorded phrase, muted or not, until it has been said. */
  async hear(said: Promise<void>): Promise<void> {
    this.numPhrases++;
    this.tellMuted();
    await said.finally(() => {
      this.numPhrases--;
      this.tellMuted();
    });
  }

  /** Whenever the user chooses, and to each server that goes on with the session. */
  tellEagerness(): void {
    this.send({ type: "microturn.eagerness.update", eagerness: this.options.eagerness() });
  }

  private tellMuted(): void {
    const isInputMuted = this.isMuted && this.numPhrases === 0;
    if (isInputMuted === this.isInputMuted) return;
    this.isInputMuted = isInputMuted;
    this.send({ type: isInputMuted ? "session.input_audio.mute" : "session.input_audio.unmute" });
  }

  /** Ends the conversation; the server is told, and given a moment to say its last word. */
  stop(problem = ""): void {
    const { transport } = this;
    this.transport = null;
    if (transport && this.wasStarted) {
      transport.send({ type: "session.close" });
      setTimeout(() => transport.drop(), CLOSE_WITHIN_MS);
    } else {
      transport?.drop();
    }
    this.end(problem ? "failed" : "stopped", problem);
  }

  /** The network is back: no need to wait for the next try. */
  retryNow(): void {
    if (this.phase !== "reconnecting") return;
    this.transport?.drop();
    this.transport = null;
    clearTimeout(this.retryTimer);
    this.resume();
  }

  private connect(opening: Opening): void {
    const [kind] = this.kinds;
    if (!kind) throw new Error("a session needs a transport");
    const transport: Transport = this.options.connect(kind, {
      onEvent: (event) => transport === this.transport && this.receive(event),
      onClosed: (closing) => transport === this.transport && void this.lost(closing),
    });
    this.transport = transport;
    this.arrivals.reset();
    this.turnAtMs = null;
    transport.open(opening);
  }

  private receive(event: ServerEvent): void {
    if (event.type === "session.started") {
      this.wasStarted = true;
      this.numRetries = 0;
      this.enableExtensions();
      this.tellEagerness();
      if (this.isInputMuted) this.send({ type: "session.input_audio.mute" });
      this.transport?.start();
      this.enter("live");
    } else if (event.type === "microturn.extensions.enabled") {
      this.resumeToken = event.resume_token;
      this.turnAtMs = performance.now(); // from here on micro-turns are due
    } else if (event.type === "session.closed") {
      this.lastWords = ENDED[event.reason] ?? "";
    } else if (event.type === "microturn.turn") {
      this.turnAtMs = performance.now();
      this.arrivals.note(this.turnAtMs);
    } else if (event.type === "error" && event.error.code === "session_not_resumable") {
      this.stop("The conversation was lost. Press Start to begin again.");
      return;
    }
    this.options.view.onEvent(event);
  }

  private enableExtensions(): void {
    const tools = this.options.tools();
    this.send({
      type: "microturn.extensions.enable",
      turns: true,
      silence: "omit",
      jobs: true,
      ...whereabouts(),
      ...(tools.length && { tools }),
    });
  }

  private async lost({ isRegular, reason }: Closing): Promise<void> {
    const { transport } = this;
    this.transport = null;
    if (isRegular) return this.end("stopped", this.lastWords);
    if (!this.wasStarted && this.kinds.length > 1) {
      this.kinds.shift();
      this.firstReason ||= reason;
      return this.connect({ kind: "start" });
    }
    if (this.resumeToken && this.numRetries < RETRY_AFTER_MS.length) {
      this.kinds = ["websocket"]; // GPT-Live's WebRTC can only begin sessions
      this.enter("reconnecting");
      this.retryTimer = setTimeout(() => this.resume(), RETRY_AFTER_MS[this.numRetries++]);
      return;
    }
    const phase = this.phase;
    const words = reason || (this.wasStarted ? "" : this.firstReason);
    const problem = sentence(words) || (await this.options.explain(this.wasStarted));
    if (this.phase === phase && !this.transport && transport) this.end("failed", problem);
  }

  private resume(): void {
    if (this.resumeToken) this.connect({ kind: "resume", token: this.resumeToken });
  }

  private async measure(): Promise<void> {
    if (this.phase !== "live" || !this.transport) return;
    if (this.isHeld) this.turnAtMs = null;
    if (this.turnAtMs !== null && performance.now() - this.turnAtMs > SILENT_FOR_MS) {
      this.transport.drop();
      return this.lost({ isRegular: false, reason: "" });
    }
    const nothing = { roundTripMs: null, loss: null };
    const figures = await this.transport.figures().catch(() => nothing);
    if (this.phase === "live") {
      this.options.view.onQuality(grade(figures, this.arrivals.unevennessMs(performance.now())));
    }
  }

  private end(phase: "stopped" | "failed", problem: string): void {
    clearTimeout(this.retryTimer);
    clearInterval(this.measureTimer);
    this.enter(phase, problem);
  }

  private enter(phase: Phase, problem = ""): void {
    this.phase = phase;
    if (phase !== "live") this.options.view.onQuality(null);
    this.options.view.onPhase(phase, problem);
  }
}

/** The user's language and time zone, for those who think behind the conversation; what is not known is left out. */
export function whereabouts(): { locale?: string; time_zone?: string } {
  const { locale, timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const wanted = globalThis.navigator?.language;
  const isTag = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/; // browsers have been seen to say en-US@posix
  return { locale: isTag.test(wanted ?? "") ? wanted : locale, ...(timeZone && { time_zone: timeZone }) };
}

/** A server's message as a sentence of the page; nothing where there is none. */
export function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : capital && `${capital}.`;
}
