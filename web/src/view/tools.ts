// Which tools the background may use in this conversation: a choice of three for each, in the settings.

import type { ToolRule, ToolState, ToolsEvent } from "../protocol";
import { find, make } from "./elements";

type Permission = ToolState["permission"];

/** Says whether the word went out. */
export type RuleTools = (rules: ToolRule[]) => boolean;

const CHOICES: [Permission, string][] = [
  ["allow", "Allow"],
  ["ask", "Ask first"],
  ["deny", "Never"],
];
const MAX_RULES = 64; // that a server takes
let numRows = 0;

export class Tools {
  private readonly section = find("tools");
  private readonly list = find("tool-list");
  private readonly rows = new Map<string, Row>();
  /** What the user has chosen here, or has said since about what was chosen. */
  private readonly chosen = new Map<string, Permission>();

  constructor(private readonly rule: RuleTools) {}

  /** The conversation is over, and with it what holds for it. */
  reset(): void {
    this.section.hidden = true;
    this.list.replaceChildren();
    this.rows.clear();
    this.chosen.clear();
  }

  /** What was chosen, for a server that may have been started anew since. */
  rules(): ToolRule[] {
    return [...this.chosen].slice(-MAX_RULES).map(([name, permission]) => ({ tool: exactly(name), permission }));
  }

  show({ tools }: ToolsEvent): void {
    const gone = new Set(this.rows.keys());
    for (const tool of tools) {
      gone.delete(tool.name);
      if (this.chosen.has(tool.name)) this.chosen.set(tool.name, tool.permission);
      let row = this.rows.get(tool.name);
      if (!row) {
        row = new Row(tool.name, (permission) => this.choose(tool.name, permission));
        this.rows.set(tool.name, row);
        this.list.append(row.element);
      }
      row.update(tool);
    }
    for (const name of gone) {
      this.rows.get(name)?.element.remove();
      this.rows.delete(name);
    }
    this.section.hidden = !tools.length;
  }

  /** Something was refused: what stands is shown again. */
  restore(): void {
    for (const [name, row] of this.rows) {
      row.restore();
      if (row.tool && this.chosen.has(name)) this.chosen.set(name, row.tool.permission);
    }
  }

  private choose(name: string, permission: Permission): void {
    if (this.rule([{ tool: exactly(name), permission }])) {
      this.chosen.delete(name);
      this.chosen.set(name, permission); // the latest last, as the server takes them
    } else {
      this.restore(); // no connection
    }
  }
}

class Row {
  readonly element = make("li", "tool");
  private readonly description = make("small", "tool-description");
  private readonly select = make("select");
  private readonly fixed = make("span", "tool-fixed", "Denied by whoever runs the server");
  tool: ToolState | null = null;

  constructor(name: string, onChoice: (permission: Permission) => void) {
    const label = make("label");
    this.description.id = `tool-${++numRows}`; // names are foreign, and may hold anything
    this.select.setAttribute("aria-describedby", this.description.id);
    for (const [value, text] of CHOICES) this.select.append(new Option(text, value));
    this.select.onchange = () => onChoice(this.select.value as Permission);
    label.append(make("span", "tool-name", name.replaceAll("_", " ")), this.select, this.fixed);
    this.element.append(label, this.description);
  }

  update(tool: ToolState): void {
    this.tool = tool;
    if (this.description.textContent !== tool.description) this.description.textContent = tool.description;
    this.select.hidden = tool.fixed;
    this.fixed.hidden = !tool.fixed;
    this.restore();
  }

  restore(): void {
    if (this.tool && this.select.value !== this.tool.permission) this.select.value = this.tool.permission;
  }
}

/** A pattern that fits this name and no other, whatever a server calls its tools. */
export function exactly(name: string): string {
  return name.replace(/[*?[]/g, "[$&]");
}
