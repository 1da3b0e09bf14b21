// Sound on the audio thread: the microphone down to the wire's rate, the wire's sound up to the speaker's.

const WIRE_HZ = 24000;
const CAPTURE_FRAME = 960; // 40 ms
const PRIME_MS = 80; // how much silence precedes a stretch of speech: room for jitter
const MAX_BUFFERED_MS = 1000;
const FADE_MS = 6;
const REPORT_MS = 60;

/** Any rate to any rate by windowed sinc; keeps its memory, so pieces join without a seam. */
class Resampler {
  constructor(fromHz, toHz) {
    this.step = fromHz / toHz;
    this.cutoff = Math.min(1, toHz / fromHz) * 0.94;
    this.half = Math.ceil(12 / this.cutoff);
    this.memory = new Float32Array(2 * this.half);
    this.position = this.half; // of the next output sample, in `memory` followed by the next piece
    // The kernel, sampled finely: one look-up instead of a sine and a cosine per tap.
    this.fine = 256;
    this.kernel = new Float32Array(this.half * this.fine + 1);
    for (let i = 0; i < this.kernel.length; i++) {
      const t = i / this.fine;
      const x = Math.PI * this.cutoff * t;
      const sinc = i === 0 ? 1 : Math.sin(x) / x;
      this.kernel[i] = this.cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / this.half));
    }
  }

  push(piece) {
    const known = new Float32Array(this.memory.length + piece.length);
    known.set(this.memory);
    known.set(piece, this.memory.length);
    const out = [];
    for (; this.position + this.half < known.length; this.position += this.step) {
      const first = Math.ceil(this.position - this.half);
      let sum = 0;
      for (let i = first; i <= this.position + this.half; i++) {
        sum += known[i] * this.kernel[Math.round(Math.abs(i - this.position) * this.fine)];
      }
      out.push(sum);
    }
    this.memory = known.slice(known.length - 2 * this.half);
    this.position -= piece.length;
    return Float32Array.from(out);
  }
}

function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, WIRE_HZ);
    this.frame = new Float32Array(CAPTURE_FRAME);
    this.filled = 0;
  }

  process([channels]) {
    // Without a source the input is empty, but media time goes on: silence.
    const samples = channels.length ? channels[0] : new Float32Array(128);
    for (const sample of this.resampler.push(samples)) {
      this.frame[this.filled++] = sample;
      if (this.filled === CAPTURE_FRAME) this.post();
    }
    return true;
  }

  post() {
    const pcm = new Int16Array(CAPTURE_FRAME);
    for (let i = 0; i < CAPTURE_FRAME; i++) pcm[i] = Math.max(-32768, Math.min(32767, Math.round(this.frame[i] * 32768)));
    this.port.postMessage({ pcm, level: loudness(this.frame) }, [pcm.buffer]);
    this.filled = 0;
  }
}

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(WIRE_HZ, sampleRate);
    this.pieces = [];
    this.offset = 0; // into the first piece
    this.buffered = 0; // samples
    this.priming = 0; // samples of silence still to come before the speech
    this.fading = 0; // samples left of a fade-out
    this.reported = 0;
    this.port.onmessage = ({ data }) => (data.clear ? this.clear() : this.accept(data.pcm));
  }

  accept(pcm) {
    const samples = new Float32Array(pcm.length);
    for (let i = 0; i < pcm.length; i++) samples[i] = pcm[i] / 32768;
    if (!this.buffered) this.priming = Math.round((PRIME_MS / 1000) * sampleRate);
    const piece = this.resampler.push(samples);
    this.pieces.push(piece);
    this.buffered += piece.length;
    while (this.buffered > (MAX_BUFFERED_MS / 1000) * sampleRate) this.dropPiece();
  }

  clear() {
    // A short fade instead of a click; then nothing of it is left.
    this.fading = Math.min(this.buffered, Math.round((FADE_MS / 1000) * sampleRate));
    if (!this.fading || this.priming) this.empty();
  }

  empty() {
    this.pieces = [];
    this.offset = this.buffered = this.priming = this.fading = 0;
  }

  dropPiece() {
    this.buffered -= this.pieces.shift().length - this.offset;
    this.offset = 0;
  }

  next() {
    if (this.priming) return this.priming--, 0;
    if (!this.buffered) return 0;
    let sample = this.pieces[0][this.offset++];
    this.buffered--;
    if (this.offset === this.pieces[0].length) {
      this.pieces.shift();
      this.offset = 0;
    }
    if (this.fading) {
      sample *= this.fading / ((FADE_MS / 1000) * sampleRate);
      if (--this.fading === 0) this.empty();
    }
    return sample;
  }

  process(_inputs, [[out]]) {
    for (let i = 0; i < out.length; i++) out[i] = this.next();
    this.reported += out.length;
    if (this.reported > (REPORT_MS / 1000) * sampleRate) {
      this.reported = 0;
      this.port.postMessage({ level: loudness(out), bufferedMs: (this.buffered / sampleRate) * 1000 });
    }
    return true;
  }
}

registerProcessor("capture", Capture);
registerProcessor("playback", Playback);
