import { describe, expect, test } from "vitest";
import { ReadResponse } from "../../src/gen/millrace/v1/record_service.js";
import { encodePage, encodeReadMessage } from "../../src/rpc/reader-messages.js";
import { withoutPrefix } from "../../src/wire/index.js";
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

describe("encodeReadMessage()", () => {
  const next = { epoch: 5, offset: 1 };
  const page = { kind: "page", runs: [framesOf([1], 0).bytes], records: 1, next } as const;
  const endOf = (message: Buffer) => ReadResponse.decode(withoutPrefix(message)).endOffset;

  test("tells the end of a read, 0 too, in a page and in what was skipped", () => {
    const skipped = { kind: "skipped", reason: "trimmed", firstOffset: 0, nextOffset: 1, next } as const;
    for (const message of [page, { ...page, runs: [] }, skipped]) {
      expect(endOf(encodeReadMessage({ ...message, endOffset: 0 }))).toBe(0);
      expect(endOf(encodeReadMessage({ ...message, endOffset: 2 ** 53 - 1 }))).toBe(2 ** 53 - 1);
      expect(endOf(encodeReadMessage(message))).toBeUndefined();
    }
  });

  test("keeps no message with an end for the readers that share its page", () => {
    const first = { ...page, isShared: true, endOffset: 7 };
    expect(endOf(encodeReadMessage(first))).toBe(7);
    expect(endOf(encodePage(first))).toBeUndefined();
    const shared = encodePage(first);
    expect(endOf(encodeReadMessage(first))).toBe(7);
    expect(encodePage(first)).toBe(shared);
    expect(endOf(shared)).toBeUndefined();
  });
});
