import { useEffect, useRef, useState } from "react";

import { apiKey } from "../api/apiKey";
import { AskScreen } from "../screens/AskScreen";
import { HostsScreen } from "../screens/HostsScreen";
import { LettersScreen } from "../screens/LettersScreen";
import { QueuesScreen } from "../screens/QueuesScreen";
import { RunsScreen } from "../screens/RunsScreen";
import { HealthBanner } from "./HealthBanner";
import { KeyDialog } from "./KeyDialog";
import { Navigation } from "./Navigation";
import { useRoute, type Route } from "./route";
import { ScreenFault } from "./ScreenFault";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { useStore } from "./store";
import { useShortcuts } from "./useShortcuts";

/** The page: its navigation, and the screen that its address names. */
export function App() {
  const route = useRoute();
  const { isWanted } = useStore(apiKey);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useShortcuts(() => setHelpOpen((isOpen) => !isOpen));
  useTitle(route);
  const main = useRef<HTMLElement>(null);
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>
        Skip to content
      </a>
      <Navigation route={route} onHelp={() => setHelpOpen(true)} />
      <HealthBanner />
      <main ref={main} tabIndex={-1} data-screen={route.screen || "ask"}>
        <ScreenFault key={route.screen}>
          <Screen route={route} />
        </ScreenFault>
      </main>
      {isHelpOpen && <ShortcutsDialog onClose={() => setHelpOpen(false)} />}
      {isWanted && <KeyDialog />}
    </>
  );
}

function Screen({ route }: { route: Route }) {
  switch (route.screen) {
    case "":
      return <AskScreen runId={null} route={route} />;
    case "runs":
      return route.id === null ? <RunsScreen route={route} /> : <AskScreen runId={route.id} route={route} />;
    case "hosts":
      return <HostsScreen />;
    case "queues":
      return <QueuesScreen />;
    case "dead":
      return <LettersScreen route={route} />;
    default:
      return (
        <div className="empty">
          <h1>No such screen</h1>
          <p>Nothing is at <code>{route.screen}</code>. <a href="#/">Ask something</a> or <a href="#/runs">look at runs</a>.</p>
        </div>
      );
  }
}

const TITLES: Record<string, string> = { runs: "Runs", hosts: "Hosts", queues: "Queues", dead: "Dead letters" };

function useTitle(route: Route): void {
  useEffect(() => {
    const name = route.id && route.screen === "runs" ? `Run ${route.id.slice(-8)}` : TITLES[route.screen];
    document.title = name ? `${name} · promptbus` : "promptbus";
  }, [route.id, route.screen]);
}
