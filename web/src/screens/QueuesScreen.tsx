import { useQuery } from "@tanstack/react-query";

import { queuesQuery, streamsQuery } from "../api/queries";
import { problemOf } from "../api/problem";
import type { QueueReport } from "../api/types";
import { LineChart } from "../chart/LineChart";
import { useSeries } from "../chart/useSeries";
import { PriorityTable } from "../queues/PriorityTable";
import { QueueTable } from "../queues/QueueTable";
import { StreamTable } from "../queues/StreamTable";
import { ProblemNote } from "../shell/ProblemNote";

/** What waits, where, and how that changed of late. */
export function QueuesScreen() {
  const queues = useQuery(queuesQuery);
  const streams = useQuery(streamsQuery);
  const found = queues.data?.queues ?? [];
  const prompts = found.filter((queue) => queue.stream === "PROMPTS");
  const generations = found.filter((queue) => queue.name.startsWith("executor"));
  const steps = found.filter((queue) => queue.stream === "TASKS" && !queue.name.startsWith("executor"));
  const promptSeries = useSeries("queues/prompts", queues.dataUpdatedAt, [waiting(prompts), taken(prompts)]);
  const generationSeries = useSeries("queues/generations", queues.dataUpdatedAt, [waiting(generations), taken(generations)]);
  return (
    <div className="list-screen">
      <div className="list-head"><h1>Queues</h1></div>
      {queues.error && !queues.data && <ProblemNote problem={problemOf(queues.error)} onRetry={() => void queues.refetch()} />}
      {queues.isPending && !queues.error && <p className="empty" aria-busy="true">Reading…</p>}
      {queues.data && (
        <>
          <div className="charts">
            <LineChart label={`Prompts: ${waiting(prompts)} waiting, ${taken(prompts)} led`} names={["waiting", "led"]} series={promptSeries} />
            <LineChart label={`Generations: ${waiting(generations)} waiting, ${taken(generations)} taken`} names={["waiting", "taken"]} series={generationSeries} />
          </div>
          <p className="hint legend"><span data-line="waiting">waiting</span> <span data-line="taken">being worked on</span></p>
          <PriorityTable title="Prompts" what="Subject" queues={prompts} />
          <PriorityTable title="Generations" what="Model" queues={generations} />
          <QueueTable title="Other steps" queues={steps} />
        </>
      )}
      {streams.data && <StreamTable streams={streams.data.streams} />}
    </div>
  );
}

function waiting(queues: readonly QueueReport[]): number {
  return queues.reduce((sum, queue) => sum + queue.num_waiting, 0);
}

function taken(queues: readonly QueueReport[]): number {
  return queues.reduce((sum, queue) => sum + queue.num_taken, 0);
}
