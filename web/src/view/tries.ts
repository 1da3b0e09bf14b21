// Things to try: a click asks them aloud, in a recorded voice that goes into the session beside the microphone.

import { find, make } from "./elements";

export interface Try {
  phrase: string;
  /** Under `clips/`. */
  clip: string;
  remark?: string;
}

export const TRIES: Try[] = [
  { phrase: "Count to ten.", clip: "count-to-ten.mp3" },
  { phrase: "Stop.", clip: "stop.mp3", remark: "while it counts" },
  { phrase: "Count by twos.", clip: "count-by-twos.mp3" },
  { phrase: "Say breathe every four seconds.", clip: "breathe.mp3" },
  { phrase: "In five seconds, say tea is ready.", clip: "tea-is-ready.mp3" },
  { phrase: "Repeat after me: the tea is hot.", clip: "repeat-after-me.mp3" },
];

/** Fills the list; `ask` resolves when the phrase has been said. */
export function showTries(ask: (example: Try) => Promise<void>): void {
  for (const example of TRIES) {
    const button = make("button", "try-it");
    button.type = "button";
    button.append(make("q", "", example.phrase));
    if (example.remark) button.append(" ", make("small", "", example.remark));
    button.onclick = async () => {
      if (button.hasAttribute("aria-busy")) return; // it is being said
      button.setAttribute("aria-busy", "true");
      await ask(example).finally(() => button.removeAttribute("aria-busy"));
    };
    button.onfocus = () => {
      // Tabbed to, half of it may be left out of sight; clicked, it must not move away under the pointer.
      if (button.matches(":focus-visible")) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    const item = make("li");
    item.append(button);
    find("tries").append(item);
  }
}
