/** From publish to a live follower on an idle node, compared with the database's own commits in between. */

import { type Bench, inTurns } from "../harness/bench.js";
import { atMost, type Line, type RowResult } from "../harness/result.js";
import { median, quantile } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type { LatencySamples } from "../subjects/latency.js";
import type * as latencySubject from "../subjects/latency.js";

export async function latency(bench: Bench): Promise<RowResult> {
  const { latencySamples: samples, bodyBytes } = bench.settings;
  const databaseUrl = await bench.createDatabase();
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const config = { address: server.address, databaseUrl, bodyBytes };
  const subject = await startSubject<typeof latencySubject>(bench, "latency", config);
  await subject.round({ samples: Math.ceil(samples / 5) });
  const rounds: LatencySamples[] = [];
  await inTurns(bench, [
    { name: "commits and records", measure: async () => void rounds.push(await subject.round({ samples })) },
  ]);
  const at = (kind: keyof LatencySamples, part: number) =>
    rounds.map((round) => quantile(round[kind], part) ?? Number.NaN);
  const lines = (subjectName: string, role: Line["role"], kind: keyof LatencySamples): Line[] => [
    { subject: `${subjectName}, p50`, role, values: at(kind, 0.5), unit: "ms" },
    { subject: `${subjectName}, p99`, role, values: at(kind, 0.99), unit: "ms" },
  ];
  const within = (part: number, name: string) =>
    atMost(
      `publish to follower, ${name}, at most 3 × commit ${name} + 2 ms`,
      median(at("published", part)),
      3 * (median(at("commit", part)) ?? Number.NaN) + 2,
      "ms",
    );
  return {
    title: "live latency on an idle node, one record at a time",
    lines: [
      ...lines("publisher.publish to follower", "ours", "published"),
      ...lines("client.append to follower", "extra", "appended"),
      ...lines("one-row insert with pg, committed", "limit", "commit"),
    ],
    goals: [within(0.5, "p50"), within(0.99, "p99")],
    notes: [`A commit, a publish and an append in turns, ${samples} of each a round, with pauses.`],
  };
}
