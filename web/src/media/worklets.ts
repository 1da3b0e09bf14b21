// Sound on the audio thread: the user's down to the wire's rate, the wire's up to the speaker's.

import { PlaybackBuffer } from "./playback_buffer";
import { loudness, Resampler } from "./resampler";

const WIRE_HZ = 24000;
const CAPTURE_FRAME = 960; // 40 ms
const REPORT_MS = 60;

export interface CaptureReport {
  pcm: Int16Array<ArrayBuffer>;
  level: number;
}

export interface PlaybackReport {
  level: number;
}

export type PlaybackOrder = { pcm: Int16Array } | { clear: true };

class Capture extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, WIRE_HZ);
  private readonly frame = new Float32Array(CAPTURE_FRAME);
  private filled = 0;

  process([channels]: Float32Array[][]): boolean {
    // Without a source the input is empty, but media time goes on: silence.
    for (const sample of this.resampler.push(channels?.[0] ?? new Float32Array(128))) {
      this.frame[this.filled++] = sample;
      if (this.filled === CAPTURE_FRAME) this.post();
    }
    return true;
  }

  private post(): void {
    const pcm = Int16Array.from(this.frame, (sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 32768))));
    const report: CaptureReport = { pcm, level: loudness(this.frame) };
    this.port.postMessage(report, [pcm.buffer]);
    this.filled = 0;
  }
}

class Playback extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(WIRE_HZ, sampleRate);
  private readonly buffer = new PlaybackBuffer(sampleRate);
  private sinceReport = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlaybackOrder>) => {
      if ("clear" in data) this.buffer.clear();
      else this.buffer.push(this.resampler.push(Float32Array.from(data.pcm, (value) => value / 32768)));
    };
  }

  process(inputs: Float32Array[][], [channels]: Float32Array[][]): boolean {
    const out = channels?.[0];
    if (!out) return true;
    this.buffer.fill(out);
    const track = inputs[0]?.[0]; // WebRTC's sound passes through here too, so that both have one meter
    if (track) for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) + (track[i] ?? 0);
    this.sinceReport += out.length;
    if (this.sinceReport > (REPORT_MS / 1000) * sampleRate) {
      this.sinceReport = 0;
      const report: PlaybackReport = { level: loudness(out) };
      this.port.postMessage(report);
    }
    return true;
  }
}

registerProcessor("capture", Capture);
registerProcessor("playback", Playback);
