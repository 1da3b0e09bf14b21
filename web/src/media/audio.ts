// The sound desk of one session: the microphone and spoken examples in, the model's voice out, a meter for each side.

import type { SoundPort } from "../session/transport";
import { explained, isGone, requireDevices } from "./devices";
import type { CaptureReport, PlaybackOrder, PlaybackReport } from "./worklets";

export interface SoundSettings {
  microphoneId: string;
  speakerId: string;
  /** The browser's echo canceller and noise suppression. */
  isCleaned: boolean;
}

export interface SoundView {
  onLevel(side: "you" | "model", rms: number): void;
  /** The microphone went away. */
  onLost(): void;
  /** The system took the sound away, or gave it back: a phone call, the lock screen. */
  onHeld(isHeld: boolean): void;
}

const METER_MS = 40;

export class SoundDesk implements SoundPort {
  private microphone: MediaStreamAudioSourceNode | null = null;
  private remote: { source: MediaStreamAudioSourceNode; pump: HTMLAudioElement } | null = null;
  private onPcm: ((pcm: Int16Array) => void) | null = null;
  private readonly gate: GainNode; // the microphone's
  private readonly bus: GainNode; // what goes out: the microphone and recorded phrases
  private readonly sent: MediaStreamAudioDestinationNode;
  private readonly capturing: AudioWorkletNode;
  private readonly playback: AudioWorkletNode;
  private isMuted = false;
  private isClosed = false;
  private whenClosed: () => void = () => undefined;
  private readonly closing = new Promise<void>((resolve) => {
    this.whenClosed = resolve;
  });

  /** Starts both directions, with the microphone or without one. Call it from a click. */
  static async open(settings: SoundSettings, view: SoundView, withMicrophone = true): Promise<SoundDesk> {
    requireDevices();
    const stream = withMicrophone ? await askForMicrophone(settings) : null;
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      await context.audioWorklet.addModule(new URL("worklets.js", document.baseURI));
      await context.resume();
      const desk = new SoundDesk(context, view);
      if (stream) desk.connect(stream);
      await desk.setSpeaker(settings.speakerId);
      return desk;
    } catch (error) {
      if (stream) stopTracks(stream);
      await context.close();
      throw error;
    }
  }

  private constructor(
    private readonly context: AudioContext,
    private readonly view: SoundView,
  ) {
    this.gate = context.createGain();
    this.bus = context.createGain();
    this.sent = context.createMediaStreamDestination();
    this.capturing = new AudioWorkletNode(context, "capture", { numberOfOutputs: 1 });
    this.playback = new AudioWorkletNode(context, "playback", { outputChannelCount: [1] });
    this.gate.connect(this.bus).connect(this.sent);
    // The capturing node is silent; being connected is what keeps it running.
    this.bus.connect(this.capturing).connect(context.destination);
    context.onstatechange = () => {
      if (this.isClosed) return;
      if (context.state === "suspended") this.wake();
      view.onHeld(context.state !== "running");
    };
    this.playback.connect(context.destination);
    this.capturing.port.onmessage = ({ data }: MessageEvent<CaptureReport>) => {
      view.onLevel("you", data.level);
      this.onPcm?.(data.pcm);
    };
    this.playback.port.onmessage = ({ data }: MessageEvent<PlaybackReport>) => view.onLevel("model", data.level);
  }

  get hasMicrophone(): boolean {
    return this.microphone !== null;
  }

  get outgoing(): MediaStreamTrack {
    const [track] = this.sent.stream.getAudioTracks();
    if (!track) throw new Error("a stream destination has a track");
    return track;
  }

  capture(onPcm: ((pcm: Int16Array) => void) | null): void {
    this.onPcm = onPcm;
  }

  play(pcm: Int16Array): void {
    const order: PlaybackOrder = { pcm };
    this.playback.port.postMessage(order, [pcm.buffer]);
  }

  playTrack(track: MediaStreamTrack | null): void {
    this.remote?.source.disconnect();
    this.remote?.pump.pause();
    this.remote = null;
    if (!track) return;
    const stream = new MediaStream([track]);
    // Chromium decodes a remote track only for a media element; its own sound comes through the desk instead.
    const pump = new Audio();
    pump.muted = true;
    pump.srcObject = stream;
    void pump.play().catch(() => undefined);
    const source = this.context.createMediaStreamSource(stream);
    source.connect(this.playback);
    this.remote = { source, pump };
  }

  /** Goes on after the system has taken the sound away. From a tap it may, by itself not always. */
  wake(): void {
    if (!this.isClosed && this.context.state !== "running") void this.context.resume().catch(() => undefined);
  }

  /** Stops what is being said at once. */
  clear(): void {
    const order: PlaybackOrder = { clear: true };
    this.playback.port.postMessage(order);
  }

  /** Says a recorded phrase into the session, for everybody to hear. Resolves when it has been said, or the desk closed. */
  async say(url: string): Promise<void> {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    const bytes = await response.arrayBuffer();
    if (this.isClosed) return;
    const source = this.context.createBufferSource();
    source.buffer = await this.context.decodeAudioData(bytes);
    if (this.isClosed) return;
    source.connect(this.bus);
    source.connect(this.context.destination);
    const said = new Promise((resolve) => {
      source.onended = resolve;
    });
    source.start();
    await Promise.race([said, this.closing]);
  }

  setMuted(isMuted: boolean): void {
    this.isMuted = isMuted;
    for (const track of this.microphone?.mediaStream.getAudioTracks() ?? []) track.enabled = !isMuted;
    this.gate.gain.setTargetAtTime(isMuted ? 0 : 1, this.context.currentTime, METER_MS / 1000 / 4);
  }

  async setMicrophone(settings: SoundSettings): Promise<void> {
    const stream = await askForMicrophone(settings);
    if (this.isClosed) stopTracks(stream);
    else this.connect(stream);
  }

  /** Chooses the speaker where the browser can; elsewhere the system's own choice stands. */
  async setSpeaker(speakerId: string): Promise<void> {
    const context = this.context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
    await context.setSinkId?.(speakerId).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.whenClosed();
    this.capture(null);
    this.playTrack(null);
    this.disconnect();
    if (this.context.state !== "closed") await this.context.close();
  }

  private connect(stream: MediaStream): void {
    this.disconnect();
    this.microphone = this.context.createMediaStreamSource(stream);
    this.microphone.connect(this.gate);
    for (const track of stream.getAudioTracks()) {
      track.enabled = !this.isMuted;
      track.onended = () => {
        this.disconnect();
        this.view.onLost();
      };
    }
  }

  private disconnect(): void {
    this.microphone?.disconnect();
    if (this.microphone) stopTracks(this.microphone.mediaStream);
    this.microphone = null;
  }
}

/** The chosen microphone, or the system's own where that one is gone. */
async function askForMicrophone(settings: SoundSettings): Promise<MediaStream> {
  const { microphoneId, isCleaned } = settings;
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: {
        deviceId: microphoneId ? { exact: microphoneId } : undefined,
        echoCancellation: isCleaned,
        noiseSuppression: isCleaned,
        autoGainControl: isCleaned,
        channelCount: 1,
      },
    });
  } catch (error) {
    if (microphoneId && isGone(error)) return askForMicrophone({ ...settings, microphoneId: "" });
    throw explained(error, "microphone");
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}
