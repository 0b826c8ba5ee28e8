import { useQuery } from "@tanstack/react-query";

import { letterCountQuery } from "../api/queries";
import type { Route } from "./route";
import { nextTheme, theme } from "./theme";
import { useStore } from "./store";

const SCREENS = [
  { screen: "", name: "Ask", rest: null, key: "a" },
  { screen: "runs", name: "Runs", rest: null, key: "r" },
  { screen: "hosts", name: "Hosts", rest: null, key: "h" },
  { screen: "queues", name: "Queues", rest: null, key: "q" },
  { screen: "dead", name: "Dead", rest: "letters", key: "d" },
] as const;

const THEME_SIGNS = { system: "◐", light: "○", dark: "●" } as const;

export function Navigation({ route, onHelp }: { route: Route; onHelp: () => void }) {
  const chosen = useStore(theme);
  const letters = useQuery(letterCountQuery);
  const current = route.screen === "runs" && route.id !== null ? "" : route.screen;
  return (
    <header className="bar">
      <a className="brand" href="#/">promptbus</a>
      <nav aria-label="Screens">
        {SCREENS.map(({ screen, name, rest, key }) => (
          <a key={screen} href={`#/${screen}`} aria-current={screen === current ? "page" : undefined} title={`g ${key}`}>
            {name}
            {rest && <span className="wide-only">{rest}</span>}
            {screen === "dead" && Boolean(letters.data?.num) && (
              <span className="count" aria-label={`${letters.data?.label} open`}>{letters.data?.label}</span>
            )}
          </a>
        ))}
      </nav>
      <div className="bar-end">
        <button type="button" className="quiet" onClick={nextTheme} title="Light, dark, or as the system has it (t)">
          <span className="wide-only">{`theme ${chosen}`}</span>
          <span className="narrow-only" aria-label={`Theme: ${chosen}`} role="img">{THEME_SIGNS[chosen]}</span>
        </button>
        <button type="button" className="quiet" onClick={onHelp} aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">?</button>
      </div>
    </header>
  );
}
