import { type Duplex, PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { map, pipe, range, toWritable, WritableClosedError } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns, until } from "../support/until.js";

/** A writable that takes an item when the test says so; with `isFree`, at once. */
class Gate extends Writable {
  readonly taken: unknown[] = [];
  #callback: ((error?: Error | null) => void) | undefined;
  isFree = false;

  constructor(highWaterMark = 2) {
    super({ objectMode: true, highWaterMark });
  }

  override _write(item: unknown, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.taken.push(item);
    if (this.isFree) setImmediate(callback);
    else this.#callback = callback;
  }

  open(error?: Error): void {
    this.isFree = true;
    this.#callback?.(error);
  }
}

function listeners(writable: Writable): number {
  return ["drain", "finish", "error", "close"].reduce((sum, name) => sum + writable.listenerCount(name), 0);
}

describe("toWritable", () => {
  test("writes all items in order, ends the writable and waits for its finish", async () => {
    const gate = new Gate();
    gate.isFree = true;
    const before = listeners(gate);
    await pipe(
      range(0, 100),
      map((n) => n * 2),
      toWritable(gate),
    );
    expect(gate.taken).toEqual(Array.from({ length: 100 }, (_, n) => n * 2));
    expect(gate.writableFinished).toBe(true);
    expect(listeners(gate)).toBe(before);
  });

  test("pulls only as many items as fit, until the writable drains", async () => {
    const gate = new Gate(3);
    const source = tracked(Array.from({ length: 10 }, (_, n) => n));
    const done = toWritable(source.items, gate);
    await until(() => source.pulled === 3);
    await turns(5);
    expect(source.pulled).toBe(3);
    gate.open();
    await done;
    expect(gate.taken).toHaveLength(10);
  });

  test("adds no listener for an item", async () => {
    const gate = new Gate(4);
    const done = toWritable(range(0, 50), gate);
    await until(() => gate.taken.length === 1);
    await turns(2);
    const parked = listeners(gate);
    gate.open();
    await until(() => gate.taken.length > 20);
    expect(listeners(gate)).toBeLessThanOrEqual(parked);
    await done;
  });

  test("accepts a duplex, which is iterable too, in both styles", async () => {
    for (const write of [
      (duplex: Duplex) => toWritable(["a", "b"], duplex),
      (duplex: Duplex) => pipe(["a", "b"], toWritable(duplex)),
      (duplex: Duplex) => pipe(["a", "b"], toWritable(duplex, { end: true })),
    ]) {
      const out = new PassThrough();
      await write(out);
      expect(String(out.read())).toBe("ab");
    }
  });

  test("leaves the writable open with end: false", async () => {
    const gate = new Gate(10);
    const before = listeners(gate);
    await toWritable([1, 2], gate, { end: false });
    expect([gate.writableEnded, gate.destroyed]).toEqual([false, false]);
    expect(listeners(gate)).toBe(before);
    const failed = toWritable(tracked([3], { failWith: new Error("source") }).items, gate, { end: false });
    await expect(failed).rejects.toThrow("source");
    expect([gate.writableEnded, gate.destroyed, listeners(gate)]).toEqual([false, false, before]);
    gate.open();
    await until(() => gate.taken.length === 3);
    expect(gate.taken).toEqual([1, 2, 3]);
  });

  test("rejects with the writable's error and closes the source during a wait for the drain", async () => {
    const gate = new Gate(1);
    const source = tracked([1, 2, 3]);
    const refused = failureOf(toWritable(source.items, gate));
    await until(() => gate.taken.length === 1);
    gate.open(new Error("disk full"));
    expect(await refused).toEqual(new Error("disk full"));
    expect([source.pulled, source.closed]).toEqual([1, 1]);
  });

  test("rejects with the writable's error and closes the source during a pull", async () => {
    const gate = new Gate(5);
    const source = tracked([1], { parksAtEnd: true });
    const refused = failureOf(toWritable(source.items, gate));
    await until(() => gate.taken.length === 1);
    gate.open(new Error("disk full"));
    expect(await refused).toEqual(new Error("disk full"));
    expect(source.closed).toBe(1);
  });

  test("rejects with WritableClosedError when the writable closes before the end", async () => {
    for (const end of [true, false]) {
      const gate = new Gate(1);
      const source = tracked([1, 2, 3]);
      const refused = failureOf(toWritable(source.items, gate, { end }));
      await until(() => gate.taken.length === 1);
      gate.destroy();
      expect(await refused).toBeInstanceOf(WritableClosedError);
      expect(source.closed).toBe(1);
    }
  });

  test("rejects when the writable is closed already, or closes without an event", async () => {
    const closed = new Gate();
    closed.destroy();
    const source = tracked([1]);
    await expect(toWritable(source.items, closed)).rejects.toThrow(WritableClosedError);
    expect(source.pulled).toBe(0);
    const silent = new Writable({
      objectMode: true,
      emitClose: false,
      write: (_item, _encoding, callback) => callback(),
    });
    async function* items() {
      yield 1;
      silent.destroy();
      yield 2;
    }
    await expect(toWritable(items(), silent)).rejects.toThrow(WritableClosedError);
  });

  test("rejects with the error of a writable that emits it only after a long close", async () => {
    const full = new Error("no space left");
    let close = () => {};
    const closing = new Writable({
      objectMode: true,
      write: (_item, _encoding, callback) => callback(full),
      destroy: (error, callback) => {
        close = () => callback(error);
      },
    });
    // It has failed before the third item, and emits "error" with "close".
    await expect(toWritable(range(0, 5), closing)).rejects.toBe(full);
    close();
  });

  test("rejects with an error of the source, and destroys the writable instead of ending it", async () => {
    const gate = new Gate();
    gate.isFree = true;
    await expect(toWritable(tracked([1], { failWith: new Error("source") }).items, gate)).rejects.toThrow("source");
    expect([gate.destroyed, gate.writableFinished]).toEqual([true, false]);
  });

  test("rejects for an item that the writable refuses, and closes the source", async () => {
    const source = tracked([{ not: "bytes" }, { not: "bytes" }]);
    await expect(toWritable(source.items, new PassThrough())).rejects.toThrow(TypeError);
    expect([source.pulled, source.closed]).toEqual([1, 1]);
  });

  test("rejects with the reason as soon as the signal aborts, wherever it waits", async () => {
    for (const items of [[1, 2, 3], [1]]) {
      const controller = new AbortController();
      const gate = new Gate(items.length === 1 ? 5 : 1);
      const source = tracked(items, { parksAtEnd: true });
      const refused = failureOf(toWritable(source.items, gate, { signal: controller.signal }));
      await until(() => source.pulled === (items.length === 1 ? 2 : 1));
      controller.abort(new Error("enough"));
      expect(await refused).toEqual(new Error("enough"));
      expect([source.closed, gate.destroyed, abortListeners(controller.signal)]).toEqual([1, true, 0]);
    }
    const controller = new AbortController();
    const gate = new Gate(5);
    const refused = failureOf(toWritable([1], gate, { signal: controller.signal }));
    await until(() => gate.writableEnded);
    controller.abort(new Error("enough"));
    expect(await refused).toEqual(new Error("enough"));
  });

  test("yields to the event loop if the writable never fills up", async () => {
    let written = 0;
    const controller = new AbortController();
    const sink = new Writable({
      objectMode: true,
      highWaterMark: 2 ** 30,
      write: (_item, _encoding, callback) => {
        written += 1;
        callback();
      },
    });
    setImmediate(() => controller.abort(new Error("turn")));
    await expect(toWritable(range(0), sink, { signal: controller.signal })).rejects.toThrow("turn");
    expect(written).toBeLessThan(2 ** 22);
  });
});
