import { expect, test } from "vitest";
import { loudness, Resampler } from "../src/media/resampler";

const tone = (hz: number, rateHz: number, num: number) =>
  Float32Array.from({ length: num }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rateHz));

function resampled(samples: Float32Array, pieceLength: number): number[] {
  const resampler = new Resampler(48000, 24000);
  const out: number[] = [];
  for (let at = 0; at < samples.length; at += pieceLength)
    out.push(...resampler.push(samples.slice(at, at + pieceLength)));
  return out;
}

test("pieces give what the whole gives", () => {
  const samples = tone(440, 48000, 9600);
  const whole = resampled(samples, samples.length);
  const pieces = resampled(samples, 128);
  expect(pieces.length).toBe(whole.length);
  pieces.forEach((value, i) => {
    expect(value).toBeCloseTo(whole[i] ?? Number.NaN, 5);
  });
});

test("a tone below the new rate's limit keeps its level, one above it goes", () => {
  const level = (hz: number) => loudness(Float32Array.from(resampled(tone(hz, 48000, 48000), 128).slice(1000)));
  expect(level(1000)).toBeCloseTo(Math.SQRT1_2, 2);
  expect(level(18000)).toBeLessThan(0.01);
});
