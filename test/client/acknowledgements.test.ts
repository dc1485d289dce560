import { describe, expect, test } from "vitest";
import { Acknowledgements } from "../../src/client/subscriptions/acknowledgements.js";
import { ConsumeRequest } from "../../src/gen/millrace/v1/subscription_service.js";

describe("Acknowledgements", () => {
  test("merges neighbours, and keeps verdicts apart that differ", () => {
    const outbox = new Acknowledgements();
    for (const offset of [3, 1, 2, 9]) outbox.add({ kind: "acknowledge" }, offset, offset + 1);
    for (const offset of [20, 21]) outbox.add({ kind: "reject", delayMs: undefined, reason: "x" }, offset, offset + 1);
    outbox.add({ kind: "reject", delayMs: 1500, reason: "x" }, 22, 23);
    outbox.add({ kind: "park", reason: "y" }, 30, 31);
    outbox.add({ kind: "release" }, 40, 50);
    outbox.extend(60, 61, undefined);
    outbox.extend(61, 62, 5000);
    outbox.window = { records: 1, bytes: 1 };
    outbox.window = { records: 2, bytes: 3 };
    expect(outbox.take()).toMatchObject({
      window: { records: 2, bytes: 3 },
      acknowledge: [{ offsets: { firstOffset: 1, nextOffset: 4 } }, { offsets: { firstOffset: 9, nextOffset: 10 } }],
      reject: [
        { offsets: { firstOffset: 20, nextOffset: 22 }, delay: undefined, reason: "x" },
        { offsets: { firstOffset: 22, nextOffset: 23 }, delay: { seconds: 1, nanos: 500_000_000 } },
      ],
      park: [{ offsets: { firstOffset: 30, nextOffset: 31 }, reason: "y" }],
      release: [{ offsets: { firstOffset: 40, nextOffset: 50 } }],
      extend: [
        { offsets: { firstOffset: 60, nextOffset: 61 }, by: undefined },
        { offsets: { firstOffset: 61, nextOffset: 62 }, by: { seconds: 5 } },
      ],
    });
    expect(outbox.isEmpty).toBe(true);
  });

  test("splits what one message cannot say: 10,000 ranges, or many reasons", () => {
    const outbox = new Acknowledgements();
    const reason = "ß".repeat(512);
    for (let offset = 0; offset < 24_000; offset += 2) outbox.add({ kind: "acknowledge" }, offset, offset + 1);
    for (let offset = 0; offset < 3000; offset++) {
      outbox.add({ kind: "reject", delayMs: offset % 2, reason }, 50_000 + offset, 50_001 + offset);
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
