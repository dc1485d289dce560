import fc from "fast-check";
import { expect } from "vitest";
import { withSignal } from "../../../src/streams/index.js";
import type { Stream } from "../../../src/streams/stream.js";
import { abortListeners } from "../listeners.js";
import type { ContractRow } from "./contract-row.js";
import { failureOf } from "./failure-of.js";
import { afterPace, type Pace, Probe, type ProbePlan } from "./probe.js";
import { turns, until } from "./until.js";

/** The rules of the contract, checked with random sources. A check rejects when the operator breaks its rule. */
export const checks: Readonly<Record<string, (row: ContractRow) => Promise<void>>> = {
  "returns the items of its model, and then always the end": givesItsModel,
  "pulls at most aheadMax items ahead of those that it returned": asksNoFurtherAhead,
  "serves overlapping calls of next() in order": servesOverlappingCalls,
  "closes its sources once when a loop breaks off": closesItsSources,
  "ends a pending next() when it is closed, and closes its sources at once": endsParkedCalls,
  "closes its sources at once when a signal aborts it": endsAtAbort,
  "throws its source's error once, after the items before it, and then always ends": throwsOnce,
};

const numRuns = 40;
const end = { done: true, value: undefined } as const;

const anyPace = fc.constantFrom<Pace>("now", "microtask", "immediate");
const anyPaces = fc.oneof(fc.constant<Pace[]>(["now"]), fc.array(anyPace, { minLength: 1, maxLength: 5 }));
const anyPlan: fc.Arbitrary<ProbePlan<number>> = fc.record({
  items: fc.array(fc.nat(9), { maxLength: 14 }),
  kind: fc.constantFrom("iterable", "generator", "stream"),
  paces: anyPaces,
});

/** Plans for all sources of a row. */
function plansFor(row: ContractRow): fc.Arbitrary<ProbePlan<number>[]> {
  const sources = row.sources ?? 1;
  return fc.array(anyPlan, { minLength: sources, maxLength: sources });
}

function open(row: ContractRow, plans: readonly ProbePlan<number>[]) {
  const probes = plans.map((plan) => new Probe(plan));
  const [first] = probes;
  if (first === undefined) throw new Error("A row has a source");
  return {
    probes,
    first,
    stream: row.open(...probes.map((probe) => probe.source)),
    inputs: plans.map((plan) => plan.items),
  };
}

/** Takes up to `itemsMax` items, at its own pace. Returns them, and the error that ended the stream. */
async function drain(stream: Stream<unknown>, paces: readonly Pace[] = ["now"], itemsMax = Infinity) {
  const items: unknown[] = [];
  let error: unknown;
  try {
    while (items.length < itemsMax) {
      const result = await stream.next();
      if (result.done === true) break;
      items.push(result.value);
      const pace = paces[items.length % paces.length] ?? "now";
      if (pace !== "now") await new Promise<void>((resolve) => afterPace(pace, resolve));
    }
  } catch (thrown) {
    error = thrown;
  }
  return { items, error };
}

const keyOf = (item: unknown): string => JSON.stringify(item);

function expectItems(row: ContractRow, got: readonly unknown[], wanted: readonly unknown[]): void {
  if (row.order !== "any") {
    expect(got).toEqual(wanted);
    return;
  }
  expect(got.map(keyOf).sort()).toEqual(wanted.map(keyOf).sort());
  const { sourceOf } = row;
  if (sourceOf === undefined) return;
  const inOrder = (items: readonly unknown[]) => [...items].sort((a, b) => sourceOf(a) - sourceOf(b));
  expect(inOrder(got)).toEqual(inOrder(wanted));
}

/** Expects the mixed items of several sources, the first of which failed: all of its items, and earlier ones of the others. */
function expectMixed(row: ContractRow, got: readonly unknown[], wanted: readonly unknown[]): void {
  for (let source = 0; source < (row.sources ?? 1); source += 1) {
    const from = (items: readonly unknown[]) => items.filter((item) => row.sourceOf?.(item) === source);
    const some = from(got);
    expect(some).toEqual(source === 0 ? from(wanted) : from(wanted).slice(0, some.length));
  }
}

/** What the contract demands of a source after the last pull. */
function expectDone(row: ContractRow, probe: Probe<number>): void {
  expect(probe.overlaps).toBe(0);
  expect(probe.returns).toBeLessThanOrEqual(1);
  if (probe.isBegun) expect(probe.cleanups).toBe(1);
  // A stream is open even before the first pull: a sender may wait for it.
  if (probe.plan.kind === "stream" && row.opensSources !== true)
    expect(probe.returns + probe.cleanups).toBeGreaterThan(0);
}

function neededFor(row: ContractRow, inputs: readonly (readonly number[])[], given: number): number {
  if (row.needed !== undefined) return row.needed(inputs, given);
  const items = inputs[0] ?? [];
  for (let count = 0; count <= items.length; count += 1) {
    if (row.model([items.slice(0, count)], false).length >= given) return count;
  }
  return items.length;
}

/** Waits until a call has settled, or a source is parked and the others are pulled no further. Returns whether it settled. */
async function isSettledBeforeParked(probes: readonly Probe<number>[], next: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  next.then(settle, settle);
  const asked = () => probes.reduce((count, probe) => count + probe.asked, 0);
  await until(() => isSettled || probes.some((probe) => probe.isParked));
  for (let before = -1; !isSettled && before !== asked(); ) {
    before = asked();
    await turns(6);
  }
  return isSettled;
}

async function givesItsModel(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), anyPaces, async (plans, paces) => {
      const { stream, probes, inputs } = open(row, plans);
      const { items, error } = await drain(stream, paces);
      expect(error).toBeUndefined();
      expectItems(row, items, row.model(inputs, true));
      for (let again = 0; again < 3; again += 1) expect(await stream.next()).toEqual(end);
      await turns(2);
      for (const probe of probes) expectDone(row, probe);
    }),
    { numRuns },
  );
}

async function asksNoFurtherAhead(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), async (plans) => {
      const { stream, probes, inputs } = open(row, plans);
      const total = row.model(inputs, true).length;
      const asked = () => probes.reduce((count, probe) => count + probe.asked, 0);
      await turns(2);
      expect(asked()).toBe(0);
      for (let given = 1; given <= total; given += 1) {
        expect((await stream.next()).done).toBe(false);
        await turns(3);
        expect(asked()).toBeLessThanOrEqual(neededFor(row, inputs, given) + row.aheadMax);
      }
      await stream.return();
    }),
    { numRuns },
  );
}

async function servesOverlappingCalls(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), async (plans) => {
      const { stream, inputs, probes } = open(row, plans);
      const wanted = row.model(inputs, true);
      const results = await Promise.all(Array.from({ length: wanted.length + 2 }, () => stream.next()));
      expectItems(
        row,
        results.slice(0, wanted.length).map((result) => result.value),
        wanted,
      );
      expect(results.slice(wanted.length)).toEqual([end, end]);
      await turns(2);
      for (const probe of probes) expectDone(row, probe);
    }),
    { numRuns },
  );
}

async function closesItsSources(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), fc.nat(14), anyPaces, async (plans, at, paces) => {
      const { stream, probes, inputs } = open(row, plans);
      const { items } = await drain(stream, paces, at);
      expect(await stream.return()).toEqual(end);
      // A pending pull of a source may take one more turn: the stream does not wait for it.
      await turns(3);
      const wanted = row.model(inputs, true);
      if (row.order === "any") expect(wanted.map(keyOf)).toEqual(expect.arrayContaining(items.map(keyOf)));
      else expect(items).toEqual(wanted.slice(0, items.length));
      for (const probe of probes) expectDone(row, probe);
      const asked = probes.map((probe) => probe.asked);
      expect(await stream.next()).toEqual(end);
      await stream.return();
      await turns(2);
      expect(probes.map((probe) => probe.asked)).toEqual(asked);
      for (const probe of probes) expectDone(row, probe);
    }),
    { numRuns },
  );
}

async function endsParkedCalls(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), fc.nat(14), async (plans, at) => {
      const parked = plans.map((plan) => ({ ...plan, parkAt: Math.min(at, plan.items.length) }));
      const { stream, probes, inputs } = open(row, parked);
      let next = stream.next();
      for (let given = 0; await isSettledBeforeParked(probes, next); given += 1) {
        if ((await next).done === true) return;
        expect(given).toBeLessThanOrEqual(row.model(inputs, true).length);
        next = stream.next();
      }
      const closing = stream.return();
      expect(await next).toEqual(end);
      expect(await closing).toEqual(end);
      for (const probe of probes) if (probe.isBegun && probe.cleanups === 0) expect(probe.returns).toBe(1);
      for (const probe of probes) probe.release();
      await turns(4);
      for (const probe of probes) expectDone(row, probe);
      expect(await stream.next()).toEqual(end);
    }),
    { numRuns },
  );
}

async function throwsOnce(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), fc.nat(14), anyPaces, async (plans, at, paces) => {
      const [plan, ...others] = plans as [ProbePlan<number>, ...ProbePlan<number>[]];
      const failAt = Math.min(at, plan.items.length);
      const { stream, probes, first } = open(row, [{ ...plan, failAt }, ...others]);
      const before = [plan.items.slice(0, failAt), ...others.map((other) => other.items)];
      const { items, error } = await drain(stream, paces);
      if (row.isDone?.(before) === true) {
        expectItems(row, items, row.model(before, true));
        expect(error).toBeUndefined();
      } else if (row.failing !== undefined) {
        const wanted = row.failing(before, first.error);
        if (wanted !== undefined) {
          expectItems(row, items, wanted.items);
          expect(error).toEqual(wanted.error);
        }
      } else if (row.sourceOf !== undefined) {
        expectMixed(row, items, row.model(before, false));
        expect(error).toBe(first.error);
      } else {
        expectItems(row, items, row.model(before, false));
        expect(error).toBe(first.error);
      }
      for (let again = 0; again < 2; again += 1) expect(await stream.next()).toEqual(end);
      await turns(3);
      for (const probe of probes) expectDone(row, probe);
    }),
    { numRuns },
  );
}

async function endsAtAbort(row: ContractRow): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plansFor(row), fc.nat(14), async (plans, at) => {
      const parked = plans.map((plan) => ({ ...plan, parkAt: Math.min(at, plan.items.length) }));
      const { stream: opened, probes } = open(row, parked);
      const controller = new AbortController();
      const stream = withSignal(opened, controller.signal);
      let next = stream.next();
      while (await isSettledBeforeParked(probes, next)) {
        if ((await next).done === true) return;
        next = stream.next();
      }
      const reason = new Error("enough");
      controller.abort(reason);
      expect(await failureOf(next)).toBe(reason);
      for (const probe of probes) if (probe.isBegun && probe.cleanups === 0) expect(probe.returns).toBe(1);
      for (const probe of probes) probe.release();
      await turns(4);
      for (const probe of probes) expectDone(row, probe);
      expect(await stream.next()).toEqual(end);
      expect(abortListeners(controller.signal)).toBe(0);
    }),
    { numRuns },
  );
}
