/** A topic read through filters: how many records a second are examined, matching or not. */

import { type Bench, inTurns } from "../harness/bench.js";
import type { RowResult } from "../harness/result.js";
import { rateOf } from "../harness/sample.js";
import { startSubject } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as filterMillraceSubject from "../subjects/filter-millrace.js";
import { groupNumber, groups } from "../subjects/filter-millrace.js";

const topic = "filters";

export async function filters(bench: Bench): Promise<RowResult> {
  const { replayRecords: records, bodyBytes } = bench.settings;
  const databaseUrl = await bench.createDatabase();
  const config = { topic, records, bodyBytes };
  type Client = typeof filterMillraceSubject;

  bench.progress("filling Millrace");
  const filling = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const filler = await startSubject<Client>(bench, "filter-millrace", { ...config, address: filling.address });
  await filler.round("fill");
  await filler.stop();
  await filling.stop();
  await vacuum(databaseUrl);

  const server = await startMillraceServer(bench, {
    args: ["--database-url", databaseUrl],
    profileAs: "filters-server",
  });
  const client = await startSubject<Client>(bench, "filter-millrace", { ...config, address: server.address });
  const ofAGroup = Math.ceil((records - 7) / groups);
  const kinds = [
    { name: "no filter", filter: "", matches: records, by: "" },
    { name: "matches all", filter: "size > 0", matches: records, by: "the node" },
    { name: "matches one of 100", filter: `offset % ${groups} == 7`, matches: ofAGroup, by: "the node" },
    {
      name: "matches one of 100",
      filter: `attributes["group"] == "${groupNumber(7)}"`,
      matches: ofAGroup,
      by: "the database",
    },
    {
      name: `matches one of ${records.toLocaleString("en")}`,
      filter: `key == "record/${Math.floor(records * 0.7)}"`,
      matches: 1,
      by: "the database",
    },
  ];
  const values = kinds.map((): number[] => []);
  // Lets code be compiled.
  await client.round({ filter: "", matches: records });
  await inTurns(
    bench,
    kinds.map(({ name, filter, matches }, index) => ({
      name: `${name} ${filter}`,
      measure: async () => void values[index]?.push(rateOf(await client.round({ filter, matches }))),
    })),
  );
  return {
    title: `replay of ${records.toLocaleString("en")} records of ${bodyBytes} B through a filter`,
    lines: kinds.map(({ name, filter, by }, index) => ({
      subject: filter === "" ? name : `${name}, found by ${by}`,
      role: "ours" as const,
      values: values[index] ?? [],
      unit: "records/s" as const,
      ...(filter === "" ? {} : { note: `\`${filter}\`` }),
    })),
    goals: [],
    notes: ["The rates count examined records, matching or not."],
  };
}
