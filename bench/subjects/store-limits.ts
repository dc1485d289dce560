/** The store without gRPC, engine and client: the limit that the database and its driver set. */

import { noRetention } from "../../src/core/index.js";
import { openPostgresStore } from "../../src/store/postgres/index.js";
import type { Head } from "../../src/store/index.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { stampBatches } from "../../src/wire/index.js";
import { batchOf } from "../harness/record-frames.js";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface StoreLimitsConfig {
  readonly databaseUrl: string;
  readonly topic: string;
  readonly bodyBytes: number;
}

export type StoreWork =
  /** Reads the topic in pages, one at a time. */
  | { readonly kind: "read-pages"; readonly pageBytes: number }
  /** Appends `records` records, `commitRecords` in each commit, one commit at a time. */
  | { readonly kind: "append"; readonly records: number; readonly commitRecords: number };

export async function open(config: StoreLimitsConfig): Promise<Subject<StoreWork, Sample>> {
  const store = await openPostgresStore({
    connection: { kind: "postgres", url: config.databaseUrl },
    logger: silentLogger,
  });
  const payloads = bodies(config.bodyBytes);

  async function topicHead(): Promise<Head> {
    const found = await store.findTopic(config.topic);
    if (found !== undefined) return found.head;
    const created = await store.createTopic({
      name: config.topic,
      epoch: 1,
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      keyed: false,
      retention: noRetention,
    });
    if (typeof created === "string") throw new Error(`Cannot create ${config.topic}: ${created}`);
    return created.head;
  }

  async function readPages(pageBytes: number): Promise<number> {
    const head = await topicHead();
    const records = Math.ceil((2 * pageBytes * head.nextOffset) / head.nextBytes);
    let fromBytes = 0;
    for (let from = 0; from < head.nextOffset; ) {
      const read = await store.readPage({
        topicId: head.topicId,
        direction: "forward",
        from,
        records,
        bytes: pageBytes,
        fromBytes,
      });
      if (read?.page === undefined) throw new Error(`There is no page at ${from}`);
      from = read.page.next;
      fromBytes = read.page.endBytes;
    }
    return head.nextOffset;
  }

  async function append(records: number, commitRecords: number): Promise<number> {
    let head = await topicHead();
    const batch = batchOf(payloads, commitRecords);
    for (let appended = 0; appended < records; appended += commitRecords) {
      const timeMicros = Date.now() * 1000;
      const frames = stampBatches([batch], head.nextOffset, timeMicros);
      const outcome = await store.append({
        topicId: head.topicId,
        expected: head,
        frames: frames.bytes,
        frameEnds: frames.ends,
        baseBytes: head.nextBytes,
        timeMicros,
        producers: [],
        state: [],
        expires: false,
      });
      if (outcome !== "appended") throw new Error("The head moved");
      head = {
        ...head,
        nextOffset: head.nextOffset + commitRecords,
        nextBytes: head.nextBytes + frames.bytes.length,
        lastTimeMicros: timeMicros,
      };
    }
    return Math.ceil(records / commitRecords) * commitRecords;
  }

  return {
    info: undefined,
    round: (work) =>
      timed(() => (work.kind === "read-pages" ? readPages(work.pageBytes) : append(work.records, work.commitRecords))),
    close: () => store.close(),
  };
}
