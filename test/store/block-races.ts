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
  /** On a busy machine it goes on until all that is counted happened, but not for much longer. */
  readonly durationMs: number;
  /** How many topics there are at a time. Each lives for seconds, is closed, and another takes its place. */
  readonly topics: number;
  /** Of each topic, on the two nodes in turn. */
  readonly writers: number;
}

/** Two frames, or three: so a few appends fill a block, and many have several. */
const blockBytes = 300;
const connections = 16;
const overtimeMs = 20_000;
/** How long writers go on after a close. */
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
 * Writers, mergers, trims, retention, deletions, closes and readers at the same topics at once, over two nodes on one
 * Postgres whose statements pause. Every answer is held against what was acknowledged (`race-log.ts`), and at the end of
 * a topic its rows are, too.
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
    // Migrations run before anything pauses.
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
  /** Past every store, and without pauses. */
  readonly auditor: pg.Pool;
  readonly stores: readonly [Store, Store];
  /** As a node's appenders write: small writes to several topics share a commit. */
  readonly commits: ReadonlyMap<Store, SharedCommits>;
  readonly counts: RaceCounts;
  readonly writers: number;
  /** Aborted by the first failure: then nobody goes on. */
  readonly failed: AbortController;
}

function fork(random: Random): Random {
  return seededRandom(Math.floor(random() * 2 ** 32));
}

/** All of them, to their end. Throws the first failure, which is often what makes the others fail. */
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
  /** How many records retention leaves at most: few appends find what they expect trimmed, or many blocks are merged. */
  readonly keptMost: number;
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
    keptMost: oneOf(random, [3, 25, 150]),
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
      // A deletion that is under way has the snapshot of before, and no other trim makes up for it.
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
  const { race, log, keptMost } = topic;
  const { earliestOffset, nextOffset } = await readHead({ stores: race.stores, log, random });
  const beforeOffset =
    random() < 0.2
      ? nextOffset + 5
      : wholeNumberBetween(random, earliestOffset, Math.max(earliestOffset, nextOffset - keptMost));
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

/** Does not move the version of the head: alone it stands between a trim and an append on an old view. */
async function applyRetention(
  { race, topicId, log, keptMost }: RacedTopic,
  store: Store,
  random: Random,
): Promise<void> {
  const { lastTimeMicros: nowMicros } = await readHead({ stores: race.stores, log, random });
  const kept = wholeNumberBetween(random, 1, keptMost);
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

/** Once, or on both nodes at once. */
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

/** The work of the background is done to its end; then what is there is what was acknowledged. */
async function auditTopic(topic: RacedTopic, random: Random): Promise<void> {
  const { race, topicId, log, isKeyed } = topic;
  const { stores } = race;
  const reader: RaceReader = { stores, log, random };
  for (let step = 0; (await stores[0].findTrimmed(1000)).includes(topicId); step++) {
    if (step === 1000) throw new Error(`Topic ${topicId}: the deletion comes to no end`);
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

/** Beside a merge and a deletion. Nothing of the topic is left then. */
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
