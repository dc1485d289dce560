import { describe, expect, test } from "vitest";
import { type FileFormat, rowsFromFile } from "../../src/files/file-formats.js";
import { recordsFromCsv, recordsFromNdjson } from "../../src/files/index.js";
import { collect, forEach } from "../../src/streams/index.js";

/** Reads a file: the keys of its records, the texts of its bad rows, and last the error that ended it. */
async function outcomeOf(format: FileFormat, bytes: Buffer, chunkBytes: number): Promise<string[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes));
  const outcome: string[] = [];
  try {
    await forEach(rowsFromFile(chunks, format, { name: "f" }), (row) => {
      outcome.push(row.kind === "bad" ? row.error.message : (row.record.key ?? ""));
    });
  } catch (error) {
    outcome.push(`! ${(error as Error).message}`);
  }
  return outcome;
}

const feature = (id: string, geometry = '{"type":"Point","coordinates":[1,2]}') =>
  `{"type":"Feature","id":"${id}","geometry":${geometry},"properties":{"features":[{"a":"]}\\""}]}}`;
const collection = (...features: string[]) => `{"type":"FeatureCollection","features":[${features.join()}]}`;
const utf16 = (text: string) => Buffer.from(text, "utf16le");
const latin1 = (text: string) => Buffer.from(text, "latin1");

const files: readonly [format: FileFormat, what: string, file: string | Buffer, outcome: readonly string[]][] = [
  ["ndjson", "a byte order mark, CRLF, empty lines, no last end", '\ufeff{"key":"a"}\r\n\r\n{"key":"b"}', ["a", "b"]],
  ["ndjson", "a line cut off", '{"key":"a"}\n{"key":', ["a", "f:2: is not JSON: Unexpected end of JSON input"]],
  ["ndjson", "no object", "[1]\n", ["f:1: must be a JSON object, got a list"]],
  [
    "ndjson",
    "a field that a record has not",
    '{"name":"a"}',
    [
      'f:1: "name" is not a field of a record (key, attributes, data, text, json, message, location, eventTime, lifetime)',
    ],
  ],
  [
    "ndjson",
    "wrong types",
    '{"key":1}\n{"json":"x"}\n{"data":"?"}\n{"eventTime":"noon"}',
    [
      "f:1: key must be a text, got a number",
      "f:2: json must be an object, got a string",
      "f:3: data must be base64",
      'f:4: eventTime must be a time such as 2026-05-01T12:00:00Z, got "noon"',
    ],
  ],
  [
    "ndjson",
    "two bodies, NUL, half a surrogate pair",
    '{"text":"a","json":{}}\n{"key":"\\u0000"}\n{"text":"\\ud800"}',
    [
      "f:1: has more than one body: choose one of data, text, json, message",
      "f:2: key must not contain U+0000",
      "f:3: text is a text with half of a surrogate pair, which UTF-8 cannot encode: repair it with toWellFormed()",
    ],
  ],
  ["ndjson", "bytes that are no UTF-8", latin1('{"key":"a"}\n{"key":"\xe9"}\n'), ["a", "! f:2: must be UTF-8"]],
  [
    "csv",
    "a byte order mark, CRLF and LF, quotes, an end inside quotes",
    '\ufeffkey,x\r\na,"1\r\n""2"""\nb,\n\nc,"',
    ["a", "b", "! f:6: the file ends inside quotes that this row opens"],
  ],
  [
    "csv",
    "line ends inside quotes, and faults after them",
    'key,x\r\na,"1\r\n2\r\n"\r\nb\r\nc,"\r"\r\nd\n\n\n"e"f',
    [
      "a",
      "f:5: has 1 values for the 2 columns of the header",
      "c",
      "f:7: has 1 values",
      "! f:10: has text after a closing quote",
    ],
  ],
  ["csv", "CR at the end of each line", 'key,x\ra,1\r\rb,"2\r\n""\n"\rc,3\r', ["a", "b", "c"]],
  ["csv", "CR at the end of each line but the last", "key,x\ra,1\rb,2", ["a", "b"]],
  [
    "csv",
    "CR at the end of each line, and bad rows",
    "key,x\ra\rb,1\rc,1,2",
    ["f:2: has 1 values", "b", "f:4: has 3 "],
  ],
  ["csv", "CR at the end of each line, and no UTF-8", latin1("key,x\ra,1\rb,\xe9\r"), ["a", "! f:3: must be UTF-8"]],
  ["csv", "CR at the end of the file alone", "key,x\na,1\r", ["a"]],
  [
    "csv",
    "CR outside quotes in a file of LF",
    'key,x\r\na,"1\r"\nb,2\rc,3\nd,4\n',
    [
      "a",
      "! f:3: has a CR outside quotes, but the lines before it end with LF: put the value in quotes, or use one line end",
    ],
  ],
  [
    "csv",
    "LF in a file of CR",
    'key,x\ra,"1\n"\rb,2\nc,3\r',
    ["a", "! f:4: ends with LF, but the lines before it end with CR: use one line end in the whole file"],
  ],
  ["csv", "CRLF in a file of CR", "key\r\r\na\r\n", ["! f:2: ends with LF, but the lines before it end with CR"]],
  [
    "ndjson",
    "CR at the end of each line",
    '{"key":"a"}\r{"key":"b"}\r',
    ["! f:1: has a CR that ends no line: end lines with LF or CRLF"],
  ],
  ["ndjson", "CR between values, and at the end", '{"key":\r"a"}\r\n{"key":"b"}\r', ["a", "b"]],
  ["geojson", "CR at the end of each line", `${feature("a")}\r${feature("b")}\r`, ["a", "b"]],
  [
    "csv",
    "text after a closing quote",
    'key,x\na,1\nb,"2"3\nc,4\n',
    ["a", "! f:3: has text after a closing quote; a quote inside quotes must be written twice"],
  ],
  [
    "csv",
    "a quote inside a plain value",
    'key,x\na,1\nb,2"3\n',
    ["a", "! f:3: has a quote inside a value that does not begin with one"],
  ],
  [
    "csv",
    "rows of other lengths",
    "key,x\na\nb,1\nc,1,2\n",
    ["f:2: has 1 values for the 2 columns of the header", "b", "f:4: has 3 values for the 2 columns of the header"],
  ],
  ["csv", "no header", "", ["! f:1: is empty: the first row names the columns"]],
  [
    "csv",
    "a column without a name, and one named twice",
    "key,,x",
    ["! f:1: column 2 has no name: the first row names the columns"],
  ],
  ["csv", "a column named twice", "x,x\n", ['! f:1: names two columns "x"']],
  [
    "csv",
    "places that are none",
    "key,lat,lon\na,91,0\nb,north,0\nc,1,\nd,,\n",
    [
      "f:2: location.latitude must be from -90 to 90, got 91",
      'f:3: latitude must be a number of degrees, got "north"',
      'f:4: longitude must be a number of degrees, got ""',
      "d",
    ],
  ],
  ["csv", "bytes that are no UTF-8", latin1("key,x\na,1\nb,\xe9\n"), ["a", "! f:3: must be UTF-8"]],
  ["csv", "a last character cut off", Buffer.from("key,x\na,é").subarray(0, -1), ["! f:2: must be UTF-8"]],
  ["csv", "UTF-16", utf16("key,x\na,1\n"), ["! f:1: contains U+0000: is this UTF-16? Save the file as UTF-8"]],
  [
    "geojson",
    "a byte order mark and blanks",
    `\ufeff\n${collection(feature("a"), ` \n${feature("b")} `)}\n`,
    ["a", "b"],
  ],
  ["geojson", "features on lines, and by RFC 8142", `${feature("a")}\n\u001e${feature("b")}\n`, ["a", "b"]],
  [
    "geojson",
    "a file cut off",
    collection(feature("a"), feature("b")).slice(0, -20),
    ["a", "! f:1: ends in the middle of a value"],
  ],
  [
    "geojson",
    "other geometries",
    collection(feature("a", '{"type":"LineString"}'), feature("b"), feature("c", "7")),
    [
      'f: feature 0: has a geometry of type "LineString"; a record\'s location is a Point: convert the geometries to centroids, or leave them out with --skip-bad',
      "b",
      "f: feature 2: geometry must be an object or null, got a number",
    ],
  ],
  [
    "geojson",
    "commas too many",
    collection(feature("a"), "", feature("b"), ""),
    [
      "a",
      "f: feature 1: is not JSON: Unexpected end of JSON input",
      "b",
      "f: feature 3: is not JSON: Unexpected end of JSON input",
    ],
  ],
  [
    "geojson",
    "two lists",
    collection(feature("a")).replace(/\}$/, `,"features":[${feature("b")}]}`),
    ["a", "! f: the FeatureCollection has two lists of features"],
  ],
  ["geojson", "an open end after the list", `${collection(feature("a")).slice(0, -1)},}`, ["a", "! f:1: is not JSON"]],
  ["geojson", "a list of its own", `[${feature("a")}]`, ['! f:1: must be JSON objects, got "["']],
  [
    "geojson",
    "something else",
    '{"type":"Topology"}',
    ['! f: must be a FeatureCollection, or Features one after the other, got "Topology"'],
  ],
  [
    "geojson",
    "bytes that are no UTF-8",
    latin1(collection(feature("a"), feature("\xe9"))),
    ["a", "! f:1: element 1 must be UTF-8"],
  ],
];

describe("hostile files", () => {
  for (const [format, what, file, expected] of files) {
    test(`${format}: ${what}`, async () => {
      const bytes = typeof file === "string" ? Buffer.from(file) : file;
      // Compares only the beginning: JSON.parse's own text may change.
      for (const chunkBytes of [1, 7, 1_000_000]) {
        const outcome = await outcomeOf(format, bytes, chunkBytes);
        expect(outcome.map((line, index) => line.slice(0, expected[index]?.length))).toEqual(expected);
      }
    });
  }

  const endless: readonly [format: FileFormat, what: string, start: string, more: string, text: string][] = [
    ["ndjson", "a line without an end", '{"text":"', "a", "f:1: the line is longer than 1000000 bytes"],
    ["csv", "a value without an end", 'key\n"', "a", "f:2: the row that begins here is longer than 1000000 bytes"],
    [
      "csv",
      "a row of commas without an end",
      "key\n",
      ",",
      "f:2: the row that begins here is longer than 1000000 bytes",
    ],
    ["geojson", "a feature without an end", '{"features":[{"id":"', "a", "f:1: element 0 is longer than 1000000 bytes"],
    ["geojson", "brackets without an end", '{"features":[', "[", "f:1: element 0 is longer than 1000000 bytes"],
    [
      "geojson",
      "an object around the list without an end",
      '{"name":"',
      "a",
      "f:1: a value is longer than 1000000 bytes",
    ],
  ];
  for (const [format, what, start, more, text] of endless) {
    test(`${format}: ${what} is refused before it fills the memory`, async () => {
      let given = 0;
      const chunks = function* () {
        yield Buffer.from(start);
        const chunk = Buffer.alloc(100_000, more);
        for (; given < 64; given++) yield chunk;
      };
      await expect(
        collect(rowsFromFile(chunks(), format, { name: "f", maxRowBytes: 1_000_000 }), { limit: 1 }),
      ).rejects.toThrow(text);
      expect(given).toBeLessThan(20);
    });
  }

  test("a row larger than a record is bad, and later rows are read", async () => {
    const large = `{"key":"large","text":"${"x".repeat(2_000_000)}"}\n{"key":"b"}\n`;
    expect(await outcomeOf("ndjson", Buffer.from(large), 65_536)).toEqual([
      "f:1: makes a record of 2000034 bytes, at most 1048576 are allowed",
      "b",
    ]);
  });

  test("a delimiter that is a line end or a quote is refused: it would make the file one row", () => {
    for (const delimiter of ["", "\n", "\r", ";\n", '"']) {
      expect(() => recordsFromCsv([Buffer.from("key\na\n")], { delimiter })).toThrow(
        "delimiter: must be a text without",
      );
    }
  });

  test("the error for a missing file names its path", async () => {
    await expect(collect(recordsFromCsv("/nowhere/at-all.csv"), { limit: 1 })).rejects.toThrow("/nowhere/at-all.csv");
  });

  test("skipBad leaves out up to its number of rows, and reports each", async () => {
    const text = '{"key":"a"}\nx\n{"key":"b"}\ny\n{"key":"c"}\n';
    const skipped: string[] = [];
    const read = (skipBad: number) =>
      collect(
        recordsFromNdjson([Buffer.from(text)], {
          name: "f",
          skipBad,
          onSkipped: ({ where }) => void skipped.push(where),
        }),
        { limit: 9 },
      );
    expect((await read(2)).map(({ key }) => key)).toEqual(["a", "b", "c"]);
    expect(skipped).toEqual(["f:2", "f:4"]);
    await expect(read(1)).rejects.toThrow("f:4: is not JSON");
  });
});
