import { describe, expect, test } from "vitest";
import { encodePage } from "../../src/rpc/reader-messages.js";
import { framesOf } from "../support/frames.js";

describe("encodePage()", () => {
  const page = { kind: "page", runs: [framesOf([1], 0).bytes], records: 1, next: { epoch: 5, offset: 1 } } as const;

  test("makes one message of a page that many readers receive", () => {
    const shared = { ...page, isShared: true };
    expect(encodePage(shared)).toBe(encodePage(shared));
    expect(encodePage({ ...shared })).not.toBe(encodePage(shared));
  });

  test("keeps no message of a page that one reader receives", () => {
    expect(encodePage(page)).not.toBe(encodePage(page));
    expect(encodePage(page)).toEqual(encodePage(page));
  });
});
