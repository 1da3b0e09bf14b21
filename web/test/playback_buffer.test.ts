import { expect, test } from "vitest";
import { PlaybackBuffer } from "../src/media/playback_buffer";

const HZ = 1000; // one sample a millisecond
const ones = (num: number) => new Float32Array(num).fill(1);

function played(buffer: PlaybackBuffer, num: number): number[] {
  const out = new Float32Array(num);
  buffer.fill(out);
  return [...out];
}

test("a stretch of speech starts after a little silence, and pieces follow each other without a gap", () => {
  const buffer = new PlaybackBuffer(HZ);
  buffer.push(ones(50));
  buffer.push(ones(50));
  expect(played(buffer, 200)).toEqual([...Array(80).fill(0), ...Array(100).fill(1), ...Array(20).fill(0)]);
});

test("clear fades what sounds and forgets what waits", () => {
  const buffer = new PlaybackBuffer(HZ);
  buffer.push(ones(400));
  played(buffer, 100);
  buffer.clear();
  const after = played(buffer, 20);
  expect(after.slice(0, 6)).toEqual([...after.slice(0, 6)].sort((a, b) => b - a));
  expect(after.slice(6)).toEqual(Array(14).fill(0));
  expect(buffer.bufferedMs).toBe(0);
});

test("what is said right after clear is heard", () => {
  const buffer = new PlaybackBuffer(HZ);
  buffer.push(ones(400));
  played(buffer, 100);
  buffer.clear();
  buffer.push(ones(50));
  expect(played(buffer, 200).filter((value) => value === 1).length).toBeGreaterThanOrEqual(50);
});

test("clear before the first sound leaves nothing", () => {
  const buffer = new PlaybackBuffer(HZ);
  buffer.push(ones(400));
  buffer.clear();
  expect(played(buffer, 500).every((value) => value === 0)).toBe(true);
});

test("what grows too long loses its oldest part", () => {
  const buffer = new PlaybackBuffer(HZ);
  for (let i = 0; i < 20; i++) buffer.push(ones(100));
  expect(buffer.bufferedMs).toBe(1000);
});
