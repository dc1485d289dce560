import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type FailureRules,
  type RecordEvent,
  type RecordState,
  step,
  unread,
} from "../../../../src/engine/consume/records/record-life.js";

const rules: FailureRules = { attemptsMax: 3, retryMinMs: 100, retryMaxMs: 1000, canPark: true };

const events = fc.oneof(
  ...(["read", "acknowledged", "released", "left", "due", "fetched", "unkept"] as const).map((type) =>
    fc.constant({ type }),
  ),
  fc.constantFrom<RecordEvent>({ type: "written" }, { type: "elsewhere" }, { type: "claim-lost" }),
  fc.nat(1000).map((deadlineMs): RecordEvent => ({ type: "handed", deadlineMs })),
  fc.nat(1000).map((deadlineMs): RecordEvent => ({ type: "delivered", deadlineMs })),
  fc.nat(1000).map((deadlineMs): RecordEvent => ({ type: "extended", deadlineMs })),
  fc
    .option(fc.nat(50), { nil: undefined })
    .map((delayMs): RecordEvent => ({ type: "rejected", delayMs, reason: "no" })),
  fc.constantFrom<RecordEvent>(
    { type: "parked", reason: "bad" },
    { type: "deadline", reason: "late" },
    { type: "lost", reason: "lost" },
    { type: "noted", nowMs: 5 },
    { type: "unfetched", dueMs: 7 },
    { type: "restored", deliveries: 2, failures: 1, dueMs: 9 },
  ),
);

/** The state after some events. */
function after(types: readonly RecordEvent[], by: FailureRules = rules, from: RecordState = unread): RecordState {
  return types.reduce((state, event) => step(state, event, by), from);
}

const handed: readonly RecordEvent[] = [{ type: "read" }, { type: "handed", deadlineMs: 10 }];
const delivered: readonly RecordEvent[] = [...handed, { type: "delivered", deadlineMs: 20 }];
const redelivered: readonly RecordEvent[] = [{ type: "noted", nowMs: 0 }, { type: "due" }, { type: "fetched" }];

describe("step()", () => {
  test("counts no fewer deliveries than before, and never more failures than deliveries", () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 40 }), (said) => {
        let state = unread;
        for (const event of said) {
          const next = step(state, event, rules);
          expect(next.deliveries).toBeGreaterThanOrEqual(state.deliveries);
          expect(next.failures).toBeGreaterThanOrEqual(state.failures);
          expect(next.failures).toBeLessThanOrEqual(next.deliveries);
          expect(next.failures).toBeLessThanOrEqual(rules.attemptsMax);
          if (state.isNoted) expect(next.isNoted).toBe(true);
          if (state.phase === "gone") expect(next).toBe(state);
          state = next;
        }
      }),
    );
  });

  test("ends every phase when the record is settled elsewhere, or its claim is lost", () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 40 }), fc.constantFrom("elsewhere", "claim-lost"), (said, type) => {
        expect(step(after(said), { type }).phase).toBe("gone");
      }),
    );
  });

  test("settles only records that were acknowledged or trimmed", () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 40 }), events, (said, event) => {
        const [before, next] = [after(said), after([...said, event])];
        if (next.phase !== "settling" || before.phase === "settling") return;
        expect(["acknowledged", "unkept"]).toContain(event.type);
      }),
    );
  });

  test.each<[what: string, said: readonly RecordEvent[], next: Partial<RecordState> & object]>([
    [
      "a release",
      [...delivered, { type: "released" }],
      { phase: "noting", deliveries: 0, failures: 0, reason: undefined },
    ],
    [
      "a consumer that leaves in order",
      [...delivered, { type: "left" }],
      { phase: "noting", deliveries: 1, failures: 0 },
    ],
    ["a lost consumer", [...delivered, { type: "lost", reason: "x" }], { phase: "noting", deliveries: 1, failures: 1 }],
    [
      "a lost consumer that got nothing",
      [...handed, { type: "lost", reason: "x" }],
      { phase: "noting", deliveries: 1, failures: 0 },
    ],
    [
      "a deadline",
      [...delivered, { type: "deadline", reason: "x" }],
      { phase: "noting", deliveries: 1, failures: 1, delayMs: 0 },
    ],
    [
      "a transport that takes nothing",
      [...handed, { type: "deadline", reason: "x" }],
      { phase: "noting", deliveries: 1, failures: 0 },
    ],
    [
      "more time before the transport called back",
      [...handed, { type: "extended", deadlineMs: 99 }, { type: "delivered", deadlineMs: 20 }],
      { phase: "outstanding", deadlineMs: 99 },
    ],
    [
      "a second rejection",
      [
        ...delivered,
        { type: "rejected", delayMs: undefined, reason: "" },
        ...redelivered,
        ...delivered.slice(1),
        { type: "rejected", delayMs: undefined, reason: "" },
      ],
      { phase: "noting", deliveries: 2, failures: 2, delayMs: 200 },
    ],
    [
      "a verdict on a record that is noted already",
      [...delivered, { type: "released" }, { type: "acknowledged" }],
      { phase: "noting" },
    ],
  ])("counts deliveries and failures as the file says: %s", (_what, said, next) => {
    expect(after(said)).toMatchObject(next);
  });

  test("parks after the last attempt, unless there is no room for it", () => {
    const last: RecordState = { phase: "outstanding", deliveries: 4, failures: 2, isNoted: true, deadlineMs: 0 };
    const rejected: RecordEvent = { type: "rejected", delayMs: 0, reason: "no" };
    expect(step(last, rejected, rules)).toMatchObject({ phase: "parking", deliveries: 5, failures: 3, reason: "no" });
    expect(step(last, rejected, { ...rules, canPark: false })).toMatchObject({ phase: "noting", failures: 3 });
    expect(step(last, { type: "parked", reason: "" }, { ...rules, canPark: false })).toMatchObject({
      phase: "noting",
      delayMs: 1000,
    });
  });
});
