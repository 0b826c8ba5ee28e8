import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { numLost } from "../api/liveSocket";
import { healthQuery } from "../api/queries";
import { problemOf } from "../api/problem";
import { useStore } from "./store";

/** Says when the server cannot be reached or lacks a part; silent as long as all is well. */
export function HealthBanner() {
  const { data, error, refetch } = useQuery(healthQuery);
  const lost = useStore(numLost);
  useEffect(() => {
    if (lost > 0) void refetch();
  }, [lost, refetch]);
  const queries = useQueryClient();
  const wasAway = useRef(false);
  useEffect(() => {
    if (error) wasAway.current = true;
    else if (wasAway.current) {
      wasAway.current = false;
      void queries.invalidateQueries();
      // Sockets wait ever longer between their tries; now they need not.
      window.dispatchEvent(new Event("online"));
    }
  }, [error, data, queries]);
  if (error) {
    const problem = problemOf(error);
    const told = problem.code === "unreachable" ? "The server cannot be reached; trying again." : problem.message;
    return <p className="banner" role="status" data-kind="broken">{told}</p>;
  }
  if (!data || data.missing.length === 0) return null;
  return (
    <p className="banner" role="status" data-kind="missing">
      {`Not ready: ${data.missing.join(", ")} ${data.missing.length === 1 ? "is" : "are"} missing. Prompts are kept and go on as soon as ${data.missing.length === 1 ? "it is" : "they are"} back.`}
    </p>
  );
}
