import { expect } from "vitest";
import { createClient, type MillraceClient, type Position } from "../../src/index.js";
import { deferred, sleep } from "../../src/streams/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import type { Random } from "../support/soak.js";

export interface StateOptions {
  readonly millrace: MillraceClient;
  readonly topic: string;
  readonly keys: number;
  readonly changes: number;
  /** How often a watcher is ended and resumed. */
  readonly resumptions: number;
  readonly random: Random;
}

/** Runs with a client and a server of its own. */
export async function withServer(
  kind: DatabaseKind,
  run: (millrace: MillraceClient, address: string) => Promise<void>,
): Promise<void> {
  const database = await createTestDatabase(kind);
  const server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  const millrace = createClient({ address: server.address });
  try {
    await run(millrace, server.address);
  } finally {
    millrace.close();
    await server.stop();
    await database.drop();
  }
}

type State = Map<string, string>;

/** Applies a record to a watcher's state. */
function apply(state: State, record: { readonly key: string; readonly text: string | undefined }): void {
  if (record.text === undefined) state.delete(record.key);
  else state.set(record.key, record.text);
}

/** Watches to the end of the topic; awaits `pause` after the first page. */
async function watchAll(
  millrace: MillraceClient,
  topic: string,
  pause?: Promise<void>,
): Promise<{ state: State; records: number }> {
  const state: State = new Map();
  let records = 0;
  for await (const page of millrace.state.watch(topic).pages()) {
    for (const record of page.records) {
      apply(state, record);
      records += 1;
    }
    await pause;
  }
  return { state, records };
}

/** Watches some records, leaves and resumes, repeatedly; watches to the end when no more resumptions are left. */
async function watchInPieces(
  millrace: MillraceClient,
  topic: string,
  resumptions: number,
  random: Random,
): Promise<State> {
  const state: State = new Map();
  let start: Position | undefined;
  for (let left = resumptions; left >= 0; left -= 1) {
    const stream = millrace.state.watch(topic, { start });
    let records = 1 + Math.floor(random() * 20);
    for await (const record of stream) {
      apply(state, record);
      records -= 1;
      if (records === 0 && left > 0) break;
    }
    start = stream.position;
  }
  return state;
}

/**
 * Changes keys at random while a fast, a slow and an often interrupted watcher run, and one that began before there was
 * anything. All end with the database's state, and the slow one received fewer records.
 */
export async function watchWhileItChanges(options: StateOptions): Promise<void> {
  const { millrace, topic, keys, changes, resumptions, random } = options;
  const created = await millrace.topics.create(topic, { keyed: true });
  expect(created.isKeyed).toBe(true);
  const model: State = new Map();
  const change = (number: number) => {
    const key = `key-${Math.floor(random() * keys)}`;
    const isRemoved = random() < 0.2;
    if (isRemoved) model.delete(key);
    else model.set(key, `${number}`);
    return isRemoved ? { key } : { key, text: `${number}` };
  };
  const published = deferred<void>();
  const early = watchAll(millrace, topic);
  const publisher = millrace.publisher(topic, { batchRecords: 20 });
  const publish = async (from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      await publisher.ready();
      void publisher.publish(change(number));
      if (number % 50 === 0) await sleep(1);
    }
    await publisher.flush();
  };
  await publish(0, changes / 2);
  const fast = watchAll(millrace, topic);
  const slow = watchAll(millrace, topic, published.promise);
  const interrupted = watchInPieces(millrace, topic, resumptions, random);
  await publish(changes / 2, changes);
  await publisher.close();
  published.resolve();
  await millrace.topics.close(topic);

  const listed: State = new Map();
  for await (const record of millrace.state.list(topic)) apply(listed, record);
  expect(listed).toEqual(model);
  expect((await early).state).toEqual(model);
  const [ofFast, ofSlow] = await Promise.all([fast, slow]);
  expect(ofFast.state).toEqual(model);
  expect(ofSlow.state).toEqual(model);
  // Changes while it waited arrived once for each key.
  expect(ofSlow.records).toBeLessThan(changes / 2);
  expect(await interrupted).toEqual(model);
  // The order of keys, in pieces, by any prefix.
  const sorted = [...model.keys()].filter((key) => key.startsWith("key-1")).toSorted();
  const prefixed: string[] = [];
  for (let afterKey = ""; ; ) {
    const page: string[] = [];
    for await (const { key } of millrace.state.list(topic, { keyPrefix: "key-1", afterKey, limit: 3 })) page.push(key);
    prefixed.push(...page);
    if (page.length < 3) break;
    afterKey = page.at(-1) ?? "";
  }
  expect(prefixed).toEqual(sorted);
}
