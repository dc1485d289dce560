import { describe, expect, test } from "vitest";
import { Claim } from "../../../../src/engine/consume/records/claim.js";
import { HeldClaims } from "../../../../src/engine/consume/records/held-claims.js";
import type { ClaimKind } from "../../../../src/store/index.js";

const span = (firstOffset: number, nextOffset: number) => ({ firstOffset, nextOffset });

/** A claim of these offsets, whose attempts count from above 1. */
function claimOf(claimId: number, [first, next]: readonly [number, number], kind: ClaimKind = "block"): Claim {
  return new Claim({ claimId, kind, slot: 0, todo: [span(first, next)] }, 1);
}

function heldOf(...claims: readonly Claim[]): HeldClaims {
  const held = new HeldClaims();
  for (const claim of claims) held.add(claim);
  return held;
}

describe("HeldClaims", () => {
  test("lowestOffset follows what is settled, taken and released", () => {
    const [low, high] = [claimOf(1, [10, 20]), claimOf(2, [30, 40])];
    const held = heldOf(high, low);
    expect(held.lowestOffset).toBe(10);
    low.todo.delete(10, 15);
    expect(held.lowestOffset).toBe(15);
    const lower = claimOf(3, [5, 7]);
    held.add(lower);
    expect(held.lowestOffset).toBe(5);
    held.delete(lower);
    held.delete(low);
    expect(held.lowestOffset).toBe(30);
    held.delete(high);
    expect(held.lowestOffset).toBe(Number.POSITIVE_INFINITY);
  });

  test("lowestOffset distinguishes a lost claim from one that was taken again with its id", () => {
    const held = heldOf(claimOf(1, [10, 20]));
    expect(held.lowestOffset).toBe(10);
    held.add(claimOf(1, [12, 20]));
    expect(held.lowestOffset).toBe(12);
  });

  test("lowestOffset leaves out redriven records, whenever they arrive", () => {
    const held = heldOf(claimOf(1, [10, 20]), claimOf(2, [1, 2], "redriven"));
    expect(held.lowestOffset).toBe(10);
    held.add(claimOf(3, [2, 3], "redriven"));
    expect(held.lowestOffset).toBe(10);
  });

  test("lowestUnread is the lowest of all claims, without redriven records", () => {
    const one = claimOf(1, [10, 20]);
    const held = heldOf(one, claimOf(2, [30, 40]), claimOf(3, [1, 2], "redriven"));
    expect(held.lowestUnread).toBe(10);
    one.unread.delete(10, 20);
    expect(held.lowestUnread).toBe(30);
    expect(heldOf().lowestUnread).toBe(Number.POSITIVE_INFINITY);
  });

  test("settle() removes ranges from the claims that have them, unless their attempt precedes a Seek", () => {
    const [one, other, none] = [claimOf(1, [10, 20]), claimOf(2, [20, 30]), claimOf(3, [50, 60])];
    const held = heldOf(one, other, none);
    held.settle([
      { ...span(0, 5), attempt: 2 },
      { ...span(12, 13), attempt: 1 },
      { ...span(18, 22), attempt: 2 },
      { ...span(25, 26), attempt: 3 },
      { ...span(40, 45), attempt: 2 },
    ]);
    expect([...one.todo]).toEqual([span(10, 18)]);
    expect([...other.todo]).toEqual([span(22, 25), span(26, 30)]);
    expect([...none.todo]).toEqual([span(50, 60)]);
  });
});
