import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";
import type { TestProject } from "vitest/node";
import { built } from "./built.js";
import { bundleCli } from "./bundle-cli.js";
import { startPostgresServer } from "./postgres-server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A Postgres where tests may create databases. */
    postgresUrl: string;
    /** A folder of an empty PGlite, to copy: initdb takes seconds. */
    pgliteTemplate: string;
    /** The `main.js` of the command line, for processes of their own. */
    cliEntry: string;
  }
}

const cache = join(dirname(fileURLToPath(import.meta.url)), "../../node_modules/.cache/millrace-test");

/** Once a run: Postgres (`DATABASE_URL`, or one of our own without fsync), PGlite's template, and the command line. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  project.provide("pgliteTemplate", await makeTemplate());
  const removals = [await provideCli(project), await providePostgres(project)];
  return async () => {
    for (const remove of removals) await remove();
  };
}

/** The soaks run what users get. */
async function provideCli(project: TestProject): Promise<() => Promise<void>> {
  if (process.env["SOAK"] !== undefined) {
    project.provide("cliEntry", join(built, "cli/main.js"));
    return async () => undefined;
  }
  const cli = await bundleCli(built);
  project.provide("cliEntry", cli.entry);
  return () => cli.remove();
}

async function providePostgres(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["DATABASE_URL"];
  if (given !== undefined && given !== "") {
    project.provide("postgresUrl", given);
    return async () => undefined;
  }
  // What tests kill is a process, never the machine: fsync would only make them slow.
  const server = await startPostgresServer(["fsync=off", "full_page_writes=off"]);
  project.provide("postgresUrl", server.url);
  return () => server.remove();
}

/** Kept from run to run, by PGlite's version. */
async function makeTemplate(): Promise<string> {
  const { version } = createRequire(import.meta.url)("../../node_modules/@electric-sql/pglite/package.json") as {
    version: string;
  };
  const template = join(cache, `pglite-${version}`);
  if (await exists(template)) return template;
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(join(cache, "draft-"));
  const pglite = await PGlite.create(join(draft, "data"));
  await pglite.close();
  // Another run may have been faster: then its template stands.
  await rename(join(draft, "data"), template).catch(async (error: unknown) => {
    if (!(await exists(template))) throw error;
  });
  await rm(draft, { recursive: true, force: true });
  return template;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
