import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { quickBackoff } from "./publish-through.js";

const topic = "turned/keyed";

export interface TurnedKeyed {
  readonly kind: DatabaseKind;
  /** How many records the topic has when it is turned keyed. */
  readonly records: number;
  readonly keys: number;
  /** How often the server is killed while the state is being built. */
  readonly kills: number;
  readonly random: Random;
}

type State = Map<string, string>;

/**
 * Turns a topic keyed while a publisher continues, and kills the server with -9 while it builds the state. The build
 * continues where it stopped, and the state becomes the latest record of each key in the log. A watch learns when
 * tombstones are purged.
 */
export async function killWhileBuilding({ kind, records, keys, kills, random }: TurnedKeyed): Promise<void> {
  const database = await createTestDatabase(kind);
  const lifetime = ["--tombstone-lifetime-ms", "1000"];
  const settings = ["--log-level", "error", ...lifetime, ...databaseArguments(database.connection)];
  let server = await startServerProcess(["--listen", "127.0.0.1:0", ...settings]);
  const { address } = server;
  let client = createClient({ address });
  const publishing = createClient({ address });
  try {
    const publisher = publishing.publisher(topic, { backoff: quickBackoff });
    const publish = async (count: number) => {
      for (let left = count; left > 0; left -= 1) {
        await publisher.ready();
        const key = `key-${wholeNumberBetween(random, 1, keys)}`;
        void publisher.publish(random() < 0.2 ? { key } : { key, text: `${random()}` });
      }
      await publisher.flush();
    };
    await publish(records);
    const { stateBuild } = await client.topics.update(topic, { keyed: true });
    expect(stateBuild?.fromOffset).toBe(records);
    let isWhole = false;
    const publishedOn = (async () => {
      while (!isWhole) await publish(20);
    })();
    publishedOn.catch(() => undefined);

    const startedAtMs = performance.now();
    const stops: number[] = [];
    let reached = records;
    for (let killed = 0; killed < kills; killed += 1) {
      const before = reached;
      await expect.poll(async () => (reached = await nextOfBuild(client)), { interval: 5 }).toBeLessThan(before);
      await server.stop("SIGKILL");
      client.close();
      server = await startServerProcess(["--listen", address, ...settings]);
      client = createClient({ address });
      const resumed = await nextOfBuild(client);
      expect(resumed).toBeLessThanOrEqual(reached);
      reached = resumed;
      stops.push(resumed);
    }
    await expect.poll(() => nextOfBuild(client), { interval: 20, timeout: 600_000 }).toBe(-1);
    const seconds = (performance.now() - startedAtMs) / 1000;
    isWhole = true;
    await publishedOn;
    await publisher.close();
    const listed = await stateOf(client.state.list(topic));
    expect(listed).toEqual(await stateOf(client.read(topic)));
    await startsOver(client, listed);
    const { nextOffset } = await client.topics.get(topic);
    console.log(
      `turned keyed on ${kind}: ${listed.size} keys of ${nextOffset} records in ${seconds.toFixed(1)} s,`,
      `killed at ${stops.join(", ")}`,
    );
  } finally {
    client.close();
    publishing.close();
    await server.stop();
    await database.drop();
  }
}

/** Once the tombstones are old, a watch from the topic's beginning is reset, and ends with the state. */
async function startsOver(client: MillraceClient, listed: State): Promise<void> {
  const { epoch, nextOffset } = await client.topics.close(topic);
  const watch = async () => {
    // A trim begins a round of housekeeping.
    await client.topics.trim(topic, nextOffset);
    const events: string[] = [];
    const state: State = new Map();
    const onEvent = ({ type }: { readonly type: string }) => {
      events.push(type);
      if (type === "reset") state.clear();
    };
    await stateOf(client.state.watch(topic, { start: { epoch, offset: 1 }, onEvent }), state);
    expect(state).toEqual(listed);
    return events;
  };
  await expect.poll(watch, { interval: 200, timeout: 20_000 }).toEqual(["reset", "snapshot-end", "closed"]);
}

/** The position of the build; -1 when the state is complete. */
async function nextOfBuild(client: MillraceClient): Promise<number> {
  return (await client.topics.get(topic)).stateBuild?.nextOffset ?? -1;
}

async function stateOf(
  records: AsyncIterable<{ readonly key: string; readonly text: string | undefined }>,
  state: State = new Map(),
): Promise<State> {
  for await (const { key, text } of records) {
    if (text === undefined) state.delete(key);
    else state.set(key, text);
  }
  return state;
}
