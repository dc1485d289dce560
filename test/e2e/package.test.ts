import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { templateName } from "../../src/store/postgres/template/template-name.js";
import { runProgram } from "../support/run-program.js";

/** The package as npm would publish it, unpacked where an installation would have it. */
const root = new URL("../../", import.meta.url).pathname;
const folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-package-")));
const installed = join(folder, "node_modules/millrace");
const api = "proto/millrace/v1";

beforeAll(async () => {
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(packed.toString()) as [{ filename: string }];
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", folder]);
  await mkdir(join(folder, "node_modules"));
  renameSync(join(folder, "package"), installed);
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("has the API's files alone, and each is found by its name", () => {
  const files = readdirSync(join(installed, "proto"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(installed.length + 1));
  expect(files.toSorted()).toEqual(
    readdirSync(join(root, api))
      .map((name) => `${api}/${name}`)
      .toSorted(),
  );
  const { resolve } = createRequire(join(folder, "program.js"));
  for (const file of files) expect(resolve(`millrace/${file}`)).toBe(join(installed, file));
});

test("has the template of embedded databases that its migrations make", () => {
  expect(readdirSync(join(installed, "dist/templates"))).toEqual([templateName()]);
});

test("knows the methods of all services", async () => {
  const { code, stderr } = await runProgram(join(installed, "dist/cli/main.js"), ["call", "no.Service/Method"]);
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
