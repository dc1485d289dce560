import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MillraceError, OffsetRange, ProducerState } from "../../../src/core/index.js";
import { judgeSequence, recordSequence } from "../../../src/engine/writing/producer-window.js";

/** Applies sequences as a topic does, and stores the result of each. */
function model(window = 4) {
  const given = new Map<string, OffsetRange>();
  let known: ProducerState | undefined;
  let next = 0;
  return {
    given,
    send(generation: number, sequence: number) {
      const stamp = { id: "p", generation, sequence };
      const verdict = judgeSequence(known, stamp);
      if (verdict.kind === "next") {
        const range = { firstOffset: next, nextOffset: next + 1 };
        next += 1;
        known = recordSequence(known, stamp, { range, window });
        given.set(`${generation}/${sequence}`, range);
      }
      return verdict;
    },
    get known() {
      return known;
    },
  };
}

describe("judgeSequence", () => {
  it("applies each sequence once, and answers a repeat with its first result", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(8)), { maxLength: 60 }), (sends) => {
        const topic = model();
        for (const [generation, sequence] of sends) {
          const before = topic.given.get(`${generation}/${sequence}`);
          const verdict = topic.send(generation, sequence);
          if (before !== undefined) expect(verdict.kind).not.toBe("next");
          if (verdict.kind === "repeated") expect(verdict.range).toEqual(before);
        }
      }),
    );
  });

  it.each([1, 2, 4])("keeps exactly the last %i sequences of a producer", (window) => {
    const topic = model(window);
    for (let count = 1; count <= 6; count++) {
      expect(topic.send(1, count - 1).kind).toBe("next");
      expect(topic.known?.recent).toHaveLength(Math.min(count, window));
      for (let sequence = 0; sequence < count; sequence++) {
        expect(topic.send(1, sequence).kind).toBe(sequence >= count - window ? "repeated" : "refused");
      }
    }
  });

  const known: ProducerState = {
    id: "p",
    generation: 3,
    nextSequence: 6,
    recent: [4, 5].map((offset) => ({ firstOffset: offset, nextOffset: offset + 1 })),
  };
  it.each([
    [
      "a gap of one",
      { id: "p", generation: 3, sequence: 7 },
      "producer-gap",
      'Producer "p" sent sequence 7, expected 6',
    ],
    [
      "a wider gap",
      { id: "p", generation: 3, sequence: 9 },
      "producer-gap",
      'Producer "p" sent sequence 9, expected 6',
    ],
    [
      "an old generation",
      { id: "p", generation: 2, sequence: 6 },
      "producer-fenced",
      'Producer "p" of generation 2 was fenced: generation 3 took over',
    ],
    [
      "a new generation that does not begin at 0",
      { id: "p", generation: 4, sequence: 6 },
      "producer-gap",
      'Producer "p" sent sequence 6, expected 0',
    ],
    [
      "a repeat beyond what is remembered",
      { id: "p", generation: 3, sequence: 1 },
      "producer-gap",
      'Producer "p" repeats sequence 1: it was applied, but only the last 2 are remembered, from 4 on',
    ],
  ])("refuses %s, with what was expected", (_name, stamp, code, message) => {
    const verdict = judgeSequence(known, stamp);
    expect(verdict.kind).toBe("refused");
    const { error } = verdict as { error: MillraceError };
    expect([error.code, error.message]).toEqual([code, message]);
  });
});
