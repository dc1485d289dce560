import { execFileSync } from "node:child_process";
import fc from "fast-check";
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
    test(`splits ${line}`, () => {
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

/** The words that `sh` makes from each line. */
function wordsOfShell(lines: readonly string[]): readonly string[][] {
  const script = lines.map((line) => `printf '%s\\0' ${line}\nprintf '\\1'\n`).join("");
  const groups = execFileSync("sh", ["-c", script], { encoding: "utf8", stdio: "pipe" }).split("\u0001");
  return groups.slice(0, -1).map((words) => words.split("\0").slice(0, -1));
}

describe("splitCommandLine(), as sh splits", () => {
  const lines = [
    String.raw`grep "\d+\.\d*" "C:\temp\new" "\a\'\ \|"`,
    String.raw`jq ".name == \"a\" and .n \\ 2"`,
    String.raw`"\$HOME" "\`" "\\" "\\\\d" "\\\d"`,
    String.raw`'\$HOME' '\\' '\d' 'a"b'`,
    String.raw`\$HOME \d \\ \" \' a\ b \*`,
    String.raw`a"b\c"'d\e'\f`,
    '"two\\\nlines" one\\\nword a \\\n b \'kept\\\nas it is\' "kept\n too"',
    "'' \"\" a''b \t c\td",
    "no-break\u00a0space form\u000cfeed",
    String.raw`-e 'it'\''s'`,
  ];
  const expected = wordsOfShell(lines);
  for (const [index, line] of lines.entries()) {
    test(JSON.stringify(line), () => {
      expect(splitCommandLine(line)).toEqual(expected[index]);
    });
  }

  test("random lines of quotes, backslashes and blanks", () => {
    const isLine = (line: string) => {
      try {
        return splitCommandLine(line).length > 0;
      } catch {
        return false;
      }
    };
    const unit = fc.constantFrom("a", "d", " ", "\\", "\\", '"', "'");
    const line = fc.string({ unit, maxLength: 12 }).filter(isLine);
    fc.assert(
      fc.property(fc.array(line, { minLength: 100, maxLength: 100 }), (some) => {
        expect(some.map(splitCommandLine)).toEqual(wordsOfShell(some));
      }),
      { numRuns: 20 },
    );
  });
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

  test("requests no larger window than its limit", () => {
    expect(readConsumeTask(["work"], { limit: 3 }).window.records).toBe(3);
    expect(readConsumeTask(["work"], { limit: 3, window: 2 }).window.records).toBe(2);
    expect(readConsumeTask(["work"], { limit: 5000 }).window.records).toBeUndefined();
    expect(readConsumeTask(["work"], { limit: 5000, window: 9000 }).window.records).toBe(5000);
  });

  const faults: [words: readonly string[], options: ConsumeCommandOptions, text: string][] = [
    [[], {}, "give a subscription, or --topic"],
    [["work"], { start: "earliest" }, "--start is for --topic"],
    [["work"], { concurrency: 2 }, "--concurrency is for --exec"],
    [["work", "other"], {}, 'unexpected argument "other"'],
    [["work"], { topic: "orders" }, 'unexpected argument "work"'],
    [["work", "handle.js"], { exec: "node" }, 'unexpected argument "handle.js" after a command line'],
    [["work"], { exec: true }, "give the command"],
  ];
  for (const [words, options, text] of faults) {
    test(`refuses ${JSON.stringify([words, options])}`, () => {
      expect(() => readConsumeTask(words, options)).toThrow(text);
    });
  }
});

describe("verdictOf()", () => {
  test("acknowledges at 0, parks at 100, rejects otherwise, with the last line of standard error", () => {
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
