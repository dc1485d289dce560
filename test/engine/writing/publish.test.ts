import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PublishBatch, PublishOpening } from "../../../src/engine/index.js";
import { createLiveStreams } from "../../../src/telemetry/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../../support/database.js";
import { batchOf } from "../../support/frames.js";
import { openTestEngine, range, type TestEngine } from "../../support/open-engine.js";

const sized = (records: number, expectedOffset?: number): PublishBatch => ({
  batch: batchOf(range(0, records)),
  expectedOffset,
});

async function* listed(batches: readonly PublishBatch[]): AsyncGenerator<PublishBatch> {
  yield* batches;
}

describe.each(databaseKinds)("Engine.publish() on %s", (kind) => {
  let database: TestDatabase;
  let node: TestEngine;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    node = await openTestEngine(await database.openStore());
  });
  afterAll(async () => {
    await node.engine.close();
    await database.drop();
  });

  function publish(
    opening: Partial<PublishOpening> & { topic: string },
    batches: AsyncIterator<PublishBatch>,
    signal = new AbortController().signal,
    stream = createLiveStreams().open("test", "publish"),
  ) {
    return node.engine.publish({ producer: undefined, epoch: 0, ...opening }, batches, stream, signal);
  }

  async function ranges(acknowledged: AsyncIterable<{ firstOffset: number; nextOffset: number }>): Promise<number[][]> {
    const all: number[][] = [];
    for await (const { firstOffset, nextOffset } of acknowledged) all.push([firstOffset, nextOffset]);
    return all;
  }

  it("acknowledges in order, and ends when the batches have", async () => {
    expect(await ranges(publish({ topic: "ordered" }, listed([sized(1), sized(3), sized(2)])))).toEqual([
      [0, 1],
      [1, 4],
      [4, 6],
    ]);
  });

  it("answers a message without records, which only opens the call, with the next offset", async () => {
    expect(await ranges(publish({ topic: "ordered" }, listed([sized(0), sized(1)])))).toEqual([
      [6, 6],
      [6, 7],
    ]);
  });

  it("accepts many more batches than may be outstanding", async () => {
    const acknowledged = await ranges(publish({ topic: "many" }, listed(range(0, 500).map(() => sized(1)))));
    expect(acknowledged).toEqual(range(0, 500).map((offset) => [offset, offset + 1]));
  });

  it("ends at the first refused batch, and applies none after it", async () => {
    const acknowledged = publish({ topic: "refusing" }, listed([sized(2), sized(1, 7), sized(1), sized(1)]));
    expect((await acknowledged.next()).value).toMatchObject({ firstOffset: 0, nextOffset: 2 });
    await expect(acknowledged.next()).rejects.toMatchObject({ code: "offset-mismatch" });
    expect((await node.read("refusing")).offsets).toEqual([0, 1]);
  });

  it("acknowledges again what a reconnected producer repeats, and continues", async () => {
    const producer = { id: "p", generation: 0, sequence: 0 };
    const first = await ranges(publish({ topic: "again", producer }, listed(range(0, 10).map(() => sized(1)))));
    const again = await ranges(
      publish({ topic: "again", producer: { ...producer, sequence: 4 } }, listed(range(0, 10).map(() => sized(1)))),
    );
    expect(again.slice(0, 6)).toEqual(first.slice(4));
    expect((await node.read("again")).offsets).toEqual(range(0, 14));
  });

  it("stops at once when its call is aborted while it waits for a message", async () => {
    const abort = new AbortController();
    let isReturned = false;
    const silent: AsyncIterator<PublishBatch> = {
      next: () => new Promise(() => undefined),
      return: async () => {
        isReturned = true;
        return { done: true, value: undefined };
      },
    };
    const stream = createLiveStreams().open("test", "publish");
    const waiting = publish({ topic: "silent" }, silent, abort.signal, stream).next();
    await expect.poll(() => stream.waiting, { interval: 1 }).toBe("client-message");
    abort.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    expect(isReturned).toBe(true);
  });
});
