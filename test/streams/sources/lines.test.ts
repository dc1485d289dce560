import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  collect,
  from,
  LineNotUtf8Error,
  lines,
  LineTooLongError,
  type LinesOptions,
} from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";

const all = { limit: 10_000 };
const end = { done: true, value: undefined } as const;

/** The lines of a text: the model. */
function model(text: string): string[] {
  const parts = text.split("\n");
  if (parts.at(-1) === "") parts.pop();
  return parts.map((line, index) => (index === 0 ? line.replace(/^\ufeff/, "") : line).replace(/\r$/, ""));
}

/** Cuts anywhere, also inside characters. */
function cut<T extends string | Uint8Array>(whole: T, sizes: readonly number[]): T[] {
  const chunks: T[] = [];
  for (let at = 0, index = 0; at < whole.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push((typeof whole === "string" ? whole.slice(at, at + size) : whole.subarray(at, at + size)) as T);
    at += size;
  }
  return chunks;
}

const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom("\n", "\r\n", "\r", "\ufeff", "ä", "€", "😀", "\0"),
      fc.string({ unit: "binary", maxLength: 5 }),
    ),
  )
  .map((parts) => parts.join("").toWellFormed());
const anySizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });

async function outcomeOf(source: Iterable<string | Uint8Array>, options: LinesOptions) {
  const given: string[] = [];
  try {
    for await (const line of lines(source, options)) given.push(line);
    return { given, error: undefined };
  } catch (error) {
    return { given, error };
  }
}

describe("lines", () => {
  test("returns the lines of a text in chunks of bytes or strings, wherever they are cut", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, anySizes, async (text, sizes) => {
        const bytes = cut(Buffer.from(text), sizes);
        expect(await collect(lines(bytes), all)).toEqual(model(text));
        expect(
          await collect(
            lines(
              bytes.map((chunk) => new Uint8Array(chunk)),
              { invalidUtf8: "fail" },
            ),
            all,
          ),
        ).toEqual(model(text));
        expect(await collect(lines(cut(text, sizes)), all)).toEqual(model(text));
        expect(await collect(lines(tracked(bytes).items), all)).toEqual(model(text));
      }),
      { numRuns: 300 },
    );
  });

  test("accepts empty chunks, and strings and bytes mixed", async () => {
    const chunks = [
      "a",
      "",
      Buffer.from("b\nc"),
      "",
      Buffer.alloc(0),
      "d\ud83d",
      "",
      "\ude00",
      Buffer.from("\r\n"),
      "",
    ];
    expect(await collect(lines(chunks), all)).toEqual(["ab", "cd😀"]);
    expect(await collect(lines([]), all)).toEqual([]);
    expect(await collect(lines(["", "\n", "\n\r\n"]), all)).toEqual(["", "", ""]);
    expect(await collect(lines(["half \ud83d"]), all)).toEqual(["half \ufffd"]);
    expect(await collect(lines(["half \ud83d", Buffer.from("!")]), all)).toEqual(["half \ufffd!"]);
  });

  test("keeps no view of a chunk that its source overwrites", async () => {
    function* overwriting() {
      const buffer = Buffer.alloc(4);
      for (const text of ["ab\nc", "defg", "h\nij", "k\nlm"]) {
        buffer.write(text);
        yield buffer;
      }
    }
    expect(await collect(lines(overwriting()), all)).toEqual(["ab", "cdefgh", "ijk", "lm"]);
  });

  test("returns the lines of a chunk without promises, and pulls the next one when none is left", () => {
    let asked = 0;
    function* chunks() {
      asked += 1;
      yield "a\nb\nc";
      asked += 1;
      yield "d\ne";
      asked += 1;
    }
    const stream = lines(chunks());
    expect(asked).toBe(0);
    expect([stream.pull(), stream.pull(), asked]).toEqual(["a", "b", 1]);
    expect([stream.pull(), asked]).toEqual(["cd", 2]);
    expect([stream.pull(), asked]).toEqual(["e", 3]);
  });

  test("refuses a line that is too long, after the lines before it, wherever the chunks are cut, and closes the source", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, anySizes, fc.integer({ min: 1, max: 9 }), async (text, sizes, maxLineBytes) => {
        // A byte order mark counts towards its line.
        const wanted = model(text.replace(/^\ufeff+/, ""));
        const at = wanted.findIndex((line) => Buffer.byteLength(line) > maxLineBytes);
        for (const source of [
          cut(Buffer.from(text.replace(/^\ufeff+/, "")), sizes),
          cut(text.replace(/^\ufeff+/, ""), sizes),
        ]) {
          const { given, error } = await outcomeOf(source, { maxLineBytes });
          expect(given).toEqual(at < 0 ? wanted : wanted.slice(0, at));
          if (at < 0) expect(error).toBeUndefined();
          else expect(error).toMatchObject({ code: "line-too-long", line: at + 1, maxLineBytes });
        }
      }),
      { numRuns: 300 },
    );
    const source = tracked(["ok\n123", "456", "7890\n"]);
    const stream = lines(source.items, { maxLineBytes: 5, name: "the log" });
    expect((await stream.next()).value).toBe("ok");
    const error = await failureOf(stream.next());
    expect(error).toBeInstanceOf(LineTooLongError);
    expect(error).toMatchObject({ message: "Cannot read line 2 of the log: it is longer than 5 bytes" });
    expect(source).toMatchObject({ pulled: 3, closed: 1 });
    expect(await stream.next()).toEqual(end);
  });

  test("holds no more of an endless line than maxLineBytes and a chunk", async () => {
    let given = 0;
    function* endless() {
      for (;;) {
        given += 1;
        yield Buffer.alloc(1_024, 0x61);
      }
    }
    expect(await failureOf(collect(lines(endless()), all))).toBeInstanceOf(LineTooLongError);
    expect(given).toBe(1_025);
    const source = tracked(Array.from({ length: 99 }, () => "a"));
    expect(await failureOf(collect(lines(source.items, { maxLineBytes: 10 }), all))).toBeInstanceOf(LineTooLongError);
    // The eleventh byte could have been the \r of the line end.
    expect(source.pulled).toBe(12);
    for (const maxLineBytes of [0, -1, Number.NaN]) expect(() => lines([], { maxLineBytes })).toThrow(RangeError);
  });

  test("replaces bytes that are not UTF-8, or refuses their line after the lines before it", async () => {
    const bytes = Buffer.from("one\ntw\xe4\nthree\n", "latin1");
    expect(await collect(lines([bytes]), all)).toEqual(["one", "tw\ufffd", "three"]);
    for (const sizes of [[100], [1], [5], [7]]) {
      const { given, error } = await outcomeOf(cut(bytes, sizes), { invalidUtf8: "fail", name: "a.txt" });
      expect(given).toEqual(["one"]);
      expect(error).toBeInstanceOf(LineNotUtf8Error);
      expect(error).toMatchObject({ message: "Cannot read line 2 of a.txt: it is not UTF-8", line: 2 });
    }
  });

  test("throws its source's error after the whole lines before it", async () => {
    const failure = new Error("the disk is gone");
    const stream = lines(tracked(["a\nb\nhalf"], { failWith: failure }).items);
    expect([(await stream.next()).value, (await stream.next()).value]).toEqual(["a", "b"]);
    expect(await failureOf(stream.next())).toBe(failure);
    expect(await stream.next()).toEqual(end);
  });

  test("closed early, closes its source once", async () => {
    const source = tracked(["a\nb\nc\n"]);
    for await (const line of lines(source.items)) if (line === "b") break;
    expect(source).toMatchObject({ pulled: 1, closed: 1 });
    expect(await from(source.items).next()).toEqual(end);
  });
});
