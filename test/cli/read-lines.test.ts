import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLines } from "../../src/cli/read-lines.js";

async function linesOf(chunks: readonly Uint8Array[]): Promise<string[]> {
  const source = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  const lines: string[] = [];
  for await (const { text } of readLines(source, "f", () => {})) lines.push(text);
  return lines;
}

describe("readLines()", () => {
  test("gives the same lines however the bytes are cut", async () => {
    const line = fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replaceAll(/[\r\n\ufeff]/g, "-"));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 8 }),
        fc.array(fc.nat(40)),
        fc.boolean(),
        async (lines, cuts, crlf) => {
          const bytes = Buffer.from(lines.map((each) => each + (crlf ? "\r\n" : "\n")).join(""));
          const ends = [...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
          const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
          expect(await linesOf(chunks)).toEqual(lines);
        },
      ),
    );
  });

  test("gives a last line without a line end, and drops a byte order mark", async () => {
    expect(await linesOf([Buffer.from("\ufeffa\nb")])).toEqual(["a", "b"]);
  });

  test("refuses bytes that are not UTF-8, and lines that are too long", async () => {
    await expect(linesOf([Buffer.from("a\n"), Buffer.from([0xc3, 0x0a])])).rejects.toThrow("f:2: must be UTF-8");
    const endless = Array.from({ length: 20 }, () => Buffer.alloc(1_048_576, 0x61));
    await expect(linesOf(endless)).rejects.toThrow("f:1: the line is longer");
  });
});
