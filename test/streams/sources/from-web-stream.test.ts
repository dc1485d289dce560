import { ReadableStream } from "node:stream/web";
import { describe, expect, test } from "vitest";
import { collect, fromWebStream, take } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { turns } from "../support/until.js";

const end = { done: true, value: undefined } as const;

/** Returns `items`, and then ends, fails, or waits for ever. */
function web(items: readonly number[], after: "close" | "park" | Error = "close") {
  const seen = { pulled: 0, cancelled: [] as unknown[] };
  const stream = new ReadableStream<number>(
    {
      pull(controller) {
        const item = items[seen.pulled];
        seen.pulled += 1;
        if (item !== undefined) controller.enqueue(item);
        else if (after === "close") controller.close();
        else if (after !== "park") controller.error(after);
      },
      async cancel(reason) {
        await turns(1);
        seen.cancelled.push(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, stream };
}

describe("fromWebStream", () => {
  test("returns the chunks, and releases the lock at the end", async () => {
    const { stream, seen } = web([1, 2, 3]);
    const chunks = fromWebStream(stream);
    expect(stream.locked).toBe(false);
    expect(await collect(chunks, { limit: 3 })).toEqual([1, 2, 3]);
    expect(await chunks.next()).toEqual(end);
    expect(stream.locked).toBe(false);
    expect(seen.cancelled.length).toBe(0);
  });

  test("reads a chunk when it is asked for", async () => {
    const { stream, seen } = web([1, 2, 3]);
    const chunks = fromWebStream(stream);
    await turns(2);
    expect(seen.pulled).toBe(0);
    await chunks.next();
    await turns(2);
    expect(seen.pulled).toBe(1);
    await chunks.return();
  });

  test("closed, cancels the stream once, awaits that, and releases the lock: during a read, between chunks, and before the first", async () => {
    for (const count of [0, 1, 2]) {
      const { stream, seen } = web([1, 2], "park");
      const chunks = fromWebStream(stream);
      expect((await collect(take(chunks, count), { limit: count })).length).toBe(count);
      await chunks.return();
      expect(seen.cancelled.length).toBe(1);
      expect(stream.locked).toBe(false);
    }
    const { stream, seen } = web([], "park");
    const chunks = fromWebStream(stream);
    const parked = chunks.next();
    await turns(2);
    const closing = chunks.return();
    expect(await parked).toEqual(end);
    await closing;
    expect(seen.cancelled.length).toBe(1);
    expect(stream.locked).toBe(false);
  });

  test("throws the stream's error once", async () => {
    const error = new Error("the line is cut");
    const { stream } = web([1], error);
    const chunks = fromWebStream(stream);
    expect((await chunks.next()).value).toBe(1);
    expect(await failureOf(chunks.next())).toBe(error);
    expect(await chunks.next()).toEqual(end);
    expect(stream.locked).toBe(false);
  });

  test("refuses a locked stream, and does not cancel it", async () => {
    const { stream, seen } = web([1]);
    const reader = stream.getReader();
    const chunks = fromWebStream(stream);
    expect(await failureOf(chunks.next())).toBeInstanceOf(TypeError);
    await chunks.return();
    await fromWebStream(stream).return();
    expect(await reader.read()).toEqual({ done: false, value: 1 });
    expect(seen.cancelled.length).toBe(0);
  });
});
