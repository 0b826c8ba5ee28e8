import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// A server to develop against: `promptbus up`, then `npm run dev`.
const server = "http://127.0.0.1:8321";
const routes = ["orchestrator", "system", "models", "inference", "cache", "dead", "health"];

export default defineConfig({
  // Relative addresses, so that the page works behind a prefix of a proxy too.
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../promptbus/page",
    emptyOutDir: true,
    target: "es2022",
    // A data: address is none of the server's own, which is all that its policy lets pages load.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: Object.fromEntries(
      routes.map((route) => [`/${route}`, { target: server, changeOrigin: true, ws: true }]),
    ),
  },
});
