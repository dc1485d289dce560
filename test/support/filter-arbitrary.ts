/**
 * Random filters beside a plain model of what they mean, and random records that they may match. The model knows nothing of
 * CEL's library, of frames or of databases: true, false, or no value, as the language has it.
 */

import fc from "fast-check";
import { defaultLimits, isInside } from "../../src/core/index.js";
import type { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import { type RecordBatch, splitRequest } from "../../src/wire/index.js";
import { rectangleArbitrary } from "./places.js";

/** A record as the model sees it: `offset`, `timeMs` and `size` are the server's. */
export interface ModelRecord {
  readonly message: RecordMessage;
  readonly offset: number;
  readonly timeMs: number;
  readonly size: number;
}

/** Undefined: the expression has no value for the record. */
type Meaning = (record: ModelRecord) => boolean | undefined;

/** An expression and what it means. */
export interface ModelFilter {
  readonly text: string;
  readonly meaning: Meaning;
}

const keys = ["", "a", "ab", "abc", "b", "ö", 'q"\\', "a/b"];
const names = ["region", "n", "ö", "__proto__"];
const values = ["", "eu", "us", "eu-1", "a"];

const json = fc.record(
  {
    price: fc.constantFrom(0, 1, 2.5, -1, "x", null),
    tags: fc.oneof(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 }), fc.constant("a")),
    ok: fc.boolean(),
  },
  { requiredKeys: [] },
);

/** The time of event of some records, in whole seconds around the one that filters compare with. */
const eventSeconds = 1_750_000_000;

export const filteredRecordArbitrary: fc.Arbitrary<RecordMessage> = fc.record({
  key: fc.constantFrom(...keys),
  attributes: fc
    .array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...values)), { maxLength: 3 })
    .map((pairs) => new Map(pairs)),
  body: fc.oneof(
    fc.constant(undefined),
    fc.record({ $case: fc.constant("text" as const), value: fc.constantFrom("", "a", "eu", "price") }),
    fc.record({ $case: fc.constant("json" as const), value: json as fc.Arbitrary<{ [key: string]: unknown }> }),
  ),
  location: fc.option(
    fc.record({ latitude: fc.constantFrom(-90, 0, 45.5, 90), longitude: fc.constantFrom(-180, -7.25, 0, 7.25, 180) }),
    { nil: undefined },
  ),
  eventTime: fc.option(
    fc.record({
      seconds: fc.integer({ min: eventSeconds - 2, max: eventSeconds + 2 }),
      nanos: fc.constantFrom(0, 999_999, 500_000_000),
    }),
    { nil: undefined },
  ),
  lifetime: fc.constant(undefined),
  time: fc.constant(undefined),
  offset: fc.constant(undefined),
}) as fc.Arbitrary<RecordMessage>;

/** What a server would be sent, as it takes it. */
export function batchOfRecords(records: readonly RecordMessage[]): RecordBatch {
  const request = { topic: "t", records: [...records], expectedOffset: undefined, producer: undefined, epoch: 0 };
  return splitRequest(Buffer.from(AppendRequest.encode(request).finish()), defaultLimits).batch;
}

const quoted = (text: string) => JSON.stringify(text);

const comparator = fc.constantFrom("==", "!=", "<", "<=", ">", ">=");

function compare(sign: string, one: number, other: number): boolean {
  switch (sign) {
    case "==":
      return one === other;
    case "!=":
      return one !== other;
    case "<":
      return one < other;
    case "<=":
      return one <= other;
    case ">":
      return one > other;
    default:
      return one >= other;
  }
}

const key = fc.constantFrom(...keys);
const name = fc.constantFrom(...names);
const value = fc.constantFrom(...values);
const bodyOf = (record: ModelRecord) => record.message.body;
const jsonOf = (record: ModelRecord): Readonly<Record<string, unknown>> | undefined => {
  const body = bodyOf(record);
  return body?.$case === "json" ? (body.value as Readonly<Record<string, unknown>>) : undefined;
};
const eventMs = ({ message }: ModelRecord): number | undefined =>
  message.eventTime && message.eventTime.seconds * 1000 + Math.floor(message.eventTime.nanos / 1_000_000);

const onKey: fc.Arbitrary<ModelFilter> = fc.oneof(
  fc.tuple(key, fc.boolean()).map(([text, isMirrored]) => ({
    text: isMirrored ? `${quoted(text)} == key` : `key == ${quoted(text)}`,
    meaning: ({ message }: ModelRecord) => message.key === text,
  })),
  key.map((text) => ({ text: `key != ${quoted(text)}`, meaning: ({ message }: ModelRecord) => message.key !== text })),
  key.map((text) => ({
    text: `key.startsWith(${quoted(text)})`,
    meaning: ({ message }: ModelRecord) => message.key.startsWith(text),
  })),
  key.map((text) => ({
    text: `key.contains(${quoted(text)})`,
    meaning: ({ message }: ModelRecord) => message.key.includes(text),
  })),
  fc.array(key, { minLength: 1, maxLength: 3 }).map((texts) => ({
    text: `key in [${texts.map(quoted).join(", ")}]`,
    meaning: ({ message }: ModelRecord) => texts.includes(message.key),
  })),
  fc.constant({ text: 'key.matches("^a.?$")', meaning: ({ message }: ModelRecord) => /^a.?$/u.test(message.key) }),
);

const onAttributes: fc.Arbitrary<ModelFilter> = fc.oneof(
  fc.tuple(name, value).map(([attribute, text]) => ({
    text: `attributes[${quoted(attribute)}] == ${quoted(text)}`,
    meaning: ({ message }: ModelRecord) => {
      const found = message.attributes.get(attribute);
      return found === undefined ? undefined : found === text;
    },
  })),
  value.map((text) => ({
    text: `attributes.region != ${quoted(text)}`,
    meaning: ({ message }: ModelRecord) => {
      const found = message.attributes.get("region");
      return found === undefined ? undefined : found !== text;
    },
  })),
  name.map((attribute) => ({
    text: `${quoted(attribute)} in attributes`,
    meaning: ({ message }: ModelRecord) => message.attributes.has(attribute),
  })),
  fc.constant({
    text: "has(attributes.region)",
    meaning: ({ message }: ModelRecord) => message.attributes.has("region"),
  }),
);

const onNumbers: fc.Arbitrary<ModelFilter> = fc.oneof(
  fc.tuple(comparator, fc.integer({ min: -1, max: 40 })).map(([sign, number]) => ({
    text: `offset ${sign} ${number}`,
    meaning: ({ offset }: ModelRecord) => compare(sign, offset, number),
  })),
  fc.tuple(comparator, fc.integer({ min: 20, max: 90 })).map(([sign, number]) => ({
    text: `size ${sign} ${number}`,
    meaning: ({ size }: ModelRecord) => compare(sign, size, number),
  })),
);

/** Times of the server near `aroundMs`, where the records of a test are. */
const onTimes = (aroundMs: number): fc.Arbitrary<ModelFilter> =>
  fc.oneof(
    fc.tuple(comparator, fc.integer({ min: -3, max: 3 })).map(([sign, ms]) => ({
      text: `time ${sign} timestamp(${quoted(new Date(aroundMs + ms).toISOString())})`,
      meaning: ({ timeMs }: ModelRecord) => compare(sign, timeMs, aroundMs + ms),
    })),
    fc.tuple(comparator, fc.integer({ min: -2, max: 2 })).map(([sign, seconds]) => ({
      text: `event_time ${sign} timestamp(${quoted(new Date((eventSeconds + seconds) * 1000).toISOString())})`,
      meaning: (record: ModelRecord) => {
        const ms = eventMs(record);
        // Nothing equals nothing else, and is neither above nor below.
        if (ms === undefined) return sign === "==" ? false : sign === "!=" ? true : undefined;
        return compare(sign, ms, (eventSeconds + seconds) * 1000);
      },
    })),
    fc.constant({ text: "event_time == null", meaning: (record: ModelRecord) => eventMs(record) === undefined }),
  );

const onPlaces: fc.Arbitrary<ModelFilter> = fc.oneof(
  rectangleArbitrary.map((rectangle) => {
    const { west, south, east, north } = rectangle;
    return {
      text: `location.within(${[west, south, east, north].map(decimal).join(", ")})`,
      meaning: ({ message: { location } }: ModelRecord) =>
        location === undefined ? undefined : isInside(location, rectangle),
    };
  }),
  fc.constant({
    text: "location.latitude > 10.0",
    meaning: ({ message: { location } }: ModelRecord) => (location === undefined ? undefined : location.latitude > 10),
  }),
  fc.constant({ text: "location == null", meaning: ({ message }: ModelRecord) => message.location === undefined }),
);

/** A number as CEL writes it: always with a point, never as 1e-7 without one. */
function decimal(number: number): string {
  const text = String(number);
  if (/^-?\d+$/.test(text)) return `${text}.0`;
  return text.includes("e") && !text.includes(".") ? text.replace("e", ".0e") : text;
}

const onBodies: fc.Arbitrary<ModelFilter> = fc.oneof(
  fc.tuple(fc.constantFrom("<", ">="), fc.constantFrom(0, 1, 2)).map(([sign, number]) => ({
    text: `json.price ${sign} ${number}`,
    meaning: (record: ModelRecord) => {
      const price = jsonOf(record)?.["price"];
      return typeof price === "number" ? compare(sign, price, number) : undefined;
    },
  })),
  fc.constantFrom("a", "b").map((tag) => ({
    text: `json.tags.exists(each, each == ${quoted(tag)})`,
    meaning: (record: ModelRecord) => {
      const tags = jsonOf(record)?.["tags"];
      return Array.isArray(tags) ? tags.includes(tag) : undefined;
    },
  })),
  fc.constant({
    text: "json.ok",
    meaning: (record: ModelRecord) => jsonOf(record)?.["ok"] as boolean | undefined,
  }),
  fc.constantFrom("a", "eu").map((text) => ({
    text: `text == ${quoted(text)}`,
    meaning: (record: ModelRecord) => {
      const body = bodyOf(record);
      return body?.$case === "text" && body.value === text;
    },
  })),
);

/** Filters whose times lie around `aroundMs`. */
export function filterArbitrary(aroundMs: number): fc.Arbitrary<ModelFilter> {
  const { filter } = fc.letrec<{ filter: ModelFilter }>((tie) => ({
    filter: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      onKey,
      onAttributes,
      onNumbers,
      onTimes(aroundMs),
      onPlaces,
      onBodies,
      fc.tuple(tie("filter"), tie("filter")).map(([one, other]) => ({
        text: `(${one.text}) && ${other.text.includes("||") ? `(${other.text})` : other.text}`,
        meaning: (record: ModelRecord) => {
          const [left, right] = [one.meaning(record), other.meaning(record)];
          if (left === false || right === false) return false;
          return left === undefined || right === undefined ? undefined : true;
        },
      })),
      fc.tuple(tie("filter"), tie("filter")).map(([one, other]) => ({
        text: `((${one.text}) || (${other.text}))`,
        meaning: (record: ModelRecord) => {
          const [left, right] = [one.meaning(record), other.meaning(record)];
          if (left === true || right === true) return true;
          return left === undefined || right === undefined ? undefined : false;
        },
      })),
      tie("filter").map((one) => ({
        text: `!(${one.text})`,
        meaning: (record: ModelRecord) => {
          const inner = one.meaning(record);
          return inner === undefined ? undefined : !inner;
        },
      })),
    ),
  }));
  return filter;
}
