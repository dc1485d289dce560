import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MillraceError } from "../../src/core/index.js";
import { needlesOf, parseFilter } from "../../src/filter/index.js";
import type { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { stampBatches } from "../../src/wire/index.js";
import { batchOfRecords } from "../support/filter-arbitrary.js";

const record: RecordMessage = {
  key: "o-1",
  attributes: new Map([
    ["region", "eu"],
    ["content-type", "a/b"],
    ["count", "7"],
  ]),
  body: { $case: "json", value: { total: 120, tags: ["new", "big"], ok: true, nested: { deep: [1, { x: "y" }] } } },
  location: { latitude: 46.95, longitude: 7.45 },
  eventTime: { seconds: 1_750_000_000, nanos: 0 },
  lifetime: undefined,
  time: undefined,
  offset: undefined,
};

/** 2026-11-21T01:02:03.004005Z */
const timeMicros = Date.UTC(2026, 10, 21, 1, 2, 3, 4) * 1000 + 5;

function matches(text: string, change: Partial<RecordMessage> = {}): boolean {
  const frames = stampBatches([batchOfRecords([{ ...record, ...change }])], 100, timeMicros);
  return parseFilter(text).matches(frames.bytes, 0, frames.bytes.length);
}

const asText = { body: { $case: "text", value: "an error, it seems" } } as const;

const withTimes = {
  body: { $case: "json", value: { seconds: 1_750_000_000, at: "2026-05-01T12:00:00Z", span: "90s" } },
} as const;

const withConstructor = {
  body: {
    $case: "json",
    value: { x: 2, constructor: "Bosch", part: { constructor: null }, list: [{ a: 1, constructor: {} }] },
  },
} as const;

const table: readonly (readonly [text: string, expected: boolean, change?: Partial<RecordMessage>])[] = [
  ["true", true],
  ["false", false],
  ['key == "o-1"', true],
  ['"o-1" == key', true],
  ['key in ["a", "o-1"] && key.startsWith("o") && key.endsWith("1") && key.contains("-")', true],
  ["key in []", false],
  ['key.matches("^o-[0-9]$")', true],
  ['key.matches("-")', true],
  ['attributes.region == "eu" && attributes["content-type"] == "a/b"', true],
  ['attributes.region == "eu" && attributes.region == "us"', false],
  ['has(attributes.region) && "region" in attributes && !("none" in attributes)', true],
  ['attributes.none == "eu"', false],
  ['!(attributes.none == "eu")', false],
  ['attributes.none == "eu" || key == "o-1"', true],
  ["int(attributes.count) > 6", true],
  ["int(attributes.region) > 6", false],
  ["offset == 100", true],
  ["offset > 100", false],
  ["100 <= offset && 101 > offset", true],
  ['time == timestamp("2026-11-21T01:02:03.004Z")', true],
  ['time > timestamp("2026-11-21T01:02:03.004Z")', false],
  ['time - timestamp("2026-11-21T00:00:00Z") < duration("2h")', true],
  ["time.getHours() == 1 && time.getFullYear() == 2026", true],
  ['event_time == timestamp("2025-06-15T15:06:40Z")', true],
  ["event_time == null", true, { eventTime: undefined }],
  ['event_time > timestamp("2020-01-01T00:00:00Z")', false, { eventTime: undefined }],
  ["location.within(7, 46, 8, 47)", true],
  ["location.within(7.45, 46.95, 7.45, 46.95)", true],
  ["location.within(8, 46, 7, 47)", false],
  ["location.within(7, 46, 8, 47)", false, { location: undefined }],
  ["location.latitude > 46.0 && location.longitude < 8.0", true],
  ["json.total > 100 && json.total == 120 && json.total < 120.5", true],
  ['json.total > "100"', false],
  ['json.total == "120"', false],
  ["json.ok", true],
  ["json.total", false],
  ["has(json.total) && !has(json.none)", true],
  ['json.nested.deep[1].x == "y"', true],
  ["json.nested.deep[7] == 1", false],
  ['json.tags.exists(tag, tag == "big") && json.tags.all(tag, size(tag) == 3)', true],
  ["json.tags.filter(tag, tag != 'new').size() == 1", true],
  ["json.constructor == null", false],
  ["json.x == 2 && json.constructor == 'Bosch'", true, withConstructor],
  ["has(json.part.constructor) && !has(json.none) && json.list.exists(e, e.a == 1)", true, withConstructor],
  ["json.__proto__ == null", false],
  ["attributes.__proto__ == ''", false],
  ["json == null", true, asText],
  ["json.total > 1", false, asText],
  ['text.contains("error") && size(text) == 18', true, asText],
  ["text == null", true],
  ["size > 100 && size < 300", true],
  ["1 / 0 == 1", false],
  ['string(event_time) == "2025-06-15T15:06:40Z" && string(event_time).startsWith("2025-06")', true],
  ['string(time) == "2026-11-21T01:02:03.004Z"', true],
  ['string(event_time) == ""', false, { eventTime: undefined }],
  ["int(event_time) == 1750000000 && int(time) > int(event_time)", true],
  ["timestamp(event_time) == event_time && timestamp(time) > event_time", true],

  ['string(duration("90m")) == "5400s" && string(duration("-1500ms")) == "-1.5s"', true],
  ['duration(duration("1h")) == duration("60m") && (time - event_time) > duration("1h")', true],
  ['event_time - time < duration("0s") && time - duration("1h") < time && time + duration("1h") > time', true],
  ["timestamp(json.seconds) == event_time && timestamp(int(json.seconds)) == event_time", true, withTimes],
  ['timestamp(json.at) > event_time && duration(json.span) == duration("90s")', true, withTimes],
  ["timestamp(json.seconds * 1e9) > time", false, withTimes],
  ["json.total * 2 == 240 && json.total + 1 > 120.5 && 1 - json.total < 0 && json.total / 16 == 7.5", true],
  ["json.total % 2 == 0 && json.total % 7.5 == 0.0 && json.total - 1 == 119", true],
  ["1 in json.nested.deep && json.total in [120, 5] && json.nested.deep[0] == 1", true],
  ['"total" in json && !("none" in json) && size(json) == 4 && size(location) == 2', true],
  ['json.tags == ["new", "big"] && json.nested == {"deep": json.nested.deep}', true],
  ["location == {'latitude': 46.95, 'longitude': 7.45} && location['latitude'] > 46", true],
  ["has(location.latitude) && (location == null || location.latitude < 90)", true],
  ["event_time == null ? true : event_time < time", true],
  ["null != json && text == null || false", true],
  ['time.getHours("Europe/Zurich") == 2 && time.getHours("UTC") == 1', true],
  ["dyn(event_time) == 'x'", false],
  ["[json.at].exists(e, timestamp(e) > event_time)", true, withTimes],
  ["[json.total, text].size() == 2 && (json.ok ? text : json.total) == null", true],
  ["text == key || text in [key] || text + key == 'x'", false, asText],
  ['key == "o-1" ? json.ok : false', true],
  ['key == "o-1" // a comment', true],
];

test.each(table.map(([text, expected, change]) => ({ text, expected, change })))(
  "$text, is $expected",
  ({ text, expected, change }) => {
    expect(matches(text, change)).toBe(expected);
  },
);

const faults: readonly (readonly [text: string, expected: string])[] = [
  ["", "line 1, column 1: "],
  ["key ==", "line 1, column 7: "],
  ['key == "a" &&\n  nobody == 1', "line 2, column 3: Unknown variable: nobody"],
  ['"🙂" == nobody', "line 1, column 8: Unknown variable: nobody"],
  ["key", "line 1, column 1: must be true or false, but has type string"],
  ["size == 1.5", "line 1, column 1: no such overload: int == double"],
  ['key.matches("(")', "line 1, column 13: is not a pattern of RE2: "],
  ['key.matches("(?=a)")', "line 1, column 13: is not a pattern of RE2: "],
  [`key.matches("${"a".repeat(1001)}")`, "line 1, column 13: a pattern may have 1000 characters, this one has 1001"],
  [
    'key.matches("^(?:a{0,900}){9}$")',
    "line 1, column 13: the counts of {n,m} in a filter's patterns may add up to 100",
  ],
  ['key.matches("a{60}") && key.matches("b{60}")', "line 1, column 37: the counts of {n,m} in a filter's patterns"],
  ['key.matches("((((a{9}){9})){9}){9}")', "line 1, column 13: "],
  ["key.matches(key)", "line 1, column 13: the pattern of matches must be a text constant"],
  ['key.matches(// matches\n"a")', "line 1, column 1: there must be no comment between matches and its pattern"],
  ["key.split('/').size() == 2", "line 1, column 1: there is no function split; there are size, has, "],
  ["time > timestamp('yesterday')", "line 1, column 8: "],
  ["time - event_time > duration('long')", "line 1, column 21: "],
  // These type-check, since variables may be null or JSON, but would match nothing.
  [
    "event_time > '2026-01-01'",
    'line 1, column 1: no such overload: google.protobuf.Timestamp > string: write timestamp("',
  ],
  ["true && event_time == '2026-01-01'", "line 1, column 9: no such overload: google.protobuf.Timestamp == string"],
  ["event_time != 'x' || key == 'a'", "line 1, column 1: no such overload: google.protobuf.Timestamp != string"],
  [
    "time == '2026-01-01'",
    'line 1, column 1: no such overload: google.protobuf.Timestamp == string: write timestamp("',
  ],
  [
    "event_time > 1750000000",
    "line 1, column 1: no such overload: google.protobuf.Timestamp > int: write int(…) around the time, for seconds since 1970",
  ],
  [
    "time - event_time > '1h'",
    'line 1, column 1: no such overload: google.protobuf.Duration > string: write duration("90m")',
  ],
  [
    "event_time + 60 > time",
    'line 1, column 1: no such overload: google.protobuf.Timestamp + int: write duration("90m")',
  ],
  [
    "event_time.contains('2026')",
    "line 1, column 1: found no matching overload for 'google.protobuf.Timestamp.contains",
  ],
  ["size(event_time) > 1", "line 1, column 1: found no matching overload for 'size(google.protobuf.Timestamp)'"],
  ["double(event_time) > 1.0", "line 1, column 1: found no matching overload for 'double(google.protobuf.Timestamp)'"],
  [
    "duration(event_time) > duration('1s')",
    "line 1, column 1: found no matching overload for 'duration(google.protobuf.Timestamp)'",
  ],
  [
    "attributes.count > 5",
    "line 1, column 1: no such overload: string > int: write int(…) or double(…) around the text",
  ],
  ["text == 5", "line 1, column 1: no such overload: string == int: write int(…) or double(…) around the text"],
  ["text.getHours() == 1", "line 1, column 1: found no matching overload for 'string.getHours"],
  ["text[0] == 'x'", "line 1, column 1: text is a text, and has no fields"],
  ["has(text.x)", "line 1, column 5: text is a text, and has no fields"],
  ["text || key == 'a'", "line 1, column 1: "],
  ["text.all(k, k == 'a')", "line 1, column 1: "],
  ["event_time.exists(k, true)", "line 1, column 1: "],
  ["json == 'x'", "line 1, column 1: no such overload: map<string, dyn> == string"],
  ["string(json) == 'x'", "line 1, column 1: found no matching overload for 'string(map<string, dyn>)'"],
  ["json.startsWith('x')", "line 1, column 1: found no matching overload for 'map.startsWith"],
  ["key == json", "line 1, column 1: no such overload: string == map<string, dyn>"],
  ["string(location) == 'x'", "line 1, column 1: found no matching overload for 'string(map<string, dyn>)'"],
  ["location.lat > 1", "line 1, column 1: a location has only location.latitude and location.longitude"],
  ["location['lon'] > 1", "line 1, column 1: a location has only location.latitude and location.longitude"],
  ["has(location.lng)", "line 1, column 5: a location has only location.latitude and location.longitude"],
  ["time.seconds > 1", "line 1, column 1: time is a time, with functions such as getHours(), and has no fields"],
  ["has(event_time.seconds)", "line 1, column 5: event_time is a time"],
  ["key.within(1, 2, 3, 4)", "line 1, column 1: found no matching overload for 'string.within"],
  ["attributes.within(1, 2, 3, 4)", "line 1, column 1: attributes are texts"],
  ["json.at > time", "line 1, column 1: json.at is never a timestamp, since JSON has none: write timestamp(json.at)"],
  ["timestamp('2026-01-01T00:00:00Z') <= json.a['at']", "line 1, column 38: json.a['at'] is never a timestamp"],
  ["time - json.at > duration('1h')", "line 1, column 8: json.at is never a timestamp"],
  [
    "json.took < duration('1h')",
    "line 1, column 1: json.took is never a duration, since JSON has none: write duration(",
  ],
  ["json.list.exists(e, e.at > time)", "line 1, column 21: e.at is never a timestamp, since JSON has none"],
  ["json.list.exists(e, e.getHours() < 6)", "line 1, column 21: e is never a timestamp"],
  ["json.at.getHours() < 6", "line 1, column 1: json.at is never a timestamp, since JSON has none: write timestamp("],
  ["time.getHours('Nowhere') == 1", "line 1, column 15: 'Nowhere' is no time zone"],
  ["location.within(1, 2, 3)", "line 1, column 1: "],
  ["location.within(1, 2, 3, offset)", "line 1, column 1: within takes four numbers"],
  ["location.within(0, 50, 10, 40)", "line 1, column 1: within.north: must not be below south, 50, got 40"],
  ["location.within(0, 50, 1000, 60)", "line 1, column 1: within.east: must be -180 to 180, got 1000"],
  [
    "json.a.exists(x, json.b.exists(y, x == y))",
    "line 1, column 1: costs up to 40403 steps a record, at most 10000 are allowed",
  ],
  [`${"(".repeat(60)}true${")".repeat(60)}`, "line 1, column 41: "],
  [`${"!".repeat(2000)}true`, "line 1, column "],
  [`key == "${"x".repeat(4096)}"`, "must be at most 4096 bytes, got 4105"],
  [Array.from({ length: 700 }, () => "1").join("+"), "line 1, column "],
];

test.each(faults)("%s, is refused with its place", (text, expected) => {
  let fault: unknown;
  try {
    parseFilter(text);
  } catch (error) {
    fault = error;
  }
  expect(fault).toBeInstanceOf(MillraceError);
  expect((fault as MillraceError).code).toBe("invalid-argument");
  expect((fault as MillraceError).message).toContain(`filter: ${expected}`);
});

test("a record with more values than a filter may run over, does not match", () => {
  const filter = "json.list.exists(x, x == 1.0)";
  const listOf = (length: number) =>
    ({ body: { $case: "json", value: { list: [...Array<number>(length - 1).fill(0), 1] } } }) as const;
  expect(matches(filter, listOf(1000))).toBe(true);
  expect(matches(filter, listOf(60_000))).toBe(false);
  const compared = Array.from({ length: 100 }, () => "json.list == json.list").join(" && ");
  expect(matches(compared, listOf(1000))).toBe(true);
  expect(matches(compared, listOf(60_000))).toBe(false);
});

test("a record on which an evaluation would take long, does not match", () => {
  const list = Array.from({ length: 4000 }, (_, index) => index);
  const large = { body: { $case: "json", value: { a: list, b: list, s: "a".repeat(800_000) } } } as const;
  const small = { body: { $case: "json", value: { a: [1, 2], b: [1, 2], s: "abc" } } } as const;
  for (const text of [
    "json.a.exists(x, size(json.s) > 0)",
    "json.a.exists(x, json.s.contains('b') || true)",
    "json.a.exists(x, json.s.lowerAscii() == 'b' || true)",
    "json.a.all(x, x in json.b)",
    "json.a.exists(x, json.s + json.s == json.s || true)",
  ]) {
    expect({ text, matches: matches(text, small) }).toEqual({ text, matches: true });
    expect({ text, matches: matches(text, large) }).toEqual({ text, matches: false });
  }
  // Walks over single elements add up to no more than the record.
  const texts = { body: { $case: "json", value: { a: list.map((n) => `text ${n}`) } } } as const;
  expect(matches("json.a.exists(x, x.endsWith('3999') && size(x) > 3)", texts)).toBe(true);
  expect(matches("size(json.s) == 800000", large)).toBe(true);
});

test("a list with very many values, does not match, and does not throw", () => {
  const nulls = { body: { $case: "json", value: { a: Array<null>(220_000).fill(null) } } } as const;
  for (const text of ["json.a == json.a", "json == json", "[json] == [json]", "size(json.a.map(x, json.a)) > 0"]) {
    expect(matches(text, nulls)).toBe(false);
  }
});

test("a pattern, takes time linear in the text, and does not match a text that is too long", () => {
  const text = (length: number) => ({ body: { $case: "text", value: "a".repeat(length) } }) as const;
  // JavaScript's RegExp would take exponential time.
  expect(matches('text.matches("^(a+)+$")', text(60_000))).toBe(true);
  expect(matches('text.matches("^(a|a)*b$")', text(60_000))).toBe(false);
  expect(matches('text.matches("a")', text(70_000))).toBe(false);
});

test("needs, are what every match has, and nothing else", () => {
  const { needs, conjuncts } = parseFilter(
    'key in ["a1", "b1", "a2"] && key.startsWith("a") && attributes.n == "v" && has(attributes.m) && offset > 5 && ' +
      'offset <= 10 && time < timestamp("2026-01-01T00:00:00Z") && location.within(1, 2, 3, 4) && json.x == 1 && size > 3',
  );
  expect(needs).toEqual({
    keys: ["a1", "a2"],
    keyPrefix: "a",
    attributes: [
      { name: "n", value: "v" },
      { name: "m", value: undefined },
    ],
    fromOffset: 6,
    untilOffset: 11,
    fromTimeMicros: undefined,
    untilTimeMicros: Date.UTC(2026, 0, 1) * 1000,
    rectangle: { west: 1, south: 2, east: 3, north: 4 },
    never: false,
  });
  expect(conjuncts.map(({ need }) => need)).toEqual([
    "key",
    "key",
    "attribute",
    "attribute",
    "offset",
    "offset",
    "time",
    "rectangle",
    undefined,
    undefined,
  ]);
  expect(needlesOf(needs)).toEqual([]);
  const long = 'key.startsWith("abc") && attributes.name == "value" && has(attributes.other) && attributes.x == "abc"';
  expect(needlesOf(parseFilter(long).needs).map(String)).toEqual(["abc", "value", "other"]);
  for (const never of [
    'key == "a" && key == "b"',
    "offset > 5 && offset < 6",
    'attributes.a == "1" && attributes.a == "2"',
  ])
    expect(parseFilter(never).needs.never).toBe(true);
  for (const loose of ['key == "a" || offset == 1', '!(key == "a")', 'key != "a"', "size == 1"])
    expect(needlesOf(parseFilter(loose).needs)).toEqual([]);
});

test("docs/filters.md, shows valid expressions", () => {
  const page = readFileSync(new URL("../../docs/filters.md", import.meta.url), "utf8");
  const shown = [...page.matchAll(/^\| `([^`]+)` \| (?!.*\|.*\|)/gm)].map(([, text = ""]) =>
    text.replaceAll("\\|", "|"),
  );
  const said = shown.filter(
    (text) => !["key", "attributes", "offset", "time", "location", "json", "text", "size"].includes(text),
  );
  expect(said.length).toBeGreaterThan(15);
  for (const text of said) expect(() => parseFilter(text), text).not.toThrow();
});
