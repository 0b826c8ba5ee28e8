import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { healthQuery } from "../api/queries";
import { problemOf } from "../api/problem";

/** Says when the server cannot be reached or lacks a part; silent as long as all is well. */
export function HealthBanner() {
  const { data, error } = useQuery(healthQuery);
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
