import { describe, expect, test } from "vitest";
import { checkExportOptions, type ExportOptions } from "../../src/cli/export-options.js";
import { checkImportOptions, type ImportCommandOptions } from "../../src/cli/import-options.js";

describe("checkImportOptions()", () => {
  test("tells the format by the name, unless it is told", () => {
    expect(checkImportOptions("Places.GeoJSON", {})).toBe("geojson");
    expect(checkImportOptions("a.b.jsonl", {})).toBe("ndjson");
    expect(checkImportOptions("data.txt", { format: "csv" })).toBe("csv");
    expect(checkImportOptions(undefined, { table: "t", databaseUrl: "postgres://h/d" })).toBeUndefined();
  });

  const faults: [file: string | undefined, options: ImportCommandOptions, text: string][] = [
    [undefined, {}, "say either a file (-: standard input) or --table"],
    ["a.csv", { table: "t" }, "say either a file (-: standard input) or --table"],
    [undefined, { table: "t" }, "--table wants --database-url, or DATABASE_URL"],
    ["a.constructor", {}, 'say --format geojson, csv or ndjson: the name "a.constructor" does not tell'],
    ["a.csv", { keyProperty: "x" }, "--key-property is for geojson, and this is csv"],
    ["a.geojson", { attributeColumns: ["x"] }, "--attribute-columns is for csv, table, and this is geojson"],
    ["a.csv", { keyColumn: ["a", "b"] }, "--key-column: a CSV file has one"],
    ["a.csv", { delimiter: "\n" }, "--delimiter must be a text without quotes and ends of lines"],
    ["a.csv", { again: true, producerId: "x" }, "does not go with --producer-id"],
  ];
  for (const [file, options, text] of faults) {
    test(`refuses ${JSON.stringify({ file, ...options })}`, () => {
      expect(() => checkImportOptions(file, options)).toThrow(text);
    });
  }
});

describe("checkExportOptions()", () => {
  const faults: [file: string, options: ExportOptions, text: string][] = [
    ["-", {}, "say --format geojson, csv or ndjson: there is no file's name to tell"],
    ["a.txt", {}, 'say --format geojson, csv or ndjson: the name "a.txt" does not tell'],
    ["a.csv", { prefix: "a", until: { offset: 1 } }, "--prefix is for the state, and --until for the log"],
    ["a.ndjson", { columns: ["a"] }, "--columns is for csv, and this is ndjson"],
  ];
  for (const [file, options, text] of faults) {
    test(`refuses ${JSON.stringify({ file, ...options })}`, () => {
      expect(() => checkExportOptions(file, options)).toThrow(`export: ${text}`);
    });
  }
});
