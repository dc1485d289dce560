import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runExample } from "../examples/run-example.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";

/** gRPC for Python, as a user installs it, with the route guide. Needs Python, pip, and a package index. */

const run = promisify(execFile);
const script = new URL("../../examples/routeguide/route_guide_client.py", import.meta.url).pathname;

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase("postgres");
  folder = await mkdtemp(join(tmpdir(), "millrace-python-"));
});
afterEach(async () => {
  await killServerProcesses();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** The interpreter with grpcio, or the reason why it is missing. */
async function installPython(): Promise<{ readonly python: string } | { readonly missing: string }> {
  const python = join(folder, "bin", "python");
  try {
    await run("python3", ["-m", "venv", folder]);
    await run(python, ["-m", "pip", "install", "--quiet", "grpcio", "grpcio-tools"]);
    return { python };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

test("a Python client of the tutorial's makes all four kinds of calls", async (context) => {
  const installed = await installPython();
  if ("missing" in installed) {
    return context.skip(`Python with grpcio and grpcio-tools cannot be had here: ${installed.missing}`);
  }
  const server = await startServerProcess([...databaseArguments(database.connection), "--listen", "127.0.0.1:0"]);
  expect(await runExample("routeguide", ["--address", server.address])).toMatchObject({ code: 0 });
  const args = [script, "--address", server.address, "--seed", "1", "--latitude", "1"];
  const { stdout } = await run(installed.python, args);
  const lines = stdout.split("\n");
  expect(lines).toContain("  Berkshire Valley Management Area Trail, Jefferson, NJ, USA at (40.9146, -74.6189)");
  expect(lines).toContain("  nothing at (0.0000, 0.0000)");
  expect(lines).toContain("  64 features in all");
  expect(lines).toContain("  10 points, 9 features passed");
  const heard = () => lines.filter((line) => line.startsWith("  hear "));
  expect(heard()).toEqual(["  hear First message at (1, 0)", "  hear Second message at (1, 1)"]);
  // All five notes of the first run are there for the second.
  const again = (await run(installed.python, args)).stdout.split("\n").filter((line) => line.startsWith("  hear "));
  expect(again.toSorted()).toEqual(
    ["First", "Fourth", "Second", "Fifth", "Third", "First", "Second"]
      .map((name) => `  hear ${name} message at (1, ${{ First: 0, Second: 1, Third: 2, Fourth: 0, Fifth: 1 }[name]})`)
      .toSorted(),
  );
});
