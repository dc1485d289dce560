import { describe, expect, test } from "vitest";
import {
  collect,
  deferred,
  from,
  mapError,
  pipe,
  recover,
  type Result,
  settle,
  take,
  tryCollect,
  tryFilter,
  tryFilterMap,
  tryMap,
} from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { until } from "../support/until.js";

const all = { limit: 100 };
const end = { done: true, value: undefined } as const;
const failure = new Error("the source failed");

/** Throws in a poll, without a promise. */
function* failingAtOnce() {
  yield 1;
  throw failure;
}

const failingSources = [
  ["at once", () => failingAtOnce()],
  ["later", () => tracked([1], { failWith: failure }).items],
] as const;

describe.each(failingSources)("of a source that fails %s", (_, open) => {
  test("mapError, throws the error that its function returns or throws", async () => {
    const named = mapError(open(), (cause) => new Error("named", { cause }));
    expect((await named.next()).value).toBe(1);
    expect(await failureOf(named.next())).toMatchObject({ message: "named", cause: failure });
    expect(await named.next()).toEqual(end);
    const thrown = pipe(
      open(),
      mapError(() => {
        throw new RangeError("thrown");
      }),
    );
    expect(await failureOf(collect(thrown, all))).toEqual(new RangeError("thrown"));
  });

  test("recover, continues with the source that its function returns or promises", async () => {
    const seen: unknown[] = [];
    const now = recover(open(), (error) => {
      seen.push(error);
      return ["a", "b"];
    });
    const items: (number | string)[] = await collect(now, all);
    expect(items).toEqual([1, "a", "b"]);
    expect(seen).toEqual([failure]);
    expect(
      await collect(
        pipe(
          open(),
          recover(async () => tracked([2, 3]).items),
        ),
        all,
      ),
    ).toEqual([1, 2, 3]);
  });

  test("recover, recovers once, and its function may throw", async () => {
    expect(
      await failureOf(
        collect(
          recover(open(), () => open()),
          all,
        ),
      ),
    ).toBe(failure);
    const twice = pipe(
      open(),
      recover(() => open()),
      recover(() => [9]),
    );
    expect(await collect(twice, all)).toEqual([1, 1, 9]);
    const other = new Error("other");
    const rejecting = recover(open(), () => Promise.reject(other));
    expect((await rejecting.next()).value).toBe(1);
    expect(await failureOf(rejecting.next())).toBe(other);
    expect(await rejecting.next()).toEqual(end);
  });

  test("settle, returns the error as the last item", async () => {
    const results = settle(open());
    expect(await results.next()).toEqual({ done: false, value: { ok: true, value: 1 } });
    expect(await results.next()).toEqual({ done: false, value: { ok: false, error: failure } });
    expect(await results.next()).toEqual(end);
    expect(await tryCollect(settle(open()), all)).toEqual({ ok: false, error: failure });
  });
});

test("recover, closes the current source", async () => {
  const first = tracked([1], { failWith: failure });
  const second = tracked([2, 3]);
  expect(
    await collect(
      take(
        recover(first.items, () => second.items),
        2,
      ),
      all,
    ),
  ).toEqual([1, 2]);
  expect(first.closed).toBe(0);
  expect(second).toMatchObject({ pulled: 1, closed: 1 });
});

test("recover, closed while its function runs, aborts its signal and closes the source that it returns then", async () => {
  const found = deferred<AsyncIterable<number>>();
  let signal: AbortSignal | undefined;
  const stream = recover(tracked<number>([], { failWith: failure }).items, (_, context) => {
    ({ signal } = context);
    return found.promise;
  });
  const parked = stream.next();
  await until(() => signal !== undefined);
  await stream.return();
  expect(await parked).toEqual(end);
  expect(signal?.aborted).toBe(true);
  let closed = 0;
  const late = from([7]);
  const close = late.close.bind(late);
  late.close = () => {
    closed += 1;
    return close();
  };
  found.resolve(late);
  await until(() => closed === 1);
});

describe("tryMap, tryFilter and tryFilterMap", () => {
  const bad = new Error("bad");
  const before: Result<number> = { ok: false, error: "before" };
  const results: Result<number>[] = [{ ok: true, value: 1 }, before, { ok: true, value: 2 }, { ok: true, value: 3 }];
  const failAt2 = <U>(n: number, value: U): U => {
    if (n === 2) throw bad;
    return value;
  };

  test("turn an error of their function into the item's result, and pass on errors", async () => {
    const failed = { ok: false, error: bad };
    const later = async <U>(n: number, value: U) => failAt2(n, value);
    const mapped = [before, failed, { ok: true, value: 30 }];
    for (const f of [failAt2, later]) {
      expect(
        await collect(
          tryMap(results, (n) => f(n, n * 10)),
          all,
        ),
      ).toEqual([{ ok: true, value: 10 }, ...mapped]);
      expect(
        await collect(
          tryFilter(results, (n) => f(n, n > 1)),
          all,
        ),
      ).toEqual([before, failed, results[3]]);
      expect(
        await collect(
          tryFilterMap(results, (n) => f(n, n > 1 ? n * 10 : undefined)),
          all,
        ),
      ).toEqual(mapped);
    }
  });

  test("infer in a pipe", async () => {
    const long: Result<string[]> = await pipe(
      ["1", "22", "333"],
      settle(),
      tryFilter((text): text is "22" | "333" => text.length > 1),
      tryMap((text: "22" | "333") => text.length),
      tryFilterMap((length) => (length > 2 ? "x".repeat(length) : undefined)),
      tryCollect(all),
    );
    expect(long).toEqual({ ok: true, value: ["xxx"] });
  });

  test("end with an error of the source itself", async () => {
    const source = tracked<Result<number>>(results, { failWith: failure });
    expect(
      await failureOf(
        collect(
          tryMap(source.items, (n) => n),
          all,
        ),
      ),
    ).toBe(failure);
  });
});
