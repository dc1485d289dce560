import { expect, test } from "vitest";
import { type CopyField, eachCopyRow, readCopyInteger } from "../../src/store/postgres/database/copy-row.js";
import { prepareStatement, inlineValues } from "../../src/store/postgres/statement.js";
import { sql } from "kysely";

const header = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
const row = Buffer.from("0003" + "00000002" + "6869" + "ffffffff" + "00000008" + "001fffffffffffff", "hex");

function rowsOf(bytes: Buffer): (readonly CopyField[])[] {
  const rows: (readonly CopyField[])[] = [];
  eachCopyRow(bytes, (fields) => rows.push(fields));
  return rows;
}

test("eachCopyRow(), passes fields as views, and null", () => {
  const [fields] = rowsOf(Buffer.concat([header, row]));
  expect(fields?.map((field) => field?.toString("latin1"))).toEqual(["hi", undefined, expect.any(String)]);
  expect(fields?.[1]).toBeNull();
  expect(readCopyInteger(fields?.[2] ?? Buffer.alloc(0))).toBe(2 ** 53 - 1);
});

test("eachCopyRow(), skips an extension of the header, and ends with or without a trailer", () => {
  const extended = Buffer.concat([header, Buffer.from("ext"), row]);
  extended.writeInt32BE(3, 15);
  expect(rowsOf(extended)[0]?.[0]?.toString()).toBe("hi");
  expect(rowsOf(Buffer.concat([header, Buffer.from("ffff", "hex")]))).toEqual([]);
  expect(rowsOf(header)).toEqual([]);
  // A later part of the answer has no header.
  expect(rowsOf(Buffer.concat([row, row, Buffer.from("ffff", "hex")]))).toHaveLength(2);
});

test("eachCopyRow(), refuses bytes that are not binary COPY", () => {
  expect(() => rowsOf(Buffer.from("ff00", "hex"))).toThrow("not binary");
});

test("readCopyInteger(), refuses to round", () => {
  expect(() => readCopyInteger(Buffer.from("0020000000000001", "hex"))).toThrow(RangeError);
});

const statement = prepareStatement({
  values: { first: "bigint", second: "bigint or null" },
  build: (value) => sql<object>`select ${value.second}, ${value.first}, ${value.second}`,
});

test("prepareStatement(), casts each value to its type, and sends each once, in the order of the text", () => {
  expect(statement.text).toBe("select cast($1 as bigint), cast($2 as bigint), cast($1 as bigint)");
  expect(statement.order).toEqual(["second", "first"]);
});

test("prepareStatement(), sends bytes last", () => {
  const { text, order } = prepareStatement({
    values: { frames: "bytea", one: "bigint", other: "bigint" },
    build: (value) => sql<object>`select ${value.one}, ${value.frames}, ${value.other}, ${value.frames}`,
  });
  expect(text).toBe("select cast($1 as bigint), cast($3 as bytea), cast($2 as bigint), cast($3 as bytea)");
  expect(order).toEqual(["one", "other", "frames"]);
});

test("prepareStatement(), refuses a value that is not a parameter", () => {
  expect(() => prepareStatement({ values: {}, build: () => sql<object>`select ${"loose"}` })).toThrow("no value");
});

test("inlineValues(), writes whole numbers, flags, bytes and null, texts as bytes, and nothing else", () => {
  expect(inlineValues(statement, { first: 2 ** 53 - 1, second: null })).toBe(
    "select cast(null as bigint), cast(9007199254740991 as bigint), cast(null as bigint)",
  );
  for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    expect(() => inlineValues(statement, { first: bad, second: 0 })).toThrow(RangeError);
  }
  const texts = prepareStatement({
    values: { text: "text", flag: "boolean", bytes: "bytea" },
    build: (value) => sql<object>`select ${value.text}, ${value.flag}, ${value.bytes}`,
  });
  expect(inlineValues(texts, { text: "'); drop table é --", flag: true, bytes: Uint8Array.of(0, 255) })).toBe(
    "select cast(convert_from('\\x27293b2064726f70207461626c6520c3a9202d2d', 'UTF8') as text), " +
      "cast(true as boolean), cast('\\x00ff' as bytea)",
  );
});
