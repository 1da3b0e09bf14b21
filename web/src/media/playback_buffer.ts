// What waits to be played: a little silence before each stretch of speech absorbs jitter, `clear` fades out at once,
// and what grows too long loses its oldest part.

const PRIME_MS = 80;
const MAX_BUFFERED_MS = 1000;
const FADE_MS = 6;

export class PlaybackBuffer {
  private pieces: Float32Array[] = [];
  private offset = 0; // into the first piece
  private numBuffered = 0;
  private numPriming = 0; // samples of silence still to come before the speech

  constructor(private readonly rateHz: number) {}

  get bufferedMs(): number {
    return (this.numBuffered / this.rateHz) * 1000;
  }

  push(piece: Float32Array): void {
    if (!piece.length) return;
    if (!this.numBuffered) this.numPriming = this.samplesOf(PRIME_MS);
    this.pieces.push(piece);
    this.numBuffered += piece.length;
    while (this.bufferedMs > MAX_BUFFERED_MS) this.dropFirst();
  }

  /** Forgets what waits; what already sounds fades out instead of clicking. */
  clear(): void {
    const numFading = this.numPriming ? 0 : Math.min(this.numBuffered, this.samplesOf(FADE_MS));
    const fading = this.taken(numFading).map((sample, i) => sample * (1 - i / numFading));
    this.empty();
    if (!numFading) return;
    this.pieces.push(fading);
    this.numBuffered = numFading;
  }

  fill(out: Float32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.next();
  }

  private next(): number {
    if (this.numPriming) {
      this.numPriming--;
      return 0;
    }
    const [first] = this.pieces;
    if (!first) return 0;
    const sample = first[this.offset++] ?? 0;
    this.numBuffered--;
    if (this.offset === first.length) {
      this.pieces.shift();
      this.offset = 0;
    }
    return sample;
  }

  /** The next samples, taken out. */
  private taken(num: number): Float32Array {
    const samples = new Float32Array(num);
    this.fill(samples);
    return samples;
  }

  private dropFirst(): void {
    this.numBuffered -= (this.pieces.shift()?.length ?? 0) - this.offset;
    this.offset = 0;
  }

  private empty(): void {
    this.pieces = [];
    this.offset = this.numBuffered = this.numPriming = 0;
  }

  private samplesOf(ms: number): number {
    return Math.round((ms / 1000) * this.rateHz);
  }
}
