import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { templateName } from "../../src/store/postgres/template/template-name.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { clientProgram, serverProgram } from "../support/package-program.js";
import { runProgram } from "../support/run-program.js";
import { databaseArguments, type ServerProcess, startServerProcess } from "../support/server-process.js";

/** The packages as npm publishes them, installed from their tarballs into empty projects. */
const root = new URL("../../", import.meta.url).pathname;
const api = "proto/millrace/v1";
const installTimeoutMs = 120_000;
const run = promisify(execFile);

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const top = readManifest(root);
let folder: string;
let database: TestDatabase;
let server: ServerProcess;

const packages = [
  { name: "millrace", folder: "millrace", program: serverProgram },
  { name: "@millrace/client", folder: "client", program: clientProgram },
] as const;

/** Where a package is installed. Programs in folders below it find it. */
const homeOf = (name: string): string => join(folder, "installed", name.replace("/", "-"));
const installed = (name: string, file = ""): string => join(homeOf(name), "node_modules", name, file);

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "millrace-package-")));
  await run("node", ["scripts/build-packages.mjs", folder], { cwd: root });
  const installations = packages.map((each) => install(each.name, join(folder, each.folder)));
  database = await createTestDatabase("embedded");
  await Promise.all(installations);
  server = await startServerProcess(["--listen", "127.0.0.1:0", ...databaseArguments(database.connection)], {
    entry: join(homeOf("millrace"), "node_modules/.bin/millrace"),
  });
}, installTimeoutMs);
afterAll(async () => {
  await server.stop();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function install(name: string, packageFolder: string): Promise<void> {
  const home = homeOf(name);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "package.json"), "{}");
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", home], { cwd: packageFolder });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  const flags = "--prefer-offline --ignore-scripts --no-audit --no-fund --no-package-lock".split(" ");
  await run("npm", ["install", ...flags, `./${filename}`], { cwd: home });
}

function readManifest(packageFolder: string): Manifest {
  return JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as Manifest;
}

/** Every file below a folder, by its path from there. */
function filesIn(parent: string): string[] {
  return readdirSync(parent, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(parent.length + 1))
    .toSorted();
}

describe.each(packages)("$name", ({ name, program }) => {
  /** Writes a project of these files, compiles it if it has a `tsconfig.json`, and runs each of its programs. */
  async function check(kind: string, files: Readonly<Record<string, unknown>>, entries: readonly string[]) {
    const project = join(homeOf(name), kind);
    await mkdir(project);
    for (const [file, content] of Object.entries(files)) {
      await writeFile(join(project, file), typeof content === "string" ? content : JSON.stringify(content));
    }
    // A failure of the compiler is an error with its output.
    if ("tsconfig.json" in files) await run(join(root, "node_modules/.bin/tsc"), ["-p", project]);
    for (const entry of entries) {
      const topic = `${name.replace(/\W/g, "")}/${kind}/${entry}`;
      expect(await runProgram(join(project, entry), [server.address, topic])).toMatchObject({
        stdout: program.prints,
        stderr: "",
        code: 0,
      });
    }
  }

  // Without skipLibCheck the declarations are compiled too, with all their imports. Once is enough.
  const compilerOptions = { strict: true, noImplicitAny: false, target: "es2023", types: ["node"] };

  test("works in an ES module", () => check("module", { "program.mjs": program.module }, ["program.mjs"]));

  test("works in CommonJS, and Node prints no warning", () =>
    check("common-js", { "program.cjs": program.commonJs }, ["program.cjs"]));

  test("works in TypeScript with moduleResolution bundler", () =>
    check(
      "bundler",
      {
        "package.json": { type: "module" },
        "tsconfig.json": {
          compilerOptions: { ...compilerOptions, skipLibCheck: true, module: "esnext", moduleResolution: "bundler" },
        },
        "program.ts": program.module,
      },
      ["program.js"],
    ));

  test("works in TypeScript with moduleResolution node16, in ES modules and in CommonJS", () =>
    check(
      "node16",
      {
        "tsconfig.json": { compilerOptions: { ...compilerOptions, module: "node16", moduleResolution: "node16" } },
        "program.mts": program.module,
        "program.cts": program.module,
      },
      ["program.mjs", "program.cjs"],
    ));

  test("has the versions of the root's package.json, and names the project's location", () => {
    const { version, dependencies, ...manifest } = readManifest(installed(name));
    expect(version).toBe(top.version);
    expect(top.dependencies).toMatchObject(dependencies);
    for (const field of ["repository", "homepage", "bugs", "engines"]) expect(manifest[field]).toEqual(top[field]);
    expect(manifest["keywords"]).toContain("grpc");
    for (const field of ["private", "devDependencies", "allowScripts"]) expect(manifest).not.toHaveProperty(field);
  });

  test("has no dead link", () => {
    const pages = filesIn(installed(name)).filter((file) => file.endsWith(".md"));
    expect(pages).toContain("README.md");
    const links = pages.flatMap((page) =>
      [...readFileSync(installed(name, page), "utf8").matchAll(/\]\(([^)#:\s]+)(?:#[^)\s]*)?\)/g)].map(([, to = ""]) =>
        join(dirname(page), to),
      ),
    );
    expect(links).toContain("docs/streams.md");
    expect(links.filter((file) => !existsSync(installed(name, file)))).toEqual([]);
  });

  test("has no source maps, and no code that refers to one", () => {
    const files = filesIn(installed(name, "dist"));
    expect(files.filter((file) => file.endsWith(".map"))).toEqual([]);
    const asks = (file: string): boolean =>
      readFileSync(installed(name, `dist/${file}`), "utf8").includes("//# sourceMap");
    expect(files.filter(asks)).toEqual([]);
  });
});

describe("millrace", () => {
  test("has the exports and the dependencies of the checkout", () => {
    const { exports, dependencies } = readManifest(installed("millrace"));
    expect(Object.keys(exports)).toEqual(Object.keys(top.exports));
    expect(dependencies).toEqual(top.dependencies);
  });

  test("has only the API's files, and each is found by its name", () => {
    const files = filesIn(installed("millrace")).filter((file) => file.startsWith("proto/"));
    expect(files).toEqual(
      readdirSync(join(root, api))
        .map((name) => `${api}/${name}`)
        .toSorted(),
    );
    const { resolve } = createRequire(join(homeOf("millrace"), "program.js"));
    for (const file of files) expect(resolve(`millrace/${file}`)).toBe(installed("millrace", file));
  });

  test("has the template of embedded databases that its migrations make", () => {
    expect(readdirSync(installed("millrace", "dist/templates"))).toEqual([templateName()]);
  });

  test("knows the methods of all services", async () => {
    const { code, stderr } = await runProgram(installed("millrace", "dist/cli/main.js"), ["call", "no.Service/Method"]);
    expect(code).toBe(2);
    for (const known of [
      "millrace.v1.RecordService/Append",
      "routeguide.RouteGuide/GetFeature",
      "grpc.health.v1.Health/Check",
      "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ]) {
      expect(stderr).toContain(known);
    }
  });
});

describe("@millrace/client", () => {
  test("takes at most 16 MB on disk, with its dependencies", async () => {
    const { stdout } = await run("du", ["-sk", join(homeOf("@millrace/client"), "node_modules")]);
    expect(Number.parseInt(stdout, 10)).toBeLessThanOrEqual(16 * 1024);
  });

  test("contains nothing of the server", () => {
    expect(Object.keys(readManifest(installed("@millrace/client")).dependencies)).toEqual(["@grpc/grpc-js"]);
    // grpc-js itself depends on proto-loader.
    const ofServer = Object.keys(top.dependencies).filter((name) => !name.startsWith("@grpc/"));
    const there = (name: string): boolean => existsSync(join(homeOf("@millrace/client"), "node_modules", name));
    expect(ofServer.filter(there)).toEqual([]);
    expect(
      readdirSync(installed("@millrace/client", "dist"), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["carried", "client", "core", "gen", "streams", "wire"]);
  });

  test("has the same exports as millrace's client modules", async () => {
    for (const door of ["dist/index.js", "dist/streams/index.js"]) {
      const names = async (name: string): Promise<string[]> => Object.keys(await import(installed(name, door)));
      expect(await names("@millrace/client")).toEqual(await names("millrace"));
    }
  });

  test("has a README whose programs print what it says", async () => {
    const readme = readFileSync(installed("@millrace/client", "README.md"), "utf8");
    const texts = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
    expect(texts).toHaveLength(2);
    const project = join(homeOf("@millrace/client"), "readme");
    await mkdir(project);
    for (const text of texts) {
      const file = join(project, "program.mjs");
      await writeFile(file, text.replace("127.0.0.1:50051", server.address));
      const said = /console\.log\(.*\); \/\/ (.*)$/m.exec(text)?.[1];
      expect(await runProgram(file, [])).toMatchObject({ stdout: `${said}\n`, stderr: "", code: 0 });
    }
  });
});
