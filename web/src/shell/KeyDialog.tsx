import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { apiKey, replaceKey } from "../api/apiKey";
import { Dialog } from "./Dialog";
import { useStore } from "./store";

/** Asks for the key that the server wants. */
export function KeyDialog() {
  const { wasRefused } = useStore(apiKey);
  const [token, setToken] = useState("");
  const queries = useQueryClient();
  function use(event: FormEvent) {
    event.preventDefault();
    replaceKey(token.trim());
    void queries.resetQueries();
  }
  return (
    <Dialog title="This server asks for an API key">
      <form className="stack" onSubmit={use}>
        {wasRefused && <p className="problem" role="alert">The key was refused: it is wrong, has ended, or was revoked.</p>}
        <label>
          API key
          <input
            type="password"
            autoComplete="off"
            autoFocus
            required
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        <p className="hint">
          Make one on the server with <code>promptbus keys create NAME</code>. It is kept until this tab is closed, and sent
          to this server only.
        </p>
        <div className="row end"><button type="submit" className="primary" disabled={token.trim() === ""}>Use key</button></div>
      </form>
    </Dialog>
  );
}
