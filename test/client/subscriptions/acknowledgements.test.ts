import { describe, expect, test } from "vitest";
import { Acknowledgements, emptyRequest } from "../../../src/client/subscriptions/acknowledgements.js";
import type { OffsetRange, RangeSet } from "../../../src/core/index.js";
import { ConsumeRequest } from "../../../src/gen/millrace/v1/subscription_service.js";

const at = (firstOffset: number, nextOffset = firstOffset + 1) => ({ firstOffset, nextOffset });

const say = (offsets: RangeSet, { firstOffset, nextOffset }: OffsetRange) => offsets.add(firstOffset, nextOffset);

describe("Acknowledgements", () => {
  test("merges adjacent offsets, and keeps different verdicts apart", () => {
    const outbox = new Acknowledgements();
    for (const offset of [3, 1, 2, 9]) say(outbox.withVerdict({ kind: "acknowledge" }, 1), at(offset));
    say(outbox.withVerdict({ kind: "acknowledge" }, 2), at(4));
    for (const offset of [20, 21])
      say(outbox.withVerdict({ kind: "reject", delayMs: undefined, reason: "x" }, 1), at(offset));
    say(outbox.withVerdict({ kind: "reject", delayMs: undefined, reason: "x" }, 3), at(22));
    say(outbox.withVerdict({ kind: "reject", delayMs: 1500, reason: "x" }, 3), at(23));
    say(outbox.withVerdict({ kind: "park", reason: "y" }, 5), at(30));
    say(outbox.withVerdict({ kind: "release" }, 2), at(40, 50));
    say(outbox.withExtension(1, undefined), at(60));
    say(outbox.withExtension(1, 5000), at(61));
    say(outbox.withExtension(4, 5000), at(62));
    outbox.window = { records: 1, bytes: 1 };
    outbox.window = { records: 2, bytes: 3 };
    expect(outbox.take()).toEqual({
      ...emptyRequest,
      window: { records: 2, bytes: 3 },
      acknowledge: [
        { offsets: at(1, 4), attempt: 1 },
        { offsets: at(9), attempt: 1 },
        { offsets: at(4), attempt: 2 },
      ],
      reject: [
        { offsets: at(20, 22), attempt: 1, delay: undefined, reason: "x" },
        { offsets: at(22), attempt: 3, delay: undefined, reason: "x" },
        { offsets: at(23), attempt: 3, delay: { seconds: 1, nanos: 500_000_000 }, reason: "x" },
      ],
      park: [{ offsets: at(30), attempt: 5, reason: "y" }],
      release: [{ offsets: at(40, 50), attempt: 2 }],
      extend: [
        { offsets: at(60), attempt: 1, by: undefined },
        { offsets: at(61), attempt: 1, by: { seconds: 5, nanos: 0 } },
        { offsets: at(62), attempt: 4, by: { seconds: 5, nanos: 0 } },
      ],
    });
    expect(outbox.isEmpty).toBe(true);
  });

  test("splits what does not fit one message: over 10,000 ranges, or many reasons", () => {
    const outbox = new Acknowledgements();
    const reason = "ß".repeat(512);
    for (let offset = 0; offset < 24_000; offset += 2) say(outbox.withVerdict({ kind: "acknowledge" }, 1), at(offset));
    for (let offset = 0; offset < 3000; offset++) {
      say(outbox.withVerdict({ kind: "reject", delayMs: offset % 2, reason }, 1 + (offset % 3)), at(50_000 + offset));
    }
    const acknowledged = new Set<number>();
    const rejected = new Set<number>();
    let messages = 0;
    while (!outbox.isEmpty) {
      const request = outbox.take();
      messages += 1;
      const { acknowledge, reject } = request;
      expect(acknowledge.length + reject.length).toBeLessThanOrEqual(10_000);
      expect(ConsumeRequest.encode(request).finish().length).toBeLessThan(2_000_000);
      for (const { offsets } of acknowledge) acknowledged.add(offsets?.firstOffset ?? -1);
      for (const { offsets } of reject) rejected.add(offsets?.firstOffset ?? -1);
    }
    expect(acknowledged.size).toBe(12_000);
    expect(rejected.size).toBe(3000);
    expect(messages).toBeLessThan(12);
  });
});
