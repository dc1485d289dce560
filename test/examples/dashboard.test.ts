import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { fromReadable, lines, type Stream } from "../../src/streams/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { exampleEntry } from "./run-example.js";

let database: TestDatabase;
let address: string;
let millrace: MillraceClient;
let topic: string;
let dashboard: ChildProcess;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  ({ address } = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]));
  millrace = createClient({ address });
});

beforeEach(async ({ task }) => {
  topic = `dashboard/${task.id}`;
  await startDashboard();
});

async function startDashboard(): Promise<void> {
  const args = ["--address", address, "--topic", topic, "--port", "0", "--ring-events", "50", "--heartbeat-ms", "200"];
  dashboard = spawn(process.execPath, [exampleEntry("dashboard"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  if (dashboard.stdout === null) throw new Error("No output");
  const line = await firstLine(dashboard.stdout);
  url = line;
}

async function stopDashboard(): Promise<void> {
  const exited = once(dashboard, "exit");
  dashboard.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
}

afterEach(stopDashboard);

afterAll(async () => {
  millrace.close();
  await killServerProcesses();
  await database.drop();
});

async function firstLine(output: Readable): Promise<string> {
  for await (const line of createInterface(output)) return line;
  throw new Error("The dashboard ended before it listened");
}

interface Viewer {
  readonly response: IncomingMessage;
  readonly lines: Stream<string>;
}

async function connect(lastEventId?: number): Promise<Viewer> {
  const headers = lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) };
  const [response] = (await once(get(url, { headers }), "response")) as [IncomingMessage];
  return { response, lines: lines(fromReadable(response)) };
}

/** Reads on until a line begins so, and gives the rest of it. */
async function readUntil(viewer: Viewer, start: string): Promise<string> {
  for (let line = await viewer.lines.next(); line.done !== true; line = await viewer.lines.next()) {
    if (line.value.startsWith(start)) return line.value.slice(start.length);
  }
  throw new Error(`The viewer's stream ended before "${start}"`);
}

async function publish(count: number, padding = 0): Promise<void> {
  const publisher = millrace.publisher(topic);
  const events = Array.from({ length: count }, (_, n) => ({
    json: { type: "update", n, padding: "x".repeat(padding) },
  }));
  await publisher.publishAll(events);
  await publisher.close();
}

test("dashboard sends events as they come, a heartbeat in silence, and a viewer comes back where it was", async () => {
  const viewer = await connect();
  await readUntil(viewer, ": heartbeat");
  await publish(3);
  expect([await readUntil(viewer, "id: "), await readUntil(viewer, "id: "), await readUntil(viewer, "id: ")]).toEqual([
    "0",
    "1",
    "2",
  ]);
  viewer.response.destroy();
  // Far more than the ring holds: it is read from the topic.
  await publish(200);
  const again = await connect(2);
  for (let offset = 3; offset < 203; offset += 1) expect(await readUntil(again, "id: ")).toBe(String(offset));
  await publish(1);
  expect(await readUntil(again, "id: ")).toBe("203");
  again.response.destroy();
});

test("dashboard starts again on the same topic, and a viewer of the earlier one comes back where it was", async () => {
  const viewer = await connect();
  await publish(2);
  expect(await readUntil(viewer, "id: ")).toBe("0");
  await stopDashboard();
  await publish(1);
  await startDashboard();
  const again = await connect(0);
  expect([await readUntil(again, "id: "), await readUntil(again, "id: ")]).toEqual(["1", "2"]);
  await publish(1);
  expect(await readUntil(again, "id: ")).toBe("3");
  again.response.destroy();
});

test("dashboard lets a viewer that lags skip, and tells it how many", async () => {
  const viewer = await connect();
  // More than the sockets between them hold.
  await publish(20_000, 1000);
  let ids = 0;
  let missed = 0;
  let last = -1;
  for (let line = await viewer.lines.next(); last < 19_999; line = await viewer.lines.next()) {
    const text = line.value ?? "";
    if (text.startsWith("id: ")) {
      const id = Number(text.slice(4));
      expect(id).toBeGreaterThan(last);
      last = id;
      ids += 1;
    } else if (text.startsWith("data: ") && text.includes('"missed"')) {
      missed += (JSON.parse(text.slice(6)) as { missed: number }).missed;
    }
  }
  expect(missed).toBeGreaterThan(0);
  expect(ids + missed).toBe(20_000);
  viewer.response.destroy();
});
