// Foreign Markdown as a tree of a few harmless elements. There is no HTML on the way: the text is read into tokens,
// and every token becomes one of the elements below or plain text, so nothing in an answer can run, load or style.

import { marked, type Token, type Tokens } from "marked";

/** An element with its children; a string is text. */
export type Leaf = string | { tag: Tag; attributes?: Record<string, string>; children: Leaf[] };

type Tag =
  | ("p" | "h3" | "h4" | "ul" | "ol" | "li" | "blockquote" | "pre" | "code" | "hr" | "br" | "strong" | "em" | "del")
  | ("a" | "img" | "div" | "table" | "thead" | "tbody" | "tr" | "th" | "td");

const SAFE_LINK = /^(https?:\/\/|mailto:)/i;
/** Raster pictures that come within the text. Nothing is fetched; SVG is left out, it is a document of its own. */
const SAFE_PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;
const MAX_DEPTH = 12;
const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  "#39": "'",
  nbsp: "\u00a0",
};

/** What to show of a Markdown text. Text that cannot be read as Markdown is shown as it is. */
export function readMarkdown(text: string): Leaf[] {
  try {
    return blocks(marked.lexer(text, { gfm: true, breaks: false }), 0);
  } catch {
    return [{ tag: "p", children: [text] }]; // nested beyond all reason
  }
}

function blocks(tokens: Token[], depth: number): Leaf[] {
  return tokens.flatMap((token) => leaf(token as Tokens.Generic, depth));
}

function leaf(token: Tokens.Generic, depth: number): Leaf[] {
  if (depth > MAX_DEPTH) return [token.raw];
  const inside = (): Leaf[] => (token.tokens ? blocks(token.tokens, depth + 1) : [plain(token.text ?? token.raw)]);
  const one = (tag: Tag, children = inside(), attributes?: Record<string, string>): Leaf[] => [
    attributes ? { tag, attributes, children } : { tag, children },
  ];
  switch (token.type) {
    case "space":
    case "def":
      return [];
    case "paragraph":
      return one("p");
    case "heading":
      return one(token.depth <= 2 ? "h3" : "h4");
    case "strong":
    case "em":
    case "del":
    case "blockquote":
      return one(token.type);
    case "br":
    case "hr":
      return one(token.type, []);
    case "code":
      return one("pre", [{ tag: "code", children: [token.text] }], scrolled("Code"));
    case "codespan":
      return one("code", [token.text]);
    case "list":
      return one(
        token.ordered ? "ol" : "ul",
        token.items.map((item: Tokens.ListItem): Leaf => ({ tag: "li", children: blocks(item.tokens, depth + 1) })),
        token.ordered && token.start > 1 ? { start: String(token.start) } : undefined,
      );
    case "checkbox":
      return [token.checked ? "☑ " : "☐ "];
    case "table":
      return [table(token as Tokens.Table, depth)];
    case "link":
      return SAFE_LINK.test(token.href)
        ? one("a", inside(), { href: token.href, target: "_blank", rel: "noopener noreferrer" })
        : inside();
    case "image":
      return SAFE_PICTURE.test(token.href)
        ? one("img", [], { src: token.href, alt: token.text })
        : [`[${token.text || "picture"}: ${token.href.startsWith("data:") ? "not shown" : token.href}]`];
    case "html":
      return [token.raw];
    default:
      return inside();
  }
}

function table(token: Tokens.Table, depth: number): Leaf {
  const row = (cells: Tokens.TableCell[], tag: "th" | "td"): Leaf => ({
    tag: "tr",
    children: cells.map(({ tokens, align }) => ({
      tag,
      ...(align ? { attributes: { "data-align": align } } : {}),
      children: blocks(tokens, depth + 1),
    })),
  });
  const children: Leaf[] = [
    { tag: "thead", children: [row(token.header, "th")] },
    { tag: "tbody", children: token.rows.map((cells) => row(cells, "td")) },
  ];
  return { tag: "div", attributes: { class: "wide", ...scrolled("Table") }, children: [{ tag: "table", children }] };
}

/** What may be wider than the page scrolls by itself: the keyboard reaches it, and a screen reader says what it is. */
function scrolled(name: string): Record<string, string> {
  return { tabindex: "0", role: "group", "aria-label": name };
}

function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}

/** Puts a tree into the document. */
export function grow(leaves: Leaf[]): Node[] {
  return leaves.map((each) => {
    if (typeof each === "string") return document.createTextNode(each);
    const element = document.createElement(each.tag);
    for (const [name, value] of Object.entries(each.attributes ?? {})) element.setAttribute(name, value);
    element.append(...grow(each.children));
    return element;
  });
}

/** Shows a tree in place of another. What they begin with alike stays as it is, with what is selected or scrolled there. */
export function regrow(element: Element, before: Leaf[], after: Leaf[]): void {
  const numAlike = alike(before, after);
  for (const node of [...element.childNodes].slice(numAlike)) node.remove();
  element.append(...grow(after.slice(numAlike)));
}

/** How many leaves two trees begin with alike. */
export function alike(before: Leaf[], after: Leaf[]): number {
  const place = after.findIndex((leaf, i) => JSON.stringify(leaf) !== JSON.stringify(before[i]));
  return place < 0 ? after.length : place;
}
