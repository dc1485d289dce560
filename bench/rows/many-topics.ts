/** The cost of giving each user, order or device its own topic: single records to few topics, and to many. */

import { type Bench, inTurns } from "../harness/bench.js";
import { atLeast, type RowResult } from "../harness/result.js";
import { rateOf } from "../harness/sample.js";
import { median, medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as appendMillraceSubject from "../subjects/append-millrace.js";

const fewTopics = 10;
const ahead = 64;
const createdWanted = 2000;

export async function manyTopics(bench: Bench): Promise<RowResult> {
  const { topics, bodyBytes } = bench.settings;
  const server = await startMillraceServer(bench, {
    args: [
      "--database-url",
      await bench.createDatabase(),
      "--auto-created-topics",
      "1000000",
      "--auto-created-topics-peer",
      "1000000",
    ],
    profileAs: "many-topics-server",
  });
  const client = await startSubject<typeof appendMillraceSubject>(bench, "append-millrace", {
    address: server.address,
    bodyBytes,
  });
  const rates = { few: [] as number[], many: [] as number[], created: [] as number[] };
  const append = async (prefix: string, count: number) =>
    rateOf(await client.round({ records: topics, ahead, topics: count, prefix }));
  await append("many", topics);
  await append("few", fewTopics);
  await inTurns(bench, [
    { name: `${fewTopics} topics`, measure: async () => void rates.few.push(await append("few", fewTopics)) },
    { name: `${topics} topics`, measure: async () => void rates.many.push(await append("many", topics)) },
    { name: "new topics", measure: async (round) => void rates.created.push(await append(`new-${round}`, topics)) },
  ]);
  const line = { role: "ours", unit: "records/s" } as const;
  return {
    title: `durable appends of single records of ${bodyBytes} B, ${ahead} at once`,
    lines: [
      { ...line, subject: `one to each of ${topics.toLocaleString("en")} topics`, values: rates.many },
      { ...line, subject: "one to each of as many topics that it creates", values: rates.created },
      { ...line, role: "limit", subject: `to ${fewTopics} topics in turn`, values: rates.few },
    ],
    goals: [
      atLeast(`${topics} topics ÷ ${fewTopics}`, medianRatio(rates.many, rates.few), 0.7),
      atLeast("topics created by appending", median(rates.created), createdWanted, "records/s"),
    ],
    notes: [],
  };
}
