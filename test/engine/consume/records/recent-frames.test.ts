import { describe, expect, test } from "vitest";
import { RecentFrames } from "../../../../src/engine/consume/records/recent-frames.js";
import { range } from "../../../support/open-engine.js";

const at = (offset: number, count = 1) => ({ firstOffset: offset, nextOffset: offset + count });

/** A page of records of one byte each; the byte is the offset. */
function addPage(recent: RecentFrames, first: number, records: number, onLook = (): void => undefined): void {
  const page = Uint8Array.from({ length: records }, (_, index) => first + index);
  const ends = Uint32Array.from({ length: records }, (_, index) => index + 1);
  const watched = new Proxy(ends, {
    get(target, name) {
      if (name === "length") onLook();
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  recent.add(first, page, watched);
}

describe("RecentFrames", () => {
  test("finds runs that are in one page, copies them, and finds no others", () => {
    const recent = new RecentFrames(10_000);
    addPage(recent, 10, 5);
    addPage(recent, 15, 5);
    expect(recent.find(at(12, 3))?.page).toEqual(Uint8Array.of(12, 13, 14));
    expect(recent.find(at(15))?.page).toEqual(Uint8Array.of(15));
    for (const missing of [at(9), at(9, 2), at(14, 2), at(20)]) expect(recent.find(missing)).toBeUndefined();
  });

  test("counts the memory of a page beside its bytes: at the end of a topic a page may be one small record", () => {
    const recent = new RecentFrames(100_000);
    for (const offset of range(0, 2000)) addPage(recent, offset, 1);
    expect(recent.find(at(1999))).toBeDefined();
    const kept = range(0, 2000).filter((offset) => recent.find(at(offset)) !== undefined);
    expect(kept.length).toBeLessThan(300);
    expect(recent.bytes).toBeLessThanOrEqual(100_000);
  });

  test("examines a few pages, however many there are", () => {
    const recent = new RecentFrames(10_000_000);
    let looks = 0;
    for (const offset of range(0, 2000)) addPage(recent, offset, 1, () => looks++);
    looks = 0;
    for (const offset of range(0, 2000)) expect(recent.find(at(offset))).toBeDefined();
    expect(looks).toBeLessThan(2000 * 10);
  });

  test("drops the earlier pages when reading continues from a lower offset", () => {
    const recent = new RecentFrames(10_000);
    addPage(recent, 100, 5);
    addPage(recent, 10, 5);
    addPage(recent, 15, 5);
    expect([at(10), at(19)].map((range) => recent.find(range)?.page[0])).toEqual([10, 19]);
  });
});
