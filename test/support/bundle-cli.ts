import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** These look for files of their own beside their code, or are told apart by their instances. */
const external = ["@electric-sql/pglite", "@grpc/grpc-js", "@grpc/proto-loader", "grpc-health-check", "pino"];

/** The command line in few files. */
export interface BundledCli {
  /** Its `main.js`. */
  readonly entry: string;
  remove(): Promise<void>;
}

/**
 * Bundles the command line of a build with the packages that have many modules. Node takes 0.8 CPU seconds to find and link the 600 modules of
 * a server, 0.3 those of a command, and the tests start hundreds; from a bundle it takes half. What a bundle cannot show,
 * that `dist/` finds its modules and packages, is tested by the README's commands, the packed package and the soaks.
 */
export async function bundleCli(built: string): Promise<BundledCli> {
  const cache = join(root, "node_modules/.cache/millrace-test");
  await mkdir(cache, { recursive: true });
  // A small checkout: the code looks for `proto`, `dist/spoken` and `package.json` from where it stands.
  const folder = await mkdtemp(join(cache, "bundle-"));
  const bundle = await rolldown({
    input: join(built, "cli/main.js"),
    platform: "node",
    external: (id) => external.some((name) => id === name || id.startsWith(`${name}/`)),
  });
  await bundle.write({ dir: join(folder, "dist/cli"), format: "esm", keepNames: true });
  await bundle.close();
  await cp(join(root, "package.json"), join(folder, "package.json"));
  await symlink(join(root, "proto"), join(folder, "proto"));
  for (const name of ["spoken", "templates"]) await symlink(join(built, name), join(folder, "dist", name));
  return { entry: join(folder, "dist/cli/main.js"), remove: () => rm(folder, { recursive: true, force: true }) };
}
