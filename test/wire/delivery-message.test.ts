import { describe, expect, test } from "vitest";
import { ConsumeResponse } from "../../src/gen/millrace/v1/subscription_service.js";
import { encodeDeliveryMessage, frameEnds, withoutPrefix } from "../../src/wire/index.js";
import { framesOf } from "../support/frames.js";

const rest = ConsumeResponse.encode({
  records: [],
  attempt: 3,
  confirmed: undefined,
  event: { $case: "skipped", value: { firstOffset: 1, nextOffset: 4, reason: 1 } },
}).finish();

describe("encodeDeliveryMessage()", () => {
  test("encodes a ConsumeResponse of its frames and the rest, in their order", () => {
    const { bytes, ends } = framesOf([5, 0, 300, 7], 2 ** 40);
    const [first = 0, second = 0] = frameEnds(bytes, 4);
    expect(ends[1]).toBe(second);
    // The second record is left out, so there are two runs around it.
    const runs = [bytes.subarray(0, first), bytes.subarray(second)];
    const message = ConsumeResponse.decode(withoutPrefix(encodeDeliveryMessage(runs, rest)));
    expect(message.records.map(({ offset }) => offset)).toEqual([2 ** 40, 2 ** 40 + 2, 2 ** 40 + 3]);
    expect(message).toMatchObject({ attempt: 3, event: { value: { firstOffset: 1, nextOffset: 4 } } });
  });

  test("encodes a response without records", () => {
    expect(ConsumeResponse.decode(withoutPrefix(encodeDeliveryMessage([], rest)))).toEqual(
      ConsumeResponse.decode(rest),
    );
  });

  test("makes a copy, which pins no slab and no page", () => {
    const { bytes } = framesOf([5], 0);
    const message = encodeDeliveryMessage([bytes], rest);
    expect(message.buffer.byteLength).toBe(message.length);
    expect(message.buffer).not.toBe(bytes.buffer);
  });
});
