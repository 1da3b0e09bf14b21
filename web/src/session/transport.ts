// What carries a session between the page and the server. There are two: a WebSocket, which carries sound as events,
// and WebRTC, which carries sound as Opus and events on a data channel. The session above knows only this interface.

import type { ClientEvent, ServerEvent } from "../protocol";

export type TransportKind = "webrtc" | "websocket";

/** Where a transport takes the user's sound from and leaves the model's. */
export interface SoundPort {
  /** The user's sound, mixed and gated: a track for WebRTC. */
  readonly outgoing: MediaStreamTrack;
  /** Calls back with 40 ms of PCM16 at 24 kHz, again and again; null ends it. */
  capture(onPcm: ((pcm: Int16Array) => void) | null): void;
  /** Plays PCM16 at 24 kHz after what is already waiting. */
  play(pcm: Int16Array): void;
  /** Plays a track as it comes; null ends it. */
  playTrack(track: MediaStreamTrack | null): void;
}

export type Opening = { kind: "start" } | { kind: "resume"; token: string };

/** How a connection ended. */
export interface Closing {
  /** The server ended it in good order. */
  isRegular: boolean;
  /** Words for the user; empty when nobody said why. */
  reason: string;
}

export interface Reactions {
  onEvent(event: ServerEvent): void;
  onClosed(closing: Closing): void;
}

/** What was measured of the connection; null where this transport cannot tell. */
export interface LinkFigures {
  roundTripMs: number | null;
  /** Share of packets lost since the last reading. */
  loss: number | null;
}

export interface Transport {
  readonly kind: TransportKind;
  /** Connects and asks for the session. Everything that follows comes through the reactions. */
  open(opening: Opening): void;
  send(event: ClientEvent): void;
  /** `session.started` has come: sound may go out. */
  start(): void;
  figures(): Promise<LinkFigures>;
  /** Leaves without a word. Nothing comes through the reactions afterwards. */
  drop(): void;
}

export interface Server {
  /** Address of the page, under which the API lies. */
  base: string;
  key: string | null;
}
