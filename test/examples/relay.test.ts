import { once } from "node:events";
import { createInterface } from "node:readline";
import { Client, type ClientReadableStream, credentials, status } from "@grpc/grpc-js";
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";
import { type RunningExample, runExample, startExample } from "./run-example.js";

let database: TestDatabase;
let server: ServerProcess;
let millrace: MillraceClient;

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  millrace = createClient({ address: server.address });
});

afterAll(async () => {
  millrace.close();
  await killServerProcesses();
  await database.drop();
});

test("relay slows the watch of its slow client alone, which ends with the same features from fewer changes", async () => {
  const args = "--features 10000 --changes 10000 --slow-ms 1 --json".split(" ");
  const { stdout, stderr, code } = await runExample("relay", ["--address", server.address, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const report = JSON.parse(stdout) as {
    watches: { nextOffset: number; lag: number; waiting: string }[];
    seen: { name: string; told: number; kept: number }[];
    isSame: boolean;
  };
  const watches = report.watches.toSorted((one, other) => other.nextOffset - one.nextOffset);
  expect(watches).toMatchObject([
    { nextOffset: 20_000, lag: 0, waiting: "new-records" },
    { nextOffset: expect.any(Number) as number, waiting: "client-window" },
  ]);
  // Between its client and its watch there are windows and a message or two each, not what was published.
  expect(watches[1]?.nextOffset).toBeLessThan(10_000);
  const [fast, slow] = report.seen;
  expect(fast).toMatchObject({ name: "fast", kept: 9000 });
  expect(slow).toMatchObject({ name: "slow", kept: 9000 });
  expect(slow?.told).toBeLessThan((fast?.told ?? 0) - 2000);
  expect(report.isSame).toBe(true);
}, 60_000);

interface Told {
  readonly removed: readonly string[];
  readonly features: readonly object[];
  readonly isUpToDate: boolean;
}

/** The relay's method, as somebody else's program knows it. */
const watch = (() => {
  const file = new URL("../../examples/relay/relay.proto", import.meta.url).pathname;
  const service = loadSync(file, { enums: String, defaults: true })["relay.v1.FeatureRelay"];
  return (service as unknown as { readonly Watch: MethodDefinition<object, Told> }).Watch;
})();

async function addressOf({ child }: RunningExample): Promise<string> {
  if (child.stdout === null) throw new Error("It has no output");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return line.split(" ").at(-1) ?? "";
}

test("relay starts again on the same server", async () => {
  const args = "--features 500 --changes 500 --slow-ms 0 --json".split(" ");
  for (const start of ["first", "second"]) {
    const { stdout, stderr, code } = await runExample("relay", ["--address", server.address, ...args]);
    expect({ start, code, stderr }).toEqual({ start, code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ seen: [{ kept: 450 }, { kept: 450 }], isSame: true });
  }
});

test("relay tells what is, what changes and what is gone, leaves Millrace with its client, and passes its errors on", async () => {
  const topic = "relay/three";
  await millrace.topics.create(topic, { keyed: true });
  await millrace.append(topic, [
    { key: "here", json: { name: "Zürich", population: 436_332 }, location: { latitude: 47.37, longitude: 8.54 } },
    { key: "there", json: { name: "Pole", population: 5000 }, location: { latitude: 90, longitude: 0 } },
    { key: "nowhere", json: { name: "Atlantis" } },
  ]);
  const relay = startExample("relay", ["--serve", "--address", server.address]);
  const client = new Client(await addressOf(relay), credentials.createInsecure());
  const call = (name: string): ClientReadableStream<Told> =>
    client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, {
      topic: name,
      latitude: 47.37,
      longitude: 8.54,
    });
  const [error] = (await once(call("none").resume(), "error")) as [Error];
  expect(error).toMatchObject({ code: status.NOT_FOUND, details: expect.stringContaining("none") as string });

  const stream = call(topic);
  const messages = stream[Symbol.asyncIterator]() as AsyncIterator<Told, undefined>;
  const told = async (isEnough: (message: Told) => boolean) => {
    const all: Told[] = [];
    for (;;) {
      const { value } = await messages.next();
      if (value === undefined) throw new Error("The relay ended the stream");
      all.push(value);
      if (isEnough(value)) return all;
    }
  };
  const snapshot = await told(({ isUpToDate }) => isUpToDate);
  expect(snapshot.flatMap(({ features }) => features)).toMatchObject([
    { key: "here", name: "Zürich", distanceKm: 0, size: "SIZE_CLASS_CITY" },
    { key: "there", name: "Pole", distanceKm: expect.closeTo(4740.2, 0) as number, size: "SIZE_CLASS_VILLAGE" },
  ]);
  await millrace.append(topic, [{ key: "here" }]);
  const [last] = (await told(({ removed }) => removed.length > 0)).slice(-1);
  expect(last).toMatchObject({ removed: ["here"], features: [] });

  stream.on("error", () => undefined).cancel();
  await vi.waitFor(async () => {
    const left: string[] = [];
    for await (const { method } of millrace.liveStreams({ topic })) left.push(method);
    expect(left).toEqual([]);
  });
  client.close();
  relay.child.kill("SIGTERM");
  expect(await relay.ended).toMatchObject({ code: 0, stderr: "" });
});
