import { describe, expect, test } from "vitest";
import { splitCommandLine } from "../../src/cli/command-line.js";
import { type ConsumeCommandOptions, readConsumeTask } from "../../src/cli/consume-options.js";
import { verdictOf } from "../../src/cli/record-command.js";

describe("splitCommandLine()", () => {
  const known: Record<string, readonly string[]> = {
    "node handle.js": ["node", "handle.js"],
    "  a \t b  ": ["a", "b"],
    "sh -c 'exit 3; echo \"$X\"'": ["sh", "-c", 'exit 3; echo "$X"'],
    "a \"b 'c' \\\" d\" ''": ["a", "b 'c' \" d", ""],
    "a\\ b'c\\d'": ["a bc\\d"],
    "*.js $HOME | > x": ["*.js", "$HOME", "|", ">", "x"],
  };
  for (const [line, words] of Object.entries(known)) {
    test(`takes apart ${line}`, () => {
      expect(splitCommandLine(line)).toEqual(words);
    });
  }

  for (const [line, text] of [
    ["", "names no command"],
    ["  ", "names no command"],
    ["a 'b", "has a ' that is not closed"],
    ["a\\", "ends with a backslash"],
  ] as const) {
    test(`refuses ${JSON.stringify(line)}`, () => {
      expect(() => splitCommandLine(line)).toThrow(text);
    });
  }
});

describe("readConsumeTask()", () => {
  const window = { records: undefined, bytes: undefined };

  test("prints a subscription's records, or an ephemeral consumer's", () => {
    expect(readConsumeTask(["work"], {})).toEqual({ target: "work", run: undefined, window });
    expect(readConsumeTask([], { topic: "orders", start: "earliest" })).toEqual({
      target: { topic: "orders", start: "earliest" },
      run: undefined,
      window,
    });
  });

  test("runs a command line, or the words behind --", () => {
    const run = { program: "node", args: ["handle.js", "--fast"] };
    expect(readConsumeTask(["work"], { exec: "node handle.js --fast" }).run).toEqual(run);
    expect(readConsumeTask(["work", "node", "handle.js", "--fast"], { exec: true }).run).toEqual(run);
    expect(readConsumeTask(["node", "handle.js", "--fast"], { exec: true, topic: "orders" }).run).toEqual(run);
  });

  test("asks for no more than its limit", () => {
    expect(readConsumeTask(["work"], { limit: 3 }).window.records).toBe(3);
    expect(readConsumeTask(["work"], { limit: 3, window: 2 }).window.records).toBe(2);
    expect(readConsumeTask(["work"], { limit: 5000 }).window.records).toBeUndefined();
    expect(readConsumeTask(["work"], { limit: 5000, window: 9000 }).window.records).toBe(5000);
  });

  const faults: [words: readonly string[], options: ConsumeCommandOptions, text: string][] = [
    [[], {}, "say a subscription, or --topic"],
    [["work"], { start: "earliest" }, "--start is for --topic"],
    [["work"], { concurrency: 2 }, "--concurrency is for --exec"],
    [["work", "other"], {}, '"other" is too many'],
    [["work"], { topic: "orders" }, '"work" is too many'],
    [["work", "handle.js"], { exec: "node" }, '"handle.js" is too many beside a command line'],
    [["work"], { exec: true }, "say the command"],
  ];
  for (const [words, options, text] of faults) {
    test(`refuses ${JSON.stringify([words, options])}`, () => {
      expect(() => readConsumeTask(words, options)).toThrow(text);
    });
  }
});

describe("verdictOf()", () => {
  test("acknowledges at 0, parks at 100, rejects at everything else, with the last line of what was said", () => {
    expect(verdictOf(0, "a warning\n")).toEqual({ kind: "acknowledge" });
    expect(verdictOf(100, "x\nno such customer\n\n")).toEqual({
      kind: "park",
      reason: "exit code 100: no such customer",
    });
    expect(verdictOf(1, "")).toEqual({ kind: "reject", reason: "exit code 1" });
    expect(verdictOf(3, "a\u0000b\u001B[2J")).toEqual({ kind: "reject", reason: "exit code 3: a\\u0000b\\u001b[2J" });
    expect(verdictOf("SIGKILL", "half")).toEqual({ kind: "reject", reason: "SIGKILL: half" });
  });
});
