import "./styles/base.css";
import "./styles/controls.css";
import "./styles/shell.css";
import "./styles/run.css";
import "./styles/panel.css";
import "./styles/flow.css";
import "./styles/markdown.css";
import "./styles/lists.css";
import "./styles/hosts.css";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { problemOf } from "./api/problem";
import { App } from "./shell/App";
import { applyTheme } from "./shell/theme";

const TRIES = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1_000,
      // What the server refuses it will refuse again; what did not reach it is tried once more.
      retry: (count, fault) => count < TRIES && problemOf(fault).status >= 500,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

applyTheme();
const root = document.getElementById("page");
if (root === null) throw new Error("index.html has no element for the page");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
