import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { openPostgresStore } from "../../src/store/postgres/index.js";
import { makeTemplate } from "../../src/store/postgres/template/make-template.js";
import { unpackTemplate } from "../../src/store/postgres/template/unpack-template.js";
import { silentLogger } from "../../src/telemetry/index.js";
import { built } from "./built.js";
import { bundleCli } from "./bundle-cli.js";
import { makeDatabaseFolder } from "./database-folder.js";
import { runOn, urlOf } from "./database.js";
import { startPostgresServer } from "./postgres-server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** A Postgres where tests may create databases. */
    postgresUrl: string;
    /** The name of a migrated database there, to copy. */
    postgresTemplate: string;
    /** The template of embedded databases, as of `makeTemplate`. */
    pgliteArchive: string;
    /** The data directory that it holds, to copy. */
    pgliteTemplate: string;
    /** The `main.js` of the command line, for processes of their own. */
    cliEntry: string;
  }
}

const templates = new URL("../../node_modules/.cache/millrace-templates", import.meta.url).pathname;

/** Once a run: Postgres (`DATABASE_URL`, or one of our own without fsync), the databases that tests copy, and the command line. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const removals = [await providePglite(project), await provideCli(project), await providePostgres(project)];
  return async () => {
    for (const remove of removals) await remove();
  };
}

async function providePglite(project: TestProject): Promise<() => Promise<void>> {
  const folder = await makeDatabaseFolder("millrace-template-");
  const directory = join(folder, "postgres");
  const archive = await makeTemplate(templates);
  await unpackTemplate(archive, directory);
  project.provide("pgliteArchive", archive);
  project.provide("pgliteTemplate", directory);
  return () => rm(folder, { recursive: true, force: true });
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
  // What tests kill is a process, never the machine: fsync would only make them slow.
  const server =
    given === undefined || given === "" ? await startPostgresServer(["fsync=off", "full_page_writes=off"]) : undefined;
  const url = server?.url ?? (given as string);
  const template = `millrace_template_${randomBytes(6).toString("hex")}`;
  await runOn(url, `create database ${template}`);
  const connection = { kind: "postgres", url: urlOf(url, template) } as const;
  await (await openPostgresStore({ connection, logger: silentLogger })).close();
  project.provide("postgresUrl", url);
  project.provide("postgresTemplate", template);
  return async () => {
    if (server === undefined) await runOn(url, `drop database ${template}`);
    else await server.remove();
  };
}
