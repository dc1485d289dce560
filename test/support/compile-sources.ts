import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Sources as JavaScript, for processes of their own: they stand where packages are found. */
export interface CompiledSources {
  /** The compiled file of a source, both relative to the repository. */
  fileOf(source: string): string;
  remove(): Promise<void>;
}

/** Compiles these sources, and what they import, as they are now: `dist` may be older. */
export async function compileSources(sources: readonly string[]): Promise<CompiledSources> {
  const cache = join(root, "node_modules/.cache/millrace-test");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "compiled-"));
  const flags = "--ignoreConfig --strict --skipLibCheck --types node --target es2023 --module nodenext".split(" ");
  await promisify(execFile)(
    join(root, "node_modules/.bin/tsc"),
    [...flags, "--rootDir", ".", "--outDir", folder, ...sources],
    { cwd: root },
  );
  return {
    fileOf: (source) => join(folder, source.replace(/\.ts$/, ".js")),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
