import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BatchOrder,
  type CommitPlan,
  planCommit,
  type TopicView,
} from "../../../src/engine/writing/commit-plan.js";
import { batchOf } from "../../support/frames.js";

const options = { topic: "orders", producerWindow: 64, failedCalls: new WeakSet<object>() };

function viewAt(nextOffset: number, isClosed = false): TopicView {
  const head = {
    topicId: 1,
    epoch: 1,
    version: 1,
    earliestOffset: 0,
    nextOffset,
    earliestBytes: 0,
    nextBytes: 0,
    lastTimeMicros: 0,
    closed: isClosed,
    keyed: false,
    tombstonesFrom: 0,
    expiring: false,
  };
  return { head, producers: new Map() };
}

function order(records: number, more: Partial<BatchOrder> = {}): BatchOrder {
  return {
    batch: batchOf(Array.from({ length: records }, () => 1)),
    expectedOffset: undefined,
    producer: undefined,
    call: {},
    ...more,
  };
}

function summary(plan: CommitPlan): string[] {
  return plan.fates.map((fate) =>
    fate.kind === "refused" ? fate.error.code : `${fate.kind} ${fate.range.firstOffset}-${fate.range.nextOffset}`,
  );
}

describe("planCommit", () => {
  it("assigns offsets to accepted batches, in order and without a gap", () => {
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.option(fc.nat(120), { nil: undefined }))),
        (next, sent) => {
          const orders = sent.map(([records, expectedOffset]) => order(records, { expectedOffset }));
          const plan = planCommit(viewAt(next), orders, options);
          let offset = next;
          plan.fates.forEach((fate, index) => {
            if (fate.kind !== "appended") return;
            expect(fate.range).toEqual({ firstOffset: offset, nextOffset: offset + (sent[index]?.[0] ?? 0) });
            offset = fate.range.nextOffset;
          });
          expect(plan.records).toBe(offset - next);
          expect(plan.appended).toHaveLength(plan.fates.filter((fate) => fate.kind === "appended").length);
        },
      ),
    );
  });

  it("refuses a batch at the wrong offset, and everything after it in its call, but not other calls", () => {
    const call = {};
    const orders = [
      order(2, { call, expectedOffset: 10 }),
      order(1, { call, expectedOffset: 11 }),
      order(1, { call }),
      order(3),
    ];
    expect(summary(planCommit(viewAt(10), orders, options))).toEqual([
      "appended 10-12",
      "offset-mismatch",
      "call-ended",
      "appended 12-15",
    ]);
  });

  it("answers a sequence that occurs twice in one commit with the same offsets", () => {
    const producer = { id: "p", generation: 0, sequence: 0 };
    const orders = [
      order(2, { producer }),
      order(2, { producer }),
      order(1, { producer: { ...producer, sequence: 1 } }),
    ];
    const plan = planCommit(viewAt(0), orders, options);
    expect(summary(plan)).toEqual(["appended 0-2", "repeated 0-2", "appended 2-3"]);
    expect(plan.producers).toEqual([
      {
        id: "p",
        generation: 0,
        nextSequence: 2,
        recent: [
          { firstOffset: 0, nextOffset: 2 },
          { firstOffset: 2, nextOffset: 3 },
        ],
      },
    ]);
  });

  it("accepts nothing into a closed topic, but still answers repeats", () => {
    const producer = { id: "p", generation: 0, sequence: 0 };
    const known = { id: "p", generation: 0, nextSequence: 1, recent: [{ firstOffset: 3, nextOffset: 4 }] };
    const view = { ...viewAt(4, true), producers: new Map([["p", known]]) };
    expect(summary(planCommit(view, [order(1), order(1, { producer })], options))).toEqual([
      "topic-closed",
      "repeated 3-4",
    ]);
  });
});
