import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, forEach, from } from "../../src/streams/index.js";
import { END, type Stream } from "../../src/streams/stream.js";
import { alwaysReady, itemsMax } from "./support/always-ready.js";
import { checks } from "./support/contract-checks.js";
import { faults } from "./support/contract-faults.js";
import { rows, silentRows } from "./support/contract-rows.js";
import { Probe } from "./support/probe.js";
import { turns } from "./support/until.js";

/**
 * The contract of src/streams, held against every operator: an array says what must come, and sources that answer at
 * once, in a microtask or in a turn of the loop, as iterables, async generators and streams, say what was done to them.
 */
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);
beforeAll(() => void process.on("unhandledRejection", onUnhandled));
afterAll(() => void process.off("unhandledRejection", onUnhandled));

const drivers: Readonly<Record<string, (stream: Stream<unknown>) => Promise<void>>> = {
  "a sink": (stream) => forEach(stream, () => undefined),
  "a loop": async (stream) => {
    for await (const _ of stream);
  },
};

describe.each([...rows, ...silentRows])("$name, over sources that never wait", (row) => {
  test.each(["iterable", "async iterable"] as const)("gives the event loop its turn: %s", async (kind) => {
    for (const drive of Object.values(drivers)) {
      const sources = Array.from({ length: row.sources ?? 1 }, () => alwaysReady(kind));
      await drive(row.open(...sources.map(({ source }) => source)));
      for (const source of sources) expect(source.given).toBeLessThan(itemsMax);
    }
  });
});

describe.each(rows)("$name", (row) => {
  test.each(Object.entries(checks))("%s", async (_, check) => check(row));
});

test.each(faults)("an operator that $name is found out", async ({ row, breaks }) => {
  await expect(checks[breaks]?.(row)).rejects.toThrow();
});

test.each(["iterable", "generator", "stream"] as const)("an item that is undefined is an item: %s", async (kind) => {
  for (const pace of ["now", "microtask", "immediate"] as const) {
    const open = () => new Probe<undefined>({ items: [undefined, undefined], kind, paces: [pace] }).source;
    expect(await collect(open(), { limit: 9 })).toEqual([undefined, undefined]);
    const looped: undefined[] = [];
    for await (const item of from(open())) looped.push(item);
    expect(looped).toEqual([undefined, undefined]);
    const stream = from(open());
    expect([await stream.pull(), await stream.pull(), await stream.pull()]).toEqual([undefined, undefined, END]);
  }
});

test("nothing of all this was rejected without anybody to hear it", async () => {
  await turns(3);
  expect(unhandled).toEqual([]);
});
