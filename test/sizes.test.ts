import { describe, expect, test } from "vitest";
import { readSources } from "./support/imports.js";
import { fileLinesMax, findSizeFaults, functionLinesMax } from "./support/sizes.js";

const sources = readSources("src").filter(({ path }) => !path.startsWith("src/gen/"));

test("the files and functions of src are small, and those with more parameters say why", () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(sources.flatMap(findSizeFaults)).toEqual([]);
});

describe("findSizeFaults()", () => {
  const faultsOf = (text: string): string[] => findSizeFaults({ path: "src/core/x.ts", text });
  const lines = (count: number): string => "// One more.\n".repeat(count);
  const reason = "/** Positional parameters: called once a record. */\n";

  const sound: Record<string, string> = {
    "a file at the bound": lines(fileLinesMax),
    "a function at the bound": `function f() {\n${lines(functionLinesMax - 2)}}\n`,
    "three parameters": "const f = (a, b, c) => a + b + c;",
    "a last signal": "function f(a, b, c, signal) {}",
    "a last stream with a default": "class F { f(a, b, c, stream = undefined) {} }",
    "a last stream and signal": "function f(a, b, c, stream, signal) {}",
    "a this": "function f(this: Date, a, b, c) {}",
    "overloads of a function": "export function f(a, b, c, d): void;\nexport function f(...all): void {}",
    "a reason above a function": `${reason}export function f(a, b, c, d) {}`,
    "a reason above an async function": `${reason}export async function f(a, b, c, d) {}`,
    "a reason above a method": `class F {\n${reason}static f(a, b, c, d) {}\n}`,
    "a reason above a constructor": `class F {\n${reason}constructor(a, b, c, d) {}\n}`,
    "a reason above a constant": `${reason}export const f = (a, b, c, d) => a;`,
    "a reason above a signature": `interface F {\n${reason}f(a, b, c, d): void;\n}`,
    "a reason on one line": "// Positional parameters: called once a record.\nfunction f(a, b, c, d) {}",
    "a reason at the end of a comment":
      "/**\n * Adds them.\n *\n * Positional parameters: called once\n * a record.\n */\nfunction f(a, b, c, d) {}",
  };
  for (const [what, text] of Object.entries(sound)) {
    test(`accepts ${what}`, () => {
      expect(faultsOf(text)).toEqual([]);
    });
  }

  const tooMany = (name: string, line = 1, count = 4): string =>
    `src/core/x.ts:${line}: ${name} has ${count} positional parameters, at most 3 are allowed`;
  const nothing = 'src/core/x.ts:1: "Positional parameters" allows nothing: no function below it needs it';
  const faulty: Record<string, readonly [text: string, ...faults: string[]]> = {
    "a long file": [lines(fileLinesMax + 1), "src/core/x.ts has 401 lines, at most 400 are allowed"],
    "a long function": [
      `\nfunction f() {\n${lines(functionLinesMax - 1)}}\n`,
      "src/core/x.ts:2: f has 101 lines, at most 100 are allowed",
    ],
    "a long function that has a reason for its parameters": [
      `${reason}const f = (a, b, c, d) => {\n${lines(functionLinesMax - 1)}};\n`,
      "src/core/x.ts:2: f has 101 lines, at most 100 are allowed",
    ],
    "a function": ["export function f(a, b, c, d) {}", tooMany("f")],
    "an arrow function": ["const f = (a, b, c, d) => a;", tooMany("f")],
    "a function without a name": ["f((a, b, c, d) => a);", tooMany("a function")],
    "a method": ["class F { f(a, b, c, d) {} }", tooMany("f")],
    "a private method": ["class F { #f(a, b, c, d) {} }", tooMany("f")],
    "a constructor": ["class F { constructor(private a, b, c, { d }) {} }", tooMany("constructor")],
    "an abstract method": ["abstract class F { abstract f(a, b, c, d): void; }", tooMany("f")],
    "a method of an object": ["const o = { f(a, b, c, d) {} };", tooMany("f")],
    "a method of an interface": ["interface F { f(a, b, c, d): void; }", tooMany("f")],
    "the type of a function": ["type F = (a, b, c, ...d) => void;", tooMany("F")],
    "a signal that is not last": ["function f(a, signal, b, c) {}", tooMany("f")],
    "five with a signal": ["function f(a, b, c, d, signal) {}", tooMany("f")],
    "a reason that is empty": ["/** Positional parameters: */\nfunction f(a, b, c, d) {}", tooMany("f", 2), nothing],
    "a reason above another function": [
      `${reason}function f(a) {}\nfunction g(a, b, c, d) {}`,
      tooMany("g", 3),
      nothing,
    ],
    "a reason that is not needed": [`${reason}function f(a, b, c) {}`, nothing],
  };
  for (const [what, [text, ...faults]] of Object.entries(faulty)) {
    test(`refuses ${what}`, () => {
      expect(faultsOf(text)).toEqual(faults);
    });
  }

  test("refuses a module that does not parse", () => {
    expect(() => faultsOf("function (")).toThrow("Cannot parse src/core/x.ts");
  });
});
