import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Page } from "../../../src/core/index.js";
import type { PageMessage } from "../../../src/engine/index.js";
import { createTailBudget } from "../../../src/engine/topics/tail.js";
import { joinRuns } from "../../../src/wire/index.js";
import { framesOf } from "../../support/frames.js";
import { offsetsIn, range } from "../../support/open-engine.js";

const epoch = 9;

function pageOf(first: number, sizes: readonly number[]): Page {
  const frames = framesOf(sizes, first);
  return { first, next: first + sizes.length, endBytes: 0, frames: frames.bytes, hasRoom: false };
}

describe("Tail.read()", () => {
  it("returns, from any offset it has, whole records in order, within the requested bytes except for the first", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(300), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 }),
        fc.nat(1000),
        fc.integer({ min: 1, max: 1500 }),
        (pages, start, bytes) => {
          const tail = createTailBudget({ tailTopicBytes: 1e6, tailNodeBytes: 1e6 }).create(start);
          for (const sizes of pages) expect(tail.offer(pageOf(tail.next, sizes))).toBe(true);
          for (let from = start; from < tail.next; from++) {
            const page = tail.read(from, bytes, epoch) as PageMessage;
            const offsets = offsetsIn(page.runs);
            expect(offsets).toEqual(range(from, from + page.records));
            expect(page.next).toEqual({ epoch, offset: from + offsets.length });
            if (offsets.length > 1) expect(joinRuns(page.runs).length).toBeLessThanOrEqual(bytes);
          }
          expect(tail.read(tail.next, bytes, epoch)).toBeUndefined();
        },
      ),
    );
  });

  it("returns the same page to readers at the same place, which share one message", () => {
    const tail = createTailBudget({ tailTopicBytes: 1e6, tailNodeBytes: 1e6 }).create(0);
    tail.offer(pageOf(0, [10, 10]));
    const page = tail.read(0, 1000, epoch);
    expect(page?.isShared).toBe(true);
    expect(tail.read(0, 1000, epoch)).toBe(page);
    expect(tail.read(0, 1, epoch)).not.toBe(page);
  });
});

describe("Tail.offer()", () => {
  it("accepts a page only where it ends, so it never has a hole", () => {
    const tail = createTailBudget({ tailTopicBytes: 1e6, tailNodeBytes: 1e6 }).create(5);
    expect(tail.offer(pageOf(6, [10]))).toBe(false);
    expect(tail.offer(pageOf(5, [10]))).toBe(true);
    expect(tail.offer(pageOf(5, [10]))).toBe(false);
    expect([tail.first, tail.next]).toEqual([5, 6]);
  });

  it("drops the oldest pages above its bytes", () => {
    const tail = createTailBudget({ tailTopicBytes: 300, tailNodeBytes: 1e6 }).create(0);
    for (let page = 0; page < 10; page++) tail.offer(pageOf(page, [60]));
    expect(tail.bytes).toBeLessThanOrEqual(300);
    expect(tail.next).toBe(10);
    expect(tail.first).toBeGreaterThan(5);
    expect(tail.read(0, 1000, epoch)).toBeUndefined();
  });
});

describe("TailBudget", () => {
  it("empties the least recently used tails above the node's bytes", () => {
    const budget = createTailBudget({ tailTopicBytes: 1000, tailNodeBytes: 450 });
    const [oldest, used, newest] = [budget.create(0), budget.create(0), budget.create(0)];
    oldest.offer(pageOf(0, [100]));
    used.offer(pageOf(0, [100]));
    oldest.offer(pageOf(1, [20]));
    used.read(0, 1000, epoch);
    newest.offer(pageOf(0, [200]));
    expect(budget.bytes).toBeLessThanOrEqual(450);
    expect([oldest.bytes, oldest.first, oldest.next]).toEqual([0, 2, 2]);
    expect(used.bytes).toBeGreaterThan(0);
    expect(newest.bytes).toBeGreaterThan(0);
  });
});
