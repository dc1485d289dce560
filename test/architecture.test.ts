import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findListFaults } from "./support/file-list.js";
import { findFaults, readRooms } from "./support/house-rules.js";
import { readLinks, readSources, type SourceFile } from "./support/imports.js";
import { findProcessClocks } from "./support/process-clock.js";

const page = readFileSync("docs/architecture.md", "utf8");
const rooms = readRooms(page);

describe("src/", () => {
  const sources = readSources("src");

  test("is read whole", () => {
    expect(sources.map((file) => file.path)).toContain("src/gen/millrace/v1/record_service.ts");
    expect(sources.flatMap((file) => readLinks(file).specifiers)).toContain("@grpc/grpc-js");
  });

  test("keeps to the rooms and arrows of docs/architecture.md", () => {
    expect(findFaults(sources, rooms)).toEqual([]);
  });

  test("has the files that docs/architecture.md lists", () => {
    const files = sources.map((file) => file.path);
    expect(findListFaults(page, files)).toEqual([]);
  });

  test("takes time in engine, client and rpc from the clock that it is given", () => {
    expect(findProcessClocks(sources)).toEqual([]);
  });
});

describe("findProcessClocks()", () => {
  const usesOf = (text: string, path = "src/engine/x.ts"): string[] => findProcessClocks([{ path, text }]);

  const uses: Record<string, string> = {
    "Date.now": "export const x = Date.now();",
    "performance.now": "export class X { readonly #x = performance.now(); }",
    "new Date()": "export const x = new Date();",
    "AbortSignal.timeout": "export const x = (ms: number) => AbortSignal.timeout(ms);",
    setTimeout: "export const x = () => setTimeout(() => {}, 1);",
    setInterval: "export const x = { every: setInterval };",
    "node:timers/promises": 'import { setTimeout as sleep } from "node:timers/promises";',
  };
  for (const [use, text] of Object.entries(uses)) {
    test(`sees ${use}`, () => {
      expect(usesOf(text)).toContain(`src/engine/x.ts uses ${use}: it takes the clock that it is given`);
    });
  }

  test("lets pass what is no clock, and other rooms", () => {
    expect(usesOf("// Date.now()\nsetImmediate(() => new Date(0)); export const x = 'setTimeout';")).toEqual([]);
    expect(usesOf("export const x = Date.now();", "src/telemetry/clock.ts")).toEqual([]);
  });
});

describe("findListFaults()", () => {
  const files = [
    "src/core/index.ts",
    "src/core/page.ts",
    "src/store/store.ts",
    "src/store/postgres/cells.ts",
    "src/store/postgres/statements/read-page.ts",
    "src/store/postgres/statements/trim-topic.ts",
    "src/rpc/retention.ts",
    "src/rpc/route-guide/route-note.ts",
    "src/rpc/route-guide/route-point.ts",
    "src/gen/millrace/v1/record.ts",
  ];
  const list = [
    "core/       page.ts (a run of frames)",
    "store/      store.ts",
    "store/postgres/  cells.ts  statements/… (trims among them): one file a statement",
    "rpc/        route-guide/ route-….ts: gRPC's tutorial",
    "            retention.ts",
  ];
  const faultsOf = (lines: readonly string[]): string[] =>
    findListFaults(`# The house\n\n## The rooms, file by file\n\n\`\`\`\n${lines.join("\n")}\n\`\`\`\n`, files);

  test("accepts files, parts of names, and folders", () => {
    expect(faultsOf(list)).toEqual([]);
  });

  const faulty: readonly { what: string; lines: readonly string[]; faults: readonly string[] }[] = [
    {
      what: "a file without a place",
      lines: list.toSpliced(4, 1),
      faults: ['docs/architecture.md does not name src/rpc/retention.ts under "The rooms, file by file"'],
    },
    {
      what: "files of a folder whose name alone is there",
      lines: list.with(2, "store/postgres/  cells.ts  statements/ trim-topic.ts"),
      faults: [
        'docs/architecture.md does not name src/store/postgres/statements/read-page.ts under "The rooms, file by file"',
      ],
    },
    {
      what: "a file that does not exist",
      lines: list.with(0, "core/       page.ts  pages.ts"),
      faults: ["docs/architecture.md:6 names pages.ts of src/core/, which does not exist"],
    },
    {
      what: "a file in another room",
      lines: list.with(4, "            retention.ts  cells.ts"),
      faults: ["docs/architecture.md:10 names cells.ts of src/rpc/route-guide/, which does not exist"],
    },
    {
      what: "a folder that does not exist",
      lines: [...list, "wire/       "],
      faults: ["docs/architecture.md:11 names src/wire/, which does not exist"],
    },
  ];
  for (const { what, lines, faults } of faulty) {
    test(`tells ${what}`, () => {
      expect(faultsOf(lines)).toEqual(faults);
    });
  }

  test("refuses a page without the list", () => {
    expect(() => findListFaults("# The house", files)).toThrow("docs/architecture.md has no list");
  });
});

describe("readRooms()", () => {
  test("reads every kind of row", () => {
    expect(rooms.map((room) => room.name)).toContain("engine");
    expect(rooms.find((room) => room.name === "streams")?.imports).toEqual([]);
    expect(rooms.find((room) => room.name === "wire")?.imports).toEqual(["core", "gen"]);
    expect(rooms.find((room) => room.name === "server")?.imports).toContain("rpc");
    expect(rooms.find((room) => room.name === "server")?.imports).not.toContain("client");
    expect(rooms.find((room) => room.name === "cli")?.importsFrom).toEqual(
      new Map([
        ["server", "serve.ts"],
        ["tables", "import.ts"],
      ]),
    );
  });

  test("refuses a row that names no room", () => {
    expect(() => readRooms("| `src/core` | words | wrods |")).toThrow(
      'The row of src/core names "wrods", which is not a room',
    );
  });
});

describe("findFaults()", () => {
  /** What a sound house has, for the fixtures to import. */
  const house: Record<string, string> = {
    "src/core/index.ts": 'export { page } from "./page.js";',
    "src/core/page.ts": "export const page = 1;",
    "src/store/index.ts": 'export type { Store } from "./store.js";',
    "src/store/store.ts": "export interface Store {}",
    "src/store/postgres/index.ts": 'export { readPage } from "./read-page.js";',
    "src/store/postgres/read-page.ts": 'import { page } from "../../core/index.js"; export const readPage = page;',
    "src/engine/topics/topic.ts": "export const topic = 1;",
    "src/engine/reading/read.ts": "export const read = 1;",
    "src/engine/consume/records/run.ts": "export const run = 1;",
    "src/engine/engine.ts": "export const engine = 1;",
    "src/client/index.ts": "export const client = 1;",
    "src/server/index.ts": "export const serve = 1;",
    "src/gen/millrace/v1/record.ts": "export interface Record {}",
  };

  const faultsWith = (files: Record<string, string>): string[] => {
    const all: SourceFile[] = Object.entries({ ...house, ...files }).map(([path, text]) => ({ path, text }));
    return findFaults(all, rooms);
  };

  const mayEngine = "engine may import core, streams, telemetry, wire, filter, store (its door)";

  const sound: Record<string, Record<string, string>> = {
    "the house itself": {},
    "a door of a room that the table allows": { "src/engine/x.ts": 'import type { Store } from "../store/index.js";' },
    "a file of gen": { "src/rpc/x.ts": 'import type { Record } from "../gen/millrace/v1/record.js";' },
    "store/postgres from server": { "src/server/x.ts": 'import { readPage } from "../store/postgres/index.js";' },
    "store/postgres from store": { "src/store/x.ts": 'import { readPage } from "./postgres/read-page.js";' },
    "a sibling of an outer folder": { "src/store/postgres/x.ts": 'import type { Store } from "../store.js";' },
    "server from serve.ts": { "src/cli/serve.ts": 'const { serve } = await import("../server/index.js");' },
    "a wing that the wing's row allows": { "src/engine/reading/x.ts": 'import "../topics/topic.js";' },
    "a wing inside a wing": { "src/engine/consume/x.ts": 'import "./records/run.js";' },
    "any wing from a file that is in none": { "src/engine/x.ts": 'import "./topics/topic.js";' },
    "a package in its home, by a path inside it": { "src/wire/x.ts": 'import "@bufbuild/protobuf/wire";' },
    "a module of Node's": { "src/core/x.ts": 'import { setTimeout } from "node:timers/promises";' },
    "the client from the package's door": { "src/index.ts": 'export { client } from "./client/index.js";' },
    "imports in comments and strings": { "src/core/x.ts": `// import "pg";\nexport const x = 'import "pg"';` },
  };
  for (const [what, files] of Object.entries(sound)) {
    test(`accepts ${what}`, () => {
      expect(faultsWith(files)).toEqual([]);
    });
  }

  const forms = {
    "a static import": 'import { page } from "../core/page.js";',
    "an import for its effect": 'import "../core/page.js";',
    "an import of types": 'import type { page } from "../core/page.js";',
    "a type": 'export type Page = typeof import("../core/page.js");',
    "a dynamic import": 'export const page = import("../core/page.js");',
    "a re-export": 'export { page } from "../core/page.js";',
    "a re-export of types": 'export type { page } from "../core/page.js";',
    "a require": 'import core = require("../core/page.js");',
  };
  for (const [form, text] of Object.entries(forms)) {
    test(`sees ${form}`, () => {
      expect(faultsWith({ "src/engine/x.ts": text })).toEqual([
        "src/engine/x.ts imports src/core/page.ts: other rooms come in by src/core/index.ts alone",
      ]);
    });
  }

  const faulty: readonly { what: string; files: Record<string, string>; fault: string }[] = [
    {
      what: "a room that the table does not allow",
      files: { "src/core/x.ts": 'import type { Store } from "../store/index.js";' },
      fault: "src/core/x.ts imports src/store/index.ts: core may import no other room",
    },
    {
      what: "a file of gen where gen is not allowed",
      files: { "src/engine/x.ts": 'import type { Record } from "../gen/millrace/v1/record.js";' },
      fault: `src/engine/x.ts imports src/gen/millrace/v1/record.ts: ${mayEngine}`,
    },
    {
      what: "store/postgres from engine",
      files: { "src/engine/x.ts": 'import { readPage } from "../store/postgres/read-page.js";' },
      fault: `src/engine/x.ts imports src/store/postgres/read-page.ts: ${mayEngine}`,
    },
    {
      what: "store/postgres from engine by its door",
      files: { "src/engine/x.ts": 'import { readPage } from "../store/postgres/index.js";' },
      fault: `src/engine/x.ts imports src/store/postgres/index.ts: ${mayEngine}`,
    },
    {
      what: "a wing that the wing's row does not allow",
      files: { "src/engine/topics/x.ts": 'import "../reading/read.js";' },
      fault:
        "src/engine/topics/x.ts imports src/engine/reading/read.ts: engine/topics may import engine/database-lanes",
    },
    {
      what: "the room around a wing",
      files: { "src/engine/topics/x.ts": 'import "../engine.js";' },
      fault: "src/engine/topics/x.ts imports src/engine/engine.ts: engine/topics may import engine/database-lanes",
    },
    {
      what: "the wing around a wing",
      files: {
        "src/engine/consume/records/x.ts": 'import "../y.js";',
        "src/engine/consume/y.ts": "export const y = 1;",
      },
      fault:
        "src/engine/consume/records/x.ts imports src/engine/consume/y.ts: engine/consume/records may import no other room",
    },
    {
      what: "server from a file of cli that is not serve.ts",
      files: { "src/cli/main.ts": 'import { serve } from "../server/index.js";' },
      fault:
        "src/cli/main.ts imports src/server/index.ts: cli may import core, client, streams, files, server from serve.ts alone, tables from import.ts alone",
    },
    {
      what: "its own door",
      files: { "src/core/x.ts": 'import { page } from "./index.js";' },
      fault: "src/core/x.ts imports src/core/index.ts: files import siblings, never their door",
    },
    {
      what: "the door of the room around its own",
      files: { "src/store/postgres/x.ts": 'import type { Store } from "../index.js";' },
      fault: "src/store/postgres/x.ts imports src/store/index.ts: files import siblings, never their door",
    },
    {
      what: "a module that is not there",
      files: { "src/core/x.ts": 'import { page } from "./pages.js";' },
      fault: "src/core/x.ts imports src/core/pages.ts: there is no such module",
    },
    {
      what: "a package away from its home",
      files: { "src/engine/x.ts": 'import type pg from "pg";' },
      fault: "src/engine/x.ts imports pg: pg lives in store, tables",
    },
    {
      what: "a scoped package away from its home, by a path inside it",
      files: { "src/core/x.ts": 'import "@electric-sql/pglite/node-postgres";' },
      fault: "src/core/x.ts imports @electric-sql/pglite/node-postgres: @electric-sql/pglite lives in store",
    },
    {
      what: "a package without a home",
      files: { "src/core/x.ts": 'import lodash from "lodash/fp";' },
      fault: "src/core/x.ts imports lodash/fp: lodash has no home (test/support/house-rules.ts)",
    },
    {
      what: "more than the client at the package's door",
      files: { "src/index.ts": 'export { serve } from "./server/index.js";' },
      fault: "src/index.ts imports src/server/index.ts: it may import client's door",
    },
    {
      what: "a folder that is no room",
      files: { "src/utils/x.ts": "export const x = 1;" },
      fault: "src/utils/x.ts is in no room of docs/architecture.md",
    },
    {
      what: "a computed import",
      files: { "src/core/x.ts": "export const x = (name: string) => import(name);" },
      fault: "src/core/x.ts has import(name): a computed import cannot be checked",
    },
    {
      what: "export *",
      files: { "src/core/x.ts": 'export * from "./page.js";' },
      fault: "src/core/x.ts has export *: a door names what it exports",
    },
    {
      what: "a default export",
      files: { "src/core/x.ts": "export default 1;" },
      fault: "src/core/x.ts has a default export: exports have names",
    },
    {
      what: "a cycle, types included",
      files: {
        "src/core/x.ts": 'import type { Y } from "./y.js"; export type X = Y;',
        "src/core/y.ts": 'import type { X } from "./x.js"; export type Y = X;',
      },
      fault: "src/core/x.ts → src/core/y.ts → src/core/x.ts is a cycle",
    },
  ];
  for (const { what, files, fault } of faulty) {
    test(`refuses ${what}`, () => {
      expect(faultsWith(files)).toEqual([fault]);
    });
  }

  test("refuses a module that does not parse", () => {
    expect(() => faultsWith({ "src/core/x.ts": "import from;" })).toThrow("Cannot parse src/core/x.ts");
  });
});
