/**
 * Measures a node's memory for each outstanding record: consumers with windows of 100,000 take small records and settle
 * none. Usage: node --expose-gc scripts/measure-outstanding.mjs [RECORDS]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv } from "node:process";

const dist = process.env.MILLRACE_DIST ?? new URL("../dist", import.meta.url).pathname;
const { createEngine } = await import(`${dist}/engine/index.js`);
const { openPostgresStore } = await import(`${dist}/store/postgres/index.js`);
const { createLiveStreams, createMetrics, silentLogger, systemClock } = await import(`${dist}/telemetry/index.js`);
const { defaultLimits } = await import(`${dist}/core/index.js`);
const { splitRequest } = await import(`${dist}/wire/index.js`);
const { AppendRequest } = await import(`${dist}/gen/millrace/v1/record_service.js`);

const records = Number(argv[2] ?? 100_000);
const batchRecords = 1000;
const folder = await mkdtemp(join(tmpdir(), "millrace-measure-"));
const store = await openPostgresStore({ connection: { kind: "embedded", folder }, logger: silentLogger });
const engine = await createEngine({
  store,
  limits: { ...defaultLimits, outstandingNodeRecords: 100_000_000 },
  autoCreate: true,
  clock: systemClock,
  logger: silentLogger,
  metrics: createMetrics(),
});
const streams = createLiveStreams();

async function publish(topic, keyOf) {
  for (let at = 0; at < records; at += batchRecords) {
    const request = AppendRequest.fromPartial({
      topic,
      records: Array.from({ length: batchRecords }, (_, index) => ({
        key: keyOf(at + index),
        body: { $case: "text", value: "x" },
      })),
    });
    const { batch } = splitRequest(Buffer.from(AppendRequest.encode(request).finish()), defaultLimits);
    await engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
  }
}

function heapBytes() {
  for (let round = 0; round < 4; round += 1) globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Opens a consumer that settles nothing, and takes messages until it has `records` records. */
async function takeAll(name) {
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  const never = { next: () => ended, return: () => (end({ done: true, value: undefined }), ended) };
  const window = { records: 100_000, bytes: 64 * 1024 * 1024 };
  const opening = { kind: "subscription", subscription: name, consumer: "", window };
  const abort = new AbortController();
  const messages = engine.consume(opening, never, streams.open("here", "measure"), abort.signal);
  let taken = 0;
  // Some of these keys share a queue, so the last few records wait.
  while (taken < Math.min(records, window.records) * 0.999) taken += (await messages.next()).value.records;
  return { taken, leave: () => (abort.abort(new Error("done")), messages.return()) };
}

for (const { what, sharing, keyOf } of [
  { what: "SHARED, neighbours", sharing: "shared", keyOf: () => "" },
  { what: "KEYED, each with a key of its own", sharing: "keyed", keyOf: (number) => `k${number}` },
]) {
  await publish(sharing, keyOf);
  const start = { at: "earliest" };
  const policy = { ackDeadlineMs: 3600_000 };
  await engine.subscriptions.create({
    name: sharing,
    topic: sharing,
    start,
    from: start,
    sharing,
    policy,
    labels: new Map(),
  });
  const before = heapBytes();
  const { taken, leave } = await takeAll(sharing);
  const bytes = heapBytes() - before;
  console.log(`${what}: ${taken} records, ${(bytes / taken).toFixed(0)} bytes each`);
  await leave().catch(() => undefined);
}
await engine.close();
await store.close();
await rm(folder, { recursive: true, force: true });
process.exit(0);
