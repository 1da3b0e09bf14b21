/** Any rate to any rate by windowed sinc; keeps its memory, so pieces join without a seam. */
export class Resampler {
  private readonly step: number;
  private readonly half: number;
  private readonly kernel: Float32Array;
  private memory: Float32Array;
  private position: number; // of the next output sample, in `memory` followed by the next piece

  constructor(fromHz: number, toHz: number) {
    this.step = fromHz / toHz;
    const cutoff = Math.min(1, toHz / fromHz) * 0.94;
    this.half = Math.ceil(12 / cutoff);
    this.memory = new Float32Array(2 * this.half);
    this.position = this.half;
    this.kernel = sincKernel(cutoff, this.half);
  }

  push(piece: Float32Array): Float32Array {
    const known = new Float32Array(this.memory.length + piece.length);
    known.set(this.memory);
    known.set(piece, this.memory.length);
    const out: number[] = [];
    for (; this.position + this.half < known.length; this.position += this.step) out.push(this.sampleAt(known));
    this.memory = known.slice(known.length - 2 * this.half);
    this.position -= piece.length;
    return Float32Array.from(out);
  }

  private sampleAt(known: Float32Array): number {
    const { position, half, kernel } = this;
    let sum = 0;
    for (let i = Math.ceil(position - half); i <= position + half; i++) {
      sum += (known[i] ?? 0) * (kernel[Math.round(Math.abs(i - position) * FINE)] ?? 0);
    }
    return sum;
  }
}

const FINE = 256; // the kernel is sampled finely: one look-up instead of a sine and a cosine per tap

function sincKernel(cutoff: number, half: number): Float32Array {
  return Float32Array.from({ length: half * FINE + 1 }, (_, i) => {
    const t = i / FINE;
    const x = Math.PI * cutoff * t;
    const sinc = i === 0 ? 1 : Math.sin(x) / x;
    return cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / half));
  });
}

export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}
