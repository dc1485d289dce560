import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { defaultLimits } from "../../src/core/index.js";
import { createDatabaseLanes } from "../../src/engine/database-lanes.js";
import { createSharedCommits, type SharedCommits } from "../../src/engine/writing/shared-commits.js";
import type { Store } from "../../src/store/index.js";
import { createMetrics } from "../../src/telemetry/index.js";
import { createTestDatabase } from "../support/database.js";
import { oneOf, type Random, seededRandom, wholeNumberBetween } from "../support/soak.js";
import { auditRows, findStray } from "./race-audit.js";
import { RaceLog } from "./race-log.js";
import { openSlowLine, pauseStatements } from "./race-pauses.js";
import { type RaceReader, readHead, readLatest, readSome, readWhole, searchWhole } from "./race-readers.js";
import { RaceWriter } from "./race-writer.js";
import { createdTopic } from "./topic-writes.js";

export interface BlockRaces {
  readonly random: Random;
  /** On a busy machine it continues until everything that is counted has happened, but not for much longer. */
  readonly durationMs: number;
  /** How many topics exist at a time. Each lives for some seconds, is closed, and is replaced by another. */
  readonly topics: number;
  /** For each topic, alternating between the two nodes. */
  readonly writers: number;
}

/** Two or three frames: a few appends fill a block, and many appends make several. */
const blockBytes = 300;
const connections = 16;
const overtimeMs = 20_000;
/** How long writers continue after a close. */
const afterCloseMs = 60;

const noCounts = {
  topics: 0,
  appended: 0,
  locked: 0,
  moved: 0,
  /** Blocks that merges made. */
  merged: 0,
  trimmed: 0,
  /** Trims by retention. */
  retained: 0,
  /** Blocks that were trimmed. */
  deleted: 0,
  pages: 0,
  searched: 0,
  frames: 0,
  audits: 0,
  states: 0,
};

export type RaceCounts = typeof noCounts;

/**
 * Writers, merges, trims, retention, deletions, closes and readers work on the same topics at once, over two nodes on
 * one Postgres whose statements pause. Every answer is compared with what was acknowledged (`race-log.ts`); at the end
 * of a topic, so are its rows.
 */
export async function raceOnBlocks({ random, durationMs, topics, writers }: BlockRaces): Promise<RaceCounts> {
  const database = await createTestDatabase("postgres");
  if (database.connection.kind !== "postgres") throw new Error("A race needs several connections");
  const { url } = database.connection;
  const counts = { ...noCounts };
  const lines: Awaited<ReturnType<typeof openSlowLine>>[] = [];
  const auditor = new pg.Pool({ connectionString: url, max: 2 });
  let closeStores = async () => {};
  try {
    // Migrations run before the pauses are installed.
    await database.openStore({ connections: 1 });
    await pauseStatements(url);
    for (let node = 0; node < 2; node++) lines.push(await openSlowLine(url, fork(random)));
    const stores = await Promise.all(
      lines.map((line) =>
        database.openStore({ blockBytes, connections, connection: { kind: "postgres", url: line.url } }),
      ),
    );
    closeStores = async () => void (await Promise.all(stores.map((store) => store.close())));
    const race: Race = {
      auditor,
      stores: stores as [Store, Store],
      commits: new Map(stores.map((store) => [store, sharedCommitsOf(store)])),
      counts,
      writers,
      failed: new AbortController(),
    };
    const endMs = performance.now() + durationMs;
    const goesOn = () => {
      const leftMs = endMs - performance.now();
      return leftMs > 0 || (leftMs > -overtimeMs && Object.values(counts).includes(0));
    };
    await together(
      race,
      Array.from({ length: topics }, (_, lane) => {
        const own = fork(random);
        return async () => {
          for (let life = 0; goesOn() && !race.failed.signal.aborted; life++) {
            await raceOnTopic(race, `race/${lane}/${life}`, fork(own));
          }
        };
      }),
    );
    return counts;
  } finally {
    await closeStores();
    await auditor.end();
    await Promise.all(lines.map((line) => line.close()));
    await database.drop();
  }
}

function sharedCommitsOf(store: Store): SharedCommits {
  return createSharedCommits(createDatabaseLanes(store, defaultLimits, createMetrics()), defaultLimits, 2);
}

interface Race {
  /** Bypasses the stores and the pauses. */
  readonly auditor: pg.Pool;
  readonly stores: readonly [Store, Store];
  /** As a node's appenders do: small writes to several topics share a commit. */
  readonly commits: ReadonlyMap<Store, SharedCommits>;
  readonly counts: RaceCounts;
  readonly writers: number;
  /** Aborted by the first failure; it stops all tasks. */
  readonly failed: AbortController;
}

function fork(random: Random): Random {
  return seededRandom(Math.floor(random() * 2 ** 32));
}

/** Runs all tasks to their end. Throws the first failure, which often causes the others. */
async function together(race: Race, tasks: readonly (() => Promise<void>)[]): Promise<void> {
  await Promise.all(
    tasks.map((task) =>
      task().catch((error: unknown) => {
        if (!race.failed.signal.aborted) race.failed.abort(error);
      }),
    ),
  );
  race.failed.signal.throwIfAborted();
}

interface RacedTopic {
  readonly race: Race;
  readonly topicId: number;
  readonly log: RaceLog;
  readonly isKeyed: boolean;
  /**
   * Retention keeps up to this number of records: if few, appends find their offsets trimmed; if many, blocks are
   * merged.
   */
  readonly keptMax: number;
}

async function raceOnTopic(race: Race, name: string, random: Random): Promise<void> {
  const { stores, counts, failed } = race;
  const isKeyed = random() < 0.5;
  const { head } = await createdTopic(stores[0], name, { keyed: isKeyed });
  const topic: RacedTopic = {
    race,
    topicId: head.topicId,
    log: new RaceLog(head.topicId),
    isKeyed,
    keptMax: oneOf(random, [3, 25, 150]),
  };
  let isOver = false;
  const repeat = (step: (random: Random) => Promise<void>, pauseMs: number) => {
    const own = fork(random);
    return async () => {
      while (!isOver && !failed.signal.aborted) {
        await step(own);
        await sleep(own() * pauseMs);
      }
    };
  };
  const closing = async () => {
    await sleep(wholeNumberBetween(random, 500, 4000));
    try {
      await closeTopic(topic, random);
      // A running deletion has the earlier snapshot, and no later trim repairs what it misses.
      if (random() < 0.6) await trimTo(topic, oneOf(random, stores), Number.MAX_SAFE_INTEGER);
      await sleep(afterCloseMs);
    } finally {
      isOver = true;
    }
  };
  const writers = Array.from({ length: race.writers }, (_, index) => {
    const store = stores[index % 2] as Store;
    const commits = race.commits.get(store) as SharedCommits;
    const writer = new RaceWriter({ name: `w${index}`, store, commits, log: topic.log, random: fork(random), isKeyed });
    return repeat(async () => {
      const outcome = await writer.write();
      if (outcome !== "closed") counts[outcome] += 1;
    }, 6);
  });
  const both = (step: (topic: RacedTopic, store: Store, random: Random) => Promise<void>, pauseMs: number) =>
    stores.map((store) => repeat((own) => step(topic, store, own), pauseMs));
  await together(race, [
    closing,
    ...writers,
    ...both(merge, 10),
    ...both(applyRetention, 30),
    repeat((own) => trim(topic, oneOf(own, stores), own), 600),
    ...both(deleteTrimmed, 20),
    ...[0, 1].map(() => repeat((own) => read(topic, own), 60)),
    repeat(async () => {
      await findStray(race.auditor, topic.topicId);
      counts.audits += 1;
    }, 30),
  ]);
  await auditTopic(topic, fork(random));
  await deleteTopic(topic, fork(random));
  counts.topics += 1;
}

async function merge({ race, topicId }: RacedTopic, store: Store, random: Random): Promise<void> {
  const blocks = wholeNumberBetween(random, 2, 16);
  const { merged } = await store.mergeBlocks({ topicId, blocks, bytes: oneOf(random, [1, 10_000]) });
  race.counts.merged += merged;
}

async function trim(topic: RacedTopic, store: Store, random: Random): Promise<void> {
  const { race, log, keptMax } = topic;
  const { earliestOffset, nextOffset } = await readHead({ stores: race.stores, log, random });
  const beforeOffset =
    random() < 0.2
      ? nextOffset + 5
      : wholeNumberBetween(random, earliestOffset, Math.max(earliestOffset, nextOffset - keptMax));
  await trimTo(topic, store, beforeOffset);
}

async function trimTo({ race, topicId, log }: RacedTopic, store: Store, beforeOffset: number): Promise<void> {
  const mark = log.mark();
  const stored = await store.trimTopic(topicId, beforeOffset);
  if (stored === undefined) throw new Error(`Topic ${topicId} is gone`);
  const least = Math.min(beforeOffset, mark.nextOffset);
  log.sawHead(stored.head, { ...mark, earliestOffset: Math.max(least, mark.earliestOffset) });
  race.counts.trimmed += 1;
}

/** Does not change the head's version: only `earliest_offset` separates such a trim from an append on an old view. */
async function applyRetention(
  { race, topicId, log, keptMax }: RacedTopic,
  store: Store,
  random: Random,
): Promise<void> {
  const { lastTimeMicros: nowMicros } = await readHead({ stores: race.stores, log, random });
  const kept = wholeNumberBetween(random, 1, keptMax);
  const defaults = oneOf(random, [
    { ageMs: 0, records: kept, bytes: 0 },
    { ageMs: 0, records: 0, bytes: kept * 100 },
    { ageMs: kept, records: 0, bytes: 0 },
  ]);
  const mark = log.mark();
  const head = await store.applyRetention({ topicId, nowMicros, defaults });
  if (head === undefined) return;
  log.sawHead(head, mark);
  race.counts.retained += 1;
}

async function deleteTrimmed({ race, topicId }: RacedTopic, store: Store, random: Random): Promise<void> {
  race.counts.deleted += await store.deleteTrimmed({ topicId, count: oneOf(random, [1, 2, 5, 100]) });
}

async function read({ race, log, isKeyed }: RacedTopic, random: Random): Promise<void> {
  const { stores, counts, writers } = race;
  const reader: RaceReader = { stores, log, random };
  const direction = random() < 0.5 ? "forward" : "backward";
  const chance = random();
  if (chance < 0.5) counts.pages += await readWhole(reader, direction);
  else if (chance < 0.7) {
    counts.searched += await searchWhole(reader, direction, `w${wholeNumberBetween(random, 0, writers - 1)}`);
  } else if (chance < 0.85 || !isKeyed) counts.frames += await readSome(reader);
  else {
    await readLatest(reader);
    counts.states += 1;
  }
}

/** On one node, or on both at once. */
async function closeTopic({ race, topicId, log }: RacedTopic, random: Random): Promise<void> {
  const closers = random() < 0.5 ? race.stores : [oneOf(random, race.stores)];
  await Promise.all(
    closers.map(async (store) => {
      const stored = await store.closeTopic(topicId);
      if (stored === undefined) throw new Error(`Topic ${topicId} is gone`);
      log.closed(stored.head);
    }),
  );
}

/** Finishes the background work; then the rows must match what was acknowledged. */
async function auditTopic(topic: RacedTopic, random: Random): Promise<void> {
  const { race, topicId, log, isKeyed } = topic;
  const { stores } = race;
  const reader: RaceReader = { stores, log, random };
  for (let step = 0; (await stores[0].findTrimmed(1000)).includes(topicId); step++) {
    if (step === 1000) throw new Error(`Topic ${topicId}: the deletion never ends`);
    await oneOf(random, stores).deleteTrimmed({ topicId, count: 50 });
  }
  const head = await readHead(reader);
  await auditRows(race.auditor, log, head);
  await readWhole(reader, "forward");
  await readWhole(reader, "backward");
  for (let writer = 0; writer < race.writers; writer++) await searchWhole(reader, "forward", `w${writer}`);
  if (isKeyed) await readLatest(reader);
  log.check(head);
}

/** Deletes a topic beside a merge and a deletion of its blocks. Afterwards nothing of it may be left. */
async function deleteTopic({ race, topicId }: RacedTopic, random: Random): Promise<void> {
  const [one, other] = race.stores;
  await Promise.all([
    one.mergeBlocks({ topicId, blocks: 100, bytes: 10_000 }),
    other.deleteTrimmed({ topicId, count: 2 }),
    oneOf(random, race.stores).deleteTopic(topicId),
  ]);
  const left = `select (select count(*) from millrace.blocks where topic_id = ${topicId})::int as blocks,
  (select count(*) from millrace.removals where topic_id = ${topicId})::int as notes`;
  for (let step = 0; ; step++) {
    await oneOf(random, race.stores).deleteOrphans(wholeNumberBetween(random, 1, 100));
    const { rows } = await race.auditor.query(left);
    const [{ blocks, notes }] = rows as [{ blocks: number; notes: number }];
    if (notes > 0 && step < 1000) continue;
    if (blocks + notes > 0) throw new Error(`Topic ${topicId} was deleted, and ${blocks} blocks are left`);
    return;
  }
}
