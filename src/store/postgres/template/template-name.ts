import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { checksumOf, createMigrationsTable } from "../migrations/migrate.js";
import type { Migration } from "../migrations/migration.js";
import { migrations } from "../migrations/migrations.js";

/**
 * The file name of the template that fits this program. It contains PGlite's version and a hash of all migrations, so a
 * template of another version is not found.
 */
export function templateName(list: readonly Migration[] = migrations): string {
  const hash = createHash("sha256").update(createMigrationsTable);
  for (const migration of list) hash.update(`\n${migration.number} ${migration.name} ${checksumOf(migration)}`);
  return `embedded-${pgliteVersion()}-${hash.digest("hex").slice(0, 32)}.tar.br`;
}

/** PGlite does not export its `package.json`. */
function pgliteVersion(): string {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const text = readFileSync(join(dirname(entry), "../package.json"), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
