import fc from "fast-check";
import { expect } from "vitest";
import type { Stream } from "../../../src/streams/stream.js";
import type { ContractRow } from "./contract-rows.js";
import { afterPace, type Pace, Probe, type ProbePlan } from "./probe.js";
import { turns, until } from "./until.js";

/** What the contract says of an operator, checked with random sources: each rejects when it does not hold. */
export const checks: Readonly<Record<string, (row: ContractRow) => Promise<void>>> = {
  "gives what its model gives, and then always the end": givesItsModel,
  "asks for at most aheadMax items ahead of what it gave": asksNoFurtherAhead,
  "serves calls of next() that overlap in order": servesOverlappingCalls,
  "closes its sources once when a loop breaks off": closesItsSources,
  "gives a parked next() the end when it is closed, and tells its sources at once": endsParkedCalls,
  "throws its source's error once, after the items before it, and then gives the end": throwsOnce,
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

/** Takes what comes, at its own pace, up to `most`; tells the error that ended it. */
async function drain(stream: Stream<unknown>, paces: readonly Pace[] = ["now"], most = Infinity) {
  const items: unknown[] = [];
  let error: unknown;
  try {
    while (items.length < most) {
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
  if (row.order === "any") expect(got.map(keyOf).sort()).toEqual(wanted.map(keyOf).sort());
  else expect(got).toEqual(wanted);
}

/** What the contract says of a source that whoever pulled has done with. */
function expectDone(probe: Probe<number>): void {
  expect(probe.overlaps).toBe(0);
  expect(probe.returns).toBeLessThanOrEqual(1);
  if (probe.isBegun) expect(probe.cleanups).toBe(1);
}

function neededFor(row: ContractRow, inputs: readonly (readonly number[])[], given: number): number {
  if (row.needed !== undefined) return row.needed(inputs, given);
  const items = inputs[0] ?? [];
  for (let count = 0; count <= items.length; count += 1) {
    if (row.model([items.slice(0, count)], false).length >= given) return count;
  }
  return items.length;
}

async function isParkedOrOver(probes: readonly Probe<number>[], next: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  next.then(settle, settle);
  await until(() => isSettled || probes.every((probe) => probe.isParked || probe.cleanups > 0));
  await turns(4);
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
      probes.forEach(expectDone);
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
      probes.forEach(expectDone);
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
      // What a source had under way may take one turn more: nobody waits for that.
      await turns(3);
      const wanted = row.model(inputs, true);
      if (row.order === "any") expect(wanted.map(keyOf)).toEqual(expect.arrayContaining(items.map(keyOf)));
      else expect(items).toEqual(wanted.slice(0, items.length));
      probes.forEach(expectDone);
      const asked = probes.map((probe) => probe.asked);
      expect(await stream.next()).toEqual(end);
      await stream.return();
      await turns(2);
      expect(probes.map((probe) => probe.asked)).toEqual(asked);
      probes.forEach(expectDone);
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
      for (let given = 0; await isParkedOrOver(probes, next); given += 1) {
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
      probes.forEach(expectDone);
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
        expectItems(row, items, wanted.items);
        expect(error).toEqual(wanted.error);
      } else {
        expectItems(row, items, row.model(before, false));
        expect(error).toBe(first.error);
      }
      for (let again = 0; again < 2; again += 1) expect(await stream.next()).toEqual(end);
      await turns(3);
      probes.forEach(expectDone);
    }),
    { numRuns },
  );
}
