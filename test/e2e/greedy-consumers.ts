/**
 * Consumers that take all they are granted and acknowledge nothing. A node's memory for them has a bound, and other
 * consumers are served beside them.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { built } from "../support/built.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

/**
 * Opens Consume calls with windows of 100,000, ten on each connection, reads everything and acknowledges nothing.
 * Reports when a window was changed, and when nothing has arrived for a second. A line on standard input cancels all
 * calls.
 */
const script = `
import { connect } from "node:http2";
import { createInterface } from "node:readline";
const [door, address, kind, name, calls] = process.argv.slice(1);
const { ConsumeRequest, ConsumeResponse } = await import(door);
const window = { records: 100_000, bytes: 64 * 1024 * 1024 };
const streams = [];
let session;
let lastMs = performance.now();
let isQuiet = false;
for (let call = 0; call < Number(calls); call += 1) {
  if (call % 10 === 0) {
    session = connect("http://" + address, { settings: { initialWindowSize: 1 << 20 } });
    session.on("error", () => process.exit(1));
  }
  const stream = session.request({
    ":method": "POST",
    ":path": "/millrace.v1.SubscriptionService/Consume",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const opening = kind === "ephemeral" ? { topic: name, start: { at: { $case: "earliest", value: {} } } } : { subscription: name + "-" + call };
  const message = ConsumeRequest.encode(ConsumeRequest.fromPartial({ ...opening, window })).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([head, message]));
  stream.on("error", () => undefined);
  let buffered = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    while (buffered.length >= 5) {
      const length = 5 + buffered.readUInt32BE(1);
      if (buffered.length < length) return;
      if (length > 200) lastMs = performance.now();
      else {
        const { event } = ConsumeResponse.decode(buffered.subarray(5, length));
        if (event?.$case === "windowChanged") console.log("window " + event.value.records);
        if (event?.$case === "started") console.log("started " + event.value.window.records);
      }
      buffered = buffered.subarray(length);
    }
  });
  streams.push(stream);
}
setInterval(() => {
  const isNow = performance.now() - lastMs > 1000;
  if (isNow && !isQuiet) console.log("quiet");
  isQuiet = isNow;
}, 100);
createInterface({ input: process.stdin }).once("line", () => {
  for (const stream of streams) stream.close(8);
  setTimeout(() => process.exit(0), 500);
});
`;

export interface GreedySize {
  readonly kind: "ephemeral" | "durable";
  readonly calls: number;
  readonly records: number;
  /** `MILLRACE_OUTSTANDING_NODE_RECORDS`. */
  readonly budget: number;
  /** How long appends are measured: alone, beside the consumers, and after they have left. */
  readonly measuredMs: number;
}

/** The measurements. */
export interface GreedyOutcome {
  readonly outstanding: number;
  readonly rssMiB: { readonly before: number; readonly most: number };
  readonly appendP99Ms: { readonly alone: number; readonly beside: number; readonly afterCancel: number };
  /** The smallest window that was granted. */
  readonly granted: number;
}

export async function besideGreedyConsumers(size: GreedySize): Promise<GreedyOutcome> {
  const database = await createTestDatabase("postgres");
  const server = await startServerProcess(
    [
      ...databaseArguments(database.connection),
      "--listen",
      "127.0.0.1:0",
      "--metrics",
      "127.0.0.1:0",
      "--outstanding-node-records",
      String(size.budget),
    ],
    { nodeArgs: ["--max-old-space-size=512"] },
  );
  const client = createClient({ address: server.address });
  try {
    await publishTiny(client, size.records);
    if (size.kind === "durable") await subscribeAll(client, size.calls);
    const alone = await measure(client, server, size.measuredMs);
    const greedy = startGreedy(server, size);
    const beside = await measure(client, server, size.measuredMs, greedy.quiet);
    const outstanding = await gauge(server, "millrace_outstanding_records");
    greedy.cancel();
    const afterCancel = await measure(client, server, size.measuredMs);
    await greedy.ended;
    // It was up all the time.
    expect(server.process.exitCode).toBeNull();
    return {
      outstanding,
      rssMiB: { before: alone.rssMiB, most: Math.max(beside.rssMiB, afterCancel.rssMiB) },
      appendP99Ms: { alone: alone.p99Ms, beside: beside.p99Ms, afterCancel: afterCancel.p99Ms },
      granted: greedy.granted(),
    };
  } finally {
    await client.close();
    await server.stop();
    await database.drop();
  }
}

async function publishTiny(client: MillraceClient, records: number): Promise<void> {
  const publisher = client.publisher("tiny");
  const published: Promise<unknown>[] = [];
  for (let number = 0; number < records; number++) {
    published.push(publisher.publish({ text: "x" }));
    if (published.length === 50_000) await Promise.all(published.splice(0));
  }
  await Promise.all(published);
  await publisher.close();
}

async function subscribeAll(client: MillraceClient, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    await client.subscriptions.create(`tiny-${number}`, { topic: "tiny", start: "earliest", ackDeadlineMs: 3600_000 });
  }
}

function startGreedy(server: ServerProcess, { kind, calls }: GreedySize) {
  const door = `${built}/gen/millrace/v1/subscription_service.js`;
  const args = ["--input-type=module", "-e", script, `file://${door}`, server.address, kind, "tiny", String(calls)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  let granted = Number.POSITIVE_INFINITY;
  const quiet = new AbortController();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [what, records] = line.split(" ");
    if (what === "quiet") quiet.abort();
    else granted = Math.min(granted, Number(records));
  });
  const ended = once(child, "exit");
  return { granted: () => granted, quiet: quiet.signal, ended, cancel: () => void child.stdin.write("\n") };
}

/** Appends one record after the other, and samples the server's memory, for `ms` and then until `quiet`. */
async function measure(client: MillraceClient, server: ServerProcess, ms: number, quiet?: AbortSignal) {
  const tookMs: number[] = [];
  let rssMiB = 0;
  const end = performance.now() + ms;
  const patience = performance.now() + 120_000;
  while (performance.now() < end || (quiet?.aborted === false && performance.now() < patience)) {
    const from = performance.now();
    await client.append("well-behaved", [{ text: "x" }]);
    tookMs.push(performance.now() - from);
    rssMiB = Math.max(rssMiB, residentMiB(server));
  }
  tookMs.sort((one, other) => one - other);
  return { p99Ms: tookMs[Math.floor(tookMs.length * 0.99)] ?? Number.NaN, rssMiB };
}

function residentMiB(server: ServerProcess): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.process.pid}/status`, "utf8"));
  return Number(found?.[1]) / 1024;
}

async function gauge(server: ServerProcess, name: string): Promise<number> {
  const page = await (await fetch(`http://${server.metricsAddress}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1]);
}
