import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readSources } from "../support/imports.js";
import {
  type Example,
  lacksExample,
  onOneLine,
  readDocExamples,
  readExpected,
  readIdentifiers,
  readNames,
  readPageExamples,
} from "./support/read-examples.js";
import { type Outcome, runExamples } from "./support/run-examples.js";

/**
 * Runs the examples of src/streams: each `@example` of its doc comments, and each `ts` block of docs/streams.md that prints
 * something. Each must compile, end by itself, leave nothing open, and print what its comments say.
 */
const folder = "src/streams";
const page = "docs/streams.md";
const read = (path: string) => ({ path, text: readFileSync(path, "utf8") });
const door = read(`${folder}/index.ts`);

/** Examples that must fail, each in its own way: without them, the check itself would be untested. */
const faulty = [
  { name: "a wrong type", says: "type errors", code: "const n: number = 'one';\nconsole.log(n); // one\n" },
  { name: "another output", says: "what it prints", code: "console.log(await count([1, 2])); // 3\n" },
  { name: "an output without a comment", says: "what it prints", code: "console.log(1);\n" },
  { name: "a comment without an output", says: "what it prints", code: "if (Date.now() < 0) console.log(1); // 1\n" },
  { name: "an error", says: "what it throws", code: "console.log(1); // 1\nthrow new Error('no');\n" },
  { name: "an unhandled rejection", says: "what it throws", code: "void Promise.reject(new Error('no'));\n" },
  { name: "a timer that is left open", says: "what it leaves open", code: "setInterval(() => undefined, 1_000);\n" },
] satisfies readonly (Example & { says: string })[];
const sound: Example = {
  name: "a valid example, with a name that is also an export, and an import",
  code: 'import { basename } from "node:path";\nconst count = 2;\nconsole.log(basename("a/b"), count); // b 2\n',
};
const examples = [...readDocExamples(folder), ...readPageExamples(page)];

let outcomes: ReadonlyMap<Example, Outcome>;
beforeAll(async () => {
  const all = [...examples, sound, ...faulty];
  const ran = await runExamples(all, door);
  outcomes = new Map(all.map((example, index) => [example, ran[index]!]));
}, 180_000);

function check(example: Example): void {
  const outcome = outcomes.get(example)!;
  expect(outcome.typeErrors, "type errors").toEqual([]);
  expect(outcome.error, "what it throws").toBeUndefined();
  expect(onOneLine(outcome.printed.join(" ")), "what it prints").toBe(readExpected(example));
  expect(outcome.left, "what it leaves open").toEqual([]);
}

describe("the examples of src/streams and docs/streams.md", () => {
  it("exist", () => {
    expect(examples.length).toBeGreaterThan(20);
  });

  it.each(examples)("print what their comments say: $name", (example) => {
    check(example);
  });
});

describe("the check of an example", () => {
  it(`accepts ${sound.name}`, () => {
    check(sound);
  });

  it.each(faulty)("refuses $name", (example) => {
    expect(() => check(example)).toThrow(example.says);
  });

  it("finds the comment on the last line of a call, or alone on the lines below it", () => {
    const code = "console.log(\n  [1],\n); // one\n// no\nf(); // no\nconsole.log(2);\n// two\n// three\n\n// no\n";
    expect(readExpected({ name: "", code })).toBe("one two three");
  });
});

describe("every export of millrace/streams", () => {
  const exported = readNames(door).filter(({ isType }) => !isType);
  /** The examples of errors are those of the functions that throw them. */
  const isError = (name: string) => name.endsWith("Error");

  it("has an example in its doc comment, if it is a function or a class that users construct", () => {
    const missing = exported
      .filter(({ name }) => !isError(name))
      .filter(({ name, from }) => lacksExample(read(posix.join(folder, from.replace(/\.js$/, ".ts"))), name));
    expect(missing.map(({ name, from }) => `${name} (${from})`)).toEqual([]);
  });

  it("is used by Millrace, an example or a recipe", () => {
    const used = new Set(readPageExamples(page).flatMap(({ code }) => [...readIdentifiers(code)]));
    const programs = [...readSources("src"), ...(existsSync("examples") ? readSources("examples") : [])];
    for (const file of programs.filter(({ path }) => !path.startsWith(`${folder}/`))) {
      for (const { name, from } of readNames(file)) if (/(^|\/)streams(\/index\.js)?$/.test(from)) used.add(name);
    }
    expect(exported.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
  });
});
