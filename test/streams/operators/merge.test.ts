import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  channel,
  collect,
  count,
  deferred,
  END,
  type Merge,
  merge,
  PENDING,
  pipe,
  type Polled,
  range,
  Stream,
  takeWhile,
  tap,
  type Waker,
} from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const all = { limit: 1000 };

/** A source whose items the test settles. */
function manual() {
  const asked: ReturnType<typeof deferred<IteratorResult<string>>>[] = [];
  return {
    asked,
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = deferred<IteratorResult<string>>();
        asked.push(next);
        const result = await next.promise;
        if (result.done === true) return;
        yield result.value;
      }
    },
  };
}

const item = (value: string) => ({ done: false, value }) as const;

describe("merge", () => {
  test("takes ready sources in turn, without a promise", () => {
    const given = merge([range(0, 2), range(10, 13), range(20, 21)]);
    expect(Array.from({ length: 7 }, () => given.pull())).toEqual([0, 10, 20, 1, 11, 12, END]);
  });

  test("pulls nothing before it is pulled, and holds up to one item of each source", async () => {
    const sources = [tracked([1, 2, 3]), tracked([1, 2, 3]), tracked([1, 2, 3])];
    const given = merge(sources.map(({ items }) => items));
    await turns(2);
    expect(sources.map(({ pulled }) => pulled)).toEqual([0, 0, 0]);
    await given.pull();
    await turns(2);
    for (const { pulled } of sources) expect(pulled).toBeLessThanOrEqual(1);
    await given.close();
    expect(sources.map(({ closed }) => closed)).toEqual([1, 1, 1]);
  });

  test("returns items of a source that answers by promises beside one that is always ready", async () => {
    async function* later() {
      for (let n = 1; n <= 20; n += 1) yield -n;
    }
    const negative: number[] = [];
    // A sink takes ready items without a microtask between them.
    const taken = await pipe(
      merge([range(0), later()]),
      tap((n) => n < 0 && negative.push(n)),
      takeWhile(() => negative.length < 20),
      count(),
    );
    expect(negative).toEqual(Array.from({ length: 20 }, (_, index) => -1 - index));
    expect(taken).toBeLessThan(20 * 16 * 4);
  });

  test("returns items in the order in which they came", async () => {
    const sources = [manual(), manual(), manual()] as const;
    const given = merge(sources);
    const first = given.pull();
    await turns(1);
    // Two items come without a pull: the first to come is returned first.
    sources[2].asked[0]?.resolve(item("c"));
    expect(await first).toBe("c");
    sources[1].asked[0]?.resolve(item("b"));
    await turns(1);
    sources[0].asked[0]?.resolve(item("a"));
    await turns(1);
    expect([await given.pull(), await given.pull()]).toEqual(["b", "a"]);
    await given.close();
  });

  test("throws an error after the items that were there before it, and closes the others once", async () => {
    const error = new Error("no");
    const [a, b] = [manual(), manual()];
    const parked = tracked<string>([], { parksAtEnd: true });
    const given = merge([a, b, parked.items]);
    const first = given.pull();
    await turns(1);
    a.asked[0]?.resolve(item("a"));
    expect(await first).toBe("a");
    const second = given.pull();
    await turns(1);
    b.asked[0]?.resolve(item("b"));
    expect(await second).toBe("b");
    const third = given.pull();
    await turns(1);
    a.asked[1]?.resolve(item("a2"));
    expect(await third).toBe("a2");
    b.asked[1]?.resolve(item("b2"));
    await turns(1);
    a.asked[1]?.reject(error);
    expect(await given.pull()).toBe("b2");
    const failing = given.pull();
    await turns(1);
    a.asked[2]?.reject(error);
    expect(await failureOf(Promise.resolve(failing))).toBe(error);
    expect(await given.pull()).toBe(END);
    expect(parked.closed).toBe(1);
  });

  test("returns the items of sources that are added and removed at random", async () => {
    const plans = fc.array(
      fc.record({ size: fc.nat(6), at: fc.nat(20), removedAfter: fc.option(fc.nat(6)), isSlow: fc.boolean() }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(plans, async (branches) => {
        const given = merge<readonly [number, number]>([], { keepOpen: true });
        const sources = branches.map(({ size, isSlow }, index) =>
          tracked(
            Array.from({ length: size }, (_, at) => [index, at] as const),
            { isSlow },
          ),
        );
        const handles = new Map<number, ReturnType<typeof given.add>>();
        const got = branches.map(() => 0);
        const removed = new Set<number>();
        for (let step = 0; ; step += 1) {
          for (const [index, { at }] of branches.entries()) {
            if (at === step) handles.set(index, given.add(sources[index]?.items ?? []));
          }
          if (step === 20) given.end();
          if (step < 20 && given.size === 0) continue;
          // A slow source may end without an item: then the test must wait for the next one.
          const pulling = Promise.resolve(given.pull());
          if (step < 20) given.add([[-1, step]]);
          const pulled = await pulling;
          if (pulled === END) break;
          const [branch, at] = pulled;
          if (branch < 0) continue;
          expect(removed.has(branch)).toBe(false);
          expect(at).toBe(got[branch]);
          got[branch] = at + 1;
          if (branches[branch]?.removedAfter === at) {
            removed.add(branch);
            await handles.get(branch)?.remove();
          }
        }
        for (const [index, { size, removedAfter }] of branches.entries()) {
          const isRemoved = removedAfter !== null && removedAfter < size;
          expect(got[index]).toBe(isRemoved ? removedAfter + 1 : size);
          expect(sources[index]?.closed).toBe(isRemoved ? 1 : 0);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("add() wakes a waiting merge; end() lets it end with its last source", async () => {
    const given = merge<number>([], { keepOpen: true });
    const first = given.pull();
    await turns(2);
    given.add([7]);
    expect(await first).toBe(7);
    const last = given.pull();
    await turns(2);
    expect(given.size).toBe(0);
    given.end();
    expect(await last).toBe(END);
  });

  test("close() ends a merge with keepOpen", async () => {
    const given = merge([], { keepOpen: true });
    const parked = given.pull();
    await given.close();
    expect(await parked).toBe(END);
  });

  test("add() after the merge is over closes the source at once", async () => {
    const given = merge<number>([]);
    expect(given.pull()).toBe(END);
    const late = range(0, 3);
    const handle = given.add(late);
    expect(late.pull()).toBe(END);
    await handle.remove();
    expect(given.size).toBe(0);
  });

  test("remove() ends a wait for the last source, drops its late item, and resolves when it has cleaned up", async () => {
    const cleaning = deferred<void>();
    async function* source() {
      try {
        yield 1;
        yield 2;
      } finally {
        await cleaning.promise;
      }
    }
    const other = tracked<number>([], { parksAtEnd: true });
    const given = merge<number>([other.items]);
    const handle = given.add(source());
    expect(await given.pull()).toBe(1);
    let removals = 0;
    const removing = [handle.remove(), handle.remove()].map((done) => done.then(() => (removals += 1)));
    await turns(2);
    expect(removals).toBe(0);
    cleaning.resolve();
    await Promise.all(removing);
    const parked = given.pull();
    await turns(1);
    expect(given.size).toBe(1);
    await given.close();
    expect(await parked).toBe(END);

    const alone = tracked<number>([], { parksAtEnd: true });
    const lonely = merge<number>([]);
    const only = lonely.add(alone.items);
    const waiting = lonely.pull();
    await turns(1);
    await only.remove();
    expect(await waiting).toBe(END);
    expect(alone.closed).toBe(1);
  });

  test("remove() rejects with an error of the cleanup, and the merge continues", async () => {
    const error = new Error("no");
    async function* source() {
      try {
        yield 1;
        yield 2;
      } finally {
        // oxlint-disable-next-line no-unsafe-finally -- what cleanups do
        throw error;
      }
    }
    const given = merge<number>([]);
    const handle = given.add(source());
    expect(await given.pull()).toBe(1);
    given.add([3]);
    expect(await failureOf(handle.remove())).toBe(error);
    expect(await collect(given, all)).toEqual([3]);
  });

  test("a source that wakes inside its poll does not block the event loop", async () => {
    class Restless extends Stream<number> {
      polls = 0;
      override poll(waker: Waker): Polled<number> {
        this.polls += 1;
        waker.wake();
        return this.polls < 1000 ? PENDING : END;
      }
      override close(): undefined {
        this.polls = 1000;
      }
    }
    const restless = new Restless();
    const given = merge([restless]);
    const end = given.pull();
    expect(restless.polls).toBe(1);
    expect(await end).toBe(END);
  });

  test("a source that wakes too often gets no more turns than the others", () => {
    class Eager extends Stream<string> {
      override poll(waker: Waker): Polled<string> {
        for (let wakes = 0; wakes < 5; wakes += 1) waker.wake();
        return "eager";
      }
      override close(): undefined {}
    }
    const given = merge([new Eager(), ["calm", "calm", "calm"]]);
    const got = Array.from({ length: 6 }, () => given.pull());
    expect(got.filter((name) => name === "calm")).toHaveLength(3);
  });

  test("eight senders to eight channels, any of which may close, lose no item", async () => {
    const rooms = Array.from({ length: 8 }, () => channel<number>({ capacity: 2 }));
    const given = merge(rooms.map(({ receiver }) => receiver));
    const sent = rooms.map(async ({ sender }, room) => {
      for (let n = 0; n < 50; n += 1) await sender.send(room * 100 + n);
      sender.close();
    });
    const got = await collect(given, all);
    await Promise.all(sent);
    expect(got).toHaveLength(400);
    for (let room = 0; room < 8; room += 1) {
      const own = got.filter((n) => Math.floor(n / 100) === room);
      expect(own).toEqual(Array.from({ length: 50 }, (_, n) => room * 100 + n));
    }
  });

  test("infers one item type, or a union", () => {
    expectTypeOf(merge([range(0, 1), [1]])).toExtend<Stream<number>>();
    expectTypeOf(merge([range(0, 1), ["a"]])).toEqualTypeOf<Merge<number | string>>();
    expectTypeOf(merge([[Promise.resolve(true)]])).toEqualTypeOf<Merge<boolean>>();
    expectTypeOf(merge<readonly [number, number]>([])).toEqualTypeOf<Merge<readonly [number, number]>>();
  });
});
