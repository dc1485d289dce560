import { expect, test } from "vitest";
import {
  collect,
  END,
  filter,
  fold,
  forEach,
  from,
  map,
  pipe,
  range,
  type Stream,
  take,
} from "../../src/streams/index.js";

test("pipe() infers through operators, generators and sinks", async () => {
  const odd: number[] = await pipe(
    range(1, 100),
    map((n) => n * n),
    filter((n) => n % 2 === 1),
    take(3),
    collect({ limit: 10 }),
  );
  expect(odd).toEqual([1, 9, 25]);
  const lists: number[][] = await pipe(
    [1, 2, 3],
    map(async (n) => n + 0.5),
    async function* (source) {
      for await (const n of source) yield [n];
    },
    filter((list) => (list[0] ?? 0) > 2),
    collect({ limit: 3 }),
  );
  expect(lists).toEqual([[2.5], [3.5]]);
});

test("forEach() is aborted by a timer although its always-ready source returns no item", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 10);
  const nothing = pipe(
    range(0),
    filter(() => false),
  );
  await expect(forEach(nothing, () => undefined, stop.signal)).rejects.toThrow("enough");
});

test("break closes a generator once, through stages that drop items", async () => {
  let closed = 0;
  async function* numbers() {
    try {
      for (let n = 0; ; n += 1) yield n;
    } finally {
      closed += 1;
    }
  }
  for await (const n of pipe(
    numbers(),
    filter((n) => n % 1000 === 999),
  )) {
    expect(n).toBe(999);
    break;
  }
  expect(closed).toBe(1);
});

test("a step that returns a promise is awaited, and its failure comes after the items before it", async () => {
  const items: number[] = [];
  const failing = pipe(
    range(0),
    map(async (n) => {
      if (n === 2) throw new Error("two");
      return n;
    }),
  );
  await expect(
    forEach(failing, (n) => {
      items.push(n);
    }),
  ).rejects.toThrow("two");
  expect(items).toEqual([0, 1]);
  expect(await failing.next()).toEqual({ done: true, value: undefined });
});

test("take() inside a run of steps passes its last item through the later steps", async () => {
  const sum = await pipe(
    range(1),
    take(4),
    map(async (n) => n * 10),
    filter((n) => n > 10),
    fold((a, n) => a + n, 0),
  );
  expect(sum).toBe(90);
});

test("Stream.return() ends a pending next()", async () => {
  const stream = pipe(
    (async function* () {
      await new Promise(() => undefined);
      yield 1;
    })(),
    map((n) => n),
  );
  const next = stream.next();
  await stream.return();
  expect(await next).toEqual({ done: true, value: undefined });
});

test("Stream.pull() returns an item that is undefined, at once or as a promise", async () => {
  async function* gaps() {
    yield undefined;
    yield 1;
  }
  const stream = from(gaps());
  expect([await stream.pull(), await stream.pull(), await stream.pull()]).toEqual([undefined, 1, END]);
  expect(await from([undefined]).pull()).toBe(undefined);
});

test("a stream that its own callback closes returns the end, even from the poll that called it", async () => {
  const stream: Stream<number> = map(range(0), async (n) => {
    void stream.return();
    return n;
  });
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});
