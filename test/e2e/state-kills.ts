import { expect } from "vitest";
import { createClient } from "../../src/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { wholeNumberBetween } from "../support/soak.js";
import { WatchedBox } from "./box-watch.js";
import type { Kills } from "./kills.js";
import { quickBackoff } from "./publish-through.js";

const topic = "state/killed";

/** The latest records: their offset in the log, and their text. */
type Latest = Map<string, { readonly offset: number; readonly text: string }>;

/**
 * Kills the server with -9 while records are published to a keyed topic, several times. Then the state equals a walk
 * over the log: the latest record of each key, without tombstones. A watcher that ran all the time has the same.
 */
export async function killServersOfState(kind: DatabaseKind, { kills, records, random }: Kills): Promise<void> {
  const database = await createTestDatabase(kind);
  const args = ["--log-level", "error", ...databaseArguments(database.connection)];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const millrace = createClient({ address });
  try {
    await millrace.topics.create(topic, { keyed: true });
    const watched = new WatchedBox();
    const watching = (async () => {
      const stream = millrace.state.watch(topic, { backoff: quickBackoff, onEvent: watched.onEvent });
      for await (const page of stream.pages()) watched.take(page.records);
    })();
    watching.catch(() => undefined);
    let goal = 0;
    let reached: (() => void) | undefined;
    let isOver = false;
    function* changes() {
      for (let number = 0; !isOver; number += 1) {
        const key = `key-${wholeNumberBetween(random, 1, 300)}`;
        yield random() < 0.2 ? { key } : { key, text: `${number}` };
      }
    }
    // Unacknowledged changes are published after the last kill: few, so that they are not most of the test.
    const publisher = millrace.publisher(topic, { batchRecords: 50, bufferBytes: 65_536, backoff: quickBackoff });
    const publishing = publisher.publishAll(changes(), {
      onAcknowledged: (count) => {
        if (count >= goal) reached?.();
      },
    });
    for (let killed = 0; killed <= kills; killed += 1) {
      goal += wholeNumberBetween(random, records / 2, records);
      await Promise.race([new Promise<void>((resolve) => (reached = resolve)), publishing]);
      if (killed === kills) break;
      expect(await server.stop("SIGKILL")).toBe("SIGKILL");
      server = await startServerProcess(["--listen", address, ...args]);
    }
    isOver = true;
    const { records: published } = await publishing;
    await publisher.close();
    await millrace.topics.close(topic);
    await watching;

    const expected: Latest = new Map();
    let next = 0;
    for await (const { offset, key, text } of millrace.read(topic)) {
      expect(offset).toBe(next++);
      if (text === undefined) expected.delete(key);
      else expected.set(key, { offset, text });
    }
    expect(next).toBe(published);
    const listed: Latest = new Map();
    for await (const { offset, key, text = "" } of millrace.state.list(topic)) listed.set(key, { offset, text });
    expect(inOrder(listed)).toEqual(inOrder(expected));
    expect(inOrder(watched.texts)).toEqual(inOrder(listed).map(([key, { text }]) => [key, text]));
    console.log(`server on ${kind} killed ${kills} times in ${published} changes: ${listed.size} keys are left`);
  } finally {
    millrace.close();
    await server.stop();
    await database.drop();
  }
}

const inOrder = <T>(map: ReadonlyMap<string, T>) => [...map].toSorted(([one], [other]) => (one < other ? -1 : 1));
