import { afterAll, beforeAll, expect, test } from "vitest";
import { Connection } from "../../src/client/connection.js";
import { ConsumeRequest, SubscriptionServiceService } from "../../src/gen/millrace/v1/subscription_service.js";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

/** Consumers that disappear without notice. */

let database: TestDatabase;
let server: ServerProcess;
let millrace: MillraceClient;

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  const listening = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
  server = await startServerProcess([...databaseArguments(database.connection), ...listening]);
  millrace = createClient({ address: server.address });
  await millrace.append("t", [{ text: "poison" }]);
});

afterAll(async () => {
  millrace.close();
  await server.stop();
  await database.drop();
});

/** The number of ended Consume calls, by status. */
async function endedCalls(): Promise<Record<string, number>> {
  const page = await (await fetch(`http://${server.metricsAddress}/metrics`)).text();
  const lines = page.matchAll(/^millrace_calls_ended_total\{method=".*Consume",status="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, name, count]) => [name, Number(count)]));
}

async function liveMethods(): Promise<string[]> {
  const methods: string[] = [];
  for await (const { method } of millrace.liveStreams()) methods.push(method);
  return methods;
}

test("calls end on the server if they are cancelled in the turn in which they were opened or written to", async () => {
  await millrace.append(
    "many",
    Array.from({ length: 10 }, () => ({ text: "x" })),
  );
  await millrace.subscriptions.create("cancelled", { topic: "many", start: "earliest" });
  const connection = new Connection({ address: server.address });
  const opening = ConsumeRequest.fromPartial({ subscription: "cancelled", window: { records: 1 } });
  const open = () => Array.from({ length: 10 }, () => connection.bidiStream(SubscriptionServiceService.consume));
  const running = open();
  for (const call of running) void call.send(opening);
  for (const call of running) {
    let message = await call.receive();
    while (message !== undefined && message.records.length === 0) message = await call.receive();
  }
  expect(await liveMethods()).toHaveLength(10);
  for (const call of running) void call.send(ConsumeRequest.fromPartial({ window: { records: 5 } }));
  const opened = open();
  const written = open();
  for (const call of written) void call.send(opening);
  for (const call of [...running, ...opened, ...written]) call.cancel();
  for (const call of [...running, ...opened, ...written]) {
    await expect(call.receive()).rejects.toMatchObject({ code: "CANCELLED" });
  }
  await expect.poll(liveMethods, { timeout: 1000 }).toEqual([]);
  const ended = await endedCalls();
  expect(Object.values(ended).reduce((sum, count) => sum + count, 0)).toBe(30);
  // The others had nothing: their half-close, which the server sees before the reset (grpc-js.md #26), ends them too.
  expect(ended["CANCELLED"]).toBeGreaterThanOrEqual(10);
  connection.close();
});

test("a record whose consumer aborts is parked after its attempts", async () => {
  await millrace.subscriptions.create("poisoned", { topic: "t", start: "earliest", attemptsMax: 3 });
  const attempts: number[] = [];
  for (let life = 1; life <= 3; life++) {
    const aborting = new AbortController();
    const consumption = millrace.consume("poisoned", { consumer: `life-${life}`, signal: aborting.signal });
    const working = consumption.forEach((delivery) => {
      attempts.push(delivery.attempt);
      // Written to in the turn in which it aborts.
      delivery.extend();
      aborting.abort(new Error("the process is gone"));
    });
    await expect(working).rejects.toThrow("the process is gone");
  }
  expect(attempts).toEqual([1, 2, 3]);
  const parkedOf = async () => {
    const parked: (readonly string[])[] = [];
    for await (const { reasons } of millrace.subscriptions.parked.list("poisoned")) parked.push(reasons);
    return parked;
  };
  await expect
    .poll(parkedOf, { timeout: 5000 })
    .toEqual([[1, 2, 3].map((life) => `the consumer "life-${life}" was lost`)]);
});
