/** The cost of a state for publishers: the same records to a plain topic, and to keyed ones. */

import { type Bench, inTurns } from "../harness/bench.js";
import type { RowResult } from "../harness/result.js";
import { rateOf } from "../harness/sample.js";
import { startSubject } from "../harness/subject.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as upsertMillraceSubject from "../subjects/upsert-millrace.js";

const fewKeys = 1000;

export async function upserts(bench: Bench): Promise<RowResult> {
  const { publishRecords: records, bodyBytes, batchRecords, rounds } = bench.settings;
  const server = await startMillraceServer(bench, {
    args: ["--database-url", await bench.createDatabase()],
    profileAs: "upserts-server",
  });
  const warmUp = Math.ceil(records / 10);
  const kinds = [
    { name: "keyed topic, each key again and again", topic: "updated", isKeyed: true, keys: 10 * fewKeys },
    {
      name: "keyed topic, each key for the first time",
      topic: "inserted",
      isKeyed: true,
      keys: records * (rounds + 1),
    },
    { name: `keyed topic, ${fewKeys} keys`, topic: "hot", isKeyed: true, keys: fewKeys },
    { name: "plain topic, the same records", topic: "plain", isKeyed: false, keys: 10 * fewKeys },
  ];
  const rates = new Map<string, number[]>();
  const contestants: { name: string; measure: () => Promise<void> }[] = [];
  for (const { name, ...kind } of kinds) {
    const config = { address: server.address, bodyBytes, batchRecords, ...kind };
    const client = await startSubject<typeof upsertMillraceSubject>(bench, "upsert-millrace", config);
    await client.round({ records: warmUp });
    const values: number[] = [];
    rates.set(name, values);
    contestants.push({ name, measure: async () => void values.push(rateOf(await client.round({ records }))) });
  }
  await inTurns(bench, contestants);
  return {
    title: `durable publish of records with keys, ${bodyBytes} B, in batches of ${batchRecords}, on Postgres`,
    lines: kinds.map(({ name, isKeyed }) => ({
      subject: name,
      role: isKeyed ? "ours" : "limit",
      values: rates.get(name) ?? [],
      unit: "records/s",
      ...(isKeyed ? {} : { note: "no state" }),
    })),
    goals: [],
    notes: ["Log and state are written in one transaction. A batch that has a key twice writes its state once."],
  };
}
