// Events and sound over one WebSocket: works wherever the page itself came through.

import type { ClientEvent, ServerEvent } from "../protocol";
import { samplesOf, toBase64 } from "./base64";
import type { LinkFigures, Opening, Reactions, Server, SoundPort, Transport } from "./transport";

const MAX_UNSENT_BYTES = 200_000; // three seconds of sound: no more than the server lets pass at once after a stall
const OPEN_WITHIN_MS = 8000;
const ANSWER_WITHIN_MS = 2500;
const SESSION = { model: "nano", audio: { format: { type: "audio/pcm", rate: 24000 } } } as const;
const REGULAR = 1000;

export class WebSocketTransport implements Transport {
  readonly kind = "websocket";
  private socket: WebSocket | null = null;
  private refusal = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly server: Server,
    private readonly sound: SoundPort,
    private readonly reactions: Reactions,
  ) {}

  open(opening: Opening): void {
    const url = new URL("v1/live/sessions", this.server.base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    const protocols = ["microturn.v1"];
    if (this.server.key) protocols.push(`openai-insecure-api-key.${this.server.key}`);
    const socket = new WebSocket(url, protocols);
    this.socket = socket;
    this.timer = setTimeout(() => {
      this.drop();
      this.reactions.onClosed({ isRegular: false, reason: "" });
    }, OPEN_WITHIN_MS);
    socket.onopen = () =>
      this.send(
        opening.kind === "resume"
          ? { type: "microturn.session.resume", resume_token: opening.token, session: SESSION }
          : { type: "session.start", session: SESSION },
      );
    socket.onmessage = ({ data }) => this.receive(JSON.parse(data as string) as ServerEvent);
    socket.onclose = ({ code }) => {
      clearTimeout(this.timer);
      this.sound.capture(null);
      this.reactions.onClosed({ isRegular: code === REGULAR, reason: this.refusal });
    };
  }

  start(): void {
    clearTimeout(this.timer);
    this.sound.capture((pcm) => {
      if (this.socket && this.socket.bufferedAmount < MAX_UNSENT_BYTES) {
        this.send({ type: "session.input_audio.append", audio: toBase64(pcm) });
      }
    });
  }

  send(event: ClientEvent): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }

  /** A WebSocket cannot be asked for its round trip: a small request beside it stands for it. */
  async figures(): Promise<LinkFigures> {
    const startMs = performance.now();
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    await fetch(new URL("healthz", this.server.base), { cache: "no-store", signal });
    return { roundTripMs: performance.now() - startMs, loss: null };
  }

  drop(): void {
    clearTimeout(this.timer);
    this.sound.capture(null);
    if (!this.socket) return;
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  private receive(event: ServerEvent): void {
    if (event.type === "session.output_audio.delta") this.sound.play(samplesOf(event.delta));
    else if (event.type === "error") this.refusal = event.error.message;
    this.reactions.onEvent(event);
  }
}
