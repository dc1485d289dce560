import { afterEach, expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { openConsumeCall } from "./consume-call.js";
import { sharingOf } from "./consume-scene.js";
import { SubscriptionControl } from "./subscription-control.js";

afterEach(killServerProcesses);

test("a keyed subscription continues while all its keys wait for redelivery, with more records after them than are read ahead", async () => {
  const names = { topic: "held/keys", subscription: "held" };
  const records = 200;
  const database = await createTestDatabase("embedded");
  const args = ["--log-level", "error", "--consume-ahead-bytes", "4096", ...databaseArguments(database.connection)];
  const server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const millrace = createClient({ address: server.address });
  const control = new SubscriptionControl(server.address);
  await millrace.topics.create(names.topic);
  const publisher = millrace.publisher(names.topic);
  const text = ".".repeat(100);
  await publisher.publishAll(Array.from({ length: records }, (_, index) => ({ key: `key-${index % 5}`, text })));
  await publisher.close();
  await control.create({ ...names, sharing: sharingOf.keyed, retryMin: { seconds: 0, nanos: 1_000_000 } });
  const settled = new Set<number>();
  const call = openConsumeCall({
    address: server.address,
    opening: { subscription: names.subscription },
    onMessage({ records: handed, attempt }) {
      const ranges = handed.map(({ offset = 0 }) => ({ offsets: { firstOffset: offset } }));
      // Nothing succeeds at first.
      if (attempt === 1) call.send({ reject: ranges.map((range) => ({ ...range, reason: "not at once" })) });
      else {
        call.send({ acknowledge: ranges });
        for (const { offsets } of ranges) settled.add(offsets.firstOffset);
        if (settled.size === records) call.finish();
      }
    },
  });
  try {
    expect(await call.ended).toMatchObject({ code: "OK" });
    const { cursor, retryRecords } = await control.describe(names.subscription);
    expect([cursor?.offset, retryRecords]).toEqual([records, 0]);
  } finally {
    call.die();
    control.close();
    millrace.close();
    await server.stop("SIGKILL");
    await database.drop();
  }
}, 20_000);
