"""Whether everybody can use the page: what overflows, how text and focus stand out, what a screen reader is told."""

from typing import Any

SEEN = """
const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
/** A colour of CSS, however it is written, as red, green, blue from 0 to 255 and alpha from 0 to 1. */
const colourOf = (css) => {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = css;
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
};
const over = ([r, g, b, alpha], below) => [r, g, b].map((value, i) => value * alpha + below[i] * (1 - alpha));
const opacityOf = (element) => (element ? getComputedStyle(element).opacity * opacityOf(element.parentElement) : 1);
/** What is seen behind the content of an element. */
const groundOf = (element) => {
  if (!element) return colourOf("Canvas");
  const own = colourOf(getComputedStyle(element).backgroundColor);
  own[3] *= opacityOf(element);
  return own[3] === 1 ? own : over(own, groundOf(element.parentElement));
};
/** Relative luminance of WCAG 2. */
const luminance = (colour) => {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
/** Contrast of WCAG 2, from 1 to 21, of a colour on the ground of an element. */
const contrast = (css, element) => {
  const ground = groundOf(element);
  const colour = colourOf(css);
  colour[3] *= opacityOf(element);
  const [dark, light] = [luminance(over(colour, ground)), luminance(ground)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
};
const nameOf = (element) => {
  const kinds = [element.id && `#${element.id}`, ...[...element.classList].map((each) => `.${each}`)].join("");
  return `${element.localName}${kinds} ${(element.textContent ?? "").trim().slice(0, 30)}`.trim();
};
const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".sr");
const scrolls = (element) => /auto|scroll/.test(getComputedStyle(element).overflowX);
const cuts = (element) => getComputedStyle(element).overflowX !== "visible";
const around = (element) => (element.parentElement ? [element.parentElement, ...around(element.parentElement)] : []);
"""
FAINT_TEXT = f"""(least) => {{
  {SEEN}
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {{
    const [node, range] = [walker.currentNode, document.createRange()];
    range.selectNodeContents(node);
    if (node.data.trim() && range.getClientRects().length) texts.push([node.parentElement, ""]);
  }}
  for (const field of document.querySelectorAll("input, select")) texts.push([field, ""], [field, "::placeholder"]);
  return texts
    .filter(([element]) => isShown(element) && !element.closest(":disabled"))
    .map(([element, part]) => {{
      const style = getComputedStyle(element, part);
      return [contrast(element.closest("svg") ? style.fill : style.color, element), `${{nameOf(element)}}${{part}}`];
    }})
    .filter(([ratio]) => ratio < least)
    .map(([ratio, name]) => `${{ratio.toFixed(2)}} ${{name}}`);
}}"""
WIDE = f"""(meantToScroll) => {{
  {SEEN}
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth > width ? ["the page"] : [];
  for (const element of document.body.querySelectorAll("*")) {{
    if (!isShown(element)) continue;
    const {{ left, right }} = element.getBoundingClientRect();
    const isOut = (left < -1 || right > width + 1) && !around(element).some(cuts);
    const isScrolled = element.scrollWidth > element.clientWidth + 1 && scrolls(element);
    if (isOut || (isScrolled && !element.matches(meantToScroll))) wide.push(nameOf(element));
  }}
  return wide;
}}"""
FOCUSED = f"""() => {{
  {SEEN}
  const element = document.activeElement;
  if (element === document.body) return null;
  const {{ outlineStyle, outlineWidth, outlineOffset, outlineColor }} = getComputedStyle(element);
  const ring = Number.parseFloat(outlineWidth) + Number.parseFloat(outlineOffset);
  const box = element.getBoundingClientRect();
  const isCut = (frame) =>
    Math.min(box.left - frame.left, box.top - frame.top, frame.right - box.right, frame.bottom - box.bottom) < ring;
  const faults = [];
  if (outlineStyle === "none" || Number.parseFloat(outlineWidth) < 2) faults.push("no outline");
  else if (contrast(outlineColor, element.parentElement) < 3) faults.push("a faint outline");
  if (around(element).some((each) => cuts(each) && isCut(each.getBoundingClientRect()))) faults.push("a cut outline");
  if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) faults.push("out of sight");
  return {{ name: element.id || (element.labels?.[0] ?? element).textContent.trim(), faults }};
}}"""


TO_THE_TOP = """() => {
  const top = document.querySelector("dialog[open]") ?? document.body;
  top.tabIndex = -1;
  top.focus({ preventScroll: true });
  top.removeAttribute("tabindex");
}"""


async def faint_text(page: Any, least: float = 4.5) -> list[str]:
    """Text whose contrast is below that of WCAG 2 AA for text of any size, apart from controls that are disabled."""
    return await page.evaluate(FAINT_TEXT, least)


async def wide_elements(page: Any, meant_to_scroll: str) -> list[str]:
    """What reaches beyond the sides of the window, or scrolls sideways and is not meant to (a CSS selector)."""
    return await page.evaluate(WIDE, meant_to_scroll)


async def tab_stops(page: Any) -> dict[str, list[str]]:
    """Where the key Tab leads from the top of the page or of an open dialogue to its end, and what is wrong with how
    each stop shows it."""
    stops: dict[str, list[str]] = {}
    await page.evaluate(TO_THE_TOP)
    while True:
        await page.keyboard.press("Tab")
        stop = await page.evaluate(FOCUSED)
        if stop is None:
            return stops
        assert stop["name"] not in stops, f"Tab comes to {stop['name']!r} a second time"
        stops[stop["name"]] = stop["faults"]


async def told(page: Any) -> list[dict[str, Any]]:
    """What assistive technology is told of, in order: role and name of each thing, and properties such as its level."""
    devtools = await page.context.new_cdp_session(page)
    tree = await devtools.send("Accessibility.getFullAXTree")
    await devtools.detach()
    nodes = [node for node in tree["nodes"] if not node["ignored"]]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            **{each["name"]: each["value"].get("value") for each in node.get("properties", ())},
        }
        for node in nodes
    ]
