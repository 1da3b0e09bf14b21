// Sound as Opus over UDP, events on a data channel: no stall when a packet is lost. The offer goes to
// POST /v1/live/sessions as GPT-Live has it, and the session has begun when `session.started` comes on the channel.

import type { ClientEvent, ServerEvent } from "../protocol";
import type { LinkFigures, Opening, Reactions, Server, SoundPort, Transport } from "./transport";

const CHANNEL = "oai-events"; // the name that GPT-Live's clients use
const GATHER_WITHIN_MS = 2000; // the answer is one HTTP response, so candidates must be in the offer
const OPEN_WITHIN_MS = 8000;
const RECOVER_WITHIN_MS = 4000; // "disconnected" often heals by itself
const MAX_UNSENT_BYTES = 1_000_000;
const UNAUTHORIZED = 401;

export class WebRtcTransport implements Transport {
  readonly kind = "webrtc";
  private readonly peer = new RTCPeerConnection();
  private channel: RTCDataChannel | null = null;
  private openTimer: ReturnType<typeof setTimeout> | undefined;
  private recoverTimer: ReturnType<typeof setTimeout> | undefined;
  private refusal = "";
  private isServerStopping = false;
  private lastReceived = 0;
  private lastLost = 0;

  constructor(
    private readonly server: Server,
    private readonly sound: SoundPort,
    private readonly reactions: Reactions,
  ) {}

  open(opening: Opening): void {
    if (opening.kind === "resume") throw new Error("only a WebSocket resumes a session");
    const { peer } = this;
    peer.addTrack(this.sound.outgoing, new MediaStream([this.sound.outgoing]));
    peer.ontrack = ({ track }) => this.sound.playTrack(track);
    peer.onconnectionstatechange = () => this.watch();
    const channel = peer.createDataChannel(CHANNEL);
    this.channel = channel;
    channel.onmessage = ({ data }) => this.receive(JSON.parse(data as string) as ServerEvent);
    channel.onclose = () => this.end("");
    this.openTimer = setTimeout(() => this.end("no way through to the server was found"), OPEN_WITHIN_MS);
    this.negotiate().catch((error: Error) => this.channel && this.end(error.message));
  }

  start(): void {
    clearTimeout(this.openTimer); // the track has been flowing since the connection stood
  }

  send(event: ClientEvent): void {
    const { channel } = this;
    const text = JSON.stringify(event);
    const isFitting = text.length <= (this.peer.sctp?.maxMessageSize ?? 0); // a picture may be too large for a message
    if (channel?.readyState === "open" && isFitting && channel.bufferedAmount < MAX_UNSENT_BYTES) channel.send(text);
  }

  async figures(): Promise<LinkFigures> {
    let roundTripMs: number | null = null;
    let received = 0;
    let lost = 0;
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === "candidate-pair" && report.nominated && report.currentRoundTripTime !== undefined) {
        roundTripMs = report.currentRoundTripTime * 1000;
      } else if (report.type === "inbound-rtp" && report.kind === "audio") {
        received = report.packetsReceived ?? 0;
        lost = report.packetsLost ?? 0;
      }
    }
    const newlyLost = lost - this.lastLost;
    const num = received - this.lastReceived + newlyLost;
    [this.lastReceived, this.lastLost] = [received, lost];
    return { roundTripMs, loss: num > 0 ? Math.max(0, newlyLost) / num : null };
  }

  drop(): void {
    clearTimeout(this.openTimer);
    clearTimeout(this.recoverTimer);
    if (this.channel) this.channel.onmessage = this.channel.onclose = null;
    this.channel = null;
    this.peer.onconnectionstatechange = this.peer.ontrack = null;
    this.peer.close();
    this.sound.playTrack(null);
  }

  private async negotiate(): Promise<void> {
    const { peer } = this;
    await peer.setLocalDescription();
    await gathered(peer);
    const response = await fetch(new URL("v1/live/sessions", this.server.base), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(this.server.key ? { authorization: `Bearer ${this.server.key}` } : {}),
      },
      body: JSON.stringify({
        session: { model: "nano" },
        transport: { type: "webrtc", sdp: peer.localDescription?.sdp },
      }),
    }).catch(() => {
      throw new Error(""); // a browser's words help nobody: the page asks why, and says it
    });
    const answer = await response.json().catch(() => null);
    // That a key is wrong or missing, the server tells programs; the page has words of its own.
    if (response.status === UNAUTHORIZED) throw new Error("");
    if (!response.ok) throw new Error(answer?.error?.message ?? `the server answered ${response.status}`);
    await peer.setRemoteDescription({ type: "answer", sdp: answer.transport.sdp });
  }

  private receive(event: ServerEvent): void {
    if (event.type === "error") this.refusal = event.error.message;
    this.reactions.onEvent(event);
    if (event.type === "info" && event.code === "server_stopping") this.isServerStopping = true;
    if (event.type !== "session.closed") return;
    const isRegular = event.reason !== "connection_lost" && !this.isServerStopping;
    this.close(isRegular, isRegular ? "" : this.refusal);
  }

  private watch(): void {
    const state = this.peer.connectionState;
    clearTimeout(this.recoverTimer);
    if (state === "failed" || state === "closed") this.end("");
    else if (state === "disconnected") this.recoverTimer = setTimeout(() => this.end(""), RECOVER_WITHIN_MS);
  }

  private end(reason: string): void {
    this.close(false, reason || this.refusal);
  }

  private close(isRegular: boolean, reason: string): void {
    this.drop();
    this.reactions.onClosed({ isRegular, reason });
  }
}

/** Resolves when all candidates are in the local description, or after a while with those that are. */
function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_WITHIN_MS);
    peer.onicegatheringstatechange = () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    };
  });
}
