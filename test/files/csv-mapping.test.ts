import { describe, expect, test } from "vitest";
import type { CsvOptions } from "../../src/files/index.js";
import { csvFromRecords, recordsFromCsv, recordsFromGeoJson } from "../../src/files/index.js";
import { collect } from "../../src/streams/index.js";
import { receivedRecords } from "../support/received-record.js";

const read = (text: string, options: CsvOptions = {}) =>
  collect(recordsFromCsv([Buffer.from(text)], { name: "f", ...options }), { limit: 9 });

describe("recordsFromCsv()", () => {
  test("finds key, location and time by column names, and puts the rest into json", async () => {
    const text = "ID,name,Lat,lng,event_time,__proto__\n7,Bern,46.9,7.4,2026-05-01,x\n";
    const [record] = await read(text);
    expect(record).toMatchObject({
      key: "7",
      location: { latitude: 46.9, longitude: 7.4 },
      eventTimestamp: { seconds: Date.UTC(2026, 4, 1) / 1000, nanos: 0 },
    });
    expect(JSON.stringify(record?.json)).toBe('{"name":"Bern","__proto__":"x"}');
  });

  test("uses the columns that the options name", async () => {
    const text = "code;north;east;note;kind;at\nBE;46.9;7.4;capital;city;2026-05-01T12:00:00.5+02:00\nXX;;;;;\n";
    const records = await read(text, {
      delimiter: ";",
      keyColumn: "code",
      latitudeColumn: "north",
      longitudeColumn: "east",
      textColumn: "note",
      attributeColumns: ["kind"],
      timeColumn: "at",
    });
    expect(records).toEqual([
      {
        key: "BE",
        location: { latitude: 46.9, longitude: 7.4 },
        eventTimestamp: { seconds: Date.UTC(2026, 4, 1, 10) / 1000, nanos: 500_000_000 },
        attributes: new Map([["kind", "city"]]),
        text: "capital",
      },
      { key: "XX", attributes: new Map(), text: "" },
    ]);
  });

  test("the error for a missing column names the existing ones", async () => {
    await expect(read("a,b\n1,2\n", { keyColumn: "c" })).rejects.toThrow(
      'f:1: there is no column "c"; there are "a", "b"',
    );
    await expect(read("lat,b\n1,2\n", { latitudeColumn: "lat" })).rejects.toThrow('there is no column "longitude"');
  });
});

describe("csvFromRecords()", () => {
  test("quotes values with a line end", async () => {
    const nothing = {
      location: undefined,
      eventTime: undefined,
      lifetime: undefined,
      time: undefined,
      offset: undefined,
    };
    const bodies = ["a\r", "\r\n", "\n", '"', ","].map((value) => ({ $case: "text" as const, value }));
    const messages = bodies.map((body) => ({ key: "", attributes: new Map<string, string>(), body, ...nothing }));
    const text = await collect(csvFromRecords(receivedRecords(messages)), { limit: 9 });
    expect((await read(text.join(""))).map((record) => record.text)).toEqual(bodies.map(({ value }) => value));
  });

  test("writes the requested columns: the record's own, attributes, and fields of json", async () => {
    const message = {
      key: "k",
      attributes: new Map([["unit", "°C"]]),
      body: { $case: "json" as const, value: { name: 'a "b"', n: 1, list: [1, 2], none: null, key: "inner" } },
      location: { latitude: 1, longitude: 2 },
      eventTime: undefined,
      lifetime: undefined,
      time: undefined,
      offset: undefined,
    };
    const columns = ["key", "json.key", "name", "n", "list", "none", "missing", "latitude", "attributes.unit"];
    const text = await collect(csvFromRecords(receivedRecords([message]), { columns }), { limit: 9 });
    expect(text.join("")).toBe(`${columns.join()}\nk,inner,"a ""b""",1,"[1,2]",,,1,°C\n`);
  });
});

describe("an export of all columns", () => {
  const nothing = {
    location: undefined,
    eventTime: undefined,
    lifetime: undefined,
    time: undefined,
    offset: undefined,
  };
  const messageOf = (json: Record<string, unknown>, key = "") => ({
    key,
    attributes: new Map<string, string>(),
    body: { $case: "json" as const, value: json },
    ...nothing,
  });
  const exported = async (values: readonly Record<string, unknown>[]) =>
    (await collect(csvFromRecords(receivedRecords(values.map((json) => messageOf(json)))), { limit: 99 })).join("");
  const own = "key,offset,time,event_time,lifetime,latitude,longitude,attributes,body_kind,body";
  const time = "2023-11-14T22:13:20.123456Z";

  test("has the fields of json bodies as columns, with different cells for different values", async () => {
    const text = await exported([
      { n: 12, text: "12", yes: true, no: "false", nothing: null, list: [1, "a"], empty: "", word: "Bern", e: "1e999" },
      { word: 'a "x" ', key: "inner", "json.n": { a: 1 } },
    ]);
    expect(text.split("\n")).toEqual([
      `${own},n,text,yes,no,nothing,list,empty,word,e,json.key,json.json.n`,
      `,5,${time},,,,,,json,,12,"""12""",true,"""false""",null,"[1,""a""]","""""",Bern,"""1e999""",,`,
      `,6,${time},,,,,,json,,,,,,,,,"a ""x"" ",,inner,"{""a"":1}"`,
      "",
    ]);
    expect((await read(text)).map(({ json }) => json)).toEqual([
      { n: 12, text: "12", yes: true, no: "false", nothing: null, list: [1, "a"], empty: "", word: "Bern", e: "1e999" },
      { word: 'a "x" ', key: "inner", "json.n": { a: 1 } },
    ]);
  });

  test("puts later fields into its body column, reports them, and reads them back", async () => {
    const records = [
      ...receivedRecords(Array.from({ length: 1000 }, (_, n) => messageOf({ n }))),
      ...receivedRecords(
        Array.from({ length: 100 }, (_, n) => messageOf(n === 50 ? { n, late: "x", more: [n] } : { n })),
      ),
    ];
    const left: number[] = [];
    const pieces = csvFromRecords(records, { onLeftInBody: ({ offset }) => left.push(offset) });
    const text = (await collect(pieces, { limit: 99 })).join("");
    expect(text.slice(0, own.length + 3)).toBe(`${own},n\n`);
    expect(text).toContain(`json,"{""late"":""x"",""more"":[50]}",50\n`);
    expect(left).toEqual([55]);
    const back = await collect(recordsFromCsv([Buffer.from(text)]), { limit: 2000 });
    expect(back.map(({ json }) => json)).toEqual(records.map(({ json }) => json));
  });

  test("bounds the number of columns, and makes none from unusual names", async () => {
    const wide = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`f${index}`, index]));
    const values = [{ ["x".repeat(201)]: 1, "a\0b": 2, "": 3 }, wide];
    const text = await exported(values);
    expect(text.slice(0, text.indexOf("\n")).split(",")).toHaveLength(510);
    expect((await read(text)).map(({ json }) => json)).toEqual(values);
  });

  test("treats __proto__ like any other name", async () => {
    const json = Object.fromEntries([
      ["__proto__", { a: 1 }],
      ["n", 1],
    ]);
    const text = await exported([json, { n: 2 }]);
    expect(text).toContain(`${own},__proto__,n\n`);
    expect((await read(text)).map((record) => JSON.stringify(record.json))).toEqual([
      '{"__proto__":{"a":1},"n":1}',
      '{"n":2}',
    ]);
  });

  test("can be read with a whole json body in one cell, and as --columns writes it", async () => {
    const text = `${own}\na,1,${time},,,,,,json,"{""n"":1,""t"":""1""}"\n`;
    expect(await read(text)).toMatchObject([{ key: "a", json: { n: 1, t: "1" } }]);
    const columns = 'key,attributes.unit,t,body_kind,body\na,°C,1,json,"{""n"":1,""t"":""1""}"\n';
    expect(await read(columns)).toMatchObject([
      { key: "a", attributes: new Map([["unit", "°C"]]), json: { n: 1, t: "1" } },
    ]);
  });

  test("may be read with other columns for key, place and attributes", async () => {
    const text = 'key,Key,body_kind,body,code,north,east,unit\nk,x,json,,"""7""",46.9,7.4,°C\n';
    const mapping = {
      keyColumn: "code",
      latitudeColumn: "north",
      longitudeColumn: "east",
      attributeColumns: ["unit"],
    };
    expect(await read(text, mapping)).toEqual([
      {
        key: "7",
        location: { latitude: 46.9, longitude: 7.4 },
        attributes: new Map([["unit", "°C"]]),
        json: { Key: "x" },
      },
    ]);
    expect(await read(text)).toMatchObject([
      { key: "k", json: { Key: "x", code: "7", north: 46.9, east: 7.4, unit: "°C" } },
    ]);
  });

  test("is refused when a row contradicts itself", async () => {
    await expect(read("body_kind,body,n\ntext,x,1\n")).rejects.toThrow(
      'f:2: has the field "n" of a json body, and "text" as body_kind',
    );
    await expect(read("body_kind,body,n\n,,1\n")).rejects.toThrow('and "" as body_kind');
    await expect(read("body_kind,body,n\n,x,\n")).rejects.toThrow("has a body without a body_kind");
    await expect(read("body_kind,body,n\njson,[1],\n")).rejects.toThrow("body must be a JSON object");
    await expect(read("body_kind,body,n,json.n\njson,,1,2\n")).rejects.toThrow(
      'f:1: names two columns for the field "n"',
    );
  });
});

describe("csvFromRecords() of one column", () => {
  test("quotes an empty value, which would otherwise be an empty line", async () => {
    const message = {
      key: "",
      attributes: new Map<string, string>(),
      body: undefined,
      location: undefined,
      eventTime: undefined,
      lifetime: undefined,
      time: undefined,
      offset: undefined,
    };
    const text = await collect(csvFromRecords(receivedRecords([message]), { columns: ["key"] }), { limit: 9 });
    expect(text.join("")).toBe('key\n""\n');
    expect(await read(text.join(""))).toMatchObject([{ key: "" }]);
  });
});

describe("recordsFromGeoJson()", () => {
  const readFeature = async (feature: object, keyProperty?: string) => {
    return readText(JSON.stringify({ type: "Feature", ...feature }), keyProperty);
  };
  const readText = async (text: string, keyProperty?: string) => {
    const [record] = await collect(recordsFromGeoJson([Buffer.from(text)], { name: "f", keyProperty }), { limit: 9 });
    return record;
  };

  test("takes the key from the id, or from the given property", async () => {
    const properties = { code: "BE", n: 1 };
    expect(await readFeature({ id: 7, properties })).toMatchObject({ key: "7", json: properties });
    expect(await readFeature({ id: 7, properties }, "code")).toMatchObject({ key: "BE" });
    expect(await readFeature({ properties }, "toString")).toMatchObject({ key: "" });
    await expect(readFeature({ id: [7] })).rejects.toThrow("f: feature 0: id must be a text or a number, got a list");
  });

  test("makes a key of a number with all its digits, and refuses one that lost digits in JSON", async () => {
    const kept = ["0", "-7", "9007199254740991", "-9007199254740991", "1.5", "0.00123", "123456789012.345"];
    for (const number of kept) {
      expect((await readText(`{"type":"Feature","id":${number}}`))?.key).toBe(number);
      expect((await readText(`{"type":"Feature","properties":{"n":${number}}}`, "n"))?.key).toBe(number);
    }
    for (const number of ["9007199254740992", "9007199254740993", "-1e300", "1e999", "0.12345678901234567"]) {
      const text = `{"type":"Feature","id":${number},"properties":{"n":${number}}}`;
      await expect(readText(text)).rejects.toThrow(
        "f: feature 0: id has more digits than a JSON number can keep: write it as a text",
      );
      await expect(readText(text, "n")).rejects.toThrow("properties.n has more digits");
    }
  });

  test("reads a feature without properties as an empty body, not as the removal of its key", async () => {
    expect((await readFeature({ id: 7, properties: null }))?.json).toEqual({});
    expect((await readFeature({ id: 7, properties: null, body: "none" }))?.json).toBeUndefined();
  });
});
