import { expect, test } from "vitest";
import { gather } from "../../../src/engine/topics/gather.js";
import { deferred } from "../../../src/streams/index.js";

const room = { capacity: 100, full: () => new Error("full") };

test("gather(), calls at once while few calls run, and shares the next among those that arrived meanwhile", async () => {
  const calls: { readonly items: readonly number[]; readonly end: (results: readonly string[]) => void }[] = [];
  const gathered = gather<number, string>({
    calls: 2,
    ...room,
    fitting: (waiting) => Math.min(3, waiting.length),
    call(items) {
      const { promise, resolve } = deferred<readonly string[]>();
      calls.push({ items, end: resolve });
      return promise;
    },
  });
  const asked = [1, 2, 3, 4, 5, 6].map((item) => gathered.ask(item));
  expect(calls.map(({ items }) => items)).toEqual([[1], [2]]);
  expect(gathered.waiting).toBe(4);
  calls[0]?.end(["one"]);
  expect(await asked[0]).toBe("one");
  await expect.poll(() => calls.map(({ items }) => items)).toEqual([[1], [2], [3, 4, 5]]);
  calls[2]?.end(["three", "four", "five"]);
  expect(await Promise.all(asked.slice(2, 5))).toEqual(["three", "four", "five"]);
  await expect.poll(() => calls.length).toBe(4);
  calls[3]?.end(["six"]);
  calls[1]?.end(["two"]);
  expect(await asked[5]).toBe("six");
  expect(await asked[1]).toBe("two");
});

test("gather(), passes a failure to all of a call, and continues", async () => {
  let isBroken = true;
  const gathered = gather<number, number>({
    calls: 1,
    ...room,
    fitting: (waiting) => waiting.length,
    async call(items) {
      if (isBroken) throw new Error("broken");
      return items.map((item) => (item === 3 ? Promise.reject(new Error("this one")) : item));
    },
  });
  const first = gathered.ask(1);
  const second = gathered.ask(2);
  await expect(first).rejects.toThrow("broken");
  await expect(second).rejects.toThrow("broken");
  isBroken = false;
  const [third, fourth] = await Promise.allSettled([gathered.ask(3), gathered.ask(4)]);
  expect(third).toMatchObject({ status: "rejected" });
  expect(fourth).toEqual({ status: "fulfilled", value: 4 });
});

test("gather(), refuses more when `capacity` items wait", async () => {
  const { promise, resolve } = deferred<readonly number[]>();
  const gathered = gather<number, number>({ ...room, calls: 1, capacity: 1, fitting: () => 1, call: () => promise });
  const first = gathered.ask(1);
  const second = gathered.ask(2);
  await expect(gathered.ask(3)).rejects.toThrow("full");
  resolve([7]);
  expect(await Promise.all([first, second])).toEqual([7, 7]);
});
