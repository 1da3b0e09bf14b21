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
  private numFading = 0; // samples left of a fade-out

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
    this.numFading = this.numPriming ? 0 : Math.min(this.numBuffered, this.samplesOf(FADE_MS));
    if (!this.numFading) this.empty();
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
    let sample = first[this.offset++] ?? 0;
    this.numBuffered--;
    if (this.offset === first.length) {
      this.pieces.shift();
      this.offset = 0;
    }
    if (this.numFading) {
      sample *= this.numFading / this.samplesOf(FADE_MS);
      if (--this.numFading === 0) this.empty();
    }
    return sample;
  }

  private dropFirst(): void {
    this.numBuffered -= (this.pieces.shift()?.length ?? 0) - this.offset;
    this.offset = 0;
  }

  private empty(): void {
    this.pieces = [];
    this.offset = this.numBuffered = this.numPriming = this.numFading = 0;
  }

  private samplesOf(ms: number): number {
    return Math.round((ms / 1000) * this.rateHz);
  }
}
