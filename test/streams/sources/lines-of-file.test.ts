import { mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, count, type FileLine, linesOfFile, linesOfFiles, take } from "../../../src/streams/index.js";
import { failureOf } from "../support/failure-of.js";
import { tracked } from "../support/tracked-source.js";
import { turns } from "../support/until.js";

const all = { limit: 100_000 };
const end = { done: true, value: undefined } as const;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lines-of-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** How often the process has this file open. */
async function openOf(path: string): Promise<number> {
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return links.filter((link) => link === path).length;
}

const numbered = (lineCount: number) => Array.from({ length: lineCount }, (_, index) => `line ${index} with an ä`);

describe("linesOfFile", () => {
  test("returns the lines of a file of many chunks, and closes it at the end", async () => {
    const lines = numbered(20_000);
    const path = await file("many.txt", lines.join("\r\n"));
    const stream = linesOfFile(path);
    expect(await openOf(path)).toBe(0);
    expect((await stream.next()).value).toBe(lines[0]);
    expect(await openOf(path)).toBe(1);
    expect(await collect(stream, all)).toEqual(lines.slice(1));
    expect(await openOf(path)).toBe(0);
    expect(await stream.next()).toEqual(end);
  });

  test("returns lines of any length", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(200_000), { maxLength: 4 }), async (lengths) => {
        const lines = lengths.map((length, index) => `${index}`.repeat(length));
        const path = await file("lengths.txt", lines.map((line) => `${line}\n`).join(""));
        expect(await collect(linesOfFile(path), all)).toEqual(lines);
      }),
      { numRuns: 30 },
    );
  });

  test("closed early, closes the file: after a line, and during an open or a read", async () => {
    const path = await file("early.txt", numbered(20_000).join("\n"));
    expect(await count(take(linesOfFile(path), 5_000))).toBe(5_000);
    expect(await openOf(path)).toBe(0);
    for (let steps = 0; steps < 4; steps += 1) {
      const stream = linesOfFile(path);
      const parked = stream.next();
      await turns(steps);
      await stream.return();
      expect([end, { done: false, value: "line 0 with an ä" }]).toContainEqual(await parked);
      expect(await openOf(path)).toBe(0);
      expect(await stream.next()).toEqual(end);
    }
  });

  test("throws errors of the file system and of lines, and closes the file", async () => {
    const missing = linesOfFile(join(folder, "missing.txt"));
    expect(await failureOf(missing.next())).toMatchObject({ code: "ENOENT" });
    expect(await missing.next()).toEqual(end);
    expect(await failureOf(linesOfFile(folder).next())).toMatchObject({ code: "EISDIR" });
    const path = await file("long.txt", "short\nlonger than that\n");
    const message = `Cannot read line 2 of ${path}: it is longer than 8 bytes`;
    expect(await failureOf(collect(linesOfFile(path, { maxLineBytes: 8 }), all))).toMatchObject({ message });
    expect(await openOf(path)).toBe(0);
  });
});

describe("linesOfFiles", () => {
  test("returns the lines of one file after the other, with path and number, and keeps one file open", async () => {
    const paths = await Promise.all(["one\ntwo\n", "", "three"].map((text, index) => file(`${index}.txt`, text)));
    const stream = linesOfFiles(tracked(paths).items);
    const given: FileLine[] = [];
    for await (const line of stream) {
      given.push(line);
      // A last line without a line end is complete only when its file has ended.
      for (const path of paths) expect(await openOf(path)).toBe(path === line.path && path !== paths[2] ? 1 : 0);
    }
    expect(given).toEqual([
      { path: paths[0], number: 1, line: "one" },
      { path: paths[0], number: 2, line: "two" },
      { path: paths[2], number: 1, line: "three" },
    ]);
  });

  test("pulls a path when the previous file has ended, and closes file and paths when it is closed", async () => {
    const path = await file("again.txt", "one\ntwo\n");
    const paths = tracked([path, path, path]);
    expect(await count(take(linesOfFiles(paths.items), 3))).toBe(3);
    expect(paths).toMatchObject({ pulled: 2, closed: 1 });
    expect(await openOf(path)).toBe(0);
  });

  test("throws the first error, of a file or of the paths, after the lines before it", async () => {
    const path = await file("good.txt", "one\n");
    const paths = tracked([path, join(folder, "missing.txt"), path]);
    const stream = linesOfFiles(paths.items);
    expect((await stream.next()).value).toMatchObject({ line: "one" });
    expect(await failureOf(stream.next())).toMatchObject({ code: "ENOENT" });
    expect(paths).toMatchObject({ pulled: 2, closed: 1 });
    expect(await stream.next()).toEqual(end);
    const failure = new Error("no more paths");
    expect(await failureOf(count(linesOfFiles(tracked<string>([], { failWith: failure }).items)))).toBe(failure);
  });

  test("refuses a string, whose characters it would take as paths", () => {
    expect(() => linesOfFiles("a.txt")).toThrow(TypeError);
  });
});
