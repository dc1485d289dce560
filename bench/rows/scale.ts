/** The cost of a topic's size: the same works on a small, a large, and a very large one. */

import { type Bench, inTurns } from "../harness/bench.js";
import { atMost, type Line, type RowResult } from "../harness/result.js";
import { medianRatio } from "../harness/statistics.js";
import { startSubject } from "../harness/subject.js";
import { vacuum } from "../harness/vacuum.js";
import { startMillraceServer } from "../peers/millrace-server.js";
import type * as scaleMillraceSubject from "../subjects/scale-millrace.js";

/** The smallest topic; the middle one is the largest divided by `middlePart`. */
const smallest = 10_000;
const middlePart = 20;
/** Records that a round publishes, and that it reads at a place. */
const roundRecords = 5000;

type Round = scaleMillraceSubject.ScaleRound;

const works: Readonly<Record<string, (topic: string) => Round>> = {
  publish: (topic) => ({ do: "publish", topic, records: roundRecords }),
  "read at the front": (topic) => ({ do: "read", topic, at: "front", records: roundRecords }),
  "read in the middle": (topic) => ({ do: "read", topic, at: "middle", records: roundRecords }),
  "read at the end": (topic) => ({ do: "read", topic, at: "end", records: roundRecords }),
  "a record by its offset": (topic) => ({ do: "find", topic, by: "offset" }),
  "a record by its time": (topic) => ({ do: "find", topic, by: "time" }),
  trim: (topic) => ({ do: "trim", topic }),
};

export async function scale(bench: Bench): Promise<RowResult> {
  const { scaleRecords, bodyBytes } = bench.settings;
  const databaseUrl = await bench.createDatabase();
  const server = await startMillraceServer(bench, { args: ["--database-url", databaseUrl] });
  const client = await startSubject<typeof scaleMillraceSubject>(bench, "scale-millrace", {
    address: server.address,
    bodyBytes,
  });
  const sizes = [smallest, Math.ceil(scaleRecords / middlePart), scaleRecords];
  for (const size of sizes) {
    bench.progress(`filling a topic of ${size.toLocaleString("en")}`);
    await client.round({ do: "publish", topic: topicOf(size), records: size });
  }
  await vacuum(databaseUrl);
  const values = new Map<string, number[]>();
  const measure = async (name: string, round: Round) => {
    const all = values.get(name) ?? [];
    values.set(name, all);
    all.push(await client.round(round));
  };
  const subjects = [
    { name: "an empty unary call", measure: () => measure("an empty unary call", { do: "ask" }) },
    ...Object.entries(works).flatMap(([work, roundOf]) =>
      sizes.map((size) => {
        const name = nameOf(work, size);
        return { name, measure: () => measure(name, roundOf(topicOf(size))) };
      }),
    ),
  ];
  // The first round lets code be compiled.
  await inTurns({ ...bench, settings: { ...bench.settings, rounds: 1 } }, subjects);
  values.clear();
  await inTurns(bench, subjects);
  const of = (name: string) => values.get(name) ?? [];
  const [small = 0] = sizes;
  const asked = of("an empty unary call");
  return {
    title: `works on topics of ${sizes.map((size) => size.toLocaleString("en")).join(", ")} records of ${bodyBytes} B`,
    lines: subjects.map(
      ({ name }): Line => ({
        subject: name,
        role: name === "an empty unary call" ? "limit" : "ours",
        values: of(name),
        unit: /^(publish|read)/.test(name) ? "µs/record" : "ms",
      }),
    ),
    goals: [
      ...Object.keys(works).flatMap((work) =>
        sizes.slice(1).map((size) => {
          const ratio = medianRatio(of(nameOf(work, size)), of(nameOf(work, small)));
          return atMost(`${nameOf(work, size)} ÷ of ${small.toLocaleString("en")}`, ratio, 1.3);
        }),
      ),
      ...["a record by its offset", "a record by its time"].map((work) =>
        atMost(`${work} ÷ an empty unary call`, medianRatio(of(nameOf(work, sizes.at(-1) ?? 0)), asked), 2),
      ),
    ],
    notes: [],
  };
}

function topicOf(size: number): string {
  return `scale/${size}`;
}

function nameOf(work: string, size: number): string {
  return `${work}, of ${size.toLocaleString("en")}`;
}
