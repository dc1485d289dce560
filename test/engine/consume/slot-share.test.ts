import { expect, test } from "vitest";
import { slotShare } from "../../../src/engine/consume/slot-share.js";
import { range } from "../../support/open-engine.js";

test("slotShare(), the shares of nodes in a KEYED subscription leave no node out", () => {
  const sharesOf = (...consumers: number[]): number[] => {
    const members = consumers.map((count, session) => ({ session, consumers: count, facts: "[]" }));
    return members.map(({ session, consumers: count }) => slotShare(members, session, count));
  };
  expect(sharesOf(1, 1)).toEqual([16, 16]);
  expect(sharesOf(31, 1, 1)).toEqual([30, 1, 1]);
  expect(sharesOf(1000, 0, 1)).toEqual([31, 0, 1]);
  expect(Math.min(...sharesOf(...range(0, 20).map(() => 1)))).toBe(1);
});
