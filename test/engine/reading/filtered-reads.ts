import fc from "fast-check";
import { expect } from "vitest";
import { parseFilter } from "../../../src/filter/index.js";
import type { Record as RecordMessage } from "../../../src/gen/millrace/v1/record.js";
import type { Store } from "../../../src/store/index.js";
import { joinRuns } from "../../../src/wire/index.js";
import {
  batchOfRecords,
  filterArbitrary,
  filteredRecordArbitrary,
  type ModelFilter,
  type ModelRecord,
} from "../../support/filter-arbitrary.js";
import { offsetsOf, openTestEngine, recordsIn, type TestEngine } from "../../support/open-engine.js";

/** The number of records in each commit; some commits precede the live followers, some come after. */
const recordsPerCommit = 9;
const commits = 3;
const filtersPerTopic = 10;

/**
 * Compares random filters over random records with the model: reads of history in both directions, with and without a
 * limit, a follow from the earliest record, and a follow that saw all of it live. `runs` counts filters.
 */
export async function compareFilteredReads(store: Store, runs: number, seed: number): Promise<void> {
  const engine = await openTestEngine(store, { pageBytesMin: 512, pageBytesMax: 1024 });
  let topics = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(filteredRecordArbitrary, { minLength: 1, maxLength: recordsPerCommit }), {
          minLength: commits,
          maxLength: commits,
        }),
        fc.array(filterArbitrary(Date.now()), { minLength: filtersPerTopic, maxLength: filtersPerTopic }),
        async (batches, filters) => {
          topics += 1;
          await compareTopic(engine, `filtered-${seed}-${topics}`, batches, filters);
        },
      ),
      { numRuns: Math.ceil(runs / filtersPerTopic), seed },
    );
  } finally {
    await engine.engine.close();
  }
}

async function compareTopic(
  engine: TestEngine,
  topic: string,
  batches: readonly (readonly RecordMessage[])[],
  filters: readonly ModelFilter[],
): Promise<void> {
  await engine.engine.topics.create({
    name: topic,
    labels: new Map(),
    limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
    keyed: false,
    retention: { ageMs: 0, records: 0, bytes: 0 },
  });
  const parsed = filters.map(({ text }) => parseFilter(text));
  const live = parsed.map((filter) => engine.follow(topic, { start: { at: "latest" }, filter }));
  for (const follower of live) await follower.until("caught-up");
  for (const batch of batches) {
    const order = { topic, batch: batchOfRecords(batch), expectedOffset: undefined, producer: undefined, epoch: 0 };
    await engine.engine.append(order);
  }
  await engine.engine.topics.close(topic);
  const records = await modelOf(engine, topic, batches.flat());
  for (const [index, { text, meaning }] of filters.entries()) {
    const filter = parsed[index] as (typeof parsed)[number];
    const expected = records.filter((record) => meaning(record) === true).map(({ offset }) => offset);
    const history = await engine.read(topic, { filter });
    const backward = await engine.read(topic, { filter, direction: "backward" });
    const limited = await engine.read(topic, { filter, limit: 2 });
    const follower = engine.follow(topic, { filter });
    const followed = offsetsOf(await follower.until("closed"));
    const heard = offsetsOf(await (live[index] as (typeof live)[number]).until("closed"));
    expect({
      text,
      history: history.offsets,
      next: history.next,
      backward: backward.offsets,
      backwardNext: backward.next,
      limited: limited.offsets,
      followed,
      heard,
    }).toEqual({
      text,
      history: expected,
      next: records.length,
      backward: expected.toReversed(),
      backwardNext: 0,
      limited: expected.slice(0, 2),
      followed: expected,
      heard: expected,
    });
    // A limited read returns where to continue: nothing of the rest is lost.
    const rest = await engine.read(topic, { filter, start: { at: "offset", offset: limited.next } });
    expect({ text, rest: rest.offsets }).toEqual({ text, rest: expected.slice(2) });
    for (const direction of ["forward", "backward"] as const) {
      const { offsets } = await engine.read(topic, { filter, direction, start: { at: "last", count: 5 } });
      const newest = expected.filter((offset) => offset >= records.length - 5);
      expect({ text, direction, offsets }).toEqual({
        text,
        direction,
        offsets: direction === "forward" ? newest : newest.toReversed(),
      });
    }
    await follower.cancel();
    await live[index]?.cancel();
  }
}

/** The records with the server's stamps. */
async function modelOf(
  engine: TestEngine,
  topic: string,
  messages: readonly RecordMessage[],
): Promise<readonly ModelRecord[]> {
  const sizes: { readonly size: number; readonly timeMs: number }[] = [];
  const stream = engine.follow(topic);
  for (const message of await stream.until("closed")) {
    if (message.kind !== "page") continue;
    for (const { time, ...record } of recordsIn(message.runs)) {
      const seconds = time?.seconds ?? 0;
      const timeMs = seconds * 1000 + Math.floor((time?.nanos ?? 0) / 1_000_000);
      sizes.push({ timeMs, size: sizeOf(joinRuns(message.runs), record.offset ?? 0) });
    }
  }
  await stream.cancel();
  return messages.map((message, offset) => ({ message, offset, ...(sizes[offset] as (typeof sizes)[number]) }));
}

/** The encoded size of the record at an offset, found in its page. */
function sizeOf(page: Buffer, wanted: number): number {
  let at = 0;
  while (page[at] === 0x0a) {
    let length = page[at + 1] as number;
    let start = at + 2;
    if (length >= 0x80) {
      length = (length & 0x7f) + (page[at + 2] as number) * 128;
      start += 1;
    }
    if (Number(page.readBigUInt64LE(start + length - 8)) === wanted) return length;
    at = start + length;
  }
  throw new Error(`There is no record at offset ${wanted} in the page`);
}
