import { describe, expect, test } from "vitest";
import { MillraceError } from "../../src/core/index.js";
import type { ConsumeOpening } from "../../src/engine/index.js";
import { ConsumeRequest, type DeepPartial } from "../../src/gen/millrace/v1/subscription_service.js";
import { decodeOpening, decodeRequest } from "../../src/rpc/subscriptions/consume-requests.js";

type Message = DeepPartial<ConsumeRequest>;

const peer = "127.0.0.1:4711";
const open = (message: Message) => decodeOpening(ConsumeRequest.fromPartial(message), peer);

const caller = { consumer: peer, window: { records: 1, bytes: 1 } };
const subscribed: ConsumeOpening = { kind: "subscription", subscription: "s", ...caller };
const ephemeral: ConsumeOpening = { kind: "ephemeral", topic: "t", start: undefined, ...caller };
const later = (message: Message, opening: ConsumeOpening = subscribed) =>
  decodeRequest(ConsumeRequest.fromPartial(message), opening);

/** The fields that the refusal names. */
function fieldsOf(decode: () => unknown): readonly string[] {
  try {
    decode();
  } catch (error) {
    if (error instanceof MillraceError && error.code === "invalid-argument") {
      return error.violations.map(({ field }) => field);
    }
    throw error;
  }
  throw new Error("It was not refused");
}

const one = { firstOffset: 7, nextOffset: 0 };
const secondsOf12h = 12 * 3600;

describe("decodeOpening()", () => {
  const wholeWindow = { records: 1000, bytes: 4 * 1024 * 1024 };
  const taken: [string, Message, ConsumeOpening][] = [
    [
      "a subscription alone",
      { subscription: "s" },
      { kind: "subscription", subscription: "s", consumer: peer, window: wholeWindow },
    ],
    [
      "a topic alone",
      { topic: "t" },
      { kind: "ephemeral", topic: "t", start: undefined, consumer: peer, window: wholeWindow },
    ],
    [
      "a topic and where to start",
      { topic: "t", start: { at: { $case: "offset", value: 3 } }, consumer: "Ω" },
      { kind: "ephemeral", topic: "t", start: { at: "offset", offset: 3 }, consumer: "Ω", window: wholeWindow },
    ],
    [
      "a window of records alone",
      { subscription: "s", window: { records: 0 } },
      { ...subscribed, window: { ...wholeWindow, records: 0 } },
    ],
    [
      "a window of bytes alone",
      { subscription: "s", window: { bytes: 0 } },
      { ...subscribed, window: { ...wholeWindow, bytes: 0 } },
    ],
    [
      "the largest window",
      { subscription: "s", window: { records: 100_000, bytes: 67_108_864 } },
      { ...subscribed, window: { records: 100_000, bytes: 67_108_864 } },
    ],
    [
      "the longest name",
      { subscription: "s", consumer: "c".repeat(128) },
      { ...subscribed, consumer: "c".repeat(128), window: wholeWindow },
    ],
  ];
  for (const [what, message, opening] of taken) {
    test(`takes ${what}`, () => expect(open(message)).toEqual(opening));
  }

  const refused: [field: string, message: Message][] = [
    ["subscription", {}],
    ["subscription", { subscription: "No Name" }],
    ["topic", { topic: "No Name" }],
    ["topic", { topic: "t", subscription: "s" }],
    ["start", { subscription: "s", start: { at: { $case: "earliest", value: {} } } }],
    ["start.last", { topic: "t", start: { at: { $case: "last", value: 0 } } }],
    ["consumer", { topic: "t", consumer: "c".repeat(129) }],
    ["consumer", { topic: "t", consumer: "a\0" }],
    ["window.records", { topic: "t", window: { records: 100_001 } }],
    ["window.bytes", { topic: "t", window: { bytes: 67_108_865 } }],
    ["acknowledge", { subscription: "s", acknowledge: [{ offsets: one }] }],
    ["acknowledge_through", { subscription: "s", acknowledgeThrough: 0 }],
    ["reject", { subscription: "s", reject: [{ offsets: one }] }],
    ["extend", { subscription: "s", extend: [{ offsets: one }] }],
    ["park", { subscription: "s", park: [{ offsets: one }] }],
    ["release", { subscription: "s", release: [{ offsets: one }] }],
  ];
  for (const [field, message] of refused) {
    test(`refuses ${field}: ${JSON.stringify(message).slice(0, 60)}`, () =>
      expect(fieldsOf(() => open(message))).toEqual([field]));
  }
});

describe("decodeRequest()", () => {
  const nothing = {
    window: undefined,
    acknowledge: [],
    acknowledgeThrough: undefined,
    reject: [],
    extend: [],
    park: [],
    release: [],
  };
  const range = { firstOffset: 7, nextOffset: 8 };
  const long = "r".repeat(1024);

  test("takes everything at once", () => {
    const message: Message = {
      window: { records: 5 },
      acknowledge: [{ offsets: one }, { offsets: { firstOffset: 0, nextOffset: 5 }, attempt: 3 }],
      acknowledgeThrough: 0,
      reject: [{ offsets: one }, { offsets: one, attempt: 4, delay: { seconds: 0, nanos: 1 }, reason: long }],
      extend: [{ offsets: one }, { offsets: one, attempt: 5, by: { seconds: secondsOf12h } }],
      park: [{ offsets: one, attempt: 6, reason: "\uFFFD" }],
      release: [{ offsets: one }, { offsets: one, attempt: 4_294_967_295 }],
    };
    expect(later(message)).toEqual({
      window: { records: 5, bytes: 4 * 1024 * 1024 },
      acknowledge: [
        { range, attempt: 0 },
        { range: { firstOffset: 0, nextOffset: 5 }, attempt: 3 },
      ],
      acknowledgeThrough: 0,
      reject: [
        { range, attempt: 0, delayMs: undefined, reason: "" },
        // Rounded up to a millisecond, so that it is not earlier than requested.
        { range, attempt: 4, delayMs: 1, reason: long },
      ],
      extend: [
        { range, attempt: 0, byMs: undefined },
        { range, attempt: 5, byMs: secondsOf12h * 1000 },
      ],
      park: [{ range, attempt: 6, reason: "\uFFFD" }],
      release: [
        { range, attempt: 0 },
        { range, attempt: 4_294_967_295 },
      ],
    });
  });

  test("takes an empty message, and one that repeats the opening's name", () => {
    expect(later({})).toEqual(nothing);
    expect(later({ subscription: "s" })).toEqual(nothing);
    expect(later({ topic: "t" }, ephemeral)).toEqual(nothing);
  });

  const refused: [field: string, message: Message, opening?: ConsumeOpening][] = [
    ["subscription", { subscription: "other" }],
    ["subscription", { subscription: "s" }, ephemeral],
    ["topic", { topic: "t" }],
    ["topic", { topic: "other" }, ephemeral],
    ["start", { start: {} }],
    ["consumer", { consumer: "c" }],
    ["window.records", { window: { records: 100_001 } }],
    ["window.bytes", { window: { bytes: 67_108_865 } }],
    [
      "acknowledge[1].offsets.next_offset",
      { acknowledge: [{ offsets: one }, { offsets: { firstOffset: 7, nextOffset: 7 } }] },
    ],
    ["acknowledge[0].offsets", { acknowledge: [{ attempt: 1 }] }],
    ["acknowledge[0].offsets.next_offset", { acknowledge: [{ offsets: { firstOffset: 7, nextOffset: 6 } }] }],
    ["acknowledge[0].offsets.first_offset", { acknowledge: [{ offsets: { firstOffset: Number.MAX_SAFE_INTEGER } }] }],
    ["reject[0].offsets", { reject: [{}] }],
    ["reject[1].delay", { reject: [{ offsets: one }, { offsets: one, delay: { seconds: secondsOf12h, nanos: 1 } }] }],
    ["reject[0].delay", { reject: [{ offsets: one, delay: { nanos: -1 } }] }],
    ["reject[0].delay", { reject: [{ offsets: one, delay: { seconds: 1, nanos: -1 } }] }],
    ["reject[0].delay", { reject: [{ offsets: one, delay: { nanos: 1e9 } }] }],
    ["reject[0].reason", { reject: [{ offsets: one, reason: `${long}r` }] }],
    ["reject[0].reason", { reject: [{ offsets: one, reason: "Ω".repeat(513) }] }],
    ["reject[0].reason", { reject: [{ offsets: one, reason: "a\0" }] }],
    ["extend[0].offsets.next_offset", { extend: [{ offsets: { firstOffset: 2, nextOffset: 1 } }] }],
    ["extend[0].by", { extend: [{ offsets: one, by: { nanos: 999_999_999 } }] }],
    ["extend[0].by", { extend: [{ offsets: one, by: { seconds: secondsOf12h, nanos: 1 } }] }],
    ["park[0].offsets", { park: [{}] }],
    ["park[0].reason", { park: [{ offsets: one, reason: `${long}r` }] }],
    ["release[0].offsets.next_offset", { release: [{ offsets: { firstOffset: 2, nextOffset: 1 } }] }],
  ];
  for (const [field, message, opening] of refused) {
    test(`refuses ${field}: ${JSON.stringify(message).slice(0, 60)}`, () =>
      expect(fieldsOf(() => later(message, opening))).toEqual([field]));
  }

  test("takes up to ten thousand ranges together", () => {
    const acknowledge = Array.from({ length: 9999 }, (_, index) => ({ offsets: { firstOffset: 2 * index } }));
    expect(later({ acknowledge, release: [{ offsets: one }] }).acknowledge).toHaveLength(9999);
    expect(fieldsOf(() => later({ acknowledge, release: [{ offsets: one }], reject: [{ offsets: one }] }))).toEqual([
      "acknowledge, reject, extend, park, release",
    ]);
  });
});
