import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseSync } from "oxc-parser";
import { type Example, readNames } from "./read-examples.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const run = promisify(execFile);

/** The outcome of an example. */
export interface Outcome {
  /** The errors of the compiler. */
  readonly typeErrors: readonly string[];
  /** What its calls of console.log printed, one entry for each call. */
  readonly printed: readonly string[];
  /** Its error, or an unhandled rejection; `undefined` when it succeeded. */
  readonly error: string | undefined;
  /** Timers, files and sockets that it left open. */
  readonly left: readonly string[];
}

/**
 * Compiles all examples at once, each as a module with every export of src/streams in scope, and runs them one after the
 * other in one process. For an example that imports "millrace/streams" itself, that name resolves to src/streams.
 */
export async function runExamples(
  examples: readonly Example[],
  door: { path: string; text: string },
): Promise<Outcome[]> {
  const cache = join(root, "node_modules/.cache/millrace-test");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "examples-"));
  try {
    const here = relative(root, folder);
    const toDoor = relative(folder, join(root, door.path)).replace(/\.ts$/, ".js");
    const names = readNames(door).filter(({ from }) => from.startsWith("."));
    const files = examples.map((_, index) => `example-${index}.ts`);
    await Promise.all(
      examples.map((example, index) => writeFile(join(folder, files[index]!), moduleOf(example, names, toDoor))),
    );
    await writeFile(join(folder, "runner.ts"), runner(files));
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: relative(folder, join(root, "tsconfig.json")),
        compilerOptions: { noEmit: false, noUnusedLocals: false, rootDir: root, outDir: join(folder, "out") },
        include: [],
        files: [...files, "runner.ts"],
      }),
    );
    const said = await compile(folder);
    const ran = await execute(join(folder, "out", here, "runner.js"));
    return files.map((file, index) => ({
      typeErrors: said.filter((line) => line.includes(`${file}(`)).map((line) => line.slice(line.indexOf("error TS"))),
      printed: ran[index]?.printed ?? [],
      error: ran[index]?.error,
      left: ran[index]?.left ?? [],
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its own imports first, then its code in a block, where its names may shadow exports of src/streams. */
function moduleOf(example: Example, names: readonly { name: string; isType: boolean }[], door: string): string {
  const { program } = parseSync("example.ts", example.code);
  const imports = program.body.filter((statement) => statement.type === "ImportDeclaration");
  const own = imports.map(({ start, end }) =>
    example.code.slice(start, end).replace('"millrace/streams"', `"${door}"`),
  );
  const taken = new Set(own.flatMap((text) => [...text.matchAll(/\w+/g)].map(([word]) => word)));
  const rest = imports.reduce(
    (code, { start, end }) => code.slice(0, start) + " ".repeat(end - start) + code.slice(end),
    example.code,
  );
  const inScope = names
    .filter(({ name }) => !taken.has(name))
    .map(({ name, isType }) => (isType ? `type ${name}` : name));
  return [`import { ${inScope.join(", ")} } from "${door}";`, ...own, "{", rest, "}", "export {};"].join("\n");
}

/** The compiler's errors, one for each line. It emits in any case. */
async function compile(folder: string): Promise<string[]> {
  try {
    await run(join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], { cwd: root });
    return [];
  } catch (error) {
    return String((error as { stdout?: string }).stdout)
      .split("\n")
      .filter((line) => line.includes("error TS"));
  }
}

async function execute(file: string): Promise<Omit<Outcome, "typeErrors">[]> {
  const { stdout } = await run(process.execPath, [file], { cwd: root, timeout: 120_000, maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as Omit<Outcome, "typeErrors">[];
}

/** One process for all examples. Each has its own list of outputs, and is checked after some turns of the event loop. */
function runner(files: readonly string[]): string {
  return `
import { formatWithOptions } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

const timeLimitMs = 5_000;
const outcomes: { printed: string[]; error: string | undefined; left: string[] }[] = [];
let error: string | undefined;
let printed: string[] = [];
const fail = (reason: unknown) => { error ??= reason instanceof Error ? String(reason.stack) : formatWithOptions({}, reason); };
process.on("unhandledRejection", fail);
process.on("uncaughtException", fail);
console.log = (...args: unknown[]) => { printed.push(formatWithOptions({ breakLength: Infinity }, ...args)); };

/** The open resources of the process, apart from its outputs. */
const resources = () => process.getActiveResourcesInfo().filter((kind) => !/^(Pipe|TTY|Immediate)/.test(kind));

for (const file of ${JSON.stringify(files.map((file) => `./${file.replace(/\.ts$/, ".js")}`))}) {
  error = undefined;
  printed = [];
  const before = resources().length;
  const ranOut = new AbortController();
  const late = sleep(timeLimitMs, undefined, { signal: ranOut.signal }).then(
    () => fail(new Error("It did not end within " + timeLimitMs + " ms")),
    () => undefined,
  );
  await Promise.race([import(file).catch(fail), late]);
  ranOut.abort();
  await late;
  // Pending work settles in a few turns. What is open after these was left open.
  let left: string[] = [];
  for (let waited = 0; waited < 20; waited += 1) {
    await sleep(0);
    left = resources();
    if (left.length <= before) break;
    await sleep(waited * 5);
  }
  outcomes.push({ printed, error, left: left.length > before ? left : [] });
}
process.stdout.write(JSON.stringify(outcomes), () => process.exit());
`;
}
