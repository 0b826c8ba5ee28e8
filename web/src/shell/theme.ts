import { createStore } from "./store";

export type Theme = "system" | "light" | "dark";

const SLOT = "promptbus.theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

export const theme = createStore<Theme>(read());

/** Show the theme that was chosen last. */
export function applyTheme(): void {
  const chosen = theme.get();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

export function nextTheme(): void {
  const chosen = ORDER[(ORDER.indexOf(theme.get()) + 1) % ORDER.length] ?? "system";
  localStorage.setItem(SLOT, chosen);
  theme.set(chosen);
  applyTheme();
}

function read(): Theme {
  const kept = localStorage.getItem(SLOT);
  return ORDER.find((one) => one === kept) ?? "system";
}
