import { expect, test } from "vitest";
import { ArrivalWatch, grade } from "../src/session/quality";
import { barShare, layOut, percentiles, placeWords } from "../src/view/lanes";
import { exactly } from "../src/view/tools";

test("a word longer than its time pushes the next one, and only as far as needed", () => {
  const words = [
    { text: "seventeen", x: 0 },
    { text: "a", x: 16 },
    { text: "b", x: 200 },
  ];
  expect(placeWords(words, (text) => 10 * text.length, 4).map(({ x }) => x)).toEqual([0, 94, 200]);
});

test("sight has a lane only while there is something to see", () => {
  expect(layOut(false).lanes.map(({ name }) => name)).toEqual(["hears", "says", "thinks", "took"]);
  expect(layOut(true).height).toBeGreaterThan(layOut(false).height);
});

test("bars end at the budget", () => {
  expect(barShare(0)).toBe(0);
  expect(barShare(50)).toBe(0.5);
  expect(barShare(900)).toBe(1);
});

test("percentiles of few and of none", () => {
  expect(percentiles([])).toEqual({ half: 0, most: 0 });
  expect(percentiles([5, 1, 9])).toEqual({ half: 5, most: 9 });
});

test("the grade is that of the worst figure", () => {
  expect(grade({ roundTripMs: 20, loss: 0 }, 0).grade).toBe("good");
  expect(grade({ roundTripMs: 20, loss: 0.05 }, 0).grade).toBe("fair");
  expect(grade({ roundTripMs: null, loss: null }, 900).grade).toBe("poor");
});

test("a silence of the server counts while it lasts", () => {
  const watch = new ArrivalWatch();
  watch.note(0);
  watch.note(210);
  expect(watch.unevennessMs(300)).toBe(10);
  expect(watch.unevennessMs(1210)).toBe(800);
});

test("a tool's name means that tool and no other, whatever its server calls it", () => {
  expect(exactly("home_lamp")).toBe("home_lamp");
  expect(exactly("home_*")).toBe("home_[*]");
  expect(exactly("a[b]?")).toBe("a[[]b][?]");
});
