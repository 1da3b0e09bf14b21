import { expect, test } from "vitest";
import { countdownText } from "../src/view/cards";
import { planChart } from "../src/view/chart";
import { costText, spanText } from "../src/view/jobs";
import { alike, type Leaf, readMarkdown } from "../src/view/markdown";

const PICTURE = "data:image/png;base64,iVBORw0KGgo=";

/** Tags with what is in them, without a browser. */
function outline(leaves: Leaf[]): string {
  return leaves
    .map((leaf) => {
      if (typeof leaf === "string") return leaf;
      const attributes = Object.entries(leaf.attributes ?? {}).map(([name, value]) => ` ${name}=${value}`);
      return `<${leaf.tag}${attributes.join("")}>${outline(leaf.children)}</${leaf.tag}>`;
    })
    .join("");
}

const shown = (text: string): string => outline(readMarkdown(text));

test("text, lists, tables and code", () => {
  expect(shown("# Oslo\n\n**Cold**, `-3`.")).toBe("<h3>Oslo</h3><p><strong>Cold</strong>, <code>-3</code>.</p>");
  expect(shown("3. a\n4. b")).toBe("<ol start=3><li>a</li><li>b</li></ol>");
  expect(shown("| a | b |\n|---|--:|\n| 1 | 2 |")).toContain("<td>1</td><td data-align=right>2</td>");
  expect(shown("```js\n<b>\n```")).toBe("<pre tabindex=0 role=group aria-label=Code><code><b></code></pre>");
  expect(shown("Tom &amp; Jerry")).toBe("<p>Tom & Jerry</p>");
});

test("HTML is text", () => {
  const tree = readMarkdown("<img src=x onerror=alert(1)>\n\nand <b onclick=x>bold</b>");
  const texts = (leaves: Leaf[]): string[] =>
    leaves.flatMap((leaf) => (typeof leaf === "string" ? [leaf] : texts(leaf.children)));
  const tags = (leaves: Leaf[]): string[] =>
    leaves.flatMap((leaf) => (typeof leaf === "string" ? [] : [leaf.tag, ...tags(leaf.children)]));
  expect(texts(tree).join("")).toContain("<img src=x onerror=alert(1)>");
  expect(tags(tree).every((tag) => tag === "p")).toBe(true);
});

test.each(["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "//evil", "file:///etc"])(
  "no link to %s",
  (address) => expect(shown(`[here](${address})`)).not.toContain("<a"),
);

test("links open elsewhere and learn nothing", () => {
  expect(shown("[here](https://a.example/)")).toBe(
    "<p><a href=https://a.example/ target=_blank rel=noopener noreferrer>here</a></p>",
  );
});

test("pictures that come along are shown, others are named and not fetched", () => {
  expect(shown(`![red](${PICTURE})`)).toBe(`<p><img src=${PICTURE} alt=red></img></p>`);
  expect(shown("![spy](https://a.example/x.png)")).toBe("<p>[spy: https://a.example/x.png]</p>");
  expect(shown("![x](data:image/svg+xml;base64,PHN2Zz4=)")).toBe("<p>[x: not shown]</p>");
});

test("nesting without end is shown as it is", () => {
  expect(() => readMarkdown(">".repeat(20_000))).not.toThrow();
  expect(() => readMarkdown("[".repeat(5_000))).not.toThrow();
});

test("of an answer that grows, only the last block changes", () => {
  const before = readMarkdown("# Oslo\n\nCold, in win");
  expect(alike(before, readMarkdown("# Oslo\n\nCold, in winter.\n\n- snow"))).toBe(1);
  expect(alike(before, before)).toBe(2);
  expect(alike(before, [])).toBe(0);
  expect(alike([], before)).toBe(0);
});

test("a chart has zero in it, and room for its labels", () => {
  const plan = planChart([1, -1]);
  expect(plan.columns[0]?.bottom).toBe(plan.zeroY);
  expect(plan.columns[1]?.top).toBe(plan.zeroY);
  expect(planChart([0]).columns[0]?.y).toBe(planChart([0]).zeroY);
  expect(Number.isFinite(planChart([1e308, -1e307]).columns[0]?.y)).toBe(true);
  expect(planChart(Array(60).fill(1)).labelEvery).toBeGreaterThan(5);
});

test("what it cost", () => {
  expect([0, 0.00002, 0.01234, 12.345].map(costText)).toEqual(["$0.0000", "under $0.0001", "$0.0123", "$12.35"]);
});

test("times at a glance", () => {
  expect(countdownText(300_000)).toBe("5:00");
  expect(countdownText(1)).toBe("0:01");
  expect(countdownText(3_661_000)).toBe("1:01:01");
  expect([spanText(40), spanText(2_400), spanText(75_000)]).toEqual(["40 ms", "2 s", "1 min 15 s"]);
});
