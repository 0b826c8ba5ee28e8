import { useEffect } from "react";

import { go } from "./route";
import { nextTheme } from "./theme";

const GOES: Record<string, string> = { a: "#/", r: "#/runs", h: "#/hosts", q: "#/queues", d: "#/dead" };
// How long after `g` the second key counts.
const SEQUENCE_MS = 1_200;

/** What keys do that are pressed outside of fields; shown by the dialog that `?` opens. */
export const SHORTCUTS: readonly (readonly [string, string])[] = [
  ["n", "write a new prompt"],
  ["Ctrl Enter", "send the prompt"],
  ["g a · g r · g h · g q · g d", "go to ask, runs, hosts, queues, dead letters"],
  ["/", "search runs"],
  ["j · k", "next and previous row of a list"],
  ["Enter", "open the row, or the step that has the focus"],
  ["c", "cancel the run that is shown"],
  ["t", "change between light and dark"],
  ["Esc", "leave a field, close a dialog"],
  ["?", "these shortcuts"],
];

export function useShortcuts(onHelp: () => void): void {
  useEffect(() => {
    let pressedG = 0;
    function hear(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const field = event.target as HTMLElement;
      if (field.matches("input, textarea, select, [contenteditable]")) {
        if (event.key === "Escape") field.blur();
        return;
      }
      if (document.querySelector("dialog[open]")) return;
      const goesTo = event.timeStamp - pressedG < SEQUENCE_MS ? GOES[event.key] : undefined;
      pressedG = event.key === "g" ? event.timeStamp : 0;
      if (goesTo) go(goesTo);
      else if (!act(event.key, onHelp)) return;
      event.preventDefault();
    }
    window.addEventListener("keydown", hear);
    return () => window.removeEventListener("keydown", hear);
  }, [onHelp]);
}

function act(key: string, onHelp: () => void): boolean {
  switch (key) {
    case "?":
      onHelp();
      return true;
    case "t":
      nextTheme();
      return true;
    case "n":
      if (!focusOn("[data-shortcut=prompt]")) {
        go("#/");
        window.setTimeout(() => focusOn("[data-shortcut=prompt]"), 50);
      }
      return true;
    case "/":
      if (!focusOn("[data-shortcut=search]")) {
        go("#/runs");
        window.setTimeout(() => focusOn("[data-shortcut=search]"), 150);
      }
      return true;
    case "c":
      return press("[data-shortcut=cancel]");
    case "j":
      return step(1);
    case "k":
      return step(-1);
    default:
      return false;
  }
}

function focusOn(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(selector);
  element?.focus();
  return element !== null;
}

function press(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(selector);
  element?.click();
  return element !== null;
}

function step(by: number): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row-link]")];
  if (rows.length === 0) return false;
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  return true;
}
