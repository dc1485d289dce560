import { Duplex, PassThrough, Readable } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, fold, fromReadable, take } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { turns, until } from "../support/until.js";

const end = { done: true, value: undefined } as const;
const events = ["readable", "end", "error", "close"];
const listeners = (readable: Readable) => events.map((event) => readable.listenerCount(event));
const uncaught: unknown[] = [];
const onUncaught = (error: unknown): void => void uncaught.push(error);
beforeAll(() => void process.on("uncaughtException", onUncaught));
afterAll(() => {
  process.off("uncaughtException", onUncaught);
  expect(uncaught).toEqual([]);
});

/** Returns numbers for ever, and counts its reads. */
function endless(highWaterMark: number, size = 1) {
  const seen = { made: 0, destroyed: 0 };
  const readable = new Readable({
    objectMode: size === 1,
    highWaterMark,
    read() {
      seen.made += 1;
      this.push(size === 1 ? seen.made : Buffer.alloc(size));
    },
    destroy(_, done) {
      seen.destroyed += 1;
      setImmediate(done, null);
    },
  });
  return { seen, readable };
}

describe("fromReadable", () => {
  test("returns the objects and the bytes of the readable, however they come", async () => {
    const anyChunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(
        anyChunks,
        fc.integer({ min: 1, max: 32 }),
        fc.boolean(),
        async (chunks, highWaterMark, isSlow) => {
          async function* generate() {
            for (const chunk of chunks) {
              if (isSlow) await turns(1);
              yield chunk;
            }
          }
          const objects = Readable.from(generate(), { highWaterMark });
          expect(await collect(fromReadable(objects), { limit: 9 })).toEqual(chunks);
          expect(listeners(objects)).toEqual([0, 0, 0, 0]);
          const bytes = fromReadable(Readable.from(generate(), { objectMode: false, highWaterMark }));
          const whole = await fold(bytes, (all, chunk) => Buffer.concat([all, chunk]), Buffer.alloc(0));
          expect(whole).toEqual(Buffer.concat(chunks));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("returns buffered data without a promise, and buffers no more than the highWaterMark", async () => {
    const { readable, seen } = endless(4);
    const stream = fromReadable<number>(readable);
    await turns(3);
    expect(seen.made).toBe(0);
    expect((await stream.next()).value).toBe(1);
    await turns(5);
    expect(seen.made).toBeLessThanOrEqual(1 + 4);
    expect([stream.pull(), stream.pull(), stream.pull()]).toEqual([2, 3, 4]);
    await stream.return();
  });

  test("closed during a wait, ends at once and destroys the readable; settles when that has closed", async () => {
    const readable = new PassThrough();
    const stream = fromReadable(readable);
    const parked = stream.next();
    await turns(2);
    const closing = stream.return();
    expect(readable.destroyed).toBe(true);
    expect(await parked).toEqual(end);
    await closing;
    expect(readable.closed).toBe(true);
    expect(listeners(readable)).toEqual(listeners(new PassThrough()));
  });

  test("closed between two chunks, or before the first, destroys the readable once", async () => {
    for (const count of [0, 1, 2]) {
      const { readable, seen } = endless(4);
      const stream = take(fromReadable<number>(readable), count);
      expect((await collect(stream, { limit: count })).length).toBe(count);
      await stream.return();
      expect(readable.closed).toBe(true);
      expect(seen.destroyed).toBe(1);
      expect(listeners(readable)).toEqual([0, 0, 0, 0]);
    }
  });

  test("closed, handles an error of the readable's destruction, which would end the process", async () => {
    const readable = new Readable({
      read: () => undefined,
      destroy: (_, done) => void setImmediate(done, new Error("cannot be closed")),
    });
    await fromReadable(readable).return();
    expect(readable.closed).toBe(true);
    expect(readable.listenerCount("error")).toBe(0);
  });

  test("throws the readable's error once, after the chunks before it", async () => {
    const error = new Error("the disk is gone");
    const readable = new Readable({ objectMode: true, read: () => undefined });
    const stream = fromReadable<number>(readable);
    readable.push(1);
    readable.push(2);
    readable.destroy(error);
    await turns(2);
    expect((await stream.next()).value).toBe(1);
    expect((await stream.next()).value).toBe(2);
    expect(await failureOf(stream.next())).toBe(error);
    expect(await stream.next()).toEqual(end);
    expect(listeners(readable)).toEqual([0, 0, 0, 0]);
  });

  test("throws an error that comes during a wait, and one of a read", async () => {
    const error = new Error("the disk is gone");
    const parking = new PassThrough();
    const parked = failureOf(fromReadable(parking).next());
    await turns(2);
    parking.destroy(error);
    expect(await parked).toBe(error);
    const failing = new Readable({
      read() {
        this.destroy(error);
      },
    });
    expect(await failureOf(fromReadable(failing).next())).toBe(error);
  });

  test("destroys a readable on which error was emitted by hand", async () => {
    const error = new Error("by hand");
    const readable = new Readable({ read: () => undefined, autoDestroy: false });
    const failed = failureOf(fromReadable(readable).next());
    await turns(2);
    readable.emit("error", error);
    expect(await failed).toBe(error);
    expect(readable.destroyed).toBe(true);
  });

  test("throws for a readable that is closed before its end", async () => {
    const readable = new PassThrough();
    const stream = fromReadable(readable);
    const parked = failureOf(stream.next());
    await turns(2);
    readable.destroy();
    expect(await parked).toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
    expect(await stream.next()).toEqual(end);
  });

  test("ends or throws for a readable that was over before", async () => {
    const ended = Readable.from([]);
    ended.resume();
    await until(() => ended.closed);
    expect(await fromReadable(ended).next()).toEqual(end);
    const destroyed = new PassThrough();
    destroyed.destroy();
    await until(() => destroyed.closed);
    expect(await failureOf(fromReadable(destroyed).next())).toMatchObject({ code: "ERR_STREAM_PREMATURE_CLOSE" });
  });

  test("leaves a duplex that has ended open for writing", async () => {
    const written: string[] = [];
    const duplex = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _, done) {
        written.push(chunk.toString());
        done();
      },
    });
    duplex.push("question");
    duplex.push(null);
    expect(await collect(fromReadable(duplex), { limit: 1 })).toEqual([Buffer.from("question")]);
    expect(duplex.destroyed).toBe(false);
    await new Promise((resolve) => duplex.end("answer", () => resolve(undefined)));
    expect(written).toEqual(["answer"]);
  });
});
