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
 * Checks the contract of src/streams for every operator. An array model says which items must come. The sources are iterables,
 * async generators and streams; they answer at once, in a microtask or in a turn of the loop, and record how they were used.
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
  test.each(["iterable", "async iterable"] as const)("yields to the event loop: %s", async (kind) => {
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

test.each(faults)("the checks find an operator that $name", async ({ row, breaks }) => {
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

test("no test of this file left an unhandled rejection", async () => {
  await turns(3);
  expect(unhandled).toEqual([]);
});
