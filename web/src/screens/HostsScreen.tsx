import { useQuery } from "@tanstack/react-query";

import { actorsQuery, hostsQuery } from "../api/queries";
import { problemOf } from "../api/problem";
import { ActorTable } from "../hosts/ActorTable";
import { HostCard } from "../hosts/HostCard";
import { ProblemNote } from "../shell/ProblemNote";

/** The machines, their memory and their models; and who else is there. */
export function HostsScreen() {
  const hosts = useQuery(hostsQuery);
  const actors = useQuery(actorsQuery);
  const found = hosts.data?.hosts ?? [];
  return (
    <div className="list-screen">
      <div className="list-head"><h1>Hosts and models</h1></div>
      {hosts.error && !hosts.data && <ProblemNote problem={problemOf(hosts.error)} onRetry={() => void hosts.refetch()} />}
      {hosts.isPending && !hosts.error && <p className="empty" aria-busy="true">Reading…</p>}
      {hosts.data && found.length === 0 && (
        <div className="empty">
          <p>No executor is there, so nothing can be generated; prompts wait in their queues.</p>
          <p>Start one on any machine that reaches the bus: <code>promptbus actor executor</code></p>
        </div>
      )}
      {found.map((host) => <HostCard key={host.host} host={host} readAtMs={hosts.dataUpdatedAt} />)}
      {actors.data && actors.data.actors.length > 0 && <ActorTable actors={actors.data.actors} />}
    </div>
  );
}
