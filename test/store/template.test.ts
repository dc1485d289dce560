import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { ensureDataDirectory } from "../../src/store/postgres/database/data-directory.js";
import { openPostgresStore } from "../../src/store/postgres/index.js";
import { migrations } from "../../src/store/postgres/migrations/migrations.js";
import { templateName } from "../../src/store/postgres/template/template-name.js";
import { unpackTemplate } from "../../src/store/postgres/template/unpack-template.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { newTopic } from "./topic-writes.js";

const template = inject("pgliteArchive");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-template-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Opens a store on a database and uses it. Returns what it logged. */
async function openOnce(data: string, templates: string): Promise<string[]> {
  const log: string[] = [];
  const tell = (_: object, text: string) => void log.push(text);
  const logger = { ...silentLogger, info: tell, warn: tell };
  const store = await openPostgresStore({ connection: { kind: "embedded", folder: data }, templates, logger });
  const name = `topic-${log.length}`;
  expect(await store.createTopic(newTopic(name))).toMatchObject({ name });
  await store.close();
  return log;
}

describe("templateName()", () => {
  test("is the name of the made archive, and contains PGlite's version", () => {
    expect(templateName()).toBe(basename(template));
    expect(templateName()).toMatch(/^embedded-\d+\.\d+\.\d+-[0-9a-f]{32}\.tar\.br$/);
  });

  test("differs when a migration is added, is removed, or has another text", () => {
    const [first, ...others] = migrations;
    if (first === undefined) throw new Error("There is no migration");
    // The migration's own checksum stays the same.
    const changed = { ...first, statements: [...first.statements, "select 1"] };
    const added = { ...first, number: migrations.length + 1 };
    const lists = [migrations, [...migrations, added], migrations.slice(0, -1), [changed, ...others]];
    expect(new Set(lists.map(templateName)).size).toBe(4);
  });
});

describe("openPostgresStore() on a new embedded database", () => {
  test("copies the template, which has all migrations, and leaves nothing beside it", async () => {
    expect(await openOnce(folder, dirname(template))).toEqual([]);
    expect(await readdir(folder)).toEqual(["postgres"]);
  });

  test("copies the template into memory", async () => {
    expect(await openOnce("memory", dirname(template))).toEqual([]);
  });

  test("initialises one itself if the template is damaged, and logs that", async () => {
    const archive = await readFile(template);
    await writeFile(join(folder, basename(template)), archive.subarray(0, archive.length >> 1));
    const data = join(folder, "data");
    expect(await openOnce(data, folder)).toEqual([
      "Cannot use the template of databases: initialising a new one",
      "Migrated the schema millrace",
    ]);
    expect(await readdir(data)).toEqual(["postgres"]);
  }, 120_000);

  test("restarts after a start that was killed before its copy was complete", async () => {
    await mkdir(join(folder, "postgres-draft/base"), { recursive: true });
    await writeFile(join(folder, "postgres-draft/PG_VERSION"), "18\n");
    expect(await openOnce(folder, dirname(template))).toEqual([]);
    expect(await readdir(folder)).toEqual(["postgres"]);
  });
});

describe("unpackTemplate()", () => {
  test("throws when the archive is missing, truncated or changed", async () => {
    const archive = await readFile(template);
    const file = join(folder, "archive");
    const target = join(folder, "unpacked");
    await expect(unpackTemplate(file, target)).rejects.toThrow("ENOENT");
    const changed = Buffer.from(archive);
    changed.fill(0xff, archive.length >> 1, (archive.length >> 1) + 64);
    for (const bad of [archive.subarray(0, 0), archive.subarray(0, 1000), archive.subarray(0, -1), changed]) {
      await writeFile(file, bad);
      await expect(unpackTemplate(file, target)).rejects.toThrow();
      await rm(target, { recursive: true, force: true });
    }
  });
});

describe("ensureDataDirectory()", () => {
  const directory = () => join(folder, "postgres");

  /** Fills a draft, as initdb does. */
  async function fill(draft: string): Promise<void> {
    await mkdir(draft);
    await mkdir(join(draft, "base"));
    await writeFile(join(draft, "PG_VERSION"), "18\n");
  }

  test("renames the directory when it is complete, and makes it once", async () => {
    const before: string[][] = [];
    const make = async (draft: string) => {
      before.push(await readdir(folder));
      await fill(draft);
    };
    expect(await ensureDataDirectory(folder, make)).toBe(directory());
    expect(await ensureDataDirectory(folder, make)).toBe(directory());
    expect(before).toEqual([[]]);
    expect((await readdir(directory())).toSorted()).toEqual(["PG_VERSION", "base"]);
  });

  test("makes it again when the first try failed", async () => {
    const failing = async (draft: string) => {
      await fill(draft);
      throw new Error("no room");
    };
    await expect(ensureDataDirectory(folder, failing)).rejects.toThrow("no room");
    expect(await readdir(folder)).not.toContain("postgres");
    await ensureDataDirectory(folder, fill);
    expect(await readdir(folder)).toEqual(["postgres"]);
  });

  test("makes it in an empty directory, and refuses one with other files", async () => {
    await mkdir(directory());
    await ensureDataDirectory(folder, fill);
    await rm(join(directory(), "PG_VERSION"));
    await writeFile(join(directory(), "base/notes"), "mine");
    await expect(ensureDataDirectory(folder, fill)).rejects.toThrow("has files but no PG_VERSION");
    expect(await readFile(join(directory(), "base/notes"), "utf8")).toBe("mine");
  });
});
