import { describe, expect, test } from "vitest";
import { parseStart, parseUntil } from "../../src/cli/start-option.js";

describe("parseStart()", () => {
  const known: Record<string, unknown> = {
    earliest: "earliest",
    latest: "latest",
    "0": { offset: 0 },
    "42": { offset: 42 },
    "last:5": { last: 5 },
    "7:9": { position: { epoch: 7, offset: 9 } },
    "1970-01-01T00:00:01Z": { time: { seconds: 1, nanos: 0 } },
    "1970-01-01T01:00:00.000001+01:00": { time: { seconds: 0, nanos: 1000 } },
    "1970-01-02": { time: { seconds: 86_400, nanos: 0 } },
  };
  for (const [text, start] of Object.entries(known)) {
    test(`reads ${text}`, () => {
      expect(parseStart(text)).toEqual(start);
    });
  }

  for (const text of [
    "",
    "-1",
    "1.5",
    "last:",
    "last:-1",
    "1:",
    "2026-13-01T00:00:00Z",
    "9007199254740993",
    "EARLIEST",
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseStart(text)).toThrow("--start: ");
    });
  }
});

describe("parseUntil()", () => {
  test("reads offsets and times, and nothing else", () => {
    expect(parseUntil("3")).toEqual({ offset: 3 });
    expect(parseUntil("1970-01-01T00:00:01Z")).toEqual({ time: { seconds: 1, nanos: 0 } });
    expect(() => parseUntil("latest")).toThrow("--until: ");
  });
});
