import { describe, expect, test } from "vitest";
import { checkExportOptions, type ExportOptions } from "../../src/cli/export-options.js";
import { checkImportOptions, type ImportCommandOptions } from "../../src/cli/import-options.js";

describe("checkImportOptions()", () => {
  test("takes the format from the name, unless --format is given", () => {
    expect(checkImportOptions("Places.GeoJSON", {})).toBe("geojson");
    expect(checkImportOptions("a.b.jsonl", {})).toBe("ndjson");
    expect(checkImportOptions("data.txt", { format: "csv" })).toBe("csv");
    expect(checkImportOptions(undefined, { table: "t", databaseUrl: "postgres://h/d" })).toBeUndefined();
  });

  const faults: [file: string | undefined, options: ImportCommandOptions, text: string][] = [
    [undefined, {}, "give either a file (-: standard input) or --table"],
    ["a.csv", { table: "t" }, "give either a file (-: standard input) or --table"],
    [undefined, { table: "t" }, "--table needs --database-url, or DATABASE_URL"],
    ["a.constructor", {}, 'give --format geojson, csv or ndjson: the name "a.constructor" does not tell it'],
    ["a.csv", { keyProperty: "x" }, "--key-property is for geojson, but this is csv"],
    ["a.geojson", { attributeColumns: ["x"] }, "--attribute-columns is for csv, table, but this is geojson"],
    ["a.csv", { keyColumn: ["a", "b"] }, "--key-column: a CSV file has only one"],
    ["a.csv", { delimiter: "\n" }, "--delimiter must be a text without quotes and line ends"],
    ["a.csv", { again: true, producerId: "x" }, "cannot be used with --producer-id"],
  ];
  for (const [file, options, text] of faults) {
    test(`refuses ${JSON.stringify({ file, ...options })}`, () => {
      expect(() => checkImportOptions(file, options)).toThrow(text);
    });
  }
});

describe("checkExportOptions()", () => {
  const faults: [file: string, options: ExportOptions, text: string][] = [
    ["-", {}, "give --format geojson, csv or ndjson: standard output has no file name"],
    ["a.txt", {}, 'give --format geojson, csv or ndjson: the name "a.txt" does not tell it'],
    ["a.csv", { prefix: "a", until: { offset: 1 } }, "--prefix is for the state, and --until for the log"],
    ["a.ndjson", { columns: ["a"] }, "--columns is for csv, but this is ndjson"],
  ];
  for (const [file, options, text] of faults) {
    test(`refuses ${JSON.stringify({ file, ...options })}`, () => {
      expect(() => checkExportOptions(file, options)).toThrow(`export: ${text}`);
    });
  }
});
