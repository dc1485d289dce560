import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Claim } from "../../../../src/engine/consume/records/claim.js";
import { HeldRuns } from "../../../../src/engine/consume/records/held-runs.js";
import { type HeldRun, recordsIn } from "../../../../src/engine/consume/records/record-run.js";
import { range } from "../../../support/open-engine.js";

const offsetsMax = 60;

/** The model: a consumer's records, one entry each. */
interface Kept {
  readonly size: number;
  readonly deliveries: number;
  deadlineMs: number;
}

type Command =
  | {
      readonly kind: "add";
      readonly first: number;
      readonly count: number;
      readonly deliveries: number;
      readonly sizes: number;
    }
  | {
      readonly kind: "use";
      readonly ranges: readonly (readonly [number, number])[];
      readonly attempt: number;
      readonly keep: boolean;
    }
  | { readonly kind: "late"; readonly nowMs: number }
  | { readonly kind: "delivered"; readonly first: number; readonly next: number; readonly deadlineMs: number };

const offset = fc.nat(offsetsMax);
const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("add" as const),
    first: offset,
    count: fc.integer({ min: 1, max: 12 }),
    deliveries: fc.nat(2),
    sizes: fc.nat(2),
  }),
  fc.record({
    kind: fc.constant("use" as const),
    ranges: fc.array(fc.tuple(offset, fc.integer({ min: 1, max: 15 })), { maxLength: 5 }),
    attempt: fc.nat(3),
    keep: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("late" as const), nowMs: fc.nat(100) }),
  fc.record({ kind: fc.constant("delivered" as const), first: offset, next: offset, deadlineMs: fc.nat(100) }),
);

/** Ascending, disjoint ranges. */
function apart(ranges: readonly (readonly [number, number])[]): { firstOffset: number; nextOffset: number }[] {
  let at = 0;
  return [...ranges]
    .sort(([one], [other]) => one - other)
    .flatMap(([first, count]) => {
      const firstOffset = Math.max(at, first);
      const nextOffset = first + count;
      if (firstOffset >= nextOffset) return [];
      at = nextOffset;
      return [{ firstOffset, nextOffset }];
    });
}

describe("HeldRuns", () => {
  test("agrees with a map of offsets, for any calls", () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 40 }), (script) => {
        const claim = new Claim({ claimId: 1, kind: "slot", slot: 0, todo: [] }, 0);
        let counted = 0;
        const held = new HeldRuns((records) => (counted += records));
        const model = new Map<number, Kept>();
        for (const command of script) {
          switch (command.kind) {
            case "add": {
              const { first, deliveries, sizes } = command;
              // A consumer is never handed a record that it has.
              const count = range(first, first + command.count).findIndex((each) => model.has(each));
              const records = count === -1 ? command.count : count;
              if (records === 0) break;
              const each = range(0, records).map((index) => (sizes === 0 ? 10 : 10 + (index % (sizes + 1))));
              const state = { phase: "sending", deliveries, failures: 0, isNoted: false, deadlineMs: 50 } as const;
              held.add({
                claim,
                firstOffset: first,
                nextOffset: first + records,
                keyQueue: undefined,
                state,
                sizes: sizes === 0 ? 10 : each,
              });
              each.forEach((size, index) => model.set(first + index, { size, deliveries, deadlineMs: 50 }));
              break;
            }
            case "use": {
              const asked = apart(command.ranges);
              const wanted = asked.flatMap(({ firstOffset, nextOffset }) => range(firstOffset, nextOffset));
              const isMeant = (each: number): boolean => {
                const kept = model.get(each);
                return kept !== undefined && (command.attempt === 0 || kept.deliveries + 1 === command.attempt);
              };
              const used: number[] = [];
              const missing: number[] = [];
              const missed: number[] = [];
              held.use(
                asked.map((each, index) => ({ ...each, attempt: command.attempt, index })),
                (run) => {
                  used.push(...range(run.firstOffset, run.nextOffset));
                  return command.keep ? run : undefined;
                },
                (first, next, { index }) => {
                  missing.push(...range(first, next));
                  missed.push(...range(first, next).map(() => index));
                },
              );
              expect(used).toEqual(wanted.filter(isMeant));
              expect(missing).toEqual(wanted.filter((each) => !isMeant(each)));
              // Each missing record is returned with the range that contains it.
              const askedBy = (each: number): number =>
                asked.findIndex(({ firstOffset, nextOffset }) => firstOffset <= each && each < nextOffset);
              expect(missed).toEqual(missing.map(askedBy));
              if (!command.keep) for (const each of used) model.delete(each);
              break;
            }
            case "late": {
              const late: number[] = [];
              held.takeLate(command.nowMs, (run) => late.push(...range(run.firstOffset, run.nextOffset)));
              const expected = [...model]
                .filter(([, { deadlineMs }]) => deadlineMs <= command.nowMs)
                .map(([each]) => each);
              expect(late.sort((one, other) => one - other)).toEqual(expected.sort((one, other) => one - other));
              for (const each of late) model.delete(each);
              break;
            }
            case "delivered": {
              const { first, next, deadlineMs } = command;
              // The transport takes whole messages.
              const runs: HeldRun[] = [...held].filter((run) => run.firstOffset >= first && run.nextOffset <= next);
              for (const run of runs) {
                const wasSending = run.state.phase === "sending";
                held.delivered(run, deadlineMs);
                if (!wasSending) continue;
                for (const each of range(run.firstOffset, run.nextOffset))
                  (model.get(each) as Kept).deadlineMs = deadlineMs;
              }
              break;
            }
            default:
              command satisfies never;
          }
          const offsets = [...held].flatMap((run) => range(run.firstOffset, run.nextOffset));
          expect(offsets).toEqual([...model.keys()].sort((one, other) => one - other));
          expect(held.records).toBe(model.size);
          expect(held.bytes).toBe([...model.values()].reduce((sum, { size }) => sum + size, 0));
          expect(claim.outstanding).toBe(model.size);
          expect(counted).toBe(model.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("examines only existing runs, however long and many the ranges are", () => {
    const claim = new Claim({ claimId: 1, kind: "slot", slot: 0, todo: [] }, 0);
    const held = new HeldRuns(() => undefined);
    for (let first = 0; first < 20_000; first += 2) {
      const state = { phase: "outstanding", deliveries: 0, failures: 0, isNoted: false, deadlineMs: 50 } as const;
      held.add({ claim, firstOffset: first, nextOffset: first + 1, keyQueue: undefined, state, sizes: 1 });
    }
    let taken = 0;
    let missing = 0;
    held.use(
      [{ firstOffset: 0, nextOffset: Number.MAX_SAFE_INTEGER, attempt: 0 }],
      (run) => {
        taken += recordsIn(run);
        return undefined;
      },
      () => (missing += 1),
    );
    expect([taken, missing, held.records]).toEqual([10_000, 10_000, 0]);
  });
});
